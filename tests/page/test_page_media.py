"""Images, sounds, files, tools and approvals on the chat page, in a real browser: see `test_page`."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_page import (
    CHROMIUM,
    FOLDER,
    PIXEL,
    Asked,
    Window,
    asks,
    browser,
    choose,
    ends,
    environment,
    expect,
    faults,
    import_turn,
    last,
    module_provider,
    opened,
    page,
    provider,
    shot,
    window,
)

from msgmodel.testing import ScriptedProvider
from msgmodel.testing.server import Script
from serving import Serving

__all__ = ["browser", "environment", "module_provider", "opened", "page", "provider", "window"]

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"),
    pytest.mark.skipif(not (FOLDER / "index.html").is_file(), reason="the page is not built: make web"),
]

COMPLETED = {"type": "response.completed", "response": {"status": "completed"}}
ATTACK = "<img src=x onerror=attacked('media')>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>parent.attacked("svg")</script></svg>'
SOUND = b"RIFF" + struct.pack("<I", 38) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000, 1, 8)
SOUND += b"data" + struct.pack("<I", 2) + b"\x80\x80"


@pytest.fixture(scope="module")
def site(module_provider: ScriptedProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server that asks OpenAI by the Responses API, which has approvals, and Gemini."""
    address = module_provider.environment()["OPENAI_BASE_URL"] + "/responses"
    options = ("--provider", "openai", "--provider", "gemini")
    with Serving(tmp_path_factory.mktemp("site"), module_provider, *options, OPENAI_BASE_URL=address) as server:
        yield server


def body(*events: Any) -> Script:
    return Script.body(b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in (*events, COMPLETED)))


def done(index: int, item: Any) -> Any:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def picture(index: int, data: bytes = PIXEL, kind: str = "png", prompt: str = "A small dot") -> Any:
    result = base64.b64encode(data).decode()
    item = {"type": "image_generation_call", "id": f"ig_{index}", "output_format": kind, "revised_prompt": prompt}
    return done(index, {**item, "result": result})


def text(piece: str) -> Any:
    return {"type": "response.output_text.delta", "output_index": 9, "content_index": 0, "delta": piece}


def approval(index: int, id: str, name: str = "erase") -> Any:
    item = {"type": "mcp_approval_request", "id": id, "server_label": "files", "name": name}
    return done(index, {**item, "arguments": '{"path": "/"}'})


def gemini(*parts: Any) -> Script:
    chunk = {"candidates": [{"content": {"parts": list(parts), "role": "model"}, "finishReason": "STOP"}]}
    return Script.body(b"data: %b\r\n\r\n" % json.dumps(chunk).encode())


def inline(media_type: str, data: bytes) -> Any:
    return {"inlineData": {"mimeType": media_type, "data": base64.b64encode(data).decode()}}


def save(page: Any, part: Any) -> tuple[str, bytes]:
    with page.expect_download() as started:
        part.get_by_test_id("save-part").click()
    return started.value.suggested_filename, Path(started.value.path()).read_bytes()


def test_an_image_is_shown_enlarged_saved_and_kept(page: Any, provider: Asked) -> None:
    provider.say(body(picture(0)))
    reply = asks(page, "Draw a dot")
    image = reply.get_by_role("img", name="A small dot")
    expect(image).to_be_visible()
    assert image.evaluate("node => node.naturalWidth") == 1
    button = reply.get_by_test_id("picture")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    assert save(page, reply.get_by_test_id("part")) == ("image-1.png", PIXEL)
    ends(reply, "complete")
    assert faults(page) == []
    shot(page, "image")
    page.reload()
    expect(last(page).get_by_role("img", name="A small dot")).to_be_visible()
    provider.say("Bluer.")
    provider.say(body(text("Bluer.")))
    asks(page, "Bluer")
    sent = provider.requests[-1].json["input"]
    assert [item["type"] for item in sent if "type" in item and item["type"] != "message"] == ["image_generation_call"]


def test_audio_and_files(page: Any, provider: Asked) -> None:
    provider.say(gemini({"text": "Listen."}, inline("audio/wav", SOUND), inline("application/pdf", b"%PDF")))
    choose(page, "gemini")
    reply = asks(page, "Say it")
    sound, paper = reply.get_by_test_id("part").all()
    player = sound.locator("audio")
    expect(player).to_be_visible()
    page.wait_for_function("document.querySelector('audio').readyState > 0")  # the policy lets it be read
    expect(paper).to_contain_text("4 B")
    assert save(page, paper)[1] == b"%PDF"
    assert faults(page) == []


@pytest.mark.parametrize("media_type", ["text/html", "image/svg+xml", "text/xml", ATTACK, "image/png;x=" + ATTACK])
def test_a_hostile_part_is_never_run(window: Window, provider: Asked, media_type: str) -> None:
    content = SVG if "svg" in media_type else f"<script>parent.attacked('html')</script>{ATTACK}".encode()
    provider.say(gemini({"text": "Here."}, inline(media_type, content)))
    choose(window.page, "gemini")
    reply = asks(window.page, "Attack")
    part = reply.get_by_test_id("part")
    expect(part.locator("figure")).to_have_attribute("data-shape", "image" if "svg" in media_type else "file")
    assert part.locator("iframe, object, embed, script, svg:not(.icon)").count() == 0
    if "svg" in media_type:
        part.get_by_test_id("picture").click()
    else:
        name, saved = save(window.page, part)
        assert (name.rpartition(".")[2], saved) == ("bin", content)
    assert len(window.context.pages) == 1


def test_names_and_inputs_that_attack(page: Any, provider: Asked) -> None:
    note = {"type": "container_file_citation", "file_id": ATTACK, "filename": f"../\u202egpj.{ATTACK}"}
    added = {"type": "response.output_text.annotation.added", "output_index": 9, "content_index": 0, "annotation": note}
    code = {"type": "code_interpreter_call", "id": "c", "code": ATTACK, "outputs": [{"type": "logs", "logs": ATTACK}]}
    tool = {"type": "mcp_call", "id": "m", "server_label": ATTACK, "name": ATTACK, "arguments": f'"{ATTACK}"'}
    provider.say(
        body(picture(0, prompt=ATTACK), done(1, code), done(2, tool), approval(3, "a", ATTACK), text("Hi"), added)
    )
    reply = asks(page, "Attack", "waiting")
    for run in reply.get_by_test_id("tool-run").all():
        if run.locator("summary").count():
            run.locator("summary").click()
    expect(reply.get_by_text("attacked('media')").first).to_be_visible()
    assert reply.locator("img").count() == 1
    assert "\u202e" not in reply.inner_text()
    assert reply.locator("[onerror]").count() == 0


def test_tools_of_the_provider(page: Any, provider: Asked) -> None:
    code = {"type": "code_interpreter_call", "id": "c", "code": "print(6 * 7)"}
    logs = {**code, "outputs": [{"type": "logs", "logs": "42"}]}
    failed = {"type": "mcp_call", "id": "m", "server_label": "maps", "name": "route", "error": {"message": "no map"}}
    begun = {"type": "response.output_item.added", "output_index": 2, "item": {"type": "web_search_call", "id": "w"}}
    provider.say(body(done(0, logs), done(1, failed), begun, text("It is 42."), done(3, {"type": "hologram"})))
    reply = asks(page, "6 * 7?")
    runs = reply.get_by_test_id("tool-run")
    expect(runs).to_have_text(
        [
            "OpenAI ran codeprint(6 * 7)42",
            "OpenAI ran maps.route, and failedno map",
            "OpenAI searched the web, and did not finish",
        ]
    )
    expect(runs.first.locator("pre").first).to_be_hidden()
    runs.first.locator("summary").click()
    expect(runs.first.get_by_text("print(6 * 7)")).to_be_visible()
    expect(reply.get_by_test_id("untold")).to_have_text("Something came that we can't show: hologram.")
    assert faults(page) == []
    shot(page, "tools")


def test_an_empty_reply_says_so(page: Any, provider: Asked) -> None:
    provider.say(body())
    reply = asks(page, "Hi", "empty")
    expect(reply.get_by_test_id("badge")).to_have_text("Empty. The model ended without a word.")


@pytest.mark.parametrize(("button", "approve", "aside"), [("approve", True, "approved"), ("deny", False, "denied")])
def test_an_approval(page: Any, provider: Asked, button: str, approve: bool, aside: str) -> None:
    provider.say(body(text("May I?"), approval(0, "mcpr_1")), body(text("Well.")), body(text("Bye.")))
    reply = asks(page, "Clean up", "waiting")
    card = reply.get_by_test_id("approvals")
    expect(card).to_contain_text("erase")
    expect(card).to_contain_text("files")
    expect(reply.get_by_test_id("tool-call")).to_have_count(0)
    assert faults(page) == []
    shot(page, "approval")
    reply.get_by_test_id(button).click()
    ends(last(page), "complete")
    expect(last(page)).to_contain_text("Well.")
    expect(page.get_by_text(f"You {aside} 1")).to_be_visible()
    expect(page.get_by_test_id("approvals")).to_have_count(0)
    asks(page, "Thanks")
    answers = [
        [item for item in request.json["input"] if item.get("type") == "mcp_approval_response"]
        for request in provider.requests
    ]
    answer = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": approve}
    assert answers == [[], [answer], [answer]], "it stays in the history"


def test_two_approvals_are_answered_together(page: Any, provider: Asked) -> None:
    provider.say(body(approval(0, "a", "one"), approval(1, "b", "two")), body(text("Well.")))
    reply = asks(page, "Clean up", "waiting")
    reply.get_by_test_id("approve").first.click()
    assert len(provider.requests) == 1
    reply.get_by_test_id("deny").last.click()
    expect(last(page)).to_contain_text("Well.")
    sent = [item for item in provider.requests[-1].json["input"] if item.get("type") == "mcp_approval_response"]
    assert [(item["approval_request_id"], item["approve"]) for item in sent] == [("a", True), ("b", False)]


def test_other_kinds_of_calls_say_what_is_waited_for(page: Any, provider: Asked) -> None:
    shell = {"type": "local_shell_call", "id": "l", "call_id": "c", "action": {"command": ["ls"]}}
    provider.say(body(done(0, shell)), body(text("Bye.")))
    reply = asks(page, "List", "waiting")
    expect(reply.get_by_test_id("tool-call")).to_contain_text("waits for commands in a shell")
    expect(reply.get_by_test_id("approvals")).to_have_count(0)
    asks(page, "Never mind")


def test_an_imported_file_with_parts_can_not_break_the_page(page: Any) -> None:
    hostile = [None, {"kind": "hologram"}, {"kind": "image", "data": {}, "url": 5, "size": "x", "media_type": []}]
    reply = {"provider": "openai", "content": "Hello", "parts": hostile, "toolRuns": [None, {"status": 5, "input": {}}]}
    calls = [{"id": "a", "name": "x", "kind": "approval", "arguments": "{}", "complete": True}]
    import_turn(page, {"text": "Hi", "kind": "decide", "decisions": [{}], "replies": [{**reply, "toolCalls": calls}]})


def test_what_was_changed_on_the_way(page: Any, provider: Asked) -> None:
    edits = [{"action": "removed", "type": "reasoning"}]
    response = {"status": "completed", "input_transformations": edits}
    ended = {"type": "response.completed", "response": response}
    provider.say(Script.body(b"".join(b"data: %b\n\n" % json.dumps(each).encode() for each in (text("Hi"), ended))))
    expect(asks(page, "Hi").get_by_test_id("warning")).to_have_count(1)
