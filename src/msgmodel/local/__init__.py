"""The model inside this process: provider `local`.

Rule: importing this package is cheap. The engine (extra `[local]`) is imported, and the model is loaded, with the first
request. For the rest of the library, the model is one more server behind a transport: it decides nothing.
"""

from .engine import AsyncLocalTransport, LocalTransport, async_local_transport, check_model_path, local_transport

__all__ = ["AsyncLocalTransport", "LocalTransport", "async_local_transport", "check_model_path", "local_transport"]
