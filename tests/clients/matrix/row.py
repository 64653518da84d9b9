"""What every program of the matrix asks `msgmodel serve`, and how it prints what its user would see.

A program is called with the address of the server, and prints one JSON object: what it saw of each thing it can do.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from collections.abc import Callable
from typing import Any

URL = f"{sys.argv[1]}/v1"
MODEL = "openai/gpt-4.1"
KEY = "any"

ASK = "Why is the sea salty?"
CUT = "Say something that is cut."
STALL = "Stall after the first word."
FAIL = "Fail."
WEATHER = "What is the weather in Oslo?"
PERSON = "Who is Ann?"


def weather(city: str) -> str:
    """The weather of a city."""
    assert city == "Oslo"
    return "sunny"


WEATHER_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def print_row(**things: Callable[[], Any]) -> None:
    """Do each thing, and print what was seen: its result, or the class of the exception and its words."""
    seen = {}
    for name, see in things.items():
        try:
            found = see()
            seen[name] = asyncio.run(found) if inspect.iscoroutine(found) else found
        except Exception as error:
            seen[name] = f"{type(error).__name__}: {error}"[:600]
    print(json.dumps(seen))


def error_of(ask: Callable[[], Any]) -> str:
    """Return the class of the exception that a call raises."""
    try:
        found = ask()
        if inspect.iscoroutine(found):
            found = asyncio.run(found)
    except Exception as error:
        return type(error).__name__
    return f"no error, but {found!r}"
