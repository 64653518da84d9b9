"""The turns of a conversation as plain dicts, safe for `json.dumps`: what goes into `messages=` and comes back as the
`message` of a terminal event.

Rule: what is opaque belongs to the provider that made it. It goes back to that one byte for byte, and to no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

JSON: TypeAlias = bool | int | float | str | list[Any] | dict[str, Any] | None


class Opaque(TypedDict):
    """What a provider wants back unchanged: a signature, an encrypted block, an item of its own."""

    provider: str
    wire: str
    host: NotRequired[str]
    """The host that it came from, the only one that it goes to. Without, the provider's own."""
    data: JSON


class TextPart(TypedDict):
    """A piece of text."""

    type: Literal["text"]
    text: str
    opaque: NotRequired[Opaque]


class FilePart(TypedDict):
    """A file of the user's. `data`: its bytes, or their base64 text where the message is to be stored as JSON."""

    type: Literal["file"]
    name: str
    data: bytes | str


class ReasoningPart(TypedDict):
    """The model's reasoning, or its summary. Its text alone goes back to nobody, except where a server wants it."""

    type: Literal["reasoning"]
    text: str
    opaque: NotRequired[Opaque]


class RefusalPart(TypedDict):
    """The model's own words for refusing. They go back as what they are, or as text where a wire knows no refusal."""

    type: Literal["refusal"]
    text: str


class ToolCallPart(TypedDict):
    """A call that the model made. `arguments`: the text as it came, or an object.

    Text that is no JSON object goes back as it is where the wire takes text, and as `{}` where it wants an object.
    """

    type: Literal["tool_call"]
    id: str
    name: str
    arguments: str | dict[str, Any]
    opaque: NotRequired[Opaque]


class ToolResultPart(TypedDict):
    """What a call gave. Anything but a string is sent as JSON."""

    type: Literal["tool_result"]
    tool_call_id: str
    content: JSON
    is_error: NotRequired[bool]


class OpaquePart(TypedDict):
    """A block that only its provider can read, such as the result of a search that it made itself."""

    type: Literal["opaque"]
    opaque: Opaque


Part: TypeAlias = TextPart | FilePart | ReasoningPart | RefusalPart | ToolCallPart | ToolResultPart | OpaquePart


class Message(TypedDict):
    """One turn.

    `system`, `user` and `assistant`: a string, or parts (user: text, file, tool_result; assistant: text, reasoning,
    refusal, tool_call, opaque). `tool`: tool_result parts, or the result itself with `tool_call_id` beside it. A turn
    in which nothing is said, only white space or reasoning, is not sent: servers refuse it.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str | Sequence[Part]
    tool_call_id: NotRequired[str]
    is_error: NotRequired[bool]
    """With `tool_call_id`: whether the tool failed."""
    partial: NotRequired[bool]
    """The assistant's turn did not come whole. Calls in it that have no result are left out when it is sent."""
