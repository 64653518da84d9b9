"""Attachments: how a type is found, what is refused before anything is sent, and that the file stays as it was."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest

import msgmodel
from conftest import KEY
from msgmodel import FileError, OpenAIConfig
from msgmodel.question.files import SIZE_LIMITS, read_attachment

HEADS = {
    "image/png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "image/jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF\0",
    "image/gif": b"GIF89a\x01\0\x01\0",
    "image/webp": b"RIFF\x24\0\0\0WEBPVP8 ",
    "image/heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "application/pdf": b"%PDF-1.7\n",
    "audio/wav": b"RIFF\x24\0\0\0WAVEfmt ",
    "audio/mpeg": b"ID3\x04\0\0\0\0\0\0",
    "audio/flac": b"fLaC\0\0\0\x22",
    "audio/ogg": b"OggS\0\x02\0\0",
    "video/mp4": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
}


@pytest.mark.parametrize("media_type", HEADS)
def test_type_from_the_content(media_type: str) -> None:
    assert read_attachment(HEADS[media_type] + bytes(64)).media_type == media_type


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("photo.JPG", "image/jpeg"),
        ("a/b/paper.pdf", "application/pdf"),
        ("sound.mp3", "audio/mpeg"),
        ("notes.md", "text/markdown"),
        ("data.json", "application/json"),
        ("Makefile", "text/plain"),
        ("main.rs", "text/plain"),
        ("picture.svg", "text/xml"),
    ],
)
def test_type_from_the_name(name: str, media_type: str) -> None:
    file = read_attachment(b"some text", name)
    assert (file.media_type, file.name) == (media_type, Path(name).name)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("naïve ☃".encode(), "naïve ☃"),
        ("\ufeffmarked".encode(), "marked"),
        ("wide ☃".encode("utf-16"), "wide ☃"),
        ("old café".encode("cp1252"), "old café"),
    ],
)
def test_text_of_any_kind(data: bytes, text: str) -> None:
    assert read_attachment(data, "a.txt").text == text
    assert read_attachment(data).text == text


class Unseekable(io.RawIOBase):
    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = b"" if getattr(self, "spent", False) else b"stream"
        self.spent = True
        buffer[: len(data)] = data
        return len(data)


def test_all_kinds_of_files(tmp_path: Path) -> None:
    path = tmp_path / "n.txt"
    path.write_bytes(b"on disk")
    assert read_attachment(path).text == "on disk"
    with path.open("rb") as opened:
        assert (read_attachment(opened).text, read_attachment(opened).name) == ("on disk", "n.txt")
    assert read_attachment(b"bytes").text == "bytes"
    assert read_attachment(bytearray(b"array")).text == "array"
    assert read_attachment(memoryview(b"view")).text == "view"
    assert read_attachment(io.BufferedReader(Unseekable())).text == "stream"


def test_the_position_is_restored_and_the_whole_content_sent() -> None:
    file = io.BytesIO(b"0123456789")
    file.seek(4)
    assert read_attachment(file).data == b"0123456789"
    assert file.tell() == 4


def refused(provider: str, data: Any, filename: str | None, words: str, **kwargs: Any) -> None:
    with pytest.raises(FileError, match=words):
        msgmodel.stream_panels(provider, "hi", KEY, None, data, filename, **kwargs)


def test_refused_at_the_call(tmp_path: Path) -> None:
    refused("openai", b"", "a.txt", "a.txt is empty")
    refused("openai", HEADS["image/heic"], "a.heic", r"openai does not take a.heic \(image/heic\): it takes images")
    refused("openai", b"\0\1\2", None, "of an unknown type")
    refused("openai", b"\0\1\2", "a.txt", "not the text that .txt promises")
    refused("openai", io.StringIO("text"), "a.txt", "binary mode")
    refused("openai", 5, None, "not int")
    refused("openai", tmp_path / "none.txt", None, "can't be read: No such file")
    refused("openai", None, "a.txt", "without file_like")
    refused("anthropic", HEADS["audio/wav"], "a.wav", "anthropic does not take")
    refused("anthropic", HEADS["image/png"] + bytes(8_000_000), "a.png", r"has 8.0 MB, too much for anthropic")
    refused("gemini", HEADS["image/gif"], "a.gif", "gemini does not take")
    refused("openai", HEADS["audio/wav"], "a.wav", "does not take", config=OpenAIConfig(api="responses"))


def test_a_closed_file_is_refused() -> None:
    file = io.BytesIO(b"x")
    file.close()
    refused("openai", file, "a.txt", "can't be read")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    refused("openai", tmp_path, None, "can't be read")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret.txt"
    path.write_text("x")
    path.chmod(0)
    refused("openai", path, None, "Permission denied")


def test_every_wire_says_what_it_takes() -> None:
    for limits in SIZE_LIMITS.values():
        assert "text" in limits.words
