"""`msgmodel serve`: the options of the server."""

from __future__ import annotations

from typing import Any, Final

import click

from ..question_options import CONTEXT_SETTINGS

_SERVE_HELP: Final = """Serve a chat page at /, and panels over server-sent events.

The server listens on 127.0.0.1. If --host names another address, clients must send a token. Keys of providers never
leave the server."""


@click.command("serve", context_settings=CONTEXT_SETTINGS, help=_SERVE_HELP)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where to listen.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: any free port.")
@click.option(
    "--token",
    "tokens",
    multiple=True,
    metavar="TOKEN",
    help="A token that clients may send; may be repeated, one for each user. The variable MSGMODEL_TOKEN is safer: "
    "other users can see a command line.",
)
@click.option("--host-name", "hosts", multiple=True, metavar="NAME", help="A host name that clients may use.")
@click.option(
    "--allow-origin",
    "origins",
    multiple=True,
    metavar="ORIGIN",
    help="Another site whose pages may use the server, as https://chat.example.com or app://obsidian.md; may be "
    "repeated.",
)
@click.option("--redis", metavar="URL", help="Keep streams in Redis, so that any worker serves any stream.")
@click.option(
    "--provider", "providers", multiple=True, metavar="NAME", help="Allow only this provider; may be repeated."
)
@click.option(
    "--model", "models", multiple=True, metavar="PATTERN", help="Allow only such models, as gpt-6-*; may be repeated."
)
@click.option(
    "--tool",
    "tools",
    multiple=True,
    metavar="MODULE:FUNCTION",
    help="A function that the server runs if a model calls it, and the user approves; may be repeated.",
)
@click.option(
    "--mcp",
    "mcp_servers",
    multiple=True,
    metavar="COMMAND|URL",
    help="An MCP server whose tools may be called, such as 'uvx mcp-server-time'; may be repeated. It needs the extra "
    "[mcp].",
)
@click.option("--allow-tools", is_flag=True, help="Run the calls of --tool and --mcp without the user's approval.")
@click.option("--max-rounds", type=int, metavar="N", help="Requests to the model in one run of tools (10).")
@click.option("--max-tool-calls", type=int, metavar="N", help="Calls in one run of tools (100).")
@click.option("--tool-timeout", type=float, metavar="SECONDS", help="Time for each call of a tool (60).")
@click.option("--default-provider", metavar="NAME", help="The provider of a request that names none.")
@click.option(
    "--on-disconnect",
    metavar="WHAT",
    help="What happens to a stream without readers: cancel, continue, or grace:SECONDS (grace:30).",
)
@click.option(
    "--ttl", "ttl_seconds", type=float, metavar="SECONDS", help="How long a stream can be read after its end."
)
@click.option("--grace", "grace_seconds", type=float, metavar="SECONDS", help="Time for running streams after SIGTERM.")
@click.option(
    "--heartbeat",
    "heartbeat_seconds",
    type=float,
    metavar="SECONDS",
    help="Send a comment after so long a silence (15).",
)
@click.option("--max-body", "max_body_bytes", type=int, metavar="BYTES", help="Size of a request.")
@click.option(
    "--max-prompt", "max_prompt_chars", type=int, metavar="CHARACTERS", help="Length of all text in a request."
)
@click.option("--max-panels", type=int, metavar="N", help="Panels of a request.")
@click.option("--max-streams", type=int, metavar="N", help="Streams that run at a time.")
@click.option("--max-streams-per-client", type=int, metavar="N", help="Streams of one client that run at a time.")
@click.option("--max-readers-per-stream", type=int, metavar="N", help="Readers of one stream at a time.")
@click.option("--max-readers-per-client", type=int, metavar="N", help="Answers that one client reads at a time.")
@click.option("--max-tokens", type=int, metavar="N", help="Tokens of one reply, with its continuations.")
@click.option(
    "--max-cost",
    type=float,
    metavar="DOLLARS",
    help="What the replies to one request may cost together; it needs the extra [cost].",
)
@click.option(
    "--max-provider-requests",
    type=int,
    metavar="N",
    help="Requests to providers for one request, with retries and fallbacks.",
)
@click.option("--max-reply-bytes", type=int, metavar="N", help="Memory for one reply, with everything kept of it.")
@click.option("--max-memory-bytes", type=int, metavar="N", help="Memory for all replies of a worker together.")
@click.option("--max-seconds", type=float, metavar="SECONDS", help="Duration of one reply.")
def serve_command(**options: Any) -> int:
    from ..serve import run_server

    return run_server(options)
