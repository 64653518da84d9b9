"""The bodies of requests, as data.

Rule: a request chooses from what the server offers. It never contains a key, a config, an address or a path.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar, cast

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from ..errors import shortened
from ..question.lenient_json import decode_request

T = TypeVar("T")

MAX_OBJECTS = 250_000
"""Objects and lists in one request: more than a conversation has, and few enough not to delay other users."""

MAX_NAME = 200
"""Characters in the name of a model."""

Id = Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,128}$")]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
Model = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Count = Annotated[int, Meta(ge=0, le=100)]


class RequestFile(Struct, forbid_unknown_fields=True):
    """An attachment."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]
    data: str
    """Its bytes in base64."""


class RequestOptions(Struct, forbid_unknown_fields=True, kw_only=True):
    """The keywords of `msgmodel.stream_panels` that a request may set, and those of a run of the server's tools."""

    system_instruction: str | UnsetType | None = UNSET
    max_tokens: Annotated[int, Meta(ge=1, le=10000000)] | UnsetType | None = UNSET
    temperature: Annotated[float, Meta(ge=0, le=10)] | UnsetType | None = UNSET
    reasoning: Literal["none", "low", "medium", "high"] | UnsetType | None = UNSET
    tools: Annotated[list[dict[str, Any]], Meta(max_length=256)] | UnsetType = UNSET
    tool_choice: Annotated[str, Meta(max_length=64)] | UnsetType | None = UNSET
    output: dict[str, Any] | Literal["json"] | UnsetType | None = UNSET
    repair: Count | UnsetType = UNSET
    tool_deltas: bool | UnsetType = UNSET
    part_deltas: bool | UnsetType = UNSET
    progress: bool | UnsetType = UNSET
    cache_prompt: bool | Literal["5m", "1h"] | UnsetType = UNSET
    max_cost: Annotated[float, Meta(gt=0, le=1_000_000)] | UnsetType | None = UNSET
    max_total_tokens: Annotated[int, Meta(ge=1, le=1_000_000_000)] | UnsetType | None = UNSET
    continue_truncated: Count | UnsetType = UNSET
    resume_interrupted: bool | UnsetType = UNSET
    # Plain strings: msgspec 0.22 crashes when a union of constrained strings and tuples of them is collected.
    run_tools: Annotated[list[Name], Meta(max_length=256)] | bool | UnsetType = UNSET
    max_rounds: Annotated[int, Meta(ge=1, le=1000)] | UnsetType = UNSET
    max_calls: Annotated[int, Meta(ge=1, le=100000)] | UnsetType = UNSET
    fallbacks: Annotated[list[str | tuple[str, str]], Meta(max_length=8)] | UnsetType = UNSET
    max_retries: Count | UnsetType = UNSET
    timeout: Seconds | UnsetType = UNSET
    first_token_timeout: Seconds | UnsetType | None = UNSET
    idle_timeout: Seconds | UnsetType | None = UNSET
    deadline: Seconds | UnsetType | None = UNSET


class PanelRequest(RequestOptions, forbid_unknown_fields=True, kw_only=True):
    """One panel. Its fields take precedence over the request's `options`, `prompt` and `messages`."""

    provider: Name | None = None
    model: Model | None = None
    panel_id: Id | None = None
    prompt: str | None = None
    messages: list[dict[str, Any]] | None = None


class SignedState(Struct, forbid_unknown_fields=True):
    """The state of a run as the server sent it."""

    signed: str


class ResumeRequest(Struct, forbid_unknown_fields=True):
    """A run of the server's tools that goes on."""

    state: SignedState
    """`run.state` of its terminal event."""
    decisions: dict[str, bool | str | dict[str, Any]] = {}
    """By the ids of the calls that wait: true, false, the reason for a refusal, other arguments, or the result of a
    tool of the client."""


class PanelsRequest(Struct, forbid_unknown_fields=True, kw_only=True):
    """The body of `POST /v1/panels`."""

    prompt: str = ""
    messages: list[dict[str, Any]] = []
    panels: list[PanelRequest] = []
    options: RequestOptions = field(default_factory=RequestOptions)
    files: Annotated[list[RequestFile], Meta(max_length=64)] = []
    resume: ResumeRequest | None = None
    """It stands alone: the state has all the rest."""


class Choice(Struct, kw_only=True):
    """Our fields in the body of another protocol. All other fields belong to that protocol."""

    provider: Name | None = None
    model: Model | None = None
    panels: list[PanelRequest] = []
    options: RequestOptions = field(default_factory=RequestOptions)


class RequestRefused(Exception):
    """A request that is refused.

    Args:
        status: The HTTP status.
        code: One word for programs.
        message: What is wrong, and what to do.
        headers: More headers of the response.
    """

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        message = shortened(message)
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}


def decode_body(body: bytes | bytearray, shape: type[T]) -> T:
    """Return a JSON body as this type. Raise RequestRefused if it does not fit."""
    try:
        return cast(T, decode_request(body, shape))
    except msgspec.ValidationError as error:
        raise RequestRefused(422, "invalid_request", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RequestRefused(400, "invalid_json", "the body is not JSON in UTF-8") from None


def convert_query(fields: dict[str, str], shape: type[T]) -> T:
    """Return the parameters of a query as this type. Raise RequestRefused if they do not fit."""
    try:
        return msgspec.convert(fields, type=shape)
    except msgspec.ValidationError as error:
        raise RequestRefused(422, "invalid_request", str(error)) from None
