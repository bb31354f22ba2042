"""The promise that every response keeps, whichever provider answers. Pure arithmetic on what a reply was mapped to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from operator import gt, itemgetter, methodcaller, neg
from types import NoneType
from typing import Any, NamedTuple, TypeGuard

from rankspec.models import Document, Json, RerankResult
from rankspec.raw_texts import RawTexts
from rankspec.transforms import TRANSFORMS


class ContractBroken(Exception):
    """What a reply says cannot be true."""


class Scored(NamedTuple):
    """Checked results, by columns: what is asked of a whole column costs a fifth of asking each result.

    Attributes:
        more: what the reply says of each besides; None where it says no more of any.
    """

    indexes: Sequence[int]
    scores: Sequence[float]
    more: Sequence[Mapping[str, Any] | None] | None = None

    @classmethod
    def of_parts(cls, parts: Sequence[Scored]) -> Scored:
        """The results of several replies as those of one."""
        says_more = any(part.more is not None for part in parts)
        return cls(
            [index for part in parts for index in part.indexes],
            [score for part in parts for score in part.scores],
            [item for part in parts for item in part.more or [None] * len(part.indexes)] if says_more else None,
        )


NEEDED = frozenset({"index", "relevance_score"})
"""What every result says."""

OPTIONAL = ("raw_score", "relevant_spans")
"""What it may say besides."""


class Columns:
    """Reads lists of objects by columns.

    Args:
        names: of the objects' members, by what they say of a result.
    """

    __slots__ = ("_index", "_least", "_more", "_score")

    def __init__(self, names: Mapping[str, str]) -> None:
        self._index, self._score = itemgetter(names["index"]), itemgetter(names["relevance_score"])
        needed, more = {names[name] for name in NEEDED}, [names[name] for name in OPTIONAL if name in names]
        self._least = len(needed) if needed.isdisjoint(more) else 0
        self._more = [methodcaller("get", name) for name in more]

    def scored(self, rows: Json, documents: int, expected: int, start: int = 0) -> Scored | None:
        """The results that the objects are if all keep the contract and none says more; see `check_results`.

        Returns:
            None if one breaks the contract, says more, or may: `check_results` then says which.
        """
        if not isinstance(rows, list) or len(rows) < expected:
            return None
        try:
            indexes, scores = [*map(self._index, rows)], [*map(self._score, rows)]
            kinds = {*map(type, scores)}
            if not (
                {*map(type, rows)} <= {dict}
                and {*map(type, indexes)} <= {int}
                and kinds <= {float, int}
                and len({*indexes}) == len(indexes)
                and all(map(math.isfinite, scores))
                and min(indexes, default=0) >= 0
                and max(indexes, default=-1) < documents
            ):
                return None
        except (TypeError, KeyError, OverflowError):
            return None
        # Members are counted first: most providers tell no more than these.
        if max(map(len, rows), default=0) > self._least:
            for more in self._more:
                if not {*map(type, map(more, rows))} <= {NoneType}:
                    return None
        if int in kinds:  # As floats, so that what is told to be equal ties.
            scores = [*map(float, scores)]
        return Scored([index + start for index in indexes] if start else indexes, scores)


_MAPPED = Columns({name: name for name in (*NEEDED, *OPTIONAL)})


def check_results(found: Json, documents: int, expected: int, start: int = 0) -> Scored:
    """The mapped results, in the reply's order, each with an index in range and a finite score.

    Args:
        found: what the spec's results expression found.
        documents: how many documents the request held.
        expected: how many results the reply must have at least.
        start: the position of the request's first document in the caller's list, which is added to every index.

    Raises:
        ContractBroken: names the offending numbers.
    """
    scored = _MAPPED.scored(found, documents, expected, start)
    if scored is not None:
        return scored
    if not isinstance(found, list):
        raise ContractBroken(f"the reply has no list of results where the spec looks for one, but {_kind(found)}")
    _check_each(found, documents)
    if len(found) < expected:
        raise ContractBroken(f"the reply has {len(found)} results where {expected} were due")
    return Scored([item["index"] + start for item in found], [float(item["relevance_score"]) for item in found], found)


def _check_each(found: list[Any], documents: int) -> None:
    """Say what is wrong with the first result that breaks the contract, if one does."""
    seen: set[int] = set()
    for position, item in enumerate(found):
        if not isinstance(item, dict):
            raise ContractBroken(f"result {position} of the reply is {_kind(item)}, not an object")
        index, score = item.get("index"), item.get("relevance_score")
        if type(index) is not int:
            raise ContractBroken(f"result {position} of the reply has {_kind(index)} as index, not a whole number")
        if not 0 <= index < documents:
            raise ContractBroken(
                f"the reply has index {index}, but {documents} documents were sent: 0 to {documents - 1}"
            )
        if index in seen:
            raise ContractBroken(f"the reply has index {index} twice")
        if not _is_finite_number(score):
            raise ContractBroken(f"index {index} of the reply has {_kind(score)} as score, not a finite number")
        seen.add(index)
        _check_optional_fields(index, item)


def _check_optional_fields(index: int, item: Mapping[str, Any]) -> None:
    raw_score, spans = item.get("raw_score"), item.get("relevant_spans")
    if raw_score is not None and not _is_finite_number(raw_score):
        raise _broken_field(index, "raw_score", raw_score, "a finite number")
    if spans is not None and not (isinstance(spans, list) and all(isinstance(span, dict) for span in spans)):
        raise _broken_field(index, "relevant_spans", spans, "a list of objects")


def _broken_field(index: int, name: str, value: Any, wanted: str) -> ContractBroken:
    return ContractBroken(f"index {index} of the reply has {_kind(value)} as {name}, not {wanted}")


def rank(scored: Scored, top_n: int | None, transform: str = "none") -> list[RerankResult]:
    """By falling score, ties by rising index, at most `top_n` of them.

    Args:
        transform: what is made of each score once they are ranked, so that logits which are one and the same
            probability to a float keep their order; see TRANSFORMS. The score before it is then kept as raw_score.
    """
    indexes, scores, more = scored
    if not all(map(gt, scores, scores[1:])):  # Most providers have ranked them.
        order = sorted(zip(map(neg, scores), indexes, count()))
        indexes, scores = [index for _, index, _ in order], [-turned for turned, _, _ in order]
        more = None if more is None else [more[at] for _, _, at in order]
    if more is None:
        columns = zip(indexes[:top_n], scores, strict=False)
        results = [RerankResult(index=index, relevance_score=score) for index, score in columns]
    else:
        results = [_full(*row) for row in zip(indexes[:top_n], scores, more, strict=False)]
    if transform != "none":
        of = TRANSFORMS[transform]
        for result in results:
            result.setdefault("raw_score", result["relevance_score"])
            result["relevance_score"] = of(result["relevance_score"])
    return results


def _full(index: int, score: float, item: Mapping[str, Any] | None) -> RerankResult:
    more = {} if item is None else {name: item[name] for name in OPTIONAL if item.get(name) is not None}
    return RerankResult(index=index, relevance_score=score, **more)


def attach_documents(results: Iterable[RerankResult], documents: Sequence[Document]) -> None:
    """Give every result the caller's own document; a text is {"text": ...}. Raw texts stay raw."""
    if type(documents) is RawTexts:
        for result in results:
            result["document"] = {"text": documents.fragment_at(result["index"])}
        return
    for result in results:
        document = documents[result["index"]]
        result["document"] = {"text": document} if isinstance(document, str) else document


def check_units(found: Json) -> tuple[dict[str, float], list[str]]:
    """The finite numbers of an object of counts, and the names of those that are not."""
    if not isinstance(found, Mapping):
        return {}, [] if found is None else ["(not an object)"]
    sound: dict[str, float] = {}
    odd: list[str] = []
    for name, value in found.items():
        if _is_finite_number(value):
            sound[name] = value
        elif value is not None:
            odd.append(name)
    return sound, odd


def add_units(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The sum of several replies' counts, by name; without those whose sum is beyond any number."""
    total: dict[str, float] = {}
    for part in parts:
        for name, value in part.items():
            total[name] = total.get(name, 0) + value
    return {name: value for name, value in total.items() if _is_finite_number(value)}


def _is_finite_number(value: Any) -> TypeGuard[float]:
    # A bool is an int to isinstance, and no number; an int may be beyond any float.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    return "a list" if isinstance(value, list) else "an object"
