"""Checks `messages=` and turns them into the turns that a wire sends. Pure.

Rules: an error names the number of its message. Opaque data is sent only to the provider, the wire and the host that
made it. Every call that is sent has a unique id, and a result after it. An empty turn is left out, because servers
refuse it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from ..errors import ConfigurationError, quoted
from ..messages import JSON, Message
from .files import read_attachment
from .question import (
    Attachment,
    OpaqueBlock,
    PastCall,
    PastReasoning,
    PastRefusal,
    PastResult,
    QuestionTurn,
    Role,
    SignedText,
    TurnPart,
    decode_base64,
)

_PARTS = {
    "user": ("text", "file", "tool_result"),
    "assistant": ("text", "reasoning", "refusal", "tool_call", "opaque"),
    "tool": ("tool_result",),
}


class Receiver(NamedTuple):
    """The provider that the question goes to."""

    provider: str = ""
    wire: str = ""
    host: str = ""
    official: bool = False
    """Whether that host is the provider's own."""


def read_messages(messages: Sequence[Message], receiver: Receiver) -> tuple[list[str], list[QuestionTurn]]:
    """Return the system texts and the turns. Raise ConfigurationError for a wrong message."""
    return MessageCache().read_turns(messages, receiver)


class MessageCache:
    """Reads the messages of one call, each list and each file in it once.

    Otherwise, a long conversation would cost its length again for each panel and each fallback.
    """

    def __init__(self) -> None:
        self._read: dict[tuple[int, Receiver | None], tuple[list[str], list[QuestionTurn]]] = {}
        self._kept_alive: list[object] = []  # an id may be used again once its object is freed
        self._files: dict[int, Attachment] = {}

    def read_turns(self, messages: Sequence[Message], receiver: Receiver) -> tuple[list[str], list[QuestionTurn]]:
        """Return the system texts and the turns. Raise ConfigurationError for a wrong message."""
        for whom in (None, receiver):
            if (found := self._read.get((id(messages), whom))) is not None:
                return found[0], [*found[1]]
        reader = _MessageReader(receiver, self._files)
        _read_each_message(messages, reader)
        try:
            reader.check_all_answered()
        except ConfigurationError as error:
            raise ConfigurationError(f"messages: {error.message}") from None
        turns = [QuestionTurn(role, tuple(parts)) for role, parts in reader.turns if any(map(_has_content, parts))]
        self._kept_alive.append(messages)
        # Only opaque data depends on the receiver. Without any, all providers can share the turns.
        self._read[id(messages), receiver if reader.has_opaque else None] = reader.systems, turns
        return reader.systems, [*turns]


def check_messages(messages: Sequence[Message]) -> None:
    """Raise ConfigurationError for messages that no provider accepts. Calls may still lack their results."""
    _read_each_message(messages, _MessageReader(Receiver(), {}))


def _read_each_message(messages: Sequence[Message], reader: _MessageReader) -> None:
    if not isinstance(messages, Sequence) or isinstance(messages, str):
        raise ConfigurationError(f"messages must be a list of dicts, not {type(messages).__name__}")
    for number, message in enumerate(messages):
        try:
            reader.add_message(message)
        except ConfigurationError as error:
            raise ConfigurationError(f"messages[{number}]: {error.message}") from None


class _MessageReader:
    def __init__(self, receiver: Receiver, files: dict[int, Attachment]) -> None:
        self.systems: list[str] = []
        self.turns: list[tuple[Role, list[TurnPart]]] = []
        self.has_opaque = False
        self._files = files
        """The attachments, by the `id()` of the part that they were read from."""
        self._receiver = receiver
        self._ids: set[str] = set()
        self._repeated: Counter[str] = Counter()  # how often each id occurred again: the last number appended to it
        self._waiting: dict[
            str, deque[PastCall]
        ] = {}  # of the latest assistant's turn, by the ids that the caller knows
        self._partial = False

    def add_message(self, message: Any) -> None:
        if not isinstance(message, Mapping):
            raise ConfigurationError("must be a dict with role and content")
        role, content = message.get("role"), message.get("content")
        if role in ("system", "developer"):
            if not isinstance(content, str):
                raise ConfigurationError(f"the content of a {role} message must be a string")
            self.systems.append(content)
            return
        if not isinstance(role, str) or role not in _PARTS:
            raise ConfigurationError("role must be system, user, assistant or tool")
        if "tool_calls" in message:
            raise ConfigurationError("calls are parts of the content: {'type': 'tool_call', 'id', 'name', 'arguments'}")
        if role == "tool" and "tool_call_id" in message:
            content = [{**message, "type": "tool_result"}]
        elif isinstance(content, str):
            content = [{"type": "text", "text": content}]
        if not isinstance(content, Sequence) or isinstance(content, (str, bytes)):
            raise ConfigurationError("content must be a string or a list of parts")
        if role == "tool" and not content:
            raise ConfigurationError("a tool message must hold a result")
        if role == "assistant":
            self.check_all_answered()
            self._partial = bool(message.get("partial"))
        self._add_turn(role, content)

    def _add_turn(self, role: Any, content: Sequence[Any]) -> None:
        parts: list[TurnPart] = []
        results: list[TurnPart] = []
        for number, part in enumerate(content):
            kind = part.get("type") if isinstance(part, Mapping) else None
            if kind not in _PARTS[role]:
                allowed = ", ".join(_PARTS[role])
                raise ConfigurationError(
                    f"content[{number}]: a part of a {role} message must be a dict of type {allowed}"
                )
            try:
                made = self._read_part(kind, part)
            except ConfigurationError as error:
                raise ConfigurationError(f"content[{number}]: {error.message}") from None
            if made is not None:
                (results if isinstance(made, PastResult) else parts).append(made)
        if results and self.turns and self.turns[-1][0] == "tool":
            self.turns[-1][1].extend(results)
        elif results:
            self.turns.append(("tool", results))
        if role == "user":
            self.check_all_answered()
        if parts:
            self.turns.append((role, parts))

    def check_all_answered(self) -> None:
        """Check that every tool call is followed by its result. Raise ConfigurationError if one is not."""
        if self._waiting and not self._partial:
            raise ConfigurationError(
                f"the call {quoted(next(iter(self._waiting)))} has no result, which providers refuse: add "
                "{'role': 'tool', 'tool_call_id': ..., 'content': ...}"
            )
        if self._waiting:  # the calls of an interrupted turn were never executed
            unanswered = {call.id for calls in self._waiting.values() for call in calls}
            self._waiting = {}
            place = next(place for place in reversed(range(len(self.turns))) if self.turns[place][0] == "assistant")
            parts = self.turns[place][1]
            parts[:] = [part for part in parts if not (isinstance(part, PastCall) and part.id in unanswered)]
            if not parts:
                del self.turns[place]

    def _read_part(self, kind: str, part: Mapping[str, Any]) -> TurnPart | None:
        if kind == "text":
            text = _read_string(part, "text")
            opaque = self._read_opaque(part)
            return SignedText(text, opaque) if opaque is not None else text or None
        if kind == "reasoning":
            return PastReasoning(_read_string(part, "text"), self._read_opaque(part))
        if kind == "refusal":
            return PastRefusal(_read_string(part, "text"))
        if kind == "opaque":
            opaque = self._read_opaque(part)
            return OpaqueBlock(opaque) if isinstance(opaque, dict) else None
        if kind == "file":
            if id(part) not in self._files:
                self._files[id(part)] = _read_file_part(part)
            return self._files[id(part)]
        return self._read_call(part) if kind == "tool_call" else self._read_result(part)

    def _read_call(self, part: Mapping[str, Any]) -> PastCall:
        known, arguments = _read_string(part, "id"), part.get("arguments")
        if isinstance(arguments, Mapping):
            arguments = _json_text(dict(arguments))
        if arguments in (None, "", "null"):
            arguments = "{}"
        if not isinstance(arguments, str):
            raise ConfigurationError("arguments must be a JSON object, or its text")
        first = id = known or "call"
        while id in self._ids:  # some servers use an id twice, and others refuse that
            self._repeated[first] += 1
            id = f"{first}_{self._repeated[first] + 1}"
        self._ids.add(id)
        call = PastCall(id, _read_string(part, "name"), arguments, self._read_opaque(part))
        self._waiting.setdefault(known, deque()).append(call)
        return call

    def _read_result(self, part: Mapping[str, Any]) -> PastResult:
        id = _read_string(part, "tool_call_id")
        if id not in self._waiting:
            raise ConfigurationError(f"the message before it has no call {quoted(id)} without a result")
        call = self._waiting[id].popleft()
        if not self._waiting[id]:
            del self._waiting[id]
        if "content" not in part:
            raise ConfigurationError("a result must have content")
        content = part["content"]
        return PastResult(
            call, content if isinstance(content, str) else _json_text(content), bool(part.get("is_error"))
        )

    def _read_opaque(self, part: Mapping[str, Any]) -> JSON:
        opaque = part.get("opaque")
        if opaque is None:
            return None
        self.has_opaque = True
        if not isinstance(opaque, Mapping) or not {"provider", "wire", "data"} <= opaque.keys():
            raise ConfigurationError("opaque must be a dict with provider, wire and data, unchanged")
        to = self._receiver
        here = opaque["host"] == to.host if "host" in opaque else to.official
        data: JSON = opaque["data"] if (opaque["provider"], opaque["wire"]) == (to.provider, to.wire) and here else None
        return data


def _has_content(part: TurnPart) -> bool:
    """Return whether this part makes its turn worth sending. White space alone, or reasoning alone, does not."""
    if isinstance(part, SignedText | PastRefusal):
        part = part.text
    return bool(part.strip()) if isinstance(part, str) else not isinstance(part, PastReasoning)


def _read_string(part: Mapping[str, Any], name: str) -> str:
    value = part.get(name)
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} must be a string")
    return value


def _json_text(value: object) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"can't be written as JSON: {error}") from None


def _read_file_part(part: Mapping[str, Any]) -> Attachment:
    data = part.get("data")
    if isinstance(data, str):
        try:
            data = decode_base64(data)
        except ValueError:
            raise ConfigurationError("the data of a file must be bytes, or their base64 text") from None
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise ConfigurationError("the data of a file must be bytes, or their base64 text")
    return read_attachment(data, _read_string(part, "name") if "name" in part else None)
