"""Conversations on the chat page, in a real browser: their versions, addresses, tabs and settings. See `test_page`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_page import (
    CHROMIUM,
    FOLDER,
    PROVIDERS,
    WORDS,
    Asked,
    Window,
    asks,
    browser,
    choose_in_main_menu,
    choose_in_menu,
    delete,
    each,
    ends,
    environment,
    expect,
    faults,
    last,
    module_provider,
    opened,
    panel,
    provider,
    said,
    send,
    sent,
    shot,
    site,
    titles,
    two_panels,
    window,
)

from msgmodel.testing import Reply
from msgmodel.testing.provider import wire_of
from serving import TOKENS, Serving

__all__ = ["browser", "environment", "module_provider", "opened", "provider", "site", "window"]

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"),
    pytest.mark.skipif(not (FOLDER / "index.html").is_file(), reason="the page is not built: make web"),
]


@pytest.fixture
def page(window: Window) -> Any:
    return window.page


def edit(page: Any, before: str, after: str) -> None:
    question = page.get_by_test_id("question").filter(has_text=before)
    question.hover()
    question.get_by_test_id("edit-question").click()
    page.get_by_test_id("editor-field").fill(after)
    page.get_by_test_id("editor-send").click()


# --- versions ---


def test_an_edited_question_keeps_its_first_version_and_what_followed(page: Any, provider: Asked) -> None:
    asks(page, "First question")
    asks(page, "Second question")
    provider.say("To the new one.")
    edit(page, "First question", "Better question")
    ends(last(page), "complete")
    expect(last(page)).to_contain_text("To the new one.")
    expect(page.get_by_test_id("question")).to_have_count(1)
    expect(page.get_by_test_id("versions")).to_contain_text("2/2")
    assert sent(provider.requests[-1]) == [("user", "Better question")]
    shot(page, "versions")
    assert faults(page) == []
    page.get_by_test_id("earlier-version").click()
    expect(page.get_by_test_id("question")).to_have_count(2)
    expect(page.get_by_test_id("question").last).to_contain_text("Second question")
    page.reload()
    expect(page.get_by_test_id("question").last).to_contain_text("Second question")
    page.get_by_test_id("later-version").click()
    expect(last(page)).to_contain_text("To the new one.")


def test_the_arrow_up_edits_the_last_question_and_escape_leaves_it(page: Any, provider: Asked) -> None:
    asks(page, "Hello")
    page.keyboard.press("ArrowUp")
    field = page.get_by_test_id("editor-field")
    expect(field).to_be_focused()
    expect(field).to_have_value("Hello")
    shot(page, "editing")
    page.keyboard.type(" again")
    page.keyboard.press("Escape")
    expect(field).to_have_count(0)
    expect(page.get_by_test_id("composer")).to_be_focused()
    assert len(provider.requests) == 1
    page.keyboard.press("ArrowUp")
    page.keyboard.type(" again")
    page.keyboard.press("Enter")
    ends(last(page), "complete")
    expect(page.get_by_test_id("versions")).to_contain_text("2/2")
    assert sent(provider.requests[-1]) == [("user", "Hello again")]


def test_a_question_to_two_panels_is_edited_in_both(page: Any, provider: Asked) -> None:
    two_panels(page)
    asks(page, "Hello")
    ends(last(panel(page, 1)), "complete")
    provider.say(each(openai_chat="First again.", anthropic="Second again."))
    page.keyboard.press("ArrowUp")
    page.get_by_test_id("editor-field").fill("Good day")
    page.get_by_test_id("editor-send").click()
    expect(last(panel(page, 1))).to_contain_text("First again.")
    expect(last(panel(page, 2))).to_contain_text("Second again.")
    assert [sent(asked) for asked in provider.requests[-2:]] == [[("user", "Good day")]] * 2
    page.get_by_test_id("earlier-version").first.click()
    for number in (1, 2):
        expect(last(panel(page, number))).to_contain_text("Hello from a scripted provider.")


def test_one_panel_is_kept_and_that_is_taken_back(page: Any, provider: Asked) -> None:
    provider.say(each(openai_chat="I am the first.", anthropic="I am the second."))
    two_panels(page)
    asks(page, "Who are you?")
    ends(last(panel(page, 1)), "complete")
    page.get_by_test_id("keep").nth(1).click()
    expect(page.get_by_test_id("panel")).to_have_count(1)
    expect(last(page)).to_contain_text("I am the second.")
    page.get_by_test_id("later-version").click()
    expect(last(page)).to_contain_text("I am the first.")
    page.get_by_test_id("undo").click()
    expect(last(panel(page, 1))).to_contain_text("I am the first.")
    expect(last(panel(page, 2))).to_contain_text("I am the second.")


def test_a_message_waits_for_the_reply(page: Any, provider: Asked) -> None:
    provider.say(Reply(WORDS, speed=10))
    send(page, "Count")
    expect(last(page)).to_contain_text("one two")
    page.get_by_test_id("composer").fill("And then?")
    page.get_by_test_id("composer").press("Enter")
    expect(page.get_by_test_id("queued")).to_contain_text("And then?")
    shot(page, "queued")
    provider.say("Then nothing.")
    expect(page.get_by_test_id("reply")).to_have_count(2)
    ends(last(page), "complete")
    expect(page.get_by_test_id("queued")).to_have_count(0)
    assert [text for _, text in sent(provider.requests[-1])] == ["Count", WORDS, "And then?"]


# --- addresses and tabs ---


def test_each_conversation_has_its_address(window: Window, provider: Asked) -> None:
    page = window.page
    assert "#" not in page.url
    asks(page, "One")
    first = page.url
    assert "/#/c/" in first
    page.get_by_test_id("new-conversation").click()
    assert "#" not in page.url
    asks(page, "Two")
    page.go_back()
    expect(page.get_by_test_id("question")).to_contain_text("One")
    page.go_forward()
    expect(page.get_by_test_id("question")).to_contain_text("Two")
    page.goto(first)
    expect(page.get_by_test_id("question")).to_contain_text("One")
    page.reload()
    expect(page.get_by_test_id("question")).to_contain_text("One")
    page.goto(f"{window.url}/#/c/0123456789")
    expect(page.get_by_role("alert")).to_contain_text("There is no such conversation")
    expect(page.get_by_test_id("question")).to_have_count(0)


def test_two_tabs_follow_each_other(window: Window, provider: Asked) -> None:
    one = window.page
    asks(one, "Hello")
    two = window.context.new_page()
    two.goto(one.url)
    expect(last(two)).to_contain_text("Hello from a scripted provider.")
    provider.say(Reply(WORDS, speed=6))
    send(one, "Count")
    expect(two.get_by_test_id("reply")).to_have_count(2)
    ends(last(two), "streaming")
    expect(last(two)).to_contain_text("one two three")
    ends(last(two), "complete")
    assert said(two) == WORDS
    ends(last(one), "complete")
    assert len(provider.requests) == 2
    choose_in_menu(two, 1, "rename")
    two.get_by_test_id("rename-input").fill("Renamed")
    two.get_by_test_id("rename-input").press("Enter")
    titles(one, "Renamed")
    delete(one)
    titles(two)
    expect(two.get_by_test_id("question")).to_have_count(0)
    one.get_by_test_id("undo").click()
    titles(two, "Renamed")


def test_a_reply_is_stopped_in_the_other_tab(window: Window, provider: Asked) -> None:
    one = window.page
    provider.say(Reply(WORDS, stall_after=3))
    send(one, "Count")
    expect(last(one)).to_contain_text("one two three")
    two = window.context.new_page()
    two.goto(one.url)
    expect(last(two)).to_contain_text("one two three")
    two.get_by_test_id("stop-all").click()
    for page in (one, two):
        ends(last(page), "stopped")


# --- the list ---


def test_search_pins_and_markdown(page: Any, provider: Asked, tmp_path: Path) -> None:
    provider.say("Half the recipe, with **20 g** of salt.")
    asks(page, "Rye bread")
    page.get_by_test_id("new-conversation").click()
    provider.say("A bowline holds.")
    asks(page, "Knots that hold")
    titles(page, "Knots that hold", "Rye bread")
    choose_in_menu(page, 2, "pin")
    titles(page, "Rye bread", "Knots that hold")
    page.reload()
    titles(page, "Rye bread", "Knots that hold")
    page.get_by_test_id("search").fill("SALT")
    expect(page.get_by_test_id("history-item")).to_have_count(1)
    expect(page.get_by_test_id("excerpt")).to_contain_text("with **20 g** of salt")
    expect(page.get_by_test_id("excerpt").locator("mark")).to_have_text("salt")
    expect(page.get_by_test_id("found")).to_have_text("1 conversation with “SALT”")
    shot(page, "search")
    assert faults(page) == []
    page.get_by_test_id("search").fill("nothing of the kind")
    expect(page.get_by_test_id("history-item")).to_have_count(0)
    page.get_by_test_id("search").press("Escape")
    titles(page, "Rye bread", "Knots that hold")
    with page.expect_download() as download:
        choose_in_menu(page, 1, "export-markdown")
    assert download.value.suggested_filename == "Rye-bread.md"
    download.value.save_as(tmp_path / "it.md")
    written = (tmp_path / "it.md").read_text("utf-8")
    assert written.startswith("# Rye bread\n\n## You\n\nRye bread\n\n## openai ")
    assert written.endswith("\n\nHalf the recipe, with **20 g** of salt.\n")


def test_the_menu_by_the_keyboard(page: Any, provider: Asked) -> None:
    asks(page, "Hello")
    page.get_by_test_id("conversation-menu").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Rename")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("menuitem", name="Delete")).to_be_focused()
    shot(page, "menu")
    assert faults(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("menu")).to_have_count(0)
    expect(page.get_by_test_id("conversation-menu")).to_be_focused()


# --- settings, commands, signing in ---


def test_settings_of_one_panel_differ(page: Any, provider: Asked) -> None:
    two_panels(page)
    page.get_by_test_id("settings").click()
    page.get_by_test_id("system-instruction").fill("Be short.")
    page.get_by_test_id("temperature").fill("0.4")
    page.get_by_test_id("settings-tab").nth(2).click()
    expect(page.get_by_test_id("system-instruction")).to_have_attribute("readonly", "")
    page.get_by_test_id("change-temperature").click()
    page.get_by_test_id("temperature").fill("0.9")
    expect(page.get_by_test_id("standing-temperature")).to_contain_text("only here; 0.4 for all")
    expect(page.get_by_test_id("standing-system")).to_contain_text("as for all")
    page.get_by_test_id("change-maxTokens").click()
    page.get_by_test_id("max-tokens").fill("many")
    expect(page.get_by_test_id("settings-dialog")).to_contain_text("A whole number of tokens")
    shot(page, "settings-of-a-panel")
    assert faults(page) == []
    page.get_by_test_id("close-settings").click()
    asks(page, "Hello")
    ends(last(panel(page, 1)), "complete")
    bodies = {wire_of(asked.path): asked.json for asked in provider.requests}
    assert (bodies["openai_chat"]["temperature"], bodies["anthropic"]["temperature"]) == (0.4, 0.9)
    assert bodies["openai_chat"]["messages"][0]["content"] == "Be short."
    assert "Be short." in json.dumps(bodies["anthropic"]["system"])


def test_the_palette_finds_conversations_and_commands(page: Any, provider: Asked) -> None:
    asks(page, "Salt in the Baltic")
    page.get_by_test_id("new-conversation").click()
    page.keyboard.press("Control+k")
    field = page.get_by_test_id("palette-input")
    expect(field).to_be_focused()
    page.keyboard.type("salt")
    expect(page.get_by_test_id("palette-entry").first).to_contain_text("Salt in the Baltic")
    shot(page, "palette")
    assert faults(page) == []
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("question")).to_contain_text("Salt in the Baltic")
    page.keyboard.press("Control+k")
    page.keyboard.type(">new conv")
    expect(page.get_by_test_id("palette-entry")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("question")).to_have_count(0)
    expect(page.get_by_test_id("composer")).to_be_focused()


@pytest.mark.parametrize("remember", [False, True])
def test_the_token_is_remembered_if_the_user_agrees(
    opened: Callable[..., Window], provider: Asked, tmp_path: Path, remember: bool
) -> None:
    with Serving(tmp_path, provider.provider, *PROVIDERS, MSGMODEL_TOKEN=TOKENS[0]) as server:
        window = opened(server.url)
        window.page.get_by_test_id("token-input").fill(TOKENS[0])
        if remember:
            window.page.get_by_test_id("remember").check()
        window.page.get_by_test_id("token-submit").click()
        asks(window.page, "Hello")
        other = window.context.new_page()
        other.goto(server.url)
        expect(other.get_by_test_id("token-dialog")).to_have_count(0 if remember else 1)
        if remember:
            choose_in_main_menu(other, "sign-out")
            other.reload()
            expect(other.get_by_test_id("token-dialog")).to_have_count(1)
        window.forgive("status of 401")
        window.context.close()


def test_a_server_of_the_operators_own(opened: Callable[..., Window], provider: Asked, tmp_path: Path) -> None:
    """As after `msgmodel serve --provider ollama`: no key, no default model, and the page can ask at once."""
    with Serving(tmp_path, provider.provider, "--provider", "ollama") as server:
        page = opened(server.url).page
        expect(page.get_by_test_id("choose-model")).to_contain_text("scripted-model")
        asks(page, "Hello")
        assert provider.requests[-1].json["model"] == "scripted-model"


def test_text_from_right_to_left(page: Any, provider: Asked) -> None:
    provider.say("مياه البلطيق أقل ملوحة.\n\nEnglish follows.\n\n- أولا\n")
    reply = asks(page, "لماذا؟")
    directions = """it => [...it.children].filter(block => block.textContent.trim())
      .map(block => getComputedStyle(block).direction)"""
    assert reply.locator(".prose").evaluate(directions) == ["rtl", "ltr", "rtl"]
    question = page.get_by_test_id("question").get_by_text("لماذا؟")
    assert question.evaluate("it => getComputedStyle(it).direction") == "rtl"
