"""Python functions put together from `ast` nodes and from pieces with places to fill, never from joined text."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any


def filled(text: str, **parts: ast.expr) -> ast.expr:
    """An expression of Python's in which each name among `parts` stands for that part."""
    expression: ast.expr = _fill(_parsed(text), parts)
    return expression


def load(name: str) -> ast.Name:
    """The name where its value is used."""
    return ast.Name(name, ast.Load())


class FunctionDraft:
    """A function being written: statements go into the block at hand."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        """
        Args:
            names: all that the function can name; what is built into Python is not among them by itself.
        """
        self._names = {"__builtins__": {}, **names}
        self._block: list[ast.stmt] = []
        self._count = 0

    def _finished(self, header: str, returned: ast.expr) -> tuple[Callable[..., Any], ast.Module]:
        """The function, and the module that defines it.

        Args:
            header: such as "def name(argument): pass".

        Raises:
            SyntaxError: more than 20 loops in one another.
        """
        module = ast.parse(header)
        define: Any = module.body[0]
        define.body = [*self._block, ast.Return(returned)]
        ast.fix_missing_locations(module)
        exec(compile(module, "<written>", "exec"), self._names)  # noqa: S102 - nodes, never a text
        return self._names[define.name], module

    def _constant(self, value: Any) -> ast.Name:
        """A name for a value that no literal of Python's can be."""
        name = f"c{len(self._names)}"
        self._names[name] = value
        return load(name)

    def _new_name(self) -> ast.Name:
        self._count += 1
        return load(f"v{self._count}")

    def _named(self, found: ast.expr) -> ast.Name:
        """A name for the value, which is computed once and here."""
        return found if isinstance(found, ast.Name) else self._assigned(found)

    def _assigned(self, found: ast.expr) -> ast.Name:
        """A new name, which may be given other values later."""
        name = self._new_name()
        self._assign(name, found)
        return name

    def _assign(self, name: ast.Name, found: ast.expr) -> None:
        self._block.append(ast.Assign([ast.Name(name.id, ast.Store())], found))

    def _do(self, call: ast.expr) -> None:
        self._block.append(ast.Expr(call))

    def _when(self, condition: ast.expr) -> AbstractContextManager[None]:
        return self._inside(ast.If(condition, [], []))

    def _for_each(self, name: ast.Name, items: ast.expr) -> AbstractContextManager[None]:
        return self._inside(ast.For(ast.Name(name.id, ast.Store()), items, [], []))

    @contextmanager
    def _inside(self, statement: ast.If | ast.For) -> Iterator[None]:
        """What is written meanwhile is the statement's body."""
        self._block.append(statement)
        outer, self._block = self._block, statement.body
        yield
        self._block = outer


@cache
def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _fill(node: Any, parts: Mapping[str, ast.expr]) -> Any:
    if isinstance(node, ast.Name):
        return parts.get(node.id, node)
    if isinstance(node, list):
        return [_fill(one, parts) for one in node]
    if isinstance(node, ast.AST):
        return type(node)(**{name: _fill(part, parts) for name, part in ast.iter_fields(node)})
    return node
