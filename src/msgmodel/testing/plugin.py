"""The pytest fixture `scripted_provider`. pytest loads this module through its entry point; do not import it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .provider import ScriptedProvider


@pytest.fixture
def scripted_provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedProvider]:
    """A scripted provider in place of all real ones: the application under test needs no change."""
    from .provider import ScriptedProvider  # here, as pytest loads this module in every run, used or not

    with ScriptedProvider() as provider:
        for name, value in provider.environment().items():
            monkeypatch.setenv(name, value)
        yield provider
