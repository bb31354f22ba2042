"""What moves between the rooms reads as attributes and as mapping, and survives JSON, pickle and copy."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from typing import Any

import orjson
import pytest
from stepping import play, reply, toy

from rankspec.models import (
    Finding,
    HttpRequest,
    HttpResponse,
    Problem,
    RerankMeta,
    RerankRequest,
    RerankResponse,
    RerankResult,
    Wait,
    format_path,
)
from rankspec.resources import read_schema
from rankspec.validation import Validator

DOCUMENT = {"title": "t", "text": "b"}


def full_response() -> RerankResponse:
    """A response with everything that one can have, made by an exchange."""
    mapping = {
        "results": "results[].{index: index, relevance_score: score, raw_score: raw, relevant_spans: spans}",
        "id": "id",
        "meta": {
            "api_version": "meta.api_version",
            "billed_units": "meta.billed_units",
            "tokens": {"input_tokens": "meta.tokens"},
            "warnings": "meta.warnings",
        },
    }
    spec = toy(
        response=mapping,
        models={"m": {"price": {"usd": 2, "per": 1000, "unit": "search_units", "read": "2026-11-20"}}},
    )
    body = {
        "id": "r-1",
        "results": [
            {"index": 1, "score": 0.9, "raw": 2.2, "spans": [{"start": 0, "end": 1, "score": 0.5}]},
            {"index": 0, "score": 0.1, "raw": -2.2},
        ],
        "meta": {
            "api_version": {"version": "2", "is_experimental": False},
            "billed_units": {"search_units": 1},
            "tokens": 7,
            "warnings": ["old model"],
        },
    }
    request = {"model": "m", "query": "q", "documents": ["a", DOCUMENT], "return_documents": True, "priority": 1}
    return play(spec, request, [reply(body)]).response


FULL = {
    "id": "r-1",
    "results": [
        {
            "index": 1,
            "relevance_score": 0.9,
            "raw_score": 2.2,
            "relevant_spans": [{"start": 0, "end": 1, "score": 0.5}],
            "document": DOCUMENT,
        },
        {"index": 0, "relevance_score": 0.1, "raw_score": -2.2, "document": {"text": "a"}},
    ],
    "meta": {
        "api_version": {"version": "2", "is_experimental": False},
        "billed_units": {"search_units": 1},
        "tokens": {"input_tokens": 7},
        "cost": {"usd": 0.002, "estimated": False},
        "warnings": ["old model", "priority is not supported by toy and was ignored"],
    },
}


def plain(value: Any) -> bool:
    """Whether a value is made of JSON's own types and no subclasses of them."""
    if type(value) is dict:
        return all(type(key) is str and plain(member) for key, member in value.items())
    if type(value) is list:
        return all(map(plain, value))
    return type(value) in (str, int, float, bool, type(None))


def test_a_response_reads_as_attributes() -> None:
    response = full_response()
    assert response.id == "r-1"
    assert [result.index for result in response.results] == [1, 0]
    first, second = response.results
    assert (first.relevance_score, first.raw_score, first.document) == (0.9, 2.2, DOCUMENT)
    assert first.relevant_spans == [{"start": 0, "end": 1, "score": 0.5}]
    assert second.relevant_spans is None
    assert response.meta.api_version == {"version": "2", "is_experimental": False}
    assert response.meta.billed_units == {"search_units": 1}
    assert response.meta.tokens == {"input_tokens": 7}
    assert response.meta.cost == {"usd": 0.002, "estimated": False}
    assert response.meta.warnings == ["old model", "priority is not supported by toy and was ignored"]


def test_a_response_reads_as_a_mapping() -> None:
    response = full_response()
    assert response["results"][0]["index"] == 1
    assert response["results"][0]["document"]["title"] == "t"
    assert response["meta"]["billed_units"]["search_units"] == 1
    assert list(response) == ["id", "results", "meta"]
    assert dict(**response)["id"] == "r-1"
    assert response.get("nothing") is None
    assert response == FULL


def test_what_the_provider_did_not_tell_reads_as_none() -> None:
    response = RerankResponse(id="x", results=[RerankResult(index=0, relevance_score=1.0)], meta=RerankMeta())
    result, meta = response.results[0], response.meta
    assert (result.raw_score, result.document, result.relevant_spans) == (None, None, None)
    assert (meta.api_version, meta.billed_units, meta.tokens, meta.cost, meta.warnings) == (None, None, None, None, [])


def test_attributes_cannot_be_set_or_misspelt() -> None:
    response: Any = full_response()
    with pytest.raises(AttributeError):
        response.id = "other"
    with pytest.raises(AttributeError):
        response.resluts  # noqa: B018
    with pytest.raises(AttributeError):
        response.results[0].score = 1


def test_the_repr_is_readable() -> None:
    response = RerankResponse(id="x", results=[RerankResult(index=0, relevance_score=1.0)], meta=RerankMeta())
    assert repr(response) == (
        "RerankResponse(id='x', results=[RerankResult(index=0, relevance_score=1.0)], meta=RerankMeta())"
    )


def test_the_plain_dict_is_plain_whole_and_valid() -> None:
    found = full_response().to_dict()
    assert found == FULL
    assert plain(found)
    assert Validator(read_schema("rerank_response")).problems(found) == []


def test_the_plain_dict_of_a_bare_response_is_valid() -> None:
    found = play(
        toy(), {"model": "m", "query": "q", "documents": ["a"]}, [reply({"results": [{"index": 0, "score": 1}]})]
    ).response.to_dict()
    assert found == {"id": "made-here", "results": [{"index": 0, "relevance_score": 1.0}], "meta": {}}
    assert Validator(read_schema("rerank_response")).problems(found) == []


def test_the_plain_dict_is_new_but_for_the_documents() -> None:
    response = full_response()
    found = response.to_dict()
    found["id"] = "other"
    found["results"][0]["index"] = 99
    found["results"].pop()
    found["meta"]["warnings"] = []
    assert response == FULL
    assert response.to_dict()["results"][0]["document"] is response.results[0].document


def test_a_response_is_written_as_json_by_both_libraries() -> None:
    response = full_response()
    assert json.loads(json.dumps(response)) == FULL
    assert orjson.loads(orjson.dumps(response)) == FULL


@pytest.mark.parametrize(
    "way",
    [copy.copy, copy.deepcopy, *(lambda value, p=p: pickle.loads(pickle.dumps(value, p)) for p in range(2, 6))],  # noqa: S301
    ids=["copy", "deepcopy", *(f"pickle{p}" for p in range(2, 6))],
)
def test_a_response_survives(way: Any) -> None:
    response = full_response()
    twin = way(response)
    assert twin == response == FULL
    assert type(twin) is RerankResponse
    assert type(twin.meta) is RerankMeta
    assert [type(result) for result in twin.results] == [RerankResult, RerankResult]
    assert twin.results[0].document == DOCUMENT


PATHS = [
    ((), ""),
    (("query",), "query"),
    (("documents", 3, "text"), "documents[3].text"),
    ((0,), "[0]"),
    ((0, "a", 1, 2), "[0].a[1][2]"),
    (("request", "body", "a b"), "request.body.a b"),
]


@pytest.mark.parametrize(("path", "text"), PATHS)
def test_a_path_is_written_as_people_write_it(path: tuple[str | int, ...], text: str) -> None:
    assert format_path(path) == text


def test_a_problem_says_where_and_what() -> None:
    assert str(Problem(("documents", 3), "must not be empty")) == "documents[3]: must not be empty"
    assert str(Problem((), "is odd")) == "is odd"
    assert Problem((), "is odd").code == "invalid-value"


def test_a_finding_says_where_and_what() -> None:
    finding = Finding("error", "unknown-key", "toy.yaml", 3, 5, ("request", "bdy"), "unknown key 'bdy'")
    assert str(finding) == "toy.yaml:3:5: error: request.bdy: unknown key 'bdy' [unknown-key]"
    assert str(dataclasses.replace(finding, path=())) == "toy.yaml:3:5: error: unknown key 'bdy' [unknown-key]"


VALUES = [
    Problem(("a",), "b"),
    Finding("error", "c", "f", 1, 1, (), "m"),
    Wait(1.0),
    RerankRequest("q", ["a"]),
    HttpRequest("POST", "https://h.example", {}, b""),
    HttpResponse(200, {}, b""),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_pickle(value: Any) -> None:
    assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301


@pytest.mark.parametrize("value", VALUES[:3], ids=lambda value: type(value).__name__)
def test_values_that_not_every_call_makes_are_frozen(value: Any) -> None:
    name = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, None)
