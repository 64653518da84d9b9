"""Writes src/events.ts from the TypedDicts of msgmodel, so that the types of the client can't drift.

    .venv/bin/python clients/js/generate.py

Reads the source, not the classes: there the names of the types and the words about each key still stand.
"""

from __future__ import annotations

import ast
import re
import textwrap
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = [HERE.parents[1] / "src" / "msgmodel" / name for name in ("messages.py", "events.py", "server/panels.py")]
TARGET = HERE / "src" / "events.ts"

HEAD = """\
// Made by generate.py from messages.py, events.py and server/panels.py of msgmodel. Don't edit: run it again.
"""
TAIL = """\
/** All that a reader of the server's streams can get. */
export type StreamEvent = BatchEvent | StreamSnapshot;
"""
NAMES = {
    "str": "string",
    "int": "number",
    "float": "number",
    "bool": "boolean",
    "bytes": "string",  # base64 in JSON, which is all that comes here
    "Any": "Json",
    "JSON": "Json",  # JSON is the name of a global
    "PanelState": "PanelSnapshot",  # as the reducer's is called
}


def render() -> str:
    """The text of events.ts."""
    blocks = [HEAD]
    for source in SOURCES:
        body = ast.parse(source.read_text("utf-8")).body
        for node, after in zip(body, [*body[1:], None], strict=True):
            if isinstance(node, ast.ClassDef) and [ast.unparse(base) for base in node.bases] == ["TypedDict"]:
                blocks.append(_interface(node))
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
                name = _type(node.target)
                blocks.append(f"{_comment(_words(after), '')}export type {name} ={_wrapped(_type(node.value))};\n")
    return "\n".join([*blocks, TAIL])


def _interface(node: ast.ClassDef) -> str:
    lines = [f"{_comment(ast.get_docstring(node), '')}export interface {NAMES.get(node.name, node.name)} {{\n"]
    for field, after in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            hint, mark = field.annotation, ""
            if isinstance(hint, ast.Subscript) and ast.unparse(hint.value) == "NotRequired":
                hint, mark = hint.slice, "?"
            lines.append(f"{_comment(_words(after), '  ')}  {field.target.id}{mark}: {_type(hint)};\n")
    return "".join([*lines, "}\n"])


def _type(hint: ast.expr) -> str:
    match hint:
        case ast.Name(name):
            return NAMES.get(name, name)
        case ast.Constant(None):
            return "null"
        case ast.Constant(str(value)):
            return f'"{value}"'
        case ast.BinOp(left, ast.BitOr(), right):
            return " | ".join(dict.fromkeys([*_type(left).split(" | "), *_type(right).split(" | ")]))
        case ast.Subscript(ast.Name("Literal"), values):
            return " | ".join(map(_type, values.elts)) if isinstance(values, ast.Tuple) else _type(values)
        case ast.Subscript(ast.Name("list" | "Sequence"), item):
            return f"{_type(item)}[]"
        case ast.Subscript(ast.Name("dict"), ast.Tuple([key, value])):
            return f"{{ [key: {_type(key)}]: {_type(value)} }}"
    raise NotImplementedError(f"no TypeScript for {ast.unparse(hint)}")


def _wrapped(union: str) -> str:
    return f" {union}" if len(union) < 100 else "".join(f"\n  | {member}" for member in union.split(" | "))


def _words(node: ast.stmt | None) -> str | None:
    """The docstring of what stands before this node, if it is one."""
    match node:
        case ast.Expr(ast.Constant(str(words))):
            return words
    return None


def _comment(words: str | None, indent: str) -> str:
    if not words:
        return ""
    lines = re.sub(r"\bNone\b", "null", textwrap.dedent(words)).strip().splitlines()
    if len(lines) == 1:
        return f"{indent}/** {lines[0]} */\n"
    return "".join([f"{indent}/**\n", *(f"{indent} * {line}".rstrip() + "\n" for line in lines), f"{indent} */\n"])


if __name__ == "__main__":
    TARGET.write_text(render(), "utf-8")
