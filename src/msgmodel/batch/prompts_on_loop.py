"""Runs the prompts of `map_prompts` as tasks of one event loop, a few at a time.

Rules: each prompt ends with a result. A provider that asks one request to wait is asked nothing until then, and less at
a time afterwards.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from time import monotonic
from typing import TYPE_CHECKING, Any

from .. import _calls
from .._input_cache import InputCache
from ..errors import ReplyError, StreamingError, exception
from ..events import PanelEnd
from ..http.forks import INHERITED
from ..question.question import Question
from ..reply.exchange import Exchange
from ..reply.request_gate import RequestGate
from ..response import LLMResponse, reply_from_final

if TYPE_CHECKING:
    from ..reply.budget import Budget

MAX_WAITS = 20
"""How often a prompt is asked again because the provider wants fewer requests."""
LONGEST_WAIT_SECONDS = 60.0
"""The longest pause after such an answer, if the provider names no time."""
_ASKS_TO_WAIT = ("rate_limit", "overloaded")
"""Codes of failures after which the provider gets fewer requests."""


class PromptCall:
    """One prompt: the arguments of its call, and how often it was asked."""

    def __init__(self, arguments: Mapping[str, Any], readings: InputCache) -> None:
        self.arguments = arguments
        self.readings = readings
        self.retries = 0
        self.waits = 0

    def begin(self, budgets: Sequence[Budget]) -> tuple[list[Question], Exchange]:
        """Return the questions and the exchange that asks them. Raise what a call raises for a wrong argument."""
        return _calls.begin_exchange_by_name(None, self.arguments, self.readings, budgets)


class PromptsOnLoop:
    """The prompts on one event loop.

    Attributes:
        calls: The prompts.
        results: Their results so far; None for those that have none.
        answered: How many were answered.
        failed: How many ended in an error.
        cost: US dollars so far; None if the price of a reply is unknown.
    """

    def __init__(self, calls: list[PromptCall], concurrency: int, budget: Budget | None) -> None:
        self.calls = calls
        self.results: list[LLMResponse | ReplyError | None] = [None] * len(calls)
        self.answered = self.failed = 0
        self.cost: float | None = 0.0
        self._budgets = () if budget is None else (budget,)
        self._waiting = deque(range(len(calls)))
        self._running: set[asyncio.Task[None]] = set()
        self._ended: list[int] = []
        self._news = asyncio.Event()
        self._gates: dict[str, RequestGate] = {}
        self._most = concurrency
        self._allowed = float(concurrency)
        """How many may be asked at a time now."""
        self._fault: BaseException | None = None
        self._over = False

    async def next_events(self) -> list[int]:
        """Wait for a result, and return the numbers of all prompts that have got one. Return none at the end."""
        self._start_tasks()
        while not self._ended and self._running and self._fault is None:
            self._news.clear()
            await self._news.wait()
        if self._fault is not None:
            raise self._fault
        ended, self._ended = self._ended, []
        return ended

    def events_after_fork(self) -> list[int]:
        """Return none: in a process forked from the one that asks, nothing more arrives."""
        self._over = True
        raise StreamingError(INHERITED)

    async def aclose(self) -> None:
        """Close all connections. The prompts that have not ended are cancelled."""
        self._over = True
        tasks = [*self._running]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def results_so_far(self) -> list[LLMResponse | ReplyError]:
        """Return a result for each prompt."""
        return [_not_asked() if result is None else result for result in self.results]

    @property
    def seconds_to_wait(self) -> float:
        """Seconds until a provider may be asked again; 0 if none asks to wait."""
        return max((gate.seconds_until_open() for gate in self._gates.values()), default=0.0)

    def _start_tasks(self) -> None:
        while self._waiting and len(self._running) < int(self._allowed) and not self._over:
            number = self._waiting.popleft()
            task = asyncio.get_running_loop().create_task(self._run_prompt(number))
            self._running.add(task)
            task.add_done_callback(self._finish_prompt)

    def _finish_prompt(self, task: asyncio.Task[None]) -> None:
        self._running.remove(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fault = self._fault or error
        self._start_tasks()
        self._news.set()

    async def _run_prompt(self, number: int) -> None:
        call = self.calls[number]
        questions, exchange = call.begin(self._budgets)
        gate = exchange.gate = self._gates.setdefault(questions[0].provider, RequestGate(monotonic))
        events = _calls.start_async_panels(questions, exchange, call.arguments.get("http_client"))
        try:
            async with aclosing(events):
                async for event in events:
                    if event["event"] == "panel_retry" and event["reason"] == "retry":
                        self._note_failure(gate, event["code"], event["seconds_to_wait"])
        finally:
            exchange.cancel()  # nothing, if it has ended
            self._end_prompt(number, gate, exchange)

    def _note_failure(self, gate: RequestGate, code: str, seconds: float) -> None:
        """If the provider wants fewer requests, send none for so many seconds, and then half as many at a time."""
        if code in _ASKS_TO_WAIT:
            if not gate.seconds_until_open():
                self._allowed = max(1.0, self._allowed / 2)
            gate.close_for(seconds)

    def _end_prompt(self, number: int, gate: RequestGate, exchange: Exchange) -> None:
        end = exchange.terminal_events()[-1]
        assert end["event"] == "panel_final" or end["event"] == "panel_error"
        if self.cost is not None:
            self.cost = None if end["cost"] is None else self.cost + end["cost"]
        if end["event"] == "panel_error" and not self._over and self._ask_again(number, gate, end):
            return
        if end["event"] == "panel_final":
            self.results[number] = reply_from_final(end, exchange.convert_object)
            self.answered += 1
            self._allowed = min(self._most, self._allowed + 1 / self._allowed)
        else:
            self.results[number] = exception(end)
            self.failed += 1
        self._ended.append(number)

    def _ask_again(self, number: int, gate: RequestGate, end: PanelEnd) -> bool:
        """Return whether a prompt that failed is asked again from the start: none of its text was delivered."""
        assert end["event"] == "panel_error"
        call = self.calls[number]
        if not end["retryable"]:
            return False
        if end["code"] in _ASKS_TO_WAIT:
            seconds = end["retry_after"]
            if seconds is None:
                seconds = min(LONGEST_WAIT_SECONDS, 2.0**call.waits)
            if call.waits >= MAX_WAITS or seconds > call.arguments.get("timeout", 300):
                return False
            call.waits += 1
            self._note_failure(gate, end["code"], seconds)
        else:
            if call.retries >= call.arguments.get("max_retries", 2):
                return False
            call.retries += 1
        self._waiting.appendleft(number)
        return True


def _not_asked() -> ReplyError:
    error = StreamingError("cancelled before it was asked")
    error.code = "cancelled"
    return error
