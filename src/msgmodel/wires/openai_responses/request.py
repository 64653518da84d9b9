"""Write the request of the OpenAI Responses API. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...question.config import OpenAIConfig
from ...question.lenient_json import as_mapping
from ...question.question import (
    AskedOutput,
    Attachment,
    FileLink,
    OpaqueBlock,
    PastCall,
    PastReasoning,
    PastRefusal,
    PastResult,
    ProviderTool,
    Question,
    QuestionTurn,
    SignedText,
    Tool,
    append_path,
    merge_body,
    without_none,
)
from ...question.transport import HttpRequest
from ..call_ids import fit_call_ids
from .answers import call_item, result_item

_RESPONSES_CALL_ID = re.compile(r".+", re.DOTALL)


def responses_request(question: Question, token: str | None = None) -> HttpRequest:
    """Return the HTTP request for a question.

    `store` is sent to every server: it is part of this API, and the default is to store the response.
    """
    config = question.config
    assert isinstance(config, OpenAIConfig)
    ids = fit_call_ids(question.turns, _RESPONSES_CALL_ID, 64)
    payload = without_none(
        model=question.model,
        instructions=question.system,
        input=[item for turn in question.turns for item in _input_items(turn, ids)],
        stream=True,
        store=config.store or False,
        max_output_tokens=question.max_tokens,
        temperature=question.temperature,
        top_p=config.top_p,
        tools=[_responses_tool(tool) for tool in question.tools] or None,
        tool_choice=_responses_tool_choice(question),
        text=_text_settings(question.output),
    )
    if question.reasoning == "none":
        payload["reasoning"] = {"effort": "none"}
    elif question.reasoning:
        payload |= {
            "reasoning": {"effort": question.reasoning, "summary": "auto"},
            "include": ["reasoning.encrypted_content"],  # the next turn must send it back, because nothing is stored
        }
    url = append_path(question.base_url, "responses")
    return HttpRequest.post(url, question.headers, merge_body(payload, config.body), question.attachments)


def _text_settings(output: AskedOutput | None) -> dict[str, Any] | None:
    """Return the field for the format of the reply; None if the instruction alone asks for it."""
    if output is None or output.method == "prompt":
        return None
    if output.native_schema is None:
        return {"format": {"type": "json_object"}}
    return {
        "format": {"type": "json_schema", "name": output.name, "strict": True, "schema": output.native_schema},
    }


def _responses_tool(tool: Tool) -> Mapping[str, Any]:
    if isinstance(tool, ProviderTool):
        return tool.fields
    # `strict` is a required key. True would make the API refuse every schema with an optional field.
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": bool(tool.strict),
        **tool.extra,
    }


def _responses_tool_choice(question: Question) -> Any:
    choice = question.tool_choice
    if choice is None or choice in ("auto", "none", "required"):
        return choice
    return question.chosen_tool or {"type": "function", "name": choice}


def _input_items(turn: QuestionTurn, ids: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the input items of a turn: one message for a user's turn, every part in its order for an assistant's."""
    if turn.role == "user":
        return [{"type": "message", "role": "user", "content": _input_content(turn)}]
    items: list[dict[str, Any]] = []
    for part in turn.parts:
        if isinstance(part, str | SignedText | PastRefusal):
            text = part if isinstance(part, str) else part.text
            phase = as_mapping(part.opaque) if isinstance(part, SignedText) else {}
            content = [{"type": "output_text", "text": text}]
            if isinstance(part, PastRefusal):
                content = [{"type": "refusal", "refusal": text}]
            item = {"type": "message", "role": "assistant", **phase}
            if items and {**items[-1], "content": None} == {**item, "content": None}:
                items[-1]["content"] += content
            else:
                items.append({**item, "content": content})
        elif isinstance(part, PastCall):
            items.append(call_item(part, ids[part.id]))
        elif isinstance(part, PastResult):
            output = [_input_part(each) for each in part.parts] or part.content
            items.append(result_item(part, ids[part.call.id], output))
        elif isinstance(part, PastReasoning | OpaqueBlock) and isinstance(part.opaque, dict):
            items.append(part.opaque)
    while items and items[-1].get("type") == "reasoning":
        items.pop()  # from an interrupted turn: the API refuses reasoning without the item after it
    return items


def _input_content(turn: QuestionTurn) -> str | list[dict[str, Any]]:
    if len(turn.parts) == 1 and isinstance(turn.parts[0], str):
        return turn.parts[0]
    return [_input_part(part) for part in turn.parts if isinstance(part, str | Attachment | FileLink)]


def _input_part(part: str | Attachment | FileLink) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "input_text", "text": part}
    is_image = part.media_type.startswith("image/")
    if isinstance(part, FileLink):
        data: Any = part.url
        if not is_image:
            return {"type": "input_file", "file_url": data}
    else:
        data = part.in_base64(f"data:{part.media_type};base64,")
    if is_image:
        return {"type": "input_image", "image_url": data, "detail": part.detail or "auto"}
    return {"type": "input_file", "filename": part.name, "file_data": data}
