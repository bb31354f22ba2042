"""Make one Python function of a template that was checked. Knows neither Jinja nor what can be wrong."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count, takewhile
from typing import Any, NamedTuple, cast

from rankspec.models import Json
from rankspec.templates import nodes
from rankspec.templates.values import FUNCTIONS

Scope = Mapping[str, Any]
"""The names a template sees, absent ones as None."""

Write = Callable[[Any], str | None]
"""Makes text of a value; of None, None."""


class Fixed(NamedTuple):
    """A part of a tree that holds no expression."""

    value: Json


class Text(NamedTuple):
    """A leaf with text around its expressions. It is absent if one of them is."""

    parts: tuple[str | ast.expr, ...]


class Loop(NamedTuple):
    """A list with one item for each document."""

    item: Member


Member = Fixed | ast.expr | Text | Loop | dict[str, "Member"] | list["Member"]
"""A checked part of a tree. Absent parts of objects and lists are left out; such are absent if all of them are."""


def json_function(tree: Member, empty: Callable[[], Json]) -> Callable[[Scope], Json]:
    """Gives the tree's value for a scope, or what `empty` gives if all of it is absent.

    Raises:
        RecursionError: an expression is nested too deeply for Python.
    """
    if isinstance(tree, Fixed):
        return lambda scope: tree.value
    writer = _Writer({"empty": empty})
    made = writer.made(tree)
    body, value = [*made.before], made.value
    if not made.is_present:
        body += [_assign("tree", value), _if_absent("tree", ast.Return(nodes.call("empty")))]
        value = nodes.load("tree")
    return _function(["scope"], [*body, ast.Return(value)], writer.constants)


def text_function(text: Text) -> Callable[[Scope, Write], str | None]:
    """Gives the text for a scope, each value made text by `write`; raises as `json_function` does."""
    if all(isinstance(part, str) for part in text.parts):
        fixed = "".join(map(str, text.parts))
        return lambda scope, write: fixed
    return _function(["scope", "write"], [ast.Return(_Writer({}).text(text.parts))], {})


def expression_function(expression: ast.expr) -> Callable[[Scope], Any]:
    """Gives the expression's value for a scope; raises as `json_function` does."""
    return _function(["scope"], [ast.Return(expression)], {})


def inspected(tree: Member) -> frozenset[str]:
    """Those of DOCUMENT_NAMES whose values the tree looks into, or makes something else of."""
    match tree:
        case Fixed():
            return frozenset()
        case Text(parts):
            return frozenset().union(*(nodes.documents_in(part) for part in parts if not isinstance(part, str)))
        case Loop(item):
            return inspected(item)
        case dict():
            return frozenset().union(*map(inspected, tree.values()))
        case list():
            return frozenset().union(*map(inspected, tree))
        case ast.expr():
            return nodes.inspected(tree)


def _function(arguments: list[str], body: list[ast.stmt], constants: Mapping[str, Any]) -> Callable[..., Any]:
    accepted = ast.arguments([], [ast.arg(one) for one in arguments], None, [], [], None, [])
    module = ast.Module([ast.FunctionDef("template", accepted, body, [], None, None)], [])
    code = compile(ast.fix_missing_locations(module), "<template>", "exec", dont_inherit=True)
    names: dict[str, Any] = {"__builtins__": {}, **FUNCTIONS, **constants}
    exec(code, names)  # noqa: S102  # nothing but nodes that were made here
    return cast(Callable[..., Any], names["template"])


class _Made(NamedTuple):
    """A part of the tree: its value, after the statements that are `before`. If it may be absent, None says that."""

    value: ast.expr
    is_present: bool
    before: Sequence[ast.stmt] = ()

    @property
    def is_plain(self) -> bool:
        """Whether it can stand in a display."""
        return self.is_present and not self.before

    @property
    def is_absent(self) -> bool:
        """Whether it is always absent."""
        return not self.is_present and isinstance(self.value, ast.Constant)


class _Writer:
    """Writes what is in one function. `constants` are the values that it has by name."""

    def __init__(self, constants: dict[str, Any]) -> None:
        self.constants = constants
        self._is_over_texts = False
        self._counter = count()

    def made(self, part: Member) -> _Made:
        """The part, in Python."""
        match part:
            case Fixed(value):
                return _Made(self._fixed(value), True)
            case Text(parts):
                return _Made(self.text(parts), False)
            case Loop(item):
                return self._loop(item)
            case dict():
                return self._container(part.items(), ast.Dict([], []))
            case list():
                return self._container([(None, item) for item in part], ast.List([], ast.Load()))
            case ast.expr():
                seen = self._seen(part)
                return _Made(seen, nodes.is_present(seen))

    def text(self, parts: tuple[str | ast.expr, ...]) -> ast.expr:
        """The parts as one text; at the first that is absent it ends, and is absent."""
        texts: list[ast.expr] = []
        tests: list[ast.expr] = []
        for part in parts:
            if isinstance(part, str):
                texts.append(nodes.constant(part))
                continue
            text = self._new("text")
            written = nodes.call("write", self._seen(part))
            tests.append(_is(ast.IsNot(), ast.NamedExpr(ast.Name(text, ast.Store()), written)))
            texts.append(nodes.load(text))
        all_present = ast.BoolOp(ast.And(), tests) if len(tests) > 1 else tests[0]
        return nodes.choice(all_present, nodes.call("joined", ast.Tuple(texts, ast.Load())), nodes.constant(None))

    def _fixed(self, value: Json) -> ast.expr:
        if not isinstance(value, dict | list):
            return nodes.constant(value)
        name = self._new("fixed")
        self.constants[name] = value
        return nodes.load(name)

    def _container(self, parts: Iterable[tuple[str | None, Member]], display: ast.Dict | ast.List) -> _Made:
        """A display of the parts up to the first that may be absent; those behind it are added one by one."""
        made = [(key, one) for key, part in parts if not (one := self.made(part)).is_absent]
        if not made:
            return _Made(nodes.constant(None), False)
        shown = list(takewhile(lambda pair: pair[1].is_plain, made))
        for key, one in shown:
            _show(display, key, one.value)
        if len(shown) == len(made):
            return _Made(display, True)
        container = self._new("container")
        before = [_assign(container, display)]
        for key, one in made[len(shown) :]:
            before += [*one.before, *self._added(container, key, one)]
        if any(one.is_present for _, one in made):
            return _Made(nodes.load(container), True, before)
        return _Made(nodes.either(nodes.load(container), nodes.constant(None)), False, before)

    def _added(self, container: str, key: str | None, made: _Made) -> list[ast.stmt]:
        """Statements that add a part to the container if it is there."""
        if made.is_present:
            return [_add(container, key, made.value)]
        value = self._new("value")
        test = _is(ast.IsNot(), nodes.load(value))
        return [_assign(value, made.value), ast.If(test, [_add(container, key, nodes.load(value))], [])]

    def _loop(self, item: Member) -> _Made:
        """A list of items.

        Documents are nearly always texts. For these the item is written a second time, with conditions on
        `document.object` decided, so that what is left is most often one display.
        """
        items, texts, forms = self._new("items"), self._new("texts"), nodes.name("documents_in_loop")
        document = ast.Name("document", ast.Store())
        pair = ast.Tuple([ast.Name("index", ast.Store()), ast.Name("text", ast.Store())], ast.Store())
        over_documents = self._over(document, forms, nodes.document("index"), item, items)
        self._is_over_texts = True
        over_texts = self._over(pair, nodes.call("enumerate", nodes.load(texts)), nodes.load("index"), item, items)
        self._is_over_texts = False
        branches = ast.If(_is(ast.Is(), nodes.load(texts)), over_documents, over_texts)
        return _Made(nodes.load(items), True, [_assign(texts, nodes.call("loop_texts", forms)), branches])

    def _over(self, each: ast.expr, of: ast.expr, index: ast.expr, item: Member, items: str) -> list[ast.stmt]:
        """Statements that put an item for each document into the variable `items`."""
        made = self.made(item)
        if made.is_plain:
            return [_assign(items, ast.ListComp(made.value, [ast.comprehension(each, of, [], 0)]))]
        body, value = [*made.before], made.value
        if not made.is_present:
            name = self._new("item")
            body += [_assign(name, value), _if_absent(name, ast.Expr(nodes.call("absent_item", index)))]
            value = nodes.load(name)
        loop = ast.For(each, of, [*body, _add(items, None, value)], [], None)
        return [_assign(items, ast.List([], ast.Load())), loop]

    def _seen(self, expression: ast.expr) -> ast.expr:
        return nodes.of_text(expression) if self._is_over_texts else expression

    def _new(self, kind: str) -> str:
        return f"{kind}_{next(self._counter)}"


def _assign(variable: str, value: ast.expr) -> ast.stmt:
    return ast.Assign([ast.Name(variable, ast.Store())], value)


def _if_absent(variable: str, then: ast.stmt) -> ast.stmt:
    return ast.If(_is(ast.Is(), nodes.load(variable)), [then], [])


def _is(operator: ast.Is | ast.IsNot, value: ast.expr) -> ast.expr:
    """Whether a value is, or is not, absent."""
    return ast.Compare(value, [operator], [nodes.constant(None)])


def _show(display: ast.Dict | ast.List, key: str | None, value: ast.expr) -> None:
    if isinstance(display, ast.Dict):
        display.keys.append(nodes.constant(key))
        display.values.append(value)
    else:
        display.elts.append(value)


def _add(container: str, key: str | None, value: ast.expr) -> ast.stmt:
    if key is None:
        append = ast.Attribute(nodes.load(container), "append", ast.Load())
        return ast.Expr(ast.Call(append, [value], []))
    return ast.Assign([ast.Subscript(nodes.load(container), nodes.constant(key), ast.Store())], value)
