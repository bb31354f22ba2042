"""Brings a spec file to the current version of the spec language by small edits of its text. Opens no file.

Everything that an edit does not name stays as it is: comments, quotes, order, line ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from rankspec.errors import SpecInvalid
from rankspec.models import Json
from rankspec.strict_yaml import Mark, YamlFile, read_yaml

CURRENT_VERSION = 2
"""The version of the spec language that this program speaks."""


class Edit(NamedTuple):
    """Put `text` where the characters from `start` to `end` are. `note` says so to people, if they should know."""

    start: int
    end: int
    text: str
    note: str = ""


Step = Callable[[str, YamlFile], list[Edit]]


def migrated(text: str, file: YamlFile) -> tuple[str, tuple[str, ...]]:
    """The file's text in the current version of the spec language, and what was changed, one sentence each.

    Args:
        text: the file's content; it is returned as it is if it is current.
        file: the same content, as `read_yaml` reads it.

    Raises:
        SpecInvalid: it does not read, does not say a version that is known here, or holds both an old key and the
            new one that replaces it.
    """
    if file.findings:
        raise SpecInvalid(file.findings)
    return _migrated(text, file)


def current(file: YamlFile) -> YamlFile:
    """The file as it reads in the current version of the spec language; itself if it is written in that.

    An old file's value is the migrated one, while its text, positions and findings stay those of the file, so that
    more findings point at what its author wrote. What cannot be migrated is returned as it is: the schema says what
    is wrong.
    """
    if not file.is_complete or not _is_old(file):
        return file
    try:
        text, _ = _migrated(file.text, file)
    except SpecInvalid:
        return file
    new = read_yaml(text, file.name)
    if len(new.keys) != len(file.keys):
        return file  # A key that stands there twice was renamed once.
    # Edits leave all lines and values in their order: the n-th mark of one file is the n-th of the other.
    keys = dict(zip(new.keys, file.keys.values(), strict=True))
    values = dict(zip(new.values, file.values.values(), strict=True))
    return replace(file, data=new.data, keys=keys, values=values, findings=list(file.findings))


def _migrated(text: str, file: YamlFile) -> tuple[str, tuple[str, ...]]:
    notes: list[str] = []
    for version in range(_version(file), CURRENT_VERSION):
        edits = [*STEPS[version](text, file), _version_edit(file, version)]
        notes += [edit.note for edit in sorted(edits, key=lambda edit: edit.start) if edit.note]
        text = _edited(text, edits)
        file = read_yaml(text, file.name)
    return text, tuple(notes)


def _is_old(file: YamlFile) -> bool:
    version = _said_version(file.data)
    return version is not None and version in STEPS


def _said_version(data: Json) -> int | None:
    said = data.get("spec_version") if isinstance(data, dict) else None
    if isinstance(said, bool) or not isinstance(said, int | float):
        return None
    # JSON Schema counts 1.0 as a whole number.
    return int(said) if said == int(said) else None


def _version(file: YamlFile) -> int:
    if not isinstance(file.data, dict):
        raise _invalid(file, "wrong-type", (), "a spec is an object: provider: name, and so on")
    path = ("spec_version",)
    if "spec_version" not in file.data:
        message = f"'spec_version' is missing: write the version that the file is written in, 1 to {CURRENT_VERSION}"
        raise _invalid(file, "missing-key", (), message)
    version = _said_version(file.data)
    if version is None or version < 1:
        raise _invalid(file, "unknown-value", path, f"must be a whole number, 1 to {CURRENT_VERSION}")
    if version > CURRENT_VERSION:
        message = (
            f"the file is written in version {version} of the spec language, and this program knows 1 to "
            f"{CURRENT_VERSION}; update rankspec"
        )
        raise _invalid(file, "unknown-value", path, message)
    return version


def _version_edit(file: YamlFile, version: int) -> Edit:
    mark = file.values["spec_version",]
    return Edit(mark.start, mark.end, str(version + 1), f"line {mark.line}: spec_version is now {version + 1}")


def _renamed(file: YamlFile, parent: tuple[str, ...], old: str, new: str) -> list[Edit]:
    """The edit that gives a key another name, if it is there; its quotes are kept."""
    members: Json = file.data
    for name in parent:
        members = members.get(name) if isinstance(members, dict) else None
    if not isinstance(members, dict) or old not in members:
        return []
    if new in members:
        message = f"'{new}' is here already, which is the new name of '{old}': remove one of them"
        raise _invalid(file, "unknown-key", (*parent, old), message, of_key=True)
    mark = file.keys[*parent, old]
    note = f"line {mark.line}: {'.'.join((*parent, old))} is now {'.'.join((*parent, new))}"
    return [Edit(mark.start, mark.end, _as_key(file.text, mark, new), note)]


def _as_key(text: str, mark: Mark, name: str) -> str:
    token = text[mark.start : mark.end]
    quote = token[0] if token[0] in "'\"" else ""
    # The token of a block scalar, which a key behind "? " may be, goes to the next line's beginning.
    return quote + name + quote + token[len(token.rstrip()) :]


def _edited(text: str, edits: Iterable[Edit]) -> str:
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _invalid(file: YamlFile, code: str, path: tuple[str, ...], message: str, *, of_key: bool = False) -> SpecInvalid:
    return SpecInvalid([file.finding(code, path, message, of_key=of_key)])


def _name_in_success(text: str, file: YamlFile) -> list[Edit]:
    return _renamed(file, ("errors",), "when", "in_success")


STEPS: Mapping[int, Step] = {1: _name_in_success}
"""What turns a file of one version into the next; the number of the version itself is changed for all alike."""
