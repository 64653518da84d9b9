"""How a reply is shown: by `print`, and in a notebook, which says so if the reply is not complete."""

from __future__ import annotations

from typing import Any

import pytest

from conftest import KEY, Async, Sync
from msgmodel import LLMResponse
from msgmodel.testing import Reply, ScriptedProvider


def ask(colour: Sync | Async, reply: Reply) -> LLMResponse:
    with ScriptedProvider() as provider:
        provider.say(reply)
        return colour.query("openai", "hi", KEY, config=provider.config("openai"))


def test_print_shows_the_text(colour: Sync | Async, capsys: pytest.CaptureFixture[str]) -> None:
    reply = ask(colour, Reply("Hello\nthere."))
    print(reply)
    assert capsys.readouterr().out == "Hello\nthere.\n"
    assert f"{reply}" == reply.text
    assert "there" not in repr(reply)


@pytest.mark.parametrize(
    ("scripted", "shown"),
    [
        (Reply("# Hello"), "# Hello"),
        (Reply("```\nx", truncated=True), "> **Not complete:** status `truncated`, finish reason `length`\n\n```\nx"),
        (
            Reply("No.", finish="content_filter"),
            "> **Not complete:** status `filtered`, finish reason `content_filter`\n\nNo.",
        ),
    ],
)
def test_a_notebook_shows_whether_it_is_complete(colour: Sync | Async, scripted: Reply, shown: str) -> None:
    assert ask(colour, scripted)._repr_markdown_() == shown


def by_hand(**fields: Any) -> LLMResponse:
    return LLMResponse(text="", raw_response={}, model="m", provider="p", **fields)  # type: ignore[typeddict-item]


def test_a_notebook_shows_calls_and_refusals() -> None:
    calls: Any = ({"id": "1", "name": "look`up", "arguments": "{}"},)
    assert by_hand(status="tool_calls", tool_calls=calls)._repr_markdown_() == (
        "> **Not complete:** status `tool_calls`, tool calls: `look up`\n\n"
    )
    assert by_hand(status="filtered", finish_reason="a`\nb", refusal="I can't.")._repr_markdown_() == (
        "> **Not complete:** status `filtered`, finish reason `a b`\n\nI can't."
    )


def test_the_parts_of_a_reply() -> None:
    picture: Any = {"type": "media", "id": "a", "kind": "image", "media_type": "image/png", "data": "AAAA"}
    audio: Any = {"type": "media", "id": "b", "kind": "audio", "media_type": "audio/wav", "data": "AAAA"}
    page: Any = {"type": "media", "id": "c", "kind": "image", "media_type": "text/html)\n<script>", "data": "AAAA"}
    message: Any = {"role": "assistant", "content": [{"type": "text", "text": "Here."}, picture, audio, page]}
    reply = by_hand(message=message)
    assert reply.parts == (picture, audio, page)
    assert (by_hand().parts, by_hand().tool_runs) == ((), ())
    assert reply._repr_markdown_() == (
        "![image](data:image/png;base64,AAAA)\n\n*A part of kind audio: see* `reply.parts`\n\n"
        "*A part of kind image: see* `reply.parts`"
    )


def test_what_the_tools_of_the_provider_did(colour: Sync | Async) -> None:
    run: Any = {"id": "s", "name": "web_search", "status": "done", "input": None, "output": None}
    raw: Any = {"tool_runs": [run]}
    assert LLMResponse(text="", raw_response=raw, model="m", provider="p").tool_runs == (run,)
    assert ask(colour, Reply("Hi")).tool_runs == ()
