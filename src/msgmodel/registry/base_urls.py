"""Base URLs as people copy them: complete ones, a host alone, or the address of one endpoint with its query. Pure."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from ..errors import ConfigurationError, quoted

_ENDPOINTS: Final = (
    (re.compile(r"/chat/completions$"), "openai_chat"),
    (re.compile(r"/responses$"), "openai_responses"),
    (re.compile(r"(/v1)?/messages$"), "anthropic"),
    (re.compile(r"/models/[^/]+:\w+$"), "gemini"),
)
_API_NAMES: Final = {
    "openai_chat": 'Chat Completions (api="chat")',
    "openai_responses": 'the Responses API (api="responses")',
    "anthropic": "Anthropic's API (provider anthropic)",
    "gemini": "Gemini's API (provider gemini)",
}
_ANY_ADDRESS: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104
"""Hosts that a server listens on. A client asks localhost instead, as Ollama's own client does for OLLAMA_HOST."""


def split_endpoint(url: str) -> tuple[str, str | None]:
    """Return a URL without the path of an endpoint, and the wire of that endpoint; None if it has none."""
    base, _, query = url.partition("?")
    base = base.rstrip("/")
    for pattern, wire in _ENDPOINTS:
        if found := pattern.search(base):
            others = [field for field in query.split("&") if field and field != "alt=sse"]  # the wire adds its own
            return base[: found.start()] + ("?" + "&".join(others) if others else ""), wire
    return url, None


def add_path(url: str, path: str) -> str:
    """Return a URL whose path ends with the provider's own, before its query."""
    base, mark, query = url.partition("?")
    return f"{base.rstrip('/').removesuffix(path)}{path}{mark}{query}"


def complete_local_address(address: str, default_port: int | None) -> str:
    """Return a URL for the address of a local server, which may lack the scheme, the host or the port."""
    if "://" not in address:
        host = address.partition("/")[0].partition("?")[0]
        port = "" if re.search(r":\d*$", host) and not host.endswith("]") else f":{default_port}"
        address = f"http://{host}{port}{address[len(host) :]}"
    try:
        parts = urlsplit(address)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:  # `check_base_url` refuses it
        return address
    return urlunsplit(parts._replace(netloc=f"localhost{port}")) if (parts.hostname or "") in _ANY_ADDRESS else address


def check_base_url(base_url: str) -> str:
    """Return a base URL. Raise ConfigurationError for one that no request can be sent to."""
    if re.search(r"[{}<>]", base_url):
        raise ConfigurationError("base_url is a template: replace what stands in brackets by the name of your own")
    try:
        parts = urlsplit(base_url)
        is_complete = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        (parts.hostname or "").encode("idna")  # resolvers encode it so, and fail on a label that is empty or too long
    except ValueError:  # unmatched brackets, or a port that is not a number
        is_complete = False
    if not is_complete or not base_url.isprintable() or " " in base_url:
        raise ConfigurationError("base_url must be an address such as https://example.com/v1")
    if not base_url.isascii():  # versions of IDNA disagree about which host a letter means
        raise ConfigurationError("base_url must be ASCII: write the host in its xn-- form, and other letters as %XX")
    if parts.username or parts.password or parts.fragment:
        raise ConfigurationError("base_url must not contain a user, a password or a fragment: use api_key or headers")
    if "/openai/deployments/" in f"{parts.path}/" and "api-version=" not in parts.query:
        raise ConfigurationError(
            "base_url names a deployment of Azure without an API version: copy the complete target URI, which ends in "
            "?api-version=..., or use https://<resource>.openai.azure.com/openai/v1 with model= the deployment"
        )
    return base_url


def check_endpoint(endpoint: str | None, wire: str) -> None:
    """Raise ConfigurationError if an address is the endpoint of another API than the one to be asked."""
    if endpoint not in (None, wire):
        raise ConfigurationError(
            f"base_url is the address of {_API_NAMES[str(endpoint)]}, and the call asks {_API_NAMES[wire]}: "
            f"cut the address before {quoted(_ENDPOINT_PATHS[str(endpoint)])}, or ask the API that it names"
        )


_ENDPOINT_PATHS: Final = {
    "openai_chat": "/chat/completions",
    "openai_responses": "/responses",
    "anthropic": "/v1/messages",
    "gemini": "/models",
}
