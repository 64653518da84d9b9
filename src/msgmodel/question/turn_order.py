"""Brings the turns of a question into an order that servers accept. Pure.

Rule: the caller's words stay, in their order. Servers with a chat template refuse two turns of one role in a row
(`Conversation roles must alternate`), so these become one turn. A turn that Anthropic refused is left out there.
"""

from __future__ import annotations

from collections.abc import Sequence

from .question import PastCall, PastRefusal, QuestionTurn, files_of_turns

OPENING_TEXT = "(The conversation begins.)"
"""The user's turn before an assistant's turn that opens the conversation, for wires that require one."""


def settle_turns(turns: Sequence[QuestionTurn], wire: str) -> tuple[QuestionTurn, ...]:
    """Return the turns in an order that this wire accepts.

    Args:
        turns: The turns of the question, the user's last.
        wire: The name of the wire.
    """
    if wire == "anthropic":
        turns = _without_refused_turns(turns)
    merged = _merge_turns(turns)
    if merged and merged[0].role == "assistant" and wire != "openai_responses":
        merged.insert(0, QuestionTurn("user", (OPENING_TEXT,)))
    return tuple(merged)


def _merge_turns(turns: Sequence[QuestionTurn]) -> list[QuestionTurn]:
    merged: list[QuestionTurn] = []
    for turn in turns:
        if merged and merged[-1].role == turn.role and not _has_calls(merged[-1]):
            turn = QuestionTurn(turn.role, (*merged.pop().parts, *turn.parts))
        merged.append(turn)
    return merged


def _has_calls(turn: QuestionTurn) -> bool:
    return any(isinstance(part, PastCall) for part in turn.parts)


def find_dropped_parts(before: Sequence[QuestionTurn], after: Sequence[QuestionTurn]) -> tuple[str, ...]:
    """Return what of the earlier turns is not sent, in a few words each.

    Args:
        before: The turns as the caller passed them.
        after: The turns that are sent.
    """
    kept = {id(file) for file in files_of_turns(after)}
    sent = {part for turn in after for part in turn.parts if isinstance(part, PastRefusal)}
    refused = [part for turn in before for part in turn.parts if isinstance(part, PastRefusal) and part not in sent]
    files = [file for file in files_of_turns(before) if id(file) not in kept and getattr(file, "text", None) is None]
    return (*(file.name for file in files), *("a turn that was refused" for _ in refused))


def _without_refused_turns(turns: Sequence[QuestionTurn]) -> list[QuestionTurn]:
    """Return the turns without each that was refused, the user's turn before it and the results of its calls.

    A refused turn after which the user asked nothing stays: it is what this question is about.

    Claude goes on refusing as long as a refused turn is in the conversation, its explanation included
    (https://platform.claude.com/docs/en/test-and-evaluate/strengthen-guardrails/handle-streaming-refusals).
    """
    kept: list[QuestionTurn] = []
    left_out = False
    for number, turn in enumerate(turns):
        if left_out and turn.role == "tool":
            continue  # the results of its calls
        is_refused = any(isinstance(part, PastRefusal) for part in turn.parts)
        left_out = is_refused and any(later.role == "user" for later in turns[number + 1 :])
        if not left_out:
            kept.append(turn)
            continue
        while kept and kept.pop().role != "user":
            pass
    return kept
