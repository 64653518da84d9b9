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
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from ._input_cache import InputCache
from ._options import Arguments, Fallback, Options
from .errors import ConfigurationError, MsgModelError, quoted
from .question.config import KeyLike, LocalConfig, OpenAIConfig, ProviderConfig
from .question.config_checks import copy_config, read_header_fields
from .question.history import Receiver
from .question.key_source import KeySource, header_of_key
from .question.lenient_json import mend_surrogates
from .question.question import (
    EFFORT_FIELDS,
    AskedOutput,
    Attachment,
    Dialect,
    Effort,
    Question,
    QuestionTurn,
    Tool,
    TurnPart,
)
from .question.sendable_files import fit_files
from .question.tools import read_tools
from .question.turn_order import find_dropped_parts, settle_turns
from .registry import base_urls, environment, provider_tools, registry, rows
from .registry.privacy import host_for_clients
from .registry.provider import Provider
from .reply.clock import WaitLimits
from .reply.next_request import MAX_REPLY_BYTES, RetryRules

if TYPE_CHECKING:
    from .output.output_format import OutputFormat

Callback = TypeVar("Callback", bound=Callable[..., object] | None)

MAX_SECONDS = 1e8
"""Three years. A longer timer overflows in asyncio and in `select`."""
MAX_MODEL_CHARACTERS = 4096

LEAST_REPLY_BYTES = 1024
"""A reply of one word takes this much memory, so a smaller limit would refuse every reply."""


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
    row, named_model = registry.find_provider_and_model(arguments.provider, arguments.model)
    config = copy_config(row.name, row.config, arguments.config)
    tools, tool_choice = read_tools(options.get("tools", ()), options.get("tool_choice"))
    model = _read_model_name(row, named_model, config.model)
    base_url, endpoint = _read_base_url(row, config)
    wire = _choose_wire(row, config, model, tools, endpoint)
    base_urls.check_endpoint(endpoint, wire)
    tools = provider_tools.tools_for_provider(row, wire, model, tools, tool_choice)
    _check_address_parts(wire, model, config)
    attached = readings.attachments(arguments.file_like, arguments.filename, options.get("files", ()))
    host = urlsplit(base_url).hostname or ""
    receiver = Receiver(row.name, wire, host, row.is_official_host(base_url), host_for_clients(row.name, host))
    systems, past_turns = readings.read_turns(options.get("messages", ()), receiver)
    asked, instruction = _ask_for_output(readings.output_format(options), row, wire, model, config, bool(tools))
    systems += [instruction] if instruction else []
    system, turns = _read_turns(arguments.prompt, arguments.system_instruction, attached, systems, past_turns)
    max_tokens = _read_count("max_tokens", _first_set(arguments.max_tokens, config.max_tokens))
    temperature = _read_amount("temperature", _first_set(arguments.temperature, config.temperature))
    effort = _read_effort(options.get("reasoning"))
    fitting = fit_files(turns, row.name, "local" if row.name == "local" else wire, row.dialect_at(base_url))
    settled = settle_turns(fitting, wire)
    destination = (
        _find_local_model(row, model)
        if isinstance(config, LocalConfig)
        else find_server(row, config, model, base_url, arguments.api_key)
    )
    _check_effort(effort, row, wire, destination.dialect, model)
    takes_cache_control = wire == "anthropic" or destination.dialect.cache_control
    return Question(
        provider=row.name,
        wire=wire,
        model=destination.model,
        turns=settled,
        dropped_parts=find_dropped_parts(turns, settled),
        loses_text=readings.loses_text(arguments.prompt, arguments.system_instruction, options.get("messages")),
        system=system,
        max_tokens=max_tokens,
        temperature=temperature,
        tools=tools,
        tool_choice=tool_choice,
        reasoning=effort,
        output=asked,
        cache_control=_read_cache_control(row, takes_cache_control, options.get("cache_prompt", False)),
        config=config,
        dialect=destination.dialect,
        base_url=destination.base_url,
        headers=destination.headers,
        secrets=destination.secrets,
        key_source=destination.key_source,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """The address that a question goes to, and what is sent because it goes there."""

    model: str
    base_url: str = field(repr=False)
    dialect: Dialect = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: Sequence[str] = field(default=(), repr=False)
    key_source: KeySource | None = field(default=None, repr=False)


def _ask_for_output(
    format: OutputFormat | None, row: Provider, wire: str, model: str, config: ProviderConfig, has_tools: bool
) -> tuple[AskedOutput | None, str]:
    if format is None:
        return None, ""
    from ._output_argument import ask_for_output

    return ask_for_output(format, row, wire, model, config, has_tools=has_tools)


def _first_set(argument: object, configured: object) -> object:
    """Return the argument of the call, or the value in the config if the call has none."""
    return configured if argument is None else argument


def _check_effort(effort: Effort | None, row: Provider, wire: str, dialect: Dialect, model: str) -> None:
    """Raise ConfigurationError if this server or this model has no such level of reasoning."""
    if effort and wire == "openai_chat" and effort not in dialect.reasoning:
        levels = ", ".join(dialect.reasoning) or "none of them"
        raise ConfigurationError(f"reasoning={quoted(effort)} can't be asked of {row.name}: it takes {levels}")
    if effort == "none" and "always" in rows.reasoning_traits(model):
        raise ConfigurationError(f"reasoning='none' can't be asked of {model}, which always reasons: use 'low'")


def _choose_wire(
    row: Provider, config: ProviderConfig, model: str, tools: tuple[Tool, ...], endpoint: str | None
) -> str:
    """Return the provider's wire. For OpenAI's API: as the config or the address says, else as model and tools need."""
    if not isinstance(config, OpenAIConfig):
        return row.wire
    if config.api not in (None, "chat", "responses"):
        raise ConfigurationError(f'api must be "chat" or "responses", not {quoted(config.api)}')
    # Other servers have model names of their own, which say nothing about the Responses API.
    is_openai = row.name in ("openai", "azure")
    only_responses = rows.speaks_responses(model, bool(tools)) or provider_tools.needs_responses(tools)
    if config.api is None and endpoint is not None:
        is_chat = endpoint != "openai_responses"
    else:
        is_chat = config.api != "responses" and not (config.api is None and is_openai and only_responses)
    if is_chat:
        return "openai_chat"
    chat_only = {"stop": config.stop, "seed": config.seed}
    unknown = [name for name, value in chat_only.items() if value is not None]
    if unknown:
        raise ConfigurationError(
            f"the Responses API, over which {model} is asked, has no {' and no '.join(unknown)}: leave it out, or take "
            'another model with api="chat"'
        )
    return "openai_responses"


def wire_of_call(row: Provider, model: str | None, tools: Sequence[Any]) -> str:
    """Return the wire over which a call without a config asks a provider.

    Args:
        row: The provider.
        model: The model; None for the default.
        tools: The tools of the call.

    Raises:
        ConfigurationError: There is no model, or a tool or the provider's address is wrong.
    """
    config = row.config()
    _, endpoint = _read_base_url(row, config)
    return _choose_wire(row, config, _read_model_name(row, model), read_tools(tools, None)[0], endpoint)


def _read_base_url(row: Provider, config: Any) -> tuple[str, str | None]:
    """Return the base URL, and the wire of the endpoint that it is the address of; None if it has no endpoint."""
    if isinstance(config, LocalConfig):
        return row.base_url, None
    if config.base_url is not None and not isinstance(config.base_url, str):
        raise ConfigurationError(f"base_url must be a string, not {type(config.base_url).__name__}")
    return base_urls.split_endpoint(environment.find_base_url(row, config.base_url))


def find_server(row: Provider, config: Any, model: str, base_url: str, api_key: KeyLike | None) -> Destination:
    """Return the server, with the key and the headers that may be sent to it.

    Raises:
        AuthenticationError: The provider needs a key and there is none.
    """
    official = row.is_official_host(base_url)
    own = read_header_fields(config.headers)
    # The headers of the environment name an account at the provider itself. No other server may read them.
    headers = read_header_fields(environment.read_extra_headers(row)) if official else {}
    function = next((each for each in (api_key or config.api_key,) if callable(each)), None)
    key = None
    if function is None:
        key = environment.find_key(row, ("the argument api_key", api_key), ("api_key in the config", config.api_key))
    has_key = key is not None or function is not None or bool(own)
    if row.needs_key and not has_key and not (isinstance(config, OpenAIConfig) and config.base_url):
        raise environment.missing_key_error(row)  # a server that the config names may need no key
    if key is not None:
        headers |= header_of_key(key.value, key.header)
    secrets = _values_to_redact(base_url, key.value if key else "", own)
    return Destination(
        model=model,
        base_url=base_url,
        dialect=row.dialect_at(base_url),
        headers=headers | own,
        secrets=secrets,
        key_source=None if function is None else KeySource(function, row.key_header, secrets),
    )


def find_list_destination(
    provider: str, api_key: KeyLike | None, config: ProviderConfig | None
) -> tuple[Provider, Destination | None]:
    """Return the provider and the server that has its list of models; None for the embedded model.

    Raises:
        ConfigurationError, AuthenticationError: An argument is wrong, or there is no usable key.
    """
    row = registry.find_provider(provider)
    config = copy_config(row.name, row.config, config)
    if isinstance(config, LocalConfig):
        return row, None
    base_url, _ = _read_base_url(row, config)
    return row, find_server(row, config, "", base_url, api_key)


def _values_to_redact(base_url: str, key: str, headers: Mapping[str, str]) -> list[str]:
    """Return the values to redact from any text we show, longest first, so that none is cut by a prefix of it."""
    secrets = [key, *headers.values()]
    # Providers quote a key in their errors without its scheme, such as Bearer.
    secrets += [value.partition(" ")[2] for name, value in headers.items() if name.endswith("authorization")]
    secrets += [value for name, value in parse_qsl(urlsplit(base_url).query) if name != "api-version"]
    # A shorter value is not a secret, and redacting it would tear ordinary words apart.
    return sorted({value for value in secrets if len(value) >= 8}, key=len, reverse=True)


def _find_local_model(row: Provider, model: str) -> Destination:
    """Return the path of the GGUF file as the address. Raise ConfigurationError if it can't be used."""
    from .local import engine

    is_default = model == row.default_model
    path = engine.check_model_path(None if is_default else model)
    return Destination(model=model if is_default else path.stem, base_url=str(path), dialect=row.dialect)


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
    parts: tuple[TurnPart, ...] = (*files, *((mend_surrogates(prompt),) if prompt.strip() else ()))
    if parts:
        turns.append(QuestionTurn("user", parts))
    elif not turns or turns[-1].role == "assistant":
        raise ConfigurationError(
            "prompt is empty, and there is no file and no message of the user to answer: pass a prompt"
        )
    return mend_surrogates("\n\n".join(filter(None, (system, *systems)))) or None, tuple(turns)


def _read_effort(value: object) -> Effort | None:
    if value is not None and (not isinstance(value, str) or value not in EFFORT_FIELDS):
        raise ConfigurationError(f"reasoning must be none, low, medium or high, not {quoted(value)}")
    return value  # type: ignore[return-value]


def _read_cache_control(row: Provider, takes_field: bool, value: object) -> dict[str, str] | None:
    """Return the field that asks for a cache of the prompt; None if the provider caches by itself."""
    if value is None or isinstance(value, bool):
        return {"type": "ephemeral"} if value and takes_field else None
    if value not in ("5m", "1h"):
        raise ConfigurationError(f'cache_prompt must be True, False, "5m" or "1h", not {quoted(value)}')
    if not takes_field:
        raise ConfigurationError(f"{row.name} caches prompts by itself, for a time of its own: use cache_prompt=True")
    return {"type": "ephemeral", "ttl": str(value)}


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
        _read_repair_count(options),
    )


def _read_repair_count(options: Options) -> int:
    count = _read_retry_count("repair", options.get("repair", 0))
    if count and options.get("output") is None:
        raise ConfigurationError("repair is for replies with a format: pass output=")
    return count


def read_budget_limits(options: Mapping[str, Any]) -> tuple[float | None, int | None]:
    """Return `max_cost` and `max_total_tokens`. Raise ConfigurationError for a wrong one."""
    dollars = _read_amount("max_cost", options.get("max_cost"))
    if dollars == 0:
        raise ConfigurationError("max_cost must be a number of US dollars above 0, or left out")
    return dollars, _read_count("max_total_tokens", options.get("max_total_tokens"))


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
