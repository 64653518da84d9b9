"""Which opaque parts a client may send back: those that a wire itself makes of a provider's reply.

Rule: an opaque part goes to its provider unread, so a client could write anything into it: a file of the account by its
id, an address to fetch, a message of the system. Here it is read, against a list of what each wire makes, type by type
and field by field; no field that names another resource is on it. There is no signature, so no key and no state: what
passes is something that a model may have said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class _Shape(NamedTuple):
    """What may stand in the data of one kind of part. Every object within has fields of this list, and where it has a
    type, one of these types; a field in `free` holds any JSON: it is what a model wrote for a tool."""

    fields: frozenset[str]
    types: frozenset[str] = frozenset()
    """Of the data itself; empty if it has no type."""
    inner: frozenset[str] = frozenset()
    """Of the objects within it."""
    free: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    """Fields of which the data has one at least."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SIGNATURE = _Shape(_words("thoughtSignature"))

_SHAPES: dict[tuple[str, str], _Shape] = {
    # https://platform.claude.com/docs/en/build-with-claude/extended-thinking
    ("anthropic", "reasoning"): _Shape(
        _words("type thinking signature data"), types=_words("thinking redacted_thinking")
    ),
    # https://platform.claude.com/docs/en/agents-and-tools/tool-use/server-tools, but for the files of a container.
    ("anthropic", "opaque"): _Shape(
        _words(
            """
            type id name input server_name caller tool_id tool_use_id is_error content text citations title url data
            media_type source page_age retrieved_at encrypted_content encrypted_stdout stdout stderr return_code
            abort_reason error_code error_message file_type num_lines start_line total_lines is_file_update lines
            new_lines new_start old_lines old_start tool_references tool_name
            """
        ),
        types=_words(
            """
            server_tool_use mcp_tool_use mcp_tool_result compaction web_search_tool_result web_fetch_tool_result
            code_execution_tool_result bash_code_execution_tool_result text_editor_code_execution_tool_result
            tool_search_tool_result advisor_tool_result
            """
        ),
        inner=_words(
            """
            text base64 document direct code_execution_20250825 code_execution_20260120 web_search_result
            web_search_tool_result_error web_fetch_result web_fetch_tool_result_error code_execution_result
            encrypted_code_execution_result code_execution_tool_result_error bash_code_execution_result
            bash_code_execution_tool_result_error text_editor_code_execution_view_result
            text_editor_code_execution_create_result text_editor_code_execution_str_replace_result
            text_editor_code_execution_tool_result_error tool_search_tool_search_result tool_search_tool_result_error
            tool_reference advisor_result advisor_redacted_result advisor_tool_result_error
            """
        ),
        free=_words("input"),
    ),
    # https://ai.google.dev/gemini-api/docs/thought-signatures
    ("gemini", "text"): _SIGNATURE,
    ("gemini", "reasoning"): _SIGNATURE,
    ("gemini", "tool_call"): _Shape(_words("id thoughtSignature")),
    ("gemini", "opaque"): _Shape(
        _words(
            """
            executableCode codeExecutionResult toolCall toolResponse thoughtSignature thought id code language outcome
            output toolType args response
            """
        ),
        free=_words("args response"),
        needs=_words("executableCode codeExecutionResult toolCall toolResponse"),
    ),
    # https://openrouter.ai/docs/guides/best-practices/reasoning-tokens
    ("openai_chat", "reasoning"): _Shape(
        _words("reasoning_details type format index id text summary signature data provider"),
        inner=_words("reasoning.text reasoning.summary reasoning.encrypted"),
        needs=_words("reasoning_details"),
    ),
    # https://ai.google.dev/gemini-api/docs/openai
    ("openai_chat", "tool_call"): _Shape(
        _words("extra_content google thought_signature"), needs=_words("extra_content")
    ),
    # https://developers.openai.com/api/docs/guides/reasoning
    ("openai_responses", "text"): _Shape(_words("phase")),
    ("openai_responses", "reasoning"): _Shape(
        _words("type id status summary content text encrypted_content"),
        types=_words("reasoning"),
        inner=_words("summary_text reasoning_text"),
        needs=_words("encrypted_content"),
    ),
    ("openai_responses", "tool_call"): _Shape(_words("type"), types=_words("function_call custom_tool_call")),
}
_OUTERMOST = _words("reasoning_details extra_content executableCode codeExecutionResult toolCall toolResponse")
"""Fields of the data alone, not of what is in it."""
_FIELDS = frozenset(("provider", "wire", "host", "data"))


def find_foreign(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the place of the first opaque part that no wire makes, such as "messages[2].content[0]"; "" for none."""
    for number, message in enumerate(messages):
        content = message.get("content")
        for at, part in enumerate(content if isinstance(content, list) else ()):
            if isinstance(part, dict) and part.get("opaque") is not None and not _made_by_a_wire(part):
                return f"messages[{number}].content[{at}]"
    return ""


def _made_by_a_wire(part: Mapping[str, Any]) -> bool:
    opaque, kind = part["opaque"], part.get("type")
    if not isinstance(opaque, dict) or not opaque.keys() <= _FIELDS or not isinstance(kind, str):
        return False
    shape, data = _SHAPES.get((str(opaque.get("wire")), kind)), opaque.get("data")
    if shape is None or not isinstance(data, dict):
        return False
    if shape.needs and shape.needs.isdisjoint(name for name, value in data.items() if value):
        return False
    return _fits(data, shape, shape.types) and all(_fits_within(value, shape) for value in _walked(data, shape))


def _fits(value: Mapping[str, Any], shape: _Shape, types: frozenset[str]) -> bool:
    return value.keys() <= shape.fields and (str(value.get("type")) in types if types else "type" not in value)


def _fits_within(value: Any, shape: _Shape) -> bool:
    if isinstance(value, list):
        return all(_fits_within(item, shape) for item in value)
    if not isinstance(value, dict):
        return True
    if not _fits(value, shape, shape.inner) or not _OUTERMOST.isdisjoint(value):
        return False
    return all(_fits_within(each, shape) for each in _walked(value, shape))


def _walked(value: Mapping[str, Any], shape: _Shape) -> list[Any]:
    return [each for name, each in value.items() if name not in shape.free]
