"""`msgmodel completion`: the scripts for the shells, and what the program answers when Tab is pressed."""

import shutil
import subprocess

import pytest
from test_cli import COMMAND, Shell, shell

from msgmodel.cli import exits

__all__ = ["shell"]


def completed(shell: Shell, line: str) -> list[str]:
    """What bash offers after the words of a line; the last one is begun."""
    words = line.split(" ")
    shell.env |= {"_MSGMODEL_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    try:
        done = shell.run()
    finally:
        del shell.env["_MSGMODEL_COMPLETE"]
    assert (done.code, done.err) == (0, "")
    return [entry.partition(",")[2] for entry in done.out.splitlines()]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("msgmodel co", {"compare", "config", "completion"}),
        ("msgmodel keys ", {"set", "list", "remove"}),
        ("msgmodel logs ", {"on", "off", "show", "find", "path", "delete"}),
        ("msgmodel -p anthr", {"anthropic"}),
        ("msgmodel chat --provider gem", {"gemini"}),
        ("msgmodel compare -p openai -p oll", {"ollama"}),
        ("msgmodel keys set deep", {"deepseek"}),
        ("msgmodel models mist", {"mistral"}),
        ("msgmodel ask --rea", {"--reasoning"}),
        ("msgmodel --extr", {"--extract"}),
        ("msgmodel ask --reasoning m", {"medium"}),
        ("msgmodel completion z", {"zsh"}),
    ],
)
def test_what_is_offered(shell: Shell, line: str, offered: set[str]) -> None:
    assert set(completed(shell, line)) == offered


def test_aliases_are_offered(shell: Shell) -> None:
    assert shell.run("config", "set", "alias.fast", "openai/gpt-4o").code == 0
    assert completed(shell, "msgmodel -m f") == ["fast"]


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell(shell: Shell, name: str) -> None:
    done = shell.run("completion", name)
    assert (done.code, done.err) == (0, "")
    assert f"_MSGMODEL_COMPLETE={name}_complete" in done.out
    found = shutil.which(name)
    if found is not None:
        (shell.folder / "script").write_text(done.out)
        subprocess.run([found, "-n", "script"], cwd=shell.folder, check=True, timeout=60)


def test_bash_completes_by_its_script(shell: Shell) -> None:
    """The real bash, with the program under its name."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    program = shell.folder / "msgmodel"
    program.write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
    program.chmod(0o755)
    (shell.folder / "script").write_text(shell.run("completion", "bash").out)
    shell.env["PATH"] = f"{shell.folder}:{shell.env['PATH']}"
    script = (
        ". ./script; COMP_WORDS=(msgmodel keys re); COMP_CWORD=2; _msgmodel_completion msgmodel re keys;"
        ' echo "${COMPREPLY[@]}"'
    )
    assert shell.run("-c", script, command=[bash]).out == "remove\n"


def test_another_shell(shell: Shell) -> None:
    assert shell.run("completion", "csh").code == exits.CONFIGURATION
