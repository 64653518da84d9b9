"""The readers of the soak: so many streams at a time, a new one where one ends, each read as its plan says.

Some lose their connection and come back, some never do, some stop the stream, some ask the same a second time. The
hostile ones read nothing for a while and go, read slowly, or vanish before the first event. Answers
each line on standard input with one line of JSON; after the line "end" no new streams are begun.

    python proofs/soak_readers.py '{"ports": [...], "streams": 500, ...}'
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Coroutine
from random import Random
from typing import Any

import uvloop
from soak_http import Answer, Wrong
from soak_plan import Plan, Stream
from soak_record import Record

PATIENCE_SECONDS = 60.0
"""Beyond the longest reply, until a stream counts as one that hangs."""
LATE_SECONDS = 8.0
"""How many seconds after its grace a stream without readers may be cancelled, on a busy machine."""
EXPIRED_SECONDS = 1.0
"""How long after a stream has expired a reader asks for it."""
READ_TO_THE_END = frozenset({"stays", "stops", "repeats"})
"""Readers who see the end when it happens. Others may have been away then, and can't tell when a stream expires."""


class Readers:
    """Starts streams, and counts how they ended."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.ports: list[int] = options["ports"]
        self.plan = Plan(options["seed"], options["shortest"], options["longest"])
        self.grace = options["grace"]
        self.expired = options["ttl"] + EXPIRED_SECONDS
        self.patience = options["longest"] + PATIENCE_SECONDS
        # The stream is looked at again after its grace, and must still be kept then.
        self.silence = max(0.5, options["ttl"] - options["grace"] - 2 * LATE_SECONDS)
        self.stopping = False
        self.live = self.begun = 0
        self.endings: Counter[tuple[str, str]] = Counter()
        self.behaviours: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._next = 0
        self._later: set[asyncio.Task[None]] = set()

    async def run(self, streams: int, ramp: float) -> None:
        """Until `stopping`."""

        async def one_after_another(place: int) -> None:
            await asyncio.sleep(ramp * place / streams)
            while not self.stopping:
                self._next += 1
                await self._guarded(self.plan.stream(self._next))

        await asyncio.gather(*(one_after_another(place) for place in range(streams)))

    def report(self) -> dict[str, Any]:
        wrong, self.wrong = self.wrong, []
        return {
            "live": self.live,
            "begun": self.begun,
            "later": len(self._later),
            "endings": [[*ending, count] for ending, count in sorted(self.endings.items())],
            "behaviours": self.behaviours,
            "wrong": wrong,
        }

    async def _guarded(self, stream: Stream) -> None:
        self.live += 1
        self.begun += 1
        try:
            await self._checked(stream, _Reading(self, stream).run())
        finally:
            self.live -= 1

    async def _checked(self, stream: Stream, work: Coroutine[Any, Any, None]) -> None:
        try:
            async with asyncio.timeout(self.patience):
                await work
        except (Wrong, TimeoutError, OSError) as error:
            what = str(error) if isinstance(error, Wrong) else f"{type(error).__name__} {error}"
            self.wrong.append(f"stream {stream.number}, whose reader {stream.behaviour}: {what or 'it hangs'}")

    def later(self, seconds: float, stream: Stream, work: Coroutine[Any, Any, None]) -> None:
        """Looks at a stream again, after its reader has gone on to another."""

        async def run() -> None:
            await asyncio.sleep(seconds)
            await self._checked(stream, work)

        task = asyncio.create_task(run())
        self._later.add(task)
        task.add_done_callback(self._later.discard)


class _Reading:
    """One stream and its reader, who is at either worker by turns."""

    def __init__(self, readers: Readers, stream: Stream) -> None:
        self.readers, self.stream = readers, stream
        self.random = Random(stream.number)
        self.record = Record(stream)
        self.id = ""
        self._turn = stream.number

    async def run(self) -> None:
        stream, record = self.stream, self.record
        match stream.behaviour:
            case "stays":
                async with await self._ask() as answer:
                    await self._read(answer)
            case "comes back":
                await self._come_back()
            case "leaves":
                async with await self._ask() as answer:
                    await self._read(answer, stream.moments[0])
                    if not record.over and self.random.random() < 0.5:
                        answer.reset()
                self.readers.behaviours[stream.behaviour] += 1
                self.readers.later(self.readers.grace + LATE_SECONDS, stream, self._is_over())
                return
            case "stops":
                async with await self._ask() as answer:
                    await self._read(answer, stream.moments[0])
                    async with await Answer.to(self._port(), "DELETE", f"/v1/streams/{self.id}") as stopped:
                        if stopped.status != 204:
                            raise Wrong(f"DELETE answered {stopped.status}")
                    await self._read(answer)
            case "repeats":
                await self._repeat()
            case "is slow":
                async with await self._ask(slow=True) as answer:
                    for moment in range(1, 4):
                        await self._read(answer, moment)
                        await asyncio.sleep(self.random.uniform(0.5, 2.0))
                    await self._read(answer)
            case "is silent" | "vanishes":
                async with await self._ask(slow=True) as answer:
                    if stream.behaviour == "is silent":
                        await asyncio.sleep(self.readers.silence)
                    answer.reset()
                self.readers.behaviours[stream.behaviour] += 1
                self.readers.later(self.readers.grace + LATE_SECONDS, stream, self._is_over())
                return
        self.readers.endings.update(record.check(may_be_cancelled=stream.behaviour == "stops"))
        self.readers.behaviours[stream.behaviour] += 1
        if stream.replayed:
            await self._replay(Record(stream), record)
        if stream.expired and stream.behaviour in READ_TO_THE_END:
            self.readers.later(self.readers.expired, stream, self._is_expired())

    async def _ask(self, slow: bool = False, **headers: str) -> Answer:
        answer = await Answer.to(self._port(), "POST", "/v1/panels", self.stream.body, slow, **headers)
        id = answer.headers.get("x-stream-id", "")
        if self.id and id != self.id:
            raise Wrong(f"the same key began another stream: {answer.status}")
        self.id = id
        return answer

    async def _again(self, **headers: str) -> Answer:
        return await Answer.to(self._port(), "GET", f"/v1/streams/{self.id}", **headers)

    async def _read(self, answer: Answer, until: int | None = None, record: Record | None = None) -> None:
        record = record or self.record
        async for number, data in answer.events:
            record.add(number, data)
            if until is not None and record.last >= until:
                return

    async def _come_back(self) -> None:
        record, answer = self.record, await self._ask()
        for moment in self.stream.moments:
            async with answer:
                await self._read(answer, max(moment, record.last + 1))
                if record.over:
                    break
                if self.random.random() < 0.5:
                    answer.reset()
            await asyncio.sleep(self.random.uniform(0.05, 1.5))
            knows = self.random.random() < 0.75
            answer = await self._again(**({"last_event_id": str(record.last)} if knows else {}))
            if answer.status == 204:
                raise Wrong(f"it is over, and its last event, after {record.last}, never came")
        async with answer:
            if not record.over:
                await self._read(answer)

    async def _repeat(self) -> None:
        """The same key at both workers: one stream, and the provider is asked once."""
        key = f"soak-{self.stream.number}"
        async with await self._ask(idempotency_key=key) as answer:
            await self._read(answer, self.stream.moments[0])
            async with await self._ask(idempotency_key=key) as second:
                other = Record(self.stream)
                await asyncio.gather(self._read(answer), self._read(second, None, other))
        if other.data != self.record.data:
            raise Wrong("two readers of one stream have not the same")

    async def _replay(self, replayed: Record, record: Record) -> None:
        async with await self._again(last_event_id="0") as answer:
            await self._read(answer, None, replayed)
        replayed.check(may_be_cancelled=self.stream.behaviour == "stops")
        if record.data is not None and replayed.data != record.data:
            raise Wrong("what is kept of it is not what was read")

    async def _is_over(self) -> None:
        """Return whether it had no reader for so long that it must have been cancelled, unless it had ended."""
        record, answered = Record(self.stream), False
        try:
            async with asyncio.timeout(LATE_SECONDS), await self._again(last_event_id="0") as answer:
                answered = True
                await self._read(answer, None, record)
        except TimeoutError:
            where = f"at event {record.last}, over: {record.over}" if answered else "without an answer"
            raise Wrong(f"it was still not over {LATE_SECONDS:.0f} s after its time, {where}: {self.id}") from None
        self.readers.endings.update(record.check(may_be_cancelled=True))

    async def _is_expired(self) -> None:
        async with await self._again(last_event_id="0") as answer:
            if answer.status != 410:
                raise Wrong(f"expired, and answered {answer.status}")

    def _port(self) -> int:
        self._turn += 1
        return self.readers.ports[self._turn % len(self.readers.ports)]


async def main(options: dict[str, Any]) -> None:
    readers = Readers(options)
    running = asyncio.create_task(readers.run(options["streams"], options["ramp"]))
    loop = asyncio.get_running_loop()
    while word := await loop.run_in_executor(None, sys.stdin.readline):
        readers.stopping = readers.stopping or word.strip() == "end"
        if running.done():
            running.result()
        print(json.dumps(readers.report()), flush=True)


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
