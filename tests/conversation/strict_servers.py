"""What the strictest server of each wire refuses in a conversation, as the rules of the providers say.

Each function returns the first fault of a request, in the words of a server, or None. It reads the body alone, so it
knows nothing of how the request was made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

Json = dict[str, Any]


class Refused(Exception):
    """A server answers 400."""


def require(condition: object, fault: str) -> None:
    if not condition:
        raise Refused(fault)


def parse_object(text: Any, what: str) -> None:
    try:
        require(isinstance(json.loads(text), dict), f"{what} must be a JSON object")
    except (TypeError, ValueError):
        raise Refused(f"{what} must be a JSON object") from None


def check_chat(body: Json, made_here: Callable[[str], bool], alternating: bool = True) -> None:
    """Chat Completions of a server whose template wants alternating roles, and strings as arguments and content."""
    messages = body["messages"]
    if messages and messages[0]["role"] in ("system", "developer"):
        messages = messages[1:]
    require(messages, "messages must not be empty")
    require(messages[0]["role"] == "user", "the first message must be from the user")
    require(messages[-1]["role"] in ("user", "tool"), "the last message must be from the user, or a result")
    waiting: set[str] = set()
    seen: set[str] = set()
    before = ""
    for message in messages:
        role = message["role"]
        if role != "tool":
            require(not waiting, "tool_calls must be followed by tool messages")
            require(role != before, "Conversation roles must alternate user/assistant/user/assistant/...")
            require(not (alternating and (before, role) == ("tool", "user")), "Unexpected role user after role tool")
        before = role
        if role == "user":
            check_chat_content(message["content"], alternating)
        elif role == "assistant":
            waiting = check_chat_assistant(message, seen, alternating)
            seen |= waiting
        elif role == "tool":
            require(message["tool_call_id"] in waiting, "tool_call_id has no call before it")
            waiting.discard(message["tool_call_id"])
            require(isinstance(message["content"], str), "the content of a result must be a string")
        else:
            raise Refused(f"unknown role {role}")
    require(not waiting, "tool_calls must be followed by tool messages")
    for secret in found_signatures(messages):
        require(made_here(secret), "this signature was made elsewhere")


def check_chat_content(content: Any, template: bool) -> None:
    if isinstance(content, str):
        require(content.strip(), "content must not be empty")
        return
    require(content, "content must not be empty")
    for part in content:
        require(part["type"] in ("text", "image_url", "input_audio", "file"), "unknown content part")
        require(part["type"] != "text" or part["text"], "text must not be empty")
    is_plain = all(part["type"] == "text" for part in content)
    require(not (template and is_plain), "this template takes no list of texts")


def check_chat_assistant(message: Json, seen: set[str], alternating: bool) -> set[str]:
    calls = message.get("tool_calls")
    require(calls is None or calls, "tool_calls must not be empty")
    if alternating or not calls:
        require(isinstance(message["content"], str), "content must be a string")
    require(calls or message["content"].strip(), "Assistant message must have either content or tool_calls")
    ids: set[str] = set()
    for call in calls or ():
        require(call["type"] == "function", "unknown type of call")
        require(0 < len(call["id"]) <= 40, "id must have at most 40 characters")
        require(call["id"] not in seen | ids, "ids of calls must be unique")
        ids.add(call["id"])
        parse_object(call["function"]["arguments"], "arguments")
    return ids


def check_mistral(body: Json, made_here: Callable[[str], bool]) -> None:
    """The same, and the ids that Mistral's older templates want."""
    check_chat(body, made_here)
    for message in body["messages"]:
        for call in message.get("tool_calls") or ():
            require(re.fullmatch("[a-zA-Z0-9]{9}", call["id"]), "Tool call id must be a-z, A-Z, 0-9, of length 9")


def check_openai(body: Json, made_here: Callable[[str], bool]) -> None:
    """A server that takes a user's message after the results of tools, as OpenAI does."""
    check_chat(body, made_here, alternating=False)


def check_responses(body: Json, made_here: Callable[[str], bool]) -> None:
    """The Responses API with `store: false`."""
    items = body["input"]
    require(items, "input must not be empty")
    waiting: dict[str, str] = {}
    seen: set[str] = set()
    for item, after in zip(items, [*items[1:], {}], strict=True):
        kind = item["type"]
        if kind == "reasoning":
            require(item.get("encrypted_content"), "a reasoning item that is not stored needs encrypted_content")
            require(
                after.get("type") in ("message", "function_call", "custom_tool_call") and after.get("role") != "user",
                "Item of type 'reasoning' was provided without its required following item",
            )
        elif kind == "function_call":
            require(item["call_id"] not in seen and len(item["call_id"]) <= 64, "call_id must be unique and short")
            waiting[item["call_id"]] = kind
            seen.add(item["call_id"])
            parse_object(item["arguments"], "arguments")
        elif kind == "function_call_output":
            require(waiting.pop(item["call_id"], None), "No tool call found for function call output")
            check_responses_parts(item["output"], ("input_text", "input_image", "input_file"))
        elif kind == "message" and item["role"] == "user":
            require(not waiting, "No tool output found for function call")
            check_responses_parts(item["content"], ("input_text", "input_image", "input_file"))
        elif kind == "message":
            require(item["role"] == "assistant", "unknown role")
            check_responses_parts(item["content"], ("output_text", "refusal"))
        else:
            raise Refused(f"unknown item {kind}")
    require(not waiting, "No tool output found for function call")
    require(
        items[-1].get("role") == "user" or items[-1]["type"].endswith("_output"), "the last item must be a question"
    )
    for secret in found_signatures(items):
        require(made_here(secret), "encrypted content could not be verified")


def check_responses_parts(content: Any, allowed: tuple[str, ...]) -> None:
    require(content or isinstance(content, str), "content must not be empty")
    for part in () if isinstance(content, str) else content:
        require(part["type"] in allowed, f"a part may not be of type {part['type']}")
        require(not str(part.get("file_data")).startswith("data:audio/"), "unsupported_file")


def check_anthropic(body: Json, made_here: Callable[[str], bool]) -> None:
    """The Messages API, version 2026-10-21."""
    messages = body["messages"]
    require(messages, "messages: at least one message is required")
    roles = [message["role"] for message in messages]
    require(roles[0] == "user", "first message must use the user role")
    require(roles[-1] == "user", "This model does not support assistant message prefill")
    require(all(one != other for one, other in pairwise(roles)), "roles must alternate")
    seen: set[str] = set()
    waiting: list[str] = []
    for message in messages:
        content = message["content"]
        require(content, "all messages must have non-empty content")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if message["role"] == "user":
            check_anthropic_user(blocks, waiting)
            waiting = []
        else:
            require(not waiting, "tool_use ids were found without tool_result blocks")
            waiting = check_anthropic_assistant(blocks)
            require(not seen & {*waiting} and len({*waiting}) == len(waiting), "tool_use ids must be unique")
            seen |= {*waiting}
    for secret in found_signatures(messages):
        require(made_here(secret), "Invalid `signature` in `thinking` block")


def check_anthropic_user(blocks: list[Json], waiting: list[str]) -> None:
    results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    require(sorted(results) == sorted(waiting), "each tool_use must have one tool_result in the next message")
    require(
        all(block["type"] == "tool_result" for block in blocks[: len(results)]),
        "tool_result blocks must come before any other content",
    )
    for block in blocks:
        inner = block.get("content") if block["type"] == "tool_result" else [block]
        for each in inner if isinstance(inner, list) else ():
            require(each["type"] in ("text", "image", "document"), f"a user has no block {each['type']}")
            require(each["type"] != "text" or each["text"].strip(), "text content blocks must be non-empty")
            media_type = each.get("source", {}).get("media_type", "text/plain")
            known = r"image/(png|jpeg|gif|webp)" if each["type"] == "image" else r"application/pdf|text/plain"
            require(re.fullmatch(known, media_type), f"media_type {media_type} is not supported")


def check_anthropic_assistant(blocks: list[Json]) -> list[str]:
    calls = []
    uses = [block["id"] for block in blocks if block["type"] == "server_tool_use"]
    results = [block["tool_use_id"] for block in blocks if block["type"].endswith("_tool_result")]
    require(sorted(uses) == sorted(results), "a server_tool_use block needs its result block")
    for block in blocks:
        if block["type"] == "text":
            require(block["text"].strip(), "text content blocks must be non-empty")
        elif block["type"] == "thinking":
            require(block.get("signature"), "thinking.signature: Field required")
        elif block["type"] == "tool_use":
            require(re.fullmatch("[a-zA-Z0-9_-]{1,64}", block["id"]), "tool_use.id must match ^[a-zA-Z0-9_-]+$")
            require(isinstance(block["input"], dict), "tool_use.input must be an object")
            calls.append(block["id"])
        else:
            known = ("redacted_thinking", "server_tool_use", "web_search_tool_result")
            require(block["type"] in known, f"an assistant has no block {block['type']}")
    return calls


def check_gemini(body: Json, made_here: Callable[[str], bool]) -> None:
    """`streamGenerateContent` of a model from Gemini 3 on."""
    contents = body["contents"]
    require(contents, "contents must not be empty")
    require(contents[0]["role"] == "user", "the first content must be of the user")
    require(contents[-1]["role"] == "user", "the last content must be of the user")
    waiting: list[Any] = []
    for content in contents:
        parts = content["parts"]
        require(parts, "parts must not be empty")
        for part in parts:
            kinds = part.keys() & {"text", "inlineData", "fileData", "functionCall", "functionResponse"}
            require(len(kinds) == 1, "a part must have exactly one kind of data")
            require(part.get("text", "x") or part.get("thoughtSignature"), "text must not be empty")
        responses = [part["functionResponse"] for part in parts if "functionResponse" in part]
        require(
            len(responses) == len(waiting),
            "number of function response parts must equal the number of function call parts of the turn before",
        )
        for response, call in zip(responses, waiting, strict=True):
            require((response.get("id"), response["name"]) == (call.get("id"), call["name"]), "wrong call")
            require(isinstance(response["response"], dict), "response must be an object")
        calls = [part for part in parts if "functionCall" in part]
        require(not calls or content["role"] == "model", "a function call must be of the model")
        require(not calls or calls[0].get("thoughtSignature"), "Function call is missing a thought_signature")
        waiting = [part["functionCall"] for part in calls]
        require(all(isinstance(call.get("args", {}), dict) for call in waiting), "args must be an object")
    require(not waiting, "a function call needs its response")
    for secret in found_signatures(contents):
        require(made_here(secret) or secret == "skip_thought_signature_validator", "Thought signature is not valid")


def found_signatures(value: Any) -> Iterator[str]:
    """Yield each signature and each encrypted text in a body."""
    if isinstance(value, list):
        for each in value:
            yield from found_signatures(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name in ("signature", "thoughtSignature", "encrypted_content", "data") and isinstance(each, str):
                if name != "data" or value.get("type") == "redacted_thinking":
                    yield each
            else:
                yield from found_signatures(each)


CHECKS: dict[str, Callable[[Json, Callable[[str], bool]], None]] = {
    "vllm": check_chat,
    "mistral": check_mistral,
    "openai_chat": check_chat,
    "openrouter": check_openai,
    "openai_responses": check_responses,
    "anthropic": check_anthropic,
    "gemini": check_gemini,
}
"""By provider, or by the wire of OpenAI's."""


def fault_of(server: str, body: Json, made_here: Callable[[str], bool] = lambda secret: True) -> str | None:
    """Return why this server refuses a request; None if it accepts it.

    Args:
        server: A key of `CHECKS`.
        body: The body of the request.
        made_here: Whether a signature was made by this server.
    """
    try:
        CHECKS[server](body, made_here)
    except Refused as refused:
        return str(refused)
    except (KeyError, TypeError, AttributeError) as error:
        return f"malformed: {error!r}"
    return None
