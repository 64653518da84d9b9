"""What a reply costs: by the price list where it knows the model, None where it does not, nothing on this machine."""

from __future__ import annotations

import sys
from typing import Any

import pytest

pytest.importorskip("genai_prices")

import msgmodel
from msgmodel.providers import PROVIDERS
from msgmodel.reply import cost
from msgmodel.testing import Reply, ScriptedProvider


def usage(**counts: Any) -> Any:
    return {
        "input_tokens": None, "output_tokens": None, "reasoning_tokens": None, "cached_tokens": None,
        "cache_write_tokens": None, "source": "provider", **counts,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["openai", "anthropic", "gemini"])
def test_the_default_models_have_a_price(name: str) -> None:
    model = PROVIDERS[name].default_model
    small, large = (
        cost.price_in_dollars(name, model, usage(input_tokens=n, output_tokens=n)) for n in (1_000, 1_000_000)
    )
    assert small is not None
    assert large is not None
    assert 0 < small < large
    cached = cost.price_in_dollars(name, model, usage(input_tokens=1_000, cached_tokens=1_000, output_tokens=1_000))
    assert cached is not None
    assert cached < small


def test_unknown_is_none() -> None:
    assert cost.price_in_dollars("openai", "no-such-model", usage(input_tokens=1, output_tokens=1)) is None
    assert cost.price_in_dollars("openai", "gpt-6-luna", usage(output_tokens=1)) is None
    assert cost.price_in_dollars("openai", "gpt-6-luna", usage(input_tokens=1)) is None
    assert cost.price_in_dollars("gpustack", "m", usage(input_tokens=1, output_tokens=1)) is None
    assert cost.price_in_dollars("local", "m", usage()) == 0.0


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    cost._price_library.cache_clear()
    assert cost.price_in_dollars("openai", "gpt-6-luna", usage(input_tokens=1, output_tokens=1)) is None
    cost._price_library.cache_clear()


def test_cost_of_a_reply_that_two_have_worked_on() -> None:
    """Each part at the price of its own model; None where one of them is unknown."""
    with ScriptedProvider() as provider:
        thinks = Reply("x", reasoning="think " * 400, cut_after=0)
        back: Any = {"provider": "openai", "model": "gpt-6-luna", "config": provider.config("openai")}
        found: list[Any] = []
        for model in ("claude-haiku-5-5", "no-such-model"):
            provider.say(thinks, Reply("ok"))
            asking: Any = {"config": provider.config("anthropic"), "model": model, "max_retries": 0}
            alone = list(msgmodel.stream_panels("anthropic", "hi", **asking))[-1]
            provider.say(thinks, Reply("ok"))
            found += [alone, list(msgmodel.stream_panels("anthropic", "hi", fallbacks=[back], **asking))[-1]]
        answered = list(msgmodel.stream_panels("openai", "hi", config=provider.config("openai"), model="gpt-6-luna"))[
            -1
        ]
    alone, both, unknown, with_unknown = found
    assert alone["cost"] > 0
    assert both["cost"] == pytest.approx(alone["cost"] + answered["cost"])  # type: ignore[typeddict-item]
    assert both["usage"]["output_tokens"] == alone["usage"]["output_tokens"] + answered["usage"]["output_tokens"]  # type: ignore[typeddict-item]
    assert unknown["cost"] is with_unknown["cost"] is None


def test_cost_of_a_reply_and_of_a_broken_one() -> None:
    """By the model that the provider says it was; after a cut by what had come."""
    with ScriptedProvider() as provider:
        provider.say(Reply("one two three"), Reply("one two three", cut_after=2), Reply(error=401))
        config = provider.config("anthropic")
        replies: list[Any] = [
            list(msgmodel.stream_panels("anthropic", "hi", config=config, model="claude-haiku-5-5", max_retries=0))[-1]
            for _ in range(3)
        ]
    for last in replies:
        assert last["cost"] == cost.price_in_dollars("anthropic", last["model"], last["usage"])
    assert replies[1]["usage"]["source"] == "estimated"
    assert replies[2]["cost"] in (0.0, None)
