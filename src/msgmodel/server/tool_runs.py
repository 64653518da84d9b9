"""The tools that the operator lists, and the streams in which the server runs what a model calls of them.

Rules: a request chooses tools by their names and brings no code. A call that must be approved waits: the stream ends
with the status `waiting` and a signed state, and another request continues it with the decisions, once. A state is
valid for the user whose run it was. A client may not say what a tool of the server returned.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from secrets import token_bytes
from typing import Any, TypedDict, cast

from .. import AsyncRunStream, RunnableTool, aresume_tools, arun_tools, read_signed_state, sign_state
from ..errors import ConfigurationError, quoted
from ..events import PanelEvent
from ..many import AsyncBatch, Panel
from ..tools.mcp_client import McpConnection
from ..tools.runnable_tool import read_run_tools
from ..wires.sse import encode_json_line
from .log import TOMBSTONE_SECONDS
from .public_events import state_for_client
from .request_bodies import RequestRefused, ResumeRequest
from .request_text import count_characters, text_too_long
from .settings import Settings

LISTED = "run_tools"
"""The field of a request that names tools of the server."""
STATE_USED = "this run has gone on with other decisions: read its stream"
_LIMITS = ("max_rounds", "max_calls")
_NOT_KEPT = ("messages", "model", "system_instruction", "max_reply_bytes")
"""Keywords that the state of a run has itself, or that the settings give."""

PreparePanel = Callable[[str, str | None, dict[str, Any]], Panel]
"""Makes a panel of a provider's name, a model and the fields of a request, after all checks."""


class ListedTool(TypedDict):
    """A tool of the server as clients see it."""

    name: str
    description: str
    approval: bool
    """Whether each call waits for a decision of the user."""


class RunPanel:
    """A run of tools as the one panel of a stream.

    Args:
        run: The run, not read yet.
        panel_id: The id of its events.
        sign: Makes the state of a run what a client may keep of it.
    """

    def __init__(self, run: AsyncRunStream, panel_id: str, sign: Callable[[Any], Any]) -> None:
        self.panel_ids = [panel_id]
        self._run, self._sign = run, sign
        self._kept_bytes = 0

    async def for_each(self, take: Callable[[PanelEvent], Awaitable[None]], *, together: bool = False) -> None:
        """Await `take` with every event. If the call is canceled, the ends of the calls and of the run come first.

        Args:
            take: Takes one event.
            together: Not used: see `AsyncBatch.for_each`.
        """
        try:
            await self._pass_on(take)
        except asyncio.CancelledError:
            self._run.stop()
            await self._pass_on(take)
            raise

    async def _pass_on(self, take: Callable[[PanelEvent], Awaitable[None]]) -> None:
        async for event in self._run:
            if event["event"] == "panel_final" or event["event"] == "panel_error":
                record = event["run"]
                if record["state"] is not None:  # it may be large: it has the turns
                    state = await asyncio.to_thread(self._sign, record["state"])
                    event = cast(PanelEvent, {**event, "run": {**record, "state": state}})
            else:
                self._kept_bytes += _size_of(event)
            await take(event)

    def kept_bytes(self) -> int:
        """Return about the bytes of memory that the text and the results take."""
        return self._kept_bytes

    def cancel(self, panel_id: str | None = None) -> None:
        """Stop the run. Its last events follow. Raise ConfigurationError if the id is of another panel."""
        if panel_id not in (None, *self.panel_ids):
            raise ConfigurationError(f"there is no panel {quoted(panel_id)}")
        self._run.stop()

    async def aclose(self) -> None:
        """End the run now, without more events."""
        await self._run.aclose()


class ToolRuns:
    """Starts and continues runs of the tools that the settings list.

    Args:
        settings: The tools, and the limits of their runs.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._secret = settings.state_secret.encode() or token_bytes(32)
        self._servers = AsyncExitStack()
        functions = [tool for tool in settings.tools if not isinstance(tool, McpConnection)]
        self._tools = _read_listed(functions)

    async def open_servers(self) -> None:
        """Connect to the MCP servers among the tools.

        Raises:
            ConfigurationError: One can't be used, or two tools have one name.
        """
        connections = [tool for tool in self._settings.tools if isinstance(tool, McpConnection)]
        found: list[Any] = [*self._tools.values()]
        for connection in connections:
            found += await self._servers.enter_async_context(connection)
        self._tools = _read_listed(found)
        approval = self._settings.tool_approval
        unknown = [name for name in approval if name not in self._tools] if not isinstance(approval, str) else []
        if unknown:
            raise ConfigurationError(f"tool_approval: there is no tool {quoted(unknown[0])}")

    async def close_servers(self) -> None:
        """Close the connections to the MCP servers."""
        await self._servers.aclose()

    def list_tools(self) -> list[ListedTool]:
        """Return the tools as clients see them."""
        return [
            {"name": tool.name, "description": tool.description, "approval": self._needs_approval(tool.name)}
            for tool in self._tools.values()
        ]

    def start_run(
        self, owner: str, panel: Panel, prompt: str, files: Sequence[Any], check: Callable[[Panel, int], AsyncBatch]
    ) -> RunPanel:
        """Return a run for a panel that names tools of the server.

        Args:
            owner: Whose run it is.
            panel: The panel, checked but for its tools.
            prompt: The prompt of the request.
            files: The attachments.
            check: Checks the first request of a panel, and that so many of them are allowed.

        Raises:
            RequestRefused: A tool is not listed, or a limit is exceeded.
            MsgModelError: An argument is wrong.
        """
        fields = cast(dict[str, Any], panel.settings)
        names = self._read_names(fields.pop(LISTED))
        kept = {name: value for name, value in fields.items() if name not in _NOT_KEPT} | {LISTED: names}
        options = self._run_options(fields, names)
        described = [_described(tool) for tool in options["tools"]]
        question = {name: value for name, value in fields.items() if name not in _LIMITS} | {"tools": described}
        asked = Panel(panel.provider, panel_id=panel.panel_id, prompt=panel.prompt, **question)
        panel_id = check(asked, options["max_rounds"]).panel_ids[0]
        run = arun_tools(
            panel.provider,
            prompt if panel.prompt is None else panel.prompt,
            panel_id=panel_id,
            files=files,
            **fields | options,
        )
        return RunPanel(run, panel_id, lambda state: self._signed(owner, state, kept))

    def resume_run(self, owner: str, request: ResumeRequest, prepare: PreparePanel) -> RunPanel:
        """Return the run of a state that goes on with the decisions about its calls.

        Args:
            owner: Whose run it is.
            request: The state and the decisions, as the client sent them.
            prepare: Checks the provider, the model and the fields against the settings, which may have changed.

        Raises:
            RequestRefused: The state is not one of this server for this user, or a decision is not allowed.
            MsgModelError: A decision is wrong.
        """
        if count_characters([request.decisions]) > self._settings.max_prompt_chars:
            raise text_too_long(self._settings)
        try:
            signed = read_signed_state(request.state.signed, self._key_of(owner), TOMBSTONE_SECONDS)
        except ConfigurationError as error:
            raise RequestRefused(422, "invalid_state", f"resume.state: {error.message}") from None
        state, kept = signed["run"], signed["asked"]
        chat = state["conversation"]
        panel = prepare(chat["provider"], chat["model"], kept | {"fallbacks": _as_tuples(kept.get("fallbacks", []))})
        fields = cast(dict[str, Any], panel.settings)
        names = self._read_names(fields.pop(LISTED))
        self._check_decisions(request.decisions, state, names)
        for name in ("model", "messages"):
            fields.pop(name, None)
        run = aresume_tools(state, request.decisions, **fields | self._run_options(fields, names))
        return RunPanel(run, state["panel_id"], lambda later: self._signed(owner, later, kept))

    def _read_names(self, wanted: list[str] | bool) -> list[str]:
        names = [*self._tools] if wanted is True else wanted or []
        for name in names:
            if name not in self._tools:
                raise RequestRefused(403, "tool_not_allowed", f"{LISTED}: the server has no tool {quoted(name)}")
        if not names:
            raise RequestRefused(403, "tool_not_allowed", f"{LISTED}: the server runs no tools")
        return names

    def _run_options(self, fields: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
        """Return the keywords of the run. Raise RequestRefused if the client has a tool of the same name."""
        own = [_name_of(tool) for tool in fields.get("tools", ())]
        if taken := next((name for name in own if name in names), None):
            raise RequestRefused(422, "invalid_request", f"tools: the server runs a tool {quoted(taken)} itself")
        settings = self._settings
        calls = min(fields.get("max_calls") or settings.max_tool_calls, settings.max_tool_calls)
        return {
            "tools": [*fields.get("tools", ()), *(self._tools[name] for name in names)],
            "approval": [name for name in names if self._needs_approval(name)],
            "max_rounds": min(fields.get("max_rounds") or settings.max_rounds, settings.max_rounds),
            "max_calls": calls,
            "tool_timeout": settings.tool_timeout,
        }

    def _needs_approval(self, name: str) -> bool:
        approval = self._settings.tool_approval
        return approval == "ask" or name in approval

    def _check_decisions(self, decisions: Mapping[str, Any], state: Mapping[str, Any], names: Collection[str]) -> None:
        """Raise RequestRefused if a decision holds the result of a tool that runs here."""
        ours = {call["id"]: call["name"] for call in state["calls"] if call["name"] in names}
        for id, decision in decisions.items():
            if id in ours and isinstance(decision, Mapping) and "result" in decision:
                raise RequestRefused(
                    422, "invalid_request", f"resume.decisions: the server runs the tool {quoted(ours[id])} itself"
                )

    def _signed(self, owner: str, state: Any, kept: Mapping[str, Any]) -> dict[str, str]:
        content = {"run": state_for_client(state), "asked": kept}
        return {"signed": sign_state(content, self._key_of(owner))}

    def _key_of(self, owner: str) -> bytes:
        """Return the key that signs the states of one user."""
        return hashlib.sha256(self._secret + b"\0" + owner.encode()).digest()


def read_run_request(panels: Sequence[Panel]) -> bool:
    """Return whether the one panel of a request names tools of the server. Other panels lose the fields of runs.

    Raises:
        RequestRefused: There are several panels, or a limit of runs stands without tools.
    """
    wanted = [bool(panel.settings.get(LISTED)) for panel in panels]
    if any(wanted) and len(panels) > 1:
        raise RequestRefused(422, "invalid_request", f"{LISTED}: a request with tools of the server has one panel")
    for panel, runs in zip(panels, wanted, strict=True):
        fields = cast(dict[str, Any], panel.settings)
        if not runs:
            fields.pop(LISTED, None)
            if given := next((name for name in _LIMITS if name in fields), None):
                raise RequestRefused(422, "invalid_request", f"{given} is for requests with {LISTED}")
    return any(wanted)


def digest_of_state(owner: str, request: ResumeRequest) -> str:
    """Return what names a state: it continues once, so a second request joins the stream of the first."""
    return hashlib.sha256(f"resume\0{owner}\0{request.state.signed}".encode("utf-8", "replace")).hexdigest()


def _read_listed(tools: Sequence[Any]) -> dict[str, RunnableTool]:
    if not tools:
        return {}
    described, runnable = read_run_tools(tools)
    if len(described) != len(runnable):
        raise ConfigurationError("tools of a server must be functions, or tools of mcp_tools")
    return runnable


def _described(tool: Any) -> Any:
    return tool.definition() if isinstance(tool, RunnableTool) else tool


def _name_of(tool: Any) -> Any:
    """Return the name of a tool in a request, in our form or in OpenAI's."""
    inner = tool.get("function")
    return (inner if isinstance(inner, Mapping) else tool).get("name")


def _as_tuples(fallbacks: Sequence[Any]) -> list[Any]:
    return [fallback if isinstance(fallback, str) else tuple(fallback) for fallback in fallbacks]


def _size_of(event: Any) -> int:
    return len(event["delta"]) if "delta" in event else len(encode_json_line(event))
