"""instructor, on the openai package: the value at once, and the last one of those that it yields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import instructor
from openai import OpenAI
from run import KEY, kind_of

DISTRIBUTION = "instructor"


def ways(url: str, model: str) -> dict[str, Callable[[str], Any]]:
    """Return the ways of asking."""
    client = OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)
    completions = instructor.from_openai(client, mode=instructor.Mode.JSON_SCHEMA).chat.completions

    def options(prompt: str) -> dict[str, Any]:
        messages = [{"role": "user", "content": prompt}]
        return {"model": model, "response_model": kind_of(prompt), "messages": messages, "max_retries": 0}

    return {
        "create": lambda prompt: completions.create(**options(prompt)),
        "create_partial, its last value": lambda prompt: [*completions.create_partial(**options(prompt))][-1],
    }
