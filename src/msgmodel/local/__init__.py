"""The model inside this process: provider `local`.

Rule: to import this is cheap; the engine (extra `[local]`) is imported, and the model loaded, when the first request
is opened. To the rest of the library it is one more server behind the I/O seam: it decides nothing.
"""

from .engine import AsyncLocalTransport, LocalTransport, async_local_transport, check_model_path, local_transport

__all__ = ["AsyncLocalTransport", "LocalTransport", "async_local_transport", "check_model_path", "local_transport"]
