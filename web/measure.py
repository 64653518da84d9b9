"""Measure a long conversation on the page: `python web/measure.py [messages]`, after `make web`.

It prints how long opening takes (from the click in the list to the frame that shows the last words), how many turns are
drawn then, and the longest task while one scrolls through all of it.
"""

from __future__ import annotations

import shutil
import statistics
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from msgmodel.testing import ScriptedProvider  # noqa: E402
from serving import Serving  # noqa: E402

TIMES = 7
"""How often it is opened; the median counts."""

SAVE = """(messages) => new Promise((resolve, reject) => {
  const reply = (n) => ({
    id: `r${n}`, provider: "openai", model: "gpt-6-luna", reasoning: "", refusal: "", toolCalls: [], sources: [],
    note: null, lost: {code: "interrupted", message: "Measured."},
    content: `Answer ${n}.\\n\\n` + "A paragraph with **bold** words and `code`. ".repeat(n % 9 + 1)
      + (n % 5 ? "" : "\\n\\n```python\\nprint('hello')\\nfor x in range(9):\\n    print(x)\\n```")
      + (n % 7 ? "" : "\\n\\n| a | b |\\n|---|---|\\n| 1 | 2 |"),
    end: null,
  });
  const turns = Array.from({length: messages / 2}, (_, n) => ({
    id: `t${n}`, kind: "typed", text: `Question ${n}`, files: [], replies: [reply(n)],
  }));
  const settings = {system: "", maxTokens: null, temperature: null, reasoning: ""};
  const long = {
    id: "long", title: "Long", createdAt: 1, updatedAt: Date.now(), settings, streams: [],
    panels: [{id: "p", provider: "openai", model: "", turns}],
  };
  const request = indexedDB.open("msgmodel", 1);
  request.onerror = reject;
  request.onsuccess = () => {
    const transaction = request.result.transaction("conversations", "readwrite");
    transaction.objectStore("conversations").put(long);
    transaction.oncomplete = () => { request.result.close(); resolve(); };
  };
})"""

OPEN = """(last) => new Promise((resolve) => {
  const began = performance.now();
  document.querySelector('a[href="#/c/long"]').click();
  const look = () => {
    const there = [...document.querySelectorAll("[data-testid=question]")].at(-1)?.textContent.includes(last);
    if (there) requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - began)));
    else requestAnimationFrame(look);
  };
  look();
})"""

SCROLL = """() => new Promise((resolve) => {
  const tasks = [];
  new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({duration}) => duration)))
    .observe({type: "longtask"});
  const thread = document.querySelector(".thread");
  const step = () => {
    thread.scrollTop -= thread.clientHeight;
    if (thread.scrollTop > 0) requestAnimationFrame(step);
    else setTimeout(() => resolve(Math.round(Math.max(0, ...tasks))), 300);
  };
  step();
})"""


def measure(page: Any, url: str, messages: int) -> None:
    """Print the figures."""
    page.goto(url)
    page.get_by_test_id("composer").wait_for()
    page.evaluate(SAVE, messages)
    page.reload()
    page.get_by_role("link", name="Long").wait_for()
    seconds = []
    for _ in range(TIMES):
        page.get_by_test_id("new-conversation").click()
        page.wait_for_timeout(300)
        seconds.append(page.evaluate(OPEN, f"Question {messages // 2 - 1}"))
    drawn = page.get_by_test_id("reply").count()
    print(f"{messages} messages: opened in {statistics.median(seconds):.0f} ms", [round(each) for each in seconds])
    print(f"replies drawn then: {drawn}; longest task while scrolling to the top: {page.evaluate(SCROLL)} ms")


def main(messages: int) -> None:
    """Serve the page, and measure it in Chromium."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with TemporaryDirectory() as folder, ScriptedProvider() as provider, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        with Serving(Path(folder), provider, "--provider", "openai") as server:
            measure(browser.new_page(), server.url, messages)
        browser.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
