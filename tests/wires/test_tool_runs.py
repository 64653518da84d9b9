"""What the provider's own tools did: shown when they begin and end, kept, and sent back unchanged."""

from __future__ import annotations

from typing import Any

import pytest
from chat_streams import chunk, ended

from msgmodel import Conversation
from msgmodel.testing import ScriptedProvider
from msgmodel.testing.server import Script
from msgmodel.testing.wires import Wire
from pure import play, stream

COMPLETED = {"type": "response.completed", "response": {"status": "completed"}}
Run = tuple[str, str, str, Any, str | None]
"""Id, name, status, input, output."""


def place(kind: str, index: int, item: Any) -> Any:
    return {"type": f"response.output_item.{kind}", "output_index": index, "item": item}


def runs(events: list[Any]) -> list[Run]:
    shown = [event for event in events if event["event"] == "panel_tool_run"]
    return [(run["id"], run["name"], run["status"], run["input"], run["output"]) for run in shown]


SEARCH = {"type": "search", "query": "tides", "queries": ["tides"]}
RESPONSES: dict[str, tuple[dict[str, Any], Run]] = {
    "web search": (
        {"type": "web_search_call", "id": "ws", "status": "completed", "action": SEARCH},
        ("ws", "web_search", "done", SEARCH, None),
    ),
    "file search": (
        {
            "type": "file_search_call",
            "id": "fs",
            "status": "completed",
            "queries": ["tides"],
            "results": [{"filename": "tides.txt", "text": "Twice a day.", "score": 0.9}],
        },
        ("fs", "file_search", "done", ["tides"], "Twice a day."),
    ),
    "code": (
        {
            "type": "code_interpreter_call",
            "id": "ci",
            "status": "completed",
            "code": "print(1)",
            "container_id": "cntr_1",
            "outputs": [{"type": "logs", "logs": "1"}],
        },
        ("ci", "code_interpreter", "done", "print(1)", "1"),
    ),
    "remote tool": (
        {"type": "mcp_call", "id": "m", "server_label": "maps", "name": "route", "arguments": "{}", "output": "North"},
        ("m", "maps.route", "done", {}, "North"),
    ),
    "failed remote tool": (
        {
            "type": "mcp_call",
            "id": "m",
            "server_label": "maps",
            "name": "route",
            "arguments": '{"to": "x"}',
            "error": {"type": "http_error", "code": 500, "message": "no map"},
        },
        ("m", "maps.route", "failed", {"to": "x"}, "no map"),
    ),
    "failed picture": (
        {"type": "image_generation_call", "id": "ig", "status": "failed", "error": {"message": "not that"}},
        ("ig", "image_generation", "failed", None, "not that"),
    ),
}


@pytest.mark.parametrize("name", RESPONSES)
def test_a_tool_of_responses(provider: ScriptedProvider, name: str) -> None:
    item, (id, tool, status, asked, output) = RESPONSES[name]
    begun = {key: value for key, value in item.items() if key in ("type", "id", "server_label", "name")}
    text = {"type": "response.output_text.delta", "output_index": 1, "delta": "High water."}
    data = stream(place("added", 0, begun | {"status": "in_progress"}), place("done", 0, item), text, COMPLETED)
    events = play("openai_responses", [data])
    assert [run[:3] for run in runs(events)] == [(id, tool, "started"), (id, tool, status)]
    assert runs(events)[-1] == (id, tool, status, asked, output)
    (told,) = events[-1]["tool_runs"]
    assert told == dict(zip(("id", "name", "status", "input", "output"), runs(events)[-1], strict=True))
    assert (events[-1]["status"], events[-1]["untold"]) == ("complete", [])
    provider.say(Script.body(data), "ok")
    chat = Conversation("openai", config=provider.config("openai_responses"))
    chat.query("When?")
    chat.query("Why?")
    assert item in provider.requests[-1].json["input"], "it goes back as it came"


def anthropic_blocks(*blocks: Any) -> bytes:
    events: list[Any] = []
    for index, block in enumerate(blocks):
        events += [
            {"type": "content_block_start", "index": index, "content_block": block},
            {"type": "content_block_stop", "index": index},
        ]
    return stream(*events, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, {"type": "message_stop"})


def use(name: str, asked: Any, **fields: Any) -> Any:
    return {"type": "server_tool_use", "id": "s", "name": name, "input": asked} | fields


def result(kind: str, content: Any, **fields: Any) -> Any:
    return {"type": f"{kind}_tool_result", "tool_use_id": "s", "content": content} | fields


PAGE = {"type": "web_search_result", "url": "https://a", "title": "A", "encrypted_content": "x"}
ANTHROPIC: dict[str, tuple[Any, Any, Run]] = {
    "search": (
        use("web_search", {"query": "tides"}),
        result("web_search", [PAGE]),
        ("s", "web_search", "done", {"query": "tides"}, "A https://a"),
    ),
    "failed search": (
        use("web_search", {"query": "tides"}),
        result("web_search", {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"}),
        ("s", "web_search", "failed", {"query": "tides"}, "max_uses_exceeded"),
    ),
    "code": (
        use("bash_code_execution", {"command": "ls"}),
        result(
            "bash_code_execution",
            {"type": "bash_code_execution_result", "stdout": "a", "stderr": "", "return_code": 0, "content": []},
        ),
        ("s", "bash_code_execution", "done", {"command": "ls"}, "a"),
    ),
    "failed code": (
        use("bash_code_execution", {"command": "ls x"}),
        result("bash_code_execution", {"stdout": "", "stderr": "no x", "return_code": 2, "content": []}),
        ("s", "bash_code_execution", "failed", {"command": "ls x"}, "no x"),
    ),
    "remote tool": (
        use("route", {"to": "x"}, type="mcp_tool_use", server_name="maps"),
        {"type": "mcp_tool_result", "tool_use_id": "s", "is_error": False, "content": [{"type": "text", "text": "N"}]},
        ("s", "maps.route", "done", {"to": "x"}, "N"),
    ),
}


@pytest.mark.parametrize("name", ANTHROPIC)
def test_a_tool_of_anthropic(provider: ScriptedProvider, name: str) -> None:
    asked, answered, expected = ANTHROPIC[name]
    data = anthropic_blocks({"type": "text", "text": "I look."}, asked, answered, {"type": "text", "text": "High."})
    events = play("anthropic", [data])
    assert runs(events) == [(*expected[:2], "started", expected[3], None), expected]
    assert (events[-1]["content"], events[-1]["untold"]) == ("I look.\n\nHigh.", [])
    blocks = [event.get("block") for event in events if event["event"] == "panel_delta"]
    assert blocks == [None, 1]
    provider.say(Script.body(data), "ok")
    chat = Conversation("anthropic", config=provider.config("anthropic"))
    chat.query("When?")
    chat.query("Why?")
    sent = provider.requests[-1].json["messages"][1]["content"]
    assert sent == [{"type": "text", "text": "I look."}, asked, answered, {"type": "text", "text": "High."}]


def test_a_citation_of_a_search_goes_back_with_its_words(provider: ScriptedProvider) -> None:
    """Without `encrypted_index`, Claude can't cite what it found in the next turn; other citations stay out."""
    cited = {"type": "web_search_result_location", "url": "https://a", "title": "A", "cited_text": "x"}
    kept = [{**cited, "encrypted_index": f"e{number}"} for number in range(3)]
    place = {"type": "char_location", "document_title": "D", "cited_text": "y", "file_id": "f"}
    said = [
        {"type": "text", "text": "High", "citations": [{**kept[0], "extra": 1}, place]},
        {"type": "text", "text": " and low", "citations": kept[1:]},
        {"type": "text", "text": ", it says.", "citations": [place]},
    ]
    found = [use("web_search", {"query": "tides"}), result("web_search", [PAGE])]
    data = anthropic_blocks(*found, *said)
    last = play("anthropic", [data])[-1]
    assert (last["content"], len(last["sources"])) == ("High and low, it says.", 4)
    provider.say(Script.body(data), "ok")
    chat = Conversation("anthropic", config=provider.config("anthropic"))
    chat.query("When?")
    chat.query("Why?")
    assert provider.requests[-1].json["messages"][1]["content"] == [
        *found,
        {"type": "text", "text": "High", "citations": kept[:1]},
        {"type": "text", "text": " and low", "citations": kept[1:]},
        {"type": "text", "text": ", it says."},
    ]
    other = Conversation("openai", config=provider.config("openai"), messages=chat.messages)
    other.query("And?")
    assert b"encrypted_index" not in provider.requests[-1].body


def test_a_file_that_code_made() -> None:
    made = {"type": "code_execution_result", "stdout": "", "return_code": 0, "content": [{"file_id": "file_1"}]}
    events = play("anthropic", [anthropic_blocks(use("code_execution", {"code": "x"}), result("code_execution", made))])
    (part,) = [event for event in events if event["event"] == "panel_part"]
    assert (part["kind"], part["file_id"], part["size"], part["complete"]) == ("file", "file_1", None, True)
    assert "empty" not in events[-1]


def test_a_turn_that_is_whole_in_its_first_event(provider: ScriptedProvider) -> None:
    """Anthropic answers a call from a program like this, and the container has the files of the program."""
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1}, "caller": {"type": "code", "tool_id": "s"}}
    message = {"content": [call], "stop_reason": "tool_use", "container": {"id": "container_1", "expires_at": "later"}}
    data = stream({"type": "message_start", "message": message}, {"type": "message_stop"})
    last = play("anthropic", [data])[-1]
    assert (last["status"], [call["arguments_json"] for call in last["tool_calls"]]) == ("tool_calls", [{"x": 1}])
    provider.say(Script.body(data), "ok")
    chat = Conversation("anthropic", config=provider.config("anthropic"))
    chat.query("hi")
    chat.add_tool_result("t", "2")
    chat.query()
    sent = provider.requests[-1].json
    assert (sent["container"], sent["messages"][1]["content"]) == ("container_1", [call])


@pytest.mark.parametrize("wire", ["openai_responses", "anthropic"])
def test_a_result_is_shown_in_short(wire: Wire) -> None:
    long = "x" * 1_000_000
    if wire == "anthropic":
        code = result("code_execution", {"stdout": long, "return_code": 0})
        data = anthropic_blocks(use("code_execution", {}), code)
    else:
        item = {"type": "code_interpreter_call", "id": "s", "code": "x", "outputs": [{"type": "logs", "logs": long}]}
        data = stream(place("done", 0, item), COMPLETED)
    (run,) = play(wire, [data])[-1]["tool_runs"]
    assert (len(run["output"]), run["output"][-1]) == (2000, "…")


# --- Chat Completions ---


def test_groq_tools_come_twice_and_make_one_run() -> None:
    """https://console.groq.com/docs/compound: first without the output. What they found are sources."""
    tool = {"index": 0, "type": "search", "arguments": '{"query": "tides"}', "search_results": {"results": []}}
    result = {"title": "Tides", "url": "https://example.test/t", "content": "Twice a day.", "score": 0.9}
    done = tool | {"output": "Title: Tides", "search_results": {"results": [result]}}
    deltas: list[Any] = [{"executed_tools": [tool]}, {"executed_tools": [done]}, {"content": "Twice."}]
    events = ended(*map(chunk, deltas))
    assert runs(events) == [
        ("executed_tools-0", "search", "started", {"query": "tides"}, None),
        ("executed_tools-0", "search", "done", {"query": "tides"}, "Title: Tides"),
    ]
    assert events[-1]["sources"] == [
        {"url": "https://example.test/t", "title": "Tides", "text": "Twice a day.", "score": 0.9}
    ]
    assert events[-1]["untold"] == []


def test_steps_of_perplexity() -> None:
    step = {"thought": "I search.", "type": "web_search", "web_search": {"search_keywords": ["tides"]}}
    code = {"thought": "I compute.", "execute_python": {"code": "1+1", "result": "2"}}
    events = ended(chunk({"reasoning_steps": [step]}), chunk({"reasoning_steps": [code]}), chunk({"content": "Hi"}))
    assert runs(events) == [
        ("reasoning_steps-0-web_search", "web_search", "done", {"search_keywords": ["tides"]}, None),
        ("reasoning_steps-1-execute_python", "execute_python", "done", {"code": "1+1"}, "2"),
    ]
    assert events[-1]["reasoning"] == "I search.I compute."
