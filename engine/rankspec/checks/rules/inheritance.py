"""Rules about a spec that extends another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rankspec.checks.rules.subject import Rule, Subject
from rankspec.models import Finding, Json, Path
from rankspec.specs import NOT_INHERITED

_MISSING: Any = object()


def _no_change(subject: Subject) -> Iterator[Finding]:
    if subject.parent is None:
        return
    for key, value in subject.own.items():
        if key not in NOT_INHERITED and key != "spec_version":
            yield from _same(subject, (key,), value, subject.parent.get(key, _MISSING))


def _same(subject: Subject, path: Path, value: Json, inherited: Json) -> Iterator[Finding]:
    if value == inherited and type(value) is type(inherited):
        message = f"{path[-1]} is the same as the parent's: remove it"
        yield subject.read.finding("extends-no-change", path, message, of_key=True, severity="warning")
    elif isinstance(value, dict) and isinstance(inherited, Mapping):
        for key, member in value.items():
            # A kind of authentication is named together with what belongs to it.
            if key != "kind":
                yield from _same(subject, (*path, key), member, inherited.get(key, _MISSING))


INHERITANCE_RULES: tuple[Rule, ...] = (_no_change,)
