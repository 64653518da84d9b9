"""What the calls of a conversation or of a run of tools took together, and the budget that holds for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import msgspec

from . import _calls
from .errors import ConfigurationError
from .reply.usage_ledger import empty_usage, sum_usage

if TYPE_CHECKING:
    from .events import PanelEnd, Spent, Usage
    from .reply.budget import Budget

BUDGET_LIMITS = ("max_cost", "max_total_tokens")
"""The options that set a budget."""


class _KeptSpent(msgspec.Struct):
    """`Spent` as JSON."""

    usage: dict[str, int | str | None]
    cost: float | None = None


class SpendingTotal:
    """What several calls took together.

    Args:
        limits: `max_cost` and `max_total_tokens` of all calls together, if there are such limits.

    Attributes:
        limits: The same.

    Raises:
        ConfigurationError: A limit is wrong.
    """

    def __init__(self, limits: Mapping[str, Any]) -> None:
        self.limits = dict(limits)
        self._budget = _calls.read_budget(limits)
        self._usage: Usage = empty_usage() | {"input_tokens": 0, "output_tokens": 0}
        self._cost: float | None = 0.0

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """The budget of all calls, for `_calls.begin_exchange`, which counts what each call takes from it."""
        return () if self._budget is None else (self._budget,)

    @property
    def spent(self) -> Spent:
        """What the calls took so far."""
        return {"usage": self._usage.copy(), "cost": self._cost}

    def add_call(self, end: PanelEnd) -> None:
        """A call ended."""
        self._add(end["usage"], end["cost"])

    def restore(self, spent: object) -> None:
        """Take what an earlier process spent, as JSON.

        Raises:
            ConfigurationError: This is no such JSON.
        """
        try:
            found = msgspec.convert(spent, _KeptSpent)
        except msgspec.ValidationError as error:
            raise ConfigurationError(f"spent must be what a conversation had spent: {error}") from None
        counts = {name: count for name, count in found.usage.items() if name in self._usage}
        usage = cast("Usage", empty_usage() | counts)
        self._add(usage, found.cost)
        for budget in self.budgets:
            budget.spend((usage["input_tokens"] or 0) + (usage["output_tokens"] or 0), found.cost or 0.0)

    def _add(self, usage: Usage, cost: float | None) -> None:
        self._usage = sum_usage(self._usage, usage)
        self._cost = None if self._cost is None or cost is None else self._cost + cost
