"""What a request asks for, as data: read, checked against the limits, and made a batch of panels.

Rule: a request chooses among what the server offers. It never brings a key, a config, an address or a path of a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar, cast
from urllib.parse import unquote

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from ..errors import MsgModelError, quoted, shortened
from ..many import AsyncBatch, Panel, astream_many
from ..messages import Message
from ..providers import Provider, look_up_provider
from ..question.files import read_attachment
from ..question.question import decode_base64
from .directory import Directory
from .opaque import find_foreign
from .settings import Settings

T = TypeVar("T")

MAX_OBJECTS = 250_000
"""Objects and lists in one request: more than a conversation has, and less than holds up everybody else."""

MAX_PARTS = 100_000
"""Messages and their parts, each counted for each who may be asked."""

MAX_RETRIES = 2
"""What `msgmodel.stream_panels` does if a request says nothing."""

MAX_NAME = 200
"""Characters in the name of a model."""

Id = Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,128}$")]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
Model = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Count = Annotated[int, Meta(ge=0, le=100)]


class RequestFile(Struct, forbid_unknown_fields=True):
    """An attachment. `data`: its bytes in base64."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]
    data: str


class RequestOptions(Struct, forbid_unknown_fields=True, kw_only=True):
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


class PanelRequest(RequestOptions, forbid_unknown_fields=True, kw_only=True):
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
    options: RequestOptions = field(default_factory=RequestOptions)
    files: Annotated[list[RequestFile], Meta(max_length=64)] = []


class Choice(Struct, kw_only=True):
    """Who is asked, and how, in the body of another protocol; what else there is, is its own."""

    provider: Name | None = None
    model: Model | None = None
    panels: list[PanelRequest] = []
    options: RequestOptions = field(default_factory=RequestOptions)


class RequestRefused(Exception):
    """A request that can't be met. `code`: one word for programs; `status`: of HTTP."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        message = shortened(message)
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}


def decode(body: bytes | bytearray, shape: type[T]) -> T:
    """A JSON body as this type. Raises Refused."""
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise RequestRefused(422, "invalid_request", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RequestRefused(400, "invalid_json", "the body is not JSON in UTF-8") from None


def convert(fields: dict[str, str], shape: type[T]) -> T:
    """The parameters of a query as this type. Raises Refused."""
    try:
        return msgspec.convert(fields, type=shape)
    except msgspec.ValidationError as error:
        raise RequestRefused(422, "invalid_request", str(error)) from None


def check_number(panels: list[PanelRequest], settings: Settings) -> None:
    """Raises Refused for more panels than may be asked at a time."""
    if len(panels) > settings.max_panels:
        raise RequestRefused(422, "too_many_panels", f"at most {settings.max_panels} panels at a time")


def batch_for_request(
    request: PanelsRequest,
    directory: Directory,
    settings: Settings,
    *,
    together: Callable[[Iterable[int]], int] = sum,
) -> AsyncBatch:
    """The panels of a request, not yet asked. Raises Refused.

    together: what the texts of all panels count, `max` if they are parts of the same conversation.
    """
    panels = request.panels or [PanelRequest()]
    check_number(panels, settings)
    _measure(request, settings, together)
    _check_opaque(request)
    files = _decode_files(request, settings)
    common = _set(request.options)
    made = [
        _panel(panel, request, common, directory, settings, f"panels[{number}]") for number, panel in enumerate(panels)
    ]
    try:
        found = astream_many(made, request.prompt, files=files)
        _check_cost(found, settings)
        return found
    except MsgModelError as error:  # its message names what is wrong, and holds no secret
        raise RequestRefused(422, "invalid_request", error.message) from None


def batch_for_choice(
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
    request = PanelsRequest(messages=common, panels=panels, options=choice.options)
    return batch_for_request(request, directory, settings, together=max)


def batch_for_single(
    name: str,
    arguments: dict[str, Any],
    directory: Directory,
    settings: Settings,
) -> AsyncBatch:
    """One panel, by the arguments of a call. Raises Refused, and what `astream_many` raises."""
    row = provider(name, directory)
    _check_model(row, arguments.get("model"), settings, "model")
    texts = [*arguments.get("tools", []), *(getattr(arguments.get("config"), "stop", None) or ())]
    if _characters_of_messages(arguments["messages"]) + _characters(texts) > settings.max_prompt_chars:
        raise _too_long(settings)
    _check_parts(len(arguments["messages"]) + sum(map(_parts, arguments["messages"])))
    fields = dict(arguments)
    _limit(fields, settings)
    found = astream_many([Panel(row.name, **fields)])
    _check_cost(found, settings)
    return found


def provider(name: str | None, directory: Directory, where: str = "provider") -> Provider:
    """The provider of that name, or the default one. Raises Refused."""
    if name is None:
        return directory.default()
    try:
        row = look_up_provider(name)
    except MsgModelError:  # of a package that brings it
        row = None
    if row is None:
        raise RequestRefused(422, "unknown_provider", f"{where}: there is no provider of that name here")
    if not directory.allows(row):
        raise RequestRefused(403, "provider_not_allowed", f"{where}: {row.name} may not be asked here")
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
    if panel.panel_id is not None and panel.panel_id.endswith("\n"):  # which `$` in a pattern lets through
        raise RequestRefused(422, "invalid_request", f"{where}.panel_id: must be 1 to 128 printable ASCII characters")
    messages = cast(list[Message], request.messages if panel.messages is None else panel.messages)
    return Panel(row.name, panel_id=panel.panel_id, prompt=panel.prompt, model=panel.model, messages=messages, **fields)


def _check_model(row: Provider, model: str | None, settings: Settings, where: str) -> None:
    name = (model or row.default_model).strip()
    if len(name) > MAX_NAME or not name.isprintable():
        raise RequestRefused(
            422, "invalid_request", f"{where}: a model has {MAX_NAME} characters at most, all printable"
        )
    if name == row.default_model and settings.allows(name):
        return
    # A model of the engine in this process is the path of a file: the operator must have listed this very one.
    if not settings.allows(name) or (row.name == "local" and not settings.names(name)):
        raise RequestRefused(403, "model_not_allowed", f"{where}: {quoted(name)} may not be asked for here")
    # A pattern allows names, not ways out of the folder in which a gateway, or the provider, looks names up.
    if not settings.names(name) and not {".", ".."}.isdisjoint(re.split(r"[/\\]", unquote(name))):
        raise RequestRefused(
            403, "model_not_allowed", f"{where}: the name of a model may not hold '.' or '..' as a step"
        )


def _limit(fields: dict[str, Any], settings: Settings) -> None:
    if settings.max_tokens is not None:
        most, times = settings.max_tokens, _responses(fields)
        asked = fields.get("max_tokens")
        if (asked or 1) * times > most:
            counted = f", and each of up to {times} continuations may take them" if times > 1 else ""
            raise RequestRefused(422, "too_many_tokens", f"max_tokens may be at most {most // times} here{counted}")
        fields["max_tokens"] = asked or most // times
    deadline = fields.get("deadline")
    fields["max_reply_bytes"] = settings.max_reply_bytes
    fields["deadline"] = min(deadline or settings.max_seconds, settings.max_seconds)


def _responses(fields: Mapping[str, Any]) -> int:
    """Of how many responses one reply may be made: each may take all the tokens that are asked for."""
    resumed = fields.get("max_retries", MAX_RETRIES) if fields.get("resume_interrupted") else 0
    return int((1 + fields.get("continue_truncated", 0)) * (1 + resumed))


def _check_cost(batch: AsyncBatch, settings: Settings) -> None:
    """Raises Refused if what would be sent has too much text, or may be sent too often; ConfigurationError."""
    if batch.text_characters() > settings.max_prompt_chars:
        raise _too_long(settings)
    try:
        batch.limit_requests(settings.max_provider_requests)
    except MsgModelError as error:
        raise RequestRefused(422, "too_many_requests", error.message) from None


def _set(options: RequestOptions) -> dict[str, Any]:
    """The fields that the request sets."""
    return {
        name: value
        for name in RequestOptions.__struct_fields__
        if (value := getattr(options, name)) is not UNSET
    }  # fmt: skip


def _decode_files(request: PanelsRequest, settings: Settings) -> list[Any]:
    """Take the files out of a request, so that their base64 is released, and return them as attachments.

    Raises RequestRefused if they are not base64, can't be attached, or hold too much text. A text file is counted here
    already, before it is encoded for each provider.
    """
    attachments = []
    characters = 0
    while request.files:
        file = request.files.pop(0)
        try:
            data = decode_base64(file.data)
        except ValueError:
            raise RequestRefused(422, "invalid_request", f"the data of the file {file.name!r} is not base64") from None
        try:
            attachment = read_attachment(data, file.name)
        except MsgModelError as error:
            raise RequestRefused(422, "invalid_request", error.message) from None
        characters += len(attachment.text or "")
        if characters > settings.max_prompt_chars:
            raise _too_long(settings)
        attachments.append(attachment)
        del file, data
    return attachments


def _measure(request: PanelsRequest, settings: Settings, together: Callable[[Iterable[int]], int]) -> None:
    """Raises Refused if all the text that a request brings is too long, or is to be sent too often.

    This is cheap, and goes before anything is built; what is built is counted again, see `_check_cost`.
    """
    common = _characters(request.prompt) + _characters_of_messages(request.messages) + _characters_of(request.options)
    own = [
        _characters(panel.prompt or "") + _characters_of_messages(panel.messages or []) + _characters_of(panel)
        for panel in request.panels
    ]
    if common + together([0, *own]) > settings.max_prompt_chars:
        raise _too_long(settings)
    _check_parts(sum(_parts_for_all(request, panel) for panel in request.panels or [PanelRequest()]))


def _check_opaque(request: PanelsRequest) -> None:
    """Raises Refused for opaque parts that no provider made: a provider would follow what they say."""
    lists = {id(each): each for each in (request.messages, *(panel.messages or [] for panel in request.panels))}
    for messages in lists.values():
        if place := find_foreign(messages):
            raise RequestRefused(
                422, "opaque_not_allowed", f"{place}: no provider that is known here made this opaque part"
            )


def _check_parts(number: int) -> None:
    if number > MAX_PARTS:
        raise RequestRefused(
            413, "prompt_too_long", f"at most {MAX_PARTS} messages and parts, each counted for each who may be asked"
        )


def _parts_for_all(request: PanelsRequest, panel: PanelRequest) -> int:
    """Messages and parts of them, for all whom a panel may ask."""
    messages = request.messages if panel.messages is None else panel.messages
    fallbacks = request.options.fallbacks if panel.fallbacks is UNSET else panel.fallbacks
    asks = 1 + (0 if fallbacks is UNSET else len(fallbacks))
    return asks * (len(messages) + sum(map(_parts, messages)))


def _parts(message: Mapping[str, Any]) -> int:
    content = message.get("content")
    return len(content) if isinstance(content, list) else 0


def _too_long(settings: Settings) -> RequestRefused:
    return RequestRefused(413, "prompt_too_long", f"at most {settings.max_prompt_chars} characters of text at a time")


def _characters(value: str | list[Any]) -> int:
    """Count the characters of a value as JSON, but for its quotes or brackets."""
    try:
        return len(msgspec.json.encode(value).decode()) - 2
    except (TypeError, ValueError, RecursionError):
        raise RequestRefused(422, "invalid_request", "the request is nested too deeply") from None


def _characters_of(options: RequestOptions) -> int:
    return _characters(options.system_instruction or "") + _characters(options.tools or [])


def _characters_of_messages(messages: list[Any]) -> int:
    """The same for messages, without the data of files."""
    parts = (part for message in messages if isinstance(message.get("content"), list) for part in message["content"])
    files = (part.get("data") for part in parts if isinstance(part, dict) and part.get("type") == "file")
    return _characters(messages) - sum(len(data) for data in files if isinstance(data, str))
