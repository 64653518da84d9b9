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

# Arguments that arrive in pieces with a path (Vertex): the facts list the pieces, we the calls.
STREAMED_ARGUMENTS = {
    "ai-google-google-stream-tool-call-arguments-chunks-0-4801a0",
    "ai-google-google-vertex-stream-tool-call-arguments-nested-1-chunks-0-404793",
    "calling-vertex-ai-should-stream-generate-content-enabled-streamfunctioncallarguments-0-ae5",
    "google-google-stream-tool-call-array-arguments-missing-terminal-function-call-chunks-0-25c",
}

# `tool_calls`, and then `stop` in a chunk of its own: the facts have the last word, we the one that says more.
TWO_REASONS = {"req-llm-openrouter-google-gemini-2-5-flash-lite-object-streaming-0-d0a9ef"}

# Shortened by hand: the deltas lack most of what the done event has, so we call the ending unknown.
SHORTENED = {"ai-openai-responses-openai-shell-container-1-chunks-0-e82950"}

# GitHub Copilot's name for reasoning is `reasoning_text`, which the facts do not read.
IN_REASONING_TEXT = {"codecompanion-nvim-adapters-http-copilot-stubs-copilot-tools-streaming-reasoning-0-"}

# `[DONE]` after counted tokens, but no finish reason: the facts call it cut, we a reply whose ending is unknown.
NO_REASON = {
    "llm-tools-streaming-tools-streaming-variant-a-0-",
    "llm-tools-streaming-tools-streaming-variant-b-0-",
    "openai-dotnet-sessionrecords-chatchatwithbasicaudiooutput-0-",
    "pydantic-ai-models-snowflake-snowflake-",
}

# The provider's own server ran the call, so it is no call of the caller's (MCP).
RUN_BY_PROVIDER = {"dings-client-server-side-mcp-server-ml-dev-should-call-server-side-mcp-server-stream-0-"}

# Only in `reasoning_details`, which the facts do not read.
IN_DETAILS = {"pydantic-ai-models-snowflake-snowflake-thinking-streaming-0-"}

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
        if not listed(GLUED, path):
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
    if listed(TWO_REASONS, path):
        assert expected["finish_reason"] == "stop"
        expected["finish_reason"] = "tool_calls"
    if listed(NO_REASON, path):
        expected["event"] = "panel_final"
        assert last.get("status") == "unknown"
    if listed(IN_REASONING_TEXT | IN_DETAILS, path):
        assert not expected["reasoning"]
        expected["reasoning"] = last.get("reasoning")
    got = {name: last.get(name, "" if name in ("reasoning", "refusal") else None) for name in expected}
    found = [(name, got[name], expected[name]) for name in expected if not same_words(got[name], expected[name])]
    if listed(SHORTENED, path):
        assert (last["status"], last["untold"]) == ("unknown", ["response.output_text.done"])
    elif last.get("status") == "unknown" and not listed(NO_REASON, path):
        found.append(("status", "unknown", reason))
    if listed(RUN_BY_PROVIDER, path):
        assert [run["name"] for run in last["tool_runs"]] == [call["name"] for call in facts["tool_calls"]]
    elif not listed(STREAMED_ARGUMENTS, path):
        functions = [call for call in last.get("tool_calls", ()) if call.get("kind", "custom") == "custom"]
        calls = [(call["id"], call["name"], parsed(call["arguments"])) for call in functions]
        wanted = [
            (id or made_up, name, arguments)
            for (id, name, arguments), (made_up, *_) in zip(called(facts), calls or [("",)] * 99, strict=False)
        ]
        if calls != wanted or len(calls) != len(called(facts)):
            found.append(("tool_calls", calls, wanted))
    return found


def same_words(got: str | None, expected: str | None) -> bool:
    """Whether two texts agree. The facts glue the blocks that a provider keeps apart; we draw a blank line."""
    if got is None or expected is None:
        return got == expected
    return got.replace("\n\n", "") == expected.replace("\n\n", "")


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


# --- usage and sources ---

# Groq says the usage in `x_groq.usage`, which the facts do not read.
IN_X_GROQ = {
    "agentops-recordings-groq-provider-1-",
    "lmnr-instrumentations-groq-traces-chat-tracing-chat-streaming-legacy-0-",
    "peninference-llama-index-openinference-llama-index-token-counts-testtokencounts-groq-0-",
    "pydantic-ai-models-groq-groq-model-web-search-tool-stream-0-",
}


@pytest.mark.parametrize("wire", WIRES)
def test_usage(wire: str) -> None:
    """What went in and what came out, reckoned from the totals that the provider names too."""
    wrong: dict[str, Any] = {}
    counted = 0
    for path in CASES:
        if path.parent.name != wire or listed(GLUED, path):
            continue
        facts = json.loads(path.with_suffix(".json").read_bytes())["facts"]
        last: Any = play(wire, [path.read_bytes()])[-1]
        usage = dict(last["usage"])
        for other in last.get("details", {}).get("other_requests", ()):  # the facts leave them out, as the API does
            for name, number in other["usage"].items():
                if isinstance(number, int):
                    usage[name] -= number
        said = facts.get("usage")
        if listed(IN_X_GROQ, path):
            assert not said
            (said,) = [
                chunk["x_groq"]["usage"]
                for chunk in payloads(path.read_bytes())
                if chunk.get("x_groq", {}).get("usage")
            ]
        if not said:
            if usage["source"] != "estimated":
                wrong[path.stem] = usage
            continue
        counted += 1
        expected = reckoned(wire, said)
        known = {name: number for name, number in expected.items() if number is not None}
        if {name: usage[name] for name in known} != known:
            wrong[path.stem] = usage, expected
    assert wrong == {}
    assert counted > 150


def reckoned(wire: str, said: Any) -> dict[str, int | None]:
    """None where the provider did not say enough to tell."""
    if wire == "anthropic":
        cached, written = (said.get(f"cache_{name}_input_tokens") or 0 for name in ("read", "creation"))
        return {
            "input_tokens": said["input_tokens"] + cached + written,
            "output_tokens": said["output_tokens"],
            "cached_tokens": said.get("cache_read_input_tokens"),
            "cache_write_tokens": said.get("cache_creation_input_tokens"),
        }
    if wire == "gemini":
        went = said.get("promptTokenCount", 0) + said.get("toolUsePromptTokenCount", 0)
        came = said["totalTokenCount"] - went if "totalTokenCount" in said else None
        return {
            "input_tokens": went or None,
            "output_tokens": came or None,
            "reasoning_tokens": said.get("thoughtsTokenCount"),
            "cached_tokens": said.get("cachedContentTokenCount"),
        }
    went, came = ("prompt", "completion") if wire == "openai_chat" else ("input", "output")
    audio = (said.get("prompt_tokens_details") or {}).get("audio_tokens") or 0
    beside = said["total_tokens"] == said[f"{went}_tokens"] + said[f"{came}_tokens"] + audio
    return {
        "input_tokens": said[f"{went}_tokens"],
        "output_tokens": said[f"{came}_tokens"] if audio and beside else said["total_tokens"] - said[f"{went}_tokens"],
        "reasoning_tokens": (said.get(f"{came}_tokens_details") or {}).get("reasoning_tokens"),
        "cached_tokens": (said.get(f"{went}_tokens_details") or {}).get("cached_tokens"),
    }


@pytest.mark.parametrize("wire", WIRES)
def test_sources(wire: str) -> None:
    """Every address that the recording cites comes out, each as an event and in the last one, and no other."""
    wrong: dict[str, Any] = {}
    cited = 0
    for path in CASES:
        if path.parent.name != wire or listed(GLUED, path):
            continue
        data = path.read_bytes()
        events: list[Any] = play(wire, [data])
        shown = [
            {name: value for name, value in event.items() if name not in ("event", "panel_id")}
            for event in events
            if event["event"] == "panel_source"
        ]
        expected = {url for payload in payloads(data) for url in addresses(wire, payload)}
        cited += bool(expected)
        if {source["url"] for source in shown if source["url"]} != expected or events[-1].get("sources", []) != shown:
            wrong[path.stem] = shown, expected
    assert wrong == {}
    assert cited >= {"openai_chat": 4, "openai_responses": 10, "anthropic": 10, "gemini": 5}[wire]


def payloads(data: bytes) -> list[Any]:
    """The JSON documents of a stream, by the plainest reading of it."""
    found = []
    for line in data.decode("utf-8", "replace").splitlines():
        if line.startswith("data:"):
            try:
                found.append(json.loads(line[5:]))
            except ValueError:
                pass
    return found


def addresses(wire: str, node: Any) -> set[str]:
    """The addresses that citations anywhere in a payload name."""
    found: set[str] = set()
    if isinstance(node, list):
        return found.union(*(addresses(wire, each) for each in node))
    if not isinstance(node, dict):
        return found
    for name, value in node.items():
        if wire == "openai_chat" and name == "citations":
            found |= {url for url in value or () if isinstance(url, str)}
        elif wire == "openai_chat" and name == "executed_tools":
            found |= {result["url"] for tool in value for result in tool["search_results"]["results"]}
        elif wire == "openai_chat" and name == "url_citation":
            found.add(value["url"])
        elif wire == "openai_responses" and name in ("annotation", "annotations"):
            each = value if isinstance(value, list) else [value]
            found |= {note["url"] for note in each if note.get("url")}
        elif wire == "anthropic" and name == "citation":
            found |= {value[key] for key in ("url", "source") if key in value}
        elif wire == "gemini" and name == "groundingChunks":
            found |= {chunk[kind]["uri"] for chunk in value for kind in chunk if chunk[kind].get("uri")}
        elif wire == "gemini" and name == "urlMetadata":
            found |= {page["retrievedUrl"] for page in value if page["urlRetrievalStatus"].endswith("_SUCCESS")}
        elif wire == "gemini" and name in ("citationSources", "citations"):
            found |= {source["uri"] for source in value if source.get("uri")}
        elif isinstance(value, dict | list):
            found |= addresses(wire, value)
    return found


@pytest.mark.long
@pytest.mark.parametrize("wire", WIRES)
def test_any_pieces_give_the_same_events(wire: str) -> None:
    """As it was read on the wire, and byte by byte; a longer one is cut into pieces of seven bytes.

    Seven bytes cut an event in tens of places, and the next event in other places. The short recordings, nearly
    half of them, prove that any single cut is harmless; each further byte alone would cost seven times the CPU.
    """
    for path in CASES:
        if path.parent.name == wire:
            data = path.read_bytes()
            whole = play(wire, [data])
            assert play(wire, as_read(path, data)) == whole, path.stem
            if len(data) < 20_000:
                assert play(wire, cut(data, 1 if len(data) < 5_000 else 7)) == whole, path.stem


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
    changed: Any = {"timing": None, "privacy": None, "cost": None, "cost_source": None, "receipt": None}
    return [event | changed if "timing" in event else event for event in events]
