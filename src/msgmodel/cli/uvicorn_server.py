"""The web server under `msgmodel serve`: uvicorn, and what we set in it. Imported only when the extra is installed."""

from __future__ import annotations

import gc
from typing import Any, Final

import uvicorn

from ..registry import environment
from ..server.page import is_page_built
from ..server.protocol import BoundedProtocol
from ..server.settings import Settings
from . import display

PROXIES_VARIABLE: Final = "FORWARDED_ALLOW_IPS"
COLLECTION: Final = (20_000, 5, 2)
"""Thresholds of the garbage collector. A live stream is some 300 objects: with Python's own thresholds (700, 10, 10) a
full collection stops a thousand streams for a third of a second, every few seconds while they begin."""


class AnnouncingServer(uvicorn.Server):
    """Prints its address when it is ready; after a second Ctrl-C it still ends the application's lifespan."""

    def __init__(self, config: uvicorn.Config, address: str) -> None:
        super().__init__(config)
        self._address = address

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        gc.freeze()  # no collection need look again at what the imports left
        gc.set_threshold(*COLLECTION)
        if self.started:
            if not is_page_built():
                display.print_note("the chat page is not built, so / answers 404: run `make web` (it needs Node.js)")
            display.print_message(f"msgmodel serves on http://{self._address} (Ctrl-C ends it)")

    async def shutdown(self, sockets: Any = None) -> None:
        await super().shutdown(sockets)
        if self.force_exit:  # uvicorn leaves the lifespan to be cancelled, which prints a traceback
            await self.lifespan.shutdown()


def server_config(asgi: Any, host: str, port: int, settings: Settings) -> uvicorn.Config:
    """Return the configuration of uvicorn for an ASGI application."""
    return uvicorn.Config(
        asgi,
        host=host,
        port=port,
        http=BoundedProtocol,
        log_level="warning",
        access_log=False,  # it would hold prompts: the guide's endpoint has them in its query
        ws="none",
        server_header=False,
        # Otherwise any program on this machine could claim another client's address. The variable is uvicorn's own.
        proxy_headers=bool(environment.read_variable(PROXIES_VARIABLE)),
        backlog=4096,
        timeout_graceful_shutdown=int(settings.grace_seconds) + 10,
    )
