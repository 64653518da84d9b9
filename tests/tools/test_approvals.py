"""Approvals: by a function, and by a pause that another process ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tool_runs import Runs, call, results

from conftest import KEY
from msgmodel import ConfigurationError, read_signed_state, run_tools, sign_state
from msgmodel.testing import Reply, ScriptedCall, ScriptedProvider

SECRET = "a secret of the server"


class Files:
    """Two tools, and what they did."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.tools = [self.read_file, self.delete_file]

    def read_file(self, name: str) -> str:
        """Read a file."""
        self.done.append(("read", name))
        return f"content of {name}"

    def delete_file(self, name: str) -> str:
        """Delete a file."""
        self.done.append(("deleted", name))
        return "deleted"


BOTH: list[ScriptedCall] = [call("c1", "read_file", name="a"), call("c2", "delete_file", name="b")]


@pytest.mark.parametrize(
    ("decision", "status", "error"),
    [
        (True, "done", None),
        (False, "refused", "the user refused this call"),
        ("It is mine.", "refused", "the user refused this call: It is mine."),
        (None, "refused", "the user refused this call: a decision must be True, False, a reason"),
        (
            {"arguments": {"name": 3}},
            "refused",
            "the user refused this call: the changed arguments do not fit the tool",
        ),
        (ValueError("x"), "refused", "the user refused this call: the approval failed with ValueError"),
    ],
)
@pytest.mark.parametrize("is_coroutine", [False, True])
def test_a_function_approves(runs: Runs, decision: Any, status: str, error: str | None, is_coroutine: bool) -> None:
    files, asked = Files(), []

    def approve(pending: Any) -> Any:
        asked.append(pending)
        if isinstance(decision, Exception):
            raise decision
        return decision

    async def approve_later(pending: Any) -> Any:
        return approve(pending)

    runs.provider.say(Reply(tool_calls=BOTH), "Done.")
    options: dict[str, Any] = {"approve": approve_later if is_coroutine else approve, "approval": ["delete_file"]}
    if is_coroutine and not runs.is_async:
        with pytest.raises(ConfigurationError, match="approve is an async function"):
            runs.start(files.tools, **options)
        return
    read, deleted = sorted(results(runs.events(files.tools, **options)))
    assert read == ("c1", "done", "content of a", None)
    assert deleted[1] == status
    assert (deleted[3] or "").startswith(error or "")
    assert (("deleted", "b") in files.done) == (status == "done")
    assert asked == [
        {
            "id": "c2",
            "name": "delete_file",
            "arguments": '{"name": "b"}',
            "arguments_json": {"name": "b"},
            "reason": "approval",
        }
    ]


def test_an_approval_may_change_the_arguments(runs: Runs) -> None:
    files = Files()
    runs.provider.say(Reply(tool_calls=BOTH[1:]), "Done.")
    events = runs.events(files.tools, approve=lambda pending: {"arguments": {"name": "c"}})
    assert files.done == [("deleted", "c")]
    assert results(events) == [("c2", "done", "deleted", None)]
    (sent,) = [each for each in runs.provider.requests[-1].json["messages"] if each["role"] == "tool"]
    assert sent["content"] == 'Before the call ran, the user changed its arguments to {"name":"c"}.\n\ndeleted'


def test_the_run_waits_and_goes_on(runs: Runs) -> None:
    """What needs no approval has run before the pause; its result is not lost, and it does not run again."""
    files = Files()
    runs.provider.say(Reply("Let me see.", tool_calls=BOTH), "Both are done.")
    events = runs.events(files.tools, approval=["delete_file"])
    final = events[-1]
    assert (final["status"], final["truncated"], final["content"]) == ("waiting", False, "Let me see.")
    assert results(events) == [("c1", "done", "content of a", None)]
    assert [each["id"] for each in final["run"]["pending"]] == ["c2"]
    assert files.done == [("read", "a")]
    state = json.loads(json.dumps(final["run"]["state"]))
    events = runs.read(runs.resume(state, {"c2": True}, files.tools))
    assert files.done == [("read", "a"), ("deleted", "b")]
    assert results(events) == [("c2", "done", "deleted", None)]
    final = events[-1]
    assert (final["status"], final["content"], final["run"]["rounds"]) == ("complete", "Both are done.", 2)
    assert [(each["id"], each["status"]) for each in final["run"]["calls"]] == [("c1", "done"), ("c2", "done")]
    assert final["run"]["id"] == state["run_id"]
    assert final["usage"]["output_tokens"] > state["spent"]["usage"]["output_tokens"]
    sent = [each for each in runs.provider.requests[-1].json["messages"] if each["role"] == "tool"]
    assert [each["content"] for each in sent] == ["content of a", "deleted"]


def test_calls_without_a_decision_go_on_waiting(runs: Runs) -> None:
    files = Files()
    runs.provider.say(Reply(tool_calls=BOTH), "Done.")
    state = runs.events(files.tools, approval="ask")[-1]["run"]["state"]
    events = runs.read(runs.resume(state, {"c2": "No."}, files.tools, approval="ask"))
    assert (events[-1]["status"], [each["id"] for each in events[-1]["run"]["pending"]]) == ("waiting", ["c1"])
    assert results(events) == [("c2", "refused", None, "the user refused this call: No.")]
    assert len(runs.provider.requests) == 1
    events = runs.read(runs.resume(events[-1]["run"]["state"], {"c1": True}, files.tools, approval="ask"))
    assert events[-1]["status"] == "complete"
    assert [each["status"] for each in events[-1]["run"]["calls"]] == ["refused", "done"]


def test_a_run_that_broke_goes_on(runs: Runs) -> None:
    files = Files()
    runs.provider.say(Reply(tool_calls=BOTH[:1]), Reply("It is", cut_after=1, cut="fin"), "It is a.")
    broken = runs.events(files.tools)[-1]
    assert (broken["event"], broken["content"]) == ("panel_error", "It")
    events = runs.read(runs.resume(broken["run"]["state"], None, files.tools))
    assert (events[-1]["status"], events[-1]["content"], files.done) == ("complete", "It is a.", [("read", "a")])


@pytest.mark.parametrize(
    ("decisions", "words"),
    [
        ({"c9": True}, r"no call with the id 'c9' waits for a decision \(waiting: c1, c2\)"),
        ({"c1": None}, "a decision must be True, False, a reason"),
        ({"c1": {"result": 1, "more": 2}}, "a decision must be True, False, a reason"),
        ({"c1": {"arguments": {"path": "a"}}}, "the changed arguments do not fit the tool"),
    ],
)
def test_wrong_decisions_are_refused_at_the_call(runs: Runs, decisions: Any, words: str) -> None:
    files = Files()
    runs.provider.say(Reply(tool_calls=BOTH))
    state = runs.events(files.tools, approval="ask")[-1]["run"]["state"]
    with pytest.raises(ConfigurationError, match=words):
        runs.resume(state, decisions, files.tools)
    assert files.done == []


@pytest.mark.parametrize(
    "state",
    [
        *({}, [], "state", {"conversation": 3}, {"conversation": {"version": 1}}),
        {"conversation": {"version": 1, "provider": "openai", "messages": []}},
    ],
)
def test_what_is_no_state_is_refused(runs: Runs, state: Any) -> None:
    with pytest.raises(ConfigurationError):
        runs.resume(state, {}, Files().tools)


def test_the_state_holds_no_key(runs: Runs) -> None:
    runs.provider.say(Reply(tool_calls=BOTH))
    config = runs.provider.config("openai_chat", api_key=KEY)
    last = runs.events(Files().tools, approval="ask", config=config)[-1]
    assert KEY not in json.dumps(last)


PROGRAM = """
import json, sys
from msgmodel import OpenAIConfig, resume_tools

def delete_file(name: str) -> str:
    "Delete a file."
    return "deleted " + name

state, decisions, url = json.load(sys.stdin)
config = OpenAIConfig(base_url=url + "/v1", api_key="test-key", api="chat")
print(json.dumps(list(resume_tools(state, decisions, config=config, tools=[delete_file]))))
"""


def test_another_process_goes_on(provider: ScriptedProvider) -> None:
    provider.say(Reply(tool_calls=BOTH[1:]), "Done.")
    files = Files()
    options: Any = {"config": provider.config("openai_chat"), "approval": "ask"}
    *_, last = run_tools("openai", "Go", tools=[files.delete_file], **options)
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([last["run"]["state"], {"c2": True}, provider.url]),  # type: ignore[typeddict-item]
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    events = json.loads(said.stdout)
    assert results(events) == [("c2", "done", "deleted b", None)]
    assert (events[-1]["status"], events[-1]["panel_id"]) == ("complete", last["panel_id"])


# --- signed states ---


def test_a_signed_state_comes_back() -> None:
    state = {"rounds": 1, "conversation": {"messages": [{"role": "user", "content": "Grüße 🦊"}]}}
    assert read_signed_state(sign_state(state, SECRET), SECRET) == state
    assert read_signed_state(sign_state(state, SECRET), SECRET.encode(), max_age=60) == state


def test_a_changed_state_is_refused() -> None:
    """Each character of the text counts, and so does the key."""
    text = sign_state({"rounds": 1}, SECRET)
    for place in range(len(text)):
        changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        with pytest.raises(ConfigurationError, match="no valid signature"):
            read_signed_state(changed, SECRET)
    for wrong in ("", ".", text[:-1], text + "0", text.partition(".")[0], "ü" + text):
        with pytest.raises(ConfigurationError, match="no valid signature"):
            read_signed_state(wrong, SECRET)
    with pytest.raises(ConfigurationError, match="no valid signature"):
        read_signed_state(text, SECRET + "2")


def test_an_old_state_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="too old"):
        read_signed_state(sign_state({}, SECRET), SECRET, max_age=-1)


def test_a_short_key_signs_nothing() -> None:
    with pytest.raises(ConfigurationError, match="at least 16 bytes"):
        sign_state({}, "short")


def test_the_same_decision_twice_runs_the_call_once(runs: Runs, tmp_path: Path) -> None:
    """A client may send its state twice: with a journal, the call does not run again."""
    files = Files()
    journal = tmp_path / "runs.db"
    runs.provider.say(Reply(tool_calls=BOTH[1:]), "Done.")
    state = runs.events(files.tools, approval="ask", journal=journal)[-1]["run"]["state"]
    first = runs.read(runs.resume(state, {"c2": True}, files.tools, journal=journal))
    second = runs.read(runs.resume(state, {"c2": True}, files.tools, journal=journal))
    assert results(first) == results(second) == [("c2", "done", "deleted", None)]
    assert files.done == [("deleted", "b")]
