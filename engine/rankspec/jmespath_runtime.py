"""What the code of a JMESPath expression calls. Raises where a value is not of the usual types."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from jmespath import visitor

from rankspec.models import Json

NUMBERS = frozenset({int, float})
COMPARABLE = frozenset({int, float, str})


def interpret(node: Any, value: Json, functions: Any) -> Json:
    """What jmespath's interpreter gives for a node."""
    return visitor.TreeInterpreter(visitor.Options(custom_functions=functions)).visit(node, value)


def flattened(items: list[Json]) -> list[Json]:
    """The items, those of lists among them in place of the list."""
    if list not in set(map(type, items)):
        return items
    flat: list[Json] = []
    for item in items:
        if isinstance(item, list):
            flat.extend(item)
        else:
            flat.append(item)
    return flat


def listed(value: Json) -> list[Json]:
    """The list that a value is.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(value, list):
        raise TypeError
    return value


def sort_by(rows: list[Json], keys: list[Any]) -> list[Json]:
    """The rows in the order of their keys: numbers or texts, one for each row."""
    _check_keys(keys)
    return [row for _, row in sorted(zip(keys, rows, strict=True), key=itemgetter(0))]


def max_by(rows: list[Json], keys: list[Any]) -> Json:
    """The first of the rows with the greatest key."""
    _check_keys(keys)
    return rows[keys.index(max(keys))] if rows else None


def min_by(rows: list[Json], keys: list[Any]) -> Json:
    """The first of the rows with the least key."""
    _check_keys(keys)
    return rows[keys.index(min(keys))] if rows else None


def mapped(rows: list[Json], keys: list[Json]) -> list[Json]:
    """What an expression is for each of the rows."""
    return keys


def _check_keys(keys: list[Any]) -> None:
    if not set(map(type, keys)) <= COMPARABLE:  # Numbers beside texts raise when they are compared.
        raise TypeError


BY_KEY = {"sort_by": sort_by, "max_by": max_by, "min_by": min_by, "map": mapped}
"""JMESPath's functions that take an expression."""

_OF_PYTHON = (bool, dict, isinstance, len, list, type)

NAMES = {
    **{one.__name__: one for one in _OF_PYTHON},
    "interpret": interpret,
    "flattened": flattened,
    "listed": listed,
    "numbers": NUMBERS,
    "comparable": COMPARABLE,
    **BY_KEY,
}
"""All that code can name."""
