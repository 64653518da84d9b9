"""What each stream of the soak says, what goes wrong with it, and what its reader does: by its number alone.

So the provider and the readers, which are two processes, know the same text without a word between them, and a reader
can tell to the letter what it must have, whatever the server in the middle says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import takewhile
from random import Random

from msgmodel.testing import Cut, Flood, Pause, Repeat, Reply, Reset, Script, Send, Stall
from msgmodel.testing.server import Step
from msgmodel.testing.wires import Wire

ASKED: dict[Wire, tuple[str, str]] = {
    "openai_chat": ("openai", "gpt-6-luna"),
    "openai_responses": ("openai", "gpt-5-pro"),
    "anthropic": ("anthropic", "claude-haiku-5-5"),
    "gemini": ("gemini", "gemini-3.5-flash-lite"),
}
"""The provider and the model that are asked over each wire."""

FAULTY = 0.2
FAULTS = (
    "clean cut",
    "cut in a chunk",
    "reset",
    "stall",
    "only pings",
    "error event",
    "429 once",
    "lost once",
    "500",
    "broken JSON",
    "slow drip",
    "endless text",
    "endless arguments",
    "endless 1xx",
)
FLOOD_WORDS = "again " * 50
FLOOD_1XX = b"HTTP/1.1 100 Continue\r\n\r\n" * 100
REPLY_BYTES = 64 * 1024
"""What a reply may take in the soak, so that endless ones end soon."""
CODES = {
    "clean cut": "interrupted",
    "cut in a chunk": "interrupted",
    "reset": "interrupted",
    "stall": "timeout",
    "only pings": "timeout",
    "500": "server",
    "broken JSON": "protocol",
    "endless text": "reply_too_large",
    "endless arguments": "reply_too_large",
    "endless 1xx": "network",
}
"""How a panel with this fault must end; those that are in neither table recover from theirs."""
ERROR_EVENTS = {
    "openai_chat": "server",
    "openai_responses": "server",
    "anthropic": "overloaded",
    "gemini": "overloaded",
}
BROKEN = "error event", *CODES
AGAIN = {"429 once": 2, "lost once": 2, "500": 3, "endless 1xx": 3}
"""How often the provider is asked: the server tries twice more where that can help."""

BEHAVIOURS = {
    "stays": 44,
    "comes back": 20,
    "leaves": 8,
    "stops": 9,
    "repeats": 9,
    "is silent": 3,
    "is slow": 4,
    "vanishes": 3,
}
"""Of the readers, in shares of a hundred."""

IDLE_SECONDS = 4.0
"""Of silence until a panel ends as `timeout`."""
PIECES_A_SECOND = 5.0
WORDS = (
    "sea ",
    "salt, ",
    "déjà ",
    "\N{WATER WAVE} ",
    '"so" ',
    "\n\n",
    "\\ ",
    "\u2028",
    "data: ",
    "</i>\r\n",
    "海 ",
    "\t",
)


@dataclass(frozen=True)
class Panel:
    """One reply. `after`: so many pieces come before the fault."""

    name: str
    wire: Wire
    pieces: tuple[str, ...]
    fault: str
    after: int
    truncated: bool

    @property
    def text(self) -> str:
        """What a reader must have in the end, unless the stream is stopped."""
        if self.fault in ("500", "endless 1xx"):
            return ""
        if self.fault in BROKEN:
            return "".join(self.pieces[: self.after])
        return "".join(self.pieces)

    @property
    def longest(self) -> str:
        """What a reader may have at most: of endless text as much as a reply may take."""
        if self.fault == "endless text":
            return self.text + FLOOD_WORDS * (REPLY_BYTES // len(FLOOD_WORDS))
        return "".join(self.pieces)

    def is_whole(self, text: str) -> bool:
        """Tell whether this is what a reader must have in the end; of endless text, some of the flood.

        How much is the library's business: a text with an emoji takes four bytes of memory for each character.
        """
        if self.fault == "endless text":
            return len(self.text) + REPLY_BYTES // 32 < len(text) <= len(self.longest)
        return text == self.text

    @property
    def ending(self) -> str:
        """The status of its `panel_final`, or the code of its `panel_error`."""
        if self.fault in BROKEN:
            return CODES.get(self.fault) or ERROR_EVENTS[self.wire]
        return "truncated" if self.truncated else "complete"

    @property
    def asked(self) -> int:
        """How many requests the provider gets."""
        return AGAIN.get(self.fault, 1)

    def script(self, attempt: int) -> Script:
        """What goes on the wire at this attempt, the first is 1."""
        said = Reply("".join(self.pieces), pieces=self.pieces, speed=PIECES_A_SECOND, truncated=self.truncated)
        whole = said.script(self.wire)
        if self.fault == "500":
            return Reply(error=500, retry_after=0.2).script(self.wire)
        if self.fault == "429 once" and attempt == 1:
            return Reply(error=429, retry_after=0.5).script(self.wire)
        if self.fault == "lost once" and attempt == 1:
            return Script(close_before_headers=True)
        if self.fault == "slow drip":
            return replace(whole, steps=tuple(bit for step in whole.steps for bit in _dripped(step)))
        if self.fault == "error event":
            return replace(said, truncated=False, breaks_off_after=self.after).script(self.wire)
        if self.fault in FLOODS:
            begun = self.pieces[: self.after]
            flood = FLOODS[self.fault](Reply("".join(begun), pieces=begun, speed=PIECES_A_SECOND))
            return Script(steps=_endless(flood.script(self.wire).steps))
        if self.fault in BROKEN:
            *steps, _ = replace(said, truncated=False, stall_after=self.after).script(self.wire).steps
            return Script(steps=(*steps, *_LAST_STEPS[self.fault]))
        return whole


@dataclass(frozen=True)
class Stream:
    """What is asked, and what its reader does. `moments`: after how many events it does it."""

    number: int
    panels: tuple[Panel, ...]
    behaviour: str
    moments: tuple[int, ...]
    replayed: bool
    expired: bool

    @property
    def body(self) -> dict[str, object]:
        """Of `POST /v1/panels`."""
        panels = []
        for panel in self.panels:
            provider, model = ASKED[panel.wire]
            prompt = prompted(self.number, panel.name)
            panels.append({"provider": provider, "model": model, "panel_id": panel.name, "prompt": prompt})
        return {"panels": panels, "options": {"idle_timeout": IDLE_SECONDS, "first_token_timeout": 20.0}}


class Plan:
    """All streams of one run. Replies last between `shortest` and `longest` seconds."""

    def __init__(self, seed: int, shortest: float, longest: float) -> None:
        self._seed, self._shortest, self._longest = seed, shortest, longest

    def stream(self, number: int) -> Stream:
        random = Random(f"{self._seed}/{number}")
        count = 2 if random.random() < 0.1 else 1
        panels = tuple(self._panel(random, number, name) for name in "ab"[:count])
        most = max(2, sum(len(panel.pieces) for panel in panels) - 1)
        behaviour = random.choices(list(BEHAVIOURS), list(BEHAVIOURS.values()))[0]
        return Stream(
            number=number,
            panels=panels,
            behaviour=behaviour,
            moments=tuple(sorted(random.sample(range(1, most + 1), min(most, random.randint(1, 3))))),
            replayed=random.random() < 0.05,
            expired=random.random() < 0.05,
        )

    def _panel(self, random: Random, number: int, name: str) -> Panel:
        pieces = round(random.uniform(self._shortest, self._longest) * PIECES_A_SECOND)
        return Panel(
            name=name,
            wire=random.choice(list(ASKED)),
            pieces=tuple(f"{number}{name}{place} {random.choice(WORDS)}" for place in range(pieces)),
            fault=random.choice(FAULTS) if random.random() < FAULTY else "",
            after=random.randint(1, pieces - 1),
            truncated=random.random() < 0.05,
        )


def prompted(number: int, name: str) -> str:
    """The prompt by which the provider knows what to say."""
    return f"soak {number} {name} end"


def _dripped(step: Step) -> tuple[Step, ...]:
    """In three bits, cut wherever it hits: also in the middle of a character."""
    if not isinstance(step, Send):
        return (step,)
    third = len(step.data) // 3
    bits = step.data[:third], step.data[third : 2 * third], step.data[2 * third :]
    return tuple(each for bit in bits if bit for each in (Send(bit), Pause(0.02)))


def _endless(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps, the one with the words of the flood again and again without an end."""
    before = tuple(takewhile(lambda step: not isinstance(step, Send) or FLOOD_WORDS.encode() not in step.data, steps))
    flood = steps[len(before)]
    assert isinstance(flood, Send)
    return (*before, Flood(flood.data))


FLOODS: dict[str, Callable[[Reply], Reply]] = {
    "endless text": lambda said: replace(
        said, text=said.text + FLOOD_WORDS, pieces=[*(said.pieces or ()), FLOOD_WORDS]
    ),
    "endless arguments": lambda said: replace(
        said, tool_calls=[{"name": "soak", "arguments": {"again": FLOOD_WORDS * 10}}]
    ),
}
"""Of replies that flood after their text: what they say, with the words of the flood once."""

_LAST_STEPS: dict[str, tuple[Step, ...]] = {
    "clean cut": (),
    "cut in a chunk": (Cut(),),
    "reset": (Pause(0.3), Reset()),  # what was sent is read before
    "stall": (Stall(),),
    "only pings": (Repeat(b": ping\n\n", 0.5),),
    "broken JSON": (Send(b'data: {"broken\n\n'), Stall()),
}
