"""Show every state of the chat page: `python web/gallery.py`, which `make gallery` runs.

It builds `web/gallery/`, which draws the page's own components with made-up data and asks no server, takes a picture of
each state in both themes at three widths into `build/gallery/`, and writes the README's picture of the page. axe looks
at each state; what it finds is printed, and is an error. It needs the packages `playwright` and
`axe-playwright-python`, and Chromium on the path.

    python web/gallery.py              all states
    python web/gallery.py compare rtl  some of them
"""

from __future__ import annotations

import functools
import http.server
import re
import runpy
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "gallery"
README_PICTURE = ROOT / "docs" / "images" / "chat-page.png"
WIDTHS = {1440: 900, 1024: 768, 390: 844}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


def scene_names() -> list[str]:
    """Return the names of the scenes, in the order of gallery/scenes.ts."""
    text = (ROOT / "web" / "gallery" / "scenes.ts").read_text("utf-8")
    table = text.partition("export const SCENES")[2].partition("\n};")[0]
    return re.findall(r'^  "?([\w-]+)"?: \[', table, re.MULTILINE)


def build_gallery() -> None:
    """Build the gallery into `build/gallery/page`."""
    command = runpy.run_path(str(ROOT / "web" / "build.py"))["npm"]()
    arguments = ["exec", "--", "vite", "build", "-c", "vite.gallery.config.ts", "--logLevel", "warn"]
    out = ["--outDir", str(FOLDER / "page"), "--emptyOutDir"]
    subprocess.run([*command, *arguments, *out], cwd=ROOT / "web", check=True)


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def serve_gallery() -> http.server.ThreadingHTTPServer:
    """Serve the built gallery on a free port of 127.0.0.1; shutdown() ends it."""
    handler = functools.partial(_QuietHandler, directory=str(FOLDER / "page"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def find_faults(page: Any) -> list[str]:
    """Return what axe finds on the page."""
    page.evaluate(Axe().axe_script)
    return [
        f"{fault['id']}: {node['html'][:160]}"
        for fault in page.evaluate("axe.run()")["violations"]
        for node in fault["nodes"]
    ]


def photograph(names: list[str]) -> int:
    """Take the pictures of these scenes; return how many faults axe has found."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    server, faults = serve_gallery(), 0
    url = f"http://127.0.0.1:{server.server_port}/"
    with sync_playwright() as driver, driver.chromium.launch(executable_path=chromium, args=FLAGS) as browser:
        for width, height in WIDTHS.items():
            page = browser.new_page(viewport={"width": width, "height": height}, reduced_motion="reduce")
            for theme in ("light", "dark"):
                for name in names:
                    page.goto(f"{url}?scene={name}&theme={theme}")
                    page.evaluate("document.fonts.ready.then(() => null)")
                    page.screenshot(path=FOLDER / f"{name}-{width}-{theme}.png", animations="disabled")
                    found = find_faults(page)
                    faults += len(found)
                    for fault in found:
                        print(f"{name} {width} {theme}: {fault}")
            page.close()
        take_readme_picture(browser, url)
    server.shutdown()
    return faults


def take_readme_picture(browser: Any, url: str) -> None:
    """Write the README's picture: one reply is complete and the other broke off."""
    page = browser.new_page(viewport={"width": 1280, "height": 660})
    page.goto(f"{url}?scene=readme&theme=light")
    page.evaluate("document.fonts.ready.then(() => document.activeElement.blur())")
    page.screenshot(path=README_PICTURE, animations="disabled")


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    build_gallery()
    sys.exit(photograph(sys.argv[1:] or scene_names()) and 1)
