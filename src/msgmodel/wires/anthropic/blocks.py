"""What the content blocks mean that are neither text, thinking nor a call of the application's tools. Pure.

https://platform.claude.com/docs/en/agents-and-tools/tool-use/server-tools
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...events import Source, ToolRun
from ...question.lenient_json import as_mapping, as_text
from ..deltas import Delta, MediaReceived, SourceCited, ToolRunChanged, Untold, WarningFound

_RUN_BLOCKS = ("server_tool_use", "mcp_tool_use")
_SENT_BACK_ONLY = {"redacted_thinking", "thinking", "mcp_tool_listing"}
"""Blocks that mean something to the provider alone."""
_WORDS_OF_RESULT = "text", "stdout", "stderr", "data", "tool_name", "content", "source", "lines", "tool_references"
_RETURNED_OF_CITATION = "type", "url", "title", "cited_text", "encrypted_index"
_DEEPEST = 6
"""How deep the objects of a result are read for its words."""


def read_block_start(block: Mapping[str, Any]) -> Iterator[Delta]:
    """Yield the start of a tool that the provider runs. Its input follows in pieces."""
    if block.get("type") in _RUN_BLOCKS:
        yield _run_started(block)


def read_block_end(block: Mapping[str, Any]) -> Iterator[Delta]:
    """Yield what a complete block shows: a tool with its input, a tool's result, a file."""
    kind = as_text(block.get("type"))
    if kind in _RUN_BLOCKS:
        yield _run_started(block)
    elif kind.endswith("_tool_result"):
        yield _run_ended(block)
        yield from _files_in_result(block)
    elif kind == "container_upload":
        yield from _file_delta(block)
    elif kind == "compaction":
        yield WarningFound("context_edited", "the provider summed up the earlier turns")
    elif kind == "fallback":
        answered = as_text(as_mapping(block.get("to")).get("model")) or as_text(block.get("to"))
        yield WarningFound("model_substituted", f"the provider answered with another model: {answered or 'not named'}")
    elif kind not in _SENT_BACK_ONLY:
        yield Untold(kind)


def citation_source(citation: Mapping[str, Any]) -> Source | None:
    """Return the source of a citation. It has no place in the reply: the citation covers its whole block."""
    url = as_text(citation.get("url")) or as_text(citation.get("source")) or None
    title = as_text(citation.get("title")) or as_text(citation.get("document_title")) or None
    text = as_text(citation.get("cited_text")) or None
    return {"url": url, "title": title, "text": text} if url or title or text else None


def citation_to_return(citation: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a citation as the next request must repeat it; None for one that it may leave out.

    https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool: `encrypted_index` "must be passed
    back for multi-turn conversations".
    """
    if not as_text(citation.get("encrypted_index")):
        return None
    return {name: citation[name] for name in _RETURNED_OF_CITATION if name in citation}


def citation_delta(source: Source, part: str) -> SourceCited:
    """Return a citation of all the text of its block so far."""
    return SourceCited({**source, "start": 0}, part)


def _run_started(block: Mapping[str, Any]) -> ToolRunChanged:
    server, name = as_text(block.get("server_name")), as_text(block.get("name"))
    run: ToolRun = {
        "id": as_text(block.get("id")),
        "name": f"{server}.{name}" if server else name,
        "status": "started",
        "input": block.get("input") or None,
        "output": None,
    }
    return ToolRunChanged(run)


def _run_ended(block: Mapping[str, Any]) -> ToolRunChanged:
    content = block.get("content")
    error = as_text(as_mapping(content).get("error_code"))
    failed = bool(error) or bool(block.get("is_error")) or bool(as_mapping(content).get("return_code"))
    run: ToolRun = {
        "id": as_text(block.get("tool_use_id")),
        "name": as_text(block.get("type")).removesuffix("_tool_result"),
        "status": "failed" if failed else "done",
        "input": None,
        "output": error or _text_of_result(content) or None,
    }
    return ToolRunChanged(run)


def _text_of_result(content: object, depth: int = 0) -> str:
    """Return the words of a result for people: what was found, printed or read."""
    if isinstance(content, str):
        return content
    if depth == _DEEPEST:
        return ""
    if isinstance(content, list):
        return "\n".join(filter(None, (_text_of_result(each, depth + 1) for each in content)))
    found = as_mapping(content)
    url = as_text(found.get("url"))  # of a page that a search found, or that was read
    names = ("content", "source") if url else _WORDS_OF_RESULT
    texts = [_text_of_result(found[name], depth + 1) for name in names if name in found]
    return "\n".join(filter(None, (f"{as_text(found.get('title'))} {url}".strip() if url else "", *texts)))


def _files_in_result(block: Mapping[str, Any]) -> Iterator[Delta]:
    files = as_mapping(block.get("content")).get("content")
    for each in files if isinstance(files, list) else ():
        yield from _file_delta(as_mapping(each))


def _file_delta(found: Mapping[str, Any]) -> Iterator[Delta]:
    file_id = as_text(found.get("file_id"))
    if file_id:
        yield MediaReceived(f"file {file_id}", "file", None, file_id=file_id)
