"""Who watches: spans by OpenTelemetry, and the log. None says a word of what was asked or answered."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import msgmodel
import msgmodel.otel
from conftest import KEY, PROVIDER, Async, Sync
from msgmodel import Panel, stream_many, stream_panels
from msgmodel.reply import observers
from msgmodel.testing import Reply, ScriptedProvider
from msgmodel.testing.wires import WIRES

SECRET = "the-prompt-4711"
ANSWER = "the-answer-0815"


class Spans:
    """What was exported so far."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def one(self) -> ReadableSpan:
        (span,) = self.exporter.get_finished_spans()
        return span

    @property
    def text(self) -> str:
        return "".join(span.to_json() for span in self.exporter.get_finished_spans())


@pytest.fixture
def spans() -> Iterator[Spans]:
    found = Spans()
    msgmodel.otel.instrument(tracer_provider=found.provider)
    yield found
    msgmodel.otel.uninstrument()
    assert observers.OBSERVER_FACTORIES == []


@pytest.mark.parametrize("wire", WIRES)
def test_a_span(wire: str, spans: Spans, provider: ScriptedProvider, colour: Sync | Async) -> None:
    provider.say(Reply(ANSWER))
    *_, last = colour.panels(
        PROVIDER[wire], SECRET, KEY, config=provider.config(wire, api_key=None, top_p=0.5), panel_id="left",
        max_tokens=900, model="m", system_instruction=SECRET,
    )  # fmt: skip
    span = spans.one()
    last_: Any = last
    assert (span.name, span.kind.name, span.status.status_code.name) == ("chat m", "CLIENT", "UNSET")
    assert [event.name for event in span.events] == ["gen_ai.first_token"]
    known = {name: number for name, number in last_["usage"].items() if number is not None}
    names = {"input_tokens": "input_tokens", "output_tokens": "output_tokens",
             "reasoning_tokens": "reasoning.output_tokens", "cached_tokens": "cache_read.input_tokens",
             "cache_write_tokens": "cache_creation.input_tokens"}  # fmt: skip
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": {"gemini": "gcp.gemini"}.get(PROVIDER[wire], PROVIDER[wire]),
        "gen_ai.request.model": "m",
        "gen_ai.request.stream": True,
        "gen_ai.request.max_tokens": 900,
        "gen_ai.request.top_p": 0.5,
        "server.address": "127.0.0.1",
        "server.port": int(provider.url.rpartition(":")[2]),
        "gen_ai.response.model": last_["model"],
        "gen_ai.response.id": last_["request_id"],
        "gen_ai.response.finish_reasons": (last_["finish_reason"],),
        "gen_ai.response.time_to_first_chunk": last_["timing"]["first_delta_seconds"],
        **{f"gen_ai.usage.{names[name]}": number for name, number in known.items() if name in names},
        **({"msgmodel.cost": last_["cost"]} if last_["cost"] is not None else {}),
        "msgmodel.panel_id": "left",
        "msgmodel.status": "complete",
        "msgmodel.usage.source": "provider",
        "msgmodel.attempts": 1,
    }
    for word in (SECRET, ANSWER, KEY):
        assert word not in spans.text


def test_an_error(spans: Spans, provider: ScriptedProvider, colour: Sync | Async) -> None:
    provider.say(Reply(error=500))
    colour.panels("openai", SECRET, KEY, config=provider.config("openai", api_key=None), max_retries=1)
    span = spans.one()
    attributes = dict(span.attributes or {})
    assert (span.status.status_code.name, span.status.description) == ("ERROR", "server")
    assert (attributes["error.type"], attributes["msgmodel.attempts"]) == ("server", 2)
    assert span.events == ()


def test_one_that_was_left(spans: Spans, provider: ScriptedProvider) -> None:
    """Its span ends, with what had come; one that was never begun has none."""
    provider.say(Reply("one two three", stall_after=1))
    stream_panels("openai", "hi", config=provider.config("openai")).close()
    events = stream_panels("openai", "hi", config=provider.config("openai"))
    next(events)
    events.close()
    span = spans.one()
    assert span.status.status_code.name == "UNSET"
    assert dict(span.attributes or {})["error.type"] == "cancelled"
    batch = stream_many([Panel("openai", config=provider.config("openai"))], "hi")
    batch.cancel()
    assert [event["event"] for event in batch] == ["panel_error", "batch_final"]
    assert len(spans.exporter.get_finished_spans()) == 1


def test_a_fallback_is_one_span(spans: Spans, provider: ScriptedProvider) -> None:
    provider.say(Reply(error=401), "Hello")
    list(
        stream_panels(
            "openai", "hi", config=provider.config("openai"),
            fallbacks=[{"provider": "gemini", "config": provider.config("gemini")}],
        )
    )  # fmt: skip
    attributes = dict(spans.one().attributes or {})
    assert attributes["gen_ai.provider.name"] == "gcp.gemini"
    assert attributes["msgmodel.attempts"] == 2


def test_a_span_names_who_answered(spans: Spans, colour: Sync | Async, provider: ScriptedProvider) -> None:
    """Not who was asked first: neither in its name nor in an attribute."""
    provider.say(Reply(error=401))
    with ScriptedProvider() as other:
        other.say("Hello")
        back = {"provider": "gemini", "model": "second", "config": other.config("gemini", stop=("x",), top_p=0.5)}
        colour.panels("openai", "hi", config=provider.config("openai"), model="first", fallbacks=[back])
        span = spans.one()
        attributes: Any = span.attributes
        assert (span.name, attributes["gen_ai.request.model"]) == ("chat second", "second")
        assert (attributes["gen_ai.request.top_p"], attributes["gen_ai.request.stop_sequences"]) == (0.5, ("x",))
        assert attributes["server.port"] == int(other.url.rpartition(":")[2])
    assert "first" not in spans.text.replace("first_token", "").replace("first_chunk", "")


def test_a_span_of_the_embedded_model_as_a_fallback_names_no_server() -> None:
    from msgmodel.config import LocalConfig, OpenAIConfig
    from msgmodel.question.question import Question

    found = Spans()
    tracer = found.provider.get_tracer("test")
    asks: list[Any] = [
        Question(
            provider="openai",
            wire="openai_chat",
            model="m",
            turns=(),
            config=OpenAIConfig(),
            base_url="https://a.b/v1",
            headers={},
        ),
        Question(
            provider="local", wire="openai_chat", model="n", turns=(), config=LocalConfig(), base_url="/x", headers={}
        ),
    ]
    watching = msgmodel.otel._PanelSpan(tracer, asks[0], "left", False)
    watching.on_fallback(asks[1])  # before it began: nothing happens
    watching.on_start()
    assert watching._span is not None
    begun: Any = watching._span
    assert (begun.attributes["server.address"], begun.attributes["server.port"]) == ("a.b", 443)
    watching.on_fallback(asks[1])
    assert (begun.name, begun.attributes["gen_ai.provider.name"]) == ("chat n", "local")
    assert (begun.attributes["server.address"], begun.attributes["server.port"]) == ("in-process", 0)


@pytest.mark.parametrize("answer", [Reply("Hello"), Reply(error=401), Reply("Hello there", stall_after=1)])
def test_an_on_end_that_raises(
    answer: Reply, provider: ScriptedProvider, caplog: pytest.LogCaptureFixture, colour: Sync | Async
) -> None:
    """It harms no stream; the log says what it was, and not what it said."""

    def fault(event: Any) -> None:
        raise RuntimeError(SECRET)

    provider.say(answer)
    config = provider.config("openai")
    asking: Any = {"config": config, "max_retries": 0, "timeout": 0.5, "on_end": fault}
    *_, last = colour.panels("openai", "hi", **asking)
    assert last["event"] == ("panel_final" if answer.text == "Hello" else "panel_error")
    for event in msgmodel.stream_panels("openai", "hi", **asking):
        if event["event"] == "panel_delta":
            break
    assert caplog.messages == ["on_end failed: RuntimeError"] * 2
    assert SECRET not in caplog.text


def test_an_on_end_that_exits(provider: ScriptedProvider, colour: Sync | Async) -> None:
    def leave(event: Any) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        colour.query("openai", "hi", config=provider.config("openai"), on_end=leave)


def test_content_where_it_is_wanted(provider: ScriptedProvider) -> None:
    found = Spans()
    msgmodel.otel.instrument(tracer_provider=TracerProvider())
    msgmodel.otel.instrument(tracer_provider=found.provider, content=True)  # the newer arguments hold
    try:
        provider.say(Reply(ANSWER, reasoning="Hm", tool_calls=[{"id": "c1", "name": "f", "arguments": {"a": 1}}]))
        messages: Any = [
            {"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "file", "name": "a.png",
             "data": b"\x89PNG\r\n\x1a\n"}]},
            {"role": "assistant", "content": [{"type": "reasoning", "text": "R"}, {"type": "tool_call", "id": "c0",
             "name": "f", "arguments": {}}]},
            {"role": "tool", "content": [{"type": "tool_result", "tool_call_id": "c0", "content": "7"}]},
        ]  # fmt: skip
        list(
            stream_panels(
                "anthropic", SECRET, messages=messages, system_instruction="Be brief",
                config=provider.config("anthropic"), tools=[{"name": "f"}],
            )
        )  # fmt: skip
    finally:
        msgmodel.otel.uninstrument()
    attributes = dict(found.one().attributes or {})
    assert json.loads(str(attributes["gen_ai.system_instructions"])) == [{"type": "text", "content": "Be brief"}]
    said = json.loads(str(attributes["gen_ai.input.messages"]))
    assert said[0] == {
        "role": "user",
        "parts": [
            {"type": "text", "content": "look"},
            {"type": "file", "mime_type": "image/png", "name": "a.png"},
        ],
    }
    assert said[1]["parts"][-1] == {"type": "tool_call", "id": "c0", "name": "f", "arguments": "{}"}
    assert said[2] == {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c0", "response": "7"}]}
    assert said[3] == {"role": "user", "parts": [{"type": "text", "content": SECRET}]}
    assert json.loads(str(attributes["gen_ai.output.messages"])) == [
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "Hm"},
                {"type": "text", "content": ANSWER},
                {"type": "tool_call", "id": "c1", "name": "f", "arguments": '{"a": 1}'},
            ],
            "finish_reason": "tool_use",
        }
    ]


def test_an_observer_that_fails_harms_no_stream(
    provider: ScriptedProvider, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Faulty:
        def on_start(self) -> None:
            raise RuntimeError(SECRET)

        on_first_event = on_start

        def on_fallback(self, ask: Any) -> None:
            raise RuntimeError(SECRET)

        def on_end(self, event: Any) -> None:
            raise RuntimeError(SECRET)

    def broken(ask: Any, panel_id: str) -> Any:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(observers, "OBSERVER_FACTORIES", [lambda ask, panel_id: Faulty(), broken])
    with caplog.at_level(logging.WARNING, "msgmodel"):
        assert msgmodel.query("openai", "hi", config=provider.config("openai")).status == "complete"
        assert caplog.messages == ["an observer failed: RuntimeError"] * 4
        provider.say(Reply(error=401), "Hello")
        back: Any = {"provider": "openai", "config": provider.config("openai")}
        msgmodel.query("openai", "hi", config=provider.config("openai"), fallbacks=[back])
    assert caplog.messages == ["an observer failed: RuntimeError"] * 9
    assert SECRET not in caplog.text


@pytest.mark.parametrize("answer", [Reply(ANSWER), Reply(error=401), Reply(ANSWER + " more", cut_after=1)])
def test_the_log_says_how_it_ended_and_nothing_else(
    answer: Reply, provider: ScriptedProvider, caplog: pytest.LogCaptureFixture, colour: Sync | Async
) -> None:
    provider.say(answer)
    config = provider.config("openai", api_key=KEY)
    with caplog.at_level(logging.DEBUG, "msgmodel"):
        *_, last = colour.panels("openai", SECRET, config=config, panel_id="left", max_retries=0)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "msgmodel"]
    how: Any = last.get("status") or last.get("code")
    assert line.startswith(f"panel left: openai {last['model']} {how} in ")  # type: ignore[typeddict-item]
    for word in (SECRET, ANSWER, KEY):
        assert word not in line


def test_silent_unless_asked(provider: ScriptedProvider, caplog: pytest.LogCaptureFixture) -> None:
    msgmodel.query("openai", "hi", config=provider.config("openai"))
    assert [record for record in caplog.records if record.name.startswith("msgmodel")] == []
