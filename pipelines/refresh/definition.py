"""What decides the rows of a table besides its inputs, as one number: code, data files, libraries and settings."""

import ast
import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from functools import cache, partial
from importlib.util import resolve_name
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl

from lake.table_spec import Column, TableSpec


def number_of(*texts: str) -> int:
    """A number of 63 bits for some texts; other texts have another."""
    digest = hashlib.blake2b("\0".join(texts).encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1


@cache
def code_of(module: str) -> str:
    """The code of a module and of those it imports from its own package or from pipelines.reports, and their data.

    Comments, docstrings and what columns mean are left out. A data file is one with a module's name and another ending.
    """
    found: dict[str, str] = {}
    _gather(importlib.import_module(module), (module.partition(".")[0] + ".", "pipelines.reports."), found)
    return "\0".join(f"{name}\0{text}" for name, text in sorted(found.items()))


def captured_by(build: Callable[..., Any]) -> str:
    """What a function was given when it was made: the arguments of its factory, which another module may name."""
    if isinstance(build, partial):
        return _shown([build.args, build.keywords, captured_by(build.func)])
    return _shown(inspect.getclosurevars(build).nonlocals)


def _shown(value: object) -> str:
    """A value as a text that another process writes too; of what is unknown its type."""
    if isinstance(value, Column):
        return f"{value.name} {value.dtype}"
    if isinstance(value, TableSpec):
        return _shown([value.name, value.key, value.partition_by, value.columns])
    if isinstance(value, Mapping):
        return _shown(list(value.items()))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_shown, value))}]"
    if inspect.isfunction(value):
        return f"{value.__module__}.{value.__qualname__} {captured_by(value)}"
    is_plain = value is None or isinstance(value, str | int | float | date | pl.Expr | pl.DataType)
    return str(value) if is_plain else type(value).__name__


def _gather(module: ModuleType, packages: tuple[str, ...], found: dict[str, str]) -> None:
    tree = _Meaning().visit(ast.parse(inspect.getsource(module)))
    found[module.__name__] = "\0".join([ast.unparse(tree), *_data_beside(module)])
    for name in _imported(tree, module.__package__ or ""):
        if name not in found and name in sys.modules and name.startswith(packages):
            _gather(sys.modules[name], packages, found)


def _data_beside(module: ModuleType) -> Iterator[str]:
    code = Path(inspect.getfile(module))
    for file in sorted(code.parent.glob(f"{code.stem}.*")):
        if file.suffix not in (".py", ".pyi", ".pyc"):
            yield file.read_bytes().hex()


def _imported(tree: ast.AST, package: str) -> Iterator[str]:
    """Names of what is imported, modules among them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), package)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


class _Meaning(ast.NodeTransformer):
    """Takes out of code what says nothing to the machine."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return ast.copy_location(ast.Pass(), node) if is_text else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "Column":
            node.args, node.keywords = node.args[:2], []
        if isinstance(node.func, ast.Name) and node.func.id == "TableSpec":
            node.keywords = [keyword for keyword in node.keywords if keyword.arg != "description"]
        return node
