"""Does a tool run with half of its arguments, or twice? The same streamed calls, for us and for agents of others.

    python proofs/tools_compared.py                     all (a minute); writes bench/results/tools_peers.json
    python proofs/tools_compared.py --peers msgmodel    only these, and writes nothing

The arguments of a call are cut at some places, on the wire of Chat Completions alone; and a whole call comes twice.

- ran: the tool ran once, with all arguments
- halved: it ran with a part of them
- twice: it ran twice
- not run

Ends with status 1 if this library runs a tool with anything but all arguments, or an event that came twice.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from bench.peers.install import install, python  # noqa: E402

from msgmodel.testing import Cut, Reply, Script, Send  # noqa: E402
from msgmodel.testing.server import Received, ScriptedServer  # noqa: E402
from proofs.peer_program import ask_program  # noqa: E402
from proofs.typed_report import write_tables  # noqa: E402

RESULTS = ROOT / "bench" / "results" / "tools_peers.json"
PROGRAM = Path(__file__).parent / "tools_peers" / "run.py"
OURS = "msgmodel"
PEERS = (OURS, "pydantic-ai", "langchain", "openai-agents")
MODEL = "gpt-4.1"
ARGUMENTS = '{"path": "notes.txt", "text": "one two three", "mode": "append"}'
WHOLE = [*json.loads(ARGUMENTS).values()]
CUTS = range(24, 63, 5)
"""The places at which the arguments are cut: behind the one that is required, and before the end of the last one."""
FINISHES = {"limit": "length", "stop": "stop"}
ENDINGS = ("limit", "broken", "ended", "stop")
WHOLE_CALLS = ("whole", "again", "twice")
_PROMPT = re.compile(rb"case-(\w+)-(\d+)")


def make_answer(request: Received) -> Script:
    """Return the call that a request asks for; after it, a text."""
    found = _PROMPT.search(request.body)
    if found is None:
        return Script.json(404, {"error": {"message": "no such case"}})
    if any(message["role"] == "tool" for message in request.json["messages"]):
        return Reply("It is done.").script("openai_chat", MODEL)
    return make_call(found[1].decode(), int(found[2]) or None)


def make_call(ending: str, cut: int | None) -> Script:
    """Return the bytes of a call. `cut`: the characters of its arguments that come; None for all."""
    call: Any = {"id": "call_1", "name": "write_line", "arguments": ARGUMENTS[:cut]}
    calls = [call, call] if ending == "twice" else [call]
    reply = Reply(tool_calls=calls, finish=FINISHES.get(ending), usage=False)
    steps = reply.script("openai_chat", MODEL).steps
    end = 2  # the chunk with the finish reason, and [DONE]
    if ending == "again":
        function = json.dumps({"name": call["name"], "arguments": ARGUMENTS})
        one = b'{"index":0,"id":"call_1","type":"function","function":%b}' % function.encode()
        chunk = b'{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,'
        event = Send(b'data: %b"delta":{"tool_calls":[%b]},"finish_reason":null}]}\n\n' % (chunk, one))
        steps = (steps[0], event, event, *steps[-end:])
    if ending in ("broken", "ended"):
        steps = steps[:-end]
    return Script(steps=(*steps, Cut()) if ending == "broken" else steps)


def ask_peers(peers: Iterable[str]) -> dict[str, Any]:
    """Return all verdicts, as bench/results/tools_peers.json has them."""
    cases = [(ending, 0) for ending in WHOLE_CALLS] + [(ending, cut) for ending in ENDINGS for cut in CUTS]
    found: dict[str, Any] = {"peers": {}, "results": {}}
    with ScriptedServer() as server:
        server.say(make_answer)
        job = {"url": server.url, "model": MODEL, "prompts": [f"case-{ending}-{cut}" for ending, cut in cases]}
        for peer in peers:
            program = sys.executable if peer == OURS else str(python(peer))
            said = ask_program([program, str(PROGRAM), peer], ROOT, job)
            found["peers"][peer] = said["version"]
            counts: dict[str, Counter[str]] = {}
            for (ending, _), answer in zip(cases, said["answers"], strict=True):
                counts.setdefault(ending, Counter())[judge(answer["ran"])] += 1
            found["results"][peer] = {ending: dict(each) for ending, each in counts.items()}
    return found


def judge(ran: list[list[str]]) -> str:
    """Return the verdict on the runs of a tool, each with its arguments."""
    if any(arguments != WHOLE for arguments in ran):
        return "halved"
    return ("not run", "ran", "twice")[min(len(ran), 2)]


def wrong_of_ours(found: dict[str, Any]) -> list[str]:
    """Return where this library did anything but to run a whole call, once, and no other."""
    right = {"whole": "ran", "again": "ran", "twice": "twice"}
    endings = found["results"].get(OURS, {}).items()
    return [f"{ending}: {each}" for ending, each in endings if each.keys() != {right.get(ending, "not run")}]


def main() -> int:
    """Ask the peers, print the verdicts and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=PEERS, metavar="NAME", help=", ".join(PEERS))
    options = parser.parse_args()
    peers = [peer for peer in PEERS if peer in options.peers]
    install(peer for peer in peers if peer != OURS)
    found = ask_peers(peers)
    for peer, endings in found["results"].items():
        print(f"{peer}: {endings}")
    if peers == list(PEERS):
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
        write_tables()
    wrong = wrong_of_ours(found)
    print(*wrong, sep="\n", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
