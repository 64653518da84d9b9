"""A complete reply as one object, made from the terminal event of a panel."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from .errors import exception
from .events import PanelEvent, PanelFinal, Privacy, Source, Status, ToolCall, Usage
from .messages import Message


@dataclass(frozen=True, slots=True)
class LLMResponse:
    """What `query` returns. Its repr shows no content, so that logging it is safe.

    Attributes:
        text: The text of the reply.
        raw_response: The complete `panel_final` event.
        model: The model, as the provider names it.
        provider: The name of the provider that answered.
        usage: The tokens, see `msgmodel.events.Usage`.
        privacy: What happens to the data of this request, see `msgmodel.events.Privacy`.
        finish_reason: The provider's own word.
        status: Our verdict, see `msgmodel.events.Status`.
        truncated: Whether `status` is `truncated`.
        reasoning: All reasoning that the provider showed.
        refusal: The model's own words for its refusal.
        tool_calls: The tool calls that the model requests.
        sources: The sources that the reply cites.
        request_id: The provider's id of the request; None if it sent none.
        cost: US dollars; None if the price is unknown or the extra `[cost]` is missing.
        message: The assistant's turn, to append to `messages`.
    """

    text: str
    raw_response: PanelFinal
    model: str
    provider: str
    # A reply has all of the following. They have defaults so that a test can make one by hand.
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
    """A `Usage` that also has OpenAI's names for the counts, as in msgmodel 4."""

    def __missing__(self, name: str) -> int | None:
        prompt, completion = self["input_tokens"], self["output_tokens"]
        if name == "total_tokens":
            return None if prompt is None or completion is None else int(prompt + completion)
        return {"prompt_tokens": prompt, "completion_tokens": completion}[name]  # type: ignore[no-any-return]

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in ("prompt_tokens", "completion_tokens", "total_tokens")

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default


def reply_from_final(last: PanelEvent | None) -> LLMResponse:
    """Return the reply that a panel's last event describes. Raise APIError or StreamingError if it is an error."""
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
