"""Save the parts of a reply that are not text, or say what arrived.

Rule: no word of the provider reaches the file system. A name is made of our own words: the kind of the part, a number
and the ending of a known media type. A file is created anew, so nothing is overwritten and no link is followed.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ..errors import ConfigurationError
from ..events import PanelPart
from . import display, exits

FILE_ENDINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "image/png": ".png",
        "image/jpeg": ".jpg",
        "image/webp": ".webp",
        "image/gif": ".gif",
        "image/svg+xml": ".svg",
        "audio/wav": ".wav",
        "audio/mpeg": ".mp3",
        "audio/mp3": ".mp3",
        "audio/aac": ".aac",
        "audio/flac": ".flac",
        "audio/ogg": ".ogg",
        "audio/opus": ".opus",
        "audio/pcm": ".pcm",
        "audio/l16": ".pcm",
        "video/mp4": ".mp4",
        "video/webm": ".webm",
        "application/pdf": ".pdf",
        "application/json": ".json",
        "application/zip": ".zip",
        "text/plain": ".txt",
        "text/csv": ".csv",
        "text/markdown": ".md",
    }
)
"""The ending of a file by its media type. Anything else ends in `.bin`, so that no double click runs it."""


class ReceivedParts:
    """Takes the parts of the replies of one run of the command.

    Args:
        folder: where complete parts are saved, made if it does not exist; None to save none.

    Raises:
        ConfigurationError: the folder can't be made. It is made before the question is sent, which may cost money.
    """

    def __init__(self, folder: Path | None) -> None:
        self.exit_code = exits.OK
        """The exit code for a part that could not be saved."""
        self._folder = folder
        self._counts: dict[str, int] = {}
        self._previews: dict[str, PanelPart] = {}
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ConfigurationError(
                    f"--save-to {folder}: the folder can't be made: {error.strerror or error}"
                ) from None

    @property
    def are_saved(self) -> bool:
        """Whether there is a folder for them."""
        return self._folder is not None

    def receive(self, part: PanelPart) -> None:
        """Save a part, or print what arrived. A preview waits for the part that replaces it, see `close`."""
        if not part["complete"]:
            self._previews[part["id"]] = part
            return
        self._previews.pop(part["id"], None)
        what = describe_part(part)
        data = _base64_of(part)
        if data is None:
            display.print_note(f"{what}: {_place_of(part)}")
        elif self._folder is None:
            display.print_note(f"{what}: not shown here; to save it, add --save-to FOLDER")
        else:
            self._save(self._folder, part, data)

    def close(self) -> None:
        """Print which parts never became complete."""
        for part in self._previews.values():
            display.print_note(f"{describe_part(part)}: incomplete, not saved")
        self._previews.clear()

    def _save(self, folder: Path, part: PanelPart, data: str) -> None:
        what, kind = describe_part(part), part["kind"]
        try:
            content = base64.b64decode(data)
        except ValueError:
            display.print_error(f"{what}: not saved, because its data is not base64 text")
            self.exit_code = exits.FILE
            return
        ending = FILE_ENDINGS.get((part["media_type"] or "").partition(";")[0].strip().lower(), ".bin")
        while True:
            number = self._counts[kind] = self._counts.get(kind, 0) + 1
            path = folder / f"{kind}-{number}{ending}"
            try:
                _write_new_file(path, content)
            except FileExistsError:
                continue
            except OSError as error:  # the rest of the reply is shown all the same
                display.print_error(f"{what}: {path} can't be written: {error.strerror or error}")
                self.exit_code = exits.FILE
            else:
                display.print_note(f"{what}: saved as {path}")
            return


def _write_new_file(path: Path, content: bytes) -> None:
    file = path.open("xb")  # fails if the name exists, also as a link (POSIX, O_EXCL)
    try:
        with file:
            file.write(content)
    except OSError:
        path.unlink()
        raise


def describe_part(part: PanelPart) -> str:
    """Return the kind, the media type and the size of a part, such as "image (image/png, 12 kB)"."""
    size = part["size"]
    known = [part["media_type"] or "", "" if size is None else describe_size(size)]
    about = ", ".join(word for word in known if word)
    return f"{part['kind']} ({about})" if about else part["kind"]


def describe_size(size: int) -> str:
    """Return a number of bytes in the largest unit that keeps it at 1 or more."""
    if size < 1000:
        return f"{size} bytes"
    return f"{size / 1000:.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"


def _base64_of(part: PanelPart) -> str | None:
    """Return the data of a part, also if its address is a data: URL; None if only the provider has it."""
    if "data" in part:
        return part["data"]
    head, comma, data = part.get("url", "").partition(",")
    return data if comma and head[:5].lower() == "data:" and head.lower().endswith(";base64") else None


def _place_of(part: PanelPart) -> str:
    if "url" in part:
        return part["url"]
    return f"the provider keeps it as {part.get('file_id', 'a file without a name')}; fetch it with the provider's API"
