"""Tools that the provider runs itself: which are sent, how, and which are refused with a word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import msgmodel
from conftest import PROVIDER, Async, Sync
from msgmodel import ConfigurationError, OpenAIConfig
from msgmodel._arguments import read_question
from msgmodel._options import Arguments
from msgmodel.testing import ScriptedProvider
from msgmodel.wires import WIRES

FUNCTION = {"name": "price", "description": "d", "parameters": {"type": "object", "properties": {"a": {}}}}
SENT_FUNCTION: dict[str, Any] = {
    "openai_chat": {"type": "function", "function": FUNCTION},
    "openai_responses": {"type": "function", "strict": False, **FUNCTION},
    "anthropic": {"name": "price", "description": "d", "input_schema": FUNCTION["parameters"]},
    "gemini": {
        "functionDeclarations": [{"name": "price", "description": "d", "parametersJsonSchema": FUNCTION["parameters"]}]
    },
}


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as running:
        yield running


def sent_tools(provider: ScriptedProvider, name: str, tools: Any, model: str | None = None, **fields: Any) -> Any:
    """The tools in the body that a call sends."""
    choice = fields.pop("tool_choice", None)
    config = provider.config(name, **fields)
    msgmodel.query(PROVIDER.get(name, name), "hi", config=config, tools=tools, model=model, tool_choice=choice)
    return provider.requests[-1].json["tools"]


OWN_TOOLS: list[tuple[str, dict[str, Any]]] = [
    ("anthropic", {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}),
    ("anthropic", {"type": "bash_20250124", "name": "bash", "cache_control": {"type": "ephemeral"}}),
    ("anthropic", {"type": "mcp_toolset", "mcp_server_name": "s"}),
    ("openai_responses", {"type": "web_search", "search_context_size": "low"}),
    ("openai_responses", {"type": "web_search_2025_08_26"}),
    ("openai_responses", {"type": "mcp", "server_label": "s", "server_url": "https://mcp.example", "headers": {}}),
    ("openai_responses", {"type": "tool_search", "execution": "client", "parameters": {"type": "object"}}),
    ("openai_responses", {"type": "custom", "name": "sql", "format": {"type": "text"}}),
    ("openai_chat", {"type": "custom", "custom": {"name": "sql"}}),
    ("gemini", {"google_search": {}}),
    ("gemini", {"googleMaps": {}, "urlContext": {}}),
]


@pytest.mark.parametrize(("wire", "tool"), OWN_TOOLS)
def test_a_tool_of_the_provider_goes_as_it_is(wire: str, tool: Any, provider: ScriptedProvider) -> None:
    assert sent_tools(provider, wire, [tool]) == [tool]


@pytest.mark.parametrize(("wire", "tool"), OWN_TOOLS)
def test_it_stands_beside_functions(wire: str, tool: Any, provider: ScriptedProvider, colour: Sync | Async) -> None:
    colour.query(PROVIDER[wire], "hi", config=provider.config(wire), tools=[tool, FUNCTION])
    assert provider.requests[-1].json["tools"] == [tool, SENT_FUNCTION[wire]]


CODE_INTERPRETER = {"type": "code_interpreter", "container": {"type": "auto"}}


@pytest.mark.parametrize(
    ("name", "model", "tools"),
    [
        ("openai", "gpt-5.5", [{"type": "web_search"}, CODE_INTERPRETER, None]),
        ("azure", "my-deployment", [{"type": "web_search"}, CODE_INTERPRETER, None]),
        ("anthropic", None, [{"type": "web_search_20250305", "name": "web_search"},
                             {"type": "code_execution_20250825", "name": "code_execution"},
                             {"type": "web_fetch_20250910", "name": "web_fetch"}]),
        ("gemini", None, [{"googleSearch": {}}, {"codeExecution": {}}, {"urlContext": {}}]),
        ("groq", "openai/gpt-oss-20b", [{"type": "browser_search"}, {"type": "code_interpreter"}, None]),
        ("openrouter", None, [{"type": "openrouter:web_search"}, None, {"type": "openrouter:web_fetch"}]),
        ("groq", "llama-4", [None, None, None]),
        ("deepseek", None, [None, None, None]),
    ],
)  # fmt: skip
def test_portable_names(name: str, model: str | None, tools: list[Any], provider: ScriptedProvider) -> None:
    for portable, own in zip(("web_search", "code_execution", "url_context"), tools, strict=True):
        if own is None:
            with pytest.raises(ConfigurationError, match=f"{name} has no {portable}"):
                sent_tools(provider, name, [portable], model)
        else:
            assert sent_tools(provider, name, [portable], model) == [own]


def test_openai_runs_tools_only_in_responses(provider: ScriptedProvider) -> None:
    """Chosen by itself; refused with the cure where the caller chose the other API."""
    sent_tools(provider, "openai", ["web_search"], "gpt-5.5")
    assert provider.requests[-1].path == "/v1/responses"
    with pytest.raises(ConfigurationError, match=r"only in the Responses API: use OpenAIConfig\(api=\"responses\"\)"):
        sent_tools(provider, "openai", ["web_search"], api="chat")
    sent_tools(provider, "openai", [{"type": "custom", "name": "sql"}], "gpt-5.5")
    assert provider.requests[-1].path == "/v1/chat/completions"


def test_a_custom_tool_is_written_for_each_api(provider: ScriptedProvider) -> None:
    flat, nested = {"type": "custom", "name": "sql", "description": "d"}, {"name": "sql", "description": "d"}
    for tool in (flat, {"type": "custom", "custom": nested}):
        assert sent_tools(provider, "openai_responses", [tool]) == [flat]
        assert sent_tools(provider, "openai_chat", [tool]) == [{"type": "custom", "custom": nested}]


@pytest.mark.parametrize(
    ("wire", "tool", "message"),
    [
        ("openai_responses", {"type": "web_search_20250305", "name": "x"}, "no tool of the type 'web_search_20250305'"),
        ("openai_chat", {"type": "web_search"}, 'api="responses"'),
        ("openai_responses", {"google_search": {}}, "no tool of the type 'google_search'"),
        ("anthropic", {"type": "web_search"}, "no tool of the type 'web_search'"),
        ("anthropic", {"googleSearch": {}}, "no tool of the type 'googleSearch'"),
        ("gemini", {"type": "web_search"}, "no tool of the type 'web_search'"),
        ("gemini", {"googleSerch": {}}, "no tool of the type 'googleSerch'"),
        ("anthropic", "websearch", "there is no tool 'websearch': did you mean 'web_search'?"),
        ("anthropic", "zzz", "the portable tools are web_search, code_execution, url_context"),
        ("openai_responses", {**FUNCTION, "cache_control": {}}, "no key 'cache_control' here: use cache_prompt"),
        ("openai_chat", {**FUNCTION, "cache_control": {}}, "no key 'cache_control' here: use cache_prompt"),
        ("gemini", {**FUNCTION, "defer_loading": True}, "gemini has no key 'defer_loading' here: leave it out"),
    ],
)  # fmt: skip
def test_what_the_provider_does_not_have(wire: str, tool: Any, message: str, provider: ScriptedProvider) -> None:
    with pytest.raises(ConfigurationError) as caught:
        sent_tools(provider, wire, [tool])
    assert message in str(caught.value)
    assert provider.requests == []


def test_a_fallback_that_does_not_have_the_tool(provider: ScriptedProvider) -> None:
    tool = {"type": "web_search_20250305", "name": "web_search"}
    fallback: Any = {"provider": "gemini", "config": provider.config("gemini")}
    with pytest.raises(ConfigurationError, match=r"fallbacks\[0\]: gemini has no tool of the type"):
        msgmodel.query("anthropic", "hi", config=provider.config("anthropic"), tools=[tool], fallbacks=[fallback])
    msgmodel.query("anthropic", "hi", config=provider.config("anthropic"), tools=["web_search"], fallbacks=[fallback])


@pytest.mark.parametrize("name", ["vllm", "litellm"])
def test_a_server_of_ones_own_may_know_any_type(name: str, provider: ScriptedProvider) -> None:
    assert sent_tools(provider, name, [{"type": "browser"}], "m") == [{"type": "browser"}]


@pytest.mark.parametrize(
    ("wire", "field", "value"),
    [
        ("anthropic", "cache_control", {"type": "ephemeral"}),
        ("anthropic", "defer_loading", True),
        ("anthropic", "input_examples", [{"a": 1}]),
        ("openai_responses", "output_schema", {"type": "object"}),
        ("gemini", "behavior", "NON_BLOCKING"),
    ],
)
def test_keys_of_a_function_are_kept(wire: str, field: str, value: Any, provider: ScriptedProvider) -> None:
    (sent,) = sent_tools(provider, wire, [{**FUNCTION, field: value}])
    if wire == "gemini":
        (sent,) = sent["functionDeclarations"]
    assert sent[field] == value


def test_openrouter_caches_tools(provider: ScriptedProvider) -> None:
    (sent,) = sent_tools(provider, "openrouter", [{**FUNCTION, "cache_control": {"type": "ephemeral"}}])
    assert sent == {**SENT_FUNCTION["openai_chat"], "cache_control": {"type": "ephemeral"}}


@pytest.mark.parametrize(("wire", "tool"), OWN_TOOLS)
def test_the_body_adds_to_the_tools(wire: str, tool: Any, provider: ScriptedProvider) -> None:
    assert sent_tools(provider, wire, [FUNCTION], body={"tools": [tool]}) == [SENT_FUNCTION[wire], tool]
    assert sent_tools(provider, wire, [tool], body={"tools": [tool]}) == [tool]  # the same one, once


def test_a_tool_of_the_body_goes_before_ours_of_its_name(provider: ScriptedProvider) -> None:
    theirs = {"name": "price", "input_schema": {"type": "object"}, "strict": True}
    assert sent_tools(provider, "anthropic", [FUNCTION], body={"tools": [theirs]}) == [theirs]


def test_what_the_body_includes_adds_to_what_reasoning_needs(provider: ScriptedProvider) -> None:
    config = provider.config("openai_responses", body={"include": ["web_search_call.results"]})
    msgmodel.query("openai", "hi", config=config, reasoning="low")
    included = provider.requests[-1].json["include"]
    assert included == ["reasoning.encrypted_content", "web_search_call.results"]


@pytest.mark.parametrize(
    ("wire", "tool", "choice", "sent"),
    [
        ("anthropic", "web_search", "web_search", {"type": "tool", "name": "web_search"}),
        ("anthropic", "url_context", "url_context", {"type": "tool", "name": "web_fetch"}),
        ("openai_responses", "code_execution", "code_execution", {"type": "code_interpreter"}),
        ("openai_responses", {"type": "mcp", "server_label": "s"}, "s", {"type": "mcp", "server_label": "s"}),
        ("openai_responses", {"type": "custom", "name": "q"}, "q", {"type": "custom", "name": "q"}),
        ("openai_chat", {"type": "custom", "name": "q"}, "q", {"type": "custom", "custom": {"name": "q"}}),
    ],
)
def test_the_choice_of_a_tool_of_the_provider(
    wire: str, tool: Any, choice: str, sent: Any, provider: ScriptedProvider
) -> None:
    sent_tools(provider, wire, [tool, FUNCTION], tool_choice=choice)
    assert provider.requests[-1].json["tool_choice"] == sent


def test_gemini_can_not_choose_its_own_tool(provider: ScriptedProvider) -> None:
    with pytest.raises(ConfigurationError, match="tool_choice: gemini can't be told to use its own tool 'web_search'"):
        sent_tools(provider, "gemini", ["web_search"], tool_choice="web_search")


def test_gemini_takes_both_kinds_with_a_switch(provider: ScriptedProvider) -> None:
    """Without it, a model that runs its own tool could not be sent its own call back."""
    sent_tools(provider, "gemini", ["web_search", FUNCTION])
    assert provider.requests[-1].json["toolConfig"] == {"includeServerSideToolInvocations": True}
    for tools, model in ((["web_search"], None), ([FUNCTION], None), (["web_search", FUNCTION], "gemini-2.5-flash")):
        sent_tools(provider, "gemini", tools, model)
        assert "toolConfig" not in provider.requests[-1].json


def test_functions_in_the_form_of_gemini(provider: ScriptedProvider) -> None:
    tools = [{"function_declarations": [FUNCTION, {"name": "other"}], "google_search": {}}]
    sent = sent_tools(provider, "gemini", tools)
    assert sent[0] == {"google_search": {}}
    assert [each["name"] for each in sent[1]["functionDeclarations"]] == ["price", "other"]


@pytest.mark.parametrize(
    ("wire", "good", "bad"),
    [
        ("openai_chat", "a-b_" + "c" * 60, ["a" * 65, "a.b", "a b"]),
        ("openai_responses", "a" * 64, ["a" * 65, "a/b"]),
        ("anthropic", "a" * 128, ["a" * 129, "a.b"]),
        ("gemini", "a.b:c-" + "d" * 122, ["a" * 129, "1a", "-a", "a/b"]),
    ],
)
def test_names_by_the_rule_of_the_provider(wire: str, good: str, bad: list[str], provider: ScriptedProvider) -> None:
    sent_tools(provider, wire, [{"name": good}])
    assert good in provider.requests[-1].body.decode()
    for name in bad:
        with pytest.raises(ConfigurationError, match=f"the name of a tool for {PROVIDER[wire]} must be"):
            sent_tools(provider, wire, [{"name": name}])


def test_declarations_in_both_spellings(provider: ScriptedProvider) -> None:
    tools = [{"functionDeclarations": [{"name": "a"}], "function_declarations": [{"name": "b"}]}]
    (sent,) = sent_tools(provider, "gemini", tools)
    assert [each["name"] for each in sent["functionDeclarations"]] == ["a", "b"]
    for wrong in ("ab", [5], {"name": "a"}, []):
        with pytest.raises(ConfigurationError, match="functionDeclarations must be a list of functions as dicts"):
            sent_tools(provider, "gemini", [{"functionDeclarations": wrong}])


KEYS = st.sampled_from(
    ["type", "name", "function", "custom", "parameters", "input_schema", "inputSchema", "description", "strict",
     "functionDeclarations", "function_declarations", "googleSearch", "server_label", "cache_control", "zzz", ""]
)  # fmt: skip
WORDS = st.sampled_from(["function", "custom", "mcp", "web_search", "web_search_20250305", "object", "f", "", "a b"])
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(0, 1) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=300)
@given(st.lists(st.dictionaries(KEYS, JSON, max_size=4) | WORDS | JSON, max_size=3), st.sampled_from(sorted(PROVIDER)))
def test_any_tools_are_sent_or_refused(tools: Any, wire: str) -> None:
    """No other exception; and a request that can be written as JSON."""
    config = {
        "openai_chat": OpenAIConfig(api="chat"), "openai_responses": OpenAIConfig(api="responses"),
    }.get(wire)  # fmt: skip
    arguments = Arguments(provider=PROVIDER[wire], prompt="hi", api_key="k", config=config, model="m")
    try:
        question = read_question(arguments, {"tools": tools})
    except ConfigurationError:
        return
    body = WIRES[wire].request(question, None).body
    assert bool(tools) == (b'"tools":[' in body)
