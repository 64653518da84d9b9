"""Decides which files of a question a provider can receive, and names the others in words. Pure.

Rule: a file of the question itself is sent or the call fails. A file of an earlier turn never makes a later call fail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ..errors import FileError
from .files import SIZE_LIMITS, check_attachment
from .question import Attachment, Dialect, FileLink, PastResult, QuestionTurn, TurnPart

_LINKED_TYPES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "openai_chat": ("image/",),
        "openai_responses": ("image/", "application/", "text/"),
        "anthropic": ("image/", "application/pdf"),
        "gemini": ("",),
    }
)
"""The types of files that the providers of a wire fetch from an address, by the begin of their names."""


_WIRES_WITH_DETAIL: Final = ("openai_chat", "openai_responses", "local")


def _check_link(link: FileLink, provider: str, wire: str) -> None:
    if not link.media_type.startswith(_LINKED_TYPES.get(wire, ())):
        raise FileError(
            f"{provider} does not fetch {link.name} ({link.media_type}) from its address: download it and pass its data"
        )


def _check_detail(file: Attachment | FileLink, provider: str, wire: str) -> None:
    """Raise FileError if the provider can't be told how closely to look. A past image is sent without the wish."""
    if file.detail and wire not in _WIRES_WITH_DETAIL:
        raise FileError(f"{provider} can't be told the detail of an image ({file.detail}): leave it out")


def fit_files(turns: Sequence[QuestionTurn], provider: str, wire: str, dialect: Dialect) -> tuple[QuestionTurn, ...]:
    """Return the turns with the files that this provider accepts.

    A file of an earlier turn stays in the conversation if another provider is asked, one that may not take it. It is
    then named in words, as is each file in the result of a tool, which the caller did not choose.

    Args:
        turns: The turns of the question.
        provider: The provider's name.
        wire: The name of its wire, or `local`.
        dialect: What the server accepts.

    Raises:
        FileError: The provider does not accept a file of the question itself.
    """
    result_types = _RESULT_TYPES.get(wire, ("image/",) if dialect.result_files_follow else ())

    def fit(part: TurnPart, is_past: bool) -> TurnPart:
        if isinstance(part, PastResult) and part.parts:
            return _fit_result(part, result_types, refusal)
        if isinstance(part, Attachment | FileLink) and not is_past:
            _check_detail(part, provider, wire)
        if isinstance(part, Attachment | FileLink) and (refused := refusal(part)) is not None:
            if not is_past:
                raise refused
            return describe_file(part)
        return part

    def refusal(file: Attachment | FileLink) -> FileError | None:
        try:
            if isinstance(file, Attachment):
                check_attachment(file, provider, SIZE_LIMITS[wire])
            else:
                _check_link(file, provider, wire if dialect.fetches_files else "")
        except FileError as error:
            return error
        return None

    return tuple(replace(turn, parts=tuple(fit(part, turn.is_past) for part in turn.parts)) for turn in turns)


_RESULT_TYPES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"openai_responses": ("image/", "application/"), "anthropic": ("image/", "application/pdf"), "gemini": ("",)}
)
"""The types of files that the wires take in the result of a tool; for other wires, see `Dialect`."""


def _fit_result(
    result: PastResult, types: tuple[str, ...], refusal: Callable[[Attachment | FileLink], FileError | None]
) -> PastResult:
    def fit(part: str | Attachment | FileLink) -> str | Attachment | FileLink:
        if isinstance(part, str):
            return part
        is_text = isinstance(part, Attachment) and part.text is not None
        fits = not is_text and part.media_type.startswith(types) and refusal(part) is None
        return part if fits else describe_file(part)

    parts = tuple(map(fit, result.parts))
    if all(isinstance(part, str) for part in parts):
        parts = ()
    return replace(result, parts=parts)


def describe_file(file: Attachment | FileLink) -> str:
    """Return the words for a file where it can't be sent: its text, or its name and type."""
    if isinstance(file, Attachment) and file.text is not None:
        return f"File {file.name}:\n\n{file.text}"
    return f"[The file {file.name} ({file.media_type}) can't be sent to this model.]"
