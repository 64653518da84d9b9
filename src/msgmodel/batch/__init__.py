"""Asks many panels at once, on one event loop. `msgmodel.many` has the public names."""
