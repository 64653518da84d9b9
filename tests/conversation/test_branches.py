"""Conversations that are changed: another question, another answer, another branch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from conftest import Async, Sync
from msgmodel import ConfigurationError, Conversation, LLMResponse
from msgmodel.testing import Reply, ScriptedProvider

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as running:
        yield running


def ask(colour: Sync | Async, conversation: Conversation, *args: Any) -> LLMResponse:
    """Ask the next question in one colour."""
    return conversation.query(*args) if isinstance(colour, Sync) else colour.run(conversation.aquery(*args))


def roles_and_texts(conversation: Conversation) -> list[tuple[str, Any]]:
    return [(turn["role"], turn["content"]) for turn in conversation.messages]


def sent(provider: ScriptedProvider) -> Any:
    return provider.requests[-1].json["messages"]


@pytest.fixture
def conversation(colour: Sync | Async, provider: ScriptedProvider) -> Conversation:
    """Two questions with their answers."""
    conversation = Conversation("openai", config=provider.config("openai_chat"), system_instruction="Be brief.")
    for number in (1, 2):
        provider.say(f"answer {number}")
        ask(colour, conversation, f"question {number}")
    return conversation


def test_another_answer(colour: Sync | Async, provider: ScriptedProvider, conversation: Conversation) -> None:
    removed = conversation.regenerate()
    assert [turn["content"] for turn in removed] == ["answer 2"]
    assert conversation.regenerate() == [], "the question has no answer now"
    provider.say("better")
    assert ask(colour, conversation).text == "better"
    assert [turn["content"] for turn in sent(provider)] == ["Be brief.", "question 1", "answer 1", "question 2"]
    assert roles_and_texts(conversation)[-2:] == [("user", "question 2"), ("assistant", "better")]


def test_another_answer_asks_for_the_tools_again(colour: Sync | Async, provider: ScriptedProvider) -> None:
    provider.say(Reply("", tool_calls=[{"name": "f", "arguments": {}, "id": "c"}]), "done", "again")
    conversation = Conversation("openai", config=provider.config("openai_chat"), tools=[{"name": "f"}])
    ask(colour, conversation, "question")
    conversation.add_tool_result("c", "result")
    ask(colour, conversation)
    assert [turn["role"] for turn in conversation.regenerate()] == ["assistant", "tool", "assistant"]
    assert ask(colour, conversation).text == "again"
    assert [turn["role"] for turn in sent(provider)] == ["user"]


def test_another_question(colour: Sync | Async, provider: ScriptedProvider, conversation: Conversation) -> None:
    before = [*conversation.messages]
    removed = conversation.edit(0, "question 3")
    assert removed == before
    provider.say("answer 3")
    assert ask(colour, conversation).text == "answer 3"
    assert [turn["content"] for turn in sent(provider)] == ["Be brief.", "question 3"]
    conversation.messages[0:] = removed
    assert conversation.messages == before, "the old turns are back"
    conversation.edit(-2, "question 4")
    assert [text for _, text in roles_and_texts(conversation)] == ["question 1", "answer 1", "question 4"]


def test_an_edited_question_keeps_its_files(provider: ScriptedProvider) -> None:
    conversation = Conversation("openai", config=provider.config("openai_chat"))
    conversation.query("What is this?", PNG, "a.png")
    conversation.edit(0, "What color is it?")
    file, text = conversation.messages[0]["content"]
    assert (file["name"], text) == ("a.png", {"type": "text", "text": "What color is it?"})  # type: ignore[index, typeddict-item]
    conversation.edit(0, "And this?", PNG, "b.png")
    file, text = conversation.messages[0]["content"]
    assert file["name"] == "b.png"  # type: ignore[index, typeddict-item]
    conversation.edit(0, "Never mind.", files=[])
    assert conversation.messages == [{"role": "user", "content": "Never mind."}]


@pytest.mark.parametrize("turn", [1, -1, 4, -5])
def test_only_a_question_can_be_edited(conversation: Conversation, turn: int) -> None:
    before = [*conversation.messages]
    with pytest.raises(ConfigurationError, match=rf"turn {turn} is not a question of the user: those are \[0, 2\]"):
        conversation.edit(turn, "x")
    with pytest.raises(ConfigurationError, match="the new question is empty"):
        conversation.edit(0, " ")
    assert conversation.messages == before


def test_there_is_nothing_to_answer_again(provider: ScriptedProvider) -> None:
    conversation = Conversation("openai", config=provider.config("openai_chat"))
    with pytest.raises(ConfigurationError, match="no question to answer again"):
        conversation.regenerate()
    with pytest.raises(ConfigurationError, match="those are none so far"):
        conversation.edit(0, "x")


def test_a_branch_goes_its_own_way(
    colour: Sync | Async, provider: ScriptedProvider, conversation: Conversation
) -> None:
    branch = conversation.branch(2)
    whole = conversation.branch()
    provider.say("answer 3")
    assert ask(colour, branch, "question 3").text == "answer 3"
    assert [turn["content"] for turn in sent(provider)] == ["Be brief.", "question 1", "answer 1", "question 3"]
    assert [text for _, text in roles_and_texts(conversation)] == ["question 1", "answer 1", "question 2", "answer 2"]
    assert whole.messages == conversation.messages
    whole.messages[0]["content"] = "changed"
    assert conversation.messages[0]["content"] == "question 1"


def test_the_stream_before_ends_first(colour: Sync | Async, provider: ScriptedProvider) -> None:
    """A turn that is being streamed is part of the conversation that is branched, edited or answered again."""
    conversation = Conversation("openai", config=provider.config("openai_chat"))

    def first_events(prompt: str) -> Any:
        provider.say(Reply("one two three", stall_after=2))
        if isinstance(colour, Sync):
            events = conversation.stream_panels(prompt)
            return events, [next(events) for _ in range(2)]
        stream = conversation.astream_panels(prompt)

        async def read_two() -> list[Any]:
            return [await anext(stream) for _ in range(2)]

        return stream, colour.run(read_two())

    stream, _ = first_events("hi")
    branch = conversation.branch()
    assert branch.messages == [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "one two", "partial": True},
    ]
    stream, _ = first_events("more")
    assert [turn["content"] for turn in conversation.regenerate()] == ["one two"]
    assert conversation.messages[-1] == {"role": "user", "content": "more"}
    del stream
