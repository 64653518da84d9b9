"""The tool calls of a reply, from their fragments to calls that are proven complete. Pure.

Rule: a call is passed on as complete only when no verdict can call it cut any more. So the call that ended last waits
for what proves it: something that arrives after it, or a reply that ends well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ..events import ToolCall
from ..messages import JSON, ToolCallKind
from ..question.lenient_json import load_lenient
from ..wires.deltas import ToolEnd, ToolFragment
from .text_pieces import TextPieces

CALL_BYTES = 4096
"""What a call costs besides its words, in the panel, in the wire and in a server."""
VALUE_BYTES = 96
"""What a value in a call's arguments costs once they are decoded."""


@dataclass(slots=True)
class _OpenCall:
    id: str = ""
    name: str = ""
    kind: ToolCallKind = "function"
    arguments: TextPieces = field(default_factory=TextPieces)
    size: int = 0
    """Bytes that the arguments take."""
    has_final_id: bool = False
    ended: bool = False
    """Whether the provider reported that no more of it arrives."""
    delivered: bool = False

    def copy(self) -> _OpenCall:
        """Return another one that grows by itself."""
        return replace(self, arguments=self.arguments.copy())


class CallIds:
    """The ids of the calls of one conversation. Some servers send none, or one twice."""

    def __init__(self, used: Iterable[str]) -> None:
        self._used = set(used)
        self._repeated: Counter[str] = Counter()  # ids that a server repeated, and how many numbers they have used up

    def unique_id(self, given: str) -> str:
        """Return the provider's id, or one made of it that no other call of the conversation has."""
        id = given
        while not id or id in self._used:
            self._repeated[given] += 1
            id = f"{given}_{self._repeated[given] + 1}" if given else f"call_{self._repeated[given]}"
        self._used.add(id)
        return id


class ToolCalls:
    """The calls of one response, in the order in which they began.

    Attributes:
        finished: The calls that were passed on, of all responses of the panel.
        bytes_held: Bytes of memory that all calls of this response take.
    """

    __slots__ = ("_calls", "_ended_last", "_ids", "bytes_held", "finished")

    def __init__(self, ids: CallIds, finished: list[ToolCall]) -> None:
        self.finished = finished
        self.bytes_held = 0
        self._ids = ids
        self._calls: dict[str, _OpenCall] = {}
        self._ended_last: str | None = None
        """The key of the call that ended last, while it waits for proof."""

    def copy(self) -> ToolCalls:
        """Return another one that grows by itself. Both share what was passed on."""
        copy = ToolCalls(self._ids, self.finished)
        copy.bytes_held, copy._ended_last = self.bytes_held, self._ended_last
        copy._calls = {key: call.copy() for key, call in self._calls.items()}
        return copy

    @property
    def any_named(self) -> bool:
        """Whether the model wants a tool called."""
        return any(call.name for call in self._calls.values())

    @property
    def any_nameless(self) -> bool:
        """Whether a call has arguments but no name, so that no event can show it."""
        nameless = ("".join(call.arguments.pieces).strip() for call in self._calls.values() if not call.name)
        return any(arguments not in ("", "null") for arguments in nameless)

    @property
    def awaits_proof(self) -> bool:
        """Whether a call has ended that anything after it would prove complete."""
        return self._ended_last is not None

    def has_begun(self, key: str) -> bool:
        """Return whether a fragment of this call has arrived."""
        return key in self._calls

    def add_fragment(self, key: str, fragment: ToolFragment) -> tuple[str, str] | None:
        """Take a fragment. Return the id and the name of its call if it brought arguments of a call that has a name."""
        call = self._calls.get(key)
        if call is None:
            call = self._calls[key] = _OpenCall()
            self.bytes_held += CALL_BYTES
        if not call.has_final_id and not call.id and fragment.id:
            call.id = fragment.id
            self.bytes_held += 2 * _text_bytes(call.id)  # and once more, if another call has the same
        if not call.name and fragment.name:
            call.name = fragment.name
            self.bytes_held += _text_bytes(call.name)
        if not fragment.arguments or call.delivered:
            return None
        self._resize(call, call.size + call.arguments.append(fragment.arguments) + _value_bytes(fragment.arguments))
        return (self._final_id(call), call.name) if call.name else None

    def end_call(self, key: str, end: ToolEnd) -> ToolCall | None:
        """Take the end of a call. Return the call if the provider reported that it was cut."""
        call = self._calls.get(key)
        if call is None or call.delivered:
            return None
        call.kind = end.kind
        if end.arguments is not None:
            call.arguments = TextPieces()
            self._resize(call, call.arguments.append(end.arguments) + _value_bytes(end.arguments))
        if end.complete:
            call.ended, self._ended_last = True, None if end.may_be_run else key
            return None
        self._ended_last = None
        return self._deliver(call, complete=False)

    def drop(self, key: str) -> bool:
        """Forget a call that the provider has run. Return false if it was passed on already."""
        call = self._calls.get(key)
        if call is None or call.delivered:
            return False
        del self._calls[key]
        self._ended_last = None if self._ended_last == key else self._ended_last
        return True

    def take_proven(self, key: str | None = None) -> list[tuple[str, ToolCall]]:
        """Return the call that ended last, with its key: more of the reply has arrived, and not of this call.

        Args:
            key: The call that the news belongs to; None for news that belongs to no call.
        """
        ended = self._ended_last
        if ended is None or ended == key:
            return []
        self._ended_last = None
        delivered = self._deliver(self._calls[ended], complete=True)
        return [(ended, delivered)] if delivered else []

    def finish_all(self, *, well: bool) -> list[tuple[str, ToolCall]]:
        """Return the calls that were not passed on yet, at the end of a reply.

        Args:
            well: Whether the reply ended well. Otherwise a limit cut the last call, so that one never looks executable.
        """
        open_calls = [(key, call) for key, call in self._calls.items() if call.name and not call.delivered]
        return [
            (key, delivered)
            for key, call in open_calls
            if (delivered := self._deliver(call, well or (call is not open_calls[-1][1] and _is_proven(call))))
        ]

    def cut_all(self) -> list[tuple[str, ToolCall]]:
        """Return the calls that were not passed on yet, as incomplete ones: the stream broke."""
        open_calls = [(key, call) for key, call in self._calls.items() if not call.delivered]
        return [(key, delivered) for key, call in open_calls if (delivered := self._deliver(call, complete=False))]

    def _deliver(self, call: _OpenCall, complete: bool) -> ToolCall | None:
        """Return a call; None for one without a name, which is a form that a server left empty."""
        call.delivered = True
        if not call.name:
            return None
        arguments = call.arguments.take()  # no more of it is taken
        tool_call: ToolCall = {
            "id": self._final_id(call),
            "name": call.name,
            "arguments": arguments,
            "arguments_json": _parsed_arguments(arguments) if complete else None,
            "complete": complete,
        }
        if call.kind != "function":
            tool_call["kind"] = call.kind
        self.finished.append(tool_call)
        return tool_call

    def _final_id(self, call: _OpenCall) -> str:
        if not call.has_final_id:
            call.id, call.has_final_id = self._ids.unique_id(call.id), True
        return call.id

    def _resize(self, call: _OpenCall, size: int) -> None:
        self.bytes_held += size - call.size
        call.size = size


def _text_bytes(text: str) -> int:
    return text.__sizeof__() if text else 0


def _value_bytes(arguments: str) -> int:
    """Return the bytes that the values in arguments take once they are decoded."""
    return VALUE_BYTES * (arguments.count(",") + arguments.count("[") + arguments.count("{"))


def _parsed_arguments(arguments: str) -> JSON:
    """Return what arguments mean; None if they are no JSON. No arguments arrive as "", and as null from Groq."""
    try:
        found: JSON = {} if arguments in ("", "null") else load_lenient(arguments)
    except ValueError:
        return None
    return found


def _is_proven(call: _OpenCall) -> bool:
    """Return whether a call before the last one is complete: the provider reported it, or its arguments show it."""
    if call.ended:
        return True
    arguments = "".join(call.arguments.pieces)
    return arguments.startswith("{") and isinstance(_parsed_arguments(arguments), dict)
