"""What is fuzzed: functions that take any bytes, and raise where the library does not keep what it promises.

Rule: they use what will stay when the code behind it is made anew: `Decoder`, `Exchange`, the readers of requests, the
server as an ASGI application. An exception that is none of the library's own is a finding, as is an assertion here.
"""

from __future__ import annotations

import asyncio
import functools
import json
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from io import BytesIO
from typing import Any, NamedTuple

import msgspec
from proofs.fuzz import rules
from proofs.fuzz.serving import answer

from msgmodel import AnthropicConfig, GeminiConfig, MsgModelError, OpenAIConfig, _arguments, _calls
from msgmodel._options import Arguments
from msgmodel.adapters import ag_ui, ai_sdk, openai_chat
from msgmodel.http.faults import UnreadableResponse
from msgmodel.http.response_reader import ResponseReader
from msgmodel.question.question import Question
from msgmodel.question.transport import ConnectionBroken
from msgmodel.reply.clock import WaitLimits
from msgmodel.reply.exchange import Exchange
from msgmodel.reply.next_request import RetryRules
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
    outcomes = {_taken(pieces) for pieces in ([said], cut(said, seed), [said[at : at + 1] for at in range(len(said))])}
    assert len({found.end for found in outcomes}) == 1, f"how it ends depends on the cut: {outcomes}"
    longest = max((found.carried for found in outcomes), key=len)
    if b"content-encoding" in said.lower():  # what is not compressed as it says loses its last piece
        assert all(longest.startswith(found.carried) for found in outcomes)
        return
    assert len(outcomes) == 1, f"what is handed on depends on the cut: {outcomes}"
    (found,) = outcomes
    if found.end == "ended" and b"transfer-encoding" not in said.lower().replace(_CHUNKED, b""):
        with suppress(HTTPException, ValueError, OverflowError):  # it is stricter in some ways
            assert _read_by_standard_library(said) == longest


_CHUNKED = b"\r\ntransfer-encoding: chunked\r\n"
"""Other values of this header mean less to the standard library."""


class _Taken(NamedTuple):
    status: int
    headers: tuple[tuple[str, str], ...]
    carried: bytes
    end: str
    """"ended", or the fault."""


def _taken(pieces: list[bytes]) -> _Taken:
    reader, carried = ResponseReader(), b""
    end = "open"
    try:
        for piece in [*filter(None, pieces), b""]:
            carried += reader.feed(piece)
            while reader.has_more and not reader.ended:
                carried += reader.read_more()
            if reader.ended:
                end = "ended"
                break
    except UnreadableResponse as fault:
        end = str(fault)
    reader.close()
    return _Taken(reader.status, tuple(reader.headers.items()), carried, end)


def _read_by_standard_library(said: bytes) -> bytes:
    """The body of a response. Raises HTTPException, ValueError."""
    response = HTTPResponse(_Spoken(said), method="POST")  # type: ignore[arg-type]
    response.begin()
    while 100 <= response.status < 200 and response.status != 101:  # it passes over 100 alone
        response.headers = response.msg = None  # type: ignore[assignment]
        response.begin()
    return response.read()


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
        limits=WaitLimits(300, 300),
        rules=ask_again or RetryRules(max_retries=0),
        now=lambda: 0.0,
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
    unbuilt = reply.body.startswith(b"The chat page is not built")  # in a fresh clone, in words for people
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


VERDICT_MODULES = ("wires.finish_reasons", "wires.provider_errors", "wires.error_words")

TARGETS: dict[str, Target] = {
    "sse": Target(sse, ("wires.sse",), longest=1024),
    "body": Target(body, ("http.response_reader", "http.content_coding"), longest=1024),
    **{
        name: Target(functools.partial(wire, name), (f"wires.{name}.parser", *VERDICT_MODULES))
        for name in PROVIDERS
    },
    "server": Target(
        server,
        (
            *("server.request_batches", "server.request_bodies", "server.request_text", "server.app"),
            *("server.service", "server.guard", "adapters.ai_sdk", "adapters.ag_ui"),
        ),
    ),
    "requests": Target(
        requests,
        ("adapters._ai_sdk_requests", "adapters.ag_ui", "adapters._openai_requests", "adapters._reading"),
    ),
    "messages": Target(messages, ("question.history", "question.tools", "question.files", "_arguments")),
}  # fmt: skip
