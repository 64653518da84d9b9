"""Decides which opaque parts a client may send back: those that a wire produces from a provider's reply.

Rule: the library sends an opaque part to its provider unread, so a client could write anything into it: a file of the
account by its id, an address to fetch, a system message. So we check each part against a list of what each wire
produces, type by type and field by field. No field on the list names another resource. There is no signature, so no key
and no state: whatever passes is something that a model could have said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class _Shape(NamedTuple):
    """What the data of one kind of part may contain. Every object in it has only these fields and types."""

    fields: frozenset[str]
    types: frozenset[str] = frozenset()
    """Types of the data itself; empty if it has no type."""
    inner: frozenset[str] = frozenset()
    """Types of the objects in it."""
    free: frozenset[str] = frozenset()
    """Fields with any JSON: what a model wrote for a tool."""
    needs: frozenset[str] = frozenset()
    """Fields of which the data has at least one."""


def _word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SIGNATURE = _Shape(_word_set("thoughtSignature"))

_SHAPES: dict[tuple[str, str], _Shape] = {
    # https://platform.claude.com/docs/en/build-with-claude/extended-thinking
    ("anthropic", "reasoning"): _Shape(
        _word_set("type thinking signature data"), types=_word_set("thinking redacted_thinking")
    ),
    # https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool: where a search found the words.
    ("anthropic", "text"): _Shape(
        _word_set("citations type url title cited_text encrypted_index"),
        inner=_word_set("web_search_result_location"),
        needs=_word_set("citations"),
    ),
    # https://platform.claude.com/docs/en/agents-and-tools/tool-use/server-tools. Of files, only the id of one that code
    # in the container wrote, which can't be guessed: it shows the model the result of its code.
    ("anthropic", "opaque"): _Shape(
        _word_set(
            """
            type id name input server_name caller tool_id tool_use_id is_error content text citations title url data
            media_type source page_age retrieved_at encrypted_content encrypted_stdout stdout stderr return_code
            abort_reason error_code error_message file_type num_lines start_line total_lines is_file_update lines
            new_lines new_start old_lines old_start tool_references tool_name file_id
            """
        ),
        types=_word_set(
            """
            server_tool_use mcp_tool_use mcp_tool_result compaction web_search_tool_result web_fetch_tool_result
            code_execution_tool_result bash_code_execution_tool_result text_editor_code_execution_tool_result
            tool_search_tool_result advisor_tool_result container
            """
        ),
        inner=_word_set(
            """
            text base64 document direct code_execution_20250825 code_execution_20260120 web_search_result
            web_search_tool_result_error web_fetch_result web_fetch_tool_result_error code_execution_result
            encrypted_code_execution_result code_execution_tool_result_error bash_code_execution_result
            bash_code_execution_tool_result_error text_editor_code_execution_view_result
            text_editor_code_execution_create_result text_editor_code_execution_str_replace_result
            text_editor_code_execution_tool_result_error tool_search_tool_search_result tool_search_tool_result_error
            tool_reference advisor_result advisor_redacted_result advisor_tool_result_error
            code_execution_output bash_code_execution_output
            """
        ),
        free=_word_set("input"),
    ),
    ("anthropic", "tool_call"): _Shape(
        _word_set("caller toolset_name"), free=_word_set("caller"), needs=_word_set("caller toolset_name")
    ),
    # https://ai.google.dev/gemini-api/docs/thought-signatures
    ("gemini", "text"): _SIGNATURE,
    ("gemini", "reasoning"): _SIGNATURE,
    ("gemini", "tool_call"): _Shape(_word_set("id thoughtSignature")),
    ("gemini", "opaque"): _Shape(
        _word_set(
            """
            executableCode codeExecutionResult toolCall toolResponse functionCall functionResponse thoughtSignature
            thought id name code language outcome output toolType args response
            """
        ),
        free=_word_set("args response"),
        needs=_word_set("executableCode codeExecutionResult toolCall toolResponse functionCall functionResponse"),
    ),
    # Only the bytes of a picture: `fileData` names a file of the account.
    ("gemini", "media"): _Shape(
        _word_set("inlineData thoughtSignature mimeType data displayName"), needs=_word_set("inlineData")
    ),
    # https://openrouter.ai/docs/guides/best-practices/reasoning-tokens
    ("openai_chat", "reasoning"): _Shape(
        _word_set("reasoning_details type format index id text summary signature data provider reasoning_opaque"),
        inner=_word_set("reasoning.text reasoning.summary reasoning.encrypted"),
        needs=_word_set("reasoning_details reasoning_opaque"),
    ),
    # https://platform.openai.com/docs/guides/audio: what the model said, for an hour. Its id can't be guessed.
    ("openai_chat", "media"): _Shape(_word_set("audio id expires_at"), needs=_word_set("audio")),
    # https://ai.google.dev/gemini-api/docs/openai
    ("openai_chat", "tool_call"): _Shape(
        _word_set("extra_content google thought_signature custom"), needs=_word_set("extra_content custom")
    ),
    # https://developers.openai.com/api/docs/guides/reasoning
    ("openai_responses", "text"): _Shape(_word_set("phase")),
    ("openai_responses", "reasoning"): _Shape(
        _word_set("type id status summary content text encrypted_content"),
        types=_word_set("reasoning"),
        inner=_word_set("summary_text reasoning_text"),
        needs=_word_set("encrypted_content"),
    ),
    # https://platform.openai.com/docs/api-reference/responses/object: what the model wrote for a tool, and what came of
    # it, is a record that the API does not act on. The ids in it can't be guessed.
    ("openai_responses", "tool_call"): _Shape(
        _word_set(
            """
            type id call_id status name namespace caller async action actions pending_safety_checks environment
            operation execution arguments server_label
            """
        ),
        types=_word_set(
            """
            function_call custom_tool_call computer_call local_shell_call shell_call apply_patch_call tool_search_call
            mcp_approval_request
            """
        ),
        free=_word_set("caller action actions pending_safety_checks environment operation arguments"),
    ),
    ("openai_responses", "opaque"): _Shape(
        _word_set(
            """
            type id call_id status name server_label action queries results code container_id outputs output tools error
            arguments approval_request_id execution environment max_output_length fingerprint result encrypted_content
            created_by role revised_prompt output_format size quality background
            """
        ),
        types=_word_set(
            """
            web_search_call file_search_call code_interpreter_call image_generation_call mcp_list_tools mcp_call
            shell_call shell_call_output tool_search_call tool_search_output program program_output compaction
            additional_tools
            """
        ),
        free=_word_set("action queries results outputs output tools error arguments environment"),
    ),
    ("openai_responses", "media"): _Shape(
        _word_set("type id status result prompt revised_prompt output_format size quality background action"),
        types=_word_set("image_generation_call"),
    ),
}
_OUTERMOST = _word_set(
    """
    reasoning_details extra_content executableCode codeExecutionResult toolCall toolResponse functionCall
    functionResponse inlineData
    """
)
"""Fields of the data itself, never of an object in it."""
_FIELDS = frozenset(("provider", "wire", "host", "data"))
_FILE_TYPES = _word_set("code_execution_output bash_code_execution_output")
"""Objects that are the id of a file and nothing else. No other object may have one."""


def find_foreign(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the place of the first opaque part that no wire produces, such as "messages[2].content[0]", or ""."""
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
    return _fits_shape(data, shape, shape.types) and all(
        _fits_within(value, shape) for value in _values_to_check(data, shape)
    )


def _fits_shape(value: Mapping[str, Any], shape: _Shape, types: frozenset[str]) -> bool:
    if not (value.keys() <= shape.fields and (str(value.get("type")) in types if types else "type" not in value)):
        return False
    is_file = str(value.get("type")) in _FILE_TYPES
    return value.keys() == {"type", "file_id"} if is_file else "file_id" not in value


def _fits_within(value: Any, shape: _Shape) -> bool:
    if isinstance(value, list):
        return all(_fits_within(item, shape) for item in value)
    if not isinstance(value, dict):
        return True
    if not _fits_shape(value, shape, shape.inner) or not _OUTERMOST.isdisjoint(value):
        return False
    return all(_fits_within(each, shape) for each in _values_to_check(value, shape))


def _values_to_check(value: Mapping[str, Any], shape: _Shape) -> list[Any]:
    return [each for name, each in value.items() if name not in shape.free]
