"""What each response of a reply used, and what of the reply it brought. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

from ..events import CostSource, ErrorCode, Segment, Status, Usage
from ..question.question import Question
from ..question.token_estimate import estimate_tokens_of
from ..wires.deltas import OtherRequest

PriceFunction = Callable[[str, str, Usage], float | None]
"""Return the US dollars for a provider, a model and its usage; None if the price is unknown."""


CALL_TOKENS: Mapping[str, int] = {"openai_chat": 9, "openai_responses": 13, "anthropic": 48, "gemini": 2}
"""What a tool call takes besides its arguments, by wire: its name, and the marks around it. The medians of the calls in
the replies that `question.token_estimate` was fitted to: 76 of Anthropic, 20 of Gemini, 275 of the others."""


class UsageOfResponse(NamedTuple):
    """The provider and the model of a response, who are paid for it, what it used, and what it costs by the provider's
    own word; None if it does not say. `others`: what the provider bills beside it."""

    provider: str
    model: str
    usage: Usage
    stated_cost: float | None
    others: tuple[OtherRequest, ...] = ()


class UsageLedger:
    """The responses of a panel that are over.

    Attributes:
        segments: What each response brought, for the terminal event.
        spent: What each response used.
        overlap: Characters that the current response repeated, and that were left out.
    """

    __slots__ = ("_characters_before", "_price", "overlap", "segments", "spent")

    def __init__(self, price: PriceFunction) -> None:
        self.segments: list[Segment] = []
        self.spent: list[UsageOfResponse] = []
        self.overlap = 0
        self._price = price
        self._characters_before = 0

    def add_segment(
        self,
        question: Question,
        *,
        model: str,
        request_id: str | None,
        characters: int,
        status: Status | ErrorCode,
        reason: str | None,
        usage: Usage | None,
    ) -> None:
        """Note that a response is over. `characters`: of the text of the panel so far."""
        self.segments.append(
            {
                "provider": question.provider,
                "model": model,
                "characters": characters - self._characters_before,
                "overlap": self.overlap,
                "status": status,
                "finish_reason": reason,
                "request_id": request_id,
                "usage": usage,
            }
        )
        self._characters_before, self.overlap = characters, 0

    def total(self, parts: Sequence[UsageOfResponse]) -> tuple[Usage, float | None, CostSource]:
        """Return the usage of these responses together, its price in US dollars, and who says so.

        The provider's word goes before the price list. The price is None if that of one response is unknown.
        """
        prices: list[float | None] = []
        for part in parts:
            if part.stated_cost is not None:
                prices.append(part.stated_cost)
                continue
            asked = [(part.model, part.usage), *((other.model or part.model, other.usage) for other in part.others)]
            prices += [self._price(part.provider, model, used) for model, used in asked]
        counts = [used for part in parts for used in (part.usage, *(other.usage for other in part.others))]
        usage = reduce(sum_usage, counts)
        known = [price for price in prices if price is not None]
        if len(known) < len(prices):
            return usage, None, None
        return usage, sum(known), "price_list" if any(part.stated_cost is None for part in parts) else "provider"


def empty_usage() -> Usage:
    """Return the usage of a response whose provider reported nothing."""
    return {
        "input_tokens": None,
        "output_tokens": None,
        "reasoning_tokens": None,
        "cached_tokens": None,
        "cache_write_tokens": None,
        "source": "provider",
    }


def complete_usage(
    usage: Usage | None, question: Question, texts: Iterable[str], calls: int, *, is_early: bool, refused: bool
) -> Usage:
    """Return the provider's counts of a response, with estimates for those that it lacks.

    Args:
        usage: The provider's counts; None if it sent none.
        question: What was asked.
        texts: All words of the response.
        calls: The number of its tool calls.
        is_early: Whether the stream broke after more words than `usage` counts.
        refused: Whether the provider did not take the question, which used nothing then.
    """
    usage = usage or empty_usage()
    known = usage["output_tokens"]
    if known is None or is_early:
        estimate = estimate_tokens_of(texts) + calls * CALL_TOKENS.get(question.wire, 0)
        if known is None or known < estimate:
            usage = usage | {"output_tokens": estimate, "source": "estimated"}
    if usage["input_tokens"] is None:
        usage = usage | {"input_tokens": 0 if refused else question.estimated_tokens, "source": "estimated"}
    return usage


def sum_usage(one: Usage, other: Usage) -> Usage:
    """Return the usage of two responses together."""
    total: dict[str, Any] = dict(one)
    for name, number in other.items():
        if isinstance(number, int):
            total[name] = number + (total[name] or 0)
    if other["source"] == "estimated":
        total["source"] = "estimated"
    return total  # type: ignore[return-value]
