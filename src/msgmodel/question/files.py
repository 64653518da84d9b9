"""Attachments: bytes and a name to a media type, and what each provider takes, checked before anything is sent.

Rule: a file goes whole or the call fails; nothing is dropped, cut or replaced. `read` moves the caller's file object
back to where it was. No path is opened but one that the caller hands in.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from types import MappingProxyType
from typing import IO, Any, Final, Protocol, TypeAlias, runtime_checkable

from ..errors import FileError
from .question import Attachment

MB: Final = 1_000_000


@runtime_checkable
class _PathLike(Protocol):
    @property
    def name(self) -> str: ...

    def read_bytes(self) -> bytes: ...


FileLike: TypeAlias = IO[bytes] | bytes | bytearray | memoryview | _PathLike
"""An open binary file (`io.BytesIO` or any other), bytes, or a `pathlib.Path`."""

_BY_SUFFIX: Final[Mapping[str, str]] = MappingProxyType(
    {
        "png": "image/png",
        "jpg": "image/jpeg",
        "jpeg": "image/jpeg",
        "jpe": "image/jpeg",
        "jfif": "image/jpeg",
        "gif": "image/gif",
        "webp": "image/webp",
        "heic": "image/heic",
        "heif": "image/heif",
        "bmp": "image/bmp",
        "tif": "image/tiff",
        "tiff": "image/tiff",
        "avif": "image/avif",
        "pdf": "application/pdf",
        "wav": "audio/wav",
        "mp3": "audio/mpeg",
        "aif": "audio/aiff",
        "aiff": "audio/aiff",
        "aac": "audio/aac",
        "ogg": "audio/ogg",
        "oga": "audio/ogg",
        "opus": "audio/ogg",
        "flac": "audio/flac",
        "m4a": "audio/mp4",
        "mp4": "video/mp4",
        "mpeg": "video/mpeg",
        "mpg": "video/mpeg",
        "mov": "video/quicktime",
        "avi": "video/x-msvideo",
        "webm": "video/webm",
        "wmv": "video/x-ms-wmv",
        "3gp": "video/3gpp",
        "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "odt": "application/vnd.oasis.opendocument.text",
        "ods": "application/vnd.oasis.opendocument.spreadsheet",
        "odp": "application/vnd.oasis.opendocument.presentation",
        "zip": "application/zip",
        "gz": "application/gzip",
        "tar": "application/x-tar",
        "7z": "application/x-7z-compressed",
        "exe": "application/x-msdownload",
        "doc": "application/msword",
        "xls": "application/vnd.ms-excel",
        "ppt": "application/vnd.ms-powerpoint",
        "txt": "text/plain",
        "md": "text/markdown",
        "markdown": "text/markdown",
        "csv": "text/csv",
        "tsv": "text/tab-separated-values",
        "htm": "text/html",
        "html": "text/html",
        "css": "text/css",
        "xml": "text/xml",
        "svg": "text/xml",
        "json": "application/json",
        "rtf": "text/rtf",
        "ics": "text/calendar",
        "vcf": "text/vcard",
        "py": "text/x-python",
        "js": "text/javascript",
        "mjs": "text/javascript",
    }
)
_TEXT_LIKE: Final = frozenset({"application/json"})

_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_PDF: Final = "application/pdf"
_OFFICE: Final = frozenset(_BY_SUFFIX[suffix] for suffix in ("docx", "xlsx", "pptx", "odt", "ods", "odp"))


@dataclass(frozen=True, slots=True)
class Limits:
    """What a wire takes inline: media types to the bytes that one such file may have, and how to say so."""

    types: Mapping[str, int]
    text: int
    words: str


# OpenAI: PDF up to about 50 MB; PNG, JPEG, WEBP and still GIF (https://platform.openai.com/docs/guides/pdf-files).
# Anthropic: 10 MB of base64 an image, 32 MB a request (https://platform.claude.com/docs/en/build-with-claude/vision).
# Gemini: PDF 50 MB, 100 MB a request in all (https://ai.google.dev/gemini-api/docs/document-processing).
SIZE_LIMITS: Final[Mapping[str, Limits]] = MappingProxyType(
    {
        "openai_chat": Limits(
            dict.fromkeys((*_IMAGES, _PDF, "audio/wav", "audio/mpeg"), 50 * MB),
            50 * MB,
            "images (PNG, JPEG, GIF, WEBP), PDF, audio (WAV, MP3) and text, up to 50 MB",
        ),
        "openai_responses": Limits(
            dict.fromkeys((*_IMAGES, _PDF, *_OFFICE), 50 * MB),
            50 * MB,
            "images (PNG, JPEG, GIF, WEBP), PDF, Office documents and text, up to 50 MB",
        ),
        "anthropic": Limits(
            dict.fromkeys(_IMAGES, 7_500_000) | {_PDF: 24 * MB},
            24 * MB,
            "images (PNG, JPEG, GIF, WEBP) up to 7.5 MB, PDF and text up to 24 MB",
        ),
        "gemini": Limits(
            dict.fromkeys(
                (
                    *("image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"),
                    *("audio/wav", "audio/mpeg", "audio/aiff", "audio/aac", "audio/ogg", "audio/flac"),
                    *("video/mp4", "video/mpeg", "video/quicktime", "video/x-msvideo", "video/webm"),
                    *("video/x-ms-wmv", "video/3gpp"),
                    *_OFFICE,
                ),
                70 * MB,
            )
            | {_PDF: 50 * MB},
            70 * MB,
            "images (PNG, JPEG, WEBP, HEIC, HEIF), audio (WAV, MP3, AIFF, AAC, OGG, FLAC), video, Office documents "
            "and text up to 70 MB, PDF up to 50 MB",
        ),
        "local": Limits({}, 10 * MB, "text only: the embedded model can't see or hear"),
    }
)


def read(file: FileLike | Attachment, filename: str | None = None) -> Attachment:
    """The attachment as data. Raises FileError for what can't be read, is empty, or whose type nobody can tell."""
    if isinstance(file, Attachment):  # it was read for another who is asked the same
        return file
    data, own_name = _bytes(file)
    name = PurePath(filename or own_name or "file").name or "file"
    if not data:
        raise FileError(f"{name} is empty")
    suffix = name.rpartition(".")[2].lower() if "." in name else ""
    media_type = _BY_SUFFIX.get(suffix) or _sniffed(data)
    if media_type is None or media_type.startswith("text/") or media_type in _TEXT_LIKE:
        text = _decoded(data)
        if text is None:
            kind = f"is not the text that .{suffix} promises" if media_type else "is of a type that can't be told"
            raise FileError(f"{name} {kind}: give it a filename= with the right ending")
        return Attachment(name, media_type or "text/plain", data, text)
    return Attachment(name, media_type, data)


def read_attachments(
    file_like: FileLike | None, filename: str | None, files: Sequence[FileLike | tuple[str, FileLike]]
) -> tuple[Attachment, ...]:
    """`file_like` with its name, then `files`. Raises FileError."""
    if filename is not None and file_like is None:
        raise FileError("filename was given without file_like: pass the file's content too")
    if not isinstance(files, Sequence) or isinstance(files, (str, bytes)):
        raise FileError(f"files must be a list of files, not {type(files).__name__}")
    if any(isinstance(file, tuple) and len(file) != 2 for file in files):
        raise FileError("a tuple in files must be a name and a file")
    given: list[tuple[str | None, FileLike]] = [] if file_like is None else [(filename, file_like)]
    given += [file if isinstance(file, tuple) else (None, file) for file in files]
    return tuple(read(file, name) for name, file in given)


def check_attachment(file: Attachment, provider: str, limits: Limits) -> None:
    """Raises FileError when the provider does not take this file inline."""
    most = limits.text if file.text is not None else limits.types.get(file.media_type)
    if most is None:
        raise FileError(f"{provider} does not take {file.name} ({file.media_type}): it takes {limits.words}")
    if len(file.data) > most:
        size = f"{len(file.data) / MB:.1f} MB"
        raise FileError(f"{file.name} ({file.media_type}) has {size}, too much for {provider}: it takes {limits.words}")


def _bytes(file: Any) -> tuple[bytes, str | None]:
    if isinstance(file, (bytes, bytearray, memoryview)):
        return bytes(file), None
    try:
        if hasattr(file, "read_bytes"):
            return file.read_bytes(), str(file.name)
        if hasattr(file, "read"):
            name = getattr(file, "name", None)
            return _rewound(file), name if isinstance(name, str) else None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FileError(f"the file {getattr(file, 'name', '') or file!s} can't be read: {reason}") from None
    raise FileError(f"file_like must be an open binary file, bytes or a pathlib.Path, not {type(file).__name__}")


def _rewound(file: IO[bytes]) -> bytes:
    """The whole content, whatever the position; the position is left as it was."""
    seekable = file.seekable() if hasattr(file, "seekable") else False
    position = file.tell() if seekable else 0
    if seekable:
        file.seek(0)
    try:
        data = file.read()
    finally:
        if seekable:
            file.seek(position)
    if not isinstance(data, bytes):
        raise FileError("file_like must be open in binary mode ('rb')")
    return data


def _sniffed(data: bytes) -> str | None:
    import filetype  # imported when a file has no telling name: it costs more than the rest of this module

    kind: str | None = filetype.guess_mime(data)
    return kind and kind.replace("audio/x-", "audio/")


def _decoded(data: bytes) -> str | None:
    """The text in UTF-8, in UTF-16 with its mark, or in Windows-1252; None where it is none of these."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings: tuple[str, ...] = ("utf-16",)
    elif b"\0" in data:
        return None
    else:
        encodings = ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            pass
    return None
