"""langchain-cohere and rerankers against the gateway."""

from __future__ import annotations

from typing import Any

import pytest
from fleet import GATEWAY_KEY, Fleet
from stock import StockClient
from upstreams import DOCUMENTS, QUERY


def call(stock: StockClient, fleet: Fleet, method: str, *, api_key: str = GATEWAY_KEY, **changes: Any) -> Any:
    arguments = {"model": "cohere-model", "query": QUERY, "documents": DOCUMENTS, **changes}
    return stock.call(base_url=fleet.gateway.url, api_key=api_key, method=method, arguments=arguments)


def test_langchain_ranks_strings(langchain: StockClient, fleet: Fleet) -> None:
    returned = call(langchain, fleet, "rerank", top_n=2)["returned"]
    assert [one["index"] for one in returned] == [2, 3]


def test_langchain_ranks_objects_by_their_fields(langchain: StockClient, fleet: Fleet) -> None:
    documents = [{"text": text, "at": at} for at, text in enumerate(DOCUMENTS)]
    returned = call(langchain, fleet, "rerank", documents=documents, rank_fields=["text"], top_n=2)["returned"]
    assert [one["index"] for one in returned] == [2, 3]


def test_langchain_compresses_documents(langchain: StockClient, fleet: Fleet) -> None:
    returned = call(langchain, fleet, "compress_documents", top_n=2)["returned"]
    assert [(one["text"], one["at"]) for one in returned] == [(DOCUMENTS[2], 2), (DOCUMENTS[3], 3)]
    assert returned[0]["relevance_score"] > returned[1]["relevance_score"]


@pytest.mark.parametrize(
    ("changes", "error", "status"),
    [
        pytest.param({"api_key": "wrong"}, "UnauthorizedError", 401, id="wrong key"),
        pytest.param({"model": "no-such-model"}, "NotFoundError", 404, id="unknown model"),
        pytest.param({"query": ""}, "BadRequestError", 400, id="bad request"),
        pytest.param({"model": "limited"}, "TooManyRequestsError", 429, id="rate limit"),
        pytest.param({"model": "down"}, "ServiceUnavailableError", 503, id="outage"),
    ],
)
def test_langchain_raises_the_typed_errors(
    langchain: StockClient, fleet: Fleet, changes: dict[str, Any], error: str, status: int
) -> None:
    outcome = call(langchain, fleet, "rerank", **changes)
    assert (outcome.get("raised"), outcome.get("status")) == (error, status), outcome


@pytest.mark.parametrize(
    ("dialect", "path"),
    [
        pytest.param("cohere", "/v1/rerank", id="cohere"),
        pytest.param("cohere", "/v2/rerank", id="cohere v2"),
        pytest.param("jina", "/jina_ai/v1/rerank", id="jina"),
        pytest.param("voyage", "/voyage_ai/v1/rerank", id="voyage"),
        pytest.param("text-embeddings-inference", "/huggingface/models/cohere-model/rerank", id="TEI"),
    ],
)
def test_rerankers_ranks(rerankers: StockClient, fleet: Fleet, dialect: str, path: str) -> None:
    outcome = rerankers.call(
        client=dialect,
        base_url=fleet.gateway.url,
        path=path,
        api_key=GATEWAY_KEY,
        arguments={"model": "cohere-model", "query": QUERY, "documents": DOCUMENTS},
    )
    assert [one["index"] for one in outcome["returned"]] == [2, 3, 0, 1], outcome
