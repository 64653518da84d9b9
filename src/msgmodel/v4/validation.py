"""Checks for forms and settings pages. The six functions check their arguments themselves.

Each function returns the value without surrounding white space, and raises ValidationError or, for `max_tokens`,
ConfigurationError. The bounds are those that all providers share.
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
"""Placeholders for a key in examples and templates."""


def validate_prompt(prompt: str, *, allow_empty: bool = False) -> str:
    """Return the prompt without surrounding white space. Raise ValidationError if it is empty."""
    text = _check_text("prompt", prompt)
    if not text and not allow_empty:
        raise ValidationError("prompt is empty", field="prompt")
    return text


def validate_temperature(temperature: float) -> float:
    """Return a number from 0 to 2. Raise ValidationError for anything else."""
    return _check_number("temperature", temperature, MIN_TEMPERATURE, MAX_TEMPERATURE)


def validate_top_p(top_p: float) -> float:
    """Return a number from 0 to 1. Raise ValidationError for anything else."""
    return _check_number("top_p", top_p, MIN_TOP_P, MAX_TOP_P)


def validate_max_tokens(max_tokens: int) -> int:
    """Return a whole number from 1 to 1,000,000. Raise ConfigurationError for anything else."""
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
    """Return a key of at least `min_length` characters that is not a placeholder such as `your-api-key`.

    Raise ValidationError for any other; it never shows the key.
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
        raise ValidationError(f"{whose} is a placeholder: replace it by a key of the provider", field="api_key")
    return key


def validate_model_name(model: str) -> str:
    """Return a name of letters, digits and `._-:/@`. Raise ValidationError for any other."""
    name = _check_text("model", model)
    if not name:
        raise ValidationError("model is empty", field="model")
    if not re.fullmatch(r"[\w.:/@-]+", name):
        raise ValidationError("the name of a model may contain only letters, digits and '._-:/@'", field="model")
    return name


def validate_timeout(timeout: float) -> float:
    """Return a number of seconds above 0, at most an hour. Raise ValidationError for anything else."""
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
