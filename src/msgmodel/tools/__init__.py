"""Runs of tools: the model calls functions, the run executes them, and the model reads their results, until it answers.

`tool_run_state` decides what is next and is pure; `tool_workers` runs the functions; `run_stream` and
`async_run_stream` are the two shells. `call_journal` keeps what began and what ended over a crash.
"""
