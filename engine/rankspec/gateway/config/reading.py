"""A config's text to plain values with places: read strictly, but for the words that LiteLLM's files are full of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from rankspec.models import Finding, Json, Path
from rankspec.resources import read_schema
from rankspec.strict_yaml import YamlFile, read_yaml

_WORDS: Mapping[str, bool | None] = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_NOTHING = ("", "~", "null")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FLOAT = re.compile(r"[-+]?(?:[0-9][0-9_]*)?\.[0-9_]*(?:[eE][-+]?[0-9]+)?")
_SPEC_KEYS = ("provider", "spec_version")
_ITEM = re.compile(r"^(?:model_list|models)\s*:\s*(?:#.*)?$\s*-", re.MULTILINE)


@cache
def config_schema() -> dict[str, Any]:
    """The JSON Schema of a config."""
    return read_schema("gateway_config")


def is_config(data: Json) -> bool:
    """Whether a YAML file's value is a gateway's config, and not a provider spec."""
    if not isinstance(data, dict) or any(key in data for key in _SPEC_KEYS):
        return False
    # A spec has models too, by name.
    if isinstance(data.get("models"), list):
        return True
    return any(key in data for key in config_schema()["properties"] if key != "models")


def looks_like_config(text: str) -> bool:
    """The same for the text of a file that may be too broken to be read."""
    read = read_yaml(text, "", aliases=True)
    return is_config(read.data) if isinstance(read.data, dict) else bool(_ITEM.search(text))


def read_config_text(text: str, file: str) -> tuple[YamlFile, dict[Path, Finding]]:
    """The file as LiteLLM reads it, where that is no matter of taste, and what strict reading says of such words.

    True, yes and the like are booleans, nothing is null, a day is text, and numbers may be written as 1_000 or .5.
    What else YAML readers disagree on stays a finding.
    """
    read = read_yaml(text, file, aliases=True)
    tolerated: dict[Path, Finding] = {}
    for finding in read.findings:
        if _is_about_value(read, finding):
            meant, value = _meaning(read.value_at(finding.path))
            if meant and _put(read, finding.path, value):
                tolerated[finding.path] = finding
    read.findings = [finding for finding in read.findings if tolerated.get(finding.path) is not finding]
    return read, tolerated


def _is_about_value(read: YamlFile, finding: Finding) -> bool:
    mark = read.values.get(finding.path)
    return (
        finding.code == "yaml-surprise"
        and mark is not None
        and (mark.line, mark.column)
        == (
            finding.line,
            finding.column,
        )
    )


def _meaning(text: Json) -> tuple[bool, Json]:
    """Whether a plain scalar has one meaning in a config, and which."""
    if not isinstance(text, str):
        return False, None
    if text.lower() in _NOTHING:
        return True, None
    if text.lower() in _WORDS:
        return True, _WORDS[text.lower()]
    if _DATE.fullmatch(text):
        return True, text  # Versions of APIs are written so.
    plain = text.replace("_", "")
    if _INTEGER.fullmatch(text):
        return True, int(plain)
    if _FLOAT.fullmatch(text) and any(character.isdigit() for character in text):
        return True, float(plain)
    return False, None


def _put(read: YamlFile, path: Path, value: Json) -> bool:
    """Set what stands at a path, and say whether it is there."""
    if not path:
        return False
    holder = read.value_at(path[:-1])
    if not isinstance(holder, dict | list):
        return False
    holder[path[-1]] = value  # type: ignore[index]
    return True
