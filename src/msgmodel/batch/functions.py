"""Many panels at once: one merged stream of events, one terminal event a panel, one summary at the end.

Rules: what happens to one panel never disturbs another. No panel has more than `BUFFER` events waiting for a slow
reader: its connection is not read until there is room. Leaving the batch closes all connections at once. However the
work on a panel ended, its terminal event comes: see `_Merged._done`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Unpack

from ..conversation import AsyncSettings
from ..errors import ConfigurationError
from .batch import AsyncBatch, Batch
from .panels import PanelLike, prepare_panels
from .panels_on_loop import PanelsOnLoop

if TYPE_CHECKING:
    from ..question.files import FileLike


def stream_many(
    panels: Sequence[PanelLike],
    prompt: str = "",
    file_like: FileLike | None = None,
    filename: str | None = None,
    **settings: Unpack[AsyncSettings],
) -> Batch:
    """Asks all panels at once; returns one iterator over the events of all of them, then a `batch_final`.

    settings: any keyword of `stream_panels` that is the same for all; `api_key`, `config` and `model` belong to a
    Panel. Files are read once, at the call. The work is done on an event loop in a thread of its own, with its own
    connections: for an HTTP client of yours use `astream_many`.

    Raises ConfigurationError, AuthenticationError or FileError at the call, for the panel that is wrong by its number.
    """
    if "http_client" in settings:
        raise ConfigurationError("stream_many makes its own connections: use astream_many with a client of yours")
    return Batch(PanelsOnLoop(prepare_panels(panels, prompt, file_like, filename, settings)))


def astream_many(
    panels: Sequence[PanelLike],
    prompt: str = "",
    file_like: FileLike | None = None,
    filename: str | None = None,
    **settings: Unpack[AsyncSettings],
) -> AsyncBatch:
    """`stream_many` for asyncio, on the running event loop."""
    return AsyncBatch(PanelsOnLoop(prepare_panels(panels, prompt, file_like, filename, settings)))
