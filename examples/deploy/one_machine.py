"""Run the whole deployment on this machine: Redis, some workers and nginx, each in its own process.

    OPENAI_API_KEY=... python examples/deploy/one_machine.py

It needs redis-server and nginx. Everything listens on loopback and ends with this program. The load generator and the
tests use it too, with other ports and limits.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.request import ProxyHandler, build_opener

HERE = Path(__file__).parent
STARTING_SECONDS = 30.0

_open = build_opener(ProxyHandler({})).open  # never through a proxy


class Deployment:
    """A context manager that starts and ends all parts.

    Args:
        folder: The directory for the configuration, the logs and nginx's files.
        options: Options of `msgmodel serve`.
        environment: Variables for the workers, in addition to those of this process.
        nginx: Texts in nginx.conf and their replacements.

    Raises:
        RuntimeError: A part does not start.
    """

    def __init__(
        self,
        folder: Path,
        *,
        workers: int = 3,
        port: int = 0,
        redis: bool = True,
        proxy: bool = True,
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        nginx: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.ports = [free_port() for _ in range(workers)]
        self.workers: list[subprocess.Popen[bytes]] = []
        self.redis: subprocess.Popen[bytes] | None = None
        self.nginx: subprocess.Popen[bytes] | None = None
        self.redis_url = f"redis://127.0.0.1:{free_port()}/0" if redis else ""
        self.port = port or free_port()
        self._proxy = proxy
        self._options = list(options)
        self._environment = {**os.environ, "FORWARDED_ALLOW_IPS": "127.0.0.1", **(environment or {})}
        self._edits = {"127.0.0.1:8080": f"127.0.0.1:{self.port}", **(nginx or {})}

    @property
    def url(self) -> str:
        """The address for clients: nginx, or the only worker."""
        return self.url_of(None if self._proxy else 0)

    def url_of(self, worker: int | None) -> str:
        return f"http://127.0.0.1:{self.port if worker is None else self.ports[worker]}"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all processes, the workers first."""
        for process in (*self.workers, self.nginx, self.redis):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGCONT)  # a test may have stopped it
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(10.0)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def start_worker(self, number: int) -> subprocess.Popen[bytes]:
        """Start a worker. It is ready a moment later: see `wait`."""
        command = [sys.executable, "-m", "msgmodel", "serve", "--port", str(self.ports[number])]
        command += ["--redis", self.redis_url] if self.redis_url else []
        process = self._run(f"worker-{number + 1}", [*command, *self._options])
        self.workers[number : number + 1] = [process]
        return process

    def wait(self, url: str) -> None:
        """Wait until this address reports that it is ready."""
        until = time.monotonic() + STARTING_SECONDS
        while time.monotonic() < until:
            try:
                with _open(f"{url}/readyz", timeout=5.0):
                    return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"{url} does not come up:\n{self.logs()}")

    def logs(self) -> str:
        """Return the end of the log of every part."""
        return "\n".join(f"{log.name}: {log.read_text('utf-8')[-2000:]}" for log in sorted(self.folder.glob("*.log")))

    def _start(self) -> None:
        if self.redis_url:
            port = self.redis_url.rpartition(":")[2].partition("/")[0]
            # Nothing is written to disk: streams survive the end of a worker, not of Redis. A full Redis refuses.
            settings = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]
            self.redis = self._run("redis", [_program("redis-server"), "--port", port, *settings])
        for number in range(len(self.ports)):
            self.start_worker(number)
        for number in range(len(self.ports)):
            self.wait(self.url_of(number))
        if self._proxy:
            self._start_nginx()
            self.wait(self.url)

    def _start_nginx(self) -> None:
        conf = (HERE / "nginx.conf").read_text("utf-8")
        for word, other in self._edits.items():
            if word not in conf:
                raise RuntimeError(f"nginx.conf has no {word!r}")
            conf = conf.replace(word, other)
        line = (HERE / "workers.conf").read_text("utf-8").splitlines()[0]
        workers = "".join(line.replace("127.0.0.1:8001", f"127.0.0.1:{port}") + "\n" for port in self.ports)
        (self.folder / "nginx.conf").write_text(conf, "utf-8")
        (self.folder / "workers.conf").write_text(workers, "utf-8")
        as_whom = (
            "user root; " if hasattr(os, "getuid") and os.getuid() == 0 else ""
        )  # another user could not read our folder
        command = [_program("nginx"), "-p", str(self.folder), "-c", "nginx.conf", "-e", "stderr"]
        self.nginx = self._run("nginx", [*command, "-g", f"{as_whom}daemon off;"])

    def _run(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, env=self._environment
            )


def free_port() -> int:
    """Return a free port on loopback."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def missing() -> list[str]:
    """Return the names of the programs that are not installed."""
    return [name for name in ("redis-server", "nginx") if not _program(name)]


def _program(name: str) -> str:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/opt/homebrew/bin") or ""


def main() -> None:
    if missing():
        sys.exit(f"not installed: {', '.join(missing())}")
    with tempfile.TemporaryDirectory() as folder, Deployment(Path(folder), port=8080, options=sys.argv[1:]) as deployed:
        print(f"nginx:   {deployed.url}")
        print(f"workers: {' '.join(map(deployed.url_of, range(3)))}")
        print(f"Redis:   {deployed.redis_url}\nCtrl-C ends them all.")
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
