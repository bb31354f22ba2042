"""Learns where a template puts what it is given: it is rendered with markers, and the markers are looked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rankspec.dialects.places import ItemSlot, Pattern, Slot, Special, Steps, Variable, at, json_in
from rankspec.documents import DocumentForms
from rankspec.errors import RankspecError
from rankspec.models import Json, leaves
from rankspec.templates import JsonTemplate, TemplateFailed, body_scope

TEXTS = ("query", "model", "instruction", "next_token")
NUMBERS = ("top_n", "max_chunks_per_doc", "max_tokens_per_doc", "priority")
OBJECTS = ("relevant_spans", "extra")
OPTIONAL = ("model", "instruction", "next_token", *NUMBERS, *OBJECTS, "rank_fields", "return_documents", "settings")
"""What a body may lack."""

_FIRST_NUMBER = 9_007_000
_MARKER = re.compile(r"zq\d{4}qz|90070\d\d")
_DOCUMENTS = 3


class Markers:
    """Values that are found again wherever a template puts them."""

    def __init__(self) -> None:
        self._variables: dict[str, Variable] = {}
        self._wholes: list[tuple[Json, Variable]] = []

    def text(self, *variable: str | int) -> str:
        """A text that stands for the variable. Lower case, and the same in a URL."""
        marker = f"zq{len(self._variables):04}qz"
        self._variables[marker] = variable
        return marker

    def number(self, *variable: str | int) -> int:
        """A number that stands for the variable."""
        marker = _FIRST_NUMBER + len(self._variables)
        self._variables[str(marker)] = variable
        return marker

    def object(self, *variable: str | int, **members: Json) -> dict[str, Any]:
        """An object that stands for the variable; each field that a template asks it for stands for itself."""
        value = _Fields(self, variable, {**members, self.text(*variable, "(key)"): True})
        self._wholes.append((value, variable))
        return value

    def list(self, *variable: str | int) -> list[str]:
        """A list that stands for the variable."""
        value = [self.text(*variable, "(item)"), self.text(*variable, "(item)")]
        self._wholes.append((value, variable))
        return value

    def pattern(self, text: str) -> Pattern | None:
        """The text's variables and what stands between them, or None if it has none."""
        names = _MARKER.findall(text)
        if not names:
            return None
        return Pattern(tuple(self._variables[name] for name in names), tuple(_MARKER.split(text)))

    def slots(self, node: Json, path: Steps = ()) -> Iterator[Slot]:
        """Every place in a rendered body that holds a variable."""
        for value, variable in self._wholes:
            if node == value:
                yield Slot(path, Pattern((variable,), ("", "")))
                return
        if isinstance(node, dict):
            for key, member in node.items():
                yield from self.slots(member, (*path, key))
        elif isinstance(node, list | tuple):
            for position, item in enumerate(node):
                yield from self.slots(item, (*path, position))
        elif isinstance(node, str) and (inner := json_in(node)) is not Special.MISSING:
            yield from self.slots(inner, (*path, Special.JSON))
        elif isinstance(node, str | int) and (pattern := self.pattern(str(node))):
            yield Slot(path, pattern)


class _Fields(dict[str, Any]):
    """An object that gives every field that is asked for."""

    def __init__(self, markers: Markers, variable: Variable, members: Mapping[str, Json]) -> None:
        super().__init__(members)
        self._markers = markers
        self._variable = variable
        self._asked: dict[str, str] = {}

    def get(self, name: str, default: Any = None) -> Any:
        if name in self:
            return self[name]
        if name not in self._asked:
            self._asked[name] = self._markers.text(*self._variable, name)
        return self._asked[name]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a body has everything, when some of its optional parts are there."""

    slots: tuple[Slot, ...]
    items: tuple[ItemSlot, ...]


@dataclass(frozen=True, slots=True)
class Learned:
    """What was learned of a template.

    Attributes:
        layouts: that with every optional part comes first.
        loose: places that depend on the request in a way that cannot be read back.
        fixed: places of what a body may hold that is no variable.
    """

    layouts: tuple[Layout, ...]
    loose: frozenset[Steps]
    fixed: frozenset[Steps]


class Unlearnable(RankspecError):
    """A spec does not tell how its provider's bodies or replies are built. The text says what is not known."""


def learn(template: JsonTemplate, settings: Mapping[str, str | None]) -> Learned:
    """Where a body's template puts query, documents and all the rest.

    Args:
        settings: the spec's settings and their defaults.

    Raises:
        Unlearnable: the query or the documents cannot be read back from such a body.
    """
    used = [name for name in OPTIONAL if name in template.names]
    probe = _Prober(template, settings)
    layouts: list[Layout] = []
    # Members of a list that are absent shift those behind them, so that one probe is not enough.
    for present in (set(used), set(), *({name} for name in used), *(set(used) - {name} for name in used)):
        layout = probe.layout(present)
        if layout is not None and not any(
            set(layout.slots) <= set(known.slots) and set(layout.items) <= set(known.items) for known in layouts
        ):
            layouts.append(layout)
    layouts = [one for one in layouts if one.items and any(("query",) in slot.pattern.variables for slot in one.slots)]
    if not layouts:
        raise Unlearnable("the query and every document cannot be read back from the body that its spec makes")
    return Learned(tuple(layouts), frozenset(probe.loose(used, layouts)), frozenset(probe.fixed))


class _Prober:
    def __init__(self, template: JsonTemplate, settings: Mapping[str, str | None]) -> None:
        self._template = template
        self._settings = settings
        self.fixed: set[Steps] = set()

    def layout(self, present: set[str]) -> Layout | None:
        """The places in a body that has these optional parts, or None if there is no such body."""
        found = [
            slots for as_objects in (False, True) if (slots := self._slots(present, as_objects=as_objects)) is not None
        ]
        if not found:
            return None
        items = [item for slots in found for item in _items(*slots)]
        own = [slot for slots, _ in found for slot in slots if not _is_of_document(slot.pattern)]
        own += self._flag(present)
        # The first place of a variable is where it is read; a place of its own goes before one inside a text.
        own.sort(key=lambda slot: not slot.pattern.is_whole)
        return Layout(tuple(dict.fromkeys(own)), tuple(dict.fromkeys(items)))

    def _slots(self, present: set[str], *, as_objects: bool) -> tuple[list[Slot], Json] | None:
        markers = Markers()
        body = self._render(markers, present, as_objects=as_objects)
        if body is Special.MISSING:
            return None
        self.fixed.update(path for path, value in leaves(body) if markers.pattern(str(value)) is None)
        return list(markers.slots(body)), body

    def _flag(self, present: set[str]) -> list[Slot]:
        """The places that are the boolean itself: two bodies differ there just so."""
        if "return_documents" not in present:
            return []
        bodies = [self._render(Markers(), present, flag=flag) for flag in (False, True)]
        of = Pattern((("return_documents",),), ("", ""))
        return [Slot(path, of) for path, value in leaves(bodies[0]) if value is False and at(bodies[1], path) is True]

    def loose(self, used: list[str], layouts: list[Layout]) -> Iterator[Steps]:
        """The places that change with a part that has no place of its own."""
        read = {variable[0] for layout in layouts for slot in layout.slots for variable in slot.pattern.variables}
        for layout in layouts:
            for slot in layout.slots:
                if any(str(variable[-1]) in ("(item)", "(key)") for variable in slot.pattern.variables):
                    yield slot.path
        for name in used:
            if name not in read:
                with_it = self._render(Markers(), set(used))
                without = self._render(Markers(), set(used) - {name}, stand_in=name)
                yield from (path for path, value in leaves(with_it) if at(without, path) != value)

    def _render(
        self, markers: Markers, present: set[str], *, as_objects: bool = False, flag: bool = False, stand_in: str = ""
    ) -> Any:
        values: dict[str, Any] = {"return_documents": flag, "settings": dict(self._settings)}
        for name in TEXTS:
            marker = markers.text(name)
            values[name] = marker if name == "query" or name in present else None
        for name in NUMBERS:
            marker_number = markers.number(name)
            values[name] = marker_number if name in present else None
        for name in OBJECTS:
            marker_object = markers.object(name)
            values[name] = marker_object if name in present else None
        marker_list = markers.list("rank_fields")
        values["rank_fields"] = marker_list if "rank_fields" in present else None
        marked = {name: markers.text("settings", name) for name in self._settings}
        if "settings" in present:
            values["settings"] = marked
        documents: list[Any] = [markers.text("document", position) for position in range(_DOCUMENTS)]
        if as_objects:
            documents = [markers.object("document", at, text=text) for at, text in enumerate(documents)]
        if stand_in:
            values[stand_in] = None
        forms = DocumentForms(documents, None, flatten=False)
        try:
            return self._template.render(body_scope(forms, self._template.names, values))
        except (TemplateFailed, RankspecError):
            return Special.MISSING


def _is_of_document(pattern: Pattern) -> bool:
    return any(variable[0] == "document" for variable in pattern.variables)


def _items(slots: list[Slot], body: Json) -> Iterator[ItemSlot]:
    """The places that every document has, from those of the first ones."""
    of_document: dict[Variable, list[list[Slot]]] = {}
    for slot in slots:
        for variable in dict.fromkeys(slot.pattern.variables):
            if variable[0] == "document" and "(key)" not in variable:
                places = of_document.setdefault(variable[2:], [[] for _ in range(_DOCUMENTS)])
                places[int(variable[1])].append(slot)
    for per_document in of_document.values():
        for first, second, third in zip(*per_document, strict=False):
            item = _item(first.path, second.path, third.path, first.pattern, body)
            if item is not None:
                yield item
                break


def _item(first: Steps, second: Steps, third: Steps, pattern: Pattern, body: Json) -> ItemSlot | None:
    if not len(first) == len(second) == len(third):
        return None
    varying = [position for position, steps in enumerate(zip(first, second, third, strict=True)) if len({*steps}) > 1]
    if len(varying) != 1:
        return None
    (position,) = varying
    before = first[position]
    if not isinstance(before, int) or (second[position], third[position]) != (before + 1, before + 2):
        return None
    listed = at(body, first[:position])
    after = len(listed) - before - _DOCUMENTS
    return ItemSlot(first[:position], before, after, first[position + 1 :], _of_any_document(pattern))


def _of_any_document(pattern: Pattern) -> Pattern:
    """The pattern with ("document", field) for the field of a certain document."""
    variables = tuple(
        ("document", *variable[2:]) if variable[0] == "document" else variable for variable in pattern.variables
    )
    return Pattern(variables, pattern.constants)
