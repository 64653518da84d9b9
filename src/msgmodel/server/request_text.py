"""Counts the text of a request and checks its limits, before anything is built from it.

Rule: all text counts that a request would bring to a provider, in the form in which it is sent, as JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from .request_bodies import PanelRequest, PanelsRequest, RequestOptions, RequestRefused
from .settings import Settings

MAX_PARTS = 100_000
"""Messages and their parts, counted for each provider that may be asked."""


def check_text_length(request: PanelsRequest, settings: Settings, together: Callable[[Iterable[int]], int]) -> None:
    """Raise RequestRefused if the text of a request is too long, or has too many parts.

    This is cheap and comes before anything is built. `_check_cost` counts again what was built.
    """
    common = (
        count_characters(request.prompt)
        + count_message_characters(request.messages)
        + _count_option_characters(request.options)
    )
    own = [
        count_characters(panel.prompt or "")
        + count_message_characters(panel.messages or [])
        + _count_option_characters(panel)
        for panel in request.panels
    ]
    if common + together([0, *own]) > settings.max_prompt_chars:
        raise text_too_long(settings)
    check_part_count(sum(_count_all_parts(request, panel) for panel in request.panels or [PanelRequest()]))


def check_part_count(number: int) -> None:
    if number > MAX_PARTS:
        raise RequestRefused(
            413,
            "prompt_too_long",
            f"at most {MAX_PARTS} messages and parts are allowed, counted for each provider that may be asked",
        )


def _count_all_parts(request: PanelsRequest, panel: PanelRequest) -> int:
    """Count messages and their parts, for each provider that a panel may ask."""
    messages = request.messages if panel.messages is None else panel.messages
    fallbacks = request.options.fallbacks if panel.fallbacks is UNSET else panel.fallbacks
    asks = 1 + (0 if fallbacks is UNSET else len(fallbacks))
    return asks * (len(messages) + sum(map(count_parts, messages)))


def count_parts(message: Mapping[str, Any]) -> int:
    content = message.get("content")
    return len(content) if isinstance(content, list) else 0


def text_too_long(settings: Settings) -> RequestRefused:
    return RequestRefused(
        413, "prompt_too_long", f"a request may have at most {settings.max_prompt_chars} characters of text"
    )


def count_characters(value: str | list[Any]) -> int:
    """Count the characters of a value as JSON, without its quotes or brackets."""
    try:
        return len(msgspec.json.encode(value).decode()) - 2
    except (TypeError, ValueError, RecursionError):
        raise RequestRefused(422, "invalid_request", "the request is nested too deeply") from None


def _count_option_characters(options: RequestOptions) -> int:
    return count_characters(options.system_instruction or "") + count_characters(options.tools or [])


def count_message_characters(messages: list[Any]) -> int:
    """Count the characters of messages, without the data of files."""
    parts = (part for message in messages if isinstance(message.get("content"), list) for part in message["content"])
    files = (part.get("data") for part in parts if isinstance(part, dict) and part.get("type") == "file")
    return count_characters(messages) - sum(len(data) for data in files if isinstance(data, str))
