"""Generate the tables of the site from the code: a line `{{ name }}` in a page is replaced by TABLES[name]().

`python docs/generate.py` writes the list of functions in CONTRIBUTING.md anew.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields
from functools import cache
from inspect import getdoc
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args, get_origin, get_type_hints

from msgmodel import _options, config, errors, events
from msgmodel.adapters._openai_fields import ENFORCED_HERE, FIELDS, Place
from msgmodel.cli.exits import EXITS
from msgmodel.question import files
from msgmodel.question.question import EFFORT_FIELDS, Dialect
from msgmodel.registry import rows as _rows
from msgmodel.registry.provider import Provider
from msgmodel.reply import shells
from msgmodel.reply.attempt import Attempt
from msgmodel.reply.exchange import Exchange
from msgmodel.reply.panel import PanelBuilder
from msgmodel.testing.errors import ERROR_STATUSES
from msgmodel.wires import finish_reasons, provider_errors
from msgmodel.wires.anthropic import AnthropicParser
from msgmodel.wires.deltas import TextDelta
from msgmodel.wires.sse import SseDecoder


def on_page_markdown(markdown: str, **kwargs: Any) -> str:
    """Replace the table names in a page. mkdocs calls this hook for each page."""
    return re.sub(r"^\{\{ (\w+) \}\}$", lambda found: TABLES[found[1]](), markdown, flags=re.M)


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    lines = [list(titles), *(list(row) for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(text: str) -> str:
    """Escape bars outside of code. Inside code, the backslash would be visible."""
    return re.sub(r"`[^`]*`|\|", lambda found: "\\|" if found[0] == "|" else found[0], " ".join(text.split()))


def code(*words: str) -> str:
    return ", ".join(f"`{word}`" for word in words if word)


_NAMED = {events.Status: "Status", events.ErrorCode: "ErrorCode"}
"""Types whose values have their own table."""


def _type(hint: Any) -> str:
    """Return a type as a reader wants to see it: the name of a class, the values of a literal."""
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
    """Return the docstring below each field of a class."""
    (tree,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, note in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(note, ast.Expr) and isinstance(note.value, ast.Constant):
            assert isinstance(field.target, ast.Name)
            found[field.target.id] = inspect.cleandoc(str(note.value.value))
    return found


def event_table() -> str:
    """List the kinds of events."""
    kinds = [*get_args(events.PanelEvent), events.BatchFinal]
    rows = []
    for kind in kinds:
        hints = get_type_hints(kind)
        names = [f"`{name}`" + ("" if name in kind.__required_keys__ else "?") for name in hints]
        (event,) = get_args(hints["event"])
        rows.append([code(event), " ".join((getdoc(kind) or "").split()), ", ".join(names[1:])])
    return table(("`event`", "what it means", "keys (`?`: optional)"), rows)


_SAME = {
    "event": "The kind of event.",
    "panel_id": "The id of the panel: yours, or eight hexadecimal digits.",
    "content": "All text of the reply: the `panel_delta` events, joined.",
    "provider": "The name of the provider.",
    "wire": "The wire (API) that was used.",
    "model": "The model, as the provider names it.",
    "status": "Our verdict: see [How streams end](endings.md).",
    "receipt": "What was asked for, and who answered; see `Receipt`.",
    "warnings": "What was changed on the way; see `ReplyWarning`. Normally empty.",
    "tool_runs": "The tools that the provider ran; see `ToolRun`.",
    "details": "What else the provider reported; see `ReplyDetails`.",
    "truncated": "Whether `status` is `truncated`.",
    "finish_reason": "The provider's own word.",
    "privacy": "What the provider does with the data of this request; see `Privacy`.",
    "usage": "The tokens; see `Usage`.",
    "timing": "The seconds; see `Timing`.",
    "cost": "The price in US dollars; None if it is unknown.",
    "cost_source": "`provider` if the provider states the price, as routers do; `price_list` if it is computed.",
    "request_id": "The provider's id of the request, which its support asks for; None if it sent none.",
    "message": "The assistant's turn, to append to `messages`.",
    "segments": "The responses that make up the reply, if it was continued or resumed; see `Segment`.",
    "reasoning": "All reasoning that the provider showed.",
    "refusal": "The model's own words for its refusal.",
    "tool_calls": "The tool calls that the model requests; see `ToolCall`.",
    "sources": "The sources that the reply cites; see `Source`.",
    "error": "What happened and what to do; safe to show in a browser.",
    "error_type": "`APIError` if the provider reported the error, `StreamingError` if the stream broke.",
    "code": "The reason, from a closed list; see [How streams end](endings.md).",
    "status_code": "The HTTP status of the provider's response, if it was an error.",
    "retryable": "Whether the same request may succeed a little later.",
    "retry_after": "Seconds that the provider asks to wait.",
    "id": "The id of the call, which its result must name.",
    "name": "The name of the tool.",
    "arguments": "The arguments as the model wrote them.",
    "arguments_json": "The parsed arguments; None if the call is incomplete or the text is not valid JSON.",
    "complete": "Whether the call is complete. Never execute an incomplete one.",
    "reason": "The reason for the new request.",
    "phase": "What the panel waits for.",
    "url": "Its address.",
    "title": "Its title.",
    "text": "The quoted text.",
    "delta": "The piece of text.",
    "item": "The element, as JSON.",
    "method": "How: see [Typed replies](typed-replies.md).",
    "start": "Where the citation begins in `content`, in characters; absent if the provider reports no place.",
    "end": "Where it ends.",
    "date": "The date of the source, in the provider's words.",
    "kind": "What it is; for a call, what the application must run, if that is not a function.",
    "media_type": "Such as `image/png`; None if the provider named none.",
    "input": "What the tool was asked; see `ToolRun`.",
    "output": "The start of its result; see `ToolRun`.",
    "moderation": "The result of the provider's moderation, in its own words.",
    "refusal_category": "The provider's word for the kind of refusal.",
    "training_retention": "Whether the provider may train on the data; None if unknown.",
    "data_retention": "How long the provider keeps the data, in words.",
    "provider_policy": "What the provider promises, in words.",
    "special_conditions": "Conditions under which other rules apply.",
    "first_delta_seconds": "Seconds until the first text, reasoning or call; None if there was none.",
    "total_seconds": "Seconds until the end.",
}
"""Meanings of keys that are the same in every event. A docstring below a key in the code takes precedence."""


_NO_PANEL = "None: the event belongs to all panels."


def key_tables() -> str:
    """List the keys of the events and of the dicts inside them, with types and meanings."""
    names = "PanelFinal PanelError PanelRetry PanelObject PanelItem PanelProgress PanelToolCall PanelPart "
    names += "PanelToolRun Usage Timing Privacy ToolCall ToolRun Source ReplyDetails Receipt OutputReceipt "
    names += "OutputError RequestRecord ReplyWarning Segment"
    return "\n\n".join(f"### {name}\n\n{_keys(getattr(events, name))}" for name in names.split())


def batch_tables() -> str:
    """List the keys of the summary of a batch."""
    return "\n\n".join(f"### {kind.__name__}\n\n{_keys(kind)}" for kind in (events.BatchFinal, events.PanelSummary))


def _keys(kind: type) -> str:
    hints = get_type_hints(kind, include_extras=True)
    optional = getattr(kind, "__optional_keys__", frozenset())
    return table(
        ("key (`?`: optional)", "type", "meaning"),
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
    """List the fields of a dataclass. `more` holds meanings that are not in the code."""
    rows = []
    for name, field in ((field.name, field) for field in fields(kind)):
        default = field.default if field.default is not MISSING else field.default_factory()  # type: ignore[misc]
        kept = field.type if isinstance(field.type, str) else _type(field.type)
        shown = "the words of OpenAI" if default is EFFORT_FIELDS else code(repr(default))
        rows.append([code(name), code(kept), shown, meanings(kind).get(name) or more[name]])
    return table(("field", "type", "default", "meaning"), rows)


def config_tables() -> str:
    """List the fields of every config."""
    kinds = (config.OpenAIConfig, config.AnthropicConfig, config.GeminiConfig, config.LocalConfig)
    return "\n\n".join(
        f"### {kind.__name__}\n\n{(getdoc(kind) or '').partition(chr(10))[0]}\n\n{_fields(kind)}" for kind in kinds
    )


def file_table() -> str:
    """List the types of files that each wire takes, with size limits."""
    suffixes: dict[str, list[str]] = {}
    for suffix, media_type in files._BY_SUFFIX.items():
        suffixes.setdefault(media_type, []).append(f".{suffix}")
    wires = {name: limits for name, limits in files.SIZE_LIMITS.items() if name != "local"}
    rows: dict[tuple[str, ...], list[str]] = {
        tuple(_size(limits.text) for limits in wires.values()): [
            "text of any kind, in any encoding that can be recognized"
        ]
    }
    for media_type, names in suffixes.items():
        sizes = tuple(_size(limits.types.get(media_type)) for limits in wires.values())
        if any(sizes):
            rows.setdefault(sizes, []).append(code(*names))
    return table(("file", *map(code, wires)), ([", ".join(names), *sizes] for sizes, names in rows.items()))


def _size(limit: int | None) -> str:
    return f"{limit / files.MB:g} MB" if limit else ""


def error_table() -> str:
    """List the exceptions with their base classes."""
    rows = []
    for name, kind in vars(errors).items():
        if inspect.isclass(kind) and issubclass(kind, errors.MsgModelError):
            parents = [base.__name__ for base in kind.__bases__ if base is not Exception]
            rows.append([code(name), code(*parents), (getdoc(kind) or "").partition("\n\n")[0]])
    return table(("exception", "base class", "what it means"), rows)


def command_tables() -> str:
    """List the options of the commands, as click knows them."""
    import click

    from msgmodel.cli import command_table

    found = []
    for name in command_table.COMMAND_NAMES:
        command = command_table.load_command(name)
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
    "max_tokens": "The field that limits the length of the reply.",
    "system_role": "The role of the system text.",
    "store": "The value of `store`; None does not send it.",
    "include_usage": "Whether the provider accepts `stream_options`, which requests the usage.",
}


def dialect_table() -> str:
    """List the fields of a dialect."""
    return _fields(Dialect, _DIALECT)


def server_settings() -> str:
    """List the settings of the server."""
    from msgmodel.server import Settings

    return _fields(Settings, _SETTINGS)


_SETTINGS = {
    "max_body_bytes": "Of one request.",
    "max_panels": "Of one request.",
    "max_streams_per_client": "That run at a time for one client.",
    "max_readers_per_client": "Answers that one client reads at a time.",
}


def status_table() -> str:
    """List the error statuses of the scripted provider."""
    return table(
        ("wire", "`Reply(error=...)`"), ([code(w), ", ".join(map(str, given))] for w, given in ERROR_STATUSES.items())
    )


def finish_table() -> str:
    """List every known finish reason, by wire and by verdict."""
    titles = ["`status`", "OpenAI Chat and compatible", "OpenAI Responses", "Anthropic", "Gemini"]
    rows = []
    for status in get_args(events.Status):
        words = [
            code(
                *(
                    word
                    for word, verdict in finish_reasons.STATUS_BY_REASON[wire].items()
                    if verdict == status and not word.isdigit()
                )
            )
            for wire in ("openai_chat", "openai_responses", "anthropic", "gemini")
        ]
        rows.append([code(status), *words])
    return table(titles, rows)


def verdict_table() -> str:
    """List what each status means and what an application does about it."""
    return table(
        ("`status`", "what it means", "what to do"),
        ([code(name), *_STATUSES[name]] for name in get_args(events.Status)),
    )


_STATUSES = {
    "complete": ("The model finished.", "Show the reply."),
    "truncated": (
        "A limit, or a fault at the provider, cut the reply off; `truncated_in` says in the middle of what.",
        "Tell the user; raise `max_tokens`, or use `continue_truncated`.",
    ),
    "filtered": ("The model refused, or the provider filtered the reply.", "Show `refusal`; rephrase the question."),
    "tool_calls": ("The model waits for tool results.", "Run the tools, and send their results."),
    "waiting": (
        "A run of tools waits for a decision, or for a result of the application.",
        "Decide, and call `resume_tools`: see [Tools that run](tools.md).",
    ),
    "paused": ("Not finished: the provider expects a request to continue.", "Use `continue_truncated`."),
    "unknown": ("The provider's word means none of these.", "Treat the reply as incomplete; see `finish_reason`."),
}


def code_table() -> str:
    """List the error codes: when they occur, and whether they are retried."""
    rows = [
        [
            code(name),
            _ERROR_TYPES.get(name, "`APIError`"),
            *_CODES[name],
            "yes" if provider_errors.is_transient(name) else "",
        ]
        for name in get_args(events.ErrorCode)
    ]
    return table(("`code`", "`error_type`", "when", "what to do", "retried automatically"), rows)


_CODES = {
    "authentication": ("The provider does not accept the key.", "Check the key; the message says where it comes from."),
    "permission": ("The key lacks the permission.", "Get access for the account, or use another model."),
    "not_found": ("The model or the URL does not exist.", "Check `model` and `base_url`."),
    "rate_limit": ("Too many requests or tokens in a short time.", "Wait `retry_after` seconds, or use `fallbacks`."),
    "quota": ("The account has no credit left.", "Check the billing page; waiting does not help."),
    "context_length": ("The request is longer than the model's context.", "Shorten the history or the file."),
    "too_large": ("The request has too many bytes.", "Send smaller files."),
    "invalid_request": ("The provider rejects a field of the request.", "Remove the field that the message names."),
    "content_policy": ("The provider refuses the request.", "Rephrase it. Fallbacks are not used."),
    "overloaded": ("The provider has no capacity at the moment.", "Try again later, or use `fallbacks`."),
    "server": ("An internal error of the provider.", "Try again later, or use `fallbacks`."),
    "network": ("No connection, or it broke before the response began.", "Check the URL, the proxy and the network."),
    "timeout": (
        "No text for `timeout` seconds; pings and comments do not count.",
        "Raise the timeout, or use `fallbacks`.",
    ),
    "interrupted": (
        "The response began, but ended before the reply did.",
        "Keep `content`; ask again, or use `resume_interrupted`.",
    ),
    "protocol": ("The bytes are not a stream of this API.", "Check `base_url`; it is probably another API."),
    "reply_too_large": (
        "The reply takes more memory than `max_reply_bytes`.",
        "Keep `content`; lower `max_tokens`, or allow more.",
    ),
    "cancelled": ("You left, or the provider stopped the reply.", "Nothing."),
}

_ERROR_TYPES = dict.fromkeys(
    ("network", "timeout", "interrupted", "protocol", "reply_too_large"), "`StreamingError`"
) | {"cancelled": "`StreamingError` if you left, `APIError` if the provider stopped it"}


def _providers(rows: Iterable[Provider]) -> str:
    return table(
        ("provider, other names", "wire", "base URL, its variable", "key", "default model"),
        (
            [
                ", ".join(filter(None, (f"[`{row.name}`]({row.website})", code(*row.aliases)))),
                code(row.wire),
                "<br>".join(filter(None, (code(row.base_url), code(row.base_url_variable)))),
                code(*row.keys, row.key_file) + ("" if row.needs_key else " (none needed)"),
                code(row.default_model),
            ]
            for row in rows
        ),
    )


def option_table() -> str:
    """List the keywords that every function takes."""
    rows = [
        [code(name), code(kind.__annotations__[name].__forward_arg__), meaning]
        for kind in (_options.Options, _options.QuestionOptions, _options.SyncOptions)
        for name, meaning in meanings(kind).items()
    ]
    return table(("keyword", "type", "what it does"), rows)


def room_picture() -> str:
    """Draw the rooms of the package on their floors, as SVG: each imports only from floors below its own."""
    rooms, floors = _test_of_rooms(), []
    labels = re.findall(r'^    "[\w ]+",(?:  # (.*))?$', inspect.getsource(rooms), re.M)
    top = 0
    for names, label in reversed(list(zip(rooms.ROOMS, labels, strict=True))):
        if label:
            floors.append(f'<text x="4" y="{top + 14}" font-size="12" opacity="0.7">{label}</text>')
            top += 20
        left = 4
        for name in names.split():
            width = 8 * len(name) + 20
            opacity = 0.18 if f"msgmodel.{name}" in rooms.PACKAGES else 0.07
            floors.append(
                f'<rect x="{left}" y="{top}" width="{width}" height="26" rx="4" stroke="currentColor" '
                f'stroke-opacity="0.4" fill="currentColor" fill-opacity="{opacity}"/>'
                f'<text x="{left + width / 2:g}" y="{top + 18}" font-size="13" text-anchor="middle" '
                f'font-family="monospace">{name}</text>'
            )
            left += width + 6
        top += 36
    opened = f'<svg viewBox="0 0 960 {top}" role="img" aria-label="The rooms, each above those that it imports from"'
    return "\n".join([f'{opened} fill="currentColor" xmlns="http://www.w3.org/2000/svg">', *floors, "</svg>"])


def room_table() -> str:
    """List the rooms of the package, with the first sentence of each docstring and what it imports from."""
    rooms = _test_of_rooms()
    order = [room for floor in rooms.ROOMS for room in floor.split()]
    imported: dict[str, set[str]] = {room: set() for room in order}
    for name in rooms.MODULES:
        imported[rooms.room_of(name)] |= {rooms.room_of(module) for module in rooms.imports_of_ours(name)}
    rows = []
    for room in order:
        tree = rooms.MODULES["msgmodel" if room == "msgmodel" else f"msgmodel.{room}"]
        first = " ".join((ast.get_docstring(tree) or "").partition("\n\n")[0].split())
        sentence = re.sub(r"(?<=\.)\s.*", "", first)
        others = (code(each) for each in order if each in imported[room] - {room})
        rows.append([code(room), sentence, ", ".join(others)])
    return table(("room", "what it holds", "imports from"), rows)


def _test_of_rooms() -> Any:
    """Return the test that holds the order of the rooms, which is written down there alone."""
    folder = str(ROOT / "tests" / "project")
    sys.path.insert(0, folder)
    try:
        import test_rooms
    finally:
        sys.path.remove(folder)
    return test_rooms


ROOT = Path(__file__).parents[1]
STEPS: tuple[tuple[Any, str], ...] = (
    (shells.run_exchange, "The loop: send a request, read a piece of the body, feed it, yield the events."),
    (shells.panel_events, "What `stream_panels` shows of the events: all of them. `stream` shows the text alone."),
    (Exchange.feed, "A piece of the body to events. Text after text takes the fast lane here."),
    (Exchange._feed_events, "Any other piece: read it, add what it brings, and end the reply if it says so."),
    (Attempt.read, "A piece of the body to deltas, event by event; text after text again takes the fast lane."),
    (Attempt._read_event, "One event to deltas. If it brings text alone, the fast lane opens."),
    (SseDecoder.feed, "Bytes, cut anywhere, to the data of complete events."),
    (SseDecoder._read_lines, "The grammar of server-sent events, line by line."),
    (AnthropicParser.plain_text, "The fast lane: the text of an event that can only be text."),
    (AnthropicParser.feed, "Any event of the wire to deltas; `message_stop` brings the verdict."),
    (AnthropicParser._read_delta, "One `content_block_delta`: text, reasoning, a part of a tool call, a citation."),
    (TextDelta, "The delta of a text, the same for all wires."),
    (Exchange._add, "Bookkeeping around a delta: is it the end, is there room, has the reply begun?"),
    (PanelBuilder._add_text, "A delta of text to its event."),
    (PanelBuilder.append_text, "The same in the fast lane."),
)
"""What one chunk of text passes, and what each step does. `tests/project/test_contributing.py` counts its lines."""


def reading_path(*, counted: bool = True) -> str:
    """List the functions that one chunk of text passes."""
    rows = []
    for step, meaning in STEPS:
        path = Path(inspect.getsourcefile(step) or "").relative_to(ROOT / "src" / "msgmodel").as_posix()
        lines = [str(line_count(step))] if counted else []
        rows.append([code(path), code(step.__qualname__), *lines, meaning])
    return table(("file", "read", *(["lines"] if counted else []), "what it does"), rows)


def line_count(step: Any) -> int:
    """Return how many lines of source a function or class has."""
    return len(inspect.getsourcelines(step)[0])


_LIST = re.compile(r"(?<=<!-- by docs/generate.py -->\n\n)\|.*?(?=\n\n)", re.S)


def contributing(text: str) -> str:
    """Return the text of CONTRIBUTING.md with the list of functions as it must be now. It has no line counts: they
    would be out of date after every commit."""
    return _LIST.sub(lambda _: reading_path(counted=False), text)


def _place_words(place: Place | None) -> str:
    return "" if place is None else "done here" if place is ENFORCED_HERE else "sent"


def chat_fields() -> str:
    """Return which provider takes which field of OpenAI's Chat Completions API."""
    targets = ("openai", "responses", "chat", "anthropic", "gemini", "local")
    titles = ("field", "OpenAI", "its Responses API", "other chat servers", "Anthropic", "Gemini", "embedded")
    return table(
        titles,
        ([code(name), *(_place_words(row.places.get(target)) for target in targets)] for name, row in FIELDS.items()),
    )


def recipe(name: str) -> Callable[[], str]:
    """Return the function that shows a program of `examples/recipes`."""
    path = Path(__file__).parents[1] / "examples" / "recipes" / name
    return lambda: f"```python\n{path.read_text('utf-8')}```"


TABLES: dict[str, Callable[[], str]] = {
    "recipe_streamlit": recipe("streamlit_chat.py"),
    "recipe_gradio": recipe("gradio_chat.py"),
    "recipe_bot": recipe("chat_bot.py"),
    "recipe_batch": recipe("batch_file.py"),
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
    "chat_fields": chat_fields,
    "finish_table": finish_table,
    "verdict_table": verdict_table,
    "code_table": code_table,
    "option_table": option_table,
    "room_picture": room_picture,
    "room_table": room_table,
    "reading_path": reading_path,
    "main_providers": lambda: _providers(_rows.MAIN_ROWS),
    "hosted_providers": lambda: _providers(_rows.HOSTED),
    "servers": lambda: _providers(_rows.SERVERS),
    "exit_table": lambda: table(("code", "meaning"), ([str(number), meaning] for number, meaning in EXITS.items())),
}


if __name__ == "__main__":
    _page = ROOT / "CONTRIBUTING.md"
    _page.write_text(contributing(_page.read_text("utf-8")), "utf-8")
