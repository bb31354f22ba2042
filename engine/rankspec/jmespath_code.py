"""Write the tree of a JMESPath expression as a Python function. Gives what jmespath's interpreter gives, or raises.

The function is made of `ast` nodes, so that no text of an expression is ever read as Python. For
`results[].{index: index, score: s}` it is

    def search(value, functions):
        v1 = value.get('results') if isinstance(value, dict) else None
        v2 = None
        if isinstance(v1, list):
            v2 = []
            for v3 in v1:
                v2.append({'index': v3.get('index'), 'score': v3.get('s')})
        return v2

Items of a list whose members are read are taken to be objects, as in every reply that means something: `.get` of
anything else in JSON raises, and then, as after any exception, the caller asks jmespath for the outcome.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from rankspec.jmespath_runtime import BY_KEY, NAMES, NUMBERS
from rankspec.models import Json
from rankspec.python_nodes import FunctionDraft, filled, load

MAX_LEVELS = 50
"""Deeper trees are left to jmespath, which runs out of stack where Python code would not."""

_OPERATORS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_TYPES: dict[str, frozenset[type]] = {
    "array": frozenset({list}),
    "boolean": frozenset({bool}),
    "null": frozenset({type(None)}),
    "number": NUMBERS,
    "object": frozenset({dict}),
    "string": frozenset({str}),
}

_READ_FIRST = {"subexpression", "index_expression", "pipe", "or_expression", "and_expression", "projection",
               "filter_projection", "value_projection", "flatten"}  # fmt: skip
_GIVES_LISTS = {"projection", "filter_projection", "value_projection"}
_READ_ALL = {"multi_select_dict", "multi_select_list", "key_val_pair", "comparator", "not_expression"}


class Code(NamedTuple):
    """An expression as a Python function."""

    search: Callable[[Json, Any], Json]
    """Takes a decoded body and an object that has jmespath's functions; may raise anything."""

    interpreted: frozenset[str]
    """The types of the nodes that jmespath's interpreter evaluates still."""

    module: ast.Module


def write_code(tree: Any, table: Mapping[str, Any]) -> Code | None:
    """The code of a tree, or None if it is nested too deeply.

    Args:
        table: jmespath's table of functions, the custom ones included.
    """
    try:
        return _Writer(table).code(tree)
    except (_TooDeep, SyntaxError):  # Python nests at most 20 loops.
        return None


class _TooDeep(Exception):
    pass


class _Writer(FunctionDraft):
    """Each method for a type of node writes what that needs, and gives what its value is."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        super().__init__(NAMES)
        self._table = table
        self._interpreted: set[str] = set()
        self._objects: set[str] = set()
        self._outermost = self._block
        self._known: dict[str, ast.Name] = {}
        self._level = 0

    def code(self, tree: Any) -> Code:
        """The code of a tree."""
        found = self._write(tree, load("value"))
        search, module = self._finished("def search(value, functions): pass", found)
        return Code(search, frozenset(self._interpreted), module)

    def _named(self, found: ast.expr) -> ast.Name:
        """A name for the value; where nothing stands around it, the same one for what is computed again."""
        if isinstance(found, ast.Name) or self._block is not self._outermost:
            return super()._named(found)
        text = ast.dump(found)
        if text not in self._known:
            self._known[text] = super()._named(found)
        return self._known[text]

    def _write(self, node: Any, value: ast.Name) -> ast.expr:
        self._level += 1
        if self._level > MAX_LEVELS:
            raise _TooDeep
        found: ast.expr = getattr(self, f"_write_{node['type']}", self._other)(node, value)
        self._level -= 1
        return found

    def _other(self, node: Any, value: ast.Name) -> ast.expr:
        self._interpreted.add(node["type"])
        return filled("interpret(node, value, functions)", node=self._constant(node), value=value)

    def _write_field(self, node: Any, value: ast.Name) -> ast.expr:
        text = "value.get(key)" if value.id in self._objects else "value.get(key) if isinstance(value, dict) else None"
        return filled(text, value=value, key=ast.Constant(node["value"]))

    def _write_current(self, node: Any, value: ast.Name) -> ast.expr:
        return value

    _write_identity = _write_current

    def _write_literal(self, node: Any, value: ast.Name) -> ast.expr:
        literal = node["value"]
        return self._constant(literal) if isinstance(literal, list | dict) else ast.Constant(literal)

    def _write_subexpression(self, node: Any, value: ast.Name) -> ast.expr:
        found: ast.expr = value
        for child in node["children"]:
            found = self._write(child, self._named(found))
        return found

    _write_index_expression = _write_pipe = _write_subexpression

    def _write_index(self, node: Any, value: ast.Name) -> ast.expr:
        at = node["value"]
        text = "value[at] if isinstance(value, list) and len(value) > last else None"
        return filled(text, value=value, at=ast.Constant(at), last=ast.Constant(at if at >= 0 else -at - 1))

    def _write_slice(self, node: Any, value: ast.Name) -> ast.expr:
        part = self._constant(slice(*node["children"]))
        return filled("value[part] if isinstance(value, list) else None", value=value, part=part)

    def _write_multi_select_list(self, node: Any, value: ast.Name) -> ast.expr:
        items = [self._write(child, value) for child in node["children"]]
        return self._unless_null(value, ast.List(items, ast.Load()))

    def _write_multi_select_dict(self, node: Any, value: ast.Name) -> ast.expr:
        keys: list[ast.expr | None] = [ast.Constant(child["value"]) for child in node["children"]]
        items = [self._write(child["children"][0], value) for child in node["children"]]
        return self._unless_null(value, ast.Dict(keys, items))

    def _unless_null(self, value: ast.Name, made: ast.expr) -> ast.expr:
        return made if value.id in self._objects else filled("None if value is None else x", value=value, x=made)

    def _write_or_expression(self, node: Any, value: ast.Name) -> ast.expr:
        return self._either(node, value, "not v and type(v) not in numbers")

    def _write_and_expression(self, node: Any, value: ast.Name) -> ast.expr:
        return self._either(node, value, "v or type(v) in numbers")

    def _either(self, node: Any, value: ast.Name, goes_on: str) -> ast.expr:
        left, right = node["children"]
        result = self._assigned(self._write(left, value))
        with self._when(filled(goes_on, v=result)):
            self._assign(result, self._write(right, value))
        return result

    def _write_not_expression(self, node: Any, value: ast.Name) -> ast.expr:
        return ast.UnaryOp(ast.Not(), self._truth(node["children"][0], value))

    def _truth(self, node: Any, value: ast.Name) -> ast.expr:
        """What is true in Python where the node's value is in JMESPath, for which every number is."""
        found = self._write(node, value)
        if node["type"] in ("comparator", "not_expression"):
            return found
        return filled("v or type(v) in numbers", v=self._named(found))

    def _write_comparator(self, node: Any, value: ast.Name) -> ast.expr:
        left, right = (self._named(self._write(child, value)) for child in node["children"])
        operator = node["value"]
        if operator in _OPERATORS:
            text = f"x {_OPERATORS[operator]} y if type(x) in comparable and type(y) in comparable else None"
        else:  # For Python 1 == True.
            equal = "x == y and (type(x) is bool) is (type(y) is bool)"
            text = equal if operator == "eq" else f"not ({equal})"
        return filled(text, x=left, y=right)

    def _write_projection(self, node: Any, value: ast.Name) -> ast.expr:
        base, item = node["children"]
        if base["type"] == "flatten" and base["children"][0]["type"] not in _GIVES_LISTS and self._reads(item):
            base = base["children"][0]  # No item is taken to be a list: one would raise.
        return self._projected(self._named(self._write(base, value)), item)

    def _write_value_projection(self, node: Any, value: ast.Name) -> ast.expr:
        base, item = node["children"]
        found = self._named(self._write(base, value))
        values = filled("list(v.values()) if isinstance(v, dict) else None", v=found)
        return self._projected(self._named(values), item)

    def _write_filter_projection(self, node: Any, value: ast.Name) -> ast.expr:
        base, item, condition = node["children"]
        return self._projected(self._named(self._write(base, value)), item, condition)

    def _projected(self, base: ast.Name, item: Any, condition: Any = None) -> ast.expr:
        result = self._assigned(ast.Constant(None))
        with self._when(filled("isinstance(v, list)", v=base)):
            self._collect(result, base, item, condition)
        return result

    def _collect(self, result: ast.Name, base: ast.expr, item: Any, condition: Any = None, nulls: bool = False) -> None:
        """Statements that put into `result`, a new list, the item's value for each member of the list `base`."""
        self._assign(result, ast.List([], ast.Load()))
        row = self._new_name()
        with self._for_each(row, base):
            if condition is None:
                self._append(result, row, item, nulls)
                return
            self._expect_object(row, condition)
            with self._when(self._truth(condition, row)):
                self._append(result, row, item, nulls)

    def _append(self, result: ast.Name, row: ast.Name, item: Any, nulls: bool) -> None:
        self._expect_object(row, item)
        found = self._write(item, row)
        never_null = row.id in self._objects and item["type"] in ("multi_select_dict", "multi_select_list")
        if nulls or never_null:
            self._do(filled("result.append(x)", result=result, x=found))
            return
        named = self._named(found)
        with self._when(filled("x is not None", x=named)):
            self._do(filled("result.append(x)", result=result, x=named))

    def _write_flatten(self, node: Any, value: ast.Name) -> ast.expr:
        found = self._named(self._write(node["children"][0], value))
        return filled("flattened(v) if isinstance(v, list) else None", v=found)

    def _write_function_expression(self, node: Any, value: ast.Name) -> ast.expr:
        name, arguments = node["value"], node["children"]
        if not self._is_callable(node):
            return self._other(node, value)
        if name in BY_KEY:
            items, key = arguments if name != "map" else reversed(arguments)
            return self._by_key(name, items, key["children"][0], value)
        found: list[ast.expr] = [self._named(self._write(argument, value)) for argument in arguments]
        checked = filled("functions.call_function(name, x)", name=ast.Constant(name), x=ast.List(found, ast.Load()))
        signature = self._table[name]["signature"]
        if any("-" in wanted for one in signature for wanted in one["types"]):
            return checked  # The types of the members of a list: jmespath checks them.
        function = self._constant(self._table[name]["function"])
        call: ast.expr = ast.Call(function, [load("functions"), *found], [])
        for one, argument in zip(signature, found, strict=False):
            if one["types"]:
                types = self._constant(frozenset().union(*(_TYPES[wanted] for wanted in one["types"])))
                call = filled("y if type(x) in types else z", x=argument, types=types, y=call, z=checked)
        return call

    def _by_key(self, name: str, items: Any, key: Any, value: ast.Name) -> ast.expr:
        rows = self._named(filled("listed(x)", x=self._write(items, value)))
        keys = self._new_name()
        self._collect(keys, rows, key, nulls=True)
        return filled(f"{name}(rows, keys)", rows=rows, keys=keys)

    def _is_callable(self, node: Any) -> bool:
        name, arguments = node["value"], node["children"]
        if name not in self._table:
            return False
        signature = self._table[name]["signature"]
        variadic = bool(signature) and signature[-1].get("variadic", False)
        if len(arguments) < len(signature) or (len(arguments) > len(signature) and not variadic):
            return False
        takes_key = [one["types"] == ["expref"] for one in signature] if name in BY_KEY else [False] * len(arguments)
        return [argument["type"] == "expref" for argument in arguments] == takes_key

    def _reads(self, node: Any) -> bool:
        """Whether the code for a node reads a member of any value, and so raises if that is no object."""
        kind, children = node["type"], node["children"]
        if kind == "function_expression":
            return self._is_callable(node) and any(map(self._reads, children))
        if kind in _READ_FIRST:
            return self._reads(children[0])
        return kind == "field" or (kind in _READ_ALL and any(map(self._reads, children)))

    def _expect_object(self, row: ast.Name, node: Any) -> None:
        if self._reads(node):
            self._objects.add(row.id)
