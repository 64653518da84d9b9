"""Write the request of Gemini. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from ...question.config import GeminiConfig
from ...question.lenient_json import (
    as_mapping,
    load_lenient,
)
from ...question.question import (
    AskedOutput,
    Attachment,
    Effort,
    FileLink,
    PastCall,
    PastReasoning,
    PastRefusal,
    PastResult,
    ProviderTool,
    Question,
    SignedText,
    ToolDefinition,
    TurnPart,
    append_path,
    merge_body,
    without_none,
)
from ...question.transport import HttpRequest

SKIP_SIGNATURE_CHECK = "skip_thought_signature_validator"
"""Replaces the signature of a call that Gemini did not make (https://ai.google.dev/gemini-api/docs/thought-signatures)."""
_ONLY_IN_BETA = re.compile(r"-(latest|preview|exp|experimental|tts)(-|$)")
"""Models that may exist only on v1beta, which has all others too (https://ai.google.dev/gemini-api/docs/models)."""
_CALLING_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
_BUDGET_BY_EFFORT: dict[Effort, int] = {"none": 0, "low": 1_024, "medium": 8_192, "high": 24_576}
_HARM_CATEGORIES = ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")


def gemini_request(question: Question, token: str | None = None) -> HttpRequest:
    """Return the HTTP request for a question.

    The key is in a header, not in the URL: servers and proxies write URLs to their logs.

    Args:
        question: The question.
        token: A continuation token: the response continues the one that ended with it.
    """
    config = question.config
    assert isinstance(config, GeminiConfig)
    generation = without_none(
        maxOutputTokens=question.max_tokens,
        temperature=question.temperature,
        topP=config.top_p,
        topK=config.top_k,
        candidateCount=config.candidate_count,
        stopSequences=config.stop,
        seed=config.seed,
        thinkingConfig=_thinking_config(question),
        **_output_fields(question.output),
    )
    payload = without_none(
        contents=_gemini_contents(question),
        systemInstruction={"parts": [{"text": question.system}]} if question.system else None,
        generationConfig=generation or None,
        safetySettings=_safety_settings(config.safety_threshold) if config.safety_threshold else None,
        tools=_gemini_tools(question) or None,
        toolConfig=_tool_config(question) or None,
        store=question.dialect.store if config.store is None else config.store,
        continuationToken=token,
    )
    url = _gemini_url(question, config)
    return HttpRequest.post(url, question.headers, merge_body(payload, config.body), question.attachments)


def _output_fields(output: AskedOutput | None) -> dict[str, Any]:
    """Return the fields for the format of the reply; none if the instruction alone asks for it."""
    if output is None or output.method == "prompt":
        return {}
    return without_none(responseMimeType="application/json", responseJsonSchema=output.native_schema)


def _gemini_url(question: Question, config: GeminiConfig) -> str:
    model = question.model.removeprefix("models/")
    path = f"models/{quote(model, safe='')}:streamGenerateContent"
    if config.api_version or not re.search(r"/v\d+\w*(/|$)", urlsplit(question.base_url).path):
        # The schema of a reply is a field of v1beta (https://ai.google.dev/gemini-api/docs/structured-output).
        is_beta = _ONLY_IN_BETA.search(model) or _output_fields(question.output)
        path = f"{config.api_version or ('v1beta' if is_beta else 'v1')}/{path}"
    url = append_path(question.base_url, path)
    return f"{url}{'&' if '?' in url else '?'}alt=sse"


def _gemini_tools(question: Question) -> list[Mapping[str, Any]]:
    """Return the provider's tools, then all functions as one."""
    declarations = [_function_declaration(tool) for tool in question.tools if isinstance(tool, ToolDefinition)]
    own = [tool.fields for tool in question.tools if isinstance(tool, ProviderTool)]
    return [*own, *([{"functionDeclarations": declarations}] if declarations else [])]


def _function_declaration(tool: ToolDefinition) -> dict[str, Any]:
    declared = {"name": tool.name, "description": tool.description}
    has_parameters = any(value for name, value in tool.parameters.items() if name not in ("type", "title", "$schema"))
    return {**declared, **({"parametersJsonSchema": tool.parameters} if has_parameters else {}), **tool.extra}


def _safety_settings(threshold: str) -> list[dict[str, Any]]:
    return [{"category": f"HARM_CATEGORY_{harm}", "threshold": threshold} for harm in _HARM_CATEGORIES]


def _tool_config(question: Question) -> dict[str, Any]:
    config: dict[str, Any] = {}
    choice = question.tool_choice
    if choice in (None, "auto") and any(isinstance(tool, ToolDefinition) and tool.strict for tool in question.tools):
        # The free choice that keeps to the schemas; "ANY" keeps to them anyway (google-genai, `FunctionCallingConfig`).
        config["functionCallingConfig"] = {"mode": "VALIDATED"}
    elif choice:
        mode = _CALLING_MODES.get(choice)
        named = {"mode": "ANY", "allowedFunctionNames": [choice]}
        config["functionCallingConfig"] = {"mode": mode} if mode else named
    kinds = {type(tool) for tool in question.tools}
    if len(kinds) > 1 and question.provider == "gemini" and not re.search(r"gemini-[12]", question.model):
        # Both kinds at once need it, so that the provider's own calls can go back (google-genai 3.6, `ToolConfig`).
        config["includeServerSideToolInvocations"] = True
    return config


def _thinking_config(question: Question) -> dict[str, Any] | None:
    """Return how long to think: a budget for the 2.5 models, a level for later ones.

    Later models cannot be told not to think, so `none` is their lowest level.
    """
    effort = question.reasoning
    if effort is None:
        return None
    model = question.model.removeprefix("models/")
    fields = {"includeThoughts": effort != "none"}
    if model.startswith("gemini-2.5"):
        least = 128 if "pro" in model else 0
        return fields | {"thinkingBudget": max(_BUDGET_BY_EFFORT[effort], least)}
    if effort == "none":
        return fields | {"thinkingLevel": "LOW" if re.match(r"gemini-(3\.[78]|4)", model) else "MINIMAL"}
    return fields | {"thinkingLevel": effort.upper()}


def _gemini_contents(question: Question) -> list[dict[str, Any]]:
    contents = []
    # https://ai.google.dev/gemini-api/docs/function-calling, "Multimodal function responses": from Gemini 3 on.
    takes_result_files = not re.search(r"gemini-[12]", question.model)
    for turn in question.turns:
        written = [(part, _parts_for_gemini(part, takes_result_files)) for part in turn.parts]
        parts = [made for _, group in written for made in group]
        # A call that Gemini itself ran is opaque, and goes back unchanged.
        first = next((group[0] for part, group in written if isinstance(part, PastCall)), None)
        foreign = any(isinstance(part, PastCall) and part.opaque is None for part in turn.parts)
        if first is not None and (foreign or not re.search(r"gemini-[12]", question.model)):
            # From Gemini 3 on, the first call of a turn must have a signature. It has none if another model made it, or
            # if the call before it was not run (https://ai.google.dev/gemini-api/docs/thought-signatures, "FAQs").
            first.setdefault("thoughtSignature", SKIP_SIGNATURE_CHECK)
        contents.append({"role": "model" if turn.role == "assistant" else "user", "parts": parts})
    return contents


def _parts_for_gemini(part: TurnPart, takes_result_files: bool) -> list[dict[str, Any]]:
    if isinstance(part, str | PastRefusal):
        return [{"text": part if isinstance(part, str) else part.text}]
    if isinstance(part, SignedText):
        return [{"text": part.text, **as_mapping(part.opaque)}]
    if isinstance(part, Attachment | FileLink):
        return list(_gemini_file_parts(part))
    if isinstance(part, PastCall):
        own = as_mapping(part.opaque)
        call = without_none(id=_gemini_call_id(part), name=part.name, args=part.input)
        return [{"functionCall": call, **without_none(thoughtSignature=own.get("thoughtSignature"))}]
    if isinstance(part, PastResult):
        files = part.parts if takes_result_files else ()
        texts = "\n".join(each for each in files if isinstance(each, str)) if files else part.content
        response = {"error" if part.is_error else "output": _parse_result(texts)}
        found = [made for each in files if not isinstance(each, str) for made in _gemini_file_parts(each)]
        result = without_none(
            id=_gemini_call_id(part.call), name=part.call.name, response=response, parts=found or None
        )
        return [{"functionResponse": result}]
    if isinstance(part, PastReasoning):
        return [{"text": part.text, "thought": True, **part.opaque}] if isinstance(part.opaque, dict) else []
    return [part.opaque] if isinstance(part.opaque, dict) else []


def _gemini_call_id(call: PastCall) -> str | None:
    """Return the id that this API gave the call, or None if it gave none; another provider's call keeps its id."""
    return call.id if call.opaque is None else as_mapping(call.opaque).get("id")


def _parse_result(content: str) -> Any:
    try:
        return load_lenient(content)
    except ValueError:
        return content


def _gemini_file_parts(file: Attachment | FileLink) -> Iterator[dict[str, Any]]:
    if isinstance(file, FileLink):
        kind = {} if file.media_type.endswith("*") else {"mimeType": file.media_type}
        yield {"fileData": {"fileUri": file.url, **kind}}
        return
    if file.text is not None:
        yield {"text": f"File {file.name}:"}  # inline data has no field for a file name
    yield {"inlineData": {"mimeType": file.media_type, "data": file.in_base64()}}
