"""What is wrong with a spec's data by the schema, and what is left of it without that. Pure; compiles nothing.

So that all faults of a file are told at once, the sound parts of a faulty one are looked at all the same.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from rankspec.migrations import CURRENT_VERSION
from rankspec.models import Json, Path, Problem
from rankspec.resources import read_schema
from rankspec.validation import Validator


@cache
def spec_validator() -> Validator:
    """The validator of provider specs."""
    return Validator(read_schema("provider_spec"))


def with_way_out(problem: Problem, data: Mapping[str, Any]) -> Problem:
    """The problem, told with what to write where the spec language knows it."""
    value = _value(data, problem.path)
    if problem.path == ("spec_version",) and type(value) is int and value > CURRENT_VERSION:
        message = f"written for a newer rankspec: update it (this one knows the versions 1 to {CURRENT_VERSION})"
        return replace(problem, message=message)
    if problem.path in _RENAMED and problem.code == "unknown-key":
        name, version = _RENAMED[problem.path]
        if _value(data, (*problem.path[:-1], name)) is None:
            message = f"unknown key '{problem.path[-1]}'; write '{name}' (it is its name since version {version})"
            return replace(problem, message=message, suggestion=name)
    if problem.code == "wrong-type" and isinstance(value, str) and problem.message.startswith("must be a list,"):
        inner = [one for one in _problems_with(data, problem.path, [value]) if _begins(one.path, problem.path)]
        if all(one.code != "wrong-type" for one in inner):
            sure = f"[{value}]" if not inner and re.fullmatch(r"[A-Za-z_][\w.-]*", value) else None
            return replace(problem, message=f"{problem.message}; write [{value}]", suggestion=sure)
    return problem


_RENAMED: Mapping[Path, tuple[str, int]] = {("errors", "when"): ("in_success", 2)}
"""Keys of older versions of the spec language: their new names, and the version that brought them."""


def _begins(path: Path, start: Path) -> bool:
    return path[: len(start)] == start


def _value(data: Json, path: Path) -> Json:
    for part in path:
        if not (part in data if isinstance(data, dict) else isinstance(data, list) and part in range(len(data))):
            return None
        data = data[part]
    return data


def _problems_with(data: Mapping[str, Any], path: Path, value: Json) -> list[Problem]:
    """What is wrong with the data if another value stands at the path."""
    changed = copy.deepcopy(dict(data))
    _value(changed, path[:-1])[path[-1]] = value
    return spec_validator().problems(changed)


_BLANK: dict[str, Any] = {
    "spec_version": CURRENT_VERSION,
    "provider": "unknown",
    "endpoint": {"base_url": "http://localhost", "path": "/"},
    "auth": {"kind": "none"},
    "request": {"body": {}},
    "response": {"results": "@"},
    "limits": {"documents": "none"},
    "scoring": {"scale": "unknown", "mode": "pointwise"},
}
"""What stands in for parts that are missing or wrong, while the others are looked at."""


_FILLED = ("endpoint", "request", "response", "limits", "scoring")


def without_faults(data: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any] | None:
    """The data without the parts that the problems are about, or None if it is none by then.

    Examples keep their places: None stands where a faulty one was.
    """
    sound: dict[str, Any] = copy.deepcopy(dict(data))
    examples = sound.pop("examples", [])
    faulty = {problem.path[1] for problem in problems if problem.path[:1] == ("examples",) and len(problem.path) > 1}
    kept = [None if at in faulty else one for at, one in enumerate(examples)] if isinstance(examples, list) else []
    for _ in range(len(sound) * 4):
        for problem in problems:
            _remove(sound, problem.path)
        sound = {**_BLANK, **sound}
        for key in _FILLED:
            if isinstance(sound[key], dict):
                sound[key] = {**_BLANK[key], **sound[key]}
        problems = spec_validator().problems(sound)
        if not problems:
            return {**sound, "examples": _sound_examples(sound, kept)}
    return None


def _sound_examples(sound: dict[str, Any], examples: list[Json]) -> list[Json]:
    """The examples, with None for those whose faults were not told: of what JSON cannot carry only the first is."""

    def problems(some: list[Json]) -> list[Problem]:
        return spec_validator().problems({**sound, "examples": some})

    if not problems([one for one in examples if one is not None]):
        return examples
    return [None if one is None or problems([one]) else one for one in examples]


def _remove(data: Any, path: Path) -> None:
    """Remove what stands at the path, and with an item its whole list: the others would change their places."""
    parts = list(path)
    for at, part in enumerate(parts):
        if not (part in data if isinstance(data, dict) else False):
            return
        if at + 1 == len(parts) or isinstance(data[part], list):
            del data[part]
            return
        data = data[part]
