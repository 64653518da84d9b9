"""Who tells of a reply that is not what was asked for: twelve lies, on every wire, for us and for each peer.

    python proofs/lies.py                     all (a minute); writes bench/results/lies.json
    python proofs/lies.py --peers msgmodel    only these, and writes nothing

Each question is asked twice, once of an honest server. A cell says

- told: the library itself names the lie, by a field, a warning, a log record or an error that the honest reply does not
  bring; or the provider's own field that names it is in what the library hands out
- raw: the value that gives the lie away can be reached, and the caller must compare it with what was asked
- silent: it can't be reached
- "": the lie can't be told on this wire, or the library can't ask this

Ends with status 1 if this library does not tell everywhere.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from bench.peers.install import install, python  # noqa: E402

import msgmodel  # noqa: E402
from msgmodel.testing.server import Received, Script, ScriptedServer  # noqa: E402
from msgmodel.testing.wires import MODEL, WIRES  # noqa: E402
from proofs.lies_cases import NAMES, WARNED, Lie, honest, lies  # noqa: E402

RESULTS = ROOT / "bench" / "results" / "lies.json"
PROGRAM = Path(__file__).parent / "lies_peers" / "run.py"
OURS = "msgmodel"
PEERS = (OURS, "openai", "anthropic", "google-genai", "litellm", "pydantic-ai")
PROCESS_SECONDS = 240.0
_PATHS = {
    "/chat/completions": "openai_chat",
    "/responses": "openai_responses",
    "/messages": "anthropic",
    ":streamGenerateContent": "gemini",
}
_FOREIGN = re.compile(r".*(_API_KEY|_AUTH_TOKEN|_BASE_URL|_API_BASE|_PROXY)", re.I)


def ask_peers(peers: Iterable[str], chosen: Sequence[Lie]) -> dict[str, Any]:
    """Return all verdicts, as bench/results/lies.json has them. Raise RuntimeError if the program of a peer fails."""
    scripts = {(lie.wire, lie.prompt): lie.script() for lie in chosen}
    scripts |= {(lie.wire, f"honest-{lie.prompt}"): honest(lie) for lie in chosen}

    def answer(request: Received) -> Script:
        path = request.path.partition("?")[0]
        wire = next((wire for end, wire in _PATHS.items() if path.endswith(end)), "")
        prompt = re.search(rb"(honest-)?lie-[a-z_-]+", request.body)
        found = scripts.get((wire, prompt[0].decode() if prompt else ""))  # type: ignore[call-overload]
        return found or Script.json(404, {"error": {"message": "no such lie"}})

    with ScriptedServer() as server, ThreadPoolExecutor(2) as pool:
        server.say(answer)
        asked = {peer: pool.submit(_ask, peer, server.url, chosen) for peer in peers}
        reports = {peer: report.result() for peer, report in asked.items()}
    versions = {peer: msgmodel.__version__ if peer == OURS else report["version"] for peer, report in reports.items()}
    return {
        "peers": versions,
        "lies": list(NAMES),
        "results": {peer: _judge_all(peer, report["answers"], chosen) for peer, report in reports.items()},
    }


def _ask(peer: str, url: str, chosen: Sequence[Lie]) -> Any:
    """Return what a peer hands out: of each lie, the answer to it and then the honest one."""
    prompts = [(lie, prefix + lie.prompt) for lie in chosen for prefix in ("", "honest-")]
    cases = [{"wire": lie.wire, "prompt": prompt, "question": lie.question} for lie, prompt in prompts]
    environment = {name: value for name, value in os.environ.items() if not _FOREIGN.fullmatch(name)}
    done = subprocess.run(
        [sys.executable if peer == OURS else str(python(peer)), str(PROGRAM), peer],
        input=json.dumps({"url": url, "models": MODEL, "cases": cases}),
        capture_output=True,
        text=True,
        env=environment | {"NO_PROXY": "*"},
        timeout=PROCESS_SECONDS,
    )
    if done.returncode:
        raise RuntimeError(f"{peer}: it ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout)


def _judge_all(peer: str, answers: list[Any], chosen: Sequence[Lie]) -> dict[str, dict[str, str]]:
    """Return the verdicts by wire and by lie."""
    found: dict[str, dict[str, str]] = {}
    for lie, said, honestly in zip(chosen, answers[::2], answers[1::2], strict=True):
        if said is not None:
            found.setdefault(lie.wire, {})[lie.name] = judge(lie, said, honestly, ours=peer == OURS)
    return found


def judge(lie: Lie, said: dict[str, Any], honestly: dict[str, Any], *, ours: bool) -> str:
    """Return the verdict on one lie.

    Args:
        lie: The lie.
        said: What the library handed out: `dump`, `warnings`, `raised`.
        honestly: The same for the honest reply.
        ours: Whether it is this library, whose warnings stand in the terminal event.
    """
    if honestly["raised"]:
        return ""
    if ours:
        last = json.loads(said["dump"].splitlines()[-1])
        codes = {warning["code"] for warning in last["warnings"]} | ({"part"} if last.get("parts") else set())
        told = lie.code in codes
    else:
        more = set(said["warnings"]) - set(honestly["warnings"])
        told = bool(said["raised"]) or any(re.search(WARNED[lie.name], warning) for warning in more)
    reached = re.search(lie.mark, said["dump"]) is not None
    if told or (reached and lie.speaks_for_itself):
        return "told"
    return "raw" if reached else "silent"


def terminal(found: dict[str, Any]) -> str:
    """Return a table for each wire."""
    lines = []
    for wire in WIRES:
        peers = [peer for peer, wires in found["results"].items() if wire in wires]
        lines += ["", f"{wire:22}" + "".join(f"{peer:15}" for peer in peers)]
        for lie in found["lies"]:
            cells = [found["results"][peer][wire].get(lie, "") for peer in peers]
            lines += [f"{lie:22}" + "".join(f"{cell:15}" for cell in cells)] if any(cells) else []
    return "\n".join(lines)


def untold_by_us(found: dict[str, Any]) -> list[str]:
    """Return the lies of which this library does not tell."""
    wires = found["results"].get(OURS, {})
    return [f"{wire}: {lie}: {cell}" for wire, cells in wires.items() for lie, cell in cells.items() if cell != "told"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=PEERS, metavar="NAME", help=", ".join(PEERS))
    options = parser.parse_args()
    peers = [peer for peer in PEERS if peer in options.peers]
    install(peer for peer in peers if peer != OURS)
    found = ask_peers(peers, lies())
    print(terminal(found))
    if peers == list(PEERS):
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    wrong = untold_by_us(found)
    if wrong:
        print("\nnot told:", *wrong, sep="\n  ", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
