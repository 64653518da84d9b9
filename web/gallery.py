"""Show every state of the chat page: `python web/gallery.py`, which `make gallery` runs.

It builds `web/gallery/`, which draws the page's own components with made-up data and asks no server, takes a picture of
each state into `build/gallery/`, in both themes at three widths, at 200 % and in forced colors, and writes the README's
picture of the page. axe looks at each state, and so does `find_cuts`; what they find is printed, and is an error. It
needs the packages `playwright` and `axe-playwright-python`, and Chromium on the path.

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
VIEWS: dict[str, dict[str, Any]] = {
    "1440": {"viewport": {"width": 1440, "height": 900}},
    "1024": {"viewport": {"width": 1024, "height": 768}},
    "390": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
    "zoom": {"viewport": {"width": 720, "height": 450}, "device_scale_factor": 2},
    "forced": {"viewport": {"width": 1440, "height": 900}, "forced_colors": "active"},
}
"""How the page is looked at; `zoom` is a window of 1440 pixels at 200 %."""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


def scene_names() -> list[str]:
    """Return the names of the scenes, in the order of gallery/scenes.ts."""
    text = (ROOT / "web" / "gallery" / "scenes.ts").read_text("utf-8")
    table = text.partition("export const SCENES")[2].partition("\n};")[0]
    return re.findall(r'^  "?([\w-]+)"?: \[', table, re.MULTILINE)


def build_gallery(folder: Path = FOLDER / "page") -> None:
    """Build the gallery into a folder."""
    command = runpy.run_path(str(ROOT / "web" / "build.py"))["npm"]()
    arguments = ["exec", "--", "vite", "build", "-c", "vite.gallery.config.ts", "--logLevel", "warn"]
    out = ["--outDir", str(folder), "--emptyOutDir"]
    subprocess.run([*command, *arguments, *out], cwd=ROOT / "web", check=True)


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def serve_gallery(folder: Path = FOLDER / "page") -> http.server.ThreadingHTTPServer:
    """Serve the built gallery on a free port of 127.0.0.1; shutdown() ends it."""
    handler = functools.partial(_QuietHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def open_scene(page: Any, url: str, name: str, theme: str) -> None:
    """Show a scene, and wait until all of it is drawn."""
    page.goto(f"{url}?scene={name}&theme={theme}")
    page.wait_for_selector(":root[data-ready]", timeout=15_000)
    page.evaluate("document.fonts.ready.then(() => null)")


def find_faults(page: Any) -> list[str]:
    """Return what axe finds on the page, once nothing fades in any more."""
    page.evaluate(Axe().axe_script)
    return [
        f"{fault['id']}: {node['html'][:160]}"
        for fault in page.evaluate("axe.run()")["violations"]
        for node in fault["nodes"]
    ]


CUTS = """() => {
  const scrolls = (node) => /auto|scroll/.test(getComputedStyle(node).overflowX) && node.scrollWidth > node.clientWidth;
  const inScroller = (node) => {
    for (let at = node.parentElement; at; at = at.parentElement) if (scrolls(at)) return true;
    return false;
  };
  const isShown = (node) => node.checkVisibility({visibilityProperty: true, opacityProperty: true});
  const found = [];
  if (document.documentElement.scrollWidth > innerWidth) found.push("the page is wider than its window");
  for (const node of document.querySelectorAll("button, a, input, textarea, summary, h1, h2, h3, p, li, dd, code")) {
    const isAside = node.closest(".off-screen, .skip, .sidebar:not([data-shown=true])");
    if (isAside || !isShown(node) || inScroller(node)) continue;
    const {left, right, width, height} = node.getBoundingClientRect();
    if (width < 1 || height < 1) continue;
    if (left < -1 || right > innerWidth + 1) found.push(`outside the window: ${node.outerHTML.slice(0, 160)}`);
    const {overflowX, textOverflow} = getComputedStyle(node);
    const isCut = node.scrollWidth > node.clientWidth + 1 && overflowX !== "visible" && !scrolls(node);
    if (isCut && textOverflow !== "ellipsis" && !/INPUT|TEXTAREA/.test(node.tagName)) {
      found.push(`cut: ${node.outerHTML.slice(0, 160)}`);
    }
  }
  return found;
}"""


def find_cuts(page: Any) -> list[str]:
    """Return what of the page is outside the window, or cut without a sign of that."""
    return list(page.evaluate(CUTS))


def show_all(page: Any) -> None:
    """Make the window as high as the conversation, so that a picture shows all of it."""
    more = page.locator(".thread, .board").evaluate_all(
        "found => found.length ? found[0].scrollHeight - found[0].clientHeight : 0"
    )
    size = page.viewport_size
    page.set_viewport_size({"width": size["width"], "height": min(size["height"] + more, 8000)})


def photograph(names: list[str]) -> int:
    """Take the pictures of these scenes; return how many faults were found."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    server, count = serve_gallery(), 0
    url = f"http://127.0.0.1:{server.server_port}/"
    with sync_playwright() as driver, driver.chromium.launch(executable_path=chromium, args=FLAGS) as browser:
        for view, options in VIEWS.items():
            page = browser.new_page(**options, reduced_motion="reduce")
            for theme in ("light",) if view in ("zoom", "forced") else ("light", "dark"):
                for name in names:
                    page.set_viewport_size(options["viewport"])
                    open_scene(page, url, name, theme)
                    found = find_cuts(page)
                    if view not in ("zoom", "390"):
                        show_all(page)
                    page.screenshot(path=FOLDER / f"{name}-{view}-{theme}.png", animations="disabled")
                    # In forced colors, the browser chooses the colors of which axe would judge.
                    found += [] if view == "forced" else find_faults(page)
                    count += len(found)
                    for fault in found:
                        print(f"{name} {view} {theme}: {fault}", flush=True)
            page.close()
        take_readme_picture(browser, url)
    server.shutdown()
    return count


def take_readme_picture(browser: Any, url: str) -> None:
    """Write the README's picture: one reply is complete and the other was cut off."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    open_scene(page, url, "readme", "light")
    page.evaluate("document.activeElement.blur()")
    page.screenshot(path=README_PICTURE, animations="disabled")


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    build_gallery()
    sys.exit(photograph(sys.argv[1:] or scene_names()) and 1)
