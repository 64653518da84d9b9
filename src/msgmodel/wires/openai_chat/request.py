"""Write the request of OpenAI Chat Completions. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...question.config import LocalConfig, OpenAIConfig
from ...question.lenient_json import as_mapping
from ...question.question import (
    AskedOutput,
    Attachment,
    Dialect,
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
    join_texts,
    merge_body,
    without_none,
)
from ...question.transport import HttpRequest
from ..call_ids import fit_call_ids

NO_ANSWER = "(no answer)"
"""The assistant's turn between the results of tools and a user's turn, for servers that require one."""
_ANY_IDS = re.compile(r".+", re.DOTALL), 40
"""OpenAI refuses an id of more than 40 characters."""
_SHORT_IDS = re.compile(r"[a-zA-Z0-9]{9}"), 9
"""Mistral's older templates refuse an id that is not nine letters or digits."""


def chat_request(question: Question, token: str | None = None) -> HttpRequest:
    """Return the HTTP request for a question, with the smallest body that expresses it.

    Compatible servers refuse fields that they do not know, so no field is sent for its default value.
    """
    config, dialect = question.config, question.dialect
    assert isinstance(config, OpenAIConfig | LocalConfig)
    messages: list[dict[str, Any]] = []
    system = question.system or dialect.system
    if system:
        messages.append({"role": dialect.system_role, "content": system})
    ids = fit_call_ids(question.turns, *(_SHORT_IDS if dialect.short_call_ids else _ANY_IDS))
    for turn in question.turns:
        if dialect.alternates and turn.role == "user" and messages and messages[-1]["role"] == "tool":
            messages.append({"role": "assistant", "content": NO_ANSWER})
        made = _chat_messages(turn, dialect, ids)
        if made[0]["role"] == "user" and messages and messages[-1]["role"] == "user":
            messages[-1]["content"] += _as_chat_parts(made.pop(0)["content"])  # after images in the results of tools
        messages += made
    payload = {
        **dialect.sampling,
        **(dialect.reasoning[question.reasoning] if question.reasoning else {}),
        **without_none(
            model=question.model,
            messages=messages,
            stream=True,
            temperature=question.temperature,
            top_p=config.top_p,
            stop=config.stop,
            seed=config.seed,
            tools=[_chat_tool(tool) for tool in question.tools] or None,
            tool_choice=_chat_tool_choice(question),
            cache_control=question.cache_control,
            response_format=_response_format(question.output),
            return_progress=True if question.reports_progress and dialect.prompt_progress else None,
        ),
    }
    if question.output is not None:
        payload |= question.output.more_fields
    if question.max_tokens is not None:
        payload[dialect.max_tokens] = question.max_tokens
    store, include_usage = dialect.store, dialect.include_usage
    if isinstance(config, OpenAIConfig):
        payload |= without_none(n=config.n)
        store = store if config.store is None else config.store
        include_usage = include_usage if config.include_usage is None else config.include_usage
    payload |= without_none(store=store, stream_options={"include_usage": True} if include_usage else None)
    url = append_path(question.base_url, "chat/completions")
    return HttpRequest.post(url, question.headers, merge_body(payload, config.body), question.attachments)


def _response_format(output: AskedOutput | None) -> dict[str, Any] | None:
    """Return the field for the format of the reply; None if the instruction alone asks for it."""
    if output is None or output.method == "prompt":
        return None
    if output.native_schema is None:
        return {"type": "json_object"}
    return {
        "type": "json_schema",
        "json_schema": {"name": output.name, "strict": True, "schema": output.native_schema},
    }


def _chat_tool(tool: Tool) -> Mapping[str, Any]:
    if isinstance(tool, ProviderTool):
        return tool.fields
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    # OpenRouter reads `cache_control` beside the function, as it is beside the schema at Anthropic.
    return {"type": "function", "function": function | without_none(strict=tool.strict), **tool.extra}


def _chat_tool_choice(question: Question) -> Any:
    choice = question.tool_choice
    if choice is None or choice in ("auto", "none", "required"):
        return choice
    return question.chosen_tool or {"type": "function", "function": {"name": choice}}


def _chat_messages(turn: QuestionTurn, dialect: Dialect, ids: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the messages of a turn: one for each tool result, otherwise one."""
    if turn.role == "assistant":
        return [_assistant_message(turn, dialect, ids)]
    if turn.role == "tool":
        return _result_messages([part for part in turn.parts if isinstance(part, PastResult)], ids)
    if all(isinstance(part, str) for part in turn.parts):
        return [{"role": turn.role, "content": "\n\n".join(part for part in turn.parts if isinstance(part, str))}]
    texts = [part for part in turn.parts if isinstance(part, str) or (isinstance(part, Attachment) and part.text)]
    if dialect.alternates and len(texts) == len(turn.parts):  # many chat templates take no list of parts
        return [{"role": turn.role, "content": join_texts(texts)}]
    parts = [
        {"type": "text", "text": part} if isinstance(part, str) else _chat_file_part(part)
        for part in turn.parts
        if isinstance(part, (str, Attachment, FileLink))
    ]
    return [{"role": turn.role, "content": parts}]


def _result_messages(results: list[PastResult], ids: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the results of a turn. This API takes only text in them, so their images follow in a user's message."""
    messages: list[dict[str, Any]] = []
    following: list[dict[str, Any]] = []
    for result in results:
        texts = [
            part if isinstance(part, str) else f"[The file {part.name} is in the next message.]"
            for part in result.parts
        ]
        content = "\n".join(texts) if texts else result.content
        messages.append({"role": "tool", "tool_call_id": ids[result.call.id], "content": content})
        for file in result.parts:
            if not isinstance(file, str):
                following += [{"type": "text", "text": f"File {file.name}, from the tool {result.call.name}:"}]
                following += [_chat_file_part(file)]
    return [*messages, {"role": "user", "content": following}] if following else messages


def _as_chat_parts(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _assistant_message(turn: QuestionTurn, dialect: Dialect, ids: Mapping[str, str]) -> dict[str, Any]:
    """Return an assistant's turn as a message.

    All text is one string, because compatible servers accept neither parts nor refusals here. Reasoning is sent back
    only to servers that require it.
    """
    text = "".join(
        part if isinstance(part, str) else part.text
        for part in turn.parts
        if isinstance(part, str | SignedText | PastRefusal)
    )
    calls = [part for part in turn.parts if isinstance(part, PastCall)]
    reasoning = [part for part in turn.parts if isinstance(part, PastReasoning)]
    message: dict[str, Any] = {
        "role": "assistant",
        "content": text or (None if calls and not dialect.alternates else ""),
    }
    details = [as_mapping(part.opaque).get("reasoning_details") for part in reasoning]
    if joined := [detail for group in details if isinstance(group, list) for detail in group]:
        message["reasoning_details"] = joined  # OpenRouter wants it back unchanged
    if dialect.echo_reasoning and calls:  # DeepSeek refuses calls without their reasoning
        message[dialect.echo_reasoning] = "".join(part.text for part in reasoning)
    for part in reasoning:
        if opaque := as_mapping(part.opaque).get("reasoning_opaque"):
            message["reasoning_opaque"] = opaque  # GitHub Copilot wants it back unchanged
    for audio in (as_mapping(part.opaque).get("audio") for part in turn.parts if isinstance(part, OpaqueBlock)):
        if isinstance(audio, dict):  # it takes the place of the words, https://platform.openai.com/docs/guides/audio
            message |= {"audio": {"id": audio.get("id")}, "content": text or None}
    if calls:
        message["tool_calls"] = [_past_call(call, ids[call.id]) for call in calls]
    return message


def _past_call(call: PastCall, id: str) -> dict[str, Any]:
    own = as_mapping(call.opaque)
    if own.get("custom"):
        return {"id": id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    return {"id": id, "type": "function", "function": {"name": call.name, "arguments": call.arguments_as_json}, **own}


def _chat_file_part(file: Attachment | FileLink) -> dict[str, Any]:
    if isinstance(file, FileLink):
        return {"type": "image_url", "image_url": {"url": file.url, **without_none(detail=file.detail)}}
    if file.text is not None:
        # This API refuses files other than PDF, so the text of a file is sent as text.
        return {"type": "text", "text": file.as_text(f"File {file.name}:\n\n")}
    if file.media_type.startswith("image/"):
        url = file.in_base64(f"data:{file.media_type};base64,")
        return {"type": "image_url", "image_url": {"url": url, **without_none(detail=file.detail)}}
    if file.media_type.startswith("audio/"):
        return {
            "type": "input_audio",
            "input_audio": {"data": file.in_base64(), "format": "mp3" if file.media_type == "audio/mpeg" else "wav"},
        }
    return {
        "type": "file",
        "file": {"filename": file.name, "file_data": file.in_base64(f"data:{file.media_type};base64,")},
    }
