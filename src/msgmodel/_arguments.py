"""Checks the arguments of a call and turns them into a `Question`. Errors are raised here, before anything is sent.

Each error names the argument and says what to pass instead.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from inspect import iscoroutinefunction
from operator import index
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from ._options import Arguments, Fallback, Options
from .errors import ConfigurationError, FileError, MsgModelError, quoted
from .question import history
from .question.config import LocalConfig, OpenAIConfig, ProviderConfig
from .question.files import SIZE_LIMITS, FileLike, check_attachment, read_attachments
from .question.history import Receiver
from .question.question import EFFORT_FIELDS, Attachment, Dialect, Effort, Question, QuestionTurn, TurnPart
from .question.tools import read_tools
from .registry import environment, registry, rows
from .registry.provider import Provider
from .reply.exchange import MAX_REPLY_BYTES, RetryRules, WaitLimits

Callback = TypeVar("Callback", bound=Callable[..., object] | None)

MAX_SECONDS = 1e8
"""Three years. A longer timer overflows in asyncio and in `select`."""
MAX_MODEL_CHARACTERS = 4096

LEAST_REPLY_BYTES = 1024
"""A reply of one word takes this much memory, so a smaller limit would refuse every reply."""


class InputCache(history.MessageCache):
    """Reads each file and each list of messages once for all panels and fallbacks of a call.

    A pipe could not be read twice, and a long conversation would cost its length again for each provider.
    """

    def __init__(self) -> None:
        super().__init__()
        self._attached: dict[tuple[int, int, int], tuple[Attachment, ...]] = {}

    def attachments(
        self, file_like: FileLike | None, filename: str | None, files: Sequence[Any]
    ) -> tuple[Attachment, ...]:
        """Return the files of a call. Raise FileError if one can't be read."""
        key = id(file_like), id(filename), id(files)
        if key not in self._attached:
            self._attached[key] = read_all_attachments(file_like, filename, files)
            self._kept_alive += (file_like, filename, files)
        return self._attached[key]


def read_questions(arguments: Arguments, options: Options, readings: InputCache | None = None) -> list[Question]:
    """Return the question for the provider, then the same question for each fallback.

    Raises:
        ConfigurationError, AuthenticationError, FileError: An argument is wrong, or a fallback, named by its number.
    """
    readings = readings or InputCache()
    questions = [read_question(arguments, options, readings)]
    fallbacks = options.get("fallbacks", ())
    if not isinstance(fallbacks, Sequence) or isinstance(fallbacks, (str, bytes)):
        raise ConfigurationError(f"fallbacks must be a list of providers, not {type(fallbacks).__name__}")
    for number, fallback in enumerate(fallbacks):
        try:
            questions.append(read_question(_arguments_for_fallback(arguments, fallback), options, readings))
        except MsgModelError as error:
            raise type(error)(f"fallbacks[{number}]: {error.message}") from None
    return questions


def _arguments_for_fallback(arguments: Arguments, fallback: str | tuple[str, str] | Fallback) -> Arguments:
    """Return the arguments for another provider, without the key, config and model of the first."""
    if isinstance(fallback, str):
        fallback = {"provider": fallback}
    elif isinstance(fallback, tuple) and len(fallback) == 2:
        fallback = {"provider": fallback[0], "model": fallback[1]}
    elif not isinstance(fallback, Mapping):
        raise ConfigurationError("must be a provider, a tuple of provider and model, or a dict")
    unknown = fallback.keys() - Fallback.__annotations__.keys()
    if unknown or "provider" not in fallback:
        raise ConfigurationError(f"must be a dict with {', '.join(Fallback.__annotations__)}")
    return replace(
        arguments,
        provider=fallback["provider"],
        model=fallback.get("model"),
        api_key=fallback.get("api_key"),
        config=fallback.get("config"),
    )


def read_question(arguments: Arguments, options: Options, readings: InputCache | None = None) -> Question:
    """Return the question for one provider.

    Raises:
        ConfigurationError, AuthenticationError, FileError: An argument is wrong.
    """
    readings = readings or InputCache()
    row = registry.find_provider(arguments.provider)
    config = _copy_config(row, arguments.config)
    tools, tool_choice = read_tools(options.get("tools", ()), options.get("tool_choice"))
    model = _read_model_name(row, arguments.model, config.model)
    wire = _choose_wire(row, config, model, bool(tools))
    _check_address_parts(wire, model, config)
    attached = readings.attachments(arguments.file_like, arguments.filename, options.get("files", ()))
    base_url = row.base_url if isinstance(config, LocalConfig) else _read_base_url(row, config)
    receiver = Receiver(row.name, wire, urlsplit(base_url).hostname or "", row.is_official_host(base_url))
    systems, past_turns = readings.read_turns(options.get("messages", ()), receiver)
    system, turns = _read_turns(arguments.prompt, arguments.system_instruction, attached, systems, past_turns)
    max_tokens = _read_count("max_tokens", _first_set(arguments.max_tokens, config.max_tokens))
    temperature = _read_amount("temperature", _first_set(arguments.temperature, config.temperature))
    effort = _read_effort(options.get("reasoning"))
    _check_attachments(turns, row, wire)
    destination = (
        _find_local_model(row, model)
        if isinstance(config, LocalConfig)
        else _find_server(row, config, model, base_url, arguments.api_key)
    )
    _check_effort(effort, row, wire, destination.dialect, model)
    return Question(
        provider=row.name,
        wire=wire,
        model=destination.model,
        turns=turns,
        system=system,
        max_tokens=max_tokens,
        temperature=temperature,
        tools=tools,
        tool_choice=tool_choice,
        reasoning=effort,
        config=config,
        dialect=destination.dialect,
        base_url=destination.base_url,
        headers=destination.headers,
        secrets=destination.secrets,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Destination:
    """The address that a question goes to, and what is sent because it goes there."""

    model: str
    base_url: str = field(repr=False)
    dialect: Dialect = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


def _first_set(argument: object, configured: object) -> object:
    """Return the argument of the call, or the value in the config if the call has none."""
    return configured if argument is None else argument


def _copy_config(row: Provider, config: ProviderConfig | None) -> ProviderConfig:
    """Return a copy of the config, so that later changes by the caller do not reach a running request."""
    if config is None:
        config = row.config()
    if not isinstance(config, row.config):
        raise ConfigurationError(f"provider {row.name!r} takes {row.config.__name__}, not {type(config).__name__}")
    config = replace(config)
    if not isinstance(config.body, Mapping):
        raise ConfigurationError(f"body must be a dict, not {type(config.body).__name__}")
    if isinstance(config.stop, str):
        raise ConfigurationError(f"stop must be a tuple of strings: ({quoted(config.stop)},)")
    return config


def _check_attachments(turns: tuple[QuestionTurn, ...], row: Provider, wire: str) -> None:
    """Raise FileError if this provider does not accept one of the files."""
    limits = SIZE_LIMITS["local" if row.name == "local" else wire]
    for turn in turns:
        for part in turn.parts:
            if isinstance(part, Attachment):
                check_attachment(part, row.name, limits)


def _check_effort(effort: Effort | None, row: Provider, wire: str, dialect: Dialect, model: str) -> None:
    """Raise ConfigurationError if this server or this model has no such level of reasoning."""
    if effort and wire == "openai_chat" and effort not in dialect.reasoning:
        levels = ", ".join(dialect.reasoning) or "none of them"
        raise ConfigurationError(f"reasoning={quoted(effort)} can't be asked of {row.name}: it takes {levels}")
    if effort == "none" and "always" in rows.reasoning_traits(model):
        raise ConfigurationError(f"reasoning='none' can't be asked of {model}, which always reasons: use 'low'")


def read_all_attachments(
    file_like: FileLike | None, filename: str | None, files: Sequence[Any]
) -> tuple[Attachment, ...]:
    """Return the files of a call: `file_like`, then `files`. A FileError names the file in `files` by its number."""
    attachments = [*read_attachments(file_like, filename, ())]
    if not isinstance(files, Sequence) or isinstance(files, (str, bytes)):
        raise FileError(f"files must be a list of files, not {type(files).__name__}")
    for number, file in enumerate(files):
        try:
            attachments += read_attachments(None, None, [file])
        except FileError as error:
            raise FileError(f"files[{number}]: {error.message.removeprefix('file_like ')}") from None
    return tuple(attachments)


def _choose_wire(row: Provider, config: ProviderConfig, model: str, tools: bool) -> str:
    """Return the provider's wire. For OpenAI's API: as the config says, else as OpenAI requires for the model."""
    if not isinstance(config, OpenAIConfig):
        return row.wire
    if config.api not in (None, "chat", "responses"):
        raise ConfigurationError(f'api must be "chat" or "responses", not {quoted(config.api)}')
    # Other servers have model names of their own, which say nothing about the Responses API.
    is_openai = row.name in ("openai", "azure")
    if config.api != "responses" and not (config.api is None and is_openai and rows.speaks_responses(model, tools)):
        return "openai_chat"
    replies = config.n if config.n != 1 else None
    chat_only = {"stop": config.stop, "seed": config.seed, "n": replies}
    unknown = [name for name, value in chat_only.items() if value is not None]
    if unknown:
        raise ConfigurationError(
            f"the Responses API, over which {model} is asked, has no {' and no '.join(unknown)}: leave it out, or take "
            'another model with api="chat"'
        )
    return "openai_responses"


def _read_base_url(row: Provider, config: Any) -> str:
    if config.base_url is not None and not isinstance(config.base_url, str):
        raise ConfigurationError(f"base_url must be a string, not {type(config.base_url).__name__}")
    return _check_address(environment.find_base_url(row, config.base_url))


def _find_server(row: Provider, config: Any, model: str, base_url: str, api_key: str | None) -> _Destination:
    """Return the server, with the key and the headers that may be sent to it.

    Raises:
        AuthenticationError: The provider needs a key and there is none.
    """
    official = row.is_official_host(base_url)
    key = environment.find_key(row, ("the argument api_key", api_key), ("api_key in the config", config.api_key))
    # The headers of the environment name an account at the provider itself. No other server may read them.
    headers = _read_header_fields(environment.read_extra_headers(row)) if official else {}
    if key is not None:
        bearer = key.header == "authorization"
        headers[key.header] = f"Bearer {key.value}" if bearer else key.value
    own = _read_header_fields(config.headers)
    if row.needs_key and key is None and not own and not (isinstance(config, OpenAIConfig) and config.base_url):
        raise environment.missing_key_error(row)  # a server that the config names may need no key
    return _Destination(
        model=model,
        base_url=base_url,
        dialect=row.dialect if official or row.dialect_elsewhere is None else row.dialect_elsewhere,
        headers=headers | own,
        secrets=_values_to_redact(base_url, key.value if key else "", own),
    )


def _values_to_redact(base_url: str, key: str, headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return the values to redact from any text we show, longest first, so that none is cut by a prefix of it."""
    secrets = [key, *headers.values()]
    # Providers quote a key in their errors without its scheme, such as Bearer.
    secrets += [value.partition(" ")[2] for name, value in headers.items() if name.endswith("authorization")]
    secrets += [value for name, value in parse_qsl(urlsplit(base_url).query) if name != "api-version"]
    # A shorter value is not a secret, and redacting it would tear ordinary words apart.
    return tuple(sorted({value for value in secrets if len(value) >= 8}, key=len, reverse=True))


def _find_local_model(row: Provider, model: str) -> _Destination:
    """Return the path of the GGUF file as the address. Raise ConfigurationError if it can't be used."""
    from .local import engine

    is_default = model == row.default_model
    path = engine.check_model_path(None if is_default else model)
    return _Destination(model=model if is_default else path.stem, base_url=str(path), dialect=row.dialect)


def _read_turns(
    prompt: str,
    system: str | None,
    files: tuple[Attachment, ...],
    systems: list[str],
    turns: list[QuestionTurn],
) -> tuple[str | None, tuple[QuestionTurn, ...]]:
    """Return the system text and the turns, of which the last is the user's."""
    if not isinstance(prompt, str):
        raise ConfigurationError(f"prompt must be a string, not {type(prompt).__name__}")
    if system is not None and not isinstance(system, str):
        raise ConfigurationError(f"system_instruction must be a string, not {type(system).__name__}")
    parts: tuple[TurnPart, ...] = (*files, *((prompt,) if prompt.strip() else ()))
    if parts:
        turns.append(QuestionTurn("user", parts))
    elif not turns or turns[-1].role == "assistant":
        raise ConfigurationError(
            "prompt is empty, and there is no file and no message of the user to answer: pass a prompt"
        )
    return "\n\n".join(filter(None, (system, *systems))) or None, tuple(turns)


def _read_effort(value: object) -> Effort | None:
    if value is not None and (not isinstance(value, str) or value not in EFFORT_FIELDS):
        raise ConfigurationError(f"reasoning must be none, low, medium or high, not {quoted(value)}")
    return value  # type: ignore[return-value]


def _read_model_name(row: Provider, *names: str | None) -> str:
    name = next((name for name in names if name is not None), row.default_model)
    if not name and not row.default_model:
        raise ConfigurationError(f"{row.name} has no default model: pass model=")
    if not isinstance(name, str) or not name.strip() or not name.strip().isprintable():
        raise ConfigurationError("model must be the name of a model, or left out for the default")
    if len(name) > MAX_MODEL_CHARACTERS:  # the name is repeated in terminal events and in errors
        raise ConfigurationError(f"model has {len(name)} characters: a name has at most {MAX_MODEL_CHARACTERS}")
    return name.strip()


def _check_address_parts(wire: str, model: str, config: ProviderConfig) -> None:
    """Raise ConfigurationError for a value that would change another part of the address or the header it goes into."""
    if wire == "gemini" and not {"", ".", ".."}.isdisjoint(re.split(r"[/\\]", model)):
        raise ConfigurationError(f"{model!r} is not the name of a model: it is a part of the address")
    version = getattr(config, "api_version", None)
    if version not in (None, "") and not (isinstance(version, str) and re.fullmatch(r"[A-Za-z0-9_-]+", version)):
        raise ConfigurationError("api_version must be one of the API's own, such as v1beta: letters, digits, - and _")


def _check_address(base_url: str) -> str:
    try:
        parts = urlsplit(base_url)
        is_complete = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        (parts.hostname or "").encode("idna")  # resolvers encode it so, and fail on a label that is empty or too long
    except ValueError:  # unmatched brackets, or a port that is not a number
        is_complete = False
    if not is_complete or not base_url.isprintable() or " " in base_url:
        raise ConfigurationError("base_url must be an address such as https://example.com/v1")
    if not base_url.isascii():  # versions of IDNA disagree about which host a letter means
        raise ConfigurationError("base_url must be ASCII: write the host in its xn-- form, and other letters as %XX")
    if parts.username or parts.password or parts.fragment:
        raise ConfigurationError("base_url must not contain a user, a password or a fragment: use api_key or headers")
    return base_url


def _read_header_fields(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers with names in lower case. Raise ConfigurationError for one that HTTP does not allow."""
    fields: dict[str, str] = {}
    if not isinstance(headers, Mapping):
        raise ConfigurationError(f"headers must be a dict, not {type(headers).__name__}")
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise ConfigurationError("headers must map strings to strings")
        if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            raise ConfigurationError(f"{quoted(name)} is not a header name: use letters, digits, - and _")
        if not value.isascii() or not value.isprintable():
            raise ConfigurationError(f"the value of the header {quoted(name)} must be printable ASCII")
        if name.lower() in ("connection", "content-length", "host", "transfer-encoding"):
            raise ConfigurationError(f"the HTTP library writes the header {quoted(name)}: leave it out")
        fields[name.lower()] = value
    return fields


def _read_count(name: str, value: object) -> int | None:
    if value is None:
        return None
    number = index(value) if hasattr(value, "__index__") and not isinstance(value, bool) else 0
    if number < 1:
        raise ConfigurationError(f"{name} must be a whole number of at least 1, not {quoted(value)}")
    return number


def _read_amount(name: str, value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= sys.float_info.max:
        raise ConfigurationError(f"{name} must be a number of at least 0, not {quoted(value)}")
    return value if isinstance(value, int) else float(value)  # JSON encoders refuse numpy's subclass of float


def read_seconds(name: str, value: object) -> float:
    """Return a number of seconds above 0. Raise ConfigurationError for anything else."""
    number = _read_amount(name, value)
    if not number:
        raise ConfigurationError(f"{name} must be a number of seconds above 0, not {quoted(value)}")
    return min(number, MAX_SECONDS)


def check_callback(name: str, value: Callback) -> Callback:
    """Return the callback. Raise ConfigurationError if it can't be called, or would have to be awaited."""
    if value is not None and not callable(value):
        raise ConfigurationError(f"{name} must be a function, not {type(value).__name__}")
    if iscoroutinefunction(value):
        raise ConfigurationError(f"{name} must be a plain function, not an async one: it is called, never awaited")
    return value


def read_wait_limits(timeout: float, options: Options) -> WaitLimits:
    """Return the limits on waiting. Raise ConfigurationError for a wrong one."""
    longest = read_seconds("timeout", timeout)
    first, idle, deadline = (
        None if options.get(name) is None else read_seconds(name, options.get(name))
        for name in ("first_token_timeout", "idle_timeout", "deadline")
    )
    return WaitLimits(longest if first is None else first, longest if idle is None else idle, deadline)


def read_retry_rules(options: Options) -> RetryRules:
    """Return the rules for retries, continuations and resumes. Raise ConfigurationError for a wrong one."""
    return RetryRules(
        _read_retry_count("max_retries", options.get("max_retries", 2)),
        _read_retry_count("continue_truncated", options.get("continue_truncated", 0)),
        bool(options.get("resume_interrupted", False)),
        _read_reply_bytes(options.get("max_reply_bytes", MAX_REPLY_BYTES)),
    )


def _read_reply_bytes(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < LEAST_REPLY_BYTES:
        raise ConfigurationError(
            f"max_reply_bytes must be a whole number of at least {LEAST_REPLY_BYTES}, not {value!r}"
        )
    return value


def _read_retry_count(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ConfigurationError(f"{name} must be a whole number of at least 0, not {quoted(value)}")
    return value
