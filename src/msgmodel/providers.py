"""The public names of the registry of providers, which `registry/` defines."""

from typing import Any

from ._arguments import wire_of_call as wire_of_call
from .registry.privacy import host_for_clients as host_for_clients
from .registry.privacy import privacy_of_request as privacy_of_request
from .registry.privacy import stated_privacy as stated_privacy
from .registry.provider import Policy as Policy
from .registry.provider import Provider as Provider
from .registry.registry import ENTRY_POINTS as ENTRY_POINTS
from .registry.registry import MAIN as MAIN
from .registry.registry import PROVIDERS as PROVIDERS
from .registry.registry import find_provider as find  # noqa: F401  its name in 5.0
from .registry.registry import find_provider as find_provider
from .registry.registry import find_provider_and_model as find_provider_and_model
from .registry.registry import look_up_provider as look_up_provider
from .registry.registry import owner_of_model as owner_of_model
from .registry.registry import register_provider as register_provider
from .reply.advice import hint_for_failure as hint_for_failure


def __getattr__(name: str) -> Any:
    """Return one of the classes that msgmodel 4 had in a package of this name."""
    if name in ("OpenAIProvider", "GeminiProvider", "AnthropicProvider"):
        from .v4 import names

        return getattr(names, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
