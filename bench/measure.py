"""Measure one peer under loads, in the peer's own environment: one line of JSON for each load.

    build/peers/openai/bin/python bench/measure.py openai PORT TLS_PORT LOAD,LOAD,... ...

Each list of loads has a process of its own, forked from one that has imported the peer, as some take seconds for it.
Runs on the event loop that `asyncio.run` gives. What is counted are the chunks whose text came out at the peer's end,
all text compared with what was sent. CPU is all that the process used, kernel included, in the time that is measured.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import resource
import statistics
import sys
import threading
import time
import traceback
from collections.abc import Callable

import replay
from loads import ENVIRONMENT, LOADS, PEERS, Load
from peers.asking import Ask, AsyncAsk, Take
from watch import Clock, Figures, Watch, check

WARMING = 100
"""Chunks that are read before anything is measured."""

Report = Callable[[Figures], None]


class Async:
    """Send requests from one thread, on the event loop."""

    def __init__(self, ask: AsyncAsk) -> None:
        self.ask = ask

    async def hold(self, model: str, watch: Watch) -> None:
        """Open as many streams as the watch counts, until the watch ends the process."""

        async def whole(take: Take) -> None:
            try:
                await self.ask(model, take)
            except Exception as error:
                watch.failures.append(error)

        await asyncio.gather(*(whole(pieces.append) for pieces in watch.held))
        await asyncio.Event().wait()


class Blocking:
    """Send requests with one thread for each stream. Nothing here waits for an event loop."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def ask(self, model: str, take: Take) -> None:
        self._ask(model, take)

    async def hold(self, model: str, watch: Watch) -> None:
        def whole(take: Take) -> None:
            try:
                self._ask(model, take)
            except Exception as error:
                watch.failures.append(error)

        for pieces in watch.held:
            threading.Thread(target=whole, args=(pieces.append,), daemon=True).start()
        threading.Event().wait()


Colour = Async | Blocking


async def burst(colour: Colour, load: Load, report: Report) -> None:
    """Read complete replies, one after the other, as fast as they arrive."""
    model = replay.name(load.chunks)
    await _whole(colour, replay.name(WARMING), WARMING)
    replies: list[list[str]] = []
    clock = Clock()
    while not replies or clock.wall() < load.seconds:
        replies.append([])
        await colour.ask(model, replies[-1].append)
    cpu = clock.cpu()
    for pieces in replies:
        check(pieces, load.chunks)
    report({"cpu_us": 1e6 * cpu / len(replies) / load.chunks, "chunks": len(replies) * load.chunks})


async def first(colour: Colour, load: Load, report: Report) -> None:
    """Read small replies, one after the other on a warm connection: the time to the first text, and the CPU time of a
    request.
    """
    model = replay.name(load.chunks)
    for _ in range(3):
        await _whole(colour, model, load.chunks)
    waits: list[float] = []
    clock = Clock()
    while len(waits) < 20 or clock.wall() < load.seconds:
        begin = time.perf_counter()
        await colour.ask(model, lambda _, begin=begin: waits.append(time.perf_counter() - begin))
    cpu = clock.cpu()
    report({"first_ms": 1e3 * statistics.median(waits), "request_cpu_us": 1e6 * cpu / len(waits)})


async def live(colour: Colour, load: Load, report: Report) -> None:
    """Read many streams at the same time, each at its own speed. They begin to flow when all are open, so the cost of
    opening them is not part of the CPU time of a chunk. This is the last load of a process, which ends with it.
    """
    await _whole(colour, replay.name(WARMING), WARMING)
    gc.collect()
    watch = Watch(load, report)
    watch.begin()
    await colour.hold(replay.name(load.chunks, load.delay_us, load.streams), watch)


async def linear(colour: Colour, load: Load, report: Report) -> None:
    """Read a long reply and short ones, and compare the cost of ten times the chunks with all content kept."""
    short = load.chunks // 10
    cpu: dict[int, list[float]] = {short: [], load.chunks: []}
    await _whole(colour, replay.name(short, load.delay_us), short)
    for chunks in (short, short, short, load.chunks, short, short, short):
        clock = Clock()
        await _whole(colour, replay.name(chunks, load.delay_us), chunks)
        cpu[chunks].append(clock.cpu())
    report({"ratio": cpu[load.chunks][0] / statistics.mean(cpu[short]), "cpu_ms": 1e3 * cpu[load.chunks][0]})


async def _whole(colour: Colour, model: str, chunks: int) -> None:
    pieces: list[str] = []
    await colour.ask(model, pieces.append)
    check(pieces, chunks)


KINDS = {"burst": burst, "first": first, "live": live, "linear": linear}


async def _each(peer: str, ports: tuple[int, int], loads: list[str]) -> None:
    made: dict[tuple[str, bool], Colour] = {}
    for name in loads:
        load = LOADS[name]
        load = load._replace(streams=min(load.streams, PEERS[peer].most_streams))
        wire = load.wire or PEERS[peer].wires[0]
        if (wire, load.tls) not in made:
            base = f"https://127.0.0.1:{ports[1]}" if load.tls else f"http://127.0.0.1:{ports[0]}"
            blocking = PEERS[peer].blocking if load.blocking else None
            asked = Blocking(blocking(base, wire)) if blocking else Async(PEERS[peer].asking(base, wire))
            made[wire, load.tls] = asked

        def report(figures: Figures, name: str = name, wire: str = wire) -> None:
            print(json.dumps({"peer": peer, "load": name, "wire": wire} | figures), flush=True)

        await KINDS[load.kind](made[wire, load.tls], load, report)


def _run(peer: str, ports: tuple[int, int], loads: list[str]) -> None:
    blocking = {LOADS[load].blocking for load in loads}
    if len(blocking) != 1:
        raise SystemExit("async and blocking loads have a process each")
    work = _each(peer, ports, loads)
    if blocking == {False}:
        asyncio.run(work)
        return
    try:
        work.send(None)  # there is nothing in it that waits, and so no loop to run it
    except StopIteration:
        return
    raise AssertionError("a blocking load has waited for an event loop")


def main(peer: str, ports: tuple[int, int], groups: list[list[str]]) -> int:
    os.environ.update(ENVIRONMENT)
    for module in (PEERS[peer].module, *PEERS[peer].parts):
        if module:
            importlib.import_module(module)
    bad = 0
    for loads in groups:
        if child := os.fork():
            bad |= os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            continue
        try:
            _run(peer, ports, loads)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)  # what a peer leaves open, and says of it, is not what is measured
    return bad


if __name__ == "__main__":
    which, port, tls_port, *wanted = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    sys.exit(main(which, (int(port), int(tls_port)), [group.split(",") for group in wanted]))
