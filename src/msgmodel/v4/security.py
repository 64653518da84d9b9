"""Signs requests that pass through parts of your own system, such as a queue between a web server and a worker."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from enum import Enum
from typing import Any


class RequestSigner:
    """HMAC-SHA256 over a provider, a message and any other fields. No state: the same request has the same signature.

    signer = RequestSigner("a secret of both sides")
    signature = signer.sign_request("openai", "Hello", model="gpt-6-luna")
    signer.verify_signature(signature, "openai", "Hello", model="gpt-6-luna")
    """

    def __init__(self, secret_key: str) -> None:
        """Keep the secret of both sides. Raise ValueError if it is empty or not a string."""
        if not isinstance(secret_key, str) or not secret_key:
            raise ValueError("secret_key must be a string that is not empty")
        self.secret = secret_key

    def __repr__(self) -> str:
        return "RequestSigner()"

    def sign_request(self, provider: str, message: str, **kwargs: Any) -> str:
        """Return the signature in hexadecimal digits. Raise ValueError or TypeError if the request can't be signed.

        The order of the other fields does not matter; JSON must support their types.
        """
        return self._compute_signature(str(getattr(provider, "value", provider)), message, kwargs)

    def verify_signature(self, signature: str, provider: str, message: str, **kwargs: Any) -> bool:
        """Return whether it is the signature of this request, in constant time."""
        names = [str(getattr(provider, "value", provider))]
        if isinstance(provider, Enum):  # msgmodel 4 signed a member in this form
            names.append(f"{type(provider).__name__}.{provider.name}")
        try:
            expected = [self._compute_signature(name, message, kwargs) for name in names]
        except (TypeError, ValueError):
            return False
        given = signature.encode() if isinstance(signature, str) else b""
        return any(hmac.compare_digest(given, each.encode()) for each in expected)

    def _compute_signature(self, provider: str, message: str, fields: Mapping[str, Any]) -> str:
        if "|" in provider:  # the delimiter: otherwise, two requests could have the same text
            raise ValueError("the name of a provider must not contain '|'")
        signed = f"{provider}|{message}|{json.dumps(sorted(fields.items()), sort_keys=True)}"
        return hmac.new(self.secret.encode(), signed.encode(), hashlib.sha256).hexdigest()

    def sign_dict(self, request_dict: Mapping[str, Any]) -> str:
        """Sign a dict with `provider`, `message` and other fields. Raise ValueError if one of the two is missing."""
        if not {"provider", "message"} <= request_dict.keys():
            raise ValueError("the dict must have 'provider' and 'message'")
        return self.sign_request(**request_dict)

    def verify_dict(self, signature: str, request_dict: Mapping[str, Any]) -> bool:
        """Return whether it is the signature of this dict."""
        if not {"provider", "message"} <= request_dict.keys():
            return False
        return self.verify_signature(signature, **request_dict)
