"""The results of two readers of one stream, in comparable form. Pure.

An `Outcome` uses the words of neither reader: usage is input and output, and arguments are parsed. This file contains
everything that is done to either side, so that nothing is made equal elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """One reply, as one reader has it."""

    text: str
    reasoning: str
    refusal: str
    finish_reason: str | None
    """The provider's own word."""
    tool_calls: tuple[tuple[str, str, Any], ...]
    """Id, name, arguments."""
    usage: tuple[int | None, int | None] | None
    """Tokens in and out; None if the provider counted nothing."""
    whole: bool
    """False if the reader learns that this is not the complete reply."""


@dataclass(frozen=True)
class Case:
    """One recorded stream and both outcomes of it."""

    name: str
    """The wire and the recording's name, with a slash between."""
    data: bytes
    ours: Outcome
    theirs: Outcome
    raised: str
    """What the SDK raised, its class first; empty if it raised nothing."""
    accumulator: str
    """What its accumulator alone raised, over a stream that its decoder took."""

    @property
    def wire(self) -> str:
        return self.name.partition("/")[0]

    @cached_property
    def payloads(self) -> list[Any]:
        """Return the JSON documents of the stream, read in the simplest way."""
        found = []
        for line in self.data.decode("utf-8", "replace").replace("\r", "\n").split("\n"):
            if line.startswith("data:"):
                try:
                    found.append(json.loads(line[5:]))
                except ValueError:
                    pass
        return found

    def differences(self) -> list[str]:
        """Return the fields in which the two differ, and `accumulator` if the SDK's own accumulator rejects the stream.

        If the reply is incomplete for us, we report no finish reason, whatever arrived.
        """
        different = [
            field.name
            for field in fields(Outcome)
            if getattr(self.ours, field.name) != getattr(self.theirs, field.name)
            and (self.ours.whole or field.name != "finish_reason")
        ]
        return different + ["accumulator"] * bool(self.accumulator)


def ours(last: Any) -> Outcome:
    """Return the outcome of the last event of `msgmodel.stream_panels`."""
    usage = last["usage"]
    return Outcome(
        text=last["content"],
        reasoning=last.get("reasoning", ""),
        refusal=last.get("refusal", ""),
        finish_reason=last.get("finish_reason"),
        tool_calls=tuple((call["id"], call["name"], parsed(call["arguments"])) for call in last.get("tool_calls", ())),
        usage=None if usage["source"] == "estimated" else (usage["input_tokens"], usage["output_tokens"]),
        whole=last["event"] == "panel_final",
    )


def theirs(wire: str, folded: dict[str, Any], ids: Sequence[str] = ()) -> Outcome:
    """Return the outcome of a line that a program in `proofs/sdks` wrote. ids: ours, which replace missing ids of
    calls.
    """
    calls = folded["tool_calls"]
    made_up = [*ids, *[""] * len(calls)]
    return Outcome(
        text=folded["text"],
        reasoning=folded["reasoning"],
        refusal=folded["refusal"],
        finish_reason=folded["finish_reason"],
        tool_calls=tuple(
            (id or made_up[number], name, parsed(arguments)) for number, (id, name, arguments) in enumerate(calls)
        ),
        usage=counted(wire, folded["usage"] or {}),
        whole=folded["failed"] is None,
    )


def parsed(arguments: Any) -> Any:
    """Return arguments as JSON, missing ones as an empty object, and invalid JSON as the text."""
    if isinstance(arguments, str):
        try:
            return json.loads(arguments or "{}")
        except ValueError:
            return arguments
    return {} if arguments is None else arguments


def counted(wire: str, usage: dict[str, Any]) -> tuple[int | None, int | None] | None:
    """Return the SDK's fields as input, cached or not, and output, including reasoning."""
    went, came = {
        "openai_chat": (("prompt_tokens",), ("completion_tokens",)),
        "openai_responses": (("input_tokens",), ("output_tokens",)),
        "anthropic": (
            ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"),
            ("output_tokens",),
        ),
        "gemini": (
            ("prompt_token_count", "tool_use_prompt_token_count"),
            ("candidates_token_count", "thoughts_token_count"),
        ),
    }[wire]
    total = _total(usage, went), _total(usage, came)
    return None if total == (None, None) else total


def _total(usage: dict[str, Any], names: Sequence[str]) -> int | None:
    found = [usage[name] for name in names if usage.get(name) is not None]
    return sum(found) if found else None
