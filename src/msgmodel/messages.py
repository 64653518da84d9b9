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
    """A file of the user, or in the result of a tool.

    `data`: its bytes, or their base64 text if the message is stored as JSON. The end of `name` tells the type of the
    file, or `media_type` does.
    """

    type: Literal["file"]
    name: str
    data: bytes | str
    media_type: NotRequired[str]
    detail: NotRequired[Literal["low", "high", "original"]]
    """How closely the model looks at an image, if the provider can be told so: OpenAI's APIs, and servers like them."""


class FileLinkPart(TypedDict):
    """A file that the provider fetches from an address. A provider that can't fetch it is not asked."""

    type: Literal["file"]
    url: str
    name: NotRequired[str]
    media_type: NotRequired[str]
    """Needed if the address does not end in the name of a file; `image/*` if only the kind is known."""
    detail: NotRequired[Literal["low", "high", "original"]]
    """As of a `FilePart`."""


class ReasoningPart(TypedDict):
    """The model's reasoning, or its summary. The text alone is not sent back, except to servers that require it."""

    type: Literal["reasoning"]
    text: str
    opaque: NotRequired[Opaque]


class RefusalPart(TypedDict):
    """The model's own words for its refusal. They are sent back as a refusal, or as text if the wire has none."""

    type: Literal["refusal"]
    text: str


ToolCallKind: TypeAlias = Literal[
    "function", "custom", "computer", "shell", "local_shell", "apply_patch", "tool_search", "approval"
]
"""What the application must run: a function, a tool that takes free text, an action on a computer, commands in a
shell, a change of files, a search for tools; or, for `approval`, whether it allows a call that the provider will run.
"""


class ToolCallPart(TypedDict):
    """A tool call of the model. `arguments`: the unchanged text, or an object.

    Text that is not a JSON object is sent back as the object `{"INVALID_JSON": text}`: providers refuse any other
    arguments, and the model sees what it wrote.
    """

    type: Literal["tool_call"]
    id: str
    name: str
    arguments: str | dict[str, Any]
    kind: NotRequired[ToolCallKind]
    """Default: function."""
    opaque: NotRequired[Opaque]


class ToolResultPart(TypedDict):
    """The result of a tool call.

    A string is sent as it is. A list of parts (text and files, also as MCP, Anthropic and OpenAI write them) is sent as
    parts: images reach the model as images if the provider takes them in a result, and are named in words if not.
    Anything else is sent as JSON.
    """

    type: Literal["tool_result"]
    tool_call_id: str
    content: JSON
    is_error: NotRequired[bool]


MediaKind: TypeAlias = Literal["image", "audio", "video", "document", "file"]


class MediaPart(TypedDict):
    """A part of the model's reply that is not text: an image, audio, a document, another file.

    It has `data`, `url` or `file_id`. The provider that made it gets it back if its wire takes it.
    """

    type: Literal["media"]
    id: str
    kind: MediaKind
    media_type: str | None
    """Such as image/png; None if the provider named none."""
    data: NotRequired[str]
    """The bytes as base64 text."""
    url: NotRequired[str]
    file_id: NotRequired[str]
    """The provider's name of a file that its own API delivers."""
    name: NotRequired[str]
    text: NotRequired[str]
    """The transcript of audio, or the prompt that the provider made an image of."""
    opaque: NotRequired[Opaque]
    """What the provider gets back. A field of it that is None stands for `data`, which is kept once."""


class OpaquePart(TypedDict):
    """A block that only its provider can read, such as the result of the provider's own search."""

    type: Literal["opaque"]
    opaque: Opaque


Part: TypeAlias = (
    TextPart
    | FilePart
    | FileLinkPart
    | ReasoningPart
    | RefusalPart
    | ToolCallPart
    | ToolResultPart
    | MediaPart
    | OpaquePart
)


class Message(TypedDict):
    """One turn.

    `system`, `user` and `assistant`: a string, or parts (user: text, file, tool_result; assistant: text, reasoning,
    refusal, tool_call, media, opaque). `tool`: tool_result parts, or the result itself with `tool_call_id`
    beside it. A turn with nothing but white space or reasoning is not sent, because servers refuse it.

    Messages in OpenAI's form (`tool_calls`, `image_url`, content None) and with Anthropic's blocks (`tool_use`,
    `tool_result`, `image`, `document`, `thinking`) are read too. A key that is not known is an error.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str | Sequence[Part]
    tool_call_id: NotRequired[str]
    is_error: NotRequired[bool]
    """With `tool_call_id`: whether the tool failed."""
    partial: NotRequired[bool]
    """Whether the assistant's turn is incomplete. Its calls without a result are left out when it is sent."""
    failed: NotRequired[str]
    """The code of the error that this turn stands for, if the question itself was at fault. The next one goes without
    that question: it would fail for the same reason."""
