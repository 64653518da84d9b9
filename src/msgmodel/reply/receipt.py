"""The receipt of a reply: what was asked for, who answered, and what was changed on the way. Pure.

Rule: a warning says only what the response itself proves. What may have an innocent reason is no warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..events import ErrorCode, Receipt, RequestRecord, Usage, WarningCode
from ..question.config import GeminiConfig
from ..question.question import AskedOutput, Question
from ..question.transport import HttpRequest
from ..wires.deltas import ReceiptFact, WarningFound

_FAMILIES = re.compile(
    r"gpt|chatgpt|o|claude|gemini|gemma|grok|deepseek|mistral|ministral|codestral|magistral|llama|qwen|command|sonar|"
    r"glm|kimi|phi|nova"
)
_SIZES = frozenset(["mini", "nano", "lite", "small", "micro", "tiny", "flash", "haiku", "air"])
"""Words that make another model of the same generation."""
_VARIANTS = frozenset(
    ["fast", "instruct", "chat", "high", "low", "medium", "reasoning", "thinking", "it", "hf", "gguf"]
)
"""Words that name a way to run the same model."""
_NAME_ENDS = re.compile(
    r"([-@](\d{8}|\d{6}|\d{4}-\d{2}-\d{2}|\d{2}-\d{4}|\d{2}-\d{2}|\d{3,4}|latest|preview|exp|experimental|beta|turbo))+$"
)
"""Dates and stages at the end of a model's name: providers answer to an alias with the dated name."""
_CACHE_HEADERS = (
    "cf-aig-cache-status",
    "helicone-cache",
    "x-portkey-cache-status",
    "x-litellm-cache-hit",
    "x-semantic-cache",
)
"""Headers of gateways that answer from a cache of whole replies."""
_NO_TOKENS_MISSING = 2_000
"""Input tokens by which our estimate may exceed the count: it knows no tokenizer."""

FoundWarning = tuple[WarningCode, str]


class RequestLog:
    """The requests of a panel."""

    __slots__ = ("fields", "loses_text", "records")

    def __init__(self) -> None:
        self.records: list[RequestRecord] = []
        self.fields: tuple[str, ...] = ()
        """The fields of the body of the latest request."""
        self.loses_text = False
        """Whether text of the latest request was replaced, because JSON can't hold it."""

    def add_request(self, question: Question, request: HttpRequest, seconds_waited: float) -> None:
        """A request is sent."""
        self.fields = request.fields
        self.loses_text = question.loses_text or request.loses_text
        self.records.append(
            {"provider": question.provider, "model": question.model, "code": None, "seconds_waited": seconds_waited}
        )

    def add_failure(self, code: ErrorCode) -> None:
        """The latest request failed."""
        if self.records:
            self.records[-1]["code"] = code


def read_head(headers: Mapping[str, str]) -> Iterator[ReceiptFact | WarningFound]:
    """Yield what the head of a response says of who answered. `headers`: names in lower case."""
    if headers.get("x-inference-provider"):  # Hugging Face
        yield ReceiptFact("provider_served", headers["x-inference-provider"])
    if any(headers.get(name, "").lower() in ("hit", "true") for name in _CACHE_HEADERS):
        yield WarningFound("cached", "a gateway answered from its cache of earlier replies")


def build_receipt(
    question: Question,
    log: RequestLog,
    facts: Mapping[str, str],
    *,
    output: AskedOutput | None,
    model: str,
    usage: Usage,
    stated_cost: float | None,
) -> Receipt:
    """Return the receipt for the terminal event.

    Args:
        question: What was asked last.
        log: The requests.
        facts: What the response says of itself.
        output: How the latest request asks for the format of `output=`; None without it.
        model: The model that answered, as the provider names it.
        usage: The usage of the reply.
        stated_cost: US dollars that the provider states; None if it states none.
    """
    asked: dict[str, Any] = {}
    if output is not None:
        asked["output"] = {"method": output.method, "unenforced": [*output.unenforced]}
    return {
        "provider_asked": question.provider,
        "provider_served": facts.get("provider_served"),
        "model_asked": question.model,
        "model_served": model,
        "service_tier_asked": _asked_tier(question),
        "service_tier": facts.get("service_tier"),
        "host": question.target_host or "in-process",
        "fields": [*log.fields],
        "requests": log.records,
        "estimated_input_tokens": question.estimated_tokens,
        "input_tokens": usage["input_tokens"] if usage["source"] == "provider" else None,
        "stated_cost": stated_cost,
        **asked,  # type: ignore[typeddict-item]
    }


def find_warnings(
    question: Question,
    receipt: Receipt,
    usage: Usage,
    *,
    content: str,
    reasoning_shown: bool,
    calls: Sequence[Mapping[str, Any]],
    ended_well: bool,
    responses: int,
    loses_text: bool,
) -> Iterator[FoundWarning]:
    """Yield what the reply itself shows to differ from what was asked for.

    Args:
        question: What was asked last.
        receipt: The receipt of the reply.
        usage: The usage of the reply.
        content: All text.
        reasoning_shown: Whether any reasoning was shown.
        calls: The tool calls.
        ended_well: Whether the reply is complete or waits for tools.
        responses: How many requests the provider counted for the reply.
        loses_text: Whether text of the question was replaced, because JSON can't hold it.
    """
    if question.dropped_parts:
        yield "part_dropped", "could not be sent to this provider: " + ", ".join(question.dropped_parts)
    if loses_text:
        yield "text_replaced", "half a surrogate pair, as of an emoji that was cut, was sent as the character U+FFFD"
    asked, served = question.model, receipt["model_served"]
    if _names_differ(asked, served):
        yield ("model_substituted", f"{asked} was asked, and {served} answered")
    tier_asked, tier = receipt["service_tier_asked"], receipt["service_tier"]
    if tier_asked and tier and tier_asked != "auto" and tier.lower() != tier_asked.lower().removesuffix("_only"):
        yield ("tier_changed", f"the service tier {tier_asked} was asked for, and {tier} was used")
    if usage["source"] != "provider" or responses > 1:
        return  # without the provider's own counts of one response there is nothing to compare
    estimate, counted = question.estimated_tokens, usage["input_tokens"]
    if estimate is not None and counted is not None and estimate - counted > max(_NO_TOKENS_MISSING, estimate * 0.6):
        yield (
            "context_cut",
            f"the provider counted {counted} tokens of about {estimate} that were sent: a part was cut off",
        )
    yield from _reasoning_warnings(question, usage, reasoning_shown)
    yield from _limit_warnings(question, usage, content, calls, ended_well)


def _reasoning_warnings(question: Question, usage: Usage, reasoning_shown: bool) -> Iterator[FoundWarning]:
    spent = usage["reasoning_tokens"] or 0
    if not spent:
        return
    if question.reasoning == "none":
        yield ("parameter_ignored", f'reasoning="none" was asked for, and {spent} tokens of reasoning were spent')
    elif not reasoning_shown:
        yield ("reasoning_hidden", f"{spent} tokens of reasoning were spent that the provider does not show")


def _limit_warnings(
    question: Question, usage: Usage, content: str, calls: Sequence[Mapping[str, Any]], ended_well: bool
) -> Iterator[FoundWarning]:
    written, limit = usage["output_tokens"], question.max_tokens
    if written is not None and limit is not None and written > limit + max(8, limit // 50):
        yield ("parameter_ignored", f"max_tokens={limit} was asked for, and {written} tokens were written")
    visible = None if written is None else written - (usage["reasoning_tokens"] or 0)
    # A token is at most a few dozen bytes long, in the most favorable of texts.
    if visible is not None and len(content) > 200 and visible * 64 < len(content):
        yield ("count_disagrees", f"{visible} tokens were counted for a text of {len(content)} characters")
    stops = [question.config.stop] if isinstance(question.config.stop, str) else question.config.stop or ()
    for stop in stops:
        if stop and 0 <= content.find(stop) < len(content) - len(stop):  # some servers send the stop itself
            yield ("parameter_ignored", f"stop={stop!r} was asked for, and the text goes on after it")
            break
    if question.tool_choice == "none" and calls:
        yield ("parameter_ignored", 'tool_choice="none" was asked for, and the model called a tool')
    elif question.tool_choice not in (None, "auto", "none") and ended_well and not calls and question.tools:
        yield ("parameter_ignored", f"tool_choice={question.tool_choice!r} was asked for, and no tool was called")


def _asked_tier(question: Question) -> str | None:
    body = question.config.body
    tier = body.get("serviceTier" if isinstance(question.config, GeminiConfig) else "service_tier")
    return tier if isinstance(tier, str) else None


def _names_differ(asked: str, served: str | None) -> bool:
    """Return whether the name of the model that answered can't mean the one that was asked.

    A deployment or a local model may have any name, so names of no known family prove nothing. A name without a number
    is an alias of its provider for whatever is current.
    """
    if not served or asked == served:
        return False
    one, other = _name_words(asked), _name_words(served)
    if not (one and other and _FAMILIES.fullmatch(one[0]) and _FAMILIES.fullmatch(other[0])):
        return False
    if not any(map(str.isdigit, one)):
        return one[0] != other[0]
    missing, added = set(one) - set(other), set(other) - set(one)
    return not missing <= _VARIANTS or any(word.isdigit() or word in _SIZES for word in added)


def _name_words(model: str) -> list[str]:
    """Return the words and numbers of a model's name, without its vendor, its host's tags, its date and its stage."""
    name = model.lower().rsplit("/", 1)[-1].partition(":")[0]
    return re.findall(r"[a-z]+|\d+", _NAME_ENDS.sub("", name).removesuffix("-0"))
