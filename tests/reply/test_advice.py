"""What an error says that the caller can do: in the words of the wire, and only about what was sent."""

from __future__ import annotations

from typing import Any

import pytest

from conftest import KEY, PROVIDER, Async, Sync, config
from msgmodel.reply import wording
from msgmodel.testing.server import Script, ScriptedServer
from msgmodel.wires import WIRES


def refused(
    colour: Sync | Async, server: ScriptedServer, wire: str, status: int, message: str, **options: Any
) -> tuple[str, str]:
    """The code of an error, and the advice in its message."""
    server.say(Script.json(status, {"error": {"message": message}}))
    fields = options.pop("fields", {})
    options["config"] = config(wire, server.url, **fields)
    (event,) = colour.panels(PROVIDER[wire], "hi", KEY, max_retries=0, model="m", **options)
    return event["code"], event["error"].rpartition(" [")[2].removesuffix("]") if " [" in event["error"] else ""


UNKNOWN_LIMIT = "Unsupported parameter: '%s' is not supported with this model. Use '%s' instead."


@pytest.mark.parametrize(
    ("wire", "message", "options", "advice"),
    [
        pytest.param(
            "openai_chat",
            UNKNOWN_LIMIT % ("max_tokens", "max_completion_tokens"),
            {"max_tokens": 9},
            "'m' does not take this max_tokens: pass body={'max_completion_tokens': 9} in the config instead of "
            "max_tokens",
            id="another name for max_tokens",
        ),
        pytest.param(
            "openai_chat",
            "max_tokens is too large: 9. This model supports at most 5.",
            {"max_tokens": 9},
            "'m' does not take this max_tokens: change max_tokens",
            id="too many tokens",
        ),
        pytest.param("openai_chat", "Unknown field: max_tokens", {}, "", id="a field that was not sent"),
        pytest.param(
            "openai_responses",
            "Invalid 'max_output_tokens': integer below minimum value.",
            {"max_tokens": 9},
            "'m' does not take this max_output_tokens: change max_tokens",
            id="Responses",
        ),
        pytest.param(
            "anthropic",
            "max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens for m",
            {"max_tokens": 100_000},
            "'m' does not take this max_tokens: change max_tokens",
            id="Anthropic",
        ),
        pytest.param(
            "gemini",
            "Unable to submit request because it has a maxOutputTokens value of 100000.",
            {"max_tokens": 100_000},
            "'m' does not take this maxOutputTokens: change max_tokens",
            id="Gemini",
        ),
        pytest.param(
            "anthropic",
            "temperature: range: 0..1",
            {"temperature": 1.5},
            "'m' does not take this temperature: leave temperature out",
            id="temperature",
        ),
        pytest.param("openai_chat", "temperature: range: 0..1", {}, "", id="no temperature"),
        pytest.param(
            "gemini",
            "topK is not supported.",
            {"fields": {"top_k": 9}},
            "'m' does not take this topK: leave top_k out",
            id="topK",
        ),
        pytest.param(
            "openai_chat", "We can't restore the vector store.", {"fields": {"store": True}}, "", id="a plain word"
        ),
        pytest.param(
            "openai_chat",
            "Unknown parameter: 'store'.",
            {"fields": {"store": True}},
            "'m' does not take this store: leave store out of the config",
            id="store",
        ),
    ],
)
def test_advice_on_a_field(
    colour: Sync | Async, server: ScriptedServer, wire: str, message: str, options: dict[str, Any], advice: str
) -> None:
    assert refused(colour, server, wire, 400, message, **options) == ("invalid_request", advice)


@pytest.mark.parametrize("wire", WIRES)
def test_advice_on_an_address_that_knows_nothing(colour: Sync | Async, server: ScriptedServer, wire: str) -> None:
    """A server at another address finds no such path, or no such model."""
    address = wording.BASE_URL_ADVICE[wire]
    assert refused(colour, server, wire, 404, "404 page not found") == ("not_found", address)
    model = "the model asked for is 'm': name another one with model="
    for message in ("model: m", "The model `m` does not exist.", ""):
        assert refused(colour, server, wire, 404, message) == ("not_found", f"{model}; {address}")


def test_advice_where_less_would_fit(colour: Sync | Async, server: ScriptedServer) -> None:
    less = "shorten the prompt, the history or the file"
    alone = "Request too large on tokens per min (TPM): Limit 30000, Requested 45000."
    assert refused(colour, server, "openai_chat", 429, alone) == ("too_large", less)
    assert refused(colour, server, "openai_chat", 429, alone, max_tokens=9) == (
        "too_large",
        f"{less}, or lower max_tokens",
    )
    assert refused(colour, server, "anthropic", 400, "prompt is too long: 9 tokens > 8 maximum") == (
        "context_length",
        less,
    )


def test_advice_on_a_proxy_that_asks_for_a_password(colour: Sync | Async, server: ScriptedServer) -> None:
    assert refused(colour, server, "anthropic", 407, "") == ("authentication", wording.PROXY_ADVICE)


def test_every_wire_has_its_address() -> None:
    assert wording.BASE_URL_ADVICE.keys() == WIRES.keys()
