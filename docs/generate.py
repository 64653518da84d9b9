"""Writes the tables of the site from the code: a line `{{ name }}` in a page becomes what TABLES has by that name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from inspect import getdoc
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgmodel
from msgmodel import _rows, _verdict, events
from msgmodel._provider import Provider
from msgmodel.cli.exits import EXITS


def on_page_markdown(markdown: str, **kwargs: Any) -> str:
    """The hook that mkdocs calls for each page."""
    return re.sub(r"^\{\{ (\w+) \}\}$", lambda found: TABLES[found[1]](), markdown, flags=re.M)


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    lines = [list(titles), *(list(row) for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def code(*words: str) -> str:
    return ", ".join(f"`{word}`" for word in words if word)


def _type(hint: Any) -> str:
    """A type as a reader wants it: the name of a class, the values of a literal."""
    if hint is type(None):
        return "None"
    arguments = get_args(hint)
    name = getattr(get_origin(hint), "__name__", "")
    if name == "Literal":
        return " | ".join(repr(value) for value in arguments)
    if name in ("UnionType", "Union"):
        return " | ".join(map(_type, arguments))
    if name in ("NotRequired", "Required"):
        return _type(arguments[0])
    if arguments:
        return f"{name}[{', '.join(map(_type, arguments))}]"
    return str(getattr(hint, "__name__", hint))


def event_table() -> str:
    """One row a kind of event."""
    kinds = [*get_args(events.PanelEvent), events.BatchFinal]
    rows = []
    for kind in kinds:
        hints = get_type_hints(kind)
        names = [f"`{name}`" + ("" if name in kind.__required_keys__ else "?") for name in hints]
        (event,) = get_args(hints["event"])
        rows.append([code(event), " ".join((getdoc(kind) or "").split()), ", ".join(names[1:])])
    return table(("`event`", "what it says", "keys (`?`: not always there)"), rows)


def key_tables() -> str:
    """The keys of the two terminal events and of what is inside them, with their types."""
    found = []
    names = "PanelFinal PanelError PanelRetry PanelToolCall Usage Timing Privacy ToolCall Source Segment BatchFinal"
    for name in [*names.split(), "PanelSummary"]:
        kind = getattr(events, name)
        hints = get_type_hints(kind, include_extras=True)
        found.append(
            f"### {name}\n\n" + table(("key", "type"), ((code(key), code(_type(hints[key]))) for key in hints))
        )
    return "\n\n".join(found)


def finish_table() -> str:
    """Every finish reason that is known, by wire and by our verdict."""
    titles = ["`status`", "OpenAI Chat and compatible", "OpenAI Responses", "Anthropic", "Gemini"]
    rows = []
    for status in get_args(events.Status):
        words = [
            code(*(word for word, verdict in _verdict.FINISH[wire].items() if verdict == status and not word.isdigit()))
            for wire in ("openai_chat", "openai_responses", "anthropic", "gemini")
        ]
        rows.append([code(status), *words])
    return table(titles, rows)


def code_table() -> str:
    """The error codes, and whether the same request may succeed a little later."""
    rows = [
        [code(name), _ERROR_TYPES.get(name, "`APIError`"), "yes" if _verdict.transient(name) else ""]
        for name in get_args(events.ErrorCode)
    ]
    return table(("`code`", "`error_type`", "tried again by itself"), rows)


_ERROR_TYPES = dict.fromkeys(("network", "timeout", "interrupted", "protocol"), "`StreamingError`") | {
    "cancelled": "`StreamingError` by you, `APIError` by the provider"
}


def _providers(rows: Iterable[Provider]) -> str:
    return table(
        ("provider", "other names", "wire", "base URL", "variable of the URL", "key", "default model"),
        (
            [
                f"[`{row.name}`]({row.website})",
                code(*row.aliases),
                code(row.wire),
                code(row.base_url),
                code(row.base_url_variable),
                code(*row.keys) + ("" if row.needs_key else " (none needed)"),
                code(row.default_model),
            ]
            for row in rows
        ),
    )


def option_table() -> str:
    """The keywords that every function takes."""
    source = Path(msgmodel.__file__).with_name("_question.py").read_text("utf-8")
    body = source.split("class Options(", 1)[1].split("\n\n\n", 1)[0]
    found = re.findall(r'^    (\w+): ([^\n]+)\n    """(.+?)"""$', body, re.M | re.S)
    return table(("keyword", "type", "what it does"), ([code(n), code(t), " ".join(d.split())] for n, t, d in found))


TABLES: dict[str, Callable[[], str]] = {
    "event_table": event_table,
    "key_tables": key_tables,
    "finish_table": finish_table,
    "code_table": code_table,
    "option_table": option_table,
    "main_providers": lambda: _providers(_rows.MAIN),
    "hosted_providers": lambda: _providers(_rows.HOSTED),
    "servers": lambda: _providers(_rows.SERVERS),
    "exit_table": lambda: table(("code", "meaning"), ([str(number), meaning] for number, meaning in EXITS.items())),
}
