"""The command `msgmodel`, also `python -m msgmodel`. All it does is to say so when the extra is missing."""

from __future__ import annotations

import sys
from importlib.util import find_spec

NEEDED = ("click", "prompt_toolkit", "rich")


def main() -> int:
    """Runs the command line on `sys.argv`; returns the exit code."""
    if any(find_spec(package) is None for package in NEEDED):
        print("the command line needs its extra: pip install 'msgmodel[cli]'", file=sys.stderr)
        return 1
    try:
        from .cli.app import main

        return main(sys.argv[1:])
    except KeyboardInterrupt:  # while the imports run
        return 130


if __name__ == "__main__":
    sys.exit(main())
