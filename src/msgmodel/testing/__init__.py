"""Test a chat application against a provider on loopback that replies, and fails, exactly as you script it.

    from msgmodel.testing import Reply, ScriptedProvider

The project's own tests use it. pytest finds the fixture `scripted_provider` without an import.
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
