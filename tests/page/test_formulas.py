"""Formulas and code on the chat page, in a real browser: see `test_page`."""

from __future__ import annotations

from typing import Any

import pytest
from test_page import (
    CHROMIUM,
    FOLDER,
    Asked,
    Window,
    asks,
    browser,
    environment,
    expect,
    faults,
    module_provider,
    opened,
    overflow,
    page,
    provider,
    shot,
    site,
    window,
)

from msgmodel.testing import Reply

__all__ = ["browser", "environment", "module_provider", "opened", "page", "provider", "site", "window"]

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"),
    pytest.mark.skipif(not (FOLDER / "index.html").is_file(), reason="the page is not built: make web"),
]

FORMULAS = r"""With a volume \(V = 21\,700\ \mathrm{km}^3\) and an outflow $Q$, it takes

\[ t = \frac{V}{Q} = \sum_{i=0}^{\infty} x_i \cdot \begin{pmatrix} a & b \\ c & d \end{pmatrix} \]

It costs between $5 and 10$, and \(\nosuchcommand{x}\) stays as it is.
"""


def test_formulas_are_drawn_with_their_styles_and_fonts(window: Window, provider: Asked) -> None:
    page = window.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    asks(page, "No formula")
    assert not any("katex" in url.lower() for url in asked)
    provider.say(Reply(FORMULAS, pieces=[FORMULAS[n : n + 5] for n in range(0, len(FORMULAS), 5)]))
    reply = asks(page, "How long?")
    expect(reply.locator(".formula-drawn .katex-html")).to_have_count(3)
    expect(reply).to_contain_text("It costs between $5 and 10$, and \\(\\nosuchcommand{x}\\) stays as it is.")
    # The page's policy allows no style in HTML: KaTeX sets them itself, in a copy of a drawing, too.
    assert reply.locator(".katex-html [style*='height']").count() > 5
    page.evaluate("document.fonts.ready.then(() => 1)")
    assert page.evaluate("[...document.fonts].filter((font) => font.status === 'loaded').length") > 0
    assert any(url.endswith(".woff2") for url in asked)
    shot(page, "formulas")
    assert faults(page) == []
    assert overflow(page) == 0
    page.reload()
    expect(page.get_by_test_id("reply").last.locator(".formula-drawn .katex-html")).to_have_count(3)


def test_a_selection_copies_what_was_sent(page: Any, provider: Asked) -> None:
    provider.say(Reply(FORMULAS))
    reply = asks(page, "How long?")
    expect(reply.locator(".formula-drawn")).to_have_count(3)
    reply.locator(".prose").evaluate("it => getSelection().selectAllChildren(it)")
    selected = page.evaluate("getSelection().toString()")
    for line in filter(None, FORMULAS.splitlines()):
        assert "".join(line.split()) in "".join(selected.split())


def test_long_lines_of_code_are_wrapped_and_saved(page: Any, provider: Asked) -> None:
    provider.say("```python\nx = '" + "long " * 100 + "'\n```")
    reply = asks(page, "Code")
    code = reply.locator("pre")
    assert code.evaluate("it => it.scrollWidth > it.clientWidth")
    reply.get_by_role("button", name="Wrap long lines").click()
    expect(reply.get_by_role("button", name="Wrap long lines")).to_have_attribute("aria-pressed", "true")
    assert code.evaluate("it => it.scrollWidth <= it.clientWidth")
    with page.expect_download() as download:
        reply.get_by_role("button", name="Save as a file").click()
    assert download.value.suggested_filename == "code.py"
