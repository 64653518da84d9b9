"""What one request may cost, in memory, time, money and reach, on every endpoint."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

import serving
from msgmodel import Panel, astream_many
from msgmodel.testing import ScriptedProvider

module_provider, provider = serving.module_provider, serving.provider  # fixtures

FALLBACKS = ["anthropic", "openai", "gemini", "openai", "anthropic", "openai", "gemini", "openai"]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(2_000_000)


def peak(work: Any) -> int:
    """The bytes that some work takes at most, beyond what there was."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("place", ["file", "message", "text file", "text in a message"])
def test_a_file_is_held_once_for_all_who_are_asked(provider: ScriptedProvider, place: str) -> None:
    """Eight panels with eight fallbacks each are 72 questions; the file is read, decoded and encoded once."""
    data, name = (PNG, "a.png") if "text" not in place else ("wörd ".encode("cp1252") * 400_000, "a.txt")
    settings: dict[str, Any] = {"fallbacks": FALLBACKS}
    if "file" in place:
        settings["files"] = [(name, data)]
    else:
        part = {"type": "file", "name": name, "data": data}
        settings["messages"] = [{"role": "user", "content": [part]}, {"role": "assistant", "content": "Nice."}]
    panels = [Panel("openai", panel_id=str(number)) for number in range(8)]
    batches: list[Any] = []
    assert peak(lambda: batches.append(astream_many(panels, "hi", **settings))) < 6 * len(data)


def test_a_long_conversation_is_read_once_for_all_who_are_asked(provider: ScriptedProvider) -> None:
    messages: Any = [{"role": "user", "content": f"question {number}"} for number in range(3_000)]
    batches: list[Any] = []

    def ask(panels: int, fallbacks: int) -> int:
        chosen = [Panel("openai", panel_id=str(number)) for number in range(panels)]
        settings: dict[str, Any] = {"messages": messages, "fallbacks": FALLBACKS[:fallbacks]}
        return peak(lambda: batches.append(astream_many(chosen, "hi", **settings)))

    ask(1, 0)
    assert ask(8, 8) < 5 * ask(1, 0)
