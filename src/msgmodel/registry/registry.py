"""The registry of providers: the rows that come with the library, and those that are registered.

Another package brings a provider by an entry point in the group `msgmodel.providers`: its name is the provider's,
its object a function without arguments that calls `register_provider`. It is loaded when somebody asks for that name.
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
from ..question.question import EFFORT_FIELDS, Dialect, Effort
from . import rows
from .provider import Policy as Policy
from .provider import Provider as Provider

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_rows_by_name: Final = {row.name: row for row in rows.ROWS}
_names_by_alias: Final = {alias: row.name for row in rows.ROWS for alias in row.aliases}

PROVIDERS: Final[Mapping[str, Provider]] = MappingProxyType(_rows_by_name)
"""Every provider that is known now, by name."""

MAIN: Final = tuple(row.name for row in rows.MAIN_ROWS)
"""The providers that a wire was written for, and the embedded model."""

ENTRY_POINTS: Final = "msgmodel.providers"

_CONFIGS: Final[Mapping[str, type[ProviderConfig]]] = MappingProxyType(
    {"openai_chat": OpenAIConfig, "anthropic": AnthropicConfig, "gemini": GeminiConfig}
)
_HEADERS: Final = MappingProxyType(
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

    register_provider("acme", base_url="https://llm.acme.example/v1", keys="ACME_API_KEY", default_model="acme-1")

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
    for word in (name, *aliases):
        if not isinstance(word, str) or not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", word):
            raise ConfigurationError(
                f"{quoted(word)} can't name a provider: use lower-case letters, digits, '-', '.' and '_'"
            )
        taken = _names_by_alias.get(word, word) if word in _names_by_alias or word in _rows_by_name else None
        if taken and not (replace and taken == name):
            raise ConfigurationError(
                f"there is a provider {word!r} already; replace=True takes the place of the same name"
            )
    if wire not in _CONFIGS:
        raise ConfigurationError(f"wire must be one of {', '.join(_CONFIGS)}, not {quoted(wire)}")
    if not isinstance(base_url, str) or urlsplit(base_url).scheme not in ("http", "https"):
        raise ConfigurationError("base_url must be an address such as https://example.com/v1")
    if reasoning is not None and not reasoning.keys() <= EFFORT_FIELDS.keys():
        raise ConfigurationError(f"the levels of reasoning are {', '.join(EFFORT_FIELDS)}")
    if isinstance(keys, str):
        keys = {keys: _HEADERS[wire]}
    row = Provider(
        name=name,
        aliases=tuple(aliases),
        wire=wire,
        config=_CONFIGS[wire],
        default_model=default_model,
        base_url=base_url,
        base_url_variable=base_url_variable,
        keys=dict(keys or {}),
        needs_key=bool(keys),
        dialect=Dialect(
            max_tokens=max_tokens,
            system_role=system_role,
            include_usage=include_usage,
            reasoning=EFFORT_FIELDS if reasoning is None else reasoning,
            echo_reasoning=echo_reasoning,
        ),
        website=website,
    )
    for alias in _rows_by_name[name].aliases if name in _rows_by_name else ():
        del _names_by_alias[alias]
    _rows_by_name[name] = row
    _names_by_alias.update(dict.fromkeys(aliases, name))


def find_provider(name: str) -> Provider:
    """The row of a name or short name. Raises ConfigurationError."""
    if not isinstance(name, str):
        raise ConfigurationError(f"provider must be a name such as 'openai', not {type(name).__name__}")
    row = look_up_provider(name)
    if row is None:
        from difflib import get_close_matches

        near = get_close_matches(_key(name)[:64], [*_rows_by_name, *_names_by_alias], cutoff=0.5)
        meant = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise ConfigurationError(
            f"there is no provider {quoted(name)}; {meant}`msgmodel providers` lists all; any other server that speaks "
            "OpenAI's API: OpenAIConfig(base_url=...) or register_provider(...)"
        )
    return row


def look_up_provider(name: str) -> Provider | None:
    """Return the row of a name or short name, or None. Raises ConfigurationError for a package that fails."""
    key = _key(name)
    return _known(key) or _of_a_package(key)


def _key(name: str) -> str:
    return str(getattr(name, "value", name)).strip().lower()


def _known(key: str) -> Provider | None:
    return _rows_by_name.get(_names_by_alias.get(key, key))


def _of_a_package(key: str) -> Provider | None:
    for point in _entry_points(tuple(sys.path)):
        if point.name != key:
            continue
        try:
            point.load()()
        except Exception as error:
            raise ConfigurationError(f"the package that brings the provider {quoted(key)} failed: {error!r}") from error
    return _known(key)


@lru_cache(maxsize=1)
def _entry_points(path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Those of the packages on this path. To search it reads a file of each package, which takes 30 ms: an unknown name
    in a request must not cost that again."""
    from importlib.metadata import entry_points

    return tuple(entry_points(group=ENTRY_POINTS))
