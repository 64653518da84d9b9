"""Reads the panels of a batch as the caller passes them, and begins an exchange for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack, cast

from .. import _calls
from .._input_cache import InputCache
from .._options import AsyncSettings
from ..errors import ConfigurationError, MsgModelError, quoted
from ..question.files import read_attachments
from ..registry import registry
from .panels_on_loop import RunningPanel

if TYPE_CHECKING:
    from ..question.files import FileLike

_PANEL_SETTINGS = ("api_key", "config", "model", "panel_id")
"""Settings that belong to one panel, because a key of one provider must not reach another."""


class Panel:
    """One panel of a batch: its provider, and the settings that differ from those of the other panels.

    Its repr shows neither a key nor a prompt.

    Args:
        provider: The name or short name of a provider.
        panel_id: The id that every event carries. Default: the provider's name, with a number if that is taken.
        prompt: The user's message. Default: the batch's.
        **settings: Any keyword of `stream_panels`; it takes precedence over the batch's.
    """

    def __init__(
        self,
        provider: str,
        *,
        panel_id: str | None = None,
        prompt: str | None = None,
        **settings: Unpack[AsyncSettings],
    ) -> None:
        self.provider = provider
        self.panel_id = panel_id
        self.prompt = prompt
        self.settings = settings

    def __repr__(self) -> str:
        return f"Panel({self.provider!r}, panel_id={self.panel_id!r}, model={self.settings.get('model')!r})"


PanelLike: TypeAlias = Panel | str | tuple[str, str]
"""A panel, or a provider, or a provider and a model."""


def prepare_panels(
    panels: Sequence[PanelLike],
    prompt: str,
    file_like: FileLike | None,
    filename: str | None,
    settings: AsyncSettings,
) -> list[RunningPanel]:
    """Return the panels, ready to run. An error names the panel by its number."""
    if not isinstance(panels, Sequence) or isinstance(panels, (str, bytes)) or not panels:
        raise ConfigurationError("panels must be a list of panels, with at least one")
    common = cast(dict[str, Any], dict(settings))
    for name in _PANEL_SETTINGS:
        if name in common:
            raise ConfigurationError(f"{name} belongs to one panel: Panel(provider, {name}=...)")
    # Read once, because a pipe would be empty for the second panel.
    files: list[Any] = [*read_attachments(file_like, filename, common.pop("files", ()))]
    common["filename"], common["file_like"] = None, None if file_like is None else files.pop(0)
    common["files"] = files
    budget = _calls.read_budget({name: common.pop(name, None) for name in ("max_cost", "max_total_tokens")})
    budgets = () if budget is None else (budget,)
    readings = InputCache()
    chosen = [_read_panel(number, panel) for number, panel in enumerate(panels)]
    jobs = []
    for number, (panel, panel_id) in enumerate(zip(chosen, _choose_panel_ids(chosen), strict=True)):
        arguments: dict[str, Any] = common | dict(panel.settings)
        arguments |= {"provider": panel.provider, "prompt": prompt if panel.prompt is None else panel.prompt}
        try:
            questions, exchange = _calls.begin_exchange_by_name(panel_id, arguments, readings, budgets)
            events = _calls.start_async_panels(questions, exchange, arguments.get("http_client"))
            jobs.append(RunningPanel(panel_id, exchange, events))
        except MsgModelError as error:
            raise type(error)(f"panels[{number}]: {error.message}") from None
    return jobs


def _read_panel(number: int, panel: PanelLike) -> Panel:
    if isinstance(panel, Panel):
        return panel
    if isinstance(panel, str):
        return Panel(panel)
    if isinstance(panel, tuple) and len(panel) == 2:
        return Panel(panel[0], model=panel[1])
    raise ConfigurationError(f"panels[{number}] must be a Panel, a provider, or a tuple of provider and model")


def _choose_panel_ids(panels: list[Panel]) -> list[str]:
    """Return the ids that the caller passed, and for other panels the provider's name, with a number if it is taken."""
    taken: set[str] = set()
    for number, panel in enumerate(panels):
        if panel.panel_id is not None:
            if not isinstance(panel.panel_id, str) or not panel.panel_id or panel.panel_id in taken:
                raise ConfigurationError(
                    f"panels[{number}]: panel_id must be a unique string, and not empty: {quoted(panel.panel_id)}"
                )
            taken.add(panel.panel_id)
    ids = []
    for number, panel in enumerate(panels):
        id = panel.panel_id
        if id is None:
            try:
                name = id = registry.find_provider_and_model(panel.provider, None)[0].name
            except MsgModelError as error:
                raise type(error)(f"panels[{number}]: {error.message}") from None
            count = 2
            while id in taken:
                id, count = f"{name}-{count}", count + 1
            taken.add(id)
        ids.append(id)
    return ids
