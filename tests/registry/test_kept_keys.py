"""A key that the user keeps for all programs is the last of all places in which the library looks for one."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from conftest import KEY, Async, Sync
from msgmodel import AuthenticationError, query
from msgmodel.registry import environment, kept_keys
from msgmodel.registry.registry import PROVIDERS
from msgmodel.testing import ScriptedProvider

OTHER_KEY = "sk-in-the-environment"


def test_a_kept_key_is_used_last(
    scripted_provider: ScriptedProvider, colour: Sync | Async, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in scripted_provider.environment().items():
        if name.endswith("URL"):
            monkeypatch.setenv(name, value)
        elif name.endswith("_API_KEY"):
            monkeypatch.delenv(name, raising=False)
    assert kept_keys.keep_key("openai", KEY) == "file"
    scripted_provider.say("Hello", "Hello")
    assert colour.query("openai", "hi").text == "Hello"
    monkeypatch.setenv("OPENAI_API_KEY", OTHER_KEY)
    assert colour.query("openai", "hi").text == "Hello"
    sent = [request.headers["authorization"] for request in scripted_provider.requests]
    assert sent == [f"Bearer {KEY}", f"Bearer {OTHER_KEY}"]


def test_the_place_is_named_and_the_key_is_not() -> None:
    kept_keys.keep_key("openai", KEY)
    found = environment.find_key(PROVIDERS["openai"])
    assert found is not None
    assert (found.value, found.place) == (KEY, "msgmodel keys")
    assert KEY not in repr(found)
    with pytest.raises(AuthenticationError, match=r"the kept keys \(`msgmodel keys set anthropic`\)"):
        query("anthropic", "hi")


@pytest.mark.parametrize("text", ['{"openai": {"key": "KEY"}', '{"openai": "KEY"}', '["KEY"]', "\xff"])
def test_a_damaged_file_shows_no_key(text: str) -> None:
    path = kept_keys.kept_keys_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.replace("KEY", KEY).encode("latin-1"))
    with pytest.raises(AuthenticationError, match="is damaged") as caught:
        kept_keys.read_kept_key("openai")
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert KEY not in "".join(shown.format())


def test_a_folder_that_can_t_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "taken").write_text("")
    monkeypatch.setenv("MSGMODEL_HOME", str(tmp_path / "taken"))
    with pytest.raises(ValueError, match="can't be written"):
        kept_keys.keep_key("openai", KEY)
    assert kept_keys.read_kept_key("openai") == ""
