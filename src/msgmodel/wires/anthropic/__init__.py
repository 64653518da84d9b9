"""The wire of the Anthropic Messages API. Pure.

https://platform.claude.com/docs/en/api/messages-streaming

Rule of success: `message_stop` after a `message_delta` with a stop reason. The `type` in the JSON identifies an event,
so a proxy may strip the `event:` lines. Numbers in `usage` are cumulative: each replaces the earlier one.
"""

from .parser import AnthropicParser
from .request import anthropic_request

__all__ = ["AnthropicParser", "anthropic_request"]
