"""The table of the request fields of OpenAI's Chat Completions API, and where each API of a provider has them.

Rule: a field is sent if the target has it, else refused by its name. A value that asks for what happens anyway is
accepted everywhere, and not sent.

Sources of the places: the types of openai 3.57, anthropic 2.14 and google-genai 3.6, and llama.cpp's server.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from ..errors import ConfigurationError, quoted
from ..providers import Provider, wire_of_call

Target: TypeAlias = Literal["openai", "chat", "responses", "anthropic", "gemini", "local"]
"""Who reads the fields: OpenAI's Chat Completions, another server's, OpenAI's Responses, ..., the embedded model."""

CONFIG: Final = "config"
"""The first step of a place that is a field of the provider's config, not of the body."""


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a field in the body of a target, as a path, and how the target writes the value."""

    path: str
    write: Callable[[Any], object] = lambda value: value
    """Return the value in the target's words; None if it has no word for it."""


ENFORCED_HERE: Final = Place("")
"""The place of a field that nothing is sent for, because the adapter sees to it."""


@dataclass(frozen=True, slots=True)
class RequestField:
    """A field of a request."""

    expected: str
    """What its value must be, in words."""
    fits: Callable[[Any], bool]
    places: Mapping[Target, Place]
    harmless: Collection[object] = ()
    """Values that ask for what happens anyway."""


def _at(paths: Mapping[Target, str | Place]) -> dict[Target, Place]:
    return {target: Place(place) if isinstance(place, str) else place for target, place in paths.items()}


def _same(name: str, *targets: Target) -> dict[Target, str | Place]:
    """Return the places of a field that these targets have by its own name."""
    return dict.fromkeys(targets, name)


def _is_number(low: float, high: float) -> Callable[[object], bool]:
    def fits(value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high

    return fits


def _is_count(most: int) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_object(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_stop(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(word, str) for word in value))


def _as_words(value: str | list[str]) -> tuple[str, ...] | None:
    return (value,) if isinstance(value, str) else tuple(value) or None


_CHAT: Final[tuple[Target, ...]] = ("openai", "chat", "local")
_BY_OPENAI: Final[tuple[Target, ...]] = ("openai", "chat", "responses")
_PENALTY: Final = "a number from -2 to 2", _is_number(-2, 2)
_OF_ALL: Final[tuple[Target, ...]] = ("openai", "chat", "responses", "anthropic", "gemini", "local")

FIELDS: Final[Mapping[str, RequestField]] = {
    "stop": RequestField(
        "a string or a list of strings",
        _is_stop,
        _at(dict.fromkeys(("openai", "chat", "anthropic", "gemini", "local"), Place(f"{CONFIG}.stop", _as_words))),
        harmless=([],),
    ),
    "top_p": RequestField("a number from 0 to 1", _is_number(0, 1), _at(_same(f"{CONFIG}.top_p", *_OF_ALL)), (1,)),
    "seed": RequestField(
        "a whole number",
        lambda value: isinstance(value, int) and not isinstance(value, bool),
        _at(_same(f"{CONFIG}.seed", "openai", "chat", "gemini", "local")),
    ),
    "top_k": RequestField(
        "a whole number",
        _is_count(1_000_000),
        _at({**_same("top_k", "chat", "local"), **_same(f"{CONFIG}.top_k", "anthropic", "gemini")}),
    ),
    "min_p": RequestField("a number from 0 to 1", _is_number(0, 1), _at(_same("min_p", "chat", "local"))),
    "repetition_penalty": RequestField(
        "a number from 0 to 2",
        _is_number(0, 2),
        _at({"chat": "repetition_penalty", "local": "repeat_penalty"}),
        (1,),
    ),
    "presence_penalty": RequestField(
        *_PENALTY, _at({**_same("presence_penalty", *_CHAT), "gemini": "generationConfig.presencePenalty"}), (0,)
    ),
    "frequency_penalty": RequestField(
        *_PENALTY, _at({**_same("frequency_penalty", *_CHAT), "gemini": "generationConfig.frequencyPenalty"}), (0,)
    ),
    "logit_bias": RequestField("an object", _is_object, _at(_same("logit_bias", *_CHAT)), ({},)),
    "logprobs": RequestField(
        "true or false",
        _is_flag,
        _at(
            {
                **_same("logprobs", *_CHAT),
                "responses": Place("include", lambda value: ["message.output_text.logprobs"]),
                "gemini": "generationConfig.responseLogprobs",
            }
        ),
        (False,),
    ),
    "top_logprobs": RequestField(
        "a whole number from 0 to 20",
        _is_count(20),
        _at({**_same("top_logprobs", *_CHAT, "responses"), "gemini": "generationConfig.logprobs"}),
        (0,),
    ),
    "parallel_tool_calls": RequestField(
        "true or false",
        _is_flag,
        _at(
            {
                **_same("parallel_tool_calls", *_CHAT, "responses"),
                "anthropic": Place("tool_choice.disable_parallel_tool_use", lambda value: not value),
                "gemini": ENFORCED_HERE,
            }
        ),
        (True,),
    ),
    "verbosity": RequestField(
        "low, medium or high",
        lambda value: value in ("low", "medium", "high"),
        _at({**_same("verbosity", "openai", "chat"), "responses": "text.verbosity"}),
    ),
    "service_tier": RequestField(
        "a string",
        _is_text,
        _at(
            {
                **_same("service_tier", *_BY_OPENAI),
                "anthropic": Place("service_tier", {"default": "standard_only", "standard_only": "standard_only"}.get),
                "gemini": Place("serviceTier", {"default": "standard", "flex": "flex", "priority": "priority"}.get),
            }
        ),
        ("auto",),
    ),
    "store": RequestField("true or false", _is_flag, _at(_same(f"{CONFIG}.store", *_BY_OPENAI, "gemini")), (False,)),
    "metadata": RequestField("an object", _is_object, _at(_same("metadata", *_BY_OPENAI)), ({},)),
    "user": RequestField(
        "a string", _is_text, _at({**_same("user", *_BY_OPENAI), "anthropic": "metadata.user_id"}), ("",)
    ),
    "safety_identifier": RequestField(
        "a string", _is_text, _at({**_same("safety_identifier", *_BY_OPENAI), "anthropic": "metadata.user_id"})
    ),
    "prompt_cache_key": RequestField("a string", _is_text, _at(_same("prompt_cache_key", *_BY_OPENAI))),
    "prompt_cache_retention": RequestField("a string", _is_text, _at(_same("prompt_cache_retention", *_BY_OPENAI))),
    "prompt_cache_options": RequestField("an object", _is_object, _at(_same("prompt_cache_options", *_BY_OPENAI))),
    "prediction": RequestField("an object", _is_object, _at(_same("prediction", "openai", "chat"))),
    "modalities": RequestField(
        "a list of strings",
        lambda value: isinstance(value, list) and all(map(_is_text, value)),
        _at(_same("modalities", "openai", "chat")),
        (["text"],),
    ),
    "audio": RequestField("an object", _is_object, _at(_same("audio", "openai", "chat"))),
}
"""The fields that every client may send. Those that have an argument of ours, such as `temperature`, are not here."""

REFUSED_FIELDS: Final[Mapping[str, str]] = {
    "functions": "use tools",
    "function_call": "use tool_choice",
    "web_search_options": "the provider would run this search itself, which this API has no word for",
}
"""Fields that are refused everywhere, and what to do."""

_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_OTHER_EFFORTS: Final[Mapping[Target, tuple[str, str, Collection[str]]]] = {
    "openai": ("reasoning_effort", "", ("minimal", "xhigh", "max")),
    "chat": ("reasoning_effort", "", ("minimal", "xhigh", "max")),
    "responses": ("reasoning.effort", "high", ("minimal", "xhigh", "max")),
    "anthropic": ("output_config.effort", "high", ("xhigh", "max")),
}
"""For the levels that `reasoning=` has not: the place of the effort, the argument beside it, and the levels."""


def find_target(row: Provider, model: str | None, tools: list[Any]) -> Target:
    """Return who reads the fields of a request.

    Args:
        row: The provider.
        model: The model; None for the provider's default.
        tools: The tools of the request, because OpenAI takes some models' tools in only one of its APIs.

    Raises:
        ConfigurationError: A tool, or the provider's address, is wrong.
    """
    if row.name == "local":
        return "local"
    wire = wire_of_call(row, model, tools)
    if wire != "openai_chat":
        return "responses" if wire == "openai_responses" else wire  # type: ignore[return-value]
    return "openai" if row.name in ("openai", "azure") else "chat"


class FieldWriter:
    """Writes the fields of one request for one provider.

    Args:
        row: The provider.
        target: Who reads the fields; see `find_target`.
    """

    def __init__(self, row: Provider, target: Target) -> None:
        self._row, self._target = row, target
        self._config: dict[str, Any] = {}
        self._body: dict[str, Any] = {}

    def write(self, name: str, value: Any) -> None:
        """Put a field in its place. Raise ConfigurationError if the target does not have it, or the value is wrong."""
        row = FIELDS[name]
        if not row.fits(value):
            raise ConfigurationError(f"{name} must be {row.expected}, not {quoted(value)}")
        if any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in row.harmless):
            return
        place = row.places.get(self._target)
        written = None if place is None else place.write(value)
        if place is None or written is None:
            raise self._refusal(name, value)
        if place is not ENFORCED_HERE:
            self._put(place.path, written)

    def write_effort(self, effort: str) -> str | None:
        """Return `reasoning_effort` as our argument `reasoning`, and put what that can't say into the body.

        Raises:
            ConfigurationError: The provider has no such level.
        """
        if effort not in _EFFORTS:
            raise ConfigurationError(f"reasoning_effort must be {', '.join(_EFFORTS)}, not {quoted(effort)}")
        if effort in ("none", "low", "medium", "high"):
            return effort
        path, beside, levels = _OTHER_EFFORTS.get(self._target, ("", "", ()))
        takes_words = "reasoning_effort" in self._row.dialect.reasoning.get("low", {})
        if effort not in levels or (self._target == "chat" and not takes_words):
            raise self._refusal("reasoning_effort", effort)
        self._put(path, effort)
        return beside or None

    def _refusal(self, name: str, value: object) -> ConfigurationError:
        asked = "the Responses API of openai" if self._target == "responses" else self._row.name
        said = value if isinstance(value, str) else quoted(value)
        return ConfigurationError(f"{name}={said} can't be sent to {asked}, which has no such field: leave it out")

    def _put(self, path: str, value: object) -> None:
        *steps, last = path.split(".")
        within = self._config if steps == [CONFIG] else self._body
        for step in steps:
            if step != CONFIG:
                within = within.setdefault(step, {})
        within[last] = value

    def make_config(self, tool_choice: str | None) -> object:
        """Return the provider's config with all fields; None if the request has none of them.

        Args:
            tool_choice: The choice of a tool, which Anthropic wants in the same object as one of the fields.
        """
        beside = self._body.get("tool_choice")
        if isinstance(beside, dict) and tool_choice in (None, "auto"):
            beside["type"] = "auto"
        if beside and tool_choice == "none":
            del self._body["tool_choice"]  # no tool is called
        fields = self._config | ({"body": self._body} if self._body else {})
        return self._row.config(**fields) if fields else None
