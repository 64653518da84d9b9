"""The providers that requests may use: those that are allowed, and whether each is ready."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TypedDict

from ..errors import AuthenticationError
from ..local import weights
from ..providers import MAIN, PROVIDERS, Provider, find_provider
from ..question.files import SIZE_LIMITS
from ..registry import environment
from .settings import Settings


class ListedProvider(TypedDict):
    """A provider as clients see it."""

    name: str
    default_model: str
    wire: str
    ready: bool
    needs_key: bool
    """False for a server that the operator may run, such as Ollama: it may be there, though no variable says so."""
    local: bool


class ListedFiles(TypedDict):
    """What a wire takes as a file, so that a client can say before sending that it does not take one."""

    text: int
    """The most bytes of a text."""
    types: dict[str, int]
    """The most bytes of each other media type that it takes."""


def list_file_limits() -> dict[str, ListedFiles]:
    """Return what each wire takes as a file, by the name of the wire."""
    return {wire: {"text": limits.text, "types": dict(limits.types)} for wire, limits in SIZE_LIMITS.items()}


class Directory:
    """Lists providers. It reads the environment each time, so that a key that is set later counts."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._allowed = {find_provider(name).name for name in settings.providers}

    def allows_provider(self, row: Provider) -> bool:
        """Return whether requests may use this provider."""
        return not self._allowed or row.name in self._allowed

    def is_ready(self, row: Provider) -> bool:
        """Return whether the key, the address or the model file that this provider needs exists."""
        if row.name == "local":
            return find_spec("xllamacpp") is not None and weights.path().is_file()
        addressed = bool(environment.read_variable(row.base_url_variable))
        if not row.needs_key:
            return addressed  # your own server: its address must be set
        try:
            return environment.find_key(row) is not None and (row.has_fixed_address or addressed)
        except AuthenticationError:  # the value cannot be a key
            return False

    def default_provider(self) -> Provider:
        """Return the provider for requests that name none."""
        if self._settings.default_provider:
            return find_provider(self._settings.default_provider)
        rows = [row for row in PROVIDERS.values() if self.allows_provider(row)]
        rows.sort(key=lambda row: MAIN.index(row.name) if row.name in MAIN else len(MAIN))
        ready = [row for row in rows if self.is_ready(row)]
        local = [row for row in rows if row.name == "local"]
        without_key = [row for row in rows if not row.needs_key]  # one may run, though no variable says so
        return next(iter((*ready, *local, *without_key, *rows)), PROVIDERS["local"])

    def list_providers(self) -> list[ListedProvider]:
        """Return the allowed providers, those that are ready first."""
        found: list[ListedProvider] = [
            {
                "name": row.name,
                "default_model": row.default_model,
                "wire": row.wire,
                "ready": self.is_ready(row),
                "needs_key": row.needs_key,
                "local": row.name == "local",
            }
            for row in PROVIDERS.values()
            if self.allows_provider(row)
        ]
        return sorted(found, key=lambda row: not row["ready"])
