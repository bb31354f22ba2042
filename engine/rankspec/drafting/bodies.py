"""A recorded body to a template: finds the query, the documents, the count and the model by name and by value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from rankspec.drafting import names
from rankspec.drafting.items import Items, SentIds, read_items
from rankspec.drafting.names import at, is_in, last_name, leaves, lists, plain
from rankspec.drafting.outcome import Notebook
from rankspec.drafting.placeholders import format_where, literal
from rankspec.models import Document, Json, Path

_HERE: Path = ("request", "body")


class _Dropped:
    """Stands for a member that the template leaves out."""


_DROPPED = _Dropped()


@dataclass(slots=True)
class BodyDraft:
    """What a body comes to.

    Attributes:
        template: the spec's `request.body`.
        request: the call that this body was made for, in our terms.
        texts: the documents as texts, to be found again in the reply.
        ids: the ids that they were sent with, if any.
    """

    template: Json
    request: dict[str, Any]
    texts: list[str] = field(default_factory=list)
    ids: SentIds | None = None


def read_body(body: Json, notebook: Notebook) -> BodyDraft:
    """The template of a body, and the request that it says."""
    return _Body(body, notebook).read()


class _Body:
    def __init__(self, body: Json, notebook: Notebook) -> None:
        self._body = body
        self._notebook = notebook
        self._places: dict[Path, Any] = {}
        self._request: dict[str, Any] = {}
        self._documents_at: Path | None = None
        self._items: Items | None = None

    def read(self) -> BodyDraft:
        self._find_documents()
        self._find_model()
        self._find_query()
        self._find_count()
        self._find_others()
        self._find_lists_beside()
        template = self._template(self._body, ())
        documents: list[Document] = self._items.documents if self._items else []
        given = {"documents": documents, **self._request} if documents else self._request
        first = [name for name in ("model", "query", "documents") if name in given]
        request = {name: given[name] for name in dict.fromkeys((*first, *given))}
        items = self._items
        return BodyDraft(template, request, items.texts if items else [], items.ids if items else None)

    def _guess(self, path: Path, why: str) -> None:
        self._notebook.guess((*_HERE, *path), why)

    def _outside(self) -> Iterator[tuple[Path, Json]]:
        """The scalars that are not part of the documents and have no place yet."""
        documents = self._documents_at
        for path, value in leaves(self._body):
            inside = documents is not None and path[: len(documents)] == documents
            if not inside and not any(path[: len(place)] == place for place in self._places):
                yield path, value

    def _best(self, fits: Callable[[Path, Json], float]) -> tuple[Path, Json, float] | None:
        """The scalar outside the documents that fits best, the first of equals; None if none fits at all."""
        rated = [(path, value, fits(path, value)) for path, value in self._outside()]
        found = max(rated, key=lambda one: one[2], default=None)
        return found if found and found[2] > 0 else None

    def _find_documents(self) -> None:
        rated = [(path, items, _likeness_to_documents(path, items)) for path, items in lists(self._body)]
        rated.sort(key=lambda one: -one[2])
        if not rated or rated[0][2] <= 0:
            self._notebook.leave("request.body: no list of documents was found in it; put {{ texts }} where they go")
            return
        path, items, points = rated[0]
        self._documents_at = path
        self._items = read_items(items, has_rank_fields=self._has_rank_fields())
        self._places[path] = self._items.template
        if points < 10:
            self._guess(path, "these are the documents, by their look")
        for inner, why in self._items.guesses:
            self._guess((*path, "$item", *inner), why)
        for note in self._items.notes:
            self._notebook.note(note)
        for other, values, likeness in rated[1:]:
            if likeness >= 10 and not _overlap(other, path):
                self._find_again(other, values)

    def _find_again(self, path: Path, values: list[Json]) -> None:
        """Another list that looks like documents: the same ones, or something that stays as it is."""
        chosen = format_where(self._documents_at or ())
        if self._items is not None and values == self._items.texts:
            self._places[path] = "{{ texts }}"
            self._guess(path, f"the same documents as in {chosen}")
        else:
            self._guess(path, f"a constant; the documents are taken to be those in {chosen}")

    def _has_rank_fields(self) -> bool:
        return isinstance(self._body, dict) and isinstance(self._body.get("rank_fields"), list)

    def _find_model(self) -> None:
        found = self._best(lambda path, value: isinstance(value, str) and bool(value) and is_in(path[-1], names.MODEL))
        if found:
            self._places[found[0]] = "{{ model }}"
            self._request["model"] = found[1]

    def _find_query(self) -> None:
        if self._items and self._items.query is not None:
            self._request["query"] = self._items.query
            return
        found = self._best(_likeness_to_query)
        if found is None:
            self._notebook.leave("request.body: no query was found in it; put {{ query }} where it goes")
            return
        path, query, points = found
        self._request["query"] = query
        if points < 5:
            self._guess(path, "this is the query, by its look")
        for other, value in list(self._outside()):
            if value == query and (other == path or (other and _likeness_to_query(other, value) >= 5)):
                self._place_query(other)

    def _place_query(self, path: Path) -> None:
        """A list that repeats the query once for each document is made as long as the documents are."""
        if path[:-1] in self._places:
            return
        count = len(self._items.texts) if self._items else 0
        parent = at(self._body, path[:-1]) if path else None
        if isinstance(parent, list) and len(parent) == count > 1 and all(one == parent[0] for one in parent):
            self._places[path[:-1]] = {"$for": "document in documents", "$item": "{{ query }}"}
            self._guess(path[:-1], "the query, once for each document")
        else:
            self._places[path] = "{{ query }}"

    def _find_count(self) -> None:
        def fits(path: Path, value: Json) -> float:
            if not path or isinstance(value, bool) or not (value is None or (isinstance(value, int) and value > 0)):
                return 0
            return 2 * is_in(path[-1], names.COUNT) + is_in(path[-1], names.PERHAPS_COUNT)

        found = self._best(fits)
        if found is None:
            return
        path, count, points = found
        self._places[path] = "{{ top_n }}"
        if count is not None:
            self._request["top_n"] = count
        if points < 2:
            self._guess(path, "how many results to return")

    def _find_others(self) -> None:
        if self._has_rank_fields():
            self._places[("rank_fields",)] = "{{ rank_fields }}"
            self._request["rank_fields"] = self._body["rank_fields"]
        for path, value in list(self._outside()):
            if not path:
                continue
            name = names.OPTIONAL.get(plain(path[-1]))
            if name and name not in self._request and _is_fit(name, value):
                self._places[path] = "{{ " + name + " }}"
                self._request[name] = value
            elif value is True and is_in(path[-1], names.ECHO):
                self._places[path] = False
                self._guess(path, "false, as the engine hands the documents back itself")

    def _find_lists_beside(self) -> None:
        """Lists that have one item for each document cannot be constants."""
        if self._items is None:
            return
        count = len(self._items.texts)
        for path, values in lists(self._body):
            if len(values) != count or any(_overlap(path, place) for place in self._places):
                continue
            if count > 1 and values == list(range(count)):
                self._places[path] = {"$for": "document in documents", "$item": "{{ document.index }}"}
            elif count > 1 and values == [str(position) for position in range(count)]:
                self._places[path] = {"$for": "document in documents", "$item": "{{ document.index | string }}"}
            elif is_in(last_name(path), names.BESIDE_DOCUMENTS):
                self._places[path] = _DROPPED
                self._notebook.note(
                    f"request.body.{format_where(path)} is left out: it goes with these documents and no others"
                )

    def _template(self, value: Json, path: Path) -> Any:
        if path in self._places:
            return self._places[path]
        if isinstance(value, dict):
            members: dict[str, Any] = {}
            for key, member in value.items():
                if key.startswith("$") or "{{" in key or "{%" in key:
                    where = format_where((*path, key))
                    self._notebook.leave(f"request.body.{where} is left out: a template takes no member of that name")
                elif (made := self._template(member, (*path, key))) is not _DROPPED:
                    members[key] = made
            return members
        if isinstance(value, list):
            made = [self._template(member, (*path, position)) for position, member in enumerate(value)]
            return [one for one in made if one is not _DROPPED]
        return literal(value) if isinstance(value, str) else value


def _overlap(one: Path, other: Path) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _likeness_to_documents(path: Path, items: list[Json]) -> float:
    """How much a list looks like documents; 10 and more by its name, 0 and less not at all."""
    if not all(_holds_text(item) for item in items):
        return 0
    name = last_name(path)
    points = 10.0 * is_in(name, names.DOCUMENTS) + 6.0 * is_in(name, names.PERHAPS_DOCUMENTS)
    points -= 20 * is_in(name, names.NO_DOCUMENTS)
    points -= 9 * is_in(name, names.QUERY)
    if len(items) > 1:
        points += 3 if any(item != items[0] for item in items) else -8
    elif any(len(inner) > 1 for _, inner in lists(items[0])):
        points -= 7  # The documents are the list inside.
    is_pairs = all(isinstance(item, list) and len(item) == 2 for item in items)
    return points + (4 if is_pairs else 0) or 1.0


def _holds_text(item: Json) -> bool:
    return any(isinstance(value, str) and value for _, value in leaves(item))


def _likeness_to_query(path: Path, value: Json) -> float:
    """How much a scalar looks like the query; 5 and more by its name."""
    if not isinstance(value, str) or not value.strip():
        return 0
    name = last_name(path)
    others = (names.CONSTANT, names.MODEL, names.NO_DOCUMENTS)
    if any(is_in(name, known) for known in others) or plain(name) in names.OPTIONAL:
        return 0
    if is_in(name, names.QUERY):
        return 10
    if is_in(name, names.TEXT) and any(is_in(part, names.QUERY) for part in path if isinstance(part, str)):
        return 9
    if plain(name) in ("input", "inputs"):
        return 5
    if "<key>" in value:
        return 0
    # A question has words.
    return 1 + 2 * (" " in value.strip())


def _is_fit(name: str, value: Json) -> bool:
    if name == "instruction":
        return isinstance(value, str) and bool(value.strip())
    least = 0 if name == "priority" else 1
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
