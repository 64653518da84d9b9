"""Streams a reply from any LLM provider as panel events, and tells the truth about how it ended.

from msgmodel import stream_panels

for event in stream_panels("openai", "Tell me a story"):
    if event["event"] == "panel_delta":
        print(event["delta"], end="", flush=True)
"""

import typing

from ._api import aquery, astream, astream_panels, query, stream, stream_panels
from ._question import Fallback, Options
from ._version import __version__
from .client import AsyncClient, Client
from .config import AnthropicConfig, GeminiConfig, LocalConfig, OpenAIConfig, ProviderConfig
from .conversation import Conversation
from .errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    FileError,
    MsgModelError,
    ReplyError,
    StreamingError,
)
from .events import (
    BatchEvent,
    BatchFinal,
    ErrorCode,
    PanelDelta,
    PanelEnd,
    PanelError,
    PanelEvent,
    PanelFinal,
    PanelReasoning,
    PanelRefusal,
    PanelRetry,
    PanelSource,
    PanelSummary,
    PanelToolCall,
    PanelToolDelta,
    Privacy,
    Segment,
    Source,
    Status,
    Timing,
    ToolCall,
    Usage,
)
from .messages import Message
from .providers import register_provider
from .response import LLMResponse

if typing.TYPE_CHECKING:
    from .many import AsyncBatch, Batch, Panel, astream_many, stream_many

__all__ = [
    "APIError",
    "AnthropicConfig",
    "AsyncBatch",
    "AsyncClient",
    "AuthenticationError",
    "Batch",
    "BatchEvent",
    "BatchFinal",
    "Client",
    "ConfigurationError",
    "Conversation",
    "ErrorCode",
    "Fallback",
    "FileError",
    "GeminiConfig",
    "LLMResponse",
    "LocalConfig",
    "Message",
    "MsgModelError",
    "OpenAIConfig",
    "Options",
    "Panel",
    "PanelDelta",
    "PanelEnd",
    "PanelError",
    "PanelEvent",
    "PanelFinal",
    "PanelReasoning",
    "PanelRefusal",
    "PanelRetry",
    "PanelSource",
    "PanelSummary",
    "PanelToolCall",
    "PanelToolDelta",
    "Privacy",
    "ProviderConfig",
    "ReplyError",
    "Segment",
    "Source",
    "Status",
    "StreamingError",
    "Timing",
    "ToolCall",
    "Usage",
    "__version__",
    "aquery",
    "astream",
    "astream_many",
    "astream_panels",
    "query",
    "register_provider",
    "stream",
    "stream_many",
    "stream_panels",
]

_LAZY = dict.fromkeys(("AsyncBatch", "Batch", "Panel", "astream_many", "stream_many"), "many")
"""Names whose modules cost more to import than all the rest: they come in when they are first used."""


def __getattr__(name: str) -> typing.Any:
    from importlib import import_module

    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_LAZY[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
