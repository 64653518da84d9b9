"""The state of a run of tools as signed text, for a client that keeps it until a user has decided.

Rule: a client may read the state and may not change it: the provider, the calls, their arguments and the results are
those that the server sent. A client may send the same text twice: only a journal prevents that the calls run twice.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from time import time
from typing import Any

import msgspec

from ..errors import ConfigurationError

LEAST_KEY_BYTES = 16


def sign_state(state: dict[str, Any], key: str | bytes) -> str:
    """Return the state of a run as text with a signature (HMAC with SHA-256) and the time.

    Args:
        state: `run["state"]` of a terminal event.
        key: A secret of the server, of at least 16 bytes.

    Raises:
        ConfigurationError: The key is too short.
    """
    body = base64.urlsafe_b64encode(msgspec.json.encode({"state": state, "signed": time()})).decode()
    return f"{body}.{_signature(body, key)}"


def read_signed_state(text: str, key: str | bytes, max_age: float | None = None) -> dict[str, Any]:
    """Return the state in a text that `sign_state` made.

    Args:
        text: The text, as the client sent it.
        key: The key that signed it.
        max_age: Maximum seconds since it was signed. Default: no limit.

    Raises:
        ConfigurationError: The text was changed, was signed with another key, or is too old.
    """
    body, _, signature = text.partition(".") if isinstance(text, str) else ("", "", "")
    # As bytes, since `compare_digest` refuses text that is not ASCII; not `==`, whose time tells how much is right.
    if not hmac.compare_digest(signature.encode("utf-8", "replace"), _signature(body, key).encode()):
        raise ConfigurationError(
            "the state of the run has no valid signature: it was changed, or another key signed it"
        )
    signed: dict[str, Any] = msgspec.json.decode(base64.urlsafe_b64decode(body))
    if max_age is not None and time() - signed["signed"] > max_age:
        raise ConfigurationError("the state of the run is too old: ask the question again")
    state: dict[str, Any] = signed["state"]
    return state


def _signature(body: str, key: str | bytes) -> str:
    secret = key.encode() if isinstance(key, str) else key
    if not isinstance(secret, bytes) or len(secret) < LEAST_KEY_BYTES:
        raise ConfigurationError(f"the key that signs a state must have at least {LEAST_KEY_BYTES} bytes")
    # The first line says what is signed, so that a signature of something else with the same key is not valid here.
    return hmac.new(secret, b"msgmodel run state\n" + body.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
