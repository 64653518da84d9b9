"""Who tells the truth about a reply that broke: every fault, on every wire, in both colours, for us and for each peer.

    python proofs/faults.py                     all (five minutes); writes bench/results/faults.json and docs/faults.md
    python proofs/faults.py --peers msgmodel    only these, and writes nothing
    python proofs/faults.py --report            writes the tables of docs/faults.md from the last results

Ends with status 1 where this library is not right everywhere. docs/faults.md says what is judged, and how.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from bench.peers.install import install  # noqa: E402

from proofs.faults_report import in_page, terminal  # noqa: E402
from proofs.faults_run import OURS, PEERS, run, wrong  # noqa: E402

RESULTS = ROOT / "bench" / "results" / "faults.json"
PAGE = ROOT / "docs" / "faults.md"


def report() -> None:
    """Write the tables of the page from the results."""
    PAGE.write_text(in_page(PAGE.read_text("utf-8"), json.loads(RESULTS.read_text("utf-8"))), "utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=PEERS, metavar="NAME", help=", ".join(PEERS))
    parser.add_argument("--report", action="store_true", help="only write the tables, from the results of the last run")
    options = parser.parse_args()
    if options.report:
        report()
        return 0
    peers = [peer for peer in PEERS if peer in options.peers]
    install(peer for peer in peers if peer != OURS)
    found = run(peers)
    print(terminal(found))
    if peers == list(PEERS):
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
        report()
    ours = wrong(found) if OURS in peers else []
    if ours:
        print("\nnot right:", *ours, sep="\n  ", file=sys.stderr)
    return 1 if ours else 0


if __name__ == "__main__":
    sys.exit(main())
