"""OpenAI's Chat Completions API, as servers speak it: any client of it reads from any provider.

Rule: a `finish_reason` and `[DONE]` come only after a reply that ended by the rules of its wire. A stream that broke
ends with an `error` object, which the official client raises. One request is one panel.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from .. import providers
from ..errors import ConfigurationError, MsgModelError, quoted
from ..events import BatchEvent, ErrorCode, PanelError, PanelFinal, PanelToolCall, Source, Status, ToolCall, Usage
from ..messages import FilePart, Message
from . import _reading, framing
from ._outcome import interrupted, outcome
from ._reading import Body, Fields
from ._turns import CallIds
from .framing import DONE, Chunk
from .framing import HEADERS as HEADERS

_FINISH: Final[dict[Status, str]] = {
    "complete": "stop",
    "truncated": "length",
    "filtered": "content_filter",
    "tool_calls": "tool_calls",
    # No word for them here. Clients take `length` for a reply that is not whole, and `stop` for one that is.
    "paused": "length",
    "unknown": "length",
}

_ERRORS: Final[dict[ErrorCode, tuple[int, str, str]]] = {
    "authentication": (401, "authentication_error", "invalid_api_key"),
    "permission": (403, "permission_error", "permission_denied"),
    "not_found": (404, "invalid_request_error", "model_not_found"),
    "rate_limit": (429, "rate_limit_error", "rate_limit_exceeded"),
    "quota": (429, "insufficient_quota", "insufficient_quota"),
    "context_length": (400, "invalid_request_error", "context_length_exceeded"),
    "too_large": (413, "invalid_request_error", "request_too_large"),
    "invalid_request": (400, "invalid_request_error", "invalid_request"),
    "content_policy": (400, "invalid_request_error", "content_policy_violation"),
    "overloaded": (503, "server_error", "overloaded"),
    "server": (502, "server_error", "server_error"),
    "network": (502, "server_error", "network"),
    "timeout": (504, "server_error", "timeout"),
    "interrupted": (502, "server_error", "interrupted"),
    "protocol": (502, "server_error", "protocol"),
    "reply_too_large": (502, "server_error", "reply_too_large"),
    "cancelled": (499, "cancelled", "cancelled"),
}
"""HTTP status, type and code, as OpenAI says them where it does."""


def status_of(error: PanelError) -> int:
    """The HTTP status of an answer that has nothing but the error."""
    return _ERRORS[error["code"]][0]


def error(event: PanelError) -> dict[str, Any]:
    """The body of such an answer, and the last chunk of a stream that broke."""
    _, kind, code = _ERRORS[event["code"]]
    return {
        "error": {"message": event["error"], "type": kind, "param": None, "code": code},
        "msgmodel": outcome(event),
    }


def bad_request(wrong: MsgModelError) -> dict[str, Any]:
    """The body of an answer, with status 400, to what `read` or `stream_panels` raised."""
    return {
        "error": {"message": wrong.message, "type": "invalid_request_error", "param": None, "code": "invalid_request"}
    }


MAX_MODEL: Final = 300
"""Characters in the name of a model with its provider."""


class Chunks:
    """The events of one reply to chunks of a stream.

    id, created (Unix time) and model go into each chunk. include_usage: see `Request`.
    """

    def __init__(self, *, id: str, created: int, model: str, include_usage: bool = False) -> None:
        self.last_frame = b""
        """`data: [DONE]` once the reply has ended well."""
        self._head = {"id": id, "object": "chat.completion.chunk", "created": created, "model": model}
        self._include_usage = include_usage
        self._ids = CallIds()
        self._calls = 0
        self._characters = 0
        self._ended = False

    def start(self) -> list[Chunk]:
        """What comes first."""
        return [self._chunk({"role": "assistant", "content": ""})]

    def feed(self, event: BatchEvent) -> list[Chunk]:
        """The chunks of an event."""
        if event["event"] == "panel_delta":
            self._characters += len(event["delta"])
            return [self._chunk({"content": event["delta"]})]
        if event["event"] == "panel_reasoning":
            return [self._chunk({"reasoning_content": event["delta"]})]
        if event["event"] == "panel_refusal":
            return [self._chunk({"refusal": event["delta"]})]
        if event["event"] == "panel_tool_call":
            return self._call(event)
        if event["event"] == "panel_source":
            found = _annotations([event], self._characters)
            return [self._chunk({"annotations": found})] if found else []
        if event["event"] == "panel_final":
            return self._final(event)
        if event["event"] == "panel_error":
            self._ended = True
            return [error(event)]
        return []

    def end(self) -> list[Chunk]:
        """What comes last: nothing more, unless the events ran out before the terminal one."""
        if self._ended:
            return []
        found = interrupted("")
        _, kind, code = _ERRORS["interrupted"]
        said = {"message": found["error"], "type": kind, "param": None, "code": code}
        return [{"error": said, "msgmodel": found}]

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> Chunk:
        return {**self._head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}

    def _call(self, event: PanelToolCall) -> list[Chunk]:
        if not _executable(event):
            return []
        call = {"index": self._calls, **_function(event, self._ids)}
        self._calls += 1
        return [self._chunk({"tool_calls": [call]})]

    def _final(self, final: PanelFinal) -> list[Chunk]:
        self._ended, self.last_frame = True, DONE
        chunks = [self._chunk({}, _FINISH[final["status"]]) | {"msgmodel": outcome(final)}]
        if self._include_usage:
            chunks.append({**self._head, "choices": [], "usage": _usage(final["usage"])})
        return chunks


encode, async_encode = framing.make_encoders(Chunks)
"""The body of a streamed response: from an iterable of events, and from an asynchronous one."""


def completion(final: PanelFinal, *, id: str, created: int, model: str) -> dict[str, Any]:
    """The body of a response that is not streamed. For a `panel_error` see `error` and `status_of`."""
    message: dict[str, Any] = {"role": "assistant", "content": final["content"], "refusal": final.get("refusal")}
    calls = [call for call in final.get("tool_calls", []) if _executable(call)]
    if not final["content"] and (calls or message["refusal"]):
        message["content"] = None
    if "reasoning" in final:
        message["reasoning_content"] = final["reasoning"]
    if calls:
        ids = CallIds()
        message["tool_calls"] = [_function(call, ids) for call in calls]
    if annotations := _annotations(final.get("sources", []), len(final["content"])):
        message["annotations"] = annotations
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _FINISH[final["status"]]}
    head = {"id": id, "object": "chat.completion", "created": created, "model": model}
    return {**head, "choices": [choice], "usage": _usage(final["usage"]), "msgmodel": outcome(final)}


def _executable(call: ToolCall | PanelToolCall) -> bool:
    return call["complete"] and isinstance(call["arguments_json"], dict)


def _function(call: ToolCall | PanelToolCall, ids: CallIds) -> dict[str, Any]:
    arguments = call["arguments"] if call["arguments"] not in ("", "null") else "{}"
    return {
        "id": ids.new(call["id"]),
        "type": "function",
        "function": {"name": call["name"], "arguments": arguments},
    }


def _annotations(sources: Iterable[Source | Any], place: int) -> list[dict[str, Any]]:
    """place: how much text had come; which of it the source is for, nobody says."""
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "url": source["url"],
                "title": source["title"] or source["url"],
                "start_index": place,
                "end_index": place,
            },
        }
        for source in sources
        if source["url"] is not None
    ]


def _usage(usage: Usage) -> dict[str, Any]:
    taken, made = usage["input_tokens"] or 0, usage["output_tokens"] or 0
    return {
        "prompt_tokens": taken,
        "completion_tokens": made,
        "total_tokens": taken + made,
        "prompt_tokens_details": {"cached_tokens": usage["cached_tokens"] or 0},
        "completion_tokens_details": {"reasoning_tokens": usage["reasoning_tokens"] or 0},
    }


@dataclass(frozen=True, slots=True)
class Request:
    """What a client posted."""

    provider: str
    model: str
    """As it was posted: it goes back in the response."""
    arguments: dict[str, Any]
    """For `stream_panels(request.provider, "", **request.arguments)`."""
    stream: bool
    include_usage: bool
    """Whether the stream shall end with a chunk for the usage."""


_REFUSED: Final[dict[str, tuple[object, ...]]] = {
    "n": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "audio": (),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "parallel_tool_calls": (True,),
    "web_search_options": (),
}
"""Fields that would change the reply and that not all providers have: only the values that change nothing are taken."""

_EFFORT: Final = {"none": "none", "minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high"}


def read(body: Body, *, provider: str | None = None) -> Request:
    """What was posted. Raises ConfigurationError.

    The model is `provider/model` or `provider:model`, or a provider alone for its default model; else it is a model of
    `provider`. Fields that are not known are left out; those that would be needed for the reply are refused.
    """
    request = _reading.read(body)
    for name, harmless in _REFUSED.items():
        if request.values.get(name) is not None and request.values[name] not in harmless:
            request.fail(f"{name}={quoted(request.values[name])} can't be asked of every provider, so it is refused")
    name, model = _model(request, provider)
    messages: list[Message] = []
    for message in request.objects("messages"):
        messages += _message(message)
    if not messages:
        request.fail("messages must not be empty")
    found = {
        "messages": messages,
        "model": model,
        "max_tokens": _given(request, "max_completion_tokens", "max_tokens"),
        "temperature": _given(request, "temperature"),
        "reasoning": _effort(request),
        "tools": [_tool(tool) for tool in request.objects("tools")] or None,
        "config": _config(request, name),
    }
    if found["tools"]:
        found["tool_choice"] = _choice(request)
    return Request(
        provider=name,
        model=request.text("model"),
        arguments={name: value for name, value in found.items() if value is not None},
        stream=request.flag("stream"),
        include_usage=request.object("stream_options").flag("include_usage"),
    )


def _model(request: Fields, provider: str | None) -> tuple[str, str | None]:
    asked = request.text("model").strip()
    if len(asked) > MAX_MODEL:
        request.fail(f"model must have {MAX_MODEL} characters at most")
    separators = [place for mark in "/:" if (place := asked.find(mark)) > 0]
    head = asked[: min(separators)] if separators else asked
    with suppress(ConfigurationError):  # of a package that brings it
        if (row := providers.look_up_provider(head)) is not None:
            return row.name, asked[len(head) + 1 :] or None
    if provider is None or not asked:
        request.fail("model must be provider/model, such as openai/gpt-6-luna")
    return provider, asked


def _config(request: Fields, name: str) -> object:
    """For what is no argument of a call. None where nothing of it was posted."""
    stop = request.values.get("stop")
    if isinstance(stop, str):
        stop = [stop]
    if stop is not None and not (isinstance(stop, list) and all(isinstance(word, str) for word in stop)):
        request.fail("stop must be a string or a list of strings")
    top_p = request.values.get("top_p")
    if top_p is not None and (not isinstance(top_p, (int, float)) or isinstance(top_p, bool) or not 0 <= top_p <= 1):
        request.fail("top_p must be a number from 0 to 1")
    fields: dict[str, Any] = {"stop": tuple(stop)} if stop else {}
    if top_p not in (None, 1):
        fields["top_p"] = top_p
    return providers.find_provider(name).config(**fields) if fields else None


def _given(request: Fields, *names: str) -> int | float | None:
    for name in names:
        value = request.values.get(name)
        if value is not None:
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                request.fail(f"{name} must be a number")
            return value
    return None


def _effort(request: Fields) -> str | None:
    effort = request.maybe_text("reasoning_effort")
    if effort is not None and effort not in _EFFORT:
        request.fail(f"reasoning_effort must be {', '.join(_EFFORT)}")
    return None if effort is None else _EFFORT[effort]


def _tool(tool: Fields) -> dict[str, Any]:
    if tool.text("type") != "function":
        tool.fail("only tools of type function can be asked of every provider")
    function = tool.object("function")
    found: dict[str, Any] = {"name": function.text("name"), "description": function.maybe_text("description") or ""}
    if function.values.get("parameters") is not None:
        found["parameters"] = dict(function.object("parameters").values)
    return found


def _choice(request: Fields) -> str | None:
    choice = request.values.get("tool_choice")
    if choice is None or choice in ("auto", "none", "required"):
        return choice
    return request.object("tool_choice").object("function").text("name")


def _message(message: Fields) -> list[Message]:
    role = message.text("role")
    if role in ("system", "developer"):
        return [{"role": "system", "content": _text(message)}]
    if role == "user":
        content = [_part(part) for part in _parts(message)]
        return [{"role": "user", "content": content}] if content else []
    if role == "tool":
        return [{"role": "tool", "tool_call_id": message.text("tool_call_id"), "content": _text(message)}]
    if role != "assistant":
        message.fail("role must be developer, system, user, assistant or tool")
    said: list[Any] = []
    reasoning = message.values.get("reasoning_content")
    if isinstance(reasoning, str) and reasoning:
        said.append({"type": "reasoning", "text": reasoning})
    for part in _parts(message):
        if part.text("type") != "refusal":
            said.append(_part(part))
    for call in message.objects("tool_calls"):
        function = call.object("function")
        named = {"name": function.text("name"), "arguments": function.text("arguments")}
        said.append({"type": "tool_call", "id": call.text("id"), **named})
    return [{"role": "assistant", "content": said}] if said else []


def _parts(message: Fields) -> list[Fields]:
    content = message.values.get("content")
    if isinstance(content, str):
        return [Fields({"type": "text", "text": content}, message.place)] if content else []
    return message.objects("content")


def _text(message: Fields) -> str:
    for part in _parts(message):
        if part.text("type") != "text":
            part.fail("must be of type text")
    return "".join(part.text("text") for part in _parts(message))


def _part(part: Fields) -> Any:
    kind = part.text("type")
    if kind == "text":
        return {"type": "text", "text": part.text("text")}
    if kind == "image_url":
        return part.file("image", part.object("image_url").text("url"))
    if kind == "input_audio":
        audio = part.object("input_audio")
        return audio.file_of_base64(f"audio.{audio.text('format')}", audio.text("data"))
    if kind != "file":
        part.fail(f"a message can't hold {quoted(kind)}")
    return _file(part.object("file"))


def _file(file: Fields) -> FilePart:
    if file.values.get("file_id") is not None:
        file.fail("a file must come as file_data; nothing is stored here")
    name, data = file.maybe_text("filename") or "file", file.text("file_data")
    return file.file(name, data) if data[:5].lower() == "data:" else file.file_of_base64(name, data)
