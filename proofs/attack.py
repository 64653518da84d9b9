"""Floods, bombs, silent readers and costly requests against the server and the library: what do other users notice?

    python proofs/attack.py                     all (four minutes), and writes the results and docs/reliability.md
    python proofs/attack.py --only pings text   only these, and writes nothing
    python proofs/attack.py --report            writes the table of docs/reliability.md from the last results

Each attack has a fresh process to itself: `msgmodel serve` with its default settings and two users, or a program that
reads streams by asyncio. The provider, the hostile clients and the bystander who measures are processes of their own,
on loopback. Ends with status 1 if a goal is missed. docs/reliability.md says what is measured. For Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from bench import machine  # noqa: E402

from proofs.attack_clients import ATTACKS  # noqa: E402
from proofs.attack_library import KEY  # noqa: E402
from proofs.attack_provider import FLOODS  # noqa: E402
from proofs.attack_report import GOALS, NONE, in_page, missed, terminal  # noqa: E402
from proofs.child import Child  # noqa: E402

RESULTS = ROOT / "bench" / "results" / "attack.json"
BEFORE = ROOT / "bench" / "results" / "attack-before.json"
"""The growth in MB that the same attacks caused in version 5.0.0. Measured on a busy machine, so without waits."""
PAGE = ROOT / "docs" / "reliability.md"
HERE = ROOT / "proofs"
BYSTANDER, ATTACKER = "bystander-0123456789abcdef", "attacker-0123456789abcdef"
LIMIT_SECONDS = 20.0
"""An attack that takes longer is stopped."""
LIMIT_MB = 4000.0
"""A victim that takes more memory is stopped, to protect the machine."""
WARM_UP_SECONDS = 0.7
CALM_SECONDS = 0.3
"""The time in which requests that an attack delayed are answered and measured."""
CONTROL_SECONDS = 3.0

Row = dict[str, Any]


class Memory:
    """The memory of a process in MB, by proc(5)."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")
        (self._folder / "clear_refs").write_text("5")  # the peak is counted from now on
        self.base = self._field("VmRSS")

    def _field(self, name: str) -> float:
        found = re.search(rf"^{name}:\s+(\d+) kB", (self._folder / "status").read_text(), re.M)
        return int(found[1]) / 1024 if found else 0.0

    @property
    def growth(self) -> float:
        """Return the peak of its memory above what it had at first."""
        return self._field("VmHWM") - self.base


class Victim:
    """A process under attack, and what its other users notice."""

    def __init__(self, pid: int, ask: Callable[[], Row]) -> None:
        self._pid, self._ask = pid, ask

    def measure(self, begin: Callable[[], subprocess.Popen[str]] | None) -> Row:
        """Return the figures of one attack, which writes a line of JSON at its end; without one, of a calm time."""
        time.sleep(WARM_UP_SECONDS)
        self._ask()
        memory = Memory(self._pid)
        if begin is None:
            time.sleep(CONTROL_SECONDS)
            outcome: Row = {"ended": "", "kept": 0, "seconds": CONTROL_SECONDS}
        else:
            outcome = answered(begin(), memory)
        grown = memory.growth
        time.sleep(CALM_SECONDS)
        try:
            waits = self._ask() if grown < LIMIT_MB else {"ms": {}, "wrong": ["it was stopped"]}
        except RuntimeError as error:
            waits = {"ms": {}, "wrong": [str(error)]}
        return {
            "ended": outcome["ended"],
            "seconds": round(outcome["seconds"], 1),
            "grown MB": round(grown, 1),
            "kept MB": round(outcome["kept"] / 1e6, 1),
            **waits,
        }


def answered(process: subprocess.Popen[str], memory: Memory) -> Row:
    """Wait for the line that says how an attack ended."""
    assert process.stdout is not None
    begun = time.monotonic()
    while not select.select([process.stdout], [], [], 0.1)[0]:
        seconds = time.monotonic() - begun
        if seconds > LIMIT_SECONDS or memory.growth > LIMIT_MB:
            return {"ended": "not over", "kept": 0, "seconds": seconds}
    line = process.stdout.readline()
    found: Row = (
        json.loads(line) if line else {"ended": "the attacker died", "kept": 0, "seconds": time.monotonic() - begun}
    )
    return found


class Attacks:
    """Run attacks one after the other, all with the same `provider` and `meter`."""

    def __init__(self, provider: Child, meter: Child) -> None:
        self._provider, self._meter = provider, meter
        self._hostile, self._healthy = int(provider.line()), int(meter.line())

    def on_server(self, name: str = "") -> Row:
        """Attack `msgmodel serve`; without a name, only measure it."""
        with self._serving() as (pid, port):
            self._meter.ask(f"{port} {BYSTANDER}")
            victim = Victim(pid, self._meter.ask)
            self._provider.ask()
            if not name:
                return victim.measure(None)
            with ExitStack() as stack:
                program = str(HERE / "attack_clients.py"), str(port), ATTACKER, name
                return victim.measure(lambda: stack.enter_context(Child(*program)).process) | self._provider.ask()

    def on_library(self, name: str = "") -> Row:
        """Attack a program that uses the library; without a name, only measure it."""
        with Child(str(HERE / "attack_library.py"), str(self._healthy), str(self._hostile)) as child:

            def ask() -> Row:
                found = child.ask()
                return found if "ms" in found else json.loads(child.line())  # a flood that was over too late

            victim = Victim(child.process.pid, ask)
            ask()  # it has started
            if not name:
                return victim.measure(None)
            return victim.measure(lambda: child.tell(name))

    @contextmanager
    def _serving(self) -> Iterator[tuple[int, int]]:
        """Run the server, and yield its process id and port."""
        hostile, healthy = f"http://127.0.0.1:{self._hostile}", f"http://127.0.0.1:{self._healthy}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MSGMODEL")}
        environment |= {"OPENAI_BASE_URL": f"{hostile}/v1", "ANTHROPIC_BASE_URL": healthy, "NO_PROXY": "127.0.0.1"}
        environment |= dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY"), KEY)
        environment["MSGMODEL_TOKEN"] = f"{BYSTANDER} {ATTACKER}"
        command = [sys.executable, "-m", "msgmodel", "serve", "--port", "0"]
        with (
            tempfile.TemporaryDirectory() as folder,
            (Path(folder) / "log").open("w+") as log,
            subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log) as process,
        ):
            try:
                while not (found := re.search(r"serves on http://\S+:(\d+)", (Path(folder) / "log").read_text())):
                    if process.poll() is not None:
                        raise RuntimeError((Path(folder) / "log").read_text())
                    time.sleep(0.02)
                yield process.pid, int(found[1])
            finally:
                process.kill()


def run(names: list[str], calm: bool = True) -> Row:
    """Run these attacks: floods by a provider against both victims, those by clients against the server.

    `calm`: measure both victims without an attack, too.
    """
    rows: Row = {"the server": {}, "the library": {}}
    with Child(str(HERE / "attack_provider.py")) as provider, Child(str(HERE / "attack_meter.py")) as meter:
        attacks = Attacks(provider, meter)
        for victim, attack, known in (
            ("the server", attacks.on_server, FLOODS.keys() | ATTACKS.keys()),
            ("the library", attacks.on_library, FLOODS.keys()),
        ):
            for name in [*([NONE] if calm else []), *names]:
                if name == NONE or name in known:
                    row = rows[victim][name] = attack("" if name == NONE else name)
                    print(f"{victim}, {name}: {row}", file=sys.stderr, flush=True)
    return rows


def main() -> int:
    every = [*FLOODS, *ATTACKS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=every, default=every, metavar="NAME", help=", ".join(every))
    parser.add_argument("--report", action="store_true", help="only write the table, from the results of the last run")
    options = parser.parse_args()
    if not options.report:
        others = machine.Others()
        found: Row = {"attacks": run([name for name in every if name in options.only])}
        found |= {"machine": machine.facts(), "others": others.share(), "goals": GOALS}
        found["before"] = json.loads(BEFORE.read_text("utf-8"))
        print(terminal(found))
        if options.only != every:
            return 1 if missed(found) else 0
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    found = json.loads(RESULTS.read_text("utf-8"))
    PAGE.write_text(in_page(PAGE.read_text("utf-8"), found), "utf-8")
    return 1 if missed(found) else 0


if __name__ == "__main__":
    sys.exit(main())
