"""A whole reply, folded from the events of a panel."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from .errors import exception
from .events import PanelEvent, PanelFinal, Privacy, Source, Status, ToolCall, Usage
from .messages import Message


@dataclass(frozen=True, slots=True)
class LLMResponse:
    """What `query` returns. Its repr shows no content, so that logging it is safe.

    text: the reply. message: the turn to append to `messages`. finish_reason: the provider's own word. status: our
    verdict, see `msgmodel.events.Status`. cost: US dollars, see `PanelFinal`. raw_response: the `panel_final` event
    whole, with reasoning, refusal, tool calls and sources where there are any.
    """

    text: str
    raw_response: PanelFinal
    model: str
    provider: str
    # What follows is always there in a reply; a program that makes one by hand, for its tests, may leave it out.
    usage: Usage = None  # type: ignore[assignment]
    privacy: Privacy = None  # type: ignore[assignment]
    finish_reason: str | None = None
    status: Status = "complete"
    truncated: bool = False
    reasoning: str = ""
    refusal: str = ""
    tool_calls: tuple[ToolCall, ...] = field(default=())
    sources: tuple[Source, ...] = field(default=())
    request_id: str | None = None
    cost: float | None = None
    message: Message = field(default_factory=lambda: Message(role="assistant", content=""))

    def __repr__(self) -> str:
        return (
            f"LLMResponse(text=<{len(self.text)} characters>, model={self.model!r}, provider={self.provider!r}, "
            f"status={self.status!r}, finish_reason={self.finish_reason!r}, usage={self.usage!r})"
        )

    __str__ = __repr__


class _Counts(dict[str, Any]):
    """A `Usage` that also answers to the names that OpenAI has for its counts, as msgmodel 4 did."""

    def __missing__(self, name: str) -> int | None:
        said, came = self["input_tokens"], self["output_tokens"]
        if name == "total_tokens":
            return None if said is None or came is None else int(said + came)
        return {"prompt_tokens": said, "completion_tokens": came}[name]  # type: ignore[no-any-return]

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in ("prompt_tokens", "completion_tokens", "total_tokens")

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default


def reply_from_final(last: PanelEvent | None) -> LLMResponse:
    """The reply that a panel's last event describes. Raises APIError or StreamingError where that is an error."""
    if last is not None and last["event"] == "panel_final":
        return LLMResponse(
            text=last["content"],
            raw_response=last,
            model=last["model"],
            provider=last["provider"],
            usage=cast(Usage, _Counts(last["usage"])),
            privacy=last["privacy"],
            finish_reason=last["finish_reason"],
            status=last["status"],
            truncated=last["truncated"],
            reasoning=last.get("reasoning", ""),
            refusal=last.get("refusal", ""),
            tool_calls=tuple(last.get("tool_calls", ())),
            sources=tuple(last.get("sources", ())),
            request_id=last["request_id"],
            cost=last["cost"],
            message=last["message"],
        )
    assert last is not None
    assert last["event"] == "panel_error", "a panel ends with its terminal event"
    raise exception(last)
