"""langchain-openai, by `with_structured_output`: the value at once, and the last one of those that it yields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain_openai import ChatOpenAI
from run import KEY, kind_of

DISTRIBUTION = "langchain-openai"


def ways(url: str, model: str) -> dict[str, Callable[[str], Any]]:
    """Return the ways of asking."""
    asked: Any = ChatOpenAI(model=model, base_url=f"{url}/v1", api_key=KEY, max_retries=0)

    def typed(prompt: str) -> Any:
        return asked.with_structured_output(kind_of(prompt))

    def schema(prompt: str) -> Any:
        return asked.with_structured_output(kind_of(prompt).model_json_schema())

    return {
        "invoke": lambda prompt: typed(prompt).invoke(prompt),
        "stream, its last value": lambda prompt: [*typed(prompt).stream(prompt)][-1],
        "invoke, a JSON schema": lambda prompt: schema(prompt).invoke(prompt),
        "stream, a JSON schema, its last value": lambda prompt: [*schema(prompt).stream(prompt)][-1],
    }
