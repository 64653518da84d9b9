"""The chat page in a real browser: served by `msgmodel serve`, with a scripted provider behind it.

Rule of every test: the page asks only its own server, breaks no rule of its policy, runs nothing that a reply
says, and has nothing to complain about in the console. `Window` looks after that.
"""

from __future__ import annotations

import base64
import json
import re
import select
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

import msgmodel
import serving
from msgmodel.server import Settings, create_app
from msgmodel.testing import Reply, ScriptedProvider
from msgmodel.testing.provider import wire_of
from msgmodel.testing.server import Received, Script
from serving import TOKENS, Serving, Uvicorn, wait_for

playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs the package axe-playwright-python")

expect = playwright.expect

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FOLDER = Path(msgmodel.__file__).parent / "server" / "page"
SHOTS = Path(__file__).parents[2] / "build" / "screenshots"

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"),
    pytest.mark.skipif(not (FOLDER / "index.html").is_file(), reason="the page is not built: make web"),
]

PROVIDERS = [option for name in ("openai", "anthropic", "gemini") for option in ("--provider", name)]
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
WORDS = "one two three four five six seven eight nine ten eleven twelve"


# --- the browser, the server and the provider ---


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    expect.set_options(timeout=15_000)
    with playwright.sync_playwright() as driver:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
        running = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=options)
        yield running
        running.close()


module_provider, environment = serving.module_provider, serving.provider  # fixtures


@pytest.fixture(scope="module")
def site(module_provider: ScriptedProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("site"), module_provider, *PROVIDERS) as server:
        yield server


class Asked:
    """The provider, and what it was asked in this test."""

    def __init__(self, provider: ScriptedProvider) -> None:
        self.provider = provider
        self.say = provider.say
        self._before = len(provider.requests)

    @property
    def requests(self) -> list[Received]:
        asked = self.provider.requests[self._before :]
        return [request for request in asked if request.method == "POST"]  # a GET asks for the list of models


@pytest.fixture
def provider(module_provider: ScriptedProvider) -> Asked:
    module_provider.say("Hello from a scripted provider.")
    return Asked(module_provider)


class Window:
    """A browser window with nothing of an earlier one in it, and what went on there that should not have."""

    def __init__(self, browser: Any, url: str, **options: Any) -> None:
        self.url = url
        self.faults: list[str] = []
        self.context = browser.new_context(**options)
        self.context.add_init_script(
            "addEventListener('securitypolicyviolation', (event) =>"
            " console.error(`policy: ${event.effectiveDirective} ${event.blockedURI}`));"
            "window.attacked = (how) => console.error(`attacked: ${how}`);"
        )
        self.context.on("request", self._requested)
        self.context.on("console", self._said)
        self.context.on("weberror", lambda error: self.faults.append(f"error: {error.error}"))
        self.context.on("dialog", self._dialog)
        self.page = self.context.new_page()
        self.page.goto(url)
        self.page.get_by_test_id("composer").wait_for()

    def _requested(self, request: Any) -> None:
        address = request.url.removeprefix("blob:")
        if address.split("/")[:3] != self.url.split("/")[:3]:
            self.faults.append(f"request: {request.url}")

    def _said(self, message: Any) -> None:
        has_no_list = message.location.get("url", "").endswith("/models")  # of which the picker tells
        if message.type in ("error", "warning") and not has_no_list:
            self.faults.append(f"console: {message.text}")

    def _dialog(self, dialog: Any) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def forgive(self, part: str) -> None:
        """Forgets the faults that say this; there must be one."""
        kept = [fault for fault in self.faults if part not in fault]
        assert len(kept) < len(self.faults), f"{part!r} is not in {self.faults}"
        self.faults = kept


@pytest.fixture
def opened(browser: Any, site: Serving) -> Iterator[Callable[..., Window]]:
    windows: list[Window] = []

    def open_one(url: str = "", **options: Any) -> Window:
        windows.append(Window(browser, url or site.url, **options))
        return windows[-1]

    yield open_one
    for window in windows:
        window.context.close()
    assert [fault for window in windows for fault in window.faults] == []


@pytest.fixture
def window(opened: Callable[..., Window]) -> Window:
    return opened()


@pytest.fixture
def page(window: Window) -> Any:
    return window.page


class Proxy:
    """A TCP proxy before a server that can cut a connection where the server says something, and play dead."""

    def __init__(self, port: int) -> None:
        self.heads: list[str] = []
        """The head of each request, as it came in."""
        self.cut_at = b""
        """The next connection on which the server says this is cut in the middle of it; once."""
        self.dies = False
        """Whether it is dead from that cut on."""
        self.dead = False
        """Whether every connection is closed at once, or as soon as something is asked on it."""
        self._port = port
        self._stop, self._stopped = socket.socketpair()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while self._stopped not in select.select([self._listener, self._stopped], [], [])[0]:
            here, _ = self._listener.accept()
            if self.dead:
                here.close()
                continue
            self._threads.append(threading.Thread(target=self._carry, args=(here,)))
            self._threads[-1].start()

    def _carry(self, here: socket.socket) -> None:
        with here, socket.create_connection(("127.0.0.1", self._port)) as there, suppress(OSError):
            while True:
                ready, _, _ = select.select([here, there, self._stopped], [], [])
                if self._stopped in ready:
                    return
                for side in ready:
                    data = side.recv(65536)
                    if not data:
                        return
                    if side is here and self.dead:
                        return
                    if side is here:
                        self.heads.append(data.partition(b"\r\n\r\n")[0].decode("latin-1"))
                        there.sendall(data)
                    elif self.cut_at and self.cut_at in data:
                        place = data.index(self.cut_at) + len(self.cut_at) // 2
                        self.cut_at, self.dead = b"", self.dies
                        here.sendall(data[:place])
                        return
                    else:
                        here.sendall(data)

    def close(self) -> None:
        self._stop.close()
        for thread in self._threads:
            thread.join()
        self._listener.close()
        self._stopped.close()


@contextmanager
def proxied(server: Serving) -> Iterator[Proxy]:
    proxy = Proxy(server.port)
    try:
        yield proxy
    finally:
        proxy.close()


# --- words for what a user does ---


def send(page: Any, text: str) -> None:
    page.get_by_test_id("composer").fill(text)
    page.get_by_test_id("send").click()


def last(place: Any) -> Any:
    """The latest reply on the page, or in one panel."""
    return place.get_by_test_id("reply").last


def said(page: Any) -> str:
    """The text of the latest reply, without the line where it was taken up again."""
    return re.sub(r"\n+Picked up at word \d+", "", str(last(page).locator(".prose").inner_text()))


def panel(page: Any, number: int) -> Any:
    """What belongs to one panel: its head in the strip, and its column or thread."""
    return page.locator(f"[data-panel='{chr(64 + number)}']")


def ends(reply: Any, ending: str) -> None:
    expect(reply).to_have_attribute("data-ending", ending)


def asks(page: Any, text: str, state: str = "complete") -> Any:
    """Sends it, and waits for the end of the reply."""
    send(page, text)
    reply = last(page)
    ends(reply, state)
    return reply


def choose(place: Any, provider: str, model: str | None = None) -> None:
    """Chooses who answers, on a page with one panel or in a panel; by default its first model."""
    place.get_by_test_id("choose-model").click()
    page = getattr(place, "page", place)
    page.get_by_test_id("picker-search").fill(model or provider)
    expect(page.get_by_text("Asking for the list…")).to_have_count(0)
    wanted = f"[data-provider='{provider}']" + (f"[data-model='{model}']" if model else "")
    page.get_by_test_id("model").and_(page.locator(wanted)).first.click()
    expect(page.get_by_test_id("picker")).to_have_count(0)


def receipt(reply: Any) -> str:
    """The words of a reply's receipt."""
    reply.get_by_test_id("usage").click()
    found = reply.page.get_by_test_id("receipt")
    words = str(found.inner_text())
    reply.page.keyboard.press("Escape")
    expect(found).to_have_count(0)
    return words


def shot(page: Any, name: str) -> None:
    """A picture for people to look at."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", animations="disabled")


def show_panel(page: Any, number: int) -> None:
    """Shows this panel if the page is too narrow for all."""
    tab = page.get_by_test_id("panel-tab").nth(number - 1)
    if tab.is_visible():
        tab.click()


def two_panels(page: Any) -> None:
    page.get_by_test_id("add-panel").click()
    expect(page.get_by_test_id("panel")).to_have_count(2)
    for number, provider in enumerate(("openai", "anthropic"), 1):
        show_panel(page, number)
        choose(panel(page, number), provider)
    show_panel(page, 1)


def each(**answers: Reply | str) -> Callable[[Received], Reply | str]:
    """An answer for each wire."""
    return lambda request: answers[wire_of(request.path) or ""]


def sent(request: Received) -> list[tuple[str, Any]]:
    """The messages in a request to OpenAI or Anthropic."""
    found = []
    for message in request.json["messages"]:
        content = message["content"]
        if isinstance(content, list) and [part["type"] for part in content] == ["text"]:
            content = content[0]["text"]
        found.append((message["role"], content))
    return found


# --- a reply ---

WATCH = """() => {
  window.seen = [];
  const look = () => {
    const reply = [...document.querySelectorAll("[data-testid=reply]")].at(-1);
    if (!reply) return;
    const now = [reply.dataset.ending, reply.querySelector(".prose")?.textContent.trim() ?? ""];
    if (String(seen.at(-1)) !== String(now)) seen.push(now);
  };
  new MutationObserver(look).observe(document.body,
    {subtree: true, childList: true, characterData: true, attributes: true});
}"""


def test_a_reply_is_drawn_as_it_comes(page: Any, provider: Asked) -> None:
    provider.say(Reply(WORDS, speed=6))
    shot(page, "empty")
    page.evaluate(WATCH)
    send(page, "Count to twelve.")
    expect(last(page)).to_contain_text("one two three")
    expect(page.get_by_test_id("stop-all")).to_be_visible()
    expect(page.get_by_test_id("composer")).to_have_value("")
    shot(page, "streaming")
    ends(last(page), "complete")
    seen = page.evaluate("seen")
    grown = [text for state, text in seen if state == "streaming" and text]
    assert len(set(grown)) > 5
    assert all(len(before) <= len(after) for before, after in pairwise(grown))
    assert all(WORDS.startswith(text) for text in grown)
    assert seen[-1] == ["complete", WORDS]
    expect(page.get_by_test_id("question")).to_contain_text("Count to twelve.")
    expect(page.get_by_test_id("badge")).to_have_count(0)
    expect(page.get_by_test_id("error-card")).to_have_count(0)
    expect(page.get_by_test_id("announcement")).to_contain_text(": complete")
    assert [sent(request) for request in provider.requests] == [[("user", "Count to twelve.")]]
    shot(page, "complete")


def test_the_receipt(page: Any, provider: Asked) -> None:
    reply = asks(page, "Hello")
    expect(reply.get_by_test_id("usage")).to_contain_text("Complete")
    words = receipt(reply).split("\n")
    for line in ("OpenAI", "gpt-6-luna", "stop", "12 tokens", "34 tokens", "First word after", "All of it after"):
        assert line in words


def test_stop(page: Any, provider: Asked) -> None:
    hangups = len(provider.provider.server.hangups)
    provider.say(Reply(WORDS, stall_after=3))
    send(page, "Count")
    expect(last(page)).to_contain_text("one two three")
    page.get_by_test_id("stop-all").click()
    ends(last(page), "stopped")
    expect(last(page)).to_contain_text("one two three")
    expect(page.get_by_test_id("badge")).to_have_text("Stopped by you.")
    expect(page.get_by_test_id("error-card")).to_have_count(0)
    expect(page.get_by_test_id("composer")).to_be_focused()
    provider.provider.server.wait_hangup(count=hangups + 1)
    shot(page, "stopped")
    # What had come goes along, and the model goes on from there.
    provider.say(" four")
    page.get_by_test_id("continue").click()
    expect(page.get_by_test_id("reply")).to_have_count(2)
    ends(last(page), "complete")
    assert [role for role, _ in sent(provider.requests[-1])] == ["user", "assistant", "user"]
    assert sent(provider.requests[-1])[1] == ("assistant", "one two three")


@pytest.mark.parametrize("name", ["openai", "gemini"])
def test_truncation_and_continue(page: Any, provider: Asked, name: str) -> None:
    choose(page, name)
    provider.say(Reply("The first half,", truncated=True), "the second.")
    first = asks(page, "Tell me both halves.", "truncated")
    expect(first.get_by_test_id("badge")).to_have_text("Cut off. The reply reached its limit.")
    expect(first).to_contain_text("The first half,")
    shot(page, "truncated")
    page.get_by_test_id("continue").click()
    expect(page.get_by_test_id("reply")).to_have_count(2)
    ends(last(page), "complete")
    expect(last(page)).to_contain_text("the second.")
    ends(page.get_by_test_id("reply").first, "truncated")
    expect(page.get_by_test_id("continue")).to_have_count(0)
    assert len(provider.requests) == 2
    if name != "gemini":
        history = sent(provider.requests[-1])
        assert history[:2] == [("user", "Tell me both halves."), ("assistant", "The first half,")]
        assert "Go on exactly where you stopped" in history[2][1]
    shot(page, "continued")


@pytest.mark.parametrize(("status", "code"), [(401, "authentication"), (404, "not_found")])
def test_error_and_retry(page: Any, provider: Asked, status: int, code: str) -> None:
    provider.say(Reply(error=status), "Now it works.")
    failed = asks(page, "Hello", "failed")
    expect(failed.get_by_test_id("error-card")).to_have_attribute("data-code", code)
    expect(failed.get_by_test_id("badge")).to_contain_text("Failed before the first word.")
    # One fact in plain words; the provider's are folded.
    expect(failed.get_by_role("heading", level=3)).to_be_visible()
    expect(failed.get_by_text(code)).to_be_hidden()
    failed.get_by_test_id("details").locator("summary").click()
    expect(failed.get_by_text(f"{code}, {status}")).to_be_visible()
    expect(page.get_by_test_id("resume")).to_have_count(0)
    shot(page, f"error-{code}")
    page.get_by_test_id("retry").click()
    ends(last(page), "complete")
    expect(last(page)).to_contain_text("Now it works.")
    # The try before stays to be read, as a version.
    expect(page.get_by_test_id("error-card")).to_have_count(0)
    page.get_by_test_id("earlier-version").click()
    expect(page.get_by_test_id("error-card")).to_be_visible()
    page.get_by_test_id("later-version").click()
    expect(last(page)).to_contain_text("Now it works.")
    assert [sent(request) for request in provider.requests] == [[("user", "Hello")]] * 2


@pytest.mark.parametrize("cut", ["clean", "reset"])
def test_a_broken_stream_and_resume(page: Any, provider: Asked, cut: Any) -> None:
    provider.say(Reply(WORDS, cut_after=3, cut=cut), "four, and that is all.")
    broken = asks(page, "Count", "broken")
    expect(broken).to_contain_text("one two three")
    expect(broken.get_by_test_id("badge")).to_contain_text("Broke off after 3 words. The connection to OpenAI was lost")
    expect(broken.get_by_test_id("error-card")).to_have_attribute("data-code", "interrupted")
    expect(page.get_by_test_id("retry")).to_be_visible()
    shot(page, "broken")
    page.get_by_test_id("resume").click()
    expect(page.get_by_test_id("reply")).to_have_count(2)
    ends(last(page), "complete")
    history = sent(provider.requests[-1])
    assert history[:2] == [("user", "Count"), ("assistant", "one two three")]
    assert "connection broke" in history[2][1]
    shot(page, "resumed")


@pytest.mark.parametrize(
    ("name", "answer", "state", "badge", "button"),
    [
        ("openai", Reply(refusal="I can't help with that."), "refused", "Declined by the model.", "retry"),
        ("gemini", Reply("A start", finish="SAFETY"), "filtered", "Filtered by Google.", "retry"),
        ("anthropic", Reply("Wait for it.", paused=True), "paused", "Paused by Anthropic.", "continue"),
        (
            "openai",
            Reply("Whatever", finish="tired"),
            "unknown",
            "Unclear. OpenAI ended with “tired”",
            "continue retry",
        ),
        (
            "openai",
            Reply("Let me see.", tool_calls=[{"name": "weather", "arguments": {"city": "Bern"}}]),
            "waiting",
            "Waiting for a result. This page can't run weather",
            "",
        ),
    ],
    ids=["refused", "filtered", "paused", "unknown", "tool_calls"],
)
def test_other_endings(
    page: Any, provider: Asked, name: str, answer: Reply, state: str, badge: str, button: str
) -> None:
    provider.say(answer)
    choose(page, name)
    reply = asks(page, "Hello", state)
    expect(reply.get_by_test_id("badge")).to_contain_text(badge)
    expect(reply.get_by_test_id("badge")).to_have_attribute("data-ending", state)
    expect(reply).to_contain_text(answer.refusal or answer.text)
    for one in ("retry", "continue", "resume"):
        expect(page.get_by_test_id(one)).to_have_count(1 if one in button.split() else 0)
    if state == "waiting":
        expect(reply.get_by_test_id("tool-call")).to_contain_text("weather")
        expect(reply.get_by_test_id("tool-call")).to_contain_text("Bern")
    shot(page, f"ending-{state}")


def test_reasoning_is_folded(page: Any, provider: Asked) -> None:
    provider.say(Reply("It is 4.", reasoning="Two and two are four.", signature="c2ln"))
    choose(page, "anthropic")
    reply = asks(page, "2 + 2?")
    folded = reply.get_by_test_id("reasoning")
    expect(folded.get_by_text("Two and two are four.")).to_be_hidden()
    expect(reply.get_by_text("It is 4.")).to_be_visible()
    folded.locator("summary").click()
    expect(folded.get_by_text("Two and two are four.")).to_be_visible()
    shot(page, "reasoning")


def test_sources(page: Any, provider: Asked) -> None:
    sources = [
        {"url": "https://example.org/a?b=1", "title": "The first page"},
        {"url": "javascript:attacked('source')", "title": "The second"},
    ]
    provider.say(Reply("As they say.", sources=sources))
    choose(page, "gemini")
    found = asks(page, "Who says so?").get_by_test_id("sources")
    link = found.get_by_role("link")
    expect(link).to_have_count(1)
    expect(link).to_contain_text("The first page")
    expect(link).to_have_attribute("href", "https://example.org/a?b=1")
    expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
    found.get_by_text("The second").click()
    shot(page, "sources")


MARKDOWN = """# A heading

A paragraph with **bold**, *slanted*, `code` and [a link](https://example.org/), and a list:

1. one
2. two
   - deeper

| Drink  | Caffeine | Ritual |
|--------|---------:|:------:|
| tea    |    40 mg |  calm  |
| coffee |    95 mg | hurry  |

```python
def greet(name: str) -> str:
    return f"Hello, {name}"  # a comment that is long enough to need all of the width of a narrow window, and more
```

> A quotation.

- [x] done
- [ ] to do
"""


def test_markdown(page: Any, provider: Asked) -> None:
    provider.say(Reply(MARKDOWN, pieces=[MARKDOWN[n : n + 3] for n in range(0, len(MARKDOWN), 3)]))
    reply = asks(page, "Show me everything.")
    expect(reply.get_by_role("heading", name="A heading")).to_be_visible()
    expect(reply.get_by_role("link", name="a link")).to_have_attribute("href", "https://example.org/")
    expect(reply.get_by_role("cell", name="95 mg")).to_be_visible()
    expect(reply.locator("pre code")).to_contain_text('return f"Hello, {name}"')
    expect(reply.locator("pre code .hljs-keyword").first).to_have_text("def")
    expect(reply.locator("blockquote")).to_contain_text("A quotation.")
    shot(page, "markdown")
    reply.get_by_role("button", name="Copy the code (python)").click()
    expect(page.get_by_test_id("announcement")).to_contain_text("Code copied")


def test_the_thread_stays_at_its_end_but_for_who_scrolls_up(page: Any, provider: Asked) -> None:
    lines = [f"line {number}\n\n" for number in range(90)]
    provider.say(Reply("".join(lines).rstrip(), pieces=[*lines[:-1], lines[-1].rstrip()], speed=60))
    send(page, "Many lines")
    expect(last(page)).to_contain_text("line 40")
    wait_for(lambda: page.locator(".thread").evaluate("it => it.scrollHeight - it.scrollTop - it.clientHeight < 60"))
    page.locator(".thread").hover()
    page.mouse.wheel(0, -600)
    expect(page.get_by_test_id("to-end")).to_be_visible()
    ends(last(page), "complete")
    expect(last(page).get_by_text("line 89", exact=True)).not_to_be_in_viewport()
    shot(page, "scrolled-up")
    page.get_by_test_id("to-end").click()
    expect(last(page).get_by_text("line 89", exact=True)).to_be_in_viewport()
    expect(page.get_by_test_id("to-end")).to_have_count(0)


def test_replies_that_are_hard_to_draw(page: Any, provider: Asked) -> None:
    hard = {
        "words": " ".join(map(str, range(20_000))),
        "quotes": ">" * 3000 + " deep",
        "lists": "\n".join(" " * depth + "- deep" for depth in range(400)),
        "links": "[deep](" * 3000,
        "code": "```python\n" + "\n".join(f"x{number} = {number}" for number in range(3000)),
    }
    for name, text in hard.items():
        provider.say(Reply(text, pieces=[text[n : n + 500] for n in range(0, len(text), 500)]))
        asks(page, name)
    words, *others = page.get_by_test_id("reply").all()
    assert words.locator(".prose").inner_text() == hard["words"]
    for reply in others[:-1]:
        expect(reply).to_contain_text("deep")
    expect(others[-1]).to_contain_text("x2999 = 2999")


# --- panels ---


def test_two_panels_with_two_providers(page: Any, provider: Asked) -> None:
    provider.say(each(openai_chat="I am the first.", anthropic=Reply("I am the second,", truncated=True)))
    two_panels(page)
    choose(panel(page, 2), "anthropic", "claude-of-mine")
    send(page, "Who are you?")
    one, two = panel(page, 1), panel(page, 2)
    ends(last(one), "complete")
    ends(last(two), "truncated")
    expect(last(one)).to_contain_text("I am the first.")
    expect(last(two)).to_contain_text("I am the second,")
    assert {request.json["model"] for request in provider.requests} == {"gpt-6-luna", "claude-of-mine"}
    shot(page, "two-panels")
    # One goes on alone, and each has its own history from then on.
    provider.say("and the last.")
    two.get_by_test_id("continue").click()
    expect(two.get_by_test_id("reply")).to_have_count(2)
    ends(last(two), "complete")
    expect(one.get_by_test_id("reply")).to_have_count(1)
    provider.say(each(openai_chat="First again.", anthropic="Second again."))
    send(page, "Once more?")
    expect(last(one)).to_contain_text("First again.")
    expect(last(two)).to_contain_text("Second again.")
    histories = {wire_of(request.path): sent(request) for request in provider.requests[-2:]}
    assert [text for _, text in histories["openai_chat"]] == ["Who are you?", "I am the first.", "Once more?"]
    own = [text for _, text in histories["anthropic"]]
    assert (own[:2], own[3:]) == (["Who are you?", "I am the second,"], ["and the last.", "Once more?"])


def test_one_panel_is_stopped_and_the_other_goes_on(page: Any, provider: Asked) -> None:
    provider.say(each(openai_chat=Reply(WORDS, stall_after=2), anthropic=Reply(WORDS, stall_after=4)))
    two_panels(page)
    send(page, "Count")
    one, two = panel(page, 1), panel(page, 2)
    expect(last(one)).to_contain_text("one two")
    expect(last(two)).to_contain_text("one two three four")
    one.get_by_test_id("panel-stop").click()
    ends(last(one), "stopped")
    ends(last(two), "streaming")
    expect(one.get_by_test_id("panel-stop")).to_have_count(0)
    expect(two.get_by_test_id("panel-stop")).to_be_visible()
    shot(page, "one-panel-stopped")
    page.get_by_test_id("stop-all").click()
    ends(last(two), "stopped")
    expect(last(two)).to_contain_text("one two three four")


def test_one_panel_fails_and_the_other_does_not(page: Any, provider: Asked) -> None:
    provider.say(each(openai_chat=Reply(error=401), anthropic="All is well."))
    two_panels(page)
    send(page, "Hello")
    ends(last(panel(page, 1)), "failed")
    ends(last(panel(page, 2)), "complete")
    provider.say("Better now.")
    panel(page, 1).get_by_test_id("retry").click()
    ends(last(panel(page, 1)), "complete")
    expect(last(panel(page, 2))).to_contain_text("All is well.")


def test_a_panel_that_came_later_gets_the_question_too(page: Any, provider: Asked) -> None:
    asks(page, "Hello")
    for number in (2, 3, 4):
        page.get_by_test_id("add-panel").click()
        expect(page.get_by_test_id("panel")).to_have_count(number)
    expect(page.get_by_test_id("add-panel")).to_be_disabled()
    panel(page, 2).get_by_test_id("ask-here-too").click()
    ends(last(panel(page, 2)), "complete")
    shot(page, "four-panels")
    panel(page, 4).get_by_test_id("remove-panel").click()
    panel(page, 3).get_by_test_id("remove-panel").click()
    expect(page.get_by_test_id("panel")).to_have_count(2)


# --- a page that is left, and a connection that is lost ---


def test_reload_in_the_middle_of_a_reply(window: Window, provider: Asked) -> None:
    provider.say(Reply(WORDS, speed=8))
    send(window.page, "Count")
    expect(last(window.page)).to_contain_text("one two three")
    window.page.reload()
    ends(last(window.page), "streaming")
    expect(last(window.page)).to_contain_text("one two three")
    ends(last(window.page), "complete")
    assert said(window.page) == WORDS
    assert len(provider.requests) == 1
    window.page.reload()
    ends(last(window.page), "complete")
    assert said(window.page) == WORDS


def test_reload_and_then_stop(window: Window, provider: Asked) -> None:
    provider.say(Reply(WORDS, stall_after=3))
    two_panels(window.page)
    send(window.page, "Count")
    for number in (1, 2):
        expect(last(panel(window.page, number))).to_contain_text("one two three")
    window.page.reload()
    panel(window.page, 1).get_by_test_id("panel-stop").click()
    ends(last(panel(window.page, 1)), "stopped")
    ends(last(panel(window.page, 2)), "streaming")
    window.page.get_by_test_id("stop-all").click()
    ends(last(panel(window.page, 2)), "stopped")
    assert len(provider.requests) == 2


def test_a_connection_that_is_cut_is_taken_up_again(
    opened: Callable[..., Window], site: Serving, provider: Asked
) -> None:
    provider.say(Reply(WORDS, speed=20))
    with proxied(site) as proxy:
        window = opened(proxy.url)
        proxy.cut_at = b'"delta":" three"'
        send(window.page, "Count")
        ends(last(window.page), "complete")
        assert said(window.page) == WORDS
        assert not proxy.cut_at
        assert len(provider.requests) == 1
        window.forgive("ERR_INCOMPLETE_CHUNKED_ENCODING")


def test_a_server_that_is_away_for_a_while(opened: Callable[..., Window], site: Serving, provider: Asked) -> None:
    provider.say(Reply(WORDS, speed=20))
    with proxied(site) as proxy:
        window = opened(proxy.url)
        proxy.cut_at, proxy.dies = b'"delta":" three"', True
        send(window.page, "Count")
        expect(last(window.page)).to_contain_text("Connection lost")
        expect(last(window.page)).to_contain_text("one")
        shot(window.page, "connection-lost")
        proxy.dead = False
        ends(last(window.page), "complete")
        assert said(window.page) == WORDS
        assert len(provider.requests) == 1
        window.forgive("ERR_")


def test_mounted_below_another_path(
    opened: Callable[..., Window], provider: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an application of one's own: everything that the page asks for is beside it."""
    for name, value in provider.provider.environment().items():
        monkeypatch.setenv(name, value)
    provider.say(Reply(WORDS, speed=20))
    app = Starlette(routes=[Mount("/llm", create_app(Settings(default_provider="openai")))])
    with Uvicorn(app) as server, proxied(server) as proxy:
        window = opened(f"{proxy.url}/llm")
        assert window.page.url == f"{proxy.url}/llm/"
        proxy.cut_at = b'"delta":" three"'
        asks(window.page, "Count")
        assert said(window.page) == WORDS
        window.page.reload()
        assert said(window.page) == WORDS
        asked = {line.split()[1].partition("?")[0] for head in proxy.heads for line in head.split("\r\n")[:1]}
        assert all(path.startswith("/llm") for path in asked), asked
        window.forgive("ERR_")


def test_a_question_without_a_network(window: Window, provider: Asked) -> None:
    window.context.set_offline(True)
    failed = asks(window.page, "Is anybody there?", "failed")
    expect(failed.get_by_test_id("error-card")).to_have_attribute("data-code", "network")
    window.context.set_offline(False)
    window.page.get_by_test_id("retry").click()
    ends(last(window.page), "complete")
    assert [sent(request) for request in provider.requests] == [[("user", "Is anybody there?")]]
    window.forgive("ERR_INTERNET_DISCONNECTED")


def test_a_server_that_starts_again_has_forgotten(
    opened: Callable[..., Window], provider: Asked, tmp_path: Path
) -> None:
    provider.say(Reply(WORDS, stall_after=3))
    with Serving(tmp_path, provider.provider, *PROVIDERS) as server:
        window = opened(server.url)
        send(window.page, "Count")
        expect(last(window.page)).to_contain_text("one two three")
        server.process.kill()
        server.process.wait()
        expect(last(window.page)).to_contain_text("Connection lost")
    with Serving(tmp_path, provider.provider, *PROVIDERS, "--port", str(server.port)):
        ends(last(window.page), "broken")
        expect(last(window.page)).to_contain_text("one two three")
        shot(window.page, "forgotten")
        provider.say("four.")
        window.page.get_by_test_id("resume").click()
        expect(window.page.get_by_test_id("reply")).to_have_count(2)
        ends(last(window.page), "complete")
    window.forgive("console: Failed to load resource")


def test_a_conversation_that_is_not_looked_at_goes_on(page: Any, provider: Asked) -> None:
    provider.say(Reply(WORDS, speed=20))
    send(page, "Count")
    expect(last(page)).to_contain_text("one two")
    page.get_by_test_id("new-conversation").click()
    provider.say("Something else.")
    asks(page, "Meanwhile?")
    expect(page.get_by_role("img", name="answering")).to_have_count(0)
    page.get_by_role("link", name="Count", exact=True).click()
    ends(last(page), "complete")
    assert said(page) == WORDS


def test_a_panel_that_takes_no_such_file_fails_alone(window: Window, provider: Asked) -> None:
    page = window.page
    two_panels(page)
    choose(panel(page, 2), "gemini")
    page.get_by_test_id("attach-input").set_input_files([{"name": "a.mp4", "mimeType": "video/mp4", "buffer": b"film"}])
    # It is said before sending, with a way out; who sends all the same gets the answer of those that can.
    expect(page.get_by_test_id("file-refusal")).to_contain_text("A can't take a.mp4. B gets it.")
    page.get_by_role("button", name="Leave A out").click()
    expect(page.get_by_test_id("file-refusal")).to_have_count(0)
    expect(page.get_by_test_id("addressees")).to_contain_text("1 of 2")
    page.get_by_test_id("addressees").click()
    page.get_by_test_id("addressee").first.click()
    page.keyboard.press("Escape")
    send(page, "What is it?")
    ends(panel(page, 2).get_by_test_id("reply"), "complete")
    ends(panel(page, 1).get_by_test_id("reply"), "failed")
    expect(panel(page, 1).get_by_test_id("error-card")).to_contain_text("openai does not take a.mp4 (video/mp4)")
    assert [wire_of(request.path) for request in provider.requests] == ["gemini"]
    window.forgive("status of 422")


def test_a_conversation_that_is_deleted_is_no_longer_answered(page: Any, provider: Asked) -> None:
    hangups = len(provider.provider.server.hangups)
    provider.say(Reply(WORDS, stall_after=2))
    send(page, "Count")
    expect(last(page)).to_contain_text("one two")
    delete(page)
    provider.provider.server.wait_hangup(count=hangups + 1)
    expect(page.get_by_test_id("reply")).to_have_count(0)
    page.reload()
    titles(page)


# --- how it looks ---


def lightness(page: Any) -> float:
    """Of the page's background, from 0 to 1."""
    colour = page.evaluate(
        """() => {
          const context = document.createElement("canvas").getContext("2d");
          context.fillStyle = getComputedStyle(document.body).backgroundColor;
          context.fillRect(0, 0, 1, 1);
          return [...context.getImageData(0, 0, 1, 1).data];
        }"""
    )
    assert colour[3] == 255
    return sum(colour[:3]) / 765


def test_dark_mode(opened: Callable[..., Window], provider: Asked) -> None:
    page = opened(color_scheme="dark").page
    assert lightness(page) < 0.3
    provider.say(Reply(MARKDOWN, truncated=True))
    asks(page, "Show me everything.", "truncated")
    shot(page, "dark")
    page.get_by_test_id("theme-toggle").click()
    assert lightness(page) > 0.8
    page.reload()
    page.get_by_test_id("reply").wait_for()
    assert lightness(page) > 0.8
    page.get_by_test_id("theme-toggle").click()
    assert lightness(page) < 0.3
    light = opened(color_scheme="light").page
    assert lightness(light) > 0.8
    light.get_by_test_id("theme-toggle").click()
    assert lightness(light) < 0.3


def overflow(page: Any) -> int:
    """Pixels by which the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def test_390_pixels(opened: Callable[..., Window], provider: Asked) -> None:
    page = opened(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True).page
    shot(page, "narrow-empty")
    provider.say(each(openai_chat=Reply(MARKDOWN + "\n" + "x" * 200, truncated=True), anthropic=Reply(error=401)))
    two_panels(page)
    send(page, "Show me everything, with a word that is very long: " + "long" * 40)
    one, two = panel(page, 1), panel(page, 2)
    ends(last(one), "truncated")
    ends(last(two), "failed")
    assert overflow(page) == 0
    expect(one.get_by_test_id("continue")).to_be_in_viewport()
    expect(two.get_by_test_id("retry")).not_to_be_in_viewport()
    shot(page, "narrow-first")
    page.get_by_test_id("panel-tab").nth(1).click()
    expect(two.get_by_test_id("retry")).to_be_in_viewport(ratio=1)
    expect(page.get_by_test_id("panel-tab").nth(1)).to_have_attribute("aria-selected", "true")
    expect(one.get_by_test_id("reply")).to_be_hidden()
    shot(page, "narrow-second")
    expect(page.get_by_test_id("composer")).to_be_in_viewport(ratio=1)
    expect(page.get_by_test_id("send")).to_be_in_viewport(ratio=1)
    # The conversations are behind a button.
    expect(page.get_by_test_id("history-item")).not_to_be_in_viewport()
    page.get_by_test_id("menu").click()
    expect(page.get_by_test_id("history-item")).to_be_in_viewport(ratio=1)
    shot(page, "narrow-menu")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("history-item")).not_to_be_in_viewport()
    expect(page.get_by_test_id("menu")).to_be_focused()
    page.get_by_test_id("settings").click()
    expect(page.get_by_test_id("system-instruction")).to_be_in_viewport(ratio=1)
    shot(page, "narrow-settings")
    assert overflow(page) == 0


def test_a_window_that_is_turned_with_the_list_open(opened: Callable[..., Window], provider: Asked) -> None:
    page = opened(viewport={"width": 390, "height": 844}).page
    page.get_by_test_id("menu").click()
    page.set_viewport_size({"width": 1000, "height": 390})
    asks(page, "Hello")


def faults(page: Any) -> list[str]:
    """What axe finds, once nothing fades in any more: half of a fade has less contrast."""
    page.evaluate(
        """() => Promise.all(document.getAnimations()
          .filter((one) => one.effect?.getComputedTiming().iterations !== Infinity)
          .map((one) => one.finished.catch(() => null)))"""
    )
    page.evaluate(axe.Axe().axe_script)
    return [
        f"{fault['id']} ({fault['impact']}): {node['html'][:200]}"
        for fault in page.evaluate("axe.run()")["violations"]
        for node in fault["nodes"]
    ]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_axe(opened: Callable[..., Window], provider: Asked, scheme: str, width: int) -> None:
    page = opened(color_scheme=scheme, viewport={"width": width, "height": 844}).page
    assert faults(page) == []
    thought = Reply(
        MARKDOWN,
        reasoning="Let me see.",
        truncated=True,
        tool_calls=[{"name": "weather", "arguments": {"city": "Bern"}}],
    )
    provider.say(each(openai_chat=Reply(error=401), anthropic=thought))
    two_panels(page)
    send(page, "Show me everything.")
    ends(last(panel(page, 1)), "failed")
    ends(last(panel(page, 2)), "truncated")
    show_panel(page, 2)
    page.get_by_test_id("reasoning").locator("summary").click()
    assert faults(page) == []
    provider.say(Reply(WORDS, stall_after=2))
    show_panel(page, 1)
    panel(page, 1).get_by_test_id("retry").click()
    expect(last(panel(page, 1))).to_contain_text("one two")
    assert faults(page) == []
    page.get_by_test_id("stop-all").click()
    ends(last(panel(page, 1)), "stopped")
    page.get_by_test_id("settings").click()
    assert faults(page) == []
    page.keyboard.press("Escape")
    if width == 390:
        page.get_by_test_id("menu").click()
        expect(page.get_by_test_id("history-item")).to_be_in_viewport(ratio=1)
        assert faults(page) == []
    choose_in_main_menu(page, "delete-all")
    page.get_by_test_id("delete-all-confirm").wait_for()
    assert faults(page) == []


def test_axe_finds_what_is_there(page: Any, provider: Asked) -> None:
    asks(page, "Hello")
    page.evaluate(
        """() => {
          const button = document.querySelector("[data-testid=settings]");
          button.removeAttribute("aria-label");
          button.removeAttribute("title");
          document.querySelector(".prose").style.color = "#aaaaaa";
        }"""
    )
    assert {fault.split()[0] for fault in faults(page)} == {"button-name", "color-contrast"}


# --- replies that attack ---

ATTACKS = """<script>attacked("script")</script>

<img src=x onerror="attacked('onerror')"> and <svg onload="attacked('svg')"><animate onbegin="attacked('begin')"/></svg>

![seen](https://attacker.invalid/pixel.png) ![seen](x "y" onerror=attacked('image'))

[link](javascript:attacked('link')) [link](JaVa&#x53;cript:attacked('entity')) [link](	javascript:attacked('tab'))
[link](data:text/html,<script>attacked('data')</script>) [link](vbscript:attacked('vb')) <javascript:attacked('auto')>
[link]( "onmouseover=attacked('title') x=") <a href="javascript:attacked('anchor')" onclick="attacked('click')">link</a>
[link][reference] https://attacker.invalid/"onmouseover="attacked('bare')

[reference]: javascript:attacked('reference)

<iframe srcdoc="<script>parent.attacked('frame')</script>"></iframe>
<object data="javascript:attacked('object')"></object>
<style>body { display: none } @import "https://attacker.invalid/style.css";</style>
<link rel=stylesheet href=https://attacker.invalid/style.css><base href=https://attacker.invalid/>
<meta http-equiv=refresh content="0; url=https://attacker.invalid/">
<form action=https://attacker.invalid/><input autofocus onfocus="attacked('focus')"><button>link</button></form>
<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=attacked('mxss')&gt;">
<b onmouseover="attacked('b')" style="position:fixed;inset:0" class="dialog" id="app" data-testid="send">bold</b>
<details open ontoggle="attacked('toggle')"><video src=x onerror="attacked('video')"></video></details>

```html"><script>attacked('fence')</script>
</code></pre><script>attacked('code')</script><img src=x onerror="attacked('code')">
```

\\(\\href{javascript:attacked('href')}{link} \\url{javascript:attacked('url')}\\)
\\(\\includegraphics{https://attacker.invalid/pixel.png} \\htmlStyle{position:fixed}{x} \\htmlId{app}{x}\\)
$x <img src=x onerror="attacked('formula')"> <script>attacked('math')</script>$ and \\(\\def\\x{\\x\\x}\\x\\)

| <img src=x onerror="attacked('cell')"> | [link](javascript:attacked('table')) |
|--|--|
| `</code><script>attacked('span')</script>` | <script>attacked('td')</script> |
"""

FORBIDDEN = "script, style, img, iframe, object, embed, form, input, video, link, base, meta, math, [id], [style]"
HANDLERS = "node => node.getAttributeNames().some((name) => name.startsWith('on'))"


def is_harmless(page: Any) -> None:
    """That nothing in the replies could do anything."""
    for reply in page.get_by_test_id("reply").all():
        assert (
            reply.locator(FORBIDDEN).evaluate_all(
                "nodes => nodes.filter((node) => !node.closest('.formula-drawn')).map((node) => node.outerHTML)"
            )
            == []
        )  # KaTeX has made a formula, with styles of its own
        assert reply.locator("*").evaluate_all(f"nodes => nodes.filter({HANDLERS}).length") == 0
        for link in reply.locator("a").all():
            assert urlsplit(link.get_attribute("href") or "https:").scheme == "https"
            assert link.get_attribute("target") == "_blank"
            assert link.get_attribute("rel") == "noopener noreferrer nofollow"
        for link in reply.get_by_text("link", exact=True).all():
            if link.evaluate("node => node.closest('a')?.href ?? null") is None:
                link.click(timeout=5000, force=True)
            link.hover(timeout=5000, force=True)


def test_a_reply_that_attacks_does_nothing(window: Window, provider: Asked) -> None:
    page = window.page
    calls = [{"name": "<img src=x onerror=attacked('name')>", "arguments": {"html": ATTACKS}}]
    pieces = [ATTACKS[n : n + 7] for n in range(0, len(ATTACKS), 7)]
    provider.say(Reply(ATTACKS, pieces=pieces, speed=400, reasoning=ATTACKS, tool_calls=calls))
    choose(page, "anthropic")
    reply = asks(page, ATTACKS, "waiting")
    reply.get_by_test_id("reasoning").locator("summary").click()
    is_harmless(page)
    # What is no markdown is there to be read.
    expect(reply.locator(".prose")).to_contain_text('<script>attacked("script")</script>')
    expect(reply.locator(".prose pre").first).to_contain_text("<script>attacked('code')</script>")
    shot(page, "attack")
    # The words of an error, and a refusal; then all of them as the browser has kept them.
    words = f"Refused: {ATTACKS}"  # a message that begins with a tag is a page, and is not shown
    provider.say(Script.json(400, {"type": "error", "error": {"type": "invalid_request_error", "message": words}}))
    send(page, "<img src=x onerror=attacked('question')>")
    ends(last(page), "failed")
    expect(page.get_by_test_id("error-card")).to_contain_text("<script>")
    choose(page, "openai")
    provider.say(Reply(refusal=ATTACKS))
    send(page, "And now?")
    ends(last(page), "refused")
    is_harmless(page)
    page.reload()
    expect(page.get_by_test_id("reply")).to_have_count(3)
    is_harmless(page)
    assert page.url.partition("#")[0].rstrip("/") == window.url
    assert len(window.context.pages) == 1


def test_the_policy_stops_what_would_get_through(window: Window) -> None:
    # Also the proof that the other tests would notice.
    window.page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "attacked('inline')";
          const image = document.createElement("img");
          image.setAttribute("onerror", "attacked('onerror')");
          image.src = "https://attacker.invalid/pixel.png";
          const link = document.createElement("a");
          link.href = "javascript:attacked('link')";
          document.body.append(script, image, link);
          link.click();
        }"""
    )
    wait_for(lambda: window.page.evaluate("1") and len(window.faults) >= 4)
    assert not any("attacked:" in fault for fault in window.faults)
    for directive in ("policy: script-src-elem inline", "policy: script-src-attr", "policy: img-src https://attacker"):
        assert any(directive in fault for fault in window.faults), window.faults
    window.page.evaluate("attacked('control')")
    wait_for(lambda: window.page.evaluate("1") and any("attacked: control" in fault for fault in window.faults))
    window.faults.clear()


# --- files ---


def test_files_by_picker_and_by_paste(window: Window, provider: Asked) -> None:
    page = window.page
    window.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_test_id("attach-input").set_input_files(
        [
            {"name": "notes.txt", "mimeType": "text/plain", "buffer": "Grüße aus der Datei".encode()},
            {"name": "nothing.txt", "mimeType": "text/plain", "buffer": b""},
        ]
    )
    expect(page.get_by_test_id("chip")).to_have_count(1)
    expect(page.get_by_test_id("attach-problem")).to_contain_text("nothing.txt is empty.")
    page.evaluate(
        """async (data) => {
          const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
          await navigator.clipboard.write([new ClipboardItem({"image/png": new Blob([bytes], {type: "image/png"})})]);
        }""",
        base64.b64encode(PIXEL).decode(),
    )
    page.get_by_test_id("composer").press("ControlOrMeta+v")
    expect(page.get_by_test_id("chip")).to_have_count(2)
    expect(page.get_by_test_id("chip").nth(1)).to_have_attribute("title", re.compile(r"\.png"))
    expect(page.get_by_test_id("chip").get_by_role("img")).to_be_visible()
    shot(page, "attached")
    asks(page, "What is in them?")
    expect(page.get_by_test_id("question")).to_contain_text("notes.txt")
    expect(page.get_by_test_id("chip")).to_have_count(0)
    content = sent(provider.requests[-1])[0][1]
    assert "Grüße aus der Datei" in json.dumps(content, ensure_ascii=False)
    image = next(part["image_url"]["url"] for part in content if part["type"] == "image_url")
    assert base64.b64decode(image.removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    # They are part of the history, also after a reload.
    page.reload()
    asks(page, "And again?")
    assert sent(provider.requests[-1])[0][1] == content


DROP = """(kind) => {
  const carried = new DataTransfer();
  carried.items.add(new File(["let go"], "dropped.txt", {type: "text/plain"}));
  const event = new DragEvent(kind, {dataTransfer: carried, bubbles: true, cancelable: true});
  document.querySelector("[data-testid=composer]").dispatchEvent(event);
}"""


def test_a_file_that_is_dropped(page: Any, provider: Asked) -> None:
    page.evaluate(DROP, "dragover")
    expect(page.get_by_text("Drop the files to attach them")).to_be_visible()
    page.evaluate(DROP, "drop")
    expect(page.get_by_text("Drop the files to attach them")).to_have_count(0)
    expect(page.get_by_test_id("chip")).to_contain_text("dropped.txt")
    asks(page, "What is in it?")
    assert "let go" in json.dumps(sent(provider.requests[-1]))


def test_a_file_is_removed_before_it_is_sent(page: Any, provider: Asked) -> None:
    file = {"name": "secret.txt", "mimeType": "text/plain", "buffer": b"not for them"}
    page.get_by_test_id("attach-input").set_input_files([file])
    page.get_by_role("button", name="Remove secret.txt").click()
    expect(page.get_by_test_id("chip")).to_have_count(0)
    asks(page, "Hello")
    assert sent(provider.requests[-1]) == [("user", "Hello")]


# --- conversations ---


def titles(page: Any, *expected: str) -> None:
    expect(page.get_by_test_id("history-item")).to_have_text(list(expected))


def choose_in_menu(page: Any, number: int, what: str) -> None:
    """Choose in the menu of a conversation of the list."""
    item = page.get_by_test_id("history-item").nth(number - 1)
    item.hover()
    item.get_by_test_id("conversation-menu").click()
    item.get_by_test_id(what).click()


def choose_in_main_menu(page: Any, what: str) -> None:
    page.get_by_test_id("main-menu").click()
    page.get_by_test_id(what).click()


def delete(page: Any) -> None:
    """The first conversation of the list."""
    choose_in_menu(page, 1, "delete")


def test_conversations_are_kept_exported_deleted_and_imported(window: Window, provider: Asked, tmp_path: Path) -> None:
    page = window.page
    page.get_by_test_id("main-menu").click()
    expect(page.get_by_test_id("delete-all")).to_be_disabled()
    page.keyboard.press("Escape")
    file = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"from the file"}
    page.get_by_test_id("attach-input").set_input_files([file])
    asks(page, "The first question")
    page.get_by_test_id("new-conversation").click()
    expect(page.get_by_test_id("reply")).to_have_count(0)
    provider.say("Another answer.")
    asks(page, "The second question")
    titles(page, "The second question", "The first question")
    page.reload()
    titles(page, "The second question", "The first question")
    expect(last(page)).to_contain_text("Another answer.")
    page.get_by_test_id("history-item").nth(1).get_by_role("link", name="The first question", exact=True).click()
    expect(last(page)).to_contain_text("Hello from a scripted provider.")
    choose_in_menu(page, 2, "rename")
    page.get_by_test_id("rename-input").fill("Renamed")
    page.get_by_test_id("rename-input").press("Enter")
    titles(page, "The second question", "Renamed")
    shot(page, "history")
    with page.expect_download() as download:
        choose_in_main_menu(page, "export")
    exported = tmp_path / "exported.json"
    download.value.save_as(exported)
    assert download.value.suggested_filename.endswith(".json")
    assert {found["title"] for found in json.loads(exported.read_text("utf-8"))["conversations"]} == {
        "The second question",
        "Renamed",
    }
    delete(page)
    titles(page, "Renamed")
    choose_in_main_menu(page, "delete-all")
    page.get_by_role("button", name="Keep them").click()
    titles(page, "Renamed")
    choose_in_main_menu(page, "delete-all")
    page.get_by_test_id("delete-all-confirm").click()
    titles(page)
    page.reload()
    titles(page)
    page.get_by_test_id("import-input").set_input_files(exported)
    expect(page.get_by_test_id("history-item")).to_have_count(2)
    page.get_by_role("link", name="Renamed", exact=True).click()
    expect(last(page)).to_contain_text("Hello from a scripted provider.")
    asks(page, "And the file?")
    assert "from the file" in json.dumps(sent(provider.requests[-1]))
    page.get_by_test_id("import-input").set_input_files(
        [{"name": "other.json", "mimeType": "application/json", "buffer": b'{"format": "another"}'}]
    )
    expect(page.get_by_role("alert")).to_contain_text("Nothing was imported")


BARE: dict[str, Any] = {"provider": "openai", "content": "Hello"}


def import_turn(page: Any, turn: dict[str, Any]) -> None:
    """Import a conversation of one turn, whose reply says "Hello", and reload the page."""
    conversations = [{"title": "From anywhere", "panels": [{"provider": "openai", "turns": [turn]}]}]
    exported = {"format": "msgmodel-conversations", "version": 1, "conversations": conversations}
    file = {"name": "x.json", "mimeType": "application/json", "buffer": json.dumps(exported).encode()}
    page.get_by_test_id("import-input").set_input_files([file])
    page.get_by_role("link", name=re.compile("^From anywhere")).click()
    expect(last(page)).to_contain_text("Hello")
    page.reload()
    expect(last(page)).to_contain_text("Hello")


@pytest.mark.parametrize(
    "reply",
    [
        BARE | {"end": {"event": "panel_final", "usage": {}, "timing": {}, "message": {}}},
        BARE | {"sources": [None, {"url": {}, "title": 5}], "toolCalls": [None, {"name": {}}]},
        BARE | {"lost": {"code": {}, "message": None}, "reasoning": {}, "refusal": []},
    ],
)
def test_a_file_that_is_imported_can_not_break_the_page(page: Any, reply: dict[str, Any]) -> None:
    import_turn(page, {"text": "Hi", "replies": [reply]})
    expect(page.get_by_test_id("composer")).to_be_visible()


STORED = """() => new Promise((resolve, reject) => {
  const request = indexedDB.open("msgmodel", 1);
  request.onerror = reject;
  request.onsuccess = () => {
    const names = ["conversations", "files"];
    const transaction = request.result.transaction(names);
    const counts = names.map((name) => transaction.objectStore(name).count());
    transaction.oncomplete = () => {
      request.result.close();
      resolve(counts.map(({result}) => result));
    };
  };
})"""


def test_what_is_deleted_is_gone_from_the_browser(page: Any, provider: Asked) -> None:
    file = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"from the file"}
    for number in (1, 2):
        page.get_by_test_id("attach-input").set_input_files([file])
        asks(page, f"Question {number}")
        page.get_by_test_id("new-conversation").click()
    assert page.evaluate(STORED) == [2, 2]
    delete(page)
    wait_for(lambda: page.evaluate(STORED) == [1, 1])
    titles(page, "Question 1")
    page.get_by_test_id("undo").last.click()
    titles(page, "Question 2", "Question 1")
    wait_for(lambda: page.evaluate(STORED) == [2, 2])
    expect(page.get_by_test_id("undo")).to_have_count(0)
    expect(last(page)).to_contain_text("Hello from a scripted provider.")
    delete(page)
    wait_for(lambda: page.evaluate(STORED) == [1, 1])
    choose_in_main_menu(page, "delete-all")
    page.get_by_test_id("delete-all-confirm").click()
    wait_for(lambda: page.evaluate(STORED) == [0, 0])


def test_the_settings_of_a_conversation_are_sent(page: Any, provider: Asked) -> None:
    page.get_by_test_id("settings").click()
    page.get_by_test_id("system-instruction").fill("Be short.")
    page.get_by_test_id("max-tokens").fill("77")
    page.get_by_test_id("temperature").fill("0.5")
    shot(page, "settings")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("settings-dialog")).to_have_count(0)
    asks(page, "Hello")
    body = provider.requests[-1].json
    assert [message["content"] for message in body["messages"]] == ["Be short.", "Hello"]
    assert body["temperature"] == 0.5
    assert 77 in body.values()


# --- the keyboard ---


def test_the_keyboard(page: Any, provider: Asked) -> None:
    composer = page.get_by_test_id("composer")
    expect(composer).to_be_focused()
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    expect(composer).to_have_value("one\ntwo")
    assert provider.requests == []
    provider.say(Reply(WORDS, stall_after=2))
    page.keyboard.press("Enter")
    expect(last(page)).to_contain_text("one two")
    assert sent(provider.requests[-1]) == [("user", "one\ntwo")]
    # What is written meanwhile waits; after a reply that was stopped, it is back in the field.
    page.keyboard.type("next")
    page.keyboard.press("Enter")
    expect(composer).to_have_value("")
    expect(page.get_by_test_id("queued")).to_contain_text("next")
    page.keyboard.press("Escape")
    ends(last(page), "stopped")
    expect(composer).to_have_value("next")
    expect(page.get_by_test_id("queued")).to_have_count(0)
    assert len(provider.requests) == 1
    page.keyboard.press("Alt+p")
    expect(page.locator(".thread")).to_be_focused()
    page.keyboard.press("Alt+m")
    expect(composer).to_be_focused()
    page.keyboard.press("Alt+n")
    expect(page.get_by_test_id("reply")).to_have_count(0)
    expect(composer).to_be_focused()
    page.keyboard.press("Control+/")
    expect(page.get_by_test_id("shortcuts-dialog")).to_be_visible()
    shot(page, "shortcuts")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("shortcuts-dialog")).to_have_count(0)
    expect(composer).to_be_focused()
    page.keyboard.press("Alt+s")
    expect(page.get_by_test_id("settings-dialog")).to_be_visible()


def test_escape_in_a_dialog_stops_nothing(page: Any, provider: Asked) -> None:
    provider.say(Reply(WORDS, stall_after=2))
    send(page, "Count")
    expect(last(page)).to_contain_text("one two")
    page.get_by_test_id("settings").click()
    expect(page.get_by_test_id("settings-dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("settings-dialog")).to_have_count(0)
    ends(last(page), "streaming")
    page.keyboard.press("Escape")
    ends(last(page), "stopped")


def test_an_empty_message_is_not_sent(page: Any, provider: Asked) -> None:
    expect(page.get_by_test_id("send")).to_be_disabled()
    page.get_by_test_id("composer").fill("  \n ")
    expect(page.get_by_test_id("send")).to_be_disabled()
    page.get_by_test_id("composer").press("Enter")
    page.get_by_test_id("example").first.click()
    expect(page.get_by_test_id("composer")).to_have_value("Explain a hash map with a small example")
    expect(page.get_by_test_id("send")).to_be_enabled()
    assert provider.requests == []


# --- a server with a token ---


def test_the_token(opened: Callable[..., Window], provider: Asked, tmp_path: Path) -> None:
    with Serving(tmp_path, provider.provider, *PROVIDERS, MSGMODEL_TOKEN=TOKENS[0]) as server:
        window = opened(server.url)
        page = window.page
        expect(page.get_by_test_id("token-dialog")).to_be_visible()
        expect(page.get_by_test_id("token-input")).to_be_focused()
        assert faults(page) == []
        shot(page, "token")
        page.get_by_test_id("token-input").fill("not-the-token-of-this-server")
        page.get_by_test_id("token-submit").click()
        expect(page.get_by_test_id("token-dialog").get_by_role("alert")).to_be_visible()
        shot(page, "token-refused")
        page.get_by_test_id("token-input").fill(TOKENS[0])
        page.get_by_test_id("token-input").press("Enter")
        expect(page.get_by_test_id("token-dialog")).to_have_count(0)
        provider.say(Reply(WORDS, speed=10))
        send(page, "Hello")
        expect(last(page)).to_contain_text("one two")
        page.reload()
        ends(last(page), "complete")
        assert said(page) == WORDS
        expect(page.get_by_test_id("token-dialog")).to_have_count(0)
        provider.say(Reply(WORDS, stall_after=2))
        send(page, "Again")
        expect(last(page)).to_contain_text("one two")
        page.get_by_test_id("stop-all").click()
        ends(last(page), "stopped")
        assert TOKENS[0] not in page.content()
        window.forgive("status of 401")
        window.context.close()
