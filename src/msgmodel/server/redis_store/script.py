"""A Lua script that runs for many streams in one round trip to Redis."""

from __future__ import annotations

import asyncio
from hashlib import sha1
from typing import Any, cast

from redis.exceptions import NoScriptError, RedisError

from ..redis_faults import FAULTS


class Script:
    """What is asked while one round trip is under way goes with the next. `keys`: how many of the arguments are keys.

    It must change nothing when it runs a second time with the same arguments.
    """

    def __init__(self, client: Any, source: str, keys: int) -> None:
        self._client = client
        self._source = source
        self._keys = keys
        self._sha = sha1(source.encode(), usedforsecurity=False).hexdigest()  # by which Redis knows a script
        self._waiting: list[tuple[list[Any], asyncio.Future[Any]]] = []
        self._task: asyncio.Task[None] | None = None

    async def run(self, arguments: list[Any]) -> Any:
        """The script's answer. Raises what Redis says of this one call, or that it can't be reached."""
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append((arguments, answer))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._send())
        return await answer

    async def _send(self) -> None:
        while self._waiting:
            calls, self._waiting = self._waiting, []
            try:
                answers = await self._ask([arguments for arguments, _ in calls])
            except BaseException as error:  # a cancellation too: nobody may wait for ever
                failed = error if isinstance(error, FAULTS) else RedisError(type(error).__name__)
                answers = [failed] * len(calls)
            for (_, waiting), answer in zip(calls, answers, strict=True):
                if waiting.done():
                    continue
                if isinstance(answer, Exception):
                    waiting.set_exception(answer)
                else:
                    waiting.set_result(answer)

    async def _ask(self, calls: list[list[Any]]) -> list[Any]:
        while True:
            async with self._client.pipeline(transaction=False) as pipe:
                for arguments in calls:
                    pipe.evalsha(self._sha, self._keys, *arguments)
                answers = cast(list[Any], await pipe.execute(raise_on_error=False))
            if not any(isinstance(answer, NoScriptError) for answer in answers):
                return answers
            await self._client.script_load(self._source)  # Redis is new, or was restarted
