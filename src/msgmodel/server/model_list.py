"""`GET /v1/models`: the models that a request may ask, as OpenAI's API lists them.

Rule: a model is listed if the settings name it, if a server of the operator's own has it, or if it is the default of a
provider that is ready. A request may name other models of the providers, too, if the settings allow them.
"""

from __future__ import annotations

import asyncio
import logging
from time import monotonic
from typing import TypedDict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .. import ModelInfo, amodels
from ..adapters import openai_chat
from ..errors import MsgModelError
from ..providers import PROVIDERS, Provider, owner_of_model
from .completions import in_words_of_openai
from .service import Service

LIST_SECONDS = 2.0
"""How long the list of one server may take."""
KEPT_SECONDS = 15.0
"""How long the lists are kept, because front ends ask often."""

_log = logging.getLogger("msgmodel.server")


class ListedModel(TypedDict):
    """A model as clients of OpenAI's API see it."""

    id: str
    """`provider/model`, which `model` takes."""
    object: str
    created: int
    owned_by: str
    """The provider."""


class ModelEndpoints:
    """The endpoints for the list of models.

    Args:
        service: The service of the application.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._kept: list[ListedModel] = []
        self._kept_until = 0.0
        self._reading = asyncio.Lock()

    @in_words_of_openai
    async def list_models(self, request: Request) -> Response:
        """Answer `GET /v1/models`."""
        self._service.guard.find_owner(request)
        return JSONResponse({"object": "list", "data": await self._models()})

    @in_words_of_openai
    async def get_model(self, request: Request) -> Response:
        """Answer `GET /v1/models/{id}`, with or without the provider in the id."""
        self._service.guard.find_owner(request)
        id = request.path_params["id"]
        for model in await self._models():
            if id in (model["id"], model["id"].partition("/")[2]):
                return JSONResponse(model | {"id": id})
        body = openai_chat.error_body(
            f"model {id[:200]!r} is not in the list at /v1/models", "invalid_request_error", "model_not_found"
        )
        return JSONResponse(body, status_code=404)

    async def _models(self) -> list[ListedModel]:
        async with self._reading:
            if monotonic() >= self._kept_until:
                self._kept = await self._read_models()
                self._kept_until = monotonic() + KEPT_SECONDS
            return self._kept

    async def _read_models(self) -> list[ListedModel]:
        directory, settings = self._service.directory, self._service.settings
        ready = [PROVIDERS[row["name"]] for row in directory.list_providers() if row["ready"]]
        own = [row for row in PROVIDERS.values() if not row.needs_key and self._may_be_asked(row)]
        lists = await asyncio.gather(*map(_list_of_server, own))
        by_provider = {row.name: [model.id for model in found] for row, found in zip(own, lists, strict=True)}
        found: dict[tuple[str, str], None] = {}
        for name in settings.models:
            if settings.names(name) and not any(name in models for models in by_provider.values()):
                found[self._provider_of_model(name, ready).name, name] = None
        for row in ready:
            if row.default_model and settings.allows(row.default_model):
                found[row.name, row.default_model] = None
        for provider, models in by_provider.items():
            found |= {(provider, model): None for model in models if settings.allows(model)}
        return [
            {"id": f"{provider}/{model}", "object": "model", "created": 0, "owned_by": provider}
            for provider, model in found
        ]

    def _may_be_asked(self, row: Provider) -> bool:
        """Return whether a server that needs no key may run: its address is set, or the settings name it."""
        directory, settings = self._service.directory, self._service.settings
        if row.name == "local" or not directory.allows_provider(row):
            return False
        return bool(settings.providers) or directory.is_ready(row) or directory.default_provider() is row

    def _provider_of_model(self, name: str, ready: list[Provider]) -> Provider:
        """Return the provider of a model that the settings name: its maker if it is ready, else the default one."""
        if name.endswith(".gguf"):
            return PROVIDERS["local"]
        maker = owner_of_model(name)
        return next((row for row in ready if row.name == maker), self._service.directory.default_provider())


async def _list_of_server(row: Provider) -> list[ModelInfo]:
    """Return the models of the operator's own server; none if it is not there."""
    try:
        return await amodels(row.name, timeout=LIST_SECONDS)
    except MsgModelError as error:
        _log.info("the list of models of %s can't be read: %s", row.name, error.message)
        return []
