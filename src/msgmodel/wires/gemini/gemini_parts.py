"""Read the parts of Gemini's content: text, calls, media, and what the provider's own tools did. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import msgspec

from ...events import ToolRun
from ...messages import MediaKind
from ...question.lenient_json import as_mapping, as_text, memory
from ...question.question import ProviderTool, Question, without_none
from ..deltas import (
    CallWasRun,
    Delta,
    MediaPiece,
    MediaReceived,
    NewPart,
    OpaqueData,
    ReasoningDelta,
    TextDelta,
    ToolEnd,
    ToolFragment,
    ToolRunChanged,
    Untold,
    argument_text,
    word_deltas,
)
from ..streamed_arguments import finish_arguments, set_argument

_MEMORY_FACTOR = 4
"""Memory that a piece of arguments may take in the tree, relative to its own: each name in its path becomes a dict."""
_ABOUT_THE_PART = {"thought", "thoughtSignature", "videoMetadata", "mediaResolution", "partMetadata", "text"}
"""Fields beside the content of a part: whether it is a thought, its signature, and how a file of the user is read."""
_RAW_AUDIO = ("audio/l16", "audio/pcm")
"""Audio without a header comes in many parts, which together are one piece of sound."""
_KINDS: dict[str, MediaKind] = {"image": "image", "audio": "audio", "video": "video"}


class GeminiPartReader:
    """Reads the parts of one response.

    Attributes:
        held_bytes: Bytes of memory for data that no delta has brought yet.
    """

    def __init__(self, question: Question) -> None:
        self.held_bytes = 0
        self._functions = _functions_of_caller(question)
        self._calls_begun = 0
        self._arguments: dict[Any, Any] = {}
        self._call_ended = False
        self._held_calls: dict[str, dict[str, Any]] = {}
        """The parts of the calls that the provider may still run itself, by their keys."""
        self._held_keys: dict[str, deque[str]] = {}
        """The same keys by the ids and the names of the calls; those that were answered stay until they are first."""
        self._call_bytes = 0
        """Bytes of memory for the calls that are held, and for the last one."""
        self._last_call: dict[str, Any] = {}
        """The part of the last call, in case that it comes twice."""
        self._has_text = False
        self._was_interrupted = False
        """Whether something else came after the last text."""
        self._media_begun = 0
        self._audio_type: str | None = None
        """The media type of the audio whose parts arrive."""
        self._code_runs = 0

    def read_part(self, part: dict[str, Any]) -> Iterator[Delta]:
        """Yield what a part is."""
        signature = without_none(thoughtSignature=part.get("thoughtSignature"))
        media = part.get("inlineData")
        if self._audio_type is not None and not isinstance(media, dict):
            yield from self.end_audio()
        content = {name for name, value in part.items() if (value or value == {}) and name not in _ABOUT_THE_PART}
        if content and part.get("text"):  # beside something else, which may be newer than we are
            yield from self._read_text(part["text"], bool(part.get("thought")), {})
        if isinstance(part.get("functionCall"), dict):
            self._was_interrupted = True
            yield from self._read_call(part, signature)
        elif not content:
            if part:
                yield from self._read_text(part.get("text"), bool(part.get("thought")), signature)
        else:
            self._was_interrupted = True
            if isinstance(media, dict):
                yield from self._read_inline_data(media, signature, bool(part.get("thought")))
            elif isinstance(part.get("fileData"), dict):
                yield from self._read_file_data(part)
            elif isinstance(part.get("functionResponse"), dict):
                yield from self._read_function_response(part)
            elif tool := next((name for name in _RUN_READERS if isinstance(part.get(name), dict)), None):
                yield ToolRunChanged(_RUN_READERS[tool](self, part[tool]))
                yield OpaqueData("opaque", part)  # to be sent back unchanged
            else:
                yield from (Untold(name) for name in sorted(content) if part[name])

    def _read_text(self, text: object, is_thought: bool, signature: dict[str, Any]) -> Iterator[Delta]:
        is_new_block = False
        if is_thought:
            self._was_interrupted = self._was_interrupted or bool(text)
        elif text:
            is_new_block = self._has_text and self._was_interrupted
            self._has_text, self._was_interrupted = True, False
        if signature or is_new_block:  # signed text must not be joined with other text
            yield NewPart(is_block=is_new_block)
        yield from word_deltas(ReasoningDelta if is_thought else TextDelta, text, "text")
        if signature:
            yield OpaqueData("reasoning" if is_thought else "text", signature)

    def _read_call(self, part: dict[str, Any], signature: dict[str, Any]) -> Iterator[Delta]:
        """Yield a call. It is complete, unless the arguments are streamed (Vertex): its later pieces have no name."""
        call = part["functionCall"]
        if call.get("id") and call.get("name") and part == self._last_call:
            return  # the part came twice, and the call must not run twice
        if call.get("name") or not self._calls_begun:
            self._calls_begun += 1
            self._arguments, self._call_ended = dict(as_mapping(call.get("args"))), False
            key = f"{self._calls_begun}"
            if f"{self._calls_begun - 1}" not in self._held_calls:
                self._call_bytes -= memory(self._last_call) if self._last_call else 0
            self._last_call = part
            self._call_bytes += memory(part)  # the arguments in it are shared
            self.held_bytes = self._call_bytes
            if as_text(call.get("name")) not in self._functions:
                self._hold_call(key, part)
            yield ToolFragment(key, as_text(call.get("id")), as_text(call.get("name")), "")
            yield OpaqueData("tool_call", without_none(id=as_text(call.get("id")) or None) | signature, key)
        pieces = call.get("partialArgs")
        if self._call_ended:
            if pieces:  # more arguments after the end: it was not complete
                yield ToolEnd(f"{self._calls_begun}", None, False)
            return
        for piece in pieces if isinstance(pieces, list) else ():
            set_argument(self._arguments, as_mapping(piece))
            self.held_bytes += _MEMORY_FACTOR * memory(piece)
        if not call.get("willContinue"):
            self._call_ended = True
            arguments = argument_text(finish_arguments(self._arguments) or call.get("args")) or "{}"
            self._arguments, self.held_bytes = {}, self._call_bytes
            key = f"{self._calls_begun}"
            yield ToolEnd(key, arguments, may_be_run=key in self._held_calls)

    def _read_function_response(self, part: dict[str, Any]) -> Iterator[Delta]:
        """Yield what a server of the provider's answered (MCP): its call was not for the caller."""
        response = part["functionResponse"]
        name, key = as_text(response.get("name")), self._key_of_call(response)
        call_part = self._held_calls.pop(key, {})
        call = as_mapping(call_part.get("functionCall"))
        if call_part:
            if call_part is not self._last_call:
                self._call_bytes -= memory(call_part)
            self.held_bytes = self._call_bytes
            yield CallWasRun(key, call_part)
        yield ToolRunChanged(
            {
                "id": as_text(response.get("id")) or f"call{key or self._calls_begun}",
                "name": name or "function",
                "status": "done",
                "input": call.get("args"),
                "output": _result_text(response.get("response")),
            }
        )
        yield OpaqueData("opaque", part)

    def _key_of_call(self, response: dict[str, Any]) -> str:
        """Return the key of the call that was answered: the one with its id, or the first with its name. "" if none."""
        for mark in _marks_of_call(response):
            keys = self._held_keys.get(mark, deque())
            while keys and keys[0] not in self._held_calls:
                keys.popleft()
            if keys:
                return keys[0]
        return ""

    def _hold_call(self, key: str, part: dict[str, Any]) -> None:
        self._held_calls[key] = part
        for mark in _marks_of_call(part["functionCall"]):
            self._held_keys.setdefault(mark, deque()).append(key)

    def _read_code(self, code: dict[str, Any]) -> ToolRun:
        self._code_runs += 1
        return {
            "id": as_text(code.get("id")) or f"code{self._code_runs}",
            "name": "code_execution",
            "status": "started",
            "input": as_text(code.get("code")) or None,
            "output": None,
        }

    def _read_code_result(self, result: dict[str, Any]) -> ToolRun:
        return {
            "id": as_text(result.get("id")) or f"code{self._code_runs}",
            "name": "code_execution",
            "status": "done" if result.get("outcome") in ("OUTCOME_OK", None) else "failed",
            "input": None,
            "output": as_text(result.get("output")) or None,
        }

    def _read_tool_call(self, call: dict[str, Any]) -> ToolRun:
        name = as_text(call.get("toolType")) or "tool"
        return {
            "id": as_text(call.get("id")) or name,
            "name": name,
            "status": "started",
            "input": call.get("args"),
            "output": None,
        }

    def _read_tool_response(self, response: dict[str, Any]) -> ToolRun:
        name = as_text(response.get("toolType")) or "tool"
        return {
            "id": as_text(response.get("id")) or name,
            "name": name,
            "status": "done",
            "input": None,
            "output": _result_text(response.get("response")),
        }

    def _read_inline_data(self, media: dict[str, Any], signature: dict[str, Any], is_thought: bool) -> Iterator[Delta]:
        """Yield an image, a file or audio. An image in a thought is a draft, which the next image replaces."""
        media_type, data = as_text(media.get("mimeType")) or None, as_text(media.get("data"))
        kind = _kind_of(media_type)
        if media_type and media_type.lower().startswith(_RAW_AUDIO):
            if self._audio_type != media_type:
                yield from self.end_audio()
                self._media_begun += 1
            self._audio_type = media_type
            yield MediaPiece(f"part{self._media_begun}", kind, media_type, data)
            return
        yield from self.end_audio()
        # The data is kept once, in the part itself: null stands for it.
        opaque = None if is_thought else {"inlineData": {**media, "data": None}, **signature}
        key = f"part{self._media_begun + 1}"
        self._media_begun += not is_thought
        yield MediaReceived(
            key, kind, media_type, data, name=as_text(media.get("displayName")), complete=not is_thought, opaque=opaque
        )

    def _read_file_data(self, part: dict[str, Any]) -> Iterator[Delta]:
        file = part["fileData"]
        self._media_begun += 1
        media_type = as_text(file.get("mimeType")) or None
        yield MediaReceived(
            f"part{self._media_begun}",
            _kind_of(media_type),
            media_type,
            url=as_text(file.get("fileUri")),
            name=as_text(file.get("displayName")),
            opaque=part,
        )

    def end_audio(self) -> Iterator[Delta]:
        """Yield the end of the audio whose parts arrived."""
        if self._audio_type is not None:
            yield MediaReceived(f"part{self._media_begun}", "audio", self._audio_type)
            self._audio_type = None


def _marks_of_call(call: dict[str, Any]) -> list[str]:
    """Return what a call and its answer have in common: an id, if there is one, and a name."""
    return [f"{field} {value}" for field in ("id", "name") if (value := as_text(call.get(field)))]


def _functions_of_caller(question: Question) -> frozenset[str]:
    """Return the names of the functions that the caller alone can run.

    There is none if the request has other tools: a server of MCP among them may have a function with any name.
    """
    if question.config.body.get("tools") or any(isinstance(tool, ProviderTool) for tool in question.tools):
        return frozenset()
    return frozenset(tool.name for tool in question.tools)


_RUN_READERS = {
    "executableCode": GeminiPartReader._read_code,
    "codeExecutionResult": GeminiPartReader._read_code_result,
    "toolCall": GeminiPartReader._read_tool_call,
    "toolResponse": GeminiPartReader._read_tool_response,
}


def _kind_of(media_type: str | None) -> MediaKind:
    """Return the kind of a media type."""
    if media_type == "application/pdf":
        return "document"
    return _KINDS.get((media_type or "").partition("/")[0].lower(), "file")


def _result_text(response: object) -> str | None:
    """Return what a tool answered as text, without the HTML that `details` has; None for nothing."""
    if not isinstance(response, dict):
        return as_text(response) or None
    found = {name: value for name, value in response.items() if name != "search_suggestions" and value}
    if not found:
        return None
    first = next(iter(found.values()))
    return first if len(found) == 1 and isinstance(first, str) else msgspec.json.encode(found).decode()
