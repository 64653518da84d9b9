"""`msgmodel serve`: the options as settings, and the server that runs until it is told to end."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
from collections.abc import Mapping
from typing import Any, Final

from ..errors import ConfigurationError
from ..registry import environment
from . import display, exits

TOKEN_VARIABLE: Final = "MSGMODEL_TOKEN"  # noqa: S105 (where it is found)
REDIS_VARIABLE: Final = "MSGMODEL_REDIS"
PROXIES_VARIABLE: Final = "FORWARDED_ALLOW_IPS"
ACCEPTS: Final = 16
"""New connections that are taken in one turn of the event loop: libuv takes one for each listening socket (its change
3696), and a turn is long when there is much to do, so that new requests would wait for tens of seconds."""
COLLECTION: Final = (20_000, 5, 2)
"""Thresholds of the garbage collector. A live stream is some 300 objects, so that by Python's own (700, 10, 10) a full
collection holds up a thousand streams for a third of a second, and every few seconds while they begin."""
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
ANY: Final = ("0.0.0.0", "::")  # noqa: S104 (asked for by name, and never without a token)


def run(options: Mapping[str, Any]) -> int:
    """Serves until SIGTERM or Ctrl-C. Raises ConfigurationError."""
    try:
        import uvicorn

        from ..server.app import Application
        from ..server.log import Log, MemoryLog
        from ..server.protocol import BoundedProtocol
        from ..server.settings import Settings
    except ImportError as error:
        raise ConfigurationError(
            f"the server needs its extra: pip install 'msgmodel[server]' (there is no {error.name})"
        ) from None

    host, port = options["host"], options["port"]
    tokens = tuple(options["tokens"]) or tuple(environment.read_variable(TOKEN_VARIABLE).split())
    if host not in LOOPBACK and not tokens:
        raise ConfigurationError(
            f"whoever reaches {host} could spend your keys: set {TOKEN_VARIABLE} (16 characters or more), or stay on "
            "127.0.0.1"
        )
    settings = Settings(
        tokens=tokens,
        hosts=tuple(options["hosts"]) or (() if host in (*LOOPBACK, *ANY) else (host,)),
        providers=tuple(options["providers"]),
        models=tuple(options["models"]),
        **{name: options[name] for name in SETTINGS if options[name] is not None},
    )
    redis = options["redis"] or environment.read_variable(REDIS_VARIABLE)
    log: Log
    if redis:
        try:
            from ..server.redis_log import RedisLog
        except ImportError:
            raise ConfigurationError("--redis needs its extra: pip install 'msgmodel[redis]'") from None
        log = RedisLog(redis, ttl_seconds=settings.ttl_seconds)
    else:
        log = MemoryLog(ttl_seconds=settings.ttl_seconds)
    application = Application(settings, log)

    class Server(uvicorn.Server):
        """Says where it serves, once it does; ends its lifespan also where it is told twice to end."""

        async def shutdown(self, sockets: Any = None) -> None:
            await super().shutdown(sockets)
            if self.force_exit:  # uvicorn leaves it then to be cancelled, with a traceback
                await self.lifespan.shutdown()

        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            gc.freeze()  # what is there now stays
            gc.set_threshold(*COLLECTION)
            if self.started:
                name = f"[{host}]" if ":" in host else host
                shown = listening.getsockname()[1]
                display.say(f"msgmodel serves on http://{name}:{shown} (Ctrl-C ends it)")

    listening = _listening(host, port)

    async def serve() -> bool:
        await server.serve([listening, *(listening.dup() for _ in range(ACCEPTS - 1))])
        return server.started

    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    # Access logs would hold prompts: the guide's endpoint has them in its query.
    config = uvicorn.Config(
        application.asgi(),
        host=host,
        port=port,
        http=BoundedProtocol,
        log_level="warning",
        access_log=False,
        ws="none",
        server_header=False,
        # Else anybody on this machine could say to be another client. The variable is uvicorn's, for who has a proxy.
        proxy_headers=bool(environment.read_variable(PROXIES_VARIABLE)),
        backlog=4096,
        timeout_graceful_shutdown=int(settings.grace_seconds) + 10,
    )
    server = Server(config)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        started = runner.run(serve())
    return exits.OK if started else exits.CONFIGURATION


def _listening(host: str, port: int) -> socket.socket:
    """A socket bound to the first address of the host. Raises ConfigurationError."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise ConfigurationError(
            f"can't listen on port {port} of {host}: {error.strerror or error}; --port and --host name another"
        ) from None


SETTINGS: Final = (
    "default_provider",
    "on_disconnect",
    "ttl_seconds",
    "grace_seconds",
    "heartbeat_seconds",
    "max_body_bytes",
    "max_prompt_chars",
    "max_panels",
    "max_streams",
    "max_streams_per_client",
    "max_readers_per_stream",
    "max_readers_per_client",
    "max_tokens",
    "max_provider_requests",
    "max_reply_bytes",
    "max_seconds",
)
"""The options that are fields of `Settings` by the same name."""
