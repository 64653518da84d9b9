"""How long the Redis log waits for its producers, its readers and for Redis."""

LEASE_SECONDS = 5.0
"""A producer that does not renew its lease for so long counts as dead. A shorter lease would end producers on machines
that only paused."""

PATIENCE_SECONDS = 20.0
"""How long a producer tries to write, and a reader waits, while Redis cannot be reached."""
