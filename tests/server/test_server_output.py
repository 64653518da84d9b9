"""`output` in a request to the server: checked and bounded, and its events in snapshots and after a reload."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from typing import Any

import pytest

import serving
from msgmodel.server.request_output import MAX_SCHEMA_BYTES, MAX_SCHEMA_LEVELS
from msgmodel.testing import Reply, ScriptedProvider
from serving import Stream, kinds, opened, request

module_provider, provider, serve = serving.module_provider, serving.provider, serving.serve  # fixtures
redis_server = serving.redis_server

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}
PEOPLE = {"type": "array", "items": PERSON}
ADA = {"name": "Ada", "age": 36}
TEXT = json.dumps({"items": [ADA, ADA]})


def ask(server: Any, output: Any, **options: Any) -> AbstractContextManager[Stream]:
    panel = {"provider": "openai", "panel_id": "p", "output": output, **options}
    return opened("POST", f"{server.url}/v1/panels", json={"prompt": "Who?", "panels": [panel]})


def refusal(server: Any, output: Any, **options: Any) -> tuple[int, str]:
    panel = {"provider": "openai", "output": output, **options}
    answer = request("POST", f"{server.url}/v1/panels", json={"prompt": "Who?", "panels": [panel]})
    return answer.status_code, answer.json()["error"]["message"]


def test_an_object(serve: Any, provider: ScriptedProvider) -> None:
    provider.say(TEXT)
    with ask(serve(), PEOPLE) as stream:
        events = [event.data for event in stream.rest()]
    last = next(event for event in events if event["event"] == "panel_final")
    assert last["object"] == [ADA, ADA]
    assert [event["item"] for event in events if event["event"] == "panel_item"] == [ADA, ADA]
    assert provider.requests[-1].json["response_format"]["type"] == "json_schema"
    provider.say(json.dumps(ADA))
    with ask(serve(), "json") as stream:
        assert stream.until("panel_final").data["object"] == ADA


def test_a_reader_that_joins_late_has_the_value_so_far(serve: Any, provider: ScriptedProvider) -> None:
    provider.say(Reply(TEXT, pieces=list(TEXT), stall_after=45))
    server = serve(on_disconnect="continue")
    with ask(server, PEOPLE) as stream:
        item = stream.until("panel_item").data
        shown = [event for event in stream.take(3) if event.kind == "panel_object"]
        url = server.url + stream.response.headers["location"]
        with opened("GET", url) as other:
            (snapshot,) = other.take(1)
            (panel,) = snapshot.data["panels"]
            assert panel["items"] == [item]
            assert panel["object"]["value"][0] == ADA
            assert (panel["object"]["event"], panel["object"]["panel_id"]) == ("panel_object", "p")
        request("DELETE", url)
        last = stream.until("panel_error").data
        assert (last["object"], last["partial"][0]) == (None, ADA)
    assert shown


def test_a_snapshot_forgets_what_was_repaired(serve: Any, provider: ScriptedProvider) -> None:
    provider.say(Reply('{"items": [{"name": "Ada", "age": 1}, {}]}'), Reply('{"items": [', stall_after=1))
    server = serve(on_disconnect="continue")
    with ask(server, PEOPLE, repair=1) as stream:
        stream.until("panel_retry")
        stream.until("panel_object")
        url = server.url + stream.response.headers["location"]
        with opened("GET", url) as other:
            (panel,) = other.take(1)[0].data["panels"]
        request("DELETE", url)
    assert panel["object"]["value"] == []
    assert "items" not in panel


def test_replayed_events_are_the_same(serve: Any, provider: ScriptedProvider) -> None:
    provider.say(Reply(TEXT, pieces=[TEXT[at : at + 5] for at in range(0, len(TEXT), 5)]))
    server = serve()
    with ask(server, PEOPLE) as stream:
        events = stream.rest()
        url = server.url + stream.response.headers["location"]
    with opened("GET", url, headers={"last-event-id": "2"}) as again:
        assert again.rest() == events[2:]
    assert {"panel_object", "panel_item"} <= set(kinds(events))


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ({"type": "object", "properties": {"a": {"enum": ["x" * MAX_SCHEMA_BYTES]}}}, "at most 65536 bytes"),
        (
            {"type": "object", "properties": {"a": {"type": "string", "pattern": "(a+)+$"}}},
            "pattern and patternProperties",
        ),
        ({"type": "object", "patternProperties": {"(a+)+$": True}}, "pattern and"),
        ({"type": "person"}, "person"),
        ({"$ref": "https://example.com/schema"}, "leads out of the schema"),
        ({"$ref": "#"}, "leads to itself"),
        ("xml", "output"),
        ([PERSON], "output"),
    ],
)
def test_a_schema_that_is_refused(provider: ScriptedProvider, output: Any, message: str) -> None:
    with serving.Uvicorn(_app()) as server:
        asked = len(provider.requests)
        status, words = refusal(server, output)
        assert (status, message in words, len(provider.requests)) == (422, True, asked), words


def test_a_schema_that_is_nested_too_deeply(provider: ScriptedProvider) -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(MAX_SCHEMA_LEVELS):
        deep = {"type": "array", "items": deep}
    with serving.Uvicorn(_app()) as server:
        assert refusal(server, deep)[1].endswith("at most 32 levels")


def test_a_property_may_have_the_name_of_a_keyword(provider: ScriptedProvider) -> None:
    provider.say('{"pattern": "knit"}')
    output = {"type": "object", "properties": {"pattern": {"type": "string"}}, "required": ["pattern"]}
    with serving.Uvicorn(_app()) as server, ask(server, output) as stream:
        assert stream.until("panel_final").data["object"] == {"pattern": "knit"}


def test_repairs_count_as_requests_and_tokens(provider: ScriptedProvider) -> None:
    with serving.Uvicorn(_app(max_provider_requests=10, max_tokens=100)) as server:
        status, words = refusal(server, PERSON, repair=5, max_tokens=10)
        assert (status, "repair" in words) == (422, True)
        assert refusal(server, PERSON, repair=1, max_tokens=60)[1].startswith("max_tokens may be at most 50 here")
        assert "pass output=" in refusal(server, None, repair=1)[1]


def _app(**settings: Any) -> Any:
    from msgmodel.server import Settings, create_app

    return create_app(Settings(**settings))


@pytest.mark.parametrize("model", ["claude-haiku-5-5", "claude-2"])
@pytest.mark.parametrize("keyword", ["anyOf", "allOf"])
@pytest.mark.parametrize("wire", ["anthropic", "gemini", "openai"])
def test_references_that_multiply(provider: ScriptedProvider, wire: str, keyword: str, model: str) -> None:
    """Each schema refers to the next one twice: written out, they are a billion."""
    last = 30
    schemas: dict[str, Any] = {
        f"s{number}": {keyword: [{"$ref": f"#/$defs/s{number + 1}"}] * 2} for number in range(last)
    }
    schemas[f"s{last}"] = {"type": "string"}
    output = {"type": "object", "properties": {"a": {"$ref": "#/$defs/s0"}}, "required": ["a"], "$defs": schemas}
    provider.say('{"a": 3}')
    with serving.Uvicorn(_app()) as server:
        panel = {"provider": wire, "output": output, "model": model}
        with opened("POST", f"{server.url}/v1/panels", json={"prompt": "Who?", "panels": [panel]}) as stream:
            if stream.response.status_code == 200:
                assert stream.until("panel_final").data["object"] is None
        assert request("GET", f"{server.url}/healthz").status_code == 200
