"""`msgmodel serve`: read the options as `Settings`, and run the server until Ctrl-C or SIGTERM.

Rule: this module imports the server and its packages (Starlette, uvicorn, redis) inside functions, because the other
commands work without them.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from ..errors import ConfigurationError
from ..registry import environment
from . import exits
from .tool_options import import_function

if TYPE_CHECKING:
    from ..server.log import Log
    from ..server.settings import Settings

TOKEN_VARIABLE: Final = "MSGMODEL_TOKEN"  # noqa: S105 (a variable's name, not a token)
REDIS_VARIABLE: Final = "MSGMODEL_REDIS"
SECRET_VARIABLE: Final = "MSGMODEL_SECRET"  # noqa: S105 (a variable's name)
ACCEPTS: Final = 16
"""New connections that one turn of the event loop accepts: libuv accepts one for each listening socket (its change
3696), and a turn is long under load, so that new requests would wait for tens of seconds."""
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
ANY_ADDRESS: Final = ("0.0.0.0", "::")  # noqa: S104 (the user asks for it by name, and it needs a token)


def run_server(options: Mapping[str, Any]) -> int:
    """Serve until SIGTERM or Ctrl-C, and return the exit code.

    Args:
        options: the options of `msgmodel serve`, by the names of their parameters.

    Raises:
        ConfigurationError: an option is wrong, an extra is not installed, or the address can't be bound.
    """
    try:
        from ..server.app import create_app
        from .uvicorn_server import AnnouncingServer, server_config
    except ImportError as error:
        raise ConfigurationError(
            f"the server needs its extra: pip install 'msgmodel[server]' ({error.name} is not installed)"
        ) from None

    host, port = options["host"], options["port"]
    redis_url = options["redis"] or environment.read_variable(REDIS_VARIABLE)
    settings = _read_settings(options, has_redis=bool(redis_url))
    application = create_app(settings, _open_log(redis_url, settings.ttl_seconds))
    listening = _bind_socket(host, port)
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    config = server_config(application, host, port, settings)
    server = AnnouncingServer(config, f"{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}")

    async def serve() -> bool:
        await server.serve([listening, *(listening.dup() for _ in range(ACCEPTS - 1))])
        return server.started

    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        started = runner.run(serve())
    return exits.OK if started else exits.CONFIGURATION


def _read_settings(options: Mapping[str, Any], *, has_redis: bool) -> Settings:
    from ..server.settings import Settings

    host = options["host"]
    tokens = tuple(options["tokens"]) or tuple(environment.read_variable(TOKEN_VARIABLE).split())
    if host not in LOOPBACK and not tokens:
        raise ConfigurationError(
            f"anyone who reaches {host} could use your keys: set {TOKEN_VARIABLE} (16 characters or more), or stay on "
            "127.0.0.1"
        )
    tools: list[Any] = [import_function(name) for name in options["tools"]]
    if options["mcp_servers"]:
        from .. import mcp_tools

        tools += map(mcp_tools, options["mcp_servers"])
    secret = environment.read_variable(SECRET_VARIABLE)
    if tools and has_redis and not secret:
        raise ConfigurationError(
            f"with --redis, any worker continues a run that waits: set {SECRET_VARIABLE} (16 characters or more) to "
            "the same text for all of them"
        )
    return Settings(
        tools=tuple(tools),
        tool_approval=() if options["allow_tools"] else "ask",
        state_secret=secret,
        tokens=tokens,
        hosts=tuple(options["hosts"]) or (() if host in (*LOOPBACK, *ANY_ADDRESS) else (host,)),
        origins=tuple(options["origins"]),
        providers=tuple(options["providers"]),
        models=tuple(options["models"]),
        **{name: options[name] for name in SETTINGS_OPTIONS if options[name] is not None},
    )


def _open_log(redis_url: str, ttl_seconds: float) -> Log:
    """Return the store of streams: in Redis if there is an address, else in this process."""
    if not redis_url:
        from ..server.log import MemoryLog

        return MemoryLog(ttl_seconds=ttl_seconds)
    try:
        from ..server.redis_log import RedisLog
    except ImportError:
        raise ConfigurationError("--redis needs its extra: pip install 'msgmodel[redis]'") from None
    return RedisLog(redis_url, ttl_seconds=ttl_seconds)


def _bind_socket(host: str, port: int) -> socket.socket:
    """Bind a socket to the first address of the host. Raise ConfigurationError if that fails."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise ConfigurationError(
            f"can't listen on port {port} of {host}: {error.strerror or error}; choose another with --port or --host"
        ) from None


SETTINGS_OPTIONS: Final = (
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
    "max_cost",
    "max_provider_requests",
    "max_reply_bytes",
    "max_memory_bytes",
    "max_seconds",
    "max_rounds",
    "max_tool_calls",
    "tool_timeout",
)
"""The options that are fields of `Settings` by the same name."""
