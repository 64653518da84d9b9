"""What the surroundings say: environment variables and key files. The only reader of `os.environ`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import AuthenticationError, ConfigurationError
from .provider import Provider


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key, the header that carries it, and where it was found.

    Whoever shows the local variables of a frame shows no more of it than that: it is no tuple, which some would take
    apart.
    """

    value: str = field(repr=False)
    header: str
    place: str


def find_base_url(provider: Provider, configured: str | None) -> str:
    """The config's, else from the provider's variable, else the provider's own. Raises ConfigurationError for none."""
    if configured:
        return configured
    if said := read_variable(provider.base_url_variable):
        return provider.complete_url(said)
    if not provider.has_fixed_address:
        raise ConfigurationError(
            f"{provider.name} has an address of your own: pass base_url in the config, such as {provider.base_url}, or "
            f"set {provider.base_url_variable}"
        )
    return provider.base_url


def read_variable(name: str) -> str:
    """An environment variable without white space around it; empty where there is none."""
    return os.environ.get(name, "").strip() if name else ""


def read_extra_headers(provider: Provider) -> dict[str, str]:
    """Headers that the provider's own clients read from the environment."""
    return {header: value for header, name in provider.header_variables.items() if (value := read_variable(name))}


def find_key(provider: Provider, *explicit: tuple[str, str | None]) -> ApiKey | None:
    """The first key there is: (place, value) as given, then the variables, then the key file in the working folder.

    Raises AuthenticationError for one that can't travel in a header.
    """
    return next((_usable(found) for found in _places(provider, *explicit) if found.value), None)


def _places(provider: Provider, *explicit: tuple[str, str | None]) -> Iterator[ApiKey]:
    """What stands in each place, in their order, or "". This frame is in no traceback of a key that is refused."""
    default_header = next(iter(provider.keys.values()), "authorization")
    for place, value in explicit:
        if value is not None and not isinstance(value, str):
            raise ConfigurationError(f"{place} must be a string, not {type(value).__name__}")
        yield ApiKey((value or "").strip(), default_header, place)
    for name, header in provider.keys.items():
        yield ApiKey(read_variable(name), header, name)
    if provider.key_file:
        with suppress(OSError):
            value = Path(provider.key_file).read_text("utf-8-sig", errors="replace").strip()
            yield ApiKey(value, default_header, provider.key_file)


def missing_key_error(provider: Provider) -> AuthenticationError:
    """What to raise where there is no key: it names every place that was looked at."""
    places = ["the argument api_key", "api_key in the config", f"the environment ({', '.join(provider.keys)})"]
    if provider.key_file:
        places.append(f"the file {provider.key_file} in the working folder")
    return AuthenticationError(f"no key for {provider.name}: looked at {', '.join(places[:-1])} and {places[-1]}")


def _usable(key: ApiKey) -> ApiKey:
    if not key.value.isascii() or not key.value.isprintable() or " " in key.value:
        raise AuthenticationError(
            f"the key from {key.place} has white space or other characters inside that no key has: copy it again"
        )
    return key
