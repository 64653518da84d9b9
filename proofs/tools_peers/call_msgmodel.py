"""This library, by `run_tools`."""

from __future__ import annotations

from typing import Any

from run import KEY

from msgmodel import OpenAIConfig, run_tools

DISTRIBUTION = "msgmodel"


def run_agent(url: str, model: str, prompt: str, tool: Any) -> None:
    """Ask, and let the tool run."""
    config = OpenAIConfig(base_url=f"{url}/v1", api_key=KEY)
    for _ in run_tools("openai", prompt, tools=[tool], config=config, model=model, max_retries=0):
        pass
