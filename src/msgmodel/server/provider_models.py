"""`GET /v1/providers/{name}/models`: what a provider lists, for the people who choose a model in the chat page."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .. import ModelInfo, amodels
from ..errors import MsgModelError
from ..providers import Provider, look_up_provider
from .request_bodies import RequestRefused
from .service import Service

PAGE_OF_LIST_SECONDS: Final = 10.0
"""How long a page of a provider's list may take."""
LISTED_FOR_SECONDS: Final = 300.0
"""How long a list is kept: providers change theirs rarely."""
FAILED_FOR_SECONDS: Final = 5.0
"""How long a failure is kept, so that users who try again do not ask the provider each time."""

_log = logging.getLogger("msgmodel.server")


def provider_models_endpoint(service: Service) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint.

    It answers with the models that the settings allow, in the order of the provider's own list. What a list does not
    say of a model is left out. A provider that can't be asked is a 502; why stands in the log.

    Args:
        service: The service of the application.
    """
    lists: dict[str, _KeptList] = {}

    async def list_provider_models(request: Request) -> Response:
        service.guard.find_owner(request)
        row = look_up_provider(request.path_params["name"])
        if row is None or not service.directory.allows_provider(row):
            raise RequestRefused(404, "not_found", "this server does not offer such a provider")
        models = await lists.setdefault(row.name, _KeptList(row)).read()
        if models is None:
            raise RequestRefused(502, "network", f"{row.name} gave no list of its models")
        return JSONResponse({"models": [_as_shown(model) for model in models if service.settings.allows(model.id)]})

    return list_provider_models


class _KeptList:
    """The list of one provider, which is read by one request for all that wait for it."""

    def __init__(self, row: Provider) -> None:
        self._row = row
        self._models: list[ModelInfo] | None = None
        self._kept_until = 0.0
        self._reading = asyncio.Lock()

    async def read(self) -> list[ModelInfo] | None:
        """Return the models; None if the provider can't be asked."""
        async with self._reading:
            if monotonic() >= self._kept_until:
                self._models = await self._fetch()
                kept = FAILED_FOR_SECONDS if self._models is None else LISTED_FOR_SECONDS
                self._kept_until = monotonic() + kept
            return self._models

    async def _fetch(self) -> list[ModelInfo] | None:
        try:
            return await amodels(self._row.name, timeout=PAGE_OF_LIST_SECONDS)
        except MsgModelError as error:
            _log.info("the list of models of %s can't be read: %s", self._row.name, error)
            return None


def _as_shown(model: ModelInfo) -> Mapping[str, Any]:
    fields = {
        "id": model.id,
        "name": model.name,
        "context_tokens": model.context_tokens,
        "max_output_tokens": model.max_output_tokens,
        "input_price": model.input_price,
        "output_price": model.output_price,
    }
    return {name: value for name, value in fields.items() if value is not None}
