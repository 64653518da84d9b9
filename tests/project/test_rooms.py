"""The rooms of the package stand in one order: each imports only from rooms before it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import msgmodel

PACKAGE = Path(msgmodel.__file__).parent

ROOMS = (
    "_version messages reply_facts events errors response",  # what goes in, what comes out, what is raised and returned
    "output",  # the JSON that is wanted of a reply, and whether it fits
    "question",  # what is asked, as data
    "registry",  # who can be asked
    "wires",  # what providers take and send
    "reply",  # one reply, from the first request to its one terminal event
    "http",  # bytes from a server
    "local",  # bytes from a model in this process
    "_options _input_cache _output_argument",  # what a caller passes
    "_arguments _argument_hints _progress_streams _calls _functions",  # the six functions, and their arguments
    "_spending",  # what several calls take together
    "client tools conversation otel listing",  # what stands on the six functions: runs of tools, a memory
    "batch many",  # several panels at once
    "v4 config providers core async_core exceptions retry security validation compat",  # public names, old and new
    "msgmodel",  # the package itself
    "adapters testing",
    "server",
    "cli __main__",
    "notebook",  # draws replies with the parser of the command line
)
"""A folder or a module of `src/msgmodel`, first those that import from no other."""

FLOORS = {room: floor for floor, rooms in enumerate(ROOMS) for room in rooms.split()}


def parsed_modules() -> dict[str, ast.Module]:
    """Return the syntax tree of each module by its full name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = ast.parse(path.read_text("utf-8"))
    return found


MODULES = parsed_modules()
PACKAGES = {".".join(path.parent.relative_to(PACKAGE.parent).parts) for path in PACKAGE.rglob("__init__.py")}


def imported_modules(name: str) -> Iterator[str]:
    """Yield each module of ours that a module imports: within functions, for type checkers and by a string, too."""
    above = name.split(".") if name in PACKAGES else name.split(".")[:-1]
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = above[: len(above) - node.level + 1] if node.level else []
            source = ".".join([*start, *filter(None, [node.module])])
            yield from (inner if (inner := f"{source}.{alias.name}") in MODULES else source for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            called = node.args[0]
            assert isinstance(called, ast.Constant | ast.JoinedStr), f"{name} imports a module whose name is computed"
            if isinstance(called, ast.Constant):
                yield str(called.value)


def room_of(module: str) -> str:
    """Return the room that a module is in."""
    return [*module.split("."), "msgmodel"][1] if module != "msgmodel" else module


def imports_of_ours(name: str) -> set[str]:
    """Return the modules of ours that a module imports, itself left out."""
    return {module for module in imported_modules(name) if module.partition(".")[0] == "msgmodel"} - {name}


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_imports_only_from_rooms_before_its_own(name: str) -> None:
    own = room_of(name)
    others = {room_of(module) for module in imports_of_ours(name)} - {own}
    assert {room for room in others if FLOORS[room] > FLOORS[own]} == set()


def test_no_module_imports_itself_by_way_of_others() -> None:
    left = {name: imports_of_ours(name) & MODULES.keys() for name in MODULES}
    while ends := [name for name, imports in left.items() if not imports & left.keys()]:
        for name in ends:
            del left[name]
    assert not left


def test_every_room_has_a_place() -> None:
    assert {room_of(name) for name in MODULES} == FLOORS.keys()
