"""A conversation that keeps its own turns.

Rule: a turn of the user and the assistant's answer are kept together when the answer ends, however it ends. If the
stream broke or the caller left, the text that had arrived is kept with `partial` set. Nothing the user saw is lost.
"""

from __future__ import annotations

import base64
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, Unpack, cast

import msgspec

from . import _calls
from ._input_cache import read_all_attachments
from ._options import AsyncQuerySettings, AsyncSettings, SyncQuerySettings, SyncSettings
from ._spending import BUDGET_LIMITS, SpendingTotal
from .errors import ConfigurationError, quoted
from .messages import JSON, Message, Part, ToolCallPart
from .question import history, lenient_json, past_turns
from .registry import registry
from .tools.conversation_runs import ToolRuns

if TYPE_CHECKING:
    from ._options import Wanted
    from .events import PanelEnd, PanelEvent, Spent
    from .question.config import KeyLike, ProviderConfig
    from .question.files import FileLike
    from .question.question import Question
    from .reply.exchange import Exchange
    from .response import LLMResponse

S = TypeVar("S", bound="Generator[Any, None, None] | AsyncGenerator[Any, None]")

VERSION = 1
"""The version of the format that `to_json` writes."""

FAULTS_OF_QUESTIONS = frozenset(("context_length", "too_large", "invalid_request", "content_policy"))
"""Codes of errors that the same question would get again."""

NOT_RUN = "The tool was not run: the user asked something else."
"""The result of a call for a question that is asked without waiting for it. Providers refuse a call without one."""


class Conversation(ToolRuns):
    """The six functions with a memory: `Conversation("openai").stream_panels("hi")`, and so on.

    An empty prompt asks for an answer to the turns so far: after the results of tools, or again after a failure. The
    partial answer of a failure is then not sent; it stays in `messages` until a new answer replaces it.

    The next question can always be asked, whatever happened to the last one. A prompt that does not wait for the
    results of tools gives each open call the result that its tool was not run.

    Ask one question at a time. A question ends the stream before it, if you stopped reading that one: its turn is kept
    up to there. If two streams are read at once, neither contains the other's turn, and they are kept in the order in
    which they end.

    Args:
        provider: The name or short name of a provider, or "provider/model"; `switch` changes it.
        **settings: Any keyword of `stream_panels`, for every question. A call may pass its own, which take precedence.
            `max_cost` and `max_total_tokens` hold for all questions together; those of a call hold for it as well.

    Attributes:
        messages: The turns so far: a list of plain dicts, which you may change.
        provider: The name of the provider of the next question.

    Raises:
        ConfigurationError: The provider is unknown, or `messages` is wrong.
    """

    def __init__(self, provider: str, **settings: Unpack[SyncSettings]) -> None:
        given: dict[str, Any] = dict(settings)
        _calls.check_option_names(given, provider, SyncSettings.__annotations__.keys())
        messages = given.pop("messages", ())
        history.check_messages(messages)
        self.messages: list[Message] = list(messages)
        self._spending = SpendingTotal({name: given.pop(name) for name in BUDGET_LIMITS if name in given})
        row, given["model"] = registry.find_provider_and_model(provider, given.get("model"))
        self.provider = row.name
        self._settings = given
        self._stream: tuple[weakref.ref[Any], Exchange] | None = None

    def __repr__(self) -> str:
        return f"Conversation({self.provider!r}, {len(self.messages)} messages)"

    def stream_panels(
        self,
        prompt: str = "",
        file_like: FileLike | None = None,
        filename: str | None = None,
        panel_id: str | None = None,
        **settings: Unpack[SyncSettings],
    ) -> Generator[PanelEvent, None, None]:
        """Ask the next question with `msgmodel.stream_panels`. The turn is kept when the stream ends."""
        questions, exchange, client = self._begin_turn(prompt, file_like, filename, settings, panel_id)
        return self._keep_turn_when_dropped(exchange, _calls.start_panels(questions, exchange, client))

    def stream(
        self,
        prompt: str = "",
        file_like: FileLike | None = None,
        filename: str | None = None,
        on_chunk: Callable[[str], object] | None = None,
        **settings: Unpack[SyncSettings],
    ) -> Generator[str, None, None]:
        """Ask the next question with `msgmodel.stream`. The turn is kept when the stream ends."""
        questions, exchange, client = self._begin_turn(prompt, file_like, filename, settings)
        return self._keep_turn_when_dropped(exchange, _calls.start_text(questions, exchange, client, on_chunk))

    def query(
        self,
        prompt: str = "",
        file_like: FileLike | None = None,
        filename: str | None = None,
        *,
        output: type[Wanted] | Mapping[str, Any] | Literal["json"] | None = None,
        **settings: Unpack[SyncQuerySettings],
    ) -> LLMResponse[Wanted]:
        """Ask the next question with `msgmodel.query`, and keep the turn."""
        return _calls.start_query(*self._begin_turn(prompt, file_like, filename, _with_output(settings, output)))

    def astream_panels(
        self,
        prompt: str = "",
        file_like: FileLike | None = None,
        filename: str | None = None,
        panel_id: str | None = None,
        **settings: Unpack[AsyncSettings],
    ) -> AsyncGenerator[PanelEvent, None]:
        """Ask the next question with `msgmodel.astream_panels`. The turn is kept when the stream ends."""
        questions, exchange, client = self._begin_turn(prompt, file_like, filename, settings, panel_id)
        events = self._keep_turn_when_dropped(exchange, _calls.start_async_panels(questions, exchange, client))
        return _calls.cancellable_panels(exchange, events)

    def astream(
        self,
        prompt: str = "",
        file_like: FileLike | None = None,
        filename: str | None = None,
        on_chunk: Callable[[str], object] | None = None,
        **settings: Unpack[AsyncSettings],
    ) -> AsyncGenerator[str, None]:
        """Ask the next question with `msgmodel.astream`. The turn is kept when the stream ends."""
        questions, exchange, client = self._begin_turn(prompt, file_like, filename, settings)
        text = self._keep_turn_when_dropped(exchange, _calls.start_async_text(questions, exchange, client, on_chunk))
        return _calls.cancellable_text(exchange, text)

    def aquery(
        self,
        prompt: str = "",
        file_like: FileLike | None = None,
        filename: str | None = None,
        *,
        output: type[Wanted] | Mapping[str, Any] | Literal["json"] | None = None,
        **settings: Unpack[AsyncQuerySettings],
    ) -> Coroutine[Any, Any, LLMResponse[Wanted]]:
        """Ask the next question with `msgmodel.aquery`, and keep the turn. Await the result."""
        return _calls.start_async_query(*self._begin_turn(prompt, file_like, filename, _with_output(settings, output)))

    def switch(
        self,
        provider: str,
        *,
        api_key: KeyLike | None = None,
        config: ProviderConfig | None = None,
        model: str | None = None,
    ) -> None:
        """Ask another provider from the next turn on. Opaque data of the earlier one is kept, but not sent.

        The key, config and model of the earlier provider are dropped.

        Args:
            provider: The name or short name of the provider.
            api_key: Its key. Default: as for `stream_panels`.
            config: Its config. Default: an empty one.
            model: The model. Default: the provider's default model.

        Raises:
            ConfigurationError: The provider is unknown.
        """
        row, model = registry.find_provider_and_model(provider, model)
        self.provider = row.name
        self._settings |= {"api_key": api_key, "config": config, "model": model}

    @property
    def spent(self) -> Spent:
        """What all questions took so far, those that failed included. A branch begins with nothing spent."""
        return self._spending.spent

    @property
    def pending_calls(self) -> list[ToolCallPart]:
        """The tool calls of the last answer that have no result yet.

        Calls of a partial answer do not count. So read a stream to its end: if you leave it at a `panel_tool_call`, the
        answer is partial.
        """
        return past_turns.calls_without_result(self.messages)

    def add_tool_result(self, tool_call_id: str, content: JSON, *, is_error: bool = False) -> None:
        """Keep the result of a tool call. The next question sends it; its prompt may be empty.

        Args:
            tool_call_id: The id of a pending call.
            content: The result. A list of text and files, such as MCP's content, is sent as such, anything else but a
                string as JSON.
            is_error: Whether the tool failed.

        Raises:
            ConfigurationError: No pending call has this id.
        """
        pending = [call["id"] for call in self.pending_calls]
        if tool_call_id not in pending:
            known = ", ".join(pending) or "none"
            raise ConfigurationError(f"no pending tool call has the id {quoted(tool_call_id)} (pending: {known})")
        if isinstance(content, str):
            content = lenient_json.mend_surrogates(content)
        message: Message = {"role": "tool", "tool_call_id": tool_call_id, "content": cast(str, content)}
        if is_error:
            message["is_error"] = True
        self.messages.append(message)

    def edit(
        self,
        turn: int,
        prompt: str,
        file_like: FileLike | None = None,
        filename: str | None = None,
        *,
        files: Sequence[Any] | None = None,
    ) -> list[Message]:
        """Replace a question, and remove all turns after it. Ask the new question with an empty prompt.

        Args:
            turn: The index of the user's turn in `messages`; a negative one counts from the end.
            prompt: The new text.
            file_like: A file for the new question. Without any file, it keeps the files of the old one.
            filename: The name of that file.
            files: More files, as for `stream_panels`. An empty list removes the old files.

        Returns:
            The old question and the turns after it. `messages[turn:] = old` brings them back.

        Raises:
            ConfigurationError: That turn is not a question, or the new question is empty.
            FileError: A file can't be read.
        """
        self._end_last_stream()
        place = range(len(self.messages))[turn] if -len(self.messages) <= turn < len(self.messages) else None
        if place is None or not past_turns.is_user_question(self.messages[place]):
            places = [number for number, message in enumerate(self.messages) if past_turns.is_user_question(message)]
            raise ConfigurationError(f"turn {turn} is not a question of the user: those are {places or 'none so far'}")
        new = _user_turn(prompt, file_like, filename, files or ())
        if not new:
            raise ConfigurationError("the new question is empty: pass a prompt or a file")
        old = self.messages[place]
        if file_like is None and files is None and not isinstance(old["content"], str):
            kept = [part for part in old["content"] if part["type"] not in ("text", "input_text")]
            new[0]["content"] = [*kept, {"type": "text", "text": cast(str, new[0]["content"])}]
        removed = self.messages[place:]
        self.messages[place:] = new
        return removed

    def regenerate(self) -> list[Message]:
        """Remove the last answer, with the calls and results on the way to it. Ask again with an empty prompt.

        Returns:
            The turns that were removed; empty if the last question has no answer yet.

        Raises:
            ConfigurationError: There is no question.
        """
        self._end_last_stream()
        places = [number for number, message in enumerate(self.messages) if past_turns.is_user_question(message)]
        if not places:
            raise ConfigurationError("there is no question to answer again: pass a prompt")
        removed = self.messages[places[-1] + 1 :]
        del self.messages[places[-1] + 1 :]
        return removed

    def branch(self, turn: int | None = None) -> Self:
        """Return another conversation with the same settings and turns. Neither sees the later turns of the other.

        Args:
            turn: The index in `messages` of the first turn that the other one lacks. Default: it has all of them.
        """
        self._end_last_stream()
        settings: dict[str, Any] = {
            **self._settings,
            **self._spending.limits,
            "messages": deepcopy(self.messages[:turn]),
        }
        return type(self)(self.provider, **settings)

    def to_json(self) -> str:
        """Return the turns, the provider, its model, the system instruction and `spent` as JSON, without key
        and config.

        Raises:
            ConfigurationError: JSON can't hold a message.
        """
        kept = {
            "version": VERSION,
            "provider": self.provider,
            "model": self._settings.get("model"),
            "system_instruction": self._settings.get("system_instruction"),
            "messages": self.messages,
            "spent": self.spent,
        }
        try:
            try:
                return msgspec.json.encode(kept).decode()
            except UnicodeEncodeError:  # half an emoji in a message that the caller appended
                return msgspec.json.encode(lenient_json.mend_all_surrogates(kept)).decode()
        except (TypeError, ValueError, RecursionError) as error:
            raise ConfigurationError(f"a message can't be written as JSON: {error}") from None

    @classmethod
    def from_json(cls, text: str | bytes, **settings: Unpack[SyncSettings]) -> Self:
        """Return the conversation that `to_json` wrote.

        Args:
            text: The JSON.
            **settings: Settings that the JSON does not hold, such as `api_key` and `config`.

        Raises:
            ConfigurationError: The text is not a conversation.
        """
        try:
            kept = lenient_json.load_lenient(text)
        except ValueError as error:
            raise ConfigurationError(f"not a conversation: {error}") from None
        return cls.from_mapping(kept, **settings)

    @classmethod
    def from_mapping(cls, kept: object, **settings: Unpack[SyncSettings]) -> Self:
        """Return the conversation that the JSON of `to_json`, decoded, describes. See `from_json`."""
        if not isinstance(kept, Mapping) or kept.get("version") != VERSION:
            raise ConfigurationError(f"not a conversation of version {VERSION}")
        provider, messages = kept.get("provider"), kept.get("messages")
        held: dict[str, Any] = {name: kept[name] for name in ("model", "system_instruction") if kept.get(name)}
        for name, value in held.items():
            if not isinstance(value, str):
                raise ConfigurationError(f"not a conversation: {name} must be a string, not {type(value).__name__}")
        conversation = cls(cast(str, provider), **held | {"messages": messages} | cast(dict[str, Any], settings))
        if kept.get("spent") is not None:  # earlier versions did not write it
            conversation._spending.restore(kept["spent"])
        return conversation

    def _begin_turn(
        self,
        prompt: str,
        file_like: FileLike | None,
        filename: str | None,
        settings: Mapping[str, Any],
        panel_id: str | None = None,
    ) -> tuple[list[Question], Exchange, Any]:
        """Return the questions, the exchange, which keeps the turn when it ends, and the HTTP client."""
        if "messages" in settings:
            raise ConfigurationError("a conversation has its own messages: change the attribute `messages`")
        self._end_last_stream()
        arguments = self._settings | dict(settings)
        user_turn = _user_turn(prompt, file_like, filename, arguments.pop("files", ()))
        # A run of tools passes the budget that all its questions share.
        run_budget = filter(None, [arguments.pop("run_budget", None)])
        on_end = arguments.get("on_end")
        broken = [] if user_turn else self._unanswered_partials()
        if user_turn and (calls := self.pending_calls):
            results: list[Part] = [
                {"type": "tool_result", "tool_call_id": call["id"], "content": NOT_RUN, "is_error": True}
                for call in calls
            ]
            user_turn.insert(0, {"role": "tool", "content": results})

        def keep_turn(event: PanelEnd) -> None:
            self._spending.add_call(event)
            if event["event"] == "panel_final" or event["message"]["content"] or not broken:
                self.messages[:] = [turn for turn in self.messages if not any(turn is old for old in broken)]
                self.messages += [*user_turn, event["message"]]
            code = event["code"] if event["event"] == "panel_error" and not event["message"]["content"] else None
            if code in FAULTS_OF_QUESTIONS:
                self.messages[-1] = cast(Message, {**self.messages[-1], "failed": code})
            if on_end is not None:
                on_end(event)

        questions, exchange = _calls.begin_exchange_by_name(
            panel_id,
            arguments
            | {
                "provider": self.provider,
                "prompt": "",
                "messages": [*self.messages[: len(self.messages) - len(broken)], *user_turn],
                "on_end": keep_turn if on_end is None or callable(on_end) else on_end,
            },
            shared_budgets=(*self._spending.budgets, *run_budget),
        )
        return questions, exchange, arguments.get("http_client")

    def _unanswered_partials(self) -> list[Message]:
        """Return the partial answers at the end of the messages, which a repeated question must not contain."""
        count = 0
        for turn in reversed(self.messages):
            if turn["role"] != "assistant" or not turn.get("partial"):
                break
            count += 1
        return self.messages[len(self.messages) - count :]

    def _keep_turn_when_dropped(self, exchange: Exchange, stream: S) -> S:
        """Return the stream, and keep its turn as soon as it is garbage collected: asyncio closes it only later."""
        weakref.finalize(stream, exchange.close).atexit = False
        self._stream = weakref.ref(stream), exchange
        return stream

    def _end_last_stream(self) -> None:
        """End the last stream, if its reader has stopped reading."""
        if self._stream is None:
            return
        reference, exchange = self._stream
        stream = reference()
        if isinstance(stream, Generator):
            with suppress(ValueError):  # another thread is reading it
                stream.close()
        elif stream is not None and not stream.ag_running:
            exchange.close()


def _with_output(settings: Mapping[str, Any], output: object) -> Mapping[str, Any]:
    """Return the settings with `output`, if the call has one: the conversation's own stands otherwise."""
    return settings if output is None else {**settings, "output": output}


def _user_turn(prompt: str, file_like: FileLike | None, filename: str | None, files: Sequence[Any]) -> list[Message]:
    """Return the user's turn, its files before its text; empty if there is neither."""
    if not isinstance(prompt, str):
        raise ConfigurationError(f"prompt must be a string, not {type(prompt).__name__}")
    prompt = lenient_json.mend_surrogates(prompt)
    attached = read_all_attachments(file_like, filename, files)
    parts: list[Part] = [
        {"type": "file", "name": file.name, "data": base64.b64encode(file.data).decode()} for file in attached
    ]
    if not parts:
        return [{"role": "user", "content": prompt}] if prompt.strip() else []
    if prompt.strip():
        parts.append({"type": "text", "text": prompt})
    return [{"role": "user", "content": parts}]
