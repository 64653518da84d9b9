"""More than one reply to one question is refused: a panel shows one, and all are paid for."""

from __future__ import annotations

from typing import Any

import pytest

from conftest import PROVIDER, Async, Sync
from msgmodel import ConfigurationError
from msgmodel.testing import ScriptedProvider


@pytest.mark.parametrize(
    ("wire", "fields", "name"),
    [
        ("openai_chat", {"n": 2}, "n"),
        ("openai_responses", {"n": 2}, "n"),
        ("gemini", {"candidate_count": 3}, "candidate_count"),
        ("openai_chat", {"body": {"n": 2}}, "n in body"),
        ("gemini", {"body": {"generationConfig": {"candidateCount": 2}}}, "candidateCount in body"),
    ],
)
def test_several_replies_are_refused(wire: str, fields: Any, name: str, colour: Sync | Async) -> None:
    with ScriptedProvider() as provider:
        with pytest.raises(ConfigurationError, match=rf"^{name} must be 1 or left out, not \d: .*stream_many\(\["):
            colour.query(PROVIDER[wire], "hi", config=provider.config(wire, **fields))
        assert provider.requests == []


@pytest.mark.parametrize(
    ("wire", "fields"),
    [("openai_chat", {"n": 1}), ("gemini", {"candidate_count": 1}), ("openai_chat", {"body": {"n": 1}})],
)
def test_one_reply_may_be_asked_for(wire: str, fields: Any, colour: Sync | Async) -> None:
    with ScriptedProvider() as provider:
        assert colour.query(PROVIDER[wire], "hi", config=provider.config(wire, **fields)).text
