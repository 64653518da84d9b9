"""Runs the cases of one peer in one colour: `python run.py NAME sync|async` in that peer's environment.

It imports the peer and the standard library, nothing else. The job comes in as JSON on stdin: `url`, `key`, `models` by
wire, `timeout` (which the peer is given), `limit` (after which a reply counts as hanging), and `cases`, each with
`wire`, `fault`, `prompt` and `pace`. What the caller of the peer got comes out as JSON on stdout.

A peer is a module ask_<name> with DISTRIBUTION, OWN (the exceptions that it documents as its own), WIRES, and `Asker`,
made once for all cases: `ask(wire, prompt, told)` and `aask`, which tell what the caller gets, as it comes.
"""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import json
import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any, NoReturn

AT_ONCE = 4
"""Quick cases at a time: more would let a busy machine look like a slow peer."""
MANY = 64
SHOWN = 90
"""Characters of an error's words."""


class Told:
    """What the caller of a peer has received of one reply so far."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.word: str | None = None
        self.error: str | None = None
        self.raised: str | None = None
        self.own = True
        self.leaks: list[str] = []
        self.hung = False

    def text(self, piece: str | None) -> None:
        if piece:
            self.pieces.append(piece)

    def finish(self, word: Any) -> None:
        """Return a finish reason: text, an enum, or None if there is none yet."""
        if word is not None:
            self.word = str(getattr(word, "value", word))

    def fails(self, said: str) -> None:
        """Note an error event in the stream, in the library's words."""
        self.error = said

    def timed_out(self) -> bool:
        return self.hung or re.search(r"timed? ?out", f"{self.raised} {self.error}", re.I) is not None

    def chat(self, chunk: Any) -> None:
        """Read a chunk of OpenAI's Chat Completions API, which several peers use."""
        for choice in chunk.choices or ():
            self.text(choice.delta.content)
            self.finish(choice.finish_reason)

    def response(self, event: Any) -> None:
        """Read an event of OpenAI's Responses API. Its words for the end are separate events."""
        kind = str(getattr(event.type, "value", event.type))
        if kind == "response.output_text.delta":
            self.text(event.delta)
        elif kind == "response.completed":
            self.finish("completed")
        elif kind == "response.incomplete":
            details = event.response.incomplete_details
            self.finish(details.reason if details else "incomplete")
        elif kind in ("response.failed", "error"):
            self.fails(kind)

    def message(self, event: Any) -> None:
        """Read an event of Anthropic's Messages API."""
        if event.type == "content_block_delta" and event.delta.type == "text_delta":
            self.text(event.delta.text)
        elif event.type == "message_delta":
            self.finish(event.delta.stop_reason)


_now: contextvars.ContextVar[Told | None] = contextvars.ContextVar("told", default=None)


class Logs(logging.Handler):
    """Search for the key in every log record, at every level, and know to which case it belongs."""

    def __init__(self, key: str) -> None:
        super().__init__(logging.NOTSET)
        self._key = key
        self.elsewhere: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            shown = self.format(record)
        except Exception:  # the peer's own record can't be shown, so it shows no key
            return
        if self._key in shown:
            place = f"a log record at {record.levelname}"
            told = _now.get()
            if told is None:
                self.elsewhere.add(place)
            elif place not in told.leaks:
                told.leaks.append(place)


class Run:
    def __init__(self, peer: Any, job: dict[str, Any]) -> None:
        self._peer = peer
        self._key: str = job["key"]
        self._limit: float = job["limit"]
        self.cases = [case for case in job["cases"] if case["wire"] in peer.WIRES]
        self._asker = peer.Asker(job["url"], job["key"], job["models"], job["timeout"])
        self.told = [Told() for _ in self.cases]

    def _paced(self, pace: str) -> list[tuple[dict[str, str], Told]]:
        return [pair for pair in zip(self.cases, self.told, strict=True) if pair[0]["pace"] == pace]

    def _again(self) -> Iterator[tuple[dict[str, str], Told]]:
        """Return the cases that timed out although no server was silent. The machine was the cause, so they run again,
        alone.
        """
        for number, case in enumerate(self.cases):
            if case["pace"] == "quick" and self.told[number].timed_out():
                self.told[number] = Told()
                yield case, self.told[number]

    def _first_of_each_wire(self) -> list[dict[str, str]]:
        """Return the cases to run first: the work that a library does at its first use must not count as slowness."""
        return list({case["wire"]: case for case in reversed(self.cases)}.values())

    def _failed(self, told: Told, error: BaseException) -> None:
        kind = type(error)
        told.raised = f"{kind.__module__}.{kind.__qualname__}: {str(error)[:SHOWN]}"
        told.own = isinstance(error, self._peer.OWN)
        shown = {
            "the exception's text": str(error) + repr(error),
            "the traceback": "".join(traceback.format_exception(error)),
        }
        told.leaks += [place for place, text in shown.items() if self._key in text]

    # --- blocking ---

    def blocking(self) -> None:
        for case in self._first_of_each_wire():
            self._watched(case, Told())
        with ThreadPoolExecutor(AT_ONCE) as few, ThreadPoolExecutor(MANY) as many:
            for pair in self._paced("slow"):
                many.submit(self._watched, *pair)
            for pair in self._paced("quick"):
                few.submit(self._watched, *pair)
        for pair in self._again():
            self._watched(*pair)
        with ThreadPoolExecutor(MANY) as many:
            for pair in self._paced("alone"):
                many.submit(self._watched, *pair)

    def _watched(self, case: dict[str, str], told: Told) -> None:
        """Run one case in a separate thread, which is abandoned if it hangs."""
        thread = threading.Thread(target=self._blocking_case, args=(case, told), daemon=True)
        thread.start()
        thread.join(self._limit)
        told.hung = thread.is_alive()

    def _blocking_case(self, case: dict[str, str], told: Told) -> None:
        _now.set(told)
        try:
            self._asker.ask(case["wire"], case["prompt"], told)
        except BaseException as error:
            self._failed(told, error)

    # --- async ---

    async def asynchronous(self) -> None:
        few, many = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(MANY)
        for case in self._first_of_each_wire():
            await self._async_watched(case, Told(), few)
        quick = [self._async_watched(*pair, few) for pair in self._paced("quick")]
        await asyncio.gather(*(self._async_watched(*pair, many) for pair in self._paced("slow")), *quick)
        for pair in self._again():
            await self._async_watched(*pair, few)
        await asyncio.gather(*(self._async_watched(*pair, many) for pair in self._paced("alone")))

    async def _async_watched(self, case: dict[str, str], told: Told, turns: asyncio.Semaphore) -> None:
        async with turns:
            task = asyncio.create_task(self._async_case(case, told))
            await asyncio.wait([task], timeout=self._limit)
            told.hung = not task.done()
            task.cancel()

    async def _async_case(self, case: dict[str, str], told: Told) -> None:
        _now.set(told)
        try:
            await self._asker.aask(case["wire"], case["prompt"], told)
        except BaseException as error:
            if not told.hung:
                self._failed(told, error)

    def outcomes(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for case, told in zip(self.cases, self.told, strict=True):
            if told.error and self._key in told.error:
                told.leaks.append("the error event")
            found.setdefault(case["wire"], {})[case["fault"]] = {
                "text": "".join(told.pieces),
                "word": told.word,
                "error": told.error and told.error[:SHOWN],
                "raised": told.raised,
                "own": told.own,
                "hung": told.hung,
                "leaks": told.leaks,
            }
        return found


def main() -> None:
    name, colour = sys.argv[1:]
    job = json.load(sys.stdin)
    channel = os.dup(1)
    os.dup2(2, 1)  # a peer may print
    peer = importlib.import_module(f"ask_{name.replace('-', '_')}")
    logs = Logs(job["key"])
    logging.getLogger().addHandler(logs)
    logging.getLogger().setLevel(1)
    run = Run(peer, job)

    def answer() -> NoReturn:
        found = {"version": version(peer.DISTRIBUTION), "outcomes": run.outcomes(), "elsewhere": sorted(logs.elsewhere)}
        with os.fdopen(channel, "w") as file:
            json.dump(found, file)
        os._exit(0)  # what hangs would keep it for ever

    async def asynchronous() -> None:
        await run.asynchronous()
        answer()

    if colour == "async":
        asyncio.run(asynchronous())
    run.blocking()
    answer()


if __name__ == "__main__":
    main()
