"""Lists the models that can be asked at a provider, from the provider's own list.

Rule: both colors run one generator, which makes the requests and reads the pages, and does no I/O.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import _arguments
from .errors import APIError, ConfigurationError, NetworkError, ReplyError
from .question.lenient_json import parse_or_none
from .question.redaction import safe_for_display
from .question.transport import ConnectionBroken, HttpRequest
from .registry import model_lists
from .registry.model_lists import ModelInfo as ModelInfo
from .reply import cost
from .wires import provider_errors
from .wires.anthropic.request import API_VERSION

if TYPE_CHECKING:
    import httpx2

    from ._arguments import Destination
    from .http.fetch import Document
    from .question.config import KeyLike, ProviderConfig
    from .registry.provider import Provider

MAX_PAGES = 100
_PRICED_TOKENS = 1000
"""Few enough that no price for a long context applies."""

ModelInfo.__module__ = "msgmodel"


def models(
    provider: str,
    api_key: KeyLike | None = None,
    config: ProviderConfig | None = None,
    *,
    timeout: float = 30,
    http_client: httpx2.Client | None = None,
) -> list[ModelInfo]:
    """Return the models that can be asked at a provider, in the order of its own list.

    Args:
        provider: The name or short name of a provider.
        api_key: The provider's key, or a function that returns it. Default: as for `query`.
        config: The provider's config: its base URL, key and headers are used.
        timeout: Maximum seconds for each page of the list.
        http_client: Your own client, for a proxy, certificates or tracing.

    Raises:
        ConfigurationError: An argument is wrong.
        AuthenticationError: There is no usable key.
        APIError: The provider reported an error, or has no list.
        NetworkError: There was no connection, or it broke.
    """
    from .http.fetch import fetch_document

    row, destination = _arguments.find_list_destination(provider, api_key, config)
    seconds = _arguments.read_seconds("timeout", timeout)
    if destination is None:
        return _local_models(row)
    keys = destination.key_source
    if keys is not None and keys.is_async:
        raise ConfigurationError(
            "api_key is a coroutine function, which only the async functions can call: use amodels"
        )
    pages = _read_pages(row, destination)
    request = next(pages)
    try:
        while True:
            request = pages.send(fetch_document(request, seconds, http_client, keys))
    except StopIteration as end:
        return _with_prices(row, end.value)
    except ConnectionBroken as broken:
        raise _error_of_connection(row, broken) from None


def amodels(
    provider: str,
    api_key: KeyLike | None = None,
    config: ProviderConfig | None = None,
    *,
    timeout: float = 30,
    http_client: httpx2.AsyncClient | None = None,
) -> Coroutine[Any, Any, list[ModelInfo]]:
    """Return the models that can be asked at a provider, for asyncio. The arguments are those of `models`.

    Like the other functions, it checks its arguments at the call.
    """
    row, destination = _arguments.find_list_destination(provider, api_key, config)
    seconds = _arguments.read_seconds("timeout", timeout)
    return _fetch_models(row, destination, seconds, http_client)


async def _fetch_models(
    row: Provider, destination: Destination | None, seconds: float, http_client: httpx2.AsyncClient | None
) -> list[ModelInfo]:
    from .http.fetch import async_fetch_document

    if destination is None:
        return _local_models(row)
    pages = _read_pages(row, destination)
    request = next(pages)
    try:
        while True:
            request = pages.send(await async_fetch_document(request, seconds, http_client, destination.key_source))
    except StopIteration as end:
        return _with_prices(row, end.value)
    except ConnectionBroken as broken:
        raise _error_of_connection(row, broken) from None


def _read_pages(row: Provider, destination: Destination) -> Generator[HttpRequest, Document, list[ModelInfo]]:
    """Yield the request for each page, take its document, and return the models of all pages."""
    found: list[ModelInfo] = []
    urls = model_lists.model_list_urls(row, destination.base_url)
    first_url, url = urls[0], urls[0]
    for _ in range(MAX_PAGES):
        document = yield _list_request(row, destination, url)
        if document.status == 404 and len(urls) > 1:
            first_url = url = urls.pop()
            continue
        payload = parse_or_none(document.body)
        if not 200 <= document.status < 300:
            raise _error_of_response(row, destination, document, payload)
        try:
            found += model_lists.read_models(payload)
        except ValueError:
            raise _error_of_response(row, destination, document, payload) from None
        next_url = model_lists.next_page_url(first_url, payload)
        if next_url is None:
            break
        url = next_url
    return found


def _list_request(row: Provider, destination: Destination, url: str) -> HttpRequest:
    version = {"anthropic-version": API_VERSION} if row.wire == "anthropic" else {}
    return HttpRequest(url, {"accept": "application/json", **version, **destination.headers}, (), method="GET")


def _error_of_response(row: Provider, destination: Destination, document: Document, payload: object) -> ReplyError:
    """Return the error for a response that is not a list of models."""
    failure = provider_errors.read_failure(payload, document.status, document.headers)
    words = safe_for_display(failure.message, destination.secrets)
    is_refusal = document.status >= 400
    if not words or not is_refusal:
        words = "there is no list of models at this address"
    error = APIError(f"{row.name} (HTTP {document.status}): {words}", document.status, provider=row.name)
    error.code = failure.code if is_refusal else "protocol"
    error.retryable, error.retry_after, error.request_id = failure.retryable, failure.retry_after, failure.request_id
    return error


def _error_of_connection(row: Provider, broken: ConnectionBroken) -> ReplyError:
    error = NetworkError(broken.message)
    error.code, error.provider, error.retryable = broken.code, row.name, broken.retryable
    return error


def _local_models(row: Provider) -> list[ModelInfo]:
    """Return the embedded model, if it is on this machine."""
    from .local import weights

    return [ModelInfo(row.default_model, input_price=0.0, output_price=0.0)] if weights.path().is_file() else []


def _with_prices(row: Provider, found: list[ModelInfo]) -> list[ModelInfo]:
    """Return the models with the prices of genai-prices if the list has none."""
    return [
        model
        if model.input_price is not None
        else replace(
            model,
            input_price=_price_of_a_million(row, model, "input_tokens"),
            output_price=_price_of_a_million(row, model, "output_tokens"),
        )
        for model in found
    ]


def _price_of_a_million(row: Provider, model: ModelInfo, kind: str) -> float | None:
    usage: Any = {**cost.NO_TOKENS, kind: _PRICED_TOKENS}
    price = cost.price_in_dollars(row.name, model.id, usage)
    return None if price is None else round(price * (1_000_000 / _PRICED_TOKENS), 6)
