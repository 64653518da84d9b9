"""Streams kept in Redis; defined in `redis_store/`."""

from .redis_store.log import RedisLog as RedisLog
