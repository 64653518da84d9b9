"""The receipt and the warnings of a reply, on every wire on which they can happen; and no false alarm."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from conftest import KEY, PROVIDER, SHARED, config
from msgmodel import stream_panels
from msgmodel._arguments import read_question
from msgmodel._options import Arguments
from msgmodel.reply.clock import WaitLimits
from msgmodel.reply.exchange import Exchange
from msgmodel.reply.next_request import MAX_REPLY_BYTES, RetryRules
from msgmodel.reply.receipt import _names_differ
from msgmodel.testing import Reply, ScriptedProvider
from msgmodel.testing.server import Script
from msgmodel.testing.wires import WIRES, Wire


def stream(*events: Any, done: bool = False) -> bytes:
    return b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events) + b"data: [DONE]\n\n" * done


def chat(**fields: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}
    return stream({"id": "c", "choices": [choice], **fields}, done=True)


def responses(**fields: Any) -> bytes:
    text = {"type": "response.output_text.delta", "output_index": 0, "delta": "Hi"}
    return stream(text, {"type": "response.completed", "response": {"status": "completed", **fields}})


def anthropic(message: Any = None, usage: Any = None, **fields: Any) -> bytes:
    return stream(
        {"type": "message_start", "message": message or {}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "Hi"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage or {}, **fields},
        {"type": "message_stop"},
    )


def gemini(usage: Any = None, **fields: Any) -> bytes:
    candidate = {"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}
    return stream({"candidates": [candidate], "usageMetadata": usage or {}, **fields})


def play(
    wire: str,
    data: bytes,
    prompt: str = "hi",
    headers: Any = None,
    fields: Any = None,
    max_reply_bytes: int = MAX_REPLY_BYTES,
    **arguments: Any,
) -> dict[str, Any]:
    """Return the last event. `fields`: of the provider's config."""
    asked = Arguments(
        provider=PROVIDER[wire],
        prompt=prompt,
        api_key=KEY,
        config=config(wire, "http://127.0.0.1", **fields or {}),
        **arguments,
    )
    begun = Exchange(
        read_question(asked, {}),
        panel_id="p",
        limits=WaitLimits(300, 300),
        rules=RetryRules(max_retries=0, max_reply_bytes=max_reply_bytes),
        now=lambda: 0.0,
        random=lambda: 0.0,
    )
    begun.next_request()
    begun.response_started(200, headers or {})
    list(begun.feed(data))
    if begun.reading:
        list(begun.feed(b""))
    last: Any = begun.terminal_events()[-1]
    return last


def codes(wire: str, data: bytes, **options: Any) -> list[str]:
    last = play(wire, data, **options)
    assert last["content"] == "Hi"
    return [warning["code"] for warning in last["warnings"]]


def with_model(wire: Wire, model: str) -> bytes:
    return {
        "openai_chat": lambda: chat(model=model),
        "openai_responses": lambda: responses(model=model),
        "anthropic": lambda: anthropic({"model": model}),
        "gemini": lambda: gemini(modelVersion=model),
    }[wire]()


def with_usage(wire: Wire, *, input: int = 1, output: int = 1, reasoning: int = 0) -> bytes:
    return {
        "openai_chat": lambda: chat(
            usage={
                "prompt_tokens": input,
                "completion_tokens": output,
                "completion_tokens_details": {"reasoning_tokens": reasoning},
            }
        ),
        "openai_responses": lambda: responses(
            usage={
                "input_tokens": input,
                "output_tokens": output,
                "output_tokens_details": {"reasoning_tokens": reasoning},
            }
        ),
        "anthropic": lambda: anthropic(
            usage={
                "input_tokens": input,
                "output_tokens": output,
                "output_tokens_details": {"thinking_tokens": reasoning},
            }
        ),
        "gemini": lambda: gemini(
            {
                "promptTokenCount": input,
                "candidatesTokenCount": output - reasoning,
                "thoughtsTokenCount": reasoning,
            }
        ),
    }[wire]()


@pytest.mark.parametrize("wire", WIRES)
def test_another_model_answers(wire: Wire) -> None:
    assert codes(wire, with_model(wire, "gpt-3.5-turbo"), model="gpt-5") == ["model_substituted"]
    assert codes(wire, with_model(wire, "gpt-5-2026-01-01"), model="gpt-5") == []


SAME = [
    ("gpt-4o", "gpt-4o-2024-08-06"),
    ("openai/gpt-4o:free", "gpt-4o"),
    ("claude-sonnet-4-0", "claude-sonnet-4-20250514"),
    ("anthropic/claude-haiku-4.5", "anthropic/claude-4.5-haiku-20251001"),
    ("gemini-flash-latest", "gemini-3.6-flash"),
    ("meta-llama/Llama-3.1-8B-Instruct", "llama3.1-8b"),
    ("grok-4-fast", "grok-4-fast-reasoning"),
    ("my-deployment", "gpt-4o"),
    ("local.gguf", "qwen3"),
]
OTHER = [
    ("gpt-4o", "gpt-4o-mini"),
    ("grok-3-mini", "grok-4.3"),
    ("gemini-3-pro-preview", "gemini-3.1-pro-preview"),
    ("gpt-4.1-mini", "moonshotai/kimi-k2"),
    ("claude-opus-4-7", "claude-sonnet-4-6"),
    ("gpt-5", "gpt-4o"),
]


@pytest.mark.parametrize(("asked", "served"), SAME)
def test_a_longer_name_is_the_same_model(asked: str, served: str) -> None:
    assert not _names_differ(asked, served)


@pytest.mark.parametrize(("asked", "served"), OTHER)
def test_another_size_or_generation_is_another_model(asked: str, served: str) -> None:
    assert _names_differ(asked, served)


@pytest.mark.skipif(not (SHARED / "streams").is_dir(), reason="the recorded streams are not here")
def test_recorded_pairs_of_names() -> None:
    """Only real substitutions: models that their provider had replaced, and a router's own choice."""
    found = set()
    pairs = 0
    for path in (SHARED / "streams").glob("*/*.json"):
        request = json.loads(path.read_bytes()).get("request")
        if not isinstance(request, dict) or not path.with_suffix(".sse").exists():
            continue
        body = request.get("json")
        in_path = re.search(r"/models/([^:/?]+)", request.get("path", ""))
        asked = (body.get("model") if isinstance(body, dict) else None) or (in_path and in_path.group(1))
        served = re.search(
            r'"(?:model|modelVersion)"\s*:\s*"([^"]+)"', path.with_suffix(".sse").read_text("utf-8", "replace")
        )
        if asked and served:
            pairs += 1
            if _names_differ(asked, served.group(1)):
                found.add((asked, served.group(1)))
    assert pairs > 1000
    assert found == {
        ("grok-3-mini", "grok-4.3"),
        ("grok-4-0709", "grok-4.3"),
        ("gpt-4.1-mini", "moonshotai/kimi-k2"),
        ("gemini-3-pro-preview", "gemini-3.1-pro-preview"),
    }


@pytest.mark.parametrize("wire", WIRES)
def test_a_question_that_was_cut(wire: Wire) -> None:
    """Ollama keeps the last tokens of its window, and says nothing."""
    question = "word " * 20_000
    assert codes(wire, with_usage(wire, input=4096), prompt=question) == ["context_cut"]
    assert codes(wire, with_usage(wire, input=20_000), prompt=question) == []


@pytest.mark.parametrize("wire", WIRES)
def test_hidden_reasoning(wire: Wire) -> None:
    assert codes(wire, with_usage(wire, output=101, reasoning=100)) == ["reasoning_hidden"]
    assert codes(wire, with_usage(wire, output=1)) == []


@pytest.mark.parametrize("wire", WIRES)
def test_limits_that_were_not_kept(wire: Wire) -> None:
    assert codes(wire, with_usage(wire, output=500), max_tokens=20) == ["parameter_ignored"]
    assert codes(wire, with_usage(wire, output=20), max_tokens=20) == []


@pytest.mark.parametrize(
    ("wire", "data"),
    [
        ("openai_chat", chat(service_tier="default")),
        ("openai_responses", responses(service_tier="default")),
        ("anthropic", anthropic(usage={"service_tier": "default"})),
        ("gemini", gemini({"serviceTier": "default"})),
    ],
)
def test_another_service_tier(wire: Wire, data: bytes) -> None:
    name = "serviceTier" if wire == "gemini" else "service_tier"
    last = play(wire, data, fields={"body": {name: "flex"}})
    assert [warning["code"] for warning in last["warnings"]] == ["tier_changed"]
    assert (last["receipt"]["service_tier_asked"], last["receipt"]["service_tier"]) == ("flex", "default")
    assert codes(wire, data, fields={"body": {name: "default"}}) == []
    assert codes(wire, data) == []


@pytest.mark.parametrize(
    ("wire", "data"),
    [
        ("anthropic", anthropic(context_management={"applied_edits": [{"type": "clear_tool_uses_20250919"}]})),
        ("openai_responses", responses(input_transformations=[{"action": "removed", "type": "reasoning"}])),
    ],
)
def test_a_conversation_that_the_provider_edits(wire: Wire, data: bytes) -> None:
    assert codes(wire, data) == ["context_edited"]


def test_a_choice_that_is_not_shown() -> None:
    choices = [{"index": index, "delta": {"content": "Hi"}, "finish_reason": "stop"} for index in (0, 1)]
    assert codes("openai_chat", stream({"id": "c", "choices": choices}, done=True)) == ["choice_dropped"]
    candidates = [
        {"content": {"parts": [{"text": text}]}, "index": index, "finishReason": "STOP"}
        for index, text in enumerate(["Hi", "Other words"])
    ]
    assert codes("gemini", stream({"candidates": candidates})) == ["choice_dropped"]


def test_a_stop_that_the_text_ignores() -> None:
    choice = {"index": 0, "delta": {"content": "a STOP b"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1, "completion_tokens": 3}
    data = stream({"id": "c", "choices": [choice], "usage": usage}, done=True)
    last = play("openai_chat", data, fields={"stop": ("STOP",)})
    assert [warning["code"] for warning in last["warnings"]] == ["parameter_ignored"]


def test_a_count_that_the_text_disproves() -> None:
    choice = {"index": 0, "delta": {"content": "word " * 2_000}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1, "completion_tokens": 3}
    last = play("openai_chat", stream({"id": "c", "choices": [choice], "usage": usage}, done=True))
    assert [warning["code"] for warning in last["warnings"]] == ["count_disagrees"]


def test_a_reply_from_a_cache() -> None:
    last = play("openai_chat", chat(), headers={"helicone-cache": "HIT"})
    assert [warning["code"] for warning in last["warnings"]] == ["cached"]
    assert play("openai_chat", chat(), headers={"helicone-cache": "MISS"})["warnings"] == []


def test_the_provider_that_a_router_chose() -> None:
    assert play("openai_chat", chat(provider="Together"))["receipt"]["provider_served"] == "Together"


@pytest.mark.parametrize("wire", WIRES)
def test_each_request_is_on_the_receipt(provider: ScriptedProvider, wire: Wire) -> None:
    provider.say(Reply(error=503), Reply("Hi"))
    *_, last = stream_panels(PROVIDER[wire], "hi", config=provider.config(wire), max_retries=1)
    requests = last["receipt"]["requests"]
    assert [request["code"] for request in requests] == ["overloaded", None]
    assert requests[0]["seconds_waited"] == 0
    assert 0 < requests[1]["seconds_waited"] < 1
    assert {"provider_asked", "model_asked"} <= last["receipt"].keys()
    assert "key" not in json.dumps(last["receipt"]).lower()


def test_who_served_and_what_it_cost_behind_a_router() -> None:
    """OpenRouter's Messages API, as recorded; MiniMax has the tier outside of the counts."""
    last = play("anthropic", anthropic({"provider": "Amazon Bedrock", "service_tier": "standard"}, {"cost": 0.25}))
    assert last["receipt"]["provider_served"] == "Amazon Bedrock"
    assert last["receipt"]["service_tier"] == "standard"
    assert last["receipt"]["stated_cost"] == 0.25


@pytest.mark.parametrize("usage", [{"cost": 0.25}, {"cost_in_usd_ticks": 2_500_000_000}])
def test_the_stated_cost_of_a_response(usage: Any) -> None:
    """OpenRouter and xAI."""
    last = play("openai_responses", responses(usage={"input_tokens": 1, "output_tokens": 1, **usage}))
    assert (last["cost"], last["cost_source"]) == (0.25, "provider")
    assert last["receipt"]["stated_cost"] == 0.25


def test_the_tier_among_the_counts_of_a_chat() -> None:
    """Mistral's."""
    last = play("openai_chat", chat(usage={"prompt_tokens": 1, "completion_tokens": 1, "service_tier": "standard"}))
    assert last["receipt"]["service_tier"] == "standard"


def test_azure_s_filter_scores_of_a_response() -> None:
    scores = [{"source_type": "prompt", "content_filter_results": {"hate": {"severity": "safe"}}}]
    assert play("openai_responses", responses(content_filters=scores))["details"] == {"filter_results": scores}


@pytest.mark.parametrize(
    ("wire", "data"),
    [
        ("openai_chat", chat(provider=f"Router {KEY}", service_tier=KEY, choices=[
            {"index": 0, "delta": {"content": "Hi", f"odd {KEY}": "x"}, "finish_reason": "stop"}])),
        ("openai_responses", stream({"type": f"response.{KEY}.delta", "delta": "x"}) + responses(service_tier=KEY)),
        ("anthropic", anthropic(usage={"service_tier": KEY}, context_management={"applied_edits": [{"type": KEY}]})),
        ("gemini", gemini({"serviceTier": KEY})),
    ],
)  # fmt: skip
def test_no_key_in_what_a_server_says_of_itself(wire: Wire, data: bytes) -> None:
    last = play(wire, data, headers={"x-inference-provider": KEY})
    assert KEY not in json.dumps(last)
    assert "[key]" in json.dumps(last["receipt"])


def test_names_of_what_is_untold_take_memory_too() -> None:
    """A server could invent one after another, without end."""
    kinds = ({"type": f"response.kind {number}.delta", "delta": "x"} for number in range(3_000))
    begun = play("openai_responses", stream(*kinds), max_reply_bytes=512 * 1024)
    assert (begun["event"], begun["code"]) == ("panel_error", "reply_too_large")


# --- text that JSON can't hold ---

_HALF = "\ud83d"
_CALL = {"type": "tool_call", "id": "c", "name": "f", "arguments": {"a": _HALF}}
HALVES: dict[str, dict[str, Any]] = {
    "prompt": {"prompt": f"half {_HALF}"},
    "system": {"system_instruction": _HALF},
    "user": {"messages": [{"role": "user", "content": f"{_HALF} hi"}]},
    "part": {"messages": [{"role": "user", "content": [{"type": "text", "text": f"a{_HALF}"}]}]},
    "arguments": {
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [_CALL]},
            {"role": "tool", "tool_call_id": "c", "content": "1"},
        ]
    },
    "result": {
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [{**_CALL, "arguments": "{}"}]},
            {"role": "tool", "tool_call_id": "c", "content": {"found": [_HALF]}},
        ]
    },
    "tool": {"tools": [{"name": "f", "description": _HALF, "parameters": {"type": "object"}}]},
}


def warned(wire: Wire, question: dict[str, Any]) -> list[str]:
    with ScriptedProvider() as provider:
        provider.say("Hi")
        asked = {"prompt": "hi", "config": provider.config(PROVIDER[wire]), **question}
        last: Any = [*stream_panels(PROVIDER[wire], **asked)][-1]
        assert last["content"] == "Hi"
        return [warning["code"] for warning in last["warnings"]]


@pytest.mark.parametrize("place", HALVES)
@pytest.mark.parametrize("wire", WIRES)
def test_half_an_emoji_is_not_replaced_in_silence(wire: Wire, place: str) -> None:
    assert warned(wire, HALVES[place]) == ["text_replaced"]


@pytest.mark.parametrize("text", ["\ud83d\ude00", "\ufffd", "\U0001f600 \ufffd"])
@pytest.mark.parametrize("wire", WIRES)
def test_text_of_which_nothing_is_lost(wire: Wire, text: str) -> None:
    """Two halves that belong together become their emoji."""
    assert warned(wire, {"prompt": text, "messages": [{"role": "user", "content": text}]}) == []


# --- who is paid beside the reply ---


def iteration(kind: str, input: int, output: int, **fields: Any) -> Any:
    return {"type": kind, "input_tokens": input, "output_tokens": output, **fields}


@pytest.mark.parametrize(
    ("others", "total"),
    [
        ([iteration("compaction", 60_000, 500)], (60_612, 3_300)),
        ([iteration("advisor_message", 2_000, 3_000, model="claude-opus-9")], (2_612, 5_800)),
        ([iteration("compaction", 10, 1, cache_read_input_tokens=5), iteration("advisor_message", 1, 2)], (628, 2_803)),
        ([], (612, 2_800)),
    ],
)
def test_requests_besides_the_reply(others: list[Any], total: tuple[int, int]) -> None:
    """Anthropic leaves them out of the counts of the reply, and bills them."""
    usage = {"input_tokens": 612, "output_tokens": 2_800, "iterations": [*others, iteration("message", 612, 2_800)]}
    last = play("anthropic", anthropic({"model": "claude-sonnet-9"}, usage), max_tokens=3_000)
    assert (last["usage"]["input_tokens"], last["usage"]["output_tokens"]) == total
    assert "parameter_ignored" not in [warning["code"] for warning in last["warnings"]]
    shown = last.get("details", {}).get("other_requests", [])
    assert [(each["type"], each["model"]) for each in shown] == [
        (each["type"], each.get("model", "claude-sonnet-9")) for each in others
    ]
    assert [each["usage"]["output_tokens"] for each in shown] == [each["output_tokens"] for each in others]


def test_requests_that_the_counts_include_are_not_counted_twice() -> None:
    usage = {"input_tokens": 30, "output_tokens": 3, "iterations": [iteration("x", 20, 2), iteration("message", 10, 1)]}
    last = play("anthropic", anthropic(usage=usage))
    assert (last["usage"]["output_tokens"], "details" in last) == (3, False)


# --- errors ---


@pytest.mark.parametrize("is_event", [True, False])
def test_what_an_error_says_besides_its_words(is_event: bool) -> None:
    """Which provider of a router failed, and what the model wrote that was no valid call: as an event or a response."""
    error = {
        "error": {"message": f"no {KEY}", "failed_generation": f"{{ {KEY}", "metadata": {"provider_name": "Venice"}}
    }
    with ScriptedProvider() as provider:
        provider.say(Script.body(stream(error)) if is_event else Script.json(400, error))
        asked = config("openai_chat", provider.url)
        last: Any = [*stream_panels(PROVIDER["openai_chat"], "hi", KEY, config=asked, max_retries=0)][-1]
    assert (last["event"], last["receipt"]["provider_served"]) == ("panel_error", "Venice")
    assert last["details"]["failed_generation"].startswith("{ ")
    assert KEY not in json.dumps(last)


@pytest.mark.parametrize("more", ["", " words after it"])
def test_a_count_behind_all_words_holds_if_the_stream_breaks(more: str) -> None:
    choice = {"index": 0, "delta": {"content": "word " * 50}, "finish_reason": None}
    after = {"index": 0, "delta": {"content": more}, "finish_reason": None}
    counted = {"prompt_tokens": 9, "completion_tokens": 40}
    last = play("openai_chat", stream({"id": "c", "choices": [choice], "usage": counted}, {"choices": [after]}))
    usage = last["usage"]
    assert (usage["source"], usage["output_tokens"] == 40) == ("estimated" if more else "provider", not more)
