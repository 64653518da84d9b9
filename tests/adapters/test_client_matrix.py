"""The matrix of `docs/clients.md`: programs of other people's clients against `msgmodel serve`.

Each row is a program in tests/clients/matrix, which prints what its user sees. What the page says of a client is
checked here. `python tests/clients/install.py` installs some of the clients, `install.py all` the others, too.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clients import install
from clients.filler import fill
from msgmodel.server import create_app
from msgmodel.server.settings import Settings
from msgmodel.testing import Received, Reply, ScriptedProvider
from serving import Uvicorn, wait_for

ROOT = Path(__file__).parents[2]
PROGRAMS = install.HERE / "matrix"
TEXT = "The sea is salty."
SUNNY = "It is sunny in Oslo."
ANN = {"name": "Ann", "age": 7}

THINGS = ("text", "stream", "tools", "structured", "models", "cut", "stop", "error")
"""The columns of the matrix."""
ERRORS = {
    "pydantic_ai_agent.py": "ModelRateLimitError",
    "instructor_objects.py": "InstructorRetryException",
    "langchain_chat.py": "OpenAIRateLimitError",
    "llm_command.py": "exit 1",
    "ai_sdk_chat.mjs": "AI_RetryError",
}
"""How a client's user learns that the provider refused; `RateLimitError` if not here."""
OWN_RETRIES = ("ai_sdk_chat.mjs", "llamaindex_chat.py")
"""Clients that repeat a failed request three times whatever the server says."""


def answer(request: Received) -> Reply:
    """Answer as a model would that reads only the question and what is asked for beside it."""
    body = request.json
    question = json.dumps(body["messages"])
    if "Fail." in question:
        return Reply(error=429)
    if "is cut" in question:
        return Reply("The sea is", truncated=True)
    if "Stall" in question:
        return Reply("one two three", stall_after=1)
    if any(message["role"] == "tool" for message in body["messages"]):
        return Reply(SUNNY)
    if tools := body.get("tools"):
        name = tools[-1]["function"]["name"]
        arguments = {"city": "Oslo"} if name == "weather" else ANN
        return Reply(tool_calls=[{"name": name, "arguments": arguments}])
    return Reply(json.dumps(ANN) if "Ann" in question else TEXT)


@pytest.fixture
def server(scripted_provider: ScriptedProvider) -> Iterator[Uvicorn]:
    scripted_provider.say(answer)
    settings = Settings(models=("gpt-4.1",), on_disconnect="cancel", grace_seconds=1.0)
    with Uvicorn(create_app(settings)) as running:
        yield running


def matrix() -> dict[str, dict[str, str]]:
    """Return the rows of the page: the cells by their column, for each program."""
    page = (ROOT / "docs" / "clients.md").read_text("utf-8")
    found = {}
    for line in page.splitlines():
        if match := re.match(r"\| .*`(?P<program>\w+( \d)?)` \|(?P<cells>( (yes|–) \|){8})$", line):
            cells = match["cells"].replace("|", "").split()
            found[match["program"]] = dict(zip(THINGS, cells, strict=True))
    return found


ROWS = matrix()


def test_each_program_has_a_row() -> None:
    programs = {path.stem for path in PROGRAMS.iterdir() if path.suffix in (".py", ".mjs")} - {"row"}
    assert {name.partition(" ")[0] for name in ROWS} == programs


@pytest.mark.parametrize("row", ROWS)
def test_a_client_sees_what_the_page_says(row: str, server: Uvicorn, scripted_provider: ScriptedProvider) -> None:
    stem, *arguments = row.split()
    (name,) = (path.name for path in PROGRAMS.glob(f"{stem}.*") if path.suffix in (".py", ".mjs"))
    program = install.program_of(name)
    if program is None:
        pytest.skip("this client is not here: make clients-all")
    command = [str(program), str(install.copied(PROGRAMS, name)), server.url, *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=install.CLIENTS, timeout=300)
    assert ran.returncode == 0, ran.stderr
    seen = json.loads(ran.stdout.splitlines()[-1])
    expected: dict[str, Any] = {
        "text": TEXT,
        "stream": ANN if name == "instructor_objects.py" else TEXT,
        "tools": SUNNY,
        "structured": ANN,
        "models": ["openai/gpt-4.1", "openai/gpt-4.1"],
        "cut": "length",
        "stop": "one",
        "error": ERRORS.get(name, "RateLimitError"),
    }
    assert seen == {thing: expected[thing] for thing in THINGS if ROWS[row][thing] == "yes"}
    failed = sum(b"Fail." in request.body for request in scripted_provider.requests)
    assert failed == (9 if name in OWN_RETRIES else 3)  # the server's own: it has told the client not to repeat
    if "stop" in seen:
        wait_for(lambda: scripted_provider.server.hangups, 10.0)


STANDARD_MODELS = ("openai/gpt-4.1", "anthropic/claude-haiku-5-5", "gemini/gemini-3.8-flash", "groq/llama-4")


@pytest.mark.parametrize("model", STANDARD_MODELS)
def test_the_standard_tests_of_langchain(model: str, scripted_provider: ScriptedProvider) -> None:
    python = install.program_of("langchain_chat.py")
    if python is None:
        pytest.skip("this client is not here: make clients-all")
    scripted_provider.say(fill)
    options = ["-q", "--noconftest", "-c", "/dev/null", "--disable-socket", "--allow-hosts=127.0.0.1,localhost"]
    one_loop = ["--asyncio-mode=auto", "-o", "asyncio_default_test_loop_scope=session"]
    command = [str(python), "-m", "pytest", *options, *one_loop, str(install.HERE / "standard_tests.py")]
    with Uvicorn(create_app()) as running:
        variables = {"MSGMODEL_URL": running.url, "MSGMODEL_MODEL": model}
        ran = subprocess.run(command, capture_output=True, text=True, env=os.environ | variables, timeout=300)
    assert ran.returncode == 0, ran.stdout
