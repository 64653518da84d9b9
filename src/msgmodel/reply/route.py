"""Which question the next request asks: the caller's or a fallback's, and what was added to it since. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from ..messages import Message
from ..question import history
from ..question.question import Question, QuestionTurn
from ..question.transport import HttpRequest
from ..question.turn_order import settle_turns
from ..reply_facts import OutputError
from ..wires import WIRES, WireParser

SCHEMA_OF_REST = "The complete JSON must be valid against this JSON schema:"
REPAIR = (
    "Your answer above does not have the required format. Answer again with the complete, corrected JSON, and nothing "
    "else. What is wrong:"
)
MOST_ERRORS = 20
"""Errors that the model is told of: enough to see what is wrong."""

_EMPTY_PROMPT = (QuestionTurn("user", ("",)),)


class QuestionRoute:
    """The way through the question and its fallbacks."""

    __slots__ = ("_extended_question", "_fallbacks", "index", "question", "token")

    def __init__(self, question: Question, fallbacks: Sequence[Question]) -> None:
        self._fallbacks = list(fallbacks)
        self.index = 0
        """0 for the caller's question, else the number of the fallback, counted from 1."""
        self._set_question(question)

    def _set_question(self, question: Question) -> None:
        self.question = question
        """The question as it was asked first."""
        self._extended_question = question  # with the reply so far as a turn
        self.token: str | None = None
        """The token of the checkpoint from which the reply goes on; only Gemini has one."""

    @property
    def fallbacks_left(self) -> int:
        return len(self._fallbacks)

    @property
    def extended_question(self) -> Question:
        """The question as it is asked now."""
        return self._extended_question

    def next_fallback(self) -> Question | None:
        """Return the question to the next fallback; None if there is none left."""
        return self._fallbacks[0] if self._fallbacks else None

    def request(self, question: Question | None = None) -> HttpRequest:
        """Return the request to send: for `question`, if the one to be asked now is to be changed."""
        return WIRES[self.question.wire].request(question or self._extended_question, self.token)

    def parser(self) -> WireParser:
        """Return a parser for the response."""
        return WIRES[self.question.wire].parser(self.question, self.token)

    def take_fallback(self) -> None:
        """Ask the next fallback from now on."""
        self.index += 1
        self._set_question(self._fallbacks.pop(0))

    def extend_question(self, reply_so_far: Message, prompt: str | None) -> None:
        """Ask for what follows the reply so far, which becomes the assistant's turn.

        A provider that enforces a format allows only a complete value, so it is asked for the rest of one in words.

        Args:
            reply_so_far: The assistant's turn.
            prompt: What the model is asked in words; None after a paused turn, which is sent back as it is:
                https://platform.claude.com/docs/en/api/handling-stop-reasons
        """
        question = self.question
        receiver = history.Receiver(question.provider, question.wire, question.target_host)
        _, turns = history.read_messages([reply_so_far], receiver)
        output = question.output
        if prompt is not None:
            if output is not None and output.native_schema is not None:
                prompt = f"{SCHEMA_OF_REST}\n{msgspec.json.encode(output.native_schema).decode()}\n\n{prompt}"
            turns.append(QuestionTurn("user", (prompt,)))
            output = None if output is None else output.in_words()
        self.token = None
        self._extended_question = replace(question, turns=(*question.turns, *turns), output=output)

    def ask_again(self, reply: Message, errors: Sequence[OutputError]) -> None:
        """Ask for a reply with the format of `output=`: the question, the wrong reply, and what is wrong with it."""
        question = self.question
        receiver = history.Receiver(question.provider, question.wire, question.target_host)
        _, turns = history.read_messages([reply], receiver)
        turns.append(QuestionTurn("user", (repair_prompt(errors),)))
        self.token = None
        self.question = replace(question, turns=settle_turns((*question.turns, *turns), question.wire))
        self._extended_question = self.question

    def text_characters(self, first_request: HttpRequest) -> int:
        """Return the characters that the caller has put into the longest of all requests.

        That is all but the data of files that are not text, and what a request has of its own. `first_request` is the
        one for the first question.

        Raises:
            ConfigurationError: A fallback can't be asked.
        """
        first = _text_characters(self.question, first_request)
        return max(first, *(_text_characters(question, None) for question in self._fallbacks), 0)


def _text_characters(question: Question, request: HttpRequest | None) -> int:
    """Return the characters of a question beyond those of the shortest one that could be asked in its place."""
    config = replace(question.config, stop=None)
    shortest = replace(
        question, system=None, turns=_EMPTY_PROMPT, tools=(), tool_choice=None, output=None, config=config
    )
    make_request = WIRES[question.wire].request
    request = request or make_request(question, None)
    found = request.text_characters - make_request(shortest, None).text_characters
    return found + sum(len(file.text) for file in question.attachments if file.text is not None)


def repair_prompt(errors: Sequence[OutputError]) -> str:
    """Return the user's turn that asks for a corrected reply."""
    lines = [
        f"- {error['path'] or 'The value'}: {error['message']} Wanted: {error['wanted']}."
        for error in errors[:MOST_ERRORS]
    ]
    return "\n".join([REPAIR, *lines])
