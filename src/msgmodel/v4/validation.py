"""Checks for forms and settings pages, before a question is asked. The calls check their arguments themselves.

Each returns the value, without white space around it, and raises ValidationError or, for `max_tokens`,
ConfigurationError. The bounds are those that every provider has in common.
"""

from __future__ import annotations

import math
import re
from typing import Final

from ..errors import ConfigurationError, ValidationError

MIN_TEMPERATURE: Final = 0.0
MAX_TEMPERATURE: Final = 2.0
MIN_TOP_P: Final = 0.0
MAX_TOP_P: Final = 1.0
MIN_MAX_TOKENS: Final = 1
MAX_MAX_TOKENS: Final = 1_000_000

_PLACEHOLDER: Final = re.compile(r"sk-\.{3,}$|your[_-]?api[_-]?key|\*+$|xxx+$|test[_-]?key|placeholder", re.IGNORECASE)
"""What stands in examples and templates in the place of a key."""


def validate_prompt(prompt: str, *, allow_empty: bool = False) -> str:
    """The prompt without white space around it. Raises ValidationError."""
    text = _check_text("prompt", prompt)
    if not text and not allow_empty:
        raise ValidationError("prompt is empty", field="prompt")
    return text


def validate_temperature(temperature: float) -> float:
    """A number from 0 to 2. Raises ValidationError."""
    return _check_number("temperature", temperature, MIN_TEMPERATURE, MAX_TEMPERATURE)


def validate_top_p(top_p: float) -> float:
    """A number from 0 to 1. Raises ValidationError."""
    return _check_number("top_p", top_p, MIN_TOP_P, MAX_TOP_P)


def validate_max_tokens(max_tokens: int) -> int:
    """A whole number from 1 to 1,000,000. Raises ConfigurationError."""
    if not isinstance(max_tokens, int) or isinstance(max_tokens, bool):
        raise ConfigurationError(
            f"max_tokens must be a whole number, not {type(max_tokens).__name__}", key_name="max_tokens"
        )
    if not MIN_MAX_TOKENS <= max_tokens <= MAX_MAX_TOKENS:
        raise ConfigurationError(
            f"max_tokens must be from {MIN_MAX_TOKENS} to {MAX_MAX_TOKENS:,}, not {max_tokens}", key_name="max_tokens"
        )
    return max_tokens


def validate_api_key(api_key: str, *, provider: str | None = None, min_length: int = 10) -> str:
    """A key of at least `min_length` characters, which is no placeholder such as `your-api-key`.

    Raises ValidationError, which never shows it.
    """
    whose = f"the key for {provider}" if provider else "the key"
    if not isinstance(api_key, str):
        raise ValidationError(f"{whose} must be a string, not {type(api_key).__name__}", field="api_key")
    key = api_key.strip()
    if not key:
        raise ValidationError(f"{whose} is empty", field="api_key")
    if len(key) < min_length:
        raise ValidationError(f"{whose} is too short: it has fewer than {min_length} characters", field="api_key")
    if _PLACEHOLDER.match(key):
        raise ValidationError(f"{whose} is a placeholder, not a key: put the provider's own there", field="api_key")
    return key


def validate_model_name(model: str) -> str:
    """A name of letters, digits and `._-:/@`, as every provider has them. Raises ValidationError."""
    name = _check_text("model", model)
    if not name:
        raise ValidationError("model is empty", field="model")
    if not re.fullmatch(r"[\w.:/@-]+", name):
        raise ValidationError("the name of a model has letters, digits and '._-:/@' alone", field="model")
    return name


def validate_timeout(timeout: float) -> float:
    """A number of seconds above 0, at most an hour. Raises ValidationError."""
    seconds = _check_number("timeout", timeout, 0.0, 3600.0)
    if not seconds:
        raise ValidationError("timeout must be above 0 seconds", field="timeout")
    return seconds


def _check_text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ValidationError(f"{name} must be a string, not {type(value).__name__}", field=name)
    return value.strip()


def _check_number(name: str, value: object, least: float, most: float) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise ValidationError(f"{name} must be a number, not {type(value).__name__}", field=name)
    if not math.isfinite(value) or not least <= value <= most:
        raise ValidationError(f"{name} must be from {least:g} to {most:g}, not {value}", field=name)
    return float(value)
