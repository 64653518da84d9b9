"""The question as data, and the HTTP request that asks it. Pure: no I/O, no clock."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from itertools import pairwise
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from ..messages import JSON
from .config import ProviderConfig
from .lenient_json import as_mapping, load_lenient


@dataclass(frozen=True, slots=True)
class Attachment:
    """An attachment. `text` is the decoded content of a text file, and None for a binary file."""

    name: str
    media_type: str
    data: bytes = field(repr=False)
    text: str | None = field(default=None, repr=False)
    _encoded: dict[str, bytes] = field(default_factory=dict, init=False, repr=False, compare=False)

    def in_base64(self, prefix: str = "") -> msgspec.Raw:
        """Return a placeholder for the data in base64, as one JSON string with its prefix. Text is encoded as UTF-8."""
        return self._placeholder(prefix, "base64")

    def as_text(self, prefix: str = "") -> msgspec.Raw:
        """Return a placeholder for the text, as one JSON string with its prefix."""
        return self._placeholder(prefix, "text")

    def _placeholder(self, prefix: str, way: str) -> msgspec.Raw:
        return msgspec.Raw(b'%b%b%x %b%b"' % (msgspec.json.encode(prefix)[:-1], _MARK, id(self), way.encode(), _MARK))

    def encode_for_json(self, way: str) -> bytes:
        """Return the data or the text as the inside of a JSON string, encoded once for all requests."""
        if way not in self._encoded:
            if way == "text":
                self._encoded[way] = msgspec.json.encode(self.text or "")[1:-1]
            else:
                self._encoded[way] = base64.b64encode(self.data if self.text is None else self.text.encode())
        return self._encoded[way]


_MARK = b"\xff"
"""Delimits the placeholder of a file in a body. JSON is UTF-8, in which this byte never occurs.

The data itself would be copied each time a request is encoded: 50 MB for each retry and each fallback."""

Effort: TypeAlias = Literal["none", "low", "medium", "high"]

EFFORT_FIELDS: Mapping[Effort, Mapping[str, Any]] = {
    "none": {"reasoning_effort": "none"},
    "low": {"reasoning_effort": "low"},
    "medium": {"reasoning_effort": "medium"},
    "high": {"reasoning_effort": "high"},
}
"""OpenAI's names for the levels of reasoning; most compatible servers accept them."""


@dataclass(frozen=True, slots=True)
class SignedText:
    """Text, and the opaque data that its provider wants back with it."""

    text: str = field(repr=False)
    opaque: JSON = field(repr=False)


@dataclass(frozen=True, slots=True)
class PastReasoning:
    """Reasoning in an assistant's turn. `opaque` is set if this provider accepts its own reasoning back."""

    text: str = field(repr=False)
    opaque: JSON = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PastRefusal:
    """A refusal in an assistant's turn, in the model's own words."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PastCall:
    """A tool call in an assistant's turn. `arguments` is the text that the model wrote, valid JSON or not."""

    id: str
    name: str
    arguments: str = field(repr=False)
    opaque: JSON = field(default=None, repr=False)

    @property
    def input(self) -> dict[str, Any]:
        """The arguments for a wire that takes an object; empty if the text is not a JSON object."""
        try:
            return as_mapping(load_lenient(self.arguments))
        except ValueError:
            return {}


@dataclass(frozen=True, slots=True)
class PastResult:
    """The result of a tool call, in a turn of role `tool`."""

    call: PastCall
    content: str = field(repr=False)
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class OpaqueBlock:
    """A block that only its provider can read, sent back unchanged."""

    opaque: JSON = field(repr=False)


TurnPart: TypeAlias = str | Attachment | SignedText | PastReasoning | PastRefusal | PastCall | PastResult | OpaqueBlock
Role: TypeAlias = Literal["user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """A function that the model may call. `parameters`: a JSON schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, Any] = field(repr=False)
    strict: bool | None = None
    """Whether the arguments must match the schema, if the wire has such a switch."""


@dataclass(frozen=True, slots=True)
class QuestionTurn:
    """One turn of the conversation, with its parts in reading order."""

    role: Role
    parts: tuple[TurnPart, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a server on a known wire accepts. A provider's row in `registry/rows.py` names its dialect."""

    max_tokens: str = "max_tokens"
    system_role: str = "system"
    store: bool | None = None
    include_usage: bool = False
    system: str | None = None
    """System text to send if the caller passes none."""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    """Sampling fields to send if the caller does not set them."""
    reasoning: Mapping[Effort, Mapping[str, Any]] = field(default_factory=lambda: EFFORT_FIELDS)
    """The fields that each level of `reasoning=` adds to the body. A missing level is refused."""
    echo_reasoning: str = ""
    """The field in which an assistant's turn carries its reasoning back; empty if the server does not want it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Everything that a wire needs to write the request. Its repr hides `headers` and `secrets`, which hold the key."""

    provider: str
    wire: str
    model: str
    turns: tuple[QuestionTurn, ...] = field(repr=False)
    system: str | None = field(default=None, repr=False)
    max_tokens: int | None = None
    temperature: float | None = None
    tools: tuple[ToolDefinition, ...] = ()
    tool_choice: str | None = None
    """"auto", "none", "required" or the name of a tool."""
    reasoning: Effort | None = None
    config: ProviderConfig = field(repr=False)
    dialect: Dialect = field(default_factory=Dialect, repr=False)
    base_url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def target_host(self) -> str:
        """The host that the question is sent to; empty for the embedded model."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def attachments(self) -> list[Attachment]:
        return [part for turn in self.turns for part in turn.parts if isinstance(part, Attachment)]

    @property
    def estimated_tokens(self) -> int | None:
        """The estimated tokens of the question; None if it has a file without text, such as an image."""
        if any(file.text is None for file in self.attachments):
            return None
        texts = [self.system or "", *(_text_of_part(part) for turn in self.turns for part in turn.parts)]
        return sum(map(estimate_tokens, texts))


def decode_base64(text: str) -> bytes:
    """Decode base64 in pieces, because one call for a large file would hold the GIL. Raise ValueError."""
    if 0 <= text.find("=") < len(text) - 2:
        raise ValueError("there is data after the padding")
    cuts = [*range(0, max(1, len(text) - 2), BASE64_PIECE), len(text)]  # never cut between a group and its padding
    decoded = BytesIO()  # to join a list of all pieces takes the memory of the file a second time
    for begin, end in pairwise(cuts):
        decoded.write(base64.b64decode(text[begin:end], validate=True))
    return decoded.getvalue()


BASE64_PIECE = 1024 * 1024  # a multiple of 4
_STEP = 8 * 1024


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of a text that the provider did not count: one for every four bytes, rounded up."""
    return estimate_tokens_of((text,))


def estimate_tokens_of(pieces: Iterable[str]) -> int:
    """Estimate the tokens of a text in pieces. It is not joined, which would take its memory again."""
    return -(-sum(map(_utf8_length, pieces)) // 4)


def _utf8_length(text: str) -> int:
    if text.isascii():
        return len(text)
    # In steps: to encode a text takes up to four bytes for each of its characters at first.
    return sum(len(text[at : at + _STEP].encode()) for at in range(0, len(text), _STEP))


def without_none(**fields: Any) -> dict[str, Any]:
    """Return the fields that are not None, because only what the caller set is sent."""
    return {name: value for name, value in fields.items() if value is not None}


def merge_body(payload: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the payload with the caller's own fields over it. Objects in both are merged, one level deep."""
    both = dict(payload)
    for name, value in body.items():
        ours = both.get(name)
        both[name] = {**ours, **value} if isinstance(ours, Mapping) and isinstance(value, Mapping) else value
    return both


def append_path(base_url: str, path: str) -> str:
    """Append `path` to the path of `base_url`, before its query (Azure's `api-version`)."""
    base, mark, query = base_url.partition("?")
    return f"{base.rstrip('/')}/{path}{mark}{query}"


def _text_of_part(part: TurnPart) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Attachment):
        return part.text or ""
    if isinstance(part, SignedText | PastRefusal):
        return part.text
    if isinstance(part, PastCall):
        return part.name + part.arguments
    return part.content if isinstance(part, PastResult) else ""
