"""The wire of OpenAI Chat Completions and all compatible servers. Pure.

https://platform.openai.com/docs/api-reference/chat-streaming

Rule of success: every choice that was seen has a finish reason, and the body ended by `[DONE]` or cleanly. `[DONE]`
alone proves nothing: vLLM sends it after an error, and Ollama ends the body cleanly after one.
"""

from .parser import ChatParser
from .request import chat_request

__all__ = ["ChatParser", "chat_request"]
