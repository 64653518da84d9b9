"""Panels over server-sent events (extra `[server]`).

`panel_response(events)` is a response for an endpoint of FastAPI or Starlette; `create_app()` is what `msgmodel serve`
runs: streams that survive a lost connection, limits, and the chat page.
"""

from .app import create_app
from .log import Log, MemoryLog
from .panels import PanelState, StreamSnapshot
from .response import panel_response
from .settings import Settings

__all__ = ["Log", "MemoryLog", "PanelState", "Settings", "StreamSnapshot", "create_app", "panel_response"]
