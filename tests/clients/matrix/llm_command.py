"""The command `llm`, with the server in its `extra-openai-models.yaml`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from row import ASK, FAIL, KEY, MODEL, PERSON, URL, WEATHER, print_row

HOME = Path(tempfile.mkdtemp())
(HOME / "extra-openai-models.yaml").write_text(
    f"- model_id: m\n  model_name: {MODEL}\n  api_base: {URL}\n  api_key_name: k\n  supports_schema: true\n"
    "  supports_tools: true\n"
)
(HOME / "keys.json").write_text(json.dumps({"k": KEY}))


def llm(*words):
    command = [str(Path(sys.executable).parent / "llm"), *words, "-m", "m"]
    ran = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"LLM_USER_PATH": str(HOME)})
    return ran.stdout.strip() if ran.returncode == 0 else f"exit {ran.returncode}: {ran.stderr.strip()[:200]}"


def tools():
    code = "def weather(city: str) -> str:\n    'The weather of a city.'\n    return 'sunny'\n"
    return llm("--functions", code, WEATHER)


print_row(
    text=lambda: llm("--no-stream", ASK),
    stream=lambda: llm(ASK),
    tools=tools,
    structured=lambda: json.loads(llm("--schema", "name, age int", PERSON)),
    error=lambda: llm(FAIL).partition(":")[0],
)
