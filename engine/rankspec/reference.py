"""The spec language's tables as Markdown, from the code and the schema. The guides are generated from here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from rankspec.mapping import EXTRA_FUNCTIONS
from rankspec.resources import read_schema
from rankspec.specs import NOT_INHERITED
from rankspec.vocabulary import BODY_NAMES, ENDPOINT_NAMES, FILTERS, LOOP_NAMES, TESTS

_SHOWN_ONCE = "#/$defs/secret"
_DEEPEST = 3


def template_tables() -> str:
    """Every name, filter and test of a template."""
    filters = [one.help.split(": ", 1) for one in FILTERS.values()]
    tests = [text.split(": ", 1) for _, text in TESTS.values()]
    parts = (
        ("Names in a body:", _table("name", "is", BODY_NAMES.items())),
        (
            "Names of a document in a loop:",
            _table("name", "is", ((f"document.{name}", text) for name, text in LOOP_NAMES.items())),
        ),
        ("Names in `endpoint`, `auth.when` and `auth.region`:", _table("name", "is", ENDPOINT_NAMES.items())),
        ("Filters:", _table("filter", "gives", filters)),
        ("Tests:", _table("test", "holds if", tests)),
    )
    return "\n\n".join(f"{heading}\n\n{table}" for heading, table in parts)


def function_table() -> str:
    """The functions of a mapping that JMESPath lacks."""
    return _table("function", "gives", (text.split(" gives ", 1) for text in EXTRA_FUNCTIONS.values()))


def not_inherited() -> str:
    """The keys that `extends` does not bring."""
    return ", ".join(f"`{name}`" for name in NOT_INHERITED)


def property_table() -> str:
    """Every key of a spec, with what the schema says of it."""
    schema = read_schema("provider_spec")
    return _table("key", "meaning", _properties(schema, schema, "", 0, set()))


def _properties(
    schema: dict[str, Any], node: dict[str, Any], path: str, depth: int, seen: set[str]
) -> Iterator[tuple[str, str]]:
    for branch in (node, *(one.get("then", {}) for one in node.get("allOf", []))):
        for name, child in branch.get("properties", {}).items():
            here = f"{path}.{name}" if path else name
            if child is True or here in seen:
                continue
            seen.add(here)
            reference = child.get("$ref")
            child = _resolved(schema, child)
            yield here, _meaning(child)
            if depth == _DEEPEST or name == "body" or (reference == _SHOWN_ONCE and reference in seen):
                continue
            if reference:
                seen.add(reference)
            yield from _properties(schema, child, here, depth + 1, seen)
            for below, suffix in (("additionalProperties", ".NAME"), ("items", "[]")):
                if isinstance(child.get(below), dict):
                    inner = _resolved(schema, child[below])
                    yield from _properties(schema, inner, here + suffix, depth + 1, seen)
            for one in child.get("oneOf", []):
                yield from _properties(schema, _resolved(schema, one), here, depth + 1, seen)


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    target: Any = schema
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return {**target, **{key: value for key, value in node.items() if key != "$ref"}}


def _meaning(node: dict[str, Any]) -> str:
    text = " ".join(node.get("description", "").split())
    if "enum" in node:
        text += " One of " + ", ".join(f"`{one}`" for one in node["enum"]) + "."
    if "default" in node:
        text += f" Default: `{json.dumps(node['default'])}`."
    return text


def _table(first: str, second: str, rows: Iterable[Iterable[str]]) -> str:
    lines = [f"| {first} | {second} |", "| --- | --- |"]
    for name, text in rows:
        lines.append("| `{}` | {} |".format(*(cell.replace("|", "\\|") for cell in (name, text))))
    return "\n".join(lines)
