"""The stable surface: what its page promises is what the code has."""

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "surface.md"
PART = re.compile(r"### `(app[\w.]*)`\n\n```pyi\n(.*?)```", re.DOTALL)


def promised() -> Iterator[tuple[str, ast.stmt]]:
    """Every module with each declaration that the page shows under it."""
    for module, code in PART.findall(PAGE.read_text("utf-8")):
        for declaration in ast.parse(code).body:
            yield module, declaration


def name_of(declaration: ast.stmt) -> str:
    if isinstance(declaration, ast.AnnAssign):
        return ast.unparse(declaration.target)
    assert isinstance(declaration, ast.FunctionDef | ast.ClassDef), ast.unparse(declaration)
    return declaration.name


def signature_of(function: ast.FunctionDef) -> str:
    returns = ast.unparse(function.returns) if function.returns else ""
    return f"({ast.unparse(function.args)}) -> {returns}"


PROMISES = [
    pytest.param(module, declaration, id=f"{module}.{name_of(declaration)}")
    for module, declaration in promised()
]


def test_the_page_promises_something():
    assert len(PROMISES) > 40


@pytest.mark.parametrize(("module", "declaration"), PROMISES)
def test_what_the_page_promises_is_there(module, declaration):
    there = getattr(import_module(module), name_of(declaration))

    if isinstance(declaration, ast.ClassDef):
        assert inspect.isclass(there)
    if isinstance(declaration, ast.FunctionDef):
        (code,) = ast.parse(inspect.getsource(inspect.unwrap(there))).body
        assert isinstance(code, ast.FunctionDef)
        assert signature_of(code) == signature_of(declaration)
