"""Writes the goldens: what msgmodel says in each situation, and what a page must show of it.

    .venv/bin/python tests/goldens/make.py

`<name>.jsonl` has the events, one a line; `<name>.state.json` the state that a client must have reduced them to. The
state is taken from the terminal events and not reduced here: that both are the same is what the clients' tests show.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from msgmodel import run_tools, stream_many, stream_panels
from msgmodel.many import Panel
from msgmodel.testing import Reply, ScriptedProvider

HERE = Path(__file__).parent
Event = dict[str, Any]

STEADY = {
    "first_delta_seconds": 1.0,
    "total_seconds": 2.0,
    "endpoint": "127.0.0.1",
    "host": "127.0.0.1",
    "request_id": "req_golden",
    "cost": None,
    "cost_source": None,
    "seconds": 0.5,
}
"""What is another one each time, or with each price list, and what stands there instead. None stays."""


def ask(*answers: str | Reply, wire: str = "openai", **options: Any) -> list[Event]:
    """The events of one panel."""
    with ScriptedProvider() as provider:
        provider.say(*answers)
        options = {"model": "scripted", "panel_id": "panel", "max_retries": 0} | options
        return [dict(event) for event in stream_panels(wire, "A story", config=provider.config(wire), **options)]


def complete() -> list[Event]:
    return ask("Grüße: 🦊 and “quotes”,\r\n\na line\u2028separator, a\u0085next.")


def truncated() -> list[Event]:
    return ask(Reply("Once upon a", truncated=True), wire="anthropic")


def continued() -> list[Event]:
    answers = (Reply("Once upon a time there was a sm", truncated=True), Reply("there was a small fox."))
    return ask(*answers, continue_truncated=1)


def reasoning() -> list[Event]:
    return ask(Reply("Sunny.", reasoning="Let me look it up", signature="c2ln"), wire="anthropic")


def tools() -> list[Event]:
    calls: list[Any] = [
        {"id": "call_1", "name": "weather", "arguments": {"city": "Zürich", "days": [1, 2]}},
        {"id": "call_2", "name": "now", "arguments": {}},
    ]
    tool = {"name": "weather", "parameters": {"type": "object", "properties": {}}}
    return ask(Reply("Let me look.", tool_calls=calls), tools=[tool], tool_deltas=True)


def cut_tool() -> list[Event]:
    calls: list[Any] = [{"id": "call_1", "name": "weather", "arguments": '{"city": "Zü'}]
    return ask(Reply("Let me look.", tool_calls=calls, truncated=True), tool_deltas=True)


def sources() -> list[Event]:
    found: list[Any] = [{"url": "https://example.com/a", "title": "A"}, {"url": "https://example.com/b", "title": "B"}]
    return ask(Reply("It is so.", sources=found), wire="gemini")


def refusal() -> list[Event]:
    return ask(Reply(refusal="I can't help with that."))


def interrupted() -> list[Event]:
    return ask(Reply("Once upon a time", cut_after=2))


def resumed() -> list[Event]:
    answers = (Reply("Once upon a time there was", cut_after=4), Reply("a time there was a fox."))
    return ask(*answers, resume_interrupted=True, max_retries=1)


def error() -> list[Event]:
    return ask(Reply(error=429, retry_after=30))


def fallback() -> list[Event]:
    """Reasoning was shown, then the provider broke off: the fallback's reply begins from nothing."""
    with ScriptedProvider() as first, ScriptedProvider() as second:
        first.say(Reply("Never said", reasoning="Half a thought", breaks_off_after=0))
        second.say(Reply("From elsewhere.", reasoning="Another thought"))
        config = second.config("openai", model="other")
        asked = stream_panels(
            "anthropic", "A story", config=first.config("anthropic"), model="scripted", panel_id="panel", max_retries=0,
            fallbacks=[{"provider": "openai", "config": config}],
        )  # fmt: skip
        return [dict(event) for event in asked]


PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}


def typed() -> list[Event]:
    """A list whose second element has not the format."""
    text = '{"items": [{"name": "Ada", "age": 36}, {"name": "Bob"}]}'
    pieces = [text[at : at + 7] for at in range(0, len(text), 7)]
    return ask(Reply(text, pieces=pieces), output={"type": "array", "items": PERSON})


def repaired() -> list[Event]:
    """The first answer has not the format: what it showed of the value no longer counts, its text does."""
    answers = (Reply('{"name": "Ada", "age": "many"}'), Reply('{"name": "Ada", "age": 36}'))
    return ask(*answers, output=PERSON, repair=1)


def run_of_tools() -> list[Event]:
    """A call runs and says how far it is, the next one fails, and the third waits for a decision."""

    def copy(folder: str) -> Iterator[str]:
        yield f"copied {folder}/a\n"
        yield f"copied {folder}/b\n"

    def price(fruit: str) -> float:
        raise ValueError(f"no {fruit} today")

    def delete(file: str) -> None: ...

    def call(id: str, name: str, **arguments: str) -> Reply:
        return Reply(f"I call {name}.", tool_calls=[{"id": id, "name": name, "arguments": arguments}])

    with ScriptedProvider() as provider:
        provider.say(
            call("call_1", "copy", folder="docs"),
            call("call_2", "price", fruit="pear"),
            call("call_3", "delete", file="a"),
        )
        asked = run_tools(
            "openai", "Copy, and delete", tools=[copy, price, delete], approval=["delete"], run_id="run_golden",
            model="scripted", panel_id="panel", max_retries=0, config=provider.config("openai"),
        )  # fmt: skip
        return [dict(event) for event in asked]


def two_panels() -> list[Event]:
    """One ends well, one breaks. Which of them is faster is chance: here they take turns."""
    with ScriptedProvider() as left, ScriptedProvider() as right:
        left.say("Left says this.")
        right.say(Reply("Right says that.", reasoning="Hm", cut_after=2))
        panels = [
            Panel("openai", panel_id="left", model="scripted", config=left.config("openai")),
            Panel("anthropic", panel_id="right", model="scripted", config=right.config("anthropic")),
        ]
        *events, last = [dict(event) for event in stream_many(panels, "A story", max_retries=0)]
    sides = [[event for event in events if event["panel_id"] == side] for side in ("left", "right")]
    return [event for event in chain(*zip_longest(*sides)) if event] + [last]


GOLDENS: dict[str, Callable[[], list[Event]]] = {
    made.__name__: made
    for made in (
        complete, truncated, continued, reasoning, tools, cut_tool, sources, refusal, interrupted, resumed, error,
        fallback, typed, repaired, run_of_tools, two_panels,
    )
}  # fmt: skip


def steady(value: Any) -> Any:
    """The value without what differs from run to run."""
    if isinstance(value, dict):
        return {key: STEADY[key] if key in STEADY and item is not None else steady(item) for key, item in value.items()}
    return [steady(item) for item in value] if isinstance(value, list) else value


def state(events: list[Event]) -> Any:
    """What a page must show in the end."""
    ends = {event["panel_id"]: event for event in events if event["event"] in ("panel_final", "panel_error")}
    first_words = dict.fromkeys(event["panel_id"] for event in events if event["panel_id"])
    panels = [
        {
            "id": panel_id,
            "status": ends[panel_id]["event"].removeprefix("panel_"),
            "text": ends[panel_id]["content"],
            "reasoning": ends[panel_id].get("reasoning", ""),
            "refusal": ends[panel_id].get("refusal", ""),
            "toolCalls": _calls(events, ends[panel_id]),
            "sources": ends[panel_id].get("sources", []),
            "parts": [*{event["id"]: event for event in events if _is_part(event, panel_id)}.values()],
            "toolRuns": ends[panel_id].get("tool_runs", []),
            **_value_state(events, panel_id),
            **_run_state(events, ends[panel_id]),
            "retries": [event for event in events if event["event"] == "panel_retry" and event["panel_id"] == panel_id],
            "end": ends[panel_id],
        }
        for panel_id in first_words
    ]
    batch = events[-1] if events[-1]["event"] == "batch_final" else None
    return {"panels": panels, "batch": batch}


def _value_state(events: list[Event], panel_id: str) -> dict[str, Any]:
    """The value and the items that the last answer showed, if there are any."""
    own = [event for event in events if event["panel_id"] == panel_id]
    begin = max((number for number, event in enumerate(own) if event.get("reason") == "repair"), default=0)
    values = [event for event in own[begin:] if event["event"] == "panel_object"]
    items = [event for event in own[begin:] if event["event"] == "panel_item"]
    return ({"object": values[-1]} if values else {}) | ({"items": items} if items else {})


def _calls(events: list[Event], end: Event) -> list[Event]:
    """The calls: in a run of tools those of all rounds, which no terminal event repeats."""
    if "run" not in end:
        return end.get("tool_calls", [])
    calls = [event for event in events if event["event"] == "panel_tool_call"]
    return [{key: value for key, value in call.items() if key not in ("event", "panel_id")} for call in calls]


def _run_state(events: list[Event], end: Event) -> dict[str, Any]:
    if "run" not in end:
        return {}
    return {"toolResults": end["run"]["calls"], "round": end["run"]["rounds"]}


def _is_part(event: Event, panel_id: str) -> bool:
    return event["event"] == "panel_part" and event["panel_id"] == panel_id


def render(name: str) -> dict[str, str]:
    """The two files of a golden, by their names."""
    events = steady(GOLDENS[name]())
    lines = "".join(json.dumps(event, ensure_ascii=True) + "\n" for event in events)
    return {f"{name}.jsonl": lines, f"{name}.state.json": json.dumps(state(events), indent=2) + "\n"}


if __name__ == "__main__":
    os.environ["NO_PROXY"] = "*"
    for name in GOLDENS:
        for file, text in render(name).items():
            (HERE / file).write_text(text, "utf-8")
