"""What a reply costs by the provider's price list, from genai-prices (extra `[cost]`).

Rule: a price that is not surely known is None, never a guess and never zero.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from ..events import Usage


def price_in_dollars(provider: str, model: str, usage: Usage) -> float | None:
    """US dollars; None without the extra, and for a model that the list does not have."""
    if provider == "local":
        return 0.0
    if usage["input_tokens"] is None or usage["output_tokens"] is None:
        return None
    prices = _prices()
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
            provider_id=_IDS.get(provider, provider),
        )
    except (LookupError, ValueError):
        return None
    return float(found.total_price)


_IDS = {
    "gemini": "google",
    "vertex": "google",
    "xai": "x-ai",
    "azure-anthropic": "anthropic",
    "bedrock": "aws",
    "moonshot": "moonshotai",
}
"""Our names of providers to theirs, where they differ."""


def load_prices() -> None:
    """Reads the price list now, which takes some 0.3 seconds, and not at the first price."""
    price_in_dollars("openai", "gpt-4o", _NOTHING)


_NOTHING: Usage = {
    "input_tokens": 0,
    "output_tokens": 0,
    "reasoning_tokens": None,
    "cached_tokens": None,
    "cache_write_tokens": None,
    "source": "estimated",
}


@cache
def _prices() -> Any:
    try:
        import genai_prices
    except ImportError:
        return None
    return genai_prices
