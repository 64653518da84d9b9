"""What a provider says that a reply costs goes before the price list, in every shape that servers use."""

from __future__ import annotations

import json
from typing import Any

import pytest

from msgmodel.reply.usage_ledger import UsageLedger, UsageOfResponse
from pure import play

COUNTS = {"prompt_tokens": 10, "completion_tokens": 5}


def chunk(delta: Any, **fields: Any) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": "stop" if not delta else None}]
    return b"data: %b\n\n" % json.dumps({"id": "c", "choices": choices, **fields}).encode()


def cost_of(*more: bytes) -> tuple[float | None, str | None]:
    last = play("openai_chat", [chunk({"content": "Hi"}), *more, b"data: [DONE]\n\n"])[-1]
    return last["cost"], last["cost_source"]


@pytest.mark.parametrize(
    ("fields", "dollars"),
    [
        pytest.param({"usage": COUNTS | {"cost": 0.00123}}, 0.00123, id="OpenRouter"),
        pytest.param({"usage": COUNTS | {"cost": 0}}, 0.0, id="a free model"),
        pytest.param(
            {"usage": COUNTS | {"cost": 0.5, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.25}}},
            0.75,
            id="with a key of the customer's own",
        ),
        pytest.param(
            {"usage": COUNTS | {"cost": 0.5, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.25}}},
            0.5,
            id="the upstream cost is in it",
        ),
        pytest.param(
            {"usage": COUNTS | {"cost": {"total_cost": 0.006, "request_cost": 0.005}}}, 0.006, id="Perplexity"
        ),
        pytest.param({"usage": COUNTS | {"cost": {"usd": 0.25, "hypercredits": 4}}}, 0.25, id="hyper"),
        pytest.param({"usage": COUNTS, "cost": {"usd": 0.25, "diem": 0}}, 0.25, id="Venice"),
        pytest.param({"usage": COUNTS, "cost": "0.5"}, 0.5, id="as text"),
        pytest.param({"usage": COUNTS | {"cost_in_usd_ticks": 2_500_000_000}}, 0.25, id="xAI"),
        pytest.param({"usage": COUNTS | {"estimated_cost": 0.125}}, 0.125, id="DeepInfra"),
    ],
)
def test_shapes(fields: Any, dollars: float) -> None:
    assert cost_of(chunk({}, **fields)) == (dollars, "provider")


@pytest.mark.parametrize("stated", [None, "", "free", True, -1, [], {}, {"diem": 3}, float("1e300"), "9" * 40])
def test_no_amount(stated: Any) -> None:
    assert cost_of(chunk({}, usage=COUNTS | {"cost": stated})) == (None, None)


def test_the_last_word_counts_in_a_run_of_plain_chunks() -> None:
    """Servers that send the usage in every chunk: the fast lane puts it off, and loses no cost."""
    run = [chunk({"content": "a"}, usage=COUNTS | {"cost": number}) for number in (1, 2, 3)]
    assert cost_of(*run, chunk({})) == (3.0, "provider")
    assert cost_of(*run, chunk({"content": "b"}, cost={"usd": 4})) == (4.0, "provider")  # even if it breaks
    assert cost_of(*run, chunk({"content": "b"}, cost={"usd": 4}), chunk({})) == (4.0, "provider")


def test_of_several_responses() -> None:
    """The sum; from the list if one of them has no price of its provider's, None if one has no price at all."""
    usage: Any = {
        "input_tokens": 1, "output_tokens": 1, "reasoning_tokens": None, "cached_tokens": None,
        "cache_write_tokens": None, "source": "provider",
    }  # fmt: skip
    ledger = UsageLedger(lambda provider, model, usage: {"known": 2.0}.get(model))

    def total(*parts: tuple[str, float | None]) -> tuple[float | None, str | None]:
        return ledger.total([UsageOfResponse("p", model, usage, stated) for model, stated in parts])[1:]

    assert total(("known", 1.0), ("new", 0.5)) == (1.5, "provider")
    assert total(("known", None), ("new", 0.5)) == (2.5, "price_list")
    assert total(("new", None), ("new", 0.5)) == (None, None)
    assert total(("known", None)) == (2.0, "price_list")
