"""Reasoning that a model writes into its text, between tags, to reasoning. Pure.

Servers that know the model's template move it to a field of its own; others leave it in the text. The tag before it
may be a part of the prompt, so that the reply begins within the reasoning.

Rule: only a tag at the very beginning of a reply opens reasoning, so that a text about tags stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from ..deltas import ReasoningDelta, TextDelta

_PAIRS = (
    ("<think>", "</think>"),  # DeepSeek R1, Qwen, MiniMax, Perplexity
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("[THINK]", "[/THINK]"),  # Magistral
    ("<seed:think>", "</seed:think>"),  # Seed OSS
    ("\u25c1think\u25b7", "\u25c1/think\u25b7"),  # Kimi
)

_WRITES_TAGS = re.compile(
    r"deepseek-r1|r1-distill|r1-\d|qwq|qwen-?3|sonar-reasoning|minimax-?m\d|magistral|seed-oss|kimi-.*thinking"
    r"|glm-(4\.[1-9]|z1|[5-9])|phi-?4.*reasoning|nemotron|exaone-(deep|4)|marco-o1|openthinker|smollm-?3|hunyuan"
    r"|ernie.*thinking|deephermes|lfm.*thinking|gemma-?4|cogito|skywork-or1|ring-|reka-flash-3"
)
"""Models that write their reasoning between such tags, by their names. From their model cards."""


def writes_thinking_tags(model: str) -> bool:
    """Return whether a model is known to write its reasoning between tags."""
    return bool(_WRITES_TAGS.search(model.lower()))


class ThinkingTagReader:
    """Splits the text of one reply into reasoning and text, however its pieces are cut.

    White space at the edges of the reasoning belongs to the tags: it is dropped after a tag.
    """

    def __init__(self, *, opened: bool) -> None:
        """Begin.

        Args:
            opened: Whether the prompt ends in the opening tag, so that the reply begins within the reasoning.
        """
        self._opened = opened
        self._state: Literal["before", "within", "behind", "after"] = "before"
        """Before the first word; within the reasoning; in the white space behind it; in the text."""
        self._closers: tuple[str, ...] = tuple(closer for _, closer in _PAIRS)
        self._skips_space = False
        self._held = ""
        """The end of the text so far, which may be the beginning of a tag."""

    @property
    def is_done(self) -> bool:
        """Whether all that follows is text."""
        return self._state == "after"

    def read_text(self, text: str) -> Iterator[TextDelta | ReasoningDelta]:
        """Yield what a piece of text is."""
        text, self._held = self._held + text, ""
        if self._state == "before":
            text = self._read_opener(text)
        if self._state == "within":
            reasoning, text = self._split_reasoning(text)
            if reasoning:
                yield ReasoningDelta(reasoning)
        if self._state == "behind" and (text := text.lstrip()):
            self._state = "after"
        if self._state == "after" and text:
            yield TextDelta(text)

    def take_rest(self) -> Iterator[TextDelta | ReasoningDelta]:
        """Yield what was held back: no more of the text follows, or something else comes first."""
        held, self._held = self._held, ""
        if held:
            yield ReasoningDelta(held) if self._state == "within" else TextDelta(held)

    def _read_opener(self, text: str) -> str:
        """Return the text after the opening tag, if there is one; "" if more of it is needed to decide."""
        bare = text.lstrip()
        for opener, closer in _PAIRS:
            if bare.startswith(opener):
                self._state, self._closers, self._skips_space = "within", (closer,), True
                return bare[len(opener) :]
            if opener.startswith(bare):
                self._held = text
                return ""
        self._state = "within" if self._opened else "after"
        return text

    def _split_reasoning(self, text: str) -> tuple[str, str]:
        """Return the reasoning in a text, and the text behind its closing tag."""
        if self._skips_space:
            text = text.lstrip()
            self._skips_space = not text
        ends = [(at, closer) for closer in self._closers if (at := text.find(closer)) >= 0]
        if ends:
            at, closer = min(ends)
            self._state = "behind"
            return text[:at], text[at + len(closer) :]
        longest = max(map(len, self._closers)) - 1
        for at in range(max(0, len(text) - longest), len(text)):
            if any(closer.startswith(text[at:]) for closer in self._closers):
                self._held = text[at:]
                return text[:at], ""
        return text, ""
