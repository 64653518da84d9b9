"""The wire of Gemini's `streamGenerateContent?alt=sse`, the Developer API. Pure.

https://ai.google.dev/api/generate-content

Rule of success: candidate 0 has a finish reason other than CONTINUATION, or the prompt was blocked. There is no
terminal marker, so the body is read to its end: late chunks carry signatures, sources and usage. The last event may
lack its blank line. After CONTINUATION, or a cut after a checkpoint token, another request continues the reply.
"""

from .parser import GeminiParser
from .request import gemini_request

__all__ = ["GeminiParser", "gemini_request"]
