"""A complete reply as one object, made from the terminal event of a panel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, cast

from .errors import exception
from .events import PanelEvent, PanelFinal, Privacy, Source, Status, ToolCall, ToolRun, Usage
from .messages import MediaPart, Message
from .reply_facts import OutputError

if TYPE_CHECKING:
    from typing_extensions import TypeVar  # the types of every checker have it, also if it is not installed

    Object = TypeVar("Object", covariant=True, default=Any)
else:
    from typing import TypeVar

    Object = TypeVar("Object", covariant=True)


@dataclass(frozen=True, slots=True)
class LLMResponse(Generic[Object]):
    """What `query` returns: `print` shows the text. Its repr shows no content, so that logging it is safe.

    `LLMResponse[Person]` is the reply to `query(..., output=Person)`.

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
        object: The value of `output=`, as the caller's type. None without `output=`, and for a reply that is not
            complete or does not have the format: see `errors`.
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
    object: Object | None = None

    @property
    def errors(self) -> tuple[OutputError, ...]:
        """Why the reply does not have the format of `output=`. See `msgmodel.events.OutputError`."""
        return tuple(self.raw_response.get("errors", ()))

    @property
    def truncated_by(self) -> Literal["rounds", "budget"] | None:
        """The limit of ours that cut the reply, see `PanelFinal`; None otherwise."""
        return self.raw_response.get("truncated_by")

    @property
    def parts(self) -> tuple[MediaPart, ...]:
        """Images, audio and files of the reply, in their order. See `msgmodel.messages.MediaPart`."""
        content = self.message["content"]
        if isinstance(content, str):
            return ()
        return tuple(part for part in content if part["type"] == "media")

    @property
    def tool_runs(self) -> tuple[ToolRun, ...]:
        """What the provider's own tools did. See `msgmodel.events.ToolRun`."""
        return tuple(self.raw_response.get("tool_runs", ()))

    def __repr__(self) -> str:
        return (
            f"LLMResponse(text=<{len(self.text)} characters>, model={self.model!r}, provider={self.provider!r}, "
            f"status={self.status!r}, finish_reason={self.finish_reason!r}, usage={self.usage!r})"
        )

    def __str__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        """Return the reply as a notebook shows it: text and images, below a mark if the reply is not complete."""
        text = "\n\n".join(filter(None, (self.text or self.refusal, *map(_markdown_of_part, self.parts))))
        if self.status == "complete":
            return text
        words = f"status `{self.status}`"
        if self.finish_reason:
            words += f", finish reason `{' '.join(self.finish_reason.replace('`', ' ').split())}`"
        if self.tool_calls:
            words += ", tool calls: " + ", ".join(f"`{call['name'].replace('`', ' ')}`" for call in self.tool_calls)
        # Above the text, because an open code block at its end would swallow the mark.
        return f"> **Not complete:** {words}\n\n{text}"


_NOTEBOOK_IMAGES = ("image/png", "image/jpeg", "image/webp", "image/gif")


def _markdown_of_part(part: MediaPart) -> str:
    """Return an image whose bytes are here, else a line that names the part. Nothing is fetched from an address."""
    if part.get("data") and part["media_type"] in _NOTEBOOK_IMAGES:
        return f"![image](data:{part['media_type']};base64,{part['data']})"
    return f"*A part of kind {part['kind']}: see* `reply.parts`"


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


def reply_from_final(last: PanelEvent | None, convert: Callable[[Any], Any] | None = None) -> LLMResponse[Any]:
    """Return the reply that a panel's last event describes.

    Args:
        last: The event.
        convert: Turns the value of `output=` into the caller's type.

    Raises:
        APIError, StreamingError: The event is an error.
    """
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
            object=None if convert is None or last.get("object") is None else convert(last["object"]),
        )
    assert last is not None
    assert last["event"] == "panel_error", "a panel ends with its terminal event"
    raise exception(last)
