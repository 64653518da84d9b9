"""The row of data that describes a provider. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ..question.config import OpenAIConfig, ProviderConfig
from ..question.question import Dialect
from . import base_urls


@dataclass(frozen=True, slots=True)
class Policy:
    """A provider's terms for the data of its API, and the day on which we read them."""

    training_retention: bool | None
    data_retention: str
    provider_policy: str
    special_conditions: str
    reference: str
    checked: str
    retention_when_stored: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A row of the registry. A provider that speaks a known wire needs no other code."""

    name: str
    aliases: tuple[str, ...] = ()
    wire: str = "openai_chat"
    config: type[ProviderConfig] = OpenAIConfig
    default_model: str = ""
    """Empty if the caller must name a model."""
    base_url: str = ""
    """A template if each customer has an address, such as `https://{resource}.openai.azure.com/openai/v1`."""
    base_url_variable: str = ""
    base_url_path: str = ""
    """Appended to the value of that variable if it is not its end, as the provider's own client does."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Environment variable to the header that carries its key, in the order of search."""
    needs_key: bool = True
    key_file: str = ""
    header_variables: Mapping[str, str] = field(default_factory=dict)
    dialect: Dialect = field(default_factory=Dialect)
    dialect_elsewhere: Dialect | None = None
    """The dialect of other servers under this name, such as a proxy; None if it is the same."""
    host: str = ""
    """The domain of the provider's own servers; empty if that is the host of `base_url`."""
    website: str = ""
    policy: Policy | None = None
    """None if we have not read the terms."""

    @property
    def key_header(self) -> str:
        """The header that carries a key of the caller's."""
        return next(iter(self.keys.values()), "authorization")

    @property
    def has_fixed_address(self) -> bool:
        """Whether `base_url` is a complete address, not a template."""
        return "{" not in self.base_url

    def dialect_at(self, base_url: str) -> Dialect:
        """Return what the server at an address accepts."""
        if self.dialect_elsewhere is None or self.is_official_host(base_url):
            return self.dialect
        return self.dialect_elsewhere

    def is_official_host(self, base_url: str) -> bool:
        """Return whether a base URL is on one of the provider's own servers."""
        own = self.host or (urlsplit(self.base_url).hostname or "" if self.has_fixed_address else "")
        host = urlsplit(base_url).hostname or ""
        return bool(own) and (host == own or host.endswith("." + own))

    def complete_url(self, address: str) -> str:
        """Return a complete base URL for the value of `base_url_variable`.

        The value may lack the path and, for a local server, the scheme, the host and the port: `OLLAMA_HOST=:11434` is
        valid. It may also be the address of an endpoint, such as Azure's target URI, which is complete.
        """
        own = urlsplit(self.base_url)
        if own.scheme == "http":
            address = base_urls.complete_local_address(address, own.port)
        if base_urls.split_endpoint(address)[1] is not None:
            return address
        return base_urls.add_path(address, self.base_url_path)

    def with_own_path(self, base_url: str) -> str:
        """Return a base URL of the caller; one that is only a host gets the provider's own path."""
        is_host = urlsplit(base_url).path in ("", "/")
        if is_host and (self.base_url_path or (self.is_official_host(base_url) and self.has_fixed_address)):
            return base_urls.add_path(base_url, urlsplit(self.base_url).path)
        return base_url
