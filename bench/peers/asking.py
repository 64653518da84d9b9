"""The type of a peer's function: it takes a model's name, and passes on each piece of text as it arrives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

Take = Callable[[str], object]
Ask = Callable[[str, Take], None]
AsyncAsk = Callable[[str, Take], Awaitable[None]]

KEY = "none-is-needed-here"
PROMPT = "hi"
MESSAGES = [{"role": "user", "content": PROMPT}]
MAX_TOKENS = 8192
"""Which Anthropic's wire must be told."""
