"""Look for known vulnerabilities in the dependencies: `python proofs/audit.py`.

It runs pip-audit for every package of the environment that runs this program, and `npm audit` for the page, the
JavaScript client and the other clients. It exits with 0 if all were looked up and none has a vulnerability, with 1 if
one has, and with 2 if a service could not be reached or did not know a package: that is no result, so it is not
"clean".
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
TOOL = ROOT / "build" / "audit"
NPM = ("web", "clients/js", "tests/clients")
CLEAN, HOLES, UNKNOWN = 0, 1, 2


def main() -> int:
    worst = CLEAN
    for name, (code, words) in [("Python", python()), *((folder, npm(ROOT / folder)) for folder in NPM)]:
        print(f"{name}: {words}", flush=True)
        worst = code if worst == CLEAN or code == HOLES else worst
    return worst


def python() -> tuple[int, str]:
    """Return what pip-audit reports about the packages of this environment. pip-audit itself runs in another one."""
    program = TOOL / "bin" / "pip-audit"
    if not program.is_file():
        venv.create(TOOL, with_pip=True, symlinks=True)
        pip = [TOOL / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
        if subprocess.run([*pip, "install", "pip-audit"]).returncode:
            return UNKNOWN, "pip-audit can't be installed"
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [program, "--path", sysconfig.get_path("purelib"), "--skip-editable", "--progress-spinner", "off"]
        done = subprocess.run([*command, "--format", "json", "--output", file.name], capture_output=True, text=True)
        try:
            found = json.loads(Path(file.name).read_bytes())["dependencies"]
        except ValueError:
            return UNKNOWN, f"the database of holes can't be asked: {_last(done.stderr)}"
    holes = [
        f"{package['name']} {package['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'none'}"
        for package in found
        for hole in package.get("vulns", ())
    ]
    if holes:
        return HOLES, "; ".join(holes)
    skipped = [package["name"] for package in found if "skip_reason" in package and package["name"] != "msgmodel"]
    if skipped or not found:
        return (
            UNKNOWN,
            f"{len(skipped)} of {len(found)} packages are not known to the database: {', '.join(skipped[:5])}",
        )
    return CLEAN, f"{len(found)} packages, none with a known hole"


def npm(folder: Path) -> tuple[int, str]:
    """Return what `npm audit` reports about the packages of a lock file."""
    try:
        done = subprocess.run(["npm", "audit", "--json"], cwd=folder, capture_output=True, text=True)
        found = json.loads(done.stdout)
    except (OSError, ValueError):
        return UNKNOWN, "npm is needed, and gave no answer"
    if "metadata" not in found:
        return UNKNOWN, f"the database of holes can't be asked: {found.get('message') or _last(done.stderr)}"
    holes = [f"{name} ({hole['severity']})" for name, hole in found.get("vulnerabilities", {}).items()]
    count = found["metadata"]["dependencies"]["total"]
    return (HOLES, ", ".join(holes)) if holes else (CLEAN, f"{count} packages, none with a known hole")


def _last(words: str) -> str:
    lines = words.strip().splitlines()
    return lines[-1][:300] if lines else "no reason given"


if __name__ == "__main__":
    sys.exit(main())
