"""The promise that every response keeps, whichever provider answers. Pure arithmetic on what a reply was mapped to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard

from rankspec.models import Document, Json, RerankResult


class ContractBroken(Exception):
    """What a reply says cannot be true."""


def check_results(found: Json, documents: int, expected: int) -> list[RerankResult]:
    """The mapped results, in the reply's order, each with an index in range and a finite score.

    Args:
        found: what the spec's results expression found.
        documents: how many documents the request held.
        expected: how many results the reply must have at least.

    Raises:
        ContractBroken: names the offending numbers.
    """
    if not isinstance(found, list):
        raise ContractBroken(f"the reply has no list of results where the spec looks for one, but {_kind(found)}")
    results: list[RerankResult] = []
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
        result = RerankResult(index=index, relevance_score=float(score))
        if len(item) > 2:
            _add_optional_fields(result, item)
        results.append(result)
    if len(results) < expected:
        raise ContractBroken(f"the reply has {len(results)} results where {expected} were due")
    return results


def _add_optional_fields(result: RerankResult, item: Mapping[str, Any]) -> None:
    raw_score, spans = item.get("raw_score"), item.get("relevant_spans")
    if raw_score is not None:
        if not _is_finite_number(raw_score):
            raise _broken_field(result, "raw_score", raw_score, "a finite number")
        result["raw_score"] = raw_score
    if spans is not None:
        if not isinstance(spans, list) or not all(isinstance(span, dict) for span in spans):
            raise _broken_field(result, "relevant_spans", spans, "a list of objects")
        result["relevant_spans"] = spans


def _broken_field(result: RerankResult, name: str, value: Any, wanted: str) -> ContractBroken:
    return ContractBroken(f"index {result.index} of the reply has {_kind(value)} as {name}, not {wanted}")


def rank(results: list[RerankResult], top_n: int | None) -> list[RerankResult]:
    """By falling score, ties by rising index, at most `top_n` of them."""
    results.sort(key=lambda result: (-result["relevance_score"], result["index"]))
    return results if top_n is None else results[:top_n]


def attach_documents(results: Iterable[RerankResult], documents: Sequence[Document]) -> None:
    """Give every result the caller's own document; a text is {"text": ...}."""
    for result in results:
        document = documents[result["index"]]
        result["document"] = {"text": document} if isinstance(document, str) else document


def check_units(found: Json) -> tuple[dict[str, float], list[str]]:
    """The finite numbers of an object of counts, and the names of those that are not."""
    if not isinstance(found, Mapping):
        return {}, [] if found is None else ["(not an object)"]
    sound = {name: value for name, value in found.items() if _is_finite_number(value)}
    return sound, [name for name, value in found.items() if name not in sound and value is not None]


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
