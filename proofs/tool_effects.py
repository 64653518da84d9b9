"""Does a tool take effect exactly once, whatever breaks? Its effect is a line that it appends to a file.

    python proofs/tool_effects.py             all (40 minutes); writes bench/results/tool_effects.json
    python proofs/tool_effects.py --every 50  only each 50th step, and writes nothing

A run of two rounds with three calls is broken in two ways, in both colors:

- cut: the body of the provider's reply ends after each of its events, in each of the rounds;
- killed: the process is killed by SIGKILL at each step, which is a line of Python of the room `tools` or of the tool.

Then the same program starts again with the same journal and the same `run_id`, and a third time when the run has ended.
For each call that the run tells of:

- once: `done`, and the file has its line once
- told: `unknown`, and the file has its line once or not at all
- twice, lost, lied: the line is there twice; the call never ran, or is `done` without a line; another status, or the
  effect of a call in a reply that was cut

A call of a cut reply is `not_run`, and the model calls again. Ends with status 1 if there is anything but these two.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from msgmodel.testing import Reply, Script, ScriptedProvider  # noqa: E402
from msgmodel.testing.server import Received  # noqa: E402
from proofs.child import Child  # noqa: E402
from proofs.typed_report import write_tables  # noqa: E402

RESULTS = ROOT / "bench" / "results" / "tool_effects.json"
PROGRAM = Path(__file__).parent / "tool_effects_run.py"
COLORS = ("sync", "async")
ROUNDS = (
    Reply(
        "Two lines first.",
        tool_calls=[
            {"id": "c1", "name": "note", "arguments": {"name": "one"}},
            {"id": "c2", "name": "note", "arguments": {"name": "two"}},
        ],
    ),
    Reply("And the third.", tool_calls=[{"id": "c3", "name": "note", "arguments": {"name": "three"}}]),
    Reply("All is noted."),
)
LINES = {"c1": "one", "c2": "two", "c3": "three"}
CALLED_BEFORE = (set[str](), {"one", "two"}, {"one", "two", "three"})
"""The lines that the rounds before each round have asked for."""


def round_of(request: Received) -> int:
    """Return the number of the round that a request asks for, from 0."""
    ids = {message.get("tool_call_id") for message in request.json["messages"]}
    return 2 if "c3" in ids else 1 if "c1" in ids else 0


def answer_fully(request: Received) -> Reply:
    """Answer a request completely."""
    return ROUNDS[round_of(request)]


class Bench:
    """The provider, and the program that runs the cases."""

    def __init__(self, provider: ScriptedProvider, program: Child) -> None:
        self.provider, self.program = provider, program

    def start(self, folder: str, color: str, kill_at: int = 0) -> dict[str, Any]:
        """Run a case, and return what it said."""
        return self.program.ask(json.dumps({"folder": folder, "color": color, "kill_at": kill_at}))

    def answer_all(self) -> None:
        """Answer each request completely."""
        self.provider.say(answer_fully)

    def cut(self, broken: int, after: int) -> None:
        """Cut the reply of one round after so many events."""

        def answer(request: Received) -> Reply | Script:
            number = round_of(request)
            steps = ROUNDS[number].script("openai_chat").steps
            return Script(steps=steps[:after]) if number == broken else ROUNDS[number]

        self.provider.say(answer)


def judge_case(folder: str, said: dict[str, Any]) -> Counter[str]:
    """Return how many calls ended how, from the events of a run and the file with its effects."""
    lines = _effects(folder)
    calls = Counter((call["id"], call["status"]) for call in said["events"][-1]["run"]["calls"])
    found: Counter[str] = Counter()
    for id, line in LINES.items():
        done, unknown = calls[id, "done"], calls[id, "unknown"]
        if lines[line] > 1:
            found["twice"] += 1
        elif done + unknown != 1 or (done and not lines[line]):
            found["lost"] += 1
        else:
            found["once" if done else "told"] += 1
    if any(status not in ("done", "unknown", "not_run") for _, status in calls):
        found["lied"] += 1
    return found


def cut_everywhere(bench: Bench, color: str) -> Iterator[tuple[str, Counter[str]]]:
    """Cut the stream after each event of each round, then start again. Yield the verdicts."""
    for number, reply in enumerate(ROUNDS):
        for after in range(len(reply.script("openai_chat").steps)):
            with TemporaryDirectory() as folder:
                bench.cut(number, after)
                broken = bench.start(folder, color)["events"][-1]
                verdicts = Counter[str]()
                if broken["event"] == "panel_error":
                    verdicts["lied"] = len(_effects(folder).keys() - CALLED_BEFORE[number])
                bench.answer_all()
                verdicts += judge_case(folder, bench.start(folder, color))
                yield f"round {number + 1}, after {after} events", verdicts


def _effects(folder: str) -> Counter[str]:
    path = Path(folder, "effects.txt")
    return Counter(path.read_text().split() if path.exists() else [])


def kill_everywhere(bench: Bench, color: str, every: int) -> Iterator[tuple[str, Counter[str]]]:
    """Kill the process at each step, start it again, and once more after the end. Yield the verdicts."""
    bench.answer_all()
    with TemporaryDirectory() as folder:
        steps = bench.start(folder, color)["steps"]
    for kill_at in range(1, steps + 1, every):
        with TemporaryDirectory() as folder:
            killed = bench.start(folder, color, kill_at)
            if killed.get("killed_by") not in (9, None):
                raise RuntimeError(f"the process ended by itself: {killed}")
            said = bench.start(folder, color)
            yield f"step {kill_at}", judge_case(folder, said)
            again = bench.start(folder, color)
            if again["events"][-1]["run"]["calls"] != said["events"][-1]["run"]["calls"]:
                yield f"step {kill_at}, started a third time", Counter(lied=1)
            yield f"step {kill_at}, started a third time", judge_case(folder, again)


def run_proof(every: int) -> dict[str, Any]:
    """Return the verdicts of all cases, by the way of breaking and the color."""
    with ScriptedProvider() as provider:
        provider.say(answer_fully)
        return _run_all(provider, every)


def _run_all(provider: ScriptedProvider, every: int) -> dict[str, Any]:
    results: dict[str, Any] = {}
    with Child(str(PROGRAM), provider.url) as program:
        bench = Bench(provider, program)
        bench.answer_all()
        for color in COLORS:
            for way, cases in (("cut", cut_everywhere(bench, color)), ("killed", kill_everywhere(bench, color, every))):
                verdicts: Counter[str] = Counter()
                wrong: list[str] = []
                total = 0
                for name, found in cases:
                    total += 1
                    verdicts += found
                    wrong += [f"{name}: {word}" for word in found if word not in ("once", "told")]
                results[f"{way}, {color}"] = {"cases": total, "calls": dict(verdicts), "wrong": wrong}
    return results


def main() -> int:
    """Run the proof and print its figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--every", type=int, help="kill at each N-th step only, and write nothing")
    chosen = parser.parse_args()
    results = run_proof(chosen.every or 1)
    for name, row in results.items():
        print(f"{name}: {row['cases']} cases, calls: {row['calls']}")
        for line in row["wrong"][:10]:
            print(f"  WRONG {line}")
    if chosen.every is None:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
        write_tables()
    return 1 if any(row["wrong"] for row in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
