"""A call is explained step by step: what is sent and why, and what each expression finds in a reply."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from stepping import KEY, TOY, reply, scored, toy, toy_text

from rankspec.binding import Arguments, Binding
from rankspec.errors import RateLimited, RequestInvalid, ResponseInvalid, SettingMissing
from rankspec.exchange import MADE_ID, Rules, first_requests, rerank_exchange
from rankspec.explanation import Explanation, Found, Parameter, explain
from rankspec.models import HttpResponse
from rankspec.parameters import validated
from rankspec.specs import Limits, Price, ProviderSpec, load_spec
from rankspec.strict_yaml import read_yaml

ONE: dict[str, Any] = {"model": "m", "query": "q", "documents": ["a", "b"]}


def explained(
    spec: ProviderSpec,
    request: dict[str, Any] = ONE,
    replies: Sequence[HttpResponse] = (),
    *,
    arguments: Arguments | None = None,
    environ: dict[str, str] | None = None,
    **rules: Any,
) -> Explanation:
    binding = Binding(spec, arguments or Arguments(), environ or {}, placeholders=True)
    files = [read_yaml(toy_text(), "toy.yaml")]
    return explain(binding, validated(request), Rules(**rules), files, replies)


def parameters(explanation: Explanation) -> dict[str, tuple[str, str]]:
    return {one.name: (one.how, one.reason) for one in explanation.parameters}


# What is sent


def test_a_call_without_a_reply_is_open() -> None:
    explanation = explained(toy())
    assert explanation.request == {**ONE, "return_documents": False}
    assert explanation.documents_as_text == ("a", "b")
    assert explanation.parameters == (
        Parameter("model", "sent", "as body.model"),
        Parameter("query", "sent", "as body.query"),
        Parameter("documents", "sent", "as texts in body.documents"),
    )
    [request] = explanation.requests
    assert request.headers["Authorization"] == "Bearer <key>"
    assert json.loads(request.body) == ONE
    assert (explanation.replies, explanation.response, explanation.error) == ((), None, None)


def test_a_header_that_means_a_secret_is_covered_and_a_placeholder_is_shown() -> None:
    spec = toy(auth={"kind": "header", "name": "X-Api-Key", "key": {"env": ["K"]}})
    given = {"Authorization": "Basic hunter2", "x-session": "hunter2", "X-Team": "search"}
    [request] = explained(spec, arguments=Arguments(headers=given)).requests
    shown = {name: value for name, value in request.headers.items() if name in given or name == "X-Api-Key"}
    assert shown == {"Authorization": "***", "x-session": "***", "X-Team": "search", "X-Api-Key": "<key>"}


def test_the_rules_of_the_model_hold() -> None:
    price = {"usd": 2.0, "per": 1000, "unit": "search_units", "read": "2026-11-20"}
    models = {"big-*": {"limits": {"documents": 5}, "price": price}, "m-1": {"aliases": ["m"]}}
    spec = toy(models=models)
    family = explained(spec, {**ONE, "model": "big-2"})
    assert (family.model.id, family.model_id) == ("big-*", "big-2")
    assert family.model.limits == Limits(documents=5)
    assert family.model.price == Price(**price)
    alias = explained(spec)
    assert (alias.model.id, alias.model_id) == ("m-1", "m-1")
    assert parameters(alias)["model"] == ("sent", "as body.model, by the id m-1")
    assert explained(spec, {**ONE, "model": "other"}).model.id is None


def test_what_the_provider_does_not_know_is_emulated_or_ignored() -> None:
    body = {"q": "{{ query }}", "texts": "{{ texts }}"}
    request = {
        **ONE,
        "top_n": 1,
        "rank_fields": ["text"],
        "return_documents": True,
        "priority": 1,
        "extra": {"a": 1},
    }
    found = parameters(explained(toy(request={"body": body}), request))
    assert found == {
        "model": ("ignored", "the provider is not told; it only says which rules of the spec hold"),
        "query": ("sent", "as body.q"),
        "documents": ("sent", "as texts in body.texts; objects are made text first, since rank_fields are given"),
        "top_n": ("emulated", "the ranking is cut here, the provider is not told"),
        "rank_fields": ("emulated", "objects are made text here, of these fields"),
        "return_documents": (
            "emulated",
            "the caller's own documents are attached here, the provider is not asked for them",
        ),
        "priority": ("ignored", "toy does not know it; a warning in the response says so"),
        "extra": ("sent", "as members of the body's root"),
    }


def test_what_becomes_of_an_unsupported_parameter_is_the_policys() -> None:
    request = {**ONE, "priority": 1}
    ignored = explained(toy(), request, unsupported="ignore")
    assert parameters(ignored)["priority"] == ("ignored", "toy does not know it, and unsupported is ignore")
    refused = explained(toy(), request, unsupported="error")
    assert parameters(refused)["priority"] == ("refused", "toy does not know it, and unsupported is error")
    assert isinstance(refused.error, RequestInvalid)
    assert refused.requests == ()


def test_what_a_provider_knows_is_sent_where_the_body_has_it() -> None:
    body = {
        "input": {
            "query": "{{ query }}",
            "docs": {
                "$for": "document in documents",
                "$item": {"id": "{{ document.index }}", "t": "{{ document.text }}"},
            },
        },
        "options": ["{{ top_n }}", {"fields": "{{ rank_fields }}", "more": "{{ extra }}"}],
        "region": "{{ settings.region }}",
        "own": "{{ priority }}",
    }
    models = {"m": {"body": {"input": {"query": None, "question": "{{ query }}"}, "own": None}}}
    settings = {
        "region": {"description": "Region", "default": "eu"},
        "unused": {"description": "Nothing", "default": "x"},
    }
    endpoint = {
        "base_url": "https://{{ settings.region }}.example",
        "path": "/{{ model }}",
        "headers": {"X-Region": "{{ settings.region }}"},
    }
    spec = toy(request={"body": body}, models=models, settings=settings, endpoint=endpoint)
    request = {**ONE, "top_n": 1, "rank_fields": ["text"], "extra": {"a": 1}, "priority": 1}
    assert parameters(explained(spec, request)) == {
        "model": ("sent", "as part of the path"),
        "query": ("sent", "as body.input.question"),
        "documents": ("sent", "as texts, an item for each in body.input.docs"),
        "top_n": ("sent", "as body.options[0]"),
        "rank_fields": ("sent", "as body.options[1].fields"),
        "priority": ("ignored", "toy does not know it; a warning in the response says so"),
        "extra": ("sent", "as body.options[1].more"),
        "settings.region": ("sent", "as body.region and part of the base URL and the header X-Region"),
        "settings.unused": ("ignored", "the spec uses it nowhere"),
    }


def test_an_object_without_text_has_none() -> None:
    documents = ["a", {"title": "b"}, {"text": "c"}]
    spec = toy(request={"body": {"documents": "{{ documents }}"}})
    explanation = explained(spec, {**ONE, "documents": documents})
    assert explanation.documents_as_text == ("a", None, "c")
    assert parameters(explanation)["documents"] == ("sent", "as they are given in body.documents")
    assert json.loads(explanation.requests[0].body) == {"documents": documents}


def test_a_call_that_is_split_has_every_request() -> None:
    spec = toy(limits={"documents": 2})
    request = {**ONE, "documents": ["a", "b", "c"]}
    explanation = explained(spec, request)
    assert [json.loads(one.body)["documents"] for one in explanation.requests] == [["a", "b"], ["c"]]
    whole = explained(spec, request, [scored(0.1, 0.2), scored(0.3)])
    assert whole.response is not None
    assert [(one.index, one.relevance_score) for one in whole.response.results] == [(2, 0.3), (1, 0.2), (0, 0.1)]
    half = explained(spec, request, [scored(0.1, 0.2)])
    assert (len(half.requests), len(half.replies), half.response, half.error) == (2, 1, None, None)


def test_a_mistake_that_stops_a_call_is_its_end() -> None:
    explanation = explained(toy(settings={"region": {"description": "Region"}}))
    assert isinstance(explanation.error, SettingMissing)
    assert (explanation.requests, explanation.is_retried) == ((), False)
    assert parameters(explanation)["query"] == ("sent", "as body.query")


def test_no_secret_is_shown() -> None:
    arguments = Arguments(api_key=KEY, headers={"X-Copy": KEY})
    replies = [reply({"error": {"message": f"{KEY} is wrong", "code": KEY}}, 401)]
    explanation = explained(toy(), ONE, replies, arguments=arguments, environ={"TOY_KEY": "other-secret-value"})
    shown = repr(explanation) + repr([dict(one.headers) for one in explanation.requests]) + str(explanation.error)
    assert KEY not in shown
    assert "other-secret-value" not in shown
    assert explanation.requests[0].headers["X-Copy"] == "***"
    own = explained(toy(), arguments=Arguments(headers={"Authorization": f"Bearer {KEY}"}))
    assert own.requests[0].headers["Authorization"] == "***"


# How a reply is read


def test_every_expression_says_what_it_found_and_where_it_stands() -> None:
    explanation = explained(toy(), ONE, [scored(0.1, 0.2, id="x")])
    [read] = explanation.replies
    assert (read.status, read.is_error) == (200, False)
    lines = {path: mark.line for path, mark in read_yaml(toy_text(), "toy.yaml").values.items()}
    assert read.found == (
        Found(
            ("response", "results"),
            "toy.yaml",
            lines["response", "results"],
            TOY["response"]["results"],
            '[{"index":0,"relevance_score":0.1},{"index":1,"relevance_score":0.2}]',
        ),
        Found(("response", "id"), "toy.yaml", lines["response", "id"], "id", '"x"'),
    )
    assert explanation.response is not None
    assert explanation.response.to_dict() == {
        "id": "x",
        "results": [{"index": 1, "relevance_score": 0.2}, {"index": 0, "relevance_score": 0.1}],
        "meta": {},
    }


def test_every_part_of_a_mapping_is_shown() -> None:
    response = {
        "results": "results[].{index: index, relevance_score: score}",
        "meta": {
            "api_version": "v",
            "billed_units": {"search_units": "usage.units", "more": "header('x-more')"},
            "tokens": "usage",
            "warnings": "w",
        },
        "next_token": "next",
    }
    spec = toy(response=response, errors={"in_success": "failed"})
    answer = reply({"results": [], "usage": {"units": 1}}, 200, {"x-more": "2"})
    [read] = explained(spec, ONE, [answer]).replies
    assert {".".join(map(str, one.path)): one.found for one in read.found} == {
        "errors.in_success": "null",
        "response.results": "[]",
        "response.meta.api_version": "null",
        "response.meta.billed_units.search_units": "1",
        "response.meta.billed_units.more": '"2"',
        "response.meta.tokens": '{"units":1}',
        "response.meta.warnings": "null",
        "response.next_token": "null",
    }


def test_an_error_is_read_by_the_expressions_for_errors() -> None:
    answer = reply({"error": {"message": "slow down"}}, 429, {"retry-after": "7"})
    explanation = explained(toy(), ONE, [answer])
    [read] = explanation.replies
    assert (read.status, read.is_error) == (429, True)
    assert [(one.path, one.found) for one in read.found] == [
        (("errors", "code", 0), "null"),
        (("errors", "message", 0), '"slow down"'),
        (("errors", "message", 1), "null"),
    ]
    assert isinstance(explanation.error, RateLimited)
    assert explanation.error.retry_after_seconds == 7
    assert explanation.is_retried is True
    assert explained(toy(), ONE, [answer], max_retries=0).is_retried is False


def test_an_error_in_a_success_is_read_as_an_error() -> None:
    spec = toy(errors={"in_success": "failed", "message": ["why"]})
    explanation = explained(spec, ONE, [reply({"failed": True, "why": "no"})])
    [read] = explanation.replies
    assert [(one.path[1], one.found) for one in read.found] == [("in_success", "true"), ("message", '"no"')]
    assert str(explanation.error) == "Toy answered 200 with an error: no"


def test_an_expression_that_does_not_fit_says_why() -> None:
    spec = toy(response={"results": "sum(results)"})
    explanation = explained(spec, ONE, [scored(1, 2)])
    [found] = explanation.replies[0].found
    assert found.found is None
    assert found.failure is not None
    assert found.failure.startswith("In function sum(), invalid type for value: ")
    assert isinstance(explanation.error, ResponseInvalid)


def test_a_body_that_is_not_json_finds_nothing() -> None:
    explanation = explained(toy(), ONE, [reply(b"<html>", 502)])
    assert [one.found for one in explanation.replies[0].found] == ["null", "null", "null"]
    assert str(explanation.error) == "Toy answered 502: an HTML page"


def test_what_is_long_is_cut_with_its_length() -> None:
    [found, _] = explained(toy(), {**ONE, "documents": ["a"] * 20}, [scored(*[0.123456] * 20)]).replies[0].found
    assert found.found is not None
    assert found.found.startswith('[{"index":0,"relevance_score":0.123456},')
    assert found.found.endswith("... (791 characters)")


def test_an_inherited_expression_stands_in_the_parents_file() -> None:
    text = 'spec_version: 2\nprovider: child\nextends: toy\nresponse: {id: "name"}\n'
    spec = load_spec(text, "child.yaml", lambda name: TOY)
    files = [read_yaml(text, "child.yaml"), read_yaml(toy_text(), "toy.yaml")]
    binding = Binding(spec, Arguments(), {}, placeholders=True)
    explanation = explain(binding, validated(ONE), Rules(), files, [scored(1, 2)])
    places = {one.path: (one.file, one.line) for one in explanation.replies[0].found}
    line = files[1].values["response", "results"].line
    assert places == {("response", "results"): ("toy.yaml", line), ("response", "id"): ("child.yaml", 4)}
    nowhere = explain(binding, validated(ONE), Rules(), (), [scored(1, 2)]).replies[0].found[0]
    assert (nowhere.file, nowhere.line) == (None, None)


def test_an_id_that_is_made_is_said_to_be() -> None:
    explanation = explained(toy(), ONE, [scored(1, 2)])
    assert explanation.response is not None
    assert explanation.response.id == MADE_ID


@pytest.mark.parametrize(("count", "sizes"), [(1, [1]), (2, [2]), (5, [2, 2, 1])], ids=["one", "full", "split"])
def test_the_first_requests_are_those_that_need_no_reply(count: int, sizes: list[int]) -> None:
    spec = toy(limits={"documents": 2})
    binding = Binding(spec, Arguments(), {}, placeholders=True)
    request = validated({**ONE, "documents": ["a"] * count})
    sent = first_requests(rerank_exchange(binding, request, Rules()))
    assert [len(json.loads(one.body)["documents"]) for one in sent] == sizes
