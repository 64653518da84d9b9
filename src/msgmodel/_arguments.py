"""The arguments of a call, checked, to an `Ask`. Everything that is wrong is said here, before anything is sent."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from inspect import iscoroutinefunction
from operator import index
from typing import Any, TypeAlias, TypedDict, TypeVar
from urllib.parse import parse_qsl, urlsplit

from .errors import ConfigurationError, FileError, MsgModelError, quoted
from .events import PanelEnd
from .messages import Message
from .question import files as _files
from .question import history
from .question import tools as _tools
from .question.config import LocalConfig, OpenAIConfig, ProviderConfig
from .question.files import FileLike
from .question.history import Receiver
from .question.question import EFFORT_FIELDS, Attachment, Effort, Question, QuestionTurn, TurnPart
from .question.tools import ToolLike
from .registry import environment, registry, rows
from .registry.provider import Provider
from .reply.exchange import MAX_REPLY_BYTES, RetryRules, WaitLimits

Callback = TypeVar("Callback", bound=Callable[..., object] | None)

MAX_SECONDS = 1e8
"""Three years: timers take no more."""
MAX_MODEL_CHARACTERS = 4096

LEAST_REPLY_BYTES = 1024
"""Nothing fits into less: a reply of one word takes this much."""

Arguments: TypeAlias = tuple[
    str,
    str,
    str | None,
    str | None,
    FileLike | None,
    str | None,
    ProviderConfig | None,
    int | None,
    str | None,
    float | None,
]
"""The first ten arguments of every function, in their order."""


class Fallback(TypedDict, total=False):
    """Whom to ask where the first provider fails before its first text. What is missing comes from the surroundings."""

    provider: str
    model: str | None
    api_key: str | None
    config: ProviderConfig | None


class Options(TypedDict, total=False):
    """What every function takes by keyword besides the arguments in its signature."""

    messages: Sequence[Message]
    """The conversation so far, which `prompt` continues."""
    files: Sequence[FileLike | tuple[str, FileLike]]
    """More attachments; as (name, file) where a file has no name of its own."""
    tools: Sequence[ToolLike]
    """Functions that the model may call: dicts with a JSON schema, or Python functions (extra `[tools]`)."""
    tool_choice: str | None
    """"auto", "none", "required" or the name of a tool; the provider's default without."""
    tool_deltas: bool
    """Whether to show the arguments of calls as they come, as `panel_tool_delta`."""
    reasoning: Effort | None
    """How long the model shall think; its own default without."""
    max_retries: int
    """How often a transient failure is tried again before the first text, of a continuation too; 2 by default."""
    continue_truncated: int
    """How often to go on by itself after a limit on the reply, or a pause; 0 by default. Where that can't be had, the
    reply ends as it had: truncated or paused."""
    resume_interrupted: bool
    """Whether to ask the same provider for the rest after a stream broke; `max_retries` says how often."""
    fallbacks: Sequence[str | tuple[str, str] | Fallback]
    """Providers, or providers and models, to ask in turn where one fails before its first text."""
    first_token_timeout: float | None
    """Seconds that the first text may take, with each provider; `timeout` without."""
    idle_timeout: float | None
    """Seconds that a silence after it may take; `timeout` without."""
    deadline: float | None
    """Seconds that all of it may take; no limit without."""
    max_reply_bytes: int
    """Bytes of memory that a reply may take, with its reasoning, tool calls, sources and all else that is kept of it;
    64 MiB by default. A larger one ends with the code `reply_too_large` and the text so far."""
    on_end: Callable[[PanelEnd], object] | None
    """Called with the terminal event, also where you leave early: then it is a `panel_error` with code `cancelled`.

    What it raises is logged, by its type alone, and harms no stream; SystemExit and KeyboardInterrupt go through."""


class Readings(history.Readings):
    """Reads files and messages once for all who are asked."""

    def __init__(self) -> None:
        super().__init__()
        self._attached: dict[tuple[int, int, int], tuple[Attachment, ...]] = {}

    def attachments(
        self, file_like: FileLike | None, filename: str | None, files: Sequence[Any]
    ) -> tuple[Attachment, ...]:
        """The files of a call. Raises FileError."""
        key = id(file_like), id(filename), id(files)
        if key not in self._attached:
            self._attached[key] = read_all_attachments(file_like, filename, files)
            self._lists += (file_like, filename, files)
        return self._attached[key]


def read_questions(arguments: Arguments, options: Options, readings: Readings | None = None) -> list[Question]:
    """The question, and the same for each fallback. Raises ConfigurationError, AuthenticationError or FileError."""
    readings = readings or Readings()
    found = [read_question(arguments, options, readings)]
    fallbacks = options.get("fallbacks", ())
    if not isinstance(fallbacks, Sequence) or isinstance(fallbacks, (str, bytes)):
        raise ConfigurationError(f"fallbacks must be a list of providers, not {type(fallbacks).__name__}")
    for number, fallback in enumerate(fallbacks):
        try:
            found.append(read_question(_arguments_for_fallback(arguments, fallback), options, readings))
        except MsgModelError as error:
            raise type(error)(f"fallbacks[{number}]: {error.message}") from None
    return found


def _arguments_for_fallback(arguments: Arguments, fallback: str | tuple[str, str] | Fallback) -> Arguments:
    """The arguments for another provider: the key, config and model of the first are not its own."""
    if isinstance(fallback, str):
        fallback = {"provider": fallback}
    elif isinstance(fallback, tuple) and len(fallback) == 2:
        fallback = {"provider": fallback[0], "model": fallback[1]}
    elif not isinstance(fallback, Mapping):
        raise ConfigurationError("must be a provider, a tuple of provider and model, or a dict")
    unknown = fallback.keys() - Fallback.__annotations__.keys()
    if unknown or "provider" not in fallback:
        raise ConfigurationError(f"must be a dict with {', '.join(Fallback.__annotations__)}")
    _, prompt, _, system, file_like, filename, _, max_tokens, _, temperature = arguments
    model, api_key, config = (fallback.get(name) for name in ("model", "api_key", "config"))
    return (
        *(fallback["provider"], prompt, api_key, system),
        *(file_like, filename, config, max_tokens, model, temperature),
    )  # type: ignore[return-value]


def read_question(arguments: Arguments, options: Options, readings: Readings | None = None) -> Question:
    """The question. Raises ConfigurationError, AuthenticationError or FileError."""
    readings = readings or Readings()
    provider, prompt, api_key, system_instruction, file_like, filename, config, max_tokens, model, temperature = (
        arguments
    )
    row = registry.find_provider(provider)
    if config is None:
        config = row.config()
    if not isinstance(config, row.config):
        raise ConfigurationError(f"provider {row.name!r} takes {row.config.__name__}, not {type(config).__name__}")
    config = replace(config)  # what the caller does with it afterwards changes nothing here
    if not isinstance(config.body, Mapping):
        raise ConfigurationError(f"body must be a dict, not {type(config.body).__name__}")
    if isinstance(config.stop, str):
        raise ConfigurationError(f"stop must be a tuple of strings: ({quoted(config.stop)},)")
    tools, tool_choice = _tools.read_tools(options.get("tools", ()), options.get("tool_choice"))
    name = _model_name(row, model, config.model)
    wire = _choose_wire(row, config, name, bool(tools))
    _check_address_parts(wire, name, config)
    attached = readings.attachments(file_like, filename, options.get("files", ()))
    base_url = row.base_url if isinstance(config, LocalConfig) else _read_base_url(row, config)
    receiver = Receiver(row.name, wire, urlsplit(base_url).hostname or "", row.is_official_host(base_url))
    systems, said = readings.read(options.get("messages", ()), receiver)
    system, turns = _read_turns(prompt, system_instruction, attached, systems, said)
    question = Question(
        provider=row.name,
        wire=wire,
        model=name,
        system=system,
        turns=turns,
        max_tokens=_read_count("max_tokens", config.max_tokens if max_tokens is None else max_tokens),
        temperature=_read_number("temperature", config.temperature if temperature is None else temperature),
        tools=tools,
        tool_choice=tool_choice,
        reasoning=_read_effort(options.get("reasoning")),
        config=config,
        dialect=row.dialect,
        base_url=base_url,
        headers={},
    )
    limits = _files.SIZE_LIMITS["local" if row.name == "local" else wire]
    for file in question.attachments:
        _files.check_attachment(file, row.name, limits)
    question = (
        _with_weights_path(question)
        if isinstance(config, LocalConfig)
        else _with_key_and_headers(question, row, config, api_key)
    )
    if question.reasoning and wire == "openai_chat" and question.reasoning not in question.dialect.reasoning:
        levels = ", ".join(question.dialect.reasoning) or "none of them"
        raise ConfigurationError(
            f"reasoning={quoted(question.reasoning)} can't be asked of {row.name}: it takes {levels}"
        )
    if question.reasoning == "none" and "always" in rows.reasoning_traits(name):
        raise ConfigurationError(f"reasoning='none' can't be asked of {name}, which always reasons: 'low' is its least")
    return question


def read_all_attachments(
    file_like: FileLike | None, filename: str | None, files: Sequence[Any]
) -> tuple[Attachment, ...]:
    """The files of a call. Raises FileError, which names the one in `files` by its number."""
    found = [*_files.read_attachments(file_like, filename, ())]
    if not isinstance(files, Sequence) or isinstance(files, (str, bytes)):
        raise FileError(f"files must be a list of files, not {type(files).__name__}")
    for number, file in enumerate(files):
        try:
            found += _files.read_attachments(None, None, [file])
        except FileError as error:
            raise FileError(f"files[{number}]: {error.message.removeprefix('file_like ')}") from None
    return tuple(found)


def _choose_wire(row: Provider, config: ProviderConfig, model: str, tools: bool) -> str:
    """The row's; for OpenAI's API what the config says, else what OpenAI itself wants for the model."""
    if not isinstance(config, OpenAIConfig):
        return row.wire
    if config.api not in (None, "chat", "responses"):
        raise ConfigurationError(f'api must be "chat" or "responses", not {quoted(config.api)}')
    own = row.name in ("openai", "azure")
    if config.api != "responses" and not (config.api is None and own and rows.speaks_responses(model, tools)):
        return "openai_chat"
    several = config.n if config.n != 1 else None
    unknown = [
        name for name, value in (("stop", config.stop), ("seed", config.seed), ("n", several)) if value is not None
    ]
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


def _with_key_and_headers(question: Question, row: Provider, config: Any, api_key: str | None) -> Question:
    """With the key, and what may be sent to that address."""
    official = row.is_official_host(question.base_url)
    key = environment.find_key(row, ("the argument api_key", api_key), ("api_key in the config", config.api_key))
    headers = _header_fields(environment.read_extra_headers(row)) if official else {}
    if key is not None:
        bearer = key.header == "authorization"
        headers[key.header] = f"Bearer {key.value}" if bearer else key.value
    own = _header_fields(config.headers)
    if row.needs_key and key is None and not own and not (isinstance(config, OpenAIConfig) and config.base_url):
        raise environment.missing_key_error(row)  # a server of one's own, named in the config, may need none
    return replace(
        question,
        headers=headers | own,
        dialect=row.dialect if official or row.dialect_elsewhere is None else row.dialect_elsewhere,
        secrets=_values_to_redact(question.base_url, key.value if key else "", own),
    )


def _values_to_redact(base_url: str, key: str, headers: Mapping[str, str]) -> tuple[str, ...]:
    """What may not be shown where somebody says it; one that another begins with comes after that."""
    said = [key, *headers.values()]
    # A provider that quotes what it was shown leaves out the scheme, such as Bearer.
    said += [value.partition(" ")[2] for name, value in headers.items() if name.endswith("authorization")]
    said += [value for name, value in parse_qsl(urlsplit(base_url).query) if name != "api-version"]
    # Shorter ones are no secrets, and would tear words apart.
    return tuple(sorted({value for value in said if len(value) >= 8}, key=len, reverse=True))


def _with_weights_path(question: Question) -> Question:
    """With the path of the GGUF file as its address."""
    from .local import engine

    default = registry.PROVIDERS["local"].default_model
    path = engine.check_model_path(None if question.model == default else question.model)
    return replace(question, base_url=str(path), model=default if question.model == default else path.stem)


def _read_turns(
    prompt: str,
    system: str | None,
    files: tuple[Attachment, ...],
    systems: list[str],
    turns: list[QuestionTurn],
) -> tuple[str | None, tuple[QuestionTurn, ...]]:
    if not isinstance(prompt, str):
        raise ConfigurationError(f"prompt must be a string, not {type(prompt).__name__}")
    if system is not None and not isinstance(system, str):
        raise ConfigurationError(f"system_instruction must be a string, not {type(system).__name__}")
    parts: tuple[TurnPart, ...] = (*files, *((prompt,) if prompt.strip() else ()))
    if parts:
        turns.append(QuestionTurn("user", parts))
    elif not turns or turns[-1].role == "assistant":
        raise ConfigurationError("prompt is empty, and there is no file and no message of the user to answer")
    return "\n\n".join(filter(None, (system, *systems))) or None, tuple(turns)


def _read_effort(value: object) -> Effort | None:
    if value is not None and (not isinstance(value, str) or value not in EFFORT_FIELDS):
        raise ConfigurationError(f"reasoning must be none, low, medium or high, not {quoted(value)}")
    return value  # type: ignore[return-value]


def _model_name(row: Provider, *names: str | None) -> str:
    name = next((name for name in names if name is not None), row.default_model)
    if not name and not row.default_model:
        raise ConfigurationError(f"{row.name} has no default model: name one with model=")
    if not isinstance(name, str) or not name.strip() or not name.strip().isprintable():
        raise ConfigurationError("model must be the name of a model, or left out for the default")
    if len(name) > MAX_MODEL_CHARACTERS:  # it stands in every event that says who answered, and in errors
        raise ConfigurationError(f"model has {len(name)} characters: a name has at most {MAX_MODEL_CHARACTERS}")
    return name.strip()


def _check_address_parts(wire: str, model: str, config: ProviderConfig) -> None:
    """Raises ConfigurationError for what would lead out of its place in an address or a header."""
    if wire == "gemini" and not {"", ".", ".."}.isdisjoint(re.split(r"[/\\]", model)):
        raise ConfigurationError(f"{model!r} is not the name of a model: it is a part of the address")
    version = getattr(config, "api_version", None)
    if version not in (None, "") and not (isinstance(version, str) and re.fullmatch(r"[A-Za-z0-9_-]+", version)):
        raise ConfigurationError("api_version must be one of the API's own, such as v1beta: letters, digits, - and _")


def _check_address(base_url: str) -> str:
    try:
        parts = urlsplit(base_url)
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        (parts.hostname or "").encode("idna")  # as every resolver does: no part may be empty, or too long
    except ValueError:  # brackets, or a port that is no number
        whole = False
    if not whole or not base_url.isprintable() or " " in base_url:
        raise ConfigurationError("base_url must be an address such as https://example.com/v1")
    if not base_url.isascii():  # which ASCII a letter stands for is not the same in all versions of IDNA
        raise ConfigurationError(
            "base_url must be written in ASCII: the host by its name that begins with xn--, other letters as %XX"
        )
    if parts.username or parts.password or parts.fragment:
        raise ConfigurationError("base_url must hold no user, password or fragment: use api_key or headers")
    return base_url


def _header_fields(headers: Mapping[str, str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    if not isinstance(headers, Mapping):
        raise ConfigurationError(f"headers must be a dict, not {type(headers).__name__}")
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise ConfigurationError("headers must map strings to strings")
        if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            raise ConfigurationError(f"{quoted(name)} is not the name of a header")
        if not value.isascii() or not value.isprintable():
            raise ConfigurationError(f"the value of the header {quoted(name)} has characters that can't be sent")
        if name.lower() in ("connection", "content-length", "host", "transfer-encoding"):
            raise ConfigurationError(f"the header {quoted(name)} is written by the HTTP library")
        fields[name.lower()] = value
    return fields


def _read_count(name: str, value: object) -> int | None:
    if value is None:
        return None
    number = index(value) if hasattr(value, "__index__") and not isinstance(value, bool) else 0
    if number < 1:
        raise ConfigurationError(f"{name} must be a whole number of at least 1, not {quoted(value)}")
    return number


def _read_number(name: str, value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= sys.float_info.max:
        raise ConfigurationError(f"{name} must be a number of at least 0, not {quoted(value)}")
    return value if isinstance(value, int) else float(value)  # numpy's are floats too, but not to a JSON encoder


def read_seconds(name: str, value: object) -> float:
    """A number of seconds above 0. Raises ConfigurationError."""
    number = _read_number(name, value)
    if not number:
        raise ConfigurationError(f"{name} must be a number of seconds above 0, not {quoted(value)}")
    return min(number, MAX_SECONDS)


def check_callback(name: str, value: Callback) -> Callback:
    """Raises ConfigurationError for what can't be called."""
    if value is not None and not callable(value):
        raise ConfigurationError(f"{name} must be a function, not {type(value).__name__}")
    if iscoroutinefunction(value):
        raise ConfigurationError(f"{name} must be a plain function: nobody would await it")
    return value


def read_wait_limits(timeout: float, options: Options) -> WaitLimits:
    """The limits on waiting. Raises ConfigurationError."""
    longest = read_seconds("timeout", timeout)
    first, idle, deadline = (
        None if options.get(name) is None else read_seconds(name, options.get(name))
        for name in ("first_token_timeout", "idle_timeout", "deadline")
    )
    return WaitLimits(longest if first is None else first, longest if idle is None else idle, deadline)


def read_retry_rules(options: Options) -> RetryRules:
    """What may be asked again. Raises ConfigurationError."""
    return RetryRules(
        _read_times("max_retries", options.get("max_retries", 2)),
        _read_times("continue_truncated", options.get("continue_truncated", 0)),
        bool(options.get("resume_interrupted", False)),
        _reply_bytes(options.get("max_reply_bytes", MAX_REPLY_BYTES)),
    )


def _reply_bytes(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < LEAST_REPLY_BYTES:
        raise ConfigurationError(
            f"max_reply_bytes must be a whole number of at least {LEAST_REPLY_BYTES}, not {value!r}"
        )
    return value


def _read_times(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ConfigurationError(f"{name} must be a whole number of at least 0, not {quoted(value)}")
    return value
