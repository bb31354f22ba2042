"""A recorded reply to mappings: finds the results by their shape, and what is what by value as well as by name."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from rankspec.drafting import names
from rankspec.drafting.items import SentIds
from rankspec.drafting.names import is_in, last_name, leaves, lists, plain
from rankspec.drafting.outcome import Notebook
from rankspec.models import Json, Path

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_RESULTS: Path = ("response", "results")

_IDS = ("id", "request_id", "response_id", "rerank_id", "trace_id")
_INPUT_TOKENS = ("input_tokens", "prompt_tokens", "tokens_input", "input_token_count", "prompt_token_count")
_OUTPUT_TOKENS = ("output_tokens", "completion_tokens", "tokens_generated", "output_token_count")
_ALL_TOKENS = ("total_tokens", "token_usage", "total_token_count", "tokens")
_UNITS = ("search_units", "rerank_units", "billed_units")


@dataclass(slots=True)
class ReplyDraft:
    """What a reply comes to.

    Attributes:
        response: the spec's `response`, or None if no results were found.
        scale: the scoring scale that the numbers suggest.
        uses_ids: the way to the list of results, and where in each stands the recorded id that the mapping reads.
    """

    response: dict[str, Any] | None
    scale: str = "unknown"
    uses_ids: tuple[Path, Path] | None = None


@dataclass(slots=True)
class _Reading:
    """One way to read one list of the reply; the one with the most `points` is taken."""

    points: float
    expression: str
    scores: list[float]
    guesses: list[str] = field(default_factory=list)
    uses_ids: tuple[Path, Path] | None = None


def read_reply(reply: Json, texts: Sequence[str], ids: SentIds | None, notebook: Notebook) -> ReplyDraft:
    """The mappings of a reply to a request for these documents."""
    readings = [reading for at, items in lists(reply) for reading in _readings(at, items, texts, ids)]
    readings += _keyed_readings(reply, texts)
    best = max(readings, key=lambda reading: reading.points, default=None)
    if best is None or best.points <= 0:
        if any(_names_by_text(at, items, texts) for at, items in lists(reply)):
            notebook.leave("response: the results name their documents by text alone, which no mapping can follow")
        return ReplyDraft(None)
    for guess in best.guesses:
        notebook.guess(_RESULTS, guess)
    response: dict[str, Any] = {"results": best.expression}
    if (found := _find(reply, _IDS, (str, int), most=2)) is not None:
        response["id"] = jmespath(found)
        if plain(last_name(found)) != "id":
            notebook.guess(("response", "id"), "the reply's id")
    if meta := _meta(reply, notebook):
        response["meta"] = meta
    scale = _scale(best)
    notebook.guess(("scoring", "scale"), _why(scale, best.scores))
    return ReplyDraft(response, scale, best.uses_ids)


def _readings(at: Path, items: list[Json], texts: Sequence[str], ids: SentIds | None) -> Iterator[_Reading]:
    if all(isinstance(item[0] if isinstance(item, list) and item else item, dict) for item in items):
        yield from _Objects(at, items, texts, ids).readings()
    elif all(_number(item) is not None for item in items):
        yield from _numbers(at, items, len(texts))
    elif all(isinstance(item, list) and item for item in items):
        yield from _rows(at, items, len(texts))


def _numbers(at: Path, items: list[Json], count: int) -> Iterator[_Reading]:
    """A list of scores, one for each document in the caller's order."""
    if len(items) != count:
        return
    points = 4 + 10 * _is_score(last_name(at)) - 6 * all(isinstance(item, int) for item in items)
    value = _as_number("value", items[0])
    expression = f"enumerate({jmespath(at) or '@'})[].{{index: index, relevance_score: {value}}}"
    yield _Reading(points, expression, _floats(items), ["the scores stand in the documents' order"])


def _rows(at: Path, items: list[Json], count: int) -> Iterator[_Reading]:
    """A list of lists: [index, score] in each, or one score in each."""
    where = jmespath(at)
    name = 10 * _is_score(last_name(at))
    if len(items) == count and all(len(item) == 1 and _number(item[0]) is not None for item in items):
        expression = f"enumerate({where or '@'})[].{{index: index, relevance_score: value[0]}}"
        guess = ["the scores stand in the documents' order"]
        yield _Reading(4 + name, expression, _floats(item[0] for item in items), guess)
    if all(len(item) >= 2 and all(_number(one) is not None for one in item[:2]) for item in items):
        for index, score in ((0, 1), (1, 0)):
            positions = [item[index] for item in items]
            if _base(positions, count) == 0:
                expression = f"{where}[*].{{index: [{index}], relevance_score: [{score}]}}"
                guess = (
                    ["which of the numbers is the index"] if _base([item[score] for item in items], count) == 0 else []
                )
                yield _Reading(8 + name - index, expression, _floats(item[score] for item in items), guess)


def _keyed_readings(reply: Json, texts: Sequence[str]) -> Iterator[_Reading]:
    """Scores as members of an object, named 0, 1 and so on in the documents' order."""
    keys = [str(position) for position in range(len(texts))]
    for at, value in _objects(reply):
        if list(value) == keys and len(keys) > 1 and all(_number(one) is not None for one in value.values()):
            expression = f"enumerate(values({jmespath(at) or '@'}))[].{{index: index, relevance_score: value}}"
            yield _Reading(6, expression, _floats(value.values()), ["the members stand in the documents' order"])


class _Objects:
    """A list of objects: which member is the index, and which the score."""

    def __init__(self, at: Path, items: list[Json], texts: Sequence[str], ids: SentIds | None) -> None:
        self._at = at
        self._items = items
        self._texts = texts
        self._ids = ids
        self._position_of_id = {value: position for position, value in enumerate(ids.values)} if ids else {}
        self._flat = [dict(_first_leaves(item)) for item in items]
        self._shared = [path for path in self._flat[0] if all(path in flat for flat in self._flat)]
        self.by_text = self._positions_by_text()

    def readings(self) -> Iterator[_Reading]:
        scores = sorted(self._scores(), key=lambda one: -one[0])
        if not scores:
            return
        points, score = scores[0]
        points -= 10 * (len(self._items) > len(self._texts))
        guesses = []
        if len(scores) > 1 and scores[1][0] == points:
            guesses.append(f"{jmespath(score)} is the score, and not {jmespath(scores[1][1])}")
        elif points < 6:
            guesses.append(f"{jmespath(score)} is the score")
        numbers = _floats(flat[score] for flat in self._flat)
        relevance = _as_number(jmespath(score), self._flat[0][score])
        prefix = f"{jmespath(self._at)}[{'*' if isinstance(self._items[0], list) else ''}]"
        for more, path, expression, why in self._indexes(score):
            uses_ids = (self._at, path) if self._ids and self._ids.base is None and why == _BY_ID else None
            told = [*guesses, why] if why else guesses
            text = f"{prefix}.{{index: {expression}, relevance_score: {relevance}}}"
            yield _Reading(points + more, text, numbers, told, uses_ids)
        if len(self._items) == len(self._texts) and self.by_text in (None, list(range(len(self._texts)))):
            value = _as_number(jmespath(("value", *score)), self._flat[0][score])
            text = f"enumerate({jmespath(self._at) or '@'})[].{{index: index, relevance_score: {value}}}"
            yield _Reading(points - 4, text, numbers, [*guesses, "the results stand in the documents' order"])

    def _positions_by_text(self) -> list[int] | None:
        """Which documents the results are, by their texts; None if those are not in the reply."""
        if len(set(self._texts)) != len(self._texts):
            return None
        position = {text: index for index, text in enumerate(self._texts)}
        found = []
        for flat in self._flat:
            held = [position[value] for value in flat.values() if isinstance(value, str) and value in position]
            if not held:
                return None
            found.append(held[0])
        return found if len(set(found)) == len(found) else None

    def _scores(self) -> Iterator[tuple[float, Path]]:
        for path in self._shared:
            values = [flat[path] for flat in self._flat]
            if any(_number(value) is None for value in values) or is_in(last_name(path), names.RANK):
                continue
            points = 10.0 * _is_score(last_name(path))
            points += 2 if any(isinstance(value, float) for value in values) else -2
            points -= 12 * is_in(last_name(path), names.INDEX[:11])
            if points > 0:
                yield points - _place_in(names.SCORE, last_name(path)) / 100, path

    def _indexes(self, score: Path) -> Iterator[tuple[float, Path, str, str]]:
        """Each member that may be the index: points, path, expression, and why it is a guess."""
        count = len(self._texts)
        for path in self._shared:
            values = [flat[path] for flat in self._flat]
            if path == score or is_in(last_name(path), names.RANK):
                continue
            name = last_name(path)
            points = 10.0 - _place_in(names.INDEX, name) / 10 if is_in(name, names.INDEX) else 1.0
            if self._ids and is_in(name, names.ID) and all(value in self._position_of_id for value in values):
                yield self._by_id(path, values, points)
                continue
            base = _base(values, count)
            if base is None or (base == 1 and self.by_text is None):
                continue
            positions = [int(value) - base for value in values]
            if self.by_text is not None:
                points += 5 if positions == self.by_text else -20
            why = "" if is_in(name, names.INDEX) and not base else "the document's position"
            yield points, path, _minus(_as_number(jmespath(path), values[0]), base), why

    def _by_id(self, path: Path, values: list[Json], points: float) -> tuple[float, Path, str, str]:
        assert self._ids is not None
        expression = _minus(_as_number(jmespath(path), "0" if self._ids.are_texts else 0), self._ids.base or 0)
        positions = [self._position_of_id[value] for value in values]
        if self.by_text is not None:
            points += 5 if positions == self.by_text else -20
        if self._ids.base is None:
            return points - 3, path, expression, _BY_ID
        return points, path, expression, ""


def _names_by_text(at: Path, items: list[Json], texts: Sequence[str]) -> bool:
    return all(isinstance(item, dict) for item in items) and _Objects(at, items, texts, None).by_text is not None


_BY_ID = "the ids that are sent are positions"


def _first_leaves(item: Json, path: Path = ()) -> Iterator[tuple[Path, Json]]:
    """The scalars of one result; of a list inside, those of the first item."""
    if isinstance(item, dict):
        for key, value in item.items():
            yield from _first_leaves(value, (*path, key))
    elif isinstance(item, list):
        if item:
            yield from _first_leaves(item[0], (*path, 0))
    else:
        yield path, item


def _objects(value: Json, path: Path = ()) -> Iterator[tuple[Path, dict[str, Json]]]:
    if isinstance(value, dict):
        yield path, value
        for key, member in value.items():
            yield from _objects(member, (*path, key))


def _base(values: Sequence[Json], count: int) -> int | None:
    """0 or 1 if the values are positions that count from there, each once; else None."""
    numbers = [_number(value) for value in values if not isinstance(value, float)]
    if len(numbers) < len(values) or any(number is None or number != int(number) for number in numbers):
        return None
    if len(set(numbers)) != len(numbers):
        return None
    positions = [int(number) for number in numbers if number is not None]
    if all(0 <= position < count for position in positions):
        return 0
    return 1 if all(1 <= position <= count for position in positions) else None


def _number(value: Json) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _floats(values: Any) -> list[float]:
    return [float(value) for value in values]


def _as_number(expression: str, sample: Json) -> str:
    return f"to_number({expression})" if isinstance(sample, str) else expression


def _minus(expression: str, base: int) -> str:
    # JMESPath has no subtraction, but a sum.
    return f"sum([{expression}, `-{base}`])" if base else expression


def _is_score(name: str) -> bool:
    return is_in(name, names.SCORE) or "score" in plain(name)


def _place_in(known: tuple[str, ...], name: str) -> int:
    return known.index(plain(name)) if plain(name) in known else len(known)


def _scale(reading: _Reading) -> str:
    if "logit" in reading.expression.lower():
        return "logit"
    return "probability" if all(0 <= score <= 1 for score in reading.scores) else "unknown"


def _why(scale: str, scores: list[float]) -> str:
    if scale == "logit":
        return "by the score's name"
    if scale == "probability":
        return "all scores of the reply are between 0 and 1"
    return f"the scores of the reply go from {min(scores):g} to {max(scores):g}"


def _meta(reply: Json, notebook: Notebook) -> dict[str, Any]:
    """What the reply tells about the call, in Cohere's terms."""
    meta: dict[str, Any] = {}
    own = reply.get("meta") if isinstance(reply, dict) else None
    own = own if isinstance(own, dict) else {}
    if isinstance(own.get("api_version"), dict):
        meta["api_version"] = "meta.api_version"
    for part, found in (("billed_units", _units(reply)), ("tokens", _tokens(reply, notebook))):
        if isinstance(own.get(part), dict):
            meta[part] = f"meta.{part}"
        elif found:
            meta[part] = found
    if isinstance(own.get("warnings"), list):
        meta["warnings"] = "meta.warnings"
    return meta


def _units(reply: Json) -> dict[str, str]:
    found = {name: _find(reply, (name,), (int, float), most=4) for name in _UNITS}
    return {name: jmespath(path) for name, path in found.items() if path is not None}


def _tokens(reply: Json, notebook: Notebook) -> dict[str, str]:
    given = _find(reply, _INPUT_TOKENS, (int, float), most=4)
    made = _find(reply, _OUTPUT_TOKENS, (int, float), most=4)
    tokens = {"input_tokens": jmespath(given)} if given is not None else {}
    if made is not None:
        tokens["output_tokens"] = jmespath(made)
    if not tokens and (total := _find(reply, _ALL_TOKENS, (int, float), most=4)) is not None:
        tokens["input_tokens"] = jmespath(total)
        notebook.guess(("response", "meta", "tokens"), "a reranker reads tokens and writes none")
    return tokens


def _find(reply: Json, known: tuple[str, ...], types: tuple[type, ...], *, most: int) -> Path | None:
    """The outermost member of one of these names and types that is in no list."""
    found = [
        path
        for path, value in leaves(reply)
        if len(path) <= most
        and all(isinstance(part, str) for part in path)
        and path
        and is_in(path[-1], known)
        and isinstance(value, types)
        and not isinstance(value, bool)
    ]
    return min(found, key=lambda path: (_place_in(known, str(path[-1])), len(path)), default=None)


def jmespath(path: Path) -> str:
    """A path as a JMESPath expression; empty for the whole reply."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if _IDENTIFIER.fullmatch(part) and part.isascii() else orjson.dumps(part).decode()
            text += f".{name}" if text else name
    return text
