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

from . import _rows
from ._ask import EFFORT, Ask, Dialect, Effort, Request
from ._deltas import Failure
from ._provider import Policy as Policy
from ._provider import Provider as Provider
from .config import AnthropicConfig, GeminiConfig, OpenAIConfig, ProviderConfig
from .errors import ConfigurationError, quoted
from .events import Privacy

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_rows_by_name: Final = {row.name: row for row in _rows.ROWS}
_names_by_alias: Final = {alias: row.name for row in _rows.ROWS for alias in row.aliases}

PROVIDERS: Final[Mapping[str, Provider]] = MappingProxyType(_rows_by_name)
"""Every provider that is known now, by name."""

MAIN: Final = tuple(row.name for row in _rows.MAIN)
"""The providers that a wire was written for, and the embedded model."""

ENTRY_POINTS: Final = "msgmodel.providers"

_CONFIGS: Final[Mapping[str, type[ProviderConfig]]] = MappingProxyType(
    {"openai_chat": OpenAIConfig, "anthropic": AnthropicConfig, "gemini": GeminiConfig}
)
_HEADERS: Final = MappingProxyType(
    {"openai_chat": "authorization", "anthropic": "x-api-key", "gemini": "x-goog-api-key"}
)

_NO_POLICY: Final = Policy(
    training_retention=None,
    data_retention="unknown: this library does not know the terms of this provider",
    provider_policy="Unknown: read the terms of the provider.",
    special_conditions="",
    reference="",
    checked="",
)

_ELSEWHERE: Final = Policy(
    training_retention=None,
    data_retention="unknown: depends on whoever runs the server",
    provider_policy="Unknown: the request went to a server that is not the provider's own.",
    special_conditions="",
    reference="",
    checked="",
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
    """Makes a provider known by name, for the whole process.

    register_provider("acme", base_url="https://llm.acme.example/v1", keys="ACME_API_KEY", default_model="acme-1")

    name, aliases: lower-case letters, digits, `-`, `.` and `_`.
    base_url: what the wire's own path follows, so for OpenAI's API up to and including `/v1`.
    keys: the environment variable of the key, or a dict of variables to the headers that carry it; without, none is
    needed. base_url_variable: an environment variable that goes before `base_url`.
    max_tokens, system_role, include_usage, reasoning, echo_reasoning: the dialect of a chat server: the field for the
    limit, the role of system text, whether it takes `stream_options`, what each level of `reasoning=` adds to the
    body, and the field in which an assistant's turn with tool calls must carry its reasoning back.
    replace: whether a provider of that name may be there already.

    Raises ConfigurationError.
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
    if reasoning is not None and not reasoning.keys() <= EFFORT.keys():
        raise ConfigurationError(f"the levels of reasoning are {', '.join(EFFORT)}")
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
            reasoning=EFFORT if reasoning is None else reasoning,
            echo_reasoning=echo_reasoning,
        ),
        website=website,
    )
    for alias in _rows_by_name[name].aliases if name in _rows_by_name else ():
        del _names_by_alias[alias]
    _rows_by_name[name] = row
    _names_by_alias.update(dict.fromkeys(aliases, name))


def find(name: str) -> Provider:
    """The row of a name or short name. Raises ConfigurationError."""
    if not isinstance(name, str):
        raise ConfigurationError(f"provider must be a name such as 'openai', not {type(name).__name__}")
    row = look_up(name)
    if row is None:
        from difflib import get_close_matches

        near = get_close_matches(_key(name)[:64], [*_rows_by_name, *_names_by_alias], cutoff=0.5)
        meant = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise ConfigurationError(
            f"there is no provider {quoted(name)}; {meant}`msgmodel providers` lists all; any other server that speaks "
            "OpenAI's API: OpenAIConfig(base_url=...) or register_provider(...)"
        )
    return row


def look_up(name: str) -> Provider | None:
    """Return the row of a name or short name, or None. Raises ConfigurationError for a package that fails."""
    key = _key(name)
    return _known(key) or _of_a_package(key)


def _key(name: str) -> str:
    return str(getattr(name, "value", name)).strip().lower()


def __getattr__(name: str) -> Any:
    """The classes that version 4 had in a package of this name."""
    if name in ("OpenAIProvider", "GeminiProvider", "AnthropicProvider"):
        from importlib import import_module

        return getattr(import_module("msgmodel.compat"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


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


def privacy(ask: Ask, request: Request) -> Privacy:
    """What happens to the data of this request, read off the request itself."""
    row = PROVIDERS[ask.provider]
    local = ask.provider == "local"
    policy = (row.policy or _NO_POLICY) if local or row.official(request.url) else _ELSEWHERE
    known: Literal["request", "policy"] = "request" if request.stored is False else "policy"
    return {
        "provider": ask.provider,
        "training_retention": policy.training_retention,
        "data_retention": policy.retention_when_stored
        if request.stored and policy.retention_when_stored
        else policy.data_retention,
        "stored": request.stored,
        "endpoint": "in-process" if local else urlsplit(request.url).hostname or "",
        "inline_file": bool(ask.files),
        "local": local,
        "enforcement_level": "in_process" if local else known if policy.checked else "unknown",
        "provider_policy": policy.provider_policy,
        "special_conditions": policy.special_conditions,
        "reference": policy.reference,
        "checked": policy.checked,
    }


def stated(row: Provider) -> dict[str, Any]:
    """What a provider says of the data of its API, whatever the request."""
    policy = row.policy or _NO_POLICY
    return {
        "provider": row.name,
        "training_retention": policy.training_retention,
        "data_retention": policy.data_retention,
        "enforcement_level": "policy" if policy.checked else "unknown",
        "provider_policy": policy.provider_policy,
        "special_conditions": policy.special_conditions,
        "reference": policy.reference,
        "checked": policy.checked,
    }


def hint(ask: Ask, failure: Failure) -> str:
    """What the caller can do about a failure; empty where there is nothing to add to the provider's words."""
    row = PROVIDERS[ask.provider]
    if failure.code == "authentication":
        return f"check the key in {' or '.join(row.keys)}, or the one passed as api_key" if row.keys else ""
    if failure.code == "not_found":
        custom = "" if row.official(ask.base_url) else "; a base_url usually ends in /v1"
        return f"the model asked for is {quoted(ask.model)}: name another one with model={custom}"
    if failure.code == "context_length":
        return "shorten the prompt, the history or the file" + (", or lower max_tokens" if ask.max_tokens else "")
    if failure.status_code is not None and 300 <= failure.status_code < 400:
        return "the server redirects, which is not followed with a key: set base_url to where it really is"
    if failure.code == "quota":
        return "this does not clear by waiting: see the plan and the billing of the account"
    if failure.code == "reply_too_large":
        return "ask for less with max_tokens, or allow more with max_reply_bytes"
    if failure.code == "invalid_request":
        named = next((word for word in _FIELDS if word in failure.message), None)
        if named:
            return f"{quoted(ask.model)} does not take this value of {named}: {_FIELDS[named]}"
    return ""


_FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "temperature": "leave temperature out",
        "top_p": "leave top_p out",
        "top_k": "leave top_k out",
        "max_completion_tokens": "pass body={'max_tokens': ...} in the config instead of max_tokens",
        "max_tokens": "change max_tokens, or pass the field that the server wants in the config's body",
        "maxOutputTokens": "change max_tokens",
        "max_output_tokens": "change max_tokens",
        "store": "pass store in the config, or another field in the config's body",
        "stream_options": "pass include_usage=False in the config",
        "developer": "this server knows no developer role: name its address with base_url",
    }
)
