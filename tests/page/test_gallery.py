"""The states of the page, as the gallery draws them: seen by axe, narrow, at 200 %, in forced colors, without motion.

`make gallery` looks at all of them in both themes at three widths; here is one look at each, and the keyboard.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from test_page import (
    CHROMIUM,
    FOLDER,
    WORDS,
    Asked,
    Window,
    browser,
    ends,
    environment,
    expect,
    last,
    module_provider,
    opened,
    provider,
    send,
    sent,
    site,
)

from msgmodel.testing import Reply

__all__ = ["browser", "environment", "module_provider", "opened", "provider", "site"]  # fixtures

ROOT = Path(__file__).parents[2]
GALLERY = SimpleNamespace(**runpy.run_path(str(ROOT / "web" / "gallery.py")))
SCENES = GALLERY.scene_names()

has_tools = (ROOT / "web" / "node_modules" / ".package-lock.json").is_file()
needs_gallery = pytest.mark.skipif(not has_tools, reason="needs npm's packages: make web")
needs_page = pytest.mark.skipif(not (FOLDER / "index.html").is_file(), reason="the page is not built: make web")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("gallery")
    GALLERY.build_gallery(folder)
    server = GALLERY.serve_gallery(folder)
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@needs_gallery
@pytest.mark.parametrize(
    ("view", "theme", "scenes"),
    [
        ("1440", "dark", SCENES[0::3]),
        ("1024", "light", SCENES[1::3]),
        ("390", "dark", SCENES[2::3]),
        ("390", "light", ["compare", "steps", "settings", "picker", "approval"]),
        ("zoom", "light", ["streaming", "endings", "settings", "help", "sign-in", "files"]),
    ],
    ids=str,
)
def test_no_state_has_a_fault(browser: Any, gallery: str, view: str, theme: str, scenes: list[str]) -> None:
    page = browser.new_page(**GALLERY.VIEWS[view], reduced_motion="reduce")
    found = {}
    for scene in scenes:
        GALLERY.open_scene(page, gallery, scene, theme)
        if faults := GALLERY.find_cuts(page) + GALLERY.find_faults(page):
            found[scene] = faults
    page.close()
    assert found == {}


@needs_gallery
def test_what_is_cut_or_outside_is_found(browser: Any, gallery: str) -> None:
    page = browser.new_page(**GALLERY.VIEWS["390"])
    GALLERY.open_scene(page, gallery, "receipt", "light")
    assert GALLERY.find_cuts(page) == []
    page.evaluate("document.querySelector('.send').style.translate = '9rem'")
    page.evaluate("document.querySelector('.prose p').style = 'overflow: hidden; max-width: 3rem; white-space: nowrap'")
    found = GALLERY.find_cuts(page)
    assert [fault.split(":")[0] for fault in found] == ["cut", "outside the window"]
    page.close()


SHAPES = """() => [...document.querySelectorAll(".reply")].map((reply) => {
  const edge = reply.querySelector(".edge");
  const drawn = [getComputedStyle(edge), getComputedStyle(edge, "::before"), getComputedStyle(edge, "::after")];
  const isSeen = drawn.some((style) => style.display !== "none" &&
    (style.backgroundImage !== "none" || parseFloat(style.borderInlineStartWidth) > 0 ||
     !/^rgba.*, 0\\)$|transparent/.test(style.backgroundColor)));
  return [reply.dataset.ending, isSeen];
})"""


@needs_gallery
def test_forced_colors_keep_every_edge(browser: Any, gallery: str) -> None:
    page = browser.new_page(**GALLERY.VIEWS["forced"])
    GALLERY.open_scene(page, gallery, "endings", "light")
    shapes = page.evaluate(SHAPES)
    assert len({ending for ending, _ in shapes}) == 12
    assert [ending for ending, is_seen in shapes if not is_seen] == []
    assert GALLERY.find_cuts(page) == []
    page.close()


@needs_gallery
@pytest.mark.parametrize("scene", ["streaming", "searching", "settings", "told"])
def test_who_asks_for_less_motion_gets_none(browser: Any, gallery: str, scene: str) -> None:
    moving = {}
    for motion in ("reduce", "no-preference"):
        page = browser.new_page(**GALLERY.VIEWS["1440"], reduced_motion=motion)
        GALLERY.open_scene(page, gallery, scene, "light")
        moving[motion] = page.evaluate("document.getAnimations().length")
        page.close()
    assert moving["reduce"] == 0
    assert scene not in ("streaming", "searching") or moving["no-preference"] > 0, "the test would see it"


# --- the keyboard alone ---


def reach(page: Any, test_id: str, key: str = "Tab") -> None:
    """Goes to an element by Tab or Shift+Tab."""
    for _ in range(60):
        if page.evaluate("document.activeElement?.dataset.testid") == test_id:
            return
        page.keyboard.press(key)
    raise AssertionError(f"{test_id} can't be reached by {key}")


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


@needs_page
def test_a_whole_conversation_by_the_keyboard(opened: Callable[..., Window], provider: Asked) -> None:
    window = opened(permissions=["clipboard-read", "clipboard-write"])
    page = window.page
    composer = page.get_by_test_id("composer")
    # Ask, and stop.
    provider.say(Reply(WORDS, stall_after=2))
    page.keyboard.type("Count to twelve")
    press(page, "Enter")
    expect(last(page)).to_contain_text("one two")
    press(page, "Escape")
    ends(last(page), "stopped")
    expect(composer).to_be_focused()
    # Edit what was asked.
    provider.say("Twelve.")
    press(page, "ArrowUp")
    expect(page.get_by_test_id("editor-field")).to_be_focused()
    page.keyboard.type(" at once")
    press(page, "Enter")
    ends(last(page), "complete")
    assert sent(provider.requests[-1]) == [("user", "Count to twelve at once")]
    # Copy, and answer again.
    press(page, "Alt+y")
    assert page.evaluate("navigator.clipboard.readText()") == "Twelve."
    provider.say("Dozen.")
    reach(page, "answer-again", "Shift+Tab")
    press(page, "Enter")
    expect(last(page)).to_contain_text("Dozen.")
    ends(last(page), "complete")
    # The picker: who answers from now on.
    press(page, "Alt+w")
    expect(page.get_by_test_id("picker-search")).to_be_focused()
    page.keyboard.type("anthropic")
    press(page, "Enter")
    expect(page.get_by_test_id("picker")).to_have_count(0)
    expect(page.get_by_test_id("choose-model")).to_contain_text("Anthropic")
    expect(composer).to_be_focused()
    # The palette: a new conversation, and back to the old one.
    press(page, "Control+k")
    page.keyboard.type("new conv")
    press(page, "Enter")
    expect(page.get_by_test_id("reply")).to_have_count(0)
    press(page, "Control+k")
    page.keyboard.type("count to twelve")
    press(page, "Enter")
    expect(last(page)).to_contain_text("Dozen.")
    # What the conversation has cost, and its name.
    reach(page, "total", "Shift+Tab")
    press(page, "Enter")
    expect(page.get_by_role("dialog", name="This conversation")).to_contain_text("Replies")
    press(page, "Escape")
    reach(page, "title-menu", "Shift+Tab")
    press(page, "Enter", "Enter")
    page.keyboard.type("A dozen")
    press(page, "Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("A dozen")


@needs_page
def test_another_model_checks_an_answer_by_the_keyboard(opened: Callable[..., Window], provider: Asked) -> None:
    page = opened().page
    provider.say("The sea is sweet.")
    send(page, "Is the sea salty?")
    ends(last(page), "complete")
    press(page, "Alt+r")
    expect(page.get_by_test_id("picker-search")).to_be_focused()
    provider.say("It is not.")
    page.keyboard.type("gemini")
    press(page, "Enter")
    expect(last(page)).to_contain_text("It is not.")
    ends(last(page), "complete")
    contents = provider.requests[-1].json["contents"]
    assert [content["role"] for content in contents] == ["user", "model", "user"]
    expect(last(page).get_by_test_id("usage")).to_contain_text("gemini")
