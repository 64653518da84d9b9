"""Read what a reply of Chat Completions used and what it costs, in the shapes of all compatible servers. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...question.lenient_json import as_count, as_mapping
from ..deltas import CostStated, PromptProgress, UsageSoFar, usage_delta
from ..stated_cost import stated_cost


def read_usage_and_cost(usage: dict[str, Any], cost: object = None) -> Iterator[UsageSoFar | CostStated]:
    """Yield the counts, and the cost if the server states one.

    Args:
        usage: The object with the counts; empty if there is none.
        cost: The `cost` beside it, as Venice sends it.
    """
    # A prompt has a token at least: zeros for both are a form that a server left empty.
    if usage and (usage.get("prompt_tokens"), usage.get("completion_tokens")) != (0, 0):
        yield _read_chat_usage(usage)
    dollars = stated_cost(usage, cost)
    if dollars is not None:
        yield CostStated(dollars)


def read_prompt_progress(progress: dict[str, Any]) -> Iterator[PromptProgress]:
    """Yield how much of the prompt llama.cpp has read. What its cache has counts as read.

    https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md, `return_progress`.
    """
    total, processed = as_count(progress.get("total")), as_count(progress.get("processed"))
    if total and processed is not None:
        yield PromptProgress(min(100.0, 100 * processed / total))


def _read_chat_usage(usage: dict[str, Any]) -> UsageSoFar:
    """Return the usage, with reasoning as part of the output.

    xAI counts reasoning beside the completion, not in it; the total shows it (https://docs.x.ai/docs/guides/reasoning).
    """
    inputs = as_mapping(usage.get("prompt_tokens_details"))
    outputs = as_mapping(usage.get("completion_tokens_details"))
    prompt, completion, total = (as_count(usage.get(f"{name}_tokens")) for name in ("prompt", "completion", "total"))
    reasoning = _first_count(outputs.get("reasoning_tokens"), usage.get("reasoning_tokens"))
    if prompt is not None and completion is not None and reasoning and total == prompt + completion + reasoning:
        completion += reasoning
    return usage_delta(
        input=prompt,
        output=completion,
        reasoning=reasoning,
        # The second field is DeepSeek's older one, the third is Mistral's.
        cached=_first_count(
            inputs.get("cached_tokens"), usage.get("prompt_cache_hit_tokens"), usage.get("num_cached_tokens")
        ),
        cache_write=_first_count(inputs.get("cache_write_tokens"), usage.get("cache_creation_input_tokens")),
    )


def _first_count(*values: Any) -> int | None:
    return next((count for value in values if (count := as_count(value)) is not None), None)
