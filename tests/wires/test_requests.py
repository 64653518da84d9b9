"""What is sent: the whole body, and the headers that matter, on each wire. Only what the caller set."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest

import msgmodel
from conftest import KEY, PROVIDER, Async, Sync, config
from msgmodel import AnthropicConfig, ConfigurationError, FileError, GeminiConfig, OpenAIConfig
from msgmodel._arguments import read_question
from msgmodel._options import Arguments
from msgmodel.question.question import Question
from msgmodel.question.transport import HttpRequest
from msgmodel.testing import wires as replies
from msgmodel.testing.server import Received, Script, ScriptedServer
from msgmodel.wires import WIRES

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))


def sent(
    server: ScriptedServer, wire: str, *args: Any, fields: dict[str, Any] | None = None, **kwargs: Any
) -> Received:
    """The request that a call makes."""
    server.say(Script.body(replies.reply(wire, ["ok"])))
    msgmodel.query(PROVIDER[wire], *args, api_key=KEY, config=config(wire, server.url, **(fields or {})), **kwargs)
    return server.requests[-1]


def official(provider: str, **kwargs: Any) -> tuple[Question, HttpRequest]:
    """The request as it would go to the provider's own address."""
    question = read_question(Arguments(provider=provider, prompt="hi", api_key=KEY, **kwargs), {})
    return question, WIRES[question.wire].request(question, None)


def body(request: HttpRequest) -> Any:
    return json.loads(request.body)


def test_smallest_bodies(server: ScriptedServer) -> None:
    """A server that is only compatible with OpenAI gets nothing that it may not know."""
    turn = [{"role": "user", "content": "hi"}]
    assert sent(server, "openai_chat", "hi").json == {"model": "gpt-6-luna", "messages": turn, "stream": True}
    assert sent(server, "openai_responses", "hi").json == {
        "model": "gpt-6-luna",
        "input": [{"type": "message", "role": "user", "content": "hi"}],
        "stream": True,
        "store": False,
    }
    assert sent(server, "anthropic", "hi").json == {
        "model": "claude-haiku-5-5",
        "max_tokens": 16384,
        "messages": turn,
        "stream": True,
    }
    assert sent(server, "gemini", "hi").json == {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "store": False,
    }


def test_openai_itself_gets_its_own_dialect() -> None:
    _, request = official("openai", max_tokens=9, system_instruction="Be brief.")
    assert request.url == "https://api.openai.com/v1/chat/completions"
    assert body(request) == {
        "model": "gpt-6-luna",
        "messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "hi"}],
        "stream": True,
        "max_completion_tokens": 9,
        "store": False,
        "stream_options": {"include_usage": True},
    }


def test_everything_that_can_be_set(server: ScriptedServer) -> None:
    history = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
    ]
    common: dict[str, Any] = {
        "system_instruction": "Be brief.",
        "messages": history,
        "max_tokens": 7,
        "model": "m",
        "temperature": 0,
    }
    turns = [*history[1:], {"role": "user", "content": "three"}]
    system = "Be brief.\n\nBe kind."

    fields: dict[str, Any] = {"top_p": 0.5, "stop": ("END",), "seed": 4, "n": 1, "store": True, "body": {"extra": 1}}
    assert sent(server, "openai_chat", "three", fields=fields, **common).json == {
        "model": "m",
        "messages": [{"role": "system", "content": system}, *turns],
        "stream": True,
        "temperature": 0,
        "top_p": 0.5,
        "stop": ["END"],
        "seed": 4,
        "n": 1,
        "max_tokens": 7,
        "store": True,
        "extra": 1,
    }
    said = {"role": "assistant", "content": [{"type": "output_text", "text": "two"}]}
    items = [{"type": "message", **turn} for turn in (turns[0], said, turns[2])]
    assert sent(server, "openai_responses", "three", fields={"top_p": 0.5, "store": True}, **common).json == {
        "model": "m",
        "instructions": system,
        "input": items,
        "stream": True,
        "store": True,
        "max_output_tokens": 7,
        "temperature": 0,
        "top_p": 0.5,
    }
    request = sent(server, "anthropic", "three", fields={"top_p": 0.5, "top_k": 3, "stop": ("END",)}, **common)
    assert request.json == {
        "model": "m",
        "max_tokens": 7,
        "system": system,
        "messages": turns,
        "stream": True,
        "temperature": 0,
        "top_p": 0.5,
        "top_k": 3,
        "stop_sequences": ["END"],
    }
    assert request.headers["anthropic-version"] == "2023-06-01"
    fields = {"top_p": 0.5, "top_k": 3, "stop": ("END",), "seed": 4, "candidate_count": 1, "store": True}
    request = sent(server, "gemini", "three", fields=fields | {"safety_threshold": "BLOCK_NONE"}, **common)
    assert request.json["generationConfig"] == {
        "maxOutputTokens": 7,
        "temperature": 0,
        "topP": 0.5,
        "topK": 3,
        "candidateCount": 1,
        "stopSequences": ["END"],
        "seed": 4,
    }
    assert request.json["systemInstruction"] == {"parts": [{"text": system}]}
    assert [content["role"] for content in request.json["contents"]] == ["user", "model", "user"]
    assert len(request.json["safetySettings"]) == 4
    assert request.json["store"] is True


@pytest.mark.parametrize(
    ("wire", "path", "header", "value"),
    [
        ("openai_chat", "/v1/chat/completions", "authorization", f"Bearer {KEY}"),
        ("openai_responses", "/v1/responses", "authorization", f"Bearer {KEY}"),
        ("anthropic", "/v1/messages", "x-api-key", KEY),
        ("gemini", "/v1/models/gemini-3.5-flash-lite:streamGenerateContent?alt=sse", "x-goog-api-key", KEY),
    ],
)
def test_path_and_headers(
    wire: str, path: str, header: str, value: str, server: ScriptedServer, colour: Sync | Async
) -> None:
    server.say(Script.body(replies.reply(wire, ["ok"])))
    assert (
        colour.query(PROVIDER[wire], "hi", KEY, config=config(wire, server.url, headers={"X-Extra": "1"})).text == "ok"
    )
    request = server.requests[0]
    assert (request.method, request.path) == ("POST", path)
    assert request.headers[header] == value
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["x-extra"] == "1"
    assert sum(KEY in content for content in request.headers.values()) == 1
    if wire == "anthropic":
        assert request.headers["anthropic-version"] == "2026-10-21"


def test_base_urls() -> None:
    def url(provider: str, **kwargs: Any) -> str:
        return official(provider, **kwargs)[1].url

    azure = OpenAIConfig(base_url="https://x.openai.azure.com/openai/deployments/d?api-version=1")
    assert url("openai", config=azure) == (
        "https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=1"
    )
    assert url("anthropic", config=AnthropicConfig(base_url="https://x/v1/")) == "https://x/v1/messages"
    assert url("gemini", config=GeminiConfig(base_url="https://x/v1beta")) == (
        "https://x/v1beta/models/gemini-3.5-flash-lite:streamGenerateContent?alt=sse"
    )
    assert "/v1beta/models/gemini-flash-latest:" in url("gemini", model="gemini-flash-latest")
    assert "/v1alpha/models/m:" in url("gemini", config=GeminiConfig(api_version="v1alpha"), model="models/m")
    assert "/v1/models/a%3Fkey%3Db%23:" in url("gemini", model="a?key=b#")
    for wrong in ("ftp://x", "x.com/v1", "https://", "https://user:pw@x/v1", "https://x/v1#f"):
        with pytest.raises(ConfigurationError) as caught:
            url("openai", config=OpenAIConfig(base_url=wrong))
        assert "pw" not in str(caught.value)


def test_files(server: ScriptedServer) -> None:
    """Each kind in the shape of each wire, in order, before the prompt."""
    picture, notes = base64.b64encode(PNG).decode(), "naïve\nnotes"
    pdf = base64.b64encode(b"%PDF-1.7 x").decode()
    files: Any = [("p.png", PNG), ("d.pdf", b"%PDF-1.7 x"), ("n.txt", io.BytesIO(notes.encode()))]
    assert sent(server, "openai_chat", "What?", files=files).json["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}},
                {"type": "file", "file": {"filename": "d.pdf", "file_data": f"data:application/pdf;base64,{pdf}"}},
                {"type": "text", "text": f"File n.txt:\n\n{notes}"},
                {"type": "text", "text": "What?"},
            ],
        }
    ]
    text = base64.b64encode(notes.encode()).decode()
    assert sent(server, "openai_responses", "What?", files=files).json["input"][0]["content"] == [
        {"type": "input_image", "image_url": f"data:image/png;base64,{picture}", "detail": "auto"},
        {"type": "input_file", "filename": "d.pdf", "file_data": f"data:application/pdf;base64,{pdf}"},
        {"type": "input_file", "filename": "n.txt", "file_data": f"data:text/plain;base64,{text}"},
        {"type": "input_text", "text": "What?"},
    ]
    assert sent(server, "anthropic", "What?", files=files).json["messages"][0]["content"] == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": picture}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": pdf},
            "title": "d.pdf",
        },
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": notes}, "title": "n.txt"},
        {"type": "text", "text": "What?"},
    ]
    assert sent(server, "gemini", "What?", files=files).json["contents"][0]["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": picture}},
        {"inlineData": {"mimeType": "application/pdf", "data": pdf}},
        {"text": "File n.txt:"},
        {"inlineData": {"mimeType": "text/plain", "data": text}},
        {"text": "What?"},
    ]
    wav = base64.b64encode(b"RIFF").decode()
    assert sent(server, "openai_chat", "", file_like=b"RIFF", filename="a.wav").json["messages"][0]["content"] == [
        {"type": "input_audio", "input_audio": {"data": wav, "format": "wav"}}
    ]


def test_the_key_goes_by_the_variable_that_it_comes_from(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ANTHROPIC_AUTH_TOKEN is a bearer token; two credentials are never sent."""
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token-1")
    server.say(Script.body(replies.reply("anthropic", ["ok"])))
    msgmodel.query("claude", "hi", config=config("anthropic", server.url))
    assert server.requests[0].headers["authorization"] == "Bearer token-1"
    assert "x-api-key" not in server.requests[0].headers


def test_organisation_headers_go_to_openai_only(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    assert official("openai")[0].headers["openai-organization"] == "org-1"
    assert "openai-organization" not in sent(server, "openai_chat", "hi").headers


def test_what_json_cannot_hold_fails_at_the_call() -> None:
    with pytest.raises(ConfigurationError, match="JSON"):
        msgmodel.stream_panels("openai", "hi", KEY, config=OpenAIConfig(body={"x": object()}))


def test_half_an_emoji_in_a_body_is_replaced(server: ScriptedServer) -> None:
    body = sent(server, "openai_chat", "half \ud800", fields={"body": {"x": ["\ud800"]}}).json
    assert (body["messages"][0]["content"], body["x"]) == ("half \ufffd", ["\ufffd"])


def test_a_path_is_a_file(server: ScriptedServer, tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_text("# Notes")
    content = sent(server, "anthropic", "What?", file_like=path).json["messages"][0]["content"]
    assert content[0]["title"] == "notes.md"


# --- what the caller adds ---


def test_a_body_is_laid_over_one_level_deep(server: ScriptedServer) -> None:
    """A field of an object leaves the others as they are."""
    said = sent(
        server, "gemini", "hi", fields={"body": {"generationConfig": {"responseMimeType": "a/b"}}}, max_tokens=5
    ).json
    assert said["generationConfig"] == {"maxOutputTokens": 5, "responseMimeType": "a/b"}
    form = {"format": {"type": "json_schema", "schema": {}}}
    said = sent(server, "anthropic", "hi", fields={"body": {"output_config": form}}, reasoning="low").json
    assert said["output_config"] == {"effort": "low", **form}
    fields = {"body": {"reasoning": {"summary": "detailed"}, "input": [], "include": None}}
    said = sent(server, "openai_responses", "hi", fields=fields, reasoning="low").json
    assert said["reasoning"] == {"effort": "low", "summary": "detailed"}
    assert (said["input"], said["include"]) == ([], None)
    said = sent(server, "openai_chat", "hi", fields={"include_usage": True, "body": {"stream_options": {"x": 1}}}).json
    assert said["stream_options"] == {"include_usage": True, "x": 1}


def test_the_version_of_anthropic_fits_what_is_sent(server: ScriptedServer) -> None:
    """Sampling in the body counts too; values that are the API's defaults are not sent at all."""
    request = sent(server, "anthropic", "hi", fields={"body": {"temperature": 0.3}})
    assert request.headers["anthropic-version"] == "2023-06-01"
    defaults = {"temperature": 1.0, "top_p": 1.0, "top_k": 0}
    request = sent(server, "anthropic", "hi", fields=defaults)
    assert request.headers["anthropic-version"] == "2026-10-21"
    assert defaults.keys().isdisjoint(request.json)
    request = sent(server, "anthropic", "hi", fields={"temperature": 0.0, "top_k": 5})
    assert (request.json["temperature"], request.json["top_k"]) == (0.0, 5)
    assert request.headers["anthropic-version"] == "2023-06-01"


def test_a_bad_file_is_named_by_its_number(server: ScriptedServer) -> None:
    for files, words in (
        (["notes.txt"], r"^files\[0\]: must be an open binary file, bytes or .* not str: use pathlib\.Path\('notes"),
        ([b"text", b""], r"^files\[1\]: file is empty"),
        ([(1, 2, 3)], r"^files\[0\]: a tuple in files must be a name and a file"),
        ([io.StringIO("x")], r"^files\[0\]: must be open in binary mode"),
    ):
        with pytest.raises(FileError, match=words):
            sent(server, "openai_chat", "hi", files=files)
        with pytest.raises(FileError, match=words):
            msgmodel.Conversation("openai", config=config("openai_chat", server.url)).query("hi", files=files)
