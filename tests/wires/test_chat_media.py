"""Images, audio and files in a reply of Chat Completions: shown, kept, and sent back if the wire takes them."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest
from chat_streams import COUNTED, DONE, chunk, ended, lines, of_kind

from msgmodel import query
from msgmodel.testing import ScriptedProvider
from msgmodel.wires.base64_pieces import Base64Pieces
from pure import play

PNG = "iVBORw0KGgo="
DATA_URL = f"data:image/png;base64,{PNG}"
PICTURE = {
    "id": "0:part1",
    "kind": "image",
    "media_type": "image/png",
    "size": 8,
    "complete": True,
    "data": PNG,
}


@pytest.mark.parametrize(
    ("delta", "part"),
    [
        pytest.param(
            {"content": "", "images": [{"type": "image_url", "image_url": {"url": DATA_URL}}]}, PICTURE, id="OpenRouter"
        ),
        pytest.param(
            {"content": [{"type": "image_url", "image_url": {"url": DATA_URL}}]}, PICTURE, id="in the content"
        ),
        pytest.param({"content": [{"type": "image_url", "image_url": DATA_URL}]}, PICTURE, id="Mistral"),
        pytest.param(
            {"images": [{"image_url": {"url": "https://example.test/a.png"}}]},
            {
                "id": "0:part1",
                "kind": "image",
                "media_type": None,
                "size": None,
                "complete": True,
                "url": "https://example.test/a.png",
            },
            id="an address",
        ),
        pytest.param(
            {"content": [{"type": "document_url", "document_url": "https://example.test/a", "document_name": "A"}]},
            {
                "id": "0:part1",
                "kind": "document",
                "media_type": None,
                "size": None,
                "complete": True,
                "url": "https://example.test/a",
                "name": "A",
            },
            id="a document",
        ),
        pytest.param(
            {"content": [{"type": "tool_file", "tool": "code", "file_id": "f1", "file_name": "plot.png"}]},
            {
                "id": "0:part1",
                "kind": "file",
                "media_type": None,
                "size": None,
                "complete": True,
                "file_id": "f1",
                "name": "plot.png",
            },
            id="a file of a tool",
        ),
    ],
)
def test_parts(delta: Any, part: Any) -> None:
    events = ended(chunk(delta), chunk({"content": "Here."}))
    assert of_kind(events, "panel_part") == [part]
    last = events[-1]
    assert (last["status"], last["content"], last["untold"], "empty" in last) == ("complete", "Here.", [], False)
    (kept, _) = last["message"]["content"]
    assert kept == {"type": "media"} | {name: part[name] for name in part if name not in ("size", "complete")}


def test_a_picture_alone_is_no_empty_reply() -> None:
    last = ended(chunk({"images": [{"image_url": {"url": DATA_URL}}]}))[-1]
    assert (last["status"], last["content"], "empty" in last) == ("complete", "", False)


def test_pictures_of_a_search_come_once() -> None:
    """Perplexity repeats the list in every chunk."""
    found = {"images": [{"image_url": "https://example.test/a.png", "origin_url": "https://a.test", "title": "A"}]}
    events = ended(*(chunk({"content": word}) | found for word in ("one", "two")))
    (part,) = of_kind(events, "panel_part")
    assert (part["url"], part["name"]) == ("https://example.test/a.png", "A")


# --- audio ---


def audio(**fields: Any) -> Any:
    return chunk({"audio": fields})


def spoken(expires_at: float) -> list[Any]:
    return [
        chunk({"role": "assistant", "refusal": None}),
        audio(id="audio_1", transcript="Hel"),
        audio(data="AAEC"),
        audio(data="AwQ=", transcript="lo"),
        audio(data="BQ=="),
        COUNTED,
        audio(expires_at=expires_at),
    ]


def test_audio() -> None:
    """OpenAI's audio models send no finish reason, so how the reply ended is unknown; but it is all there."""
    events = play("openai_chat", [*lines(*spoken(1_000)), DONE])
    (part,) = of_kind(events, "panel_part")
    assert part == {
        "id": "0:audio",
        "kind": "audio",
        "media_type": None,
        "size": 6,
        "complete": True,
        "data": base64.b64encode(bytes(range(6))).decode(),
        "text": "Hello",
    }
    last = events[-1]
    assert (last["event"], last["status"], last["finish_reason"]) == ("panel_final", "unknown", None)
    assert last["untold"] == []
    (kept,) = last["message"]["content"]
    assert kept["opaque"]["data"] == {"audio": {"id": "audio_1", "expires_at": 1_000}}


def test_audio_that_breaks_off_is_kept() -> None:
    events = play("openai_chat", lines(*spoken(1_000)[:4]))
    (part,) = of_kind(events, "panel_part")
    assert (part["complete"], part["data"], part["text"]) == (
        False,
        "AAEC",
        "Hello",
    )
    assert events[-1]["code"] == "interrupted"


@pytest.mark.parametrize(
    ("seconds", "sent"),
    [
        pytest.param(3_600, {"role": "assistant", "content": None, "audio": {"id": "audio_1"}}, id="by its id"),
        pytest.param(-1, {"role": "assistant", "content": "[audio: Hello]"}, id="in words once it has expired"),
    ],
)
def test_audio_goes_back(seconds: float, sent: Any) -> None:
    events = play("openai_chat", [*lines(*spoken(time.time() + seconds)), DONE])
    message = events[-1]["message"]
    with ScriptedProvider() as provider:
        provider.say("ok")
        message["content"][0]["opaque"]["host"] = "127.0.0.1"
        asked: Any = [{"role": "user", "content": "hi"}, message]
        query("openai", "again", messages=asked, config=provider.config("openai"))
        assert provider.requests[-1].json["messages"][1] == sent


def test_base64_in_any_pieces() -> None:
    data = bytes(range(50))
    text = base64.b64encode(data).decode()
    for size in (1, 2, 3, 4, 5, 7, 100):
        pieces = Base64Pieces()
        cut = [text[at : at + size] for at in range(0, len(text), size)]
        by_itself = [base64.b64encode(data[at : at + size]).decode() for at in range(0, len(data), size)]
        for given in (cut, by_itself):
            found = [pieces.add(piece) for piece in given]
            assert "".join((*found, pieces.take_rest())) == text
            assert all(len(piece) % 4 == 0 and "=" not in piece for piece in found[:-1])


# --- what has no place ---


@pytest.mark.parametrize(
    ("delta", "kinds"),
    [
        ({"content": [{"type": "hologram", "hologram": {"shape": "cube"}}]}, ["hologram"]),
        ({"holograms": [{"shape": "cube"}]}, ["holograms"]),
        ({"hologram": "cube"}, ["hologram"]),
        ({"holograms": {"shape": None, "sizes": [], "count": 3}}, []),
        ({"content": "", "token_id": 5, "channel": "final", "provider_metadata": {"a": "b"}, "speed": 3.5}, []),
    ],
)
def test_untold(delta: Any, kinds: list[str]) -> None:
    alone = ended(chunk(delta))[-1]
    assert (alone["untold"], alone["status"]) == (kinds, "unknown" if kinds else "complete")
    beside = ended(chunk({"content": "Hi"}), chunk(delta))[-1]
    assert (beside["untold"], beside["status"], beside["content"]) == (kinds, "complete", "Hi")


def test_a_second_choice_is_named() -> None:
    other = {"id": "c", "choices": [{"index": 1, "delta": {"content": "Ho"}, "finish_reason": "stop"}]}
    last = ended(chunk({"content": "Hi"}), other)[-1]
    assert (last["content"], last["untold"]) == ("Hi", ["choice"])
    other["choices"][0]["delta"] = {}
    assert ended(chunk({"content": "Hi"}), other)[-1]["untold"] == []


# --- the fast lane ---

ADDED = {
    "delta": {
        "audio": {"data": "AAEC"},
        "images": [{"image_url": {"url": DATA_URL}}],
        "executed_tools": [{"index": 0, "type": "search", "arguments": "{}"}],
        "annotations": [{"type": "url_citation", "url_citation": {"url": "https://example.test"}}],
        "reasoning_content": "hm",
        "reasoning": "hm",
        "reasoning_text": "hm",
        "reasoning_details": [{"type": "reasoning.text", "text": "hm"}],
        "reasoning_opaque": "sealed",
        "reasoning_steps": [{"thought": "hm"}],
        "refusal": "no",
        "tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}],
        "function_call": {"name": "f", "arguments": "{}"},
        "hologram": "cube",
    },
    "choice": {
        "text": "more",
        "logprobs": {"content": [{"token": "x", "logprob": -1.0}]},
        "content_filter_results": {"hate": {"filtered": False, "severity": "low"}},
        "stop_reason": "END",
        "matched_stop": "END",
        "hologram": {"shape": "cube"},
    },
    "chunk": {
        "citations": ["https://example.test"],
        "search_results": [{"url": "https://example.test"}],
        "images": [{"image_url": "https://example.test/a.png"}],
        "related_questions": ["Why?"],
        "moderation": {"input": {"flagged": False}},
        "prompt_filter_results": [{"prompt_index": 0}],
        "cost": {"usd": 1},
    },
}


@pytest.mark.parametrize(("where", "name"), [(where, name) for where, fields in ADDED.items() for name in fields])
def test_the_fast_lane_swallows_nothing(where: str, name: str) -> None:
    """A field that a plain chunk has in addition comes out of the fourth chunk as it does out of the first."""
    value = ADDED[where][name]
    special = chunk({"content": "x"})
    {"delta": special["choices"][0]["delta"], "choice": special["choices"][0], "chunk": special}[where][name] = value
    plain = [chunk({"content": letter}) for letter in "abc"]

    def seen(*chunks: Any) -> Any:
        *events, last = ended(*chunks)
        kept = {key: last[key] for key in ("untold", "cost", "content") if key in last}
        parts = last["message"]["content"] if isinstance(last["message"]["content"], list) else []
        kept["details"], kept["opaque"] = last.get("details"), [part["opaque"] for part in parts if "opaque" in part]
        return [event for event in events if event["event"] != "panel_delta"], kept

    late, early = seen(*plain, special), seen(special)
    late[1]["content"] = late[1]["content"].removeprefix("abc").lstrip()  # a block of its own after a tool
    assert late == early
    assert seen(chunk({"content": "x"})) != early or name == "text"
