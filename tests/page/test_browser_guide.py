"""The guide's server and the guide's JavaScript, word for word, in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from conftest import SHARED
from msgmodel.testing import Reply, ScriptedProvider
from serving import Serving, Uvicorn, wait_for

pytest.importorskip("playwright.sync_api", reason="needs the package playwright")

import test_page
from test_page import CHROMIUM, WORDS, Asked, Proxy, proxied

browser, module_provider, site = test_page.browser, test_page.module_provider, test_page.site  # fixtures
provider, environment = test_page.provider, test_page.environment

GUIDE = SHARED / "guide" / "stream_panels_guide.md"

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"),
    pytest.mark.skipif(not GUIDE.is_file(), reason="the guide is not here"),
]


def snippet(language: str, holds: str) -> str:
    """The block of code in the guide that holds this."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    (found,) = [block for block in blocks if holds in block]
    return str(found)


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


# --- the guide's server ---


def test_the_snippet_serves_a_browser(page: Any, environment: ScriptedProvider) -> None:
    pytest.importorskip("fastapi")
    environment.say(Reply(WORDS, truncated=True))
    written: dict[str, Any] = {}
    exec(snippet("python", "FastAPI()"), written)
    with Uvicorn(written["app"]) as server:
        page.goto(f"{server.url}/openapi.json")  # any page of its own
        kind, text = page.evaluate(
            """async () => {
              const response = await fetch("/chat/stream?prompt=Hello", {method: "POST"});
              return [response.headers.get("content-type"), await response.text()];
            }"""
        )
    assert kind == "text/event-stream; charset=utf-8"
    assert text.endswith("\n\n")
    events = [json.loads(frame.removeprefix("data: ")) for frame in text.removesuffix("\n\n").split("\n\n")]
    assert {event["event"] for event in events[:-1]} == {"panel_delta"}
    assert "".join(event["delta"] for event in events[:-1]) == WORDS
    assert (events[-1]["event"], events[-1]["finish_reason"]) == ("panel_final", "length")
    assert events[-1]["content"] == WORDS


# --- the guide's JavaScript ---

PAGE = """<!doctype html><title>The guide</title><p id="chat"></p>
<script>
const did = [];
const appendToChat = (delta) => document.getElementById("chat").append(delta);
const showTruncationWarning = () => did.push("truncated");
const showError = (error) => did.push(`error: ${error}`);
</script>
<script>
%s
let opened = 0, lost = 0;
eventSource.addEventListener("open", () => opened++);
eventSource.addEventListener("error", () => lost++);
</script>"""


class Guide:
    """The guide's client, on a page of the server's own origin."""

    def __init__(self, page: Any, url: str) -> None:
        self._page = page
        html = PAGE % snippet("javascript", "new EventSource(")
        page.route(f"{url}/guide.html", lambda route: route.fulfill(body=html, content_type="text/html"))
        page.goto(f"{url}/guide.html")

    def look(self, expression: str) -> Any:
        return self._page.evaluate(expression)

    @property
    def text(self) -> str:
        return str(self.look("document.getElementById('chat').textContent"))

    def closes(self) -> None:
        """Waits until the client has closed the stream, as it does at a terminal event."""
        wait_for(lambda: self.look("eventSource.readyState === EventSource.CLOSED"))


def test_the_client_reads_a_reply(page: Any, site: Serving, provider: Asked) -> None:
    provider.say(Reply(WORDS, speed=30))
    guide = Guide(page, site.url)
    wait_for(lambda: guide.text.startswith("one two"))
    assert guide.look("eventSource.readyState === EventSource.OPEN")
    guide.closes()
    assert (guide.text, guide.look("did"), guide.look("[opened, lost]")) == (WORDS, [], [1, 0])
    assert [request.json["messages"] for request in provider.requests] == [[{"role": "user", "content": "Hello"}]]


def test_the_client_warns_of_truncation(page: Any, site: Serving, provider: Asked) -> None:
    provider.say(Reply(WORDS, truncated=True))
    guide = Guide(page, site.url)
    guide.closes()
    assert (guide.text, guide.look("did")) == (WORDS, ["truncated"])
    assert len(provider.requests) == 1


@pytest.mark.parametrize("fault", [{"error": 401}, {"cut_after": 3}], ids=["refused", "broken"])
def test_the_client_shows_an_error(page: Any, site: Serving, provider: Asked, fault: dict[str, Any]) -> None:
    provider.say(Reply(WORDS, **fault))
    guide = Guide(page, site.url)
    guide.closes()
    assert guide.text == ("one two three" if "cut_after" in fault else "")
    (did,) = guide.look("did")
    assert did.startswith("error: ")
    assert len(provider.requests) == 1


def positions(proxy: Proxy) -> list[str | None]:
    """The Last-Event-ID of each request for a stream."""
    asked = [head for head in proxy.heads if head.startswith("GET /chat/stream?prompt=Hello ")]
    found = [re.search(r"^last-event-id: [\w-]{24}:(\d+)\r?$", head, re.IGNORECASE | re.MULTILINE) for head in asked]
    return [match and match[1] for match in found]


@pytest.mark.parametrize("place", [b'"delta":"one"', b'"event":"panel_final"'], ids=["first", "last"])
def test_a_connection_that_is_cut_is_taken_up_where_it_was(
    page: Any, site: Serving, provider: Asked, place: bytes
) -> None:
    provider.say(Reply(WORDS, speed=20))
    with proxied(site) as proxy:
        proxy.cut_at = place
        guide = Guide(page, proxy.url)
        guide.closes()
        assert (guide.text, guide.look("did")) == (WORDS, [])
        assert not proxy.cut_at
        assert guide.look("lost") == 1
        first, second = positions(proxy)
    assert first is None
    assert second is not None
    assert len(provider.requests) == 1


def test_a_connection_that_is_cut_twice(page: Any, site: Serving, provider: Asked) -> None:
    provider.say(Reply(WORDS, speed=20))
    with proxied(site) as proxy:
        proxy.cut_at = b'"delta":" two"'
        guide = Guide(page, proxy.url)
        wait_for(lambda: not proxy.cut_at)
        proxy.cut_at = b'"delta":" twelve"'
        guide.closes()
        assert (guide.text, guide.look("did"), guide.look("lost")) == (WORDS, [], 2)
        first, second, third = positions(proxy)
    assert first is None
    assert 0 < int(second or 0) <= int(third or 0)  # what comes right before a cut may not reach the client
    assert len(provider.requests) == 1


def test_a_client_that_never_closes_is_told_that_there_is_no_more(page: Any, site: Serving, provider: Asked) -> None:
    provider.say(Reply(WORDS))
    page.goto(f"{site.url}/openapi.json")
    events = page.evaluate(
        """() => new Promise((resolve) => {
          const source = new EventSource("/chat/stream?prompt=Hello");
          const events = [];
          source.onmessage = ({data}) => events.push(JSON.parse(data));
          source.onerror = () => source.readyState === EventSource.CLOSED && resolve(events);
        })"""
    )
    assert "".join(event.get("delta", "") for event in events) == WORDS
    assert [event["event"] for event in events].count("panel_final") == 1
    assert len(provider.requests) == 1
