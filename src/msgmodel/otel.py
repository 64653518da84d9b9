"""Traces each panel as a span, by OpenTelemetry's conventions for generative AI (extra `[otel]`).

import msgmodel.otel

msgmodel.otel.instrument()

The conventions: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/.

Rule: without `content=True`, a span contains no word of a prompt, a reply or a provider's error.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from ._version import __version__
from .errors import ConfigurationError
from .events import PanelEnd
from .question.config import LocalConfig
from .question.question import (
    Attachment,
    PastCall,
    PastReasoning,
    PastRefusal,
    PastResult,
    Question,
    SignedText,
    TurnPart,
)
from .reply import observers

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer, TracerProvider

_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "gemini": "gcp.gemini",
        "vertex": "gcp.vertex_ai",
        "azure": "azure.ai.openai",
        "bedrock": "aws.bedrock",
        "mistral": "mistral_ai",
        "xai": "x_ai",
    }
)
"""The convention's names of providers that differ from ours."""

_factory: Any = None


def instrument(*, tracer_provider: TracerProvider | None = None, content: bool = False) -> None:
    """Trace every panel that begins from now on. A second call replaces the arguments of the first.

    Args:
        tracer_provider: The provider of the tracer. Default: OpenTelemetry's global one.
        content: Whether spans contain the messages of the question and the reply.

    Raises:
        ConfigurationError: OpenTelemetry is not installed.
    """
    try:
        from opentelemetry.trace import get_tracer
    except ImportError:
        raise ConfigurationError("tracing needs the extra: pip install 'msgmodel[otel]'") from None
    global _factory
    tracer = get_tracer("msgmodel", __version__, tracer_provider)
    uninstrument()
    _factory = lambda ask, panel_id: _PanelSpan(tracer, ask, panel_id, content)  # noqa: E731
    observers.OBSERVER_FACTORIES.append(_factory)


def uninstrument() -> None:
    """Trace no more panels. Running panels still end their spans."""
    if _factory in observers.OBSERVER_FACTORIES:
        observers.OBSERVER_FACTORIES.remove(_factory)


class _PanelSpan:
    """The span of one panel."""

    def __init__(self, tracer: Tracer, ask: Question, panel_id: str, content: bool) -> None:
        self._tracer, self._ask, self._panel_id, self._content = tracer, ask, panel_id, content
        self._span: Span | None = None

    def on_start(self) -> None:
        from opentelemetry.trace import SpanKind

        ask = self._ask
        given = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.stream": True,
            "gen_ai.output.type": None if ask.output is None else "json",
            "gen_ai.request.max_tokens": ask.max_tokens,
            "gen_ai.request.temperature": ask.temperature,
            "msgmodel.panel_id": self._panel_id,
            **_request_attributes(ask),
        }
        if self._content:
            given |= {
                "gen_ai.system_instructions": _json_attribute([{"type": "text", "content": ask.system}])
                if ask.system
                else None,
                "gen_ai.input.messages": _json_attribute(
                    [{"role": turn.role, "parts": [_span_part(part) for part in turn.parts]} for turn in ask.turns]
                ),
            }
        self._span = self._tracer.start_span(
            f"chat {ask.model}", kind=SpanKind.CLIENT, attributes=_without_unset(given)
        )

    def on_fallback(self, question: Question) -> None:
        """Describe the provider that answers. Attributes can't be deleted: the embedded model gets a server too."""
        if self._span is not None:
            self._span.update_name(f"chat {question.model}")
            self._span.set_attributes(
                _without_unset({"server.address": "in-process", "server.port": 0, **_request_attributes(question)})
            )

    def on_first_event(self) -> None:
        if self._span is not None:
            self._span.add_event("gen_ai.first_token")

    def on_end(self, event: PanelEnd) -> None:
        from opentelemetry.trace import Status, StatusCode

        if self._span is None:  # canceled before the question was sent
            return
        usage = event["usage"]
        given: dict[str, Any] = {
            "gen_ai.response.model": event["model"],
            "gen_ai.response.id": event["request_id"],
            "gen_ai.response.time_to_first_chunk": event["timing"]["first_delta_seconds"],
            "gen_ai.usage.input_tokens": usage["input_tokens"],
            "gen_ai.usage.output_tokens": usage["output_tokens"],
            "gen_ai.usage.reasoning.output_tokens": usage["reasoning_tokens"],
            "gen_ai.usage.cache_read.input_tokens": usage["cached_tokens"],
            "gen_ai.usage.cache_creation.input_tokens": usage["cache_write_tokens"],
            "msgmodel.usage.source": usage["source"],
            "msgmodel.cost": event["cost"],
            "msgmodel.attempts": event["timing"]["attempts"],
        }
        if event["event"] == "panel_final":
            given["msgmodel.status"] = event["status"]
            if event["finish_reason"]:
                given["gen_ai.response.finish_reasons"] = [event["finish_reason"]]
        else:
            given["error.type"] = event["code"]
            if event["code"] != "cancelled":  # the caller canceled it: not a fault
                self._span.set_status(Status(StatusCode.ERROR, event["code"]))
        if self._content:
            said = {
                "role": "assistant",
                "parts": _output_parts(event),
                "finish_reason": event.get("finish_reason") or "error",
            }
            given["gen_ai.output.messages"] = _json_attribute([said])
        self._span.set_attributes(_without_unset(given))
        self._span.end()


def _request_attributes(ask: Question) -> dict[str, Any]:
    """Return the provider, and the attributes of the request that a fallback may change."""
    given: dict[str, Any] = {
        "gen_ai.provider.name": _NAMES.get(ask.provider, ask.provider),
        "gen_ai.request.model": ask.model,
        "gen_ai.request.top_p": ask.config.top_p,
        "gen_ai.request.stop_sequences": ask.config.stop,
    }
    if not isinstance(ask.config, LocalConfig):
        address = urlsplit(ask.base_url)
        given |= {"server.address": address.hostname, "server.port": address.port or _PORTS[address.scheme]}
    return given


_PORTS: Final = MappingProxyType({"http": 80, "https": 443})


def _without_unset(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _json_attribute(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _span_part(part: TurnPart) -> dict[str, Any]:
    """Return a part in the form of the convention's JSON schema for messages, without the bytes of files."""
    if isinstance(part, str):
        return {"type": "text", "content": part}
    if isinstance(part, SignedText | PastRefusal):
        return {"type": "text", "content": part.text}
    if isinstance(part, PastReasoning):
        return {"type": "reasoning", "content": part.text}
    if isinstance(part, Attachment):
        return {"type": "file", "mime_type": part.media_type, "name": part.name}
    if isinstance(part, PastCall):
        return {"type": "tool_call", "id": part.id, "name": part.name, "arguments": part.arguments}
    if isinstance(part, PastResult):
        return {"type": "tool_call_response", "id": part.call.id, "response": part.content}
    return {"type": "opaque"}


def _output_parts(event: PanelEnd) -> list[dict[str, Any]]:
    reasoning, calls = event.get("reasoning"), event.get("tool_calls", ())
    return [
        *([{"type": "reasoning", "content": reasoning}] if reasoning else []),
        *([{"type": "text", "content": event["content"]}] if event["content"] else []),
        *({"type": "tool_call", **{name: call[name] for name in ("id", "name", "arguments")}} for call in calls),
    ]
