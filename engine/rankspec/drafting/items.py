"""The documents of a recorded body: to the template of one item, and the caller's documents that it was made of."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from rankspec.drafting import names
from rankspec.drafting.names import is_in, last_name, leaves
from rankspec.drafting.placeholders import literal, quoted
from rankspec.models import Document, Json, Path

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class SentIds:
    """The ids that documents are sent with.

    `values` are as recorded; `base` is what the first position is written as, or None if they are no positions: the
    spec then sends 0-based ones.
    """

    values: tuple[str | int, ...]
    base: int | None

    @property
    def are_texts(self) -> bool:
        """Whether ids are sent as text."""
        return isinstance(self.values[0], str)


@dataclass(slots=True)
class Items:
    """What a list of documents comes to.

    `template` is what stands in the list's place; `query` is the query, if the items hold it; `guesses` are paths
    in one item with why.
    """

    template: Json
    documents: list[Document]
    texts: list[str]
    ids: SentIds | None = None
    query: str | None = None
    guesses: list[tuple[Path, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_items(items: list[Json], *, has_rank_fields: bool) -> Items:
    """What the items of a list of documents come to."""
    if all(isinstance(item, str) for item in items):
        return Items("{{ texts }}", list(items), list(items))
    if any(isinstance(item, str) for item in items) or has_rank_fields:
        texts = [item if isinstance(item, str) else _longest_text(item) for item in items]
        form = "documents" if any(isinstance(item, str) for item in items) else "objects"
        return Items("{{ " + form + " }}", list(items), texts)
    return _Loop(items).read()


def _longest_text(item: Json) -> str:
    return max((value for _, value in leaves(item) if isinstance(value, str)), key=len, default="")


class _Loop:
    """Items that are objects or lists of one shape: the places in them that differ, and those that do not."""

    def __init__(self, items: list[Json]) -> None:
        self._items = items
        self._flat = [dict(leaves(item)) for item in items]
        self._shape = max(items, key=lambda item: len(list(leaves(item))))
        self._paths = dict.fromkeys(path for path, _ in leaves(self._shape))
        self._places: dict[Path, Json] = {}
        self._result = Items(None, [], [])

    def read(self) -> Items:
        result = self._result
        text = self._text_path()
        result.texts = [self._text(flat, text) for flat in self._flat]
        self._places[text] = "{{ document.text }}"
        fields: dict[Path, str] = {}
        for path in self._paths:
            if path != text:
                self._place(path, fields)
        result.template = {"$for": "document in documents", "$item": self._template(self._shape, ())}
        result.documents = [self._document(position, fields) for position in range(len(self._items))]
        strange = [path for flat in self._flat for path in flat if path not in self._paths]
        if strange or any(text not in flat for flat in self._flat):
            result.notes.append("the documents have several shapes; the spec writes all of them in one")
        return result

    def _text(self, flat: dict[Path, Json], path: Path) -> str:
        value = flat.get(path)
        return (
            value
            if isinstance(value, str)
            else max((one for one in flat.values() if isinstance(one, str)), key=len, default="")
        )

    def _values(self, path: Path) -> list[Json]:
        return [flat.get(path) for flat in self._flat]

    def _is_constant(self, path: Path) -> bool:
        values = self._values(path)
        return all(path in flat for flat in self._flat) and all(
            value == values[0] and type(value) is type(values[0]) for value in values
        )

    def _text_path(self) -> Path:
        texts = [path for path in self._paths if any(isinstance(value, str) and value for value in self._values(path))]
        return max(texts, key=self._likeness_to_text)

    def _likeness_to_text(self, path: Path) -> float:
        name = last_name(path)
        values = [value for value in self._values(path) if isinstance(value, str)]
        varies = len(self._items) > 1 and not self._is_constant(path)
        points = min(sum(map(len, values)) / len(values) / 100, 3.0) + 5 * varies
        points += 10 * is_in(name, names.TEXT) - 3 * is_in(name, names.TITLE)
        points -= 20 * (is_in(name, names.QUERY) or is_in(name, names.CONSTANT)) + 15 * is_in(name, names.ID)
        return points - (len(values) < len(self._items))

    def _place(self, path: Path, fields: dict[Path, str]) -> None:
        """What stands at one place of the item, other than the text."""
        result, name, values = self._result, last_name(path), self._values(path)
        is_pair = len(self._paths) == 2 and not name
        if (is_in(name, names.QUERY) or is_pair) and self._is_constant(path) and isinstance(values[0], str):
            result.query = values[0]
            self._places[path] = "{{ query }}"
        elif ids := self._ids(path):
            self._place_ids(path, ids)
        elif self._is_constant(path) and (len(self._items) > 1 or not is_in(name, names.TITLE)):
            return
        else:
            field_name = self._field(name, fields)
            fields[path] = field_name
            reads = f".{field_name}" if _IDENTIFIER.fullmatch(field_name) else f"[{quoted(field_name)}]"
            self._places[path] = "{{ document.object" + reads + " }}"

    def _ids(self, path: Path) -> SentIds | None:
        values = self._values(path)
        if len({type(value) for value in values}) != 1 or type(values[0]) not in (str, int):
            return None
        if len(set(values)) != len(values):
            return None
        for base in (0, 1):
            if [str(value) for value in values] == [str(base + position) for position in range(len(values))]:
                is_named = is_in(last_name(path), names.ID)
                return SentIds(tuple(values), base) if is_named or len(values) > 1 else None
        return SentIds(tuple(values), None) if is_in(last_name(path), names.ID) else None

    def _place_ids(self, path: Path, ids: SentIds) -> None:
        if self._result.ids is None:
            self._result.ids = ids
        position = "document.index + 1" if ids.base == 1 else "document.index"
        as_text = f"({position}) | string" if ids.base == 1 else f"{position} | string"
        self._places[path] = "{{ " + (as_text if ids.are_texts else position) + " }}"
        if ids.base is None:
            self._result.guesses.append((path, "positions in place of the ids that were recorded"))

    def _field(self, name: str, fields: dict[Path, str]) -> str:
        """A name of its own for a field of the caller's object."""
        taken = {"text", *fields.values()}
        free, number = name or "field", 2
        while free in taken:
            free, number = f"{name or 'field'}_{number}", number + 1
        return free

    def _document(self, position: int, fields: dict[Path, str]) -> Document:
        text, flat = self._result.texts[position], self._flat[position]
        own: dict[str, Any] = {fields[path]: flat[path] for path in fields if flat.get(path) is not None}
        return {"text": text, **own} if own else text

    def _template(self, value: Json, path: Path) -> Json:
        if path in self._places:
            return self._places[path]
        if isinstance(value, dict):
            return {key: self._template(member, (*path, key)) for key, member in value.items()}
        if isinstance(value, list):
            return [self._template(member, (*path, position)) for position, member in enumerate(value)]
        return literal(value) if isinstance(value, str) else value
