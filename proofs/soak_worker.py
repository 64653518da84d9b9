"""`msgmodel serve` as a worker of the soak: it also writes down what only it can count, and forgets a little sooner.

The command, the application and uvicorn are the real ones; what is counted is written to a file once a second, as one
line of JSON. That there was a stream is remembered for a day after it is gone: so that a run of minutes shows that this
ends too, the day is shortened.

    python proofs/soak_worker.py FILE TOMBSTONE_SECONDS OPTIONS...
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from time import monotonic
from typing import Any

import uvicorn

from msgmodel.cli.app import main
from msgmodel.server.redis_store import log as redis_log

EVERY_SECONDS = 1.0

_file, _tombstone, *_options = sys.argv[1:]


class Counting(uvicorn.Server):
    """uvicorn, and a task that counts."""

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self._counting = asyncio.create_task(_count(Path(_file)))


async def _count(file: Path) -> None:
    late = 0.0
    while True:
        kinds = Counter(getattr(task.get_coro(), "__qualname__", "?") for task in asyncio.all_tasks())
        # Blocks of Python's allocator tell of a leak long before the memory that the system sees does.
        counted = {"tasks": kinds.total(), "blocks": sys.getallocatedblocks(), "late": late}
        counted["kinds"] = dict(kinds.most_common(12))
        new = file.with_suffix(".new")
        new.write_text(json.dumps(counted), "utf-8")
        new.replace(file)
        due = monotonic() + EVERY_SECONDS
        await asyncio.sleep(EVERY_SECONDS)
        late = monotonic() - due


if __name__ == "__main__":
    uvicorn.Server = Counting  # type: ignore[misc]
    redis_log.TOMBSTONE_SECONDS = float(_tombstone)
    sys.exit(main(["serve", *_options]))
