"""Estimates the tokens of a text that no provider counted, without a tokenizer. Pure.

The weights were fitted to the counts that providers reported for 1,302 recorded replies. On those, the median error is
23 % (16 % for text alone); with the common rule, one token for every four bytes, it is 35 % (24 %).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_WEIGHTS = (
    (r"[A-Za-z]{1,8}", 1.15),
    (r"[0-9]{1,3}", 1.29),
    (r"[!-/:-@\[-`{-~]+", 0.95),
    (r"\n+", 0.83),
    (r"[\u3040-\u9fff\uac00-\ud7af]", 0.71),  # Chinese, Japanese and Korean
    (r"[\u0080-\u303f\u4dc0-\u4dff\ua000-\uabff\uf900-\U0010ffff]", 0.68),
)
"""A kind of characters, and the tokens that one match of it takes. `re` compiles each when it is first used."""

_BLOCK_CHARACTERS = 512  # small, so that the blocks that are counted stand for the whole text
_COMPLETE_BLOCKS = 32
"""The first blocks of a text are counted, then 16 of each next 32, 64, 128 ...: an event loop must not wait for it."""


def estimate_tokens(text: str) -> int:
    """Return the estimated tokens of a text; at least 1 if there is any."""
    return estimate_tokens_of((text,))


def estimate_tokens_of(pieces: Iterable[str]) -> int:
    """Return the estimated tokens of a text in pieces. How it is cut into pieces changes nothing.

    It is joined block by block, because a copy of all of it takes its memory again.
    """
    total, blocks, waiting, size = 0.0, 0, list[str](), 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _BLOCK_CHARACTERS:
            text = "".join(waiting)
            whole = size - size % _BLOCK_CHARACTERS
            for start in range(0, whole, _BLOCK_CHARACTERS):
                total += _count_block(text, start, blocks)
                blocks += 1
            waiting, size = [text[whole:]], size - whole
    total += _count("".join(waiting))
    return max(1, round(total)) if blocks or size else 0


def _count_block(text: str, start: int, number: int) -> float:
    """Return the tokens of a block, and of those after it that are not counted."""
    step = 1 if number < _COMPLETE_BLOCKS else 1 << (number.bit_length() - _COMPLETE_BLOCKS.bit_length() + 1)
    if number % step:
        return 0.0
    return _count(text[start : start + _BLOCK_CHARACTERS]) * step


def _count(text: str) -> float:
    return sum(weight * len(re.findall(kind, text)) for kind, weight in _WEIGHTS)


_RUNS = (
    ("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", 8, 1.15),
    ("0123456789", 3, 1.29),
    ("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", 1, 0.95),
    ("\n", 1, 0.83),
)
"""The characters that the next piece of a text may add to one match of `_WEIGHTS`, how many one match takes at most and
the tokens of a match. 1 stands for any number: only the last one is kept."""
_WHOLE_MATCHES = 24
"""A run of letters or digits is cut behind so many: a multiple of the 8 and the 3 that one match takes."""


class RunningEstimate:
    """The estimated tokens of a text that grows. How it is cut into pieces changes nothing; the cost is linear.

    Attributes:
        tokens: The tokens of the text so far, not rounded.
    """

    __slots__ = ("_counted", "_tail", "tokens")

    def __init__(self) -> None:
        self.tokens = 0.0
        self._counted = 0.0
        """The tokens of the text before the tail."""
        self._tail = ""

    def append(self, piece: str) -> None:
        """Count the next piece."""
        text = self._tail + piece
        cut, self._tail, tail_tokens = len(text), "", 0.0
        for characters, most, weight in _RUNS:
            cut = len(text.rstrip(characters))
            if cut < len(text):
                if most > 1:
                    cut += (len(text) - cut) // _WHOLE_MATCHES * _WHOLE_MATCHES
                self._tail = text[cut:] if most > 1 else text[-1]
                tail_tokens = -(-len(self._tail) // most) * weight
                break
        if cut:
            self._counted += _count(text[:cut])
        self.tokens = self._counted + tail_tokens
