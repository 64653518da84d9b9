"""What a stream needs of its panels: an `AsyncBatch` has it, and a run of tools."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from ..events import BatchFinal, PanelEvent


class PanelSource(Protocol):
    """The panels of a stream, which have not started."""

    @property
    def panel_ids(self) -> list[str]:
        """The ids of the panels."""

    async def for_each(
        self, take: Callable[[PanelEvent], Awaitable[None]], *, together: bool = False
    ) -> BatchFinal | None:
        """Await `take` with every event, and return the summary if there is one."""

    def kept_bytes(self) -> int:
        """Return the bytes of memory that the replies take now."""

    def cancel(self, panel_id: str | None = None) -> None:
        """End a panel, or all."""

    async def aclose(self) -> None:
        """Close all connections."""
