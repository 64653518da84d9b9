"""Ask several models the same question at once, for `msgmodel compare`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from ..events import PanelEnd, PanelEvent
from ..many import Panel, stream_many
from ..providers import find_provider_and_model
from .attachments import AttachedFile
from .settings_file import read_settings

if TYPE_CHECKING:
    from ..many import Batch


class ComparisonView(Protocol):
    """Shows the events of all panels."""

    def show_event(self, event: PanelEvent) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Comparison:
    """The panels that are asked."""

    panels: tuple[Panel, ...]
    labels: Mapping[str, str]
    """The provider and the model of each panel, by its id."""
    prompt: str
    files: tuple[AttachedFile, ...]
    settings: Mapping[str, Any]
    batch_id: str

    @classmethod
    def from_names(
        cls, names: Sequence[str], prompt: str, files: Sequence[AttachedFile], options: Mapping[str, Any]
    ) -> Comparison:
        """Read the options of the command.

        Args:
            names: The values of `--provider`.
            prompt: The question.
            files: The attachments.
            options: The other options, by the names of their parameters.

        Raises:
            ConfigurationError: A name is wrong.
        """
        panels, labels = [], {}
        for number, given in enumerate(names, 1):
            name, model = read_settings().resolve_alias(given, None)
            row, model = find_provider_and_model(name or given, model)
            asked = model or row.default_model
            panel_id = str(number)
            panels.append(Panel(row.name, panel_id=panel_id, model=asked or None))
            labels[panel_id] = f"{row.name}/{asked}" if asked else row.name
        renamed = {"system_instruction" if name == "instruction" else name: value for name, value in options.items()}
        return cls(tuple(panels), labels, prompt, tuple(files), renamed, uuid4().hex)

    def start(self, on_end: Any) -> Batch:
        """Begin to ask all panels."""
        return stream_many(
            self.panels, self.prompt, files=list(self.files), progress=True, on_end=on_end, **self.settings
        )


def run_comparison(comparison: Comparison, view: ComparisonView) -> dict[str, PanelEnd]:
    """Ask all panels, show their events, and return the last event of each by its id.

    Ctrl-C closes all connections at once; the panels that had not ended then end with the code `cancelled`.
    """
    ends: dict[str, PanelEnd] = {}
    batch = comparison.start(lambda last: ends.__setitem__(last["panel_id"], last))
    try:
        with batch:
            for event in batch:
                if event["event"] != "batch_final":
                    view.show_event(event)
    except KeyboardInterrupt:
        for last in ends.values():
            if last["event"] == "panel_error" and last["code"] == "cancelled":
                last["error"] = "stopped by Ctrl-C"
                view.show_event(last)
    finally:
        view.close()
    return {panel_id: ends[panel_id] for panel_id in comparison.labels if panel_id in ends}
