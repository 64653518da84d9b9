"""Every field of a request of OpenAI's API: what each provider receives of it, or the error that names it."""

from __future__ import annotations

from typing import Any

import pytest

from msgmodel import stream_panels
from msgmodel.adapters import openai_chat
from msgmodel.adapters._openai_fields import FIELDS
from msgmodel.errors import ConfigurationError, FileError
from msgmodel.testing import ScriptedProvider

MODELS = {
    "openai": "openai/gpt-4.1",
    "chat": "groq/llama-4",
    "responses": "openai/gpt-6-luna",
    "anthropic": "anthropic/claude-haiku-5-5",
    "gemini": "gemini/gemini-3.8-flash",
}
HI = {"role": "user", "content": "Hi"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
SAID = "Hello"

VALUES: dict[str, Any] = {
    "stop": ["END"],
    "top_p": 0.5,
    "seed": 7,
    "top_k": 40,
    "min_p": 0.1,
    "repetition_penalty": 1.1,
    "presence_penalty": 1.5,
    "frequency_penalty": -1,
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "top_logprobs": 3,
    "parallel_tool_calls": False,
    "verbosity": "low",
    "service_tier": "default",
    "store": True,
    "metadata": {"run": "1"},
    "user": "ann",
    "safety_identifier": "hash",
    "prompt_cache_key": "key",
    "prompt_cache_retention": "24h",
    "prompt_cache_options": {"mode": "explicit"},
    "prediction": {"type": "content", "content": "Hello"},
    "modalities": ["text", "audio"],
    "audio": {"voice": "ash", "format": "wav"},
}
"""A value of each field that asks for something."""

PENALTIES = {"presence_penalty": ("generationConfig", "presencePenalty"),
             "frequency_penalty": ("generationConfig", "frequencyPenalty")}  # fmt: skip
PLACES: dict[str, dict[str, tuple[str, ...]]] = {
    "responses": {"logprobs": ("include",), "verbosity": ("text", "verbosity")},
    "anthropic": {
        "stop": ("stop_sequences",),
        "parallel_tool_calls": ("tool_choice", "disable_parallel_tool_use"),
        "user": ("metadata", "user_id"),
        "safety_identifier": ("metadata", "user_id"),
    },
    "gemini": {
        **{name: ("generationConfig", word) for name, word in [
            ("stop", "stopSequences"), ("top_p", "topP"), ("seed", "seed"), ("top_k", "topK"),
            ("logprobs", "responseLogprobs"), ("top_logprobs", "logprobs"),
        ]},
        **PENALTIES,
        "service_tier": ("serviceTier",),
    },
}  # fmt: skip
"""Where a field stands in the body, if not at the top under its own name."""
CHANGED = {
    ("responses", "logprobs"): ["message.output_text.logprobs"],
    ("anthropic", "parallel_tool_calls"): True,
    ("anthropic", "service_tier"): "standard_only",
    ("gemini", "service_tier"): "standard",
}
REFUSED = {
    "openai": {"top_k", "min_p", "repetition_penalty"},
    "chat": set(),
    "responses": {"stop", "seed", "top_k", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty",
                  "logit_bias", "prediction", "modalities", "audio"},
    "anthropic": FIELDS.keys() - {"stop", "top_p", "top_k", "parallel_tool_calls", "service_tier", "user",
                                  "safety_identifier"},
    "gemini": FIELDS.keys() - {"parallel_tool_calls",
                               "stop", "top_p", "seed", "top_k", "presence_penalty", "frequency_penalty", "logprobs",
                               "top_logprobs", "service_tier", "store"},
}  # fmt: skip


def body_for(model: str, provider: ScriptedProvider, **fields: Any) -> Any:
    """Return the body that the provider receives for a request of a client with these fields."""
    request = openai_chat.read({"model": model, "messages": [HI], **fields})
    *_, end = stream_panels(request.provider, "", **request.arguments)
    assert end["event"] == "panel_final", end
    return provider.requests[-1].json


def test_each_field_has_a_value_here() -> None:
    assert VALUES.keys() == FIELDS.keys()


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("target", MODELS)
def test_a_field_is_sent_or_refused_by_name(target: str, name: str, scripted_provider: ScriptedProvider) -> None:
    tools = {"tools": [TOOL]} if name == "parallel_tool_calls" or target == "responses" else {}
    if name in REFUSED[target]:
        with pytest.raises(ConfigurationError, match=f"body: {name}=.* can't be sent to"):
            body_for(MODELS[target], scripted_provider, **tools, **{name: VALUES[name]})
        return
    found = body_for(MODELS[target], scripted_provider, **tools, **{name: VALUES[name]})
    if (target, name) == ("gemini", "parallel_tool_calls"):
        assert found == body_for(MODELS[target], scripted_provider, **tools)  # the adapter passes on one call
        return
    for step in PLACES.get(target, {}).get(name, (name,)):
        found = found[step]
    assert found == CHANGED.get((target, name), VALUES[name])


@pytest.mark.parametrize("target", MODELS)
def test_a_value_that_asks_for_nothing_is_taken_by_all(target: str, scripted_provider: ScriptedProvider) -> None:
    harmless = {name: next(iter(row.harmless)) for name, row in FIELDS.items() if row.harmless}
    nothing = dict.fromkeys(FIELDS.keys() - harmless.keys())
    plain = body_for(MODELS[target], scripted_provider, tools=[TOOL])
    assert body_for(MODELS[target], scripted_provider, tools=[TOOL], **harmless, **nothing) == plain
    assert body_for(MODELS[target], scripted_provider, tools=[TOOL], presence_penalty=0.0, n=1) == plain


@pytest.mark.parametrize(
    ("target", "effort", "found"),
    [
        ("openai", "minimal", {"reasoning_effort": "minimal"}),
        ("openai", "low", {"reasoning_effort": "low"}),
        ("responses", "xhigh", {"reasoning": {"effort": "xhigh", "summary": "auto"}}),
        ("anthropic", "max", {"output_config": {"effort": "max"}}),
        ("gemini", "minimal", None),
        ("anthropic", "minimal", None),
    ],
)
def test_reasoning_effort(target: str, effort: str, found: Any, scripted_provider: ScriptedProvider) -> None:
    asked = {"tools": [TOOL], "reasoning_effort": effort}
    if found is None:
        with pytest.raises(ConfigurationError, match=f"reasoning_effort={effort} can't be sent to"):
            body_for(MODELS[target], scripted_provider, **asked)
    else:
        body = body_for(MODELS[target], scripted_provider, **asked)
        assert {name: body[name] for name in found} == found


ALLOWED = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [TOOL]}}
OTHER = {"type": "function", "function": {"name": "g", "strict": True}}


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("none", "none"),
        ("auto", "auto"),
        ("required", "required"),
        ("any", "required"),
        ({"type": "function", "function": {"name": "g"}}, {"type": "function", "function": {"name": "g"}}),
        (ALLOWED, "required"),
    ],
)
def test_tool_choice(choice: Any, sent: Any, scripted_provider: ScriptedProvider) -> None:
    body = body_for("openai/gpt-4.1", scripted_provider, tools=[TOOL, OTHER], tool_choice=choice)
    assert body["tool_choice"] == sent
    names = [tool["function"]["name"] for tool in body["tools"]]
    assert names == (["f"] if choice is ALLOWED else ["f", "g"])


def test_strict_is_sent_as_it_came(scripted_provider: ScriptedProvider) -> None:
    flat = body_for("openai/gpt-6-luna", scripted_provider, tools=[TOOL, OTHER])["tools"]
    assert [tool["strict"] for tool in flat] == [False, True]
    nested = body_for("openai/gpt-4.1", scripted_provider, tools=[TOOL, OTHER])["tools"]
    assert [tool["function"].get("strict") for tool in nested] == [None, True]


def test_custom_tools(scripted_provider: ScriptedProvider) -> None:
    custom = {"type": "custom", "custom": {"name": "sql", "description": "A query."}}
    chosen = {"type": "custom", "custom": {"name": "sql"}}
    body = body_for("openai/gpt-4.1", scripted_provider, tools=[custom], tool_choice=chosen)
    assert (body["tools"], body["tool_choice"]) == ([custom], chosen)
    past = [
        HI,
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "sql", "input": "s"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "1"},
    ]
    sent = body_for("openai/gpt-4.1", scripted_provider, tools=[custom], messages=past)["messages"]
    assert sent[1:] == [past[1] | {"content": ""}, past[2]]
    items = body_for("openai/gpt-6-luna", scripted_provider, tools=[custom, TOOL], messages=past)["input"]
    assert [item["type"] for item in items[1:]] == ["custom_tool_call", "custom_tool_call_output"]
    with pytest.raises(ConfigurationError, match="anthropic has no tool of the type 'custom'"):
        body_for("anthropic", scripted_provider, tools=[custom])


@pytest.mark.parametrize(
    ("messages", "sent"),
    [
        ([{"role": "system", "content": "Say hi."}], [{"role": "user", "content": "Say hi."}]),
        ([{"role": "user", "content": ""}], [{"role": "user", "content": "(empty message)"}]),
        ([{"role": "user", "content": []}], [{"role": "user", "content": "(empty message)"}]),
        (
            [HI, {"role": "assistant", "content": "Hel"}],
            [HI, {"role": "assistant", "content": "Hel"}, {"role": "user", "content": "Continue."}],
        ),
        ([{"role": "user", "name": "Ann", "content": "Hi"}], [{"role": "user", "content": "Ann: \n\nHi"}]),
    ],
)
@pytest.mark.parametrize("model", ["openai/gpt-4.1", "anthropic"])
def test_conversations_that_openai_takes(
    model: str, messages: list[Any], sent: list[Any], scripted_provider: ScriptedProvider
) -> None:
    found = body_for(model, scripted_provider, messages=messages)["messages"]
    assert [message["role"] for message in found] == [message["role"] for message in sent]
    if model != "anthropic":
        assert found == sent


@pytest.mark.parametrize("model", ["openai/gpt-4.1", "openai/gpt-5-pro", "anthropic"])
def test_the_detail_of_an_image(model: str, scripted_provider: ScriptedProvider) -> None:
    picture = "data:image/png;base64,iVBORw0KGgo="
    message = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": picture, "detail": "high"}}]}
    if model == "anthropic":
        with pytest.raises(FileError, match="can't be told the detail of an image"):
            body_for(model, scripted_provider, messages=[message])
        return
    body = body_for(model, scripted_provider, messages=[message])
    part = (body["messages"] if "messages" in body else body["input"])[0]["content"][0]
    assert (part["image_url"] if "messages" in body else part)["detail"] == "high"
