"""Conversations: what was said goes back as each wire wants it, and nothing that the user saw is lost."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

import msgmodel
from conftest import Async, Sync
from msgmodel import ConfigurationError, Conversation, FileError
from msgmodel._arguments import read_question
from msgmodel._options import Arguments
from msgmodel.local import weights
from msgmodel.question.question import PastReasoning
from msgmodel.testing import Reply, ScriptedProvider
from msgmodel.testing.wires import WIRES, Wire

NAME = {"openai_chat": "openai", "openai_responses": "openai", "anthropic": "anthropic", "gemini": "gemini"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
SIGNATURE = "U2lnbmVkIPCfpJY+/=="
REDACTED = "aGlkZGVuIHRob3VnaHRz"
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"name": "weather", "description": "The weather in a city.", "parameters": PARAMETERS}
CALLS: Any = [
    {"name": "weather", "arguments": {"city": "Köln"}, "id": "call_a"},
    {"name": "weather", "arguments": {"city": "Bonn"}, "id": "call_b"},
]


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as running:
        yield running


class Chat:
    """A conversation asked in one colour."""

    def __init__(self, colour: Sync | Async, conversation: Conversation) -> None:
        self.colour, self.conversation = colour, conversation

    def panels(self, *args: Any, **kwargs: Any) -> list[Any]:
        if isinstance(self.colour, Sync):
            return list(self.conversation.stream_panels(*args, **kwargs))

        async def collect() -> list[Any]:
            return [event async for event in self.conversation.astream_panels(*args, **kwargs)]

        return self.colour.run(collect())

    def text(self, *args: Any, **kwargs: Any) -> str:
        if isinstance(self.colour, Sync):
            return "".join(self.conversation.stream(*args, **kwargs))

        async def collect() -> str:
            return "".join([piece async for piece in self.conversation.astream(*args, **kwargs)])

        return self.colour.run(collect())

    def query(self, *args: Any, **kwargs: Any) -> msgmodel.LLMResponse:
        if isinstance(self.colour, Sync):
            return self.conversation.query(*args, **kwargs)

        async def ask() -> msgmodel.LLMResponse:
            return await self.conversation.aquery(*args, **kwargs)

        return self.colour.run(ask())


def five_turns(colour: Sync | Async, provider: ScriptedProvider, wire: Wire) -> Conversation:
    """Text, a file, a call with reasoning before it, its results, and the question that sends all of that."""
    provider.say(
        "I am well.",
        "A red square.",
        Reply("Let me look.", reasoning="Which city is it", signature=SIGNATURE, redacted=REDACTED, tool_calls=CALLS),
        Reply("Sun.", reasoning="Nice", signature=SIGNATURE + "2"),
        "Good bye.",
    )
    conversation = Conversation(
        NAME[wire],
        config=provider.config(wire),
        system_instruction="Be brief.",
        model={"anthropic": "claude-haiku-5-5", "gemini": "gemini-3.8-flash"}.get(wire, "gpt-6-luna"),
        tools=[WEATHER],
        reasoning="low",
    )
    chat = Chat(colour, conversation)
    assert chat.text("How are you?") == "I am well."
    assert chat.query("What is this?", PNG, "red.png").text == "A red square."
    assert chat.panels("Weather?")[-1]["status"] == "tool_calls"
    assert [call["id"] for call in conversation.pending_calls] == ["call_a", "call_b"]
    conversation.add_tool_result("call_a", {"sky": "sun"})
    conversation.add_tool_result("call_b", "no such city", is_error=True)
    assert conversation.pending_calls == []
    assert chat.query().text == "Sun."
    assert chat.query("Bye").text == "Good bye."
    return conversation


IMAGE = base64.b64encode(PNG).decode()


def fifth(wire: Wire) -> Any:
    """The whole body of the fifth request (WIRE.md 2.1, 3.1, 4.4, 5.3)."""
    if wire == "openai_chat":
        function = {"type": "function", "function": WEATHER}
        return {
            "model": "gpt-6-luna",
            "stream": True,
            "reasoning_effort": "low",
            "tools": [function],
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "How are you?"},
                {"role": "assistant", "content": "I am well."},
                {
                    "role": "user",
                    "content": [
                        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{IMAGE}"}},
                        {"type": "text", "text": "What is this?"},
                    ],
                },
                {"role": "assistant", "content": "A red square."},
                {"role": "user", "content": "Weather?"},
                {
                    "role": "assistant",
                    "content": "Let me look.",
                    "tool_calls": [
                        {
                            "id": call["id"],
                            "type": "function",
                            "function": {
                                "name": "weather",
                                "arguments": json.dumps(call["arguments"], ensure_ascii=False),
                            },
                        }
                        for call in CALLS
                    ],
                },
                {"role": "tool", "tool_call_id": "call_a", "content": '{"sky":"sun"}'},
                {"role": "tool", "tool_call_id": "call_b", "content": "no such city"},
                {"role": "assistant", "content": "Sun."},
                {"role": "user", "content": "Bye"},
            ],
        }
    if wire == "openai_responses":
        return {
            "model": "gpt-6-luna",
            "stream": True,
            "store": False,
            "instructions": "Be brief.",
            "reasoning": {"effort": "low", "summary": "auto"},
            "include": ["reasoning.encrypted_content"],
            "tools": [{"type": "function", **WEATHER, "strict": False}],
            "input": [
                {"type": "message", "role": "user", "content": "How are you?"},
                said("I am well."),
                {
                    "type": "message",
                    "role": "user",
                    "content": [
                        {"type": "input_image", "image_url": f"data:image/png;base64,{IMAGE}", "detail": "auto"},
                        {"type": "input_text", "text": "What is this?"},
                    ],
                },
                said("A red square."),
                {"type": "message", "role": "user", "content": "Weather?"},
                thought("Which city is it", SIGNATURE),
                said("Let me look."),
                *(
                    {
                        "type": "function_call",
                        "call_id": call["id"],
                        "name": "weather",
                        "arguments": json.dumps(call["arguments"], ensure_ascii=False),
                    }
                    for call in CALLS
                ),
                {"type": "function_call_output", "call_id": "call_a", "output": '{"sky":"sun"}'},
                {"type": "function_call_output", "call_id": "call_b", "output": "no such city"},
                thought("Nice", SIGNATURE + "2"),
                said("Sun."),
                {"type": "message", "role": "user", "content": "Bye"},
            ],
        }
    if wire == "anthropic":
        source = {"type": "base64", "media_type": "image/png", "data": IMAGE}
        return {
            "model": "claude-haiku-5-5",
            "max_tokens": 16384,
            "stream": True,
            "system": "Be brief.",
            "thinking": {"type": "adaptive", "display": "summarized"},
            "output_config": {"effort": "low"},
            "tools": [{"name": "weather", "description": WEATHER["description"], "input_schema": PARAMETERS}],
            "messages": [
                {"role": "user", "content": "How are you?"},
                {"role": "assistant", "content": "I am well."},
                {
                    "role": "user",
                    "content": [{"type": "image", "source": source}, {"type": "text", "text": "What is this?"}],
                },
                {"role": "assistant", "content": "A red square."},
                {"role": "user", "content": "Weather?"},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "redacted_thinking", "data": REDACTED},
                        {"type": "thinking", "thinking": "Which city is it", "signature": SIGNATURE},
                        {"type": "text", "text": "Let me look."},
                        *(
                            {"type": "tool_use", "id": call["id"], "name": "weather", "input": call["arguments"]}
                            for call in CALLS
                        ),
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "call_a", "content": '{"sky":"sun"}'},
                        {"type": "tool_result", "tool_use_id": "call_b", "content": "no such city", "is_error": True},
                    ],
                },
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "Nice", "signature": SIGNATURE + "2"},
                        {"type": "text", "text": "Sun."},
                    ],
                },
                {"role": "user", "content": "Bye"},
            ],
        }
    declared = {"name": "weather", "description": WEATHER["description"], "parametersJsonSchema": PARAMETERS}
    calls = [{"functionCall": {"id": call["id"], "name": "weather", "args": call["arguments"]}} for call in CALLS]
    return {
        "store": False,
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "generationConfig": {"thinkingConfig": {"includeThoughts": True, "thinkingLevel": "LOW"}},
        "tools": [{"functionDeclarations": [declared]}],
        "contents": [
            {"role": "user", "parts": [{"text": "How are you?"}]},
            {"role": "model", "parts": [{"text": "I am well."}]},
            {
                "role": "user",
                "parts": [{"inlineData": {"mimeType": "image/png", "data": IMAGE}}, {"text": "What is this?"}],
            },
            {"role": "model", "parts": [{"text": "A red square."}]},
            {"role": "user", "parts": [{"text": "Weather?"}]},
            {
                "role": "model",
                "parts": [{"text": "Let me look."}, calls[0] | {"thoughtSignature": SIGNATURE}, calls[1]],
            },
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"id": "call_a", "name": "weather", "response": {"output": {"sky": "sun"}}}},
                    {"functionResponse": {"id": "call_b", "name": "weather", "response": {"error": "no such city"}}},
                ],
            },
            {"role": "model", "parts": [{"text": "Sun."}, {"text": "", "thoughtSignature": SIGNATURE + "2"}]},
            {"role": "user", "parts": [{"text": "Bye"}]},
        ],
    }


def said(text: str) -> Any:
    content = [{"type": "output_text", "text": text}]
    return {"type": "message", "role": "assistant", "content": content, "phase": "final_answer"}


def thought(text: str, signature: str) -> Any:
    return {
        "id": "rs_scripted0001",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": text}],
        "encrypted_content": signature,
    }


@pytest.mark.parametrize("wire", WIRES)
def test_the_fifth_request(colour: Sync | Async, provider: ScriptedProvider, wire: Wire) -> None:
    conversation = five_turns(colour, provider, wire)
    assert provider.requests[-1].json == fifth(wire)
    again = Conversation.from_json(
        conversation.to_json(), config=provider.config(wire), tools=[WEATHER], reasoning="low"
    )
    assert again.messages == conversation.messages
    assert again.to_json() == conversation.to_json()
    del again.messages[-2:]
    Chat(colour, again).query("Bye")
    assert provider.requests[-1].json == fifth(wire)


@pytest.mark.parametrize("after", WIRES)
@pytest.mark.parametrize("before", WIRES)
def test_a_switch_drops_only_what_must_not_travel(provider: ScriptedProvider, before: Wire, after: Wire) -> None:
    conversation = five_turns(Sync(), provider, before)
    conversation.switch(NAME[after], config=provider.config(after))
    del conversation.messages[-2:]
    conversation.query("Bye", model="m")
    sent = provider.requests[-1].json
    text = json.dumps(sent, ensure_ascii=False)
    if before == after:
        assert SIGNATURE in text or before == "openai_chat"
        return
    for secret in (SIGNATURE, REDACTED, "Which city is it", "rs_scripted0001"):
        assert secret not in text
    for kept in (
        "Be brief.",
        "How are you?",
        "I am well.",
        IMAGE,
        "Let me look.",
        "Köln",
        "no such city",
        "Sun.",
        "Bye",
    ):
        assert kept in text
    expected = json.dumps(fifth(after), ensure_ascii=False)
    if after == "openai_chat":
        assert loose(sent["messages"]) == loose(fifth(after)["messages"])
    if after == "gemini":
        assert "skip_thought_signature_validator" in text
    assert text.count("call_a") == expected.count("call_a")


def loose(messages: Any) -> str:
    return json.dumps(messages).replace(": ", ":")


# --- what is kept, however it ended ---


@pytest.mark.parametrize("wire", WIRES)
def test_every_ending_is_kept(colour: Sync | Async, provider: ScriptedProvider, wire: Wire) -> None:
    provider.say(
        Reply("Once upon", truncated=True),
        Reply("a time", cut_after=1),
        Reply(error=400),
        Reply("The end", finish=None),
    )
    conversation = Conversation(NAME[wire], config=provider.config(wire), max_retries=0)
    chat = Chat(colour, conversation)
    assert [chat.panels(text)[-1]["event"] for text in "abc"] == ["panel_final", "panel_error", "panel_error"]
    assert chat.panels()[-1]["content"] == "The end"  # an empty prompt asks again
    kept = [(turn["role"], plain(turn), turn.get("partial", False)) for turn in conversation.messages]
    assert kept == [
        ("user", "a", False),
        ("assistant", "Once upon", True),
        ("user", "b", False),
        ("assistant", "a", True),
        ("user", "c", False),
        ("assistant", "The end", False),
    ]


def plain(turn: Any) -> str:
    content = turn["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def test_leaving_early_keeps_what_was_seen(colour: Sync | Async, provider: ScriptedProvider) -> None:
    provider.say(Reply("one two three", stall_after=2))
    heard: list[Any] = []
    conversation = Conversation("openai", config=provider.config("openai"), on_end=heard.append)
    if isinstance(colour, Sync):
        for event in conversation.stream_panels("hi"):
            if event["event"] == "panel_delta" and event["delta"] == " two":
                break
    else:

        async def leave() -> None:
            events = conversation.astream_panels("hi")
            async for event in events:
                if event["event"] == "panel_delta" and event["delta"] == " two":
                    break
            await events.aclose()

        colour.run(leave())
    assert conversation.messages == [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "one two", "partial": True},
    ]
    (event,) = heard
    assert (event["code"], event["usage"]["source"], event["content"]) == ("cancelled", "estimated", "one two")
    conversation.stream_panels("never begun").close()
    assert len(conversation.messages) == 2


def test_a_call_that_was_cut_is_never_sent(provider: ScriptedProvider) -> None:
    """A whole call of a turn that broke off was not run: it does not go back either."""
    conversation = Conversation("openai", config=provider.config("openai"), max_retries=0, messages=[
        {"role": "user", "content": "hi"},
        {"role": "assistant", "partial": True, "content": [
            {"type": "text", "text": "Let me"},
            {"type": "tool_call", "id": "x", "name": "f", "arguments": "{}"},
        ]},
        {"role": "user", "content": "go"},
        {"role": "assistant", "partial": True, "content": [
            {"type": "tool_call", "id": "x", "name": "f", "arguments": "{}"},
        ]},
    ])  # fmt: skip
    assert conversation.pending_calls == []
    conversation.query("and now?")
    assert provider.requests[-1].json["messages"] == [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "Let me"},
        {"role": "user", "content": "go\n\nand now?"},
    ]


def test_the_same_id_in_two_turns(provider: ScriptedProvider) -> None:
    """Gemini gives no ids, so ours repeat; Anthropic refuses that."""
    config = provider.config("anthropic")
    call = {"type": "tool_call", "id": "call 1", "name": "f", "arguments": {"a": 1}}
    turn: Any = [
        {"role": "assistant", "content": [call]},
        {"role": "tool", "tool_call_id": "call 1", "content": 5},
    ]
    messages = [{"role": "user", "content": "hi"}, *turn, *turn]
    msgmodel.query("anthropic", "", config=config, messages=messages)
    sent = provider.requests[-1].json["messages"]
    assert [block["id"] for turn in sent[1::2] for block in turn["content"]] == ["call_1", "call_1_2"]
    assert [block["tool_use_id"] for turn in sent[2::2] for block in turn["content"]] == ["call_1", "call_1_2"]


def test_results_and_text_in_one_message_of_the_user(provider: ScriptedProvider) -> None:
    call = {"type": "tool_call", "id": "c", "name": "f", "arguments": {}}
    messages: Any = [
        {
            "role": "user",
            "content": [{"type": "text", "text": "hi"}, {"type": "file", "name": "a.txt", "data": b"abc"}],
        },
        {"role": "assistant", "content": [call, {"type": "text", "text": ""}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look"},
                {"type": "tool_result", "tool_call_id": "c", "content": [1, {"a": None}]},
            ],
        },
    ]
    msgmodel.query("anthropic", "now", config=provider.config("anthropic"), messages=messages)
    assert provider.requests[-1].json["messages"][-1] == {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "c", "content": '[1,{"a":null}]'},
            {"type": "text", "text": "look"},
            {"type": "text", "text": "now"},
        ],
    }
    msgmodel.query("openai", "", config=provider.config("openai"), messages=messages)
    sent = provider.requests[-1].json["messages"]
    assert [turn["role"] for turn in sent] == ["user", "assistant", "tool", "assistant", "user"]
    assert sent[3]["content"] == "(no answer)", "chat templates accept no user's turn after the results of tools"


CALL = {"type": "tool_call", "id": "c", "name": "f", "arguments": "{}"}
HI = {"role": "user", "content": "hi"}


# --- what is opaque stays with who made it ---


def sealed(**more: Any) -> Any:
    data = {"type": "reasoning", "id": "rs_1", "encrypted_content": SIGNATURE, "summary": []}
    opaque = {"provider": "openai", "wire": "openai_responses", "data": data, **more}
    said = {"type": "text", "text": "Sun."}
    return [HI, {"role": "assistant", "content": [{"type": "reasoning", "text": "", "opaque": opaque}, said]}]


def test_what_is_opaque_goes_to_no_other_server(provider: ScriptedProvider) -> None:
    """Not even by the name of the same provider. What says no host is the provider's own."""
    config = provider.config("openai_responses")
    for more, kept in (({"host": "127.0.0.1"}, True), ({"host": "api.openai.com"}, False), ({}, False)):
        msgmodel.query("openai", "and?", config=config, messages=sealed(**more))
        assert (SIGNATURE in provider.requests[-1].body.decode()) is kept
    official = msgmodel.OpenAIConfig(api="responses")
    for more, kept in (({"host": "127.0.0.1"}, False), ({"host": "api.openai.com"}, True), ({}, True)):
        arguments = Arguments(provider="openai", prompt="and?", api_key="sk-0123456789", config=official)
        question = read_question(arguments, {"messages": sealed(**more)})
        assert (
            any(isinstance(part, PastReasoning) and part.opaque for turn in question.turns for part in turn.parts)
            is kept
        )
    assert read_question(arguments, {}).target_host == "api.openai.com"


def test_a_reply_says_where_its_opaque_parts_come_from(provider: ScriptedProvider) -> None:
    provider.say(Reply("Sun.", reasoning="Nice", signature=SIGNATURE))
    reply = msgmodel.query("anthropic", "hi", config=provider.config("anthropic"))
    (thought, _) = reply.message["content"]
    assert thought["opaque"]["host"] == reply.privacy["endpoint"] == "127.0.0.1"  # type: ignore[index, typeddict-item]


def test_reasoning_that_led_to_nothing_is_left_out(provider: ScriptedProvider) -> None:
    """The Responses API refuses a reasoning item without the item after it."""
    messages = sealed(host="127.0.0.1")
    messages[1]["content"].reverse()
    msgmodel.query("openai", "and?", config=provider.config("openai_responses"), messages=messages)
    assert SIGNATURE not in provider.requests[-1].body.decode()


def test_a_block_of_gemini_s_own_goes_back_as_it_came(provider: ScriptedProvider) -> None:
    code = {"executableCode": {"language": "PYTHON", "code": "1+1"}}
    opaque = {"provider": "gemini", "wire": "gemini", "host": "127.0.0.1", "data": code}
    messages: Any = [HI, {"role": "assistant", "content": [{"type": "opaque", "opaque": opaque}]}]
    msgmodel.query("gemini", "and?", config=provider.config("gemini"), messages=messages)
    assert provider.requests[-1].json["contents"][1] == {"role": "model", "parts": [code]}


def test_a_block_that_is_none_is_left_out(provider: ScriptedProvider) -> None:
    opaque = {"provider": "anthropic", "wire": "anthropic", "host": "127.0.0.1", "data": "text"}
    parts = [{"type": "text", "text": "Sun."}, {"type": "opaque", "opaque": opaque}]
    messages: Any = [HI, {"role": "assistant", "content": parts}]
    msgmodel.query("anthropic", "and?", config=provider.config("anthropic"), messages=messages)
    assert provider.requests[-1].json["messages"][1]["content"] == "Sun."


# --- turns that say nothing, and refusals ---


@pytest.mark.parametrize("wire", WIRES)
def test_a_turn_that_says_nothing_is_not_sent(provider: ScriptedProvider, wire: Wire) -> None:
    """Servers refuse white space alone, and reasoning alone."""
    parts: Any = [
        [{"type": "text", "text": "\n\n"}],
        [],
        [{"type": "reasoning", "text": "Hm."}, {"type": "text", "text": " "}],
    ]
    messages: Any = [HI, {"role": "assistant", "content": ""}, {"role": "user", "content": " "}]
    messages += [{"role": "assistant", "content": content, "partial": True} for content in parts]
    msgmodel.query(NAME[wire], "again", config=provider.config(wire), messages=messages)
    body = provider.requests[-1].json
    turns = body.get("messages") or body.get("input") or body["contents"]
    assert {turn["role"] for turn in turns} == {"user"}
    assert json.dumps(turns).count("text") <= 4
    assert "Hm." not in json.dumps(turns)


@pytest.mark.parametrize("wire", ["openai_chat", "openai_responses", "anthropic"])
def test_a_refusal_is_kept_and_goes_back(colour: Sync | Async, provider: ScriptedProvider, wire: Wire) -> None:
    provider.say(Reply(refusal="I will not."), "Because.")
    conversation = Conversation(NAME[wire], config=provider.config(wire))
    chat = Chat(colour, conversation)
    words = "This request was declined." if wire == "anthropic" else "I will not."
    assert chat.query("Do it.").refusal == words
    assert conversation.messages[-1] == {
        "role": "assistant",
        "content": [{"type": "refusal", "text": words}],
        "partial": True,
    }
    assert chat.text("Why?") == "Because."
    sent = provider.requests[-1].json
    if wire == "openai_responses":
        content = [{"type": "refusal", "refusal": words}]
        assert sent["input"][1] == {"type": "message", "role": "assistant", "content": content}
    elif wire == "anthropic":  # it refuses on as long as the refused turn is there
        assert sent["messages"] == [{"role": "user", "content": "Why?"}]
    else:
        assert sent["messages"][1]["content"] == words
    conversation.switch("gemini", config=provider.config("gemini"))
    chat.query("And now?")
    assert provider.requests[-1].json["contents"][1]["parts"] == [{"text": words}]


@pytest.mark.parametrize(("model", "signed"), [("gemini-3.8-flash", True), ("gemini-2.5-flash", False)])
def test_the_first_call_that_is_left_is_signed(provider: ScriptedProvider, model: str, signed: bool) -> None:
    """Its signature stood on the one before it, which was not run and is not sent. Gemini 2.5 has none."""

    def made(id: str, **data: Any) -> Any:
        opaque = {"provider": "gemini", "wire": "gemini", "host": "127.0.0.1", "data": data}
        return {"type": "tool_call", "id": id, "name": "f", "arguments": "{}", "opaque": opaque}

    messages: Any = [
        HI,
        {"role": "assistant", "partial": True, "content": [made("a", thoughtSignature=SIGNATURE), made("b")]},
        {"role": "tool", "tool_call_id": "b", "content": "done"},
    ]
    msgmodel.query("gemini", "and?", config=provider.config("gemini"), model=model, messages=messages)
    (part,) = provider.requests[-1].json["contents"][1]["parts"]
    assert part.get("thoughtSignature") == ("skip_thought_signature_validator" if signed else None)


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ("hi", "must be a list of dicts"),
        ([HI, "hi"], r"messages\[1\]: must be a dict"),
        ([{"role": "robot", "content": "x"}], "role must be"),
        ([{"role": "system", "content": ["x"]}], "must be a string"),
        ([{"role": "user", "content": 5}], "a string or a list of parts"),
        ([{"role": "user", "content": b"x"}], "a string or a list of parts"),
        ([{"role": "user", "content": ["x"]}], r"content\[0\]: a part of a user message .* text, file, tool_result"),
        ([{"role": "user", "content": [CALL]}], "a part of a user message"),
        ([HI, {"role": "assistant", "content": [CALL | {"arguments": 5}]}], "must be a JSON object"),
        ([HI, {"role": "assistant", "content": [CALL | {"arguments": {"a": object()}}]}], "can't be written as JSON"),
        ([HI, {"role": "assistant", "content": [CALL | {"id": 5}]}], "id must be a string"),
        ([HI, {"role": "assistant", "content": [CALL]}, HI], r"messages\[2\]: the call 'c' has no result"),
        ([HI, {"role": "assistant", "content": [CALL]}], "messages: the call 'c' has no result"),
        ([HI, {"role": "assistant", "content": [CALL]}, {"role": "assistant", "content": "x"}], "has no result"),
        ([HI, {"role": "tool", "tool_call_id": "c", "content": "x"}], "no call 'c' without a result"),
        ([HI, {"role": "assistant", "content": [CALL]}, {"role": "tool", "tool_call_id": "c"}], "must have content"),
        ([HI, {"role": "tool", "content": []}], "must hold a result"),
        ([HI, {"role": "assistant", "content": [{"type": "text", "text": "a", "opaque": "x"}]}], "opaque must be"),
        ([{"role": "user", "content": [{"type": "file", "name": "a", "data": "!"}]}], "base64"),
        ([{"role": "user", "content": [{"type": "file", "name": "a", "data": 5}]}], "base64"),
    ],
)
def test_bad_messages(messages: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        msgmodel.stream_panels("openai", "hi", "key", messages=messages)


def test_a_file_in_the_history_is_checked(provider: ScriptedProvider) -> None:
    messages: Any = [{"role": "user", "content": [{"type": "file", "name": "a.wav", "data": b"RIFF"}]}]
    with pytest.raises(FileError, match="anthropic does not take"):
        msgmodel.query("anthropic", "hi", config=provider.config("anthropic"), messages=messages)


def test_bad_conversations(provider: ScriptedProvider) -> None:
    with pytest.raises(ConfigurationError, match="no provider"):
        Conversation("nobody")
    with pytest.raises(TypeError, match="temprature"):
        Conversation("openai", temprature=1)  # type: ignore[call-arg]
    with pytest.raises(ConfigurationError, match="role must be"):
        Conversation("openai", messages=[{"role": "x", "content": ""}])  # type: ignore[list-item]
    conversation = Conversation("openai", config=provider.config("openai"))
    with pytest.raises(ConfigurationError, match="has its own messages"):
        conversation.query("hi", messages=[])
    with pytest.raises(ConfigurationError, match="prompt is empty"):
        conversation.query()
    with pytest.raises(ConfigurationError, match="prompt must be a string"):
        conversation.query(5)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="on_end must be a function"):
        conversation.query("hi", on_end=5)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="no pending tool call has the id 'x' "):
        conversation.add_tool_result("x", "y")
    assert conversation.messages == []
    for text in ("{", "[]", '{"version": 2}', '{"version": 1, "provider": "openai", "messages": [5]}'):
        with pytest.raises(ConfigurationError):
            Conversation.from_json(text)
    conversation.messages.append({"role": "user", "content": object()})  # type: ignore[typeddict-item]
    with pytest.raises(ConfigurationError, match="can't be written as JSON"):
        conversation.to_json()
    assert "key" not in repr(conversation)


def test_json_holds_no_key_and_waits_for_results(provider: ScriptedProvider) -> None:
    provider.say(Reply("", tool_calls=CALLS))
    conversation = Conversation("anthropic", config=provider.config("anthropic"), api_key="sk-planted-key")
    conversation.query("hi", b"\x00\x01%PDF-1.4", "a.pdf")
    conversation.add_tool_result("call_b", 1)
    kept = conversation.to_json()
    assert "sk-planted-key" not in kept
    again = Conversation.from_json(kept.encode(), config=provider.config("anthropic"))
    assert [call["id"] for call in again.pending_calls] == ["call_a"]
    again.messages.append({"role": "tool", "content": [
        {"type": "tool_result", "tool_call_id": "call_a", "content": "x"}]})  # fmt: skip
    assert again.pending_calls == []
    assert again.query().text == ""


# --- the embedded model ---


@pytest.mark.skipif(
    find_spec("xllamacpp") is None or not weights.path().exists(),
    reason="needs the extra [local] and `msgmodel local pull`",
)
def test_the_local_model_remembers_the_first_turn(colour: Sync | Async) -> None:
    """Across a file and a tool's result. It is a small model: of three names it may forget one."""
    said = {}
    for name in ("Zebra", "Lisbon", "Marble"):
        conversation = Conversation("local", config=msgmodel.LocalConfig(temperature=0), max_tokens=24)
        chat = Chat(colour, conversation)
        chat.query(f"My cat is called {name}.")
        chat.query("What does this say?", file_like=b"hello", filename="note.txt")
        conversation.messages += [
            {"role": "user", "content": "How is the weather in Bonn?"},
            {"role": "assistant", "content": [
                {"type": "reasoning", "text": "I should ask."},
                {"type": "tool_call", "id": "call_a", "name": "weather", "arguments": '{"city": "Bonn"}'},
            ]},
        ]  # fmt: skip
        conversation.add_tool_result("call_a", "sunny")
        chat.query()
        said[name] = chat.query("What is my cat called?").text
    assert sum(name in text for name, text in said.items()) >= 2, said
