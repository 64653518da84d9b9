"""What a request asks for, as data: read, checked against the limits, and made a batch of panels.

Rule: a request chooses among what the server offers. It never brings a key, a config, an address or a path of a file.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeVar, cast

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from ..errors import MsgModelError, quoted, shortened
from ..many import AsyncBatch, Panel, astream_many
from ..messages import Message
from ..providers import PROVIDERS, Provider, find
from .directory import Directory
from .settings import Settings

T = TypeVar("T")

MAX_OBJECTS = 250_000
"""Objects and lists in one request, and messages and their parts for all who are asked: more than a conversation has,
and less than holds up everybody else."""

Id = Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,128}$")]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
Model = Annotated[str, Meta(min_length=1, max_length=200)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Count = Annotated[int, Meta(ge=0, le=100)]


class File(Struct, forbid_unknown_fields=True):
    """An attachment. `data`: its bytes in base64."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]
    data: str


class Options(Struct, forbid_unknown_fields=True, kw_only=True):
    """The keywords of `msgmodel.stream_panels` that a request may set."""

    system_instruction: str | UnsetType | None = UNSET
    max_tokens: Annotated[int, Meta(ge=1, le=10000000)] | UnsetType | None = UNSET
    temperature: Annotated[float, Meta(ge=0, le=10)] | UnsetType | None = UNSET
    reasoning: Literal["none", "low", "medium", "high"] | UnsetType | None = UNSET
    tools: Annotated[list[dict[str, Any]], Meta(max_length=256)] | UnsetType = UNSET
    tool_choice: Annotated[str, Meta(max_length=64)] | UnsetType | None = UNSET
    tool_deltas: bool | UnsetType = UNSET
    continue_truncated: Count | UnsetType = UNSET
    resume_interrupted: bool | UnsetType = UNSET
    # Plain strings: msgspec 0.22 crashes where a union of constrained strings and tuples of them is collected.
    fallbacks: Annotated[list[str | tuple[str, str]], Meta(max_length=8)] | UnsetType = UNSET
    max_retries: Count | UnsetType = UNSET
    timeout: Seconds | UnsetType = UNSET
    first_token_timeout: Seconds | UnsetType | None = UNSET
    idle_timeout: Seconds | UnsetType | None = UNSET
    deadline: Seconds | UnsetType | None = UNSET


class PanelRequest(Options, forbid_unknown_fields=True, kw_only=True):
    """One panel; what it sets goes before the request's `options`, `prompt` and `messages`."""

    provider: Name | None = None
    model: Model | None = None
    panel_id: Id | None = None
    prompt: str | None = None
    messages: list[dict[str, Any]] | None = None


class PanelsRequest(Struct, forbid_unknown_fields=True, kw_only=True):
    """The body of `POST /v1/panels`."""

    prompt: str = ""
    messages: list[dict[str, Any]] = []
    panels: list[PanelRequest] = []
    options: Options = field(default_factory=Options)
    files: Annotated[list[File], Meta(max_length=64)] = []


class Choice(Struct, kw_only=True):
    """Who is asked, and how, in the body of another protocol; what else there is, is its own."""

    provider: Name | None = None
    model: Model | None = None
    panels: list[PanelRequest] = []
    options: Options = field(default_factory=Options)


class Refused(Exception):
    """A request that can't be met. `code`: one word for programs; `status`: of HTTP."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        message = shortened(message)
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}


def decode(body: bytes, shape: type[T]) -> T:
    """A JSON body as this type. Raises Refused."""
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise Refused(422, "invalid_request", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refused(400, "invalid_json", "the body is not JSON in UTF-8") from None


def convert(fields: dict[str, str], shape: type[T]) -> T:
    """The parameters of a query as this type. Raises Refused."""
    try:
        return msgspec.convert(fields, type=shape)
    except msgspec.ValidationError as error:
        raise Refused(422, "invalid_request", str(error)) from None


def check_number(panels: list[PanelRequest], settings: Settings) -> None:
    """Raises Refused for more panels than may be asked at a time."""
    if len(panels) > settings.max_panels:
        raise Refused(422, "too_many_panels", f"at most {settings.max_panels} panels at a time")


def batch(request: PanelsRequest, directory: Directory, settings: Settings) -> AsyncBatch:
    """The panels of a request, not yet asked. Raises Refused."""
    panels = request.panels or [PanelRequest()]
    check_number(panels, settings)
    _measure(request, settings)
    files = [_file(file) for file in request.files]
    common = _set(request.options)
    try:
        made = [
            _panel(panel, request, common, directory, settings, f"panels[{number}]")
            for number, panel in enumerate(panels)
        ]
        return astream_many(made, request.prompt, files=files)
    except MsgModelError as error:  # its message names what is wrong, and holds no secret
        raise Refused(422, "invalid_request", error.message) from None


def asked(
    choice: Choice,
    messages: dict[str, list[Message]] | list[Message],
    directory: Directory,
    settings: Settings,
) -> AsyncBatch:
    """The panels that a client of another protocol chose. messages: for all, or by the panel's id. Raises Refused."""
    panels = choice.panels or [PanelRequest(provider=choice.provider, model=choice.model)]
    for panel in panels:
        if isinstance(messages, dict):
            panel.messages = cast(Any, messages.get(panel.panel_id or "", messages[""]))
    common = [] if isinstance(messages, dict) else cast(Any, messages)
    return batch(PanelsRequest(messages=common, panels=panels, options=choice.options), directory, settings)


def one(
    name: str,
    arguments: dict[str, Any],
    directory: Directory,
    settings: Settings,
) -> AsyncBatch:
    """One panel, by the arguments of a call. Raises Refused, and what `astream_many` raises."""
    row = provider(name, directory)
    _check_model(row, arguments.get("model"), settings, "model")
    if _length(arguments.get("messages", [])) > settings.max_prompt_chars:
        raise _too_long(settings)
    fields = dict(arguments)
    _limit(fields, settings)
    return astream_many([Panel(row.name, **fields)])


def provider(name: str | None, directory: Directory, where: str = "provider") -> Provider:
    """The provider of that name, or the default one. Raises Refused."""
    if name is None:
        return directory.default()
    try:
        row = find(name)
    except MsgModelError:
        raise Refused(422, "unknown_provider", f"{where}: there is no provider of that name here") from None
    if not directory.allows(row):
        raise Refused(403, "provider_not_allowed", f"{where}: {row.name} may not be asked here")
    return row


def _panel(
    panel: PanelRequest,
    request: PanelsRequest,
    common: dict[str, Any],
    directory: Directory,
    settings: Settings,
    where: str,
) -> Panel:
    row = provider(panel.provider, directory, f"{where}.provider")
    fields = common | _set(panel)
    _limit(fields, settings)
    for number, fallback in enumerate(fields.get("fallbacks", ())):
        name, model = (fallback, None) if isinstance(fallback, str) else fallback
        place = f"{where}.fallbacks[{number}]"
        _check_model(provider(name, directory, place), model, settings, place)
    _check_model(row, panel.model, settings, f"{where}.model")
    messages = cast(list[Message], request.messages if panel.messages is None else panel.messages)
    return Panel(row.name, panel_id=panel.panel_id, prompt=panel.prompt, model=panel.model, messages=messages, **fields)


def _check_model(row: Provider, model: str | None, settings: Settings, where: str) -> None:
    asked = model or row.default_model
    if not settings.allows(asked):
        raise Refused(403, "model_not_allowed", f"{where}: {quoted(asked)} may not be asked for here")
    # A model of the engine in this process is the path of a file: not for a request to choose.
    if row.name == "local" and asked != row.default_model and not settings.models:
        raise Refused(403, "model_not_allowed", f"{where}: local offers {PROVIDERS['local'].default_model} alone")


def _limit(fields: dict[str, Any], settings: Settings) -> None:
    if settings.max_tokens is not None:
        asked = fields.get("max_tokens")
        if asked is not None and asked > settings.max_tokens:
            raise Refused(422, "too_many_tokens", f"max_tokens may be at most {settings.max_tokens} here")
        fields["max_tokens"] = asked or settings.max_tokens
    deadline = fields.get("deadline")
    fields["deadline"] = min(deadline or settings.max_seconds, settings.max_seconds)


def _set(options: Options) -> dict[str, Any]:
    """The fields that the request sets."""
    return {
        name: value
        for name in Options.__struct_fields__
        if (value := getattr(options, name)) is not UNSET
    }  # fmt: skip


def _file(file: File) -> tuple[str, bytes]:
    try:
        return file.name, base64.b64decode(file.data, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(422, "invalid_request", f"the data of the file {quoted(file.name)} is not base64") from None


def _measure(request: PanelsRequest, settings: Settings) -> None:
    """Raises Refused where all the text of a request together is too long; files have their own limits."""
    messages = [request.messages, *(panel.messages or [] for panel in request.panels)]
    texts = [request.prompt, *(panel.prompt or "" for panel in request.panels)]
    instructions = [request.options, *request.panels]
    texts += [found for each in instructions if isinstance(found := each.system_instruction, str)]
    if sum(map(len, texts)) + _length(messages) > settings.max_prompt_chars:
        raise _too_long(settings)
    if sum(_objects(request, panel) for panel in request.panels or [PanelRequest()]) > MAX_OBJECTS:
        raise Refused(
            413, "prompt_too_long", f"at most {MAX_OBJECTS} messages and parts, each counted for each who is asked"
        )


def _objects(request: PanelsRequest, panel: PanelRequest) -> int:
    """Messages and parts of them, for all whom a panel may ask."""
    contents = [each.get("content") for each in (request.messages if panel.messages is None else panel.messages)]
    fallbacks = request.options.fallbacks if panel.fallbacks is UNSET else panel.fallbacks
    asks = 1 + (0 if fallbacks is UNSET else len(fallbacks))
    return asks * (len(contents) + sum(len(content) for content in contents if isinstance(content, list)))


def _too_long(settings: Settings) -> Refused:
    return Refused(413, "prompt_too_long", f"at most {settings.max_prompt_chars} characters of text at a time")


def _length(value: object) -> int:
    """Characters of the text in messages, but for the data of files."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return _sum(found for name, found in value.items() if not (name == "data" and value.get("type") == "file"))
    return _sum(value) if isinstance(value, list) else 0


def _sum(values: Iterable[object]) -> int:
    return sum(map(_length, values))
