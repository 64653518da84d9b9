"""The tools that providers run themselves, the three with a portable name, and the rules for names of tools. Pure.

The facts are from the types of the providers' Python SDKs (openai 3.57, anthropic 2.14, google-genai 3.6, groq) and
https://docs.x.ai/docs/guides/tools, https://console.groq.com/docs/tool-use/built-in-tools and https://openrouter.ai/docs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from ..errors import ConfigurationError, quoted
from ..question.nearest_names import nearest_names
from ..question.question import ProviderTool, Tool, ToolDefinition
from ..question.tools import FUNCTION_FIELDS
from . import rows
from .provider import Provider

_Portable: TypeAlias = Mapping[str, Mapping[str, Any]]

_OPENAI_TOOLS: Final[_Portable] = {
    "web_search": {"type": "web_search"},
    "code_execution": {"type": "code_interpreter", "container": {"type": "auto"}},
}
_ANTHROPIC_TOOLS: Final[_Portable] = {
    # The oldest versions: every model has them, and so has Vertex. A later one goes as a dict.
    "web_search": {"type": "web_search_20250305", "name": "web_search"},
    "code_execution": {"type": "code_execution_20250825", "name": "code_execution"},
    "url_context": {"type": "web_fetch_20250910", "name": "web_fetch"},
}
_GEMINI_TOOLS: Final[_Portable] = {
    "web_search": {"googleSearch": {}},
    "code_execution": {"codeExecution": {}},
    "url_context": {"urlContext": {}},
}
_PORTABLE_TOOLS: Final[Mapping[tuple[str, str], _Portable]] = MappingProxyType(
    {
        ("openai", "openai_responses"): _OPENAI_TOOLS,
        ("azure", "openai_responses"): _OPENAI_TOOLS,
        ("xai", "openai_responses"): {
            "web_search": {"type": "web_search"},
            "code_execution": {"type": "code_interpreter"},
        },
        ("groq", "openai_chat"): {
            "web_search": {"type": "browser_search"},
            "code_execution": {"type": "code_interpreter"},
        },
        ("openrouter", "openai_chat"): {
            "web_search": {"type": "openrouter:web_search"},
            "url_context": {"type": "openrouter:web_fetch"},
        },
        ("anthropic", "anthropic"): _ANTHROPIC_TOOLS,
        ("azure-anthropic", "anthropic"): _ANTHROPIC_TOOLS,
        ("gemini", "gemini"): _GEMINI_TOOLS,
        ("vertex", "gemini"): _GEMINI_TOOLS,
    }
)
"""Provider and wire to the tool that each portable name stands for."""
PORTABLE_NAMES: Final = ("web_search", "code_execution", "url_context")

_TYPES_BY_WIRE: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {
        "openai_chat": re.compile(r"custom"),
        "openai_responses": re.compile(
            r"custom|namespace|web_search(_preview)?(_\d{4}_\d\d_\d\d)?|file_search|code_interpreter|image_generation|"
            r"mcp|computer|computer_use_preview|shell|local_shell|apply_patch|tool_search|programmatic_tool_calling"
        ),
        "anthropic": re.compile(r"[a-z]\w*_20\d{6}|mcp_toolset"),  # each is named by the day of its version
    }
)
_TYPES_BY_PROVIDER: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {
        "groq": re.compile(r"browser_search|code_interpreter|mcp"),
        "openrouter": re.compile(r"openrouter:.+"),
        "xai": re.compile(r"x_search|code_execution|collections_search|live_search"),
    }
)
_GEMINI_KEYS: Final = frozenset(
    ("googleSearch", "googleSearchRetrieval", "urlContext", "codeExecution", "googleMaps", "fileSearch", "computerUse",
     "mcpServers", "retrieval", "enterpriseWebSearch", "parallelAiSearch", "exaAiSearch")
)  # fmt: skip


_SERVICES: Final = frozenset(row.name for row in (*rows.MAIN_ROWS, *rows.HOSTED))
"""The providers whose tools we know. A server of the caller's own, or a registered one, may know any type."""

_LETTERS: Final = r"[A-Za-z0-9_-]"
_NAME_RULES: Final[Mapping[str, tuple[re.Pattern[str], str]]] = MappingProxyType(
    {
        "anthropic": (re.compile(_LETTERS + r"{1,128}"), "1 to 128 letters, digits, _ or -"),
        "gemini": (
            re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}"),
            "a letter or _, and then up to 127 letters, digits, _, ., : or -",
        ),
    }
)
_COMMON_NAME_RULE: Final = re.compile(_LETTERS + r"{1,64}"), "1 to 64 letters, digits, _ or -"


def needs_responses(tools: tuple[Tool, ...]) -> bool:
    """Return whether OpenAI has one of the tools only in its Responses API: all that it runs itself."""
    return any(isinstance(tool, ProviderTool) and tool.fields.get("type") != "custom" for tool in tools)


def tools_for_provider(
    row: Provider, wire: str, model: str, tools: tuple[Tool, ...], choice: str | None
) -> tuple[Tool, ...]:
    """Return the tools as this provider takes them: portable names become its own tools.

    Args:
        row: The provider.
        wire: The API over which it is asked.
        model: The name of the model.
        tools: The tools that the caller passed.
        choice: The checked `tool_choice`.

    Raises:
        ConfigurationError: The provider does not have a tool, or a key of one, or refuses the name of one.
    """
    found = tuple(_tool_for_provider(row, wire, model, tool) for tool in tools)
    for tool in found:
        if isinstance(tool, ProviderTool) and tool.name == choice and tool.choice is None:
            raise ConfigurationError(f"tool_choice: {row.name} can't be told to use its own tool {quoted(choice)}")
    return found


def _tool_for_provider(row: Provider, wire: str, model: str, tool: Tool) -> Tool:
    if isinstance(tool, ToolDefinition):
        _check_function(row, wire, tool)
        return tool
    if tool.fields:
        _check_provider_tool(row, wire, tool)
        fields = _fields_for_wire(wire, tool.fields)
    else:
        fields = _portable_tool(row, wire, model, tool.name)
    return replace(tool, fields=fields, choice=_tool_choice(wire, tool.name, fields))


def _check_function(row: Provider, wire: str, tool: ToolDefinition) -> None:
    rule, words = _NAME_RULES.get(wire, _COMMON_NAME_RULE)
    if not rule.fullmatch(tool.name):
        raise ConfigurationError(f"the name of a tool for {row.name} must be {words}, not {quoted(tool.name)}")
    is_chat_service = wire == "openai_chat" and row.name in _SERVICES and row.name != "openrouter"
    for name in tool.extra:
        if name not in FUNCTION_FIELDS[wire] or (name == "cache_control" and is_chat_service):
            cure = "use cache_prompt=True" if name == "cache_control" else "leave it out"
            raise ConfigurationError(f"tool {quoted(tool.name)}: {row.name} has no key {quoted(name)} here: {cure}")


def _portable_tool(row: Provider, wire: str, model: str, name: str) -> Mapping[str, Any]:
    own = _PORTABLE_TOOLS.get((row.name, wire), {})
    if row.name == "groq" and "gpt-oss" not in model:
        own = {}  # Groq ignores the tools for its other models; the compound ones search unasked
    if name in own:
        return own[name]
    if name not in PORTABLE_NAMES:
        near = nearest_names(name, PORTABLE_NAMES)
        cure = f"did you mean {quoted(near[0])}?" if near else f"the portable tools are {', '.join(PORTABLE_NAMES)}"
        raise ConfigurationError(f"there is no tool {quoted(name)}: {cure}")
    if (row.name, "openai_responses") in _PORTABLE_TOOLS and wire == "openai_chat":
        raise ConfigurationError(f'{row.name} has {name} only in the Responses API: use OpenAIConfig(api="responses")')
    has = f"of the portable tools it has {', '.join(own)}" if own else "it has none of the portable tools"
    raise ConfigurationError(f"{row.name} has no {name} for {model}: {has}")


def _check_provider_tool(row: Provider, wire: str, tool: ProviderTool) -> None:
    """Raise ConfigurationError for another provider's tool."""
    kind = tool.fields.get("type")
    if wire == "gemini":
        known = kind is None and all(_camel_case(name) in _GEMINI_KEYS for name in tool.fields)
    else:
        patterns = [each for each in (_TYPES_BY_WIRE[wire], _TYPES_BY_PROVIDER.get(row.name)) if each]
        known = isinstance(kind, str) and any(pattern.fullmatch(kind) for pattern in patterns)
        known = known or (isinstance(kind, str) and row.name not in _SERVICES)
    if not known:
        hint = (
            '; OpenAIConfig(api="responses") has more tools' if wire == "openai_chat" and row.name == "openai" else ""
        )
        raise ConfigurationError(
            f"{row.name} has no tool of the type {quoted(kind or tool.name)}: use the name of a portable tool "
            f"({', '.join(PORTABLE_NAMES)}), or send it unchecked by body={{'tools': [...]}} in the config{hint}"
        )


def _camel_case(name: object) -> str:
    head, *others = str(name).split("_")
    return head + "".join(map(str.capitalize, others))


def _fields_for_wire(wire: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields as they are; a custom tool of OpenAI has one form in each of its two APIs."""
    inner = fields.get("custom")
    if fields.get("type") != "custom":
        return fields
    if wire == "openai_responses" and isinstance(inner, Mapping):
        return {"type": "custom", **inner}
    if wire == "openai_chat" and inner is None:
        return {"type": "custom", "custom": {name: value for name, value in fields.items() if name != "type"}}
    return fields


def _tool_choice(wire: str, name: str, fields: Mapping[str, Any]) -> Any:
    """Return what `tool_choice` sends to choose a tool of the provider; None if the API has no such choice."""
    if wire == "anthropic":
        return {"type": "tool", "name": fields["name"]} if "name" in fields else None
    if wire == "openai_chat":
        return {"type": "custom", "custom": {"name": name}} if fields["type"] == "custom" else None
    if wire == "gemini":
        return None
    chosen = {"type": fields["type"]}
    if fields["type"] == "custom":
        chosen["name"] = name
    elif fields["type"] == "mcp":
        chosen["server_label"] = name
    return chosen
