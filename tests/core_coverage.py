"""Holds the pure core at 98 % of lines and branches, from the data of the last run: `make ci`."""

import sys

import coverage

CORE = [
    *(f"*/msgmodel/{room}/*.py" for room in ("question", "registry", "wires", "reply", "v4")),
    *(f"*/msgmodel/{module}.py" for module in ("_options", "_arguments", "errors", "events", "messages", "response")),
    *(f"*/msgmodel/http/{module}.py" for module in ("response_reader", "content_coding", "request_head")),
]

data = coverage.Coverage()
data.load()
total = data.report(include=CORE, show_missing=True, skip_covered=True)
sys.exit(0 if total >= 98 else f"the pure core is covered to {total:.2f} %, not 98 %")
