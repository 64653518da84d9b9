"""All tests of the application: run `pytest` in this directory. The fixture comes with msgmodel."""

from chat_app import ChatApp

from msgmodel.testing import Reply, ScriptedProvider


def test_a_whole_answer(scripted_provider: ScriptedProvider) -> None:
    scripted_provider.say("Hello there")
    assert ChatApp().answer("hi") == "Hello there"


def test_a_truncation(scripted_provider: ScriptedProvider) -> None:
    scripted_provider.say(Reply("Once upon a", truncated=True))
    assert ChatApp().answer("a story") == "Once upon a [cut off by the length limit]"


def test_a_cut(scripted_provider: ScriptedProvider) -> None:
    scripted_provider.say(Reply("Once upon a time", cut_after=2))
    assert ChatApp().answer("a story") == "Once upon [the connection was lost]"


def test_too_many_requests(scripted_provider: ScriptedProvider) -> None:
    scripted_provider.say(Reply(error=429))
    assert ChatApp().answer("hi") == "[too many requests: try again in a moment]"
