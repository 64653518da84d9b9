"""The tests pass in the background of a script, too: a shell starts such a job with SIGINT ignored."""

import shlex
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
PROGRAM = """
import conftest, signal, subprocess, sys
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, flush=True)
child = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
subprocess.run([sys.executable, "-c", child], check=True)
"""


def test_programs_hear_ctrl_c_although_the_run_was_started_without() -> None:
    shell = ["/bin/sh", "-c", f"trap '' INT; {shlex.join([sys.executable, '-c', PROGRAM])}"]
    done = subprocess.run(shell, cwd=TESTS, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "True\nTrue\n"
