"""What a provider is: a row of data. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ..question.config import OpenAIConfig, ProviderConfig
from ..question.question import Dialect


@dataclass(frozen=True, slots=True)
class Policy:
    """What a provider says that it does with the data of its API, and when we read it."""

    training_retention: bool | None
    data_retention: str
    provider_policy: str
    special_conditions: str
    reference: str
    checked: str
    retention_when_stored: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A row. A provider that speaks a known wire is one of these, and nothing else."""

    name: str
    aliases: tuple[str, ...] = ()
    wire: str = "openai_chat"
    config: type[ProviderConfig] = OpenAIConfig
    default_model: str = ""
    """Empty where the caller must name one."""
    base_url: str = ""
    """A template where the caller must give it, such as `https://{resource}.openai.azure.com/openai/v1`."""
    base_url_variable: str = ""
    base_url_path: str = ""
    """What the value of that variable lacks at its end, as the provider's own client appends it."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Environment variables to the header that carries the key, in the order in which they are tried."""
    needs_key: bool = True
    key_file: str = ""
    header_variables: Mapping[str, str] = field(default_factory=dict)
    dialect: Dialect = field(default_factory=Dialect)
    dialect_elsewhere: Dialect | None = None
    """The dialect of other servers that are asked by this name; None where it is the same."""
    host: str = ""
    """End of the host names that are the provider's own; empty where that is the host of `base_url`."""
    website: str = ""
    policy: Policy | None = None
    """None where nobody has read it for us."""

    @property
    def has_fixed_address(self) -> bool:
        """Whether `base_url` is a whole address, not a template."""
        return "{" not in self.base_url

    def is_official_host(self, base_url: str) -> bool:
        """Whether a base URL is the provider's own, not somebody's who is compatible with it."""
        own = self.host or (urlsplit(self.base_url).hostname or "" if self.has_fixed_address else "")
        host = urlsplit(base_url).hostname or ""
        return bool(own) and (host == own or host.endswith("." + own))

    def complete_url(self, address: str) -> str:
        """A base URL from the value of the variable, which may lack the path, and for a local server the scheme."""
        own, address = urlsplit(self.base_url), address.rstrip("/")
        if "://" not in address and own.scheme == "http":
            address = f"http://{address}" + ("" if ":" in address else f":{own.port}")
        return (
            address if not self.base_url_path or address.endswith(self.base_url_path) else address + self.base_url_path
        )
