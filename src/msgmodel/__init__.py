"""Streams a reply from any LLM provider as panel events, and tells the truth about how it ended.

from msgmodel import stream_panels

for event in stream_panels("openai", "Tell me a story"):
    if event["event"] == "panel_delta":
        print(event["delta"], end="", flush=True)
"""

import typing

from ._functions import aquery, astream, astream_panels, query, stream, stream_panels
from ._options import Fallback, Options
from ._version import __version__
from .client import AsyncClient, Client
from .config import AnthropicConfig, GeminiConfig, LocalConfig, OpenAIConfig, ProviderConfig
from .conversation import Conversation
from .errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    ContextLengthError,
    FileError,
    MsgModelError,
    NetworkError,
    ProviderError,
    RateLimitError,
    ReplyError,
    ServiceUnavailableError,
    StreamingError,
    ValidationError,
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
    PanelItem,
    PanelObject,
    PanelProgress,
    PanelReasoning,
    PanelRefusal,
    PanelRetry,
    PanelRound,
    PanelSource,
    PanelSummary,
    PanelToolCall,
    PanelToolDelta,
    PanelToolProgress,
    PanelToolResult,
    PendingCall,
    Privacy,
    RunRecord,
    Segment,
    Source,
    Spent,
    Status,
    Timing,
    ToolCall,
    ToolResult,
    Usage,
)
from .messages import Message
from .providers import register_provider
from .response import LLMResponse

__author__ = "Leo Dias"

if typing.TYPE_CHECKING:
    from .compat import (
        AnthropicProvider,
        ClaudeConfig,
        GeminiProvider,
        OpenAIProvider,
        Provider,
        get_default_config,
    )
    from .listing import ModelInfo, amodels, models
    from .many import (
        AsyncBatch,
        Batch,
        Panel,
        PromptResult,
        PromptsInterrupted,
        amap_prompts,
        astream_many,
        map_prompts,
        stream_many,
    )
    from .retry import RETRY_AGGRESSIVE, RETRY_CONSERVATIVE, RETRY_DEFAULT, RetryConfig, retry_on_transient_error
    from .security import RequestSigner
    from .tools.call_context import current_call
    from .tools.mcp_client import mcp_tools
    from .tools.run_functions import aresume_tools, arun_tools, resume_tools, run_tools
    from .tools.run_streams import AsyncRunStream, RunStream
    from .tools.runnable_tool import RunnableTool
    from .tools.signed_state import read_signed_state, sign_state
    from .validation import (
        validate_api_key,
        validate_max_tokens,
        validate_model_name,
        validate_prompt,
        validate_temperature,
        validate_timeout,
        validate_top_p,
    )

__all__ = [
    "RETRY_AGGRESSIVE",
    "RETRY_CONSERVATIVE",
    "RETRY_DEFAULT",
    "APIError",
    "AnthropicConfig",
    "AnthropicProvider",
    "AsyncBatch",
    "AsyncClient",
    "AsyncRunStream",
    "AuthenticationError",
    "Batch",
    "BatchEvent",
    "BatchFinal",
    "ClaudeConfig",
    "Client",
    "ConfigurationError",
    "ContextLengthError",
    "Conversation",
    "ErrorCode",
    "Fallback",
    "FileError",
    "GeminiConfig",
    "GeminiProvider",
    "LLMResponse",
    "LocalConfig",
    "Message",
    "ModelInfo",
    "MsgModelError",
    "NetworkError",
    "OpenAIConfig",
    "OpenAIProvider",
    "Options",
    "Panel",
    "PanelDelta",
    "PanelEnd",
    "PanelError",
    "PanelEvent",
    "PanelFinal",
    "PanelItem",
    "PanelObject",
    "PanelProgress",
    "PanelReasoning",
    "PanelRefusal",
    "PanelRetry",
    "PanelRound",
    "PanelSource",
    "PanelSummary",
    "PanelToolCall",
    "PanelToolDelta",
    "PanelToolProgress",
    "PanelToolResult",
    "PendingCall",
    "Privacy",
    "PromptResult",
    "PromptsInterrupted",
    "Provider",
    "ProviderConfig",
    "ProviderError",
    "RateLimitError",
    "ReplyError",
    "RequestSigner",
    "RetryConfig",
    "RunRecord",
    "RunStream",
    "RunnableTool",
    "Segment",
    "ServiceUnavailableError",
    "Source",
    "Spent",
    "Status",
    "StreamingError",
    "Timing",
    "ToolCall",
    "ToolResult",
    "Usage",
    "ValidationError",
    "__version__",
    "amap_prompts",
    "amodels",
    "aquery",
    "aresume_tools",
    "arun_tools",
    "astream",
    "astream_many",
    "astream_panels",
    "current_call",
    "get_default_config",
    "map_prompts",
    "mcp_tools",
    "models",
    "query",
    "read_signed_state",
    "register_provider",
    "resume_tools",
    "retry_on_transient_error",
    "run_tools",
    "sign_state",
    "stream",
    "stream_many",
    "stream_panels",
    "validate_api_key",
    "validate_max_tokens",
    "validate_model_name",
    "validate_prompt",
    "validate_temperature",
    "validate_timeout",
    "validate_top_p",
]

_LAZY = {
    name: module
    for module, names in {
        "compat": "AnthropicProvider ClaudeConfig GeminiProvider OpenAIProvider Provider get_default_config",
        "listing": "ModelInfo amodels models",
        "many": "AsyncBatch Batch Panel PromptResult PromptsInterrupted amap_prompts astream_many map_prompts "
        "stream_many",
        "retry": "RETRY_AGGRESSIVE RETRY_CONSERVATIVE RETRY_DEFAULT RetryConfig retry_on_transient_error",
        "security": "RequestSigner",
        "tools.call_context": "current_call",
        "tools.mcp_client": "mcp_tools",
        "tools.run_functions": "aresume_tools arun_tools resume_tools run_tools",
        "tools.run_streams": "AsyncRunStream RunStream",
        "tools.runnable_tool": "RunnableTool",
        "tools.signed_state": "read_signed_state sign_state",
        "validation": "validate_api_key validate_max_tokens validate_model_name validate_prompt validate_temperature "
        "validate_timeout validate_top_p",
    }.items()
    for name in names.split()
}
"""Names whose modules cost more to import than all the rest: they come in when they are first used."""


_MODULES = frozenset({"async_core", "core", "exceptions", "retry", "security", "validation"})
"""Modules that came in with the package in msgmodel 4: `import msgmodel; msgmodel.exceptions.APIError`."""


def __getattr__(name: str) -> typing.Any:
    from importlib import import_module

    if name in _MODULES:
        return import_module(f".{name}", __name__)
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_LAZY[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
