"""One response from the bytes of a connection: whatever the cuts, what is no HTTP, and what it may cost."""

from __future__ import annotations

import gzip
import itertools
import time
import tracemalloc
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from msgmodel.http.connection_limits import FRAMING_BYTES, HEAD_BYTES, INTERIM_ANSWERS
from msgmodel.http.faults import UnreadableResponse
from msgmodel.http.response_reader import ResponseReader
from serving import retried

OK = b"HTTP/1.1 200 OK\r\n"
PLAIN = OK + b"content-type: text/event-stream\r\n"
CHUNKED = PLAIN + b"transfer-encoding: chunked\r\n\r\n"
CHUNKS = st.lists(st.binary(min_size=1, max_size=40), max_size=6)
EXTENSIONS = st.sampled_from([b"", b";a=b", b';a="b;c"', b";a", b" "])
TRAILERS = st.sampled_from([b"", b"x-checksum: 1\r\n", b"a: b\r\nc: d\r\n", b"content-length: 3\r\n"])
CUTS = st.lists(st.integers(0, 1 << 16), max_size=8)


class Outcome(NamedTuple):
    status: int
    body: bytes
    end: str
    """"open", "ended", or the text of the fault."""
    reusable: bool = False


def read(pieces: list[bytes]) -> Outcome:
    """What a reader makes of a connection that brings these pieces; b"" is its end."""
    reader, body = ResponseReader(), []
    try:
        for piece in pieces:
            body.append(reader.feed(piece))
            while reader.has_more and not reader.ended:
                body.append(reader.read_more())
            if reader.ended:
                break
    except UnreadableResponse as fault:
        return Outcome(reader.status, b"".join(body), str(fault))
    return Outcome(reader.status, b"".join(body), "ended" if reader.ended else "open", reader.reusable)


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def cut_at(data: bytes, cuts: list[int]) -> list[bytes]:
    """The pieces of data, none of them empty: that would be the end of the connection."""
    places = sorted(cut % (len(data) + 1) for cut in cuts)
    pieces = [data[begin:end] for begin, end in zip([0, *places], [*places, len(data)], strict=True)]
    return [*filter(None, pieces)]


def coded(chunks: list[bytes], extension: bytes = b"", trailer: bytes = b"", size: bytes = b"%X") -> bytes:
    body = b"".join(size % len(chunk) + extension + b"\r\n" + chunk + b"\r\n" for chunk in chunks)
    return body + b"0" + extension + b"\r\n" + trailer + b"\r\n"


# --- cuts ---


@given(CHUNKS, st.sampled_from([1, 200]), EXTENSIONS, TRAILERS, st.sampled_from([b"%x", b"%X", b"%04x"]), CUTS)
def test_any_cut_of_chunks_carries_the_same(
    chunks: list[bytes], times: int, extension: bytes, trailer: bytes, size: bytes, cuts: list[int]
) -> None:
    chunks = chunks * times
    data = CHUNKED + coded(chunks, extension, trailer, size)
    step = 1 if times == 1 else 5000
    for pieces in (cut_at(data, cuts), [data], [data[at : at + step] for at in range(0, len(data), step)]):
        assert read(pieces) == Outcome(200, b"".join(chunks), "ended", True)


def test_every_cut_of_one_response() -> None:
    """In two, head and body, after interim answers: with each of the framings."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    for rest, end in (
        (b"transfer-encoding: chunked\r\nx: y\r\n\r\n" + coded([b"one ", b"two"], b";a=b", b"c: d\r\n"), True),
        (b"content-length: 7\r\nx: y\r\n\r\none two", True),
        (b"x: y\r\n\r\none two", False),
    ):
        data = interim + PLAIN + rest
        for at in range(1, len(data)):
            pieces = [data[:at], data[at:], *([] if end else [b""])]
            assert read(pieces) == Outcome(200, b"one two", "ended", end)


@given(CHUNKS, st.data())
def test_what_came_of_a_body_that_breaks_off_is_there(chunks: list[bytes], data: st.DataObject) -> None:
    body = coded(chunks)
    end = data.draw(st.integers(0, len(body) - 1))
    found = read([CHUNKED + body[:end], b""])
    assert found.end == "the body ended before it was complete"
    assert b"".join(chunks).startswith(found.body)
    # Not a byte less than what any reader could tell from these: the framing of each chunk is what is missing.
    assert len(found.body) >= end - sum(len(b"%X" % len(chunk)) + 4 for chunk in chunks) - 4


@given(CHUNKS, CUTS)
def test_what_came_before_a_fault_is_there(chunks: list[bytes], cuts: list[int]) -> None:
    data = CHUNKED + coded(chunks).removesuffix(b"0\r\n\r\n") + b"no size\r\n"
    found = read([*cut_at(data, cuts), b""])
    assert (found.body, found.end) == (b"".join(chunks), "the answer is not HTTP: Invalid character in chunk size")


@given(st.binary(max_size=200), CUTS)
@example(b"HTTP/1.1 200 OK\r\n\r\n", [])
@example(b"\r\n\r\nHTTP/1.1 200\r\ncontent-length: 1\r\n\r\nx", [3])
def test_any_bytes_are_read_alike_in_any_cut(rest: bytes, cuts: list[int]) -> None:
    for data in (rest, CHUNKED + rest, PLAIN + b"content-length: 9\r\n\r\n" + rest):
        outcomes = {read([*way, b""]) for way in ([data] if data else [], cut_at(data, cuts), bytewise(data))}
        assert len({(each.status, each.body, each.end) for each in outcomes}) == 1, outcomes


@given(
    st.sampled_from([b"data: x\n\n", b"data: x\r\n\r\n", b"\r", b"x"]), st.integers(0, 60_000), st.binary(max_size=6)
)
def test_a_burst_is_read_as_one_byte_after_another(event: bytes, place: int, put: bytes) -> None:
    """Also if something in the middle is not as it should be."""
    data = coded([event, event + event] * 500, size=b"%x")
    place %= len(data)
    data = CHUNKED + data[:place] + put + data[place + 1 :]
    whole, one_by_one = read([data, b""]), read([*bytewise(data), b""])
    assert whole[:3] == one_by_one[:3]


# --- heads ---


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"HTTP/1.1 200 OK\ncontent-length: 2\nx-a: b\n\n", id="LF alone"),
        pytest.param(b"HTTP/1.1 200 OK\r\nx-a: b\ncontent-length: 2\r\n\n", id="LF and CRLF"),
        pytest.param(b"\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-a: b\r\n\r\n", id="blank lines before it"),
        pytest.param(b"HTTP/1.1 200\r\ncontent-length: 2\r\nx-a: b\r\n\r\n", id="no reason"),
        pytest.param(b"HTTP/1.1 200 Tr\xc3\xa8s bien\r\ncontent-length: 2\r\nx-a: b\r\n\r\n", id="a reason in UTF-8"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length:2\r\nX-A:b\t \r\n\r\n", id="no spaces, and spaces behind"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-a:\r\nX-A: b\r\n\r\n", id="the last one counts"),
    ],
)
def test_heads_that_servers_send(head: bytes) -> None:
    for pieces in ([head + b"hi"], bytewise(head + b"hi")):
        reader = ResponseReader()
        found = b"".join(reader.feed(piece) for piece in pieces)
        assert found + (reader.read_more() if reader.has_more else b"") == b"hi"
        assert (reader.status, reader.headers) == (200, {"content-length": "2", "x-a": "b"})
        assert reader.reusable


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "Expected HTTP/"),
        (b"<html>\n", "Expected HTTP/"),
        (b"HTTP/2 200\r\n", "Expected dot"),
        (b"HTTP/1.1 99 No\r\n", "Invalid status code"),
        (b"HTTP/1.1 2000 No\r\n", "Invalid response status"),
        (OK + b"no colon\r\n", "Invalid header token"),
        (OK + b"x : y\r\n", "Invalid header token"),
        (OK + b"x: y\r\n folded\r\n", "Unexpected whitespace"),
        (OK + b"x: a\0b\r\n", "Invalid header value char"),
        (OK + b"content-length: -1\r\n", "Invalid character in Content-Length"),
        (OK + b"content-length: 1\r\ncontent-length: 1\r\n", "Duplicate Content-Length"),
        (OK + b"content-length: 99999999999999999999\r\n", "Content-Length overflow"),
    ],
)
def test_what_is_no_head_is_refused_at_once(said: bytes, why: str) -> None:
    """Nothing more is waited for, and the text quotes nothing of it."""
    for pieces in ([said], bytewise(said)):
        found = read(pieces)
        assert (found.status, found.body) == (0, b"")
        assert found.end.startswith(f"the answer is not HTTP: {why}")


@pytest.mark.parametrize(
    ("pieces", "end"),
    [
        ([b""], "the server closed the connection"),
        ([OK, b""], "the server closed the connection in the middle of the head"),
        ([b"HTTP/1.1 100 Continue\r\n\r\n", b""], "the server closed the connection in the middle of the head"),
        ([OK + b"x: " + b"y" * HEAD_BYTES], "the head of the answer is longer than 256 KB"),
        ([OK, *[b"x: y\r\n"] * (HEAD_BYTES // 6)], "the head of the answer is longer than 256 KB"),
        ([b"HTTP/1.1 100 C\r\n\r\n" * (INTERIM_ANSWERS + 1)], "more than 100 interim answers (1xx)"),
        ([*[b"HTTP/1.1 103 E\r\nx: y\r\n\r\n"] * (INTERIM_ANSWERS + 1)], "more than 100 interim answers (1xx)"),
    ],
)
def test_heads_that_don_t_end(pieces: list[bytes], end: str) -> None:
    assert read(pieces) == Outcome(0, b"", end)


def test_interim_answers_leave_nothing() -> None:
    reader = ResponseReader()
    reader.feed(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * INTERIM_ANSWERS)
    reader.feed(PLAIN + b"content-length: 0\r\n\r\n")
    assert reader.headers == {"content-type": "text/event-stream", "content-length": "0"}
    assert reader.reusable


def test_a_head_is_read_in_linear_time() -> None:
    """One byte after another, which nothing keeps a server from."""

    def seconds(size: int) -> float:
        reader = ResponseReader()
        reader.feed(OK + b"x: ")
        began = time.process_time()
        for _ in range(size):
            reader.feed(b"y")
        return time.process_time() - began

    def attempt() -> None:
        assert seconds(240_000) < 40 * seconds(12_000)

    retried(attempt)


# --- where a body ends ---


@pytest.mark.parametrize(
    ("head", "body", "reusable"),
    [
        (OK + b"content-length: 2\r\n\r\n", b"hi", True),
        (OK + b"content-length: 2\r\nconnection: close\r\n\r\n", b"hi", False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n", b"hi", False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\n", b"hi", True),
        (OK + b"transfer-encoding: Chunked\r\n\r\n", b"2\r\nhi\r\n0\r\n\r\n", True),
        (OK + b"transfer-encoding: chunked\r\n\r\n", b"2  \r\nhi\r\n0\r\n\r\n", True),
        # Both: the chunks count, and the connection is given up (RFC 9112, section 6.3).
        (OK + b"content-length: 9\r\ntransfer-encoding: chunked\r\n\r\n", b"2\r\nhi\r\n0\r\n\r\n", False),
        (OK + b"transfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n", b"2\r\nhi\r\n0\r\n\r\n", False),
    ],
)
def test_framings(head: bytes, body: bytes, reusable: bool) -> None:
    for pieces in ([head + body], [head, body], bytewise(head + body)):
        assert read(pieces) == Outcome(200, b"hi", "ended", reusable)


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified", b"200 OK\r\ncontent-length: 0"])
def test_an_answer_without_a_body_ends_with_its_head(status: bytes) -> None:
    assert read([b"HTTP/1.1 " + status + b"\r\n\r\n"])[1:] == (b"", "ended", True)


def test_a_switch_of_protocols_is_an_answer_and_ends_the_connection() -> None:
    for headers in (b"", b"upgrade: x\r\nconnection: upgrade\r\n"):
        assert read([b"HTTP/1.1 101 No\r\n" + headers + b"\r\n", b""])[:3] == (101, b"", "ended")
        assert not read([b"HTTP/1.1 101 No\r\n" + headers + b"\r\n", b""]).reusable


@pytest.mark.parametrize("stray", [b"H", b"more", OK + b"content-length: 2\r\n\r\nNo", b"0\r\n\r\n"])
@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (CHUNKED + coded([b"whole"]), b"whole"),
        (OK + b"content-length: 5\r\n\r\nwhole", b"whole"),
        (OK + b"content-length: 5\r\nconnection: close\r\n\r\nwhole", b"whole"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
)
def test_what_follows_the_end_is_no_body(answer: bytes, body: bytes, stray: bytes) -> None:
    """What it would answer is unknown: the connection is not used again (RFC 9112, section 6.3)."""
    for at in range(1, len(answer)):
        pieces = [answer[:at], answer[at:] + stray]
        assert read(pieces)[1:] == (body, "ended", False)


@pytest.mark.parametrize(
    "body",
    [
        *(b"\r\n", b"x\r\n", b"-5\r\nhello\r\n", b"0x5\r\nhello\r\n", b"5_0\r\n", b"5\r\nhello!\r\n", b"<html>\r\n"),
        *(b";a\r\n", b"f" * 17 + b"\r\n", b"\n5\r\nhello\r\n"),
    ],
)
def test_what_is_not_chunked(body: bytes) -> None:
    assert read([CHUNKED + body, b""]).end.startswith("the answer is not HTTP: ")
    assert read([CHUNKED, *bytewise(body), b""]).end.startswith("the answer is not HTTP: ")


# --- what it may cost ---


@pytest.mark.parametrize("begin", [b"5;", b"0\r\nx: ", b"0\r\n", b"5\r\nhello\r\n5;"])
def test_framing_without_a_body_is_bounded(begin: bytes) -> None:
    """A line that never ends, and trailers that never do."""
    again = b"a: b\r\n" * 100 if begin == b"0\r\n" else b"x" * 600
    tracemalloc.start()
    try:
        found = read([CHUNKED, begin, *itertools.repeat(again, FRAMING_BYTES // 600 + 10)])
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.end == "more than 64 KB came without any of the body"
    assert most < 1_000_000


def test_framing_in_reads_of_its_own_is_none_of_that() -> None:
    """As of a server that writes the size of a chunk, the chunk and its end one after another, for hours."""
    pieces = [b"5\r\n", b"hello", b"\r\n"] * 30_000
    found = read([CHUNKED, *pieces, b"0\r\n\r\n"])
    assert (len(found.body), found.end) == (150_000, "ended")


def test_long_extensions_are_not_kept() -> None:
    """A thousand chunks, each with 60 KB of its own behind its size."""
    reader = ResponseReader()
    reader.feed(CHUNKED)
    tracemalloc.start()
    try:
        for number in range(1000):
            assert reader.feed(b"5;a%d=%b\r\nhello\r\n" % (number, b"x" * 60_000)) == b"hello"
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000


def test_a_compressed_body_comes_in_pieces() -> None:
    reader, data = ResponseReader(), b"data: x\n\n" * 100_000
    packed = gzip.compress(data)
    reader.feed(PLAIN + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed) + packed)
    found = []
    while not reader.ended:
        assert reader.has_more
        found.append(reader.read_more())
    assert b"".join(found) == data
    assert max(map(len, found)) <= 64 * 1024
    assert reader.reusable


def test_a_reader_refers_to_nothing_when_it_is_closed() -> None:
    """The parser holds methods of it: without `close` both wait for the garbage collector."""
    import gc
    import weakref

    class Watched(ResponseReader):
        pass

    gc.disable()
    try:
        reader = Watched()
        reader.feed(CHUNKED)
        reader.close()
        gone = weakref.ref(reader)
        del reader
        assert gone() is None
    finally:
        gc.enable()
