"""An MCP server for the tests, on the official SDK: `python mcp_server.py stdio`, or `http PORT`."""

from __future__ import annotations

import asyncio
import base64
import os
import sys
from pathlib import Path
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context, Elicit, ElicitationResult, Image, Resolve
from pydantic import BaseModel

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
server = MCPServer("test")


class Name(BaseModel):
    name: str


@server.tool()
def add(a: int, b: int) -> str:
    """Add two numbers."""
    return str(a + b)


@server.tool(name="files.picture.get", structured_output=False)
def picture() -> list[Any]:
    """Return a picture."""
    return ["a dot", Image(data=PNG, format="png")]


@server.tool()
def fail() -> str:
    """Fail."""
    raise ValueError("no such thing")


@server.tool()
def variable(name: str) -> str:
    """Return an environment variable."""
    return os.environ.get(name, "not set")


@server.tool()
async def count(ctx: Context) -> str:
    """Count to two."""
    for number in (1, 2):
        await ctx.report_progress(number, 2)
    return "counted"


def ask_name() -> Elicit[Name]:
    return Elicit("What is your name?", Name)


@server.tool()
async def greet(found: Annotated[ElicitationResult[Name], Resolve(ask_name)]) -> str:
    """Greet the user by the name."""
    return f"Hello {found.data.name}" if found.action == "accept" else f"no name: {found.action}"


@server.tool()
async def wait(path: str) -> str:
    """Wait for a minute; write to a file if that is canceled."""
    try:
        write(path, "waits")
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        write(path, "canceled")
        raise
    return "waited"


def write(path: str, text: str) -> None:
    Path(path).write_text(text)


@server.tool()
async def die() -> str:
    """End the server."""
    os._exit(3)


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        server.run("stdio")
    else:
        server.run("streamable-http", port=int(sys.argv[2]))
