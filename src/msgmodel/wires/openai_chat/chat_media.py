"""Read what a reply of Chat Completions holds beside text: images, audio, documents. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ...messages import MediaKind
from ...question.lenient_json import as_mapping, as_text
from ...question.question import Question, without_none
from ..base64_pieces import Base64Pieces
from ..deltas import Delta, MediaPiece, MediaReceived
from ..tool_call_fragments import as_list

_DATA_URL = re.compile(r"data:([^;,]*)(?:;[^,;]*)*?;base64,", re.IGNORECASE)
_AUDIO_TYPES = {"mp3": "audio/mpeg", "pcm16": "audio/pcm"}
_KINDS: Mapping[str, MediaKind] = {"image": "image", "audio": "audio", "video": "video"}


class ChatMediaReader:
    """Reads the parts of one reply that are not text, each once: servers repeat them."""

    def __init__(self, question: Question) -> None:
        audio_format = as_text(as_mapping(question.config.body.get("audio")).get("format"))
        self._audio_type = _AUDIO_TYPES.get(audio_format, f"audio/{audio_format}") if audio_format else None
        self._seen: set[int] = set()
        self._count = 0
        self._audio: dict[str, Any] = {}
        self._audio_data = Base64Pieces()

    def read_audio(self, audio: dict[str, Any]) -> Iterator[Delta]:
        """Yield a piece of the spoken reply; its last one has the time until which it can be referred to.

        https://platform.openai.com/docs/guides/audio: the next request has the id in the place of the words.
        """
        self._audio |= {name: audio[name] for name in ("id", "expires_at") if audio.get(name)}
        data, text = self._audio_data.add(as_text(audio.get("data"))), as_text(audio.get("transcript"))
        is_last = bool(audio.get("expires_at"))
        if is_last:
            data += self._audio_data.take_rest()
        if data or text:
            yield MediaPiece("audio", "audio", self._audio_type, data, text)
        if is_last:
            opaque = without_none(audio=self._audio) if self._audio.get("id") else None
            self._audio = {}
            yield MediaReceived("audio", "audio", self._audio_type, opaque=opaque)

    def read_images(self, images: object) -> Iterator[Delta]:
        """Yield the pictures of a list: those that the model made, or that a search found (Perplexity)."""
        for image in as_list(images):
            yield from self.read_part({"image_url": image} if isinstance(image, str) else as_mapping(image))

    def read_part(self, part: dict[str, Any]) -> Iterator[Delta]:
        """Yield the image, the document, the audio or the file that a part of the content is."""
        name = as_text(part.get("title")) or as_text(part.get("document_name"))
        if part.get("image_url") or part.get("url"):
            yield from self._read_address("image", part.get("image_url") or part.get("url"), name)
        elif part.get("b64_json"):
            yield from self._new_part("image", None, data=as_text(part["b64_json"]))
        elif part.get("document_url"):
            yield from self._read_address("document", part["document_url"], name)
        elif part.get("video_url"):
            yield from self._read_address("video", part["video_url"], name)
        elif isinstance(audio := part.get("input_audio") or part.get("audio"), dict):
            form = as_text(audio.get("format"))
            media_type = _AUDIO_TYPES.get(form, f"audio/{form}") if form else None
            yield from self._new_part("audio", media_type, data=as_text(audio.get("data")))
        else:
            file = as_mapping(part.get("file")) or part  # Mistral's `tool_file` has the fields beside its type
            yield from self._read_address(
                "file",
                file.get("file_data"),
                as_text(file.get("filename")) or as_text(file.get("file_name")),
                as_text(file.get("file_id")),
            )

    def _read_address(self, kind: MediaKind, address: object, name: str, file_id: str = "") -> Iterator[Delta]:
        """Yield a part by its address, which may hold the data itself."""
        url = as_text(as_mapping(address).get("url")) or as_text(address)
        found = _DATA_URL.match(url)
        if found is None:
            yield from self._new_part(kind, None, url=url, name=name, file_id=file_id)
            return
        media_type = found[1] or None
        if kind == "file":
            kind = _KINDS.get((media_type or "").partition("/")[0], "file")
        yield from self._new_part(kind, media_type, data=url[found.end() :], name=name)

    def _new_part(
        self,
        kind: MediaKind,
        media_type: str | None,
        *,
        data: str = "",
        url: str = "",
        file_id: str = "",
        name: str = "",
    ) -> Iterator[Delta]:
        mark = hash((kind, data, url, file_id))
        if mark not in self._seen and (data or url or file_id):
            self._seen.add(mark)
            self._count += 1
            yield MediaReceived(f"part{self._count}", kind, media_type, data, url, file_id, name)
