"""Streams kept in Redis, for servers with more than one worker."""
