"""A scripted reply for any wire, with its faults. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from ..errors import ConfigurationError
from . import wires
from .errors import ERROR_STATUSES, error_body, error_event
from .server import Cut, Pause, Reset, Script, Send, Stall, Step
from .wires import ScriptedCall, ScriptedSource, Wire


def _json_of(value: Any) -> str:
    """Return the JSON text in which a provider sends a value of `output=`."""
    try:
        plain = msgspec.to_builtins(value, str_keys=True, enc_hook=lambda other: other.model_dump(mode="json"))
    except (AttributeError, TypeError, ValueError) as error:
        raise ConfigurationError(f"object can't be sent as JSON: {error}") from None
    if not isinstance(plain, dict):  # a provider takes a schema with an object at its root alone
        plain = {"items" if isinstance(plain, list) else "value": plain}
    return json.dumps(plain, ensure_ascii=False)


@dataclass(frozen=True)
class Reply:
    """A reply of a scripted provider. Without other arguments, the text arrives complete.

    Args:
        text: the text, sent word by word.
        pieces: the pieces to send instead of words; joined, they must be the text.
        speed: pieces a second; None sends them as fast as possible.
        refusal: the text of a refusal, instead of `text`.
        truncated: end at the token limit.
        paused: end with the provider's request to continue (Anthropic, Gemini).
        finish: another finish reason, in the wire's own word.
        reasoning: reasoning before the text.
        signature: signature of the reasoning, which the provider wants back.
        redacted: hidden reasoning (Anthropic), which the provider wants back.
        tool_calls: tool calls after the text.
        sources: citations of the text.
        usage: whether the reply counts its tokens.
        cut_after: end the body after so many pieces of the text.
        cut: how `cut_after` ends the body: cleanly, by a FIN in the middle, or by a reset.
        stall_after: stay silent after so many pieces.
        breaks_off_after: send an error event after so many pieces.
        error: HTTP status of an error response, instead of a reply.
        retry_after: seconds in the headers of the error response.
        object: the value of a typed reply, instead of `text`: an instance of the type in `output=`, a list of them, or
            plain JSON. Its text is the JSON that the provider is asked for, so a list comes as `{"items": [...]}`.

    Raises:
        ConfigurationError: no provider could send such a reply.
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
    object: Any = None

    def __post_init__(self) -> None:
        if self.object is not None:
            text = _json_of(self.object)
            if self.text not in ("", text):
                raise ConfigurationError("an object takes the place of text: pass one of them")
            super().__setattr__("text", text)
        endings = [name for name in ("refusal", "truncated", "paused", "finish") if getattr(self, name)]
        faults = [
            name
            for name in ("cut_after", "stall_after", "breaks_off_after", "error")
            if getattr(self, name) is not None
        ]
        for found in (endings, faults):
            if len(found) > 1:
                raise ConfigurationError(f"a reply can't have both {' and '.join(found)}")
        if self.refusal and self.text:
            raise ConfigurationError("a refusal takes the place of text: pass one of them")
        if self.pieces is not None and "".join(self.pieces) != self.text:
            raise ConfigurationError("the pieces joined must be the text")
        if self.speed is not None and self.speed <= 0:
            raise ConfigurationError("speed must be a number of pieces a second above 0")
        for name in ("cut_after", "stall_after", "breaks_off_after"):
            after = getattr(self, name)
            if after is not None and not 0 <= after <= len(self._split_text()):
                raise ConfigurationError(
                    f"{name} must be between 0 and the number of pieces, {len(self._split_text())}"
                )
        if self.error is not None and not any(self.error in statuses for statuses in ERROR_STATUSES.values()):
            raise ConfigurationError(f"no supported provider returns status {self.error}")

    def _split_text(self) -> list[str]:
        """Return the text in words, each with the white space before it."""
        return list(self.pieces) if self.pieces is not None else re.findall(r"\s*\S+\s*$|\s*\S+|\s+$", self.text)

    def script(self, wire: Wire, model: str | None = None) -> Script:
        """Return the bytes and faults on a wire.

        Args:
            wire: the wire of the request.
            model: the model that the reply names; None is the scripted one.

        Raises:
            ConfigurationError: this wire has no such ending or error.
        """
        if self.error is not None:
            return self._error_script(wire, self.error)
        pieces = [self.refusal] if self.refusal else self._split_text()
        found = self._make_events(wire, pieces, model)
        if self.cut_after is None and self.stall_after is None and self.breaks_off_after is None:
            return Script(steps=self._timed_steps(found, len(found)))
        # The events before the text are those that stay the same when the text changes.
        marked = self._make_events(wire, [piece + "." for piece in pieces] or ["."], model)
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
        steps = self._timed_steps(found, lead + after)
        if isinstance(last, Reset):
            steps = (*steps, Pause(0.05))  # the client must read the data first: a reset discards what is unread
        return Script(steps=steps if last is None else (*steps, last))

    def _make_events(self, wire: Wire, pieces: list[str], model: str | None) -> list[bytes]:
        return wires.events(
            wire,
            [] if self.refusal and wire in ("anthropic", "gemini") else pieces,
            finish=self._finish_reason(wire),
            usage=self.usage,
            reasoning=re.findall(r"\s*\S+", self.reasoning) if self.reasoning.strip() else (),
            signature=self.signature,
            redacted=self.redacted,
            tool_calls=self.tool_calls,
            sources=self.sources,
            model=model,
        )

    def _finish_reason(self, wire: Wire) -> str | None:
        if self.refusal:
            return wires.REFUSED_FINISH[wire]
        if self.truncated:
            return wires.TRUNCATED_FINISH[wire]
        if self.paused and wire not in wires.PAUSED_FINISH:
            raise ConfigurationError(f"{wire} has no pause: only {' and '.join(wires.PAUSED_FINISH)} do")
        return wires.PAUSED_FINISH[wire] if self.paused else self.finish

    def _timed_steps(self, found: list[bytes], count: int) -> tuple[Step, ...]:
        steps: list[Step] = []
        for event in found[:count]:
            if self.speed is not None and steps:
                steps.append(Pause(1 / self.speed))
            steps.append(Send(event))
        return tuple(steps)

    def _error_script(self, wire: Wire, status: int) -> Script:
        if status not in ERROR_STATUSES[wire]:
            raise ConfigurationError(f"{wire} does not return status {status}")
        headers, body = error_body(wire, status)
        if self.retry_after is not None:
            headers = headers | {
                "retry-after": f"{self.retry_after:g}",
                "retry-after-ms": f"{self.retry_after * 1000:g}",
            }
        return Script.json(status, body, headers)
