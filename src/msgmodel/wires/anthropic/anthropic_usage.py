"""Read the counts of Anthropic's API that stand beside those of the reply. Pure.

https://platform.claude.com/docs/en/build-with-claude/compaction: the counts of a reply leave out its compactions. So do
they with an advisor (https://platform.claude.com/docs/en/agents-and-tools/tool-use/advisor-tool).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...question.lenient_json import as_count, as_mapping, as_text
from ..deltas import OtherRequest, usage_delta

_OF_THE_REPLY = "message"
_INPUTS = ("", "cache_read_", "cache_creation_")
"""What stands before `input_tokens`: new input, cached, written to the cache."""


def read_other_requests(usage: dict[str, Any]) -> Iterator[OtherRequest]:
    """Yield what the provider asked a model besides the reply. Nothing if the counts of the reply include it."""
    found = usage.get("iterations")
    iterations = [as_mapping(each) for each in found] if isinstance(found, list) else []
    own = [as_count(each.get("output_tokens")) or 0 for each in iterations if each.get("type") == _OF_THE_REPLY]
    if sum(own) != as_count(usage.get("output_tokens")):
        return
    for other in iterations:
        if other.get("type") == _OF_THE_REPLY:
            continue
        fresh, cached, written = (as_count(other.get(f"{name}input_tokens")) for name in _INPUTS)
        counts = usage_delta(
            input=total_input(fresh, cached, written),
            output=as_count(other.get("output_tokens")),
            reasoning=None,
            cached=cached,
            cache_write=written,
        )
        yield OtherRequest(as_text(other.get("type")) or "unknown", as_text(other.get("model")) or None, counts.usage)


def total_input(fresh: int | None, cached: int | None, written: int | None) -> int | None:
    """Return all tokens of an input. This API counts cached input beside the other; the other wires report the sum."""
    return None if fresh is None else fresh + (cached or 0) + (written or 0)
