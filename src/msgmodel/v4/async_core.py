"""The functions for asyncio, and the other names that a program of msgmodel 4 imports from here."""

from .._functions import aquery, astream, astream_panels
from ..errors import APIError, ConfigurationError, StreamingError
from ..question.config import AnthropicConfig, GeminiConfig, OpenAIConfig, ProviderConfig
from ..response import LLMResponse
from .names import ANTHROPIC_URL, GEMINI_URL, OPENAI_URL, Provider, get_default_config

AIOHTTP_AVAILABLE = True
"""Always true. In msgmodel 4, async calls needed an extra, and programs checked this first."""

__all__ = [
    "AIOHTTP_AVAILABLE",
    "ANTHROPIC_URL",
    "GEMINI_URL",
    "OPENAI_URL",
    "APIError",
    "AnthropicConfig",
    "ConfigurationError",
    "GeminiConfig",
    "LLMResponse",
    "OpenAIConfig",
    "Provider",
    "ProviderConfig",
    "StreamingError",
    "aquery",
    "astream",
    "astream_panels",
    "get_default_config",
]
