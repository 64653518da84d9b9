"""Compression: any cut unpacks to the same, and what a body may cost."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgmodel.http.content_coding import INFLATED_BYTES, Inflater, inflater_for
from msgmodel.http.faults import UnreadableResponse


def unpacked(inflater: Inflater, pieces: list[bytes]) -> list[bytes]:
    found = []
    for piece in pieces:
        found.append(inflater.feed(piece))
        while inflater.has_more:
            found.append(inflater.feed(b""))
    return found


def raw(data: bytes) -> bytes:
    return zlib.compress(data, wbits=-zlib.MAX_WBITS)


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
    with pytest.raises(UnreadableResponse, match="200 times"):
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
    assert not inflater.has_more


def test_deflate_that_says_gzip_is_none() -> None:
    with pytest.raises(UnreadableResponse):
        unpacked(Inflater(False), [raw(b"hello")])


@pytest.mark.parametrize(
    ("encoding", "status", "unpacks"),
    [("", 200, False), ("identity", 200, False), ("none", 200, False), ("GZIP", 200, True), ("br", 401, False)],
)
def test_codings(encoding: str, status: int, unpacks: bool) -> None:
    assert (inflater_for(encoding, status) is not None) == unpacks


def test_a_coding_that_was_not_asked_for() -> None:
    with pytest.raises(UnreadableResponse, match="not asked for"):
        inflater_for("gzip, br", 200)
