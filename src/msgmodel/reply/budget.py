"""What a panel may cost, and what it has used so far. Pure.

Rules: only a panel with a budget pays for this. What was used is the provider's count as far as it goes, and beyond it
the estimate of `question.token_estimate`. A count alone never ends a reply, because the reply may be complete by then;
only more words do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from math import floor, inf
from typing import NamedTuple

import msgspec

from ..events import PanelEnd, Usage
from ..question.question import Question, ToolDefinition
from ..question.token_estimate import RunningEstimate, estimate_tokens
from ..registry.rows import reasoning_traits
from ..wires.deltas import CostStated, Delta, ReasoningDelta, RefusalDelta, TextDelta, ToolFragment, UsageSoFar
from .usage_ledger import CALL_TOKENS, PriceFunction, empty_usage

_FILE_TOKENS = 1_500
"""Tokens of a file that is not text, until the provider counts them: a large image costs about as many."""
_SAFE_TOKEN_LIMIT = 4_096
"""A limit that every model takes: more than its own maximum is an error at most providers."""
_LARGE_TOKEN_LIMIT = 32_768
_LARGE_MODELS = re.compile(r"(^|/)(gpt-[5-9]|o[1-9](?!\d)|gemini-(2\.5|[3-9]))")
"""Models that take a larger limit, and whose reasoning is hidden: nothing but a limit can stop it in time."""
_SMALLEST_TOKEN_LIMIT = 16
"""OpenAI's Responses API refuses a smaller one."""
_SMALLEST_REASONING_LIMIT = 1_025
"""Anthropic's models that take a number of tokens for their reasoning need this limit for it."""
_LIMIT_FIELDS = frozenset(("max_tokens", "max_completion_tokens", "max_output_tokens", "generationConfig", "thinking"))
"""Fields of a caller's own body that set the limit, or that depend on it."""

_WORDS = TextDelta, ReasoningDelta, RefusalDelta, ToolFragment
"""Deltas whose last field is words of the model."""


class Budget:
    """What may be spent, and what was. Panels may share one: those of a conversation, a batch, or a run of tools.

    Args:
        max_cost: Maximum US dollars; None for no limit.
        max_total_tokens: Maximum tokens of input and output; None for no limit.

    Attributes:
        cost: US dollars that were spent; an estimate while a reply streams.
        tokens: Tokens that were spent; an estimate while a reply streams.
    """

    __slots__ = ("cost", "max_cost", "max_total_tokens", "tokens")

    def __init__(self, max_cost: float | None = None, max_total_tokens: int | None = None) -> None:
        self.max_cost, self.max_total_tokens = max_cost, max_total_tokens
        self.cost = self.tokens = 0.0

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left."""
        return (self.max_cost is not None and self.cost >= self.max_cost) or (
            self.max_total_tokens is not None and self.tokens >= self.max_total_tokens
        )

    def spend(self, tokens: float, cost: float) -> None:
        """Count tokens and US dollars; negative numbers correct an estimate."""
        self.tokens += tokens
        self.cost += cost

    def output_tokens_left(self, price: _QuestionPrice) -> float:
        """Return how many tokens of output it can pay for after the question."""
        left = inf
        if self.max_total_tokens is not None:
            left = self.max_total_tokens - self.tokens - price.input_tokens
        if self.max_cost is not None:
            dollars = self.max_cost - self.cost - price.input_cost
            if price.output_token_cost:
                left = min(left, dollars / price.output_token_cost)
            elif dollars <= 0:
                left = min(left, 0.0)
        return left


class _QuestionPrice(NamedTuple):
    """What a question takes, and what each token of its answer costs."""

    input_tokens: float
    input_cost: float
    output_token_cost: float


class BudgetMeter:
    """Measures what one panel takes from its budgets.

    Attributes:
        has_lowered_limit: Whether the budgets, not the caller, limit the tokens of the request that was sent last.
        words_of_last: The estimated tokens of the words of the last response.
    """

    __slots__ = (
        *("_budgets", "_counted_output", "_estimated", "_has_max_cost", "_input", "_last", "_lost", "_panel", "_price"),
        *("_calls", "_question", "_responded", "_response", "_stated", "_words", "_written_before"),
        *("has_lowered_limit", "words_of_last"),
    )

    def __init__(self, budgets: Sequence[Budget], price: PriceFunction) -> None:
        """Begin with nothing used.

        Args:
            budgets: The budgets, all of which hold.
            price: Returns what a reply costs.
        """
        self._budgets, self._price = budgets, price
        self._has_max_cost = any(budget.max_cost is not None for budget in budgets)
        self._estimated: tuple[Question, float] | None = None
        """The last question that was estimated, and its tokens."""
        self._panel = self._response = self._last = self._lost = (0.0, 0.0)
        """Tokens and dollars: of the panel, of its current response, of the one before, and of the responses that the
        terminal event does not count, because they were asked for again."""
        self._responded = self.has_lowered_limit = False
        self.words_of_last = 0.0

    def can_pay(self, question: Question, more_tokens: float = 0.0) -> bool:
        """Return whether the budgets pay for a question, with so many more tokens of input, and a word of answer."""
        return self._output_tokens_left(question, more_tokens) >= 1

    def limit_output(self, question: Question) -> Question:
        """Return the question with the limit on its answer that the budgets can pay, if that is known to be taken."""
        left = max(_SMALLEST_TOKEN_LIMIT, self._output_tokens_left(question))
        if question.reasoning not in (None, "none") and "budget" in reasoning_traits(question.model):
            left = max(_SMALLEST_REASONING_LIMIT, left)
        limit = question.max_tokens
        if limit is None:
            limit = _LARGE_TOKEN_LIMIT if _LARGE_MODELS.search(question.model) else _SAFE_TOKEN_LIMIT
            if question.wire == "anthropic":
                from ..wires.anthropic.request import DEFAULT_MAX_TOKENS  # loaded with the wire, not before

                limit = DEFAULT_MAX_TOKENS
        self.has_lowered_limit = left < limit and _LIMIT_FIELDS.isdisjoint(question.config.body)
        return replace(question, max_tokens=floor(left)) if self.has_lowered_limit else question

    def begin_response(self, question: Question) -> None:
        """A question is sent."""
        self._question = question
        self._words, self._calls = RunningEstimate(), set[str]()
        self._written_before = self._counted_output = 0.0
        self._stated: float | None = None
        self._responded = False
        self._response = (0.0, 0.0)
        self._input = self._price_of(question)
        self._charge()

    def note_response(self) -> None:
        """The provider took the question."""
        self._responded = True

    def add(self, delta: Delta) -> bool:
        """Count what a delta of the response brings. Return whether it has words, and a budget is used up."""
        has_words = isinstance(delta, _WORDS)
        if has_words:
            self._words.append(str(delta[-1]))
            if isinstance(delta, ToolFragment):
                self._calls.add(delta.key)
        elif isinstance(delta, UsageSoFar):
            self._take_count(delta.usage)
        elif isinstance(delta, CostStated):
            self._stated = delta.dollars
        else:
            return False
        self._charge()
        return has_words and any(budget.is_spent for budget in self._budgets)

    def end_response(self) -> None:
        """The response is over. One that the provider refused used nothing."""
        if not self._responded:
            self._change_response((0.0, 0.0))
        self.words_of_last = self._written_tokens()
        self._last, self._response = self._response, (0.0, 0.0)

    def lose_response(self) -> None:
        """The terminal event will not count the last response, because it is asked for again."""
        self._lost = self._lost[0] + self._last[0], self._lost[1] + self._last[1]

    def settle(self, end: PanelEnd) -> None:
        """The panel ended: correct what was estimated."""
        usage, cost = end["usage"], end["cost"]
        tokens = (usage["input_tokens"] or 0) + (usage["output_tokens"] or 0) + self._lost[0]
        dollars = self._panel[1] if cost is None else cost + self._lost[1]
        self._spend(tokens - self._panel[0], dollars - self._panel[1])

    def _take_count(self, usage: Usage) -> None:
        """Take the provider's counts. One far below the words so far is an early one: Anthropic's first says 1."""
        if usage["input_tokens"]:
            self._input = self._price_of_usage(self._question, usage, usage["input_tokens"])
        counted = usage["output_tokens"] or 0
        if counted >= self._written_tokens() / 2:
            self._counted_output, self._written_before = counted, self._written_tokens()

    def _written_tokens(self) -> float:
        """Return the estimated tokens of all that the response has brought."""
        return self._words.tokens + len(self._calls) * CALL_TOKENS.get(self._question.wire, 0)

    def _charge(self) -> None:
        output = self._counted_output + self._written_tokens() - self._written_before
        cost = self._input.input_cost + output * self._input.output_token_cost
        self._change_response((self._input.input_tokens + output, cost if self._stated is None else self._stated))

    def _change_response(self, used: tuple[float, float]) -> None:
        self._spend(used[0] - self._response[0], used[1] - self._response[1])
        self._response = used

    def _spend(self, tokens: float, cost: float) -> None:
        self._panel = self._panel[0] + tokens, self._panel[1] + cost
        for budget in self._budgets:
            budget.spend(tokens, cost)

    def _output_tokens_left(self, question: Question, more_tokens: float = 0.0) -> float:
        price = self._price_of(question, more_tokens)
        return min(budget.output_tokens_left(price) for budget in self._budgets)

    def _price_of(self, question: Question, more_tokens: float = 0.0) -> _QuestionPrice:
        if self._estimated is None or self._estimated[0] is not question:
            self._estimated = question, _estimate_input_tokens(question)
        return self._price_of_usage(question, empty_usage(), round(self._estimated[1] + more_tokens))

    def _price_of_usage(self, question: Question, usage: Usage, input_tokens: int) -> _QuestionPrice:
        """Return the price of a question whose input takes so many tokens, as far as `usage` knows from a cache."""
        if not self._has_max_cost:
            return _QuestionPrice(input_tokens, 0.0, 0.0)
        asked = question.provider, question.model
        without = self._price(*asked, usage | {"input_tokens": input_tokens, "output_tokens": 0}) or 0.0
        answered = self._price(*asked, usage | {"input_tokens": input_tokens, "output_tokens": 1_000}) or 0.0
        return _QuestionPrice(input_tokens, without, (answered - without) / 1_000)


def _estimate_input_tokens(question: Question) -> float:
    """Return the estimated tokens of a question with its files and tools."""
    tools = [tool for tool in question.tools if isinstance(tool, ToolDefinition)]
    texts = [tool.name + tool.description + msgspec.json.encode(tool.parameters).decode() for tool in tools]
    files = _FILE_TOKENS * len(question.files_without_text)
    return question.estimate_text_tokens() + files + sum(map(estimate_tokens, texts))
