"""The ways in which a reply can end, as panel events: what the tests of the adapters send through them."""

from __future__ import annotations

from typing import Any

from msgmodel.events import Privacy, Timing, Usage

USAGE: Usage = {
    "input_tokens": 12,
    "output_tokens": 34,
    "reasoning_tokens": None,
    "cached_tokens": 4,
    "cache_write_tokens": None,
    "source": "provider",
}
TIMING: Timing = {"first_delta_seconds": 0.25, "total_seconds": 1.5, "attempts": 1}
PRIVACY: Privacy = {
    "provider": "anthropic",
    "training_retention": False,
    "data_retention": "30 days",
    "stored": None,
    "endpoint": "api.anthropic.com",
    "inline_file": False,
    "local": False,
    "enforcement_level": "policy",
    "provider_policy": "none",
    "special_conditions": "",
    "reference": "https://example.test/privacy",
    "checked": "2026-11-22",
}
_ENDING: dict[str, Any] = {
    "provider": "anthropic",
    "wire": "anthropic",
    "model": "claude-haiku-5-5",
    "usage": USAGE,
    "cost": 0.001,
    "cost_source": "price_list",
    "timing": TIMING,
    "request_id": "req_1",
}


def delta(text: str, panel: str = "p", kind: str = "delta") -> Any:
    """A piece of text, or with another kind of reasoning or refusal."""
    return {"event": f"panel_{kind}", "panel_id": panel, "delta": text}


def final(content: str = "", status: str = "complete", reason: str = "end_turn", panel: str = "p", **more: Any) -> Any:
    """The last event of a panel that ended well."""
    return {
        "event": "panel_final",
        "panel_id": panel,
        "content": content,
        "privacy": PRIVACY,
        "finish_reason": reason,
        "status": status,
        "truncated": status == "truncated",
        "truncated_in": "text" if status == "truncated" else None,
        **_ENDING,
        "message": {"role": "assistant", "content": content},
        **more,
    }


def error(code: str, content: str = "", panel: str = "p", **more: Any) -> Any:
    """The last event of a panel that failed."""
    broke = code in ("network", "timeout", "interrupted", "protocol", "cancelled")
    return {
        "event": "panel_error",
        "panel_id": panel,
        "error": f"It was {code}.",
        "error_type": "StreamingError" if broke else "APIError",
        "code": code,
        "content": content,
        "status_code": None if broke else 429,
        "retryable": True,
        "retry_after": None,
        **_ENDING,
        "message": {"role": "assistant", "content": content, "partial": True},
        **more,
    }


def batch(*panels: str) -> Any:
    """The last event where there are several panels."""
    return {"event": "batch_final", "panel_id": None, "panels": list(panels), "total_seconds": 1.5, "cost": None}


def call(id: str, arguments: str, value: Any, complete: bool = True, panel: str = "p") -> Any:
    """A call to a tool."""
    return {
        "event": "panel_tool_call",
        "panel_id": panel,
        "id": id,
        "name": "weather",
        "arguments": arguments,
        "arguments_json": value,
        "complete": complete,
    }


def tool_delta(id: str, piece: str, panel: str = "p") -> Any:
    """A piece of the arguments of a call."""
    return {"event": "panel_tool_delta", "panel_id": panel, "id": id, "name": "weather", "delta": piece}


def source(url: str | None, title: str | None = None, text: str | None = None, panel: str = "p") -> Any:
    """Something that is cited."""
    return {"event": "panel_source", "panel_id": panel, "url": url, "title": title, "text": text}


def retry(reason: str, panel: str = "p") -> Any:
    """The question is asked again."""
    asked = {"provider": "openai", "model": "gpt-6-luna", "code": "overloaded", "error": "It was overloaded."}
    return {"event": "panel_retry", "panel_id": panel, "reason": reason, **asked}


SIGNATURE = {"provider": "anthropic", "wire": "anthropic", "data": {"signature": "c2lnbmVk"}}
TURN: list[Any] = [
    {"type": "reasoning", "text": "Let me see.", "opaque": SIGNATURE},
    {"type": "text", "text": "Sunny."},
    {"type": "tool_call", "id": "c1", "name": "weather", "arguments": '{"city": "Oslo"}'},
]

CALL = call("c1", '{"city": "Oslo"}', {"city": "Oslo"})
HALF = call("c2", '{"ci', None, complete=False)
SUN = source("https://example.test/sun", "The sun", "It shines.")
BOOK = source(None, None, "A book")


def _bare(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in ("event", "panel_id")}


ONE: dict[str, list[Any]] = {
    "complete": [delta("Hel"), delta("lo"), final("Hello")],
    "truncated": [delta("Hel"), final("Hel", "truncated", "max_tokens")],
    "filtered": [
        delta("I will "),
        delta("I can't.", kind="refusal"),
        final("I will ", "filtered", "refusal", refusal="I can't."),
    ],
    "tool_calls": [
        CALL,
        final(
            "",
            "tool_calls",
            "tool_use",
            message={"role": "assistant", "content": [TURN[2]]},
            tool_calls=[_bare(CALL)],
        ),
    ],
    "interrupted": [delta("Hel"), error("interrupted", "Hel")],
    "refused": [error("rate_limit")],
    "failed": [delta("Hel"), error("overloaded", "Hel")],
    "cancelled": [delta("Hel"), error("cancelled", "Hel")],
    "broken_off": [delta("Hel")],
    "fallback": [delta("Hm", kind="reasoning"), retry("fallback"), delta("Hello"), final("Hello")],
    "rich": [
        delta("Let me ", kind="reasoning"),
        delta("see.", kind="reasoning"),
        delta("Sunny."),
        SUN,
        BOOK,
        tool_delta("c1", '{"city": '),
        tool_delta("c1", '"Oslo"}'),
        CALL,
        tool_delta("c2", '{"ci'),
        HALF,
        final(
            "Sunny.",
            "tool_calls",
            "tool_use",
            message={"role": "assistant", "content": TURN},
            reasoning="Let me see.",
            tool_calls=[_bare(CALL), _bare(HALF)],
            sources=[_bare(SUN), _bare(BOOK)],
        ),
    ],
}
"""One panel, `p`."""

TWO: dict[str, list[Any]] = {
    "one_fails": [
        delta("Left ", "left"),
        delta("Right", "right"),
        error("overloaded", "Right", "right"),
        delta("whole", "left"),
        final("Left whole", panel="left"),
        batch("left", "right"),
    ],
    "both_fail": [error("quota", panel="left"), error("overloaded", panel="right"), batch("left", "right")],
    "both_complete": [
        delta("L", "left"),
        delta("R", "right"),
        final("R", panel="right"),
        final("L", panel="left"),
        batch("left", "right"),
    ],
}
"""Two panels, `left` and `right`."""


def picture(data: str | None = "AAAA", media_type: str | None = "image/png", **more: Any) -> Any:
    """A part that is not text."""
    part = {"id": "i", "kind": "image", "media_type": media_type, "size": 3, "complete": True, **more}
    return {"event": "panel_part", "panel_id": "p", **part, **({} if data is None else {"data": data})}


def tool_run(status: str, asked: Any = None, output: str | None = None) -> Any:
    """A tool that the provider runs."""
    about = {"id": "s", "name": "web_search", "status": status, "input": asked, "output": output}
    return {"event": "panel_tool_run", "panel_id": "p", **about}


def other_call(kind: str, action: Any, id: str = "k") -> Any:
    """A call that is no function."""
    arguments = action if isinstance(action, str) else '{"to": "x"}'
    value = None if isinstance(action, str) else action
    return {**call(id, arguments, value), "name": kind, "kind": kind}


SHELL = other_call("shell", {"commands": ["rm -rf /"]})
APPROVAL = other_call("approval", {"server_label": "files", "name": "erase", "arguments": "{}"}, "a")
ITEM = {"provider": "openai", "wire": "openai_responses", "data": {"type": "mcp_approval_request", "id": "a"}}
MEDIA_TURN: list[Any] = [
    {"type": "text", "text": "Here."},
    {"type": "media", "id": "i", "kind": "image", "media_type": "image/png", "data": "AAAA"},
    {"type": "tool_call", "id": "k", "name": "shell", "kind": "shell", "arguments": '{"to": "x"}', "opaque": ITEM},
    {"type": "tool_call", "id": "a", "name": "approval", "kind": "approval", "arguments": "{}", "opaque": ITEM},
]
MEDIA: list[Any] = [
    tool_run("started"),
    tool_run("done", {"query": "sea"}, "Salty."),
    delta("Here."),
    picture(),
    {**SUN, "start": 0, "end": 4},
    SHELL,
    APPROVAL,
    final(
        "Here.",
        "tool_calls",
        "completed",
        message={"role": "assistant", "content": MEDIA_TURN},
        tool_calls=[_bare(SHELL), _bare(APPROVAL)],
        sources=[{**_bare(SUN), "start": 0, "end": 4}],
        untold=["hologram"],
    ),
]
"""A search, an image, a citation with its place, and calls that no client may run as functions."""
