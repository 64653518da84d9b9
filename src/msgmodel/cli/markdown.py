"""Draw the Markdown of a reply on a terminal without losing a character of it.

Rule: what is drawn has every character that was received, except the marks of Markdown themselves. So HTML and entities
are text, a backslash is always drawn, mathematics stays as it was sent, and the address of a link follows its text.
rich's own `Markdown` drops tags, backslashes, addresses, long words in tables and whatever is nested too deeply.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from markdown_it.token import Token
from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import (
    CodeBlock,
    ListElement,
    ListItem,
    Markdown,
    MarkdownElement,
    TableElement,
    TextElement,
)
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from .markdown_rules import MAX_LEVELS, make_markdown_parser

_MIN_COLUMN_WIDTH = 6
"""Cells of the screen that each column of a table needs, so that words can be folded to fit."""
_QUOTE_INDENT = 4


def _parse_blocks(text: str) -> list[list[Token]]:
    """Return the tokens of each block that stands in no other."""
    blocks: list[list[Token]] = []
    for token in make_markdown_parser().parse(text):
        if token.level == 0 and token.nesting >= 0:
            blocks.append([])
        if token.children:
            token.children = list(_show_addresses(token.children))
        blocks[-1].append(token)
    return blocks


def _show_addresses(tokens: Iterable[Token]) -> Iterator[Token]:
    """Yield the tokens of a line, with links and images as styled text that their addresses follow."""
    for token in tokens:
        if token.type == "link_open":
            yield Token("label_open", "link", 1)
        elif token.type == "link_close":
            yield Token("label_close", "link", -1)
            yield Token("address", "link_url", 0, content=f" {token.content}")
        elif token.type == "image":
            yield Token("text", "", 0, content="🌆 ")
            yield Token("label_open", "link", 1)
            yield from _show_addresses(token.children or ())
            yield Token("label_close", "link", -1)
            yield Token("address", "link_url", 0, content=f" {token.content}")
        else:
            yield token


def _fits(block: Iterable[Token], width: int) -> bool:
    """Return whether nested quotes and lists leave half of the width to their text."""
    indents: list[int] = []
    for token in block:
        if token.type in ("blockquote_open", "list_item_open"):
            indents.append(_QUOTE_INDENT if token.type == "blockquote_open" else len(_item_label(token)))
            if sum(indents) > width // 2 or token.level > MAX_LEVELS:
                return False
        elif token.type in ("blockquote_close", "list_item_close"):
            indents.pop()
    return True


def _item_label(token: Token) -> str:
    return f" {token.info}{token.markup} " if token.info else " • "


class _PlainBlock(TextElement):
    """Lines that are drawn as they were received."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.text


class _CodeWithInfo(CodeBlock):
    """A block of code below the words that stood behind its fence."""

    info: str

    @classmethod
    def create(cls, markdown: Markdown, token: Token) -> CodeBlock:
        made = cls((token.info.split() or ["text"])[0], markdown.code_theme)
        made.info = token.info.strip()
        return made

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.info:
            yield Text(self.info, "dim")
        yield from super().__rich_console__(console, options)


class _LabeledItem(ListItem):
    """An item with the number that it was sent with: rich counts on from the first one."""

    label: str

    @classmethod
    def create(cls, markdown: Markdown, token: Token) -> MarkdownElement:
        made = cls()
        made.label = _item_label(token)
        return made

    def render_labeled(self, console: Console, options: ConsoleOptions) -> RenderResult:
        style = console.get_style("markdown.item.number" if self.label.strip() != "•" else "markdown.item.bullet")
        width = len(self.label)
        inner = options.update(width=options.max_width - width)
        for index, line in enumerate(console.render_lines(self.elements, inner, style=self.style)):
            yield Segment(self.label if index == 0 else " " * width, style)
            yield from line
            yield Segment.line()
        if not self.elements:
            yield Segment(self.label, style)
            yield Segment.line()


class _LabeledList(ListElement):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for item in self.items:
            assert isinstance(item, _LabeledItem)
            yield from item.render_labeled(console, options)


class _FoldedTable(TableElement):
    """A table that folds long words: rich cuts them off."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        head = self.header.row.cells if self.header and self.header.row else []
        rows = [[cell.content for cell in row.cells] for row in self.body.rows] if self.body else []
        if len(head) * _MIN_COLUMN_WIDTH > options.max_width:
            yield Text("\n").join(Text(" | ").join(row) for row in [[cell.content for cell in head], *rows])
            return
        drawn = Table(box=box.SIMPLE, pad_edge=False, style="markdown.table.border", collapse_padding=True)
        for cell in head:
            heading = cell.content.copy()
            heading.stylize("markdown.table.header")
            drawn.add_column(heading, overflow="fold")
        for row in rows:
            drawn.add_row(*row)
        yield drawn


class TerminalMarkdown(Markdown):
    """A reply, ready to be printed by rich.

    Args:
        text: the text of the reply, safe for a terminal.
    """

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "plain_block": _PlainBlock,
        "fence": _CodeWithInfo,
        "bullet_list_open": _LabeledList,
        "ordered_list_open": _LabeledList,
        "list_item_open": _LabeledItem,
        "table_open": _FoldedTable,
    }
    inlines = Markdown.inlines | {"link", "link_url"}

    def __init__(self, text: str) -> None:
        super().__init__("")
        self._lines = text.split("\n")
        self._blocks = _parse_blocks(text)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.parsed = []
        for block in self._blocks:
            self.parsed += block if _fits(block, options.max_width) else [self._make_plain(block)]
        yield from super().__rich_console__(console, options)

    def _make_plain(self, block: list[Token]) -> Token:
        first, end = block[0].map or (0, 0)
        return Token("plain_block", "", 0, content="\n".join(self._lines[first:end]))
