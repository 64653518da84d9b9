"""What the output items of a response mean that are neither text nor reasoning. Pure.

https://platform.openai.com/docs/api-reference/responses/object#responses/object-output

Rule: everything is taken from a done item. Before, its ids and its input may differ or be incomplete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from ...events import Source, ToolRun
from ...messages import JSON, ToolCallKind
from ...question.lenient_json import as_count, as_mapping, as_text, parse_or_none
from ..deltas import (
    Delta,
    MediaReceived,
    OpaqueData,
    SourceCited,
    ToolEnd,
    ToolFragment,
    ToolRunChanged,
    Untold,
    source_delta,
)

_MEDIA_TYPES = {"jpg": "image/jpeg", "svg": "image/svg+xml"}


class _ClientCall(NamedTuple):
    """A call that the application must answer. https://platform.openai.com/docs/guides/function-calling"""

    kind: ToolCallKind
    name: str
    """The name of the call, unless the item has one."""
    fields: tuple[str, ...]
    """The fields that are the arguments: the value of one field, or an object of several."""


CLIENT_CALLS: Final[Mapping[str, _ClientCall]] = {
    "function_call": _ClientCall("function", "", ("arguments",)),
    "custom_tool_call": _ClientCall("custom", "", ("input",)),
    "computer_call": _ClientCall("computer", "computer", ("action", "actions", "pending_safety_checks")),
    "local_shell_call": _ClientCall("local_shell", "local_shell", ("action",)),
    "shell_call": _ClientCall("shell", "shell", ("action",)),
    "apply_patch_call": _ClientCall("apply_patch", "apply_patch", ("operation",)),
    "tool_search_call": _ClientCall("tool_search", "tool_search", ("arguments",)),
    "mcp_approval_request": _ClientCall("approval", "", ("server_label", "name", "arguments")),
}
_STREAMED_CALLS = ("function_call", "custom_tool_call")
"""Their arguments arrive in pieces, so they begin with the `added` item."""
_FUNCTION_FIELDS = ("namespace", "caller", "async")
"""Fields of a function call besides those that the request writes; a program wants its caller back."""


class _ProviderRun(NamedTuple):
    """A tool that the provider runs itself."""

    name: str
    read_input: Callable[[dict[str, Any]], JSON]
    read_output: Callable[[dict[str, Any]], str | None]


def _nothing(item: dict[str, Any]) -> None:
    return None


def _field(name: str) -> Callable[[dict[str, Any]], JSON]:
    return lambda item: item.get(name) or None


def _parsed_arguments(item: dict[str, Any]) -> JSON:
    arguments = item.get("arguments")
    return parse_or_none(arguments.encode()) if isinstance(arguments, str) else arguments


def _found_texts(item: dict[str, Any]) -> str | None:
    return _joined(as_text(as_mapping(each).get("text")) for each in _items_of(item, "results"))


def _code_logs(item: dict[str, Any]) -> str | None:
    return _joined(as_text(as_mapping(each).get("logs")) for each in _items_of(item, "outputs"))


def _shell_output(item: dict[str, Any]) -> str | None:
    outputs = [as_mapping(each) for each in _items_of(item, "output")]
    return _joined(as_text(output.get(stream)) for output in outputs for stream in ("stdout", "stderr"))


def _mcp_output(item: dict[str, Any]) -> str | None:
    return as_text(item.get("output")) or _error_text(item)


def _tool_names(item: dict[str, Any]) -> str | None:
    return _joined((as_text(as_mapping(each).get("name")) for each in _items_of(item, "tools")), ", ")


def _error_text(item: dict[str, Any]) -> str | None:
    error = item.get("error")
    if isinstance(error, dict):
        return as_text(error.get("message")) or as_text(error.get("type")) or None
    return as_text(error) or None


PROVIDER_RUNS: Final[Mapping[str, _ProviderRun]] = {
    "web_search_call": _ProviderRun("web_search", _field("action"), _nothing),
    "file_search_call": _ProviderRun("file_search", _field("queries"), _found_texts),
    "code_interpreter_call": _ProviderRun("code_interpreter", _field("code"), _code_logs),
    "image_generation_call": _ProviderRun("image_generation", _field("revised_prompt"), _error_text),
    "mcp_list_tools": _ProviderRun("mcp_list_tools", _field("server_label"), _tool_names),
    "mcp_call": _ProviderRun("mcp", _parsed_arguments, _mcp_output),
    "shell_call": _ProviderRun("shell", _field("action"), _nothing),
    "shell_call_output": _ProviderRun("shell", _nothing, _shell_output),
    "tool_search_call": _ProviderRun("tool_search", _field("arguments"), _nothing),
    "tool_search_output": _ProviderRun("tool_search", _nothing, _tool_names),
    "program": _ProviderRun("program", _field("code"), _nothing),
    "program_output": _ProviderRun("program", _nothing, lambda item: as_text(item.get("result")) or None),
}
_SENT_BACK_ONLY = {"compaction", "additional_tools", "item_reference"}
"""Items that mean something to the provider alone."""


def read_added_item(key: str, item: dict[str, Any]) -> Iterator[Delta]:
    """Yield the deltas of an item that begins."""
    kind = as_text(item.get("type"))
    if kind in _STREAMED_CALLS:
        yield _begin_call(key, item)
    elif kind in PROVIDER_RUNS and not waits_for_client(item) and not kind.endswith("_output"):
        yield _run_delta(item, "started")


def read_done_item(key: str, item: dict[str, Any]) -> Iterator[Delta]:
    """Yield the deltas of a complete item that is neither a message nor reasoning.

    Args:
        key: What identifies the item in its response.
        item: The item.
    """
    kind = as_text(item.get("type"))
    if waits_for_client(item):
        yield _begin_call(key, item)  # its `added` event may be lost, have no name, or name another index
        kept = _kept_of_call(item)
        if kept:
            yield OpaqueData("tool_call", kept, key)
        yield ToolEnd(key, _call_arguments(item), item.get("status") != "incomplete", CLIENT_CALLS[kind].kind)
    elif kind in PROVIDER_RUNS:
        yield _run_delta(item, "failed" if _has_failed(item) else "done")
        yield from _media_of_item(key, item)
        for result in _items_of(item, "results"):
            found = as_mapping(result)
            yield from source_delta("", as_text(found.get("filename")), as_text(found.get("text")))
        if kind != "image_generation_call" or not item.get("result"):
            yield OpaqueData("opaque", item)
    elif kind in _SENT_BACK_ONLY:
        yield OpaqueData("opaque", item)
    elif kind:
        yield OpaqueData("opaque", item)
        yield Untold(kind)
    elif item:
        yield Untold("item")


def read_partial_image(key: str, data: object, output_format: object) -> Iterator[Delta]:
    """Yield a preview of an image that is being made: a complete picture, to be replaced by the next."""
    if as_text(data):
        yield MediaReceived(key, "image", _image_type(output_format), as_text(data), complete=False)


def read_annotation(annotation: object, part: str) -> Iterator[Delta]:
    """Yield the source that a part of the text cites, and the file that it names."""
    note = as_mapping(annotation)
    url, name = as_text(note.get("url")), as_text(note.get("filename"))
    start, end = as_count(note.get("start_index")), as_count(note.get("end_index"))
    if note.get("type") in ("file_citation", "file_path"):
        start = end = as_count(note.get("index"))
    if url or name or as_text(note.get("title")):
        source: Source = {"url": url or None, "title": as_text(note.get("title")) or name or None, "text": None}
        if start is not None and end is not None and (end or "index" in note):  # 0,0 stands for no place
            source["start"], source["end"] = start, end
        yield SourceCited(source, part)
    file_id = as_text(note.get("file_id"))
    if file_id and note.get("type") in ("container_file_citation", "file_path"):
        yield MediaReceived(f"file {file_id}", "file", None, file_id=file_id, name=name)


def waits_for_client(item: Mapping[str, Any]) -> bool:
    """Return whether the application must answer this item before the model goes on."""
    kind = as_text(item.get("type"))
    if kind == "shell_call":  # in a container, the provider runs it
        return bool(as_mapping(item.get("environment")).get("type", "local") == "local")
    if kind == "tool_search_call":
        return item.get("execution") == "client"
    return kind in CLIENT_CALLS


def _begin_call(key: str, item: dict[str, Any]) -> ToolFragment:
    call_id = as_text(item.get("call_id")) or as_text(item.get("id"))
    return ToolFragment(key, call_id, as_text(item.get("name")) or CLIENT_CALLS[item["type"]].name, "")


def _call_arguments(item: dict[str, Any]) -> str | None:
    """Return the arguments of a call as text; None if the pieces that arrived are all there is."""
    fields = CLIENT_CALLS[item["type"]].fields
    if len(fields) > 1:
        return msgspec.json.encode({name: item[name] for name in fields if item.get(name) is not None}).decode()
    value = item.get(fields[0])
    return value or None if value is None or isinstance(value, str) else msgspec.json.encode(value).decode()


def _kept_of_call(item: dict[str, Any]) -> dict[str, Any]:
    """Return what the next request needs of a call, besides its id, its name and its arguments."""
    if item["type"] == "function_call":
        more = {name: item[name] for name in _FUNCTION_FIELDS if item.get(name)}
        return {"type": "function_call", **more} if more else {}
    return {"type": item["type"]} if item["type"] == "custom_tool_call" else item


def _run_delta(item: dict[str, Any], status: Any) -> ToolRunChanged:
    kind = item["type"]
    name, read_input, read_output = PROVIDER_RUNS[kind]
    if kind == "mcp_call":
        name = ".".join(filter(None, (as_text(item.get("server_label")), as_text(item.get("name")))))
    run: ToolRun = {
        "id": as_text(item.get("call_id")) or as_text(item.get("id")) or kind,
        "name": name,
        "status": status,
        "input": read_input(item),
        "output": read_output(item),
    }
    return ToolRunChanged(run)


def _has_failed(item: dict[str, Any]) -> bool:
    # An image whose item is done is whole even if its status still says `generating`, as half of those recorded.
    return bool(item.get("error")) or item.get("status") in ("failed", "incomplete")


def _media_of_item(key: str, item: dict[str, Any]) -> Iterator[Delta]:
    """Yield the pictures that a tool made."""
    if item["type"] == "image_generation_call" and as_text(item.get("result")):
        kept = {**item, "result": None}  # the data of the part stands there again when it is sent back
        prompt = as_text(item.get("revised_prompt"))
        yield MediaReceived(
            key, "image", _image_type(item.get("output_format")), item["result"], text=prompt, opaque=kept
        )
    for number, output in enumerate(_items_of(item, "outputs")):
        url = as_text(as_mapping(output).get("url"))
        if url:
            yield MediaReceived(f"{key}.{number}", "image", None, url=url)


def _image_type(output_format: object) -> str:
    name = as_text(output_format) or "png"
    return _MEDIA_TYPES.get(name, f"image/{name}")


def _items_of(item: Mapping[str, Any], field: str) -> Sequence[Any]:
    found = item.get(field)
    return found if isinstance(found, list) else ()


def _joined(texts: Iterator[str], between: str = "\n") -> str | None:
    return between.join(filter(None, texts)) or None
