"""Panel events in the protocols of other people's clients, and their requests as arguments of ours. Pure: no I/O.

    from msgmodel.adapters import ai_sdk, ag_ui, openai_chat

Rule: no client takes a missing end for an error, so each adapter always says how it ended, in the client's words and in
ours. What did not come whole never looks whole; a call to a tool that did not come whole never looks executable.
"""

from ._reading import read as read_body

__all__ = ["read_body"]
