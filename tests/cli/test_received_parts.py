"""Parts of a reply that are not text, the provider's own tools and other kinds of calls, on the command line."""

import json
import sys
from base64 import b64encode
from typing import Any

import pytest
from test_cli import COMMAND, PROMPT_IS_READY, Shell, Terminal, shell

from msgmodel.cli import exits
from msgmodel.testing.server import Script

__all__ = ["shell"]

PICTURE = b"\x89PNG picture"
COMPLETED = {"type": "response.completed", "response": {"status": "completed"}}
DRAW = ("--api", "responses", "draw")


def body(*events: Any) -> Script:
    return Script.body(b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in (*events, COMPLETED)))


def done(index: int, item: Any) -> Any:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def picture(index: int = 0, *, output_format: str = "png", data: bytes = PICTURE) -> Any:
    result = b64encode(data).decode()
    return done(
        index,
        {"type": "image_generation_call", "id": f"ig_{index}", "result": result, "output_format": output_format},
    )


def text(piece: str, index: int = 9) -> Any:
    return {"type": "response.output_text.delta", "output_index": index, "content_index": 0, "delta": piece}


def test_what_came_is_said_and_how_to_save_it(shell: Shell) -> None:
    shell.server.say(body(picture(), text("Here.")))
    told = "msgmodel: image (image/png, 12 bytes): not shown here; to save it, add --save-to FOLDER\n"
    assert shell.run(*DRAW) == (0, "Here.\n", told)
    assert [*shell.folder.glob("*.png")] == []


def test_parts_are_saved(shell: Shell) -> None:
    shell.server.say(body(picture(0), picture(1, output_format="webp"), picture(2, output_format="../../x;sh")))
    run = shell.run("--save-to", "out/pictures", *DRAW)
    folder = shell.folder / "out" / "pictures"
    assert (run.code, run.out) == (0, "")
    assert {path.name for path in folder.iterdir()} == {"image-1.png", "image-2.webp", "image-3.bin"}
    assert all(path.read_bytes() == PICTURE for path in folder.iterdir())
    assert "image (image/png, 12 bytes): saved as out/pictures/image-1.png" in run.err


@pytest.mark.parametrize("option", ["--events", "--json"])
def test_parts_are_saved_beside_json(shell: Shell, option: str) -> None:
    shell.server.say(body(picture()))
    run = shell.run(option, *DRAW)
    assert (run.code, run.err) == (0, ""), "the output has the data"
    shell.run(option, "--save-to", ".", *DRAW)
    assert (shell.folder / "image-1.png").read_bytes() == PICTURE


def test_nothing_is_overwritten(shell: Shell) -> None:
    """Neither a file nor what a link leads to, even if it leads nowhere."""
    (shell.folder / "image-1.png").write_bytes(b"mine")
    (shell.folder / "image-2.png").symlink_to(shell.folder / "elsewhere")
    shell.server.say(body(picture()))
    assert shell.run("--save-to", ".", *DRAW).code == 0
    assert (shell.folder / "image-1.png").read_bytes() == b"mine"
    assert not (shell.folder / "elsewhere").exists()
    assert (shell.folder / "image-3.png").read_bytes() == PICTURE


def test_a_folder_that_can_t_be_made_costs_nothing(shell: Shell) -> None:
    (shell.folder / "taken").write_text("")
    for folder in ("taken", "taken/below"):
        assert shell.run("--save-to", folder, *DRAW).code == exits.CONFIGURATION
    assert shell.server.requests == []


def test_a_file_that_can_t_be_written_loses_no_text(shell: Shell) -> None:
    shell.server.say(body(picture(data=PICTURE), text("Here.")))
    code = """
import os, resource, sys
for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
    del os.environ[name]  # its file could not be written either
resource.setrlimit(resource.RLIMIT_FSIZE, (4, 4))
os.execv(sys.argv[1], sys.argv[1:])
"""
    run = shell.run("--save-to", ".", *DRAW, command=[sys.executable, "-c", code, *COMMAND])
    assert (run.code, run.out) == (exits.FILE, "Here.\n")
    assert "image-1.png can't be written" in run.err
    assert not (shell.folder / "image-1.png").exists()


def test_a_preview_alone_is_not_saved(shell: Shell) -> None:
    partial = {
        "type": "response.image_generation_call.partial_image",
        "output_index": 0,
        "partial_image_b64": b64encode(PICTURE).decode(),
        "output_format": "png",
    }
    shell.server.say(Script.body(b"data: %b\n\n" % json.dumps(partial).encode()))
    run = shell.run("--save-to", ".", *DRAW)
    assert run.code == exits.STREAM
    assert "image (image/png, 12 bytes): incomplete, not saved" in run.err
    assert [*shell.folder.glob("image*")] == []


def test_a_file_that_the_provider_keeps(shell: Shell) -> None:
    note = {"type": "container_file_citation", "file_id": "cfile_1", "filename": "../../etc/passwd"}
    added = {"type": "response.output_text.annotation.added", "output_index": 9, "content_index": 0, "annotation": note}
    shell.server.say(body(text("See the file."), added))
    run = shell.run("--save-to", ".", *DRAW)
    assert "msgmodel: file: the provider keeps it as cfile_1" in run.err
    assert "passwd" not in run.err


def test_verbose_shows_tools_sources_cost_and_what_no_event_shows(shell: Shell) -> None:
    search = {"type": "web_search_call", "id": "ws", "action": {"type": "search", "query": "tides"}}
    failed = {"type": "mcp_call", "id": "m", "server_label": "maps", "name": "route", "error": {"message": "no map"}}
    note = {"type": "url_citation", "url": "https://a", "title": "A", "start_index": 0, "end_index": 4}
    added = {"type": "response.output_text.annotation.added", "output_index": 9, "content_index": 0, "annotation": note}
    begun = {"type": "response.output_item.added", "output_index": 0, "item": search}
    hologram = done(2, {"type": "hologram", "id": "x"})
    shell.server.say(body(begun, done(0, search), done(1, failed), hologram, text("High water."), added))
    lines = shell.run("-v", "--api", "responses", "when?").err.splitlines()
    assert lines[0].startswith('tool web_search began: {"type": "search"')
    assert lines[1].startswith("tool web_search ended")
    assert "tool maps.route failed: no map" in lines
    assert "source:  A https://a (for characters 0 to 4)" in lines
    assert "untold:  hologram: in the reply, but shown by no event" in lines


def test_verbose_shows_who_states_the_cost(shell: Shell) -> None:
    chunks = [
        {"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.00025}},
    ]
    data = b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks)
    shell.server.say(Script.body(data + b"data: [DONE]\n\n"))
    assert "cost:    $0.00025 (the provider says so)" in shell.run("-v", "hi").err.splitlines()


def test_other_kinds_of_calls(shell: Shell) -> None:
    commands = {"type": "local_shell_call", "id": "ls", "call_id": "c", "action": {"command": ["ls"]}}
    request = {"type": "mcp_approval_request", "id": "a", "server_label": "files", "name": "erase", "arguments": "{}"}
    shell.server.say(body(done(0, commands), done(1, request)))
    err = shell.run("--api", "responses", "go").err.splitlines()
    assert err[0] == 'msgmodel: local_shell call: local_shell {"command":["ls"]}'
    assert err[1].startswith("msgmodel: asks for an approval to run: erase {")
    assert "files" in err[1]


def test_an_empty_reply_is_told(shell: Shell) -> None:
    shell.say("")
    assert shell.run("hi") == (0, "", "msgmodel: the reply is empty: the model ended it without any text\n")


def test_chat_keeps_and_saves_a_reply_that_is_only_a_picture(shell: Shell) -> None:
    shell.server.say(body(picture()), body(picture()), body(text("Bluer.")))
    run = shell.run("chat", "--save-to", "p", "--api", "responses", stdin=b"draw\nanother\nbluer\n")
    assert (run.code, run.out) == (0, "Bluer.\n")
    assert {path.name for path in (shell.folder / "p").iterdir()} == {"image-1.png", "image-2.png"}
    sent = [item.get("type", item.get("role")) for item in shell.server.requests[-1].json["input"]]
    assert sent.count("image_generation_call") == 2


def test_hostile_words_on_a_terminal(shell: Shell) -> None:
    request = {"type": "mcp_approval_request", "id": "a", "server_label": "x", "name": "e\x1b[2Jr", "arguments": "{}"}
    shell.server.say(body(picture(output_format="p\x1b]52;c;QQ==\x07"), done(1, request)))
    with Terminal(shell, "chat", "--api", "responses") as terminal:
        terminal.expect(PROMPT_IS_READY)
        terminal.type("draw\r")
        terminal.expect("Approve? [y/N] ")
        shell.server.say(body(text("Then not.")))
        terminal.type("\r")
        terminal.expect(PROMPT_IS_READY)
        terminal.type("\x04")
        assert terminal.ended() == 0
        assert "\x1b]52" not in terminal.raw
        assert "\x1b[2Jr" not in terminal.raw


def test_what_was_changed_on_the_way_is_told(shell: Shell) -> None:
    choices = [{"index": index, "delta": {"content": "Hi"}, "finish_reason": "stop"} for index in (0, 1)]
    shell.server.say(Script.body(b"data: %b\n\ndata: [DONE]\n\n" % json.dumps({"choices": choices}).encode()))
    done = shell.run("hi")
    assert (done.code, done.out) == (0, "Hi\n")
    assert done.err.endswith(" (choice_dropped)\n")
