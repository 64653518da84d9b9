"""One reply, from the first request to its one terminal event.

`shells` drive an `exchange`: it makes requests (`route`), reads a response (`attempt`), waits (`clock`), decides what
follows (`next_request`), and turns deltas into events (`panel`). Pure but for the shells: the time is passed in.
"""
