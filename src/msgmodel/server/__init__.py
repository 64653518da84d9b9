"""Panels over server-sent events (extra `[server]`).

`panel_response(events)` is a response for an endpoint of FastAPI or Starlette; `create_app()` is what `msgmodel serve`
runs: streams that survive a lost connection, limits, and the chat page. `install_error_handlers(app)` lets your own
endpoints answer the exceptions of this library with a status.
"""

from .app import create_app, mounted_lifespan
from .error_handlers import install_error_handlers
from .log import Log, MemoryLog
from .response import ag_ui_response, ai_sdk_response, openai_response, panel_response
from .settings import Settings
from .transcript import PanelState, StreamSnapshot

__all__ = [
    "Log",
    "MemoryLog",
    "PanelState",
    "Settings",
    "StreamSnapshot",
    "ag_ui_response",
    "ai_sdk_response",
    "create_app",
    "install_error_handlers",
    "mounted_lifespan",
    "openai_response",
    "panel_response",
]
