"""No false object: replies of JSON, cut everywhere, on every wire; and joined again after a limit.

    python proofs/typed.py                 200 replies (ten minutes); writes bench/results/typed.json
    python proofs/typed.py --replies 20    fewer, and writes nothing

Real bytes on loopback sockets go through the whole library. Each reply is cut after each character on each wire, in
turn by a limit of the provider, by a connection that breaks, and by a provider that reports a complete reply. Wrong is

- an `object` of a reply that was cut, or another value than that of the complete text
- a value or an element that was shown as closed and is another one in the complete text
- a complete reply without its `object`

After a limit, the model is asked to go on, and goes on as models do: as it was asked to, exactly on, with its last
words again, in a new code fence, after a remark, from the start. At least 99 of 100 must end in their `object`.
Ends with status 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from msgmodel import stream_panels  # noqa: E402
from msgmodel.testing import Reply, ScriptedProvider  # noqa: E402
from msgmodel.testing.server import Received  # noqa: E402
from msgmodel.testing.wires import WIRES, Wire  # noqa: E402
from proofs.typed_cases import WAYS, TypedCase, Way, go_on, typed_cases  # noqa: E402
from proofs.typed_report import write_tables  # noqa: E402

RESULTS = ROOT / "bench" / "results" / "typed.json"
STREAMS = ROOT.parent / "shared" / "streams"
REPLIES = 200
CUTS_JOINED = 2
"""Places at which each reply is cut by a limit and joined again, in each way and on one wire."""
LEAST_JOINED = 0.99
_PIECE = 7
"""Characters of a piece of text: JSON has few blanks, and a reply of one piece would show nothing on the way."""
_ENDINGS = ("limit", "broken", "stop")
_MISSING = object()
_ANCHOR = re.compile(r"Begin with exactly .*:\n\n(.*)", re.DOTALL)
"""What the model is asked to begin with."""


def _pieces(text: str) -> list[str]:
    return [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]


def _ask(provider: ScriptedProvider, wire: Wire, case: TypedCase, **options: Any) -> list[Any]:
    found = stream_panels(
        wire.partition("_")[0],
        "Answer in JSON.",
        config=provider.config(wire),
        output=case.output,
        max_retries=0,
        **options,
    )
    return list(found)


# Every cut.


def check_cuts(case: TypedCase) -> tuple[Counter[str], list[str]]:
    """Return how often a reply was asked for, by its ending, and what was wrong."""
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    with ScriptedProvider() as provider:
        for wire in WIRES:
            for ending, cut, reply in _endings(case.text, WIRES.index(wire)):
                provider.say(reply)
                counts[ending] += 1
                for fault in judge_events(_ask(provider, wire, case), case, is_whole=ending == "complete"):
                    wrong.append(f"{case.name}: {wire}: {ending} at {cut}: {fault}")
    return counts, wrong


def _endings(text: str, turn: int) -> Iterator[tuple[str, int, Reply]]:
    """Yield name, place and reply of the ending at each character. `turn`: which of the endings is first."""
    yield "complete", len(text), Reply(text, pieces=_pieces(text))
    for cut in range(1, len(text)):
        shown = text[:cut]
        ending = _ENDINGS[(cut + turn) % len(_ENDINGS)]
        if ending == "broken":
            pieces = [*_pieces(shown), text[cut:]]
            yield ending, cut, Reply(text, pieces=pieces, cut_after=len(pieces) - 1, cut="fin")
        else:
            yield ending, cut, Reply(shown, pieces=_pieces(shown), truncated=ending == "limit")


def judge_events(events: Sequence[Any], case: TypedCase, *, is_whole: bool) -> Iterator[str]:
    """Yield what is false in the events of a reply."""
    last = events[-1]
    if is_whole and last.get("object", _MISSING) != case.value:
        yield f"its object is {last.get('object')!r:.80}: {last.get('errors')}"
    if not is_whole and last["object"] is not None and not _is_complete(case, last["content"]):
        yield f"the object {last['object']!r:.80}"
    if not is_whole and last["object"] is None and not last.get("errors"):
        yield "no errors"
    for event in events:
        if event["event"] == "panel_item" and _at(case.value, f"/{event['index']}") != event["item"]:
            yield f"the item {event['item']!r:.80}"
        if event["event"] == "panel_object":
            for path, value in _closed(event["value"], event["open"]):
                if _at(case.value, path) != value:
                    yield f"at {path}, closed: {value!r:.80}"


def _is_complete(case: TypedCase, content: str) -> bool:
    """Return whether a cut left all of the JSON, as one behind its last brace does, or before the end of a fence."""
    return content.replace("```json\n", "").rstrip("`\n ") == case.text.replace("```json\n", "").rstrip("`\n ")


def _closed(value: Any, pointer: str | None, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield place and value of each value that is shown as closed."""
    if pointer is None or not (pointer == path or pointer.startswith(f"{path}/")):
        yield path, value
    elif isinstance(value, (dict, list)):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _closed(inner, pointer, f"{path}/{str(name).replace('~', '~0').replace('/', '~1')}")


def _at(value: Any, pointer: str) -> Any:
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        try:
            value = value[int(name)] if isinstance(value, list) else value[name]
        except (KeyError, IndexError, ValueError, TypeError):
            return _MISSING
    return value


# After a limit.


def join_again(number: int, case: TypedCase) -> tuple[Counter[str], list[str]]:
    """Return how often each way of going on ended in the object, in another one, in none; and what did not."""
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    wire = WIRES[number % len(WIRES)]
    with ScriptedProvider() as provider:
        for turn in range(CUTS_JOINED):
            cut = 1 + (number * 7919 + turn * 104_729) % (len(case.text) - 1)
            for way in WAYS:
                shown = case.text[:cut]
                provider.say(
                    Reply(shown, pieces=_pieces(shown), truncated=True),
                    lambda request, way=way, cut=cut: _continuation(request, way, case.text, cut),
                )
                last = _ask(provider, wire, case, continue_truncated=2)[-1]
                is_right = last["object"] == case.value
                outcome = "object" if is_right else "none" if last["object"] is None else "another"
                counts[f"{way}: {outcome}"] += 1
                if not is_right:
                    wrong.append(f"{case.name}: {wire}: cut at {cut}, {way}: {outcome}: {shown[-40:]!r}")
    return counts, wrong


def _continuation(request: Received, way: Way, text: str, cut: int) -> Reply:
    """Return how a model goes on that reads the request: what it wrote so far, and what it is asked to begin with."""
    words = list(_strings(request.json))
    seen = max((len(each) for each in words if text.startswith(each) and len(each) <= cut), default=0)
    anchor = next((found[1] for each in words if (found := _ANCHOR.search(each))), "")
    answer = go_on(way, text, seen, anchor, cut)
    return Reply(answer, pieces=_pieces(answer))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strings(each)


# Everything.


def run(replies: int, workers: int) -> dict[str, Any]:
    """Return all counts, and what was wrong."""
    cases = list(typed_cases(replies, STREAMS if STREAMS.is_dir() else None))
    found: dict[str, Any] = {"replies": len(cases), "characters": sum(len(case.text) for case in cases)}
    with ProcessPoolExecutor(workers) as pool:
        cuts = list(pool.map(check_cuts, cases))
        joined = list(pool.map(join_again, range(len(cases)), cases))
    found["asked"] = dict(sorted(sum((counts for counts, _ in cuts), Counter()).items()))
    found["false"] = [fault for _, faults in cuts for fault in faults]
    found["joined"] = dict(sorted(sum((counts for counts, _ in joined), Counter()).items()))
    found["not_joined"] = [fault for _, faults in joined for fault in faults]
    return found


def joined_share(found: dict[str, Any]) -> float:
    """Return the share of the replies that ended in their object after they were joined."""
    counts: dict[str, int] = found["joined"]
    return sum(count for name, count in counts.items() if name.endswith(": object")) / sum(counts.values())


def report(found: dict[str, Any]) -> str:
    """Return the outcome in words."""
    asked = ", ".join(f"{count:,} {ending}" for ending, count in found["asked"].items())
    lines = [
        f"{found['replies']} replies of {found['characters']:,} characters, asked for: {asked}",
        f"false: {len(found['false'])}",
        *(f"  {fault}" for fault in found["false"][:20]),
        f"joined after a limit: {100 * joined_share(found):.2f} %",
    ]
    for way in WAYS:
        counts = [found["joined"].get(f"{way}: {outcome}", 0) for outcome in ("object", "none", "another")]
        lines.append(f"  {way:20} {counts[0]:5} its object, {counts[1]} none, {counts[2]} another")
    return "\n".join([*lines, *(f"  {fault}" for fault in found["not_joined"][:20])])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replies", type=int, default=REPLIES, help="how many (200)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (one for each core)")
    options = parser.parse_args()
    found = run(options.replies, options.workers)
    print(report(found))
    if options.replies == REPLIES:
        RESULTS.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
        write_tables()
    return 1 if found["false"] or joined_share(found) < LEAST_JOINED else 0


if __name__ == "__main__":
    sys.exit(main())
