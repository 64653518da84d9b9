"""What a reply holds besides text, reasoning and calls: media, the provider's own tools, sources, details. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, cast

from ..events import PanelPart, PanelPartDelta, ReplyDetails, Source, ToolRun, WarningCode
from ..messages import MediaKind, MediaPart
from ..question.lenient_json import memory
from ..wires.deltas import DetailFound, MediaPiece, MediaReceived

MEDIA_BYTES = 1024
SOURCE_BYTES = 1024
RUN_BYTES = 1024
UNTOLD_BYTES = 256
"""What each of these costs besides its words, in the panel, in the wire and in a server."""
LONGEST_OUTPUT = 2_000
"""Characters of a tool's result that an event shows: a page that was read may have a million."""


@dataclass(slots=True)
class _OpenMedia:
    """A part whose pieces arrive: audio."""

    kind: MediaKind = "file"
    media_type: str | None = None
    data: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)


class Findings:
    """What the responses of a panel brought besides text, reasoning and calls.

    Attributes:
        details: For `details` of the terminal event.
        untold: The kinds that no event shows, each once, in the order of their arrival, and whether the text lacks it.
        sources: For `sources` of the terminal event.
        runs: The provider's own tools, by id.
        facts: What the response says of who answered, for the receipt.
        warnings: What was changed on the way, in the response's own words.
        media_count: How many parts that are not text arrived whole.
        bytes_held: Bytes of memory that all of it takes.
    """

    __slots__ = (
        *("bytes_held", "details", "facts", "media_count", "runs", "sources", "untold", "warnings"),
        *("_cited", "_open_media"),
    )

    def __init__(self) -> None:
        self.details: ReplyDetails = {}
        self.untold: dict[str, bool] = {}
        self.sources: list[Source] = []
        self.runs: dict[str, ToolRun] = {}
        self.media_count = 0
        self.facts: dict[str, str] = {}
        self.warnings: dict[WarningCode, str] = {}
        self.bytes_held = 0
        self._cited: dict[tuple[object, ...], None] = {}  # an empty set takes three times as much memory
        self._open_media: dict[str, _OpenMedia] = {}

    def copy(self) -> Findings:
        """Return another one that grows by itself."""
        copy = Findings()
        copy.details = cast(ReplyDetails, dict(self.details))
        copy.untold, copy.sources, copy.runs = dict(self.untold), [*self.sources], dict(self.runs)
        copy.facts, copy.warnings = dict(self.facts), dict(self.warnings)
        copy.media_count, copy.bytes_held = self.media_count, self.bytes_held
        copy._cited = dict(self._cited)
        copy._open_media = {
            key: replace(media, data=[*media.data], text=[*media.text]) for key, media in self._open_media.items()
        }
        return copy

    def add_source(self, source: Source) -> bool:
        """Keep a source. Return whether it is a new one."""
        mark = tuple((name, value if name != "metadata" else repr(value)) for name, value in source.items())
        if mark in self._cited:
            return False
        self._cited[mark] = None
        self.sources.append(source)
        self.bytes_held += SOURCE_BYTES + memory([*source.values()])
        return True

    def add_run(self, run: ToolRun) -> ToolRun | None:
        """Keep the state of a tool of the provider. Return what to show; None for what was shown already."""
        if run["output"] is not None and len(run["output"]) > LONGEST_OUTPUT:
            run = {**run, "output": run["output"][: LONGEST_OUTPUT - 1] + "…"}
        earlier = self.runs.get(run["id"])
        if earlier is not None:  # a result may name neither the tool nor what it was asked
            run = {**run, "name": earlier["name"], "input": earlier["input"] if run["input"] is None else run["input"]}
        if run == earlier:
            return None
        self.runs[run["id"]] = run
        self.bytes_held += RUN_BYTES + memory([run["input"], run["output"]])
        return run

    def add_fact(self, name: str, value: str) -> None:
        """Keep what the response says of who answered, in the place of what it said before."""
        self.bytes_held += memory(value) - memory(self.facts.get(name, ""))
        self.facts[name] = value

    def add_warning(self, code: WarningCode, message: str) -> None:
        """Keep a warning, once for each code."""
        if code not in self.warnings:
            self.warnings[code] = message
            self.bytes_held += memory(message)

    @property
    def has_hole(self) -> bool:
        """Whether a piece of the text or of a call is known to be missing."""
        return any(self.untold.values())

    def add_untold(self, kind: str, in_text: bool = False) -> None:
        """Keep the name of what no event shows, and whether the text lacks it."""
        if kind not in self.untold:
            self.bytes_held += UNTOLD_BYTES + memory(kind)
        self.untold[kind] = in_text or self.untold.get(kind, False)

    def add_detail(self, detail: DetailFound) -> None:
        """Keep a detail; a list is appended to the earlier one."""
        kept = cast(dict[str, Any], self.details)
        if isinstance(detail.value, list) and isinstance(kept.get(detail.name), list):
            kept[detail.name] += detail.value
        else:
            kept[detail.name] = [*detail.value] if isinstance(detail.value, list) else detail.value
        self.bytes_held += memory(detail.value)

    def add_piece(self, panel_id: str, id: str, piece: MediaPiece) -> PanelPartDelta:
        """Keep a piece of a part that is not text, and return its event."""
        media = self._open_media.setdefault(id, _OpenMedia(piece.kind, piece.media_type))
        if piece.data:
            media.data.append(piece.data)
        if piece.text:
            media.text.append(piece.text)
        self.bytes_held += 2 * memory([piece.data, piece.text])  # twice, because the pieces are joined at the end
        return {
            "event": "panel_part_delta",
            "panel_id": panel_id,
            "id": id,
            "kind": piece.kind,
            "media_type": piece.media_type,
            "data": piece.data,
            "text": piece.text,
        }

    def open_media(self) -> list[tuple[str, MediaReceived]]:
        """Return the parts whose end has not arrived, each with its id."""
        return [
            (id, MediaReceived(id, media.kind, media.media_type, complete=False))
            for id, media in self._open_media.items()
        ]

    def add_media(self, panel_id: str, id: str, received: MediaReceived) -> tuple[PanelPart, MediaPart]:
        """Return the event of a part that is not text, and the part for the message."""
        pieces = self._open_media.pop(id, None) or _OpenMedia()
        data = received.data or "".join(pieces.data)
        fields = {
            "data": data,
            "url": received.url,
            "file_id": received.file_id,
            "name": received.name,
            "text": received.text or "".join(pieces.text),
        }
        self.bytes_held += MEDIA_BYTES + memory(fields)
        self.media_count += received.complete
        found = {name: value for name, value in fields.items() if value}
        event: PanelPart = {
            "event": "panel_part",
            "panel_id": panel_id,
            "id": id,
            "kind": received.kind,
            "media_type": received.media_type,
            "size": len(data) * 3 // 4 - data[-2:].count("=") if data else None,
            "complete": received.complete,
            **found,  # type: ignore[typeddict-item]
        }
        part: MediaPart = {
            "type": "media",
            "id": id,
            "kind": received.kind,
            "media_type": received.media_type,
            **found,  # type: ignore[typeddict-item]
        }
        return event, part
