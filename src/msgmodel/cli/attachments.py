"""Read the attachments that a command line names: files, patterns of names, web addresses, standard input.

Rule: what is named is attached, or the command fails before anything is sent. The file of an address is fetched here,
because many providers fetch nothing.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from ..errors import ConfigurationError, FileError
from .prompt import STDIN, decode_stdin, read_stdin

AttachedFile: TypeAlias = Path | tuple[str, bytes]

_ADDRESS_BEGINNINGS: Final = ("https://", "http://")
_FETCH_SECONDS: Final = 60.0
_MAX_FETCHED_BYTES: Final = 100_000_000
"""More than any provider takes in one request."""


def read_attachments(names: Sequence[str]) -> list[AttachedFile]:
    """Return the attachments of a command line.

    Args:
        names: The values of `--file`: a path, a pattern such as `*.py` or `src/**/*.py`, an address, or `-`.

    Raises:
        FileError: A pattern fits no file, or an address can't be fetched.
        ConfigurationError: Standard input is a terminal.
    """
    return [file for name in names for file in _read_name(name)]


def describe_attachment(file: AttachedFile) -> str:
    """Return the name of an attachment."""
    return file.name if isinstance(file, Path) else file[0]


def _read_name(name: str) -> Iterator[AttachedFile]:
    if name == STDIN:
        yield _read_stdin_as_file()
    elif name.lower().startswith(_ADDRESS_BEGINNINGS):
        yield _fetch_file(name)
    else:
        yield from _find_files(name)


def _find_files(name: str) -> Iterator[Path]:
    path = Path(name).expanduser()
    if glob.has_magic(name) and not path.exists():
        found = sorted(Path(each) for each in glob.glob(str(path), recursive=True))
        files = [each for each in found if each.is_file()]
        if not files:
            raise FileError(f"--file {name}: no file has such a name")
        yield from files
    else:
        yield path  # whether it can be read, the call says


def _read_stdin_as_file() -> tuple[str, bytes]:
    """Return standard input, named `stdin.txt` if it is text."""
    data = read_stdin("a file")
    try:
        decode_stdin(data)
    except ConfigurationError:
        return "stdin", data
    return "stdin.txt", data


def _fetch_file(address: str) -> tuple[str, bytes]:
    """Return the name and the content of the file at a web address."""
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.parse import unquote, urlsplit
    from urllib.request import Request, urlopen

    parts = urlsplit(address)
    shown = f"{parts.scheme}://{parts.hostname or ''}{parts.path}"  # not the query, which may hold a key
    try:
        request = Request(address, headers={"User-Agent": "msgmodel"})  # noqa: S310 (http and https alone)
        with urlopen(request, timeout=_FETCH_SECONDS) as response:  # noqa: S310
            data = response.read(_MAX_FETCHED_BYTES + 1)
            media_type = response.headers.get_content_type()
            stated_name = response.headers.get_filename() or ""
            path = urlsplit(response.url).path
    except HTTPError as error:
        raise FileError(f"{shown} can't be fetched: HTTP {error.code}") from None
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
        raise FileError(f"{shown} can't be fetched: {reason}") from None
    if len(data) > _MAX_FETCHED_BYTES:
        raise FileError(f"{shown} has more than {_MAX_FETCHED_BYTES // 1_000_000} MB")
    name = Path(stated_name).name or unquote(path.rstrip("/").rpartition("/")[2]) or parts.hostname or "file"
    return _name_with_ending(name, media_type), data


def _name_with_ending(name: str, media_type: str) -> str:
    """Return a name whose ending tells the type, as the server states it if the name tells none."""
    import mimetypes

    if mimetypes.guess_type(name)[0] is not None:
        return name
    return name + (mimetypes.guess_extension(media_type) or "")
