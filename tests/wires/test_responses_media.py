"""Images and files of the Responses API, and the places of its citations."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from msgmodel import Conversation
from msgmodel.testing import ScriptedProvider
from msgmodel.testing.server import Script
from pure import play, stream

COMPLETED = {"type": "response.completed", "response": {"status": "completed"}}
PICTURE = b64encode(b"\x89PNG picture").decode()
PREVIEW = b64encode(b"\x89PNG preview").decode()
ITEM = {
    "type": "image_generation_call",
    "id": "ig_1",
    "status": "generating",  # as in two of four recordings whose picture was whole
    "output_format": "webp",
    "revised_prompt": "A blue whale",
    "result": PICTURE,
}


def done(index: int, item: Any) -> Any:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def image_stream() -> bytes:
    partial = {
        "type": "response.image_generation_call.partial_image",
        "output_index": 0,
        "partial_image_b64": PREVIEW,
        "partial_image_index": 0,
        "output_format": "png",
    }
    return stream(partial, done(0, ITEM), COMPLETED)


def test_an_image_and_its_preview() -> None:
    preview, run, picture, last = play("openai_responses", [image_stream()])
    assert preview == {
        "event": "panel_part",
        "panel_id": "p",
        "id": preview["id"],
        "kind": "image",
        "media_type": "image/png",
        "size": 12,
        "complete": False,
        "data": PREVIEW,
    }
    assert picture == {
        "event": "panel_part",
        "panel_id": "p",
        "id": preview["id"],
        "kind": "image",
        "media_type": "image/webp",
        "size": 12,
        "complete": True,
        "data": PICTURE,
        "text": "A blue whale",
    }
    assert run["status"] == "done"
    (part,) = last["message"]["content"]
    assert (part["type"], part["data"], part["media_type"]) == ("media", PICTURE, "image/webp")
    assert (last["status"], "empty" in last, last["content"]) == ("complete", False, "")
    assert json.dumps(last).count(PICTURE) == 1


def test_an_image_goes_back_as_it_was(provider: ScriptedProvider) -> None:
    provider.say(Script.body(image_stream()), "ok", "ok")
    chat = Conversation("openai", config=provider.config("openai_responses"))
    chat.query("Draw a whale")
    chat = Conversation.from_json(chat.to_json(), config=provider.config("openai_responses"))
    chat.query("Bluer")
    assert provider.requests[-1].json["input"][1] == ITEM


def test_a_preview_of_a_stream_that_broke() -> None:
    preview, last = play("openai_responses", [image_stream().partition(b"\n\n")[0] + b"\n\n"])
    assert (preview["complete"], last["code"]) == (False, "interrupted")


def test_a_picture_that_failed_is_told() -> None:
    item = {"type": "image_generation_call", "id": "ig", "status": "failed", "error": {"message": "not allowed"}}
    run, last = play("openai_responses", [stream(done(0, item), COMPLETED)])
    assert (run["status"], run["output"], last["empty"]) == ("failed", "not allowed", True)


def test_files_and_citations_have_their_places() -> None:
    def text(index: int, piece: str) -> Any:
        return {"type": "response.output_text.delta", "output_index": index, "content_index": 0, "delta": piece}

    def note(index: int, /, **fields: Any) -> Any:
        added = "response.output_text.annotation.added"
        return {"type": added, "output_index": index, "content_index": 0, "annotation": fields}

    events = play(
        "openai_responses",
        [
            stream(
                text(0, "I look."),
                done(0, {"type": "message", "content": []}),
                text(1, "The sea "),
                text(1, "[rises](https://a)."),
                note(1, type="url_citation", url="https://a", title="A", start_index=8, end_index=26),
                note(1, type="file_citation", file_id="file_1", filename="a.pdf", index=7),
                note(
                    1, type="container_file_citation", file_id="cfile_1", filename="p.png", start_index=0, end_index=0
                ),
                COMPLETED,
            )
        ],
    )
    last = events[-1]
    assert last["content"] == "I look.\n\nThe sea [rises](https://a)."
    link, file, made = last["sources"]
    assert last["content"][link["start"] : link["end"]] == "[rises](https://a)"
    assert last["content"][: file["start"]] == "I look.\n\nThe sea"
    assert "start" not in made
    (part,) = [event for event in events if event["event"] == "panel_part"]
    assert (part["file_id"], part["name"]) == ("cfile_1", "p.png")
    assert last["untold"] == []


def test_a_delta_of_an_unknown_kind_is_named() -> None:
    delta = {"type": "response.hologram.delta", "output_index": 0, "delta": "x"}
    last = play("openai_responses", [stream(delta, COMPLETED)])[-1]
    assert (last["untold"], last["status"]) == (["response.hologram.delta"], "unknown")


def test_log_probabilities_leave_the_fast_lane() -> None:
    def piece(text: str, *found: Any) -> Any:
        return {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": text} | {
            "logprobs": [*found]
        }

    a, b = {"token": "a", "logprob": -0.1}, {"token": "b", "logprob": -0.2}
    pieces = [piece("x"), piece("a", a), piece("y"), piece("b", b)]
    last = play("openai_responses", [stream(*pieces[:2]), stream(*pieces[2:], COMPLETED)])[-1]
    assert (last["content"], last["details"]) == ("xayb", {"logprobs": [a, b]})
