"""Why a key path may stand in no event. Data only: one table for each wire, and what holds on all of them.

A pattern is a regular expression for the whole path as `KeyPath` prints it. Whatever stands below a listed object is
listed with it. What a parser itself calls meaningless is not repeated here: `NO_CONTENT` is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from msgmodel.wires.openai_chat.chat_chunk import NO_CONTENT
from proofs.untold_replay import KeyPath

FRAME = "frames and numbers the events, or says their type"
NAME = "names a part of the reply; nothing refers to the name"
QUESTION = "repeats the question or its settings"
EARLIER = "an earlier state of what a later event has complete"
COUNT = "a sum or a breakdown of counts that are shown"
TIME = "when something was computed, and how long it took"
MACHINE = "which machine or configuration computed the reply, and how"
PADDING = "random text against eavesdroppers who measure lengths"
COST = "a breakdown of a price that is shown, or one in units that are not money"
PLACE = "a place in a document of which the words are shown, or one that another event shows"
ERROR = "the kind of an error whose words are shown"
TWICE = "stands in two events, each of which would be enough"
NOT_YET = "has a meaning, and no event shows it yet"
OTHER_CHOICE = "of a second reply, of which the warning `choice_dropped` tells"
DEFAULT = "says what holds anyway"
PARSER = "listed as meaningless by the parser"

_RESPONSE = r"response\.(completed|incomplete|failed): response\."
_STATES = r"response\.(created|queued|in_progress)"
_PART_FRAMES = r"response\.(content_part|reasoning_summary_part|reasoning_part)\.(added|done)"

REASONS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "openai_chat": {
        FRAME: ("object", r"choices\.(delta|message)\.tool_calls(\(\w+\))?\.(index|type)", r".*\(thinking\)\.closed"),
        NAME: ("id", r"x_groq\.id", "user_id"),
        TIME: (
            "created",
            "timings",
            "time_info",
            "latency_checkpoint",
            "sla_metrics",
            r"(x_groq\.)?usage\.\w*_time",
            r"usage\.(\w+_per_second|time_\w+_ms)",
        ),
        MACHINE: ("system_fingerprint", r"x_groq\.seed", r"choices\.seed", "__verbose"),
        COUNT: (
            r"(x_groq\.)?usage\.total_tokens",
            r"usage\.prompt_cache_miss_tokens",
            r"usage\.(prompt|completion)_tokens_details\.(audio|text)_tokens",
            r"usage\.prompt_audio_seconds",
            r"x_groq\.usage_breakdown",
            r"usage\.server_tool_use_details",
        ),
        COST: (
            r"usage\.cost_details\.upstream_inference_\w*cost",
            r"usage\.market_cost",
            r"usage\.cost\.\w+_cost",
            "copilot_usage",
        ),
        PADDING: ("obfuscation", "p"),
        QUESTION: (r"usage\.search_context_size", "stream_options"),
        ERROR: (r"error(\(\w+\))?\.(type|code)",),
        OTHER_CHOICE: (r"choices\.message\.content",),
        DEFAULT: (
            r"choices\.native_finish_reason",
            r"choices\.(matched_stop|stop_reason)",
            r"search_results\.source",
        ),
    },
    "openai_responses": {
        FRAME: (
            r"[\w.]+: (type|sequence_number|output_index|content_index|summary_index|item_id|annotation_index)",
            rf"{_PART_FRAMES}: part(\(\w+\))?\.type",
            r".*\((message|reasoning|function_call|output_text|summary_text|reasoning_text|\w+_citation)\)\.type",
            r"response\.output_item\.\w+: item\(\w+\)\.status",
            rf"{_RESPONSE}(object|status|output\(\w+\)\.status)",
        ),
        NAME: (
            r"response\.output_item\.\w+: item\(\w+\)\.id",
            rf"{_RESPONSE}(id|output\(\w+\)\.id|conversation)",
            r".*\.?annotations?\(file_citation\)\.file_id",
        ),
        EARLIER: (
            rf"{_STATES}: .*",
            r"response\.output_item\.added: item\(\w+\)\.(encrypted_content|fingerprint)",
            rf"{_RESPONSE}output\(\w+\)\.(encrypted_content|fingerprint)",
            rf"{_RESPONSE}output\(mcp_list_tools\)\.tools",
            r"response\.(code_interpreter_call_code|shell_call_command|apply_patch_call_operation_diff)\.delta: delta",
        ),
        QUESTION: (
            rf"{_RESPONSE}(tools|tool_choice|temperature|top_p|top_logprobs|truncation|text|reasoning|instructions)",
            rf"{_RESPONSE}(max_output_tokens|max_tool_calls|previous_response_id|user|safety_identifier|store|background)",
            rf"{_RESPONSE}(prompt_cache_key|prompt_cache_retention|parallel_tool_calls|\w+_penalty)",
        ),
        PLACE: (r".*\.?annotations?\(\w+\)\.(start_index|end_index|index)",),
        TWICE: (
            r".*\blogprobs\.(logprob|bytes)",
            rf"{_RESPONSE}output\(shell_call\)\.action",
            r".*\(tool_search_output\)\.tools",
        ),
        TIME: (rf"{_RESPONSE}(created_at|completed_at)",),
        MACHINE: (rf"{_RESPONSE}metadata\.system_fingerprint",),
        PADDING: (r"[\w.]+: obfuscation",),
        COUNT: (
            rf"{_RESPONSE}usage\.(total_tokens|num_server_side_tools_used|server_side_tool_usage_details)",
            rf"{_RESPONSE}usage\.context_details",
        ),
        COST: (rf"{_RESPONSE}usage\.cost_details", r"response\.\w+: copilot_usage"),
        ERROR: (r"error: error(\(\w+\))?\.(type|code)", rf"{_RESPONSE}(.*\.)?error(\(\w+\))?\.(type|code)"),
    },
    "anthropic": {
        FRAME: (
            r"message_start: message(\(message\))?\.type",
            r"content_block_\w+: index",
            r"content_block_start: content_block\(text\)\.type",
            r"content_block_delta: delta\((input_json|thinking)_delta\)\.type",
            r"content_block_delta: delta\(citations_delta\)\.citation\(\w+\)\.type",
        ),
        COUNT: (
            r"message_start: message\(message\)\.usage\.(\w+_tokens|cache_creation)",
            r"message_delta: usage\.(server_tool_use|cache_creation)",
            r"message_delta: usage\.iterations\(message\)",
        ),
        TWICE: (r"message_delta: usage\.input_tokens",),
        COST: (r"message_delta: usage\.cost_details",),
        MACHINE: (r"message_\w+: (message\(message\)\.)?usage\.(inference_geo|speed)",),
        DEFAULT: (r"content_block_start: content_block\(tool_use\)\.caller\(direct\)",),
        PLACE: (r"content_block_delta: delta\(citations_delta\)\.citation\(\w+_location\)\.(start|end)_\w+_index",),
        TIME: (r"message_delta: delta\.container\.expires_at",),
    },
    "gemini": {
        FRAME: (r"candidates\.content\.role", r"candidates\.content\.parts\.functionCall\.partialArgs\.willContinue"),
        PLACE: (r"candidates\.citationMetadata\.(citationSources|citations)\.(start|end)Index",),
        COUNT: (
            r"usageMetadata\.totalTokenCount",
            r"usageMetadata\.\w+TokensDetails",
            r"usageMetadata\.billablePromptUsage",
        ),
        TIME: ("createTime",),
        NAME: ("turnToken",),
        # Of a reply whose last counts leave it out, and have a total without it.
        EARLIER: (r"usageMetadata\.candidatesTokenCount",),
    },
}
"""The reasons of each wire, and the key paths that each covers."""


FAULTY_RECORDINGS: Final[Mapping[str, str]] = {
    "ai-openai-responses-openai-shell-container-1-chunks-0-e82950": "only its deltas were shortened before publication",
}
"""Recordings that someone changed after a provider sent them, so that they are left out."""


@lru_cache
def patterns_of(wire: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return the patterns of a wire, each behind its reason."""
    listed = REASONS[wire].items()
    return tuple(
        (reason, re.compile(rf"(?:{pattern})(?:\..*)?")) for reason, patterns in listed for pattern in patterns
    )


def reason_for(wire: str, path: KeyPath) -> tuple[str, str]:
    """Return why a path has no meaning, and the pattern that says so; two empty texts if nothing is known."""
    if wire == "openai_chat" and path.steps[0] == "choices" and path.steps[-1] in NO_CONTENT and len(path.steps) <= 3:
        return PARSER, path.steps[-1]
    printed = str(path)
    return next(
        ((reason, pattern.pattern) for reason, pattern in patterns_of(wire) if pattern.fullmatch(printed)), ("", "")
    )
