"""Runs of tools in a conversation: the base class of `Conversation` that has `run` and `arun`.

It costs nothing to import: the shells are imported with the first run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

if TYPE_CHECKING:
    from ..question.files import FileLike
    from .run_options import AsyncRunSettings, SyncRunSettings
    from .run_streams import AsyncRunStream, RunStream


class ToolRuns:
    """What a conversation can do with tools that it runs itself."""

    _settings: dict[str, Any]

    def run(
        self,
        prompt: str = "",
        file_like: FileLike | None = None,
        filename: str | None = None,
        panel_id: str | None = None,
        **settings: Unpack[SyncRunSettings],
    ) -> RunStream:
        """Ask the next question with `msgmodel.run_tools`: the functions in `tools` run when the model calls them.

        The turns of all rounds are kept. The run takes the settings of the conversation, also its `tools`.
        """
        from .run_streams import RunStream

        question = {"prompt": prompt, "file_like": file_like, "filename": filename}
        return RunStream(self, question, panel_id, {**self._settings, **settings}, settings)

    def arun(
        self,
        prompt: str = "",
        file_like: FileLike | None = None,
        filename: str | None = None,
        panel_id: str | None = None,
        **settings: Unpack[AsyncRunSettings],
    ) -> AsyncRunStream:
        """Ask the next question with `msgmodel.arun_tools`. The turns of all rounds are kept."""
        from .run_streams import AsyncRunStream

        question = {"prompt": prompt, "file_like": file_like, "filename": filename}
        return AsyncRunStream(self, question, panel_id, {**self._settings, **settings}, settings)
