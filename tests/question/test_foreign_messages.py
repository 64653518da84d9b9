"""Messages as people bring them: in OpenAI's form, with Anthropic's blocks, and with a key that would be lost."""

from __future__ import annotations

import base64
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import msgmodel
from msgmodel import ConfigurationError, FileError
from msgmodel.question import foreign_messages, history, past_turns
from msgmodel.testing import ScriptedProvider

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
IMAGE = base64.b64encode(PNG).decode()
DATA_URL = f"data:image/png;base64,{IMAGE}"
HI = {"role": "user", "content": "hi"}


def sent(wire: str, messages: Any, **fields: Any) -> Any:
    """Return the body that is sent for a history."""
    with ScriptedProvider() as provider:
        name = wire if wire in ("anthropic", "gemini", "ollama") else "openai"
        model = "m" if wire == "ollama" else None
        msgmodel.query(name, "now", config=provider.config(wire), messages=messages, model=model, **fields)
        return provider.requests[-1].json


# --- keys that would be lost ---


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([{"role": "user", "contnet": "hi"}], r"messages\[0\]: .* no key 'contnet': did you mean 'content'\?"),
        ([HI | {"files": ["a.pdf"]}], r"no key 'files': files stand in content"),
        ([HI | {"flies": ["a.pdf"]}], r"no key 'flies': the keys are content, id, role"),
        ([HI | {"partial": True}], "no key 'partial'"),
        ([HI | {"name": "Ann"}], "no key 'name': .* write it into the content"),
        ([{"role": "assistant", "content": "x", "toolcalls": []}], "did you mean 'tool_calls'"),
        ([{"role": "assistant", "content": "x", "function_call": {"name": "f"}}], "pass it as tool_calls"),
        ([{"role": "user", "content": [{"type": "text", "txt": "x"}]}], r"content\[0\]: .* did you mean 'text'"),
        ([{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {}}]}], "cache_prompt=True"),
        ([{"role": "user", "content": [{"type": "file", "nmae": "a", "data": "eA=="}]}], "did you mean 'name'"),
        ([{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}], "pass its data or its URL"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {"ulr": "x"}}]}], "did you mean 'url'"),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": DATA_URL, "detail": "huge"}}]}],
            "detail must be low, high, original",
        ),
        ([{"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "args": "{}"}}]}], "'arguments'"),
        ([{"role": "assistant", "tool_calls": {}}], "tool_calls must be a list"),
        ([{"role": "assistant", "tool_calls": [5]}], r"tool_calls\[0\]: must be a dict"),
        ([{"role": "user", "content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}]}], "by its id"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": "data:image/png,x"}]}], "base64"),
        ([{"role": "user", "content": [{"type": "file", "url": "ftp://a/b.png"}]}], "must begin with https"),
        ([{"role": "user", "content": [{"type": "file", "url": "https://a/b"}]}], "pass media_type"),
        ([{"role": "user", "content": [{"type": "file", "url": "https://a/b.png", "data": "eA=="}]}], "not both"),
        ([{"role": "user", "content": [{"type": "document", "source": 5}]}], "source must be a dict"),
        ([{"role": "model", "parts": [{"text": "x"}]}], "role must be"),
    ],
)
def test_what_would_be_lost_is_named(messages: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        msgmodel.stream_panels("openai", "hi", "key", messages=messages)


def test_a_key_that_holds_nothing_is_no_error() -> None:
    """A dump of a reply of OpenAI's SDK has these."""
    dumped = {
        "role": "assistant",
        "content": "x",
        "refusal": None,
        "annotations": [],
        "audio": None,
        "tool_calls": None,
    }
    body = sent("openai_chat", [HI, dumped | {"function_call": None}])
    assert body["messages"][1] == {"role": "assistant", "content": "x"}


def test_a_reply_of_anthropic_s_sdk_is_a_message() -> None:
    dumped = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [{"type": "text", "text": "x", "citations": None}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1},
    }
    assert sent("anthropic", [HI, dumped])["messages"][1]["content"] == "x"


# --- the forms of others ---

OPENAI: Any = [
    {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "look"},
            {"type": "image_url", "image_url": {"url": DATA_URL, "detail": "auto"}},
        ],
    },
    {
        "role": "assistant",
        "content": None,
        "reasoning_content": "Hm.",
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}],
    },
    {"role": "tool", "tool_call_id": "c1", "name": "f", "content": [{"type": "text", "text": "done"}]},
    {"role": "assistant", "content": "Good."},
]
ANTHROPIC: Any = [
    {"role": "system", "content": "Be brief."},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "look"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": IMAGE}},
        ],
    },
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
            {"type": "redacted_thinking", "data": "hidden"},
            {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}, "caller": {"type": "direct"}},
        ],
    },
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "done"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "Good."}]},
]


@pytest.mark.parametrize("history", [OPENAI, ANTHROPIC], ids=["openai", "anthropic"])
@pytest.mark.parametrize("wire", ["openai_chat", "openai_responses", "anthropic", "gemini"])
def test_a_history_in_another_form_is_the_same_history(history: Any, wire: str) -> None:
    arguments = {"a": 1} if history is ANTHROPIC else '{"a": 1}'
    own: Any = [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "look"}, {"type": "file", "name": "a.png", "data": PNG}],
        },
        {"role": "assistant", "content": [{"type": "tool_call", "id": "c1", "name": "f", "arguments": arguments}]},
        {"role": "tool", "tool_call_id": "c1", "content": "done"},
        {"role": "assistant", "content": "Good."},
    ]
    body = sent(wire, history)
    if wire == "anthropic" and history is ANTHROPIC:  # that wire alone gets its own blocks back
        thinking = [*ANTHROPIC[2]["content"][:2]]
        assert body["messages"][1]["content"][:2] == thinking
        del body["messages"][1]["content"][:2]
    assert body == sent(wire, own)


def test_other_parts_of_openai() -> None:
    parts = [
        {"type": "input_audio", "input_audio": {"data": base64.b64encode(b"RIFF").decode(), "format": "wav"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
        {"type": "input_text", "text": "what?"},
    ]
    body = sent("openai_chat", [{"role": "user", "content": parts}])
    assert body["messages"][0]["content"] == [
        parts[0],
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
        {"type": "text", "text": "what?"},
        {"type": "text", "text": "now"},
    ]


def test_a_document_of_anthropic() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "some words"}
    parts = [{"type": "document", "source": source, "title": "Notes", "citations": {"enabled": False}}]
    body = sent("anthropic", [{"role": "user", "content": parts}])
    assert body["messages"][0]["content"][0] == {"type": "document", "source": source, "title": "Notes.txt"}


def test_a_refusal_and_a_custom_call_of_openai() -> None:
    custom = {"id": "c1", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}
    history = [
        HI,
        {"role": "assistant", "content": None, "refusal": "No."},
        {"role": "user", "content": "Then this."},
        {"role": "assistant", "content": None, "tool_calls": [custom]},
        {"role": "tool", "tool_call_id": "c1", "content": None},
    ]
    messages = sent("openai_chat", history)["messages"]
    assert messages[1] == {"role": "assistant", "content": "No."}
    assert messages[3]["tool_calls"][0]["function"] == {"name": "sql", "arguments": '{"input":"SELECT 1"}'}
    assert messages[4]["content"] == ""


def test_an_image_with_a_wrong_type_is_sent_with_the_right_one() -> None:
    """Anthropic refuses an image whose bytes are of another format."""
    part = {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": IMAGE}}
    body = sent("anthropic", [{"role": "user", "content": [part]}])
    assert body["messages"][0]["content"][0]["source"]["media_type"] == "image/png"


# --- files by address ---

URL = "https://example.com/a.png?signature=secret"
LINKED: dict[str, Any] = {
    "openai_chat": {"type": "image_url", "image_url": {"url": URL}},
    "openai_responses": {"type": "input_image", "image_url": URL, "detail": "auto"},
    "anthropic": {"type": "image", "source": {"type": "url", "url": URL}},
    "gemini": {"fileData": {"fileUri": URL, "mimeType": "image/png"}},
}


@pytest.mark.parametrize(
    "part",
    [
        {"type": "file", "url": URL},
        {"type": "image_url", "image_url": {"url": URL}},
        {"type": "input_image", "image_url": URL},
        {"type": "image", "source": {"type": "url", "url": URL}},
    ],
)
@pytest.mark.parametrize("wire", LINKED)
def test_an_image_by_its_address(wire: str, part: Any) -> None:
    body = sent(wire, [{"role": "user", "content": [part]}])
    turn = (body.get("messages") or body.get("input") or body["contents"])[0]
    assert (turn.get("content") or turn["parts"])[0] == LINKED[wire]


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        ("openai_responses", {"type": "input_file", "file_url": "https://example.com/a.pdf"}),
        ("anthropic", {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}),
        ("gemini", {"fileData": {"fileUri": "https://example.com/a.pdf", "mimeType": "application/pdf"}}),
    ],
)
def test_a_document_by_its_address(wire: str, expected: Any) -> None:
    body = sent(wire, [{"role": "user", "content": [{"type": "file", "url": "https://example.com/a.pdf"}]}])
    turn = (body.get("messages") or body.get("input") or body["contents"])[0]
    assert (turn.get("content") or turn["parts"])[0] == expected


@pytest.mark.parametrize(
    ("wire", "url"),
    [
        ("openai_chat", "https://example.com/a.pdf?signature=secret"),
        ("anthropic", "https://example.com/a.wav?signature=secret"),
        ("ollama", URL),
    ],
)
def test_an_address_that_is_not_fetched_is_refused(wire: str, url: str) -> None:
    with pytest.raises(
        FileError, match=r"does not fetch a.* from its address: download it and pass its data"
    ) as raised:
        sent(wire, [{"role": "user", "content": [{"type": "file", "url": url}]}])
    assert "secret" not in str(raised.value)


# --- anything at all ---

WORDS = [
    *("type", "role", "content", "text", "id", "name", "arguments", "tool_calls", "tool_call_id", "opaque", "source"),
    *("image_url", "url", "data", "media_type", "mimeType", "file", "resource", "tool_use_id", "input", "thinking"),
    *("signature", "refusal", "reasoning", "reasoning_details", "function", "user", "assistant", "tool", "system"),
    *("tool_result", "tool_call", "tool_use", "image", "document", "media", "provider", "wire", "custom", "base64"),
    *("input_image", "redacted_thinking", "message", "data:image/png;base64,AAAA", "https://a/b.png", "\ud83d", ""),
]
VALUES = st.recursive(
    st.sampled_from(WORDS) | st.none() | st.booleans() | st.integers(0, 3) | st.just("{}"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)
KINDS = [*history._PARTS, *foreign_messages._FOREIGN_SHAPES]
PARTS = st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=4).flatmap(
    lambda part: st.sampled_from(KINDS).map(lambda kind: {**part, "type": kind})
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "tool", "system", 5])},
        optional={
            "content": VALUES | st.lists(PARTS, max_size=3),
            "tool_calls": VALUES,
            "tool_call_id": VALUES,
            "type": VALUES,
            "reasoning_details": VALUES,
            "partial": VALUES,
        },
    )
    | VALUES,
    max_size=4,
)


@given(MESSAGES)
@settings(max_examples=200, suppress_health_check=[*HealthCheck])
def test_any_messages_are_read_or_refused(messages: Any) -> None:
    """No other exception, whatever a client of the server sends."""
    if all(isinstance(message, dict) for message in messages):
        for read in (past_turns.find_file_link, past_turns.calls_without_result):
            with suppress(ConfigurationError):
                read(messages)
    for wire in ("openai", "anthropic", "gemini"):
        with suppress(ConfigurationError, FileError):
            msgmodel.stream_panels(wire, "hi", "key", messages=messages).close()
