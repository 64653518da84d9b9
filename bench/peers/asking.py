"""What it is to ask a peer: a model's name goes in, and each piece of its reply's text is handed over as it comes."""

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
