"""Take the README's picture of the chat page: `python web/screenshot.py`, after `make web`.

`msgmodel serve` runs with two scripted providers. One reply is complete and the other breaks off, so that the picture
shows how the page reports both. It needs the packages `playwright` and `uvicorn`, and Chromium on the path.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import expect, sync_playwright

from msgmodel.testing import Reply, ScriptedProvider
from msgmodel.testing.provider import wire_of
from msgmodel.testing.server import Received

ROOT = Path(__file__).resolve().parent.parent
IMAGE = ROOT / "docs" / "images" / "chat-page.png"
sys.path.insert(0, str(ROOT / "tests"))

QUESTION = "Why is the sea salty, and how much salt is in a bathtub of sea water?"
COMPLETE = """\
Rain dissolves **minerals from rocks**, and rivers carry them to the sea. The water evaporates, but the salt stays.

```python
liters = 150
salt_in_kg = liters * 0.035
print(f"{salt_in_kg:.2f} kg")  # 5.25 kg
```

A bathtub of sea water holds about 5 kg of salt.
"""
CUT = """\
Rivers wash **salts out of the rocks** on land and bring them to the sea. The sun evaporates the water and leaves the \
salt behind, for millions of years.

So a bathtub of sea water holds
"""


def answer(request: Received) -> Reply:
    """Return a complete reply on OpenAI's wire, and one that is cut in the middle of a sentence on Anthropic's."""
    if wire_of(request.path) == "anthropic":
        text = CUT.rstrip()
        return Reply(text + " about five kilograms.", cut_after=len(text.split()), cut="fin")
    return Reply(COMPLETE)


def ask_two_panels(page: Any) -> None:
    """Ask the question in two panels, and wait for both endings."""
    page.get_by_test_id("add-panel").click()
    panels = page.get_by_test_id("panel")
    for number, provider in enumerate(("openai", "anthropic")):
        panels.nth(number).get_by_test_id("provider-select").select_option(provider)
    page.get_by_test_id("composer").fill(QUESTION)
    page.get_by_test_id("send").click()
    for number, state in enumerate(("complete", "broken")):
        expect(panels.nth(number).get_by_test_id("reply").last).to_have_attribute("data-state", state)


def take() -> None:
    """Write the picture."""
    from serving import Serving  # of the tests

    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    options = ("--provider", "openai", "--provider", "anthropic")
    with (
        TemporaryDirectory() as folder,
        ScriptedProvider() as provider,
        Serving(Path(folder), provider, *options) as server,
        sync_playwright() as driver,
        driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]) as browser,
    ):
        provider.say(answer)
        page = browser.new_page(viewport={"width": 1280, "height": 660}, color_scheme="light")
        page.goto(server.url)
        ask_two_panels(page)
        page.mouse.move(0, 0)
        page.screenshot(path=IMAGE, animations="disabled")


if __name__ == "__main__":
    take()
