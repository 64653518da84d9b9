"""What the tests of runs share: both colors behind one fixture, and what of the events does not change."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Any

from conftest import PROVIDER, Async, Sync
from msgmodel import AsyncRunStream, Conversation, RunStream, aresume_tools, arun_tools, resume_tools, run_tools
from msgmodel.testing import ScriptedProvider

Event = dict[str, Any]


class Runs:
    """Runs of tools in one color, against a scripted provider.

    Attributes:
        colour: How the questions are asked.
        provider: The provider.
    """

    def __init__(self, colour: Sync | Async, provider: ScriptedProvider) -> None:
        self.colour, self.provider = colour, provider

    @property
    def is_async(self) -> bool:
        return isinstance(self.colour, Async)

    def start(self, tools: Any, prompt: str = "Go", wire: str = "openai_chat", **options: Any) -> Any:
        """Return the run, not read yet."""
        function = arun_tools if self.is_async else run_tools
        settings = {"config": self.provider.config(wire), "panel_id": "panel", "max_retries": 0} | options
        return function(PROVIDER[wire], prompt, tools=tools, **settings)

    def resume(self, state: Any, decisions: Any, tools: Any, wire: str = "openai_chat", **options: Any) -> Any:
        function = aresume_tools if self.is_async else resume_tools
        settings = {"config": self.provider.config(wire), "max_retries": 0} | options
        return function(state, decisions, tools=tools, **settings)

    def converse(self, chat: Conversation, prompt: str, **settings: Any) -> Any:
        return chat.arun(prompt, **settings) if self.is_async else chat.run(prompt, **settings)

    def read(self, run: Any) -> list[Event]:
        """Return all events of a run, after a check of their grammar."""
        if isinstance(run, RunStream):
            events = [dict(event) for event in run]
        else:
            events = self.colour.run(_collect(run))  # type: ignore[union-attr]
        check_grammar(events)
        return events

    def events(self, tools: Any, prompt: str = "Go", wire: str = "openai_chat", **options: Any) -> list[Event]:
        """Return all events of a new run."""
        return self.read(self.start(tools, prompt, wire, **options))


async def _collect(run: AsyncIterable[Any]) -> list[Event]:
    assert isinstance(run, AsyncRunStream)
    return [dict(event) async for event in run]


def check_grammar(events: list[Event]) -> None:
    """Check that one terminal event is the last one, its content the text of all deltas, and one result each call's."""
    ends = [event for event in events if event["event"] in ("panel_final", "panel_error")]
    assert ends == events[-1:]
    assert "".join(event["delta"] for event in events if event["event"] == "panel_delta") == ends[0]["content"]
    if "segments" in ends[0]:
        assert sum(segment["characters"] for segment in ends[0]["segments"]) == len(ends[0]["content"])
    ids = [call["id"] for call in ends[0]["run"]["calls"]]
    shown = [event["id"] for event in events if event["event"] == "panel_tool_result"]
    assert sorted(shown) == sorted(ids[len(ids) - len(shown) :])


def results(events: list[Event]) -> list[tuple[str, str, Any, str | None]]:
    """Return the ends of the calls, as they were shown, without the seconds."""
    found = [event for event in events if event["event"] == "panel_tool_result"]
    assert all(event["seconds"] >= 0 for event in found)
    return [(event["id"], event["status"], event["result"], event["error"]) for event in found]


def call(id: str, name: str, /, **arguments: Any) -> Any:
    """Return a scripted call."""
    return {"id": id, "name": name, "arguments": arguments}
