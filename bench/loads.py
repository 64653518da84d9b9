"""The peers and the loads. This module runs in every peer's environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from peers import bare, clients
from peers.asking import Ask, AsyncAsk

WIRES = ("openai", "anthropic", "gemini")


class Peer(NamedTuple):
    """How a peer is imported and used. `module`: what a user imports; `parts`: further modules that its functions in
    clients.py import. `wires`: the first is for loads that name no wire. `most_streams`: how many of the thousand
    live streams it can open in a reasonable time and keep up with.
    """

    module: str
    asking: Callable[[str, str], AsyncAsk]
    blocking: Callable[[str, str], Ask] | None
    wires: tuple[str, ...] = WIRES
    parts: tuple[str, ...] = ()
    most_streams: int = 1000


FEW = 300
PEERS = {
    "floor": Peer("", bare.floor_async, bare.floor),
    "aiohttp": Peer("aiohttp", bare.aiohttp_async, None),
    "msgmodel": Peer("msgmodel", clients.msgmodel_async, clients.msgmodel),
    "msgmodel4": Peer("msgmodel", clients.msgmodel4_async, clients.msgmodel4, ("openai", "anthropic")),
    "openai": Peer("openai", clients.openai_async, clients.openai, ("openai",), most_streams=FEW),
    "anthropic": Peer("anthropic", clients.anthropic_async, clients.anthropic, ("anthropic",), most_streams=FEW),
    "google-genai": Peer(
        "google.genai", clients.google_genai_async, clients.google_genai, ("gemini",), most_streams=FEW
    ),
    "litellm": Peer("litellm", clients.litellm_async, clients.litellm, most_streams=100),
    "pydantic-ai": Peer(
        "pydantic_ai",
        clients.pydantic_ai_async,
        clients.pydantic_ai,
        parts=("pydantic_ai.direct", "pydantic_ai.models.openai"),
        most_streams=FEW,
    ),
    "any-llm": Peer("any_llm", clients.any_llm_async, clients.any_llm, most_streams=FEW),
    "langchain-openai": Peer(
        "langchain_openai", clients.langchain_openai_async, clients.langchain_openai, ("openai",), most_streams=FEW
    ),
}


ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it asks the internet when it is imported
    # Or the thousand streams would wait for each other.
    "AIOHTTP_CONNECTOR_LIMIT": "2000",
    "AIOHTTP_CONNECTOR_LIMIT_PER_HOST": "2000",
}
"""The variables with which all are measured: for LiteLLM, whom nothing else could tell."""


class Load(NamedTuple):
    """`kind`: the function of measure.py that runs it. `chunks` of a reply, `delay_us` between two of them, `streams`
    at the same time; `seconds`: the shortest time to measure.
    """

    kind: str
    blocking: bool = False
    wire: str = ""
    tls: bool = False
    chunks: int = 2000
    delay_us: int = 0
    streams: int = 1
    seconds: float = 0.3


LOADS = {
    "burst-openai": Load("burst", wire="openai"),
    "burst-anthropic": Load("burst", wire="anthropic"),
    "burst-gemini": Load("burst", wire="gemini"),
    "burst-tls": Load("burst", tls=True),
    "first": Load("first", chunks=1),
    "live-100": Load("live", delay_us=20_000, streams=100, seconds=0.8),
    "live-1000": Load("live", delay_us=100_000, streams=1000, seconds=1.0),
    "linear": Load("linear", chunks=10_000, delay_us=250),
    "sync-burst": Load("burst", blocking=True),
    "sync-20": Load("live", blocking=True, delay_us=10_000, streams=20, seconds=0.8),
}


def takes(peer: str, load: str) -> bool:
    """Return whether a peer can be measured under a load."""
    who, what = PEERS[peer], LOADS[load]
    if what.kind == "linear":
        return peer == "msgmodel"  # no other library promises it
    return (not what.blocking or who.blocking is not None) and (what.wire or who.wires[0]) in who.wires
