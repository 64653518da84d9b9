"""The question as data, and the HTTP request that asks it. Pure: no I/O, no clock."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from ..messages import JSON
from .config import ProviderConfig
from .lenient_json import as_mapping, load_lenient


@dataclass(frozen=True, slots=True)
class Attachment:
    """An attachment. `text` is its content decoded, for types that are text; None for binary ones."""

    name: str
    media_type: str
    data: bytes = field(repr=False)
    text: str | None = field(default=None, repr=False)
    _encoded: dict[str, bytes] = field(default_factory=dict, init=False, repr=False, compare=False)

    def in_base64(self, prefix: str = "") -> msgspec.Raw:
        """Return the place of the data in a request, as one JSON string with its prefix; text goes as UTF-8."""
        return self._placed(prefix, "base64")

    def as_text(self, prefix: str = "") -> msgspec.Raw:
        """Return the place of the text in a request, as one JSON string with its prefix."""
        return self._placed(prefix, "text")

    def _placed(self, prefix: str, way: str) -> msgspec.Raw:
        return msgspec.Raw(b'%b%b%x %b%b"' % (msgspec.json.encode(prefix)[:-1], _MARK, id(self), way.encode(), _MARK))

    def encoded(self, way: str) -> bytes:
        """Return the data or the text as it stands within a JSON string. Made once, for all requests that carry it."""
        if way not in self._encoded:
            if way == "text":
                self._encoded[way] = msgspec.json.encode(self.text or "")[1:-1]
            else:
                self._encoded[way] = base64.b64encode(self.data if self.text is None else self.text.encode())
        return self._encoded[way]


_MARK = b"\xff"
"""What stands before and after the place of a file in a body. No JSON holds this byte, as it is no UTF-8."""

Effort: TypeAlias = Literal["none", "low", "medium", "high"]

EFFORT_FIELDS: Mapping[Effort, Mapping[str, Any]] = {
    "none": {"reasoning_effort": "none"},
    "low": {"reasoning_effort": "low"},
    "medium": {"reasoning_effort": "medium"},
    "high": {"reasoning_effort": "high"},
}
"""OpenAI's own words for how long to think; most servers that are compatible with it took them over."""


@dataclass(frozen=True, slots=True)
class SignedText:
    """Text with what its provider wants back beside it."""

    text: str = field(repr=False)
    opaque: JSON = field(repr=False)


@dataclass(frozen=True, slots=True)
class PastReasoning:
    """Reasoning in an assistant's turn; `opaque` where this wire can take it back."""

    text: str = field(repr=False)
    opaque: JSON = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PastRefusal:
    """The model's words for refusing, in an assistant's turn."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PastCall:
    """A tool call in an assistant's turn. `arguments`: the text as the model wrote it, of a JSON object or not."""

    id: str
    name: str
    arguments: str = field(repr=False)
    opaque: JSON = field(default=None, repr=False)

    @property
    def input(self) -> dict[str, Any]:
        """The arguments for a wire that takes an object: an empty one where the text is none."""
        try:
            return as_mapping(load_lenient(self.arguments))
        except ValueError:
            return {}


@dataclass(frozen=True, slots=True)
class PastResult:
    """What a call gave, in a turn of role `tool`."""

    call: PastCall
    content: str = field(repr=False)
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class OpaqueBlock:
    """A block of the provider's own, to be sent as it came."""

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
    """Whether the arguments must keep to the schema, where the wire has such a switch."""


@dataclass(frozen=True, slots=True)
class QuestionTurn:
    """One turn of the conversation: its parts in the order in which they are to be read."""

    role: Role
    parts: tuple[TurnPart, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a server on a known wire takes; a provider's row in `providers` names its own."""

    max_tokens: str = "max_tokens"
    system_role: str = "system"
    store: bool | None = None
    include_usage: bool = False
    system: str | None = None
    """System text that is sent unless the caller gives one."""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    """Fields that are sent unless the caller sets them."""
    reasoning: Mapping[Effort, Mapping[str, Any]] = field(default_factory=lambda: EFFORT_FIELDS)
    """What each level of `reasoning=` puts into the body; a level that is missing can't be asked for."""
    echo_reasoning: str = ""
    """The field in which an assistant's turn must carry its reasoning back; empty where it must not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Everything that a wire needs to write the request. No repr shows `headers` and `secrets`: they hold the key."""

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
        """Where it goes; empty for a model in this process."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def attachments(self) -> list[Attachment]:
        return [part for turn in self.turns for part in turn.parts if isinstance(part, Attachment)]

    @property
    def estimated_tokens(self) -> int | None:
        """Tokens that the question may have; None where there is an image or the like in it, which has no text."""
        if any(file.text is None for file in self.attachments):
            return None
        texts = [self.system or "", *(_text(part) for turn in self.turns for part in turn.parts)]
        return sum(map(estimate_tokens, texts))


def decode_base64(text: str) -> bytes:
    """Decode base64 in pieces: one call for a large file would hold up every other thread. Raises ValueError."""
    if 0 <= text.find("=") < len(text) - 2:
        raise ValueError("there is more after the padding")
    cuts = [*range(0, max(1, len(text) - 2), BASE64_PIECE), len(text)]  # what may be padding is not cut off
    return b"".join([base64.b64decode(text[begin:end], validate=True) for begin, end in pairwise(cuts)])


BASE64_PIECE = 1024 * 1024  # a multiple of 4


def estimate_tokens(text: str) -> int:
    """An estimate, for where the provider does not count: a token for four bytes, begun ones included."""
    return -(-len(text.encode()) // 4)


def without_none(**fields: Any) -> dict[str, Any]:
    """The fields that are not None: only what the caller set is sent."""
    return {name: value for name, value in fields.items() if value is not None}


def merge_body(payload: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """The payload with the caller's own fields over it; of an object in both, the fields that the caller names."""
    both = dict(payload)
    for name, value in body.items():
        ours = both.get(name)
        both[name] = {**ours, **value} if isinstance(ours, Mapping) and isinstance(value, Mapping) else value
    return both


def append_path(base_url: str, path: str) -> str:
    """`path` appended to the path of `base_url`, whose query (Azure's `api-version`) stays at the end."""
    base, mark, query = base_url.partition("?")
    return f"{base.rstrip('/')}/{path}{mark}{query}"


def _text(part: TurnPart) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Attachment):
        return part.text or ""
    if isinstance(part, SignedText | PastRefusal):
        return part.text
    if isinstance(part, PastCall):
        return part.name + part.arguments
    return part.content if isinstance(part, PastResult) else ""
