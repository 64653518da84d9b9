"""Who can be asked here: the providers that have a key, or need none, and are allowed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TypedDict

from ..errors import AuthenticationError
from ..local import weights
from ..providers import MAIN, PROVIDERS, Provider, find_provider
from ..registry import environment
from .settings import Settings


class Listed(TypedDict):
    """A provider as a client sees it."""

    name: str
    default_model: str
    wire: str
    ready: bool
    local: bool


class Directory:
    """Reads the environment each time: a key that comes later is seen."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._allowed = {find_provider(name).name for name in settings.providers}

    def allows(self, row: Provider) -> bool:
        return not self._allowed or row.name in self._allowed

    def ready(self, row: Provider) -> bool:
        """Whether there is what it takes to ask this provider."""
        if row.name == "local":
            return find_spec("xllamacpp") is not None and weights.path().is_file()
        addressed = bool(environment.read_variable(row.base_url_variable))
        if not row.needs_key:
            return addressed  # a server of one's own: somebody must have said that it is there
        try:
            return environment.find_key(row) is not None and (row.has_fixed_address or addressed)
        except AuthenticationError:  # a key that can't be one
            return False

    def default(self) -> Provider:
        """Who is asked where a request names nobody."""
        if self._settings.default_provider:
            return find_provider(self._settings.default_provider)
        rows = [row for row in PROVIDERS.values() if self.allows(row)]
        rows.sort(key=lambda row: MAIN.index(row.name) if row.name in MAIN else len(MAIN))
        return next((row for row in rows if self.ready(row)), PROVIDERS["local"])

    def listed(self) -> list[Listed]:
        """The allowed ones; those that are ready first."""
        found: list[Listed] = [
            {
                "name": row.name,
                "default_model": row.default_model,
                "wire": row.wire,
                "ready": self.ready(row),
                "local": row.name == "local",
            }
            for row in PROVIDERS.values()
            if self.allows(row)
        ]
        return sorted(found, key=lambda row: not row["ready"])
