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

from . import _cost, _observers, _question
from ._exchange import Exchange
from ._question import Options
from .config import LocalConfig, ProviderConfig
from .errors import ConfigurationError, quoted
from .events import PanelEvent
from .response import LLMResponse

if TYPE_CHECKING:
    import httpx2

    from ._ask import Ask
    from ._files import FileLike
    from ._transport import AsyncTransport, Transport


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
    asks, exchange = begin(
        (provider, prompt, api_key, system_instruction, file_like, filename, config, max_tokens, model, temperature),
        timeout,
        panel_id,
        options,
    )
    return panels(asks, exchange, options.get("http_client"))


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
    asks, exchange = begin(
        (provider, prompt, api_key, system_instruction, file_like, filename, config, max_tokens, model, temperature),
        timeout,
        None,
        options,
    )
    return texts(asks, exchange, options.get("http_client"), on_chunk)


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
    asks, exchange = begin(
        (provider, prompt, api_key, system_instruction, file_like, filename, config, max_tokens, model, temperature),
        timeout,
        None,
        options,
    )
    return whole(asks, exchange, options.get("http_client"))


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
    asks, exchange = begin(
        (provider, prompt, api_key, system_instruction, file_like, filename, config, max_tokens, model, temperature),
        timeout,
        panel_id,
        options,
    )
    return async_panels(asks, exchange, options.get("http_client"))


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
    asks, exchange = begin(
        (provider, prompt, api_key, system_instruction, file_like, filename, config, max_tokens, model, temperature),
        timeout,
        None,
        options,
    )
    return async_texts(asks, exchange, options.get("http_client"), on_chunk)


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
    asks, exchange = begin(
        (provider, prompt, api_key, system_instruction, file_like, filename, config, max_tokens, model, temperature),
        timeout,
        None,
        options,
    )
    return async_whole(asks, exchange, options.get("http_client"))


def begin(
    arguments: _question.Arguments,
    timeout: float,
    panel_id: str | None,
    options: Options,
    readings: _question.Readings | None = None,
) -> tuple[list[Ask], Exchange]:
    """The question for each route, and the exchange that asks it; nothing is sent yet."""
    unknown = options.keys() - SyncOptions.__annotations__.keys() - Options.__annotations__.keys()
    if unknown:
        raise TypeError(f"there is no argument {quoted(min(unknown))}")
    if panel_id is not None and (not isinstance(panel_id, str) or not panel_id):
        raise ConfigurationError(f"panel_id must be a string, and not empty, or left out: {quoted(panel_id)}")
    asks = _question.asks(arguments, options, readings)
    id = token_hex(4) if panel_id is None else panel_id
    exchange = Exchange(
        asks[0],
        fallbacks=asks[1:],
        panel_id=id,
        clocks=_question.clocks(timeout, options),
        rules=_question.rules(options),
        clock=monotonic,
        random=random,
        price=_cost.price,
        observers=_observers.of(asks[0], id, _question.callback("on_end", options.get("on_end"))),
        tool_deltas=bool(options.get("tool_deltas", False)),
    )
    return asks, exchange


def begin_by_name(
    panel_id: str | None, settings: Mapping[str, Any], readings: _question.Readings | None = None
) -> tuple[list[Ask], Exchange]:
    """`begin` of arguments that are all in one dict, `provider` and `prompt` among them."""
    options = dict(settings)
    arguments = tuple(options.pop(name, None) for name in _ARGUMENTS)
    timeout = options.pop("timeout", 300)
    return begin(cast(Any, arguments), timeout, panel_id, cast(Options, options), readings)


_ARGUMENTS = (
    *("provider", "prompt", "api_key", "system_instruction", "file_like", "filename"),
    *("config", "max_tokens", "model", "temperature"),
)


# --- what comes of an exchange that was begun ---


def panels(asks: list[Ask], exchange: Exchange, client: httpx2.Client | None) -> Generator[PanelEvent, None, None]:
    """Its events."""
    from . import _stream

    return _stream.run(exchange, _transports(asks, client), _stream.panels)


def texts(
    asks: list[Ask], exchange: Exchange, client: httpx2.Client | None, on_chunk: Callable[[str], object] | None
) -> Generator[str, None, None]:
    """Its text."""
    from . import _stream

    return _stream.run(exchange, _transports(asks, client), _stream.texts(_question.callback("on_chunk", on_chunk)))


def whole(asks: list[Ask], exchange: Exchange, client: httpx2.Client | None) -> LLMResponse:
    """The whole reply."""
    from . import _stream

    return _stream.whole(panels(asks, exchange, client))


def async_panels(
    asks: list[Ask], exchange: Exchange, client: httpx2.AsyncClient | None
) -> AsyncGenerator[PanelEvent, None]:
    """Its events, for asyncio."""
    from . import _stream

    return _stream.async_run(exchange, _async_transports(asks, client), _stream.panels)


def async_texts(
    asks: list[Ask], exchange: Exchange, client: httpx2.AsyncClient | None, on_chunk: Callable[[str], object] | None
) -> AsyncGenerator[str, None]:
    """Its text, for asyncio."""
    from . import _stream

    show = _stream.texts(_question.callback("on_chunk", on_chunk))
    return _stream.async_run(exchange, _async_transports(asks, client), show)


def async_whole(
    asks: list[Ask], exchange: Exchange, client: httpx2.AsyncClient | None
) -> Coroutine[Any, Any, LLMResponse]:
    """The whole reply, for asyncio."""
    from . import _stream

    return _stream.async_whole(async_panels(asks, exchange, client))


def _transports(asks: list[Ask], client: httpx2.Client | None) -> list[Transport]:
    return [_transport(ask, client) for ask in asks]


def _transport(ask: Ask, client: httpx2.Client | None) -> Transport:
    if isinstance(ask.config, LocalConfig):
        from .local import engine

        return engine.transport(Path(ask.base_url), ask.config.context_tokens, ask.config.threads)
    from ._http import transport

    return transport(client)


def _async_transports(asks: list[Ask], client: httpx2.AsyncClient | None) -> list[AsyncTransport]:
    return [_async_transport(ask, client) for ask in asks]


def _async_transport(ask: Ask, client: httpx2.AsyncClient | None) -> AsyncTransport:
    if isinstance(ask.config, LocalConfig):
        from .local import engine

        return engine.async_transport(Path(ask.base_url), ask.config.context_tokens, ask.config.threads)
    from ._http import async_transport

    return async_transport(client)
