"""What other libraries give for a typed reply that was cut: a value, an error, or a false value.

    python proofs/typed_compared.py                     all (a minute); writes bench/results/typed_peers.json
    python proofs/typed_compared.py --peers msgmodel    only these, and writes nothing

A sample of what `typed.py` does, on the wire of Chat Completions alone, which all of them speak. Two replies are cut at
eight places each, streamed or at once, as the library asks. A cell says how many of the cut replies ended in

- error: an exception, or no object
- false: a value that is not the one of the complete text
- value: the one of the complete text

Ends with status 1 if this library gives a false value, or none for a complete reply.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from bench.peers.install import PEERS as HOMES  # noqa: E402
from bench.peers.install import install, node, python  # noqa: E402

from msgmodel.testing import Cut, Reply, Script, Send  # noqa: E402
from msgmodel.testing.server import Received, ScriptedServer  # noqa: E402
from proofs.peer_program import ask_program  # noqa: E402
from proofs.typed_cases import CUT_REPLIES, CUT_SCHEMAS  # noqa: E402
from proofs.typed_report import write_tables  # noqa: E402

RESULTS = ROOT / "bench" / "results" / "typed_peers.json"
PROGRAMS = Path(__file__).parent / "typed_peers"
OURS, OF_NODE = "msgmodel", "ai-sdk"
PEERS = (OURS, "instructor", "pydantic-ai", "langchain", OF_NODE)
MODEL = "gpt-4.1"
PLACES = 8
"""At which each reply is cut."""
FINISHES = {"whole": "stop", "limit": "length", "filtered": "content_filter", "stop": "stop", "refused": "stop"}
ENDINGS = ("whole", "limit", "filtered", "broken", "ended", "stop", "refused")
"""`broken`: the connection closes within the body. `ended`: the body ends well, without a word of the reply's end.
`stop`: the provider reports a complete reply."""
_PROMPT = re.compile(rb"(bill|person)-(\w+)-(\d+)")


class CutCase(NamedTuple):
    """A reply that is cut."""

    kind: str
    ending: str
    cut: int

    @property
    def prompt(self) -> str:
        """The question, which names the case."""
        return f"{self.kind}-{self.ending}-{self.cut}"


def cut_cases() -> Iterator[CutCase]:
    """Yield all cases. No cut leaves the last value complete, so what a parser adds behind it can't be right."""
    for kind, text in CUT_REPLIES.items():
        last = len(text) - 4
        for ending in ENDINGS:
            is_cut = ending not in ("whole", "refused")
            yield from (
                CutCase(kind, ending, last * (n + 1) // PLACES if is_cut else 0) for n in range(PLACES if is_cut else 1)
            )


def make_answer(request: Received) -> Script:
    """Return the reply that a request asks for, streamed or at once."""
    found = _PROMPT.search(request.body)
    if found is None:
        return Script.json(404, {"error": {"message": "no such case"}})
    kind, ending, cut = found[1].decode(), found[2].decode(), int(found[3])
    text = CUT_REPLIES[kind][: cut or None]
    pieces = [text[start : start + 7] for start in range(0, len(text), 7)]
    if request.json.get("stream"):
        if ending in ("broken", "ended"):
            whole = Reply(
                text + " ", pieces=[*pieces, " "], cut_after=len(pieces), cut="fin" if ending == "broken" else "clean"
            )
            return whole.script("openai_chat", MODEL)
        if ending == "refused":
            return Reply(refusal="I can't help with that.").script("openai_chat", MODEL)
        return Reply(text, pieces=pieces, finish=FINISHES[ending]).script("openai_chat", MODEL)
    refusal = "I can't help with that." if ending == "refused" else None
    message = {"role": "assistant", "content": None if refusal else text, "refusal": refusal}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": FINISHES.get(ending, "stop")}
    usage = {"prompt_tokens": 12, "completion_tokens": 34, "total_tokens": 46}
    body = {"id": "c1", "object": "chat.completion", "created": 1, "model": MODEL, "choices": [choice], "usage": usage}
    if ending not in ("broken", "ended"):
        return Script.json(200, body)
    half = json.dumps(body).encode()[: -(len(CUT_REPLIES[kind]) - cut)]
    steps = (Send(half), Cut()) if ending == "broken" else (Send(half),)
    return Script(headers={"content-type": "application/json"}, framing="length", steps=steps)


def ask_peers(peers: Iterable[str]) -> dict[str, Any]:
    """Return all verdicts, as bench/results/typed_peers.json has them."""
    cases = [*cut_cases()]
    found: dict[str, Any] = {"places": PLACES, "peers": {}, "results": {}}
    with ScriptedServer() as server:
        server.say(make_answer)
        for peer in peers:
            said = _ask(peer, server.url, [case.prompt for case in cases])
            found["peers"][peer] = said["version"]
            found["results"][peer] = {way: count(cases, answers) for way, answers in said["answers"].items()}
    return found


def _ask(peer: str, url: str, prompts: list[str]) -> Any:
    """Return what a peer gives for each prompt. Raise RuntimeError if its program fails."""
    command, folder = [sys.executable if peer == OURS else str(python(peer)), str(PROGRAMS / "run.py"), peer], ROOT
    if peer == OF_NODE:  # Node looks for packages beside the program
        folder = HOMES / peer
        command = [str(node(peer)), str(shutil.copy(PROGRAMS / "read_ai_sdk.mjs", folder))]
    job = {"url": url, "model": MODEL, "prompts": prompts, "schemas": CUT_SCHEMAS}
    return ask_program(command, folder, job)


def count(cases: Iterable[CutCase], answers: Iterable[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Return how often each ending brought an error, a false value and the right one."""
    found: dict[str, Counter[str]] = {}
    for case, answer in zip(cases, answers, strict=True):
        found.setdefault(case.ending, Counter())[judge(case, answer)] += 1
    return {ending: dict(counts) for ending, counts in found.items()}


def judge(case: CutCase, answer: dict[str, Any]) -> str:
    """Return the verdict on what a library gave for a case."""
    if answer.get("value") is None:
        return "error"
    is_right = case.ending != "refused" and _without_nulls(answer["value"]) == json.loads(CUT_REPLIES[case.kind])
    return "value" if is_right else "false"


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value


def wrong_of_ours(found: dict[str, Any]) -> list[str]:
    """Return where this library gave anything but the value of a complete reply and an error for any other."""
    ways = found["results"].get(OURS, {})
    return [
        f"{way}: {ending}: {counts}"
        for way, endings in ways.items()
        for ending, counts in endings.items()
        if counts.keys() != {"value" if ending == "whole" else "error"}
    ]


def main() -> int:
    """Ask the peers, print the verdicts and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=PEERS, metavar="NAME", help=", ".join(PEERS))
    options = parser.parse_args()
    peers = [peer for peer in PEERS if peer in options.peers]
    install(peer for peer in peers if peer != OURS)
    found = ask_peers(peers)
    for peer, ways in found["results"].items():
        for way, endings in ways.items():
            print(f"{peer}: {way}: {endings}")
    if peers == list(PEERS):
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
        write_tables()
    wrong = wrong_of_ours(found)
    print(*wrong, sep="\n", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
