"""The arguments of a call, checked, to an `Ask`. Everything that is wrong is said here, before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from inspect import iscoroutinefunction
from operator import index
from typing import Any, Literal, TypeAlias, TypedDict
from urllib.parse import urlsplit

from . import _files, _settings, providers
from ._ask import Ask, File, Part, Turn
from ._files import FileLike
from .config import LocalConfig, OpenAIConfig, ProviderConfig
from .errors import ConfigurationError, FileError
from .providers import Provider


class Message(TypedDict):
    """One turn of a conversation so far, as every provider's documentation writes it."""

    role: Literal["system", "user", "assistant"]
    content: str


MAX_SECONDS = 1e8
"""Three years: timers take no more."""

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


def ask(
    provider: str,
    prompt: str,
    api_key: str | None,
    system_instruction: str | None,
    file_like: FileLike | None,
    filename: str | None,
    config: ProviderConfig | None,
    max_tokens: int | None,
    model: str | None,
    temperature: float | None,
    *,
    messages: Sequence[Message],
    files: Sequence[FileLike | tuple[str, FileLike]],
) -> tuple[Ask, str]:
    """The question, and the name of its wire.

    Raises ConfigurationError, AuthenticationError or FileError.
    """
    row = providers.find(provider)
    if config is None:
        config = row.config()
    if not isinstance(config, row.config):
        raise ConfigurationError(f"provider {row.name!r} takes {row.config.__name__}, not {type(config).__name__}")
    if not isinstance(config.body, Mapping):
        raise ConfigurationError(f"body must be a dict, not {type(config.body).__name__}")
    if isinstance(config.stop, str):
        raise ConfigurationError(f"stop must be a tuple of strings: ({config.stop!r},)")
    wire = row.wire
    if isinstance(config, OpenAIConfig) and config.api != "chat":
        if config.api != "responses":
            raise ConfigurationError(f'api must be "chat" or "responses", not {config.api!r}')
        wire = "openai_responses"
    system, turns = _turns(prompt, system_instruction, messages, _attachments(row, wire, file_like, filename, files))
    question = Ask(
        provider=row.name,
        model=_name(model, config.model, row.default_model),
        system=system,
        turns=turns,
        max_tokens=_count("max_tokens", config.max_tokens if max_tokens is None else max_tokens),
        temperature=_number("temperature", config.temperature if temperature is None else temperature),
        config=config,
        dialect=row.dialect,
        base_url=row.base_url,
        headers={},
    )
    if isinstance(config, LocalConfig):
        return _located(question), wire
    return _addressed(question, row, config, api_key), wire


def _addressed(question: Ask, row: Provider, config: Any, api_key: str | None) -> Ask:
    """With the address, the key, and what may be sent there."""
    base_url = _address(_settings.base_url(row, config.base_url))
    official = row.official(base_url)
    key = _settings.key(row, ("the argument api_key", api_key), ("api_key in the config", config.api_key))
    headers: dict[str, str] = _settings.extra_headers(row) if official else {}
    if key is not None:
        bearer = key.header == "authorization"
        headers[key.header] = f"Bearer {key.value}" if bearer else key.value
    own = _header_fields(config.headers)
    if key is None and not own and not (isinstance(config, OpenAIConfig) and config.base_url):
        raise _settings.missing(row)  # a server of one's own, named in the config, may need none
    return replace(
        question,
        base_url=base_url,
        headers=headers | own,
        dialect=row.dialect if official or not isinstance(config, OpenAIConfig) else providers.COMPATIBLE,
        # Shorter ones are no secrets, and would tear words apart.
        secrets=tuple(value for value in ([key.value] if key else []) + list(own.values()) if len(value) >= 8),
    )


def _located(question: Ask) -> Ask:
    """With the path of the GGUF file as its address."""
    from .local import engine

    default = providers.PROVIDERS["local"].default_model
    path = engine.check(None if question.model == default else question.model)
    return replace(question, base_url=str(path), model=default if question.model == default else path.stem)


def _turns(
    prompt: str, system: str | None, messages: Sequence[Message], files: tuple[File, ...]
) -> tuple[str | None, tuple[Turn, ...]]:
    if not isinstance(prompt, str):
        raise ConfigurationError(f"prompt must be a string, not {type(prompt).__name__}")
    if system is not None and not isinstance(system, str):
        raise ConfigurationError(f"system_instruction must be a string, not {type(system).__name__}")
    systems = [system] if system else []
    turns: list[Turn] = []
    if not isinstance(messages, Sequence) or isinstance(messages, str):
        raise ConfigurationError(f"messages must be a list of dicts, not {type(messages).__name__}")
    for number, message in enumerate(messages):
        if not isinstance(message, Mapping) or not isinstance(message.get("content"), str):
            raise ConfigurationError(f"messages[{number}] must be a dict with role and content, both strings")
        role = message.get("role")
        if role == "system":
            systems.append(message["content"])
        elif role in ("user", "assistant"):
            turns.append(Turn(role, (message["content"],)))
        else:
            raise ConfigurationError(f"messages[{number}]: role must be system, user or assistant")
    parts: tuple[Part, ...] = (*files, *((prompt,) if prompt.strip() else ()))
    if parts:
        turns.append(Turn("user", parts))
    elif not turns or turns[-1].role != "user":
        raise ConfigurationError("prompt is empty, and there is no file and no message of the user to answer")
    return "\n\n".join(systems) or None, tuple(turns)


def _attachments(
    row: Provider,
    wire: str,
    file_like: FileLike | None,
    filename: str | None,
    files: Sequence[FileLike | tuple[str, FileLike]],
) -> tuple[File, ...]:
    if filename is not None and file_like is None:
        raise FileError("filename was given without file_like: pass the file's content too")
    if not isinstance(files, Sequence) or isinstance(files, (str, bytes)):
        raise FileError(f"files must be a list of files, not {type(files).__name__}")
    if any(isinstance(file, tuple) and len(file) != 2 for file in files):
        raise FileError("a tuple in files must be a name and a file")
    given: list[tuple[str | None, FileLike]] = [] if file_like is None else [(filename, file_like)]
    given += [file if isinstance(file, tuple) else (None, file) for file in files]
    attachments = tuple(_files.read(file, name) for name, file in given)
    limits = _files.LIMITS["local" if row.name == "local" else wire]
    for file in attachments:
        _files.check(file, row.name, limits)
    return attachments


def _name(*names: str | None) -> str:
    name = next(name for name in names if name is not None)
    if not isinstance(name, str) or not name.strip():
        raise ConfigurationError("model must be the name of a model, or left out for the default")
    return name.strip()


def _address(base_url: str) -> str:
    if not isinstance(base_url, str):
        raise ConfigurationError(f"base_url must be a string, not {type(base_url).__name__}")
    try:
        parts = urlsplit(base_url)
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # brackets, or a port that is no number
        whole = False
    if not whole or not base_url.isprintable() or " " in base_url:
        raise ConfigurationError("base_url must be an address such as https://example.com/v1")
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
            raise ConfigurationError(f"{name!r} is not the name of a header")
        if not value.isascii() or not value.isprintable():
            raise ConfigurationError(f"the value of the header {name!r} has characters that can't be sent")
        if name.lower() in ("connection", "content-length", "host", "transfer-encoding"):
            raise ConfigurationError(f"the header {name!r} is written by the HTTP library")
        fields[name.lower()] = value
    return fields


def _count(name: str, value: object) -> int | None:
    if value is None:
        return None
    number = index(value) if hasattr(value, "__index__") and not isinstance(value, bool) else 0
    if number < 1:
        raise ConfigurationError(f"{name} must be a whole number of at least 1, not {value!r}")
    return number


def _number(name: str, value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value) or value < 0:
        raise ConfigurationError(f"{name} must be a number of at least 0, not {value!r}")
    return value if isinstance(value, int) else float(value)  # numpy's are floats too, but not to a JSON encoder


def seconds(name: str, value: object) -> float:
    """A number of seconds above 0. Raises ConfigurationError."""
    number = _number(name, value)
    if not number:
        raise ConfigurationError(f"{name} must be a number of seconds above 0, not {value!r}")
    return min(number, MAX_SECONDS)


def callback(value: Callable[[str], object] | None) -> Callable[[str], object] | None:
    """Raises ConfigurationError for what can't be called."""
    if value is not None and not callable(value):
        raise ConfigurationError(f"on_chunk must be a function, not {type(value).__name__}")
    if iscoroutinefunction(value):
        raise ConfigurationError("on_chunk must be a plain function: nobody would await it")
    return value


def retries(value: object) -> int:
    """A number of retries from 0. Raises ConfigurationError."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ConfigurationError(f"max_retries must be a whole number of at least 0, not {value!r}")
    return value
