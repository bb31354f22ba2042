"""Answers that are less than what was asked for: what they hold, and the words that say so."""

from __future__ import annotations

import uuid

from rankspec.contract import attach_documents
from rankspec.gateway.values import PASSTHROUGH
from rankspec.models import RerankMeta, RerankRequest, RerankResponse, RerankResult


def passthrough(request: RerankRequest) -> RerankResponse:
    """The documents in the caller's order, without scores."""
    count = len(request.documents)
    results = [RerankResult(index=index, relevance_score=None) for index in range(min(count, request.top_n or count))]
    if request.return_documents:
        attach_documents(results, request.documents)
    return RerankResponse(id=str(uuid.uuid4()), results=results, meta=RerankMeta())


def degraded_warning(asked: str, failure: Exception | None, name: str) -> str:
    """What the first of the answer's warnings says.

    Args:
        asked: the model in the caller's words.
        failure: why it could not answer.
        name: the model that ranked in its place, or PASSTHROUGH.
    """
    what = (
        "the documents are in the order in which they were sent, and nothing ranked them"
        if name == PASSTHROUGH
        else f"'{name}' ranked in its place, and scores are its own"
    )
    return f"degraded: the model '{asked}' could not answer ({type(failure).__name__}): {what}"
