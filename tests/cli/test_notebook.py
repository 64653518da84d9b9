"""A stream in a notebook: live Markdown that ends truthfully; in a real kernel of Jupyter."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from msgmodel import astream_panels, stream_many, stream_panels
from msgmodel.testing import Reply, ScriptedProvider

pytest.importorskip("IPython")

from msgmodel.notebook import NotebookReply, ashow, show

ATTACK = (
    "<script>alert(1)</script> <img src=x onerror=alert(1)> [a](javascript:alert(1)) ![t](https://evil.example/p.png) "
    "**bold** `<b>` \\(x<y\\)\n\n```html\n</code></pre><script>alert(2)</script>\n```\n"
)


def html_of(events: list[Any]) -> str:
    reply = NotebookReply()
    for event in events:
        reply._panels.setdefault(event["panel_id"], _new_panel()).add_event(event)
    return reply._repr_mimebundle_()["text/html"]


def _new_panel() -> Any:
    from msgmodel.notebook import _NotebookPanel

    return _NotebookPanel()


@pytest.fixture
def asked(scripted_provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> ScriptedProvider:
    for name, value in scripted_provider.environment().items():
        monkeypatch.setenv(name, value)
    return scripted_provider


def test_the_text_of_a_model_runs_nothing_and_loads_nothing(asked: ScriptedProvider) -> None:
    asked.say(ATTACK)
    html = html_of(list(stream_panels("openai", "hi")))
    for wrong in ("<script", "<img", 'href="javascript', "onerror=alert(1)>"):
        assert wrong not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<strong>bold</strong>" in html
    assert "<code>&lt;b&gt;</code>" in html
    assert "\\(x&lt;y\\)" in html, "mathematics stays for the notebook to draw"
    assert '<a href="https://evil.example/p.png" rel="noopener noreferrer" target="_blank">t</a>' in html


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply("Hello."), "complete · "),
        (Reply("Hello.", truncated=True), "the reply was cut off at the token limit (finish_reason: length)"),
        (Reply("Hello.", cut_after=1), "interrupted: "),
        (Reply(error=401), "authentication: "),
    ],
)
def test_the_end_is_told(asked: ScriptedProvider, reply: Reply, words: str) -> None:
    asked.say(reply)
    html = html_of(list(stream_panels("openai", "hi", max_retries=0)))
    assert words in html
    assert ("#2a9d5c" in html) == words.startswith("complete")


def test_a_stream_that_is_left_is_not_complete(asked: ScriptedProvider, capsys: pytest.CaptureFixture[str]) -> None:
    asked.say("One two three four")
    events = stream_panels("openai", "hi")

    def left() -> Any:
        yield next(events)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        show(left())
    events.close()


def test_what_is_returned(asked: ScriptedProvider) -> None:
    asked.say("Hello.", "Hello.", "Hello.")
    [last] = show(stream_panels("openai", "hi")).values()
    assert last["content"] == "Hello."
    assert sorted(show(stream_many(["openai", "anthropic"], "hi"))) == ["anthropic", "openai"]

    async def ask() -> None:
        [last] = (await ashow(astream_panels("openai", "hi"))).values()
        assert last["content"] == "Hello."

    asyncio.run(ask())


CELLS = (
    "from msgmodel import stream_panels, astream_panels\nfrom msgmodel.notebook import ashow, show",
    "[last] = show(stream_panels('openai', 'hi')).values()\nprint(last['status'])",
    "last = await ashow(astream_panels('openai', 'hi'))",
    "show(stream_panels('openai', 'hi'));",
)


def test_a_real_kernel(asked: ScriptedProvider) -> None:
    """nbclient runs the cells in a kernel and keeps the last state of each display, as a saved notebook has it."""
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    nbformat = pytest.importorskip("nbformat")
    asked.say("The **first**.", "The *second*.", Reply("Cut in ha", truncated=True))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute(env=dict(os.environ))
    outputs = [cell.outputs for cell in notebook.cells]
    html = [
        next(output.data["text/html"] for output in each if "data" in output and "text/html" in output.data)
        for each in outputs[1:]
    ]
    assert "<strong>first</strong>" in html[0]
    assert "complete · " in html[0]
    assert any(output.get("text") == "complete\n" for output in outputs[1])
    assert "<em>second</em>" in html[1]
    assert "cut off at the token limit" in html[2]
    assert html[2].count("Cut in ha") == 1, "the display changes in its place"
