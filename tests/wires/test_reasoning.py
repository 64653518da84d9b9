"""`reasoning=`: what each level puts into the request of each wire and model, and what goes back in a later turn."""

from __future__ import annotations

import json
from typing import Any

import pytest

import msgmodel
from conftest import PROVIDER
from msgmodel import ConfigurationError
from msgmodel.testing import Reply, Script, ScriptedProvider


def thinking(budget: int) -> dict[str, Any]:
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


def adaptive(effort: str) -> dict[str, Any]:
    return {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": effort}}


@pytest.mark.parametrize(
    ("wire", "model", "level", "sent"),
    [
        ("openai_chat", "gpt-6-luna", "none", {"reasoning_effort": "none"}),
        ("openai_chat", "gpt-6-luna", "high", {"reasoning_effort": "high"}),
        ("openai_responses", "gpt-6-luna", "none", {"reasoning": {"effort": "none"}}),
        ("anthropic", "claude-haiku-5-5", "none", {"thinking": {"type": "disabled"}}),
        ("anthropic", "claude-haiku-5-5", "low", adaptive("low")),
        ("anthropic", "claude-haiku-4-5", "none", {}),
        ("anthropic", "claude-haiku-4-5", "low", thinking(1_024)),
        ("anthropic", "anthropic/claude-haiku-4-5-20251001", "low", thinking(1_024)),
        ("anthropic", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "none", {}),
        ("anthropic", "claude-opus-4-1", "low", thinking(1_024)),
        ("anthropic", "claude-sonnet-4-0", "none", {}),
        ("anthropic", "claude-sonnet-4-20250514", "low", thinking(1_024)),
        ("anthropic", "claude-opus-4-6", "none", {}),
        ("anthropic", "claude-opus-4-7", "none", {}),
        ("anthropic", "claude-opus-4-8", "none", {}),
        ("anthropic", "claude-sonnet-4-6", "none", {}),
        ("anthropic", "claude-sonnet-4-6", "high", adaptive("high")),
        ("anthropic", "claude-opus-5", "none", {"thinking": {"type": "disabled"}}),
        ("anthropic", "claude-fable-5-2", "low", adaptive("low")),
        ("openai_chat", "gpt-6-astra", "low", {"reasoning_effort": "low"}),
        ("gemini", "gemini-2.5-pro", "none", {"includeThoughts": False, "thinkingBudget": 128}),
        ("gemini", "gemini-2.5-flash", "none", {"includeThoughts": False, "thinkingBudget": 0}),
        ("gemini", "gemini-2.5-flash", "high", {"includeThoughts": True, "thinkingBudget": 24_576}),
        ("gemini", "gemini-3.5-flash-lite", "none", {"includeThoughts": False, "thinkingLevel": "MINIMAL"}),
        ("gemini", "gemini-3.8-pro", "none", {"includeThoughts": False, "thinkingLevel": "LOW"}),
        ("gemini", "gemini-3.5-flash-lite", "medium", {"includeThoughts": True, "thinkingLevel": "MEDIUM"}),
    ],
)
def test_levels(wire: str, model: str, level: Any, sent: dict[str, Any], provider: ScriptedProvider) -> None:
    msgmodel.query(PROVIDER[wire], "hi", config=provider.config(wire), model=model, reasoning=level)
    body = provider.requests[0].json
    if wire == "gemini":
        assert body["generationConfig"]["thinkingConfig"] == sent
    else:
        names = ("reasoning_effort", "reasoning", "thinking", "output_config")
        assert {name: body[name] for name in names if name in body} == sent


@pytest.mark.parametrize(
    ("provider_name", "model"),
    [
        ("anthropic", "claude-fable-5-2"),
        ("anthropic", "claude-mythos-5"),
        ("anthropic", "anthropic/claude-opus-5-5"),
        ("openrouter", "anthropic/claude-opus-5.5"),
        ("openai", "gpt-6-astra"),
        ("openai", "gpt-6.2-astra"),
        ("openai_responses", "gpt-6.1-sol"),
        ("openrouter", "openai/gpt-6-astra"),
    ],
)
def test_models_that_can_not_be_told_not_to_think(provider_name: str, model: str, provider: ScriptedProvider) -> None:
    config, name = provider.config(provider_name), provider_name.partition("_")[0]
    with pytest.raises(ConfigurationError, match=f"reasoning='none' can't be asked of {model}, which always reasons"):
        msgmodel.query(name, "hi", config=config, model=model, reasoning="none")
    msgmodel.query(name, "hi", config=config, model=model, reasoning="low")


def test_deepseek_thinks_much_or_not_at_all(provider: ScriptedProvider) -> None:
    config = provider.config("deepseek")
    for level, sent in (
        ("none", {"thinking": {"type": "disabled"}}),
        ("high", {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}),
    ):
        msgmodel.query("deepseek", "hi", config=config, reasoning=level)  # type: ignore[arg-type]
        body = provider.requests[-1].json
        assert {name: body[name] for name in ("thinking", "reasoning_effort") if name in body} == sent
    for level in ("low", "medium"):
        with pytest.raises(ConfigurationError, match="can't be asked of deepseek: it takes none, high"):
            msgmodel.query("deepseek", "hi", config=config, reasoning=level)  # type: ignore[arg-type]


def test_openrouter_gets_all_of_its_details_back(provider: ScriptedProvider) -> None:
    """Those that came before the text and those after it."""

    def detail(**fields: Any) -> dict[str, Any]:
        return {"reasoning_details": [fields]}

    first, second = (
        {"type": "reasoning.text", "text": "Hm.", "signature": "s"},
        {"type": "reasoning.encrypted", "data": "e"},
    )
    made = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}
    deltas = [detail(**first), {"content": "Look."}, detail(**second), {"tool_calls": [made]}]
    chunks = [{"choices": [{"delta": delta}]} for delta in deltas]
    end = {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}
    provider.say(Script.body(b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in [*chunks, end])), "ok")
    chat = msgmodel.Conversation("openrouter", config=provider.config("openrouter"))
    chat.query("hi")
    chat.add_tool_result("c", "done")
    chat.query()
    assert provider.requests[-1].json["messages"][1]["reasoning_details"] == [first, second]


def test_a_budget_counts_into_the_limit(provider: ScriptedProvider) -> None:
    config = provider.config("anthropic")
    with pytest.raises(ConfigurationError, match="max_tokens must be above 1024"):
        msgmodel.query("anthropic", "hi", config=config, model="claude-haiku-4-5", reasoning="low", max_tokens=1_024)


def test_what_is_no_level() -> None:
    for level, said in (("huge", "'huge'"), ({}, "{}"), (["low"], r"\['low'\]"), (1, "1")):
        with pytest.raises(ConfigurationError, match=f"reasoning must be none, low, medium or high, not {said}"):
            msgmodel.query("openai", "hi", reasoning=level)  # type: ignore[arg-type]


def test_deepseek_wants_the_reasoning_of_its_calls_back(provider: ScriptedProvider) -> None:
    """And after a cut the question is estimated with all its parts."""
    provider.say(Reply(reasoning="I should look.", tool_calls=[{"id": "c1", "name": "f", "arguments": {}}]))
    chat = msgmodel.Conversation("deepseek", config=provider.config("deepseek"), tools=[{"name": "f"}], max_retries=0)
    chat.query("hi", file_like=b"hello", filename="a.txt")
    chat.add_tool_result("c1", "done")
    provider.say(Reply("It is done, well done", cut_after=1))
    (*_, last) = chat.stream_panels()
    (sent,) = [said for said in provider.requests[-1].json["messages"] if said["role"] == "assistant"]
    assert sent["reasoning_content"] == "I should look."
    assert last["event"] == "panel_error"
    assert last["usage"]["source"] == "estimated"
    assert last["usage"]["input_tokens"] is not None
