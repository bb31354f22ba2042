"""What a recorded reply shows of a provider: which of its values are a document's index and score, which are counts.

One value after the other is changed, to see what the spec's mapping then reads otherwise.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from rankspec.emulator.places import Special, Steps, at, put
from rankspec.mapping import Expression, MappingFailed
from rankspec.models import HttpResponse, Json, leaves
from rankspec.specs import ProviderSpec

COUNTS = ("search_units", "input_tokens")
"""The counts that can be made anew for any request."""

_CHANGE = 1000
_LAST_DIGITS = re.compile(r"[0-9]+(?=[^0-9]*$)")


@dataclass(frozen=True, slots=True)
class Column:
    """A list with an item for each document, made like `item`. Paths lead on from an item; None: not in this list."""

    list_path: Steps
    item: Json
    index: Steps | None
    score: Steps | None
    echoes: tuple[Steps, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """A recorded reply, and what in it is of a document, of the model and of a count."""

    headers: dict[str, str]
    status: int
    body: Json
    columns: tuple[Column, ...]
    is_logit: bool
    models: tuple[Steps, ...]
    counts: tuple[tuple[str, Steps | str], ...]

    @property
    def is_positional(self) -> bool:
        """Whether a document is told by its place among the scores alone."""
        return all(column.index is None for column in self.columns)


class ReplyReader:
    """Looks into the recorded replies of one spec.

    Args:
        token_path: where a reply has the token of its next page, if it has pages.
    """

    def __init__(self, spec: ProviderSpec, token_path: Steps | None) -> None:
        self._spec = spec
        self._token_path = token_path

    def results(self, body: Json, headers: dict[str, str]) -> list[dict[str, Any]]:
        """What the spec's mapping reads from a reply; nothing if that is no list of indexes and scores."""
        found = _search(self._spec.response.results, body, headers)
        return found if isinstance(found, list) and all(map(_is_result, found)) else []

    def shapes(self, request: dict[str, Any], reply: HttpResponse) -> Iterator[Shape]:
        """The ways in which a reply can be understood; of one with a single result there may be several."""
        body, headers = self._without_token(orjson.loads(reply.body)), dict(reply.headers)
        before = self.results(body, headers)
        indexes = self._sources(body, headers, before, "index")
        scores = self._sources(body, headers, before, "relevance_score")
        if not before or len(scores) != len(before):
            return
        is_logit = not _is_number(at(body, scores[0]), before[0]["relevance_score"])
        models = [path for path, value in leaves(body) if isinstance(value, str) and value == request.get("model")]
        counts = tuple(self._counts(body, headers))
        document = dict(enumerate(request.get("documents", []))).get(before[0]["index"])
        for score_list in _list_positions(scores):
            for index_list in _list_positions(indexes):
                columns = _columns(body, scores[0], score_list, indexes.get(0), index_list, document)
                kept = tuple(path for path in models if not any(_is_inside(path, one.list_path) for one in columns))
                yield Shape(headers, reply.status, body, columns, is_logit, kept, counts)

    def _without_token(self, body: Json) -> Json:
        if self._token_path is None or at(body, self._token_path) is Special.MISSING:
            return body
        holder = dict(at(body, self._token_path[:-1]))
        del holder[str(self._token_path[-1])]
        return put(body, self._token_path[:-1], holder)

    def _sources(self, body: Json, headers: dict[str, str], before: list[Any], name: str) -> dict[int, Steps]:
        """For each result the place of the value that its member `name` is read from."""
        sources: dict[int, Steps] = {}
        for path, value in leaves(body):
            changed = _changed(value)
            if changed is None:
                continue
            after = self.results(put(body, path, changed), headers)
            if len(after) != len(before):
                continue
            differing = [at for at in range(len(before)) if after[at].get(name) != before[at].get(name)]
            if len(differing) == 1:
                sources.setdefault(differing[0], path)
        return sources

    def _counts(self, body: Json, headers: dict[str, str]) -> Iterator[tuple[str, Steps | str]]:
        """The places of the counts that can be made anew for any request."""
        before = self._told_counts(body, headers)
        for path, value in leaves(body):
            if type(value) is int:
                after = self._told_counts(put(body, path, value + _CHANGE), headers)
                for name in (name for name in before if after.get(name) != before[name]):
                    yield from ((name, twin) for twin in _twins(body, path, value))
        for header, text in headers.items():
            if text.isdecimal():
                after = self._told_counts(body, {**headers, header: f"{text}0"})
                yield from ((name, header) for name in before if after.get(name) != before[name])

    def _told_counts(self, body: Json, headers: dict[str, str]) -> dict[str, Json]:
        """Those of the counts that can be made anew which the spec reads from a reply, by name."""
        told: dict[str, Json] = {}
        for part in self._spec.response.units.values():
            if isinstance(part, Expression):
                found = _search(part, body, headers)
                told.update(found if isinstance(found, dict) else {})
            else:
                told.update((name, _search(expression, body, headers)) for name, expression in part.items())
        return {name: told[name] for name in COUNTS if told.get(name) is not None}


def _changed(value: Json) -> Json:
    """Another value of the same type that no mapping takes for the same, or None if there is none."""
    if isinstance(value, str):
        match = _LAST_DIGITS.search(value)
        return None if match is None else f"{value[: match.start()]}{int(match[0]) + _CHANGE}{value[match.end() :]}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value + _CHANGE if isinstance(value, int) else value * 0.5 + 0.0625


def _list_positions(paths: dict[int, Steps]) -> list[int | None]:
    """Which step of the first path counts documents; with one path alone it may be each that is a number."""
    if 0 not in paths:
        return [None]
    first = paths[0]
    numbers = [position for position, step in enumerate(first) if isinstance(step, int)]
    for other in (path for result, path in paths.items() if result):
        numbers = [at for at in numbers if len(other) == len(first) and other[at] != first[at]]
    return list(numbers)


def _columns(
    body: Json,
    score: Steps,
    score_list: int | None,
    index: Steps | None,
    index_list: int | None,
    document: Any,
) -> tuple[Column, ...]:
    """The lists that have an item for each document."""
    of_list: dict[Steps, dict[str, Steps]] = {}
    items: dict[Steps, Json] = {}
    for role, path, position in (("index", index, index_list), ("score", score, score_list)):
        if path is not None and position is not None:
            of_list.setdefault(path[:position], {})[role] = path[position + 1 :]
            items[path[:position]] = at(body, path[: position + 1])
    columns = []
    for list_path, roles in of_list.items():
        item = items[list_path]
        echoes = () if document is None else tuple(_echoes(item, document))
        columns.append(Column(list_path, item, roles.get("index"), roles.get("score"), echoes))
    return tuple(columns)


def _echoes(item: Json, document: Any, path: Steps = ()) -> Iterator[Steps]:
    """The places in an item that hold the document again, a text perhaps as {"text": ...}."""
    if item == document or (isinstance(document, str) and item == {"text": document}):
        yield path
    elif isinstance(item, dict):
        for key, member in item.items():
            yield from _echoes(member, document, (*path, key))


def filled(shape: Shape, scored: Sequence[tuple[int, Any, float]]) -> Json:
    """The recorded body with an item for each of these documents in place of its own.

    Args:
        scored: index, document and score of each, in the reply's order.
    """
    body = shape.body
    for column in shape.columns:
        body = put(body, column.list_path, [_item(column, *one) for one in scored])
    return body


def _item(column: Column, index: int, document: Any, score: float) -> Json:
    item = column.item
    for path in column.echoes:
        item = put(item, path, _echo(at(item, path), document))
    if column.index is not None:
        item = put(item, column.index, _like(at(item, column.index), index))
    if column.score is not None:
        item = put(item, column.score, str(score) if isinstance(at(item, column.score), str) else score)
    return item


def _echo(recorded: Json, document: Any) -> Any:
    """The document in the form that the recorded one has: an object or a text."""
    if isinstance(recorded, dict):
        return {"text": document} if isinstance(document, str) else document
    return document.get("text") if isinstance(document, dict) else document


def _like(recorded: Json, index: int) -> Json:
    """The index, written as the recorded one is: a number, or the number in a text."""
    return _LAST_DIGITS.sub(str(index), recorded) if isinstance(recorded, str) else index


def _twins(body: Json, path: Steps, value: Json) -> Iterator[Steps]:
    """The place of a count, and those beside it that say the same."""
    beside = at(body, path[:-1])
    if isinstance(beside, dict):
        yield from ((*path[:-1], key) for key, other in beside.items() if type(other) is int and other == value)
    else:
        yield path


def _is_inside(path: Steps, list_path: Steps) -> bool:
    return path[: len(list_path)] == list_path


def _is_result(found: Any) -> bool:
    if not isinstance(found, dict) or type(found.get("index")) is not int:
        return False
    score = found.get("relevance_score")
    return isinstance(score, int | float) and not isinstance(score, bool)


def _is_number(written: Any, number: float) -> bool:
    """Whether a value is that number, or a text that says it."""
    try:
        return math.isclose(float(written), number, rel_tol=1e-12, abs_tol=1e-12)
    except (TypeError, ValueError):
        return False


def _search(expression: Expression, body: Json, headers: Any) -> Json:
    try:
        return expression.search(body, headers)
    except MappingFailed:
        return None
