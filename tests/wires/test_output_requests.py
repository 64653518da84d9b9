"""How each provider is asked for the format of `output=`: the field, the schema in it, and the instruction."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conftest import KEY
from msgmodel import ConfigurationError, OpenAIConfig
from msgmodel._arguments import read_question
from msgmodel._options import Arguments
from msgmodel.providers import PROVIDERS
from msgmodel.registry.output_methods import choose_output_method
from msgmodel.wires import WIRES

CITY: dict[str, Any] = {
    "title": "city",
    "type": "object",
    "properties": {"name": {"type": "string"}, "people": {"type": "integer", "minimum": 1}},
    "required": ["name", "people"],
}
CLOSED = CITY | {"additionalProperties": False}
TOOL = {"name": "look", "parameters": {"type": "object", "properties": {}}}


def sent(provider: str, output: Any = CITY, *, config: Any = None, model: str | None = None, **options: Any) -> Any:
    """The body of the request, as it would go to the provider's own address, and the question."""
    arguments = Arguments(provider=provider, prompt="hi", api_key=KEY, config=config, model=model)
    question = read_question(arguments, {"output": output, **options})  # type: ignore[typeddict-item]
    request = WIRES[question.wire].request(question, None)
    return json.loads(request.body), question, request


def test_openai() -> None:
    body, question, _ = sent("openai")
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "city", "strict": True, "schema": CLOSED},
    }
    assert (question.output.method, question.output.unenforced, question.system) == ("native", (), None)
    assert [message["role"] for message in body["messages"]] == ["user"]
    body, question, _ = sent("openai", "json")
    assert body["response_format"] == {"type": "json_object"}
    assert "JSON" in body["messages"][0]["content"], "the API refuses the field if no message has the word"
    assert question.output.method == "json_object"


def test_openai_responses() -> None:
    body, *_ = sent("openai", config=OpenAIConfig(api="responses", body={"text": {"verbosity": "low"}}))
    schema_format = {"type": "json_schema", "name": "city", "strict": True, "schema": CLOSED}
    assert body["text"] == {"format": schema_format, "verbosity": "low"}
    body, *_ = sent("openai", "json", config=OpenAIConfig(api="responses"))
    assert body["text"] == {"format": {"type": "json_object"}}
    assert "JSON" in body["instructions"]


def test_anthropic() -> None:
    body, question, _ = sent("anthropic")
    people = {"type": "integer", "description": '{"minimum": 1}'}
    schema = CLOSED | {"properties": CITY["properties"] | {"people": people}}
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": schema}}
    assert question.output.unenforced == ("/properties/people/minimum",)
    body, *_ = sent("anthropic", reasoning="high")
    assert body["output_config"].keys() == {"effort", "format"}
    body, question, _ = sent("anthropic", "json")
    assert "output_config" not in body
    assert (question.output.method, "JSON" in body["system"]) == ("prompt", True)
    for model in ("claude-3-7-sonnet-latest", "claude-sonnet-4-20250514", "claude-opus-4-0", "deepseek-chat"):
        body, question, _ = sent("anthropic", model=model)
        assert ("output_config" in body, question.output.method) == (False, "prompt")
        assert '"minimum":1' in body["system"], "the instruction has the caller's own schema"
    for model in ("claude-opus-4-1", "claude-sonnet-4-5", "claude-haiku-5-5", "claude-opus-4-6-20260101"):
        assert sent("anthropic", model=model)[1].output.method == "native"


def test_gemini() -> None:
    body, _, request = sent("gemini")
    assert body["generationConfig"] == {"responseMimeType": "application/json", "responseJsonSchema": CITY}
    assert "/v1beta/" in request.url
    body, question, _ = sent("gemini", "json")
    assert body["generationConfig"] == {"responseMimeType": "application/json"}
    assert (question.output.method, "JSON" in json.dumps(body["systemInstruction"])) == ("json_object", True)
    assert "generationConfig" in sent("gemini", tools=[TOOL])[0]
    for model, tools in (("gemini-2.5-flash", [TOOL]), ("gemma-3-27b-it", []), ("gemini-2.5-flash-image", [])):
        body, question, request = sent("gemini", model=model, tools=tools)
        assert ("generationConfig" in body, question.output.method) == (False, "prompt")
        assert "/v1/" in request.url
    assert sent("gemini", model="gemini-2.5-flash")[1].output.method == "native"


@pytest.mark.parametrize("provider", ["deepseek", "groq", "alibaba"])
def test_servers_that_promise_json_alone(provider: str) -> None:
    body, question, _ = sent(provider, model="m")
    assert body["response_format"] == {"type": "json_object"}
    assert '"minimum":1' in body["messages"][0]["content"]
    assert (question.output.method, question.output.unenforced) == ("json_object", ("#",))


def test_servers_of_which_nothing_is_known() -> None:
    body, question, _ = sent("writer", model="m")
    assert body.keys() == {"model", "messages", "stream"}
    assert body["messages"][0]["role"] == "system"
    assert (question.output.method, question.output.unenforced) == ("prompt", ("#",))


def test_a_router_takes_a_provider_that_keeps_to_the_schema() -> None:
    assert sent("openrouter")[0]["provider"] == {"require_parameters": True}
    assert "provider" not in sent("openrouter", "json")[0]


def test_llama_cpp_asks_in_words_beside_tools() -> None:
    """The grammar of the schema leaves no room for a call."""
    body, question, _ = sent("llamacpp", model="m")
    assert body["response_format"]["json_schema"]["schema"]["properties"] == CITY["properties"]
    body, question, _ = sent("llamacpp", model="m", tools=[TOOL])
    assert ("response_format" in body, question.output.method) == (False, "prompt")
    assert body["tools"]


def test_the_system_instruction_comes_first() -> None:
    arguments = Arguments(provider="deepseek", prompt="hi", api_key=KEY, system_instruction="Be brief.")
    question = read_question(arguments, {"output": CITY})
    assert question.system is not None
    assert question.system.startswith("Be brief.\n\nAnswer with one JSON")


def test_a_schema_that_a_provider_can_not_express() -> None:
    anything = {"type": "object", "additionalProperties": {"type": "integer"}}
    with pytest.raises(ConfigurationError, match="output: openai can't be asked for this schema"):
        sent("openai", anything)
    assert sent("gemini", anything)[1].output.method == "native"


def test_each_provider_has_a_method() -> None:
    """Also for any JSON: no server gets a field with an empty schema."""
    for row in PROVIDERS.values():
        for has_schema in (True, False):
            for wire in {row.wire, "openai_responses" if row.wire == "openai_chat" else row.wire}:
                chosen = choose_output_method(row, wire, "m", has_schema=has_schema, has_tools=False)
                assert has_schema or chosen.method != "native"
                assert not has_schema or (chosen.method == "native") == (chosen.dialect != "plain")
