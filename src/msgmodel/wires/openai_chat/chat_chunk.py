"""The shapes of a chunk of Chat Completions, and the fields that say nothing of the reply. Data only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from ..deltas import Untold


class ChatChunk(msgspec.Struct):
    """Any chunk: each field of any type, because servers differ."""

    id: Any = None
    model: Any = None
    object: Any = None
    type: Any = None
    choices: Any = None
    usage: Any = None
    cost: Any = None
    error: Any = None
    errors: Any = None
    detail: Any = None
    message: Any = None
    msg: Any = None
    error_msg: Any = None
    base_resp: Any = None
    x_groq: Any = None
    citations: Any = None
    search_results: Any = None
    images: Any = None
    provider: Any = None
    service_tier: Any = None
    related_questions: Any = None
    moderation: Any = None
    prompt_filter_results: Any = None
    prompt_progress: Any = None


_Nothing = Literal[""] | None


class PlainDelta(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The delta of nearly every chunk. Any other field makes decoding fail, so that none is lost.

    The fields that may have a value say nothing of the reply: see `NO_CONTENT`.
    """

    content: str
    role: str | None = None
    reasoning_content: _Nothing = None
    reasoning: _Nothing = None
    reasoning_text: _Nothing = None
    refusal: _Nothing = None
    reasoning_details: None = None
    tool_calls: None = None
    function_call: None = None
    annotations: None = None
    audio: None = None
    channel: str | None = None
    reasoning_encrypted: bool | None = None
    token_id: int | None = None


class PlainChoice(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The choice of a plain chunk."""

    delta: PlainDelta
    index: int = 0
    finish_reason: _Nothing = None
    native_finish_reason: _Nothing = None
    text: _Nothing = None
    error: None = None
    logprobs: None = None
    message: msgspec.Raw = msgspec.Raw()
    """Perplexity repeats the whole text here."""
    stop_reason: None = None
    matched_stop: None = None
    seed: None = None
    token_ids: msgspec.Raw = msgspec.Raw()


class PlainChunk(msgspec.Struct, gc=False):
    """A chunk that only continues the text."""

    choices: tuple[PlainChoice]
    object: Literal["chat.completion.chunk"] | None = None
    type: None = None
    usage: msgspec.Raw = msgspec.Raw()  # not decoded: only the last one counts
    cost: None = None
    error: None = None
    errors: None = None
    base_resp: None = None
    x_groq: None = None
    citations: None = None
    search_results: None = None
    images: None = None
    related_questions: None = None
    moderation: None = None
    prompt_filter_results: None = None


class FilteredChoice(PlainChoice, gc=False, forbid_unknown_fields=True):
    """The choice of a plain chunk of Azure, which repeats the scores of its filter in each."""

    content_filter_results: msgspec.Raw = msgspec.Raw()


class FilteredChunk(PlainChunk, gc=False):
    """A plain chunk of Azure."""

    choices: tuple[FilteredChoice]


NO_CONTENT = {
    "role": "always assistant",
    "name": "the speaker, as the caller named it",
    "id": "the name of the message",
    "channel": "Groq: which channel a text is from; the field that it stands in says the same",
    "token_id": "Together: the number of the token whose text is in the chunk",
    "token_ids": "vLLM: the numbers of the tokens",
    "prompt_token_ids": "vLLM: the numbers of the tokens of the question",
    "provider_metadata": "the Vercel gateway: whom it asked, and what that provider counted",
    "reasoning_encrypted": "Venice: whether it hides the reasoning",
    "phase": "read as a boundary between texts",
    "padding": "random text against eavesdroppers who measure lengths",
    "content_filter_offsets": "Azure: how far its filter has read",
    "prompt_logprobs": "vLLM: of the question, not of the reply",
    "routed_experts": "vLLM: which parts of the model computed a token",
    "kv_transfer_params": "vLLM: where the state of the model is kept",
}
"""Fields of a message, or of a choice, that hold nothing of the reply, and what they hold."""


def untold_fields(fields: dict[str, Any], known: frozenset[str]) -> Iterator[Untold]:
    """Yield the names of the fields that hold something unknown. Only text is content, not numbers and switches."""
    for name, value in fields.items():
        if name not in known and name not in NO_CONTENT and holds_text(value):
            yield Untold(name)


def holds_text(value: Any) -> bool:
    """Return whether there is any text in a value; some servers send objects whose fields are all null."""
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, str) and each:
            return True
        left += each if isinstance(each, list) else each.values() if isinstance(each, dict) else ()
    return False
