"""Environment variables, key files and kept keys. No other module reads `os.environ` for a provider."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import AuthenticationError, ConfigurationError
from ..question.key_source import is_usable_key
from . import base_urls, kept_keys
from .provider import Provider

KEPT_PLACE = "msgmodel keys"
"""The place of a key that the user keeps for all programs."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key, the header that carries it, and where it was found.

    A class, not a tuple, so that a traceback that prints local variables does not print the key.
    """

    value: str = field(repr=False)
    header: str
    place: str


def find_base_url(provider: Provider, configured: str | None) -> str:
    """Return the base URL in the config, else in the provider's variable, else the provider's own.

    Raises:
        ConfigurationError: No request can be sent to the address; or the provider has only a template, and neither
            source fills it.
    """
    if configured:
        return provider.with_own_path(base_urls.check_base_url(configured))
    if value := read_variable(provider.base_url_variable):
        return base_urls.check_base_url(provider.complete_url(value))
    if not provider.has_fixed_address:
        raise ConfigurationError(
            f"{provider.name} has a different address for each customer: pass base_url in the config, such as "
            f"{provider.base_url}, or set {provider.base_url_variable}"
        )
    return provider.base_url


def read_variable(name: str) -> str:
    """Return the value of an environment variable without surrounding white space; "" if it is not set."""
    return os.environ.get(name, "").strip() if name else ""


def read_extra_headers(provider: Provider) -> dict[str, str]:
    """Return the headers that the provider's own clients read from the environment."""
    return {header: value for header, name in provider.header_variables.items() if (value := read_variable(name))}


def find_key(provider: Provider, *explicit: tuple[str, object]) -> ApiKey | None:
    """Return the first key found, or None.

    Args:
        provider: The provider; its variables, its key file in the working folder and then its kept key are read last.
        explicit: Places and values that the caller passed, in the order of search.

    Raises:
        AuthenticationError: The key has characters that a header cannot carry, or the kept keys can't be read.
        ConfigurationError: An explicit value is not a string.
    """
    return next((_check_key(found) for found in _possible_keys(provider, *explicit) if found.value), None)


def _possible_keys(provider: Provider, *explicit: tuple[str, object]) -> Iterator[ApiKey]:
    """Yield the value of each place, "" if it has none, in the order of search.

    A generator, so that the other keys are not in the frames of a traceback when `_check_key` refuses one.
    """
    default_header = provider.key_header
    for place, value in explicit:
        if value is not None and not isinstance(value, str):
            raise ConfigurationError(f"{place} must be a string or a function, not {type(value).__name__}")
        yield ApiKey((value or "").strip(), default_header, place)
    for name, header in provider.keys.items():
        yield ApiKey(read_variable(name), header, name)
    if provider.key_file:
        with suppress(OSError):
            value = Path(provider.key_file).read_text("utf-8-sig", errors="replace").strip()
            yield ApiKey(value, default_header, provider.key_file)
    yield ApiKey(kept_keys.read_kept_key(provider.name).strip(), default_header, KEPT_PLACE)


def missing_key_error(provider: Provider) -> AuthenticationError:
    """Return the error to raise if there is no key. It names every place that was searched."""
    places = ["the argument api_key", "api_key in the config", f"the environment ({', '.join(provider.keys)})"]
    if provider.key_file:
        places.append(f"the file {provider.key_file} in the working folder")
    places.append(f"the kept keys (`msgmodel keys set {provider.name}`)")
    return AuthenticationError(f"no key for {provider.name}: looked at {', '.join(places[:-1])} and {places[-1]}")


def _check_key(key: ApiKey) -> ApiKey:
    if not is_usable_key(key.value):
        raise AuthenticationError(
            f"the key from {key.place} has white space or other characters inside that no key has: copy it again"
        )
    return key
