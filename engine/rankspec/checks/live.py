"""What one real call says of a spec: whether its claims hold at the provider itself. Judges; sends nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rankspec.checks.rules.facts import RANGES
from rankspec.models import RerankResponse
from rankspec.specs import ModelSpec

QUERY = "What is the capital of France?"
DOCUMENTS = ("Bananas are rich in potassium.", "Paris is the capital and largest city of France.")
"""A question, a sentence that has nothing to do with it, and one that answers it."""

RELEVANT = 1
"""The position of the sentence that answers the question."""


@dataclass(frozen=True, slots=True)
class LiveReport:
    """What a real call showed.

    Attributes:
        model: the model that was asked for, or None.
        seconds: from the call to its response, connecting included.
        scores: by position in DOCUMENTS.
        declared_scale: what the spec says of the model's scores.
        seen_scale: the narrowest scale that both scores fit.
        told: the parts of meta that the provider told.
        problems: what contradicts the spec, as sentences.
        warnings: what the response warns of.
    """

    provider: str
    model: str | None
    seconds: float
    scores: tuple[float, ...]
    declared_scale: str
    seen_scale: str
    told: tuple[str, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in self._items()}

    def _items(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in self.__slots__]


def judge(provider: str, model: ModelSpec, name: str | None, response: RerankResponse, seconds: float) -> LiveReport:
    """What a response to QUERY and DOCUMENTS says of the spec."""
    by_index = {result.index: result.relevance_score for result in response.results}
    scores = tuple(by_index[index] for index in sorted(by_index))
    problems = []
    if model.scale in RANGES:
        least, most = RANGES[model.scale]
        outside = [score for score in scores if not least <= score <= most]
        if outside:
            problems.append(f"the score {outside[0]:g} is outside the declared scale {model.scale}")
    elif model.scale == "logit" and all(0 <= score <= 1 for score in scores):
        problems.append("both scores lie between 0 and 1: the scale is declared as logit, but may be probability")
    if response.results and response.results[0].index != RELEVANT:
        problems.append("the sentence that answers the question does not come first: is the score turned round?")
    if len(set(scores)) == 1:
        problems.append("both sentences have the same score: is the mapping's relevance_score the right member?")
    told = tuple(name for name in ("api_version", "billed_units", "tokens", "cost") if response.meta.get(name))
    seen = "probability" if all(0 <= score <= 1 for score in scores) else "unbounded"
    if seen == "unbounded" and all(-1 <= score <= 1 for score in scores):
        seen = "cosine"
    return LiveReport(
        provider,
        name,
        round(seconds, 3),
        scores,
        model.scale,
        seen,
        told,
        tuple(problems),
        tuple(response.meta.warnings),
    )
