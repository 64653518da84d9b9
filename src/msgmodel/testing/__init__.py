"""A kit to test chat applications with: a provider on loopback that says, and breaks off, as it is told.

    from msgmodel.testing import Reply, ScriptedProvider

The project's own tests stand on it. In pytest the fixture `scripted_provider` is there without an import.
"""

from .provider import KEY, ScriptedProvider
from .recording import record, replay
from .reply import Reply
from .server import Cut, End, Flood, Pause, Received, Repeat, Reset, Script, ScriptedServer, Send, Stall
from .wires import ScriptedCall, ScriptedSource

__all__ = [
    "KEY",
    "Cut",
    "End",
    "Flood",
    "Pause",
    "Received",
    "Repeat",
    "Reply",
    "Reset",
    "Script",
    "ScriptedCall",
    "ScriptedProvider",
    "ScriptedServer",
    "ScriptedSource",
    "Send",
    "Stall",
    "record",
    "replay",
]
