"""The differential proof: what we make of every recorded stream, and what the providers' own SDKs make of it.

The bytes of each recording are said by a loopback server to both: to this library through its public API, and to the
official SDK in an environment of its own (`proofs/sdks`), which decodes and adds up as it does for its users. The
text, reasoning, refusal, finish reason, tool calls and usage must be equal, and whether the reply was whole. Every
difference has exactly one named cause in `differential_causes.py`, and every cause a difference; else this proof fails.

    python bench/peers/install.py openai anthropic google-genai     # once
    python proofs/differential.py [--docs]                          # --docs writes the tables of docs/differential.md
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from bench.peers.install import PEERS, python  # noqa: E402

import msgmodel  # noqa: E402
from msgmodel import AnthropicConfig, GeminiConfig, OpenAIConfig  # noqa: E402
from msgmodel.testing.server import Received, Script, ScriptedServer  # noqa: E402
from proofs.differential_causes import CAUSES, explained  # noqa: E402
from proofs.differential_outcomes import Case, ours, theirs  # noqa: E402

STREAMS = ROOT.parent / "shared" / "streams"
PAGE = ROOT / "docs" / "differential.md"
MARKERS = "<!-- written by proofs/differential.py -->\n", "<!-- until here -->\n"

WIRES: dict[str, Any] = {
    "openai_chat": OpenAIConfig(api="chat"),
    "openai_responses": OpenAIConfig(api="responses"),
    "anthropic": AnthropicConfig(),
    "gemini": GeminiConfig(),
}
SDKS = {"openai": "openai", "anthropic": "anthropic", "gemini": "google-genai"}
"""By the first word of a wire's name, which is our provider's too: the SDK, and its environment in build/peers."""

THREADS = 4
PIECE = 1_400
"""Bytes that are written at once, as an Ethernet frame holds; lines and characters are cut where that falls."""


def missing() -> str:
    """Return what this proof lacks to run here; empty if nothing."""
    if not STREAMS.is_dir():
        return f"no recorded streams in {STREAMS}"
    absent = [peer for peer in SDKS.values() if not python(peer).is_file()]
    return f"not installed: python bench/peers/install.py {' '.join(absent)}" if absent else ""


def recordings() -> dict[str, bytes]:
    """Return the recorded streams by their wire and name, `wire/name`."""
    return {
        f"{wire}/{path.stem}": path.read_bytes() for wire in WIRES for path in sorted((STREAMS / wire).glob("*.sse"))
    }


def read(streams: dict[str, bytes]) -> list[Case]:
    """Read every stream with both readers. Raise CalledProcessError if a program of `proofs/sdks` fails."""
    names = list(streams)

    def answer(received: Received) -> Script:
        return Script.body(streams[names[int(received.path.split("/")[1])]], PIECE)

    with ScriptedServer() as server, ThreadPoolExecutor(len(SDKS) + THREADS) as pool:
        server.say(answer)
        urls = {name: f"{server.url}/{number}" for number, name in enumerate(names)}
        folding = [pool.submit(_folded, sdk, urls) for sdk in SDKS]
        last = dict(zip(names, pool.map(_asked, names, urls.values()), strict=True))
        folded = {name: line for done in folding for name, line in done.result().items()}
    return [_case(name, streams[name], last[name], folded[name]) for name in names]


def _folded(sdk: str, urls: dict[str, str]) -> dict[str, Any]:
    """Return what one SDK makes of the streams of its wires."""
    asked = [
        json.dumps({"name": name, "wire": name.partition("/")[0], "url": url})
        for name, url in urls.items()
        if name.startswith(sdk)
    ]
    program = [str(python(SDKS[sdk])), "-W", "ignore", str(ROOT / "proofs" / "sdks" / f"fold_{sdk}.py")]
    done = subprocess.run(program, input="\n".join(asked), stdout=subprocess.PIPE, text=True, check=True)
    return {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}


def _asked(name: str, url: str) -> Any:
    """Return our last event."""
    wire = name.partition("/")[0]
    sdk = wire.partition("_")[0]
    config = replace(WIRES[wire], base_url=f"{url}/v1" if sdk == "openai" else url)
    return list(msgmodel.stream_panels(sdk, "hi", "no-key", config=config, max_retries=0))[-1]


def _case(name: str, data: bytes, last: Any, folded: dict[str, Any]) -> Case:
    mine = ours(last)
    other = theirs(name.partition("/")[0], folded, [id for id, _, _ in mine.tool_calls])
    return Case(name, data, mine, other, folded["failed"] or "", folded["accumulator"] or "")


def version(sdk: str) -> str:
    """Return the installed version of an SDK."""
    site = [str(path) for path in (PEERS / SDKS[sdk]).glob("lib/python3*/site-packages")]
    return next(iter(distributions(name=SDKS[sdk], path=site))).version


# --- what is said of it ---


def wires(cases: list[Case]) -> Iterator[tuple[str, str, str, str, str]]:
    """Return one line for each wire: how many streams agree."""
    for wire in WIRES:
        sdk = wire.partition("_")[0]
        here = [case for case in cases if case.wire == wire]
        equal = sum(not case.differences() for case in here)
        yield wire, f"{SDKS[sdk]} {version(sdk)}", str(len(here)), str(equal), str(len(here) - equal)
    equal = sum(not case.differences() for case in cases)
    yield "all", "", str(len(cases)), str(equal), str(len(cases) - equal)


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def page(cases: list[Case], by_cause: dict[str, list[str]]) -> str:
    """Return the tables of the documentation."""
    reasons = [(f"`{cause.name}`", str(len(by_cause[cause.name])), cause.right, cause.why) for cause in CAUSES]
    return (
        table(("wire", "SDK", "streams", "equal", "different"), wires(cases))
        + "\n"
        + table(("cause", "streams", "who is right", "why"), reasons)
    )


def main() -> str:
    """Print the summary. Return what is wrong, empty if every difference is explained."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--docs", action="store_true", help=f"write the tables of docs/{PAGE.name}")
    arguments = parser.parse_args()
    if lacking := missing():
        return lacking
    os.environ["NO_PROXY"] = "*"
    cases = read(recordings())
    by_cause, unexplained = explained(cases)
    print(f"{'wire':18}{'SDK':24}{'streams':>8}{'equal':>8}{'different':>11}")
    for wire, sdk, count, equal, different in wires(cases):
        print(f"{wire:18}{sdk:24}{count:>8}{equal:>8}{different:>11}")
    print(f"\n{'cause (a stream may have more than one)':42}{'streams':>8}  who is right")
    for cause in CAUSES:
        print(f"{cause.name:42}{len(by_cause[cause.name]):>8}  {cause.right}")
    wrong = [f"{where}: {' and '.join(found) or 'no cause'}" for where, found in unexplained.items()]
    wrong += [f"{name}: explains nothing any more" for name, streams in by_cause.items() if not streams]
    if arguments.docs and not wrong:
        head, _, rest = PAGE.read_text("utf-8").partition(MARKERS[0])
        tail = rest.partition(MARKERS[1])[2]
        PAGE.write_text(f"{head}{MARKERS[0]}\n{page(cases, by_cause)}\n{MARKERS[1]}{tail}", "utf-8")
    return "\n".join(wrong)


if __name__ == "__main__":
    sys.exit(main() or 0)
