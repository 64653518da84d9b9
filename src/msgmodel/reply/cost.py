"""What a reply costs by the provider's price list, from genai-prices (extra `[cost]`).

Rule: a price that is not certain is None, never a guess and never zero.
"""

from __future__ import annotations

from functools import cache
from threading import Event
from typing import Any

from ..events import Usage


def price_in_dollars(provider: str, model: str, usage: Usage) -> float | None:
    """Return US dollars; None without the extra, and for a model that is not in the list."""
    if provider == "local":
        return 0.0
    if usage["input_tokens"] is None or usage["output_tokens"] is None:
        return None
    prices = None if _is_left_out.is_set() else _price_library()
    if prices is None:
        return None
    try:
        found = prices.calc_price(
            prices.Usage(
                input_tokens=usage["input_tokens"],
                output_tokens=usage["output_tokens"],
                cache_read_tokens=usage["cached_tokens"],
                cache_write_tokens=usage["cache_write_tokens"],
            ),
            model_ref=model,
            provider_id=_LISTED_NAMES.get(provider, provider),
        )
    except (LookupError, ValueError):
        return None
    return float(found.total_price)


_LISTED_NAMES = {
    "gemini": "google",
    "vertex": "google",
    "xai": "x-ai",
    "azure-anthropic": "anthropic",
    "bedrock": "aws",
    "moonshot": "moonshotai",
}
"""The names of providers in the list, by our names, if they differ."""


def has_price_list() -> bool:
    """Return whether the extra `[cost]` is installed."""
    return _price_library() is not None


def load_prices() -> None:
    """Load the price list, which takes 0.3 seconds, before the first reply needs it."""
    price_in_dollars("openai", "gpt-4o", NO_TOKENS)


def leave_out_price_list() -> None:
    """Take no price from the list in this process: a program that shows no cost need not load it."""
    _is_left_out.set()


_is_left_out = Event()

NO_TOKENS: Usage = {
    "input_tokens": 0,
    "output_tokens": 0,
    "reasoning_tokens": None,
    "cached_tokens": None,
    "cache_write_tokens": None,
    "source": "estimated",
}


@cache
def _price_library() -> Any:
    try:
        import genai_prices
    except ImportError:
        return None
    return genai_prices
