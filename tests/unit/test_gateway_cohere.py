"""Cohere's requests and replies, version 1 and 2."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rankspec.errors import RequestInvalid
from rankspec.gateway.edge.cohere import CohereDialect
from rankspec.gateway.refusals import Refused
from rankspec.gateway.values import Asked, CallerCredentials
from rankspec.models import RerankMeta, RerankResponse, RerankResult

V1, V2, V2_STRICT = CohereDialect(1), CohereDialect(2), CohereDialect(2, needs_model=True)
PLAIN = {"query": "q", "documents": ["a"]}


def test_the_members_that_cohere_knows_are_read_and_others_go_to_the_provider() -> None:
    body = {
        "model": " rerank-v3.5 ",
        "query": "capital",
        "documents": ["Paris", {"text": "Berlin", "title": "DE"}],
        "top_n": 1,
        "rank_fields": ["title", "text"],
        "return_documents": True,
        "max_chunks_per_doc": 2,
        "max_tokens_per_doc": 3,
        "priority": 4,
        "relevant_spans": {"mode": "enabled"},
        "instruction": "recent ones",
        "truncation": True,
        "extra": {"seed": 1},
    }
    known = {name: value for name, value in body.items() if name not in ("model", "truncation", "extra")}
    expected = Asked("rerank-v3.5", {**known, "extra": {"truncation": True, "seed": 1}})
    assert [one.read(body) for one in (V1, V2, V2_STRICT)] == [expected] * 3


def test_null_is_absent() -> None:
    body = {**PLAIN, "model": "m", "top_n": None, "rank_fields": None, "api_key": None, "odd": None, "extra": None}
    assert V2.read(body) == Asked("m", PLAIN)


@pytest.mark.parametrize("model", [{}, {"model": None}, {"model": " "}], ids=["absent", "null", "blank"])
def test_only_the_path_of_version_2_needs_a_model(model: dict[str, Any]) -> None:
    assert [one.read({**PLAIN, **model}) for one in (V1, V2)] == [Asked(None, PLAIN)] * 2
    with pytest.raises(Refused) as caught:
        V2_STRICT.read({**PLAIN, **model})
    assert (caught.value.status, caught.value.message) == (400, "a model parameter is required for this endpoint.")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([PLAIN], "the body must be a JSON object, not a list"),
        ("text", "the body must be a JSON object, not text"),
        (1, "the body must be a JSON object, not a number"),
        (None, "the body must be a JSON object, not null"),
        ({**PLAIN, "model": 1}, "model: must be text, not a number"),
        ({**PLAIN, "model": ["m"]}, "model: must be text, not a list"),
        ({**PLAIN, "api_key": 1}, "api_key: must be text"),
        ({**PLAIN, "headers": "a: b"}, "headers: must be an object of texts by name"),
        ({**PLAIN, "extra_headers": {"a": 1}}, "extra_headers: must be an object of texts by name"),
        ({**PLAIN, "headers": {"x": "1", "Host": "other.example"}}, "headers.Host: is set by the gateway alone"),
        (
            {**PLAIN, "extra_headers": {" connection ": "x"}},
            "extra_headers. connection : is set by the gateway alone",
        ),
        (
            {**PLAIN, "api_base": "http://a", "base_url": "http://b"},
            "base_url: and api_base are two names of the same thing, and differ",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "body",
)
def test_what_cannot_be_read_is_refused(body: Any, message: str) -> None:
    with pytest.raises(RequestInvalid) as caught:
        V2.read(body)
    assert caught.value.message == f"invalid request: {message}"


def test_credentials_in_a_body_are_kept_apart_from_what_is_asked() -> None:
    brought = {"api_key": "k", "base_url": "http://a", "api_base": "http://a", "headers": {"x": "1"}}
    asked = V2.read({**PLAIN, **brought, "extra_headers": {"y": "2"}})
    assert asked == Asked(None, PLAIN, CallerCredentials("k", "http://a", {"x": "1", "y": "2"}))
    assert "CallerCredentials()" in repr(asked)


@pytest.mark.parametrize(
    ("dialect", "version"),
    [(V1, {"version": "1"}), (V2, {"version": "2", "is_experimental": False})],
    ids=["v1", "v2"],
)
def test_an_answer_tells_the_version_of_the_callers_path(dialect: CohereDialect, version: dict[str, object]) -> None:
    results = [
        RerankResult(index=1, relevance_score=0.9, document={"text": "Paris is ü", "id": 7}),
        RerankResult(index=0, relevance_score=None),
    ]
    meta = RerankMeta(api_version={"version": "7"}, billed_units={"search_units": 1}, warnings=["w"])
    reply = dialect.answer(Asked("m", PLAIN), RerankResponse(id="i", results=results, meta=meta))
    assert (reply.status, dict(reply.headers)) == (200, {"content-type": "application/json"})
    assert json.loads(reply.body) == {
        "id": "i",
        "results": [
            {"index": 1, "relevance_score": 0.9, "document": {"text": "Paris is ü", "id": 7}},
            {"index": 0, "relevance_score": None},
        ],
        "meta": {"api_version": version, "billed_units": {"search_units": 1}, "warnings": ["w"]},
    }
    assert meta["api_version"] == {"version": "7"}


def test_a_refusal_has_coheres_two_members() -> None:
    reply = V1.refuse(429, 'say "please"', "id-1")
    assert (reply.status, dict(reply.headers)) == (429, {"content-type": "application/json"})
    assert json.loads(reply.body) == {"message": 'say "please"', "id": "id-1"}
