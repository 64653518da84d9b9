"""Run the quick tests in other environments: `make environments`.

These are each other Python that this machine has, and the lowest version of every dependency that the metadata admits.
One virtual environment for each stays in `build/environments`, so that the next run installs nothing.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = ROOT / "build" / "environments"
EXTRAS = "cli,cost,local,otel,redis,server,tools"
QUICK_TESTS = (
    "adapters calls conversation cost files for_each many observers panel_response parts providers reasoning requests "
    "security settings shape tools transports verdict"
)


def other_pythons() -> dict[str, Path]:
    """Find interpreters of other minor versions that we support, on the PATH and among those of pyenv."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders += sorted(pyenv.glob("versions/*/bin"), reverse=True)
    found: dict[str, Path] = {}
    for path in (path for folder in folders for path in sorted(folder.glob("python3.*"))):
        minor = re.fullmatch(r"python3\.(\d+)", path.name)
        if minor and int(minor[1]) >= 11 and int(minor[1]) != sys.version_info.minor and runs(path):
            found.setdefault(path.name.removeprefix("python"), path)
    return found


def runs(python: Path) -> bool:
    """Return whether the interpreter starts; pyenv has a shim for each version, also for one that is not chosen."""
    try:
        return subprocess.run([python, "-c", "import venv"], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def lowest_versions() -> Iterator[str]:
    """Yield `name==version` for the lowest version of each dependency and extra in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for text in [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]:
        requirement = Requirement(text)
        for specifier in requirement.specifier:
            if specifier.operator == ">=":
                yield f"{requirement.name}=={specifier.version}"


def install(python: Path, name: str, *constraints: str) -> Path:
    """Make a virtual environment with the package and its tests in it; return its Python."""
    folder = ENVIRONMENTS / name
    inside = folder / "bin" / "python"
    pip = [inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    stamp = folder / "installed"
    wanted = (ROOT / "pyproject.toml").read_text("utf-8")
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return inside
    subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
    listed = folder / "constraints.txt"
    listed.write_text("\n".join(constraints), "utf-8")
    subprocess.run([*pip, "--upgrade", "pip>=25.1"], check=True)
    subprocess.run([*pip, "--constraint", listed, "--editable", f"{ROOT}[{EXTRAS}]"], check=True)
    subprocess.run([*pip, "--constraint", listed, "--group", "test"], check=True, cwd=ROOT)
    stamp.write_text(wanted, "utf-8")
    return inside


def install_all() -> dict[str, Path]:
    """Make all environments, two at a time, as pip mostly waits; return the Python of each by its name."""
    with ThreadPoolExecutor(2) as threads:
        installs = {name: threads.submit(install, python, name) for name, python in sorted(other_pythons().items())}
        installs["lowest versions"] = threads.submit(install, Path(sys.executable), "lowest", *lowest_versions())
        return {name: running.result() for name, running in installs.items()}


def main() -> None:
    """Test all environments, one after the other; exit with the names of those that failed."""
    environments = install_all()
    if sys.argv[1:] == ["--install"]:
        return
    tests = sorted(str(path) for name in QUICK_TESTS.split() for path in (ROOT / "tests").rglob(f"test_{name}.py"))
    failed = []
    for name, python in environments.items():
        print(f"--- {name} ---", flush=True)
        if subprocess.run(
            [python, "-m", "pytest", "-n", "3", "-p", "no:cacheprovider", "-p", "no:schemathesis", *tests], cwd=ROOT
        ).returncode:
            failed.append(name)
    sys.exit(f"the tests failed with {' and with '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
