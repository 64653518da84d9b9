"""The turns of a conversation as plain dicts, safe for `json.dumps`: the items of `messages=`, and the `message` of a
terminal event.

Rule: opaque data belongs to the provider that made it. It is sent back to that one unchanged, and to no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

JSON: TypeAlias = bool | int | float | str | list[Any] | dict[str, Any] | None


class Opaque(TypedDict):
    """Data that a provider wants back unchanged: a signature, an encrypted block, an item of its own."""

    provider: str
    wire: str
    host: NotRequired[str]
    """The host that made it, the only one that gets it back. Default: the provider's own host."""
    data: JSON


class TextPart(TypedDict):
    """A piece of text."""

    type: Literal["text"]
    text: str
    opaque: NotRequired[Opaque]


class FilePart(TypedDict):
    """A file of the user. `data`: its bytes, or their base64 text if the message is stored as JSON."""

    type: Literal["file"]
    name: str
    data: bytes | str


class ReasoningPart(TypedDict):
    """The model's reasoning, or its summary. The text alone is not sent back, except to servers that require it."""

    type: Literal["reasoning"]
    text: str
    opaque: NotRequired[Opaque]


class RefusalPart(TypedDict):
    """The model's own words for its refusal. They are sent back as a refusal, or as text if the wire has none."""

    type: Literal["refusal"]
    text: str


class ToolCallPart(TypedDict):
    """A tool call of the model. `arguments`: the unchanged text, or an object.

    Text that is not a JSON object is sent back unchanged if the wire takes text, and as `{}` if it takes an object.
    """

    type: Literal["tool_call"]
    id: str
    name: str
    arguments: str | dict[str, Any]
    opaque: NotRequired[Opaque]


class ToolResultPart(TypedDict):
    """The result of a tool call. Anything but a string is sent as JSON."""

    type: Literal["tool_result"]
    tool_call_id: str
    content: JSON
    is_error: NotRequired[bool]


class OpaquePart(TypedDict):
    """A block that only its provider can read, such as the result of the provider's own search."""

    type: Literal["opaque"]
    opaque: Opaque


Part: TypeAlias = TextPart | FilePart | ReasoningPart | RefusalPart | ToolCallPart | ToolResultPart | OpaquePart


class Message(TypedDict):
    """One turn.

    `system`, `user` and `assistant`: a string, or parts (user: text, file, tool_result; assistant: text, reasoning,
    refusal, tool_call, opaque). `tool`: tool_result parts, or the result itself with `tool_call_id` beside it. A turn
    with nothing but white space or reasoning is not sent, because servers refuse it.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str | Sequence[Part]
    tool_call_id: NotRequired[str]
    is_error: NotRequired[bool]
    """With `tool_call_id`: whether the tool failed."""
    partial: NotRequired[bool]
    """Whether the assistant's turn is incomplete. Its calls without a result are left out when it is sent."""
