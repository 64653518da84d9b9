"""Play the faults to the peers: one scripted server for all, and a separate process for each peer and color."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.peers.install import python

from msgmodel.testing.server import Received, Script, ScriptedServer
from msgmodel.testing.wires import MODEL
from proofs.faults_cases import KEY, PLAIN, TEXT, Case, cases, faults
from proofs.faults_judge import Seen, detail, judge

OURS = "msgmodel"
PEERS = (
    OURS,
    "msgmodel4",
    "openai",
    "anthropic",
    "google-genai",
    "litellm",
    "pydantic-ai",
    "any-llm",
    "langchain-openai",
)
COLOURS = ("sync", "async")
PROGRAM = Path(__file__).parent / "faults_peers" / "run.py"
TIMEOUT_SECONDS = 3.0
"""The timeout option that each peer gets."""
LIMIT_SECONDS = 10.0
"""A reply that has not ended by then hangs."""
PROCESS_SECONDS = 240.0
AT_ONCE = 3
"""Processes. Most of their time they wait."""

_PATHS = {
    "/chat/completions": "openai_chat",
    "/responses": "openai_responses",
    "/messages": "anthropic",
    ":streamGenerateContent": "gemini",
}


def run(peers: Iterable[str], chosen: list[Case] | None = None) -> dict[str, Any]:
    """Return all verdicts, as bench/results/faults.json has them. The chosen cases must include the plain reply of each
    wire.
    """
    chosen = cases() if chosen is None else chosen
    scripts: dict[tuple[str, str], Script] = {
        (case.wire, case.prompt): replace(case.script, keep_alive=False) for case in chosen
    }

    def answer(request: Received) -> Script:
        if request.path.partition("?")[0].endswith(":generateContent"):  # msgmodel 4.1.1 asks whether the key is good
            return Script.json(200, {})
        return scripts.get(_asked(request)) or Script.json(404, {"error": {"message": "no such fault"}})

    with ScriptedServer() as server, ThreadPoolExecutor(AT_ONCE) as pool:
        server.say(answer)
        jobs = {
            (peer, colour): pool.submit(_ask, peer, colour, server.url, chosen) for peer in peers for colour in COLOURS
        }
        reports = {who: job.result() for who, job in jobs.items()}
    return {
        "peers": {peer: _about(reports[peer, "sync"], reports[peer, "async"]) for peer in peers},
        "faults": [name for names in faults(chosen).values() for name in names],
        "groups": faults(chosen),
        "results": {peer: _judged(chosen, {c: reports[peer, c]["outcomes"] for c in COLOURS}) for peer in peers},
    }


def _about(*reports: dict[str, Any]) -> dict[str, Any]:
    """Return the version of a peer, and the places of the key that belong to no single case."""
    elsewhere = sorted({place for report in reports for place in report["elsewhere"]})
    return {"version": reports[0]["version"]} | ({"leaks": elsewhere} if elsewhere else {})


def wrong(found: dict[str, Any], peer: str = OURS) -> list[str]:
    """Return what a peer did wrong, one line for each fault."""
    lines = [f"the key is in {place}" for place in found["peers"][peer].get("leaks", ())]
    for wire, results in found["results"][peer].items():
        for fault, both in results.items():
            lines += [
                f"{wire}, {fault}, {colour}: {cell['verdict']}: {cell['detail']}"
                for colour, cell in both.items()
                if cell["verdict"] != "right"
            ]
    return lines


def _asked(request: Received) -> tuple[str, str]:
    """Find the wire by the path, and the fault by the prompt, anywhere in the body."""
    path = request.path.partition("?")[0]
    wire = next((wire for end, wire in _PATHS.items() if path.endswith(end)), "")
    prompt = re.search(rb"fault-[a-z0-9-]+", request.body)
    return wire, prompt[0].decode() if prompt else ""


def _ask(peer: str, colour: str, url: str, chosen: list[Case]) -> dict[str, Any]:
    """Return what the callers of one peer received."""
    said = [{"wire": case.wire, "fault": case.fault, "prompt": case.prompt, "pace": case.pace} for case in chosen]
    limits = {"timeout": TIMEOUT_SECONDS, "limit": LIMIT_SECONDS}
    job = {"url": url, "key": KEY, "models": MODEL, "cases": said} | limits
    interpreter = sys.executable if peer == OURS else str(python(peer))
    done = subprocess.run(
        [interpreter, str(PROGRAM), peer, colour],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        env=_environment(),
        timeout=PROCESS_SECONDS,
    )
    if done.returncode:
        raise RuntimeError(f"{peer}, {colour}: it ended with {done.returncode}:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    if KEY in done.stderr:
        found["elsewhere"].append("what it prints")
    return found


def _environment() -> dict[str, str]:
    """Return the environment of this process without keys, addresses and proxies."""
    foreign = re.compile(r".*(_API_KEY|_AUTH_TOKEN|_BASE_URL|_API_BASE|_PROXY)", re.I)
    kept = {name: value for name, value in os.environ.items() if not foreign.fullmatch(name)}
    return kept | {"NO_PROXY": "*", "PYTHONWARNINGS": "ignore"}


def _judged(chosen: list[Case], outcomes: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for case in (case for case in chosen if case.wire in outcomes["sync"]):
        cells = {}
        for colour in COLOURS:
            seen = Seen.of(outcomes[colour][case.wire][case.fault])
            plain = Seen.of(outcomes[colour][case.wire][PLAIN])
            # Who can't read a plain whole reply says nothing by failing at a broken one.
            works = case.fault == PLAIN or judge("whole", TEXT, plain) in ("right", "leaks the key")
            cells[colour] = {
                "verdict": judge(case.ending, case.text, seen) if works else "no verdict",
                "detail": _stable(detail(case.text, seen)),
            }
        found.setdefault(case.wire, {})[case.fault] = cells
    return found


def _stable(text: str) -> str:
    """Return the text on one line, without the key and without what differs between runs."""
    changing = r"127\.0\.0\.1:\d+|port=\d+|0x[0-9a-f]+|\d+\.\d{2,}"
    return re.sub(changing, "...", " ".join(text.replace(KEY, "<key>").split()))
