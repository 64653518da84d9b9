"""The question as data, and the HTTP request that asks it. Pure: no I/O, no clock."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from itertools import pairwise
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from ..messages import JSON
from ..reply_facts import OutputMethod
from .config import ProviderConfig
from .key_source import KeySource
from .lenient_json import as_mapping, load_lenient
from .token_estimate import estimate_tokens


@dataclass(frozen=True, slots=True)
class Attachment:
    """An attachment. `text` is the decoded content of a text file, and None for a binary file."""

    name: str
    media_type: str
    data: bytes = field(repr=False)
    text: str | None = field(default=None, repr=False)
    detail: str | None = None
    """How closely the model looks at an image; None lets the provider decide."""
    _encoded: dict[str, bytes] = field(default_factory=dict, init=False, repr=False, compare=False)

    def in_base64(self, prefix: str = "") -> msgspec.Raw:
        """Return a placeholder for the data in base64, as one JSON string with its prefix. Text is encoded as UTF-8."""
        return self._placeholder(prefix, "base64")

    def as_text(self, prefix: str = "") -> msgspec.Raw:
        """Return a placeholder for the text, as one JSON string with its prefix."""
        return self._placeholder(prefix, "text")

    def _placeholder(self, prefix: str, way: str) -> msgspec.Raw:
        return msgspec.Raw(b'"%b%b"' % (_inside_of_json(prefix), self.mark_in_json(way)))

    def mark_in_json(self, way: str) -> bytes:
        """Return what stands for the data or the text within a JSON string."""
        return b"%b%x %b%b" % (_MARK, id(self), way.encode(), _MARK)

    def encode_for_json(self, way: str) -> bytes:
        """Return the data or the text as the inside of a JSON string, encoded once for all requests."""
        if way not in self._encoded:
            if way == "text":
                self._encoded[way] = msgspec.json.encode(self.text or "")[1:-1]
            else:
                self._encoded[way] = base64.b64encode(self.data if self.text is None else self.text.encode())
        return self._encoded[way]


@dataclass(frozen=True, slots=True)
class FileLink:
    """A file that the provider fetches from an address. `media_type` ends in `/*` if only the kind is known."""

    name: str
    media_type: str
    url: str = field(repr=False)
    detail: str | None = None


INVALID_JSON = "INVALID_JSON"
"""The key under which arguments that are not a JSON object go back to the model."""

_MARK = b"\xff"
"""Delimits the placeholder of a file in a body. JSON is UTF-8, in which this byte never occurs.

The data itself would be copied each time a request is encoded: 50 MB for each retry and each fallback."""


def _inside_of_json(text: str) -> bytes:
    return msgspec.json.encode(text)[1:-1]


def join_texts(parts: Iterable[str | Attachment]) -> msgspec.Raw:
    """Return texts and text files as one JSON string, with an empty line between them. The files are not copied."""
    inner = [
        _inside_of_json(part)
        if isinstance(part, str)
        else _inside_of_json(f"File {part.name}:\n\n") + part.mark_in_json("text")
        for part in parts
    ]
    return msgspec.Raw(b'"%b"' % rb"\n\n".join(inner))


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
        """The arguments for a wire that takes an object.

        Text that is not a JSON object stands in it under `INVALID_JSON`, so that the model sees what it wrote.
        """
        try:
            decoded = load_lenient(self.arguments)
        except ValueError:
            decoded = None
        return decoded if isinstance(decoded, dict) else {INVALID_JSON: self.arguments}

    @property
    def arguments_as_json(self) -> str:
        """The arguments for a wire that takes text: unchanged if they are a JSON object, as servers require."""
        try:
            msgspec.json.decode(self.arguments, type=dict[str, Any])
        except (ValueError, RecursionError):
            return msgspec.json.encode(self.input).decode()
        return self.arguments


@dataclass(frozen=True, slots=True)
class PastResult:
    """The result of a tool call, in a turn of role `tool`."""

    call: PastCall
    content: str = field(repr=False)
    """Its text, in which a file is named in words."""
    is_error: bool = False
    parts: tuple[str | Attachment | FileLink, ...] = field(default=(), repr=False)
    """Its texts and files in their order; empty if it has no file."""


@dataclass(frozen=True, slots=True)
class OpaqueBlock:
    """A block that only its provider can read, sent back unchanged."""

    opaque: JSON = field(repr=False)


TurnPart: TypeAlias = (
    str | Attachment | FileLink | SignedText | PastReasoning | PastRefusal | PastCall | PastResult | OpaqueBlock
)
Role: TypeAlias = Literal["user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """A function that the model may call. `parameters`: a JSON schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, Any] = field(repr=False)
    strict: bool | None = None
    """Whether the arguments must match the schema, if the wire has such a switch."""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """More keys of the function, which only some wires have, such as `cache_control`."""


@dataclass(frozen=True, slots=True)
class ProviderTool:
    """A tool that the provider runs itself, such as its web search, or one of a kind that only its API has."""

    name: str
    """What `tool_choice` names."""
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The tool as it is sent; empty for a portable name until the provider is known."""
    choice: JSON = field(default=None, repr=False)
    """What `tool_choice` sends to choose this tool; None if the API can't."""


Tool: TypeAlias = ToolDefinition | ProviderTool


@dataclass(frozen=True, slots=True)
class QuestionTurn:
    """One turn of the conversation, with its parts in reading order."""

    role: Role
    parts: tuple[TurnPart, ...] = field(repr=False)
    is_past: bool = False
    """Whether other turns follow in the messages, so that it is not the question itself."""


@dataclass(frozen=True, slots=True)
class AskedOutput:
    """The format of `output=`, as one provider is asked for it."""

    method: OutputMethod
    name: str
    """At most 64 letters, digits, hyphens and underscores."""
    schema: Mapping[str, Any] | None = field(default=None, repr=False)
    """The JSON schema as it is sent; None for any JSON."""
    unenforced: tuple[str, ...] = field(default=(), repr=False)
    """What this provider does not enforce: the JSON pointer of each keyword."""
    more_fields: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Fields of the body that make this provider keep to the schema."""

    @property
    def native_schema(self) -> Mapping[str, Any] | None:
        """The schema for the field that the API has for it; None if nothing is to be sent there."""
        return self.schema if self.method == "native" else None

    def in_words(self) -> AskedOutput:
        """Return it as a request has it that asks in words alone, where nothing of the schema is enforced."""
        return replace(self, method="prompt", unenforced=() if self.schema is None else ("#",))


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
    cache_control: bool = False
    """Whether the server takes Anthropic's `cache_control` at the top of the body."""
    fetches_files: bool = True
    """Whether the server fetches images from addresses."""
    alternates: bool = False
    """Whether chat templates decide: some accept no user's turn after the results of tools, and no content of null."""
    result_files_follow: bool = False
    """Whether images in the results of tools are sent in a user's message after them."""
    short_call_ids: bool = False
    """Whether the id of a call must have nine letters or digits."""
    prompt_progress: bool = False
    """Whether the server reports how much of the prompt it has read, if it is asked to by `return_progress`."""
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
    dropped_parts: tuple[str, ...] = field(default=(), repr=False)
    """What of the earlier turns can't be sent to this provider, in a few words each."""
    loses_text: bool = False
    """Whether half a surrogate pair was replaced in the texts, because JSON in UTF-8 can't hold it."""
    tools: tuple[Tool, ...] = ()
    tool_choice: str | None = None
    """"auto", "none", "required" or the name of a tool."""
    reasoning: Effort | None = None
    output: AskedOutput | None = None
    """The format that the reply must have, if the caller wants one."""
    cache_control: Mapping[str, str] | None = None
    """Anthropic's field that asks for a cache of the prompt; None if nothing is to be sent."""
    config: ProviderConfig = field(repr=False)
    dialect: Dialect = field(default_factory=Dialect, repr=False)
    base_url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    secrets: Sequence[str] = field(default=(), repr=False)
    reports_progress: bool = False
    """Whether to ask the server how much of the prompt it has read."""
    key_source: KeySource | None = field(default=None, repr=False)
    """Brings the key of each attempt, if the caller passed a function; `headers` then holds none."""

    @property
    def target_host(self) -> str:
        """The host that the question is sent to; empty for the embedded model."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def chosen_tool(self) -> JSON:
        """What chooses the provider's own tool that `tool_choice` names; None if it names a function."""
        own = (tool for tool in self.tools if isinstance(tool, ProviderTool) and tool.name == self.tool_choice)
        return next((tool.choice for tool in own), None)

    @property
    def attachments(self) -> list[Attachment]:
        return [file for file in self.files if isinstance(file, Attachment)]

    @property
    def files(self) -> list[Attachment | FileLink]:
        """The files of all turns, also those in the results of tools."""
        return files_of_turns(self.turns)

    @property
    def estimated_tokens(self) -> int | None:
        """The estimated tokens of the question; None if it has a file without text, such as an image."""
        return None if self.files_without_text else self.estimate_text_tokens()

    @property
    def files_without_text(self) -> list[Attachment | FileLink]:
        """The files whose tokens are unknown, such as images."""
        return [file for file in self.files if isinstance(file, FileLink) or file.text is None]

    def estimate_text_tokens(self) -> int:
        """Return the estimated tokens of the question without files that are no text."""
        texts = [self.system or "", *(_text_of_part(part) for turn in self.turns for part in turn.parts)]
        return sum(map(estimate_tokens, texts))


def files_of_turns(turns: Iterable[QuestionTurn]) -> list[Attachment | FileLink]:
    """Return the files of the turns, also those in the results of tools."""
    parts = [part for turn in turns for part in turn.parts]
    within = [inner for part in parts if isinstance(part, PastResult) for inner in part.parts]
    return [part for part in (*parts, *within) if isinstance(part, Attachment | FileLink)]


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


def without_none(**fields: Any) -> dict[str, Any]:
    """Return the fields that are not None, because only what the caller set is sent."""
    return {name: value for name, value in fields.items() if value is not None}


_JOINED_LISTS = ("tools", "include")
"""Fields of a body that hold what `tools=` and `reasoning=` ask for. One from the caller adds to them."""


def merge_body(payload: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the payload with the caller's own fields over it.

    Objects in both are merged, one level deep. The lists of tools are joined: `tools=` would be lost otherwise.
    """
    both = dict(payload)
    for name, value in body.items():
        ours = both.get(name)
        if isinstance(ours, Mapping) and isinstance(value, Mapping):
            both[name] = {**ours, **value}
        elif name in _JOINED_LISTS and isinstance(ours, list) and isinstance(value, list | tuple):
            both[name] = [*(each for each in ours if _tool_key(each) not in map(_tool_key, value)), *value]
        else:
            both[name] = value
    return both


def _tool_key(tool: Any) -> Any:
    """Return what two lists of tools may not have twice: the name of a tool, or else the complete entry."""
    inner = as_mapping(as_mapping(tool).get("function"))
    return inner.get("name") or as_mapping(tool).get("name") or tool


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
