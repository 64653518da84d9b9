"""The chunked coding and compression: whatever the cuts, what is none, and what a body may cost."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from msgmodel.http.response_body import INFLATED_BYTES, LINE_BYTES, Dechunker, Inflater, Unreadable

CHUNKS = st.lists(st.binary(min_size=1, max_size=40), max_size=6)
EXTENSIONS = st.sampled_from([b"", b";a=b", b' ; a="b;c"', b" "])
TRAILERS = st.sampled_from([b"", b"x-checksum: 1\r\n", b"a: b\r\nc: d\r\n"])


def coded(chunks: list[bytes], extension: bytes = b"", trailer: bytes = b"", size: bytes = b"%X") -> bytes:
    body = b"".join(size % len(chunk) + extension + b"\r\n" + chunk + b"\r\n" for chunk in chunks)
    return body + b"0" + extension + b"\r\n" + trailer + b"\r\n"


@settings(deadline=None)
@given(
    *(CHUNKS, st.sampled_from([1, 200]), EXTENSIONS, TRAILERS, st.sampled_from([b"%x", b"%X"])),
    st.lists(st.integers(0, 1 << 16), max_size=8),
)
def test_any_cut_carries_the_same(
    chunks: list[bytes], times: int, extension: bytes, trailer: bytes, size: bytes, cuts: list[int]
) -> None:
    """Times 200: so many bytes that chunks are taken out many at once."""
    chunks = chunks * times
    body = coded(chunks, extension, trailer, size)
    places = sorted(cut % (len(body) + 1) for cut in cuts)
    pieces = [body[begin:end] for begin, end in zip([0, *places], [*places, len(body)], strict=True)]
    step = 1 if times == 1 else 5000
    for way in (pieces, [body], [body[at : at + step] for at in range(0, len(body), step)]):
        dechunker = Dechunker()
        assert b"".join(dechunker.feed(piece) for piece in way) == b"".join(chunks)
        assert dechunker.ended


@settings(deadline=None)
@given(CHUNKS, st.data())
def test_what_came_of_a_body_that_breaks_off_is_there(chunks: list[bytes], data: st.DataObject) -> None:
    body = coded(chunks)
    end = data.draw(st.integers(0, len(body) - 1))
    dechunker = Dechunker()
    found = dechunker.feed(body[:end])
    assert b"".join(chunks).startswith(found)
    assert not dechunker.ended
    # Not a byte less than what any reader could tell from these: the framing of each chunk is what is missing.
    assert len(found) >= end - sum(len(b"%X" % len(chunk)) + 4 for chunk in chunks) - 4


@pytest.mark.parametrize(
    "body",
    [
        *(b"\r\n", b"x\r\n", b"-5\r\nhello\r\n", b"0x5\r\nhello\r\n", b"5_0\r\n", b"5\r\nhello!\r\n", b"<html>\r\n"),
        *(b";a\r\n", b"f" * 17 + b"\r\n", b"5" + b" " * LINE_BYTES),
    ],
)
def test_what_is_not_chunked(body: bytes) -> None:
    dechunker = Dechunker()
    with pytest.raises(Unreadable):
        b"".join(dechunker.feed(piece) for piece in (body, b""))


@settings(deadline=None)
@given(CHUNKS, st.lists(st.integers(0, 400), max_size=4))
def test_what_came_before_a_fault_is_there(chunks: list[bytes], cuts: list[int]) -> None:
    body = coded(chunks).removesuffix(b"0\r\n\r\n") + b"no size\r\n"
    places = sorted(cut % (len(body) + 1) for cut in cuts)
    pieces = [body[begin:end] for begin, end in zip([0, *places], [*places, len(body)], strict=True)]
    dechunker = Dechunker()
    found: list[bytes] = []
    with pytest.raises(Unreadable):
        found.extend(dechunker.feed(piece) for piece in (*pieces, b""))
    assert b"".join(found) == b"".join(chunks)


ALIKE = st.sampled_from([b"data: x\n\n", b"data: x\r\n\r\n", b"\r", b"x", b"a long enough one\n"])
ODD = st.sampled_from([b"\r", b"\n", b"\rx", b"", b"0", b"\r\r\r\r", b"\r\n", b"0\r\n\r\n", b"\n1\r\n", b"4;\n\r\n"])


@settings(deadline=None)
@given(ALIKE, st.integers(500, 999), st.integers(-3, 3), st.integers(0, 3), ODD, st.integers(0, 3))
@example(b"data: x\n\n", 600, 2, 1, b"x", 0)  # the LF after a size
def test_many_at_once_are_read_as_one_byte_after_another(
    event: bytes, chunk: int, beside: int, removed: int, put: bytes, more: int
) -> None:
    """Also where something where two of them meet is not as it should be, and where what is read ends there."""
    chunks = [event, event + event] * 500
    body = coded(chunks, size=b"%x")
    place = len(coded(chunks[:chunk], size=b"%x")) - len(b"0\r\n\r\n") + beside
    body = body[:place] + put + body[place + removed :]
    cut = place + len(put) + more

    def read(pieces: list[bytes]) -> tuple[bytes, bool, str]:
        dechunker, found = Dechunker(), b""
        try:
            for piece in [*pieces, b""]:
                if not dechunker.ended:
                    found += dechunker.feed(piece)
        except Unreadable as fault:
            return found, dechunker.ended, str(fault)
        return found, dechunker.ended, ""

    bytewise = read([body[at : at + 1] for at in range(len(body))])
    assert read([body]) == bytewise
    assert read([body[:cut], body[cut:]]) == bytewise


def test_what_follows_the_end_is_no_body() -> None:
    dechunker = Dechunker()
    assert dechunker.feed(coded([b"whole"]) + b"more") == b"whole"
    assert dechunker.ended


def test_long_extensions_are_not_kept() -> None:
    """A thousand chunks, each with 60 KB of its own behind its size."""
    dechunker = Dechunker()
    tracemalloc.start()
    try:
        for number in range(1000):
            assert dechunker.feed(b"5;%d=%b\r\nhello\r\n" % (number, b"x" * 60_000)) == b"hello"
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 4_000_000


def unpacked(inflater: Inflater, pieces: list[bytes]) -> list[bytes]:
    found = []
    for piece in pieces:
        found.append(inflater.feed(piece))
        while inflater.holds:
            found.append(inflater.feed(b""))
    return found


def raw(data: bytes) -> bytes:
    return zlib.compress(data, wbits=-zlib.MAX_WBITS)


@settings(deadline=None)
@given(
    st.binary(max_size=300),
    st.sampled_from([1, 300, 3000]),
    st.sampled_from([gzip.compress, zlib.compress, raw]),
    st.lists(st.integers(0, 1 << 20), max_size=4),
)
def test_any_cut_unpacks_to_the_same(data: bytes, times: int, pack: object, cuts: list[int]) -> None:
    assert callable(pack)
    data, packed = data * times, pack(data * times)
    places = sorted(cut % (len(packed) + 1) for cut in cuts)
    pieces = [packed[begin:end] for begin, end in zip([0, *places], [*places, len(packed)], strict=True)]
    for way in (pieces, [packed], [packed[at : at + 1] for at in range(len(packed))]):
        found = unpacked(Inflater(pack is raw), way)
        assert b"".join(found) == data
        assert max(map(len, found), default=0) <= INFLATED_BYTES


def test_what_unpacks_to_too_much() -> None:
    with pytest.raises(Unreadable, match="200 times"):
        unpacked(Inflater(False), [gzip.compress(b"data:\n\n" * 2_000_000)])


def test_many_members_and_padding() -> None:
    """RFC 1952, section 2.2. Of what is no member nothing is kept."""
    inflater, member = Inflater(False), gzip.compress(b"x")
    assert b"".join(unpacked(inflater, [member * 1000])) == b"x" * 1000
    tracemalloc.start()
    try:
        for _ in range(300):
            assert inflater.feed(b"\0" * 64_000) == b""
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000
    assert not inflater.holds


def test_deflate_that_says_gzip_is_none() -> None:
    with pytest.raises(Unreadable):
        unpacked(Inflater(False), [raw(b"hello")])
