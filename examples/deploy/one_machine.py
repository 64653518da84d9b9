"""The whole deployment on this machine: Redis, some workers, nginx, each a process of its own.

    OPENAI_API_KEY=... python examples/deploy/one_machine.py

Needs redis-server and nginx. Everything listens on loopback, and ends with this program. The load generator and the
tests start it too, with other ports and limits.
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

_open = build_opener(ProxyHandler({})).open  # never by a proxy


class Deployment:
    """A context manager. folder: for the configuration, the logs and nginx's files.

    options: of `msgmodel serve`. environment: for the workers, over this process's own. nginx: pairs of words in
    nginx.conf and what goes in their place. Raises RuntimeError where a part does not come up.
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
        self._environment = {**os.environ, **(environment or {})}
        self._edits = {"127.0.0.1:8080": f"127.0.0.1:{self.port}", **(nginx or {})}

    @property
    def url(self) -> str:
        """Where clients ask: nginx, or the only worker."""
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
        """Ends what runs, the workers first."""
        for process in (*self.workers, self.nginx, self.redis):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGCONT)  # one that was stopped in a test
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(10.0)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def start_worker(self, number: int) -> subprocess.Popen[bytes]:
        """Starts a worker, which is up a moment later: see `wait`."""
        command = [sys.executable, "-m", "msgmodel", "serve", "--port", str(self.ports[number])]
        command += ["--redis", self.redis_url] if self.redis_url else []
        process = self._run(f"worker-{number + 1}", [*command, *self._options])
        self.workers[number : number + 1] = [process]
        return process

    def wait(self, url: str) -> None:
        """Waits until this address says that it is ready."""
        until = time.monotonic() + STARTING_SECONDS
        while time.monotonic() < until:
            try:
                with _open(f"{url}/readyz", timeout=5.0):
                    return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"{url} does not come up:\n{self.logs()}")

    def logs(self) -> str:
        """The last words of every part."""
        return "\n".join(f"{log.name}: {log.read_text('utf-8')[-2000:]}" for log in sorted(self.folder.glob("*.log")))

    def _start(self) -> None:
        if self.redis_url:
            port = self.redis_url.rpartition(":")[2].partition("/")[0]
            # Streams outlive a worker, not Redis: nothing is written to disk. It refuses what it has no room for.
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
        as_whom = "user root; " if hasattr(os, "getuid") and os.getuid() == 0 else ""  # who else reads our folder?
        command = [_program("nginx"), "-p", str(self.folder), "-c", "nginx.conf", "-e", "stderr"]
        self.nginx = self._run("nginx", [*command, "-g", f"{as_whom}daemon off;"])

    def _run(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, env=self._environment
            )


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def missing() -> list[str]:
    """The programs that are not installed."""
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
