"""Tools of MCP servers, for runs on asyncio, by the official SDK (extra `[mcp]`), which is imported when it is used.

Rules: the session lives in a task of its own, so that a server that dies ends its calls and cancels nothing else. A
name that a provider would refuse is changed for the model, and the server is called by its own.
"""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from types import TracebackType
from typing import Any

from ..errors import ConfigurationError, MsgModelError, quoted
from ..events import PendingCall
from . import call_words
from .call_context import CallContext, current_call
from .runnable_tool import RunnableTool
from .tool_workers import ToolLoop

NAME_CHARACTERS = 64
"""The longest name of a tool that all providers take."""
CLOSING_SECONDS = 5.0
"""How long a server may take to end before its process is abandoned to the SDK, which kills it."""


class McpFailure(MsgModelError):
    """The server reported an error, or is gone. The model receives the message."""


def mcp_tools(
    server: str | Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    prefix: str = "",
    only: Sequence[str] | None = None,
    timeout: float = 30.0,
) -> McpConnection:
    """Connect to an MCP server, and use its tools in a run: `async with mcp_tools("uvx server") as tools`.

    In blocking code, `with` does the same for `run_tools`: the session then lives on an event loop in a thread.

    Args:
        server: A command, as one line or as a list, that speaks MCP on standard input and output; or the URL of a
            server with streamable HTTP.
        environment: More environment variables for the command. By default it receives a few, such as PATH and HOME,
            and none of yours that may hold keys.
        headers: HTTP headers for the URL, such as an `Authorization`.
        prefix: What the names of the tools begin with, such as "files_", to tell two servers apart.
        only: The names of the tools to use, as the server writes them. Default: all.
        timeout: Maximum seconds to connect.

    Returns:
        A context manager, async and blocking, which returns the list of tools. They can be called until it ends.

    Raises:
        ConfigurationError: The extra is missing, or an argument is wrong. The context raises it if the server can't be
            reached.
    """
    try:
        sdk = import_module("mcp")
    except ImportError:
        raise ConfigurationError("MCP servers need the extra: pip install 'msgmodel[mcp]'") from None
    words = shlex.split(server) if isinstance(server, str) else list(server)
    if not words:
        raise ConfigurationError("server must be a command, such as 'uvx mcp-server-time', or a URL")
    is_url = len(words) == 1 and words[0].startswith(("http://", "https://"))
    if (environment is not None and is_url) or (headers is not None and not is_url):
        raise ConfigurationError("environment is for a command, and headers are for a URL")
    return McpConnection(sdk, words, is_url, dict(environment or {}), dict(headers or {}), prefix, only, timeout)


class McpConnection:
    """A connection to an MCP server: an async context manager, or a blocking one. Made by `mcp_tools`."""

    def __init__(
        self,
        sdk: Any,
        words: list[str],
        is_url: bool,
        environment: dict[str, str],
        headers: dict[str, str],
        prefix: str,
        only: Sequence[str] | None,
        timeout: float,
    ) -> None:
        self._sdk, self._words, self._is_url = sdk, words, is_url
        self._environment, self._headers = environment, headers
        self._prefix, self._only, self._timeout = prefix, only, timeout
        self._client: Any = None
        self._thread: ToolLoop | None = None
        """The event loop of the session in blocking code."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._running: list[CallContext] = []
        """The calls that run, the latest last: the server may ask the user during one."""

    def __repr__(self) -> str:
        return f"McpConnection({self._words[0]!r})"

    async def __aenter__(self) -> list[RunnableTool]:
        self._loop = asyncio.get_running_loop()
        ready: asyncio.Future[list[Any]] = self._loop.create_future()
        # The SDK holds cancel scopes of AnyIO, which only the task that entered them may leave (AnyIO, "Cancellation
        # and timeouts"). The caller's task may be another one by then.
        self._task = asyncio.create_task(self._serve(ready), name="msgmodel mcp")
        waiting: set[asyncio.Future[Any]] = {ready, self._task}
        try:
            done, _ = await asyncio.wait(waiting, timeout=self._timeout, return_when=asyncio.FIRST_COMPLETED)
            if ready.done() and not ready.cancelled():
                return self._read_tools(ready.result())
            words = "it has ended" if done else f"no answer within {self._timeout:g} seconds"
            if self._task.done() and not self._task.cancelled() and self._task.exception() is not None:
                words = _words_of_fault(self._task.exception())
            raise ConfigurationError(f"the MCP server {quoted(self._words[0])} can't be used: {words}")
        except BaseException:
            await self._close()
            raise

    def __enter__(self) -> list[RunnableTool]:
        self._thread = ToolLoop()
        try:
            return self._thread.run(self.__aenter__())
        except BaseException:
            self._thread.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._thread is not None
        self._thread.run(self._close())
        self._thread.close()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        self._stop.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=CLOSING_SECONDS)
            if not self._task.done():
                self._task.cancel()
                await asyncio.wait({self._task}, timeout=CLOSING_SECONDS)
            if self._task.done() and not self._task.cancelled():
                self._task.exception()  # of a server that died: its calls have reported it

    async def _serve(self, ready: asyncio.Future[list[Any]]) -> None:
        """Hold the session until the context ends."""
        async with self._sdk.Client(self._target(), elicitation_callback=self._ask_user) as client:
            tools: list[Any] = []
            cursor = None
            while True:
                page = await client.list_tools(cursor=cursor)
                tools += page.tools
                cursor = page.next_cursor
                if not cursor:
                    break
            self._client = client
            if not ready.done():
                ready.set_result(tools)
            await self._stop.wait()

    def _target(self) -> Any:
        """Return what the SDK connects to."""
        if self._is_url:
            if not self._headers:
                return self._words[0]
            http = import_module("httpx2").AsyncClient(headers=self._headers)
            return import_module("mcp.client.streamable_http").streamable_http_client(self._words[0], http_client=http)
        inherited = import_module("mcp.client.stdio").get_default_environment()
        command, *arguments = self._words
        return self._sdk.StdioServerParameters(command=command, args=arguments, env={**inherited, **self._environment})

    # --- tools ---

    def _read_tools(self, tools: Sequence[Any]) -> list[RunnableTool]:
        names = [tool.name for tool in tools]
        unknown = [name for name in self._only or () if name not in names]
        if unknown:
            raise ConfigurationError(f"only: the server has no tool {quoted(unknown[0])}; it has {', '.join(names)}")
        found: dict[str, RunnableTool] = {}
        for tool in tools:
            if self._only is None or tool.name in self._only:
                name = _fit_name(self._prefix + tool.name, found)
                found[name] = RunnableTool(name, tool.description or "", tool.input_schema, self._function(tool.name))
        return list(found.values())

    def _function(self, name: str) -> Any:
        async def call(**arguments: Any) -> Any:
            if asyncio.get_running_loop() is self._loop:
                return await self._call_tool(name, arguments)
            assert self._loop is not None  # a blocking run calls from a loop of its own
            called = asyncio.run_coroutine_threadsafe(self._call_tool(name, arguments), self._loop)
            return await asyncio.wrap_future(called)

        return call

    async def _call_tool(self, name: str, arguments: dict[str, Any]) -> Any:
        """Call a tool of the server, and return its result. Raise McpFailure if it fails."""
        context = current_call()

        async def report(progress: float, total: float | None, message: str | None) -> None:
            share = f"{progress:g}" if total is None else f"{progress:g} of {total:g}"
            context.report(f"{message or share}\n")

        if self._client is None or self._task is None or self._task.done():
            raise McpFailure(_GONE)
        asked = asyncio.ensure_future(self._client.call_tool(name, arguments, progress_callback=report))
        self._running.append(context)
        try:
            await asyncio.wait({asked, self._task}, return_when=asyncio.FIRST_COMPLETED)
            if not asked.done():
                raise McpFailure(_GONE)
            result = asked.result()
        except MsgModelError:
            raise
        except Exception as error:
            raise McpFailure(_words_of_fault(error)) from None
        finally:
            self._running.remove(context)
            if not asked.done():
                asked.cancel()
                with suppress(asyncio.CancelledError, Exception):  # the server hears of it before the call ends
                    await asked
        content = read_mcp_content(result)
        if result.is_error:
            raise McpFailure(content if isinstance(content, str) else "the tool failed")
        return content

    async def _ask_user(self, _: Any, params: Any) -> Any:
        """Answer a question of the server to the user: the run's `approve` decides."""
        elicited = import_module("mcp_types").ElicitResult
        context = self._running[-1] if self._running else None
        if context is None or context.ask is None:
            return elicited(action="cancel")
        schema = getattr(params, "requested_schema", None)
        question: PendingCall = {
            "id": context.id,
            "name": context.name,
            "arguments": "",
            "arguments_json": None,
            "reason": "question",
            "message": params.message,
        }
        if schema is not None:
            question["answer_schema"] = schema
        if getattr(params, "url", None):
            question["url"] = params.url
        decision = await context.ask(question)
        if isinstance(decision, Mapping) and isinstance(decision.get("arguments"), Mapping):
            return elicited(action="accept", content=dict(decision["arguments"]))
        if decision is True and not (schema or {}).get("required"):
            return elicited(action="accept", content={} if schema is not None else None)
        return elicited(action="decline")


_GONE = "the MCP server has ended, so it is not known whether the call took effect"


def read_mcp_content(result: Any) -> Any:
    """Return the result of an MCP tool as a run takes it: text, data, or text and files."""
    blocks = [block.model_dump(by_alias=True, mode="json", exclude_none=True) for block in result.content]
    for block in blocks:
        block.pop("annotations", None)
        block.pop("_meta", None)
    parts = [
        {"type": "text", "text": f"{block.get('name', 'file')}: {block['uri']}"}
        if block["type"] == "resource_link"
        else block
        for block in blocks
    ]
    if all(part["type"] == "text" for part in parts):
        text = "\n".join(part["text"] for part in parts)
        return text or result.structured_content or ""
    return parts


def _fit_name(name: str, taken: Mapping[str, Any]) -> str:
    """Return a name that all providers take, and that is not taken: a letter, then letters, digits, `_` and `-`."""
    fitting = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    if not fitting[:1].isalpha():
        fitting = f"tool_{fitting}"
    fitting = fitting[:NAME_CHARACTERS]
    number = 1
    unique = fitting
    while unique in taken:
        number += 1
        unique = f"{fitting[: NAME_CHARACTERS - 4]}_{number}"
    return unique


def _words_of_fault(error: BaseException | None) -> str:
    """Return the words of the first error in a group of them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if error is None:
        return "it has ended"
    return call_words.safe_words(call_words.words_of_error(error), ())
