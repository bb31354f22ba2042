"""What the functions of templates call: operators, look-ups, filters and tests, on values of which None is absent."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from rankspec.vocabulary import FILTERS, TESTS, as_text, default


def _strict(apply: Callable[..., Any], *values: Any) -> Any:
    for value in values:
        if value is None:
            return None
    return apply(*values)


def _concat(*values: Any) -> str | None:
    return _strict(_texts_joined, *values)  # type: ignore[no-any-return]


def _texts_joined(*values: Any) -> str:
    return "".join(map(as_text, values))


def _member(of: Any, name: str) -> Any:
    if of is None:
        return None
    return of.get(name) if isinstance(of, dict | Mapping) else None


def _extra_member(extra: Any, name: str) -> Any:
    return (extra or {}).get(name)


def _item(of: Any, key: Any) -> Any:
    if isinstance(of, Mapping):
        return of.get(key)
    if isinstance(of, list | tuple) and isinstance(key, int) and -len(of) <= key < len(of):
        return of[key]
    return None


def _is_in(item: Any, items: Any) -> bool:
    return items is not None and item in items


def _is_not_in(item: Any, items: Any) -> bool:
    return items is None or item not in items


def _present(*values: Any) -> list[Any] | None:
    """As in a tree: absent items are dropped, and all absent make the list absent."""
    return [value for value in values if value is not None] or None


def written(value: Any) -> str | None:
    """A value as text; absent if it is."""
    return None if value is None else as_text(value)


def _absent_item(index: int) -> NoReturn:
    # Leaving it out would shift every later document to a wrong position.
    raise ValueError(f"the item of document {index} is absent; give it a default")


OPERATORS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "neg": operator.neg,
    "pos": operator.pos,
}

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "absent_item": _absent_item,
    "concat": _concat,
    "default": default,
    "enumerate": enumerate,
    "extra_member": _extra_member,
    "is_in": _is_in,
    "is_not_in": _is_not_in,
    "item": _item,
    "joined": "".join,
    "loop_texts": operator.attrgetter("loop_texts"),
    "member": _member,
    "present": _present,
    "strict": _strict,
    "write": written,
    **OPERATORS,
    **{f"filter_{name}": one.apply for name, one in FILTERS.items()},
    **{f"test_{name}": test for name, (test, _) in TESTS.items()},
}
"""All that the function of a template can call, by the name that it has there."""
