"""One call of a function: its arguments become an `Exchange`, and an I/O shell runs it.

The six functions, `Conversation` and `stream_many` share this. Importing it costs little: the HTTP library and asyncio
are imported with the first call, because a program that only checks its arguments needs neither.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from os import urandom
from pathlib import Path
from random import random
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from . import _arguments
from ._input_cache import InputCache
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
    from .reply.budget import Budget, BudgetMeter
    from .reply.progress import WatchedExchange


def begin_exchange(
    arguments: Arguments,
    timeout: float,
    panel_id: str | None,
    options: Options,
    readings: InputCache | None = None,
    shared_budgets: Sequence[Budget] = (),
) -> tuple[list[Question], Exchange]:
    """Return the question for the provider and for each fallback, and the exchange that asks it. Send nothing yet.

    Args:
        arguments: The first arguments of the call.
        timeout: Maximum seconds of a silence.
        panel_id: The id of the panel; None for a random one.
        options: The keyword options. Their `max_cost` and `max_total_tokens` are a budget of this call alone.
        readings: What was read for other panels of the call.
        shared_budgets: More budgets, which other calls share. See `read_budget`.

    Raises:
        TypeError: There is no such option.
        ConfigurationError, AuthenticationError, FileError: An argument is wrong.
    """
    check_option_names(options, arguments.provider, SyncOptions.__annotations__.keys())
    if panel_id is not None and (not isinstance(panel_id, str) or not panel_id):
        raise ConfigurationError(f"panel_id must be a string, and not empty, or left out: {quoted(panel_id)}")
    readings = readings or InputCache()
    questions = _arguments.read_questions(arguments, options, readings)
    id = urandom(4).hex() if panel_id is None else panel_id
    on_end = _arguments.check_callback("on_end", options.get("on_end"))
    kind = Exchange
    if options.get("progress", False):
        from .reply.progress import WatchedExchange

        kind = WatchedExchange
        questions = [replace(question, reports_progress=True) for question in questions]
    typed = None
    if (format := readings.output_format(options)) is not None:
        from .reply.typed_panel import TypedPanel

        typed = TypedPanel(format, id)
    exchange = kind(
        questions[0],
        fallbacks=questions[1:],
        panel_id=id,
        limits=_arguments.read_wait_limits(timeout, options),
        rules=_arguments.read_retry_rules(options),
        now=monotonic,
        random=random,
        price=cost.price_in_dollars,
        observers=observers.observers_for(questions[0], id, on_end),
        meter=_meter_for(questions, options, shared_budgets),
        tool_deltas=bool(options.get("tool_deltas", False)),
        part_deltas=bool(options.get("part_deltas", False)),
        typed=typed,
    )
    return questions, exchange


def read_budget(options: Mapping[str, Any]) -> Budget | None:
    """Return the budget that the options `max_cost` and `max_total_tokens` set; None if they set none.

    Pass it to `begin_exchange` of several calls that share it, without these options.

    Raises:
        ConfigurationError: A limit is wrong.
    """
    limits = _arguments.read_budget_limits(options)
    if limits == (None, None):
        return None
    from .reply.budget import Budget

    return Budget(*limits)


def _meter_for(questions: list[Question], options: Options, shared_budgets: Sequence[Budget]) -> BudgetMeter | None:
    """Return what measures the panel's use of its budgets; None without one.

    Raises:
        ConfigurationError: A limit is wrong, or a price is unknown.
    """
    own = read_budget(options)
    budgets = [budget for budget in (own, *shared_budgets) if budget is not None]
    if not budgets:
        return None
    from .reply.budget import BudgetMeter

    if any(budget.max_cost is not None for budget in budgets):
        for number, question in enumerate(questions):
            if cost.price_in_dollars(question.provider, question.model, cost.NO_TOKENS) is None:
                where = f"fallbacks[{number - 1}]: " if number else ""
                cure = "use max_total_tokens" if cost.has_price_list() else "pip install 'msgmodel[cost]'"
                raise ConfigurationError(
                    f"{where}max_cost needs the price of {quoted(question.model)} at {question.provider}, which is "
                    f"unknown: {cure}"
                )
    return BudgetMeter(budgets, cost.price_in_dollars)


def check_option_names(options: Mapping[str, Any], provider: object, known: Iterable[str]) -> None:
    """Raise TypeError for an option that does not exist, and say what to use instead."""
    unknown = options.keys() - set(known)
    if unknown:
        from ._argument_hints import unknown_argument

        names = {*known, *(field.name for field in fields(Arguments)), "timeout", "panel_id"}
        raise TypeError(unknown_argument(min(unknown), provider, names))


def begin_exchange_by_name(
    panel_id: str | None,
    settings: Mapping[str, Any],
    readings: InputCache | None = None,
    shared_budgets: Sequence[Budget] = (),
) -> tuple[list[Question], Exchange]:
    """Do the same as `begin_exchange` with all arguments and options in one dict."""
    options = dict(settings)
    arguments = Arguments(**{field.name: options.pop(field.name, None) for field in fields(Arguments)})
    timeout = options.pop("timeout", 300)
    return begin_exchange(arguments, timeout, panel_id, cast(Options, options), readings, shared_budgets)


# --- run an exchange, in both colors ---


def start_panels(
    questions: list[Question], exchange: Exchange, client: httpx2.Client | None
) -> Generator[PanelEvent, None, None]:
    """Return the events of the exchange."""
    events = _run_panel(questions, exchange, client)
    if type(exchange) is Exchange:
        return events
    from . import _progress_streams

    return _progress_streams.stream_with_progress(events, cast("WatchedExchange", exchange))


def _run_panel(
    questions: list[Question], exchange: Exchange, client: httpx2.Client | None
) -> Generator[PanelEvent, None, None]:
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

    return shells.complete_reply(_run_panel(questions, exchange, client), exchange.convert_object)


def start_async_panels(
    questions: list[Question], exchange: Exchange, client: httpx2.AsyncClient | None
) -> AsyncGenerator[PanelEvent, None]:
    """Return the events of the exchange, for asyncio."""
    events = _async_run_panel(questions, exchange, client)
    if type(exchange) is Exchange:
        return events
    from . import _progress_streams

    return _progress_streams.async_stream_with_progress(events, cast("WatchedExchange", exchange))


def _async_run_panel(
    questions: list[Question], exchange: Exchange, client: httpx2.AsyncClient | None
) -> AsyncGenerator[PanelEvent, None]:
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


def cancellable_panels(
    exchange: Exchange, events: AsyncGenerator[PanelEvent, None]
) -> AsyncGenerator[PanelEvent, None]:
    """Return the events of the exchange, with the terminal one also after a wait by hand that was cancelled."""
    from .reply import cancelled_stream, shells

    return cancelled_stream.CancellableStream(events, exchange, shells.panel_events)


def cancellable_text(exchange: Exchange, text: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
    """Return the text of the exchange, which raises an error also after a wait by hand that was cancelled."""
    from .reply import cancelled_stream, shells

    return cancelled_stream.CancellableStream(text, exchange, shells.text_chunks(None))


def start_async_query(
    questions: list[Question], exchange: Exchange, client: httpx2.AsyncClient | None
) -> Coroutine[Any, Any, LLMResponse]:
    """Return a coroutine that runs the exchange and returns the complete reply."""
    from .reply import shells

    return shells.async_complete_reply(_async_run_panel(questions, exchange, client), exchange.convert_object)


def _blocking_transports(questions: list[Question], client: httpx2.Client | None) -> list[Transport]:
    return [_transport_for(question, client) for question in questions]


def _transport_for(question: Question, client: httpx2.Client | None) -> Transport:
    if isinstance(question.config, LocalConfig):
        from .local import engine

        config = question.config
        return engine.local_transport(Path(question.base_url), config.context_tokens, config.threads)
    from .http.pools import transport_for_client

    transport = transport_for_client(client)
    if question.key_source is None:
        return transport
    if question.key_source.is_async:
        raise ConfigurationError("api_key is a coroutine function, which only the async functions can call: use aquery")
    from .http.keyed_transport import KeyedTransport

    return KeyedTransport(transport, question.key_source)


def _async_transports(questions: list[Question], client: httpx2.AsyncClient | None) -> list[AsyncTransport]:
    return [_async_transport_for(question, client) for question in questions]


def _async_transport_for(question: Question, client: httpx2.AsyncClient | None) -> AsyncTransport:
    if isinstance(question.config, LocalConfig):
        from .local import engine

        config = question.config
        return engine.async_local_transport(Path(question.base_url), config.context_tokens, config.threads)
    from .http.pools import async_transport_for_client

    transport = async_transport_for_client(client)
    if question.key_source is None:
        return transport
    from .http.keyed_transport import AsyncKeyedTransport

    return AsyncKeyedTransport(transport, question.key_source)
