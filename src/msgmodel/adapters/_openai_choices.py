"""One choice of a completion, as the chunks of a stream or as a message.

Rules: a call streams as its arguments arrive, and its last character is held back until the call is proven complete, so
that no client can take a call that was cut for one to run. A call without arguments so far is not sent at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from ..events import (
    BatchEvent,
    PanelFinal,
    PanelPart,
    PanelToolCall,
    PanelToolDelta,
    Source,
    Status,
    ToolCall,
)
from ..messages import MediaPart
from ._media import address_and_type
from ._outcome import Outcome, is_function, read_outcome
from ._turns import CallIds

FINISH_REASONS: Final[dict[Status, str]] = {
    "complete": "stop",
    "truncated": "length",
    "filtered": "content_filter",
    "tool_calls": "tool_calls",
    # OpenAI has no word for these. Clients take `length` for an incomplete reply, and `stop` for a complete one.
    "waiting": "tool_calls",
    "paused": "length",
    "unknown": "length",
}

_PART_GAP: Final = "\n\n"
"""Between the text of a reply and the refusal that follows it."""


class ChoiceDeltas:
    """Turn the events of one panel into the deltas of one choice.

    Args:
        one_call: whether the client wants no call after the first one.
    """

    def __init__(self, *, one_call: bool) -> None:
        self._one_call = one_call
        self._ids = CallIds()
        self._open_calls: dict[str, _StreamedCall] = {}
        """The calls whose arguments arrive in pieces, by the ids that the panel gave them."""
        self._first_call = ""
        self._call_count = 0
        self._media_count = 0
        self._text_length = 0
        self._refusal_began = False

    def feed(self, event: BatchEvent) -> list[dict[str, Any]]:
        """Return the deltas for an event that is not terminal."""
        if event["event"] == "panel_delta":
            self._text_length += len(event["delta"])
            return [{"content": event["delta"]}]
        if event["event"] == "panel_reasoning":
            return [{"reasoning_content": event["delta"]}]
        if event["event"] == "panel_refusal":
            # Most front ends show only `content`, and an empty message for a refusal that is not in it.
            text = event["delta"] if self._refusal_began or not self._text_length else _PART_GAP + event["delta"]
            self._refusal_began = True
            return [{"content": text, "refusal": event["delta"]}]
        if event["event"] == "panel_tool_delta" or event["event"] == "panel_tool_call":
            return self._feed_wanted_call(event)
        if event["event"] == "panel_source":
            found = url_citations([event], self._text_length)
            return [{"annotations": found}] if found else []
        if event["event"] == "panel_part":
            media = openai_media(event, self._media_count) if event["complete"] else {}
            self._media_count += "images" in media
            return [media] if media else []
        return []

    def finish_reason_of(self, final: PanelFinal) -> str:
        """Return the finish reason of the choice. It is `length` if the client has a part of a call that was cut."""
        reason = finish_reason_of(final)
        is_cut = any(call.index is not None for call in self._open_calls.values())
        return "length" if is_cut and reason == "tool_calls" else reason

    def _feed_wanted_call(self, event: PanelToolDelta | PanelToolCall) -> list[dict[str, Any]]:
        if self._one_call:
            self._first_call = self._first_call or event["id"]
            if event["id"] != self._first_call:
                return []
        return self._feed_call_piece(event) if event["event"] == "panel_tool_delta" else self._feed_call(event)

    def _feed_call_piece(self, event: PanelToolDelta) -> list[dict[str, Any]]:
        call = self._open_calls.setdefault(event["id"], _StreamedCall())
        piece = call.release(event["delta"])
        if not piece:
            return []
        if call.index is not None:
            return [{"tool_calls": [{"index": call.index, "function": {"arguments": piece}}]}]
        call.index = self._next_index()
        function = {"name": event["name"], "arguments": piece}
        named = {"id": self._ids.make_id(event["id"]), "type": "function", "function": function}
        return [{"tool_calls": [{"index": call.index, **named}]}]

    def _feed_call(self, event: PanelToolCall) -> list[dict[str, Any]]:
        if not has_openai_word(event):
            return []
        call = self._open_calls.pop(event["id"], None)
        if call is None or call.index is None:
            return [{"tool_calls": [{"index": self._next_index(), **openai_call(event, self._ids)}]}]
        rest = call.rest_of(event["arguments"])
        return [{"tool_calls": [{"index": call.index, "function": {"arguments": rest}}]}] if rest else []

    def _next_index(self) -> int:
        self._call_count += 1
        return self._call_count - 1


class _StreamedCall:
    """A call whose arguments arrive in pieces. What is sent of them is never a complete JSON value."""

    def __init__(self) -> None:
        self.index: int | None = None
        """Its index in the stream, once the client has received a piece of it."""
        self._sent_length = 0
        self._held = ""

    def release(self, piece: str) -> str:
        """Take a piece. Return what may be sent: all but the last character that is not white space."""
        text = self._held + piece
        kept = len(text.rstrip()) - 1
        released, self._held = (text[:kept], text[kept:]) if kept > 0 else ("", text)
        self._sent_length += len(released)
        return released

    def rest_of(self, arguments: str) -> str:
        """Return what the client lacks of the complete arguments."""
        return arguments[self._sent_length :]


def has_openai_word(call: ToolCall | PanelToolCall) -> bool:
    """Return whether the protocol has a word for a call: for complete calls of functions and custom tools.

    It can't mark a call as incomplete, so a client would run it. The outcome lists other calls as `waiting_calls`.
    """
    return call["complete"] and (is_function(call) or call.get("kind") == "custom")


def outcome_of_choice(final: PanelFinal, *, one_call: bool) -> Outcome:
    """Return the outcome of a choice, with the calls that the client did not want."""
    outcome = read_outcome(final)
    calls = [call for call in final.get("tool_calls", []) if has_openai_word(call)]
    if one_call and len(calls) > 1:
        outcome["dropped_calls"] = calls[1:]
    return outcome


def finish_reason_of(final: PanelFinal) -> str:
    """Return the finish reason of a choice."""
    if final["status"] != "tool_calls" or any(map(has_openai_word, final.get("tool_calls", []))):
        return FINISH_REASONS[final["status"]]
    return "length"  # `tool_calls` without a call that the client can see: for it, the reply is incomplete


def openai_message(final: PanelFinal, *, one_call: bool) -> dict[str, Any]:
    """Return the complete reply of a panel as a message, with all its calls or the first one."""
    refusal = final.get("refusal")
    text = _last_answer(final) if "object" in final else final["content"]
    content = _PART_GAP.join(part for part in (text, refusal) if part)  # as the chunks of a stream
    calls = [call for call in final.get("tool_calls", []) if has_openai_word(call)]
    message: dict[str, Any] = {"role": "assistant", "content": content or (None if calls else ""), "refusal": refusal}
    if "reasoning" in final:
        message["reasoning_content"] = final["reasoning"]
    if calls:
        ids = CallIds()
        message["tool_calls"] = [openai_call(call, ids) for call in (calls[:1] if one_call else calls)]
    if annotations := url_citations(final.get("sources", []), len(final["content"])):
        message["annotations"] = annotations
    for part in final["message"]["content"]:
        if not isinstance(part, str) and part["type"] == "media":
            for name, value in openai_media(part, len(message.get("images", []))).items():
                message[name] = [*message.get(name, []), *value] if isinstance(value, list) else value
    return message


def _last_answer(final: PanelFinal) -> str:
    """Return the text of the reply without the answers before a repair: a client parses it as JSON."""
    content = final["message"]["content"]
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part["type"] == "text")


def openai_logprobs(final: PanelFinal) -> dict[str, Any] | None:
    """Return the log probabilities of a choice; None if the provider sent none."""
    entries = final.get("details", {}).get("logprobs")
    if not entries:
        return None
    found: dict[str, Any] = {"content": [], "refusal": None}
    for entry in entries:
        read = _openai_logprob(entry)
        part = read.pop("part", "content")
        found[part] = [*(found.get(part) or []), read]
    return found


def _openai_logprob(entry: Any) -> dict[str, Any]:
    """Return the entry of a token. Gemini names the fields in its own way."""
    if not isinstance(entry, dict):
        return {"token": "", "logprob": entry, "bytes": None, "top_logprobs": []}
    if "logProbability" not in entry:
        return {"bytes": None, "top_logprobs": [], **entry}
    others = [_openai_logprob(each) for each in entry.get("topCandidates") or []]
    top = [{name: each[name] for name in ("token", "logprob", "bytes")} for each in others]
    return {"token": entry.get("token", ""), "logprob": entry["logProbability"], "bytes": None, "top_logprobs": top}


def openai_media(part: PanelPart | MediaPart, number: int) -> dict[str, Any]:
    """Return the fields of a delta, or of a message, for a part that is not text; none if a client can't get it.

    Images: as OpenRouter and LiteLLM send them (openrouter.ai/docs/features/multimodal/image-generation). Audio: as
    OpenAI does; it has expired, because no later request can name it here. Files: as OpenAI takes them in a request.
    """
    found = address_and_type(part)
    if found is None:
        return {}
    url, _ = found
    if part["kind"] == "image":
        return {"images": [{"type": "image_url", "index": number, "image_url": {"url": url}}]}
    if part["kind"] == "audio" and url[:5] == "data:":
        data, transcript = url.partition(",")[2], part.get("text", "")
        return {"audio": {"id": part["id"], "data": data, "transcript": transcript, "expires_at": 0}}
    return {"files": [{"type": "file", "file": {"filename": part.get("name", part["kind"]), "file_data": url}}]}


def openai_call(call: ToolCall | PanelToolCall, ids: CallIds) -> dict[str, Any]:
    """Return a complete call."""
    if not is_function(call):
        custom = {"name": call["name"], "input": call["arguments"]}
        return {"id": ids.make_id(call["id"]), "type": "custom", "custom": custom}
    # Some servers send nothing or null for a call without arguments; clients parse the text and expect an object.
    arguments = call["arguments"] if call["arguments"] not in ("", "null") else "{}"
    return {
        "id": ids.make_id(call["id"]),
        "type": "function",
        "function": {"name": call["name"], "arguments": arguments},
    }


def url_citations(sources: Iterable[Source | Any], place: int) -> list[dict[str, Any]]:
    """Return the sources as citations, each at its own place; else at `place`, the length of the text so far."""
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "url": source["url"],
                "title": source["title"] or source["url"],
                "start_index": source.get("start", place),
                "end_index": source.get("end", place),
            },
        }
        for source in sources
        if source["url"] is not None
    ]
