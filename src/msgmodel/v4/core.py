"""The blocking functions, and the other names that a program of msgmodel 4 imports from here."""

from .._functions import query, stream, stream_panels
from ..errors import APIError, AuthenticationError, ConfigurationError, FileError, MsgModelError, StreamingError
from ..question.config import AnthropicConfig, GeminiConfig, OpenAIConfig, ProviderConfig
from ..response import LLMResponse
from .names import (
    ANTHROPIC_API_KEY_ENV,
    ANTHROPIC_API_KEY_FILE,
    GEMINI_API_KEY_ENV,
    GEMINI_API_KEY_FILE,
    OPENAI_API_KEY_ENV,
    OPENAI_API_KEY_FILE,
    AnthropicProvider,
    GeminiProvider,
    OpenAIProvider,
    Provider,
    get_default_config,
)

MIME_TYPE_PDF = "application/pdf"
MIME_TYPE_OCTET_STREAM = "application/octet-stream"
FILE_ENCODING = "utf-8"

__all__ = [
    "ANTHROPIC_API_KEY_ENV",
    "ANTHROPIC_API_KEY_FILE",
    "FILE_ENCODING",
    "GEMINI_API_KEY_ENV",
    "GEMINI_API_KEY_FILE",
    "MIME_TYPE_OCTET_STREAM",
    "MIME_TYPE_PDF",
    "OPENAI_API_KEY_ENV",
    "OPENAI_API_KEY_FILE",
    "APIError",
    "AnthropicConfig",
    "AnthropicProvider",
    "AuthenticationError",
    "ConfigurationError",
    "FileError",
    "GeminiConfig",
    "GeminiProvider",
    "LLMResponse",
    "MsgModelError",
    "OpenAIConfig",
    "OpenAIProvider",
    "Provider",
    "ProviderConfig",
    "StreamingError",
    "get_default_config",
    "query",
    "stream",
    "stream_panels",
]
