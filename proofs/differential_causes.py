"""Named causes of differences between this library and an official SDK that read the same stream. Pure.

A cause is a function that looks for evidence in the bytes of a stream and in the results of both readers. It may
explain a difference only by what the provider sent, so that no cause can hide a difference that it does not
understand. The name of the cause is the name of the function, and its docstring is the explanation in the
documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from proofs.differential_outcomes import Case, counted

Right: TypeAlias = Literal["we", "the SDK", "both", "neither"]

FIELDS = "text", "reasoning", "refusal", "finish_reason", "tool_calls", "usage", "whole", "accumulator"


@dataclass(frozen=True)
class Cause:
    """One reason for differences."""

    name: str
    wire: str
    """The wire; only its first word if the cause is on all wires of a provider, and empty if it is on any wire."""
    fields: frozenset[str]
    """What it explains: fields of an `Outcome`, and `accumulator`."""
    right: Right
    why: str
    holds: Callable[[Case], bool]
    """Whether it is in a stream that differs."""

    def explains(self, case: Case, field: str) -> bool:
        """Whether this is why that field of the stream differs."""
        return field in self.fields and case.wire.startswith(self.wire) and self.holds(case)


CAUSES: list[Cause] = []


def explained(cases: Iterable[Case]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The streams by the name of the cause of their differences; and what is not explained by exactly one cause, as
    the names of the causes (none, or more than one) by `stream: field`.
    """
    by_cause: dict[str, list[str]] = {cause.name: [] for cause in CAUSES}
    unexplained: dict[str, list[str]] = {}
    for case in cases:
        for field in case.differences():
            found = [cause.name for cause in CAUSES if cause.explains(case, field)]
            if len(found) != 1:
                unexplained[f"{case.name}: {field}"] = found
            elif case.name not in by_cause[found[0]]:
                by_cause[found[0]].append(case.name)
    return by_cause, unexplained


def _cause(wire: str, *fields: str, right: Right) -> Callable[[Callable[[Case], bool]], Callable[[Case], bool]]:
    def add(holds: Callable[[Case], bool]) -> Callable[[Case], bool]:
        why = " ".join((holds.__doc__ or "").split())
        CAUSES.append(Cause(holds.__name__, wire, frozenset(fields), right, why, holds))
        return holds

    return add


def _last(found: Iterable[dict[str, Any] | None]) -> dict[str, Any]:
    """The last one that says anything."""
    return ([each for each in found if each] or [{}])[-1]


# --- Chat Completions ---


def _chunks(case: Case) -> list[dict[str, Any]]:
    return [chunk for chunk in case.payloads if isinstance(chunk, dict)]


def _choices(case: Case) -> Iterator[dict[str, Any]]:
    for chunk in _chunks(case):
        yield from chunk.get("choices") or ()


def _reasons(case: Case) -> list[str]:
    return [choice["finish_reason"] for choice in _choices(case) if choice.get("finish_reason")]


def _taken(chunk: dict[str, Any]) -> bool:
    """What the helper of the SDK takes for a chunk."""
    return chunk.get("object") == "chat.completion.chunk"


def _usage(case: Case) -> dict[str, Any]:
    return _last(chunk.get("usage") for chunk in _chunks(case))


@_cause("openai_chat", "usage", right="we")
def reasoning_beside(case: Case) -> bool:
    """xAI, and GitHub Copilot for Gemini, do not include reasoning in `completion_tokens`, as the total shows. We
    count all output tokens; the SDK passes the field on unchanged."""
    usage = _usage(case)
    thought = (usage.get("completion_tokens_details") or usage).get("reasoning_tokens")
    went, came = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
    return (
        bool(thought)
        and usage.get("total_tokens") == went + came + thought
        and case.ours.usage == (went, came + thought)
        and case.theirs.usage == (went, came)
    )


@_cause("openai_chat", "usage", right="we")
def usage_in_x_groq(case: Case) -> bool:
    """Groq's streams may report the usage only in `x_groq.usage`, which the SDK does not know."""
    said = _last((chunk.get("x_groq") or {}).get("usage") for chunk in _chunks(case))
    return not _usage(case) and bool(said) and case.ours.usage == counted("openai_chat", said)


@_cause("openai_chat", "usage", right="we")
def usage_forgotten(case: Case) -> bool:
    """A chunk followed the one with the usage (a moderation, or an empty chunk). The SDK's helper keeps the usage
    of the last chunk, which has none."""
    usage, last = _usage(case), _last(chunk for chunk in _chunks(case) if _taken(chunk))
    return bool(usage) and not last.get("usage") and case.ours.usage == counted("openai_chat", usage)


@_cause("openai_chat", "accumulator", "finish_reason", right="we")
def object_dropped(case: Case) -> bool:
    """The SDK's helper skips every chunk whose `object` is not `chat.completion.chunk`: Z.ai and Copilot send
    none, and Perplexity calls the last one `chat.completion.done`. So the helper loses the finish reason, or the
    complete reply, and then ends with a bare AssertionError."""
    if case.accumulator.startswith("AssertionError"):
        return not any(map(_taken, _chunks(case)))
    ends = [
        chunk for chunk in _chunks(case) if any(choice.get("finish_reason") for choice in chunk.get("choices") or ())
    ]
    return bool(ends) and not any(map(_taken, ends)) and case.theirs.finish_reason is None


@_cause("openai_chat", "accumulator", right="both")
def refuses_at_the_limit(case: Case) -> bool:
    """The SDK's helper raises LengthFinishReasonError, which contains the reply, if a limit cut the reply off. We
    deliver the reply with the status `truncated`."""
    return case.accumulator.startswith("LengthFinishReasonError") and case.theirs.finish_reason == "length"


@_cause("openai_chat", "accumulator", right="we")
def field_missing(case: Case) -> bool:
    """The SDK's helper raises TypeError, AttributeError, RuntimeError or AssertionError on a chunk that lacks an
    expected field: the `index` of a tool call (Mistral) or of a reasoning detail (OpenRouter), the `type` of a
    call's later pieces (Writer), the `delta` of a choice (Azure), the `choices` (OpenAI's audio models)."""
    if not case.accumulator.startswith(("TypeError", "AttributeError", "RuntimeError", "AssertionError")):
        return False
    deltas = [choice.get("delta") for choice in _choices(case)]
    names = "tool_calls", "reasoning_details"
    entries = [entry for delta in deltas if delta for name in names for entry in delta.get(name) or ()]
    return any(map(_taken, _chunks(case))) and (
        None in deltas
        or any(entry.get("index") is None or entry.get("type", "") is None for entry in entries)
        or any(chunk.get("choices") is None for chunk in _chunks(case))
    )


@_cause("openai_chat", "text", "reasoning", right="we")
def content_in_parts(case: Case) -> bool:
    """Mistral sends reasoning, and the text beside it, as a list of parts in `content`. The SDK's helper does not
    support that, and drops values whose type differs from what it has so far."""
    contents: list[Any] = [(choice.get("delta") or {}).get("content") or "" for choice in _choices(case)]
    parts = [part for found in contents for part in (found if isinstance(found, list) else [{"text": found}])]
    thoughts = [piece["text"] for part in parts for piece in part.get("thinking", ())]
    return (
        any(isinstance(found, list) for found in contents)
        and case.ours.text == "".join(part.get("text", "") for part in parts)
        and case.ours.reasoning == "".join(thoughts)
    )


@_cause("openai_chat", "whole", right="we")
def no_finish_reason(case: Case) -> bool:
    """The reply, or one of its choices, never got the finish reason that this server sends for other replies, so
    nothing proves that it is complete. We end with `interrupted`; the SDK returns it like any other reply."""
    choices = {choice.get("index", 0) for choice in _choices(case)}
    ended = {choice.get("index", 0) for choice in _choices(case) if choice.get("finish_reason")}
    return choices != ended and not case.ours.whole and not never_a_reason(case)


@_cause("openai_chat", "whole", right="neither")
def never_a_reason(case: Case) -> bool:
    """Snowflake and OpenAI's audio models never send a finish reason. We report these replies as interrupted
    although they were complete; the SDK would return a cut reply in the same way."""
    last = _last(_choices(case))
    return not _reasons(case) and bool(last) and "finish_reason" not in last and not case.ours.whole


@_cause("openai_chat", "finish_reason", right="both")
def two_reasons(case: Case) -> bool:
    """`tool_calls`, and then `stop` in a separate chunk (Gemini through OpenRouter). The SDK keeps the last word;
    we keep the one that says that the model waits for tool results."""
    return _reasons(case) == [case.ours.finish_reason, case.theirs.finish_reason]


@_cause("openai_chat", "tool_calls", right="we")
def named_twice(case: Case) -> bool:
    """The complete call comes twice (Kimi through OpenRouter), and the SDK's helper appends the id to the id and
    the name to the name. We recognize it as one call."""
    twice = tuple((id * 2, name * 2) for id, name, _ in case.ours.tool_calls)
    return bool(twice) and twice == tuple((id, name) for id, name, _ in case.theirs.tool_calls)


# --- Responses ---

TERMINAL = "response.completed", "response.incomplete", "response.failed"


def _events(case: Case, *kinds: str) -> list[dict[str, Any]]:
    return [event for event in _chunks(case) if event.get("type") in kinds]


def _pieces(case: Case) -> str:
    """The text in the deltas."""
    return "".join(event["delta"] for event in _events(case, "response.output_text.delta"))


@_cause("openai_responses", "text", "tool_calls", right="we")
def empty_output(case: Case) -> bool:
    """The terminal event has an empty `output` (ChatGPT's backend for Codex does that), and so has the SDK's final
    response, which lacks the text of the deltas. We keep what arrived."""
    response = _last(_events(case, *TERMINAL)).get("response", {})
    items = [event["item"] for event in _events(case, "response.output_item.done")]
    return (
        response.get("output") == []
        and not (case.theirs.text or case.theirs.tool_calls)
        and case.ours.text == _pieces(case)
        and [id for id, _, _ in case.ours.tool_calls] == [item["call_id"] for item in items if "call_id" in item]
    )


@_cause("openai_responses", "accumulator", right="we")
def new_ids(case: Case) -> bool:
    """GitHub Copilot gives the response another id in every event, and the SDK's helper raises RuntimeError."""
    ids = {event["response"].get("id") for event in _chunks(case) if "response" in event}
    return len(ids) > 1 and not glued(case) and "identity changed" in case.accumulator


@_cause("openai_responses", "accumulator", right="we")
def begins_later(case: Case) -> bool:
    """A background response that is read from its middle has no `response.created`. Without that event the SDK's
    helper raises RuntimeError, unless the caller says so beforehand."""
    return not _events(case, "response.created") and "response.created" in case.accumulator


@_cause("openai_responses", "text", right="neither")
def contradicts_itself(case: Case) -> bool:
    """A recording that was shortened by hand: its deltas differ from its complete texts. We keep what was shown;
    the SDK's final response has the other text."""
    pieces = _pieces(case)
    whole = "".join(event["text"] for event in _events(case, "response.output_text.done"))
    return pieces == case.ours.text and bool(whole) and whole == case.theirs.text and not whole.startswith(pieces)


# --- Anthropic, and both ---


@_cause("", *FIELDS, right="neither")
def glued(case: Case) -> bool:
    """The events of several responses in one file, which no server sends. We stop at the end of the first
    response, as the wire requires. The SDK's Anthropic helper accumulates all of them under the name of the first,
    and its Responses helper raises."""
    return len(_events(case, "response.created", "message_start")) > 1


@_cause("anthropic", "whole", right="we")
def unterminated(case: Case) -> bool:
    """The blank line after `message_stop` is missing. By the standard of server-sent events the event never
    arrived, just as if the connection had broken there. The SDK does not require `message_stop` at all."""
    return not case.data.endswith((b"\n\n", b"\r\n\r\n")) and case.payloads[-1:] == [{"type": "message_stop"}]


@_cause("anthropic", "whole", right="we")
def done_marker(case: Case) -> bool:
    """A gateway (OpenRouter) ends Anthropic's stream with OpenAI's `[DONE]`, after `message_stop`. The SDK reads
    on, parses it as JSON, and raises JSONDecodeError on a complete reply."""
    return b"data: [DONE]" in case.data and case.raised.startswith("JSONDecodeError")


# --- Gemini ---


def _candidates(case: Case) -> Iterator[dict[str, Any]]:
    for chunk in _chunks(case):
        yield from chunk.get("candidates") or ()


def _parts(case: Case) -> list[dict[str, Any]]:
    return [part for candidate in _candidates(case) for part in (candidate.get("content") or {}).get("parts") or ()]


@_cause("gemini", "tool_calls", right="we")
def arguments_in_pieces(case: Case) -> bool:
    """Vertex streams the arguments of a call in pieces with a path. The SDK returns each piece as a call; we join
    them."""
    calls = [part["functionCall"] for part in _parts(case) if "functionCall" in part]
    names = [call["name"] for call in calls if call.get("name")]
    return (
        any("partialArgs" in call for call in calls)
        and len(case.theirs.tool_calls) == len(calls)
        and [name for _, name, _ in case.ours.tool_calls] == names
    )


@_cause("gemini", "text", "finish_reason", "usage", "whole", right="we")
def numbers_for_words(case: Case) -> bool:
    """The finish reasons are numbers of the enum (`$alt=json;enum-encoding=int`). The SDK raises AttributeError on
    the first chunk; we know the numbers."""
    reasons = [found["finishReason"] for found in _candidates(case) if found.get("finishReason")]
    return (
        any(isinstance(reason, int) for reason in reasons)
        and "'int' object has no attribute" in case.raised
        and case.ours.finish_reason == str(reasons[-1])
        and case.ours.text == "".join(part.get("text", "") for part in _parts(case))
    )


@_cause("gemini", "usage", right="both")
def half_a_count(case: Case) -> bool:
    """The provider counted the output and not the input. The SDK returns that; we estimate the missing part and
    mark the usage as estimated."""
    return case.ours.usage is None and case.theirs.usage is not None and None in case.theirs.usage
