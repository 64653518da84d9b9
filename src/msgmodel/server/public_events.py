"""What of an event, or of an error's text, a client may see. `create_app` and `panel_response` use the same rule.

Rule: behind a public server, the host, the port or the proxy of a provider and the path of a file are internal names. A
client gets the event without them; the log has the complete text. A host that the registry knows as public stays.
"""

from __future__ import annotations

import logging
import re
from typing import Any, Final, TypeVar

from ..errors import AuthenticationError, MsgModelError
from ..providers import host_for_clients

_log = logging.getLogger("msgmodel.server")

EventT = TypeVar("EventT")

NO_KEY_MESSAGE: Final = "the server has no key for this provider"

_PUBLIC_TEXTS = (
    (r"can't connect to .*: no answer in time", "can't connect to the provider: no answer in time"),
    (
        r"can't connect to .*CERTIFICATE_VERIFY_FAILED.*mismatch.*",
        "can't connect to the provider: its certificate is for another hostname",
    ),
    (
        r"can't connect to .*CERTIFICATE_VERIFY_FAILED.*",
        "can't connect to the provider: its certificate is not trusted",
    ),
    (r"can't connect to .*", "can't connect to the provider"),
    (
        r"the connection to .* broke (before an answer|in the middle of the reply).*",
        r"the connection to the provider broke \1",
    ),
    (r"no text from .* within the time limit.*", "no text from the provider within the time limit"),
    (
        r"the (?:proxy|certificates) .* can't be used.*",
        "the provider can't be reached: the server is not set up for it",
    ),
    (r"there is no model file .*", "there is no such model file"),
)
"""A text of the library that contains an internal name, and the text that a client gets instead."""

_CHANGED_EVENTS = frozenset(("panel_final", "panel_error", "panel_retry"))
"""Events that may contain an internal name."""


def text_for_client(text: str) -> str:
    """Return the text of an error without internal names."""
    for pattern, public_text in _PUBLIC_TEXTS:
        if match := re.fullmatch(pattern, text, re.DOTALL):
            return match.expand(public_text)
    return text


def message_for_client(error: MsgModelError) -> str:
    """Return the message of an exception without internal names and places of keys. The log gets what is hidden."""
    message = NO_KEY_MESSAGE if isinstance(error, AuthenticationError) else text_for_client(error.message)
    if message != error.message:
        _log.warning("%s", error.message)
    return message


def event_for_client(event: EventT, stream: str = "") -> EventT:
    """Return the event without internal names: a changed copy, or the event itself. The log gets a hidden text.

    Args:
        event: Any event of a panel, which an application may have made itself, so fields may be missing.
        stream: The id of its stream, for the log.
    """
    fields: Any = event
    if fields["event"] not in _CHANGED_EVENTS:
        return event
    changed: dict[str, Any] = {}
    error, privacy, message = fields.get("error"), fields.get("privacy"), fields.get("message")
    if isinstance(error, str) and (public_text := text_for_client(error)) != error:
        _log.warning("stream %s, panel %s: %s", stream or "of the application", fields.get("panel_id"), error)
        changed["error"] = public_text
    if isinstance(privacy, dict) and isinstance(privacy.get("endpoint"), str) and not privacy.get("local"):
        endpoint = host_for_clients(str(privacy.get("provider")), privacy["endpoint"])
        if endpoint != privacy["endpoint"]:
            changed["privacy"] = privacy | {"endpoint": endpoint}
    receipt = fields.get("receipt")
    if isinstance(receipt, dict) and isinstance(receipt.get("host"), str):
        host = host_for_clients(str(receipt.get("provider_asked")), receipt["host"])
        if host != receipt["host"]:
            changed["receipt"] = receipt | {"host": host}
    if isinstance(message, dict) and (public := _message_for_client(message)) != message:
        changed["message"] = public
    return fields | changed if changed else event


def state_for_client(state: dict[str, Any]) -> dict[str, Any]:
    """Return the state of a run without internal names: a copy.

    Args:
        state: `run["state"]` of a terminal event, with the conversation.
    """
    chat = state["conversation"]
    return state | {
        "last": None if state["last"] is None else event_for_client(state["last"]),
        "conversation": chat | {"messages": [_message_for_client(message) for message in chat["messages"]]},
    }


def _message_for_client(message: Any) -> Any:
    if not isinstance(message.get("content"), list):
        return message
    return message | {"content": [_part_for_client(part) for part in message["content"]]}


def _part_for_client(part: Any) -> Any:
    opaque = part.get("opaque") if isinstance(part, dict) else None
    if not isinstance(opaque, dict) or not isinstance(opaque.get("host"), str):
        return part
    return part | {"opaque": opaque | {"host": host_for_clients(str(opaque.get("provider")), opaque["host"])}}
