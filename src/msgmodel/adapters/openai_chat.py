"""The server side of OpenAI's Chat Completions API: any client of that API reads from any provider.

Rule: `finish_reason` and `[DONE]` follow only a reply that ended by the rules of its wire. An interrupted stream ends
with an `error` object, which the official client raises. Each choice is one panel.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from ..errors import MsgModelError
from ..events import BatchEvent, ErrorCode, PanelEnd, PanelError, PanelFinal
from . import framing
from ._openai_choices import ChoiceDeltas, finish_reason_of, openai_logprobs, openai_message, outcome_of_choice
from ._openai_requests import FIELD_NAMES
from ._openai_requests import MAX_MODEL_CHARACTERS as MAX_MODEL_CHARACTERS
from ._openai_requests import Request as Request
from ._openai_requests import read as read
from ._outcome import interrupted_outcome, read_outcome, summarize_outcomes
from .framing import DONE, Chunk
from .framing import HEADERS as HEADERS

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
    message = words_of_api(wrong.message)
    return error_body(message, "invalid_request_error", "invalid_request")


def error_body(message: str, kind: str, code: str) -> dict[str, Any]:
    """Return the body of an error that is not the end of a panel.

    Args:
        message: what went wrong, and what to do.
        kind: the type of the error, such as `invalid_request_error`.
        code: one word for programs.
    """
    field = re.match(r"[a-z_]+", message)
    param = field[0] if field and field[0] in FIELD_NAMES else None
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def words_of_api(message: str) -> str:
    """Return the text of an error in the words of this API, which knows no panels and no argument `reasoning`."""
    message = re.sub(r"^(panels\[\d+\]|body): ", "", message)
    return re.sub(r"^reasoning=", "reasoning_effort=", message)


class Chunks:
    """Turn the events of a reply, or of several, into chunks of a stream.

    If one of several fails, the others go on, and then the stream ends with its error.

    Args:
        id: id of the completion, for each chunk.
        created: Unix time, for each chunk.
        model: the model as the client named it, for each chunk.
        include_usage: whether a chunk with the usage ends the stream; see `Request`.
        panels: number of panels, each of which is a choice. The first one to send an event is the first choice.
        one_call: whether the client wants at most one call in a reply; see `Request`.
    """

    def __init__(
        self, *, id: str, created: int, model: str, include_usage: bool = False, panels: int = 1, one_call: bool = False
    ) -> None:
        self.last_frame = b""
        """`data: [DONE]` after a reply that did not fail."""
        self._head = {"id": id, "object": "chat.completion.chunk", "created": created, "model": model}
        self._include_usage = include_usage
        self._panels = panels
        self._one_call = one_call
        self._choices: dict[str, _StreamedChoice] = {}
        self._ended = False

    def start(self) -> list[Chunk]:
        """Return the chunks before the first event."""
        return [self._make_chunk(number, {"role": "assistant", "content": ""}) for number in range(self._panels)]

    def feed(self, event: BatchEvent) -> list[Chunk]:
        """Return the chunks for an event."""
        if event["event"] == "batch_final":
            return []
        choice = self._choices.get(event["panel_id"])
        if choice is None:
            choice = self._choices[event["panel_id"]] = _StreamedChoice(
                len(self._choices), ChoiceDeltas(one_call=self._one_call)
            )
        if event["event"] == "panel_final":
            choice.end = event
            reason = choice.deltas.finish_reason_of(event)
            made = self._make_chunk(choice.number, {}, reason)
            made["msgmodel"] = outcome_of_choice(event, one_call=self._one_call)
            if logprobs := openai_logprobs(event):
                made["choices"][0]["logprobs"] = logprobs
            return [made, *self._end_of_all()]
        if event["event"] == "panel_error":
            choice.end = event
            return self._end_of_all()
        return [self._make_chunk(choice.number, delta) for delta in choice.deltas.feed(event)]

    def end(self) -> list[Chunk]:
        """Return the last chunks: none, unless the events stopped before the terminal one."""
        if self._ended:
            return []
        found = interrupted_outcome("")
        _, kind, code = _ERRORS_BY_CODE["interrupted"]
        failure = {"message": found["error"], "type": kind, "param": None, "code": code}
        return [{"error": failure, "msgmodel": found}]

    def _make_chunk(self, number: int, delta: dict[str, Any], finish_reason: str | None = None) -> Chunk:
        return {**self._head, "choices": [{"index": number, "delta": delta, "finish_reason": finish_reason}]}

    def _end_of_all(self) -> list[Chunk]:
        ends = [choice.end for choice in self._choices.values() if choice.end is not None]
        if len(ends) < self._panels:
            return []
        self._ended = True
        if failed := [end for end in ends if end["event"] == "panel_error"]:
            return [error(failed[0])]
        self.last_frame = DONE
        return [{**self._head, "choices": [], "usage": _openai_usage(ends)}] if self._include_usage else []


class _StreamedChoice:
    """A panel of the stream, and how it ended."""

    def __init__(self, number: int, deltas: ChoiceDeltas) -> None:
        self.number = number
        self.deltas = deltas
        self.end: PanelEnd | None = None


encode, async_encode = framing.make_encoders(Chunks)
"""The body of a streamed response: from an iterable of events, and from an asynchronous one."""


def completion(
    final: PanelFinal | Sequence[PanelFinal], *, id: str, created: int, model: str, one_call: bool = False
) -> dict[str, Any]:
    """Return the body of a response that is not streamed. For a `panel_error` see `error` and `status_of`.

    Args:
        final: the terminal event of the reply, or of each choice.
        id: id of the completion.
        created: Unix time.
        model: the model as the client named it.
        one_call: whether the client wants at most one call in a reply; see `Request`.
    """
    finals = [final] if isinstance(final, Mapping) else list(final)
    choices = [
        {
            "index": number,
            "message": openai_message(each, one_call=one_call),
            "logprobs": openai_logprobs(each),
            "finish_reason": finish_reason_of(each),
        }
        for number, each in enumerate(finals)
    ]
    outcomes = [outcome_of_choice(each, one_call=one_call) for each in finals]
    outcome = outcomes[0] if len(outcomes) == 1 else summarize_outcomes(outcomes)
    head = {"id": id, "object": "chat.completion", "created": created, "model": model}
    return {**head, "choices": choices, "usage": _openai_usage(finals), "msgmodel": outcome}


def _openai_usage(ends: Iterable[PanelEnd]) -> dict[str, Any]:
    """Return the tokens of all choices. Each has read the question."""
    usages = [end["usage"] for end in ends if end["usage"] is not None]
    taken = sum(usage["input_tokens"] or 0 for usage in usages)
    made = sum(usage["output_tokens"] or 0 for usage in usages)
    return {
        "prompt_tokens": taken,
        "completion_tokens": made,
        "total_tokens": taken + made,
        "prompt_tokens_details": {"cached_tokens": sum(usage["cached_tokens"] or 0 for usage in usages)},
        "completion_tokens_details": {"reasoning_tokens": sum(usage["reasoning_tokens"] or 0 for usage in usages)},
    }
