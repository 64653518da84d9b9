"""What the official `openai` package makes of each scenario: `python openai_chat.py <url> <scenario>...`."""

from __future__ import annotations

import json
import sys
from typing import Any

import openai


def see(client: Any, name: str, stream: bool) -> dict[str, Any]:
    """The reply as a program of its users would read it, or the exception that it gets."""
    seen: dict[str, Any] = {"content": "", "finish_reason": None, "raised": None}
    messages = [{"role": "user", "content": "Hi"}]
    asked = client.with_options(default_headers={"x-scenario": name}).chat.completions
    try:
        if stream:
            options = {"stream": True, "stream_options": {"include_usage": True}}
            for chunk in asked.create(model="anthropic/claude", messages=messages, **options):
                if chunk.usage:
                    seen["total_tokens"] = chunk.usage.total_tokens
                for choice in chunk.choices:
                    delta = choice.delta
                    seen["content"] += delta.content or ""
                    seen["finish_reason"] = choice.finish_reason or seen["finish_reason"]
                    more = {
                        "refusal": delta.refusal,
                        "reasoning": getattr(delta, "reasoning_content", None),
                        "calls": [[call.id, call.function.arguments] for call in delta.tool_calls or []],
                        "urls": [found["url_citation"]["url"] for found in getattr(delta, "annotations", [])],
                    }
                    for key, value in more.items():
                        if value:
                            seen[key] = seen[key] + value if key in seen else value
                if hasattr(chunk, "msgmodel"):
                    seen["status"] = chunk.msgmodel["status"]
        else:
            whole = asked.create(model="anthropic/claude", messages=messages)
            message = whole.choices[0].message
            seen |= {"content": message.content, "finish_reason": whole.choices[0].finish_reason}
            seen |= {"total_tokens": whole.usage.total_tokens, "status": whole.msgmodel["status"]}
            more = {
                "refusal": message.refusal,
                "reasoning": getattr(message, "reasoning_content", None),
                "calls": [[call.id, call.function.arguments] for call in message.tool_calls or []],
                "urls": [found.url_citation.url for found in message.annotations or []],
            }
            seen |= {key: value for key, value in more.items() if value}
    except openai.APIError as error:
        seen["raised"] = [type(error).__name__, error.message, error.code, getattr(error, "status_code", None)]
    return seen


def main() -> None:
    url, mode, *names = sys.argv[1:]
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="test", max_retries=0)
    print(json.dumps({name: see(client, name, mode == "stream") for name in names}))


main()
