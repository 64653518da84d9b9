"""Many panels at once, on one event loop. The public names are in `msgmodel.many`."""
