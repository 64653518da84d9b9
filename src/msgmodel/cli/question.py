"""The options of `ask` and `chat`, checked, with the provider chosen: all of a question but its prompt.

Rule: a provider that the user names, by the option or by the variable, goes before any provider with a key.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from .. import Conversation, stream_panels
from ..config import ProviderConfig
from ..errors import AuthenticationError, ConfigurationError
from ..events import PanelEnd, PanelEvent
from ..local import weights
from ..providers import MAIN, PROVIDERS, Provider, find_provider
from ..registry import environment
from .prompt import read_attachment, read_instruction

PROVIDER_VARIABLE: Final = "MSGMODEL_PROVIDER"


@dataclass(frozen=True, slots=True)
class CommandQuestion:
    """A provider and its options, ready for a prompt."""

    provider: Provider
    config: ProviderConfig
    model: str | None
    instruction: str | None
    files: tuple[Path | tuple[str, bytes], ...]
    max_tokens: int | None
    temperature: float | None
    timeout: float
    reasoning: Any
    fallbacks: tuple[str, ...]
    continue_truncated: int

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> CommandQuestion:
        """Read the options of a command, by the names of their parameters. Raise what the library raises at a call."""
        given = {name: options[name] for name in ("base_url", "api", "api_key") if options.get(name) is not None}
        provider = choose_provider(options["provider"], has_base_url="base_url" in given)
        for name in given:
            if name not in provider.config.__dataclass_fields__:
                raise ConfigurationError(f"--{name.replace('_', '-')} does not apply to the provider {provider.name}")
        return cls(
            provider=provider,
            config=provider.config(**given),
            model=options["model"],
            instruction=read_instruction(options["instruction"]),
            files=tuple(read_attachment(name) for name in options.get("files", ())),
            max_tokens=options["max_tokens"],
            temperature=options["temperature"],
            timeout=options["timeout"],
            reasoning=options["reasoning"],
            fallbacks=options["fallbacks"],
            continue_truncated=options["continue_truncated"],
        )

    @property
    def is_demo_model(self) -> bool:
        """Whether the small demo model answers."""
        return self.provider.name == "local" and self.model in (None, self.provider.default_model)

    def check(self) -> None:
        """Raise now what every `ask` would raise, so that `chat` fails before its first line."""
        self._start_stream("?").close()  # the stream has not begun: nothing is sent

    def ask(self, prompt: str, show: Callable[[PanelEvent], object]) -> PanelEnd:
        """Ask once, and return the last event; pass each event before it to `show`. See `show_events`."""
        return show_events(lambda keep: self._start_stream(prompt, on_end=keep), show)

    def start_conversation(self) -> Conversation:
        """Return a conversation without turns yet, with the options of this question."""
        return Conversation(self.provider.name, **self._settings())

    def _start_stream(self, prompt: str, **settings: Any) -> Generator[PanelEvent, None, None]:
        return stream_panels(self.provider.name, prompt, **self._settings(), **settings)

    def _settings(self) -> dict[str, Any]:
        return {
            "system_instruction": self.instruction,
            "config": self.config,
            "max_tokens": self.max_tokens,
            "model": self.model,
            "temperature": self.temperature,
            "timeout": self.timeout,
            "reasoning": self.reasoning,
            "fallbacks": self.fallbacks,
            "continue_truncated": self.continue_truncated,
            "files": self.files,
        }


def show_events(
    start: Callable[[Callable[[PanelEnd], object]], Generator[PanelEvent, None, None]],
    show: Callable[[PanelEvent], object],
) -> PanelEnd:
    """Read a reply to its end: pass each event to `show`, except the last one, which is returned.

    Ctrl-C closes the connection at once, and makes the last event an error with the code `cancelled`.

    Args:
        start: makes the stream; takes its `on_end`, because Ctrl-C ends a stream without its last event being read.
        show: takes each event but the last.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed before the question was sent.
    """
    ended: list[PanelEnd] = []
    try:
        with closing(start(ended.append)) as events:
            for event in events:
                if event["event"] != "panel_final" and event["event"] != "panel_error":
                    show(event)
    except KeyboardInterrupt:
        if not ended:
            raise
        if ended[0]["event"] == "panel_error" and ended[0]["code"] == "cancelled":
            ended[0]["error"] = "stopped by Ctrl-C"
    return ended[0]


def choose_provider(name: str | None, has_base_url: bool) -> Provider:
    """Choose the provider to ask.

    Args:
        name: the provider of the option, or None.
        has_base_url: whether the user set an address. Then the provider is openai: the key of another provider, which
            happens to be in the environment, is not sent to that address.

    Raises:
        ConfigurationError: there is no provider of that name.
        AuthenticationError: no name was given, and no provider has a key.
    """
    name = name or environment.read_variable(PROVIDER_VARIABLE)
    if name:
        return find_provider(name)
    if has_base_url:
        return PROVIDERS["openai"]
    main = [PROVIDERS[name] for name in MAIN if PROVIDERS[name].needs_key]
    for row in main:
        if environment.find_key(row):
            return row
    if is_engine_installed() and weights.path().is_file():
        return PROVIDERS["local"]
    variables = [next(iter(row.keys)) for row in main]
    install = "" if is_engine_installed() else "pip install 'msgmodel[local]', then "
    raise AuthenticationError(
        f"no API key found: set {', '.join(variables[:-1])} or {variables[-1]}; or get the small local model, which "
        f"needs no key: {install}msgmodel local pull"
    )


def is_engine_installed() -> bool:
    """Return whether the engine of the local model is installed."""
    return find_spec("xllamacpp") is not None
