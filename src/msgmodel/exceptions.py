"""`msgmodel.errors`, by the name that it had in msgmodel 4."""

from .errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    ContextLengthError,
    FileError,
    MsgModelError,
    ProviderError,
    RateLimitError,
    ServiceUnavailableError,
    StreamingError,
    ValidationError,
)

__all__ = [
    "APIError",
    "AuthenticationError",
    "ConfigurationError",
    "ContextLengthError",
    "FileError",
    "MsgModelError",
    "ProviderError",
    "RateLimitError",
    "ServiceUnavailableError",
    "StreamingError",
    "ValidationError",
]
