"""One reply, from the first request to its one terminal event.

`exchange` decides (retry, continue, resume, fall back, stop), `panel` turns deltas into events, `shells` drive both.
Pure but for the shells: the clock is passed in.
"""
