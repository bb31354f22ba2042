"""The secrets of a recorded body: those that their names tell, and what looks too random to be anything else."""

from __future__ import annotations

from rankspec.disclosure import secrets_of
from rankspec.drafting import names
from rankspec.drafting.credentials import is_secret_name, literals_of, random_parts
from rankspec.drafting.names import is_in, last_name, leaves
from rankspec.drafting.outcome import Notebook
from rankspec.drafting.placeholders import format_where
from rankspec.models import Json, Path

_IN_LISTS = names.ID | names.TEXT
_TEXTS = names.DOCUMENTS | names.PERHAPS_DOCUMENTS | names.BESIDE_DOCUMENTS


def cover_secrets(body: Json, notebook: Notebook) -> tuple[Json, list[str] | None]:
    """The body with <key> for each secret, and their texts, which may stand elsewhere too; None if there is none."""
    covered: dict[Path, str] = {}
    secrets: list[str] = []
    for path, value in leaves(body):
        if not isinstance(value, str) or not value:
            continue
        where = f"request.body.{format_where(path)}"
        if _is_named(path):
            covered[path] = "<key>"
            secrets += literals_of(value)
            notebook.leave(f"{where}: the key is in the body, where a spec cannot send one: this file cannot work yet")
        elif not _is_content(path) and (parts := {*random_parts(value), *secrets_of(value)}):
            covered[path] = _covered(value, parts)
            secrets += parts
            notebook.leave(f"{where}: this looks like a secret and is written as <key>; if it is none, write it there")
    return _with(body, covered, ()), secrets if covered else None


def _covered(text: str, parts: set[str]) -> str:
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, "<key>")
    return text


def _is_named(path: Path) -> bool:
    is_in_list = any(isinstance(part, int) for part in path)
    return is_secret_name(last_name(path)) and not (is_in_list and is_in(last_name(path), names.ID))


def _is_content(path: Path) -> bool:
    """Whether this is what the caller brings: a text, an id of one, a model."""
    name, above = last_name(path), [part for part in path if isinstance(part, str)]
    if is_in(name, names.MODEL) or is_in(name, names.QUERY):
        return True
    if any(is_in(part, names.QUERY) for part in above) and is_in(name, names.TEXT):
        return True
    if all(isinstance(part, str) for part in path):
        return False
    if any(is_in(part, names.DOCUMENTS) for part in above) or is_in(name, _IN_LISTS):
        return True
    return isinstance(path[-1], int) and (is_in(name, _TEXTS) or not above)


def _with(value: Json, covered: dict[Path, str], path: Path) -> Json:
    if path in covered:
        return covered[path]
    if isinstance(value, dict):
        return {key: _with(member, covered, (*path, key)) for key, member in value.items()}
    if isinstance(value, list):
        return [_with(member, covered, (*path, position)) for position, member in enumerate(value)]
    return value
