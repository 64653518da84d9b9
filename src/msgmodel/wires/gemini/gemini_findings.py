"""Read what Gemini reports beside the parts: sources and their places, searches, filters, log probabilities. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...events import Source
from ...question.lenient_json import as_count, as_mapping, as_text
from ..deltas import Delta, DetailFound, SourceCited, ToolRunChanged

_PROBABILITIES = ("NEGLIGIBLE", "LOW", "MEDIUM", "HIGH")
_STORE_FIELDS = ("fileSearchStore", "customMetadata")
"""Where a file of the user is stored, and the fields that the user gave it."""
_QUERY_FIELDS = {
    "webSearchQueries": "google_search",
    "imageSearchQueries": "google_image_search",
    "retrievalQueries": "file_search",
}


def read_grounding(grounding: dict[str, Any]) -> Iterator[Delta]:
    """Yield the searches, and what they found: at each place that it supports, or without a place.

    https://ai.google.dev/api/generate-content#GroundingMetadata: the places count bytes of the visible text.
    """
    for field, name in _QUERY_FIELDS.items():
        if isinstance(queries := grounding.get(field), list) and queries:
            yield ToolRunChanged({"id": name, "name": name, "status": "done", "input": queries, "output": None})
    sources = [_read_grounding_chunk(chunk) for chunk in _objects_in(grounding, "groundingChunks")]
    supported: set[int] = set()
    for support in _objects_in(grounding, "groundingSupports"):
        segment, numbers = as_mapping(support.get("segment")), support.get("groundingChunkIndices")
        scores = support.get("confidenceScores")
        for place, number in enumerate(numbers if isinstance(numbers, list) else ()):
            if not isinstance(number, int) or not 0 <= number < len(sources) or not sources[number]:
                continue
            source, start, end = (
                sources[number],
                as_count(segment.get("startIndex")) or 0,
                as_count(segment.get("endIndex")),
            )
            if source is not None and end is not None:
                supported.add(number)
                cited: Source = {**source, "start": start, "end": end}
                if isinstance(scores, list) and place < len(scores) and isinstance(scores[place], int | float):
                    cited["score"] = scores[place]
                yield SourceCited(cited, "", True, as_text(segment.get("text")))
    for number, source in enumerate(sources):
        if source is not None and number not in supported:
            yield SourceCited(source)
    suggestions = as_text(as_mapping(grounding.get("searchEntryPoint")).get("renderedContent"))
    if suggestions:
        yield DetailFound("search_suggestions", suggestions)


def _read_grounding_chunk(chunk: dict[str, Any]) -> Source | None:
    """Return the source that a chunk is: of the web, a map, a store or an image search; its key is its kind."""
    for found in chunk.values():
        if isinstance(found, dict) and found:
            url, title = as_text(found.get("uri")) or as_text(found.get("sourceUri")), as_text(found.get("title"))
            text = as_text(found.get("text"))
            if url or title or text:
                source: Source = {"url": url or None, "title": title or None, "text": text or None}
                metadata = {name: found[name] for name in _STORE_FIELDS if found.get(name)}
                return {**source, "metadata": metadata} if metadata else source
    return None


def read_citations(citation: dict[str, Any]) -> Iterator[Delta]:
    """Yield the works that the reply quotes, with their license. The places count bytes, and end before `endIndex`."""
    for found in _objects_in(citation, "citationSources") or _objects_in(citation, "citations"):
        title, license_name = as_text(found.get("title")), as_text(found.get("license"))
        if license_name:
            title = f"{title} ({license_name})" if title else license_name
        source: Source = {"url": as_text(found.get("uri")) or None, "title": title or None, "text": None}
        date = as_mapping(found.get("publicationDate"))
        parts = [as_count(date.get(name)) for name in ("year", "month", "day")]
        if parts[0]:
            source["date"] = "-".join(f"{part:02}" for part in parts if part)
        end = as_count(found.get("endIndex"))
        if end is not None:
            source |= {"start": as_count(found.get("startIndex")) or 0, "end": end}
        if source["url"] or source["title"]:
            yield SourceCited(source, "", True)


def read_url_context(context: dict[str, Any]) -> Iterator[Delta]:
    """Yield the pages that were read for the reply."""
    pages = _objects_in(context, "urlMetadata")
    read = [page for page in pages if page.get("urlRetrievalStatus") == "URL_RETRIEVAL_STATUS_SUCCESS"]
    if pages:
        asked = [as_text(page.get("retrievedUrl")) for page in pages]
        status: Any = "done" if read else "failed"
        yield ToolRunChanged(
            {"id": "url_context", "name": "url_context", "status": status, "input": asked, "output": None}
        )
    for page in read:
        if url := as_text(page.get("retrievedUrl")):
            yield SourceCited({"url": url, "title": None, "text": None})


def read_logprobs_result(result: dict[str, Any]) -> Iterator[DetailFound]:
    """Yield the log probability of each token, with those of the tokens that were nearly chosen."""
    chosen, top = _objects_in(result, "chosenCandidates"), _objects_in(result, "topCandidates")
    entries = [
        {**token, "topCandidates": top[at].get("candidates")} if at < len(top) else token
        for at, token in enumerate(chosen)
    ]
    if entries:
        yield DetailFound("logprobs", entries)


class SafetyRatings:
    """The worst ratings of the reply, category by category, and those of the prompt."""

    def __init__(self) -> None:
        self._found: dict[str, Any] = {}
        self._worst: dict[str, dict[str, Any]] = {}

    def read_ratings(self, ratings: object) -> Iterator[DetailFound]:
        """Yield all ratings so far, if these change them."""
        changed = False
        for rating in ratings if isinstance(ratings, list) else ():
            rating = as_mapping(rating)
            category = as_text(rating.get("category"))
            if category not in self._worst or _rank(rating) > _rank(self._worst[category]):
                self._worst[category], changed = rating, True
        if changed:
            self._found["safetyRatings"] = [*self._worst.values()]
            yield DetailFound("filter_results", dict(self._found))

    def read_feedback(self, feedback: dict[str, Any]) -> Iterator[DetailFound]:
        """Yield what the filter says of the prompt."""
        if feedback and feedback != self._found.get("promptFeedback"):
            self._found["promptFeedback"] = feedback
            yield DetailFound("filter_results", dict(self._found))


def _rank(rating: dict[str, Any]) -> int:
    probability = rating.get("probability")
    return (_PROBABILITIES.index(probability) if probability in _PROBABILITIES else 0) + 10 * bool(
        rating.get("blocked")
    )


def _objects_in(metadata: dict[str, Any], field: str) -> list[dict[str, Any]]:
    found = metadata.get(field)
    return [as_mapping(each) for each in found] if isinstance(found, list) else []
