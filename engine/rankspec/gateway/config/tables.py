"""The keys of a config as Markdown tables, from its schema. The guide is generated from here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rankspec.gateway.config.reading import config_schema

_OURS = ("models", "routing", "server", "specs", "override_specs", "environment_variables")
_DEEPEST = 3


def key_table() -> str:
    """Every key of our own form, with what it means."""
    schema = config_schema()
    return _table("key", "meaning", (row for name in _OURS for row in _rows(name, schema["properties"][name], 0)))


def litellm_table() -> str:
    """Every key of LiteLLM's that is obeyed, with what it means in our terms."""
    schema = config_schema()
    sections = ("model_list", "router_settings", "litellm_settings", "general_settings", "credential_list")
    rows = (row for name in sections for row in _rows(name, schema["properties"][name], 0))
    return _table("LiteLLM's key", "here", (row for row in rows if "." in row[0]))


def _rows(path: str, node: Mapping[str, Any], depth: int) -> Iterator[tuple[str, str]]:
    node = _resolved(node)
    yield path, _meaning(node)
    if depth == _DEEPEST or path.endswith(("default_litellm_params", "credential_values")):
        return
    items = node.get("items")
    inner = _resolved(items) if isinstance(items, dict) else node
    start = f"{path}[]" if isinstance(items, dict) else path
    for branch in (inner, *map(_resolved, inner.get("allOf", ()))):
        for name, child in branch.get("properties", {}).items():
            if not child.get("doNotSuggest") and "relevant_spans" not in path:
                yield from _rows(f"{start}.{name}", child, depth + 1)


def _resolved(node: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in node:
        return node
    return {**config_schema()["$defs"][node["$ref"].rpartition("/")[2]], **node}


def _meaning(node: Mapping[str, Any]) -> str:
    text = str(node.get("description", ""))
    if "default" in node:
        text += f" Default: `{json.dumps(node['default'])}`."
    return text


def _table(first: str, second: str, rows: Iterator[tuple[str, str]]) -> str:
    lines = [f"| {first} | {second} |", "| --- | --- |"]
    for key, text in dict(rows).items():
        lines.append("| `{}` | {} |".format(*(cell.replace("|", "\\|") for cell in (key, text))))
    return "\n".join(lines)
