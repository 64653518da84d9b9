"""The registry of providers: the rows of the library, and those that programs and packages register.

Another package adds a provider by an entry point in the group `msgmodel.providers`. The entry point has the name of the
provider, and its object is a function without arguments that calls `register_provider`. It is loaded on the first
lookup of that name, so that an installed package costs nothing until then.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

from ..errors import ConfigurationError, quoted
from ..question.config import AnthropicConfig, GeminiConfig, OpenAIConfig, ProviderConfig
from ..question.nearest_names import nearest_names
from ..question.question import EFFORT_FIELDS, Dialect, Effort
from . import rows
from .provider import Policy as Policy
from .provider import Provider as Provider

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_rows_by_name: Final = {row.name: row for row in rows.ROWS}
_names_by_alias: Final = {alias: row.name for row in rows.ROWS for alias in row.aliases}

PROVIDERS: Final[Mapping[str, Provider]] = MappingProxyType(_rows_by_name)
"""Every known provider, by name. A registration changes it."""

MAIN: Final = tuple(row.name for row in rows.MAIN_ROWS)
"""The names of the main providers: those that own a wire, and the embedded model."""

ENTRY_POINTS: Final = "msgmodel.providers"

_CONFIG_BY_WIRE: Final[Mapping[str, type[ProviderConfig]]] = MappingProxyType(
    {"openai_chat": OpenAIConfig, "anthropic": AnthropicConfig, "gemini": GeminiConfig}
)
_KEY_HEADER_BY_WIRE: Final = MappingProxyType(
    {"openai_chat": "authorization", "anthropic": "x-api-key", "gemini": "x-goog-api-key"}
)


def register_provider(
    name: str,
    *,
    base_url: str,
    keys: str | Mapping[str, str] | None = None,
    wire: Literal["openai_chat", "anthropic", "gemini"] = "openai_chat",
    default_model: str = "",
    aliases: Sequence[str] = (),
    base_url_variable: str = "",
    max_tokens: str = "max_tokens",
    system_role: str = "system",
    include_usage: bool = False,
    reasoning: Mapping[Effort, Mapping[str, Any]] | None = None,
    echo_reasoning: str = "",
    website: str = "",
    replace: bool = False,
) -> None:
    """Register a provider by name, for this process.

    ```python
    register_provider("acme", base_url="https://llm.acme.example/v1", keys="ACME_API_KEY", default_model="acme-1")
    ```

    Args:
        name: The name: lower-case letters, digits, `-`, `.` and `_`.
        base_url: The address before the wire's own path; for OpenAI's API, it ends in `/v1`.
        keys: The environment variable of the key, or a dict of variables and the headers that carry them. Default: the
            provider needs no key.
        wire: The API that the provider speaks.
        default_model: The model to ask if the call names none. Default: every call must name one.
        aliases: More names.
        base_url_variable: An environment variable that takes precedence over `base_url`.
        max_tokens: The body's field for the maximum tokens of a reply. This and the following parameters describe the
            dialect of a chat server.
        system_role: The role of the system text.
        include_usage: Whether the server accepts `stream_options`.
        reasoning: The fields that each level of `reasoning=` adds to the body. Default: OpenAI's.
        echo_reasoning: The field in which an assistant's turn with tool calls must carry its reasoning back.
        website: The address of the provider's website.
        replace: Whether to replace a provider with the same name.

    Raises:
        ConfigurationError: An argument is wrong, or the name is taken.
    """
    for each in (name, *aliases):
        _check_new_name(each, replaced=name if replace else None)
    _check_wire_and_url(wire, base_url)
    if reasoning is not None and not reasoning.keys() <= EFFORT_FIELDS.keys():
        raise ConfigurationError(f"the levels of reasoning are {', '.join(EFFORT_FIELDS)}")
    headers = {keys: _KEY_HEADER_BY_WIRE[wire]} if isinstance(keys, str) else dict(keys or {})
    dialect = Dialect(
        max_tokens=max_tokens,
        system_role=system_role,
        include_usage=include_usage,
        reasoning=EFFORT_FIELDS if reasoning is None else reasoning,
        echo_reasoning=echo_reasoning,
    )
    _add_row(
        Provider(
            name=name,
            aliases=tuple(aliases),
            wire=wire,
            config=_CONFIG_BY_WIRE[wire],
            default_model=default_model,
            base_url=base_url,
            base_url_variable=base_url_variable,
            keys=headers,
            needs_key=bool(keys),
            dialect=dialect,
            website=website,
        )
    )


def _check_new_name(name: object, *, replaced: str | None) -> None:
    """Raise ConfigurationError if a name or alias is not valid, or names a provider other than the replaced one."""
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name):
        raise ConfigurationError(
            f"{quoted(name)} can't name a provider: use lower-case letters, digits, '-', '.' and '_'"
        )
    owner = _names_by_alias.get(name) or (name if name in _rows_by_name else None)
    if owner is not None and owner != replaced:
        raise ConfigurationError(
            f"there is a provider {name!r} already: choose another name; replace=True replaces one of the same name"
        )


def _check_wire_and_url(wire: object, base_url: object) -> None:
    """Raise ConfigurationError if the wire does not exist or the base URL is not an HTTP address."""
    if wire not in _CONFIG_BY_WIRE:
        raise ConfigurationError(f"wire must be one of {', '.join(_CONFIG_BY_WIRE)}, not {quoted(wire)}")
    if not isinstance(base_url, str) or urlsplit(base_url).scheme not in ("http", "https"):
        raise ConfigurationError("base_url must be an address such as https://example.com/v1")


def _add_row(row: Provider) -> None:
    """Add a provider and its aliases in place of an earlier one of the same name."""
    for alias in _rows_by_name[row.name].aliases if row.name in _rows_by_name else ():
        del _names_by_alias[alias]
    _rows_by_name[row.name] = row
    _names_by_alias.update(dict.fromkeys(row.aliases, row.name))


def find_provider(name: str) -> Provider:
    """Return the provider of a name or alias. Raises ConfigurationError if there is none."""
    if not isinstance(name, str):
        raise ConfigurationError(f"provider must be a name such as 'openai', not {type(name).__name__}")
    row = look_up_provider(name)
    if row is None:
        raise ConfigurationError(
            f"there is no provider {quoted(name)}; {_cure_for_unknown_provider(name)}`msgmodel providers` lists all; "
            "for any other server that speaks OpenAI's API, use OpenAIConfig(base_url=...) or register_provider(...)"
        )
    return row


def find_provider_and_model(name: str, model: str | None) -> tuple[Provider, str | None]:
    """Return the provider and the model of a call. "openai/gpt-4o" names both.

    Raises:
        ConfigurationError: There is no such provider, or the model is named twice.
    """
    if isinstance(name, str) and "/" in name and look_up_provider(name) is None:
        head, _, named_model = name.partition("/")
        row = look_up_provider(head)
        if row is not None and named_model:
            if model is not None:
                raise ConfigurationError(f"{quoted(name)} names the model already: leave out model={quoted(model)}")
            return row, named_model
    return find_provider(name), model


def _cure_for_unknown_provider(name: str) -> str:
    """Return what a caller may have meant by the name of a provider that does not exist."""
    words = _normalized_name(name)[:64]
    owner = owner_of_model(words)
    if owner is not None:
        return f"it looks like a model: write {f'{owner}/{words}'!r}, or {owner!r} with model={words!r}; "
    if ":" in words and look_up_provider(words.partition(":")[0]):
        return f"write {words.replace(':', '/', 1)!r}; "
    similar = nearest_names(words.partition("/")[0], [*_rows_by_name, *_names_by_alias], cutoff=0.5)
    return f"did you mean {' or '.join(map(repr, similar))}? " if similar else ""


def owner_of_model(name: str) -> str | None:
    """Return the provider that serves models of such a name; None if the name does not tell."""
    return next((owner for pattern, owner in _OWNER_BY_MODEL.items() if re.match(pattern, name.lower())), None)


_OWNER_BY_MODEL: Final = MappingProxyType(
    {
        r"(chat)?gpt-|o[1-9](-|$)|codex": "openai",
        r"claude-": "anthropic",
        r"gemini-|gemma": "gemini",
        r"(mi(ni|x)?stral|codestral|magistral|devstral)-": "mistral",
        r"deepseek-": "deepseek",
        r"grok-": "xai",
        r"sonar-": "perplexity",
        r"command-": "cohere",
        r"kimi-": "moonshot",
        r"glm-": "zai",
        r"qw(en|q)[\d-]": "alibaba",
        r"(llama|phi|smollm)-?\d": "ollama",
    }
)
"""How the names of models begin, and a provider that serves them; read for an error and for a server's list."""


def look_up_provider(name: str) -> Provider | None:
    """Return the provider of a name or alias, or None. Raises ConfigurationError if its package fails."""
    key = _normalized_name(name)
    return _registered_provider(key) or _provider_of_package(key)


def _normalized_name(name: str) -> str:
    return str(getattr(name, "value", name)).strip().lower()


def _registered_provider(key: str) -> Provider | None:
    return _rows_by_name.get(_names_by_alias.get(key, key))


def _provider_of_package(key: str) -> Provider | None:
    for point in _entry_points(tuple(sys.path)):
        if point.name != key:
            continue
        try:
            point.load()()
        except Exception as error:
            raise ConfigurationError(f"the package that brings the provider {quoted(key)} failed: {error!r}") from error
    return _registered_provider(key)


@lru_cache(maxsize=1)
def _entry_points(path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Return the entry points of the packages on an import path.

    Cached, because the search reads a file of each package, about 30 ms: every request with an unknown name would pay.
    """
    from importlib.metadata import entry_points

    return tuple(entry_points(group=ENTRY_POINTS))
