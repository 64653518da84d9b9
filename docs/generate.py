"""Writes the tables of the site from the code: a line `{{ name }}` in a page becomes what TABLES has by that name."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields
from functools import cache
from inspect import getdoc
from types import MappingProxyType
from typing import Any, get_args, get_origin, get_type_hints

from msgmodel import _api, _files, _question, _rows, _verdict, config, errors, events
from msgmodel._ask import EFFORT, Dialect
from msgmodel._provider import Provider
from msgmodel.cli.exits import EXITS
from msgmodel.testing.errors import ERROR_STATUSES


def on_page_markdown(markdown: str, **kwargs: Any) -> str:
    """The hook that mkdocs calls for each page."""
    return re.sub(r"^\{\{ (\w+) \}\}$", lambda found: TABLES[found[1]](), markdown, flags=re.M)


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    lines = [list(titles), *(list(row) for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(text: str) -> str:
    """Outside of code a bar must be escaped; within, the backslash would be seen."""
    return re.sub(r"`[^`]*`|\|", lambda found: "\\|" if found[0] == "|" else found[0], " ".join(text.split()))


def code(*words: str) -> str:
    return ", ".join(f"`{word}`" for word in words if word)


_NAMED = {events.Status: "Status", events.ErrorCode: "ErrorCode"}
"""Types whose values have a table of their own."""


def _type(hint: Any) -> str:
    """A type as a reader wants it: the name of a class, the values of a literal."""
    if hint is type(None):
        return "None"
    if hint in _NAMED:
        return _NAMED[hint]
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


@cache
def meanings(kind: type) -> Mapping[str, str]:
    """What stands below each field of a class."""
    (tree,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, note in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(note, ast.Expr) and isinstance(note.value, ast.Constant):
            assert isinstance(field.target, ast.Name)
            found[field.target.id] = inspect.cleandoc(str(note.value.value))
    return found


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


_SAME = {
    "event": "The kind of event.",
    "panel_id": "The panel that it belongs to: yours, or eight hexadecimal digits.",
    "content": "All text of the reply: the `panel_delta` events joined.",
    "provider": "Who was asked, by its name.",
    "wire": "The API that was spoken.",
    "model": "The model, as the provider names it.",
    "status": "Our verdict: see [How streams end](endings.md).",
    "truncated": "Whether `status` is `truncated`.",
    "finish_reason": "The provider's own word.",
    "privacy": "What happens to the data of this request; see `Privacy`.",
    "usage": "The tokens; see `Usage`.",
    "timing": "The seconds; see `Timing`.",
    "cost": "US dollars; None where the price is unknown.",
    "request_id": "The provider's name for the request, which its support asks for; None where it gave none.",
    "message": "The assistant's turn, to be appended to `messages`.",
    "segments": "The responses that the reply is made of, where it was continued or resumed; see `Segment`.",
    "reasoning": "All reasoning that was shown.",
    "refusal": "The model's own words for refusing.",
    "tool_calls": "The calls that the model wants made; see `ToolCall`.",
    "sources": "What the reply cites; see `Source`.",
    "error": "What happened, and what to do; safe to show in a browser.",
    "error_type": "Who said so: the provider (`APIError`), or nobody, as the stream broke (`StreamingError`).",
    "code": "Why, from a closed list; see [How streams end](endings.md).",
    "status_code": "The HTTP status of the provider's answer, where that was an error.",
    "retryable": "Whether the same request may succeed a little later.",
    "retry_after": "Seconds that the provider asks to wait.",
    "id": "The call's, to which its result is given.",
    "name": "Of the tool.",
    "arguments": "The text as it came.",
    "arguments_json": "What the text means; None where the call is not whole, or its text is no JSON.",
    "complete": "Whether all of it came; if not, there is nothing to execute.",
    "reason": "Why somebody is asked again.",
    "url": "Its address.",
    "title": "Its title.",
    "text": "What was quoted of it.",
    "delta": "The piece.",
    "training_retention": "Whether the provider may train on it; None where that is unknown.",
    "data_retention": "How long the provider keeps it, in words.",
    "provider_policy": "What the provider promises, in words.",
    "special_conditions": "When something else holds.",
    "first_delta_seconds": "Until the first text, reasoning or call; None where none came.",
    "total_seconds": "Until the end.",
}
"""Keys that mean the same wherever they stand. What stands below a key in the code goes before these."""


_NO_PANEL = "It belongs to all of them."


def key_tables() -> str:
    """The keys of the events and of what is inside them, with types and meanings."""
    names = "PanelFinal PanelError PanelRetry PanelToolCall Usage Timing Privacy ToolCall Source Segment"
    return "\n\n".join(f"### {name}\n\n{_keys(getattr(events, name))}" for name in names.split())


def batch_tables() -> str:
    """The keys of the summary of a batch."""
    return "\n\n".join(f"### {kind.__name__}\n\n{_keys(kind)}" for kind in (events.BatchFinal, events.PanelSummary))


def _keys(kind: type) -> str:
    hints = get_type_hints(kind, include_extras=True)
    optional = getattr(kind, "__optional_keys__", frozenset())
    return table(
        ("key (`?`: not always there)", "type", "meaning"),
        (
            [
                code(key) + ("?" if key in optional else ""),
                code(_type(hint)),
                _NO_PANEL if hint is type(None) else meanings(kind).get(key) or _SAME[key],
            ]
            for key, hint in hints.items()
        ),
    )


def _fields(kind: Any, more: Mapping[str, str] = MappingProxyType({})) -> str:
    """The fields of a dataclass, with types, defaults and meanings; `more`: meanings that do not stand in the code."""
    rows = []
    for name, field in ((field.name, field) for field in fields(kind)):
        default = field.default if field.default is not MISSING else field.default_factory()  # type: ignore[misc]
        kept = field.type if isinstance(field.type, str) else _type(field.type)
        shown = "OpenAI's words" if default is EFFORT else code(repr(default))
        rows.append([code(name), code(kept), shown, meanings(kind).get(name) or more[name]])
    return table(("field", "type", "default", "meaning"), rows)


def config_tables() -> str:
    """The fields of every config."""
    kinds = (config.OpenAIConfig, config.AnthropicConfig, config.GeminiConfig, config.LocalConfig)
    return "\n\n".join(
        f"### {kind.__name__}\n\n{(getdoc(kind) or '').partition(chr(10))[0]}\n\n{_fields(kind)}" for kind in kinds
    )


def file_table() -> str:
    """Which types of file go to whom, and how large."""
    suffixes: dict[str, list[str]] = {}
    for suffix, media_type in _files._BY_SUFFIX.items():
        suffixes.setdefault(media_type, []).append(f".{suffix}")
    wires = {name: limits for name, limits in _files.LIMITS.items() if name != "local"}
    rows: dict[tuple[str, ...], list[str]] = {
        tuple(_size(limits.text) for limits in wires.values()): ["text of any kind, in any encoding that can be told"]
    }
    for media_type, names in suffixes.items():
        sizes = tuple(_size(limits.types.get(media_type)) for limits in wires.values())
        if any(sizes):
            rows.setdefault(sizes, []).append(code(*names))
    return table(("file", *map(code, wires)), ([", ".join(names), *sizes] for sizes, names in rows.items()))


def _size(limit: int | None) -> str:
    return f"{limit / _files.MB:g} MB" if limit else ""


def error_table() -> str:
    """The exceptions, each below what it is a kind of."""
    rows = []
    for name, kind in vars(errors).items():
        if inspect.isclass(kind) and issubclass(kind, errors.MsgModelError):
            parents = [base.__name__ for base in kind.__bases__ if base is not Exception]
            rows.append([code(name), code(*parents), (getdoc(kind) or "").partition("\n\n")[0]])
    return table(("exception", "is also", "what it says"), rows)


def command_tables() -> str:
    """The options of the commands, as click knows them."""
    import click

    from msgmodel.cli import app

    found = []
    for name, command in app.COMMANDS.items():
        if isinstance(command, click.Group):
            rows = [[code(f"{name} {inner}"), each.get_short_help_str(200)] for inner, each in command.commands.items()]
            found.append(f"### msgmodel {name}\n\n" + table(("command", "what it does"), rows))
            continue
        options = [
            option
            for option in command.params
            if isinstance(option, click.Option) and not option.hidden and option.help
        ]
        shown = "msgmodel [ask]" if name == "ask" else f"msgmodel {name}"
        found.append(f"### {shown}\n\n" + table(("option", "what it does"), map(_option, options)))
    return "\n\n".join(found)


def _option(option: Any) -> list[str]:
    value = option.metavar or " | ".join(getattr(option.type, "choices", ()))
    return [", ".join(f"`{name} {value}`" if value else f"`{name}`" for name in option.opts), option.help]


_DIALECT = {
    "max_tokens": "The field that limits the reply.",
    "system_role": "The role of system text.",
    "store": "Whether the reply is to be stored; None sends nothing.",
    "include_usage": "Whether it takes `stream_options`, which asks for the usage.",
}


def dialect_table() -> str:
    """The fields of a dialect."""
    return _fields(Dialect, _DIALECT)


def server_settings() -> str:
    """What the server may do."""
    from msgmodel.server import Settings

    return _fields(Settings, _SETTINGS)


_SETTINGS = {
    "max_body_bytes": "Of one request.",
    "max_panels": "Of one request.",
    "max_streams_per_client": "That run at a time for one client.",
}


def status_table() -> str:
    """The statuses that the scripted provider can refuse with."""
    return table(
        ("wire", "`Reply(error=...)`"), ([code(w), ", ".join(map(str, given))] for w, given in ERROR_STATUSES.items())
    )


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


def verdict_table() -> str:
    """What each status means, and what an application does about it."""
    return table(
        ("`status`", "what it means", "what to do"),
        ([code(name), *_STATUSES[name]] for name in get_args(events.Status)),
    )


_STATUSES = {
    "complete": ("The model said all it wanted.", "Show it."),
    "truncated": (
        "A limit cut it short, or a fault at the provider; `truncated_in` says in the middle of what.",
        "Say so; raise `max_tokens`, or let it go on by itself: `continue_truncated`.",
    ),
    "filtered": ("Refused by the model, or filtered by the provider.", "Show `refusal`; ask otherwise."),
    "tool_calls": ("The model waits for the results of tools.", "Call them, and ask again with their results."),
    "paused": ("Not finished: the provider wants to be asked to go on.", "`continue_truncated` does it by itself."),
    "unknown": ("The provider's word says none of these.", "Treat it as not whole; see `finish_reason`."),
}


def code_table() -> str:
    """The error codes: when they occur, and whether the same request may succeed a little later."""
    rows = [
        [
            code(name),
            _ERROR_TYPES.get(name, "`APIError`"),
            *_CODES[name],
            "yes" if _verdict.transient(name) else "",
        ]
        for name in get_args(events.ErrorCode)
    ]
    return table(("`code`", "`error_type`", "when", "what to do", "tried again by itself"), rows)


_CODES = {
    "authentication": ("The provider does not accept the key.", "Look where the key comes from: the message names it."),
    "permission": ("The key may not do this.", "Ask for the right on the account, or for another model."),
    "not_found": ("There is no such model, or nothing at this address.", "Another `model`; see `base_url`."),
    "rate_limit": ("Too many requests or tokens at a time.", "Wait `retry_after` seconds, or use `fallbacks`."),
    "quota": ("The account has no credit left.", "See its billing: waiting does not help."),
    "context_length": ("The question is longer than the model's context.", "Shorten the history or the file."),
    "too_large": ("The request has too many bytes.", "Send smaller files."),
    "invalid_request": ("The provider does not take a field of the request.", "Leave out what the message names."),
    "content_policy": ("The provider refuses the question.", "Ask otherwise; it is taken to nobody else."),
    "overloaded": ("The provider has no capacity now.", "Later, or `fallbacks`."),
    "server": ("A fault at the provider.", "Later, or `fallbacks`."),
    "network": ("No connection, or it broke before an answer.", "See the address, the proxy, the network."),
    "timeout": ("No text for `timeout` seconds; pings and comments are not text.", "More patience, or `fallbacks`."),
    "interrupted": (
        "The answer began, and ended before the reply did.",
        "Keep `content`; ask again, or `resume_interrupted`.",
    ),
    "protocol": ("Bytes that are no such stream.", "See `base_url`: it is probably no such API."),
    "cancelled": ("You left, or the provider stopped it.", "Nothing."),
}

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
                code(*row.keys, row.key_file) + ("" if row.needs_key else " (none needed)"),
                code(row.default_model),
            ]
            for row in rows
        ),
    )


def option_table() -> str:
    """The keywords that every function takes."""
    rows = [
        [code(name), code(kind.__annotations__[name].__forward_arg__), meaning]
        for kind in (_question.Options, _api.SyncOptions)
        for name, meaning in meanings(kind).items()
    ]
    return table(("keyword", "type", "what it does"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "event_table": event_table,
    "key_tables": key_tables,
    "batch_tables": batch_tables,
    "config_tables": config_tables,
    "file_table": file_table,
    "error_table": error_table,
    "command_tables": command_tables,
    "dialect_table": dialect_table,
    "status_table": status_table,
    "server_settings": server_settings,
    "finish_table": finish_table,
    "verdict_table": verdict_table,
    "code_table": code_table,
    "option_table": option_table,
    "main_providers": lambda: _providers(_rows.MAIN),
    "hosted_providers": lambda: _providers(_rows.HOSTED),
    "servers": lambda: _providers(_rows.SERVERS),
    "exit_table": lambda: table(("code", "meaning"), ([str(number), meaning] for number, meaning in EXITS.items())),
}
