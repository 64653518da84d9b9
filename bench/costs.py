"""What a peer costs before it is asked anything: time to import it, and what its installation puts on the disk."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from loads import PEERS
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
    """CPU seconds that each takes to import, above those of a Python that imports nothing."""
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
    """The version, and the packages and megabytes that come with it."""
    if peer not in DISTRIBUTIONS:
        return {}
    command = [python(ENVIRONMENTS.get(peer, peer)), __file__, DISTRIBUTIONS[peer]]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _closure(wanted: str) -> dict[str, Any]:
    """What is installed in this environment because of a requirement, and not for the bench."""
    from importlib.metadata import PackageNotFoundError, distribution

    from pip._vendor.packaging.requirements import Requirement
    from pip._vendor.packaging.utils import canonicalize_name

    found: dict[str, Any] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(Requirement(wanted).name, extra) for extra in ("", *Requirement(wanted).extras)]
    while waiting:
        name, extra = waiting.pop()
        if (canonicalize_name(name), extra) in seen:
            continue
        seen.add((canonicalize_name(name), extra))
        try:
            found[canonicalize_name(name)] = package = distribution(name)
        except PackageNotFoundError:
            continue
        for line in package.requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                waiting += [(requirement.name, each) for each in ("", *requirement.extras)]
    files = {str(file.locate()): file for package in found.values() for file in package.files or ()}
    size = sum(file.locate().stat().st_size for file in files.values() if file.locate().is_file())
    return {
        "version": found[canonicalize_name(Requirement(wanted).name)].version,
        "packages": len(found),
        "mb": round(size / 1e6, 1),
        "versions": {name: found[name].version for name in sorted(found)},
    }


if __name__ == "__main__":
    # pip's own folder of libraries is not found from here, but `pip` itself is installed in every environment.
    sys.path.pop(0)
    print(json.dumps(_closure(sys.argv[1])))
