"""One call of a function: its arguments become an `Exchange`, and an I/O shell runs it.

The six functions, `Conversation` and `stream_many` share this. Importing it costs little: the HTTP library and asyncio
are imported with the first call, because a program that only checks its arguments needs neither.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping
from dataclasses import fields
from pathlib import Path
from random import random
from secrets import token_hex
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from . import _arguments
from ._options import Arguments, Options, SyncOptions
from .errors import ConfigurationError, quoted
from .events import PanelEvent
from .question.config import LocalConfig
from .reply import cost, observers
from .reply.exchange import Exchange
from .response import LLMResponse

if TYPE_CHECKING:
    import httpx2

    from .question.question import Question
    from .question.transport import AsyncTransport, Transport


def begin_exchange(
    arguments: Arguments,
    timeout: float,
    panel_id: str | None,
    options: Options,
    readings: _arguments.InputCache | None = None,
) -> tuple[list[Question], Exchange]:
    """Return the question for the provider and for each fallback, and the exchange that asks it. Send nothing yet.

    Raises:
        TypeError: There is no such option.
        ConfigurationError, AuthenticationError, FileError: An argument is wrong.
    """
    unknown = options.keys() - SyncOptions.__annotations__.keys() - Options.__annotations__.keys()
    if unknown:
        raise TypeError(f"there is no argument {quoted(min(unknown))}")
    if panel_id is not None and (not isinstance(panel_id, str) or not panel_id):
        raise ConfigurationError(f"panel_id must be a string, and not empty, or left out: {quoted(panel_id)}")
    questions = _arguments.read_questions(arguments, options, readings)
    id = token_hex(4) if panel_id is None else panel_id
    on_end = _arguments.check_callback("on_end", options.get("on_end"))
    exchange = Exchange(
        questions[0],
        fallbacks=questions[1:],
        panel_id=id,
        clocks=_arguments.read_wait_limits(timeout, options),
        rules=_arguments.read_retry_rules(options),
        clock=monotonic,
        random=random,
        price=cost.price_in_dollars,
        observers=observers.observers_for(questions[0], id, on_end),
        tool_deltas=bool(options.get("tool_deltas", False)),
    )
    return questions, exchange


def begin_exchange_by_name(
    panel_id: str | None, settings: Mapping[str, Any], readings: _arguments.InputCache | None = None
) -> tuple[list[Question], Exchange]:
    """Do the same as `begin_exchange` with all arguments and options in one dict."""
    options = dict(settings)
    arguments = Arguments(**{field.name: options.pop(field.name, None) for field in fields(Arguments)})
    timeout = options.pop("timeout", 300)
    return begin_exchange(arguments, timeout, panel_id, cast(Options, options), readings)


# --- run an exchange, in both colors ---


def start_panels(
    questions: list[Question], exchange: Exchange, client: httpx2.Client | None
) -> Generator[PanelEvent, None, None]:
    """Return the events of the exchange."""
    from .reply import shells

    return shells.run_exchange(exchange, _blocking_transports(questions, client), shells.panel_events)


def start_text(
    questions: list[Question],
    exchange: Exchange,
    client: httpx2.Client | None,
    on_chunk: Callable[[str], object] | None,
) -> Generator[str, None, None]:
    """Return the text of the exchange in pieces."""
    from .reply import shells

    show = shells.text_chunks(_arguments.check_callback("on_chunk", on_chunk))
    return shells.run_exchange(exchange, _blocking_transports(questions, client), show)


def start_query(questions: list[Question], exchange: Exchange, client: httpx2.Client | None) -> LLMResponse:
    """Run the exchange and return the complete reply."""
    from .reply import shells

    return shells.whole_reply(start_panels(questions, exchange, client))


def start_async_panels(
    questions: list[Question], exchange: Exchange, client: httpx2.AsyncClient | None
) -> AsyncGenerator[PanelEvent, None]:
    """Return the events of the exchange, for asyncio."""
    from .reply import shells

    return shells.async_run_exchange(exchange, _async_transports(questions, client), shells.panel_events)


def start_async_text(
    questions: list[Question],
    exchange: Exchange,
    client: httpx2.AsyncClient | None,
    on_chunk: Callable[[str], object] | None,
) -> AsyncGenerator[str, None]:
    """Return the text of the exchange in pieces, for asyncio."""
    from .reply import shells

    show = shells.text_chunks(_arguments.check_callback("on_chunk", on_chunk))
    return shells.async_run_exchange(exchange, _async_transports(questions, client), show)


def start_async_query(
    questions: list[Question], exchange: Exchange, client: httpx2.AsyncClient | None
) -> Coroutine[Any, Any, LLMResponse]:
    """Return a coroutine that runs the exchange and returns the complete reply."""
    from .reply import shells

    return shells.async_whole_reply(start_async_panels(questions, exchange, client))


def _blocking_transports(questions: list[Question], client: httpx2.Client | None) -> list[Transport]:
    return [_transport_for(question, client) for question in questions]


def _transport_for(question: Question, client: httpx2.Client | None) -> Transport:
    if isinstance(question.config, LocalConfig):
        from .local import engine

        config = question.config
        return engine.local_transport(Path(question.base_url), config.context_tokens, config.threads)
    from .http.pools import transport_for_client

    return transport_for_client(client)


def _async_transports(questions: list[Question], client: httpx2.AsyncClient | None) -> list[AsyncTransport]:
    return [_async_transport_for(question, client) for question in questions]


def _async_transport_for(question: Question, client: httpx2.AsyncClient | None) -> AsyncTransport:
    if isinstance(question.config, LocalConfig):
        from .local import engine

        config = question.config
        return engine.async_local_transport(Path(question.base_url), config.context_tokens, config.threads)
    from .http.pools import async_transport_for_client

    return async_transport_for_client(client)
