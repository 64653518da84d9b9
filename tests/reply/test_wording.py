"""The words for each ending: the tables in `reply.wording` name every status and every code."""

from __future__ import annotations

import string
from typing import get_args

from msgmodel.events import ErrorCode, Status
from msgmodel.reply import wording


def test_every_status_and_code_has_its_words() -> None:
    assert wording.STATUS_WORDS.keys() == set(get_args(Status))
    assert wording.ERROR_ADVICE.keys() == set(get_args(ErrorCode))


def test_only_an_ending_without_surprise_has_no_words() -> None:
    assert {status for status, words in wording.STATUS_WORDS.items() if not words} == {"complete", "tool_calls"}


def test_advice_names_only_what_is_filled_in() -> None:
    names = {name for text in wording.ERROR_ADVICE.values() for _, name, _, _ in string.Formatter().parse(text) if name}
    assert names == {"keys", "model", "field", "cure"}
