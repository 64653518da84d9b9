"""A key that a function of the caller returns, anew for each attempt: tokens expire, and keys are rotated. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from typing import Any

from .config import KeyFunction

_TOKEN_BEGINNINGS = ("eyJ", "ya29.", "sk-ant-oat")
"""How JSON web tokens (Entra), Google's access tokens and Anthropic's OAuth tokens begin. `authorization` carries
them at each provider, whatever header carries its keys."""

_SHORTEST_SECRET = 8


def header_of_key(value: str, key_header: str) -> dict[str, str]:
    """Return the header that carries a key.

    Args:
        value: The key or the token.
        key_header: The header that carries the provider's keys.
    """
    is_bearer = key_header == "authorization" or value.startswith(_TOKEN_BEGINNINGS)
    return {"authorization": f"Bearer {value}"} if is_bearer else {key_header: value}


def is_usable_key(value: str) -> bool:
    """Return whether a header can carry a key."""
    return value.isascii() and value.isprintable() and " " not in value


@dataclass(slots=True)
class KeySource:
    """The function that returns the key, and the header that carries it. Its repr shows no key."""

    function: KeyFunction = field(repr=False)
    key_header: str
    secrets: list[str] = field(repr=False)
    """The values to redact, longest first. Each key that the function returns joins them."""

    @property
    def is_async(self) -> bool:
        """Whether only asyncio can call the function."""
        called: Any = self.function
        return iscoroutinefunction(called) or iscoroutinefunction(getattr(called, "__call__", None))  # noqa: B004

    def read_header(self, value: object) -> dict[str, str]:
        """Return the header for what the function returned; an empty dict if that is not a key."""
        key = value.strip() if isinstance(value, str) else ""
        if not key or not is_usable_key(key):
            return {}
        if len(key) >= _SHORTEST_SECRET and key not in self.secrets:
            self.secrets[:] = sorted([*self.secrets, key], key=len, reverse=True)
        return header_of_key(key, self.key_header)
