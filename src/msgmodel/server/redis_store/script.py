"""A Lua script that runs for many streams in one round trip to Redis."""

from __future__ import annotations

import asyncio
from hashlib import sha1
from typing import Any, cast

from redis.exceptions import NoScriptError, RedisError

from ..redis_faults import REDIS_FAULTS


class BatchedScript:
    """A script whose calls are collected while a round trip is on its way, and go together with the next one.

    The script must change nothing when it runs a second time with the same arguments.

    Args:
        client: The client of Redis.
        source: The script.
        keys: How many of the arguments of a call are keys.
    """

    def __init__(self, client: Any, source: str, keys: int) -> None:
        self._client = client
        self._source = source
        self._keys = keys
        self._sha = sha1(source.encode(), usedforsecurity=False).hexdigest()  # the name by which Redis knows the script
        self._waiting: list[tuple[list[Any], asyncio.Future[Any]]] = []
        self._task: asyncio.Task[None] | None = None

    async def run(self, arguments: list[Any]) -> Any:
        """Return the script's answer. Raise the error of this one call, or the one of the connection."""
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append((arguments, answer))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._send_calls())
        return await answer

    async def _send_calls(self) -> None:
        while self._waiting:
            calls, self._waiting = self._waiting, []
            try:
                answers = await self._call_redis([arguments for arguments, _ in calls])
            except BaseException as error:  # also a cancellation, so that no call waits forever
                failed = error if isinstance(error, REDIS_FAULTS) else RedisError(type(error).__name__)
                answers = [failed] * len(calls)
            for (_, waiting), answer in zip(calls, answers, strict=True):
                if waiting.done():
                    continue
                if isinstance(answer, Exception):
                    waiting.set_exception(answer)
                else:
                    waiting.set_result(answer)

    async def _call_redis(self, calls: list[list[Any]]) -> list[Any]:
        while True:
            async with self._client.pipeline(transaction=False) as pipe:
                for arguments in calls:
                    pipe.evalsha(self._sha, self._keys, *arguments)
                answers = cast(list[Any], await pipe.execute(raise_on_error=False))
            if not any(isinstance(answer, NoScriptError) for answer in answers):
                return answers
            await self._client.script_load(self._source)  # Redis was restarted, or has never seen the script
