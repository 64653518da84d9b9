"""Measure what a peer costs before its first request: the time to import it, and its size on the disk."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Mapping
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

from loads import PEERS
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from peers.install import python

ENVIRONMENTS = {"floor": "msgmodel", "aiohttp": "msgmodel"}
"""Where those run that have no environment of their own name."""

DISTRIBUTIONS = {
    "aiohttp": "aiohttp",
    "msgmodel": "msgmodel",
    "msgmodel4": "msgmodel[async]",
    "openai": "openai",
    "anthropic": "anthropic",
    "google-genai": "google-genai",
    "litellm": "litellm",
    "pydantic-ai": "pydantic-ai-slim[openai,anthropic,google]",
    "any-llm": "any-llm-sdk[openai,anthropic,gemini]",
    "langchain-openai": "langchain-openai",
}
"""What a user installs for each."""


def import_seconds(peers: list[str], environment: Mapping[str, str]) -> dict[str, float]:
    """Return the CPU seconds to import each peer, minus those of a Python that imports nothing."""
    return {
        peer: _cpu(peer, f"import {PEERS[peer].module}", environment) - _cpu(peer, "pass", environment)
        for peer in peers
        if PEERS[peer].module
    }


def _cpu(peer: str, code: str, environment: Mapping[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([python(ENVIRONMENTS.get(peer, peer)), "-c", code], check=True, env=environment, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def installed(peer: str) -> dict[str, Any]:
    """Return the version, the number of packages and the megabytes, without the files that Python compiles."""
    if peer not in DISTRIBUTIONS:
        return {}
    wanted = DISTRIBUTIONS[peer]
    environment = python(ENVIRONMENTS.get(peer, peer)).parents[1]
    folder = str(next(environment.glob("lib/python*/site-packages")))
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(Requirement(wanted).name, extra) for extra in ("", *Requirement(wanted).extras)]
    while waiting:
        name, extra = waiting.pop()
        if (canonicalize_name(name), extra) in seen:
            continue
        seen.add((canonicalize_name(name), extra))
        package = next(iter(Distribution.discover(name=name, path=[folder])), None)
        if package is None:
            continue
        found[canonicalize_name(name)] = package
        for line in package.requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                waiting += [(requirement.name, each) for each in ("", *requirement.extras)]
    files = {Path(str(file.locate())) for package in found.values() for file in package.files or ()}
    size = sum(file.stat().st_size for file in files if file.suffix != ".pyc" and file.is_file())
    return {
        "version": found[canonicalize_name(Requirement(wanted).name)].version,
        "packages": len(found),
        "mb": round(size / 1e6, 1),
        "versions": {name: found[name].version for name in sorted(found)},
    }
