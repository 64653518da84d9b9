"""Run a relay as well as one worker of uvicorn can, and print its port."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvicorn

ACCEPTS = 16
"""New connections a turn of the event loop, as many as `msgmodel serve` takes; libuv takes one a listening socket."""


def serve(app: Any) -> None:
    """Serve until the process is ended."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
    config = uvicorn.Config(app, loop="uvloop", http="httptools", ws="none", access_log=False, log_level="warning")
    server = uvicorn.Server(config)
    print(listening.getsockname()[1], flush=True)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve([listening, *(listening.dup() for _ in range(ACCEPTS - 1))]))
