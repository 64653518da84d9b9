"""The options of `ask` and `chat`, checked, with the provider chosen: all of a question but its prompt.

Rule: a provider that the user names, by the option, by the variable or in the settings, goes before any provider with a
key.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from .. import Conversation, stream_panels
from ..config import ProviderConfig
from ..errors import AuthenticationError, ConfigurationError
from ..events import PanelEnd, PanelEvent
from ..local import weights
from ..providers import MAIN, PROVIDERS, Provider, find_provider_and_model, owner_of_model
from ..registry import environment
from .last_conversation import KeptConversation
from .prompt import read_instruction, read_schema
from .settings_file import read_settings

if TYPE_CHECKING:
    from .. import RunStream

PROVIDER_VARIABLE: Final = "MSGMODEL_PROVIDER"


@dataclass(frozen=True, slots=True)
class CommandQuestion:
    """A provider and its options, ready for a prompt."""

    provider: Provider
    config: ProviderConfig
    model: str | None
    instruction: str | None
    max_tokens: int | None
    temperature: float | None
    timeout: float
    reasoning: Any
    tools: tuple[str, ...]
    fallbacks: tuple[str, ...]
    continue_truncated: int
    max_cost: float | None
    messages: Sequence[Any] = ()
    """The turns so far."""
    output: Any = None
    """The JSON schema of the reply, or "json"."""
    repair: int = 0

    @classmethod
    def from_options(cls, options: Mapping[str, Any], last: KeptConversation | None = None) -> CommandQuestion:
        """Read the options of a command, by the names of their parameters. Raise what the library raises at a call.

        Args:
            options: The options.
            last: The conversation to go on with. Its provider, model, instruction and address stand unless an option
                says otherwise.
        """
        given = {name: options[name] for name in ("base_url", "api", "api_key") if options.get(name) is not None}
        name, model = read_settings().resolve_alias(options["provider"], options["model"])
        if last is not None and name is None:
            name, model = last.provider, model or last.model
            given = {key: value for key, value in (("base_url", last.base_url), ("api", last.api)) if value} | given
        provider, model = choose_provider_and_model(name, model, has_base_url="base_url" in given)
        for name in given:
            if name not in provider.config.__dataclass_fields__:
                raise ConfigurationError(f"--{name.replace('_', '-')} does not apply to the provider {provider.name}")
        return cls(
            provider=provider,
            config=provider.config(**given),
            model=model,
            instruction=read_instruction(options["instruction"]) or (last.instruction if last else None),
            max_tokens=options["max_tokens"],
            temperature=options["temperature"],
            timeout=options["timeout"],
            reasoning=options["reasoning"],
            tools=options["tools"],
            fallbacks=options["fallbacks"],
            continue_truncated=options["continue_truncated"],
            max_cost=options["max_cost"],
            messages=last.conversation["messages"] if last else (),
            output=read_schema(options.get("schema")),
            repair=options.get("repair", 0),
        )

    @property
    def is_demo_model(self) -> bool:
        """Whether the small demo model answers."""
        return self.provider.name == "local" and self.model in (None, self.provider.default_model)

    def check(self) -> None:
        """Raise now what every question would raise, so that `chat` fails before its first line."""
        stream_panels(self.provider.name, "?", **self.call_settings()).close()  # nothing is sent: it has not begun

    def for_model(self, provider: str, model: str | None) -> CommandQuestion:
        """Return the same question for another model; for another provider, without the address and the key."""
        row, model = find_provider_and_model(provider, model)
        config = self.config if row is self.provider else row.config()
        return replace(self, provider=row, config=config, model=model)

    def start_conversation(self, *, progress: bool = False) -> Conversation:
        """Return a conversation with the turns so far and the options of this question.

        Args:
            progress: Whether its streams say what they wait for.
        """
        settings = self.call_settings()
        return Conversation(self.provider.name, **settings, messages=list(self.messages), progress=progress)

    def call_settings(self) -> dict[str, Any]:
        """Return the options as keywords of `stream_panels`."""
        return {
            "system_instruction": self.instruction,
            "config": self.config,
            "max_tokens": self.max_tokens,
            "model": self.model,
            "temperature": self.temperature,
            "timeout": self.timeout,
            "reasoning": self.reasoning,
            "tools": self.tools,
            "fallbacks": self.fallbacks,
            "continue_truncated": self.continue_truncated,
            "max_cost": self.max_cost,
            "output": self.output,
            "repair": self.repair,
        }


def show_events(
    start: Callable[[Callable[[PanelEnd], object]], Generator[PanelEvent, None, None] | RunStream],
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


def choose_provider_and_model(
    name: str | None, model: str | None, *, has_base_url: bool
) -> tuple[Provider, str | None]:
    """Choose the provider, and the model if the name has one, as in "openai/gpt-5.5".

    A model such as "claude-x" or "anthropic/claude-x" names its provider if nothing else does. The default model of the
    settings belongs to their default provider.

    Raises what `choose_provider` raises.
    """
    if name:
        return find_provider_and_model(name, model)
    settings = read_settings()
    if default := environment.read_variable(PROVIDER_VARIABLE):
        row, default_model = find_provider_and_model(default, None)
        return row, model or default_model
    if settings.provider:
        row, default_model = find_provider_and_model(settings.provider, None)
        return row, model or default_model or settings.model
    if model and not has_base_url and model.partition("/")[0] in PROVIDERS and "/" in model:
        return find_provider_and_model(model, None)
    if model and not has_base_url and (owner := owner_of_model(model)) in MAIN and owner is not None:
        return find_provider_and_model(owner, model)
    if model is None and settings.model:
        return choose_provider_and_model(None, settings.model, has_base_url=has_base_url)
    return choose_provider(None, has_base_url=has_base_url), model


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
    name = name or environment.read_variable(PROVIDER_VARIABLE) or read_settings().provider
    if name:
        return find_provider_and_model(name, None)[0]
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
        f"no API key found: set {', '.join(variables[:-1])} or {variables[-1]}; or keep one with `msgmodel keys set "
        f"openai`; or get the small local model, which needs no key: {install}msgmodel local pull"
    )


def is_engine_installed() -> bool:
    """Return whether the engine of the local model is installed."""
    return find_spec("xllamacpp") is not None


def names_provider(word: str) -> bool:
    """Return whether a word is the name or a short name of a provider."""
    return word in PROVIDERS or any(word in row.aliases for row in PROVIDERS.values())
