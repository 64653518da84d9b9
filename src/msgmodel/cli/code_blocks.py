"""Find the first block of code in a reply, as `--extract` prints it. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple


class CodeBlockText(NamedTuple):
    """The text of a block of code."""

    text: str
    is_closed: bool
    """Whether its last fence arrived: a reply that was cut off may lack it."""


def find_first_code_block(markdown: str) -> CodeBlockText | None:
    """Return the first fenced block of code, also if it stands in a list or a quote; None if there is none.

    Args:
        markdown: The text of the reply.
    """
    from markdown_it import MarkdownIt

    for token in MarkdownIt("commonmark").parse(markdown):
        if token.type == "fence":
            begin, end = token.map or (0, 0)
            last = re.split(r"\r\n?|\n", markdown)[end - 1].lstrip(" \t>") if end - begin > 1 else ""
            return CodeBlockText(token.content, last.startswith(token.markup[:3]))
    return None
