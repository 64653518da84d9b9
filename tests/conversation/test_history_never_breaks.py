"""A history never breaks: whatever happened to the last question, the next one is a request that the server accepts."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from strict_servers import CHECKS, fault_of

import msgmodel
from conftest import Async, Sync
from msgmodel import Conversation
from msgmodel._arguments import read_question
from msgmodel._options import Arguments
from msgmodel.errors import ConfigurationError
from msgmodel.local import weights
from msgmodel.question.past_turns import is_user_question
from msgmodel.testing import Reply, ScriptedProvider
from msgmodel.testing.server import Script
from msgmodel.testing.wires import Wire

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
IMAGE = base64.b64encode(PNG).decode()
TOOL = {"name": "shot", "description": "A picture.", "parameters": {"type": "object", "properties": {}}}
WIRE: dict[str, Wire] = dict.fromkeys(("vllm", "mistral", "openrouter"), "openai_chat")
NAME = {"openai_chat": "openai", "openai_responses": "openai"}
MODEL = {"vllm": "gemma", "gemini": "gemini-3.8-flash", "openai_chat": "gpt-4.1", "openai_responses": "gpt-6-luna"}
HALF = "half of \ud83d an emoji"
LONG_ID = "chatcmpl-tool-" + "0123456789abcdef" * 2


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as running:
        yield running


def begin(provider: ScriptedProvider, server: str, **settings: Any) -> Conversation:
    """Return a conversation with a server."""
    settings = {"model": MODEL.get(server), "max_retries": 0, "tools": [TOOL], **settings}
    return Conversation(NAME.get(server, server), config=provider.config(server), **settings)


def switch(provider: ScriptedProvider, conversation: Conversation, server: str) -> None:
    conversation.switch(NAME.get(server, server), config=provider.config(server), model=MODEL.get(server))


def last_body(provider: ScriptedProvider) -> Any:
    return provider.requests[-1].json


# --- the checker refuses what servers refuse ---

SOUND: dict[str, Any] = {
    "vllm": {
        "messages": [
            {"role": "user", "content": "hi"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "a", "content": "x"},
        ]
    },
    "openai_responses": {
        "input": [
            {"type": "message", "role": "user", "content": "hi"},
            {"type": "reasoning", "encrypted_content": "s", "summary": []},
            {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "a", "output": "x"},
        ]
    },
    "anthropic": {
        "messages": [
            {"role": "user", "content": "hi"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "", "signature": "s"},
                    {"type": "tool_use", "id": "a", "name": "f", "input": {}},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "x"}]},
        ]
    },
    "gemini": {
        "contents": [
            {"role": "user", "parts": [{"text": "hi"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "s"}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": 1}}}]},
        ]
    },
}


def broken(server: str, *path: Any, value: Any = None) -> Any:
    """Return a sound body with another value at a place, or without the place."""
    body = copy.deepcopy(SOUND[server])
    parent = body
    for key in path[:-1]:
        parent = parent[key]
    if value is None:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return body


def test_the_checker_accepts_sound_requests() -> None:
    assert {server: fault_of(server, body) for server, body in SOUND.items()} == dict.fromkeys(SOUND)


@pytest.mark.parametrize(
    ("server", "body", "words"),
    [
        ("vllm", broken("vllm", "messages", 2, value={"role": "user", "content": "x"}), "must be followed"),
        ("vllm", broken("vllm", "messages", 1), "no call before it"),
        ("vllm", broken("vllm", "messages", 1, value={"role": "user", "content": "x"}), "alternate"),
        ("vllm", broken("vllm", "messages", 0), "first message"),
        ("vllm", broken("vllm", "messages", 0, "content", value=" "), "must not be empty"),
        ("vllm", broken("vllm", "messages", 0, "content", value=[{"type": "text", "text": "x"}]), "list of texts"),
        ("vllm", broken("vllm", "messages", 1, "tool_calls", 0, "function", "arguments", value="{"), "JSON object"),
        ("vllm", broken("vllm", "messages", 1, "tool_calls", 0, "function", "arguments", value="5"), "JSON object"),
        ("vllm", broken("vllm", "messages", 1, "tool_calls", 0, "id", value="x" * 41), "at most 40"),
        ("vllm", broken("vllm", "messages", 1, "tool_calls"), "content or tool_calls"),
        ("vllm", {"messages": [*SOUND["vllm"]["messages"], {"role": "user", "content": "x"}]}, "after role tool"),
        ("mistral", SOUND["vllm"], "of length 9"),
        ("openai_responses", broken("openai_responses", "input", 3), "No tool output found"),
        ("openai_responses", broken("openai_responses", "input", 2), "required following item"),
        ("openai_responses", broken("openai_responses", "input", 1, "encrypted_content"), "needs encrypted_content"),
        ("openai_responses", broken("openai_responses", "input", 2, "arguments", value="no"), "JSON object"),
        ("anthropic", broken("anthropic", "messages", 2), "prefill"),
        ("anthropic", broken("anthropic", "messages", 2, "content", 0, "tool_use_id", value="b"), "one tool_result"),
        ("anthropic", broken("anthropic", "messages", 1, "content", 0, "signature"), "signature"),
        ("anthropic", broken("anthropic", "messages", 1, "content", 1, "id", value="a b"), "tool_use.id"),
        ("anthropic", broken("anthropic", "messages", 1, "content", 1, "input", value="{}"), "must be an object"),
        ("anthropic", broken("anthropic", "messages", 0, "content", value=[]), "non-empty content"),
        ("anthropic", broken("anthropic", "messages", 0), "user role"),
        ("gemini", broken("gemini", "contents", 2, "parts", 0, value={"text": "x"}), "number of function response"),
        ("gemini", broken("gemini", "contents", 1, "parts", 0, "thoughtSignature"), "thought_signature"),
        ("gemini", broken("gemini", "contents", 0, "parts", value=[]), "must not be empty"),
        ("gemini", broken("gemini", "contents", 0, "parts", 0, value={"text": ""}), "must not be empty"),
    ],
)
def test_the_checker_refuses_broken_requests(server: str, body: Any, words: str) -> None:
    assert words in (fault_of(server, body) or "accepted")


@pytest.mark.parametrize("server", ["openai_responses", "anthropic", "gemini"])
def test_the_checker_refuses_signatures_of_others(server: str) -> None:
    assert fault_of(server, SOUND[server], lambda secret: secret != "s")


def test_the_checker_refuses_half_a_server_tool() -> None:
    content = [{"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}]
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": content}]
    body = {"messages": [*messages, {"role": "user", "content": "go"}]}
    assert "needs its result" in (fault_of("anthropic", body) or "")


# --- one ending at a time ---


@pytest.mark.parametrize("server", CHECKS)
@pytest.mark.parametrize("arguments", ['{"a": "x" "b"}', "5", "[]", "", "{", '{"a": 1}'])
def test_arguments_that_are_no_json_object(provider: ScriptedProvider, server: str, arguments: str) -> None:
    """Each strict server would refuse every later question; the model still sees what it wrote."""
    history: Any = [
        {"role": "user", "content": "x"},
        {
            "role": "assistant",
            "content": [{"type": "tool_call", "id": "c1", "name": "shot", "arguments": arguments}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "these arguments are no JSON", "is_error": True},
    ]
    begin(provider, server, messages=history).query("go on")
    assert fault_of(server, last_body(provider)) is None
    text = json.dumps(last_body(provider))
    assert ("INVALID_JSON" in text) is (arguments not in ("", '{"a": 1}'))


@pytest.mark.parametrize("server", CHECKS)
def test_a_failed_question_does_not_break_the_next(
    colour: Sync | Async, provider: ScriptedProvider, server: str
) -> None:
    conversation = begin(provider, server)
    provider.say(Reply(error=500), "fine")
    ask = conversation.query if isinstance(colour, Sync) else lambda text: colour.run(conversation.aquery(text))
    with pytest.raises(msgmodel.ReplyError):
        ask("q1")
    assert ask("q2").text == "fine"
    assert ask("q3").text == "fine"
    for request in provider.requests:
        assert fault_of(server, request.json) is None
    sent = json.dumps(last_body(provider))
    assert all(text in sent for text in ("q1", "q2", "q3", "fine"))


FAULTS: dict[str, Any] = {
    "context_length": (400, "maximum context length", "context_length_exceeded"),
    "content_policy": (400, "The prompt was filtered.", "content_filter"),
    "invalid_request": (400, "Could not process image", "invalid_image"),
    "too_large": (413, "Request too large", None),
}


@pytest.mark.parametrize("code", FAULTS)
def test_a_question_at_fault_does_not_make_the_next_fail(
    colour: Sync | Async, provider: ScriptedProvider, code: str
) -> None:
    """A text that is too long, or an image that can't be read, fails again in each request that holds it."""
    status, message, word = FAULTS[code]

    def answer(request: Any) -> Any:
        error = {"message": message, "type": "invalid_request_error", "code": word}
        return Script.json(status, {"error": error}) if "at fault" in request.body.decode() else "fine"

    provider.say(answer)
    conversation = begin(provider, "vllm")

    def ask(prompt: str) -> msgmodel.LLMResponse:
        if isinstance(colour, Sync):
            return conversation.query(prompt)
        return colour.run(conversation.aquery(prompt))

    assert ask("hi").text == "fine"
    for prompt in ("at fault", ""):
        with pytest.raises(msgmodel.ReplyError) as raised:
            ask(prompt)
        assert raised.value.code == code
    assert conversation.messages[-1] == {"role": "assistant", "content": "", "partial": True, "failed": code}
    conversation = Conversation.from_json(conversation.to_json(), config=provider.config("vllm"))
    assert ask("next").text == "fine"
    assert [turn["content"] for turn in last_body(provider)["messages"]] == ["hi", "fine", "next"]
    assert conversation.messages[2]["content"] == "at fault", "it stays in the conversation"


def test_a_question_at_fault_can_be_asked_elsewhere(provider: ScriptedProvider) -> None:
    """With an empty prompt: of a model with a longer context, say."""
    provider.say(Reply(error=400), "fine")
    conversation = begin(provider, "vllm")
    with pytest.raises(msgmodel.ReplyError):
        conversation.query("long")
    switch(provider, conversation, "anthropic")
    assert conversation.query().text == "fine"
    assert last_body(provider)["messages"] == [{"role": "user", "content": "long"}]
    assert conversation.messages == [{"role": "user", "content": "long"}, {"role": "assistant", "content": "fine"}]


def test_a_result_at_fault_leaves_the_conversation_with_its_call(provider: ScriptedProvider) -> None:
    call: Any = {"name": "shot", "arguments": {}, "id": "c"}
    provider.say(Reply("", tool_calls=[call]), Reply(error=400), "fine")
    conversation = begin(provider, "anthropic")
    conversation.query("x")
    conversation.add_tool_result("c", [IMAGES["MCP"]])
    with pytest.raises(msgmodel.ReplyError):
        conversation.query()
    assert conversation.query("y").text == "fine"
    text = [{"type": "text", "text": text} for text in "xy"]
    assert last_body(provider)["messages"] == [{"role": "user", "content": text}]


def test_a_refused_turn_is_not_sent_back_to_anthropic(provider: ScriptedProvider) -> None:
    provider.say("Hello.", Reply(refusal="I can't."), "4")
    conversation = begin(provider, "anthropic")
    for prompt in ("hi", "something bad", "what is 2+2?"):
        conversation.query(prompt)
    assert last_body(provider)["messages"] == [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "what is 2+2?"},
    ]
    assert [turn["role"] for turn in conversation.messages] == ["user", "assistant"] * 3, "it stays in the conversation"
    switch(provider, conversation, "gemini")
    conversation.query("and now?")
    assert "something bad" in json.dumps(last_body(provider)), "other providers see the turn"


def test_a_refusal_after_the_results_of_tools_takes_its_question_along(provider: ScriptedProvider) -> None:
    call = {"name": "shot", "arguments": {}, "id": "c"}
    provider.say("Hello.", Reply("", tool_calls=[call]), Reply(refusal="I can't."), "fine")  # type: ignore[list-item]
    conversation = begin(provider, "anthropic")
    conversation.query("hi")
    conversation.query("something bad")
    conversation.add_tool_result("c", "a bad picture")
    conversation.query()
    conversation.query("something good")
    assert "bad" not in json.dumps(last_body(provider))
    assert fault_of("anthropic", last_body(provider)) is None


def test_the_results_of_calls_of_a_refused_turn_are_left_out_with_it(provider: ScriptedProvider) -> None:
    history: Any = [
        {"role": "user", "content": "something bad"},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_call", "id": "c", "name": "shot", "arguments": {}},
                {"type": "refusal", "text": "I can't."},
            ],
        },
        {"role": "tool", "tool_call_id": "c", "content": "a bad picture"},
    ]
    conversation = begin(provider, "anthropic", messages=history)
    conversation.query()
    assert "a bad picture" in json.dumps(last_body(provider)), "this question is about the results"
    assert fault_of("anthropic", last_body(provider)) is None
    begin(provider, "anthropic", messages=history).query("something good")
    assert last_body(provider)["messages"] == [{"role": "user", "content": "something good"}]


IMAGES: dict[str, Any] = {
    "MCP": {"type": "image", "data": IMAGE, "mimeType": "image/png"},
    "ours": {"type": "file", "name": "shot.png", "data": IMAGE},
    "Anthropic": {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": IMAGE}},
    "OpenAI": {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{IMAGE}"}},
    "Responses": {"type": "input_image", "image_url": f"data:image/png;base64,{IMAGE}"},
}


@pytest.mark.parametrize("shape", IMAGES)
@pytest.mark.parametrize("server", CHECKS)
def test_an_image_in_the_result_of_a_tool(provider: ScriptedProvider, server: str, shape: str) -> None:
    call: Any = {"name": "shot", "arguments": {}, "id": "c"}
    provider.say(Reply("", tool_calls=[call]), "ok")
    conversation = begin(provider, server)
    conversation.query("x")
    conversation.add_tool_result("c", [{"type": "text", "text": "Here:"}, IMAGES[shape]])
    conversation.query()
    body = last_body(provider)
    assert fault_of(server, body) is None
    text = {"type": "text", "text": "Here:"}
    if server == "anthropic":
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": IMAGE}}
        assert body["messages"][-1]["content"][0]["content"] == [text, image]
    elif server == "openai_responses":
        image = {"type": "input_image", "image_url": f"data:image/png;base64,{IMAGE}", "detail": "auto"}
        assert body["input"][-1]["output"] == [{"type": "input_text", "text": "Here:"}, image]
    elif server == "gemini":
        response = body["contents"][-1]["parts"][0]["functionResponse"]
        assert response["response"] == {"output": "Here:"}
        assert response["parts"] == [{"inlineData": {"mimeType": "image/png", "data": IMAGE}}]
    elif server == "openrouter":  # the image follows, in a message of the user
        result, following = body["messages"][-2:]
        assert result["content"].startswith("Here:\n[The file ")
        assert result["content"].endswith(".png is in the next message.]")
        assert following["content"][1] == {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{IMAGE}"}}
        conversation.regenerate()
        provider.say(Reply("", tool_calls=[call]), Reply(error=500), "ok")
        conversation.query()
        conversation.add_tool_result("c", [IMAGES[shape]])
        with pytest.raises(msgmodel.ReplyError):
            conversation.query()
        conversation.query("and now?")  # it stands in the same message, after the image
        assert last_body(provider)["messages"][-1]["content"][-1] == {"type": "text", "text": "and now?"}
        assert fault_of(server, last_body(provider)) is None
    else:
        said = body["messages"][-1]["content"]
        assert said.startswith("Here:\n[The file ")
        assert ".png (image/png) can't be sent" in said
        assert IMAGE not in json.dumps(body)


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "file", "name": "a.txt", "size": 3}],
        [{"type": "file", "name": "a.png", "url": "https://example.com/a.png"}],
        [{"type": "image", "width": 5}],
        [{"type": "text", "value": 5}],
        [{"type": "text", "text": "a", "score": 5}],
        [],
        {"type": "image", "data": IMAGE, "mimeType": "image/png"},
    ],
)
def test_data_that_only_looks_like_parts_is_sent_as_json(provider: ScriptedProvider, content: Any) -> None:
    call: Any = {"name": "shot", "arguments": {}, "id": "c"}
    provider.say(Reply("", tool_calls=[call]), "ok")
    conversation = begin(provider, "anthropic")
    conversation.query("x")
    conversation.add_tool_result("c", content)
    conversation.query()
    assert json.loads(last_body(provider)["messages"][-1]["content"][0]["content"]) == content


@pytest.mark.parametrize("server", CHECKS)
def test_half_an_emoji_anywhere(provider: ScriptedProvider, server: str) -> None:
    call: Any = {"name": "shot", "arguments": {}, "id": "c"}
    provider.say(Reply("", tool_calls=[call]), "ok")
    conversation = begin(provider, server, system_instruction=HALF, tools=[TOOL | {"description": HALF}])
    conversation.query(HALF, b"text", f"{HALF}.txt")
    conversation.add_tool_result("c", {"of": [HALF]})
    conversation.messages.append({"role": "user", "content": HALF})
    conversation.query(HALF)
    body = last_body(provider)
    assert fault_of(server, body) is None
    text = json.dumps(body, ensure_ascii=False)
    assert text.count(HALF.replace("\ud83d", "\ufffd")) == 7
    again = Conversation.from_json(conversation.to_json(), config=provider.config(server))
    assert json.dumps(again.messages).count("\\ufffd") == 5


def test_two_halves_of_an_emoji_become_the_emoji(provider: ScriptedProvider) -> None:
    begin(provider, "vllm").query("\ud83d\ude00")
    assert last_body(provider)["messages"][-1]["content"] == "\U0001f600"


@pytest.mark.parametrize("server", CHECKS)
def test_calls_without_results_do_not_stop_the_next_question(
    colour: Sync | Async, provider: ScriptedProvider, server: str
) -> None:
    """The program ended while tools ran, or the user asks something else: each open call gets a result."""
    calls: Any = [{"name": "shot", "arguments": {"n": id}, "id": id} for id in ("a", LONG_ID)]
    provider.say(Reply("Let me look.", tool_calls=calls), "fine")
    conversation = begin(provider, server)
    conversation.query("x")
    conversation.add_tool_result("a", "seen")
    ask = conversation.query if isinstance(colour, Sync) else lambda text: colour.run(conversation.aquery(text))
    assert ask("something else").text == "fine"
    assert fault_of(server, last_body(provider)) is None
    assert "The tool was not run" in json.dumps(last_body(provider))
    assert ask("and more").text == "fine"
    assert fault_of(server, last_body(provider)) is None
    assert conversation.pending_calls == []


def test_an_empty_prompt_still_waits_for_the_results(provider: ScriptedProvider) -> None:
    call: Any = {"name": "shot", "arguments": {}, "id": "c"}
    provider.say(Reply("", tool_calls=[call]))
    conversation = begin(provider, "openai_chat")
    conversation.query("x")
    with pytest.raises(ConfigurationError, match="'c' has no result"):
        conversation.query()


@pytest.mark.parametrize("server", CHECKS)
def test_a_conversation_that_the_assistant_opens(provider: ScriptedProvider, server: str) -> None:
    messages: Any = [{"role": "assistant", "content": "How can I help?"}]
    begin(provider, server, messages=messages).query("hi")
    assert fault_of(server, last_body(provider)) is None or server == "openai_responses"


@pytest.mark.parametrize("server", CHECKS)
def test_a_file_of_an_earlier_turn_goes_where_it_can(provider: ScriptedProvider, server: str) -> None:
    """A new provider that takes no audio is still asked; it reads that there was a file."""
    conversation = begin(provider, "gemini")
    conversation.query("What is this?", b"RIFF....WAVE", "a.wav")
    switch(provider, conversation, server)
    conversation.query("And?")
    body = json.dumps(last_body(provider))
    assert fault_of(server, last_body(provider)) is None
    takes = server not in ("anthropic", "openai_responses")
    assert (base64.b64encode(b"RIFF....WAVE").decode() in body) is takes
    assert ("The file a.wav (audio/wav) can't be sent" in body) is not takes
    (*_, final) = conversation.stream_panels("And?")
    warned = [warning for warning in final.get("warnings", []) if warning["code"] == "part_dropped"]  # type: ignore[attr-defined]
    assert [warning["message"].endswith(": a.wav") for warning in warned] == ([] if takes else [True])
    if not takes:
        with pytest.raises(msgmodel.FileError, match=r"does not take a\.wav"):
            conversation.query("And this?", b"RIFF....WAVE", "a.wav")


@pytest.mark.parametrize(
    ("name", "dropped"),
    [
        ("anthropic", ("a.wav", "b.png", "c.wav", "a turn that was refused")),
        ("openai", ()),
        ("gemini", ()),
        ("local", ("a.wav", "b.png", "c.wav", "d.png")),
    ],
)
def test_a_question_knows_what_is_not_sent(name: str, dropped: tuple[str, ...]) -> None:
    def file(name: str, data: bytes) -> Any:
        return {"type": "file", "name": name, "data": data}

    call = {"type": "tool_call", "id": "c", "name": "shot", "arguments": {}}
    messages: Any = [
        {"role": "user", "content": [file("a.wav", b"RIFF"), file("a.txt", b"text"), file("b.png", PNG)]},
        {"role": "assistant", "content": [{"type": "refusal", "text": "No."}]},
        {"role": "user", "content": [file("c.wav", b"RIFF")]},
        {"role": "assistant", "content": [call]},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "x"}, file("d.png", PNG)]},
    ]
    api = msgmodel.OpenAIConfig(api="chat") if name == "openai" else None
    arguments = Arguments(provider=name, prompt="hi", api_key="sk-0123456789", config=api)
    if name == "local" and not weights.path().exists():
        pytest.skip("needs `msgmodel local pull`")
    assert read_question(arguments, {"messages": messages}).dropped_parts == dropped


def test_a_server_tool_that_was_cut_is_not_sent_back(provider: ScriptedProvider) -> None:
    """The reply broke off between the search and its result, and the API refuses one without the other."""
    use = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}
    found = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}
    about = {"provider": "anthropic", "wire": "anthropic", "host": "127.0.0.1"}
    parts: Any = [{"type": "opaque", "opaque": {**about, "data": data}} for data in (use, found)]
    for kept, sent in ((parts[:1], 0), (parts[1:], 0), (parts, 2)):
        messages: Any = [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [{"type": "text", "text": "Let me"}, *kept], "partial": True},
        ]
        begin(provider, "anthropic", messages=messages).query("go on")
        body = last_body(provider)
        assert fault_of("anthropic", body) is None
        assert len(body["messages"][1]["content"]) == 1 + sent


def test_reasoning_that_led_to_a_call_that_is_not_sent(provider: ScriptedProvider) -> None:
    about = {"provider": "openai", "wire": "openai_responses", "host": "127.0.0.1"}
    item = {"type": "reasoning", "id": "rs_1", "encrypted_content": "s", "summary": []}
    messages: Any = [
        {"role": "user", "content": "hi"},
        {
            "role": "assistant",
            "partial": True,
            "content": [
                {"type": "text", "text": "First,"},
                {"type": "reasoning", "text": "", "opaque": {**about, "data": item}},
                {"type": "tool_call", "id": "c", "name": "shot", "arguments": "{}"},
                {"type": "reasoning", "text": "", "opaque": {**about, "data": item}},
                {"type": "text", "text": "then"},
            ],
        },
    ]
    begin(provider, "openai_responses", messages=messages).query("go on")
    assert fault_of("openai_responses", last_body(provider)) is None
    assert [item["type"] for item in last_body(provider)["input"]] == [
        *("message", "message", "reasoning", "message", "message"),
    ]


# --- all of them, in any order ---

WORDS = ["a", "b c", "", " ", "\n\n", HALF, "\U0001f600", "\x00"]
ARGUMENTS: list[Any] = [{}, {"a": "x"}, '{"a": "x" "b"}', "5", "", "null"]
IDS = ["a", "b", "call 1", "call_1", LONG_ID, "abc123XYZ", ""]
ENDINGS: list[dict[str, Any]] = [
    {},
    {},
    {"truncated": True},
    {"paused": True},
    {"finish": "odd"},
    {"cut_after": 0},
    {"cut_after": 0, "cut": "reset"},
    {"breaks_off_after": 0},
    {"error": 400},
    {"error": 500},
]
FILES = [None, None, None, "a.png", "a.txt", "a.wav", "a.pdf"]
RESULTS: list[Any] = ["seen", "", HALF, 5, {"a": [HALF]}, [], [IMAGES["MCP"]], [IMAGES["OpenAI"], 5]]


class Chatter:
    """Takes turns of any kind, and checks each request that is made of them."""

    def __init__(self, provider: ScriptedProvider, random: Random) -> None:
        self.provider = provider
        self.random = random
        self.server = "vllm"
        self.conversation = begin(provider, "vllm")
        self.checked = 0

    def take_turn(self) -> None:
        choice = self.random.choice
        if choice((True, False)):
            self.ask_another(choice(sorted(CHECKS)))
        prompt, file = choice(WORDS), choice(FILES)
        self.provider.say(self._make_reply())
        attached: Any = {} if file is None else {"file_like": PNG, "filename": file}
        try:
            for _ in self.conversation.stream_panels(prompt, **attached):
                pass
        except ConfigurationError:
            assert not prompt.strip(), "a question with a prompt can always be asked"
        except msgmodel.FileError:
            assert file is not None or not prompt.strip(), "a file of an earlier turn never makes a question fail"
        self.check_requests()
        for call in self.conversation.pending_calls[: choice((0, 1, 3))]:
            self.conversation.add_tool_result(call["id"], choice(RESULTS))
        self._change(choice(("", "", "", "edit", "regenerate", "branch", "json")))

    def ask_another(self, server: str) -> None:
        self.server = server
        switch(self.provider, self.conversation, server)

    def check_requests(self) -> None:
        requests = self.provider.requests[self.checked :]
        self.checked += len(requests)
        for request in requests:
            fault = fault_of(self.server, request.json, lambda secret: secret.startswith(f"made-by-{self.server}-"))
            assert fault is None, f"{self.server}: {fault}\n{json.dumps(request.json, indent=1)}"

    def _make_reply(self) -> Reply:
        choice, wire = self.random.choice, WIRE.get(self.server, self.server)
        ending = choice(ENDINGS)
        if "paused" in ending and wire != "anthropic":
            ending = {}
        secret = f"made-by-{self.server}-{self.random.random()}"
        reasoning = choice(("", "Hm."))
        fields: dict[str, Any] = {
            "reasoning": reasoning,
            "signature": choice(("", secret)) if reasoning else "",
            "redacted": choice(("", secret)) if wire == "anthropic" else "",
        }
        may_refuse = wire != "gemini" and ending.keys() <= {"error"}
        if may_refuse and choice((True, False, False, False)):
            return Reply(refusal="No.", **fields, **ending)
        arguments = ARGUMENTS[:2] if wire == "gemini" else ARGUMENTS  # Gemini sends objects alone
        calls: Any = [
            {"name": "shot", "arguments": choice(arguments), "id": choice(IDS)} for _ in range(choice((0, 0, 1, 2, 3)))
        ]
        return Reply(choice([word for word in WORDS if word is not HALF]), tool_calls=calls, **fields, **ending)

    def _change(self, then: str) -> None:
        questions = [number for number, turn in enumerate(self.conversation.messages) if is_user_question(turn)]
        if then == "edit" and questions:
            self.conversation.edit(self.random.choice(questions), "instead")
        elif then == "regenerate" and questions:
            self.conversation.regenerate()
        elif then == "branch":
            self.conversation = self.conversation.branch()
        elif then == "json":
            settings: Any = {"config": self.provider.config(self.server), "max_retries": 0, "tools": [TOOL]}
            self.conversation = Conversation.from_json(self.conversation.to_json(), **settings)


@given(st.integers(0, 2**32))
@settings(max_examples=25, phases=[Phase.explicit, Phase.generate], suppress_health_check=[*HealthCheck])
def test_any_thirty_turns_can_be_followed_by_a_question(seed: int) -> None:
    """Every ending, every part, every switch of providers, in any order."""
    with ScriptedProvider() as provider:
        chatter = Chatter(provider, Random(seed))
        for _ in range(30):
            chatter.take_turn()
        for server in CHECKS:
            chatter.ask_another(server)
            provider.say("fine")
            assert chatter.conversation.query("and now?").text == "fine"
            chatter.check_requests()
