"""Ask one question of a conversation, show the reply, and go on as long as the model waits for approvals only."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .. import Conversation
from ..events import PanelEnd, PanelEvent
from . import approvals, display
from .attachments import AttachedFile, describe_attachment
from .last_conversation import keep_conversation
from .question import CommandQuestion, show_events
from .reply import ReplyView
from .terminal_echo import without_echo
from .tool_options import CommandTools

if TYPE_CHECKING:
    from .. import RunStream


@dataclass(slots=True)
class ShownConversation:
    """A conversation whose replies are shown, and kept as the user wishes."""

    conversation: Conversation
    question: CommandQuestion
    make_view: Callable[[], ReplyView]
    is_drawn: bool
    """Whether the replies are drawn on a terminal, where typed keys would stand in the drawing."""
    asks_user: bool
    """Whether the user answers approvals."""
    is_kept: bool
    """Whether `--continue` can go on with it."""
    is_logged: bool
    tools: CommandTools | None = None
    """The tools that this program runs; None for none."""
    log_id: str = field(default_factory=lambda: os.urandom(16).hex())
    total_cost: float = 0.0
    """US dollars of the replies whose price is known."""

    def ask(self, prompt: str, files: Sequence[AttachedFile] = ()) -> PanelEnd:
        """Ask a question, show its replies, and return the last event of the last one.

        Args:
            prompt: The question; empty to ask for an answer to the turns so far.
            files: The attachments of this question.
        """
        last = self._ask_once(prompt, files)
        while self.asks_user and last["event"] == "panel_final" and approvals.answer_approvals(self.conversation):
            last = self._ask_once("", ())
        return last

    @property
    def answering(self) -> str:
        """The provider and the model of the next question."""
        model = self.question.model or self.question.provider.default_model
        return f"{self.question.provider.name}/{model}" if model else self.question.provider.name

    def switch(self, provider: str, model: str | None) -> None:
        """Ask another model from the next question on.

        Args:
            provider: The name of its provider. If it is the provider of now, the address stays.
            model: The name of the model. Default: the provider's default model.

        Raises:
            MsgModelError: That model can't be asked, such as without a key. The conversation then stays as it was.
        """
        question = self.question.for_model(provider, model)
        question.check()
        self.question = question
        self.conversation.switch(provider, config=question.config, model=model)

    def describe_status(self) -> str:
        """Return the words of the status line: who answers, how many questions there are, and what they cost."""
        turns = sum(message["role"] == "user" for message in self.conversation.messages)
        cost = f" · {display.describe_dollars(self.total_cost)}" if self.total_cost else ""
        return f" {self.answering} · {turns} {'question' if turns == 1 else 'questions'}{cost} "

    def _ask_once(self, prompt: str, files: Sequence[AttachedFile]) -> PanelEnd:
        conversation, kept = self.conversation, len(self.conversation.messages)
        view = self.make_view()
        with without_echo() if self.is_drawn else nullcontext():
            try:
                last = show_events(lambda keep: self._start(prompt, list(files), keep, view), view.show_event)
            finally:
                view.close()
        has_answer = last["content"] or last.get("refusal") or _holds_media(last) or "run" in last
        if prompt and not (has_answer or self._waits_for_user()):
            del conversation.messages[kept:]
        elif conversation.pending_calls and not self._waits_for_user():
            # This program runs no tools. A partial turn is sent without the calls that have no result, and providers
            # refuse a call without one.
            conversation.messages[-1]["partial"] = True
        self.total_cost += last["cost"] or 0.0
        if self.is_logged:
            from .reply_log import record_reply

            record_reply(self.log_id, prompt, [describe_attachment(file) for file in files], last)
        if self.is_kept and conversation.messages:
            config = self.question.config
            address, api = getattr(config, "base_url", None), getattr(config, "api", None)
            is_broken = last["event"] == "panel_error"
            keep_conversation(conversation, address, api, self.log_id, is_broken=is_broken)
        view.show_ending(last)
        return last

    def _start(
        self, prompt: str, files: list[AttachedFile], on_end: Callable[[PanelEnd], object], view: ReplyView
    ) -> Generator[PanelEvent, None, None] | RunStream:
        """Return the events of the reply, or of the run if this program runs tools."""
        if self.tools is None:
            return self.conversation.stream_panels(prompt, files=files, on_end=on_end)
        return self.conversation.run(prompt, files=files, on_end=on_end, **self.tools.run_settings(view.close))

    def _waits_for_user(self) -> bool:
        """Return whether the last turn waits for approvals, and the user can give them."""
        calls = self.conversation.pending_calls
        return self.asks_user and bool(calls) and all(call.get("kind") == "approval" for call in calls)


def _holds_media(last: PanelEnd) -> bool:
    content = last["message"]["content"]
    return not isinstance(content, str) and any(part["type"] == "media" for part in content)
