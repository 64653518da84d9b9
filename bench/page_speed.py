"""Measure the main thread of the chat page while four panels write 300 tokens a second: `python bench/page_speed.py`.

It prints the CPU time of the page's main thread for each second, and the longest task, from Chromium's own counters, so
other work on the machine hardly changes them. A phone that is six times slower needs six times as long. It needs the
page (`make web`), the package `playwright`, and Chromium on the path.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import sync_playwright

from msgmodel.testing import Reply, ScriptedProvider

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

PARAGRAPH = "The sea is **salty** because rivers carry `minerals` to it. " * 12 + "\n\n"
SECONDS = 3
FIELDS = ("TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
SLOWER = 6
"""How many times slower a cheap phone is, by Chromium's own preset for it."""

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


def measure_page() -> tuple[dict[str, float], list[float]]:
    """Return ms of the main thread for each second of writing, by Chromium's name of the work; and ms of each task."""
    from serving import Serving  # of the tests

    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    providers = [option for name in ("openai", "anthropic", "gemini") for option in ("--provider", name)]
    with (
        TemporaryDirectory() as folder,
        ScriptedProvider() as provider,
        Serving(Path(folder), provider, *providers) as server,
        sync_playwright() as driver,
        driver.chromium.launch(executable_path=chromium, args=FLAGS) as browser,
    ):
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(server.url)
        page.get_by_test_id("composer").wait_for()
        for _ in range(3):
            page.get_by_test_id("add-panel").click()
        provider.say(Reply((PARAGRAPH * 16).strip(), speed=300))
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.get_by_test_id("composer").fill("Go")
        page.get_by_test_id("send").click()
        page.wait_for_timeout(1000)
        before = _read_counters(session)
        page.wait_for_timeout(SECONDS * 1000)
        after = _read_counters(session)
        browser.start_tracing(page=page, categories=["devtools.timeline", "disabled-by-default-devtools.timeline"])
        page.wait_for_timeout(SECONDS * 1000)
        tasks = _task_times(json.loads(browser.stop_tracing())["traceEvents"])
    return {name: (after[name] - before[name]) * 1000 / SECONDS for name in FIELDS}, tasks


def _task_times(events: list[dict[str, Any]]) -> list[float]:
    """Return milliseconds of CPU of each task of the page's main thread, the longest last."""
    mains = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    tasks = [event for event in events if event["name"] == "RunTask" and (event["pid"], event["tid"]) in mains]
    return sorted(event.get("tdur", 0) / 1000 for event in tasks)


def _read_counters(session: Any) -> dict[str, float]:
    return {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}


if __name__ == "__main__":
    each_second, tasks = measure_page()
    for field, milliseconds in each_second.items():
        print(f"{field:20} {milliseconds:6.0f} ms of each second")
    longest = tasks[-1]
    print(f"the longest of {len(tasks)} tasks: {longest:.1f} ms, or {longest * SLOWER:.0f} ms if {SLOWER} times slower")
