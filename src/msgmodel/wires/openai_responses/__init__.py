"""The wire of the OpenAI Responses API. Pure.

https://platform.openai.com/docs/api-reference/responses-streaming

Rule of success: a `response.completed` event. `response.incomplete` ends the reply too, but cut short;
`response.failed` and `error` are failures. The `type` in the JSON identifies an event; the `event:` line is not read.
"""

from .parser import ResponsesParser
from .request import responses_request

__all__ = ["ResponsesParser", "responses_request"]
