"""A provider that does what it is told: it calls the tool that it is given, and fills the schema that is wanted."""

from __future__ import annotations

import json
import re
from typing import Any

from msgmodel.testing import Received, Reply


def fill(request: Received) -> Reply:
    """Return a call of the chosen tool, unless its result is here; an object of the schema; or a text."""
    body = request.json
    question = json.dumps(body.get("messages") or body["contents"], ensure_ascii=False)
    quoted = re.findall(r"'([^']+)'", question)
    word = quoted[-1] if quoted else "word"
    tools, chosen, schema = _read_wishes(body)
    if tools and not _has_result(body):
        name = chosen if chosen in tools else next(iter(tools))
        return Reply(tool_calls=[{"name": name, "arguments": value_of(tools[name], word)}])
    if schema is not None:
        return Reply(json.dumps(value_of(schema, word)))
    if "JSON" in question or "JSON" in json.dumps(body.get("system", "")):
        return Reply(json.dumps({"setup": word, "punchline": word}))
    return Reply("Hello there, this is a reply.")


def _read_wishes(body: dict[str, Any]) -> tuple[dict[str, Any], Any, Any]:
    """Return the schemas of the tools by name, the name that was chosen, and the schema of the reply, on any wire."""
    if "contents" in body:
        declared = [each for tool in body.get("tools", []) for each in tool["functionDeclarations"]]
        tools = {each["name"]: each.get("parametersJsonSchema", {"properties": {}}) for each in declared}
        calling = body.get("toolConfig", {}).get("functionCallingConfig", {})
        generation = body.get("generationConfig", {})
        schema = generation.get("responseJsonSchema") or generation.get("responseSchema")
        if schema is None and generation.get("responseMimeType") == "application/json":
            schema = {}
        return tools, next(iter(calling.get("allowedFunctionNames", [])), None), schema
    functions = [tool.get("function", tool) for tool in body.get("tools", [])]
    tools = {each["name"]: each.get("parameters") or each.get("input_schema") or {} for each in functions}
    choice = body.get("tool_choice")
    chosen = choice.get("function", choice).get("name") if isinstance(choice, dict) else None
    wanted = body.get("response_format") or body.get("output_config", {}).get("format")
    if not wanted or wanted["type"] == "text":
        return tools, chosen, None
    return tools, chosen, wanted.get("schema") or wanted.get("json_schema", {}).get("schema", {})


def _has_result(body: dict[str, Any]) -> bool:
    last = (body.get("messages") or body.get("contents"))[-1]
    parts = last.get("content") or last.get("parts")
    inner = [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return last["role"] == "tool" or any(
        "functionResponse" in part or part.get("type") == "tool_result" for part in inner
    )


def value_of(schema: Any, word: str, root: Any = None) -> Any:
    """Return a value that fits a JSON schema, with this word for each string."""
    root = schema if root is None else root
    if "$ref" in schema:
        found = root
        for step in schema["$ref"].split("/")[1:]:
            found = found[step]
        return value_of(found, word, root)
    if "anyOf" in schema:
        return value_of(schema["anyOf"][0], word, root)
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        inner = schema.get("properties", {"setup": {"type": "string"}, "punchline": {"type": "string"}})
        return {name: value_of(each, word, root) for name, each in inner.items()}
    if kind == "array":
        return [value_of(schema.get("items", {"type": "string"}), word, root)]
    return {"string": word, "integer": 3, "number": 3.0, "boolean": True, "null": None}[kind]
