"""Checks a config: what no wire could send, and what would be paid for and not read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..errors import ConfigurationError, quoted
from .config import ProviderConfig
from .lenient_json import as_mapping


def copy_config(provider: str, kind: type[ProviderConfig], config: ProviderConfig | None) -> ProviderConfig:
    """Return a checked copy of the config, so that later changes by the caller do not reach a running request.

    Args:
        provider: The name of the provider.
        kind: The class of its config.
        config: The caller's config; None is one without any value.

    Raises:
        ConfigurationError: The config is another provider's, or a value in it is wrong.
    """
    if config is None:
        config = kind()
    if not isinstance(config, kind):
        raise ConfigurationError(f"provider {provider!r} takes {kind.__name__}, not {type(config).__name__}")
    config = replace(config)
    if not isinstance(config.body, Mapping):
        raise ConfigurationError(f"body must be a dict, not {type(config.body).__name__}")
    if isinstance(config.stop, str):
        raise ConfigurationError(f"stop must be a tuple of strings: ({quoted(config.stop)},)")
    tags = getattr(config, "thinking_tags", None)
    if tags not in (None, "read", "opened", "keep"):
        raise ConfigurationError(f'thinking_tags must be "read", "opened", "keep" or None, not {quoted(tags)}')
    _check_one_reply(config)
    return config


def _check_one_reply(config: ProviderConfig) -> None:
    """Raise ConfigurationError for more than one reply: all are paid for, and a panel shows one."""
    generation = as_mapping(config.body.get("generationConfig"))
    numbers = {
        "n": getattr(config, "n", None),
        "candidate_count": getattr(config, "candidate_count", None),
        "n in body": config.body.get("n"),
        "candidateCount in body": generation.get("candidateCount"),
    }
    for name, number in numbers.items():
        if number not in (None, 1):
            raise ConfigurationError(
                f"{name} must be 1 or left out, not {quoted(number)}: a panel is one reply. For several, ask several "
                "times at once: stream_many([provider, provider], prompt)"
            )


def read_header_fields(headers: Mapping[str, str]) -> dict[str, str]:
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
