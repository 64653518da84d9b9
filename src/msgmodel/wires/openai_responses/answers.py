"""Calls and their results as input items of a request. Pure.

https://platform.openai.com/docs/api-reference/responses/create#responses-create-input
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ...errors import ConfigurationError, quoted
from ...question.lenient_json import as_mapping, as_text, parse_or_none
from ...question.question import PastCall, PastResult
from .items import CLIENT_CALLS

_ARGUMENT_FIELDS = {"function_call": "arguments", "custom_tool_call": "input"}


def call_item(call: PastCall, call_id: str) -> dict[str, Any]:
    """Return a call of an earlier turn: the provider's own item, or one that is written from its parts."""
    kept = as_mapping(call.opaque)
    kind = _item_type(call)
    field = _ARGUMENT_FIELDS.get(kind)
    if field is None:
        return dict(kept)
    written = call.arguments_as_json if field == "arguments" else call.arguments
    return {**kept, "type": kind, "call_id": call_id, "name": call.name, field: written}


def result_item(result: PastResult, call_id: str, output: Any) -> dict[str, Any]:
    """Return the answer to a call, in the shape that its kind wants.

    Args:
        result: The result of the call.
        call_id: The id of the call in this request.
        output: The result as this wire takes that of a function: text, or a list of parts.

    Raises:
        ConfigurationError: The result of an approval does not say whether the call is allowed.
    """
    kind = _item_type(result.call)
    answer = _ANSWERS.get(kind)
    if answer is not None:
        return answer(as_mapping(result.call.opaque), result)
    caller = as_mapping(result.call.opaque).get("caller")
    item = {"type": f"{kind}_output", "call_id": call_id, "output": output}
    return item | {"caller": caller} if caller else item  # a program wants to know which of its calls this answers


def _item_type(call: PastCall) -> str:
    kind = as_text(as_mapping(call.opaque).get("type"))
    return kind if kind in CLIENT_CALLS else "function_call"


def _computer_answer(item: Mapping[str, Any], result: PastResult) -> dict[str, Any]:
    found = parse_or_none(result.content.encode())
    image = _NO_SCREENSHOT if result.is_error else result.content
    output = found if isinstance(found, dict) else {"type": "computer_screenshot", "image_url": image}
    answer: dict[str, Any] = {"type": "computer_call_output", "call_id": item.get("call_id"), "output": output}
    checks = item.get("pending_safety_checks")  # the API refuses an answer that leaves one out
    return answer | {"acknowledged_safety_checks": checks} if checks else answer


def _shell_answer(item: Mapping[str, Any], result: PastResult) -> dict[str, Any]:
    found = parse_or_none(result.content.encode())
    if not isinstance(found, list):
        exit_code = 1 if result.is_error else 0
        text = {"stdout": "", "stderr": result.content} if result.is_error else {"stdout": result.content, "stderr": ""}
        found = [{**text, "outcome": {"type": "exit", "exit_code": exit_code}}]
    answer: dict[str, Any] = {"type": "shell_call_output", "call_id": item.get("call_id"), "output": found}
    limit = as_mapping(item.get("action")).get("max_output_length")
    return answer | {"max_output_length": limit} if limit is not None else answer


def _local_shell_answer(item: Mapping[str, Any], result: PastResult) -> dict[str, Any]:
    return {"type": "local_shell_call_output", "id": item.get("call_id"), "output": result.content}


def _patch_answer(item: Mapping[str, Any], result: PastResult) -> dict[str, Any]:
    status = "failed" if result.is_error else "completed"
    answer = {"type": "apply_patch_call_output", "call_id": item.get("call_id"), "status": status}
    return answer | {"output": result.content} if result.content else answer


def _search_answer(item: Mapping[str, Any], result: PastResult) -> dict[str, Any]:
    tools = parse_or_none(result.content.encode())
    return {
        "type": "tool_search_output",
        "call_id": item.get("call_id"),
        "execution": "client",
        "status": "incomplete" if result.is_error else "completed",
        "tools": tools if isinstance(tools, list) else [],
    }


def _approval_answer(item: Mapping[str, Any], result: PastResult) -> dict[str, Any]:
    found = parse_or_none(result.content.encode())
    decision = found if isinstance(found, dict) else {"approve": found}
    if result.is_error and not isinstance(decision.get("approve"), bool):
        decision = {"approve": False, "reason": result.content}  # as when the user asks something else
    if not isinstance(decision.get("approve"), bool):
        raise ConfigurationError(
            f"the result of the approval {quoted(result.call.id)} must be true, false, or "
            "{'approve': true or false, 'reason': '...'}"
        )
    answer = {
        "type": "mcp_approval_response",
        "approval_request_id": item.get("id"),
        "approve": decision["approve"] and not result.is_error,
    }
    return answer | {"reason": decision["reason"]} if decision.get("reason") else answer


_NO_SCREENSHOT = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
)
"""The answer to an action that was not done: the API takes only a picture, and refuses a call without an answer."""

_ANSWERS: Final[Mapping[str, Callable[[Mapping[str, Any], PastResult], dict[str, Any]]]] = {
    "computer_call": _computer_answer,
    "shell_call": _shell_answer,
    "local_shell_call": _local_shell_answer,
    "apply_patch_call": _patch_answer,
    "tool_search_call": _search_answer,
    "mcp_approval_request": _approval_answer,
}
"""What answers each item that is not a function. Its ids are those of the item, which goes back as it was."""
