"""Tools that the server runs: what may run, what waits for a decision, and who may continue it."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

import serving
from msgmodel import ConfigurationError
from msgmodel.server import Settings, create_app
from msgmodel.testing import Reply, ScriptedProvider
from serving import TOKENS, Redis, Serving, Stream, bearer, kinds, opened, request

module_provider, provider, serve = serving.module_provider, serving.provider, serving.serve  # fixtures
redis_server, own_redis = serving.redis_server, serving.own_redis

SECRET = "a secret of thirty-two characters"
FOLDER = "copied one\n", "copied two\n"


class Effects:
    """Tools with an effect that can be counted."""

    def __init__(self) -> None:
        self.paid: list[int] = []
        self.go_on = threading.Event()

    def pay(self, amount: int) -> str:
        """Pay an amount."""
        self.paid.append(amount)
        return f"paid {amount}"

    def copy(self) -> Iterator[str]:
        """Copy a folder."""
        yield FOLDER[0]
        self.go_on.wait(serving.BUSY)
        yield FOLDER[1]

    def fail(self) -> None:
        """Fail."""
        raise ValueError("out of order")


@pytest.fixture
def effects() -> Iterator[Effects]:
    found = Effects()
    yield found
    found.go_on.set()


def call(name: str, id: str = "call_1", **arguments: Any) -> dict[str, Any]:
    return {"id": id, "name": name, "arguments": arguments}


def ask(server: Any, run_tools: Any, token: str = "", **options: Any) -> AbstractContextManager[Stream]:
    panel = {"provider": "openai", "panel_id": "p", "run_tools": run_tools, "max_retries": 0, **options}
    body = {"prompt": "Go", "panels": [panel]}
    return opened("POST", f"{server.url}/v1/panels", json=body, headers=bearer(token) if token else {})


def resume(server: Any, end: dict[str, Any], token: str = "", **decisions: Any) -> AbstractContextManager[Stream]:
    body = {"resume": {"state": end["run"]["state"], "decisions": decisions}}
    return opened("POST", f"{server.url}/v1/panels", json=body, headers=bearer(token) if token else {})


def refusal(server: Any, body: dict[str, Any], token: str = "") -> tuple[int, str, str]:
    answer = request("POST", f"{server.url}/v1/panels", json=body, headers=bearer(token) if token else {})
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["message"]


def end_of(stream: Stream) -> dict[str, Any]:
    assert stream.response.status_code == 200, stream.response.read()
    return stream.rest()[-1].data


def waiting(server: Any, provider: ScriptedProvider, token: str = "") -> dict[str, Any]:
    """The end of a run that waits for the approval of a payment."""
    provider.say(Reply("I pay.", tool_calls=[call("pay", amount=5)]))
    with ask(server, ["pay"], token) as stream:
        end = end_of(stream)
    assert (end["status"], [each["id"] for each in end["run"]["pending"]]) == ("waiting", ["call_1"])
    return end


def results_sent(provider: ScriptedProvider) -> list[str]:
    """The results of tools in the last request."""
    items = provider.requests[-1].json["input"]
    return [item["output"] for item in items if item.get("type") == "function_call_output"]


# --- runs ---


def test_tools_run_and_say_so(serve: Any, provider: ScriptedProvider, effects: Effects) -> None:
    effects.go_on.set()
    calls = [call("pay", "1", amount=5), call("copy", "2"), call("fail", "3"), call("pay", "4", amount="much")]
    provider.say(Reply("I work.", tool_calls=calls), "Done.")
    server = serve(tools=(effects.pay, effects.copy, effects.fail), tool_approval=())
    with ask(server, True) as stream:
        events = [event.data for event in stream.rest()]
    results = {event["id"]: event for event in events if event["event"] == "panel_tool_result"}
    assert {id: event["status"] for id, event in results.items()} == {
        "1": "done",
        "2": "done",
        "3": "failed",
        "4": "not_run",
    }
    assert (results["1"]["result"], results["2"]["result"]) == ("paid 5", "".join(FOLDER))
    assert "".join(event["delta"] for event in events if event["event"] == "panel_tool_progress") == "".join(FOLDER)
    assert effects.paid == [5]
    end = events[-1]
    assert (end["status"], end["content"], end["run"]["rounds"]) == ("complete", "I work.\n\nDone.", 2)
    assert end["run"]["state"] is None
    sent = {tool["name"] for tool in provider.requests[-1].json["tools"]}
    assert sent == {"pay", "copy", "fail"}


def test_a_request_has_only_the_tools_that_it_names(serve: Any, provider: ScriptedProvider, effects: Effects) -> None:
    server = serve(tools=(effects.pay, effects.fail), tool_approval=())
    provider.say(Reply("I pay.", tool_calls=[call("pay", amount=5)]), "I could not.")
    with ask(server, ["fail"]) as stream:
        end = end_of(stream)
    assert [result["status"] for result in end["run"]["calls"]] == ["not_run"]
    assert effects.paid == []
    assert [tool["name"] for tool in provider.requests[-1].json["tools"]] == ["fail"]
    for nothing in (False, []):
        provider.say("Hello.")
        with ask(server, nothing) as stream:
            assert "run" not in end_of(stream)
        assert "tools" not in provider.requests[-1].json


def test_a_reader_that_joins_late_sees_what_runs(serve: Any, provider: ScriptedProvider, effects: Effects) -> None:
    provider.say(Reply("", tool_calls=[call("pay", "1", amount=5)]), Reply("", tool_calls=[call("copy", "2")]), "Done.")
    server = serve(tools=(effects.pay, effects.copy), tool_approval=())
    with ask(server, True) as stream:
        progress = stream.until("panel_tool_progress")
        url = server.url + stream.response.headers["location"]
        with opened("GET", url) as other:
            (panel,) = other.take(1)[0].data["panels"]
            assert panel["tool_progress"] == [{"id": "2", "name": "copy", "text": FOLDER[0]}]
            assert [(each["id"], each["status"]) for each in panel["tool_results"]] == [("1", "done")]
            assert (panel["round"], [each["id"] for each in panel["tool_calls"]]) == (2, ["1", "2"])
            effects.go_on.set()
            after = other.rest()
        rest = stream.rest()
        assert [event.data for event in after] == [event.data for event in rest]
    with opened("GET", url, headers={"last-event-id": str(progress.id)}) as again:
        assert [event.data for event in again.rest()] == [event.data for event in rest]
    assert effects.paid == [5]


def test_a_stop_ends_the_call_and_the_run(serve: Any, provider: ScriptedProvider, effects: Effects) -> None:
    provider.say(Reply("", tool_calls=[call("copy")]))
    server = serve(tools=(effects.copy,), tool_approval=())
    with ask(server, True) as stream:
        stream.until("panel_tool_progress")
        request("DELETE", server.url + stream.response.headers["location"])
        events = stream.rest()
    assert kinds(events)[-2:] == ["panel_tool_result", "panel_error"]
    assert (events[-2].data["status"], events[-1].data["code"]) == ("unknown", "cancelled")


def test_limits(serve: Any, provider: ScriptedProvider, effects: Effects) -> None:
    server = serve(tools=(effects.pay,), tool_approval=(), max_rounds=2, max_tool_calls=2)
    for options, rounds, paid in (({}, 2, 1), ({"max_rounds": 9}, 2, 1), ({"max_rounds": 1}, 1, 0)):
        effects.paid.clear()
        provider.say(*[Reply("", tool_calls=[call("pay", f"c{number}", amount=number)]) for number in range(rounds)])
        with ask(server, True, **options) as stream:
            end = end_of(stream)
        assert (end["status"], end["truncated_by"], end["run"]["rounds"]) == ("truncated", "rounds", rounds)
        assert len(effects.paid) == paid
    effects.paid.clear()
    provider.say(Reply("", tool_calls=[call("pay", f"c{number}", amount=number) for number in range(4)]), "Done.")
    with ask(server, True, max_calls=50) as stream:
        end = end_of(stream)
    assert sorted(effects.paid) == [0, 1]
    assert [each["status"] for each in end["run"]["calls"]] == ["done", "done", "not_run", "not_run"]


def test_a_call_that_takes_too_long(serve: Any, provider: ScriptedProvider, effects: Effects) -> None:
    provider.say(Reply("", tool_calls=[call("copy")]), "I do not know.")
    server = serve(tools=(effects.copy,), tool_approval=(), tool_timeout=0.2)
    with ask(server, True) as stream:
        end = end_of(stream)
    assert ([each["status"] for each in end["run"]["calls"]], end["status"]) == (["unknown"], "complete")


# --- approvals ---


def test_a_call_waits_until_it_is_approved(serve: Any, provider: ScriptedProvider, effects: Effects) -> None:
    server = serve(tools=(effects.pay,))
    end = waiting(server, provider)
    assert effects.paid == []
    provider.say("Paid.")
    with resume(server, end, call_1=True) as stream:
        later = end_of(stream)
    assert (effects.paid, later["content"], later["run"]["id"]) == ([5], "Paid.", end["run"]["id"])
    assert results_sent(provider) == ["paid 5"]


@pytest.mark.parametrize(
    ("decision", "status", "paid"),
    [(False, "refused", []), ("too dear", "refused", []), ({"arguments": {"amount": 3}}, "done", [3])],
)
def test_other_decisions(
    serve: Any, provider: ScriptedProvider, effects: Effects, decision: Any, status: str, paid: list[int]
) -> None:
    server = serve(tools=(effects.pay,))
    end = waiting(server, provider)
    provider.say("Very well.")
    with resume(server, end, call_1=decision) as stream:
        later = end_of(stream)
    assert ([each["status"] for each in later["run"]["calls"]], effects.paid) == ([status], paid)


def test_a_state_goes_on_once(serve: Any, provider: ScriptedProvider, effects: Effects) -> None:
    server = serve(tools=(effects.pay,))
    end = waiting(server, provider)
    provider.say("Paid.")
    with resume(server, end, call_1=True) as stream:
        first = [event.data for event in stream.rest()]
        name = stream.response.headers["x-stream-id"]
    with resume(server, end, call_1=True) as stream:  # as after a lost connection
        assert stream.response.headers["x-stream-id"] == name
        assert [event.data for event in stream.rest()] == first
    for other in ({"call_1": False}, {"call_1": {"arguments": {"amount": 1}}}, {}):
        body = {"resume": {"state": end["run"]["state"], "decisions": other}}
        assert refusal(server, body)[:2] == (409, "conflict")
    assert effects.paid == [5]


def test_tools_of_the_client_beside_those_of_the_server(
    serve: Any, provider: ScriptedProvider, effects: Effects
) -> None:
    server = serve(tools=(effects.pay,), tool_approval=())
    own = {"name": "locate", "description": "Where the user is", "parameters": {"type": "object", "properties": {}}}
    provider.say(Reply("", tool_calls=[call("pay", "1", amount=5), call("locate", "2")]))
    with ask(server, True, tools=[own]) as stream:
        end = end_of(stream)
    (pending,) = end["run"]["pending"]
    assert (end["status"], pending["id"], pending["reason"], effects.paid) == ("waiting", "2", "application", [5])
    provider.say("You are in Lisbon.")
    with resume(server, end, **{"2": {"result": "Lisbon"}}) as stream:
        later = end_of(stream)
    assert [(each["name"], each["status"]) for each in later["run"]["calls"]] == [("pay", "done"), ("locate", "done")]
    assert results_sent(provider) == ["paid 5", "Lisbon"]


# --- what a client can't do ---


def test_a_tool_that_is_not_listed_can_not_be_named(serve: Any, provider: ScriptedProvider, effects: Effects) -> None:
    asked = len(provider.requests)
    server = serve(tools=(effects.pay,))
    for name in ("fail", "os:system", "builtins:eval", "Pay", "pay "):
        body = {"prompt": "Go", "panels": [{"provider": "openai", "run_tools": ["pay", name]}]}
        assert refusal(server, body)[:2] == (403, "tool_not_allowed"), name
    body = {"prompt": "Go", "panels": [{"provider": "openai", "run_tools": True}]}
    assert refusal(serve(), body)[:2] == (403, "tool_not_allowed")
    own = {"type": "function", "function": {"name": "pay", "parameters": {"type": "object", "properties": {}}}}
    for tool in (own, own["function"]):
        body = {"prompt": "Go", "panels": [{"provider": "openai", "run_tools": ["pay"], "tools": [tool]}]}
        assert refusal(server, body)[0] == 422
    chat = {"messages": [{"role": "user", "parts": [{"type": "text", "text": "Go"}]}], "id": "c"}
    body = {**chat, "provider": "openai", "options": {"run_tools": True}}
    answer = request("POST", f"{server.url}/adapters/ai-sdk/chat", json=body)
    assert (answer.status_code, answer.json()["error"]["message"]) == (422, "run_tools is for POST /v1/panels")
    two = {"prompt": "Go", "panels": [{"provider": "openai", "run_tools": True}, {"provider": "openai"}]}
    assert refusal(server, two)[0] == 422
    for wrong in (
        {"run_tools": "pay"},
        {"run_tools": [{}]},
        {"run_tools": ["pay"], "max_rounds": 0},
        {"max_rounds": 2},
    ):
        assert refusal(server, {"prompt": "Go", "panels": [{"provider": "openai", **wrong}]})[0] == 422, wrong
    assert len(provider.requests) == asked


def test_a_forged_state_is_refused(serve: Any, provider: ScriptedProvider, effects: Effects) -> None:
    server = serve(tools=(effects.pay,))
    signed = waiting(server, provider)["run"]["state"]["signed"]
    body, _, signature = signed.partition(".")
    content = json.loads(base64.urlsafe_b64decode(body))
    content["state"]["run"]["calls"][0]["arguments"] = '{"amount": 5000}'
    changed = base64.urlsafe_b64encode(json.dumps(content).encode()).decode()
    other = Settings(tools=(effects.pay,), state_secret=SECRET)
    assert create_app(other)
    for forged in (f"{changed}.{signature}", f"{body}.{signature[:-1]}", body, "", "é.é", signed + " "):
        found = refusal(server, {"resume": {"state": {"signed": forged}, "decisions": {"call_1": True}}})
        assert found[:2] == (422, "invalid_state"), forged
    for shape in (content["state"]["run"], {"signed": 5}, {}, None):
        assert refusal(server, {"resume": {"state": shape}})[0] == 422
    assert effects.paid == []


def test_the_state_of_another_user_is_refused(serve: Any, provider: ScriptedProvider, effects: Effects) -> None:
    server = serve(tools=(effects.pay,), tokens=TOKENS)
    end = waiting(server, provider, TOKENS[0])
    body = {"resume": {"state": end["run"]["state"], "decisions": {"call_1": True}}}
    assert refusal(server, body, TOKENS[1])[:2] == (422, "invalid_state")
    assert effects.paid == []
    provider.say("Paid.")
    with resume(server, end, TOKENS[0], call_1=True) as stream:
        assert end_of(stream)["status"] == "complete"
    assert effects.paid == [5]


def test_wrong_decisions_are_refused(serve: Any, provider: ScriptedProvider, effects: Effects) -> None:
    server = serve(tools=(effects.pay,))
    state = waiting(server, provider)["run"]["state"]
    for decision in ({"result": "paid"}, {"result": "paid", "is_error": True}, {"arguments": {"sum": 1}}, {"x": 1}, 7):
        body = {"resume": {"state": state, "decisions": {"call_1": decision}}}
        assert refusal(server, body)[0] == 422, decision
    assert refusal(server, {"resume": {"state": state, "decisions": {"call_9": True}}})[0] == 422
    assert refusal(server, {"prompt": "Go", "resume": {"state": state}})[0] == 422
    provider.say("Paid.")
    with opened(
        "POST", f"{server.url}/v1/panels", json={"resume": {"state": state, "decisions": {"call_1": True}}}
    ) as it:
        assert end_of(it)["status"] == "complete"  # what was refused has not used the state up
    assert effects.paid == [5]


def test_internal_names_are_not_in_the_state(serve: Any, provider: ScriptedProvider, effects: Effects) -> None:
    server = serve(tools=(effects.pay,))
    signed = waiting(server, provider)["run"]["state"]["signed"]
    assert "127.0.0.1" not in base64.urlsafe_b64decode(signed.partition(".")[0]).decode()


def test_what_the_server_offers_is_listed(serve: Any, effects: Effects) -> None:
    server = serve(tools=(effects.pay, effects.fail), tool_approval=("pay",))
    assert request("GET", f"{server.url}/v1/providers").json()["tools"] == [
        {"name": "pay", "description": "Pay an amount.", "approval": True},
        {"name": "fail", "description": "Fail.", "approval": False},
    ]


# --- several workers ---

MODULE = '''
import time


def pay(amount: int) -> str:
    """Pay an amount."""
    with open("paid.txt", "a") as file:
        file.write(f"{amount}\\n")
    return f"paid {amount}"


def copy():
    """Copy a folder."""
    yield "copied one\\n"
    time.sleep(30)
'''


def test_another_worker_goes_on(tmp_path: Path, redis_server: Redis, provider: ScriptedProvider) -> None:
    (tmp_path / "own_tools.py").write_text(MODULE)
    options = ("--redis", redis_server.url, "--tool", "own_tools:pay", "--provider", "openai")
    with (
        Serving(tmp_path, provider, *options, MSGMODEL_SECRET=SECRET) as one,
        Serving(tmp_path, provider, *options, MSGMODEL_SECRET=SECRET) as two,
    ):
        end = waiting(one, provider)
        assert not (tmp_path / "paid.txt").exists()
        provider.say("Paid.")
        with resume(two, end, call_1=True) as stream:
            first = [event.data for event in stream.rest()]
        assert (tmp_path / "paid.txt").read_text() == "5\n"
        with resume(one, end, call_1=True) as stream:  # joins the stream of the other worker
            assert [event.data for event in stream.rest()] == first
        body = {"resume": {"state": end["run"]["state"], "decisions": {"call_1": False}}}
        assert refusal(one, body)[:2] == (409, "conflict")
    assert (tmp_path / "paid.txt").read_text() == "5\n"


def test_workers_need_one_secret(tmp_path: Path, redis_server: Redis) -> None:
    (tmp_path / "own_tools.py").write_text(MODULE)
    command = [sys.executable, "-m", "msgmodel", "serve", "--redis", redis_server.url, "--tool", "own_tools:pay"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MSGMODEL")}
    found = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (found.returncode, "MSGMODEL_SECRET" in found.stderr) == (1, True), found.stderr


def test_a_server_that_ends_says_how_the_calls_ended(tmp_path: Path, provider: ScriptedProvider) -> None:
    (tmp_path / "own_tools.py").write_text(MODULE)
    options = ("--tool", "own_tools:pay", "--tool", "own_tools:copy", "--allow-tools", "--grace", "0")
    provider.say(Reply("", tool_calls=[call("pay", "1", amount=5), call("copy", "2")]))
    with Serving(tmp_path, provider, *options) as server, ask(server, True) as stream:
        stream.until("panel_tool_progress")
        server.process.send_signal(signal.SIGTERM)
        events = stream.rest()
    ends = {event.data["id"]: event.data["status"] for event in events if event.kind == "panel_tool_result"}
    assert ends["2"] == "unknown"
    last = events[-1].data
    assert (last["code"], last["retryable"]) == ("interrupted", True)
    assert {each["id"]: each["status"] for each in last["run"]["calls"]} == {"1": "done", "2": "unknown"}


def test_settings_are_checked(effects: Effects) -> None:
    for wrong in (
        {"tools": "pay"},
        {"tools": (effects.pay, effects.pay)},
        {"tools": ({"name": "pay", "parameters": {}},)},
        {"tools": (effects.pay,), "tool_approval": "never"},
        {"state_secret": "short"},
        {"max_rounds": 0},
    ):
        with pytest.raises(ConfigurationError):
            create_app(Settings(**wrong))  # type: ignore[arg-type]
