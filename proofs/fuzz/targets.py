"""What is fuzzed: functions that take any bytes, and raise where the library does not keep what it promises.

Rule: they use what will stay when the code behind it is made anew: `Decoder`, `Exchange`, the readers of requests, the
server as an ASGI application. An exception that is none of the library's own is a finding, as is an assertion here.
"""

from __future__ import annotations

import asyncio
import functools
import json
import random
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from io import BytesIO
from typing import Any, NamedTuple
from unittest import mock

import msgspec
from proofs.fuzz import rules
from proofs.fuzz.serving import answer

from msgmodel import AnthropicConfig, GeminiConfig, MsgModelError, OpenAIConfig, _arguments, _calls
from msgmodel._options import Arguments
from msgmodel.adapters import ag_ui, ai_sdk, openai_chat
from msgmodel.http import response_body
from msgmodel.http.response_body import BodyReader, Truncated, Unreadable
from msgmodel.question.question import Question
from msgmodel.question.transport import ConnectionBroken
from msgmodel.reply.exchange import Exchange, RetryRules, WaitLimits
from msgmodel.wires.sse import STRAY_LIMIT, EventTooLarge, SseDecoder, encode_json_line

KEY = "sk-planted-c81e0d4b7a52"
"""The key of every question: nothing that is made of an input may show it."""

URL = "http://127.0.0.1:9"
_CONFIGS: dict[str, Any] = {
    "openai_chat": OpenAIConfig(base_url=f"{URL}/v1"),
    "openai_responses": OpenAIConfig(base_url=f"{URL}/v1", api="responses"),
    "anthropic": AnthropicConfig(base_url=URL),
    "gemini": GeminiConfig(base_url=URL),
}
PROVIDERS = {
    "openai_chat": "openai",
    "openai_responses": "openai",
    "anthropic": "anthropic",
    "gemini": "gemini",
}
TERMINAL = ("panel_final", "panel_error")
SMALL = 300
"""The limit of events in the second run of the decoder: so that a short input can reach it."""
MANY = 16
"""In more runs of a body, what is more than one chunk of a reply: so that a short input can have many at once."""
RESPONSES = 6
"""As many times an exchange gets the same body; then an empty one, until it gives up."""


def sse(data: bytes) -> None:
    """Any cut of the bytes gives the events of the standard; what is kept is bounded; only TooLarge is raised."""
    seed, body = data[:1], data[1:]
    expected = rules.events(body)
    rest = [] if expected.rest is None else [expected.rest]
    strays = set()
    for pieces in ([body], cut(body, seed), [body[at : at + 1] for at in range(len(body))]):
        decoder = SseDecoder()
        found = [frame for piece in pieces for frame in decoder.feed(piece)]
        assert found == expected.whole
        assert decoder.eof() == rest
        assert decoder.eof() == []
        assert len(decoder.stray_text) <= STRAY_LIMIT + 1
        strays.add(decoder.stray_text)
    assert len(strays) == 1

    slowly, refused = _small([body[at : at + 1] for at in range(len(body))])
    assert not refused or expected.largest > SMALL - 16, "an event within the limit was refused"
    assert refused or expected.largest <= SMALL + 16, "an event beyond the limit was kept"
    at_once, _ = _small([body])
    assert at_once[: len(slowly)] == slowly, "an event was lost with the one after it"

    text = body.decode("utf-8", "replace")
    written = encode_json_line(text)
    assert SseDecoder().feed(b"data: %b\n\n" % written) == [written]
    assert json.loads(written) == text
    assert len(written.decode().splitlines()) == 1


def _small(pieces: list[bytes]) -> tuple[list[bytes], bool]:
    """The events that a decoder with a small limit gives, and whether it then refused one."""
    decoder, found = SseDecoder(limit=SMALL), []
    try:
        for piece in pieces:
            found += decoder.feed(piece)
        found += decoder.eof()
    except EventTooLarge:
        return found, True
    return found, False


def body(data: bytes) -> None:
    """Any response of HTTP, in any cut, gives the same bytes and ends alike; the standard library reads no others."""
    seed, said = data[:1], data[1:]
    blank = re.search(rb"\n\r?\n", said)
    begin = blank.end() if blank else len(said)
    rest = said[begin:]
    bytewise = [rest[at : at + 1] for at in range(len(rest))]
    outcomes = {_taken(said[:begin], pieces) for pieces in ([rest], cut(rest, seed), bytewise)}
    with mock.patch.object(response_body, "MANY_BYTES", MANY):
        outcomes |= {_taken(said[:begin], pieces) for pieces in ([rest], cut(rest, seed))}
    assert len({found.end for found in outcomes}) == 1, f"how it ends depends on the cut: {outcomes}"
    longest = max((found.carried for found in outcomes), key=len)
    if b"content-encoding" in said[:begin].lower():  # what is not compressed as it says loses its last piece
        assert all(longest.startswith(found.carried) for found in outcomes)
        return
    assert len(outcomes) == 1, f"what is handed on depends on the cut: {outcomes}"
    (found,) = outcomes
    if found.end == "ended":
        with suppress(HTTPException, ValueError, OverflowError):  # it is stricter in some ways
            assert _head(said).read() == longest


class _Taken(NamedTuple):
    carried: bytes
    end: str
    """"ended", or the name of the fault."""


def _taken(head: bytes, pieces: list[bytes]) -> _Taken:
    carried = b""
    try:
        taking = BodyReader(_head(head))
        for piece in [*filter(None, pieces), b""]:
            carried += taking.feed(piece)
            while taking.holds:
                carried += taking.more()
            if taking.ended:
                break
    except (Truncated, Unreadable, HTTPException, ValueError) as fault:
        return _Taken(carried, type(fault).__name__)
    return _Taken(carried, "ended" if taking.ended else "open")


def _head(said: bytes) -> HTTPResponse:
    """The response of which this was said, its head read. Raises HTTPException, ValueError."""
    response = HTTPResponse(_Spoken(said), method="POST")  # type: ignore[arg-type]
    response.begin()
    return response


class _Spoken:
    """A socket on which this was said."""

    def __init__(self, said: bytes) -> None:
        self._said = said

    def makefile(self, mode: str) -> BytesIO:
        return BytesIO(self._said)


def wire(name: str, data: bytes) -> None:
    """Any bytes from a provider: one terminal event, last; the pieces are the whole; what was cut is never complete."""
    seed, body = data[:1], data[1:]
    flags = seed[0] if seed else 0
    status = 429 if flags & 7 == 7 else 200
    whole = play(name, [body], status=status)
    assert play(name, cut(body, seed), status=status) == whole
    if status != 200:
        assert whole[-1]["event"] == "panel_error"
        return
    judge(name, body, whole[-1])
    judge(name, body, play(name, [body], broken=True)[-1])
    short = body[: len(body) * flags // 256]
    judge(name, short, play(name, [short])[-1])
    if flags & 24 == 24:  # all that may be asked again
        again = RetryRules(max_retries=1, continue_truncated=2, resume_interrupted=True)
        play(name, [body], ask_again=again, broken=bool(flags & 32))


def judge(name: str, body: bytes, last: Mapping[str, Any]) -> None:
    """A final event only where the rule of success allows one."""
    if last["event"] == "panel_final" and last["status"] != "paused":
        assert rules.may_be_final(name, body), f"{last['status']} ({last['finish_reason']!r}), though it was cut"


def play(
    name: str, pieces: list[bytes], *, broken: bool = False, status: int = 200, ask_again: RetryRules | None = None
) -> list[Any]:
    """The events of one panel whose every response is made of these pieces, and then ends or breaks; checked."""
    exchange = Exchange(
        question(name),
        panel_id="p",
        clocks=WaitLimits(300, 300),
        rules=ask_again or RetryRules(max_retries=0),
        clock=lambda: 0.0,
        random=lambda: 0.0,
        tool_deltas=ask_again is not None,
    )
    found: list[Any] = []
    responses = 0
    while exchange.next_request() is not None:
        found += exchange.pending_events()
        exchange.response_started(status, {})
        for piece in pieces if responses < RESPONSES else []:
            if exchange.reading and piece:
                found += exchange.feed(piece)
        if exchange.reading and broken:
            exchange.connection_broken(ConnectionBroken("interrupted", "reset"))
        elif exchange.reading:
            found += exchange.feed(b"")
        responses += 1
        assert responses < 300, "it asks for ever"
    found += exchange.terminal_events()
    exchange.close()
    check(found)
    return found


@functools.cache
def question(name: str) -> Question:
    """One question on each wire."""
    arguments = Arguments(provider=PROVIDERS[name], prompt="hi", api_key=KEY, config=_CONFIGS[name])
    return _arguments.read_question(arguments, {})


def check(found: list[Any]) -> None:
    """What holds of the events of every panel."""
    kinds = [event["event"] for event in found]
    assert [kind in TERMINAL for kind in kinds] == [False] * (len(found) - 1) + [True]
    last = found[-1]
    for kind, field in (("delta", "content"), ("reasoning", "reasoning"), ("refusal", "refusal")):
        pieces = [event["delta"] for event in found if event["event"] == f"panel_{kind}"]
        assert all(pieces), "a delta without text"
        if "panel_retry" not in kinds or kind == "delta":
            assert "".join(pieces) == last.get(field, ""), f"the {field} is not what its deltas say"
    calls = [event for event in found if event["event"] == "panel_tool_call"]
    assert [{**call, "event": 0, "panel_id": 0} for call in last.get("tool_calls", ())] == [
        {**call, "event": 0, "panel_id": 0} for call in calls
    ]
    assert len({call["id"] for call in calls}) == len(calls), "two calls with the same id"
    assert all(call["name"] and (call["complete"] or call["arguments_json"] is None) for call in calls)
    for name in ("error", "model", "request_id"):
        assert KEY not in str(last.get(name)), f"the key in {name}"
    for event in found:
        assert json.loads(encode_json_line(event)) == event, "an event that JSON can't hold"


def messages(data: bytes) -> None:
    """Any conversation, with any tools and options: an error of ours, or on each wire a request that is JSON."""
    try:
        options = msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return
    if isinstance(options, list):
        options = {"messages": options}
    if isinstance(options, dict):
        named = {name: value for name, value in options.items() if name in _OPTIONS}
        asks({"prompt": "hi"} | named)


_OPTIONS = (
    "messages",
    "tools",
    "tool_choice",
    "system_instruction",
    "max_tokens",
    "temperature",
    "reasoning",
    "prompt",
)


def asks(arguments: dict[str, Any]) -> None:
    """Asks every provider so, as far as the request."""
    for name, provider in PROVIDERS.items():
        asked = arguments | {"provider": provider, "api_key": KEY, "config": _CONFIGS[name]}
        try:
            _, exchange = _calls.begin_exchange_by_name("p", asked)
        except MsgModelError:
            continue
        request = exchange.next_request()
        assert request is not None
        assert KEY.encode() not in request.body or KEY in encode_json_line(arguments).decode()
        assert KEY not in request.url
        assert isinstance(msgspec.json.decode(request.body), dict)


def requests(data: bytes) -> None:
    """Any body that a client of another protocol posts: an error of ours, or messages that can be asked."""
    for read in (ai_sdk.read, ag_ui.read, openai_chat.read):
        for more in ({}, {"panel_id": "p"}) if read is not openai_chat.read else ({},):
            try:
                found: Any = read(data, **more)
            except MsgModelError:
                continue
            if read is openai_chat.read:
                asks({**found.arguments, "prompt": ""})
            else:
                asks({"messages": found.messages, "prompt": ""})
                assert all(isinstance(id, str) for id in found.call_ids)


def server(data: bytes) -> None:
    """Any request to the server: refused in its own words, or asked; and never a 500."""
    asyncio.run(_server(data))


async def _server(data: bytes) -> None:
    reply = await answer(data)
    refused = 400 <= reply.status < 500
    assert refused or reply.status in (200, 204, 307) or reply.accepted, f"status {reply.status}: {reply.body[:200]!r}"
    if reply.status == 307:  # a slash too much, or too few: on this server all the same
        assert dict(reply.headers)[b"location"].startswith(b"http://" + reply.host)
    unbuilt = reply.body.startswith(b"The chat page is not built")  # in a fresh clone; words for whoever opens it
    if refused and not reply.head and not unbuilt:
        said = json.loads(reply.body)["error"]
        assert isinstance(said["message"], str)
        assert said["message"]
    for name, value in reply.headers:
        assert not {10, 13, 0} & {*name, *value}, "a header that goes on in the next line"
    if refused or reply.accepted:
        assert (b"x-content-type-options", b"nosniff") in reply.headers
    for key in reply.planted:
        assert key not in reply.body, "a key in an answer"
        assert not any(key in value for _, value in reply.headers), "a key in a header"


def cut(body: bytes, seed: bytes) -> list[bytes]:
    """The body in pieces, always the same for the same seed."""
    places = random.Random(seed)
    ends = sorted(places.randrange(len(body) + 1) for _ in range(places.randrange(1, 12)))
    return [body[begin:end] for begin, end in zip([0, *ends], [*ends, len(body)], strict=True)]


class Target(NamedTuple):
    """One function, the modules whose words an input may say, and how many bytes it may have."""

    run: Callable[[bytes], None]
    modules: tuple[str, ...]
    longest: int = 8192


TARGETS: dict[str, Target] = {
    "sse": Target(sse, ("wires.sse",), longest=1024),
    "body": Target(body, ("http.response_body",), longest=1024),
    **{
        name: Target(functools.partial(wire, name), (f"wires.{name}", "wires.finish_reasons", "wires.provider_errors"))
        for name in PROVIDERS
    },
    "server": Target(
        server,
        ("server.request_bodies", "server.app", "server.service", "server.guard", "adapters.ai_sdk", "adapters.ag_ui"),
    ),
    "requests": Target(requests, ("adapters.ai_sdk", "adapters.ag_ui", "adapters.openai_chat", "adapters._reading")),
    "messages": Target(messages, ("question.history", "question.tools", "question.files", "_arguments")),
}  # fmt: skip
