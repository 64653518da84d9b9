"""Accumulate OpenAI's streams with the two stream helpers of the `openai` SDK.

If a helper raises an error that the provider did not send, the raw stream of `create(stream=True)` is accumulated
instead, as users without the helper do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import openai
from folding import KEY, Folded, dumped, main, said

CLIENT = openai.OpenAI(api_key=KEY, max_retries=0)
MESSAGES: Any = [{"role": "user", "content": "hi"}]
TERMINAL = ("response.completed", "response.incomplete", "response.failed")


def fold(wire: str, url: str) -> Folded:
    """Use the helper of the wire's API."""
    client = CLIENT.with_options(base_url=f"{url}/v1")
    return _responses(client) if wire == "openai_responses" else _chat(client)


# --- Chat Completions ---


def _chat(client: openai.OpenAI) -> Folded:
    failed = accumulator = None
    with client.chat.completions.stream(model="m", messages=MESSAGES) as stream:
        try:
            stream.get_final_completion()
        except (openai.LengthFinishReasonError, openai.ContentFilterFinishReasonError) as error:
            accumulator = said(error)  # it has added up, and will not hand it over
        except openai.APIError as error:
            failed = said(error)
        except Exception as error:  # what it can't add up
            folded = _raw_chat(client)
            folded.accumulator = said(error)
            return folded
        try:
            completion = stream.current_completion_snapshot
        except AssertionError:  # not a single chunk was taken
            return Folded(failed=failed)
    folded = Folded(failed=failed, accumulator=accumulator, usage=dumped(completion.usage))
    for choice in completion.choices[:1]:
        message: Any = choice.message
        folded.text, folded.refusal, folded.reasoning = _words(message)
        folded.finish_reason = choice.finish_reason
        for call in message.tool_calls or ():
            folded.tool_calls.append((call.id or "", call.function.name or "", call.function.arguments or ""))
    return folded


def _words(message: Any) -> tuple[str, str, str]:
    """Return text, refusal and reasoning. The SDK has no field for reasoning, but it keeps and accumulates unknown
    fields.
    """
    extra = message.model_extra or {}
    reasoning = next(filter(None, map(extra.get, ("reasoning_content", "reasoning", "reasoning_text"))), "")
    found = (message.content, message.refusal, reasoning)
    text, refusal, reasoning = (words if isinstance(words, str) else "" for words in found)
    return text, refusal, reasoning


def _raw_chat(client: openai.OpenAI) -> Folded:
    """Return the first choice, accumulated by hand."""
    folded = Folded()
    calls: dict[Any, list[str]] = {}
    shown: int | None = None
    try:
        for chunk in client.chat.completions.create(model="m", messages=MESSAGES, stream=True):
            folded.usage = dumped(chunk.usage) or folded.usage
            for choice in chunk.choices or ():
                shown = choice.index if shown is None else shown
                if choice.index != shown:
                    continue
                folded.finish_reason = choice.finish_reason or folded.finish_reason
                if choice.delta is None:
                    continue
                text, refusal, reasoning = _words(choice.delta)
                folded.text += text
                folded.refusal += refusal
                folded.reasoning += reasoning
                for call in choice.delta.tool_calls or ():
                    place = call.id if call.index is None else call.index  # Mistral's have no index, and come whole
                    begun = calls.setdefault(place, ["", "", ""])
                    begun[0] = begun[0] or call.id or ""
                    if call.function:
                        begun[1] += call.function.name or ""
                        begun[2] += call.function.arguments or ""
    except openai.APIError as error:
        folded.failed = said(error)
    folded.tool_calls = [(id, name, arguments) for id, name, arguments in calls.values()]
    return folded


# --- Responses ---


def _responses(client: openai.OpenAI) -> Folded:
    with client.responses.stream(model="m", input="hi") as stream:
        ended = _ended(stream)
        if ended.failed is None and ended.accumulator is None and ended.finish_reason is None:
            try:
                stream.get_final_response()
            except RuntimeError as error:  # nothing was completed
                ended.failed = said(error)
    if ended.accumulator is None:
        return ended
    folded = _ended(client.responses.create(model="m", input="hi", stream=True))
    folded.accumulator = ended.accumulator
    return folded


def _ended(events: Iterable[Any]) -> Folded:
    """Return the response in the terminal event, or the text so far if there is none."""
    folded = Folded()
    response: Any = None
    try:
        for event in events:
            if event.type == "response.output_text.delta":
                folded.text += event.delta
            elif event.type in TERMINAL:
                response = event.response
    except openai.APIError as error:
        folded.failed = said(error)
    except Exception as error:  # what the helper can't add up
        folded.accumulator = said(error)
    if response is None:
        return folded
    whole = Folded(failed=folded.failed, accumulator=folded.accumulator, usage=dumped(response.usage))
    whole.finish_reason = response.status
    if response.status == "incomplete" and response.incomplete_details:
        whole.finish_reason = response.incomplete_details.reason or response.status
    elif response.status == "failed":
        whole.failed = f"failed: {response.error.message if response.error else None}"
    for item in response.output or ():
        _add(whole, item)
    return whole


def _add(folded: Folded, item: Any) -> None:
    if item.type == "message":
        for part in item.content:
            folded.text += getattr(part, "text", "")
            folded.refusal += getattr(part, "refusal", "")
    elif item.type == "reasoning":
        folded.reasoning += "".join(part.text for part in (*(item.summary or ()), *(item.content or ())))
    elif item.type == "function_call":
        folded.tool_calls.append((item.call_id, item.name, item.arguments))
    elif item.type == "custom_tool_call":
        folded.tool_calls.append((item.call_id, item.name, item.input))


if __name__ == "__main__":
    main(fold)
