"""The way into the code: what CONTRIBUTING and the pages name exists, and the tables and the picture are of today."""

from __future__ import annotations

import re
import runpy
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
import test_rooms

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "msgmodel"
GUIDE = ROOT / "CONTRIBUTING.md"
PAGES = [*sorted((ROOT / "docs").glob("*.md")), GUIDE, ROOT / "README.md", ROOT / "SECURITY.md"]
ROOMS = [room for floor in test_rooms.ROOMS for room in floor.split()]


@pytest.fixture(scope="module")
def generate() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / "generate.py"))


def test_the_path_of_a_chunk_is_read_in_a_quarter_of_an_hour(generate: dict[str, Any]) -> None:
    counts = {step.__qualname__: generate["line_count"](step) for step, _ in generate["STEPS"]}
    assert sum(counts.values()) <= 300, counts


def test_the_guide_names_the_functions_of_today(generate: dict[str, Any]) -> None:
    """If this fails: `python docs/generate.py`."""
    text = GUIDE.read_text("utf-8")
    assert generate["contributing"](text) == text
    for step, _ in generate["STEPS"]:
        assert f"`{step.__qualname__}`" in text


def test_the_picture_and_the_table_have_every_room(generate: dict[str, Any]) -> None:
    # Made by docs/generate.py, from names that are in the code.
    picture = ElementTree.fromstring(generate["room_picture"]())  # noqa: S314
    drawn = [each.text for each in picture.iter("{http://www.w3.org/2000/svg}text") if each.get("text-anchor")]
    assert sorted(filter(None, drawn)) == sorted(ROOMS)
    listed = re.findall(r"^\| `(\w+)` \|", generate["room_table"](), re.M)
    assert listed == ROOMS
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    assert all(f"{{{{ {name} }}}}" in page for name in ("room_picture", "room_table", "reading_path"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    """A path in code, from the root of the repository or from the package."""
    text = page.read_text("utf-8")
    folders = [ROOT, PACKAGE, PACKAGE / "server", ROOT / "tests" / "wires" / "anthropic"]
    for name in re.findall(r"`((?:[\w.-]+/)*[\w-]+\.(?:py|sse|ts|mjs))`", text):
        assert any((folder / name).exists() for folder in folders), name
    for inside, name in re.findall(r"`(\w+)` in `([\w/]+\.py)`", text):
        (source,) = [folder / name for folder in folders if (folder / name).exists()]
        assert re.search(rf"^(?:class |def )?{inside}\b", source.read_text("utf-8"), re.M), f"{inside} in {name}"
