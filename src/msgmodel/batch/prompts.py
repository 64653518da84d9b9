"""`map_prompts`: many questions to one provider, a few at a time, and all results in order."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, TypeAlias, Unpack

from .. import _arguments, _calls
from .._input_cache import InputCache
from .._options import AsyncSettings
from ..errors import ConfigurationError, MsgModelError, ReplyError
from ..response import LLMResponse
from .loop_thread import LoopThread
from .progress_bar import open_progress_bar
from .prompts_on_loop import PromptCall, PromptsOnLoop

PromptResult: TypeAlias = LLMResponse | ReplyError
"""A reply, or the error that ended it, whose `content` is the text so far."""
PromptLike: TypeAlias = str | Mapping[str, Any]
"""A prompt, or a dict with `prompt` and any keyword of `query` for this prompt alone, also `provider`."""

MAX_CONCURRENCY = 1_000
_OF_ONE_PROVIDER = ("api_key", "config", "model")
"""Settings that a prompt to another provider does not take from the call."""
_OF_ONE_PROMPT = ("file_like", "files", "messages")
"""Arguments that are read for one prompt, and kept for its retries."""


class PromptsInterrupted(KeyboardInterrupt):
    """Ctrl-C ended `map_prompts`.

    Attributes:
        results: The results in the order of the prompts. Those that had not ended are errors with the code `cancelled`
            and the text so far.
    """

    def __init__(self, results: list[PromptResult]) -> None:
        done = sum(isinstance(result, LLMResponse) for result in results)
        super().__init__(f"{done} of {len(results)} prompts were answered: see `results`")
        self.results = results


def map_prompts(  # type: ignore[misc]  # `progress` of the call takes the place of the option, which needs a reader
    prompts: Iterable[PromptLike],
    provider: str | None = None,
    *,
    concurrency: int = 20,
    progress: bool | None = None,
    on_result: Callable[[int, PromptResult], object] | None = None,
    **settings: Unpack[AsyncSettings],
) -> list[PromptResult]:
    """Ask many questions, a few at a time, and return all results in their order. No failure ends the others.

    A reply that fails in a way that may pass is asked for again from the start, `max_retries` times. If the provider
    asks one request to wait, all wait, and fewer are asked at a time for a while.

    Args:
        prompts: The prompts: strings, or dicts with `prompt` and any keyword of `query` for this prompt alone.
        provider: The name or short name of the provider. It may be left out if each prompt names its own.
        concurrency: Maximum requests at a time.
        progress: Whether to show a progress bar on standard error. Default: if that is a terminal.
        on_result: Called with the number of a prompt, from 0, and its result, as soon as there is one.
        **settings: Any keyword of `query` for all prompts. `max_cost` and `max_total_tokens` hold for all together.

    Returns:
        For each prompt its `LLMResponse`, or the `ReplyError` that ended it.

    Raises:
        ConfigurationError, FileError: An argument is wrong; the message names the prompt. Raised before any request.
        AuthenticationError: There is no usable key. Raised before any request.
        PromptsInterrupted: Ctrl-C was pressed. It is a KeyboardInterrupt that holds the results so far.
    """
    if "http_client" in settings:
        raise ConfigurationError("map_prompts makes its own connections: use amap_prompts to pass an http_client")
    running = _prepare_prompts(prompts, provider, concurrency, on_result, settings)
    loop = LoopThread(running)
    bar = open_progress_bar(progress, len(running.calls))
    try:
        loop.start()
        while ended := loop.next_events():
            _report(running, ended, bar.show, on_result)
    except KeyboardInterrupt:
        loop.close()
        raise PromptsInterrupted(running.results_so_far()) from None
    finally:
        loop.close()
        bar.close()
    if loop.fault is not None:
        raise loop.fault
    return running.results_so_far()


def amap_prompts(  # type: ignore[misc]  # as above
    prompts: Iterable[PromptLike],
    provider: str | None = None,
    *,
    concurrency: int = 20,
    progress: bool | None = None,
    on_result: Callable[[int, PromptResult], object] | None = None,
    **settings: Unpack[AsyncSettings],
) -> Coroutine[Any, Any, list[PromptResult]]:
    """Ask many questions on the running event loop: `map_prompts` for asyncio.

    Canceling the task closes all connections; `on_result` has seen the results until then.

    Args:
        prompts: The prompts: strings, or dicts with `prompt` and any keyword of `aquery` for this prompt alone.
        provider: The name or short name of the provider. It may be left out if each prompt names its own.
        concurrency: Maximum requests at a time.
        progress: Whether to show a progress bar on standard error. Default: if that is a terminal.
        on_result: Called with the number of a prompt, from 0, and its result, as soon as there is one.
        **settings: Any keyword of `aquery` for all prompts. `max_cost` and `max_total_tokens` hold for all together.

    Returns:
        A coroutine that returns for each prompt its `LLMResponse`, or the `ReplyError` that ended it.

    Raises:
        ConfigurationError, FileError: An argument is wrong; the message names the prompt. Raised before any request.
        AuthenticationError: There is no usable key. Raised before any request.
    """
    running = _prepare_prompts(prompts, provider, concurrency, on_result, settings)
    return _run_prompts(running, progress, on_result)


async def _run_prompts(
    running: PromptsOnLoop, progress: bool | None, on_result: Callable[[int, PromptResult], object] | None
) -> list[PromptResult]:
    bar = open_progress_bar(progress, len(running.calls))
    try:
        while ended := await running.next_events():
            _report(running, ended, bar.show, on_result)
    finally:
        await running.aclose()
        bar.close()
    return running.results_so_far()


def _report(
    running: PromptsOnLoop,
    ended: list[int],
    show: Callable[[PromptsOnLoop], None],
    on_result: Callable[[int, PromptResult], object] | None,
) -> None:
    show(running)
    for number in ended:
        result = running.results[number]
        if on_result is not None and result is not None:
            on_result(number, result)


def _prepare_prompts(
    prompts: Iterable[PromptLike],
    provider: str | None,
    concurrency: int,
    on_result: Callable[[int, PromptResult], object] | None,
    settings: Mapping[str, Any],
) -> PromptsOnLoop:
    """Check all arguments. An error names the prompt by its number."""
    if isinstance(prompts, (str, bytes, Mapping)) or not isinstance(prompts, Iterable):
        raise ConfigurationError('prompts must be a list of prompts, such as ["Translate: cat", "Translate: dog"]')
    if not isinstance(concurrency, int) or isinstance(concurrency, bool) or not 1 <= concurrency <= MAX_CONCURRENCY:
        raise ConfigurationError(f"concurrency must be a whole number from 1 to {MAX_CONCURRENCY}")
    _arguments.check_callback("on_result", on_result)
    common: dict[str, Any] = dict(settings)
    budget = _calls.read_budget({name: common.pop(name, None) for name in ("max_cost", "max_total_tokens")})
    readings = InputCache()
    calls = []
    for number, prompt in enumerate(prompts):
        try:
            calls.append(_read_prompt(prompt, provider, common, readings))
            if number == 0 or not isinstance(prompt, str):  # another string is checked already
                calls[-1].begin(() if budget is None else (budget,))
        except TypeError as error:
            raise TypeError(f"prompts[{number}]: {error}") from None
        except MsgModelError as error:
            raise type(error)(f"prompts[{number}]: {error.message}") from None
    return PromptsOnLoop(calls, concurrency, budget)


def _read_prompt(
    prompt: PromptLike, provider: str | None, common: Mapping[str, Any], readings: InputCache
) -> PromptCall:
    if isinstance(prompt, str):
        if not prompt.strip() and "file_like" not in common and not common.get("files"):
            raise ConfigurationError("the prompt is empty")
        own: Mapping[str, Any] = {"prompt": prompt}
    elif isinstance(prompt, Mapping):
        own = {"prompt": "", **prompt}
    else:
        raise ConfigurationError(f"must be a string or a dict with prompt, not {type(prompt).__name__}")
    name = own.get("provider", provider)
    if name is None:
        raise ConfigurationError("names no provider: pass provider= to the call, or with each prompt")
    if name != provider:
        common = {key: value for key, value in common.items() if key not in _OF_ONE_PROVIDER}
    if not own.keys().isdisjoint(_OF_ONE_PROMPT):
        readings = InputCache()
    return PromptCall({**common, **own, "provider": name}, readings)
