"""The documentation: every code block of it runs, and its tables come from the code."""

from __future__ import annotations

import asyncio
import json
import os
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import httpx2
import pytest

import msgmodel
from msgmodel import providers
from msgmodel.local import weights
from msgmodel.registry import registry
from msgmodel.testing import Reply, ScriptedProvider
from msgmodel.testing.server import Received

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
BLOCKS = [
    (page, number, language, block)
    for page in PAGES
    for number, (language, block) in enumerate(
        re.findall(r"^```(\w*)\n(.*?)^```", page.read_text("utf-8"), re.S | re.M)
    )
]


def answer(request: Received) -> Reply:
    """A call where there are tools that have not been called, reasoning where it is asked for, else a text."""
    body: Any = request.json
    if b'"born"' in request.body:
        person = '{"name": "Ada Lovelace", "born": 1815}'
        return Reply(f'{{"items": [{person}]}}' if b'"items"' in request.body else person)
    tools = body.get("tools")
    if tools and b'"price"' in request.body and b"euros" not in request.body:
        return Reply(tool_calls=[{"id": "c1", "name": "price", "arguments": {"fruit": "apple", "count": 4}}])
    thinks = any(name in body for name in ("thinking", "reasoning", "reasoning_effort", "think"))
    return Reply("The sea is salty.", reasoning="Let me see." if thinks else "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_python_block_runs(
    page: Path, scripted_provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One after the other, as a reader would; a test that is defined in one is run."""
    scripted_provider.say(answer)
    rows, aliases = dict(registry._rows_by_name), dict(registry._names_by_alias)
    namespace: dict[str, Any] = {"__name__": "docs"}
    monkeypatch.setattr("logging.basicConfig", lambda **options: None)
    for found, number, language, block in BLOCKS:
        if found == page and language == "python":
            block = block.replace("http://localhost:8000", scripted_provider.url)
            source = compile(block, f"{page.name}, block {number}", "exec", dont_inherit=True)
            exec(source, namespace)
            for name in [name for name in namespace if name.startswith("test_")]:
                namespace.pop(name)(scripted_provider)
    for kept, now in ((rows, registry._rows_by_name), (aliases, registry._names_by_alias)):
        now.clear()
        now.update(kept)  # type: ignore[arg-type]
    import logging

    logging.getLogger("msgmodel").setLevel(logging.NOTSET)


@pytest.mark.parametrize(
    "line", [line for *_, language, block in BLOCKS if language == "sh" for line in block.splitlines()]
)
def test_every_command_runs(line: str, tmp_path: Path) -> None:
    pytest.importorskip("click")
    if line.startswith("pip install"):
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
        assert set(re.findall(r"[\w-]+", line.partition("[")[2])) <= extras.keys()
        return
    line = line.partition(" #")[0].strip()
    if line.startswith("make "):  # which take minutes
        assert f"\n{line.removeprefix('make ')}: " in (ROOT / "Makefile").read_text("utf-8")
        return
    if line.startswith("python -m pytest "):
        assert (ROOT / line.split()[-1]).is_file()
        return
    if line.startswith(("msgmodel serve", "python bench/", "python proofs/")):  # whether they take the options
        pytest.importorskip("uvicorn")
        line = re.sub(r"^python (?=bench|proofs)", f"{sys.executable} {ROOT}/", line) + " --help"
    if " local" in line and not weights.path().is_file():
        pytest.skip("the weights are not here: msgmodel local pull")
    command = re.sub(r"\bmsgmodel(?= |$)", f"{sys.executable} -m msgmodel", line)
    with ScriptedProvider() as provider:
        env = dict(os.environ) | provider.environment()
        ran = subprocess.run(
            ["sh", "-c", command],
            capture_output=True,
            text=True,
            env=env,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            timeout=100,
        )
    assert (ran.returncode, "Error" in ran.stderr) == (0, False), ran.stderr
    assert ran.stdout or "pull" in line


def test_no_other_languages() -> None:
    """`text` is for what is printed, and for drawings."""
    assert {language for *_, language, _ in BLOCKS} <= {"python", "sh", "json", "js", "nginx", "text"}


def test_every_page_is_in_the_navigation_and_every_table_is_used() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8")
    assert [page.name for page in PAGES if page.name not in navigation] == []
    generate = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    text = "".join(page.read_text("utf-8") for page in PAGES)
    assert set(re.findall(r"^\{\{ (\w+) \}\}$", text, re.M)) == generate["TABLES"].keys()
    made = {name: make() for name, make in generate["TABLES"].items()}
    for row in providers.PROVIDERS.values():
        assert any(f"[`{row.name}`]" in made[name] for name in ("main_providers", "hosted_providers", "servers"))
    for name in (*msgmodel.Options.__annotations__, "http_client"):
        assert f"| `{name}` |" in made["option_table"]
    assert made["event_table"].count("\n") == 20


def test_the_endpoints_of_the_web_page(scripted_provider: ScriptedProvider) -> None:
    """Both answer with the same events."""
    pytest.importorskip("starlette")
    namespace: dict[str, Any] = {"__name__": "docs"}
    for found, _, language, block in BLOCKS:
        if found.name == "web.md" and language == "python":
            exec(compile(block, "web.md", "exec", dont_inherit=True), namespace)

    async def ask(path: str) -> list[dict[str, Any]]:
        transport = httpx2.ASGITransport(namespace["app"])
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            body = (await client.post(path, params={"prompt": "Hi"})).text
        return [json.loads(line) for line in re.findall("^data: (.*)$", body, re.M)]

    for path in ("/chat/stream", "/chat/plain"):
        *deltas, last = asyncio.run(ask(path))
        assert last["event"] == "panel_final"
        assert "".join(event["delta"] for event in deltas) == last["content"] == "Hello from a scripted provider."


def tables() -> dict[str, str]:
    pytest.importorskip("click")
    generate = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    return {name: make() for name, make in generate["TABLES"].items()}


def test_every_field_has_a_meaning() -> None:
    """Of an event, a config, an option: no cell that should say something is empty."""
    made = tables()
    for name in ("key_tables", "batch_tables", "config_tables", "option_table", "dialect_table", "command_tables"):
        cells = [line.strip("| ").split(" | ") for line in made[name].splitlines() if line.startswith("| ")]
        assert len(cells) > 5
        assert [line for line in cells if not line[-1].strip()] == []
    for kind in (msgmodel.OpenAIConfig, msgmodel.AnthropicConfig, msgmodel.GeminiConfig, msgmodel.LocalConfig):
        for field in kind.__dataclass_fields__:
            assert f"| `{field}` |" in made["config_tables"]
    for name in msgmodel.__all__:
        if name.endswith("Error") and name != "PanelError":
            assert f"| `{name}` |" in made["error_table"]


def test_types_are_shown_without_backslashes() -> None:
    """In a cell a bar within code needs none, and one would be seen."""
    made = "".join(tables().values())
    assert "`str | None`" in made
    assert not re.search(r"`[^`\n]*\\\|[^`\n]*`", made)


def test_the_last_event_is_shown_as_it_is(scripted_provider: ScriptedProvider) -> None:
    """Its keys and their types, also within; the values are an example."""
    (block,) = [block for page, _, language, block in BLOCKS if (page.name, language) == ("events.md", "json")]
    shown = json.loads(block)
    *_, last = msgmodel.stream_panels("openai", "Why is the sea salty?")
    assert shape(shown) == shape(json.loads(json.dumps(last)))
    assert shown["event"] == "panel_final"


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return "number or none" if value is None or isinstance(value, (int, float)) else type(value).__name__


def test_the_reference_has_the_methods_of_the_clients() -> None:
    """They are attributes to a reader of the source, and shown if they have a docstring."""
    griffe = pytest.importorskip("griffe")
    client = griffe.load("msgmodel.client", search_paths=[str(ROOT / "src")])
    for name in ("Client", "AsyncClient"):
        for method in ("stream_panels", "stream", "query"):
            assert client[name][method].docstring
