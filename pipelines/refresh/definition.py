"""What decides the rows of a table besides its inputs, as one number: code, data files, libraries and settings."""

import ast
import hashlib
import importlib
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import resolve_name
from pathlib import Path
from types import ModuleType


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
