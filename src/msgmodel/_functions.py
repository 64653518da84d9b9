"""The six functions. Each is a plain function that checks its arguments at the call and returns what does the rest.

Rule: importing this costs little. The HTTP library and asyncio come in with the first call.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping
from pathlib import Path
from random import random
from secrets import token_hex
from time import monotonic
from typing import TYPE_CHECKING, Any, Unpack, cast

from . import _arguments
from ._arguments import Options
from .errors import ConfigurationError, quoted
from .events import PanelEvent
from .question.config import LocalConfig, ProviderConfig
from .reply import cost, observers
from .reply.exchange import Exchange
from .response import LLMResponse

if TYPE_CHECKING:
    import httpx2

    from .question.files import FileLike
    from .question.question import Question
    from .question.transport import AsyncTransport, Transport


class SyncOptions(Options, total=False):
    """`Options`, and for the blocking functions:"""

    http_client: httpx2.Client
    """A client of your own, for a proxy, certificates or tracing. It is not closed."""


class AsyncOptions(Options, total=False):
    """`Options`, and for the async functions:"""

    http_client: httpx2.AsyncClient
    """A client of your own, for a proxy, certificates or tracing. It is not closed."""


def stream_panels(
    provider: str,
    prompt: str,
    api_key: str | None = None,
    system_instruction: str | None = None,
    file_like: FileLike | None = None,
    filename: str | None = None,
    config: ProviderConfig | None = None,
    max_tokens: int | None = None,
    model: str | None = None,
    temperature: float | None = None,
    timeout: float = 300,
    panel_id: str | None = None,
    **options: Unpack[SyncOptions],
) -> Generator[PanelEvent, None, None]:
    """Streams a reply as panel events: any number of events, then one `panel_final` or `panel_error`.

    provider: "openai", "anthropic", "gemini" or "local", or a short name ("o", "a", "c", "g", "l").
    api_key: else the config's, the provider's variables, or its key file in the working folder.
    file_like, filename: an attachment (an open binary file, bytes or a pathlib.Path) and its name, sent inline.
    config: OpenAIConfig, AnthropicConfig, GeminiConfig or LocalConfig; the arguments of the call go before it.
    max_tokens: most tokens of the reply. temperature: from 0. Both are sent only when set here or in the config.
    timeout: seconds that any wait may take, for the first text and for each silence; for the connection at most 10.
    options: by keyword, see `msgmodel.Options`: `messages`, `files`, `tools`, `reasoning`, `fallbacks` and others.

    Raises ConfigurationError, AuthenticationError or FileError at the call. What happens later is a `panel_error`.
    Closing the iterator, or leaving it, closes the connection.
    """
    asks, exchange = begin_exchange(
        (provider, prompt, api_key, system_instruction, file_like, filename, config, max_tokens, model, temperature),
        timeout,
        panel_id,
        options,
    )
    return start_panels(asks, exchange, options.get("http_client"))


def stream(
    provider: str,
    prompt: str,
    api_key: str | None = None,
    system_instruction: str | None = None,
    file_like: FileLike | None = None,
    filename: str | None = None,
    config: ProviderConfig | None = None,
    max_tokens: int | None = None,
    model: str | None = None,
    temperature: float | None = None,
    timeout: float = 300,
    on_chunk: Callable[[str], object] | None = None,
    **options: Unpack[SyncOptions],
) -> Generator[str, None, None]:
    """Streams the text of a reply. Arguments as for `stream_panels`.

    on_chunk: is called with each piece of text before it is handed on; when it returns False the stream ends.
    Raises APIError or StreamingError, whose `content` is the text so far, when the reply does not come whole.
    """
    asks, exchange = begin_exchange(
        (provider, prompt, api_key, system_instruction, file_like, filename, config, max_tokens, model, temperature),
        timeout,
        None,
        options,
    )
    return start_text(asks, exchange, options.get("http_client"), on_chunk)


def query(
    provider: str,
    prompt: str,
    api_key: str | None = None,
    system_instruction: str | None = None,
    file_like: FileLike | None = None,
    filename: str | None = None,
    config: ProviderConfig | None = None,
    max_tokens: int | None = None,
    model: str | None = None,
    temperature: float | None = None,
    timeout: float = 300,
    **options: Unpack[SyncOptions],
) -> LLMResponse:
    """Returns a whole reply. Arguments as for `stream_panels`.

    Raises APIError or StreamingError, whose `content` is the text so far, when the reply does not come whole.
    """
    asks, exchange = begin_exchange(
        (provider, prompt, api_key, system_instruction, file_like, filename, config, max_tokens, model, temperature),
        timeout,
        None,
        options,
    )
    return start_query(asks, exchange, options.get("http_client"))


def astream_panels(
    provider: str,
    prompt: str,
    api_key: str | None = None,
    system_instruction: str | None = None,
    file_like: FileLike | None = None,
    filename: str | None = None,
    config: ProviderConfig | None = None,
    max_tokens: int | None = None,
    model: str | None = None,
    temperature: float | None = None,
    timeout: float = 300,
    panel_id: str | None = None,
    **options: Unpack[AsyncOptions],
) -> AsyncGenerator[PanelEvent, None]:
    """`stream_panels` for asyncio. Cancelling the task closes the connection."""
    asks, exchange = begin_exchange(
        (provider, prompt, api_key, system_instruction, file_like, filename, config, max_tokens, model, temperature),
        timeout,
        panel_id,
        options,
    )
    return start_async_panels(asks, exchange, options.get("http_client"))


def astream(
    provider: str,
    prompt: str,
    api_key: str | None = None,
    system_instruction: str | None = None,
    file_like: FileLike | None = None,
    filename: str | None = None,
    config: ProviderConfig | None = None,
    max_tokens: int | None = None,
    model: str | None = None,
    temperature: float | None = None,
    timeout: float = 300,
    on_chunk: Callable[[str], object] | None = None,
    **options: Unpack[AsyncOptions],
) -> AsyncGenerator[str, None]:
    """`stream` for asyncio. Cancelling the task closes the connection."""
    asks, exchange = begin_exchange(
        (provider, prompt, api_key, system_instruction, file_like, filename, config, max_tokens, model, temperature),
        timeout,
        None,
        options,
    )
    return start_async_text(asks, exchange, options.get("http_client"), on_chunk)


def aquery(
    provider: str,
    prompt: str,
    api_key: str | None = None,
    system_instruction: str | None = None,
    file_like: FileLike | None = None,
    filename: str | None = None,
    config: ProviderConfig | None = None,
    max_tokens: int | None = None,
    model: str | None = None,
    temperature: float | None = None,
    timeout: float = 300,
    **options: Unpack[AsyncOptions],
) -> Coroutine[Any, Any, LLMResponse]:
    """`query` for asyncio, to be awaited; the arguments are checked at the call all the same."""
    asks, exchange = begin_exchange(
        (provider, prompt, api_key, system_instruction, file_like, filename, config, max_tokens, model, temperature),
        timeout,
        None,
        options,
    )
    return start_async_query(asks, exchange, options.get("http_client"))


def begin_exchange(
    arguments: _arguments.Arguments,
    timeout: float,
    panel_id: str | None,
    options: Options,
    readings: _arguments.Readings | None = None,
) -> tuple[list[Question], Exchange]:
    """The question for each route, and the exchange that asks it; nothing is sent yet."""
    unknown = options.keys() - SyncOptions.__annotations__.keys() - Options.__annotations__.keys()
    if unknown:
        raise TypeError(f"there is no argument {quoted(min(unknown))}")
    if panel_id is not None and (not isinstance(panel_id, str) or not panel_id):
        raise ConfigurationError(f"panel_id must be a string, and not empty, or left out: {quoted(panel_id)}")
    asks = _arguments.read_questions(arguments, options, readings)
    id = token_hex(4) if panel_id is None else panel_id
    exchange = Exchange(
        asks[0],
        fallbacks=asks[1:],
        panel_id=id,
        clocks=_arguments.read_wait_limits(timeout, options),
        rules=_arguments.read_retry_rules(options),
        clock=monotonic,
        random=random,
        price=cost.price_in_dollars,
        observers=observers.observers_for(asks[0], id, _arguments.check_callback("on_end", options.get("on_end"))),
        tool_deltas=bool(options.get("tool_deltas", False)),
    )
    return asks, exchange


def begin_exchange_by_name(
    panel_id: str | None, settings: Mapping[str, Any], readings: _arguments.Readings | None = None
) -> tuple[list[Question], Exchange]:
    """`begin` of arguments that are all in one dict, `provider` and `prompt` among them."""
    options = dict(settings)
    arguments = tuple(options.pop(name, None) for name in _ARGUMENTS)
    timeout = options.pop("timeout", 300)
    return begin_exchange(cast(Any, arguments), timeout, panel_id, cast(Options, options), readings)


_ARGUMENTS = (
    *("provider", "prompt", "api_key", "system_instruction", "file_like", "filename"),
    *("config", "max_tokens", "model", "temperature"),
)


# --- what comes of an exchange that was begun ---


def start_panels(
    asks: list[Question], exchange: Exchange, client: httpx2.Client | None
) -> Generator[PanelEvent, None, None]:
    """Its events."""
    from .reply import shells

    return shells.run_exchange(exchange, _transports(asks, client), shells.panel_events)


def start_text(
    asks: list[Question], exchange: Exchange, client: httpx2.Client | None, on_chunk: Callable[[str], object] | None
) -> Generator[str, None, None]:
    """Its text."""
    from .reply import shells

    return shells.run_exchange(
        exchange, _transports(asks, client), shells.text_chunks(_arguments.check_callback("on_chunk", on_chunk))
    )


def start_query(asks: list[Question], exchange: Exchange, client: httpx2.Client | None) -> LLMResponse:
    """The whole reply."""
    from .reply import shells

    return shells.whole_reply(start_panels(asks, exchange, client))


def start_async_panels(
    asks: list[Question], exchange: Exchange, client: httpx2.AsyncClient | None
) -> AsyncGenerator[PanelEvent, None]:
    """Its events, for asyncio."""
    from .reply import shells

    return shells.async_run_exchange(exchange, _async_transports(asks, client), shells.panel_events)


def start_async_text(
    asks: list[Question],
    exchange: Exchange,
    client: httpx2.AsyncClient | None,
    on_chunk: Callable[[str], object] | None,
) -> AsyncGenerator[str, None]:
    """Its text, for asyncio."""
    from .reply import shells

    show = shells.text_chunks(_arguments.check_callback("on_chunk", on_chunk))
    return shells.async_run_exchange(exchange, _async_transports(asks, client), show)


def start_async_query(
    asks: list[Question], exchange: Exchange, client: httpx2.AsyncClient | None
) -> Coroutine[Any, Any, LLMResponse]:
    """The whole reply, for asyncio."""
    from .reply import shells

    return shells.async_whole_reply(start_async_panels(asks, exchange, client))


def _transports(asks: list[Question], client: httpx2.Client | None) -> list[Transport]:
    return [_transport_for(ask, client) for ask in asks]


def _transport_for(ask: Question, client: httpx2.Client | None) -> Transport:
    if isinstance(ask.config, LocalConfig):
        from .local import engine

        return engine.local_transport(Path(ask.base_url), ask.config.context_tokens, ask.config.threads)
    from .http.pools import transport_for_client

    return transport_for_client(client)


def _async_transports(asks: list[Question], client: httpx2.AsyncClient | None) -> list[AsyncTransport]:
    return [_async_transport_for(ask, client) for ask in asks]


def _async_transport_for(ask: Question, client: httpx2.AsyncClient | None) -> AsyncTransport:
    if isinstance(ask.config, LocalConfig):
        from .local import engine

        return engine.async_local_transport(Path(ask.base_url), ask.config.context_tokens, ask.config.threads)
    from .http.pools import async_transport_for_client

    return async_transport_for_client(client)
