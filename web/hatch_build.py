"""The wheel's build hook, which puts the chat page into the wheel. `make web` does so for an editable installation."""

from __future__ import annotations

import runpy
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        found = runpy.run_path(str(Path(self.root) / "web" / "build.py"))
        if version == "editable" or (found["PAGE"] / "index.html").is_file():
            return
        try:
            found["build"]()
        except (FileNotFoundError, subprocess.CalledProcessError) as error:
            self.app.display_warning(f"the wheel has no chat page: {error}")
