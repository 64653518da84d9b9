"""What a provider does with the data of one request, computed from the request that is sent.

Rule: no promise without its source. A provider's policy applies to its own hosts only; another server may do anything.
"""

from __future__ import annotations

from typing import Any, Final, Literal
from urllib.parse import urlsplit

from ..events import Privacy
from ..question.question import Question
from ..question.transport import HttpRequest
from . import rows
from .provider import Policy, Provider
from .registry import PROVIDERS

HIDDEN_HOST: Final = "private server"
"""The host that clients of a server see instead of an internal name."""

_BUILT_IN_ROWS: Final = {row.name: row for row in rows.ROWS}
"""The rows of this library. A row that a program registers may have an internal address."""

_NO_POLICY: Final = Policy(
    training_retention=None,
    data_retention="unknown: this library does not know the terms of this provider",
    provider_policy="Unknown: read the terms of the provider.",
    special_conditions="",
    reference="",
    checked="",
)

_ELSEWHERE: Final = Policy(
    training_retention=None,
    data_retention="unknown: depends on who runs the server",
    provider_policy="Unknown: the request went to a server that is not the provider's own.",
    special_conditions="",
    reference="",
    checked="",
)


def privacy_of_request(ask: Question, request: HttpRequest) -> Privacy:
    """Return what happens to the data of this request, read from the request itself."""
    row = PROVIDERS[ask.provider]
    local = ask.provider == "local"
    policy = (row.policy or _NO_POLICY) if local or row.is_official_host(request.url) else _ELSEWHERE
    known: Literal["request", "policy"] = "request" if request.stored is False else "policy"
    return {
        "provider": ask.provider,
        "training_retention": policy.training_retention,
        "data_retention": policy.retention_when_stored
        if request.stored and policy.retention_when_stored
        else policy.data_retention,
        "stored": request.stored,
        "endpoint": "in-process" if local else urlsplit(request.url).hostname or "",
        "inline_file": bool(ask.attachments),
        "local": local,
        "enforcement_level": "in_process" if local else known if policy.checked else "unknown",
        "provider_policy": policy.provider_policy,
        "special_conditions": policy.special_conditions,
        "reference": policy.reference,
        "checked": policy.checked,
    }


def stated_privacy(row: Provider) -> dict[str, Any]:
    """Return what a provider states about the data of its API in general, without a request."""
    policy = row.policy or _NO_POLICY
    return {
        "provider": row.name,
        "training_retention": policy.training_retention,
        "data_retention": policy.data_retention,
        "enforcement_level": "policy" if policy.checked else "unknown",
        "provider_policy": policy.provider_policy,
        "special_conditions": policy.special_conditions,
        "reference": policy.reference,
        "checked": policy.checked,
    }


def host_for_clients(provider: str, host: str) -> str:
    """Return the host of a request as the clients of a server may see it.

    A provider's own host is public. If each customer has an own host there, only the provider's domain is returned. Any
    other host is an internal name, such as the one of a gateway.

    Args:
        provider: The name of the provider.
        host: The host that the request went to; empty for the embedded model.
    """
    row = _BUILT_IN_ROWS.get(provider)
    if not host:
        return ""
    if row is None or urlsplit(row.base_url).scheme != "https":
        return HIDDEN_HOST
    own = urlsplit(row.base_url).hostname if row.has_fixed_address else None
    if host == own or (own and not row.host and host.endswith(f".{own}")):
        return host
    return row.host if row.host and row.is_official_host(f"https://{host}") else HIDDEN_HOST
