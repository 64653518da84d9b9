"""A conversation that keeps its own turns.

Rule: a turn of the user and the assistant's answer are kept together, when the answer has ended, however it ended:
also where the stream broke or the caller left, with what had arrived and `partial` set. Nothing the user saw is lost.
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
"""Of what `to_json` writes."""


class SyncSettings(SyncOptions, total=False):
    """What a call may set apart from the rest of its conversation."""

    api_key: str | None
    config: ProviderConfig | None
    max_tokens: int | None
    model: str | None
    temperature: float | None
    timeout: float
    system_instruction: str | None


class AsyncSettings(AsyncOptions, total=False):
    """The same for the async functions."""

    api_key: str | None
    config: ProviderConfig | None
    max_tokens: int | None
    model: str | None
    temperature: float | None
    timeout: float
    system_instruction: str | None


class Conversation:
    """The six functions with a memory: `Conversation("openai").stream_panels("hi")`, and so on.

    provider: whom to ask; `switch` changes it. settings: any keyword of `stream_panels`, for every question of the
    conversation; a call may give its own. `messages`: the turns so far, a list of plain dicts that may be changed.

    An empty prompt asks again for an answer to what stands there: after results of tools, or after a failure. What the
    last answer said before it broke off is then not sent; it stays in `messages` until a new answer takes its place.

    Ask one question at a time. A question ends the stream before it, where you stopped reading that: its turn is kept
    as far as it came. Of two that are read at once neither knows of the other, and they are kept in the order in which
    they ended.
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
        """`msgmodel.stream_panels` of the next turn."""
        asks, exchange, client = self._begin_turn(prompt, file_like, filename, settings, panel_id)
        return self._keep_turn_when_dropped(exchange, _calls.start_panels(asks, exchange, client))

    def stream(
        self,
        prompt: str = "",
        file_like: FileLike | None = None,
        filename: str | None = None,
        on_chunk: Callable[[str], object] | None = None,
        **settings: Unpack[SyncSettings],
    ) -> Generator[str, None, None]:
        """`msgmodel.stream` of the next turn."""
        asks, exchange, client = self._begin_turn(prompt, file_like, filename, settings)
        return self._keep_turn_when_dropped(exchange, _calls.start_text(asks, exchange, client, on_chunk))

    def query(
        self,
        prompt: str = "",
        file_like: FileLike | None = None,
        filename: str | None = None,
        **settings: Unpack[SyncSettings],
    ) -> LLMResponse:
        """`msgmodel.query` of the next turn."""
        return _calls.start_query(*self._begin_turn(prompt, file_like, filename, settings))

    def astream_panels(
        self,
        prompt: str = "",
        file_like: FileLike | None = None,
        filename: str | None = None,
        panel_id: str | None = None,
        **settings: Unpack[AsyncSettings],
    ) -> AsyncGenerator[PanelEvent, None]:
        """`msgmodel.astream_panels` of the next turn."""
        asks, exchange, client = self._begin_turn(prompt, file_like, filename, settings, panel_id)
        return self._keep_turn_when_dropped(exchange, _calls.start_async_panels(asks, exchange, client))

    def astream(
        self,
        prompt: str = "",
        file_like: FileLike | None = None,
        filename: str | None = None,
        on_chunk: Callable[[str], object] | None = None,
        **settings: Unpack[AsyncSettings],
    ) -> AsyncGenerator[str, None]:
        """`msgmodel.astream` of the next turn."""
        asks, exchange, client = self._begin_turn(prompt, file_like, filename, settings)
        return self._keep_turn_when_dropped(exchange, _calls.start_async_text(asks, exchange, client, on_chunk))

    def aquery(
        self,
        prompt: str = "",
        file_like: FileLike | None = None,
        filename: str | None = None,
        **settings: Unpack[AsyncSettings],
    ) -> Coroutine[Any, Any, LLMResponse]:
        """`msgmodel.aquery` of the next turn, to be awaited."""
        return _calls.start_async_query(*self._begin_turn(prompt, file_like, filename, settings))

    def switch(
        self,
        provider: str,
        *,
        api_key: str | None = None,
        config: ProviderConfig | None = None,
        model: str | None = None,
    ) -> None:
        """Asks another provider from the next turn on. What only the one before can read stays here, and is not sent.

        The key, config and model of the one before go; without new ones they come from the surroundings.
        """
        self.provider = registry.find_provider(provider).name
        self._settings |= {"api_key": api_key, "config": config, "model": model}

    @property
    def pending_calls(self) -> list[ToolCallPart]:
        """The calls of the last answer that have no result yet. Those of an answer that broke off don't count: so read
        a stream to its end, as one that you leave at a `panel_tool_call` may have broken off there."""
        answered: list[str] = []
        for message in reversed(self.messages):
            if "tool_call_id" in message:
                answered.append(message["tool_call_id"])
                continue
            parts = () if isinstance(message["content"], str) else message["content"]
            if message["role"] == "assistant":
                calls = [] if message.get("partial") else [part for part in parts if part["type"] == "tool_call"]
                for id in answered:  # one each, where two calls of an older conversation have the same
                    calls = _without_first(calls, id)
                return calls
            answered += [part["tool_call_id"] for part in parts if part["type"] == "tool_result"]
        return []

    def add_tool_result(self, tool_call_id: str, content: JSON, *, is_error: bool = False) -> None:
        """Keeps what a call gave; the next question, which may be empty, sends it. Raises ConfigurationError."""
        waiting = [call["id"] for call in self.pending_calls]
        if tool_call_id not in waiting:
            raise ConfigurationError(f"no call {quoted(tool_call_id)} waits for a result; waiting: {waiting}")
        message: Message = {"role": "tool", "tool_call_id": tool_call_id, "content": cast(str, content)}
        if is_error:
            message["is_error"] = True
        self.messages.append(message)

    def to_json(self) -> str:
        """The turns, the provider, its model and the system instruction; no key and no config. For `from_json`."""
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
        """The conversation that `to_json` wrote, with the settings that it does not hold. Raises ConfigurationError."""
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
        """The question for each route, the exchange that asks it and keeps the turn at its end, and the client."""
        if "messages" in settings:
            raise ConfigurationError("a conversation has its own messages: change the attribute")
        self._end_last_stream()
        arguments = self._settings | dict(settings)
        question = _user_turn(prompt, file_like, filename, arguments.pop("files", ()))
        then = arguments.get("on_end")
        broken = [] if question else self._unanswered_partials()

        def ended(event: PanelEnd) -> None:
            if event["event"] == "panel_final" or event["message"]["content"] or not broken:
                self.messages[:] = [turn for turn in self.messages if not any(turn is old for old in broken)]
                self.messages += [*question, event["message"]]
            if then is not None:
                then(event)

        asks, exchange = _calls.begin_exchange_by_name(
            panel_id,
            arguments
            | {
                "provider": self.provider,
                "prompt": "",
                "messages": [*self.messages[: len(self.messages) - len(broken)], *question],
                "on_end": ended if then is None or callable(then) else then,
            },
        )
        return asks, exchange, arguments.get("http_client")

    def _unanswered_partials(self) -> list[Message]:
        """The answers that broke off and that nothing came after: what is asked again was not answered by them."""
        count = 0
        for turn in reversed(self.messages):
            if turn["role"] != "assistant" or not turn.get("partial"):
                break
            count += 1
        return self.messages[len(self.messages) - count :]

    def _keep_turn_when_dropped(self, exchange: Exchange, stream: S) -> S:
        """The stream, whose turn is kept at once when nobody has it any more: asyncio closes such a one only later."""
        weakref.finalize(stream, exchange.close).atexit = False
        self._stream = weakref.ref(stream), exchange
        return stream

    def _end_last_stream(self) -> None:
        """Ends the last stream, where it waits for its reader."""
        if self._stream is None:
            return
        reference, exchange = self._stream
        stream = reference()
        if isinstance(stream, Generator):
            with suppress(ValueError):  # another thread reads it at this moment
                stream.close()
        elif stream is not None and not stream.ag_running:
            exchange.close()


def _without_first(calls: list[ToolCallPart], id: str) -> list[ToolCallPart]:
    place = next((place for place, call in enumerate(calls) if call["id"] == id), len(calls))
    return calls[:place] + calls[place + 1 :]


def _user_turn(prompt: str, file_like: FileLike | None, filename: str | None, files: Sequence[Any]) -> list[Message]:
    """The user's turn: its files, then its text. None where there is nothing of either."""
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
