"""Checks a request against the limits, and makes a batch of panels from it.

Rule: a request chooses from what the server offers. It never contains a key, a config, an address or a path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, cast
from urllib.parse import unquote

from msgspec import UNSET

from ..errors import MsgModelError, quoted
from ..many import AsyncBatch, Panel, astream_many
from ..messages import Message
from ..providers import Provider, look_up_provider
from ..question.files import read_attachment
from ..question.foreign_messages import read_message_shape
from ..question.past_turns import find_file_link
from ..question.question import decode_base64
from ..question.tools import has_provider_tools
from .directory import Directory
from .opaque import find_foreign
from .panel_source import PanelSource
from .public_events import message_for_client
from .request_bodies import MAX_NAME, Choice, PanelRequest, PanelsRequest, RequestOptions, RequestRefused, ResumeRequest
from .request_output import check_output
from .request_text import (
    check_part_count,
    check_text_length,
    count_characters,
    count_message_characters,
    count_parts,
    text_too_long,
)
from .settings import Settings
from .tool_runs import ToolRuns, read_run_request

BUDGET_LIMITS = "max_cost", "max_total_tokens"
"""Options that hold for all panels together if they stand in the request's `options`."""

MAX_RETRIES = 2
"""The default of `msgmodel.stream_panels`."""


class OwnedRuns(NamedTuple):
    """The tools of the server, and the user who asks."""

    tools: ToolRuns
    owner: str


def check_panel_count(panels: list[PanelRequest], settings: Settings) -> None:
    """Raise RequestRefused if there are too many panels."""
    if len(panels) > settings.max_panels:
        raise RequestRefused(422, "too_many_panels", f"a request may have at most {settings.max_panels} panels")


def batch_for_request(
    request: PanelsRequest,
    directory: Directory,
    settings: Settings,
    runs: OwnedRuns | None = None,
    *,
    together: Callable[[Iterable[int]], int] = sum,
) -> PanelSource:
    """Return the panels of a request, which have not started.

    Args:
        request: The request. Its files are taken out of it.
        directory: The providers that may be asked.
        settings: The limits.
        runs: The tools that the server runs, and the user who asks; None if there are none.
        together: Adds the lengths of the panels' own texts; `max` if they are parts of the same conversation.

    Raises:
        RequestRefused: The request exceeds a limit, or is wrong.
    """
    if request.resume is not None and runs is not None:
        return _resume_run(request, request.resume, directory, settings, runs)
    panels = request.panels or [PanelRequest()]
    check_panel_count(panels, settings)
    check_text_length(request, settings, together)
    _check_messages(request)
    files = _decode_files(request, settings)
    common = _fields_set(request.options)
    budget = {name: common.pop(name) for name in BUDGET_LIMITS if name in common}
    made = [
        _make_panel(panel, request, common, directory, settings, f"panels[{number}]")
        for number, panel in enumerate(panels)
    ]
    budget = _limit_budget(budget, settings)
    runs_tools = read_run_request(made)

    def check(panel: Panel, rounds: int) -> AsyncBatch:
        found = astream_many([panel], request.prompt, files=files, **budget)
        _check_cost(found, settings, rounds)
        return found

    try:
        if runs_tools:
            if runs is None:
                raise RequestRefused(422, "invalid_request", "run_tools is for POST /v1/panels")
            made[0].settings.update(budget)  # type: ignore[typeddict-item]
            return runs.tools.start_run(runs.owner, made[0], request.prompt, files, check)
        found = astream_many(made, request.prompt, files=files, **budget)
        _check_cost(found, settings)
        return found
    except MsgModelError as error:  # its message says what is wrong, and contains no secret
        raise RequestRefused(422, "invalid_request", message_for_client(error)) from None


def _resume_run(
    request: PanelsRequest, resumed: ResumeRequest, directory: Directory, settings: Settings, runs: OwnedRuns
) -> PanelSource:
    if request.panels or request.prompt or request.messages or request.files or _fields_set(request.options):
        raise RequestRefused(422, "invalid_request", "resume stands alone: the state has the question and its options")

    def prepare(name: str, model: str | None, fields: dict[str, Any]) -> Panel:
        row = find_allowed_provider(name, directory, "resume.state")
        _apply_limits(fields, settings)
        _check_fallbacks(fields["fallbacks"], directory, settings, "resume.state")
        _check_model(row, model, settings, "resume.state")
        return Panel(row.name, **fields | _limit_budget(fields, settings))

    try:
        return runs.tools.resume_run(runs.owner, resumed, prepare)
    except MsgModelError as error:
        raise RequestRefused(422, "invalid_request", f"resume: {message_for_client(error)}") from None


def batch_for_choice(
    choice: Choice,
    messages: dict[str, list[Message]] | list[Message],
    directory: Directory,
    settings: Settings,
) -> PanelSource:
    """Return the panels that a client of another protocol has chosen.

    Args:
        choice: Our fields in its request.
        messages: The conversation: of all panels, or by the id of a panel, with "" for all others.
        directory: The providers that may be asked.
        settings: The limits.

    Raises:
        RequestRefused: The request exceeds a limit, or is wrong.
    """
    panels = choice.panels or [PanelRequest(provider=choice.provider, model=choice.model)]
    for panel in panels:
        if isinstance(messages, dict):
            panel.messages = cast(Any, messages.get(panel.panel_id or "", messages[""]))
    common = [] if isinstance(messages, dict) else cast(Any, messages)
    request = PanelsRequest(messages=common, panels=panels, options=choice.options)
    return batch_for_request(request, directory, settings, together=max)


def batch_for_choices(
    name: str,
    arguments: dict[str, Any],
    count: int,
    directory: Directory,
    settings: Settings,
) -> AsyncBatch:
    """Return panels that ask the same question.

    Args:
        name: The name of the provider.
        arguments: The arguments of `stream_panels`.
        count: The number of panels.
        directory: The providers that may be asked.
        settings: The limits.

    Raises:
        RequestRefused: The request exceeds a limit.
        MsgModelError: An argument is wrong.
    """
    if count > settings.max_panels:
        raise RequestRefused(422, "too_many_panels", f"n may be at most {settings.max_panels} here")
    row = find_allowed_provider(name, directory, "model")
    _check_model(row, arguments.get("model"), settings, "model")
    _check_fallbacks(arguments.get("fallbacks", ()), directory, settings, "options.fallbacks")
    _check_tools(arguments, "tools")
    check_output(arguments.get("output"), "output")
    texts = [*arguments.get("tools", []), *(getattr(arguments.get("config"), "stop", None) or ())]
    if count_message_characters(arguments["messages"]) + count_characters(texts) > settings.max_prompt_chars:
        raise text_too_long(settings)
    asked = 1 + len(arguments.get("fallbacks", ()))
    check_part_count(asked * (len(arguments["messages"]) + sum(map(count_parts, arguments["messages"]))))
    fields = dict(arguments)
    _apply_limits(fields, settings)
    found = astream_many([Panel(row.name, **fields)] * count, **_limit_budget({}, settings))
    _check_cost(found, settings)
    return found


def find_allowed_provider(name: str | None, directory: Directory, where: str = "provider") -> Provider:
    """Return the provider of that name, or the default one.

    Args:
        name: The name in the request.
        directory: The providers that may be asked.
        where: The place of the name in the request.

    Raises:
        RequestRefused: The provider is unknown, or not allowed.
    """
    if name is None:
        return directory.default_provider()
    try:
        row = look_up_provider(name)
    except MsgModelError:  # raised by a package that adds the provider
        row = None
    if row is None:
        raise RequestRefused(422, "unknown_provider", f"{where}: there is no provider of that name here")
    if not directory.allows_provider(row):
        raise RequestRefused(403, "provider_not_allowed", f"{where}: the provider {row.name} is not allowed here")
    return row


def _make_panel(
    panel: PanelRequest,
    request: PanelsRequest,
    common: dict[str, Any],
    directory: Directory,
    settings: Settings,
    where: str,
) -> Panel:
    row = find_allowed_provider(panel.provider, directory, f"{where}.provider")
    fields = common | _fields_set(panel)
    _check_tools(fields, f"{where}.tools")
    check_output(fields.get("output"), f"{where}.output")
    _apply_limits(fields, settings)
    _check_fallbacks(fields.get("fallbacks", ()), directory, settings, f"{where}.fallbacks")
    _check_model(row, panel.model, settings, f"{where}.model")
    if panel.panel_id is not None and panel.panel_id.endswith("\n"):  # `$` in the pattern allows it
        raise RequestRefused(422, "invalid_request", f"{where}.panel_id: must be 1 to 128 printable ASCII characters")
    messages = cast(list[Message], request.messages if panel.messages is None else panel.messages)
    return Panel(row.name, panel_id=panel.panel_id, prompt=panel.prompt, model=panel.model, messages=messages, **fields)


def _check_fallbacks(fallbacks: Iterable[Any], directory: Directory, settings: Settings, where: str) -> None:
    """Raise RequestRefused for a fallback that requests may not use: a provider, a pair with its model, or a dict."""
    for number, fallback in enumerate(fallbacks):
        if isinstance(fallback, Mapping):
            name, model = fallback["provider"], fallback.get("model")
        else:
            name, model = (fallback, None) if isinstance(fallback, str) else fallback
        place = f"{where}[{number}]"
        _check_model(find_allowed_provider(name, directory, place), model, settings, place)


def _check_model(row: Provider, model: str | None, settings: Settings, where: str) -> None:
    name = (model or row.default_model).strip()
    if len(name) > MAX_NAME or not name.isprintable():
        raise RequestRefused(
            422, "invalid_request", f"{where}: the name of a model has at most {MAX_NAME} characters, all printable"
        )
    if name == row.default_model and settings.allows(name):
        return
    # A model of the embedded engine is the path of a file, and the settings must list this path.
    if not settings.allows(name) or (row.name == "local" and not settings.names(name)):
        raise RequestRefused(403, "model_not_allowed", f"{where}: the model {quoted(name)} is not allowed here")
    # A pattern allows names, not paths that lead out of the folder in which a gateway or the provider looks names up.
    if not settings.names(name) and not {".", ".."}.isdisjoint(re.split(r"[/\\]", unquote(name))):
        raise RequestRefused(
            403, "model_not_allowed", f"{where}: the name of a model may not hold '.' or '..' as a step"
        )


def _check_tools(fields: Mapping[str, Any], where: str) -> None:
    """Raise RequestRefused for a tool that the provider runs: it may reach files of the operator's account."""
    tools = fields.get("tools", ())
    own = [tool for tool in tools if not (isinstance(tool, Mapping) and tool.get("type") == "custom")]
    try:
        if has_provider_tools(own):
            raise RequestRefused(403, "tool_not_allowed", f"{where}: only functions of the client may be passed here")
    except MsgModelError as error:
        raise RequestRefused(422, "invalid_request", f"{where}: {message_for_client(error)}") from None


def _apply_limits(fields: dict[str, Any], settings: Settings) -> None:
    if settings.max_tokens is not None:
        most, times = settings.max_tokens, _most_responses(fields)
        asked = fields.get("max_tokens")
        if (asked or 1) * times > most:
            counted = f", and each of up to {times} responses may take them" if times > 1 else ""
            raise RequestRefused(422, "too_many_tokens", f"max_tokens may be at most {most // times} here{counted}")
        fields["max_tokens"] = asked or most // times
    deadline = fields.get("deadline")
    fields["max_reply_bytes"] = settings.max_reply_bytes
    fields["deadline"] = min(deadline or settings.max_seconds, settings.max_seconds)


def _limit_budget(budget: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Return the budget of all panels together: what the request asks for, and no more than the settings allow."""
    if settings.max_cost is not None:
        budget["max_cost"] = min(budget.get("max_cost") or settings.max_cost, settings.max_cost)
    return budget


def _most_responses(fields: Mapping[str, Any]) -> int:
    """Return how many responses may form one reply. Each may take all tokens of the request."""
    resumed = fields.get("max_retries", MAX_RETRIES) if fields.get("resume_interrupted") else 0
    return int((1 + fields.get("continue_truncated", 0)) * (1 + resumed) * (1 + fields.get("repair", 0)))


def _check_cost(batch: AsyncBatch, settings: Settings, rounds: int = 1) -> None:
    """Raise RequestRefused if the panels would send too much text or too many requests; ConfigurationError.

    Args:
        batch: The panels.
        settings: The limits.
        rounds: How often they may be asked.
    """
    if batch.text_characters() > settings.max_prompt_chars:
        raise text_too_long(settings)
    try:
        batch.limit_requests(settings.max_provider_requests // rounds)
    except MsgModelError as error:
        each = f"each of up to {rounds} rounds: {error.message}, or lower max_rounds" if rounds > 1 else error.message
        raise RequestRefused(422, "too_many_requests", each) from None


def _fields_set(options: RequestOptions) -> dict[str, Any]:
    """Return the options that the request sets."""
    return {
        name: value
        for name in RequestOptions.__struct_fields__
        if (value := getattr(options, name)) is not UNSET
    }  # fmt: skip


def _decode_files(request: PanelsRequest, settings: Settings) -> list[Any]:
    """Take the files out of a request, so that their base64 is released, and return them as attachments.

    A text file is counted here already, before it is encoded for each provider.

    Raises:
        RequestRefused: A file is not base64, cannot be attached, or contains too much text.
    """
    attachments = []
    characters = 0
    while request.files:
        file = request.files.pop(0)
        try:
            data = decode_base64(file.data)
        except ValueError:
            raise RequestRefused(422, "invalid_request", f"the data of the file {file.name!r} is not base64") from None
        try:
            attachment = read_attachment(data, file.name)
        except MsgModelError as error:
            raise RequestRefused(422, "invalid_request", error.message) from None
        characters += len(attachment.text or "")
        if characters > settings.max_prompt_chars:
            raise text_too_long(settings)
        attachments.append(attachment)
        del file, data
    return attachments


def _check_messages(request: PanelsRequest) -> None:
    """Refuse opaque parts that no provider made, because a provider would follow what they say, and files by address.

    A server in the operator's own network would fetch any address in it. Raise RequestRefused.
    """
    lists = {id(each): each for each in (request.messages, *(panel.messages or [] for panel in request.panels))}
    for messages in lists.values():
        try:
            shaped = [read_message_shape(message) for message in messages]
            link = find_file_link(messages)
        except MsgModelError as error:
            raise RequestRefused(422, "invalid_request", f"messages: {error.message}") from None
        if place := find_foreign(shaped):
            raise RequestRefused(422, "opaque_not_allowed", f"{place}: this opaque part does not come from a provider")
        if link:
            raise RequestRefused(422, "invalid_request", f"{link}: a file must be sent as data, not by an address")
