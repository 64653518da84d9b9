"""Coming from msgmodel 4.1.1: every public name resolves with its signature, and a program written for it runs."""

from __future__ import annotations

import asyncio
import importlib
import io
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import msgmodel
from conftest import KEY
from msgmodel import (
    RETRY_AGGRESSIVE,
    RETRY_CONSERVATIVE,
    RETRY_DEFAULT,
    APIError,
    AuthenticationError,
    ConfigurationError,
    ContextLengthError,
    FileError,
    MsgModelError,
    NetworkError,
    Provider,
    ProviderError,
    RateLimitError,
    RequestSigner,
    RetryConfig,
    ServiceUnavailableError,
    StreamingError,
    ValidationError,
    retry_on_transient_error,
)
from msgmodel.testing import Reply, Script, ScriptedProvider

OLD = "4.1.1"

SHAPES = """
import enum, importlib, inspect, json, msgmodel, pkgutil, sys, types, typing
def shape(value):
    return [[p.name, p.kind.name, p.default is not p.empty] for p in inspect.signature(value).parameters.values()]
def describe(value):
    if inspect.isclass(value):
        members = {}
        for name in dir(value):
            if issubclass(value, enum.Enum) and name in value.__members__:
                members[name] = value[name].value
            elif not name.startswith("_") and isinstance(getattr(value, name), (types.FunctionType, types.MethodType)):
                members[name] = shape(getattr(value, name))
        start = [] if issubclass(value, enum.Enum) else shape(value)
        parents = [base.__name__ for base in value.__mro__ if base.__module__.startswith("msgmodel")]
        return {"class": parents, "start": start, "members": members}
    if callable(value):
        return {"function": shape(value)}
    return {"value": value if isinstance(value, (str, int, float)) else type(value).__name__}
def public(module):
    return [
        name for name, value in vars(module).items()
        if not isinstance(value, (types.ModuleType, typing.TypeVar))
        and getattr(value, "__module__", "msgmodel").startswith("msgmodel")
        and (not name.startswith("_") or name in ("__author__", "__version__"))
    ]
if sys.argv[1:]:
    wanted = json.loads(sys.argv[1])
else:
    found = pkgutil.walk_packages(msgmodel.__path__, "msgmodel.")
    modules = ["msgmodel", *(module.name for module in found if not module.name.endswith("__main__"))]
    wanted = {name: public(importlib.import_module(name)) for name in modules}
absent = object()
for module, names in wanted.items():
    got = importlib.import_module(module)
    values = {name: getattr(got, name, absent) for name in names}
    wanted[module] = {name: None if value is absent else describe(value) for name, value in values.items()}
print(json.dumps(wanted))
"""


def shapes(wanted: dict[str, list[str]] | None = None, at: Path | None = None) -> dict[str, Any]:
    """What these modules hold by these names, or all that are public, in a process of its own.

    `at`: where another version is.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHONPATH", "COVERAGE_"))}
    if at is not None:
        env["PYTHONPATH"] = str(at)
    arguments = [] if wanted is None else [json.dumps(wanted)]
    ran = subprocess.run(
        [sys.executable, "-c", SHAPES, *arguments], capture_output=True, text=True, env=env, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The shapes of 4.1.1, which pip puts into a folder of its own."""
    folder = tmp_path_factory.mktemp("old")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", str(folder)]
    if subprocess.run([*pip, f"msgmodel=={OLD}", "aiohttp"], capture_output=True).returncode:
        pytest.skip("there is no package index here")
    return shapes(at=folder)


ABSENT = {
    "msgmodel.providers.openai": "msgmodel.providers is a module now: the classes are in msgmodel",
    "msgmodel.providers.gemini": "msgmodel.providers is a module now: the classes are in msgmodel",
    "msgmodel.providers.anthropic": "msgmodel.providers is a module now: the classes are in msgmodel",
}
"""Modules that are not here on purpose, with the reason. `docs/migration.md` says so."""

DIFFERENT = {
    "msgmodel.__version__": "it is another one",
}
"""Names whose shape is another on purpose, with the reason."""


def test_every_name_of_every_module_has_its_signature(old: dict[str, Any]) -> None:
    assert ABSENT.keys() <= old.keys()
    assert {"msgmodel", "msgmodel.config", "msgmodel.core", "msgmodel.async_core"} <= old.keys()
    before = {module: names for module, names in old.items() if module not in ABSENT}
    now = shapes({module: list(names) for module, names in before.items()})
    wrong = {
        f"{module}.{name}"
        for module, names in before.items()
        for name, was in names.items()
        if now[module][name] is None or not fits(now[module][name], was)
    }
    assert wrong <= set(DIFFERENT)


@pytest.mark.parametrize("module", ABSENT)
def test_what_is_absent_is_documented(module: str) -> None:
    with pytest.raises(ImportError):
        importlib.import_module(module)
    assert f"`{module}`" in (Path(__file__).parents[2] / "docs" / "migration.md").read_text("utf-8")


def test_modules_are_there_without_an_import_of_their_own() -> None:
    """As in 4.1.1, where the package imported them; here they come in when they are asked for."""
    program = """
import msgmodel
assert issubclass(msgmodel.exceptions.RateLimitError, msgmodel.exceptions.APIError)
assert msgmodel.core.query is msgmodel.query and msgmodel.async_core.aquery is msgmodel.aquery
assert msgmodel.retry.RetryConfig is msgmodel.RetryConfig
assert msgmodel.validation.validate_prompt is msgmodel.validate_prompt
assert msgmodel.security.RequestSigner is msgmodel.RequestSigner
assert msgmodel.config.Provider is msgmodel.Provider
for wrong in (msgmodel, msgmodel.config):
    try:
        wrong.nothing
    except AttributeError as error:
        assert "no attribute 'nothing'" in str(error)
    else:
        raise AssertionError
"""
    ran = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")


def fits(new: dict[str, Any], old: dict[str, Any]) -> bool:
    """Whether whatever can be done with the old can be done with the new."""
    if "function" in old:
        return "function" in new and callable_alike(new["function"], old["function"])
    if "class" not in old:
        return new == old
    parents = [name for name in old["class"] if name in vars(msgmodel)]
    return (
        set(parents) <= set(new["class"])
        and callable_alike(new["start"], old["start"])
        and all(
            name in new["members"]
            and (
                member == new["members"][name]
                if isinstance(member, str)
                else callable_alike(new["members"][name], member)
            )
            for name, member in old["members"].items()
        )
    )


def callable_alike(new: list[Any], old: list[Any]) -> bool:
    """Whether every call that the old takes fits the new."""
    positional = [name for name, kind, _ in new if kind == "POSITIONAL_OR_KEYWORD"]
    optional = {name for name, kind, has_default in new if has_default or kind.startswith("VAR_")}
    known = {name for name, _, _ in new}
    then = [name for name, kind, _ in old if kind == "POSITIONAL_OR_KEYWORD"]
    may_be_left_out = {name for name, kind, has_default in old if has_default or kind.startswith("VAR_")}
    return (
        positional[: len(then)] == then
        and {name for name, _, _ in old} <= known
        and may_be_left_out | (known - {name for name, _, _ in old}) <= optional
    )


PROGRAM = Path(__file__).parents[1] / "programs" / "written_for_4.py"


def test_a_program_written_for_it(tmp_path: Path) -> None:
    """As it stands, in a process of its own, against a scripted provider."""
    with ScriptedProvider() as provider:
        provider.say(*["Hello there."] * 8, Reply(error=429), "At last.", "The cut re", *["Bye."] * 5)
        env = dict(os.environ) | provider.environment() | {"PYTHONWARNINGS": "error"}
        ran = subprocess.run(
            [sys.executable, str(PROGRAM)], capture_output=True, text=True, env=env, cwd=tmp_path, timeout=60
        )
    assert ran.stderr == ""
    assert ran.stdout.splitlines()[-1] == "all of it ran"
    assert ran.returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["-p", "openai", "What is Python?"],
        ["-p", "g", "Hello"],
        ["-p", "c", "Hello", "--stream"],
        ["-p", "o", "Hello", "-s", "-m", "gpt-4o-mini", "-t", "500", "--temperature", "0.7"],
        ["-p", "claude", "Analyze this", "-i", "You are a data analyst"],
        ["-p", "gemini", "-f", "prompt.txt"],
        ["-p", "openai", "Hello", "-k", KEY],
        ["--provider", "openai", "Hello", "--api-key", KEY, "--max-tokens", "5", "--instruction", "Be brief", "-v"],
    ],
)
def test_its_command_lines(arguments: list[str], tmp_path: Path) -> None:
    pytest.importorskip("click")
    (tmp_path / "prompt.txt").write_text("What is Python?")
    with ScriptedProvider() as provider:
        env = dict(os.environ) | provider.environment()
        ran = subprocess.run(
            [sys.executable, "-m", "msgmodel", *arguments],
            capture_output=True, text=True, env=env, cwd=tmp_path, stdin=subprocess.DEVNULL, timeout=60,
        )  # fmt: skip
        sent = provider.requests[0]
    assert (ran.returncode, ran.stdout) == (0, "Hello from a scripted provider.\n")
    if KEY in arguments:
        assert sent.headers["authorization"] == f"Bearer {KEY}"
        assert "shell's history" in ran.stderr
        assert KEY not in ran.stderr


# --- errors ---


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [(429, RateLimitError, 429), (400, ContextLengthError, 400), (529, ServiceUnavailableError, 529),
     (401, APIError, 401), (500, APIError, 500)],
)  # fmt: skip
def test_the_class_says_what_it_was(error: Any, kind: type[APIError], status: int) -> None:
    with ScriptedProvider() as provider:
        too_long = {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 9 > 5"}}
        provider.say(Script.json(400, too_long) if error == 400 else Reply(error=error))
        with pytest.raises(APIError) as caught:
            msgmodel.query("anthropic", "hi", config=provider.config("anthropic"), max_retries=0)
    assert type(caught.value) is kind
    assert (caught.value.status_code, caught.value.provider, caught.value.response_text) == (status, "anthropic", None)
    assert caught.value.event is not None


@pytest.mark.parametrize("name", ["query", "stream"])
def test_a_failed_connection_is_caught_by_either_habit(colour: Any, name: str) -> None:
    """4.1.1 raised APIError where nothing of an answer had come; that is no reason to miss what broke later."""
    nowhere = msgmodel.OpenAIConfig(base_url="http://127.0.0.1:9/v1")
    ask = colour.query if name == "query" else colour.texts
    with pytest.raises(NetworkError) as caught:
        ask("openai", "hi", KEY, config=nowhere, max_retries=0)
    error = caught.value
    assert isinstance(error, APIError)
    assert isinstance(error, StreamingError)
    assert (error.code, error.retryable, error.status_code, error.response_text) == ("network", True, None, None)
    assert (error.chunks_received, error.sample_chunks, error.event["error_type"]) == (None, [], "StreamingError")


@pytest.mark.parametrize(("said", "kind"), [(0, NetworkError), (1, StreamingError)])
def test_a_silence_is_one_too_before_the_first_text(colour: Any, said: int, kind: type[StreamingError]) -> None:
    with ScriptedProvider() as provider:
        provider.say(Reply("Hello there", stall_after=said))
        with pytest.raises(StreamingError) as caught:
            colour.query("openai", "hi", config=provider.config("openai"), timeout=0.3, max_retries=0)
    assert type(caught.value) is kind
    assert (caught.value.code, caught.value.content) == ("timeout", "Hello" * said)


def test_errors_by_hand() -> None:
    """As a program's own tests raise them."""
    cause = OSError("why")
    assert MsgModelError("x", cause=cause).__cause__ is cause
    assert ConfigurationError("x", key_name="k").key_name == "k"
    assert ValidationError("x", field="f").field == "f"
    assert AuthenticationError("x", provider="openai").provider == "openai"
    assert FileError("x", filename="a.txt").filename == "a.txt"
    error = APIError("x", 503, "body", provider="openai")
    assert (str(error), error.status_code, error.response_text, error.retryable) == ("x", 503, "body", True)
    assert (error.content, error.event) == ("", None)
    assert isinstance(RateLimitError(), ProviderError)
    assert RateLimitError(retry_after=2).retry_after == 2
    assert (RateLimitError().status_code, RateLimitError().code) == (429, "rate_limit")
    assert ContextLengthError(max_tokens=5).max_tokens == 5
    assert ServiceUnavailableError().retryable
    streaming = StreamingError("x", chunks_received=3)
    assert (streaming.chunks_received, streaming.sample_chunks, streaming.code) == (3, [], "interrupted")
    network = NetworkError("x")
    assert (network.code, network.status_code, network.chunks_received, network.retryable) == ("network", None, None, 0)
    assert type(pickle.loads(pickle.dumps(network))) is NetworkError
    assert StreamingError.detect_error_in_chunk({"error": {"message": "no"}}) == {"message": "no"}
    assert StreamingError.detect_error_in_chunk({"choices": []}) is None
    assert StreamingError.detect_error_in_chunk("x") is None
    assert StreamingError.is_rate_limit_error({"status": "RESOURCE_EXHAUSTED"})
    assert StreamingError.is_rate_limit_error({"message": "Rate limited"})
    assert not StreamingError.is_rate_limit_error({"message": "bad model"})
    assert not StreamingError.is_rate_limit_error(None)


# --- retry ---


class Flaky:
    """Fails as told, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were asked for, none of which is made."""
    found: list[float] = []

    async def sleep(seconds: float) -> None:
        found.append(seconds)

    monkeypatch.setattr("msgmodel.v4.retry.time.sleep", found.append)
    monkeypatch.setattr("msgmodel.v4.retry.asyncio.sleep", sleep)
    return found


def call(flaky: Flaky, color: str, **arguments: Any) -> str:
    """Through the decorator, in either colour."""
    if color == "sync":

        @retry_on_transient_error(**arguments)
        def function() -> str:
            return flaky()

        return function()

    @retry_on_transient_error(**arguments)
    async def async_function() -> str:
        return flaky()

    @retry_on_transient_error(**arguments)
    def returns_a_coroutine() -> Any:
        async def function() -> str:
            return flaky()

        return function()

    async def main() -> str:
        return await (async_function() if color == "async" else returns_a_coroutine())

    return asyncio.run(main())


@pytest.mark.parametrize("color", ["sync", "async", "awaitable"])
def test_retry(color: str, pauses: list[float]) -> None:
    told: list[Any] = []
    errors = [ConnectionError(), RateLimitError(retry_after=9), APIError("x", 503)]
    flaky = Flaky(*errors)
    assert call(flaky, color, on_retry=lambda *about: told.append(about)) == "done"
    assert flaky.calls == 4
    assert [(error, attempt) for error, attempt, _ in told] == [(error, at) for at, error in enumerate(errors)]
    assert [seconds for _, _, seconds in told] == pauses
    assert 0.5 <= pauses[0] <= 1.5
    assert pauses[1] == 9
    assert 2 <= pauses[2] <= 6


@pytest.mark.parametrize("color", ["sync", "async", "awaitable"])
def test_retry_gives_up(color: str, pauses: list[float]) -> None:
    flaky = Flaky(*[TimeoutError(str(number)) for number in range(9)])
    with pytest.raises(TimeoutError, match="2"):
        call(flaky, color, max_retries=2, backoff_factor=50)
    assert flaky.calls == 3
    assert 30 <= max(pauses) <= 90
    for error in (APIError("x", 400), ValueError("x")):
        flaky = Flaky(error)
        with pytest.raises(type(error)):
            call(flaky, color)
        assert flaky.calls == 1
    assert call(Flaky(KeyError()), color, retryable_exceptions=(KeyError,)) == "done"


def test_retry_of_aquery_itself(pauses: list[float]) -> None:
    """A plain function, which returns a coroutine."""
    patient = retry_on_transient_error(2, 0.01)(msgmodel.aquery)

    async def main(provider: ScriptedProvider) -> str:
        return (await patient("openai", "hi", config=provider.config("openai"), max_retries=0)).text

    with ScriptedProvider() as provider:
        provider.say(Reply(error=429), Reply(error=503), "At last.")
        assert asyncio.run(main(provider)) == "At last."
    assert len([pause for pause in pauses if pause]) == 2


def test_backoff() -> None:
    from msgmodel.retry import calculate_backoff, is_retryable_status_code

    assert [calculate_backoff(attempt, 2, 10, jitter=False) for attempt in range(4)] == [2, 4, 8, 10]
    assert 0.5 <= calculate_backoff(0) <= 1.5
    assert [status for status in (None, 200, 400, 429, 500, 503) if is_retryable_status_code(status)] == [429, 500, 503]


def test_presets(pauses: list[float]) -> None:
    for preset, retries in ((RETRY_DEFAULT, 3), (RETRY_AGGRESSIVE, 5), (RETRY_CONSERVATIVE, 3), (RetryConfig(1), 1)):
        flaky = Flaky(*[ConnectionError()] * 9)
        with pytest.raises(ConnectionError):
            preset.decorator()(flaky.__call__)()
        assert flaky.calls == retries + 1


# --- the rest ---


def test_request_signer() -> None:
    signer = RequestSigner("secret")
    # Made by 4.1.1.
    signature = "f7d8bf3b32b4364028a6ed80eabbc2f0f166bb55684e6fd69449ca42a858e989"
    assert signer.sign_request("openai", "Hello", model="gpt-4o", temperature=0.5) == signature
    assert signer.sign_request(Provider.OPENAI, "Hello", temperature=0.5, model="gpt-4o") == signature
    assert signer.verify_signature(signature, "openai", "Hello", model="gpt-4o", temperature=0.5)
    assert not signer.verify_signature(signature, "openai", "Hello", model="gpt-4o")
    assert not signer.verify_signature("é", "openai", "Hello")
    assert not signer.verify_signature(5, "openai", "Hello")  # type: ignore[arg-type]
    asked = {"provider": "openai", "message": "Hello", "model": "gpt-4o", "temperature": 0.5}
    assert signer.sign_dict(asked) == signature
    assert signer.verify_dict(signature, asked)
    assert not signer.verify_dict(signature, {"message": "Hello"})
    with pytest.raises(ValueError, match="must have 'provider' and 'message'"):
        signer.sign_dict({"provider": "openai"})
    with pytest.raises(ValueError, match=r"not contain '\|'"):
        signer.sign_request("a|b", "c")  # else the signature of ("a", "b|c")
    assert not signer.verify_signature(signature, "a|b", "c")
    with pytest.raises(TypeError):
        signer.sign_request("openai", "Hello", file=b"x")
    for empty in ("", None):
        with pytest.raises(ValueError, match="not empty"):
            RequestSigner(empty)  # type: ignore[arg-type]
    assert (signer.secret, repr(signer)) == ("secret", "RequestSigner()")


def test_a_signature_that_4_made_of_a_member() -> None:
    """It wrote the member's name into the text that it signed."""
    signature = "8a4737eee074f58f6d86afd1dd4bc214ebdc56cab837f6837428f63f615b52ea"
    signer = RequestSigner("k")
    assert signer.verify_signature(signature, Provider.OPENAI, "hi")
    assert signer.verify_signature(signer.sign_request("openai", "hi"), Provider.OPENAI, "hi")
    assert not signer.verify_signature(signature, Provider.GEMINI, "hi")
    assert not signer.verify_signature(signature, Provider.OPENAI, "ho")
    assert not signer.verify_signature(signature, "openai", "hi")


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("validate_prompt", [(" hi ", "hi")], [5, "", "  "]),
        ("validate_temperature", [(0, 0.0), (2, 2.0)], ["1", True, -0.1, 2.1, float("nan")]),
        ("validate_top_p", [(1, 1.0)], [None, 1.1, -1]),
        ("validate_max_tokens", [(1, 1), (1_000_000, 1_000_000)], [0, 1_000_001, 1.5, True]),
        (
            "validate_api_key",
            [(" sk-0123456789 ", "sk-0123456789"), ("sk-xxx-0123456789", "sk-xxx-0123456789")],
            [5, " ", "short", "your-api-key-here", "YOUR_API_KEY_1", "placeholder-key-1", "xxxxxxxxxxxx", "**********",
             "sk-..........", "test_key_123456"],
        ),
        ("validate_model_name", [(" gpt-4o ", "gpt-4o"), ("a/b:c@1", "a/b:c@1"), ("ü", "ü")], [5, "", "a b", "é!"]),
        ("validate_timeout", [(30, 30.0)], [0, -1, 3601, "1"]),
    ],
)  # fmt: skip
def test_validation(name: str, good: list[Any], bad: list[Any]) -> None:
    function = getattr(msgmodel, name)
    for given, result in good:
        assert function(given) == result
    for given in bad:
        with pytest.raises(ConfigurationError if name == "validate_max_tokens" else ValidationError) as caught:
            function(given)
        assert "short" not in str(caught.value) or "too short" in str(caught.value)
        assert name != "validate_api_key" or str(given) not in str(caught.value) or given in (5, " ", "short")
    if name == "validate_prompt":
        assert function("  ", allow_empty=True) == ""
    if name == "validate_api_key":
        with pytest.raises(ValidationError, match="the key for openai is empty"):
            function("", provider="openai")


def test_provider_classes() -> None:
    with ScriptedProvider() as provider:
        for kind in (msgmodel.OpenAIProvider, msgmodel.GeminiProvider, msgmodel.AnthropicProvider):
            asked = kind(KEY, provider.config(kind.provider, api_key=None))
            assert KEY not in repr(asked)
            assert kind.extract_text(asked.query("hi", "Be brief")) == "Hello from a scripted provider."
            assert "".join(asked.stream("hi", timeout=5)) == "Hello from a scripted provider."
            pieces = list(asked.stream_with_finish_reason("hi"))
            assert "".join(piece.get("text", "") for piece in pieces) == "Hello from a scripted provider."
            assert pieces[-1] == {
                "type": "finish",
                "finish_reason": {"openai": "stop", "gemini": "STOP", "anthropic": "end_turn"}[kind.provider],
            }
            assert list(asked.stream_with_finish_reason("hi", on_chunk=lambda text: False)) == [
                {"type": "finish", "finish_reason": "aborted"}
            ]
            assert list(asked.stream("hi", on_chunk=lambda text: False)) == []
            file: Any = {"data": "aGVsbG8=", "mime_type": "text/plain", "filename": "a.txt", "is_file_like": True}
            asked.query("hi", file_data=file)
            assert b"hello" in provider.requests[-1].body or b"aGVsbG8=" in provider.requests[-1].body
            unnamed: Any = {"data": "AAEC", "mime_type": "image/webp"}
            asked.query("hi", file_data=unnamed)
            assert b"image/webp" in provider.requests[-1].body
            asked.query("hi", file_data={**unnamed, "filename": "photo.png"})
            assert b"image/png" in provider.requests[-1].body, "the name goes before it"
            assert kind.get_privacy_info()["provider"] == kind.provider
            assert type(kind(KEY).config) is kind.kind
            with pytest.raises(FileError, match="base64"):
                asked.query("hi", file_data={"data": "?"})
        provider.say(Reply(error=401))
        with pytest.raises(APIError):
            list(asked.stream_with_finish_reason("hi"))
        config = provider.config("gemini")
        with pytest.raises(APIError):
            msgmodel.GeminiProvider.create_verified(KEY, config)
        count = len(provider.requests)
        msgmodel.GeminiProvider.create_with_cached_validation(KEY, config, validated=True)
        assert len(provider.requests) == count
        provider.say("Hi")
        msgmodel.GeminiProvider.create_with_cached_validation(KEY, config)


def test_answers_of_the_providers_own(tmp_path: Path) -> None:
    chat = {"choices": [{"message": {"content": "Hi"}}]}
    gemini = {"candidates": [{"content": {"parts": [{"text": "H"}, {"text": "i"}, {"inlineData": {
        "mimeType": "image/png", "data": "aGVsbG8="}}]}}]}  # fmt: skip
    anthropic = {"content": [{"type": "thinking"}, {"type": "text", "text": "Hi"}]}
    assert msgmodel.OpenAIProvider.extract_text(chat) == "Hi"
    assert msgmodel.GeminiProvider.extract_text(gemini) == "Hi"
    assert msgmodel.AnthropicProvider.extract_text(anthropic) == "Hi"
    assert {kind.extract_text({}) for kind in (msgmodel.OpenAIProvider, msgmodel.GeminiProvider)} == {""}
    (path,) = msgmodel.GeminiProvider.extract_binary_outputs(gemini, str(tmp_path))
    assert Path(path).read_bytes() == b"hello"
    assert path.endswith(".png")


def test_enum_and_default_configs() -> None:
    assert [Provider.from_string(name) for name in ("o", "claude", " Gemini ")] == list(
        map(Provider, ("openai", "anthropic", "gemini"))
    )
    with pytest.raises(ValueError, match="no provider 'x'"):
        Provider.from_string("x")
    with pytest.raises(ValueError, match="pass its name as a string"):
        Provider.from_string("groq")
    assert msgmodel.get_default_config(Provider.OPENAI) == msgmodel.OpenAIConfig()
    assert msgmodel.ClaudeConfig is msgmodel.AnthropicConfig
    config = msgmodel.get_default_config(Provider.GEMINI)
    config.model = "gemini-3.5-flash-lite"  # configs can be changed
    assert io.BytesIO  # what files come in
    from msgmodel import config as configs
    from msgmodel import core, exceptions

    assert configs.Provider is Provider
    assert configs.ANTHROPIC_API_KEY_FILE == "anthropic-api.key"
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        assert configs.nothing
    assert core.query is msgmodel.query
    assert exceptions.RateLimitError is RateLimitError
