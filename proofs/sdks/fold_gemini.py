"""Accumulate Gemini's streams with the `google-genai` SDK, which has no accumulator: join the chunks of
`client.models.generate_content_stream` with the SDK's own `text` and `function_calls` of a chunk.
"""

from __future__ import annotations

import logging

from folding import KEY, Folded, dumped, main, said
from google import genai
from google.genai import types

CLIENT = genai.Client(api_key=KEY, vertexai=False)
logging.disable(logging.WARNING)  # that a chunk has parts beside text, for each such chunk


def fold(wire: str, url: str) -> Folded:
    """Return the chunks up to the end, or up to what the SDK raised."""
    folded = Folded()
    options = types.GenerateContentConfig(http_options=types.HttpOptions(base_url=url))
    try:
        for chunk in CLIENT.models.generate_content_stream(model="m", contents="hi", config=options):
            _add(folded, chunk)
    except Exception as error:  # what the provider said, or what the SDK can't take
        folded.failed = said(error)
    return folded


def _add(folded: Folded, chunk: types.GenerateContentResponse) -> None:
    folded.text += chunk.text or ""
    for call in chunk.function_calls or ():
        folded.tool_calls.append((call.id or "", call.name or "", call.args))
    if chunk.candidates:
        candidate = chunk.candidates[0]
        parts = (candidate.content.parts if candidate.content else None) or ()
        folded.reasoning += "".join(part.text or "" for part in parts if part.thought)
        if candidate.finish_reason:
            folded.finish_reason = candidate.finish_reason.value
    if chunk.prompt_feedback and chunk.prompt_feedback.block_reason:
        folded.finish_reason = chunk.prompt_feedback.block_reason.value
    folded.usage = dumped(chunk.usage_metadata) or folded.usage


if __name__ == "__main__":
    main(fold)
