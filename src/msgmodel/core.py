"""The blocking functions, by the name that their module had in msgmodel 4."""

from ._api import query, stream, stream_panels
from .response import LLMResponse

__all__ = ["LLMResponse", "query", "stream", "stream_panels"]
