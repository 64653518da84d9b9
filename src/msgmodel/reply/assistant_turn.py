"""The assistant's turn, made of deltas: what the conversation keeps and the next request sends back. Pure.

Rule: parts stand in the order of their arrival, and a call is in the turn only if it is proven complete.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Literal

from ..events import ToolCall
from ..messages import JSON, MediaPart, Message, Opaque

Kind = Literal["text", "reasoning", "tool_call", "opaque"]


class AssistantTurn:
    """The turn of one panel, which grows with its deltas."""

    def __init__(self) -> None:
        self._parts: list[dict[str, Any]] = []
        self._open_part: dict[str, Any] | None = None
        self.current_text: list[str] = []
        """The pieces of the open part, to which more may be appended until something else arrives."""
        self._calls: dict[str, dict[str, Any]] = {}
        self._media: dict[str, dict[str, Any]] = {}

    def append_words(self, kind: Literal["text", "reasoning", "refusal"], text: str) -> bool:
        """Append text to the open part, or to a new one. Return whether it is a new one."""
        new = self._open_part is None or self._open_part["type"] != kind
        if new:
            self.current_text = []
            self._open_part = {"type": kind, "text": self.current_text}
            self._parts.append(self._open_part)
        self.current_text.append(text)
        return new

    def end_part(self) -> None:
        """End the open part: what follows is a part of its own."""
        self._open_part = None

    def place_call(self, key: str) -> None:
        """Give a call its place in the turn."""
        self._open_part = None
        self._calls[key] = {"type": "tool_call"}
        self._parts.append(self._calls[key])

    def complete_call(self, key: str, call: ToolCall) -> None:
        """Fill in a call that is proven complete."""
        self._calls[key] |= {"id": call["id"], "name": call["name"], "arguments": call["arguments"]}
        if "kind" in call:
            self._calls[key]["kind"] = call["kind"]

    def replace_call(self, key: str, opaque: Opaque) -> None:
        """Put data that must be sent back in the place of a call that the provider has run itself."""
        part = self._calls.pop(key)
        part.clear()
        part.update(type="opaque", opaque=opaque)

    def add_media(self, key: str, media: MediaPart) -> None:
        """Keep a part that is not text, in the place of an earlier one with its key."""
        self._open_part = None
        part = self._media.get(key)
        if part is None:
            part = self._media[key] = {}
            self._parts.append(part)
        part.clear()
        part.update(media)

    def attach_opaque(self, kind: Kind, opaque: Opaque, key: str = "") -> None:
        """Attach data that must be sent back to the open part of a kind, or to a new part without text."""
        if kind == "tool_call":
            part = self._calls[key]
        elif self._open_part is not None and self._open_part["type"] == kind:
            part = self._open_part
        else:
            part = {"type": kind} if kind == "opaque" else {"type": kind, "text": []}
            self._parts.append(part)
        part["opaque"] = opaque
        self._open_part = None

    def copy(self) -> AssistantTurn:
        """Return a copy that grows by itself. Opaque data never changes, so both share it."""
        copy = AssistantTurn()
        copies = {id(part): dict(part) for part in self._parts}
        for part in copies.values():
            if isinstance(part.get("text"), list):
                part["text"] = [*part["text"]]
        copy._parts = [*copies.values()]
        copy._calls = {key: copies[id(part)] for key, part in self._calls.items()}
        copy._media = {key: copies[id(part)] for key, part in self._media.items()}
        if self._open_part is not None:
            copy._open_part = copies[id(self._open_part)]
            copy.current_text = copy._open_part["text"]
        return copy

    def own_text(self) -> str:
        """Return the text of the turn itself, which is less than the panel's if a reply was asked for again."""
        return "".join("".join(part["text"]) for part in self._parts if part["type"] == "text")

    def message(self, text: str, *, partial: bool) -> Message:
        """Return the turn as a message. If it has only text, its content is `text`, the text of all parts."""
        return self._message(text, partial, lambda part: "".join(part["text"]))

    def last_message(self, joined: Mapping[str, str], *, partial: bool) -> Message:
        """Return the turn as a message, and release its pieces: the turn must not be used any more.

        Args:
            joined: The text of all parts of each kind, so that the only part of a kind need not be joined again.
            partial: Whether the reply is incomplete.
        """
        kinds = Counter(part["type"] for part in self._parts)

        def take_text(part: dict[str, Any]) -> str:
            kind, pieces = part["type"], part["text"]
            text = joined[kind] if kinds[kind] == 1 else "".join(pieces)
            pieces.clear()
            return text

        return self._message(joined["text"], partial, take_text)

    def _message(self, text: str, partial: bool, text_of: Callable[[dict[str, Any]], str]) -> Message:
        complete = [part for part in self._parts if part["type"] != "tool_call" or "id" in part]
        plain = all(part["type"] == "text" and "opaque" not in part for part in complete)
        parts = [] if plain else [_join_text(part, text_of) for part in complete]
        content: Any = text if plain else parts
        message: Message = {"role": "assistant", "content": content}
        if partial:
            message["partial"] = True
        return message


def _join_text(part: dict[str, Any], text_of: Callable[[dict[str, Any]], str]) -> dict[str, Any]:
    return part | {"text": text_of(part)} if isinstance(part.get("text"), list) else dict(part)


def opaque_part(provider: str, wire: str, host: str, data: JSON) -> Opaque:
    """Return `data` with the provider, the wire and the host that made it."""
    return {"provider": provider, "wire": wire, "host": host, "data": data}
