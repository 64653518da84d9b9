"""Reads attachments, finds their media types, and checks what each provider accepts before anything is sent.

Rule: a file is sent complete or the call fails; nothing is dropped, cut or replaced. The position of the caller's file
object is restored. Only a path that the caller passes is opened.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from types import MappingProxyType
from typing import IO, Any, Final, Protocol, TypeAlias, runtime_checkable

from ..errors import ConfigurationError, FileError, quoted
from .lenient_json import mend_surrogates
from .question import Attachment, FileLink, decode_base64

MB: Final = 1_000_000
DETAILS: Final = ("low", "high", "original")
"""How closely a model may look at an image: openai 3.57, `ImageURL.detail`. Its `auto` is the default."""


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
_SUFFIX_BY_TYPE: Final = {media_type: suffix for suffix, media_type in reversed([*_BY_SUFFIX.items()])}
_OTHER_NAMES: Final = {
    "image/jpg": "image/jpeg",
    "audio/mp3": "audio/mpeg",
    "audio/wave": "audio/wav",
    "audio/x-wav": "audio/wav",
    "image/svg+xml": "text/xml",
    "application/xml": "text/xml",
}
"""Media types by other names that are in use."""

_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_PDF: Final = "application/pdf"
_OFFICE: Final = frozenset(_BY_SUFFIX[suffix] for suffix in ("docx", "xlsx", "pptx", "odt", "ods", "odp"))


@dataclass(frozen=True, slots=True)
class InlineLimits:
    """What a wire accepts inline: the maximum bytes for each media type and for text, and the same in words."""

    types: Mapping[str, int]
    text: int
    words: str


# OpenAI: PDF up to about 50 MB; PNG, JPEG, WEBP and still GIF (https://platform.openai.com/docs/guides/pdf-files).
# Anthropic: 10 MB of base64 an image, 32 MB a request (https://platform.claude.com/docs/en/build-with-claude/vision).
# Gemini: PDF 50 MB, 100 MB a request in all (https://ai.google.dev/gemini-api/docs/document-processing).
SIZE_LIMITS: Final[Mapping[str, InlineLimits]] = MappingProxyType(
    {
        "openai_chat": InlineLimits(
            dict.fromkeys((*_IMAGES, _PDF, "audio/wav", "audio/mpeg"), 50 * MB),
            50 * MB,
            "images (PNG, JPEG, GIF, WEBP), PDF, audio (WAV, MP3) and text, up to 50 MB",
        ),
        "openai_responses": InlineLimits(
            dict.fromkeys((*_IMAGES, _PDF, *_OFFICE), 50 * MB),
            50 * MB,
            "images (PNG, JPEG, GIF, WEBP), PDF, Office documents and text, up to 50 MB",
        ),
        "anthropic": InlineLimits(
            dict.fromkeys(_IMAGES, 7_500_000) | {_PDF: 24 * MB},
            24 * MB,
            "images (PNG, JPEG, GIF, WEBP) up to 7.5 MB, PDF and text up to 24 MB",
        ),
        "gemini": InlineLimits(
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
        "local": InlineLimits({}, 10 * MB, "text only, up to 10 MB: the embedded model can't see or hear"),
    }
)


def read_attachment(
    file: FileLike | Attachment, filename: str | None = None, media_type: str | None = None
) -> Attachment:
    """Read an attachment.

    Args:
        file: An open binary file, bytes or a path; or an attachment that was read for another panel.
        filename: Its name, which tells its type. Default: the file's own name.
        media_type: Its type if its name does not tell it.

    Raises:
        FileError: The file can't be read, is empty, or is of an unknown type.
    """
    if isinstance(file, Attachment):
        return file
    data, own_name = _read_content(file)
    name = mend_surrogates(PurePath(filename or own_name or "file").name or "file")
    if not data:
        raise FileError(f"{name} is empty")
    suffix = _suffix_of(name)
    claimed, media_type = media_type, _BY_SUFFIX.get(suffix)
    if media_type is None:
        media_type = _sniff_media_type(data) if claimed is None else _correct_media_type(claimed, data)
        if claimed is not None and media_type in _SUFFIX_BY_TYPE:
            suffix = _SUFFIX_BY_TYPE[media_type]
            name += f".{suffix}"  # providers read the type of a file from its name too
    if media_type is None or media_type.startswith("text/") or media_type in _TEXT_LIKE:
        text = _decode_text(data)
        if text is None:
            kind = f"is not the text that .{suffix} promises" if media_type else "is of an unknown type"
            raise FileError(f"{name} {kind}: pass filename= with the right ending")
        return Attachment(name, media_type or "text/plain", data, text)
    return Attachment(name, media_type, data)


def read_attachments(
    file_like: FileLike | None, filename: str | None, files: Sequence[FileLike | tuple[str, FileLike]]
) -> tuple[Attachment, ...]:
    """Read `file_like` with its name, then `files`. Raise FileError for one that can't be read."""
    if filename is not None and file_like is None:
        raise FileError("filename was given without file_like: pass the file's content too")
    if not isinstance(files, Sequence) or isinstance(files, (str, bytes)):
        raise FileError(f"files must be a list of files, such as [Path('a.pdf')], not {type(files).__name__}")
    if any(isinstance(file, tuple) and len(file) != 2 for file in files):
        raise FileError("a tuple in files must be a name and a file")
    given: list[tuple[str | None, FileLike]] = [] if file_like is None else [(filename, file_like)]
    given += [file if isinstance(file, tuple) else (None, file) for file in files]
    return tuple(read_attachment(file, name) for name, file in given)


def check_attachment(file: Attachment, provider: str, limits: InlineLimits) -> None:
    """Raise FileError if the provider does not accept this file inline."""
    most = limits.text if file.text is not None else limits.types.get(file.media_type)
    if most is None:
        raise FileError(f"{provider} does not take {file.name} ({file.media_type}): it takes {limits.words}")
    if len(file.data) > most:
        size = f"{len(file.data) / MB:.1f} MB"
        raise FileError(f"{file.name} ({file.media_type}) has {size}, too much for {provider}: it takes {limits.words}")


def read_file_part(part: Mapping[str, Any]) -> Attachment | FileLink:
    """Read the `file` part of a message: its data, or the address from which the provider fetches it.

    Raises:
        ConfigurationError, FileError: The part is wrong, or the file is empty or of an unknown type.
    """
    name, media_type = part.get("name"), part.get("media_type")
    if not isinstance(name, str | None) or not isinstance(media_type, str | None):
        raise ConfigurationError("the name and the media_type of a file must be strings")
    if media_type is not None:
        media_type = media_type.partition(";")[0].strip().lower()
        media_type = _OTHER_NAMES.get(media_type, media_type) or None
    detail = part.get("detail")
    if detail not in (None, *DETAILS):
        raise ConfigurationError(f"detail must be {', '.join(DETAILS)}, not {quoted(detail)}")
    found = _read_content_of_part(part, name, media_type)
    return replace(found, detail=detail) if detail else found


def _read_content_of_part(part: Mapping[str, Any], name: str | None, media_type: str | None) -> Attachment | FileLink:
    if part.get("url") is not None:
        if part.get("data") is not None:
            raise ConfigurationError("a file has data or a url, not both")
        return _read_file_link(part["url"], name, media_type)
    data = part.get("data")
    if isinstance(data, str):
        try:
            data = decode_base64(data)
        except ValueError:
            data = None
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise ConfigurationError("the data of a file must be bytes, or their base64 text")
    return read_attachment(data, name, media_type)


def _read_file_link(url: Any, name: str | None, media_type: str | None) -> FileLink:
    if not isinstance(url, str) or not url.isprintable() or not url.lower().startswith(_FETCHED):
        raise ConfigurationError(f"the url of a file must begin with {' or '.join(_FETCHED)}: else pass its data")
    path = url.partition("#")[0].partition("?")[0]
    last = path.rstrip("/").rpartition("/")[2]
    media_type = _BY_SUFFIX.get(_suffix_of(name or last)) or _BY_SUFFIX.get(_suffix_of(last)) or media_type
    if media_type is None:
        raise ConfigurationError("the url of the file does not tell its type: pass media_type, such as 'image/png'")
    return FileLink(mend_surrogates(name or last or "file"), media_type, url)


_FETCHED = ("https://", "http://", "gs://")


def _read_content(file: Any) -> tuple[bytes, str | None]:
    if isinstance(file, (bytes, bytearray, memoryview)):
        return bytes(file), None
    try:
        if hasattr(file, "read_bytes"):
            return file.read_bytes(), str(file.name)
        if hasattr(file, "read"):
            name = getattr(file, "name", None)
            return _read_from_start(file), name if isinstance(name, str) else None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FileError(f"the file {getattr(file, 'name', '') or file!s} can't be read: {reason}") from None
    cure = f": use pathlib.Path({quoted(file)}), or bytes for its content" if isinstance(file, str) else ""
    raise FileError(f"file_like must be an open binary file, bytes or a pathlib.Path, not {type(file).__name__}{cure}")


def _read_from_start(file: IO[bytes]) -> bytes:
    """Read the complete content, whatever the position, and restore the position."""
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


def _suffix_of(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""


def _correct_media_type(claimed: str, data: bytes) -> str | None:
    """Return the type of the data if it is claimed to be an image: providers refuse one of another format."""
    if claimed.startswith("image/") or claimed not in _SUFFIX_BY_TYPE:
        found = _sniff_media_type(data)
        return found or (claimed if claimed in _SUFFIX_BY_TYPE else None)
    return claimed


def _sniff_media_type(data: bytes) -> str | None:
    import filetype  # imported late: it costs more than this module, and only a file without a telling name needs it

    kind: str | None = filetype.guess_mime(data)
    return kind and kind.replace("audio/x-", "audio/")


def _decode_text(data: bytes) -> str | None:
    """Decode UTF-8, UTF-16 with a byte order mark, or Windows-1252; return None if it is none of these."""
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
