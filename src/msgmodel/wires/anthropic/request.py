"""Write the request of the Anthropic Messages API. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...errors import ConfigurationError
from ...question.config import AnthropicConfig
from ...question.lenient_json import as_mapping, as_text
from ...question.question import (
    Attachment,
    Effort,
    FileLink,
    OpaqueBlock,
    PastCall,
    PastReasoning,
    PastRefusal,
    PastResult,
    ProviderTool,
    Question,
    SignedText,
    Tool,
    TurnPart,
    append_path,
    merge_body,
    without_none,
)
from ...question.transport import HttpRequest
from ...registry.rows import reasoning_traits
from ..call_ids import fit_call_ids

DEFAULT_MAX_TOKENS = 16_384
"""Default limit on the output tokens, thinking included. The API requires one."""

SMALLEST_BUDGET = 1_024
BUDGET_BY_EFFORT: dict[Effort, int] = {"low": 1_024, "medium": 4_096, "high": 12_288}
"""Tokens for thinking, for models that take a budget instead of an effort."""

_ANTHROPIC_CALL_ID = re.compile(r"[a-zA-Z0-9_-]+")
"""The API refuses other characters in an id."""
_SERVER_TOOL_USES = frozenset(("server_tool_use", "mcp_tool_use"))

API_VERSION = "2026-10-21"
API_VERSION_WITH_SAMPLING = "2023-06-01"
"""The earlier version, for requests with temperature, top_p or top_k: the newer one refuses them."""


def anthropic_request(question: Question, token: str | None = None) -> HttpRequest:
    """Return the HTTP request for a question: system text at the top level, files as blocks."""
    config = question.config
    assert isinstance(config, AnthropicConfig)
    payload = without_none(
        model=question.model,
        max_tokens=question.max_tokens or DEFAULT_MAX_TOKENS,
        system=question.system,
        messages=_anthropic_messages(question),
        container=_container_of_turns(question),
        stream=True,
        temperature=_unless_default(1, question.temperature),
        top_p=_unless_default(1, config.top_p),
        top_k=_unless_default(0, config.top_k),
        stop_sequences=config.stop,
        tools=[_anthropic_tool(tool) for tool in question.tools] or None,
        tool_choice=_anthropic_tool_choice(question),
        cache_control=question.cache_control,
        **_thinking_fields(question),
    )
    if question.output is not None and question.output.native_schema is not None:
        output_format = {"format": {"type": "json_schema", "schema": question.output.native_schema}}
        payload["output_config"] = {**payload.get("output_config", {}), **output_format}
    payload = merge_body(payload, config.body)
    sampling = not payload.keys().isdisjoint(("temperature", "top_p", "top_k"))
    version = config.api_version or (API_VERSION_WITH_SAMPLING if sampling else API_VERSION)
    base, mark, query = question.base_url.partition("?")
    url = append_path(f"{base.rstrip('/').removesuffix('/v1')}{mark}{query}", "v1/messages")
    return HttpRequest.post(url, {"anthropic-version": version, **question.headers}, payload, question.attachments)


def _unless_default(default: float, value: float | None) -> float | None:
    """Return a sampling value unless it is the API's default: the newer version refuses even that."""
    return None if value == default else value


def _anthropic_tool(tool: Tool) -> Mapping[str, Any]:
    if isinstance(tool, ProviderTool):
        return tool.fields
    schema = {"type": "object", **tool.parameters}
    fields = without_none(name=tool.name, description=tool.description, input_schema=schema, strict=tool.strict)
    return {**fields, **tool.extra}


def _anthropic_tool_choice(question: Question) -> Any:
    choice = question.tool_choice
    if choice is None or choice in ("auto", "none"):
        return choice and {"type": choice}
    return {"type": "any"} if choice == "required" else question.chosen_tool or {"type": "tool", "name": choice}


def _thinking_fields(question: Question) -> dict[str, Any]:
    """Return the fields that say how long to think: an effort, or a budget for models that take no effort."""
    effort, traits = question.reasoning, reasoning_traits(question.model)
    if effort is None or (effort == "none" and "asked" in traits):
        return {}
    if effort == "none":
        return {"thinking": {"type": "disabled"}}
    if "budget" not in traits:
        return {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": effort}}
    limit = question.max_tokens or DEFAULT_MAX_TOKENS
    if limit <= SMALLEST_BUDGET:
        raise ConfigurationError(
            f"max_tokens must be above {SMALLEST_BUDGET} for {question.model} to reason: reasoning counts towards it"
        )
    return {"thinking": {"type": "enabled", "budget_tokens": min(BUDGET_BY_EFFORT[effort], limit - 1)}}


def _anthropic_messages(question: Question) -> list[dict[str, Any]]:
    """Return the messages of a conversation.

    Consecutive turns of one role become one message, as the API would merge them, so that a user's text follows the
    tool results in the same message: the API refuses results that are not at the start of the next user message.
    """
    messages: list[dict[str, Any]] = []
    ids = fit_call_ids(question.turns, _ANTHROPIC_CALL_ID, 64)
    for number, turn in enumerate(question.turns):
        role = "assistant" if turn.role == "assistant" else "user"
        content: str | list[dict[str, Any]]
        if len(turn.parts) == 1 and isinstance(turn.parts[0], str):
            content = turn.parts[0]
        else:
            content = [block for part in turn.parts for block in _blocks_for_anthropic(part, ids)]
            if number < len(question.turns) - 1:  # a paused turn is sent back as it is
                content = _without_open_server_tools(content)
        if not content:
            continue  # the API refuses a message without content
        if messages and messages[-1]["role"] == role:
            earlier = messages[-1]["content"] = _as_blocks(messages[-1]["content"])
            earlier += _as_blocks(content)
        else:
            messages.append({"role": role, "content": content})
    return messages


def _without_open_server_tools(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the blocks without those of the provider's own tools that lack their other half.

    The reply broke off between a `server_tool_use` and its result; the API refuses one without the other.
    """
    uses = {block.get("id") for block in blocks if block.get("type") in _SERVER_TOOL_USES}
    results = {block.get("tool_use_id") for block in blocks if block.get("type") != "tool_result"}

    def is_open(block: dict[str, Any]) -> bool:
        kind = str(block.get("type"))
        if kind in _SERVER_TOOL_USES:
            return block.get("id") not in results
        return kind.endswith("_tool_result") and block.get("tool_use_id") not in uses

    return [block for block in blocks if not is_open(block)]


def _as_blocks(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _blocks_for_anthropic(part: TurnPart, ids: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return a part as blocks. Reasoning is sent back as the signed block that it was; the API refuses it unsigned."""
    if isinstance(part, str | SignedText | PastRefusal):
        text = part if isinstance(part, str) else part.text
        kept = as_mapping(part.opaque) if isinstance(part, SignedText) else {}  # the citations of a search
        return [{"type": "text", "text": text, **kept}] if text.strip() else []  # the API refuses blank text
    if isinstance(part, Attachment | FileLink):
        return [_anthropic_file_block(part)]
    if isinstance(part, PastCall):
        kept = as_mapping(part.opaque)  # which program called, or which toolset the tool is of
        return [{"type": "tool_use", "id": ids[part.id], "name": part.name, "input": part.input, **kept}]
    if isinstance(part, PastResult):
        content = [block for each in part.parts for block in _blocks_for_anthropic(each, ids)]
        result = {"type": "tool_result", "tool_use_id": ids[part.call.id], "content": content or part.content}
        toolset = as_mapping(part.call.opaque).get("toolset_name")
        return [result | without_none(is_error=part.is_error or None, toolset_name=toolset)]
    block = part.opaque if isinstance(part, PastReasoning | OpaqueBlock) else None
    return [block] if isinstance(block, dict) and block.get("type") != "container" else []


def _container_of_turns(question: Question) -> str | None:
    """Return the container that has the files of the code that ran, so that the next code finds them."""
    parts = (part for turn in reversed(question.turns) for part in reversed(turn.parts))
    blocks = (as_mapping(part.opaque) for part in parts if isinstance(part, OpaqueBlock))
    return next((as_text(block.get("id")) for block in blocks if block.get("type") == "container"), None)


def _anthropic_file_block(file: Attachment | FileLink) -> dict[str, Any]:
    if isinstance(file, FileLink):
        source = {"type": "url", "url": file.url}
        return {"type": "image" if file.media_type.startswith("image/") else "document", "source": source}
    if file.text is not None:
        return {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": file.as_text()},
            "title": file.name,
        }
    data = {"type": "base64", "media_type": file.media_type, "data": file.in_base64()}
    if file.media_type.startswith("image/"):
        return {"type": "image", "source": data}
    return {"type": "document", "source": data, "title": file.name}
