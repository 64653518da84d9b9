"""`messages=` as callers write them, checked, to the turns that a wire sends. Pure.

Rules: what is wrong is said by the number of its message. What is opaque is kept only for the provider, the wire and
the host that made it. Every call that is sent has an id of its own and a result after it. A turn that says nothing is
left out: servers refuse it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from ..errors import ConfigurationError, quoted
from ..messages import JSON, Message
from . import files as _files
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
    """Who is asked."""

    provider: str = ""
    wire: str = ""
    host: str = ""
    official: bool = False
    """Whether that host is the provider's own."""


def read_messages(messages: Sequence[Message], receiver: Receiver) -> tuple[list[str], list[QuestionTurn]]:
    """System texts, and turns. Raises ConfigurationError."""
    return Readings().read(messages, receiver)


class Readings:
    """Reads the messages of one call. The same list is read once for all who are asked, and each file in it once: so
    a long conversation does not cost its length again for each panel and each fallback."""

    def __init__(self) -> None:
        self._read: dict[tuple[int, Receiver | None], tuple[list[str], list[QuestionTurn]]] = {}
        self._kept_alive: list[object] = []  # alive as long as their ids are used
        self._files: dict[int, Attachment] = {}

    def read(self, messages: Sequence[Message], receiver: Receiver) -> tuple[list[str], list[QuestionTurn]]:
        """System texts, and turns. Raises ConfigurationError."""
        for whom in (None, receiver):
            if (found := self._read.get((id(messages), whom))) is not None:
                return found[0], [*found[1]]
        reader = _Reader(receiver, self._files)
        _read(messages, reader)
        try:
            reader.answered()
        except ConfigurationError as error:
            raise ConfigurationError(f"messages: {error.message}") from None
        turns = [QuestionTurn(role, tuple(parts)) for role, parts in reader.turns if any(map(_says, parts))]
        self._kept_alive.append(messages)
        # Only what is opaque is read in another way for another receiver.
        self._read[id(messages), receiver if reader.has_opaque else None] = reader.systems, turns
        return reader.systems, [*turns]


def check_messages(messages: Sequence[Message]) -> None:
    """Raises ConfigurationError for what no provider could be sent. Calls may still wait for their results."""
    _read(messages, _Reader(Receiver(), {}))


def _read(messages: Sequence[Message], reader: _Reader) -> None:
    if not isinstance(messages, Sequence) or isinstance(messages, str):
        raise ConfigurationError(f"messages must be a list of dicts, not {type(messages).__name__}")
    for number, message in enumerate(messages):
        try:
            reader.message(message)
        except ConfigurationError as error:
            raise ConfigurationError(f"messages[{number}]: {error.message}") from None


class _Reader:
    def __init__(self, receiver: Receiver, files: dict[int, Attachment]) -> None:
        self.systems: list[str] = []
        self.turns: list[tuple[Role, list[TurnPart]]] = []
        self.has_opaque = False
        self._files = files
        """By the id of their part."""
        self._receiver = receiver
        self._ids: set[str] = set()
        self._repeated: Counter[str] = Counter()  # ids that were said again, and how many numbers they have used up
        self._waiting: dict[
            str, deque[PastCall]
        ] = {}  # of the latest assistant's turn, by the ids that the caller knows
        self._partial = False

    def message(self, message: Any) -> None:
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
            self.answered()
            self._partial = bool(message.get("partial"))
        self._turn(role, content)

    def _turn(self, role: Any, content: Sequence[Any]) -> None:
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
                made = self._part(kind, part)
            except ConfigurationError as error:
                raise ConfigurationError(f"content[{number}]: {error.message}") from None
            if made is not None:
                (results if isinstance(made, PastResult) else parts).append(made)
        if results and self.turns and self.turns[-1][0] == "tool":
            self.turns[-1][1].extend(results)
        elif results:
            self.turns.append(("tool", results))
        if role == "user":
            self.answered()
        if parts:
            self.turns.append((role, parts))

    def answered(self) -> None:
        """Sees to it that each call has its result before something else is said. Raises ConfigurationError."""
        if self._waiting and not self._partial:
            raise ConfigurationError(
                f"the call {quoted(next(iter(self._waiting)))} has no result: providers refuse that. Add "
                "{'role': 'tool', 'tool_call_id': ..., 'content': ...}"
            )
        if self._waiting:  # of a turn that broke off: nobody ran them
            unanswered = {call.id for calls in self._waiting.values() for call in calls}
            self._waiting = {}
            place = next(place for place in reversed(range(len(self.turns))) if self.turns[place][0] == "assistant")
            parts = self.turns[place][1]
            parts[:] = [part for part in parts if not (isinstance(part, PastCall) and part.id in unanswered)]
            if not parts:
                del self.turns[place]

    def _part(self, kind: str, part: Mapping[str, Any]) -> TurnPart | None:
        if kind == "text":
            text = _string(part, "text")
            opaque = self._opaque(part)
            return SignedText(text, opaque) if opaque is not None else text or None
        if kind == "reasoning":
            return PastReasoning(_string(part, "text"), self._opaque(part))
        if kind == "refusal":
            return PastRefusal(_string(part, "text"))
        if kind == "opaque":
            opaque = self._opaque(part)
            return OpaqueBlock(opaque) if isinstance(opaque, dict) else None
        if kind == "file":
            if id(part) not in self._files:
                self._files[id(part)] = _file(part)
            return self._files[id(part)]
        return self._call(part) if kind == "tool_call" else self._result(part)

    def _call(self, part: Mapping[str, Any]) -> PastCall:
        known, arguments = _string(part, "id"), part.get("arguments")
        if isinstance(arguments, Mapping):
            arguments = _written(dict(arguments))
        if arguments in (None, "", "null"):
            arguments = "{}"
        if not isinstance(arguments, str):
            raise ConfigurationError("arguments must be a JSON object, or its text")
        first = id = known or "call"
        while id in self._ids:  # some servers say the same id twice, and others refuse that
            self._repeated[first] += 1
            id = f"{first}_{self._repeated[first] + 1}"
        self._ids.add(id)
        call = PastCall(id, _string(part, "name"), arguments, self._opaque(part))
        self._waiting.setdefault(known, deque()).append(call)
        return call

    def _result(self, part: Mapping[str, Any]) -> PastResult:
        id = _string(part, "tool_call_id")
        if id not in self._waiting:
            raise ConfigurationError(f"the message before it has no call {quoted(id)} that waits for a result")
        call = self._waiting[id].popleft()
        if not self._waiting[id]:
            del self._waiting[id]
        if "content" not in part:
            raise ConfigurationError("a result must have content")
        content = part["content"]
        return PastResult(call, content if isinstance(content, str) else _written(content), bool(part.get("is_error")))

    def _opaque(self, part: Mapping[str, Any]) -> JSON:
        opaque = part.get("opaque")
        if opaque is None:
            return None
        self.has_opaque = True
        if not isinstance(opaque, Mapping) or not {"provider", "wire", "data"} <= opaque.keys():
            raise ConfigurationError("opaque must be a dict with provider, wire and data, as it came")
        to = self._receiver
        here = opaque["host"] == to.host if "host" in opaque else to.official
        data: JSON = opaque["data"] if (opaque["provider"], opaque["wire"]) == (to.provider, to.wire) and here else None
        return data


def _says(part: TurnPart) -> bool:
    """Whether a turn can be sent for this part's sake."""
    if isinstance(part, SignedText | PastRefusal):
        part = part.text
    return bool(part.strip()) if isinstance(part, str) else not isinstance(part, PastReasoning)


def _string(part: Mapping[str, Any], name: str) -> str:
    value = part.get(name)
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} must be a string")
    return value


def _written(value: object) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"can't be written as JSON: {error}") from None


def _file(part: Mapping[str, Any]) -> Attachment:
    data = part.get("data")
    if isinstance(data, str):
        try:
            data = decode_base64(data)
        except ValueError:
            raise ConfigurationError("the data of a file must be bytes, or their base64 text") from None
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise ConfigurationError("the data of a file must be bytes, or their base64 text")
    return _files.read(data, _string(part, "name") if "name" in part else None)
