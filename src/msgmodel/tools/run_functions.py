"""The functions that start and continue a run of tools. Each checks its arguments at the call and returns an iterator.

The docstrings repeat their parameters, because editors show the docstring of one function only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack

from ..conversation import Conversation
from ..errors import ConfigurationError
from ..question.config import KeyLike, ProviderConfig
from .run_options import OWN_OPTIONS, AsyncRunOptions, SyncRunOptions
from .run_steps import Decisions
from .run_streams import AsyncRunStream, RunStream

if TYPE_CHECKING:
    from ..question.files import FileLike


def run_tools(
    provider: str,
    prompt: str = "",
    api_key: KeyLike | None = None,
    system_instruction: str | None = None,
    file_like: FileLike | None = None,
    filename: str | None = None,
    config: ProviderConfig | None = None,
    max_tokens: int | None = None,
    model: str | None = None,
    temperature: float | None = None,
    timeout: float = 300,
    panel_id: str | None = None,
    **options: Unpack[SyncRunOptions],
) -> RunStream:
    """Ask a model that may call functions, run what it calls, and ask again with the results, until it has answered.

    Args:
        provider: The name or short name of a provider, such as "openai", "gemini" or "o", or both in "openai/gpt-5.5".
        prompt: The user's message. It may be empty if a file or `messages` asks the question.
        api_key: The provider's key, or a function that returns it. Default: as for `stream_panels`.
        system_instruction: The system prompt.
        file_like: An attachment of the first request: an open binary file, bytes or a `pathlib.Path`.
        filename: The name of the attachment, which tells its type. Default: the file's own name.
        config: The provider's config, such as `OpenAIConfig`. Arguments of the call take precedence over it.
        max_tokens: Maximum tokens of each reply. Default: `config.max_tokens`, else the provider's own limit.
        model: The name of the model. Default: `config.model`, else the provider's default model.
        temperature: Sampling temperature, from 0. Default: `config.temperature`, else the provider's own.
        timeout: Maximum seconds until the first text of each reply, and of each silence after it.
        panel_id: The id that every event carries. Default: eight random hexadecimal digits.
        **options: `tools`, the functions; `max_rounds`, `max_calls`, `tool_timeout`, `approve`, `approval`, `journal`
            and `run_id`; and all options of `stream_panels`. `deadline` is for the complete run.

    Returns:
        An iterator over the events of all rounds, of which the terminal event is the last one. `say` adds a message,
        `stop` ends the run, and `spent` is what it has cost.

    Raises:
        ConfigurationError: An argument is wrong, or a function can't be described. Raised at the call.
        AuthenticationError: There is no usable key. Raised at the call.
        FileError: The attachment can't be read, or the provider does not accept it. Raised at the call.
    """
    settings = {
        "api_key": api_key,
        "system_instruction": system_instruction,
        "config": config,
        "max_tokens": max_tokens,
        "model": model,
        "temperature": temperature,
        "timeout": timeout,
        **options,
    }
    question = {"prompt": prompt, "file_like": file_like, "filename": filename, "files": options.get("files", ())}
    return RunStream(_conversation_for_run(provider, settings), question, panel_id, settings, {})


def arun_tools(
    provider: str,
    prompt: str = "",
    api_key: KeyLike | None = None,
    system_instruction: str | None = None,
    file_like: FileLike | None = None,
    filename: str | None = None,
    config: ProviderConfig | None = None,
    max_tokens: int | None = None,
    model: str | None = None,
    temperature: float | None = None,
    timeout: float = 300,
    panel_id: str | None = None,
    **options: Unpack[AsyncRunOptions],
) -> AsyncRunStream:
    """Ask a model that may call functions, for asyncio: `run_tools` as an async iterator.

    Async functions run as tasks of the event loop, plain functions in threads. Tools of `mcp_tools` run here alone.

    Args:
        provider: The name or short name of a provider, such as "openai", "gemini" or "o", or both in "openai/gpt-5.5".
        prompt: The user's message. It may be empty if a file or `messages` asks the question.
        api_key: The provider's key, or a function that returns it. Default: as for `astream_panels`.
        system_instruction: The system prompt.
        file_like: An attachment of the first request: an open binary file, bytes or a `pathlib.Path`.
        filename: The name of the attachment, which tells its type. Default: the file's own name.
        config: The provider's config, such as `OpenAIConfig`. Arguments of the call take precedence over it.
        max_tokens: Maximum tokens of each reply. Default: `config.max_tokens`, else the provider's own limit.
        model: The name of the model. Default: `config.model`, else the provider's default model.
        temperature: Sampling temperature, from 0. Default: `config.temperature`, else the provider's own.
        timeout: Maximum seconds until the first text of each reply, and of each silence after it.
        panel_id: The id that every event carries. Default: eight random hexadecimal digits.
        **options: `tools`, the functions; `max_rounds`, `max_calls`, `tool_timeout`, `approve`, `approval`, `journal`
            and `run_id`; and all options of `astream_panels`. `deadline` is for the complete run.

    Returns:
        An async iterator over the events of all rounds, of which the terminal event is the last one. `say` adds a
        message, `stop` ends the run, and `spent` is what it has cost.

    Raises:
        ConfigurationError: An argument is wrong, or a function can't be described. Raised at the call.
        AuthenticationError: There is no usable key. Raised at the call.
        FileError: The attachment can't be read, or the provider does not accept it. Raised at the call.
    """
    settings = {
        "api_key": api_key,
        "system_instruction": system_instruction,
        "config": config,
        "max_tokens": max_tokens,
        "model": model,
        "temperature": temperature,
        "timeout": timeout,
        **options,
    }
    question = {"prompt": prompt, "file_like": file_like, "filename": filename, "files": options.get("files", ())}
    return AsyncRunStream(_conversation_for_run(provider, settings), question, panel_id, settings, {})


def resume_tools(
    state: Mapping[str, Any],
    decisions: Decisions | None = None,
    api_key: KeyLike | None = None,
    config: ProviderConfig | None = None,
    panel_id: str | None = None,
    **options: Unpack[SyncRunOptions],
) -> RunStream:
    """Continue a run that waits or that broke, also in another process.

    Args:
        state: `run["state"]` of the terminal event. The provider, the model and the turns are in it.
        decisions: What was decided about the calls that wait, by their ids: True, False, the reason for a refusal,
            `{"arguments": {...}}`, or `{"result": ...}` of a call that the application ran. Calls without a decision go
            on waiting.
        api_key: The provider's key, or a function that returns it. Default: as for `stream_panels`.
        config: The provider's config, such as `OpenAIConfig`.
        panel_id: The id that every event carries. Default: the id that the run had.
        **options: The options of `run_tools`, `tools` among them; the state has no functions.

    Returns:
        An iterator over the events from here on. Its `content` is the text from here on.

    Raises:
        ConfigurationError: The state or an argument is wrong, or no call waits for a decision. Raised at the call.
        AuthenticationError: There is no usable key. Raised at the call.
    """
    settings = {"api_key": api_key, "config": config, **options}
    chat = _conversation_of_state(state, settings)
    return RunStream(chat, None, panel_id, settings, {}, state=state, decisions=decisions)


def aresume_tools(
    state: Mapping[str, Any],
    decisions: Decisions | None = None,
    api_key: KeyLike | None = None,
    config: ProviderConfig | None = None,
    panel_id: str | None = None,
    **options: Unpack[AsyncRunOptions],
) -> AsyncRunStream:
    """Continue a run that waits or that broke, for asyncio: `resume_tools` as an async iterator.

    Args:
        state: `run["state"]` of the terminal event. The provider, the model and the turns are in it.
        decisions: What was decided about the calls that wait, by their ids: True, False, the reason for a refusal,
            `{"arguments": {...}}`, or `{"result": ...}` of a call that the application ran. Calls without a decision go
            on waiting.
        api_key: The provider's key, or a function that returns it. Default: as for `astream_panels`.
        config: The provider's config, such as `OpenAIConfig`.
        panel_id: The id that every event carries. Default: the id that the run had.
        **options: The options of `arun_tools`, `tools` among them; the state has no functions.

    Returns:
        An async iterator over the events from here on. Its `content` is the text from here on.

    Raises:
        ConfigurationError: The state or an argument is wrong, or no call waits for a decision. Raised at the call.
        AuthenticationError: There is no usable key. Raised at the call.
    """
    settings = {"api_key": api_key, "config": config, **options}
    chat = _conversation_of_state(state, settings)
    return AsyncRunStream(chat, None, panel_id, settings, {}, state=state, decisions=decisions)


_RUN_ALONE = OWN_OPTIONS | {"tools", "on_end", "deadline", "files"}
"""What the run passes to each request itself."""


def _conversation_for_run(provider: str, settings: Mapping[str, Any]) -> Conversation:
    return Conversation(provider, **{name: value for name, value in settings.items() if name not in _RUN_ALONE})


def _conversation_of_state(state: Mapping[str, Any], settings: Mapping[str, Any]) -> Conversation:
    kept = state.get("conversation") if isinstance(state, Mapping) else None
    if not isinstance(kept, Mapping):
        raise ConfigurationError('state must be run["state"] of a terminal event, read back from JSON')
    if "messages" in settings:
        raise ConfigurationError("messages: the state of the run has its own")
    named = {name: value for name, value in settings.items() if name not in _RUN_ALONE}
    return Conversation.from_mapping(kept, **named)
