"""A value and a JSON Schema to problems with paths. Never raises on bad data.

The native validator answers yes or no; only after a no does the Python one look for what is wrong and where.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import jsonschema_rs

from rankspec.errors import did_you_mean, nearest
from rankspec.models import Json, Path, Problem
from rankspec.raw_texts import RawTexts

MAX_DEPTH = 200
_MAX_SHOWN = 80
_LEAST_INTEGER, _MOST_INTEGER = -(2**63), 2**64 - 1


class Validator:
    """A compiled JSON Schema, draft 2020-12."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema
        self._native = jsonschema_rs.validator_for(schema)

    @cached_property
    def _python(self) -> Any:
        # A tenth of a second to import, and needed only when something is wrong.
        from jsonschema import Draft202012Validator, validators

        # The native one takes a tuple for a list, as the encoder does.
        types = Draft202012Validator.TYPE_CHECKER.redefine("array", lambda checker, value: _is_list(value))
        return validators.extend(Draft202012Validator, type_checker=types)(self.schema)  # type: ignore[no-untyped-call]

    def problems(self, value: Json) -> list[Problem]:
        """Everything wrong with `value`, in its own order; empty if it is valid."""
        refused = False
        try:
            if self._native.is_valid(value):
                return []
            refused = True
        except (ValueError, TypeError, RecursionError):
            pass  # Not plain JSON: a subclass of str passes below, anything else is named there.
        try:
            problems = unsendable(value) or self._explain(value)
        except RecursionError:
            return [Problem((), "is nested too deeply to say what is wrong with it")]
        if refused and not problems:
            # The two differ in details, such as whether $ in a pattern matches before a line's end.
            errors = self._native.iter_errors(value)
            problems = [Problem(tuple(error.instance_path), _cut(error.message)) for error in errors]
        return problems

    def _explain(self, value: Json) -> list[Problem]:
        problems: list[Problem] = []
        for error in self._python.iter_errors(value):
            problems += _problems_of(error)
        unique = {(problem.path, problem.message): problem for problem in problems}
        return sorted(unique.values(), key=lambda problem: [(isinstance(part, str), part) for part in problem.path])


def describe(schema: dict[str, Any], path: Path) -> str | None:
    """What a JSON Schema says of the value at a path, in its property's own description, or None."""
    places = [schema]
    for part in path:
        places = [inner for place in places for inner in _below(schema, place, part)]
    found = (branch.get("description") for place in places for branch in _branches(schema, place))
    return next((text for text in found if text), None)


def _below(root: dict[str, Any], schema: dict[str, Any], part: str | int) -> Iterator[dict[str, Any]]:
    for branch in _branches(root, schema):
        inner = branch.get("items") if isinstance(part, int) else branch.get("properties", {}).get(part)
        if inner is None and isinstance(part, str):
            inner = branch.get("additionalProperties")
        if isinstance(inner, dict):
            yield inner


def _branches(root: dict[str, Any], schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema and what it is made of: what it refers to, its alternatives and conditional parts."""
    yield schema
    if "$ref" in schema:
        target: Any = root
        for name in schema["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        yield from _branches(root, target)
    for inner in (*schema.get("oneOf", ()), *schema.get("anyOf", ()), *schema.get("allOf", ())):
        yield from _branches(root, inner)
    if isinstance(schema.get("then"), dict):
        yield from _branches(root, schema["then"])


def unsendable(value: Json) -> list[Problem]:
    """The first part of `value` that JSON cannot carry unchanged, as a list of one problem, or an empty list."""
    stack: list[tuple[Path, Json]] = [((), value)]
    while stack:
        path, item = stack.pop()
        if isinstance(item, str):
            if (position := _surrogate(item)) is not None:
                return [
                    Problem(path, f"holds half of a surrogate pair at character {position}, which UTF-8 cannot carry")
                ]
        elif isinstance(item, dict):
            for key in item:
                if not isinstance(key, str):
                    return [Problem(path, f"has a key that is not text: {_cut(repr(key))}")]
                if type(key) is not str:
                    return [Problem(path, f"has a key that is a {type(key).__name__}, which is not a JSON type")]
                if _surrogate(key) is not None:
                    return [Problem(path, "has a key with half of a surrogate pair, which UTF-8 cannot carry")]
            stack += [((*path, key), member) for key, member in reversed(item.items())]
        elif _is_list(item):
            stack += [((*path, position), item[position]) for position in reversed(range(len(item)))]
        elif type(item) is float:
            if not math.isfinite(item):
                return [Problem(path, f"is {item}, which JSON cannot carry")]
        elif isinstance(item, int):
            if not _LEAST_INTEGER <= item <= _MOST_INTEGER:
                return [Problem(path, "is a whole number of more than 64 bits, which cannot be sent")]
        elif item is not None and type(item) is not RawTexts:
            return [Problem(path, f"is a {type(item).__name__}, which is not a JSON type")]
        if len(path) > MAX_DEPTH:
            return [Problem(path[:3], f"is nested deeper than {MAX_DEPTH} levels, or holds itself")]
    return []


def _is_list(value: Json) -> bool:
    return isinstance(value, list) or type(value) is tuple


def _surrogate(text: str) -> int | None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return error.start
    return None


def _problems_of(error: Any) -> list[Problem]:
    """The error in our words; alternatives are answered with what is wrong with the likeliest of them."""
    path = tuple(error.absolute_path)
    schema = error.schema if isinstance(error.schema, dict) else {}
    if own := schema.get("x-messages", {}).get(error.validator):
        return [Problem(path, own)]
    match error.validator:
        case "oneOf" | "anyOf" if error.context and all(map(_is_plain, error.context)):
            wanted = " or ".join(_wanted(inner) for inner in error.context)
            return [Problem(path, f"must be {wanted}, not {_kind(error.instance)}", "wrong-type")]
        case "oneOf" | "anyOf" if error.context:
            return [problem for inner in _likeliest(error.context) for problem in _problems_of(inner)]
        case "additionalProperties" if isinstance(error.instance, dict):
            known = error.schema.get("properties", {})
            return [
                Problem(
                    (*path, key),
                    f"unknown key '{key}'{did_you_mean(key, known)}",
                    "unknown-key",
                    suggestion=nearest(key, known),
                )
                for key in error.instance
                if key not in known
            ]
        case "required":
            missing = [name for name in error.validator_value if name not in error.instance]
            return [
                Problem(path, f"'{name}' is missing{_purpose(error.schema, name)}", "missing-key") for name in missing
            ]
        case "dependentRequired":
            return [
                Problem(path, f"'{name}' is missing, which '{key}' needs", "missing-key")
                for key, names in error.validator_value.items()
                if key in error.instance
                for name in names
                if name not in error.instance
            ]
        case "type":
            wanted = error.validator_value
            return [Problem(path, f"must be {_types(wanted)}, not {_kind(error.instance)}", "wrong-type")]
        case "enum":
            known = [str(choice) for choice in error.validator_value]
            hint = did_you_mean(error.instance, known) if isinstance(error.instance, str) else ""
            message = f"must be one of {', '.join(known)}, not {_show(error.instance)}{hint}"
            meant = nearest(error.instance, known) if isinstance(error.instance, str) else None
            return [Problem(path, message, "unknown-value", suggestion=meant)]
        case "const":
            return [Problem(path, f"must be {error.validator_value!r}, not {_show(error.instance)}", "unknown-value")]
        case "minimum":
            return [Problem(path, f"must be {error.validator_value} or more, not {_show(error.instance)}")]
        case "maximum":
            return [Problem(path, f"must be {error.validator_value} or less, not {_show(error.instance)}")]
        case "minItems" | "minProperties" | "minLength":
            return [Problem(path, "must not be empty")]
        case "maxItems":
            return [Problem(path, f"must have at most {error.validator_value} items, not {len(error.instance)}")]
        case "uniqueItems":
            return [Problem(path, "must not hold the same thing twice")]
        case "pattern" if error.validator_value in _FORMS:
            words = _FORMS[error.validator_value]
            return [Problem(path, f"must be {words}, not {_show(error.instance)}", suggestion=_upper(error))]
        case "pattern":
            return [Problem(path, f"{_show(error.instance)} is not of the form {error.validator_value}")]
    return [Problem(path, f"breaks the rule '{error.validator}': {_show(error.instance)}")]


_NAME_OF_VARIABLE = "^[A-Z][A-Z0-9_]*$"
_FORMS = {
    _NAME_OF_VARIABLE: "an upper-case name without $",
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}$": 'a day as "YYYY-MM-DD"',
}
"""Patterns in words."""


def _upper(error: Any) -> str | None:
    """What a variable's name was meant to be that is in lower case or begins with $."""
    meant = error.instance.lstrip("$").strip("{}").upper()
    is_name = error.validator_value == _NAME_OF_VARIABLE and re.search(_NAME_OF_VARIABLE, meant)
    return meant if is_name else None


def _is_plain(error: Any) -> bool:
    """Whether an alternative is refused as a whole, and takes a number or a word."""
    if error.path:
        return False
    if error.validator == "const":
        return isinstance(error.validator_value, str)
    return bool(error.validator == "type" and error.validator_value in ("integer", "number"))


def _wanted(error: Any) -> str:
    return str(error.validator_value) if error.validator == "const" else _types(error.validator_value)


def _likeliest(errors: list[Any]) -> list[Any]:
    """Of the errors of several alternatives, those of the one that the value comes nearest to."""
    branches: dict[Any, list[Any]] = {}
    for error in errors:
        branches.setdefault(error.schema_path[0], []).append(error)

    def distance(branch: list[Any]) -> tuple[bool, int, int]:
        wrong_kind = any(error.validator in ("type", "const") and not error.path for error in branch)
        return wrong_kind, -max(len(error.absolute_path) for error in branch), len(branch)

    return min(branches.values(), key=distance)


_TYPE_NAMES = {
    "string": "text",
    "object": "an object",
    "array": "a list",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


def _types(wanted: str | list[str]) -> str:
    names = [wanted] if isinstance(wanted, str) else wanted
    return " or ".join(_TYPE_NAMES[name] for name in names)


def _kind(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return f"the text {_show(value)}"
        case int() | float():
            return f"the number {value}"
        case dict():
            return "an object"
        case list() | tuple() if _is_list(value):
            return "a list"
    return f"a {type(value).__name__}"


def _purpose(schema: dict[str, Any], name: str) -> str:
    description: str = schema.get("properties", {}).get(name, {}).get("description", "")
    return f" ({description.partition('. ')[0].rstrip('.')})" if description else ""


def _show(value: Json) -> str:
    if value is None or isinstance(value, bool):
        return _kind(value)
    return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}... ({len(text)} characters)"
