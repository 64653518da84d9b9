"""How the Markdown of a reply is read so that no character of it is lost.

Rule: whatever draws the tokens has every character that was received, except the marks of Markdown themselves. So HTML
and entities are text, a backslash stays, mathematics stays as it was sent, and a link that leads to no web page is
text.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from markdown_it.rules_block.table import escapedSplit, table
from markdown_it.rules_inline import image, link

if TYPE_CHECKING:
    from markdown_it.ruler import RuleOptionsType
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline

_MATH_INLINE = re.compile(
    r"""\\\( .{1,1000}? \\\) | \\\[ .{1,1000}? \\] | \$\$ .{1,1000}? \$\$
    | \$ (?=[^\s$]) (?: (?!\*\*) [^$\n`] ){1,300}? (?<=[^\s\\]) \$ (?!\w)""",
    re.DOTALL | re.VERBOSE,
)
"""Mathematics in a line. The single dollar follows Pandoc (tex_math_dollars): no space inside, no letter or digit after
it. The limits keep the search short in a reply that opens thousands of formulas."""
_MATH_BLOCK = re.compile(r"\\\[|\$\$|\\begin\{(\w+\*?)\}")
_AFTER_MATH = re.compile(r"[ \t]*[.,;:]?[ \t]*")
_WEB_ADDRESS = re.compile(r"https?://|mailto:", re.IGNORECASE)

MAX_LEVELS = 40
"""Levels of nesting that are drawn as such: Python's stack is finite, and markdown-it drops what is deeper than
`maxNesting`, which is set higher."""


def _read_escape(state: StateInline, silent: bool) -> bool:
    """Keep the backslash in the text. It still takes the meaning of the mark that follows."""
    if state.src[state.pos] != "\\":
        return False
    mark = state.src[state.pos + 1 : state.pos + 2]
    text = "\\" + mark if mark and mark != "\n" and state.pos + 1 < state.posMax else "\\"
    if not silent:
        state.pending += text
    state.pos += len(text)
    return True


def _read_inline_math(state: StateInline, silent: bool) -> bool:
    """Keep a formula as it is: a star or an underscore in it is not a mark."""
    if state.src[state.pos] not in "\\$" or not (found := _MATH_INLINE.match(state.src, state.pos, state.posMax)):
        return False
    if not silent:
        state.pending += found[0]
    state.pos = found.end()
    return True


def _read_link(state: StateInline, silent: bool) -> bool:
    """Note the address and the title of a link as they were written."""
    start = state.pos
    if not link(state, silent):
        return False
    if not silent:
        state.tokens[-1].content = _read_address(state, start)
    return True


def _read_image(state: StateInline, silent: bool) -> bool:
    """Note the address and the title of an image as they were written."""
    start = state.pos
    if not image(state, silent):
        return False
    if not silent:
        state.tokens[-1].content = _read_address(state, start + 1)
    return True


def _read_address(state: StateInline, label_start: int) -> str:
    """Return what stands behind the label of the link that was just read, with its parentheses."""
    end = state.pos
    label_end: int = state.md.helpers.parseLinkLabel(state, label_start)
    state.pos = end
    return state.src[label_end + 1 : end]


def _read_block_math(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """Keep lines of mathematics as they are: a minus in front of one is not a list, nor an equals sign a heading."""
    begin = state.bMarks[start_line] + state.tShift[start_line]
    opening = _MATH_BLOCK.match(state.src, begin, state.eMarks[start_line])
    if opening is None or state.is_code_block(start_line):
        return False
    closing = {"\\[": "\\]", "$$": "$$"}.get(opening[0], f"\\end{{{opening[1]}}}")
    line, place = start_line, opening.end()
    while (found := state.src.find(closing, place, state.eMarks[line])) < 0:
        line += 1
        if line >= end_line or state.isEmpty(line) or state.sCount[line] < state.blkIndent:
            return False
        place = state.bMarks[line]
    if not _AFTER_MATH.fullmatch(state.src, found + len(closing), state.eMarks[line]):
        return False  # text follows in the same paragraph
    if not silent:
        state.line = line + 1
        _push_plain_block(state, start_line)
    return True


def _read_table(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """Read a table, but keep its lines as text if a row has more cells than the head: Markdown drops those."""
    token_count = len(state.tokens)
    if not table(state, start_line, end_line, silent):
        return False
    if silent:
        return True
    most = sum(token.type == "th_open" for token in state.tokens[token_count:])
    for line in range(start_line + 2, state.line):
        text = state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]].strip()
        cells = escapedSplit(text)
        if len(cells) - (cells[0] == "") - (len(cells) > 1 and cells[-1] == "") > most:
            del state.tokens[token_count:]
            _push_plain_block(state, start_line)
            break
    return True


def _push_plain_block(state: StateBlock, start_line: int) -> None:
    token = state.push("plain_block", "", 0)
    token.content = state.getLines(start_line, state.line, state.blkIndent, False)
    token.map = [start_line, state.line]


@cache
def make_markdown_parser() -> MarkdownIt:
    """Return the parser of replies."""
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 2 * MAX_LEVELS})
    parser.enable("strikethrough")
    # An address in angle brackets may be a type, such as <std::string>; a definition would be drawn nowhere.
    parser.disable(["entity", "autolink", "html_inline", "html_block", "reference"])
    # What looks like a link to anything else, such as handlers[0](event), stays text.
    parser.validateLink = _WEB_ADDRESS.match  # type: ignore[method-assign, assignment]
    parser.inline.ruler.at("escape", _read_escape)
    parser.inline.ruler.before("escape", "math", _read_inline_math)
    parser.inline.ruler.at("link", _read_link)
    parser.inline.ruler.at("image", _read_image)
    interrupts: RuleOptionsType = {"alt": ["paragraph", "blockquote", "list"]}
    parser.block.ruler.before("code", "math_block", _read_block_math, interrupts)
    parser.block.ruler.at("table", _read_table, {"alt": ["paragraph"]})
    parser.enable("table")
    return parser
