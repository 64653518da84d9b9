"""The server side of OpenAI's Chat Completions API: any client of that API reads from any provider.

Rule: `finish_reason` and `[DONE]` follow only a reply that ended by the rules of its wire. An interrupted stream ends
with an `error` object, which the official client raises. One request is one panel.
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
from ._outcome import interrupted_outcome, read_outcome
from ._reading import Body, Fields
from ._turns import CallIds
from .framing import DONE, Chunk
from .framing import HEADERS as HEADERS

_FINISH_REASONS: Final[dict[Status, str]] = {
    "complete": "stop",
    "truncated": "length",
    "filtered": "content_filter",
    "tool_calls": "tool_calls",
    # OpenAI has no word for these. Clients take `length` for an incomplete reply, and `stop` for a complete one.
    "paused": "length",
    "unknown": "length",
}

_ERRORS_BY_CODE: Final[dict[ErrorCode, tuple[int, str, str]]] = {
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
"""HTTP status, type and code of an error; OpenAI's own if it has one for the case."""


def status_of(error: PanelError) -> int:
    """Return the HTTP status of a response that holds only the error."""
    return _ERRORS_BY_CODE[error["code"]][0]


def error(event: PanelError) -> dict[str, Any]:
    """Return the body of a response that holds only the error; it is also the last chunk of an interrupted stream."""
    _, kind, code = _ERRORS_BY_CODE[event["code"]]
    return {
        "error": {"message": event["error"], "type": kind, "param": None, "code": code},
        "msgmodel": read_outcome(event),
    }


def bad_request(wrong: MsgModelError) -> dict[str, Any]:
    """Return the body of a response with status 400, for an exception of `read` or `stream_panels`."""
    return {
        "error": {"message": wrong.message, "type": "invalid_request_error", "param": None, "code": "invalid_request"}
    }


MAX_MODEL_CHARACTERS: Final = 300
"""Longest name of a model with its provider."""


class Chunks:
    """Turn the events of one reply into chunks of a stream.

    Args:
        id: id of the completion, for each chunk.
        created: Unix time, for each chunk.
        model: the model as the client named it, for each chunk.
        include_usage: whether a chunk with the usage ends the stream; see `Request`.
    """

    def __init__(self, *, id: str, created: int, model: str, include_usage: bool = False) -> None:
        self.last_frame = b""
        """`data: [DONE]` after a reply that did not fail."""
        self._head = {"id": id, "object": "chat.completion.chunk", "created": created, "model": model}
        self._include_usage = include_usage
        self._ids = CallIds()
        self._call_count = 0
        self._text_length = 0
        self._ended = False

    def start(self) -> list[Chunk]:
        """Return the chunks before the first event."""
        return [self._make_chunk({"role": "assistant", "content": ""})]

    def feed(self, event: BatchEvent) -> list[Chunk]:
        """Return the chunks for an event."""
        if event["event"] == "panel_delta":
            self._text_length += len(event["delta"])
            return [self._make_chunk({"content": event["delta"]})]
        if event["event"] == "panel_reasoning":
            return [self._make_chunk({"reasoning_content": event["delta"]})]
        if event["event"] == "panel_refusal":
            return [self._make_chunk({"refusal": event["delta"]})]
        if event["event"] == "panel_tool_call":
            return self._feed_call(event)
        if event["event"] == "panel_source":
            found = _url_citations([event], self._text_length)
            return [self._make_chunk({"annotations": found})] if found else []
        if event["event"] == "panel_final":
            return self._finish_reply(event)
        if event["event"] == "panel_error":
            self._ended = True
            return [error(event)]
        return []

    def end(self) -> list[Chunk]:
        """Return the last chunks: none, unless the events stopped before the terminal one."""
        if self._ended:
            return []
        found = interrupted_outcome("")
        _, kind, code = _ERRORS_BY_CODE["interrupted"]
        failure = {"message": found["error"], "type": kind, "param": None, "code": code}
        return [{"error": failure, "msgmodel": found}]

    def _make_chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> Chunk:
        return {**self._head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}

    def _feed_call(self, event: PanelToolCall) -> list[Chunk]:
        if not _is_executable(event):
            return []  # this protocol can't mark a call as incomplete, so a client would run it
        call = {"index": self._call_count, **_function_call(event, self._ids)}
        self._call_count += 1
        return [self._make_chunk({"tool_calls": [call]})]

    def _finish_reply(self, final: PanelFinal) -> list[Chunk]:
        self._ended, self.last_frame = True, DONE
        chunks = [self._make_chunk({}, _FINISH_REASONS[final["status"]]) | {"msgmodel": read_outcome(final)}]
        if self._include_usage:
            chunks.append({**self._head, "choices": [], "usage": _openai_usage(final["usage"])})
        return chunks


encode, async_encode = framing.make_encoders(Chunks)
"""The body of a streamed response: from an iterable of events, and from an asynchronous one."""


def completion(final: PanelFinal, *, id: str, created: int, model: str) -> dict[str, Any]:
    """Return the body of a response that is not streamed. For a `panel_error` see `error` and `status_of`.

    Args:
        final: the terminal event of the reply.
        id: id of the completion.
        created: Unix time.
        model: the model as the client named it.
    """
    message: dict[str, Any] = {"role": "assistant", "content": final["content"], "refusal": final.get("refusal")}
    calls = [call for call in final.get("tool_calls", []) if _is_executable(call)]
    if not final["content"] and (calls or message["refusal"]):
        message["content"] = None
    if "reasoning" in final:
        message["reasoning_content"] = final["reasoning"]
    if calls:
        ids = CallIds()
        message["tool_calls"] = [_function_call(call, ids) for call in calls]
    if annotations := _url_citations(final.get("sources", []), len(final["content"])):
        message["annotations"] = annotations
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _FINISH_REASONS[final["status"]]}
    head = {"id": id, "object": "chat.completion", "created": created, "model": model}
    return {**head, "choices": [choice], "usage": _openai_usage(final["usage"]), "msgmodel": read_outcome(final)}


def _is_executable(call: ToolCall | PanelToolCall) -> bool:
    return call["complete"] and isinstance(call["arguments_json"], dict)


def _function_call(call: ToolCall | PanelToolCall, ids: CallIds) -> dict[str, Any]:
    # Some servers send nothing or null for a call without arguments; clients parse the text and expect an object.
    arguments = call["arguments"] if call["arguments"] not in ("", "null") else "{}"
    return {
        "id": ids.make_id(call["id"]),
        "type": "function",
        "function": {"name": call["name"], "arguments": arguments},
    }


def _url_citations(sources: Iterable[Source | Any], place: int) -> list[dict[str, Any]]:
    """Return the sources as citations at `place`, the length of the text so far: events name no passage of it."""
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


def _openai_usage(usage: Usage) -> dict[str, Any]:
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
    """The request of a client."""

    provider: str
    model: str
    """As the client wrote it: the response repeats it."""
    arguments: dict[str, Any]
    """For `stream_panels(request.provider, "", **request.arguments)`."""
    stream: bool
    include_usage: bool
    """Whether the stream ends with a chunk for the usage."""


_REFUSED_FIELDS: Final[dict[str, tuple[object, ...]]] = {
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
"""Fields that change the reply and that not every provider has, with the harmless values that `read` accepts."""

_REASONING_BY_EFFORT: Final = {
    "none": "none",
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
}


def read(body: Body, *, provider: str | None = None) -> Request:
    """Read the request of a client. Unknown fields are left out; fields that would change the reply are refused.

    Args:
        body: the JSON body that the client posted. Its model is `provider/model` or `provider:model`, or a provider
            alone for its default model, or else a model of `provider`.
        provider: the provider of a model that names none.

    Raises:
        ConfigurationError: the request is malformed, or asks for something that not every provider can do.
    """
    request = _reading.read_body(body)
    for name, harmless in _REFUSED_FIELDS.items():
        if request.values.get(name) is not None and request.values[name] not in harmless:
            request.fail(f"{name}={quoted(request.values[name])} can't be asked of every provider, so it is refused")
    name, model = _read_model(request, provider)
    messages: list[Message] = []
    for message in request.read_objects("messages"):
        messages += _read_openai_message(message)
    if not messages:
        request.fail("messages must not be empty")
    found = {
        "messages": messages,
        "model": model,
        "max_tokens": _read_number(request, "max_completion_tokens", "max_tokens"),
        "temperature": _read_number(request, "temperature"),
        "reasoning": _read_reasoning(request),
        "tools": [_read_openai_tool(tool) for tool in request.read_objects("tools")] or None,
        "config": _read_config(request, name),
    }
    if found["tools"]:
        found["tool_choice"] = _read_tool_choice(request)
    return Request(
        provider=name,
        model=request.require_text("model"),
        arguments={name: value for name, value in found.items() if value is not None},
        stream=request.read_flag("stream"),
        include_usage=request.read_object("stream_options").read_flag("include_usage"),
    )


def _read_model(request: Fields, provider: str | None) -> tuple[str, str | None]:
    asked = request.require_text("model").strip()
    if len(asked) > MAX_MODEL_CHARACTERS:
        request.fail(f"model must have at most {MAX_MODEL_CHARACTERS} characters")
    separators = [place for mark in "/:" if (place := asked.find(mark)) > 0]
    head = asked[: min(separators)] if separators else asked
    with suppress(ConfigurationError):  # raised by a provider whose package is not installed
        if (row := providers.look_up_provider(head)) is not None:
            return row.name, asked[len(head) + 1 :] or None
    if provider is None or not asked:
        request.fail("model must be provider/model, such as openai/gpt-6-luna")
    return provider, asked


def _read_config(request: Fields, name: str) -> object:
    """Return a config for the fields that are not arguments of a call; None if the client posted none of them."""
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


def _read_number(request: Fields, *names: str) -> int | float | None:
    for name in names:
        value = request.values.get(name)
        if value is not None:
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                request.fail(f"{name} must be a number")
            return value
    return None


def _read_reasoning(request: Fields) -> str | None:
    effort = request.optional_text("reasoning_effort")
    if effort is not None and effort not in _REASONING_BY_EFFORT:
        request.fail(f"reasoning_effort must be {', '.join(_REASONING_BY_EFFORT)}")
    return None if effort is None else _REASONING_BY_EFFORT[effort]


def _read_openai_tool(tool: Fields) -> dict[str, Any]:
    if tool.require_text("type") != "function":
        tool.fail("only tools of type function can be asked of every provider")
    function = tool.read_object("function")
    found: dict[str, Any] = {
        "name": function.require_text("name"),
        "description": function.optional_text("description") or "",
    }
    if function.values.get("parameters") is not None:
        found["parameters"] = dict(function.read_object("parameters").values)
    return found


def _read_tool_choice(request: Fields) -> str | None:
    choice = request.values.get("tool_choice")
    if choice is None or choice in ("auto", "none", "required"):
        return choice
    return request.read_object("tool_choice").read_object("function").require_text("name")


def _read_openai_message(message: Fields) -> list[Message]:
    role = message.require_text("role")
    if role in ("system", "developer"):
        return [{"role": "system", "content": _joined_text(message)}]
    if role == "user":
        content = [_read_openai_part(part) for part in _content_parts(message)]
        return [{"role": "user", "content": content}] if content else []
    if role == "tool":
        return [
            {"role": "tool", "tool_call_id": message.require_text("tool_call_id"), "content": _joined_text(message)}
        ]
    if role != "assistant":
        message.fail("role must be developer, system, user, assistant or tool")
    turn = _read_assistant_turn(message)
    return [{"role": "assistant", "content": turn}] if turn else []


def _read_assistant_turn(message: Fields) -> list[Any]:
    turn: list[Any] = []
    reasoning = message.values.get("reasoning_content")
    if isinstance(reasoning, str) and reasoning:
        turn.append({"type": "reasoning", "text": reasoning})
    turn += [_read_openai_part(part) for part in _content_parts(message) if part.require_text("type") != "refusal"]
    for call in message.read_objects("tool_calls"):
        function = call.read_object("function")
        named = {"name": function.require_text("name"), "arguments": function.require_text("arguments")}
        turn.append({"type": "tool_call", "id": call.require_text("id"), **named})
    return turn


def _content_parts(message: Fields) -> list[Fields]:
    content = message.values.get("content")
    if isinstance(content, str):
        return [Fields({"type": "text", "text": content}, message.place)] if content else []
    return message.read_objects("content")


def _joined_text(message: Fields) -> str:
    for part in _content_parts(message):
        if part.require_text("type") != "text":
            part.fail("must be of type text")
    return "".join(part.require_text("text") for part in _content_parts(message))


def _read_openai_part(part: Fields) -> Any:
    kind = part.require_text("type")
    if kind == "text":
        return {"type": "text", "text": part.require_text("text")}
    if kind == "image_url":
        return part.read_data_url("image", part.read_object("image_url").require_text("url"))
    if kind == "input_audio":
        audio = part.read_object("input_audio")
        return audio.read_base64_file(f"audio.{audio.require_text('format')}", audio.require_text("data"))
    if kind != "file":
        part.fail(f"a message can't hold {quoted(kind)}")
    return _read_openai_file(part.read_object("file"))


def _read_openai_file(file: Fields) -> FilePart:
    if file.values.get("file_id") is not None:
        file.fail("a file must come as file_data; nothing is stored here")
    name, data = file.optional_text("filename") or "file", file.require_text("file_data")
    return file.read_data_url(name, data) if data[:5].lower() == "data:" else file.read_base64_file(name, data)
