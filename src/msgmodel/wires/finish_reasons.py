"""Every finish reason of a wire to its `Status`, and which of two reasons holds. Pure.

Rule: our statuses are a closed list, the providers' reasons are not. A reason that is not in a table is `unknown`,
never `complete`. To support a new reason, add it to the table of its wire.
"""

from __future__ import annotations

from typing import Final

from ..events import Status

# https://platform.openai.com/docs/api-reference/chat-streaming and the vendors' own SDKs for the servers named.
_CHAT: Final[dict[str, Status]] = {
    "stop": "complete",
    "eos": "complete",  # Together
    "end_turn": "complete",  # xAI
    "length": "truncated",
    "model_length": "truncated",  # Mistral: the context is full
    "error": "truncated",  # Mistral, OpenRouter: the engine failed after this text
    "abort": "truncated",  # vLLM
    "insufficient_system_resource": "truncated",  # DeepSeek
    "content_filter": "filtered",
    "sensitive": "filtered",  # this and the next two are Z.ai's: https://docs.z.ai/api-reference/llm/chat-completion
    "network_error": "truncated",
    "model_context_window_exceeded": "truncated",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "load": "unknown",  # Ollama: the model was loaded and generated nothing
    "unload": "unknown",
}

# https://platform.openai.com/docs/api-reference/responses-streaming: the status, or `incomplete_details.reason`.
_RESPONSES: Final[dict[str, Status]] = {
    "completed": "complete",
    "max_output_tokens": "truncated",
    "max_messages": "truncated",
    "content_filter": "filtered",
    "steered": "paused",
    "incomplete": "truncated",
    "cancelled": "truncated",
    "in_progress": "unknown",
    "queued": "unknown",
}

# https://platform.claude.com/docs/en/api/handling-stop-reasons
_ANTHROPIC: Final[dict[str, Status]] = {
    "end_turn": "complete",
    "stop_sequence": "complete",
    "max_tokens": "truncated",
    "model_context_window_exceeded": "truncated",
    "tool_use": "tool_calls",
    "pause_turn": "paused",
    "compaction": "paused",
    "refusal": "filtered",
}

# https://ai.google.dev/api/generate-content#FinishReason, and its BlockReason for a refused prompt.
_GEMINI: Final[dict[str, Status]] = {
    "STOP": "complete",
    "MAX_TOKENS": "truncated",
    "SAFETY": "filtered",
    "RECITATION": "filtered",
    "LANGUAGE": "filtered",
    "BLOCKLIST": "filtered",
    "PROHIBITED_CONTENT": "filtered",
    "SPII": "filtered",
    "IMAGE_SAFETY": "filtered",
    "IMAGE_PROHIBITED_CONTENT": "filtered",
    "IMAGE_RECITATION": "filtered",
    "MODEL_ARMOR": "filtered",
    "JAILBREAK": "filtered",
    "ESCALATION": "filtered",
    "PUP_LIMITED_DISABLED": "filtered",
    "CONTINUATION": "paused",
    "FINISH_REASON_UNSPECIFIED": "unknown",
    "BLOCKED_REASON_UNSPECIFIED": "filtered",
    "OTHER": "unknown",
    "IMAGE_OTHER": "unknown",
    "NO_IMAGE": "unknown",
    "MALFORMED_FUNCTION_CALL": "unknown",
    "UNEXPECTED_TOOL_CALL": "unknown",
    "TOO_MANY_TOOL_CALLS": "unknown",
    "MISSING_THOUGHT_SIGNATURE": "unknown",
    "MALFORMED_RESPONSE": "unknown",
    # The same enum as numbers: `$alt=json;enum-encoding=int` requests them, and gateways do.
    "1": "complete",
    "2": "truncated",
    "3": "filtered",
    "4": "filtered",
}

CONTINUABLE_REASONS: Final = frozenset({"length", "max_output_tokens", "max_tokens", "MAX_TOKENS", "2"})
"""Finish reasons after which a further request can continue the reply: a limit on its length, not a full context."""

STATUS_BY_NATIVE_REASON: Final[dict[str, Status]] = {
    word: status
    for words in (_CHAT, _RESPONSES, _ANTHROPIC, _GEMINI)
    for word, status in words.items()
    if status in ("truncated", "filtered", "paused") and not word.isdigit()
}
"""Reasons, on any wire, of a reply that is not complete. A router passes on the provider's own reason beside its
translation."""

STATUS_BY_REASON: Final[dict[str, dict[str, Status]]] = {
    "openai_chat": _CHAT,
    "openai_responses": _RESPONSES,
    "anthropic": _ANTHROPIC,
    "gemini": _GEMINI,
}


def status_of_reason(wire: str, reason: str | None) -> Status:
    """Return the status that a finish reason of a wire stands for; `unknown` for a new one and for none."""
    return STATUS_BY_REASON[wire].get(reason or "", "unknown")


def stronger_finish_reason(wire: str, earlier: str | None, reason: str) -> str | None:
    """Return which of two finish reasons of one reply holds.

    It is the first one, unless only the later one says that the reply is not complete: some servers send `length`, and
    then `stop` in a chunk of its own; Gemini sends a reason, and then `FINISH_REASON_UNSPECIFIED`.

    Args:
        wire: The name of the wire.
        earlier: The reason so far; None or "" if there is none.
        reason: The reason in this event; "" if there is none.
    """
    can_change = not earlier or status_of_reason(wire, earlier) in ("complete", "unknown")
    says_nothing = not reason or (bool(earlier) and status_of_reason(wire, reason) == "unknown")
    return reason if can_change and not says_nothing else earlier
