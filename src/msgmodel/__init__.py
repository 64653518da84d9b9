"""Streams a reply from any LLM provider as panel events, and tells the truth about how it ended.

from msgmodel import stream_panels

for event in stream_panels("openai", "Tell me a story"):
    if event["event"] == "panel_delta":
        print(event["delta"], end="", flush=True)
"""

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
from .response import LLMResponse

__all__ = [
    "APIError",
    "AnthropicConfig",
    "AsyncClient",
    "AuthenticationError",
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
    "PanelDelta",
    "PanelEnd",
    "PanelError",
    "PanelEvent",
    "PanelFinal",
    "PanelReasoning",
    "PanelRefusal",
    "PanelRetry",
    "PanelSource",
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
    "astream_panels",
    "query",
    "stream",
    "stream_panels",
]
