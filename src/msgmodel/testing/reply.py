"""A reply to be said, whatever the wire, and the ways in which it may go wrong. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..errors import ConfigurationError
from . import wires
from .errors import ERROR_STATUSES, error_body, error_event
from .server import Cut, Pause, Reset, Script, Send, Stall, Step
from .wires import ScriptedCall, ScriptedSource, Wire


@dataclass(frozen=True)
class Reply:
    """What a scripted provider answers. A plain text is a reply that comes whole.

    text: cut into words, unless `pieces` says otherwise. speed: pieces a second; None is as fast as they go.
    refusal: said instead of text. truncated: a limit was hit. paused: the provider wants to be asked to go on
    (Anthropic, Gemini). finish: the wire's own finish reason, for others. reasoning, signature, redacted: what goes
    before the text, and what the provider wants back with it. usage: whether tokens are counted.

    Faults, each after so many pieces of the text: `cut_after` (the body ends there: `cut` says whether cleanly, by a
    FIN in the middle or by a reset), `stall_after` (silence), `breaks_off_after` (an error event). error: the HTTP
    status of a refusal, with `retry_after` in seconds.

    Raises ConfigurationError for what no provider could say.
    """

    text: str = ""
    pieces: Sequence[str] | None = None
    speed: float | None = None
    refusal: str = ""
    truncated: bool = False
    paused: bool = False
    finish: str | None = None
    reasoning: str = ""
    signature: str = ""
    redacted: str = ""
    tool_calls: Sequence[ScriptedCall] = ()
    sources: Sequence[ScriptedSource] = ()
    usage: bool = True
    cut_after: int | None = None
    cut: Literal["clean", "fin", "reset"] = "clean"
    stall_after: int | None = None
    breaks_off_after: int | None = None
    error: int | None = None
    retry_after: float | None = None

    def __post_init__(self) -> None:
        endings = [name for name in ("refusal", "truncated", "paused", "finish") if getattr(self, name)]
        faults = [
            name
            for name in ("cut_after", "stall_after", "breaks_off_after", "error")
            if getattr(self, name) is not None
        ]
        for found in (endings, faults):
            if len(found) > 1:
                raise ConfigurationError(f"a reply can't be both: {' and '.join(found)}")
        if self.refusal and self.text:
            raise ConfigurationError("a refusal is said instead of text")
        if self.pieces is not None and "".join(self.pieces) != self.text:
            raise ConfigurationError("the pieces joined must be the text")
        if self.speed is not None and self.speed <= 0:
            raise ConfigurationError("speed must be a number of pieces a second above 0")
        for name in ("cut_after", "stall_after", "breaks_off_after"):
            after = getattr(self, name)
            if after is not None and not 0 <= after <= len(self._cut_up()):
                raise ConfigurationError(f"{name} must be between 0 and the number of pieces, {len(self._cut_up())}")
        if self.error is not None and not any(self.error in statuses for statuses in ERROR_STATUSES.values()):
            raise ConfigurationError(f"no provider says the status {self.error}")

    def _cut_up(self) -> list[str]:
        """The text in words, each with the white space before it."""
        return list(self.pieces) if self.pieces is not None else re.findall(r"\s*\S+\s*$|\s*\S+|\s+$", self.text)

    def script(self, wire: Wire, model: str | None = None) -> Script:
        """What goes on the wire. `model` says to answer. Raises ConfigurationError for what this wire can't say."""
        if self.error is not None:
            return self._refused(wire, self.error)
        said = [self.refusal] if self.refusal else self._cut_up()
        found = self._events(wire, said, model)
        if self.cut_after is None and self.stall_after is None and self.breaks_off_after is None:
            return Script(steps=self._steps(found, len(found)))
        # The events before the text are those that do not change with it.
        marked = self._events(wire, [piece + "." for piece in said] or ["."], model)
        lead = next(
            number for number, pair in enumerate(zip([*found, b""], marked, strict=False)) if pair[0] != pair[1]
        )
        if self.cut_after is not None:
            last: Step | None = {"clean": None, "fin": Cut(), "reset": Reset()}[self.cut]
            after = self.cut_after
        elif self.stall_after is not None:
            last, after = Stall(), self.stall_after
        else:
            assert self.breaks_off_after is not None
            last, after = Send(error_event(wire)), self.breaks_off_after
        steps = self._steps(found, lead + after)
        if isinstance(last, Reset):
            steps = (*steps, Pause(0.05))  # so that what was sent is read before the reset overtakes it
        return Script(steps=steps if last is None else (*steps, last))

    def _events(self, wire: Wire, said: list[str], model: str | None) -> list[bytes]:
        return wires.events(
            wire,
            [] if self.refusal and wire in ("anthropic", "gemini") else said,
            finish=self._finish(wire),
            usage=self.usage,
            reasoning=re.findall(r"\s*\S+", self.reasoning) if self.reasoning.strip() else (),
            signature=self.signature,
            redacted=self.redacted,
            tool_calls=self.tool_calls,
            sources=self.sources,
            model=model,
        )

    def _finish(self, wire: Wire) -> str | None:
        if self.refusal:
            return wires.REFUSED_FINISH[wire]
        if self.truncated:
            return wires.TRUNCATED_FINISH[wire]
        if self.paused and wire not in wires.PAUSED_FINISH:
            raise ConfigurationError(f"{wire} knows no pause: only {' and '.join(wires.PAUSED_FINISH)} do")
        return wires.PAUSED_FINISH[wire] if self.paused else self.finish

    def _steps(self, found: list[bytes], count: int) -> tuple[Step, ...]:
        steps: list[Step] = []
        for event in found[:count]:
            if self.speed is not None and steps:
                steps.append(Pause(1 / self.speed))
            steps.append(Send(event))
        return tuple(steps)

    def _refused(self, wire: Wire, status: int) -> Script:
        if status not in ERROR_STATUSES[wire]:
            raise ConfigurationError(f"{wire} does not say the status {status}")
        headers, body = error_body(wire, status)
        if self.retry_after is not None:
            headers = headers | {
                "retry-after": f"{self.retry_after:g}",
                "retry-after-ms": f"{self.retry_after * 1000:g}",
            }
        return Script.json(status, body, headers)
