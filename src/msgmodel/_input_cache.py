"""What a caller passes to several panels, read once: files, messages and the format of `output=`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ._options import Options
from .errors import FileError
from .question import history
from .question.files import FileLike, read_attachments
from .question.lenient_json import loses_surrogates
from .question.question import Attachment

if TYPE_CHECKING:
    from .output.output_format import OutputFormat


class InputCache(history.MessageCache):
    """Reads each file and each list of messages once for all panels and fallbacks of a call.

    A pipe could not be read twice, and a long conversation would cost its length again for each provider.
    """

    def __init__(self) -> None:
        super().__init__()
        self._attached: dict[tuple[int, int, int], tuple[Attachment, ...]] = {}
        self._formats: dict[int, OutputFormat] = {}
        self._losses: dict[int, bool] = {}

    def attachments(
        self, file_like: FileLike | None, filename: str | None, files: Sequence[Any]
    ) -> tuple[Attachment, ...]:
        """Return the files of a call. Raise FileError if one can't be read."""
        key = id(file_like), id(filename), id(files)
        if key not in self._attached:
            self._attached[key] = read_all_attachments(file_like, filename, files)
            self._kept_alive += (file_like, filename, files)
        return self._attached[key]

    def loses_text(self, *values: object) -> bool:
        """Return whether half a surrogate pair in one of these texts and messages is replaced before it is sent."""
        for value in values:
            if id(value) not in self._losses:
                self._kept_alive.append(value)
                try:
                    self._losses[id(value)] = loses_surrogates(value)
                except RecursionError:  # the encoder refuses such a value
                    self._losses[id(value)] = False
        return any(self._losses[id(value)] for value in values)

    def output_format(self, options: Options) -> OutputFormat | None:
        """Return the format of `output=`; None without one. Raise ConfigurationError if it is none."""
        output = options.get("output")
        if output is None:
            return None
        from ._output_argument import read_output_format

        if id(output) not in self._formats:
            self._formats[id(output)] = read_output_format(output)
            self._kept_alive += (output,)
        return self._formats[id(output)]


def read_all_attachments(
    file_like: FileLike | None, filename: str | None, files: Sequence[Any]
) -> tuple[Attachment, ...]:
    """Return the files of a call: `file_like`, then `files`. A FileError names the file in `files` by its number."""
    attachments = [*read_attachments(file_like, filename, ())]
    if not isinstance(files, Sequence) or isinstance(files, (str, bytes)):
        raise FileError(f"files must be a list of files, such as [Path('a.pdf')], not {type(files).__name__}")
    for number, file in enumerate(files):
        try:
            attachments += read_attachments(None, None, [file])
        except FileError as error:
            raise FileError(f"files[{number}]: {error.message.removeprefix('file_like ')}") from None
    return tuple(attachments)
