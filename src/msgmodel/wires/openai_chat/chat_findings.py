"""Read what Chat Completions reports beside the words: citations, tools, filters, log probabilities. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...events import Source
from ...question.lenient_json import as_count, as_mapping, as_text, parse_or_none
from ..deltas import Delta, DetailFound, ReasoningDelta, SourceCited, ToolRunChanged, Untold, source_delta
from ..tool_call_fragments import as_list

_SEVERITIES = ("safe", "low", "medium", "high")
_OF_THE_QUESTION = "file"
"""An annotation with what OpenRouter read in a file of the user. It is the user's own, so nothing of the reply."""


def read_annotation(annotation: dict[str, Any]) -> Iterator[Delta]:
    """Yield the citation that an annotation is, at its place in the text. OpenRouter sends 0 and 0 for no place."""
    found = as_mapping(annotation.get("url_citation")) or annotation
    url = as_text(found.get("url"))
    if not url:
        if annotation.get("type") != _OF_THE_QUESTION and annotation:
            yield Untold(as_text(annotation.get("type")) or "annotation")
        return
    start, end = as_count(found.get("start_index")), as_count(found.get("end_index"))
    source: Source = {
        "url": url,
        "title": as_text(found.get("title")) or None,
        "text": as_text(found.get("content")) or as_text(found.get("summary")) or None,  # the second is Xiaomi's
    }
    if start is not None and end is not None and start < end:
        source |= {"start": start, "end": end}
    yield SourceCited(source)


class SourceLists:
    """The lists of sources beside the choices, which servers repeat in every chunk while they grow."""

    def __init__(self) -> None:
        self._cited_urls: set[str] = set()

    def read_lists(self, search_results: object, citations: object) -> Iterator[Delta]:
        """Yield the sources that are new. `search_results` says more of each, so it is first."""
        for source in (*as_list(search_results), *as_list(citations)):
            found = {"url": source} if isinstance(source, str) else as_mapping(source)
            url = as_text(found.get("url"))
            if url in self._cited_urls:
                continue
            self._cited_urls.add(url)
            date = as_text(found.get("date")) or as_text(found.get("last_updated"))
            for cited in source_delta(url, as_text(found.get("title")), as_text(found.get("snippet"))):
                yield SourceCited({**cited.source, "date": date}) if date else cited


def read_executed_tools(tools: object) -> Iterator[Delta]:
    """Yield the tools that Groq ran, and the sources that they found. Each comes twice: without its output, and with.

    https://console.groq.com/docs/compound
    """
    for number, tool in enumerate(as_list(tools)):
        found = as_mapping(tool)
        if not found:
            continue
        index = as_count(found.get("index"))
        arguments, output = as_text(found.get("arguments")), found.get("output")
        yield ToolRunChanged(
            {
                "id": f"executed_tools-{number if index is None else index}",
                "name": as_text(found.get("type")) or as_text(found.get("name")) or "tool",
                "status": "started" if output is None else "done",
                "input": parse_or_none(arguments.encode()) or arguments or None,
                "output": as_text(output) or None,
            }
        )
        for result in as_list(as_mapping(found.get("search_results")).get("results")):
            result = as_mapping(result)
            score = result.get("score")
            for cited in source_delta(
                as_text(result.get("url")), as_text(result.get("title")), as_text(result.get("content"))
            ):
                yield SourceCited({**cited.source, "score": score}) if isinstance(score, float) else cited


def read_reasoning_steps(steps: object, steps_before: int) -> Iterator[Delta]:
    """Yield the thoughts and the searches of Perplexity's steps.

    Args:
        steps: The list of steps.
        steps_before: How many steps came before.
    """
    for number, step in enumerate(map(as_mapping, as_list(steps)), steps_before):
        if thought := as_text(step.get("thought")):
            yield ReasoningDelta(thought)
        for name, done in step.items():
            if isinstance(done, dict) and done:
                output = as_text(done.get("result"))
                asked = {key: value for key, value in done.items() if key not in ("result", "search_results")}
                yield ToolRunChanged(
                    {
                        "id": f"reasoning_steps-{number}-{name}",
                        "name": name,
                        "status": "done",
                        "input": asked or None,
                        "output": output or None,
                    }
                )


def read_logprobs(logprobs: object, text: str) -> Iterator[DetailFound]:
    """Yield the log probabilities of a chunk, token by token.

    Args:
        logprobs: OpenAI's lists, one for each part of the reply; Together's parallel lists, or a single number.
        text: The text of the chunk.
    """
    found: list[Any] = []
    if isinstance(logprobs, float):
        found = [{"token": text, "logprob": logprobs}]
    elif isinstance(logprobs, dict) and isinstance(logprobs.get("tokens"), list):
        values = as_list(logprobs.get("token_logprobs"))
        found = [{"token": token, "logprob": value} for token, value in zip(logprobs["tokens"], values, strict=False)]
    elif isinstance(logprobs, dict):
        for part, entries in logprobs.items():
            for entry in entries if isinstance(entries, list) else ():
                found.append({**entry, "part": part} if part != "content" and isinstance(entry, dict) else entry)
    if found:
        yield DetailFound("logprobs", found)


class FilterResults:
    """The worst that a content filter says: Azure repeats its scores in every chunk.

    https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-filter
    """

    def __init__(self) -> None:
        self._worst: dict[str, Any] = {}

    def read_results(self, prompt: object, reply: object) -> Iterator[DetailFound]:
        """Yield all results so far, if these change them.

        Args:
            prompt: `prompt_filter_results` of a chunk.
            reply: `content_filter_results` of a choice.
        """
        before = dict(self._worst)
        if isinstance(prompt, list) and prompt:
            self._worst["prompt_filter_results"] = prompt
        if isinstance(reply, dict) and reply:
            worst = as_mapping(self._worst.get("content_filter_results"))
            worse = {name: result for name, result in reply.items() if _rank(result) > _rank(worst.get(name))}
            if worse:
                self._worst["content_filter_results"] = {**worst, **worse}
        if self._worst != before:
            yield DetailFound("filter_results", dict(self._worst))


def _rank(result: object) -> int:
    """Return how bad the result of one category is; -1 for none."""
    if not isinstance(result, Mapping):
        return -1 if result is None else 0
    severity = result.get("severity")
    rank = _SEVERITIES.index(severity) if severity in _SEVERITIES else 0
    return rank + 10 * bool(result.get("detected")) + 100 * bool(result.get("filtered"))
