"""A provider on loopback that replies as scripted, on any of the four wires."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeAlias, cast, get_args
from urllib.parse import unquote, urlsplit

from ..config import AnthropicConfig, GeminiConfig, OpenAIConfig
from ..errors import ConfigurationError
from ..providers import PROVIDERS, find_provider
from .reply import Reply
from .server import Received, Script, ScriptedServer
from .wires import Wire

KEY = "test-key-0123456789"
"""The key in `config` and in `environment`."""

MODEL_LIST = {"object": "list", "data": [{"id": "scripted-model", "object": "model"}]}
"""The answer to a request for the list of models, unless a `Script` is to be the answer."""

Answer: TypeAlias = str | Reply | Script | Callable[[Received], "str | Reply | Script"]
"""A text, a reply, exact bytes, or a function that makes one of them from the request."""


class ScriptedProvider:
    """A context manager that listens on a free port of 127.0.0.1.

    with ScriptedProvider() as provider:
        provider.say("Hello", Reply("Hel", truncated=True), Reply(error=429))
        query("openai", "hi", config=provider.config("openai"))
    """

    def __init__(self) -> None:
        self.server = ScriptedServer()
        """The server underneath: its connections and hang-ups."""
        self.say("Hello from a scripted provider.")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drops every connection."""
        self.server.close()

    @property
    def url(self) -> str:
        """The address, without a path."""
        return self.server.url

    @property
    def requests(self) -> list[Received]:
        """The requests so far; `requests[-1].json` is the body of the last one."""
        return self.server.requests

    def say(self, *answers: Answer) -> None:
        """Set the answers from now on, one for each request; the last one repeats forever.

        Args:
            answers: texts, replies, scripts, or functions that make one of them from a request.

        Raises:
            ConfigurationError: there is no answer, or one of another type.
        """
        if not answers:
            raise ConfigurationError("say needs at least one answer")
        for answer in answers:
            if not isinstance(answer, (str, Reply, Script)) and not callable(answer):
                raise ConfigurationError(f"an answer must be a text, a Reply or a Script, not {type(answer).__name__}")
        self.server.forget()
        self.server.say(*(_scripted_answer(answer) for answer in answers))

    def config(self, name: str, **fields: Any) -> Any:
        """Return the config that sends the requests of a provider here.

        Args:
            name: a provider, or a wire for its main provider.
            fields: other fields of the config.

        Raises:
            ConfigurationError: the provider is unknown, or is not reached over a network.
        """
        fields = {"api_key": KEY, **fields}
        if name in ("openai_chat", "openai_responses"):
            return OpenAIConfig(base_url=f"{self.url}/v1", **{"api": name.removeprefix("openai_"), **fields})
        row = find_provider(name)
        if row.config is OpenAIConfig:
            return OpenAIConfig(base_url=self.url + _base_path(row.base_url), **fields)
        if row.config not in (AnthropicConfig, GeminiConfig):
            raise ConfigurationError(f"{row.name} is not reached over a network")
        return cast(Any, row.config)(base_url=self.url + _base_path(row.base_url), **fields)

    def environment(self) -> dict[str, str]:
        """Return variables that send the requests of every provider here, with a key, and past any proxy."""
        found = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
        for row in PROVIDERS.values():
            if row.base_url_variable:
                found[row.base_url_variable] = self.url + _base_path(row.base_url)
            found |= dict.fromkeys(list(row.keys)[:1], KEY)
        return found


def _base_path(base_url: str) -> str:
    # Without braces: an address may have a placeholder, as Azure's `https://{resource}...`, and a URL has none.
    return urlsplit(base_url).path.rstrip("/").replace("{", "").replace("}", "")


def _scripted_answer(answer: Answer) -> Callable[[Received], Script]:
    def make_script(request: Received) -> Script:
        if (
            request.method == "GET"
            and urlsplit(request.path).path.endswith("/models")
            and not isinstance(answer, Script)
        ):
            return Script.json(200, MODEL_LIST)
        made = answer(request) if callable(answer) else answer
        if isinstance(made, str):
            made = Reply(made)
        if isinstance(made, Script):
            return made
        wire = wire_of(request.path)
        if wire is None:
            return Script.json(404, {"error": {"message": f"no wire has the path {request.path.partition('?')[0]}"}})
        return made.script(wire, _model_of(request))

    return make_script


def _model_of(request: Received) -> str | None:
    """Return the model of a request: on Gemini's wire it is in the path, else in the body."""
    path = request.path.partition("?")[0]
    if path.endswith(":streamGenerateContent"):
        return unquote(path.rpartition("/models/")[2].removesuffix(":streamGenerateContent"))
    try:
        model = request.json["model"]
    except (ValueError, KeyError, TypeError):
        return None
    return model if isinstance(model, str) else None


_PATH_ENDINGS: dict[str, Wire] = {
    "/chat/completions": "openai_chat",
    "/responses": "openai_responses",
    "/messages": "anthropic",
    ":streamGenerateContent": "gemini",
}
assert set(_PATH_ENDINGS.values()) == set(get_args(Wire))


def wire_of(path: str) -> Wire | None:
    """Return the wire of a request by the end of its path; None for any other path."""
    path = path.partition("?")[0]
    return next((wire for end, wire in _PATH_ENDINGS.items() if path.endswith(end)), None)
