"""Convert panel events into the protocols of other clients, and their requests into our arguments. Pure: no I/O.

    from msgmodel.adapters import ai_sdk, ag_ui, openai_chat

Rule: no client takes a missing end for an error, so each adapter always reports how the reply ended, in the client's
words and in ours. What arrived incomplete never looks complete, and an incomplete tool call never looks executable.
"""

from ._reading import read_body

__all__ = ["read_body"]
