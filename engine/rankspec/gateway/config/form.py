"""A config's value against its JSON Schema: what is wrong with it, and what of it is left to look at."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from rankspec.errors import nearest
from rankspec.gateway.config.entries import NUMBERS, RERANK
from rankspec.gateway.config.notes import Notes
from rankspec.gateway.config.reading import config_schema
from rankspec.gateway.config.references import number_of
from rankspec.models import Finding, Json, Path, Problem
from rankspec.validation import Validator

_LISTS = ("models", "model_list", "credential_list")
_AS_THEY_ARE = ("extra", "extra_body", "info")
"""Members whose own members belong to others: null means something there."""

_SO_NEAR = 0.9
_MOST_ROUNDS = 20


@cache
def config_validator() -> Validator:
    """The validator of configs."""
    return Validator(config_schema())


def sound_part(data: dict[str, Any], tolerated: Mapping[Path, Finding], notes: Notes) -> dict[str, Any]:
    """The data without what is wrong, which is said, and without LiteLLM's keys that have no effect.

    Entries of lists keep their places: None stands where a faulty one was.
    """
    data = _without_null(copy.deepcopy(data))
    _settle_entries(data)
    for path in list(_unused(data)):
        notes.unused(path)
        _remove(data, path)
    problems = _problems(data)
    for problem in problems:
        if problem.code == "wrong-type" and problem.path in tolerated:
            notes.take([tolerated[problem.path]])  # It was read as a boolean where text is wanted.
        else:
            notes.problem(problem)
    for _ in range(_MOST_ROUNDS):
        if not problems:
            return data
        for problem in problems:
            _remove(data, problem.path)
        problems = _problems(data)
    return {}


def _problems(data: dict[str, Any]) -> list[Problem]:
    """What is wrong with the data, but for entries of lists that were taken out."""
    present = {
        name: [entry for entry in value if entry is not None] if name in _LISTS and isinstance(value, list) else value
        for name, value in data.items()
    }
    return [_in_place(data, problem) for problem in config_validator().problems(present)]


def _in_place(data: Mapping[str, Any], problem: Problem) -> Problem:
    """The problem, with the place that its entry has among those that were taken out."""
    if len(problem.path) < 2 or problem.path[0] not in _LISTS or not isinstance(problem.path[1], int):
        return problem
    places = [at for at, entry in enumerate(data[problem.path[0]]) if entry is not None]
    return replace(problem, path=(problem.path[0], places[problem.path[1]], *problem.path[2:]))


def _without_null(value: Json) -> Json:
    """The value without members that are null: they are not given. Items of lists stay."""
    if isinstance(value, dict):
        return {
            key: member if key in _AS_THEY_ARE else _without_null(member)
            for key, member in value.items()
            if member is not None
        }
    return [_without_null(item) for item in value] if isinstance(value, list) else value


def _settle_entries(data: dict[str, Any]) -> None:
    """Take in what only LiteLLM's reading makes valid: entries for something else, numbers that are texts."""
    entries = data.get("model_list")
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict) or not isinstance(params := entry.get("litellm_params"), dict):
            continue
        info = entry.get("model_info")
        if isinstance(info, dict) and isinstance(info.get("mode"), str) and info["mode"] != RERANK:
            entry["litellm_params"] = {name: params[name] for name in ("model",) if name in params}
            continue
        for name, value in params.items():
            if name in NUMBERS and isinstance(value, str) and (number := number_of(value)) is not None:
                params[name] = number


def _unused(data: dict[str, Any]) -> Iterator[Path]:
    """The keys of the file's sections that are LiteLLM's and have no effect here."""
    properties = config_schema()["properties"]
    yield from ((key,) for key in data if is_unused(key, config_schema()))
    for name, section in data.items():
        schema = properties.get(name, {})
        if isinstance(section, dict) and "patternProperties" in schema:
            yield from ((name, key) for key in section if is_unused(key, schema))


def is_unused(key: str, schema: Mapping[str, Any]) -> bool:
    """Whether an object's key is one of LiteLLM's that have no effect here, and not likely one that does, misspelt."""
    known = schema["properties"]
    patterns = schema.get("patternProperties", ())
    return (
        key not in known
        and any(re.search(pattern, key) for pattern in patterns)
        and nearest(key, known, cutoff=_SO_NEAR) is None
    )


def _remove(data: dict[str, Any], path: Path) -> None:
    """Remove what stands at a path; with an item its whole list, but for an entry of a list of entries."""
    holder: Any = data
    for at, part in enumerate(path):
        inner = holder.get(part) if isinstance(holder, dict) else None
        if at == 1 and path[0] in _LISTS and isinstance(holder, list) and isinstance(part, int):
            if len(path) == 2 or not isinstance(holder[part], dict):
                holder[part] = None
                return
            inner = holder[part]
        if inner is None:
            return
        is_last = at + 1 == len(path)
        if is_last or (isinstance(inner, list) and not (at == 0 and part in _LISTS)):
            del holder[part]
            return
        holder = inner
    data.clear()
