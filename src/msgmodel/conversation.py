"""A conversation that keeps its own turns.

Rule: a turn of the user and the assistant's answer are kept together, when the answer has ended, however it ended:
also where the stream broke or the caller left, with what had arrived and `partial` set. Nothing the user saw is lost.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, Unpack, cast

import msgspec

from . import _api, _files, _json, _messages, providers
from ._api import AsyncOptions, SyncOptions
from .errors import ConfigurationError
from .messages import JSON, Message, Part, ToolCallPart

if TYPE_CHECKING:
    from ._files import FileLike
    from .config import ProviderConfig
    from .events import PanelEnd, PanelEvent
    from .response import LLMResponse

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

    An empty prompt asks again for an answer to what stands there: after results of tools, or after a failure.
    Ask one question at a time: of two at once neither knows of the other, and they are kept in the order in which
    they ended.
    """

    def __init__(self, provider: str, **settings: Unpack[SyncSettings]) -> None:
        given: dict[str, Any] = dict(settings)
        unknown = given.keys() - SyncSettings.__annotations__.keys()
        if unknown:
            raise TypeError(f"there is no argument {min(unknown)!r}")
        messages = given.pop("messages", ())
        _messages.check(messages)
        self.messages: list[Message] = list(messages)
        self.provider = providers.find(provider).name
        self._settings = given

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
        return _api.stream_panels(panel_id=panel_id, **self._turn(prompt, file_like, filename, settings))

    def stream(
        self,
        prompt: str = "",
        file_like: FileLike | None = None,
        filename: str | None = None,
        on_chunk: Callable[[str], object] | None = None,
        **settings: Unpack[SyncSettings],
    ) -> Generator[str, None, None]:
        """`msgmodel.stream` of the next turn."""
        return _api.stream(on_chunk=on_chunk, **self._turn(prompt, file_like, filename, settings))

    def query(
        self,
        prompt: str = "",
        file_like: FileLike | None = None,
        filename: str | None = None,
        **settings: Unpack[SyncSettings],
    ) -> LLMResponse:
        """`msgmodel.query` of the next turn."""
        return _api.query(**self._turn(prompt, file_like, filename, settings))

    def astream_panels(
        self,
        prompt: str = "",
        file_like: FileLike | None = None,
        filename: str | None = None,
        panel_id: str | None = None,
        **settings: Unpack[AsyncSettings],
    ) -> AsyncGenerator[PanelEvent, None]:
        """`msgmodel.astream_panels` of the next turn."""
        return _api.astream_panels(panel_id=panel_id, **self._turn(prompt, file_like, filename, settings))

    def astream(
        self,
        prompt: str = "",
        file_like: FileLike | None = None,
        filename: str | None = None,
        on_chunk: Callable[[str], object] | None = None,
        **settings: Unpack[AsyncSettings],
    ) -> AsyncGenerator[str, None]:
        """`msgmodel.astream` of the next turn."""
        return _api.astream(on_chunk=on_chunk, **self._turn(prompt, file_like, filename, settings))

    def aquery(
        self,
        prompt: str = "",
        file_like: FileLike | None = None,
        filename: str | None = None,
        **settings: Unpack[AsyncSettings],
    ) -> Coroutine[Any, Any, LLMResponse]:
        """`msgmodel.aquery` of the next turn, to be awaited."""
        return _api.aquery(**self._turn(prompt, file_like, filename, settings))

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
        self.provider = providers.find(provider).name
        self._settings |= {"api_key": api_key, "config": config, "model": model}

    @property
    def pending_calls(self) -> list[ToolCallPart]:
        """The calls of the last answer that have no result yet. Those of an answer that broke off don't count."""
        answered: set[str] = set()
        for message in reversed(self.messages):
            if "tool_call_id" in message:
                answered.add(message["tool_call_id"])
                continue
            parts = () if isinstance(message["content"], str) else message["content"]
            if message["role"] == "assistant":
                calls = [] if message.get("partial") else [part for part in parts if part["type"] == "tool_call"]
                return [call for call in calls if call["id"] not in answered]
            answered |= {part["tool_call_id"] for part in parts if part["type"] == "tool_result"}
        return []

    def add_tool_result(self, tool_call_id: str, content: JSON, *, is_error: bool = False) -> None:
        """Keeps what a call gave; the next question, which may be empty, sends it. Raises ConfigurationError."""
        waiting = [call["id"] for call in self.pending_calls]
        if tool_call_id not in waiting:
            raise ConfigurationError(f"no call {tool_call_id!r} waits for a result; waiting: {waiting}")
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
            kept = _json.loads(text)
        except ValueError as error:
            raise ConfigurationError(f"not a conversation: {error}") from None
        if not isinstance(kept, Mapping) or kept.get("version") != VERSION:
            raise ConfigurationError(f"not a conversation of version {VERSION}")
        provider, messages = kept.get("provider"), kept.get("messages")
        held: dict[str, Any] = {name: kept[name] for name in ("model", "system_instruction") if kept.get(name)}
        return cls(cast(str, provider), **held | {"messages": messages} | cast(dict[str, Any], settings))

    def _turn(
        self, prompt: str, file_like: FileLike | None, filename: str | None, settings: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The arguments of a call, which keeps the turn when it has ended."""
        if "messages" in settings:
            raise ConfigurationError("a conversation has its own messages: change the attribute")
        arguments = self._settings | dict(settings)
        question = _question(prompt, file_like, filename, arguments.pop("files", ()))
        then = arguments.get("on_end")

        def ended(event: PanelEnd) -> None:
            self.messages += [*question, event["message"]]
            if then is not None:
                then(event)

        return arguments | {
            "provider": self.provider,
            "prompt": "",
            "messages": [*self.messages, *question],
            "on_end": ended if then is None or callable(then) else then,
        }


def _question(prompt: str, file_like: FileLike | None, filename: str | None, files: Sequence[Any]) -> list[Message]:
    """The user's turn: its files, then its text. None where there is nothing of either."""
    if not isinstance(prompt, str):
        raise ConfigurationError(f"prompt must be a string, not {type(prompt).__name__}")
    attached = _files.attachments(file_like, filename, files)
    parts: list[Part] = [
        {"type": "file", "name": file.name, "data": base64.b64encode(file.data).decode()} for file in attached
    ]
    if not parts:
        return [{"role": "user", "content": prompt}] if prompt.strip() else []
    if prompt.strip():
        parts.append({"type": "text", "text": prompt})
    return [{"role": "user", "content": parts}]
