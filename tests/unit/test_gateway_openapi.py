"""The OpenAPI document says just what the gateway takes and gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import rankspec
from rankspec.catalog import Catalog
from rankspec.errors import RankspecError
from rankspec.gateway.description.openapi import has_default, openapi_document
from rankspec.gateway.edge.cohere import CohereDialect
from rankspec.gateway.values import (
    DeploymentConfig,
    GatewayConfig,
    RoutingConfig,
    ServerConfig,
)
from rankspec.parameters import validated

CATALOG = Catalog(environ={})
LOCAL = DeploymentConfig("l", "local", "local/bm25")
COHERE = DeploymentConfig("c", "best", "cohere/rerank-v3.5")
STARRED = DeploymentConfig("s", "cohere/*", "cohere/*")


def document(*deployments: DeploymentConfig, **more: Any) -> dict[str, Any]:
    config = GatewayConfig(deployments or (LOCAL, COHERE), **more)
    found: dict[str, Any] = json.loads(openapi_document(config, CATALOG, "1.2.3"))
    return found


def validator(found: dict[str, Any], name: str) -> Draft202012Validator:
    """Of one of the document's components."""
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": found["components"]})


def operations(found: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in found["paths"].items():
        for verb, operation in item.items():
            yield path, verb, operation


def resolved(found: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    at: Any = found if "$ref" in part else part
    for name in part.get("$ref", "#/")[2:].split("/"):
        at = at[name] if name else at
    return dict(at)


def below(value: Any) -> Iterator[dict[str, Any]]:
    """Every object inside a value."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from below(inner)


@pytest.mark.parametrize("has_keys", [True, False], ids=["with keys", "open"])
def test_the_document_is_valid_openapi(has_keys: bool) -> None:
    checker = pytest.importorskip("openapi_spec_validator")
    found = document(server=ServerConfig(keys=("sk-1",) if has_keys else ()))

    assert [error.message for error in checker.OpenAPIV31SpecValidator(found).iter_errors()] == []


def test_every_reference_leads_somewhere_and_every_schema_is_one() -> None:
    found = document()

    for part in below(found):
        if "$ref" in part:
            assert resolved(found, part)
    for schema in found["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_nothing_of_our_own_making_is_left_in_schemas() -> None:
    found = document()

    assert not [key for part in below(found["components"]["schemas"]) for key in part if key in ("x-messages", "$id")]


def test_every_operation_has_a_name_of_its_own_a_summary_and_a_known_tag() -> None:
    found = document()
    names = [operation["operationId"] for _, _, operation in operations(found)]

    assert len(names) == len(set(names))
    assert all(operation["summary"] for _, _, operation in operations(found))
    tags = {tag for _, _, operation in operations(found) for tag in operation["tags"]}
    assert tags == {tag["name"] for tag in found["tags"]}


def test_examples_are_valid_by_the_schemas_that_they_stand_in() -> None:
    for deployments in ((LOCAL, COHERE), (LOCAL,), (STARRED,)):
        found = document(*deployments)
        for _, _, operation in operations(found):
            for media in operation.get("requestBody", {}).get("content", {}).values():
                schema = validator(found, media["schema"]["$ref"].rpartition("/")[2])
                for example in media["examples"].values():
                    schema.validate(example["value"])
        for part in below(found["components"]["schemas"]):
            for example in part.get("examples", []) if isinstance(part.get("examples"), list) else []:
                assert Draft202012Validator({**part, "components": found["components"]}).is_valid(example)


def test_a_key_is_asked_for_where_it_is_needed() -> None:
    found = document(server=ServerConfig(keys=("sk-secret",)))

    locked = {path for path, _, operation in operations(found) if operation.get("security") == [{"bearer": []}]}

    assert locked == {
        "/rerank",
        "/v1/rerank",
        "/v2/rerank",
        "/v1/models",
        "/v1/models/{model}",
        "/health/providers",
    }
    assert locked == {path for path, _, operation in operations(found) if "401" in operation["responses"]}
    assert "sk-secret" not in json.dumps(found)
    assert "403" not in found["paths"]["/health/providers"]["get"]["responses"]


def test_an_open_gateway_asks_for_no_key() -> None:
    found = document()

    assert "securitySchemes" not in found["components"]
    assert not any("security" in operation or "401" in operation["responses"] for _, _, operation in operations(found))
    assert "403" in found["paths"]["/health/providers"]["get"]["responses"]


def test_every_status_of_a_ranking_is_told_with_its_headers() -> None:
    found = document(server=ServerConfig(keys=("k",)))

    responses = found["paths"]["/v2/rerank"]["post"]["responses"]

    assert list(responses) == [*map(str, (200, 400, 401, 404, 405, 408, 413, 415, 422, 429, 498, 500, 503, 504))]
    assert set(responses["200"]["headers"]) == {
        "x-request-id",
        "x-rankspec-model",
        "x-rankspec-deployment",
        "x-rankspec-cost-usd",
        "x-rankspec-degraded",
        "server-timing",
    }
    assert set(resolved(found, responses["429"])["headers"]) == {"x-request-id", "retry-after"}
    errors = {json.dumps(resolved(found, one)["content"]) for status, one in responses.items() if status != "200"}
    assert errors == {'{"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}'}


@pytest.mark.parametrize(
    ("deployments", "routing", "expected"),
    [
        ((LOCAL,), RoutingConfig(), True),
        ((LOCAL,), RoutingConfig(aliases={"x": "local"}), True),
        ((LOCAL, COHERE), RoutingConfig(), False),
        ((LOCAL, COHERE), RoutingConfig(default_model="best"), True),
        ((STARRED,), RoutingConfig(), False),
        ((COHERE,), RoutingConfig(default_fallbacks=("local/bm25",)), False),
        ((COHERE,), RoutingConfig(default_fallbacks=("passthrough",)), True),
    ],
    ids=["one", "one with another name", "two", "a default", "a star", "a fallback besides", "a passthrough"],
)
def test_a_model_is_needed_unless_there_is_just_one_or_a_default(
    deployments: tuple[DeploymentConfig, ...], routing: RoutingConfig, expected: bool
) -> None:
    assert has_default(GatewayConfig(deployments, routing)) is expected
    required = document(*deployments, routing=routing)["components"]["schemas"]["RerankRequest"]["required"]
    assert ("model" not in required) is expected


def test_names_are_a_closed_list_unless_one_has_a_star() -> None:
    routing = RoutingConfig(aliases={"good": "best"}, default_fallbacks=("local/bm25", "passthrough"))
    closed = document(routing=routing)["components"]["schemas"]["RerankRequestV2"]["properties"]["model"]
    starred = document(LOCAL, STARRED)["components"]["schemas"]["RerankRequestV2"]["properties"]["model"]

    assert closed["enum"] == ["local", "best", "good", "local/bm25"]
    assert closed["examples"] == ["local", "best", "good"]
    assert "enum" not in starred
    assert starred["examples"][:2] == ["local", "cohere/rerank-v5.0-pro"]


PLAIN = {"model": "local", "query": "q", "documents": ["a"]}
BODIES: dict[str, Any] = {
    "plain": {},
    "every member": {
        "top_n": 1,
        "rank_fields": ["text"],
        "return_documents": True,
        "max_chunks_per_doc": 1,
        "max_tokens_per_doc": 1,
        "priority": 999,
        "relevant_spans": {"mode": "enabled", "threshold": 0.5, "max_spans": 1, "more": None},
        "instruction": "i",
    },
    "nulls": {
        "top_n": None,
        "rank_fields": None,
        "return_documents": None,
        "max_chunks_per_doc": None,
        "max_tokens_per_doc": None,
        "priority": None,
        "relevant_spans": None,
        "instruction": None,
        "api_key": None,
    },
    "unknown members": {"weird": {"a": [None, 1.5]}, "other": None, "extra": {"x": 1}},
    "a number as text": {"query": "1234"},
    "objects": {"documents": ["a", {"text": "b", "n": 7}]},
    "objects by fields with text": {"documents": [{"text": "b", "title": "t"}], "rank_fields": ["title", "text"]},
    "objects by fields whose text is no text": {"documents": [{"text": {}}], "rank_fields": ["title", "text"]},
    "objects by fields with nothing in them": {"documents": [{"text": ""}], "rank_fields": ["title", "text"]},
    "objects by text alone whose text is no text": {"documents": [{"text": {}}], "rank_fields": ["text"]},
    "objects by other fields": {"documents": [{"text": "b"}], "rank_fields": ["title"]},
    "texts with any fields": {"rank_fields": ["title"]},
    "a whole float": {"top_n": 2.0, "priority": 3.0},
    "a huge top_n": {"top_n": 10**30},
    "no query": {"query": None},
    "blank query": {"query": " \u2003\n"},
    "query of another type": {"query": 1},
    "no documents": {"documents": []},
    "null documents": {"documents": None},
    "documents of another type": {"documents": "a"},
    "blank document": {"documents": ["a", "\t"]},
    "empty object": {"documents": [{}]},
    "object without text": {"documents": [{"title": "t"}]},
    "object with blank text": {"documents": [{"text": " \x1c"}]},
    "object whose text is a number": {"documents": [{"text": 7}]},
    "null document": {"documents": [None]},
    "list document": {"documents": [["a"]]},
    "top_n of nothing": {"top_n": 0},
    "half a top_n": {"top_n": 1.5},
    "top_n as text": {"top_n": "1"},
    "true as top_n": {"top_n": True},
    "text for a boolean": {"return_documents": "true"},
    "no rank fields": {"rank_fields": []},
    "blank rank field": {"rank_fields": [""]},
    "priority out of range": {"priority": 1000},
    "spans without mode": {"relevant_spans": {}},
    "spans of a null": {"relevant_spans": {"mode": "enabled", "threshold": None}},
    "blank instruction": {"instruction": " "},
    "model of another type": {"model": 7},
    "a list": None,
}


def is_taken(body: Any, *, needs_model: bool) -> bool:
    """Whether the gateway's own rooms take a body for a model that ranks here."""
    try:
        asked = CohereDialect(2, needs_model=needs_model).read(body)
        if asked.credentials is not None:
            return False
        validated(asked.values)
        rankspec.rerank(model="local/bm25", **asked.values)
    except RankspecError:
        return False
    return True


@pytest.mark.parametrize("change", BODIES.values(), ids=BODIES)
def test_the_schema_takes_what_the_gateway_takes_and_nothing_else(change: dict[str, Any] | None) -> None:
    body: Any = [] if change is None else {**PLAIN, **change}

    assert validator(document(LOCAL), "RerankRequest").is_valid(body) is is_taken(body, needs_model=False)
    assert validator(document(LOCAL), "RerankRequestV2").is_valid(body) is is_taken(body, needs_model=True)


@pytest.mark.parametrize(
    ("model", "first", "second"),
    [(None, True, False), ("", True, False), ("local", True, True), (3, False, False)],
    ids=["null", "blank", "a name", "a number"],
)
def test_version_two_needs_a_model(model: Any, first: bool, second: bool) -> None:
    body = {**PLAIN, "model": model}

    assert (is_taken(body, needs_model=False), is_taken(body, needs_model=True)) == (first, second)
    assert validator(document(LOCAL), "RerankRequest").is_valid(body) is first
    assert validator(document(LOCAL), "RerankRequestV2").is_valid(body) is second


@pytest.mark.parametrize("name", ["api_key", "api_base", "base_url", "headers", "extra_headers"])
def test_credentials_of_callers_are_in_the_schema_only_where_they_are_taken(name: str) -> None:
    body = {**PLAIN, name: {"X-A": "b"} if "headers" in name else "text"}

    assert not validator(document(), "RerankRequestV2").is_valid(body)
    assert validator(document(server=ServerConfig(allow_caller_credentials=True)), "RerankRequestV2").is_valid(body)


@pytest.mark.parametrize("score", [0.5, None], ids=["a score", "no score"])
def test_a_reply_of_the_gateway_is_valid(score: float | None) -> None:
    dialect = CohereDialect(1)
    response = rankspec.rerank(model="local/bm25", query="a", documents=["a b", {"text": "x"}], return_documents=True)
    for result in response.results:
        result["relevance_score"] = score

    reply = json.loads(dialect.answer(dialect.read(PLAIN), response).body)

    validator(document(), "RerankResponse").validate(reply)
    validator(document(), "Error").validate(json.loads(dialect.refuse(404, "no", "id").body))
