"""Checks `messages=` and turns them into the turns that a wire sends. Pure.

Rules: an error names the number of its message. A key that is not known is an error. Opaque data is sent only to the
provider, the wire and the host that made it. Every call that is sent has a unique id, and a result after it. An empty
turn is left out, because servers refuse it. What a part is called, has and becomes is one row in `_PARTS`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from time import time
from typing import Any, NamedTuple

from ..errors import ConfigurationError, quoted
from ..messages import JSON, Message
from .files import read_file_part
from .foreign_messages import read_message_shape, read_part_shape, refuse_lost_keys
from .lenient_json import mend_surrogates
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
)
from .result_content import json_text, read_result_content

_SECONDS_TO_ASK = 60
"""What refers to the provider's memory is not sent so short before that memory ends."""


_CUSTOM_CALLS: Mapping[str, JSON] = {
    "openai_chat": {"custom": True},
    "openai_responses": {"type": "custom_tool_call"},
}
"""What the wires that have custom tools keep of a call of one."""


class Receiver(NamedTuple):
    """The provider that the question goes to."""

    provider: str = ""
    wire: str = ""
    host: str = ""
    official: bool = False
    """Whether that host is the provider's own."""
    public_host: str | None = None
    """The name of that host in the events that a server sent to its clients, who send the messages back."""


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
        sent = [(role, tuple(parts)) for role, parts in reader.turns if any(map(_has_content, parts))]
        last = len(sent) - 1 if reader.ends_with_user else len(sent)
        turns = [QuestionTurn(role, parts, number < last) for number, (role, parts) in enumerate(sent)]
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
        self.ends_with_user = False
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
        message = read_message_shape(message)
        role, content = message.get("role"), message.get("content")
        if role in ("system", "developer"):
            self.systems.append(_read_system_text(role, content))
            return
        if not isinstance(role, str) or role not in ("user", "assistant", "tool"):
            raise ConfigurationError("role must be system, user, assistant or tool")
        if role == "tool" and "tool_call_id" in message:
            result = {key: message[key] for key in ("tool_call_id", "content", "is_error") if key in message}
            content = [{"type": "tool_result", **result}]
        elif isinstance(content, str):
            content = [{"type": "text", "text": content}]
        if not isinstance(content, Sequence) or isinstance(content, (str, bytes)):
            raise ConfigurationError("content must be a string or a list of parts")
        if role == "tool" and not content:
            raise ConfigurationError("a tool message must hold a result")
        self.ends_with_user = role == "user"
        if role == "assistant":
            self.check_all_answered()
            self._partial = bool(message.get("partial"))
            if message.get("failed") is not None:
                self._leave_out_failed_question()
                return
        self._add_turn(role, content)

    def _add_turn(self, role: Any, content: Sequence[Any]) -> None:
        parts: list[TurnPart] = []
        results: list[TurnPart] = []
        for number, part in enumerate(content):
            try:
                made = self._read_part(role, part)
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

    def _leave_out_failed_question(self) -> None:
        """Remove what was asked last: the user's turn, or the results of tools with their calls.

        Its text, or one of its files, makes a request fail, and would make each later one fail too.
        """
        if self.turns and self.turns[-1][0] == "tool":
            self.turns.pop()
            self.turns.pop()
        elif self.turns and self.turns[-1][0] == "user":
            self.turns.pop()

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
            parts[:] = _without_calls(parts, unanswered)
            if not parts:
                del self.turns[place]

    def _read_part(self, role: str, part: Any) -> TurnPart | None:
        own = read_part_shape(part) if isinstance(part, Mapping) else None
        kind = own.get("type") if own is not None else None
        row = _PARTS.get(kind) if isinstance(kind, str) else None
        if own is None or row is None or role not in row.roles:
            allowed = ", ".join(name for name, each in _PARTS.items() if role in each.roles)
            raise ConfigurationError(f"a part of a {role} message must be a dict of type {allowed}")
        refuse_lost_keys(own, row.keys)
        if id(part) in self._files:  # a file is decoded once for all providers
            return self._files[id(part)]
        made = row.read(self, own)
        if isinstance(made, Attachment):
            self._files[id(part)] = made
        return made

    def read_text(self, part: Mapping[str, Any]) -> TurnPart | None:
        text = _read_string(part, "text")
        opaque = self._read_opaque(part)
        return SignedText(text, opaque) if opaque is not None else text or None

    def read_reasoning(self, part: Mapping[str, Any]) -> PastReasoning:
        return PastReasoning(_read_string(part, "text"), self._read_opaque(part))

    def read_anthropic_thinking(self, part: Mapping[str, Any]) -> PastReasoning:
        """Return Anthropic's block. Its caller passes it in the form of that wire, so it goes to that wire alone."""
        self.has_opaque = True
        fields = {
            key: _read_string(part, key) for key in ("thinking", "signature", "data") if part.get(key) is not None
        }
        signed = self._receiver.wire == "anthropic" and bool(fields.get("signature") or fields.get("data"))
        return PastReasoning(fields.get("thinking", ""), {"type": part["type"], **fields} if signed else None)

    def read_media(self, part: Mapping[str, Any]) -> OpaqueBlock | str:
        """Return what the provider that made the media wants back; words for any other."""
        opaque = self._read_opaque(part)
        if isinstance(opaque, dict) and not _is_expired(opaque):
            data = part.get("data")
            return OpaqueBlock({name: _with_data(value, data) for name, value in opaque.items()})
        about = part.get("text") or part.get("name") or part.get("media_type") or ""
        return mend_surrogates(f"[{part.get('kind') or 'media'}: {about}]")

    def read_opaque_block(self, part: Mapping[str, Any]) -> OpaqueBlock | None:
        opaque = self._read_opaque(part)
        return OpaqueBlock(opaque) if isinstance(opaque, dict) else None

    def read_call(self, part: Mapping[str, Any]) -> PastCall:
        known, arguments = _read_string(part, "id"), part.get("arguments")
        if isinstance(arguments, Mapping):
            arguments = json_text(dict(arguments))
        if arguments in (None, "", "null"):
            arguments = "{}"
        if not isinstance(arguments, str):
            raise ConfigurationError("arguments must be a JSON object, or its text")
        first = id = known or "call"
        while id in self._ids:  # some servers use an id twice, and others refuse that
            self._repeated[first] += 1
            id = f"{first}_{self._repeated[first] + 1}"
        self._ids.add(id)
        name = _read_string(part, "name")
        opaque = self._read_opaque(part)
        if opaque is None and part.get("kind") == "custom":
            self.has_opaque = True
            opaque = _CUSTOM_CALLS.get(self._receiver.wire)
        call = PastCall(id, name, mend_surrogates(arguments), opaque)
        self._waiting.setdefault(known, deque()).append(call)
        return call

    def read_result(self, part: Mapping[str, Any]) -> PastResult:
        id = _read_string(part, "tool_call_id")
        if id not in self._waiting:
            raise ConfigurationError(f"the message before it has no call {quoted(id)} without a result")
        call = self._waiting[id].popleft()
        if not self._waiting[id]:
            del self._waiting[id]
        if "content" not in part:
            raise ConfigurationError("a result must have content")
        text, parts = read_result_content(part["content"])
        return PastResult(call, text, bool(part.get("is_error")), parts)

    def _read_opaque(self, part: Mapping[str, Any]) -> JSON:
        opaque = part.get("opaque")
        if opaque is None:
            return None
        self.has_opaque = True
        if not isinstance(opaque, Mapping) or not {"provider", "wire", "data"} <= opaque.keys():
            raise ConfigurationError("opaque must be a dict with provider, wire and data, unchanged")
        to = self._receiver
        here = opaque["host"] in (to.host, to.public_host) if "host" in opaque else to.official
        data: JSON = opaque["data"] if (opaque["provider"], opaque["wire"]) == (to.provider, to.wire) and here else None
        return data


def _with_data(value: Any, data: object) -> Any:
    """Return a value of opaque data, with the data of the media in the place of null: it is kept once."""
    if isinstance(value, dict):
        return {name: data if inner is None else inner for name, inner in value.items()}
    return data if value is None else value


def _is_expired(opaque: dict[str, Any]) -> bool:
    """Return whether the provider has forgotten what the data refers to: OpenAI keeps its audio for an hour."""
    times = [value.get("expires_at") for value in opaque.values() if isinstance(value, dict)]
    return any(isinstance(at, int | float) and at < time() + _SECONDS_TO_ASK for at in times)


def _has_content(part: TurnPart) -> bool:
    """Return whether this part makes its turn worth sending. White space alone, or reasoning alone, does not."""
    if isinstance(part, SignedText | PastRefusal):
        part = part.text
    return bool(part.strip()) if isinstance(part, str) else not isinstance(part, PastReasoning)


def _read_string(part: Mapping[str, Any], name: str) -> str:
    value = part.get(name)
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} must be a string")
    return mend_surrogates(value)


def _read_system_text(role: str, content: Any) -> str:
    """Return the text of a system message, which OpenAI and Anthropic also take in parts."""
    parts = content if isinstance(content, (list, tuple)) else [{"type": "text", "text": content}]
    texts = [part.get("text") for part in parts if isinstance(part, Mapping) and part.get("type") == "text"]
    read = [mend_surrogates(text) for text in texts if isinstance(text, str)]
    if len(read) < len(parts):
        raise ConfigurationError(f"the content of a {role} message must be a string, or parts of type text")
    return "\n\n".join(read)


def _without_calls(parts: list[TurnPart], ids: set[str]) -> list[TurnPart]:
    """Return the parts without these calls, and without the reasoning that led to one of them.

    OpenAI's Responses API refuses reasoning without the item that came of it.
    """
    kept: list[TurnPart] = []
    for part in parts:
        if not (isinstance(part, PastCall) and part.id in ids):
            kept.append(part)
            continue
        while kept and isinstance(kept[-1], PastReasoning):
            kept.pop()
    return kept


class _PartRow(NamedTuple):
    """What a part may stand in and have, and how it is read."""

    roles: tuple[str, ...]
    keys: frozenset[str]
    read: Callable[[_MessageReader, Mapping[str, Any]], TurnPart | None]


def _part_row(roles: str, keys: str, read: Callable[[Any, Mapping[str, Any]], TurnPart | None]) -> _PartRow:
    return _PartRow(tuple(roles.split()), frozenset(keys.split()), read)


_PARTS: dict[str, _PartRow] = {
    "text": _part_row("user assistant", "text opaque", _MessageReader.read_text),
    "file": _part_row("user", "name data url media_type detail", lambda reader, part: read_file_part(part)),
    "reasoning": _part_row("assistant", "text opaque", _MessageReader.read_reasoning),
    "thinking": _part_row("assistant", "thinking signature", _MessageReader.read_anthropic_thinking),
    "redacted_thinking": _part_row("assistant", "data", _MessageReader.read_anthropic_thinking),
    "refusal": _part_row("assistant", "text", lambda reader, part: PastRefusal(_read_string(part, "text"))),
    "tool_call": _part_row("assistant", "id name arguments kind opaque", _MessageReader.read_call),
    "media": _part_row("assistant", "id kind media_type data url file_id name text opaque", _MessageReader.read_media),
    "opaque": _part_row("assistant", "opaque", _MessageReader.read_opaque_block),
    "tool_result": _part_row("user tool", "tool_call_id content is_error", _MessageReader.read_result),
}
"""The parts of our own form, and the two blocks of Anthropic's that only that wire may get."""
