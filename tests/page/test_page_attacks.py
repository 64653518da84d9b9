"""The attacks of `test_page`, in all places but the text of a reply; and the line where a reply was taken up again."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from test_page import (
    ATTACKS,
    CHROMIUM,
    FOLDER,
    HANDLERS,
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
    site,
    window,
)

from msgmodel.testing import Reply

__all__ = ["browser", "environment", "module_provider", "opened", "provider", "site", "window"]  # fixtures

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"),
    pytest.mark.skipif(not (FOLDER / "index.html").is_file(), reason="the page is not built: make web"),
]

ATTACK = "<img src=x onerror=attacked('here')>\u202e"
LINK = "javascript:attacked('link')"


def is_harmless(page: Any) -> None:
    """That nothing on the page was made by an attack. `Window` sees what is run or fetched."""
    assert page.locator("script:not([src]), iframe, object, embed, img, base, [onerror], [onclick]").count() == 0
    assert page.locator("body *").evaluate_all(f"nodes => nodes.filter({HANDLERS}).length") == 0
    assert (
        page.locator("a").evaluate_all(
            "nodes => nodes.filter((a) => /^(javascript|data|vbscript):/i.test(a.href)).length"
        )
        == 0
    )


def hostile_reply() -> dict[str, Any]:
    result = {"id": "s", "name": ATTACK, "status": "done", "result": {ATTACK: ATTACKS}, "error": None, "seconds": 1}
    call = {"id": "s", "name": ATTACK, "arguments": ATTACKS, "arguments_json": {ATTACK: ATTACK}, "complete": True}
    receipt = {"model_asked": ATTACK, "model_served": ATTACK, "provider_served": ATTACK, "service_tier": ATTACK}
    codes = ["model_substituted", "tier_changed", "context_cut", "cached", ATTACK]
    end = {
        "event": "panel_final",
        "content": "Salty.",
        "provider": ATTACK,
        "model": ATTACK,
        "status": "unknown",
        "finish_reason": ATTACK,
        "usage": {"input_tokens": 3, "output_tokens": 4, "source": ATTACK},
        "cost": 0.1,
        "timing": {"first_delta_seconds": 0.1, "total_seconds": 2, "attempts": 1},
        "message": {"role": "assistant", "content": "Salty."},
        "request_id": ATTACK,
        "receipt": receipt,
        "privacy": {"data_retention": ATTACK, "training_retention": None, "local": False},
        "warnings": [{"code": code, "message": ATTACK} for code in codes],
        "untold": [ATTACK],
    }
    return {
        "provider": ATTACK,
        "model": ATTACK,
        "content": "Salty.",
        "reasoning": ATTACKS,
        "sources": [{"url": url, "title": ATTACK, "text": ATTACKS, "end": 6} for url in (LINK, "https://a.invalid/")],
        "steps": [{"id": "s", "name": ATTACK, "call": call, "result": result}, {"id": {}, "call": 5, "result": []}],
        "toolRuns": [{"id": "r", "name": ATTACK, "status": "done", "input": {ATTACK: ATTACK}, "output": ATTACKS}],
        "end": end,
    }


def test_a_conversation_that_attacks_everywhere_does_nothing(window: Window, provider: Asked) -> None:
    page = window.page
    files = [{"id": "f", "name": f"{ATTACK}.pdf", "type": ATTACK, "size": 5}]
    turns = [{"text": ATTACKS, "files": files, "replies": [hostile_reply(), hostile_reply()]}]
    panels = [{"provider": ATTACK, "model": ATTACK, "turns": turns}]
    several = [{"provider": name, "model": ATTACK, "turns": turns} for name in ("openai", ATTACK)]
    exported = {
        "format": "msgmodel-conversations",
        "version": 1,
        "conversations": [{"title": f"One {ATTACK}", "panels": panels}, {"title": f"Two {ATTACK}", "panels": several}],
    }
    file = {"name": "x.json", "mimeType": "application/json", "buffer": json.dumps(exported).encode()}
    page.get_by_test_id("import-input").set_input_files([file])
    for name in ("One", "Two"):
        page.get_by_role("link", name=re.compile(f"^{name} ")).click()
        expect(last(page)).to_contain_text("Salty.")
        expect(last(page).get_by_test_id("tool-step").first).to_contain_text("attacked('here')")
        for step in last(page).locator("summary").all():
            step.click()
        assert last(page).locator(".cite").count() == 2
        assert last(page).locator("a.cite").get_attribute("href") == "https://a.invalid/"
        is_harmless(page)
        last(page).get_by_test_id("usage").click()
        expect(page.get_by_test_id("receipt")).to_contain_text("attacked('here')")
        is_harmless(page)
        page.keyboard.press("Escape")
        page.get_by_test_id("total").click()
        is_harmless(page)
        page.keyboard.press("Escape")
        page.get_by_test_id("title-menu").click()
        page.get_by_test_id("rename").click()
        is_harmless(page)
        page.keyboard.press("Escape")
    page.get_by_test_id("search").fill("attacked")
    expect(page.get_by_test_id("found")).to_contain_text("2 conversations")
    is_harmless(page)
    page.get_by_test_id("search").fill("")
    page.keyboard.press("Control+k")
    page.keyboard.type("onerror")
    is_harmless(page)
    page.keyboard.press("Escape")
    page.reload()
    expect(last(page)).to_contain_text("Salty.")
    is_harmless(page)


def test_the_name_of_a_model_that_attacks_does_nothing(window: Window, provider: Asked) -> None:
    page = window.page
    page.get_by_test_id("choose-model").click()
    page.get_by_test_id("picker-search").fill(ATTACK.replace(" ", "/"))
    option = page.get_by_test_id("model").filter(has_text="attacked('here')").first
    expect(option).to_be_visible()
    is_harmless(page)
    option.click()
    expect(page.get_by_test_id("choose-model")).to_contain_text("attacked('here')")
    send(page, "Hi")
    ends(last(page), "failed")  # the server takes no such name, and says so
    expect(page.get_by_test_id("error-card")).to_contain_text("attacked('here')")
    window.forgive("status of 422")
    page.get_by_test_id("add-panel").click()
    is_harmless(page)


def test_a_reload_leaves_a_line_where_the_reply_was_taken_up(window: Window, provider: Asked) -> None:
    page = window.page
    words = [f"word{number}" for number in range(1, 41)]
    provider.say(Reply("\n\n".join(" ".join(words[at : at + 4]) for at in range(0, 40, 4)), speed=8))
    send(page, "Count")
    expect(last(page)).to_contain_text("word6")
    page.reload()
    seam = last(page).locator(".prose > .seam")
    expect(seam).to_have_text(re.compile(r"^Picked up at word \d+$"))
    ends(last(page), "complete")
    number = int(seam.inner_text().split()[-1])
    assert 1 <= number < 40, "it is what the browser had kept"
    if any("ERR_INCOMPLETE_CHUNKED_ENCODING" in fault for fault in window.faults):
        window.forgive("ERR_INCOMPLETE_CHUNKED_ENCODING")  # what was read when the page was left
    blocks = last(page).locator(".prose > :is(.block:not(:empty), .seam)").all_inner_texts()
    place = blocks.index(f"Picked up at word {number}")
    assert f"word{number}" in blocks[place - 1].split(), "the line stands behind the block that had come"
    assert [word for block in blocks if "Picked" not in block for word in block.split()] == words
    page.reload()
    expect(seam).to_have_text(f"Picked up at word {number}")
