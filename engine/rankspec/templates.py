"""Compile templates, list the names they use, render them. Knows nothing of providers.

A JSON template is a tree whose text leaves may hold Jinja expressions. Jinja's own parser reads them, in the
configuration of its immutable sandbox; a closed list of node types is then compiled to Python closures. There are
no calls and no attributes of Python objects: `a.b` looks the key b up in a mapping. That is what makes it safe
and fast. A value that is absent is None here, and undefined to Jinja: it drops the key that it would have had.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from jinja2 import TemplateSyntaxError, nodes
from jinja2.lexer import TokenStream
from jinja2.sandbox import ImmutableSandboxedEnvironment

from rankspec.documents import DocumentForms
from rankspec.errors import did_you_mean, nearest
from rankspec.models import Json, Path, Problem
from rankspec.vocabulary import BODY_NAMES, FILTERS, LOOP_NAMES, TESTS, WHOLE_EXTRA, PathText, as_text, default

Scope = Mapping[str, Any]
"""The names a template sees, absent ones as None."""

Evaluate = Callable[[Any], Any]


class TemplateFailed(Exception):
    """A template cannot be rendered with these values."""


_BINARY: dict[type[nodes.Node], Callable[[Any, Any], Any]] = {
    nodes.Add: operator.add,
    nodes.Sub: operator.sub,
    nodes.Mul: operator.mul,
    nodes.Div: operator.truediv,
    nodes.FloorDiv: operator.floordiv,
    nodes.Mod: operator.mod,
}

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
    "in": lambda item, items: items is not None and item in items,
    "notin": lambda item, items: items is None or item not in items,
}

_Token = tuple[int, str, str]
"""Where a token starts in its text, its type and its text."""


class _Environment(ImmutableSandboxedEnvironment):
    """Gives every node, and every error, the place of its token in the text as its line number."""

    def _tokenize(self, source: str, name: Any, filename: Any = None, state: Any = None) -> TokenStream:
        return TokenStream(self.lexer.wrap(_placed(self, source), name, filename), name, filename)


def _placed(environment: ImmutableSandboxedEnvironment, text: str) -> Iterator[_Token]:
    """The text's tokens, white space included."""
    at = 0
    try:
        for _, kind, value in environment.lex(text):
            # The text between two tokens is white space that {{- takes away.
            at = max(text.find(value, at), at)
            yield at, kind, value
            at += len(value)
    except TemplateSyntaxError as error:
        error.lineno = at
        raise


_ENVIRONMENT = _Environment(keep_trailing_newline=True)
_ENVIRONMENT.filters = {name: one.apply for name, one in FILTERS.items()}
_ENVIRONMENT.tests = {name: test for name, (test, _) in TESTS.items()}
_ENVIRONMENT.globals = {}

_FORBIDDEN_TOKENS = {"block_begin": "{% %}", "raw_begin": "{% raw %}", "comment_begin": "{# #}"}
_OPENINGS = ("{{", "{%", "{#")
_LOOP = re.compile(r"([a-z_][a-z0-9_]*) in documents")
_PLACE = re.compile(r" at [0-9]+$")
_WORD = re.compile(r"\w+")
_FAILURES = (TypeError, ValueError, KeyError, IndexError, ArithmeticError, AttributeError, RecursionError, MemoryError)

_NULL: Any = object()
"""Stands for a literal null while a tree is rendered; None means absent there."""


@dataclass(frozen=True, slots=True)
class JsonTemplate:
    """A compiled tree. `names` are the names it uses, members too: document.text, settings.NAME, extra.NAME."""

    names: frozenset[str]
    _evaluate: Evaluate

    def render(self, scope: Scope) -> Json:
        """The JSON value; an object or list that is all absent is empty.

        Raises:
            TemplateFailed: an expression does not fit the values it was given.
        """
        return _guarded(self._evaluate, scope)


@dataclass(frozen=True, slots=True)
class TextTemplate:
    """A compiled text."""

    names: frozenset[str]
    _parts: tuple[str | Evaluate, ...]

    def render(self, scope: Scope, *, percent_encode: bool = False) -> str | None:
        """The text, or None if a value in it is absent.

        Args:
            percent_encode: encode every value for use in a URL's path or host.

        Raises:
            TemplateFailed: an expression does not fit the values it was given, or has no text.
        """
        return _guarded(lambda inner: self._joined(inner, percent_encode), scope)  # type: ignore[no-any-return]

    def _joined(self, scope: Scope, percent_encode: bool) -> str | None:
        rendered: list[str] = []
        for part in self._parts:
            if isinstance(part, str):
                rendered.append(part)
                continue
            value = part(scope)
            if value is None:
                return None
            text = as_text(value)
            rendered.append(quote(text, safe="/" if isinstance(value, PathText) else "") if percent_encode else text)
        return "".join(rendered)


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled `when`."""

    names: frozenset[str]
    _evaluate: Evaluate

    def holds(self, scope: Scope) -> bool:
        """Whether the expression is true, as Jinja judges truth."""
        return bool(_guarded(self._evaluate, scope))


def _guarded(evaluate: Evaluate, scope: Scope) -> Any:
    try:
        return evaluate(scope)
    except _FAILURES as error:
        raise TemplateFailed(f"{type(error).__name__}: {error}") from error


def expressions(text: str) -> list[nodes.Expr]:
    """Jinja's trees of the expressions in a text that compiles; the line of a node is its place in the text."""
    if not any(opening in text for opening in _OPENINGS):
        return []
    outputs = (node for node in _ENVIRONMENT.parse(text).body if isinstance(node, nodes.Output))
    return [node for output in outputs for node in output.nodes if not isinstance(node, nodes.TemplateData)]


class Compiler:
    """Compiles the templates of one spec; what is wrong with them is added to `problems`."""

    def __init__(self, known: Mapping[str, str], settings: frozenset[str], problems: list[Problem]) -> None:
        self._known = known
        self._settings = settings
        self._problems = problems
        self._names: set[str] = set()
        self._loop: str | None = None
        self._loop_path: Path | None = None
        self._text = ""

    def json(self, tree: Json, path: Path) -> JsonTemplate:
        """A JSON template from its tree."""
        self._names = set()
        kind = list if isinstance(tree, list) else dict
        member = self._member(tree, path)
        if member is None:
            return JsonTemplate(frozenset(self._names), lambda scope: tree)

        def evaluate(scope: Scope) -> Json:
            value = member(scope)
            return kind() if value is None else value

        return JsonTemplate(frozenset(self._names), evaluate)

    def text(self, text: str, path: Path) -> TextTemplate:
        """A text template."""
        self._names = set()
        parts = [part if isinstance(part, str) else self._whole(part, path) for part in self._split(text, path)]
        return TextTemplate(frozenset(self._names), tuple(parts))

    def condition(self, text: str, path: Path) -> Condition:
        """A condition from text that is exactly one {{ expression }}."""
        self._names = set()
        parts = self._split(text, path)
        if len(parts) != 1 or isinstance(parts[0], str):
            self._report(path, "template-condition", "must be exactly one {{ expression }}")
            return Condition(frozenset(), lambda scope: False)
        evaluate = self._whole(parts[0], path)
        return Condition(frozenset(self._names), evaluate)

    # A member of a tree compiles to None if it is constant, so that constants cost nothing when rendered.

    def _member(self, tree: Json, path: Path) -> Evaluate | None:
        if isinstance(tree, dict):
            if any(key.startswith("$") for key in tree):
                return self._for(tree, path)
            return self._object(tree, path)
        if isinstance(tree, list):
            return self._list(tree, path)
        if isinstance(tree, str):
            return self._leaf(tree, path)
        return None

    def _object(self, tree: dict[str, Json], path: Path) -> Evaluate | None:
        members: list[tuple[str, Evaluate]] = []
        constant = True
        for key, subtree in tree.items():
            if key == "for" and "item" in tree and isinstance(subtree, str) and _LOOP.fullmatch(subtree):
                return self._loop_without_signs(tree, path)
            if "{{" in key or "{%" in key:
                self._report((*path, key), "template-key", "a key holds no expression")
            member = self._member(subtree, (*path, key))
            constant = constant and member is None
            members.append((key, member or _constant(subtree)))
        if constant:
            return None

        def evaluate(scope: Scope) -> Json:
            rendered = {}
            for key, member in members:
                value = member(scope)
                if value is not None:
                    rendered[key] = None if value is _NULL else value
            return rendered or None

        return evaluate

    def _loop_without_signs(self, tree: dict[str, Json], path: Path) -> Evaluate:
        """Report a loop whose keys lack their $; nothing in it is looked at."""
        for key in ("for", "item"):
            message = "a loop's keys are $for and $item: write them with the $"
            self._problems.append(Problem((*path, key), message, "template-loop", suggestion=f"${key}", of_key=True))
        return _absent

    def _list(self, tree: list[Json], path: Path) -> Evaluate | None:
        compiled = [self._member(subtree, (*path, position)) for position, subtree in enumerate(tree)]
        if not any(compiled):
            return None
        members = [member or _constant(subtree) for member, subtree in zip(compiled, tree, strict=True)]

        def evaluate(scope: Scope) -> Json:
            values = [member(scope) for member in members]
            return [None if value is _NULL else value for value in values if value is not None] or None

        return evaluate

    def _for(self, tree: dict[str, Json], path: Path) -> Evaluate:
        if tree.keys() != {"$for", "$item"}:
            if "$for" in tree:
                odd = next((key for key in tree if key not in ("$for", "$item")), None)
            else:
                odd = next(key for key in tree if key.startswith("$"))
            odd = next((key for key in tree if key in ("for", "item")), odd)
            here, message = path if odd is None else (*path, odd), "a loop has exactly two keys, $for and $item"
            meant = f"${odd}" if odd in ("for", "item") and f"${odd}" not in tree else None
            self._problems.append(Problem(here, message, "template-loop", suggestion=meant, of_key=odd is not None))
            return _absent
        match = _LOOP.fullmatch(tree["$for"]) if isinstance(tree["$for"], str) else None
        if match is None:
            self._report((*path, "$for"), "template-loop", "must be of the form: document in documents")
            return _absent
        name = match.group(1)
        if self._loop is not None:
            self._report(path, "template-loop", "a loop inside a loop is not possible")
            return _absent
        if name in self._known:
            self._report((*path, "$for"), "template-loop", f"'{name}' is a name already; call the document otherwise")
        self._loop, self._loop_path = name, (*path, "$for")
        item = self._member(tree["$item"], (*path, "$item")) or _constant(tree["$item"])
        self._loop = self._loop_path = None

        def evaluate(scope: Scope) -> Json:
            inner = dict(scope)
            rendered = []
            for document in inner["documents_in_loop"]:
                inner[name] = document
                value = item(inner)
                if value is None:
                    # Leaving it out would shift every later document to a wrong position.
                    raise ValueError(f"the item of document {document.index} is absent; give it a default")
                rendered.append(None if value is _NULL else value)
            return rendered

        return evaluate

    def _leaf(self, text: str, path: Path) -> Evaluate | None:
        parts = self._split(text, path)
        if all(isinstance(part, str) for part in parts):
            return None
        if len(parts) == 1 and isinstance(parts[0], nodes.Expr):
            return self._whole(parts[0], path)
        compiled = [part if isinstance(part, str) else self._whole(part, path) for part in parts]
        template = TextTemplate(frozenset(), tuple(compiled))
        return template.render

    def _split(self, text: str, path: Path) -> list[str | nodes.Expr]:
        """The text's constant parts and expressions, in order."""
        if not any(opening in text for opening in _OPENINGS):
            return [text]
        self._text = text
        if (at := text.find("\r")) >= 0:
            message = "holds a carriage return, which Jinja loses; write it {{ '\\r' }}"
            self._problems.append(Problem(path, message, "template-syntax", at, 1))
            return []
        try:
            for at, kind, token in _placed(_ENVIRONMENT, text):
                if kind in _FORBIDDEN_TOKENS:
                    message = f"{_FORBIDDEN_TOKENS[kind]} is not possible here; only {{{{ }}}} is"
                    self._problems.append(Problem(path, message, "template-statement", at, len(token)))
                    return []
            body = _ENVIRONMENT.parse(text).body
        except TemplateSyntaxError as error:
            reason = _PLACE.sub("", (error.message or "").rstrip("."))
            at = len(text) if reason.startswith("unexpected end of template") else error.lineno
            self._problems.append(Problem(path, f"is not a Jinja expression: {reason}", "template-syntax", at, 1))
            return []
        except ValueError:  # Python refuses numbers of thousands of digits.
            self._report(path, "template-syntax", "is not a Jinja expression: too long a number")
            return []
        except RecursionError:
            self._report(path, "template-syntax", "is nested too deeply")
            return []
        found = [node for output in body if isinstance(output, nodes.Output) for node in output.nodes]
        return [node.data if isinstance(node, nodes.TemplateData) else node for node in found]

    def _whole(self, node: nodes.Expr, path: Path) -> Evaluate:
        try:
            return self._expression(node, path)
        except RecursionError:  # A chain such as 1 + 1 + ... is no nesting to the parser, but is to us.
            return self._refuse(path, "template-syntax", "is nested too deeply")

    def _expression(self, node: nodes.Expr, path: Path) -> Evaluate:
        match node:
            case nodes.Const():
                return _always(node.value)
            case nodes.Name():
                return self._name(node, path)
            case nodes.Getattr():
                return self._attribute(node, path)
            case nodes.Getitem():
                return self._item(node, path)
            case nodes.CondExpr():
                test, yes = self._expression(node.test, path), self._expression(node.expr1, path)
                no = self._expression(node.expr2, path) if node.expr2 is not None else _absent
                return lambda scope: yes(scope) if test(scope) else no(scope)
            case nodes.And():
                left, right = self._expression(node.left, path), self._expression(node.right, path)
                return lambda scope: left(scope) and right(scope)
            case nodes.Or():
                left, right = self._expression(node.left, path), self._expression(node.right, path)
                return lambda scope: left(scope) or right(scope)
            case nodes.Not():
                inner = self._expression(node.node, path)
                return lambda scope: not inner(scope)
            case nodes.Neg():
                return _strict(operator.neg, [self._expression(node.node, path)])
            case nodes.Pos():
                return _strict(operator.pos, [self._expression(node.node, path)])
            case nodes.Concat():
                return _strict(
                    lambda *texts: "".join(map(as_text, texts)), [self._expression(one, path) for one in node.nodes]
                )
            case nodes.BinExpr() if type(node) in _BINARY:
                return _strict(
                    _BINARY[type(node)], [self._expression(node.left, path), self._expression(node.right, path)]
                )
            case nodes.Compare():
                return self._compare(node, path)
            case nodes.List() | nodes.Tuple():
                items = [self._expression(item, path) for item in node.items]
                return _list_of(items)
            case nodes.Filter():
                return self._filter(node, path)
            case nodes.Test():
                return self._test(node, path)
            case nodes.Call():
                message = "there are no functions; a filter is written x | name"
                return self._refuse(path, "unknown-function", message, node.node)
        message = f"{type(node).__name__.lower()} expressions are not possible here"
        return self._refuse(path, "template-forbidden", message, node)

    def _name(self, node: nodes.Name, path: Path, part: str = "") -> Evaluate:
        """A name's value; `part` is what is asked of it."""
        name = node.name
        if name == self._loop:
            message = f"say what of the document: {_choices(name, LOOP_NAMES)}"
            return self._refuse(path, "template-loop", message, node, name)
        if name not in self._known:
            known = [*self._known, *([self._loop] if self._loop else [])]
            is_document = name == "document" or part in LOOP_NAMES
            if "documents" in self._known and is_document and nearest(name, known) in (None, "documents", self._loop):
                return self._document(node, path)
            if self._loop and nearest(name, [self._loop]):
                known = [self._loop]  # In a loop it is its document that is meant most often.
            message = f"unknown name '{name}'"
            return self._unknown(path, "unknown-name", message, node, name, known, "names", self._loop_path)
        self._names.add(name)
        if name == "extra":
            self._names.add(WHOLE_EXTRA)
        return operator.itemgetter(name)

    def _document(self, node: nodes.Name, path: Path) -> Evaluate:
        """Refuse a loop's document by another name than the loop gives it, or where there is no loop."""
        if self._loop is not None:
            message = f"unknown name '{node.name}'; did you mean '{self._loop}'?"
            return self._refuse(path, "unknown-name", message, node, node.name, self._loop, self._loop_path)
        loop = f"{{$for: {node.name} in documents, $item: ...}}"
        message = f"there is no loop here: write {{{{ texts }}}}, or a loop {loop}"
        return self._refuse(path, "unknown-name", message, node, node.name)

    def _attribute(self, node: nodes.Getattr, path: Path) -> Evaluate:
        name = node.attr
        if isinstance(node.node, nodes.Name):
            base = node.node.name
            if base == self._loop:
                if name not in LOOP_NAMES:
                    hint = did_you_mean(name, LOOP_NAMES) or f"; known are {_choices(base, LOOP_NAMES)}"
                    message = f"a document has no '{name}'{hint}"
                    return self._refuse(path, "unknown-name", message, node, name, nearest(name, LOOP_NAMES))
                self._names.add(f"document.{name}")
                of_document = operator.attrgetter(name)
                return lambda scope: of_document(scope[base])
            if base == "settings" and name not in self._settings:
                message = f"this spec declares no setting '{name}'{did_you_mean(name, self._settings)}"
                meant = nearest(name, self._settings)
                declared = ("settings", meant) if meant else ("settings",)
                return self._refuse(path, "unknown-name", message, node, name, meant, declared)
            if base == "settings":
                self._names.add(f"settings.{name}")
            if base == "extra" and base in self._known:
                self._names.update((base, f"extra.{name}"))
                return lambda scope: (scope[base] or {}).get(name)
            value = self._name(node.node, path, name)
        else:
            value = self._expression(node.node, path)
        return _strict(lambda of: of.get(name) if isinstance(of, Mapping) else None, [value])

    def _item(self, node: nodes.Getitem, path: Path) -> Evaluate:
        if isinstance(node.arg, nodes.Slice):
            return self._refuse(path, "template-forbidden", "slices are not possible here", node)
        if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            return self._attribute(nodes.Getattr(node.node, node.arg.value, "load", lineno=node.lineno), path)
        return _strict(_lookup, [self._expression(node.node, path), self._expression(node.arg, path)])

    def _compare(self, node: nodes.Compare, path: Path) -> Evaluate:
        if len(node.ops) != 1:
            message = "compare two values at a time, and join with 'and'"
            return self._refuse(path, "template-forbidden", message, node.ops[1].expr)
        compare = _COMPARE[node.ops[0].op]
        left, right = self._expression(node.expr, path), self._expression(node.ops[0].expr, path)
        return lambda scope: compare(left(scope), right(scope))

    def _filter(self, node: nodes.Filter, path: Path) -> Evaluate:
        if node.name not in FILTERS:
            message = f"unknown filter '{node.name}'"
            return self._unknown(path, "unknown-filter", message, node, node.name, FILTERS, "filters")
        one = FILTERS[node.name]
        if node.kwargs or node.dyn_args or node.dyn_kwargs or not one.least <= len(node.args) <= one.most:
            return self._refuse(path, "wrong-arity", f"the filter is used like this: {one.help}", node, node.name)
        if node.node is None:
            return self._refuse(path, "template-forbidden", "filter blocks are not possible here", node)
        values = [self._expression(value, path) for value in (node.node, *node.args)]
        if one.apply is default:
            value, other = values
            return lambda scope: default(value(scope), other(scope))
        return _strict(one.apply, values)

    def _test(self, node: nodes.Test, path: Path) -> Evaluate:
        if node.name not in TESTS:
            return self._unknown(path, "unknown-test", f"unknown test '{node.name}'", node, node.name, TESTS, "tests")
        if node.args or node.kwargs or node.dyn_args or node.dyn_kwargs:
            return self._refuse(path, "wrong-arity", f"the test '{node.name}' takes no arguments", node, node.name)
        test, value = TESTS[node.name][0], self._expression(node.node, path)
        return lambda scope: test(value(scope))

    def _unknown(
        self,
        path: Path,
        code: str,
        message: str,
        node: nodes.Node,
        name: str,
        known: Iterable[str],
        what: str,
        related: Path | None = None,
    ) -> Evaluate:
        """Refuse a name with the nearest known one, or else with all of them."""
        known = list(known)
        hint = did_you_mean(name, known) or f"; known {what} are {', '.join(known)}"
        return self._refuse(path, code, message + hint, node, name, nearest(name, known), related)

    def _refuse(
        self,
        path: Path,
        code: str,
        message: str,
        node: nodes.Node | None = None,
        name: str | None = None,
        suggestion: str | None = None,
        related: Path | None = None,
    ) -> Evaluate:
        """Report what cannot be compiled: `name`, or else the word, that stands where the node does or behind it."""
        if node is None:
            self._report(path, code, message)
            return _absent
        at = self._text.find(name, node.lineno) if name is not None else node.lineno
        word = _WORD.match(self._text, max(at, 0))
        length = len(name) if name is not None else len(word.group()) if word else 1
        self._problems.append(Problem(path, message, code, max(at, 0), length, suggestion, related))
        return _absent

    def _report(self, path: Path, code: str, message: str) -> None:
        self._problems.append(Problem(path, message, code))


def body_scope(forms: DocumentForms, names: frozenset[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """The scope of a body: `values`, and of the documents the forms that `names` ask for."""
    scope = dict.fromkeys(BODY_NAMES)
    scope.update(values)
    if "documents" in names:
        scope["documents"] = forms.given
    if "texts" in names:
        scope["texts"] = forms.texts
    if "objects" in names:
        scope["objects"] = forms.objects
    if "uniform_documents" in names:
        scope["uniform_documents"] = forms.uniform
    if "has_objects" in names:
        scope["has_objects"] = forms.has_objects
    scope["documents_in_loop"] = forms
    return scope


def _absent(scope: Scope) -> None:
    return None


def _always(value: Any) -> Evaluate:
    return lambda scope: value


def _constant(tree: Json) -> Evaluate:
    return _always(_NULL if tree is None else tree)


def _strict(apply: Callable[..., Any], operands: list[Evaluate]) -> Evaluate:
    """`apply` on the operands' values; absent if one of them is."""
    if len(operands) == 1:
        operand = operands[0]

        def evaluate_one(scope: Scope) -> Any:
            value = operand(scope)
            return None if value is None else apply(value)

        return evaluate_one

    def evaluate(scope: Scope) -> Any:
        values = [operand(scope) for operand in operands]
        return None if any(value is None for value in values) else apply(*values)

    return evaluate


def _list_of(items: list[Evaluate]) -> Evaluate:
    """A list of the items' values; as in a tree, absent ones are dropped, and all absent make the list absent."""

    def evaluate(scope: Scope) -> Any:
        values = [value for item in items if (value := item(scope)) is not None]
        return values if values or not items else None

    return evaluate


def _lookup(of: Any, key: Any) -> Any:
    if isinstance(of, Mapping):
        return of.get(key)
    if isinstance(of, list | tuple) and isinstance(key, int) and -len(of) <= key < len(of):
        return of[key]
    return None


def _choices(name: str, names: Mapping[str, str]) -> str:
    return ", ".join(f"{name}.{one}" for one in names)
