"""A conversation that keeps its own turns.

Rule: a turn of the user and the assistant's answer are kept together when the answer ends, however it ends. If the
stream broke or the caller left, the text that had arrived is kept with `partial` set. Nothing the user saw is lost.
"""

from __future__ import annotations

import base64
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack, cast

import msgspec

from . import _arguments, _calls
from ._options import AsyncOptions, SyncOptions
from .errors import ConfigurationError, quoted
from .messages import JSON, Message, Part, ToolCallPart
from .question import history, lenient_json
from .registry import registry

if TYPE_CHECKING:
    from .events import PanelEnd, PanelEvent
    from .question.config import ProviderConfig
    from .question.files import FileLike
    from .question.question import Question
    from .reply.exchange import Exchange
    from .response import LLMResponse

S = TypeVar("S", bound="Generator[Any, None, None] | AsyncGenerator[Any, None]")

VERSION = 1
"""The version of the format that `to_json` writes."""


class SyncSettings(SyncOptions, total=False):
    """The settings that one call may change, for blocking functions."""

    api_key: str | None
    config: ProviderConfig | None
    max_tokens: int | None
    model: str | None
    temperature: float | None
    timeout: float
    system_instruction: str | None


class AsyncSettings(AsyncOptions, total=False):
    """The settings that one call may change, for async functions."""

    api_key: str | None
    config: ProviderConfig | None
    max_tokens: int | None
    model: str | None
    temperature: float | None
    timeout: float
    system_instruction: str | None


class Conversation:
    """The six functions with a memory: `Conversation("openai").stream_panels("hi")`, and so on.

    An empty prompt asks for an answer to the turns so far: after the results of tools, or again after a failure. The
    partial answer of a failure is then not sent; it stays in `messages` until a new answer replaces it.

    Ask one question at a time. A question ends the stream before it, if you stopped reading that one: its turn is kept
    up to there. If two streams are read at once, neither contains the other's turn, and they are kept in the order in
    which they end.

    Args:
        provider: The name or short name of a provider; `switch` changes it.
        **settings: Any keyword of `stream_panels`, for every question. A call may pass its own, which take precedence.

    Attributes:
        messages: The turns so far: a list of plain dicts, which you may change.
        provider: The name of the provider of the next question.

    Raises:
        ConfigurationError: The provider is unknown, or `messages` is wrong.
    """

    def __init__(self, provider: str, **settings: Unpack[SyncSettings]) -> None:
        given: dict[str, Any] = dict(settings)
        unknown = given.keys() - SyncSettings.__annotations__.keys()
        if unknown:
            raise TypeError(f"there is no argument {quoted(min(unknown))}")
        messages = given.pop("messages", ())
        history.check_messages(messages)
        self.messages: list[Message] = list(messages)
        self.provider = registry.find_provider(provider).name
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
        **settings: Unpack[SyncSettings],
    ) -> LLMResponse:
        """Ask the next question with `msgmodel.query`, and keep the turn."""
        return _calls.start_query(*self._begin_turn(prompt, file_like, filename, settings))

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
        return self._keep_turn_when_dropped(exchange, _calls.start_async_panels(questions, exchange, client))

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
        return self._keep_turn_when_dropped(exchange, _calls.start_async_text(questions, exchange, client, on_chunk))

    def aquery(
        self,
        prompt: str = "",
        file_like: FileLike | None = None,
        filename: str | None = None,
        **settings: Unpack[AsyncSettings],
    ) -> Coroutine[Any, Any, LLMResponse]:
        """Ask the next question with `msgmodel.aquery`, and keep the turn. Await the result."""
        return _calls.start_async_query(*self._begin_turn(prompt, file_like, filename, settings))

    def switch(
        self,
        provider: str,
        *,
        api_key: str | None = None,
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
        self.provider = registry.find_provider(provider).name
        self._settings |= {"api_key": api_key, "config": config, "model": model}

    @property
    def pending_calls(self) -> list[ToolCallPart]:
        """The tool calls of the last answer that have no result yet.

        Calls of a partial answer do not count. So read a stream to its end: if you leave it at a `panel_tool_call`, the
        answer is partial.
        """
        answered: list[str] = []
        for message in reversed(self.messages):
            if "tool_call_id" in message:
                answered.append(message["tool_call_id"])
                continue
            parts = () if isinstance(message["content"], str) else message["content"]
            if message["role"] == "assistant":
                calls = [] if message.get("partial") else [part for part in parts if part["type"] == "tool_call"]
                for id in answered:  # one call for each result: in old conversations, two calls may share an id
                    calls = _without_first(calls, id)
                return calls
            answered += [part["tool_call_id"] for part in parts if part["type"] == "tool_result"]
        return []

    def add_tool_result(self, tool_call_id: str, content: JSON, *, is_error: bool = False) -> None:
        """Keep the result of a tool call. The next question sends it; its prompt may be empty.

        Args:
            tool_call_id: The id of a pending call.
            content: The result. Anything but a string is sent as JSON.
            is_error: Whether the tool failed.

        Raises:
            ConfigurationError: No pending call has this id.
        """
        pending = [call["id"] for call in self.pending_calls]
        if tool_call_id not in pending:
            known = ", ".join(pending) or "none"
            raise ConfigurationError(f"no pending tool call has the id {quoted(tool_call_id)} (pending: {known})")
        message: Message = {"role": "tool", "tool_call_id": tool_call_id, "content": cast(str, content)}
        if is_error:
            message["is_error"] = True
        self.messages.append(message)

    def to_json(self) -> str:
        """Return the turns, the provider, its model and the system instruction as JSON, without key and config.

        Raises:
            ConfigurationError: JSON can't hold a message.
        """
        kept = {
            "version": VERSION,
            "provider": self.provider,
            "model": self._settings.get("model"),
            "system_instruction": self._settings.get("system_instruction"),
            "messages": self.messages,
        }
        try:
            return msgspec.json.encode(kept).decode()
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
        if not isinstance(kept, Mapping) or kept.get("version") != VERSION:
            raise ConfigurationError(f"not a conversation of version {VERSION}")
        provider, messages = kept.get("provider"), kept.get("messages")
        held: dict[str, Any] = {name: kept[name] for name in ("model", "system_instruction") if kept.get(name)}
        for name, value in held.items():
            if not isinstance(value, str):
                raise ConfigurationError(f"not a conversation: {name} must be a string, not {type(value).__name__}")
        return cls(cast(str, provider), **held | {"messages": messages} | cast(dict[str, Any], settings))

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
        on_end = arguments.get("on_end")
        broken = [] if user_turn else self._unanswered_partials()

        def keep_turn(event: PanelEnd) -> None:
            if event["event"] == "panel_final" or event["message"]["content"] or not broken:
                self.messages[:] = [turn for turn in self.messages if not any(turn is old for old in broken)]
                self.messages += [*user_turn, event["message"]]
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


def _without_first(calls: list[ToolCallPart], id: str) -> list[ToolCallPart]:
    place = next((place for place, call in enumerate(calls) if call["id"] == id), len(calls))
    return calls[:place] + calls[place + 1 :]


def _user_turn(prompt: str, file_like: FileLike | None, filename: str | None, files: Sequence[Any]) -> list[Message]:
    """Return the user's turn, its files before its text; empty if there is neither."""
    if not isinstance(prompt, str):
        raise ConfigurationError(f"prompt must be a string, not {type(prompt).__name__}")
    attached = _arguments.read_all_attachments(file_like, filename, files)
    parts: list[Part] = [
        {"type": "file", "name": file.name, "data": base64.b64encode(file.data).decode()} for file in attached
    ]
    if not parts:
        return [{"role": "user", "content": prompt}] if prompt.strip() else []
    if prompt.strip():
        parts.append({"type": "text", "text": prompt})
    return [{"role": "user", "content": parts}]
