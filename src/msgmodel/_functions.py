"""The six functions. Each is a plain function that checks its arguments at the call and returns an iterator or a reply.

The docstrings repeat their parameters, because editors show the docstring of one function only.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping
from typing import TYPE_CHECKING, Any, Literal, Unpack

from . import _calls
from ._options import Arguments, AsyncOptions, AsyncQueryOptions, SyncOptions, SyncQueryOptions
from .events import PanelEvent
from .question.config import KeyLike, ProviderConfig
from .response import LLMResponse

if TYPE_CHECKING:
    from ._options import Wanted
    from .question.files import FileLike


def stream_panels(
    provider: str,
    prompt: str,
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
    **options: Unpack[SyncOptions],
) -> Generator[PanelEvent, None, None]:
    """Stream a reply as panel events: any number of events, then one `panel_final` or `panel_error`.

    What fails after the call is a `panel_error`, not an exception. Closing the iterator, or dropping it, closes the
    connection.

    Args:
        provider: The name or short name of a provider, such as "openai", "gemini" or "o", or both in "openai/gpt-5.5".
        prompt: The user's message. It may be empty if a file or `messages` asks the question.
        api_key: The provider's key, or a function that returns it, called for each attempt. Default: the one in
            `config`, in the environment or in the provider's key file.
        system_instruction: The system prompt.
        file_like: An attachment, sent inline: an open binary file, bytes or a `pathlib.Path`.
        filename: The name of the attachment, which tells its type. Default: the file's own name.
        config: The provider's config, such as `OpenAIConfig`. Arguments of the call take precedence over it.
        max_tokens: Maximum tokens of the reply. Default: `config.max_tokens`, else the provider's own limit.
        model: The name of the model. Default: `config.model`, else the provider's default model.
        temperature: Sampling temperature, from 0. Default: `config.temperature`, else the provider's own.
        timeout: Maximum seconds until the first text, and of each silence after it. A connection may take 10 of them.
        panel_id: The id that every event carries. Default: eight random hexadecimal digits.
        **options: Keyword options such as `messages`, `tools` or `fallbacks`: see `msgmodel.Options`. `http_client`
            is an `httpx2.Client` of your own.

    Returns:
        An iterator over the events, which are plain dicts. See `msgmodel.events`.

    Raises:
        ConfigurationError: An argument is wrong. Raised at the call.
        AuthenticationError: There is no usable key. Raised at the call.
        FileError: The attachment can't be read, or the provider does not accept it. Raised at the call.
    """
    arguments = Arguments(
        provider=provider,
        prompt=prompt,
        api_key=api_key,
        system_instruction=system_instruction,
        file_like=file_like,
        filename=filename,
        config=config,
        max_tokens=max_tokens,
        model=model,
        temperature=temperature,
    )
    questions, exchange = _calls.begin_exchange(arguments, timeout, panel_id, options)
    return _calls.start_panels(questions, exchange, options.get("http_client"))


def stream(
    provider: str,
    prompt: str,
    api_key: KeyLike | None = None,
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
    """Stream the text of a reply.

    Closing the iterator, or dropping it, closes the connection.

    Args:
        provider: The name or short name of a provider, such as "openai", "gemini" or "o", or both in "openai/gpt-5.5".
        prompt: The user's message. It may be empty if a file or `messages` asks the question.
        api_key: The provider's key, or a function that returns it, called for each attempt. Default: the one in
            `config`, in the environment or in the provider's key file.
        system_instruction: The system prompt.
        file_like: An attachment, sent inline: an open binary file, bytes or a `pathlib.Path`.
        filename: The name of the attachment, which tells its type. Default: the file's own name.
        config: The provider's config, such as `OpenAIConfig`. Arguments of the call take precedence over it.
        max_tokens: Maximum tokens of the reply. Default: `config.max_tokens`, else the provider's own limit.
        model: The name of the model. Default: `config.model`, else the provider's default model.
        temperature: Sampling temperature, from 0. Default: `config.temperature`, else the provider's own.
        timeout: Maximum seconds until the first text, and of each silence after it. A connection may take 10 of them.
        on_chunk: Called with each piece of text before it is yielded. If it returns False, the stream ends.
        **options: Keyword options such as `messages`, `tools` or `fallbacks`: see `msgmodel.Options`. `http_client`
            is an `httpx2.Client` of your own.

    Returns:
        An iterator over the pieces of text.

    Raises:
        ConfigurationError: An argument is wrong. Raised at the call.
        AuthenticationError: There is no usable key. Raised at the call.
        FileError: The attachment can't be read, or the provider does not accept it. Raised at the call.
        APIError: The provider reported an error. `content` holds the text so far.
        StreamingError: The stream broke. `content` holds the text so far.
    """
    arguments = Arguments(
        provider=provider,
        prompt=prompt,
        api_key=api_key,
        system_instruction=system_instruction,
        file_like=file_like,
        filename=filename,
        config=config,
        max_tokens=max_tokens,
        model=model,
        temperature=temperature,
    )
    questions, exchange = _calls.begin_exchange(arguments, timeout, None, options)
    return _calls.start_text(questions, exchange, options.get("http_client"), on_chunk)


def query(
    provider: str,
    prompt: str,
    api_key: KeyLike | None = None,
    system_instruction: str | None = None,
    file_like: FileLike | None = None,
    filename: str | None = None,
    config: ProviderConfig | None = None,
    max_tokens: int | None = None,
    model: str | None = None,
    temperature: float | None = None,
    timeout: float = 300,
    *,
    output: type[Wanted] | Mapping[str, Any] | Literal["json"] | None = None,
    **options: Unpack[SyncQueryOptions],
) -> LLMResponse[Wanted]:
    """Return a complete reply.

    Args:
        provider: The name or short name of a provider, such as "openai", "gemini" or "o", or both in "openai/gpt-5.5".
        prompt: The user's message. It may be empty if a file or `messages` asks the question.
        api_key: The provider's key, or a function that returns it, called for each attempt. Default: the one in
            `config`, in the environment or in the provider's key file.
        system_instruction: The system prompt.
        file_like: An attachment, sent inline: an open binary file, bytes or a `pathlib.Path`.
        filename: The name of the attachment, which tells its type. Default: the file's own name.
        config: The provider's config, such as `OpenAIConfig`. Arguments of the call take precedence over it.
        max_tokens: Maximum tokens of the reply. Default: `config.max_tokens`, else the provider's own limit.
        model: The name of the model. Default: `config.model`, else the provider's default model.
        temperature: Sampling temperature, from 0. Default: `config.temperature`, else the provider's own.
        timeout: Maximum seconds until the first text, and of each silence after it. A connection may take 10 of them.
        output: The format of the reply, as in `msgmodel.Options`: a class, a list of one, a JSON schema or "json".
            `object` of the reply is then an instance of it, or None.
        **options: Keyword options such as `messages`, `tools` or `fallbacks`: see `msgmodel.Options`. `http_client`
            is an `httpx2.Client` of your own.

    Returns:
        The reply: its text, and how it ended.

    Raises:
        ConfigurationError: An argument is wrong. Raised at the call.
        AuthenticationError: There is no usable key. Raised at the call.
        FileError: The attachment can't be read, or the provider does not accept it. Raised at the call.
        APIError: The provider reported an error. `content` holds the text so far.
        StreamingError: The stream broke. `content` holds the text so far.
    """
    arguments = Arguments(
        provider=provider,
        prompt=prompt,
        api_key=api_key,
        system_instruction=system_instruction,
        file_like=file_like,
        filename=filename,
        config=config,
        max_tokens=max_tokens,
        model=model,
        temperature=temperature,
    )
    given: SyncOptions = {"output": output, **options}
    questions, exchange = _calls.begin_exchange(arguments, timeout, None, given)
    return _calls.start_query(questions, exchange, options.get("http_client"))


def astream_panels(
    provider: str,
    prompt: str,
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
    **options: Unpack[AsyncOptions],
) -> AsyncGenerator[PanelEvent, None]:
    """Stream a reply as panel events, for asyncio: `stream_panels` as an async iterator.

    Canceling the task closes the connection. So does canceling one wait, as `asyncio.wait_for(anext(...), 15)` does.

    Args:
        provider: The name or short name of a provider, such as "openai", "gemini" or "o", or both in "openai/gpt-5.5".
        prompt: The user's message. It may be empty if a file or `messages` asks the question.
        api_key: The provider's key, or a function that returns it, called for each attempt. Default: the one in
            `config`, in the environment or in the provider's key file.
        system_instruction: The system prompt.
        file_like: An attachment, sent inline: an open binary file, bytes or a `pathlib.Path`.
        filename: The name of the attachment, which tells its type. Default: the file's own name.
        config: The provider's config, such as `OpenAIConfig`. Arguments of the call take precedence over it.
        max_tokens: Maximum tokens of the reply. Default: `config.max_tokens`, else the provider's own limit.
        model: The name of the model. Default: `config.model`, else the provider's default model.
        temperature: Sampling temperature, from 0. Default: `config.temperature`, else the provider's own.
        timeout: Maximum seconds until the first text, and of each silence after it. A connection may take 10 of them.
        panel_id: The id that every event carries. Default: eight random hexadecimal digits.
        **options: Keyword options such as `messages`, `tools` or `fallbacks`: see `msgmodel.Options`. `http_client`
            is an `httpx2.AsyncClient` of your own.

    Returns:
        An async iterator over the events, which are plain dicts. See `msgmodel.events`.

    Raises:
        ConfigurationError: An argument is wrong. Raised at the call.
        AuthenticationError: There is no usable key. Raised at the call.
        FileError: The attachment can't be read, or the provider does not accept it. Raised at the call.
    """
    arguments = Arguments(
        provider=provider,
        prompt=prompt,
        api_key=api_key,
        system_instruction=system_instruction,
        file_like=file_like,
        filename=filename,
        config=config,
        max_tokens=max_tokens,
        model=model,
        temperature=temperature,
    )
    questions, exchange = _calls.begin_exchange(arguments, timeout, panel_id, options)
    events = _calls.start_async_panels(questions, exchange, options.get("http_client"))
    return _calls.cancellable_panels(exchange, events)


def astream(
    provider: str,
    prompt: str,
    api_key: KeyLike | None = None,
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
    """Stream the text of a reply, for asyncio: `stream` as an async iterator.

    Canceling the task closes the connection.

    Args:
        provider: The name or short name of a provider, such as "openai", "gemini" or "o", or both in "openai/gpt-5.5".
        prompt: The user's message. It may be empty if a file or `messages` asks the question.
        api_key: The provider's key, or a function that returns it, called for each attempt. Default: the one in
            `config`, in the environment or in the provider's key file.
        system_instruction: The system prompt.
        file_like: An attachment, sent inline: an open binary file, bytes or a `pathlib.Path`.
        filename: The name of the attachment, which tells its type. Default: the file's own name.
        config: The provider's config, such as `OpenAIConfig`. Arguments of the call take precedence over it.
        max_tokens: Maximum tokens of the reply. Default: `config.max_tokens`, else the provider's own limit.
        model: The name of the model. Default: `config.model`, else the provider's default model.
        temperature: Sampling temperature, from 0. Default: `config.temperature`, else the provider's own.
        timeout: Maximum seconds until the first text, and of each silence after it. A connection may take 10 of them.
        on_chunk: Called with each piece of text before it is yielded. If it returns False, the stream ends.
        **options: Keyword options such as `messages`, `tools` or `fallbacks`: see `msgmodel.Options`. `http_client`
            is an `httpx2.AsyncClient` of your own.

    Returns:
        An async iterator over the pieces of text.

    Raises:
        ConfigurationError: An argument is wrong. Raised at the call.
        AuthenticationError: There is no usable key. Raised at the call.
        FileError: The attachment can't be read, or the provider does not accept it. Raised at the call.
        APIError: The provider reported an error. `content` holds the text so far.
        StreamingError: The stream broke. `content` holds the text so far.
    """
    arguments = Arguments(
        provider=provider,
        prompt=prompt,
        api_key=api_key,
        system_instruction=system_instruction,
        file_like=file_like,
        filename=filename,
        config=config,
        max_tokens=max_tokens,
        model=model,
        temperature=temperature,
    )
    questions, exchange = _calls.begin_exchange(arguments, timeout, None, options)
    text = _calls.start_async_text(questions, exchange, options.get("http_client"), on_chunk)
    return _calls.cancellable_text(exchange, text)


def aquery(
    provider: str,
    prompt: str,
    api_key: KeyLike | None = None,
    system_instruction: str | None = None,
    file_like: FileLike | None = None,
    filename: str | None = None,
    config: ProviderConfig | None = None,
    max_tokens: int | None = None,
    model: str | None = None,
    temperature: float | None = None,
    timeout: float = 300,
    *,
    output: type[Wanted] | Mapping[str, Any] | Literal["json"] | None = None,
    **options: Unpack[AsyncQueryOptions],
) -> Coroutine[Any, Any, LLMResponse[Wanted]]:
    """Return a complete reply, for asyncio: `query` to be awaited.

    This is a plain function, so that it checks its arguments at the call, before anything is awaited.

    Args:
        provider: The name or short name of a provider, such as "openai", "gemini" or "o", or both in "openai/gpt-5.5".
        prompt: The user's message. It may be empty if a file or `messages` asks the question.
        api_key: The provider's key, or a function that returns it, called for each attempt. Default: the one in
            `config`, in the environment or in the provider's key file.
        system_instruction: The system prompt.
        file_like: An attachment, sent inline: an open binary file, bytes or a `pathlib.Path`.
        filename: The name of the attachment, which tells its type. Default: the file's own name.
        config: The provider's config, such as `OpenAIConfig`. Arguments of the call take precedence over it.
        max_tokens: Maximum tokens of the reply. Default: `config.max_tokens`, else the provider's own limit.
        model: The name of the model. Default: `config.model`, else the provider's default model.
        temperature: Sampling temperature, from 0. Default: `config.temperature`, else the provider's own.
        timeout: Maximum seconds until the first text, and of each silence after it. A connection may take 10 of them.
        output: The format of the reply, as in `msgmodel.Options`: a class, a list of one, a JSON schema or "json".
            `object` of the reply is then an instance of it, or None.
        **options: Keyword options such as `messages`, `tools` or `fallbacks`: see `msgmodel.Options`. `http_client`
            is an `httpx2.AsyncClient` of your own.

    Returns:
        A coroutine that returns the reply: its text, and how it ended.

    Raises:
        ConfigurationError: An argument is wrong. Raised at the call.
        AuthenticationError: There is no usable key. Raised at the call.
        FileError: The attachment can't be read, or the provider does not accept it. Raised at the call.
        APIError: The provider reported an error. `content` holds the text so far.
        StreamingError: The stream broke. `content` holds the text so far.
    """
    arguments = Arguments(
        provider=provider,
        prompt=prompt,
        api_key=api_key,
        system_instruction=system_instruction,
        file_like=file_like,
        filename=filename,
        config=config,
        max_tokens=max_tokens,
        model=model,
        temperature=temperature,
    )
    given: AsyncOptions = {"output": output, **options}
    questions, exchange = _calls.begin_exchange(arguments, timeout, None, given)
    return _calls.start_async_query(questions, exchange, options.get("http_client"))
