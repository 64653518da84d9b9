"""The programs of `examples/recipes` run; with the real packages if they are installed."""

from __future__ import annotations

import asyncio
import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from msgmodel.testing import Reply, ScriptedProvider
from msgmodel.testing.server import Received

RECIPES = Path(__file__).parents[2] / "examples" / "recipes"


@pytest.fixture
def asked(scripted_provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> ScriptedProvider:
    for name, value in scripted_provider.environment().items():
        monkeypatch.setenv(name, value)
    return scripted_provider


def recipe(name: str) -> dict[str, Any]:
    return runpy.run_path(str(RECIPES / name))


@pytest.mark.filterwarnings("default")
def test_streamlit(asked: ScriptedProvider) -> None:
    testing = pytest.importorskip("streamlit.testing.v1")
    asked.say("The sea is **salty**.", Reply("Because of riv", truncated=True), Reply(error=401))
    app = testing.AppTest.from_file(str(RECIPES / "streamlit_chat.py"), default_timeout=60).run()
    app.chat_input[0].set_value("What is it?").run()
    assert [each.value for each in app.markdown] == ["What is it?", "The sea is **salty**."]
    app.chat_input[0].set_value("Why?").run()
    assert app.markdown[-1].value == "Because of riv"
    assert app.warning[0].value == "truncated: length"
    app.chat_input[0].set_value("Go on").run()
    assert "HTTP 401" in app.error[0].value
    assert not app.exception


@pytest.mark.filterwarnings("default")
def test_gradio(asked: ScriptedProvider) -> None:
    pytest.importorskip("gradio")
    answer = recipe("gradio_chat.py")["answer"]
    history = [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "content": "Hello"},
    ]
    asked.say("The sea.", Reply("Because of riv", truncated=True), Reply(error=401))
    assert [*answer("What?", history)][-1] == "The sea."
    sent: Any = asked.requests[-1].json
    assert [message["content"] for message in sent["messages"]] == ["Hi", "Hello", "What?"]
    assert [*answer("Why?", [])][-1] == "Because of riv\n\n**truncated**: length"
    assert [*answer("Go on", [])][-1].startswith("\n\n**authentication**: ")


class _Message:
    def __init__(self, text: str) -> None:
        self.text = text
        self.edits = 0

    async def edit(self, text: str) -> None:
        assert 0 < len(text) <= 2000, "what the service takes"
        self.text = text
        self.edits += 1


class _Channel:
    def __init__(self) -> None:
        self.messages: list[_Message] = []

    async def send(self, text: str) -> _Message:
        self.messages.append(_Message(text))
        return self.messages[-1]


def test_the_bot(asked: ScriptedProvider) -> None:
    long = "word " * 900
    asked.say("The sea.", long, Reply("Because of riv", truncated=True), Reply(error=401))
    bot, channel = recipe("chat_bot.py")["ChatBot"](), _Channel()

    async def talk() -> None:
        for prompt in ("What?", "A story", "Why?", "Go on"):
            await bot.answer("one", channel, prompt)

    asyncio.run(talk())
    first, *parts, cut, failed = (message.text for message in channel.messages)
    assert first == "The sea."
    assert "".join(parts) == long
    assert cut == "Because of riv\n(not complete: truncated)"
    assert failed.startswith("(authentication: ")
    assert max(message.edits for message in channel.messages) < 20, "not at every piece"
    sent: Any = asked.requests[1].json
    assert [message["content"] for message in sent["messages"]] == ["What?", "The sea.", "A story"]


def test_the_batch(asked: ScriptedProvider, tmp_path: Path) -> None:
    fails = ["two"]

    def answer(request: Received) -> Reply:
        body: Any = request.json
        prompt = body["messages"][-1]["content"]
        return Reply(error=400) if prompt in fails else Reply(f"Answer to {prompt}.")

    asked.say(answer)
    main = recipe("batch_file.py")["main"]
    source, target = tmp_path / "in.txt", tmp_path / "out.jsonl"
    source.write_text("one\n\ntwo\none\nthree\n")
    assert main(source, target) == 1
    assert [json.loads(line)["status"] for line in target.read_text().splitlines()] == [
        *("complete", "invalid_request", "complete", "complete"),
    ]
    fails.clear()
    before = len(asked.requests)
    assert main(source, target) == 0
    assert len(asked.requests) == before + 1, "it asks only what is missing"
    assert [json.loads(line)["answer"] for line in target.read_text().splitlines()] == [
        *("Answer to one.", "Answer to two.", "Answer to one.", "Answer to three."),
    ]
    assert main(source, target) == 0


def test_each_recipe_is_in_the_docs() -> None:
    generate = runpy.run_path(str(RECIPES.parents[1] / "docs" / "generate.py"))
    shown = [make() for name, make in generate["TABLES"].items() if name.startswith("recipe_")]
    assert len(shown) == len([*RECIPES.glob("*.py")])
    for path in RECIPES.glob("*.py"):
        assert f"```python\n{path.read_text('utf-8')}```" in shown
