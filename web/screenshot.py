"""Take the README's picture of the chat page: `python web/screenshot.py`. It is one scene of the gallery."""

from __future__ import annotations

import runpy
from pathlib import Path

if __name__ == "__main__":
    gallery = runpy.run_path(str(Path(__file__).with_name("gallery.py")))
    gallery["FOLDER"].mkdir(parents=True, exist_ok=True)
    gallery["build_gallery"]()
    gallery["photograph"]([])
