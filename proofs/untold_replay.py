"""Replay a recorded stream without I/O, with one key path left out of all its events. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from msgmodel import AnthropicConfig, GeminiConfig, OpenAIConfig
from msgmodel._arguments import read_question
from msgmodel._options import Arguments
from msgmodel.question.question import Question
from msgmodel.reply.clock import WaitLimits
from msgmodel.reply.exchange import Exchange
from msgmodel.reply.next_request import RetryRules
from msgmodel.wires.sse import SseDecoder

CONFIGS: dict[str, Any] = {
    "openai_chat": OpenAIConfig(api="chat"),
    "openai_responses": OpenAIConfig(api="responses"),
    "anthropic": AnthropicConfig(),
    "gemini": GeminiConfig(),
}
_RULES = RetryRules(max_retries=0)


class KeyPath(NamedTuple):
    """A key of the JSON of one type of event. Steps through lists are left out; an object's `type` stands behind it."""

    event: str
    steps: tuple[str, ...]

    def __str__(self) -> str:
        path = ".".join(self.steps)
        return f"{self.event}: {path}" if self.event else path

    @property
    def parent(self) -> KeyPath | None:
        """The path of the object that has this key; None at the top."""
        *above, last = self.steps[:-1] or ("",)
        return KeyPath(self.event, (*above, last.partition("(")[0])) if last else None


class _Place(NamedTuple):
    """Where a key path stands: the number of the event, and the object that has the key."""

    number: int
    holder: dict[str, Any]
    key: str


def question(wire: str) -> Question:
    """Return what the recordings of a wire answer."""
    provider = wire.partition("_")[0]
    return read_question(Arguments(provider=provider, prompt="hi", api_key="no-key", config=CONFIGS[wire]), {})


def replay(asked: Question, body: bytes) -> list[Any]:
    """Return the events of a panel whose response has this body."""
    begun = _begin(asked)
    events: list[Any] = list(begun.feed(body)) if body else []
    while begun.reading or begun.next_request() is not None:
        if not begun.reading:  # a checkpoint asks for another response, which is empty here
            begun.response_started(200, {})
        events += begun.feed(b"")
    return [*events, *begun.terminal_events()]


def _begin(asked: Question) -> Exchange:
    """Return an exchange that shows whatever it can, and whose response has begun."""
    begun = Exchange(
        asked,
        panel_id="p",
        limits=WaitLimits(300, 300),
        rules=_RULES,
        now=lambda: 0.0,
        random=lambda: 0.0,
        tool_deltas=True,
        part_deltas=True,
    )
    begun.merge_text = True
    begun.next_request()
    begun.response_started(200, {})
    return begun


def _frame(payload: bytes) -> bytes:
    return b"".join(b"data: %b\n" % line for line in payload.split(b"\n")) + b"\n"


def _read_payloads(asked: Question, data: bytes) -> list[bytes]:
    """Return the data of the events up to the end of the reply. Some recordings have another response after it."""
    decoder = SseDecoder()
    payloads = [*decoder.feed(data), *decoder.eof()]
    begun = _begin(asked)
    for number, payload in enumerate(payloads):
        list(begun.feed(_frame(payload)))
        if not begun.reading:
            return payloads[: number + 1]
    return payloads


class Recording:
    """A recorded stream as JSON, of which a key path can be left out."""

    def __init__(self, wire: str, data: bytes) -> None:
        self._question = question(wire)
        self._payloads = _read_payloads(self._question, data)
        self._documents = [_parsed(payload) for payload in self._payloads]
        self._places: dict[KeyPath, list[_Place]] = defaultdict(list)
        for number, document in enumerate(self._documents):
            if isinstance(document, dict):
                event = document.get("type")
                self._walk(KeyPath(event if isinstance(event, str) else "", ()), number, document)
        self.events = self._events(self._payloads)

    @property
    def paths(self) -> list[KeyPath]:
        """The key paths, each after those that it stands in."""
        return list(self._places)

    def values(self, path: KeyPath) -> Iterator[Any]:
        """Yield what stands at a path."""
        return (place.holder[place.key] for place in self._places[path])

    def shows(self, path: KeyPath) -> bool:
        """Return whether the events change when the path is left out of all the recording's events."""
        places = self._places[path]
        before = [(place.holder, list(place.holder.items())) for place in places]
        payloads = list(self._payloads)
        for place in places:
            del place.holder[place.key]
        for number in {place.number for place in places}:
            payloads[number] = msgspec.json.encode(self._documents[number])
        for holder, items in before:  # in their order, which a text of JSON shows
            holder.clear()
            holder.update(items)
        return self._events(payloads) != self.events

    def _events(self, payloads: list[bytes]) -> list[Any]:
        return replay(self._question, b"".join(map(_frame, payloads)))

    def _walk(self, path: KeyPath, number: int, value: Any) -> None:
        if isinstance(value, list):
            for each in value:
                self._walk(path, number, each)
        elif isinstance(value, dict):
            kind = value.get("type")
            here = path
            if path.steps and isinstance(kind, str):
                here = KeyPath(path.event, (*path.steps[:-1], f"{path.steps[-1]}({kind})"))
            for key, below in value.items():
                found = KeyPath(here.event, (*here.steps, key))
                self._places[found].append(_Place(number, value, key))
                self._walk(found, number, below)


def _parsed(payload: bytes) -> Any:
    try:
        return msgspec.json.decode(payload)
    except ValueError:
        return None
