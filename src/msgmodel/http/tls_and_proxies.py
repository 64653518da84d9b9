"""What the environment says about a connection: the trusted certificates, and the proxy for a host."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from ..question.redaction import safe_for_display
from ..question.transport import ConnectionBroken


@cache
def shared_tls_context() -> ssl.SSLContext:
    """Return the one for all pools. To make one takes as long as all else, and a fork meanwhile blocks the child."""
    import httpx2

    with environment_errors("the certificates that SSL_CERT_FILE or SSL_CERT_DIR names"):
        context = httpx2.create_ssl_context()
    context.hostname_checks_common_name = False  # authorities check the other names only (RFC 9525, section 2)
    return context


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, with the password that may be in its URL, and the environment variable that names it."""

    variable: str
    url: str = field(repr=False)

    def __str__(self) -> str:
        """Say which one it is, without a user, a password or a query."""
        place = self.url.partition("://")[2].partition("?")[0].rpartition("@")[2].partition("/")[0]
        return f"the proxy {safe_for_display(place)} ({self.variable})"


class Proxies:
    """The proxies that the environment or the system names, and the hosts that are reached without them.

    They are read once, because going through the environment takes longer than all else that is done for a request.
    """

    def __init__(self) -> None:
        from urllib.request import getproxies

        found = getproxies()
        self._by_scheme: dict[str, Proxy] = {}
        for scheme in ("http", "https", "all"):
            if url := found.get(scheme):
                self._by_scheme[scheme] = Proxy(f"{scheme.upper()}_PROXY", url if "://" in url else f"http://{url}")
        self._past = found.get("no", "").replace(",", " ").lower().split()

    def all(self) -> list[Proxy]:
        """Return all that are named."""
        return list(self._by_scheme.values())

    def of(self, url: str) -> Proxy | None:
        """Return the proxy for this URL, or None for a direct connection."""
        if not self._by_scheme:
            return None
        parts = urlsplit(url)
        proxy = self._by_scheme.get(parts.scheme) or self._by_scheme.get("all")
        if proxy is None or any(_is_named(parts, entry) for entry in self._past):
            return None
        return proxy


def _is_named(parts: SplitResult, entry: str) -> bool:
    """Return whether an entry of NO_PROXY names this host.

    There is no standard. We accept the forms that curl, Go and Python's `urllib` accept between them: a name with its
    subdomains (also as `.name` or `*.name`), an address, a network such as 127.0.0.0/8, a port, and `*`.
    """
    if entry == "*":
        return True
    scheme, separator, rest = entry.partition("://")
    if separator:
        if scheme not in (parts.scheme, "all"):
            return False
        entry = rest
    host = (parts.hostname or "").rstrip(".")
    address = None
    with suppress(ValueError):
        address = ip_address(host)
    with suppress(ValueError):  # it is no address and no network
        network = ip_network(entry.strip("[]"), strict=False)
        return address is not None and address in network
    name, _, port = entry.rpartition(":")
    if name and port.isdigit():
        if int(port) != (parts.port or (443 if parts.scheme == "https" else 80)):
            return False
        entry = name
    entry = entry.strip("[]").removeprefix("*").strip(".")
    return bool(entry) and (host == entry or (address is None and host.endswith("." + entry)))


@contextmanager
def environment_errors(what: str) -> Iterator[None]:
    """Raise ConnectionBroken if something that the environment names can't be used. To try again would not help."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise ConnectionBroken(
            "network", f"{what} can't be used: {safe_for_display(str(error))}", retryable=False
        ) from None
