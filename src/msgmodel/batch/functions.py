"""Many panels at once: one merged stream of events, one terminal event for each panel, one summary at the end.

Rules: no panel disturbs another one. At most `BUFFER` events of a panel wait for a slow reader; its connection is not
read until there is room. Leaving the batch closes all connections at once. Each panel gets its terminal event, however
its task ended: see `PanelsOnLoop._finish_panel`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Unpack

from .._options import AsyncSettings
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
    """Ask all panels at once, and stream their events merged, then one `batch_final`.

    The work runs on an event loop in a separate thread, with its own connections.

    Args:
        panels: The panels: each a `Panel`, a provider, or a tuple of provider and model. At least one.
        prompt: The user's message to all panels that have no prompt of their own.
        file_like: An attachment for all panels: an open binary file, bytes or a `pathlib.Path`. It is read once.
        filename: The name of the attachment, which tells its type. Default: the file's own name.
        **settings: Any keyword of `stream_panels` for all panels, except `api_key`, `config` and `model`, which belong
            to a `Panel`, and `http_client`, for which you need `astream_many`. `max_cost` and `max_total_tokens` hold
            for all panels together; a `Panel` may have its own as well.

    Returns:
        The running batch, an iterator over the events.

    Raises:
        ConfigurationError: An argument is wrong; the message names the panel by its number. Raised at the call.
        AuthenticationError: A panel has no usable key. Raised at the call.
        FileError: A file can't be read, or a provider does not accept it. Raised at the call.
    """
    if "http_client" in settings:
        raise ConfigurationError("stream_many makes its own connections: use astream_many to pass an http_client")
    return Batch(PanelsOnLoop(prepare_panels(panels, prompt, file_like, filename, settings)))


def astream_many(
    panels: Sequence[PanelLike],
    prompt: str = "",
    file_like: FileLike | None = None,
    filename: str | None = None,
    **settings: Unpack[AsyncSettings],
) -> AsyncBatch:
    """Ask all panels at once on the running event loop: `stream_many` for asyncio.

    Args:
        panels: The panels: each a `Panel`, a provider, or a tuple of provider and model. At least one.
        prompt: The user's message to all panels that have no prompt of their own.
        file_like: An attachment for all panels: an open binary file, bytes or a `pathlib.Path`. It is read once.
        filename: The name of the attachment, which tells its type. Default: the file's own name.
        **settings: Any keyword of `astream_panels` for all panels, except `api_key`, `config` and `model`, which belong
            to a `Panel`. `max_cost` and `max_total_tokens` hold for all panels together; a `Panel` may have its own
            as well.

    Returns:
        The running batch, an async iterator over the events.

    Raises:
        ConfigurationError: An argument is wrong; the message names the panel by its number. Raised at the call.
        AuthenticationError: A panel has no usable key. Raised at the call.
        FileError: A file can't be read, or a provider does not accept it. Raised at the call.
    """
    return AsyncBatch(PanelsOnLoop(prepare_panels(panels, prompt, file_like, filename, settings)))
