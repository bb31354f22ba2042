"""Success replies in the provider's own shape, made for any documents from a reply that the spec's examples record."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from rankspec.emulator.places import Steps, put
from rankspec.emulator.refusals import typed_reply
from rankspec.emulator.scores import log_odds, on_scale, probability
from rankspec.emulator.shapes import COUNTS, ReplyReader, Shape, filled
from rankspec.errors import RankspecError
from rankspec.models import HttpResponse, Json, listed
from rankspec.specs import ProviderSpec

_SIMPLE_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_DOCUMENTS_PER_SEARCH_UNIT = 100


@dataclass(frozen=True, slots=True)
class Ranked:
    """One document to be answered: where it stands in the request, what it is, and its BM25 score."""

    index: int
    document: Any
    score: float


class Answers:
    """The success replies of one spec's provider.

    Raises:
        RankspecError: no recorded reply shows how it answers.
    """

    def __init__(self, spec: ProviderSpec) -> None:
        self._spec = spec
        self._token_path: Steps | None = None
        token = spec.response.next_token
        if token is not None and _SIMPLE_PATH.fullmatch(token.text):
            self._token_path = tuple(token.text.split("."))
        self._reader = ReplyReader(spec, self._token_path)
        # An example with several results shows which list grows and how it is ordered.
        for request, reply in sorted(_successes(spec), key=lambda example: -min(2, len(self._results(example[1])))):
            for shape in self._reader.shapes(request, reply):
                if self._is_sound(shape):
                    self._shape = shape
                    self._by_score = self._is_by_score(reply)
                    return
        raise RankspecError(
            f"{spec.title} cannot be emulated: none of its examples has a reply in which the index and the score of "
            "each document can be found; add an example of a plain call with two results"
        )

    @property
    def has_pages(self) -> bool:
        """Whether a reply can lead to a next page."""
        return self._token_path is not None

    @property
    def is_positional(self) -> bool:
        """Whether a reply has a score for every document, at its place: none can be left out."""
        return self._shape.is_positional

    def reply(
        self,
        ranked: Sequence[Ranked],
        *,
        scale: str,
        model: str | None,
        documents: int,
        words: int,
        next_token: str | None = None,
    ) -> HttpResponse:
        """A reply with these documents, in the provider's own order.

        Args:
            ranked: the documents to tell, by falling score.
            scale: of the scores that the reply gives.
            model: the model that was asked for.
            documents: how many documents there were.
            words: how many words were read.
            next_token: leads to the next page.
        """
        shape = self._shape
        by_index = shape.is_positional or not self._by_score
        ordered = sorted(ranked, key=lambda one: one.index) if by_index else list(ranked)
        body = self._filled(shape, ordered, scale)
        for path in shape.models if model is not None else ():
            body = put(body, path, model)
        headers = dict(shape.headers)
        amounts = dict(zip(COUNTS, (math.ceil(documents / _DOCUMENTS_PER_SEARCH_UNIT), words), strict=True))
        for name, place in shape.counts:
            if isinstance(place, str):
                headers[place] = str(amounts[name])
            else:
                body = put(body, place, amounts[name])
        if next_token is not None and self._token_path is not None:
            body = _with_member(body, self._token_path, next_token)
        return HttpResponse(shape.status, headers, orjson.dumps(body))

    def _results(self, reply: HttpResponse) -> list[dict[str, Any]]:
        return self._reader.results(orjson.loads(reply.body), dict(reply.headers))

    def _is_by_score(self, reply: HttpResponse) -> bool:
        results = self._results(reply)
        scores, indexes = [one["relevance_score"] for one in results], [one["index"] for one in results]
        return scores == sorted(scores, reverse=True) or indexes != sorted(indexes)

    def _is_sound(self, shape: Shape) -> bool:
        """Whether the mapping finds in a reply of this shape what was put there."""
        ranked = [Ranked(1, "b", 2.0), Ranked(2, "c", 1.0), Ranked(0, "a", 0.0)]
        if shape.is_positional:
            ranked.sort(key=lambda one: one.index)
        found = self._reader.results(self._filled(shape, ranked, "probability"), shape.headers)
        found.sort(key=lambda one: -one["relevance_score"])
        return [one["index"] for one in found] == [1, 2, 0]

    def _filled(self, shape: Shape, ranked: Sequence[Ranked], scale: str) -> Json:
        return filled(shape, [(one.index, one.document, _score(one.score, scale, shape)) for one in ranked])


def _score(score: float, scale: str, shape: Shape) -> float:
    return log_odds(probability(score)) if shape.is_logit else on_scale(score, scale)


def _successes(spec: ProviderSpec) -> Iterator[tuple[dict[str, Any], HttpResponse]]:
    """Every reply that the examples record for a call that succeeds, with the request."""
    for example in spec.examples:
        for recorded in listed(example["reply"]) if "returns" in example else ():
            if "body" in recorded and 200 <= recorded["status"] < 300:
                yield example["request"], typed_reply(recorded)


def _with_member(body: Json, path: Steps, value: Json) -> Json:
    """The body with a member that need not be there yet."""
    if not path:
        return value
    members = body if isinstance(body, dict) else {}
    return {**members, path[0]: _with_member(members.get(path[0]), path[1:], value)}
