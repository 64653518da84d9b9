"""What of a reply stands in no event: each key path of each recorded stream is left out in turn, and the rest replayed.

    python proofs/untold.py             every recording (three minutes)
    python proofs/untold.py FOLDER      your own recordings, `*.sse` in FOLDER and its folders
    python proofs/untold.py --docs      all recordings, and the figures into docs/untold.md

A path whose absence changes no event must have nothing in it, or only what the events have anyway, or stand in
`untold_reasons.py` with the reason why it means nothing. Ends with status 1 if a path has none of these.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from proofs.untold_reasons import FAULTY_RECORDINGS, NOT_YET, patterns_of, reason_for  # noqa: E402
from proofs.untold_replay import CONFIGS, KeyPath, Recording  # noqa: E402

STREAMS = ROOT.parent / "shared" / "streams"
PAGE = ROOT / "docs" / "untold.md"
MARKERS = "<!-- written by proofs/untold.py -->\n", "<!-- until here -->\n"

SHOWN = "shown"
EMPTY = "empty"
REPEATED = "repeated"
UNEXPLAINED = "unexplained"
_QUOTED_LENGTH = 8
"""Characters from which a text that stands within another one is no coincidence."""


class Finding(NamedTuple):
    """What became of one key path of one recording."""

    path: str
    outcome: str
    """One of the words above, or a reason of the table."""
    pattern: str = ""
    """What of the table covers it."""
    example: str = ""


class Found(NamedTuple):
    """What became of the key paths of one recording."""

    name: str
    wire: str
    findings: list[Finding]


def wire_of(data: bytes) -> str:
    """Guess the wire of a recording."""
    if b'"candidates"' in data or b'"usageMetadata"' in data:
        return "gemini"
    if b'"type":"response.' in data.replace(b": ", b":"):
        return "openai_responses"
    return "anthropic" if b'"message_start"' in data else "openai_chat"


def untold_of(wire: str, data: bytes) -> list[Finding]:
    """Return the result for each key path of a recording."""
    recording = Recording(wire, data)
    told = _Told(recording.events)
    outcomes: dict[KeyPath, Finding] = {}
    for path in recording.paths:
        above = outcomes[path.parent] if path.parent else None
        values = list(recording.values(path))
        if all(map(_is_empty, values)):
            outcomes[path] = Finding(str(path), EMPTY)
        elif above is not None and above.outcome not in (SHOWN, UNEXPLAINED):
            outcomes[path] = above._replace(path=str(path))
        elif (above is None or above.outcome == SHOWN) and recording.shows(path):
            outcomes[path] = Finding(str(path), SHOWN)
        else:
            outcomes[path] = _explain(wire, path, values, told)
    return [
        finding
        for path, finding in outcomes.items()
        if finding.outcome != UNEXPLAINED or not all(map(_has_fields, recording.values(path)))
    ]


def _has_fields(value: Any) -> bool:
    """Return whether a value has paths of its own, which say better what is not explained; or nothing at all."""
    each = value[0] if isinstance(value, list) and value else value
    return isinstance(each, dict) or _is_empty(value)


def _explain(wire: str, path: KeyPath, values: Sequence[Any], told: _Told) -> Finding:
    """Say why a path that no event needs is no loss, or that nothing explains it."""
    reason, pattern = reason_for(wire, path)
    if reason not in ("", NOT_YET):
        return Finding(str(path), reason, pattern)
    if told.holds(path.steps[-1], values):
        return Finding(str(path), REPEATED)
    if reason:
        return Finding(str(path), reason, pattern)
    example = next(value for value in values if not _is_empty(value))
    return Finding(str(path), UNEXPLAINED, example=repr(example)[:100])


class _Told:
    """The values that the events of a panel have."""

    def __init__(self, events: Iterable[Any]) -> None:
        self._values = {(type(leaf), leaf) for leaf in _leaves(events)}
        self._texts = "".join(f"\0{leaf}" for _, leaf in self._values if isinstance(leaf, str))

    def holds(self, key: str, values: Iterable[Any]) -> bool:
        """Return whether the events have these values. Of numbers, only counts of tokens are no coincidence."""
        return all(
            self._holds_text(leaf) if isinstance(leaf, str) else self._holds_count(key, leaf)
            for leaf in _leaves(values)
        )

    def _holds_text(self, text: str) -> bool:
        if (str, text) in self._values:
            return True
        return (text if len(text) >= _QUOTED_LENGTH else f"\0{text}") in self._texts

    def _holds_count(self, key: str, number: float) -> bool:
        return "token" in key.lower() and (type(number), number) in self._values


def _leaves(value: Any) -> Iterator[str | int | float]:
    """Yield the texts, numbers and switches within a value, without those that say nothing."""
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            left += each.values()
        elif isinstance(each, list | tuple):
            left += each
        elif each:
            yield each


def _is_empty(value: Any) -> bool:
    """Return whether a value says nothing, however deep: null, false, 0, no text."""
    if isinstance(value, list):
        return all(map(_is_empty, value))
    if isinstance(value, dict):
        return all(map(_is_empty, value.values()))
    return not value


def recordings(folder: Path) -> Iterator[tuple[Path, str, bytes]]:
    """Yield the recordings in a folder and its folders, each with its wire."""
    for path in sorted(each for each in folder.rglob("*.sse") if each.stem not in FAULTY_RECORDINGS):
        data = path.read_bytes()
        yield path, path.parent.name if path.parent.name in CONFIGS else wire_of(data), data


def read(folder: Path) -> list[Found]:
    """Read all recordings of a folder, in a process for each core."""
    listed = list(recordings(folder))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        all_findings = pool.map(untold_of, *zip(*((wire, data) for _, wire, data in listed), strict=True), chunksize=8)
        return [
            Found(str(path.relative_to(folder)), wire, findings)
            for (path, wire, _), findings in zip(listed, all_findings, strict=True)
        ]


# --- what is said of it ---


def count_outcomes(found: Iterable[Found]) -> Counter[str]:
    """Return how many paths of how many recordings have which outcome."""
    return Counter(finding.outcome for each in found for finding in each.findings)


def unexplained(found: Iterable[Found]) -> Iterator[str]:
    """Yield a line for each path that nothing explains, the most frequent first."""
    lines: dict[tuple[str, str], list[str]] = {}
    for each in found:
        for finding in each.findings:
            if finding.outcome == UNEXPLAINED:
                lines.setdefault((each.wire, finding.path), []).append(f"{each.name}: {finding.example}")
    for (wire, path), examples in sorted(lines.items(), key=lambda line: -len(line[1])):
        yield f"{wire}: {path} ({len(examples)} streams, as in {examples[0]})"


def unused_patterns(found: Iterable[Found]) -> Iterator[str]:
    """Yield the patterns of the table that cover nothing."""
    used = {(each.wire, finding.pattern) for each in found for finding in each.findings}
    for wire in CONFIGS:
        for reason, pattern in patterns_of(wire):
            if (wire, pattern.pattern) not in used:
                yield f"{wire}: {pattern.pattern}: covers nothing ({reason})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, ["---"] * len(head), *rows))


def page(found: Sequence[Found]) -> str:
    """Return the tables of the documentation."""
    named = {SHOWN, EMPTY, REPEATED, UNEXPLAINED}
    rows = []
    for wire in (*CONFIGS, "all"):
        here = [each for each in found if wire in (each.wire, "all")]
        counts = count_outcomes(here)
        listed = sum(number for outcome, number in counts.items() if outcome not in named)
        cells = [len(here), counts.total(), counts[SHOWN], counts[REPEATED], counts[EMPTY], listed, counts[UNEXPLAINED]]
        rows.append([wire, *(f"{cell:,}" for cell in cells)])
    reasons = sorted((-number, outcome) for outcome, number in count_outcomes(found).items() if outcome not in named)
    head = "wire", "streams", "key paths", "shown", "repeats what is shown", "empty", "meaningless", "unexplained"
    return (
        table(head, rows) + "\n" + table(("why", "key paths"), [(reason, f"{-number:,}") for number, reason in reasons])
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=STREAMS, help="with recordings, `*.sse`")
    parser.add_argument("--docs", action="store_true", help=f"write the tables of docs/{PAGE.name}")
    options = parser.parse_args()
    if not any(options.folder.rglob("*.sse")):
        print(f"no recorded streams in {options.folder}")
        return 0
    found = read(options.folder)
    print(page(found))
    wrong = [*unexplained(found), *(unused_patterns(found) if options.folder == STREAMS else ())]
    if wrong:
        print("\nunexplained:", *wrong, sep="\n  ", file=sys.stderr)
    if options.docs:
        head, _, rest = PAGE.read_text("utf-8").partition(MARKERS[0])
        tail = rest.partition(MARKERS[1])[2]
        PAGE.write_text(f"{head}{MARKERS[0]}\n{page(found)}\n{MARKERS[1]}{tail}", "utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
