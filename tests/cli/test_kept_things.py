"""What the user keeps: keys, settings, and the log of replies."""

import json
import sqlite3
import sys
from pathlib import Path

import pytest
from test_cli import KEY, Shell, Terminal, refused, reply, shell

from msgmodel.cli import exits
from msgmodel.cli.settings_file import UserSettings
from msgmodel.errors import ConfigurationError
from msgmodel.testing.server import Script

__all__ = ["shell"]

OTHER_KEY = "sk-other-9876543210"


def config_folder(shell: Shell) -> Path:
    return shell.folder / "home" / ".config" / "msgmodel"


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


# --- keys ---


def test_a_key_is_typed_unseen_kept_and_used(shell: Shell) -> None:
    del shell.env["OPENAI_API_KEY"]
    with Terminal(shell, "keys", "set", "openai") as terminal:
        terminal.expect("it is not shown")
        terminal.type(KEY + "\r")
        assert terminal.ended() == 0, "and it shows no key"
    path = config_folder(shell) / "keys.json"
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert json.loads(path.read_text()) == {"openai": {"key": KEY}}
    assert shell.run("keys", "list").out.split() == ["openai", "file"]
    table = shell.run("providers").out
    assert "msgmodel keys" in next(line for line in table.splitlines() if line.startswith("openai"))
    shell.say("Hello")
    assert shell.run("hi").out == "Hello\n"
    assert shell.server.requests[-1].headers["authorization"] == f"Bearer {KEY}"
    assert shell.run("keys", "remove", "o").code == 0
    assert json.loads(path.read_text()) == {}
    assert shell.run("hi").code == exits.KEY
    assert shell.run("keys", "remove", "openai").code == exits.CONFIGURATION


def test_the_order_of_keys(shell: Shell) -> None:
    """A variable, a file in the working folder, the kept key."""
    assert shell.run("keys", "set", "openai", stdin=f"{OTHER_KEY}\n".encode()).code == 0
    file = shell.folder / "openai-api.key"
    file.write_text("sk-of-the-folder-1", "utf-8")
    shell.say("Hello")
    for _ in range(3):
        assert shell.run("hi").code == 0
        if "OPENAI_API_KEY" in shell.env:
            del shell.env["OPENAI_API_KEY"]
        elif file.exists():
            file.unlink()
    assert [request.headers["authorization"].split()[-1] for request in shell.server.requests] == [
        *(KEY, "sk-of-the-folder-1", OTHER_KEY),
    ]


@pytest.mark.parametrize("key", ["", "two words", "ü"])
def test_what_is_no_key_is_not_kept(shell: Shell, key: str) -> None:
    done = shell.run("keys", "set", "openai", stdin=key.encode())
    assert (done.code, "that is no key" in done.err) == (exits.KEY, True)
    assert not config_folder(shell).exists()


def test_damaged_keys_are_told_and_not_shown(shell: Shell) -> None:
    del shell.env["OPENAI_API_KEY"]
    assert shell.run("keys", "set", "openai", stdin=KEY.encode()).code == 0
    path = config_folder(shell) / "keys.json"
    path.write_text(path.read_text()[:-4])
    assert "keys.json is damaged" in shell.run("-p", "openai", "hi").err
    assert shell.run("keys", "list").code == exits.KEY


BACKEND = """
import json
from pathlib import Path
from keyring.backend import KeyringBackend

class Kept(KeyringBackend):
    priority = 5
    path = Path("keyring.json")
    def held(self): return json.loads(self.path.read_text()) if self.path.exists() else {}
    def get_password(self, service, username): return self.held().get(service + username)
    def set_password(self, service, username, password):
        self.path.write_text(json.dumps(self.held() | {service + username: password}))
    def delete_password(self, service, username):
        held = self.held(); del held[service + username]; self.path.write_text(json.dumps(held))

class Locked(Kept):
    def get_password(self, service, username): raise RuntimeError("locked: " + str(self.held()))
"""


def test_the_keyring_of_the_system(shell: Shell) -> None:
    """With the real package, and a backend of this test: our file then holds no key."""
    pytest.importorskip("keyring")
    (shell.folder / "kept_backend.py").write_text(BACKEND, "utf-8")
    shell.env |= {"PYTHON_KEYRING_BACKEND": "kept_backend.Kept", "PYTHONPATH": str(shell.folder)}
    shell.env["PYTHONWARNINGS"] = "default"
    del shell.env["OPENAI_API_KEY"]
    assert "the system's keyring" in shell.run("keys", "set", "openai", stdin=KEY.encode()).err
    assert json.loads((config_folder(shell) / "keys.json").read_text()) == {"openai": {}}
    assert shell.run("keys", "list").out.split() == ["openai", "keyring"]
    shell.say("Hello")
    assert shell.run("hi").out == "Hello\n"
    assert shell.server.requests[-1].headers["authorization"] == f"Bearer {KEY}"
    shell.env["PYTHON_KEYRING_BACKEND"] = "kept_backend.Locked"
    done = shell.run("-p", "openai", "hi")
    assert (done.code, "unlock it (RuntimeError)" in done.err) == (exits.KEY, True)
    shell.env["PYTHON_KEYRING_BACKEND"] = "kept_backend.Kept"
    assert shell.run("keys", "remove", "openai").code == 0
    assert json.loads((shell.folder / "keyring.json").read_text()) == {}
    shell.env["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    assert "only you can read" in shell.run("keys", "set", "openai", stdin=KEY.encode()).err


# --- settings ---


def test_settings(shell: Shell) -> None:
    shell.env["ANTHROPIC_API_KEY"] = KEY
    for name, value in (("provider", "anthropic"), ("model", "claude-x"), ("max-tokens", "77"), ("verbose", "off")):
        assert shell.run("config", "set", name, value).code == 0
    assert shell.run("config", "set", "instruction", "Be", "brief.").code == 0
    assert shell.run("config", "set", "--fallback", "openai", "gemini").code == exits.OK
    assert shell.run("config", "unset", "fallback").code == 0
    shown = dict(line.split(None, 1) for line in shell.run("config").out.splitlines())
    assert shown == {
        "provider": "anthropic",
        "model": "claude-x",
        "max-tokens": "77",
        "verbose": "False",
        "instruction": "Be brief.",
    }
    shell.server.say(Script.body(reply("anthropic", ["Hello"])))
    assert shell.run("hi") == (0, "Hello\n", "")
    body = shell.sent()
    assert (body["model"], body["max_tokens"], body["system"]) == ("claude-x", 77, "Be brief.")
    shell.say("Hello")
    assert shell.run("-p", "openai", "--max-tokens", "5", "hi").code == 0
    assert shell.sent()["model"] != "claude-x", "the model is that of the provider of the settings"
    assert shell.sent()["max_tokens"] == 5
    shell.env["MSGMODEL_PROVIDER"] = "openai/gpt-4o"
    assert shell.run("hi").code == 0
    assert shell.sent()["model"] == "gpt-4o"


def test_aliases(shell: Shell) -> None:
    assert shell.run("config", "set", "alias.fast", "openai/gpt-4.1-mini").code == 0
    assert shell.run("config", "set", "alias.big one", "gpt-5").code == 0
    shell.say("Hello")
    for arguments in (("-m", "fast"), ("-p", "fast"), ("-p", "o", "-m", "fast"), ("-m", "big one")):
        assert shell.run(*arguments, "hi").out == "Hello\n"
    assert [request.json["model"] for request in shell.server.requests] == [*["gpt-4.1-mini"] * 3, "gpt-5"]
    shell.env["ANTHROPIC_API_KEY"] = KEY
    assert "leave out --provider a" in shell.run("-p", "a", "-m", "fast", "hi").err


def test_a_line_is_changed_and_the_comments_stay(shell: Shell) -> None:
    path = config_folder(shell) / "msgmodel.toml"
    path.parent.mkdir(parents=True)
    text = '# mine\nprovider = "openai"  # for work\n\n[aliases]\nfast = "o/a"\n\n[options]\n# short\nmax-tokens = 5\n'
    path.write_text(text)
    assert shell.run("config", "set", "max-tokens", "6").code == 0
    assert path.read_text() == text.replace("= 5", "= 6")
    assert shell.run("config", "set", "alias.slow", "o/b").code == 0
    assert shell.run("config", "set", "model", "gpt-4o").code == 0
    assert path.read_text() == text.replace("= 5", "= 6").replace("work\n", 'work\nmodel = "gpt-4o"\n').replace(
        '"o/a"\n', '"o/a"\nslow = "o/b"\n'
    )
    assert shell.run("config", "unset", "provider").code == 0
    assert "work" not in path.read_text()
    path.write_text('options = {max-tokens = 5}\nprovider = """\nopenai"""\n')
    done = shell.run("config", "set", "max-tokens", "6")
    assert (done.code, "edit the file" in done.err) == (exits.CONFIGURATION, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("provider = ", "is no valid TOML"),
        ("colour = 1", "there is no key 'colour'"),
        ("provider = 1", "provider must be a string"),
        ("[options]\nmax-token = 1", "[options] has 'max-token', which is no option"),
        ("[options]\napi-key = 'x'", "[options] has 'api-key', which is no option"),
        ("[aliases]\na = 1", "must be a table of strings"),
    ],
)
def test_wrong_settings_are_told(shell: Shell, text: str, words: str) -> None:
    path = config_folder(shell) / "msgmodel.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    done = shell.run("hi")
    assert (done.code, done.err.count("\n")) == (exits.CONFIGURATION, 1)
    assert words in done.err
    assert shell.server.requests == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("max-tokens", "many"), "max-tokens: 'many' is not a valid integer"),
        (("max-token", "5"), "did you mean max-tokens?"),
        (("api-key", KEY), "there is no setting 'api-key'"),
        (("provider", "nobody"), "there is no provider 'nobody'"),
        (("verbose", "perhaps"), "verbose is on or off"),
        (("reasoning", "much"), "reasoning: 'much' is not one of"),
    ],
)
def test_wrong_values_are_not_set(shell: Shell, arguments: tuple[str, ...], words: str) -> None:
    done = shell.run("config", "set", *arguments)
    assert (done.code, done.out) == (exits.CONFIGURATION, "")
    assert words in done.err
    assert not config_folder(shell).exists()


def test_an_alias_for_a_model_with_a_slash() -> None:
    settings = UserSettings(aliases={"llama": "meta/llama-3", "fast": "openai/gpt"})
    assert settings.resolve_alias("openrouter", "llama") == ("openrouter", "meta/llama-3")
    assert settings.resolve_alias(None, "llama") == (None, "meta/llama-3")
    assert settings.resolve_alias(None, "fast") == ("openai", "gpt")
    assert settings.resolve_alias("openai", "other") == ("openai", "other")
    with pytest.raises(ConfigurationError):
        settings.resolve_alias("anthropic", "fast")


# --- the log ---


def log_file(shell: Shell) -> Path:
    return shell.folder / "home" / ".local" / "share" / "msgmodel" / "logs.db"


def test_the_log_is_off_until_it_is_turned_on(shell: Shell) -> None:
    shell.say("The sea is salty.")
    assert shell.run("Why?").code == 0
    assert not log_file(shell).exists()
    assert "the log is off" in shell.run("logs").err
    assert shell.run("--log", "Why is the SEA salty?").code == 0
    assert shell.run("logs", "on").code == 0
    shell.say("Rivers bring minerals.", finish="length")
    assert shell.run("chat", stdin=f"How? My key is {KEY}\n".encode()).code == 0
    shell.server.say(refused())
    assert shell.run("Bad question").code == exits.PROVIDER
    assert shell.run("--no-log", "A secret").code == exits.PROVIDER
    assert shell.run("logs", "off").code == 0
    assert shell.run("Another secret").code == exits.PROVIDER
    assert mode(log_file(shell)) == 0o600
    assert KEY.encode() not in log_file(shell).read_bytes()
    found = json.loads(shell.run("logs", "--json").out)
    assert [(row["prompt"], row["content"], row["ending"]) for row in found] == [
        ("Bad question", "", "invalid_request"),
        ("How? My key is [key]", "Rivers bring minerals.", "truncated"),
        ("Why is the SEA salty?", "The sea is salty.", "complete"),
    ]
    assert "Unsupported value" in found[0]["error"]
    assert found[2]["output_tokens"] > 0


def test_the_log_is_searched_and_shown(shell: Shell) -> None:
    shell.say("Das Meer ist SALZIG, überall.")
    assert shell.run("--log", "Warum?").code == 0
    shell.say("Nein.")
    assert shell.run("--log", "Und die Seen?\nAlle?").code == 0
    listed = shell.run("logs").out.splitlines()
    assert listed[0].split()[:2] == ["no.", "asked"]
    assert listed[1].endswith("Und die Seen? Alle?"), "the latest first, on one line"
    for words in (("salzig", "MEER"), ("warum",), ("ÜBERALL",), ("-p", "openai", "salzig"), ("--since", "1h", "warum")):
        assert [row["prompt"] for row in json.loads(shell.run("logs", *words, "--json").out)] == ["Warum?"]
    assert "no reply in the log fits" in shell.run("logs", "warum", "nein").err
    assert "no reply in the log fits" in shell.run("logs", "--since", "2999-01-01").err
    assert shell.run("logs", "-p", "anthropic").out == ""
    assert "did you mean `msgmodel logs meer`?" in shell.run("logs", "search", "meer").err
    assert "did you mean `msgmodel logs`?" in shell.run("logs", "list").err
    assert shell.run("logs", "show").out == "Nein.\n"
    shown = shell.run("logs", "show", "1")
    assert shown.out == "Das Meer ist SALZIG, überall.\n"
    assert "> Warum?" in shown.err
    assert "ended: complete" in shown.err
    assert shell.run("logs", "show", "9").code == exits.CONFIGURATION
    assert shell.run("logs", "--since", "someday").code == exits.CONFIGURATION
    assert shell.run("logs", "path").out == f"{log_file(shell)}\n"
    assert shell.run("logs", "delete", stdin=b"y\n").code == 0
    assert not log_file(shell).exists()


def test_a_log_that_can_t_be_written_costs_no_reply(shell: Shell) -> None:
    log_file(shell).parent.mkdir(parents=True)
    log_file(shell).write_bytes(b"no database, but another file of the same name" * 99)
    shell.say("Hello")
    done = shell.run("--log", "hi")
    assert (done.code, done.out) == (0, "Hello\n")
    assert "the reply is not in the log: file is not a database" in done.err
    assert shell.run("logs").code == exits.CONFIGURATION


def test_a_conversation_has_one_id_in_the_log(shell: Shell) -> None:
    shell.say("Yes.")
    assert shell.run("--log", "One?").code == 0
    assert shell.run("-c", "--log", "Two?").code == 0
    assert shell.run("--log", "Three?").code == 0
    with sqlite3.connect(log_file(shell)) as log:
        ids = [row[0] for row in log.execute("SELECT conversation FROM replies ORDER BY id")]
    log.close()
    assert ids[0] == ids[1] != ids[2]


def test_one_folder_for_all(shell: Shell) -> None:
    shell.env["MSGMODEL_HOME"] = str(shell.folder / "mine")
    shell.say("Yes.")
    assert shell.run("config", "set", "model", "gpt-4o").code == 0
    assert shell.run("keys", "set", "openai", stdin=KEY.encode()).code == 0
    assert shell.run("--log", "One?").code == 0
    names = {path.name for path in (shell.folder / "mine").iterdir()}
    assert names == {"msgmodel.toml", "keys.json", "logs.db", "last-conversation.json"}


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_no_home_at_all(shell: Shell) -> None:
    del shell.env["HOME"], shell.env["XDG_STATE_HOME"]
    shell.say("Yes.")
    assert shell.run("hi").out == "Yes.\n"
