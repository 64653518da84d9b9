"""The chunked coding: whatever the cuts, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgmodel._body import LINE_BYTES, Dechunker, Unreadable

CHUNKS = st.lists(st.binary(min_size=1, max_size=40), max_size=6)
EXTENSIONS = st.sampled_from([b"", b";a=b", b' ; a="b;c"', b" "])
TRAILERS = st.sampled_from([b"", b"x-checksum: 1\r\n", b"a: b\r\nc: d\r\n"])


def coded(chunks: list[bytes], extension: bytes = b"", trailer: bytes = b"") -> bytes:
    body = b"".join(b"%X%b\r\n%b\r\n" % (len(chunk), extension, chunk) for chunk in chunks)
    return body + b"0" + extension + b"\r\n" + trailer + b"\r\n"


@given(CHUNKS, st.sampled_from([1, 200]), EXTENSIONS, TRAILERS, st.lists(st.integers(0, 1 << 16), max_size=8))
def test_any_cut_carries_the_same(
    chunks: list[bytes], times: int, extension: bytes, trailer: bytes, cuts: list[int]
) -> None:
    """Times 200: so many bytes that chunks are taken out many at once."""
    chunks = chunks * times
    body = coded(chunks, extension, trailer)
    places = sorted(cut % (len(body) + 1) for cut in cuts)
    pieces = [body[begin:end] for begin, end in zip([0, *places], [*places, len(body)], strict=True)]
    step = 1 if times == 1 else 5000
    for way in (pieces, [body], [body[at : at + step] for at in range(0, len(body), step)]):
        dechunker = Dechunker()
        assert b"".join(dechunker.feed(piece) for piece in way) == b"".join(chunks)
        assert dechunker.ended


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


def test_what_follows_the_end_is_no_body() -> None:
    dechunker = Dechunker()
    assert dechunker.feed(coded([b"whole"]) + b"more") == b"whole"
    assert dechunker.ended
