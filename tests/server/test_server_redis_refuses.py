"""A Redis that is there and refuses, or is not there: it is named, a server is not ready, and streams wait for it."""

from __future__ import annotations

import logging
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import serving
from msgmodel.server import Settings, create_app
from msgmodel.testing import Reply, ScriptedProvider
from serving import Redis, Serving, Uvicorn, joined, kinds, opened, request, wait_for

pytest.importorskip("redis")

from msgmodel.server.redis_faults import fault_words
from msgmodel.server.redis_log import RedisLog
from msgmodel.server.redis_store import timing

module_provider, provider = serving.module_provider, serving.provider  # fixtures
own_redis = serving.own_redis

SECRET = "passwordofredis"
TEXT = "".join(f"word{number} " for number in range(60))


@contextmanager
def running(*options: str) -> Iterator[int]:
    """A redis-server with these options; its port."""
    if shutil.which("redis-server") is None:
        pytest.skip("there is no redis-server")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with TemporaryDirectory() as folder:
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", *options]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: listens(port))
            yield port
        finally:
            process.kill()
            process.wait()


def listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1.0):
            return True
    except OSError:
        return False


@pytest.mark.parametrize(
    ("options", "password", "words"),
    [
        (("--requirepass", "another"), SECRET, "does not accept the user or the password"),
        (("--requirepass", "another"), "", "wants a password"),
        (("--user", "default", "on", "nopass", "~*", "+@all", "-set", "-evalsha"), "", "may not do what streams need"),
        (("--replicaof", "127.0.0.1 1"), "", "read-only replica"),
        (("--min-replicas-to-write", "1"), "", "too few replicas"),
        (("--maxmemory", "1"), "", "full"),
        (("--cluster-enabled", "yes"), "", "cluster"),
        (None, SECRET, "can't be reached"),
    ],
    ids=["password", "no-password", "acl", "replica", "no-replicas", "full", "cluster", "nobody"],
)
def test_a_redis_that_refuses_is_named(
    tmp_path: Path,
    provider: ScriptedProvider,
    caplog: pytest.LogCaptureFixture,
    options: tuple[str, ...] | None,
    password: str,
    words: str,
) -> None:
    """In the log, at the start too; /readyz says no, and a new stream is refused without asking anybody."""
    before = len(provider.requests)
    with ExitStack() as stack:
        port = stack.enter_context(running("--dir", str(tmp_path), *options)) if options is not None else 1
        log = RedisLog(f"redis://:{password}@127.0.0.1:{port}/0" if password else f"redis://127.0.0.1:{port}/0")
        server = stack.enter_context(Uvicorn(create_app(Settings(), log)))
        (said,) = {each.getMessage() for each in caplog.records if each.levelno == logging.WARNING}
        assert words in said
        assert f"127.0.0.1:{port}" in said
        for _ in range(2):
            assert request("GET", f"{server.url}/readyz").status_code == 503
            response = request("POST", f"{server.url}/v1/panels", json={"prompt": "hi"})
            assert response.status_code == 503
            assert "127.0.0.1" not in response.text
        assert request("GET", f"{server.url}/healthz").status_code == 200
    assert SECRET not in caplog.text
    assert len(provider.requests) == before
    about = [each for each in caplog.records if "Redis" in each.getMessage()]
    assert len(about) <= 3  # not once a request


def test_a_server_says_at_its_start_what_is_wrong_with_redis(tmp_path: Path, provider: ScriptedProvider) -> None:
    with Serving(tmp_path, provider, "--redis", f"redis://user:{SECRET}@127.0.0.1:1/0") as server:
        assert "Redis at 127.0.0.1:1 can't be reached" in server.said
        assert request("GET", f"{server.url}/readyz").status_code == 503
    assert SECRET not in server.said


def read_only(redis: Redis) -> Callable[[], Any]:
    redis.ask("REPLICAOF", "127.0.0.1", "1")
    return lambda: redis.ask("REPLICAOF", "NO", "ONE")


def too_few_replicas(redis: Redis) -> Callable[[], Any]:
    redis.ask("CONFIG", "SET", "min-replicas-to-write", "1")
    return lambda: redis.ask("CONFIG", "SET", "min-replicas-to-write", "0")


def no_permission(redis: Redis) -> Callable[[], Any]:
    redis.ask("ACL", "SETUSER", "default", "-evalsha", "-set")
    return lambda: redis.ask("ACL", "SETUSER", "default", "+@all")


@pytest.mark.parametrize("refuse", [read_only, too_few_replicas, no_permission])
def test_a_stream_waits_for_a_redis_that_refuses(
    own_redis: Redis, provider: ScriptedProvider, refuse: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """For two seconds, as in a failover: nothing is lost, and the server is ready again."""
    provider.say(Reply(TEXT, speed=15.0))
    with Uvicorn(create_app(Settings(), RedisLog(own_redis.url))) as server:
        with opened("POST", f"{server.url}/v1/panels", json={"prompt": "hi"}) as stream:
            got = stream.take(3)
            allow = refuse(own_redis)
            time.sleep(2.0)
            assert request("GET", f"{server.url}/readyz").status_code == 503
            allow()
            got += stream.rest()
        assert kinds(got)[-1] == "panel_final"
        assert joined(got) == got[-1].data["content"] == TEXT
        wait_for(lambda: request("GET", f"{server.url}/readyz").status_code == 200)
    assert len([each for each in caplog.records if "refuses" in each.getMessage()]) == 1


def test_a_stream_does_not_wait_for_ever(
    own_redis: Redis, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "PATIENCE_SECONDS", 1.0)
    provider.say(Reply(TEXT, speed=15.0))
    hangups = len(provider.server.hangups)
    with (
        Uvicorn(create_app(Settings(), RedisLog(own_redis.url))) as server,
        opened("POST", f"{server.url}/v1/panels", json={"prompt": "hi"}) as stream,
    ):
        stream.take(1)
        too_few_replicas(own_redis)
        provider.server.wait_hangup(count=hangups + 1)
        wait_for(lambda: request("GET", f"{server.url}/healthz").json()["streams"] == 0)


def test_no_words_of_redis_are_repeated() -> None:
    from redis.exceptions import ResponseError

    for said in (f"WRONGTYPE {SECRET}", f"ERR unknown command {SECRET}", SECRET, f"{SECRET.upper()}: x", ""):
        words = fault_words(ResponseError(said), "host:1")
        assert SECRET not in words
        assert "Redis at host:1 refuses" in words
