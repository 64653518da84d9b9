"""Read what a server says that its reply costs, in the shapes of all providers and routers. Pure."""

from __future__ import annotations

from math import isfinite
from typing import Any

from ..question.lenient_json import as_mapping

_DOLLARS_PER_TICK = 1e-10
"""https://docs.x.ai: xAI counts the price in ticks."""


def stated_cost(usage: dict[str, Any], beside: object = None) -> float | None:
    """Return what the server says that the reply costs, in US dollars; None if it says nothing.

    A number in `usage.cost` is OpenRouter's and the Vercel gateway's: with a key of the customer's own, what the
    provider behind them charges is beside it (https://openrouter.ai/docs/guides/guides/usage-accounting). Perplexity
    and others send an object. `estimated_cost` is DeepInfra's.

    Args:
        usage: The object with the counts.
        beside: The `cost` beside it, as Venice sends it.
    """
    ticks = _as_dollars(usage.get("cost_in_usd_ticks"))
    if ticks is not None:
        return ticks * _DOLLARS_PER_TICK
    for stated in (usage.get("cost"), beside, usage.get("estimated_cost")):
        if isinstance(stated, dict):
            stated = stated.get("total_cost", stated.get("usd"))
        dollars = _as_dollars(stated)
        if dollars is None:
            continue
        upstream = as_mapping(usage.get("cost_details")).get("upstream_inference_cost")
        return dollars + (_as_dollars(upstream) or 0.0) if usage.get("is_byok") is True else dollars
    return None


def _as_dollars(value: object) -> float | None:
    """Return `value` if it is an amount, or the text of one; else None."""
    if isinstance(value, str) and len(value) < 32:
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or not 0 <= value < 1e15:
        return None
    return float(value)
