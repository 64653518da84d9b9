"""The public names of the configs, which `question/config.py` defines."""

from typing import Any

from .question.config import AnthropicConfig as AnthropicConfig
from .question.config import GeminiConfig as GeminiConfig
from .question.config import LocalConfig as LocalConfig
from .question.config import OpenAIConfig as OpenAIConfig
from .question.config import ProviderConfig as ProviderConfig

_OF_VERSION_4 = frozenset(
    {
        *("Provider", "get_default_config"),
        *("OPENAI_URL", "OPENAI_API_KEY_ENV", "OPENAI_API_KEY_FILE"),
        *("GEMINI_URL", "GEMINI_API_KEY_ENV", "GEMINI_API_KEY_FILE"),
        *("ANTHROPIC_URL", "ANTHROPIC_API_KEY_ENV", "ANTHROPIC_API_KEY_FILE"),
    }
)
"""Names that programs of msgmodel 4 import from here. They are imported late, because they import the functions."""


def __getattr__(name: str) -> Any:
    if name in _OF_VERSION_4:
        from .v4 import names

        return getattr(names, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
