"""The ways in which a reply can end, on every wire, as bytes for a scripted server, with what each of them means. Pure.

A case is one fault on one wire. Its name is the row of the table. The prompt of a peer contains the name, so the server
knows what to play.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from msgmodel.testing.errors import ERROR_STATUSES, error_body, error_event
from msgmodel.testing.server import Cut, Pause, Repeat, Reset, Script, Send, Stall, Step
from msgmodel.testing.wires import MODEL, TRUNCATED_FINISH, WIRES, Wire, events, reply
from transformations import TRANSFORMATIONS, first_chunk_without_choices

KEY = "sk-planted-4f7d1c9e2b8a6503"
"""The key of every request: it must not appear in anything that comes out."""

Ending: TypeAlias = Literal["whole", "truncated", "filtered", "broken"]
Pace: TypeAlias = Literal["quick", "slow", "alone"]
"""slow: it waits and costs nothing, so all of them may run at once. alone: it takes all of a core."""

PLAIN = "whole"
"""The fault that is none."""

PIECES = ["Hello", ", wörld", " of text."]
TEXT = "".join(PIECES)
PARTIAL = "".join(PIECES[:2])
ODD = ["a\u2028b\u2029", "\u0085c\x0b\x0c\x1c\x1d\x1e", "\N{ROBOT FACE}\x00\r\n\r", "\ufeffdata: x\n\n"]
"""Characters that some take for the end of a line, or of an event."""

DONE = b"data: [DONE]\n\n"
HTML = b"<!DOCTYPE html>\n<html><head><title>Sorry</title></head>\n<body>It will be back.</body></html>\n"
STATUSES = (400, 401, 403, 404, 413, 429, 500, 502, 503, 529)
FILTERED: dict[Wire, str] = {
    "openai_chat": "content_filter",
    "openai_responses": "content_filter",
    "anthropic": "refusal",
    "gemini": "SAFETY",
}
LAST: dict[Wire, tuple[bytes, ...]] = {
    "openai_chat": (b'"stop"', b"[DONE]"),
    "openai_responses": (b"response.completed",),
    "anthropic": (b"message_stop",),
    "gemini": (b'"STOP"',),
}
"""Words of the events that tell a wire that the reply is whole."""


@dataclass(frozen=True)
class Case:
    """One fault on one wire: what the server plays, what it means, and the text that arrived before it."""

    wire: Wire
    fault: str
    group: str
    script: Script
    ending: Ending
    text: str
    pace: Pace = "quick"

    @property
    def prompt(self) -> str:
        return "fault-" + re.sub(r"[^a-z0-9]+", "-", self.fault.lower()).strip("-")


def cases() -> list[Case]:
    """Return all cases, in the order of the table."""
    return [case for wire in WIRES for build in _GROUPS for case in build(wire)]


def faults(all_cases: list[Case]) -> dict[str, list[str]]:
    """Return the names of the faults by group, once each."""
    found: dict[str, list[str]] = {}
    for build in _GROUPS:
        for case in (case for case in all_cases if case.group == _TITLES[build]):
            names = found.setdefault(case.group, [])
            if case.fault not in names:
                names.append(case.fault)
    return found


def _whole(wire: Wire) -> Iterator[Case]:
    def case(fault: str, script: Script, text: str = TEXT) -> Case:
        return Case(wire, fault, _TITLES[_whole], script, "whole", text)

    data = reply(wire, PIECES)
    yield case(PLAIN, _said(events(wire, PIECES)))
    yield case("whole, in single bytes, CRLF", Script.body(TRANSFORMATIONS["crlf"](data), 1))
    for name, change in TRANSFORMATIONS.items():
        yield case(_FORMS[name], Script.body(change(data), 29))
    yield case("U+2028, U+0085 and similar in the text", Script.body(reply(wire, ODD)), "".join(ODD))
    yield case("the body ends by closing", Script.body(data, 50, "close"))
    if wire == "openai_chat":
        yield case("first chunk without choices", Script.body(first_chunk_without_choices(data)))
        yield case("no `[DONE]` after the finish reason", Script.body(data.removesuffix(DONE)))
    # By the standard of server-sent events, this is no event; but its JSON is complete, and so is the body.
    yield case("the last blank line is missing", Script.body(data[:-2] if wire == "gemini" else data[:-1]))


_FORMS = {
    "crlf": "CRLF",
    "lone_cr": "CR alone",
    "comments": "comments",
    "no_space": "no space after `data:`",
    "bom": "a byte order mark",
    "without_event_lines": "no `event:` lines",
    "unknown_event": "an event of an unknown type",
    "nulls": "nulls in all optional fields",
}


def _ended(wire: Wire) -> Iterator[Case]:
    def case(fault: str, ending: Ending, said: list[bytes], text: str = TEXT) -> Case:
        return Case(wire, fault, _TITLES[_ended], _said(said), ending, text)

    yield case("truncated by the limit", "truncated", events(wire, PIECES, finish=TRUNCATED_FINISH[wire]))
    yield case("refused or filtered", "filtered", events(wire, PIECES, finish=FILTERED[wire]))
    if wire == "anthropic":
        full = events(wire, PIECES, finish="model_context_window_exceeded")
        yield case("the context window is full", "truncated", full)
    if wire == "gemini":
        block = {"promptFeedback": {"blockReason": "SAFETY"}, "modelVersion": MODEL[wire], "responseId": "x"}
        yield case("the prompt is blocked", "filtered", [b"data: %b\r\n\r\n" % json.dumps(block).encode()], "")


def _cut(wire: Wire) -> Iterator[Case]:
    def case(fault: str, script: Script, text: str = PARTIAL) -> Case:
        return Case(wire, fault, _TITLES[_cut], script, "broken", text)

    begun = _begun(wire)
    half = events(wire, PIECES)[len(begun)][:-20]
    reset = (Pause(0.3), Reset())  # so that what was sent has been read before the reset overtakes it
    yield case("the body ends cleanly mid-text", _said(begun))
    yield case("closed mid-text", replace(_said(begun), framing="close"))
    yield case("FIN without the last chunk", _said(begun, Cut()))
    yield case("FIN before Content-Length is reached", replace(_said(begun, Cut()), framing="length"))
    yield case("RST", _said(begun, *reset))
    yield case("half an event, then a clean end", _said([*begun, half]))
    yield case("half an event, then RST", _said([*begun, half], *reset))
    whole = events(wire, PIECES)
    lost = [event for event in whole if not any(word in event for word in LAST[wire])]
    if wire != "gemini":  # it has no such word
        yield case("`[DONE]` mid-text", _said([*begun, DONE]))
    if wire == "openai_chat":
        unsaid = [event for event in whole if b'"stop"' not in event]
        yield case("`[DONE]` without a finish reason", _said(unsaid), TEXT)
    yield case("all of the text, but its last event is lost", _said(lost), TEXT)


def _in_stream(wire: Wire) -> Iterator[Case]:
    def case(fault: str, said: list[bytes], text: str = PARTIAL) -> Case:
        return Case(wire, fault, _TITLES[_in_stream], _said(said), "broken", text)

    begun, whole = _begun(wire), events(wire, PIECES)
    broken = begun[-1].rstrip()[:-30] + b"\n\n"
    yield case("broken JSON mid-stream, then the rest", [*begun[:-1], broken, *whole[len(begun) :]], PIECES[0])
    yield case("an error event mid-stream", [*begun, error_event(wire)])
    yield case("an error event first", [error_event(wire)], "")
    if wire != "gemini":
        yield case("an error event, then `[DONE]`", [*begun, error_event(wire), DONE])
    if wire == "openai_responses":
        yield case("`response.failed`", events(wire, PIECES, finish="failed"), TEXT)


def _no_stream(wire: Wire) -> Iterator[Case]:
    def case(fault: str, script: Script) -> Case:
        return Case(wire, fault, _TITLES[_no_stream], script, "broken", "")

    html = {"content-type": "text/html"}
    yield case("200 with an empty body", Script())
    yield case("200 with a JSON error as its body", Script.json(200, error_body(wire, 429)[1]))
    yield case("200 with HTML", Script(headers=html, framing="length", steps=(Send(HTML),)))
    yield case("502 with HTML", Script(status=502, headers=html, framing="length", steps=(Send(HTML),)))
    yield case("closed before the headers", Script(close_before_headers=True))
    for status in STATUSES:
        if status in ERROR_STATUSES[wire]:
            headers, body = error_body(wire, status)
            script = Script.json(status, body, headers)
        else:  # the provider has no such answer, a proxy before it has
            script = Script(status=status, headers=html, framing="length", steps=(Send(HTML),))
        yield case(f"HTTP {status}", script)
    headers, body = error_body(wire, 401)
    body["error"]["message"] = f"Incorrect API key provided: {KEY}."
    yield case("HTTP 401 that quotes the key", Script.json(401, body, headers))


def _silence(wire: Wire) -> Iterator[Case]:
    def case(fault: str, script: Script, text: str = PARTIAL, pace: Pace = "slow") -> Case:
        return Case(wire, fault, _TITLES[_silence], script, "broken", text, pace)

    begun = _begun(wire)
    ping = b'event: ping\ndata: {"type": "ping"}\n\n' if wire == "anthropic" else b": ping\n\n"
    yield case("a stall mid-text", _said(begun, Stall()))
    yield case("a stall before the headers", Script(stall_before_headers=True), "")
    yield case("a stall after the headers", Script(steps=(Stall(),)), "")
    yield case("pings forever", _said(begun, Repeat(ping, 0.5)))
    # 20 MB a second: more than an event may have, soon, and not more than the machine has before the limit of time.
    endless = _said([*begun, b"data: "], Repeat(b"x" * (1 << 20), 0.05))
    yield case("a line without an end", endless, pace="alone")


def _begun(wire: Wire) -> list[bytes]:
    """Return the events of a reply up to its second piece of text."""
    found = events(wire, PIECES)
    first = next(number for number, event in enumerate(found) if f'"{PIECES[0]}"'.encode() in event)
    return found[: first + 2]


def _said(said: list[bytes], *then: Step) -> Script:
    """Send each event separately, as providers do, and then run the further steps."""
    return Script(steps=(*map(Send, said), *then))


_TITLES: dict[Callable[[Wire], Iterator[Case]], str] = {
    _whole: "Complete, in every form that the standards allow",
    _ended: "Ended by the provider's word, but incomplete",
    _cut: "Cut",
    _in_stream: "An error in the stream",
    _no_stream: "No stream at all",
    _silence: "Silence, and too much",
}
_GROUPS = tuple(_TITLES)
