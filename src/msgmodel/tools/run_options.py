"""The options of a run of tools: their types, their checks, and what of them belongs to each request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any, Literal, TypeAlias

from .. import _arguments
from .._options import AsyncOptions, Fallback, OwnSettings, SyncOptions
from ..errors import ConfigurationError, quoted
from ..events import PanelEnd, PendingCall
from ..question.tools import read_tools
from .run_steps import RunLimits
from .runnable_tool import RunnableTool, read_run_tools

Decision: TypeAlias = bool | str | Mapping[str, Any]
Approver: TypeAlias = Callable[[PendingCall], Decision] | Callable[[PendingCall], Awaitable[Decision]]


class SyncRunOptions(SyncOptions, total=False):
    """`Options`, and for runs of tools in blocking code:"""

    max_rounds: int
    """Maximum requests to the model; 10 by default. Calls of the last one are not run, and the status is `truncated`
    with `truncated_by` "rounds"."""
    max_calls: int | None
    """Maximum calls of functions; no limit by default. The model is asked to answer without the calls beyond it."""
    tool_timeout: float
    """Maximum seconds for each function; 60 by default."""
    approve: Callable[[PendingCall], Decision] | None
    """Called before a call runs. It returns True, False, the reason for a refusal, or `{"arguments": {...}}` to run the
    call with other arguments. If it raises an exception, the call is refused."""
    approval: Literal["ask"] | Collection[str] | None
    """Which calls must be approved: "ask" for all, or the names of tools. With `approve`, all by default; without it,
    the run ends with the status `waiting`, and `resume_tools` continues it."""
    journal: str | Path | None
    """The file of the journal (SQLite), which keeps the calls over a crash; none by default. With the same `run_id`,
    the run continues, and no call runs twice."""
    run_id: str | None
    """The id of the run, for the journal and for the keys of the calls; 32 random hexadecimal digits by default."""


class AsyncRunOptions(AsyncOptions, total=False):
    """`Options`, and for runs of tools with asyncio:"""

    max_rounds: int
    """Maximum requests to the model; 10 by default. Calls of the last one are not run, and the status is `truncated`
    with `truncated_by` "rounds"."""
    max_calls: int | None
    """Maximum calls of functions; no limit by default. The model is asked to answer without the calls beyond it."""
    tool_timeout: float
    """Maximum seconds for each function; 60 by default."""
    approve: Approver | None
    """Called before a call runs, in a thread if it is a plain function. It returns True, False, the reason for a
    refusal, or `{"arguments": {...}}` to run the call with other arguments. If it raises an exception, the call is
    refused."""
    approval: Literal["ask"] | Collection[str] | None
    """Which calls must be approved: "ask" for all, or the names of tools. With `approve`, all by default; without it,
    the run ends with the status `waiting`, and `aresume_tools` continues it."""
    journal: str | Path | None
    """The file of the journal (SQLite), which keeps the calls over a crash; none by default. With the same `run_id`,
    the run continues, and no call runs twice."""
    run_id: str | None
    """The id of the run, for the journal and for the keys of the calls; 32 random hexadecimal digits by default."""


class SyncRunSettings(SyncRunOptions, OwnSettings, total=False):
    """The settings of a run in a conversation, for blocking functions."""


class AsyncRunSettings(AsyncRunOptions, OwnSettings, total=False):
    """The settings of a run in a conversation, for async functions."""


OWN_OPTIONS = frozenset(SyncRunOptions.__annotations__) - frozenset(SyncOptions.__annotations__)
"""The options that no request has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """The checked options of a run."""

    tools: dict[str, RunnableTool]
    described: list[Any]
    """All tools, as a question takes them."""
    application_tools: frozenset[str]
    """The names of the tools that have no function."""
    limits: RunLimits
    approve: Any
    approval: frozenset[str] | None
    """The names of the tools whose calls must be approved; None for all of them."""
    journal: str | Path | None
    run_id: str | None
    on_end: Callable[[PanelEnd], object] | None
    secrets: tuple[str, ...]

    def needs_approval(self, name: str) -> bool:
        """Return whether a call of this tool must be approved."""
        return self.approval is None or name in self.approval


def read_run_options(provider: str, settings: Mapping[str, Any], *, is_async: bool) -> RunPlan:
    """Return the checked options of a run.

    Args:
        provider: The name of the provider.
        settings: All keywords of the call.
        is_async: Whether the run is on asyncio.

    Raises:
        ConfigurationError: An option is wrong.
    """
    described, runnable = read_run_tools(settings.get("tools"))
    names = {tool.name for tool in read_tools(described, None)[0]}
    approve, approval = settings.get("approve"), settings.get("approval")
    if approve is not None and not callable(approve):
        raise ConfigurationError(f"approve must be a function, not {type(approve).__name__}")
    if not is_async and iscoroutinefunction(approve):
        raise ConfigurationError("approve is an async function, which only arun_tools can call")
    deadline, run_id, journal = settings.get("deadline"), settings.get("run_id"), settings.get("journal")
    if run_id is not None and (not isinstance(run_id, str) or not run_id):
        raise ConfigurationError(f"run_id must be a string, and not empty, not {quoted(run_id)}")
    if journal is not None and not isinstance(journal, str | Path):
        raise ConfigurationError(f"journal must be the path of a file, not {type(journal).__name__}")
    return RunPlan(
        tools=runnable,
        described=described,
        application_tools=frozenset(names - runnable.keys()),
        limits=RunLimits(
            max_rounds=_read_limit("max_rounds", settings.get("max_rounds", 10)),
            max_calls=None if settings.get("max_calls") is None else _read_limit("max_calls", settings["max_calls"]),
            tool_timeout=_arguments.read_seconds("tool_timeout", settings.get("tool_timeout", 60.0)),
            deadline=None if deadline is None else _arguments.read_seconds("deadline", deadline),
        ),
        approve=approve,
        approval=_read_approval(approval, approve is not None, names),
        journal=journal,
        run_id=run_id,
        on_end=_arguments.check_callback("on_end", settings.get("on_end")),
        secrets=tuple(_find_secrets(provider, settings)),
    )


def _read_limit(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigurationError(f"{name} must be a whole number of at least 1, not {quoted(value)}")
    return value


def _read_approval(approval: object, has_approver: bool, names: set[str]) -> frozenset[str] | None:
    if approval is None:
        return None if has_approver else frozenset()
    if approval == "ask":
        return None
    if isinstance(approval, str) or not isinstance(approval, Collection):
        raise ConfigurationError(f'approval must be "ask" or a list of the names of tools, not {quoted(approval)}')
    unknown = [name for name in approval if name not in names]
    if unknown:
        raise ConfigurationError(f"approval: there is no tool {quoted(unknown[0])}; the tools are {', '.join(names)}")
    return frozenset(approval)


def _find_secrets(provider: str, settings: Mapping[str, Any]) -> set[str]:
    """Return the keys of the provider and of the fallbacks, which the error of a function may quote."""
    found: set[str] = set()
    asked = [(provider, settings.get("api_key"), settings.get("config"))]
    for fallback in settings.get("fallbacks", ()):
        if isinstance(fallback, str | tuple):
            asked.append((fallback if isinstance(fallback, str) else fallback[0], None, None))
        elif isinstance(fallback, Mapping):
            fields: Fallback = fallback  # type: ignore[assignment]
            asked.append((fields["provider"], fields.get("api_key"), fields.get("config")))
    for name, api_key, config in asked:
        _, destination = _arguments.find_list_destination(name.partition("/")[0], api_key, config)
        found.update(destination.secrets if destination else ())
    return found
