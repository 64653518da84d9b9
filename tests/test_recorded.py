"""The recorded streams of real providers: what comes out agrees with facts that other code folded from them.

Where the recordings are not there these tests are skipped.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from conftest import KEY, PROVIDER, SHARED, Async, Sync, config
from msgmodel import PanelEvent
from msgmodel.testing.server import Script, ScriptedServer
from msgmodel.wires import WIRES
from pure import play

STREAMS = SHARED / "streams"

pytestmark = pytest.mark.skipif(not STREAMS.is_dir(), reason="the recorded streams are not here")

# The first message of a response is the whole of it on every wire. These were made by gluing the events of several
# responses into one file, which no server sends; the facts describe the last or the sum of them.
GLUED = {
    "ai-anthropic-anthropic-tool-search-deferred-bm25-chunks-0-887c82",
    "ai-anthropic-anthropic-tool-search-deferred-regex-chunks-0-002403",
    "ai-anthropic-anthropic-tool-search-regex-1-chunks-0-cdaf96",
    "ai-openai-responses-openai-reasoning-encrypted-content-1-chunks-0-fb7fa6",
    "ai-openai-responses-openai-shell-tool-1-chunks-0-8dc987",
}

# The recorder lost the last blank line. The standard discards such an event, and it is `message_stop`.
UNTERMINATED = {"rig-anthropic-prompt-caching-streaming-prompt-caching-reuses-tool-cache-1-665bfc"}

# Arguments that arrive in pieces with a path (Vertex): the facts list the pieces, we the calls.
STREAMED_ARGUMENTS = {
    "ai-google-google-stream-tool-call-arguments-chunks-0-4801a0",
    "ai-google-google-vertex-stream-tool-call-arguments-nested-1-chunks-0-404793",
    "calling-vertex-ai-should-stream-generate-content-enabled-streamfunctioncallarguments-0-ae5",
    "google-google-stream-tool-call-array-arguments-missing-terminal-function-call-chunks-0-25c",
}

CASES = sorted(path for wire in WIRES for path in (STREAMS / wire).glob("*.sse"))


def listed(names: set[str], path: Path) -> bool:
    return any(path.stem.startswith(name) for name in names)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def as_read(path: Path, data: bytes) -> list[bytes]:
    """At the boundaries of the reads that were recorded, else in pieces of 1,400 bytes."""
    sizes = json.loads(path.with_suffix(".json").read_bytes())["wire_chunks"]
    if not sizes:
        return cut(data, 1400)
    ends = [sum(sizes[:index]) for index in range(len(sizes) + 1)]
    return [data[begin:end] for begin, end in pairwise(ends)]


@pytest.mark.parametrize("wire", WIRES)
def test_facts(wire: str) -> None:
    """Text, reasoning, refusal, tool calls, finish reason and verdict agree with the facts."""
    wrong: dict[str, list[Any]] = {}
    cases = [path for path in CASES if path.parent.name == wire]
    for path in cases:
        if not listed(GLUED | UNTERMINATED, path):
            found = disagreements(path, play(wire, [path.read_bytes()])[-1])
            if found:
                wrong[path.stem] = found
    assert not wrong
    assert len(cases) > 100


def disagreements(path: Path, last: Any) -> list[Any]:
    facts = json.loads(path.with_suffix(".json").read_bytes())["facts"]
    reason = facts["finish_reasons"].get("0") or facts.get("block_reason")
    cut_short = None in facts["finish_reasons"].values() or reason in (None, "failed")
    expected = {
        "event": "panel_error" if cut_short or facts["errors"] else "panel_final",
        "content": facts["text"],
        "reasoning": facts["reasoning_text"] + facts.get("raw_reasoning_text", ""),
        "refusal": facts["refusal_text"],
        "finish_reason": None if cut_short or facts["errors"] else str(reason),
    }
    got = {name: last.get(name, "" if name in ("reasoning", "refusal") else None) for name in expected}
    found = [(name, got[name], expected[name]) for name in expected if got[name] != expected[name]]
    if last.get("status") == "unknown":
        found.append(("status", "unknown", reason))
    if not listed(STREAMED_ARGUMENTS, path):
        calls = [(call["id"], call["name"], parsed(call["arguments"])) for call in last.get("tool_calls", ())]
        wanted = [
            (id or made_up, name, arguments)
            for (id, name, arguments), (made_up, *_) in zip(called(facts), calls or [("",)] * 99, strict=False)
        ]
        if calls != wanted or len(calls) != len(called(facts)):
            found.append(("tool_calls", calls, wanted))
    return found


def called(facts: dict[str, Any]) -> list[tuple[str | None, str, Any]]:
    """Calls to the caller's tools in the choice that is shown; calls to the provider's own are its own business."""
    return [
        (
            call.get("call_id") or call.get("id"),  # Gemini's calls may have none: then ours is made up
            call["name"],
            parsed(call.get("final_arguments") or call.get("arguments", call.get("args", call.get("input")))),
        )
        for call in facts["tool_calls"]
        if call.get("type") not in ("server_tool_use", "mcp_tool_use")
        and call.get("choice", call.get("candidate", 0)) == 0
    ]


def parsed(arguments: Any) -> Any:
    if not isinstance(arguments, str):
        return arguments
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments


@pytest.mark.parametrize("wire", WIRES)
def test_any_pieces_give_the_same_events(wire: str) -> None:
    """As it was read on the wire, and byte by byte."""
    for path in CASES:
        if path.parent.name == wire:
            data = path.read_bytes()
            whole = play(wire, [data])
            assert play(wire, as_read(path, data)) == whole, path.stem
            if len(data) < 20_000:
                assert play(wire, cut(data, 1)) == whole, path.stem


@pytest.mark.parametrize("wire", WIRES)
def test_over_the_network(wire: str, shared_colour: Sync | Async, shared_server: ScriptedServer) -> None:
    """Every recording from a real socket, in the pieces in which it was read."""
    for path in CASES:
        if path.parent.name == wire:
            data = path.read_bytes()
            shared_server.say(Script(steps=Script.body(data).steps if not data else pieces(path, data)))
            events = shared_colour.panels(
                PROVIDER[wire], "hi", KEY, config=config(wire, shared_server.url), panel_id="p", max_retries=0
            )
            assert timeless(events) == timeless(play(wire, [data])), path.stem


def pieces(path: Path, data: bytes) -> Any:
    ends: list[int] = []
    for piece in as_read(path, data)[:-1]:
        ends.append((ends[-1] if ends else 0) + len(piece))
    return Script.body(data, ends).steps


def timeless(events: list[PanelEvent]) -> list[Any]:
    """The events without what depends on the clock and the address."""
    changed: Any = {"timing": None, "privacy": None, "cost": None}
    return [event | changed if "timing" in event else event for event in events]
