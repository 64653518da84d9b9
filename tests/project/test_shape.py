"""The shape of the library: import order, twins, signatures, checks at the call, what an import costs."""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import re
import resource
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import msgmodel
from conftest import KEY
from msgmodel import (
    AnthropicConfig,
    AsyncClient,
    AuthenticationError,
    Client,
    ConfigurationError,
    FileError,
    GeminiConfig,
    LocalConfig,
    OpenAIConfig,
    _options,
)

PACKAGE = Path(msgmodel.__file__).parent

# --- imports (the order of the rooms is in test_rooms.py) ---

PURE_ROOMS = (
    "messages",
    "reply_facts",
    "events",
    "errors",
    "response",
    "output",
    "question",
    "registry",
    "wires",
    "reply",
)
NOT_PURE = frozenset({"registry.environment", "registry.kept_keys", "registry.user_folders"}) | frozenset(
    {"reply.shells", "reply.cost", "registry.registry"}
)
"""What reads the environment or the user's files, drives I/O, loads prices or looks for packages, in rooms that are
else pure."""

OUTERMOST = ("__main__", "adapters", "cli", "notebook", "server", "testing")
"""What stands on the public modules alone; of each, everything below it too."""

OPEN_TO_OUTERMOST = frozenset(
    {
        "registry.environment",
        "registry.kept_keys",
        "registry.user_folders",
        "question.key_source",
        "wires.sse",
        "http.watchdog",
        "http.loop_alarm",
        "http.pools",
        "question.question",
        "question.files",
        "question.foreign_messages",
        "question.lenient_json",
        "question.past_turns",
        "question.token_estimate",
        "question.tools",
        "reply.cost",
        "reply.wording",
        "tools.mcp_client",
        "tools.runnable_tool",
    }
)
"""Whether there is a key is said by the one reader of the environment, and the command line keeps keys; events go out
in the framing in which they come in; who leaves ends a wait of the HTTP layer's, and waits for the log share timers as
those do; an end that the server adds counts tokens and prices as others do; what is wrong in the environment is logged
at the start; the command line words an ending as the advice does; the server reads attachments once, to count the text
of a file before any provider's request is made of it, and refuses tools that a provider runs, and files that it fetches
from an address; clients cut a text within an emoji; the
server reads the tools of its operator as a run does."""

FORBIDDEN_IN_CORE = frozenset({"asyncio", "httpx2", "os", "socket", "threading", "time", "pathlib"})
ALLOWED_IN_CORE = {
    ("question.files", "pathlib", "PurePath"),
    ("reply.cancelled_stream", "asyncio", "CancelledError"),  # the name of an exception
    ("question.history", "time", "time"),  # when a provider forgets what it keeps, such as audio
}


def modules() -> dict[str, ast.Module]:
    """The syntax tree of every module, by its name within the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = ast.parse(path.read_text("utf-8"))
    return found


MODULES = modules()
INNER = sorted(name for name in MODULES if name.partition(".")[0] not in OUTERMOST)
CORE = sorted(name for name in INNER if name.partition(".")[0] in PURE_ROOMS and name not in NOT_PURE)
"""No I/O and no clock."""
PUBLIC = frozenset({
    *("", "messages", "events", "errors", "response", "client", "conversation", "many", "otel", "config", "providers"),
    *("core", "async_core", "exceptions", "retry", "security", "validation", "compat", "local.weights", "wires"),
})  # fmt: skip
"""What anybody may import."""


def imports(name: str) -> Iterator[tuple[str, str]]:
    """(module, name) of every import anywhere in the module; our own modules as within the package, with a dot."""
    package = name if (PACKAGE / Path(*name.split(".")) / "__init__.py").exists() else name.rpartition(".")[0]
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.Import):
            for alias in node.names:
                own = alias.name.partition(".")[0] == "msgmodel"
                yield "." + alias.name.partition(".")[2] if own else alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if module.partition(".")[0] == "msgmodel" and not node.level:
                base = [module.partition(".")[2]]
            elif node.level:
                above = package.split(".") if package else []
                base = [*above[: len(above) - node.level + 1], module]
            else:
                yield from ((module, alias.name) for alias in node.names)
                continue
            source = ".".join(filter(None, base))
            for alias in node.names:
                inner = ".".join(filter(None, (source, alias.name)))
                yield (f".{inner}", "") if inner in MODULES else (f".{source}", alias.name)


def own_imports(name: str) -> set[str]:
    return {module[1:] for module, _ in imports(name) if module.startswith(".")}


def test_imports_are_read_as_they_are() -> None:
    assert {"wires.provider_errors", "question.question", "question.lenient_json"} <= own_imports("wires.gemini.parser")
    assert {"local.weights", "question.transport"} <= own_imports("local.engine")
    assert {"question.files", "output.output_format"} <= own_imports("_input_cache")
    assert {"_output_argument", "registry.environment", "local.engine"} <= own_imports("_arguments")
    assert ("pathlib", "PurePath") in set(imports("question.files"))


@pytest.mark.parametrize("name", CORE)
def test_the_core_does_no_io(name: str) -> None:
    outside = {
        (module, what)
        for module, what in imports(name)
        if module.partition(".")[0] in FORBIDDEN_IN_CORE and (name, module, what) not in ALLOWED_IN_CORE
    }
    assert outside == set()


@pytest.mark.parametrize("name", sorted(MODULES))
def test_one_file_knows_the_http_library(name: str) -> None:
    run_time = [node for node in ast.walk(_without_type_checking(MODULES[name])) if isinstance(node, ast.Import)]
    assert ("httpx2" in {alias.name for node in run_time for alias in node.names}) == (
        # The recorder is a proxy of its own, for tests; a server has connections of its own.
        name in ("http.pools", "http.by_httpx2", "http.tls_and_proxies", "testing.recording")
    )


def _without_type_checking(tree: ast.Module) -> ast.Module:
    class Strip(ast.NodeTransformer):
        def visit_If(self, node: ast.If) -> ast.AST | None:
            return None if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING" else node

    return Strip().visit(ast.parse(ast.unparse(tree)))


@pytest.mark.parametrize("name", sorted(set(MODULES) - set(INNER)))
def test_the_outermost_use_public_modules(name: str) -> None:
    """Their own package may have private modules; ours are closed to them."""
    inside = name.partition(".")[0]
    private = {
        (module, what)
        for module, what in imports(name)
        if module.startswith(".") and module[1:].partition(".")[0] not in {inside, *OUTERMOST}
        if module[1:] not in PUBLIC | OPEN_TO_OUTERMOST or (what.startswith("_") and not what.endswith("__"))
    }
    assert private == set()


# --- twins ---

TWIN_NAMES = {"AsyncGenerator": "Generator", "AsyncTransport": "Transport", "aclosing": "closing"}


class _Blocking(ast.NodeTransformer):
    """An async function as its blocking twin would be written."""

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        self.generic_visit(node)
        fields = {field: getattr(node, field) for field in node._fields}
        return ast.FunctionDef(**fields | {"name": node.name.removeprefix("async_"), "body": _undocumented(node)})

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.body = _undocumented(node)
        return node

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        self.generic_visit(node)
        return ast.With(**{field: getattr(node, field) for field in node._fields})

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        self.generic_visit(node)
        return ast.For(**{field: getattr(node, field) for field in node._fields})

    def visit_Await(self, node: ast.Await) -> ast.AST:
        return self.visit(node.value)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        name = TWIN_NAMES.get(node.id, node.id)
        return ast.Name(name.removeprefix("async_"), node.ctx)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """AsyncGenerator[Y, S] returns nothing; Generator[Y, S, None] says so."""
        if isinstance(node.value, ast.Name) and node.value.id == "AsyncGenerator":
            assert isinstance(node.slice, ast.Tuple)
            node.slice.elts.append(ast.Constant(None))
        self.generic_visit(node)
        return node


def _undocumented(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.stmt]:
    return function.body[1:] if ast.get_docstring(function) else function.body


def blocking(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return ast.dump(_Blocking().visit(function), indent=1)


def functions(name: str) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions of a module; parsed anew, because the transformation changes them."""
    tree = ast.parse(ast.unparse(MODULES[name]))
    return {node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


SHELLS = functions("reply.shells")
ASYNC_SHELLS = sorted(name for name, node in SHELLS.items() if isinstance(node, ast.AsyncFunctionDef))


def test_every_shell_has_a_twin() -> None:
    """What neither waits nor yields serves both colours."""
    assert "async_run_exchange" in ASYNC_SHELLS
    alone = set(SHELLS) - {name.removeprefix("async_") for name in ASYNC_SHELLS} - set(ASYNC_SHELLS)
    for name in alone:
        assert not any(isinstance(node, ast.With | ast.Yield | ast.Await) for node in ast.walk(SHELLS[name])), name


@pytest.mark.parametrize("name", ASYNC_SHELLS)
def test_twins(name: str) -> None:
    assert blocking(SHELLS[name]) == blocking(SHELLS[name.removeprefix("async_")])


def test_twins_that_differ_are_seen() -> None:
    """The comparison can fail: on a condition turned round, a call left out, a name."""
    source = ast.unparse(functions("reply.shells")["async_run_exchange"])
    for old, new in [
        ("is not None", "is None"),
        ("exchange.response_started(", "str("),
        ("connection_broken", "exchange"),
    ]:
        (changed,) = ast.parse(source.replace(old, new)).body
        assert isinstance(changed, ast.AsyncFunctionDef)
        assert blocking(changed) != blocking(functions("reply.shells")["run_exchange"])


# --- signatures ---

TWELVE: dict[str, object] = {
    "provider": inspect.Parameter.empty,
    "prompt": inspect.Parameter.empty,
    "api_key": None,
    "system_instruction": None,
    "file_like": None,
    "filename": None,
    "config": None,
    "max_tokens": None,
    "model": None,
    "temperature": None,
    "timeout": 300,
    "panel_id": None,
}
"""The parameters of `stream_panels`, in their order: people introspect them and pass them by position."""
ELEVEN = {name: default for name, default in TWELVE.items() if name != "panel_id"}
PARAMETERS: dict[str, dict[str, object]] = {
    "stream_panels": TWELVE,
    "stream": {**ELEVEN, "on_chunk": None},
    "query": ELEVEN,
}
SIX = [*PARAMETERS, *(f"a{name}" for name in PARAMETERS)]


def positional(function: Callable[..., Any]) -> dict[str, object]:
    """Names and defaults of the parameters that can be passed by position, in their order."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = inspect.signature(function).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters if parameter.kind is kind}


@pytest.mark.parametrize("name", SIX)
def test_parameters(name: str) -> None:
    """Names, order and defaults."""
    found = positional(getattr(msgmodel, name))
    assert list(found.items()) == list(PARAMETERS[name.removeprefix("a")].items())


@pytest.mark.parametrize("name", PARAMETERS)
def test_both_colours_have_the_same_signature(name: str) -> None:
    ours, twin = (inspect.signature(getattr(msgmodel, each)) for each in (name, f"a{name}"))
    assert [str(p) for p in ours.parameters.values()][:-1] == [str(p) for p in twin.parameters.values()][:-1]
    assert set(_options.SyncOptions.__annotations__) == set(_options.AsyncOptions.__annotations__)
    for more in (ours, twin):
        assert list(more.parameters.values())[-1].kind is inspect.Parameter.VAR_KEYWORD


@pytest.mark.parametrize("name", SIX)
def test_each_argument_is_passed_on_by_its_own_name(name: str) -> None:
    calls = [node for node in ast.walk(functions("_functions")[name]) if isinstance(node, ast.Call)]
    (made,) = [call for call in calls if ast.unparse(call.func) == "Arguments"]
    assert [(keyword.arg, ast.unparse(keyword.value)) for keyword in made.keywords] == [
        (argument, argument) for argument in list(TWELVE)[:10]
    ]


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_a_client_s_methods_have_the_same_signature(client: type[Client | AsyncClient], name: str) -> None:
    function = getattr(msgmodel, name if client is Client else f"a{name}")
    method = getattr(client(), name)
    assert inspect.signature(method) == inspect.signature(function)
    assert method.__doc__ == function.__doc__


@pytest.mark.parametrize("name", SIX)
def test_all_are_plain_functions(name: str) -> None:
    function = getattr(msgmodel, name)
    assert inspect.isfunction(function)
    assert not inspect.isgeneratorfunction(function)
    assert not inspect.iscoroutinefunction(function)
    assert not inspect.isasyncgenfunction(function)


def test_what_they_return() -> None:
    arguments: dict[str, Any] = {"provider": "openai", "prompt": "Hi", "api_key": KEY}
    assert isinstance(msgmodel.stream_panels(**arguments), Iterator)
    assert isinstance(msgmodel.stream(**arguments), Iterator)
    for stream in (msgmodel.astream_panels(**arguments), msgmodel.astream(**arguments)):
        assert isinstance(stream, AsyncGenerator)
        assert inspect.isasyncgen(aiter(stream))  # a loop runs at the speed of a generator
    coroutine = msgmodel.aquery(**arguments)
    assert asyncio.iscoroutine(coroutine)
    coroutine.close()


# --- arguments are checked at the call ---

BAD: list[tuple[Any, dict[str, Any]]] = [
    (ConfigurationError, {"provider": "nobody"}),
    (ConfigurationError, {"provider": ""}),
    (ConfigurationError, {"provider": None}),
    (ConfigurationError, {"provider": 3}),
    (ConfigurationError, {"prompt": ""}),
    (ConfigurationError, {"prompt": " \n"}),
    (ConfigurationError, {"prompt": None}),
    (ConfigurationError, {"prompt": b"Hi"}),
    (ConfigurationError, {"api_key": 3}),
    (AuthenticationError, {"api_key": "two words"}),
    (AuthenticationError, {"api_key": "line\nbreak"}),
    (AuthenticationError, {"api_key": "schlüssel"}),
    (AuthenticationError, {"api_key": None}),
    (AuthenticationError, {"api_key": "  "}),
    (ConfigurationError, {"system_instruction": 3}),
    (FileError, {"filename": "a.png"}),
    (FileError, {"file_like": 3}),
    (FileError, {"file_like": Path("is-not-there.png")}),
    (ConfigurationError, {"config": AnthropicConfig()}),
    (ConfigurationError, {"config": LocalConfig()}),
    (ConfigurationError, {"provider": "gemini", "config": OpenAIConfig()}),
    (ConfigurationError, {"provider": "claude", "config": GeminiConfig()}),
    (ConfigurationError, {"config": {"model": "gpt"}}),
    (ConfigurationError, {"config": OpenAIConfig}),
    *((ConfigurationError, {"max_tokens": value}) for value in (0, -1, 1.5, "10", True)),
    (ConfigurationError, {"config": OpenAIConfig(max_tokens=0)}),
    *((ConfigurationError, {"model": value}) for value in ("", " ", 3)),
    *((ConfigurationError, {"temperature": value}) for value in (-0.1, float("nan"), float("inf"), "hot", True)),
    (ConfigurationError, {"config": OpenAIConfig(temperature=-1)}),
    *((ConfigurationError, {"timeout": value}) for value in (0, -1, float("nan"), float("inf"), "5", True, None)),
    *((ConfigurationError, {"max_retries": value}) for value in (-1, 1.5, "2", None, True)),
    *(
        (ConfigurationError, {"config": OpenAIConfig(base_url=value)})
        for value in (
            "api.example.test",
            "ftp://example.test",
            "http://",
            "http://me:secret@example.test",
            "https://example.test/#top",
            "http://[::1/v1",
            "http://example.test:port/v1",
            "http://exa mple.test/v1",
        )
    ),
    (ConfigurationError, {"config": OpenAIConfig(api="assistants")}),  # type: ignore[arg-type]
    (ConfigurationError, {"config": OpenAIConfig(headers={"bad name": "x"})}),
    (ConfigurationError, {"config": OpenAIConfig(headers={"x": "a\r\nb"})}),
    (ConfigurationError, {"config": OpenAIConfig(body={"x": object()})}),
    *(
        (ConfigurationError, {"messages": value})
        for value in (
            None,
            3,
            "Hi",
            ["Hi"],
            [{"role": "user"}],
            [{"content": "Hi"}],
            [{"role": "user", "content": None}],
            [{"role": "robot", "content": "Hi"}],
            [{"role": ["user"], "content": "Hi"}],
        )
    ),
    (ConfigurationError, {"prompt": "", "messages": [{"role": "assistant", "content": "Hi"}]}),
    *(((ConfigurationError, FileError), {"files": value}) for value in (None, 3, [3], [("a.png", 3)], [("a", b"", 1)])),
    (TypeError, {"max_token": 5}),
    (TypeError, {"stream": True}),
]


def short(value: object) -> str:
    """A name of a case: without the fields that are not set, and the names of the exceptions."""
    return (
        re.sub(r"\w+=None, |api='chat', |, api='chat'|, \w+=None", "", repr(value)) if isinstance(value, dict) else ""
    )


def call(name: str, **arguments: Any) -> None:
    """Calls, and throws away what comes out: it must not be needed to see a mistake."""
    made = getattr(msgmodel, name)(**arguments)
    if inspect.iscoroutine(made):
        made.close()


@pytest.mark.parametrize(("error", "arguments"), BAD, ids=short)
@pytest.mark.parametrize("name", SIX)
def test_bad_arguments_raise_at_the_call(name: str, error: Any, arguments: dict[str, Any]) -> None:
    """No loop runs here, and nothing is iterated or awaited."""
    with pytest.raises(error) as raised:
        call(name, **{"provider": "openai", "prompt": "Hi", "api_key": KEY, **arguments})
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("name", ["stream_panels", "astream_panels"])
def test_a_bad_panel_id_raises_at_the_call(name: str) -> None:
    with pytest.raises(ConfigurationError, match="panel_id"):
        getattr(msgmodel, name)("openai", "Hi", KEY, panel_id=3)
    with pytest.raises(TypeError, match="on_chunk"):
        getattr(msgmodel, name)("openai", "Hi", KEY, on_chunk=print)


@pytest.mark.parametrize("name", ["stream", "astream"])
def test_a_bad_on_chunk_raises_at_the_call(name: str) -> None:
    with pytest.raises(ConfigurationError, match="on_chunk"):
        getattr(msgmodel, name)("openai", "Hi", KEY, on_chunk="print")
    with pytest.raises(TypeError, match="panel_id"):
        getattr(msgmodel, name)("openai", "Hi", KEY, panel_id="left")


@pytest.mark.parametrize("name", ["query", "aquery"])
def test_query_has_neither(name: str) -> None:
    for unknown in ("panel_id", "on_chunk"):
        with pytest.raises(TypeError, match=unknown):
            getattr(msgmodel, name)("openai", "Hi", KEY, **{unknown: None})


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_a_client_checks_at_the_call_too(client: type[Client | AsyncClient], name: str) -> None:
    for error, arguments in [
        (ConfigurationError, {"provider": "nobody"}),
        (ConfigurationError, {"max_tokens": 0}),
        (TypeError, {"max_token": 5}),
    ]:
        with pytest.raises(error):
            getattr(client(), name)(**{"provider": "openai", "prompt": "Hi", "api_key": KEY, **arguments})


@pytest.mark.parametrize("name", SIX)
def test_a_bad_address_in_the_environment_raises_at_the_call(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "localhost:8000")
    with pytest.raises(ConfigurationError, match="base_url"):
        getattr(msgmodel, name)("openai", "Hi", KEY)


# --- what an import costs ---

LAZY = ["httpx2", "asyncio", "xllamacpp", "rich", "typer", "click", "prompt_toolkit", "filetype"]


def test_import_loads_little() -> None:
    code = f"import sys, msgmodel; print([name for name in {LAZY} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_call_with_bad_arguments_loads_little() -> None:
    """What is wrong is said before the HTTP library is there."""
    code = f"""
import sys, msgmodel
try:
    msgmodel.stream_panels("openai", "Hi", max_tokens=0)
except msgmodel.ConfigurationError:
    print([name for name in {LAZY} if name in sys.modules])
"""
    ran = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def cpu_seconds(python: str, code: str) -> float:
    """CPU time of a fresh interpreter that runs the code: the least of five."""

    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    def once() -> float:
        before = used()
        subprocess.run([python, "-c", code], check=True)
        return used() - before

    return min(once() for _ in range(5))


PEER = os.environ.get("MSGMODEL_PEER_PYTHON", "")


@pytest.mark.skipif(not PEER, reason="MSGMODEL_PEER_PYTHON names no interpreter that has openai")
def test_import_costs_less_than_a_quarter_of_openai() -> None:
    """Beyond what the bare interpreter costs, so that its start does not hide the difference."""
    if subprocess.run([PEER, "-c", "import openai"], capture_output=True).returncode:
        pytest.skip("openai can't be imported there")
    ours = cpu_seconds(sys.executable, "import msgmodel") - cpu_seconds(sys.executable, "pass")
    theirs = cpu_seconds(PEER, "import openai") - cpu_seconds(PEER, "pass")
    assert ours < theirs / 4


# --- the public names ---


@pytest.mark.parametrize("name", msgmodel.__all__)
def test_public_names(name: str) -> None:
    value = getattr(msgmodel, name)
    if isinstance(value, type) or inspect.isfunction(value):
        documentation = vars(value)["__doc__"] if isinstance(value, type) else value.__doc__
        assert documentation
        assert not documentation.startswith(f"{name}(")  # what a dataclass writes itself


def test_all_is_sorted_and_whole() -> None:
    assert sorted(set(msgmodel.__all__)) == sorted(msgmodel.__all__)
    public = {
        name for name, value in vars(msgmodel).items() if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public <= set(msgmodel.__all__)


def test_star_import() -> None:
    names: dict[str, Any] = {}
    exec("from msgmodel import *", names)
    assert set(msgmodel.__all__) <= set(names)
