"""Documents that are longer than a provider takes, and requests that are, stepped by hand."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stepping import Answer, play, reply, scored, toy

from rankspec.errors import RequestInvalid
from rankspec.lengths import estimated_tokens
from rankspec.long_documents import MAX_CHUNKS
from rankspec.models import CHUNK_SCORES, HttpRequest, RerankRequest
from rankspec.parameters import SHORTEN
from rankspec.specs import ProviderSpec
from rankspec.transforms import TRANSFORMS, sigmoid

LONG = "one two three four five six"
ASK: dict[str, Any] = {"model": "m", "query": "q", "documents": ["short", LONG]}


def limited(**limits: Any) -> ProviderSpec:
    return toy(limits={"documents": "none", **limits})


def by_length(request: HttpRequest) -> Answer:
    return scored(*(len(text) for text in json.loads(request.body)["documents"]))


LIMITS = {
    "characters": {"document_characters": 12},
    "tokens": {"document_tokens": 4},
    "query and document": {"pair_tokens": 5},
    "a request's characters": {"request_characters": 13},
}


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
def test_a_long_document_is_cut(limits: dict[str, int]) -> None:
    played = play(limited(**limits), ASK, by_length, long_documents="truncate")
    assert [text for body in played.bodies for text in body["documents"]] == ["short", "one two thre"]
    (warning,) = played.response.meta.warnings
    assert warning.startswith("1 document was longer than ")
    assert warning.endswith(", and cut")


@pytest.mark.parametrize(("score", "expected"), [("max", 14.0), ("mean", 13.5), ("first", 14.0)])
def test_a_long_document_is_scored_by_its_chunks(score: str, expected: float) -> None:
    played = play(limited(document_characters=14), ASK, by_length, long_documents="chunk", chunk_score=score)
    chunks = ["one two three ", "four five six"]
    assert played.bodies[0]["documents"] == ["short", *(chunks[:1] if score == "first" else chunks)]
    assert played.ranking == [(1, expected), (0, 5.0)]
    (warning,) = played.response.meta.warnings
    count, told = (1, "first") if score == "first" else (2, "highest" if score == "max" else "mean")
    end = f"cut into {count} chunks; a document's score is the {told} of its chunks"
    assert warning == f"1 document was longer than 14 characters, and {end}"


def test_the_best_documents_are_found_by_all_chunks() -> None:
    spec, ask = limited(document_characters=14), {**ASK, "top_n": 1, "documents": [LONG, "a", "bb"]}
    played = play(spec, ask, by_length, long_documents="chunk")
    assert "top_n" not in played.bodies[0]
    assert played.ranking == [(0, 14.0)]


def test_chunks_are_spread_over_requests_and_come_together_again() -> None:
    spec = limited(documents=2, document_characters=14)
    played = play(
        spec, {**ASK, "documents": [LONG, "ccc", LONG]}, by_length, long_documents="chunk", chunk_score="mean"
    )
    assert [len(body["documents"]) for body in played.bodies] == [2, 2, 1]
    assert played.ranking == [(0, 13.5), (2, 13.5), (1, 3.0)]


def test_what_was_returned_is_the_callers_own_document() -> None:
    ask = {**ASK, "documents": [{"text": LONG, "id": 7}, "b"], "return_documents": True}
    played = play(limited(document_characters=14), ask, by_length, long_documents="chunk")
    assert [result.document for result in played.response.results] == [{"text": LONG, "id": 7}, {"text": "b"}]


def test_long_documents_are_refused_all_at_once() -> None:
    ask = {**ASK, "documents": [LONG, "b", LONG]}
    error = play(limited(document_tokens=4), ask, long_documents="refuse").error
    assert isinstance(error, RequestInvalid)
    told = "is longer than the 4 tokens (estimated) that toy takes of it"
    assert [(problem.path, problem.message.startswith(told)) for problem in error.problems] == [
        (("documents", 0), True),
        (("documents", 2), True),
    ]


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
def test_a_long_document_is_sent_as_it_is_if_that_is_asked_for(limits: dict[str, int]) -> None:
    played = play(limited(**limits), ASK, by_length, long_documents="send")
    assert [text for body in played.bodies for text in body["documents"]] == ASK["documents"]
    assert played.response.meta.warnings == []


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"document_characters": 12}, f"has 27 characters, but toy takes at most 12; {SHORTEN}"),
        (
            {"request_characters": 12},
            f"has 27 characters and the query 1, but toy takes at most 12 together; {SHORTEN}",
        ),
    ],
)
def test_without_a_word_a_limit_in_characters_refuses(limits: dict[str, int], message: str) -> None:
    error = play(limited(**limits), ASK).error
    assert isinstance(error, RequestInvalid)
    assert [(problem.path, problem.message) for problem in error.problems] == [(("documents", 1), message)]


@pytest.mark.parametrize("limits", [{"document_tokens": 4}, {"pair_tokens": 4}])
def test_without_a_word_a_limit_in_tokens_does_not(limits: dict[str, int]) -> None:
    assert play(limited(**limits), ASK, by_length).bodies[0]["documents"] == ASK["documents"]


def test_a_query_longer_than_a_request_is_refused() -> None:
    error = play(limited(request_characters=5), {**ASK, "query": "longer"}, long_documents="chunk").error
    assert [problem.path for problem in error.problems] == [("query",)]  # type: ignore[attr-defined]


def test_the_callers_own_limit_of_tokens_is_honoured_here() -> None:
    played = play(limited(), {**ASK, "max_tokens_per_doc": 2}, by_length, long_documents="truncate")
    assert played.bodies[0]["documents"] == ["short", "one tw"]
    assert played.response.meta.warnings == ["1 document was longer than 2 tokens (estimated), and cut"]


def test_objects_are_cut_as_text_and_others_stay_objects() -> None:
    spec = toy(
        limits={"documents": "none", "document_characters": 12},
        request={"body": {"query": "{{ query }}", "documents": "{{ objects }}"}},
    )
    given_documents = [{"text": LONG, "id": 1}, {"text": "b", "id": 2}]
    played = play(spec, {"query": "q", "documents": given_documents}, [scored(1, 2)], long_documents="truncate")
    assert played.bodies[0]["documents"] == [{"text": "one two thre"}, {"text": "b", "id": 2}]


def test_objects_ranked_by_fields_all_become_text_if_one_is_cut() -> None:
    body = {"query": "{{ query }}", "documents": "{{ uniform_documents }}", "fields": "{{ rank_fields }}"}
    spec = toy(limits={"documents": "none", "document_characters": 12}, request={"body": body})
    ask = {"query": "q", "documents": [{"t": LONG}, {"t": "b"}], "rank_fields": ["t"]}
    played = play(spec, ask, [scored(1, 2)], long_documents="truncate")
    assert played.bodies[0] == {"query": "q", "documents": ["t: one two t", "t: b"]}


BLANK_TO_PYTHON = "\x1c" * 30
"""White space to Python, text to Unicode, so that it is a document."""


@pytest.mark.parametrize("policy", ["truncate", "chunk"])
@pytest.mark.parametrize("score", CHUNK_SCORES)
def test_every_document_keeps_its_place_whatever_is_in_it(policy: str, score: str) -> None:
    ask = {**ASK, "documents": [BLANK_TO_PYTHON, "b", " " * 30 + "late"]}
    played = play(limited(document_characters=12), ask, by_length, long_documents=policy, chunk_score=score)
    assert sorted(index for index, _ in played.ranking) == [0, 1, 2]
    assert played.bodies[0]["documents"] == ["\x1c" * 12, "b", "      late"]


SPREAD: dict[str, dict[str, Any]] = {
    "in one request": {},
    "in several": {"documents": 2},
    "by their length": {"request_characters": 10},
}


@pytest.mark.parametrize("limits", SPREAD.values(), ids=SPREAD)
def test_an_error_of_a_document_behind_chunks_names_the_callers_position(limits: dict[str, Any]) -> None:
    ask = {**ASK, "documents": [LONG, "b", {"title": "no text"}]}
    error = play(limited(document_characters=5, **limits), ask, long_documents="chunk").error
    assert isinstance(error, RequestInvalid)
    assert [one.path for one in error.problems] == [("documents", 2)]


def test_a_request_of_too_many_bytes_names_the_callers_document() -> None:
    ask = {**ASK, "documents": ["a" * 30, "é" * 20]}
    spec = limited(document_characters=20, request_bytes=80)
    error = play(spec, ask, long_documents="chunk").error
    assert isinstance(error, RequestInvalid)
    assert [one.path for one in error.problems] == [("documents", 1)]


def test_chunks_that_are_too_many_for_a_list_are_counted() -> None:
    spec = toy(limits={"documents": 3, "document_characters": 14}, scoring={"scale": "probability", "mode": "listwise"})
    error = play(spec, {**ASK, "documents": [LONG, LONG]}, long_documents="chunk").error
    assert "documents: 4 chunks of them are too many: toy takes 3 documents at a time" in str(error)


@pytest.mark.parametrize("policy", [None, "truncate", "chunk"])
def test_a_query_that_leaves_nothing_to_a_document_is_refused(policy: str | None) -> None:
    error = play(limited(request_characters=5), {**ASK, "query": "12345"}, long_documents=policy).error
    assert isinstance(error, RequestInvalid)
    assert [one.path for one in error.problems] == [("query",)]


@pytest.mark.parametrize("score", [1.7e308, -1.7e308, 0.1, 0.0, 5e-324])
@pytest.mark.parametrize("merge", CHUNK_SCORES)
def test_chunks_of_one_score_come_to_just_that(score: float, merge: str) -> None:
    def one_for_all(request: HttpRequest) -> Answer:
        return scored(*[score] * len(json.loads(request.body)["documents"]))

    spec, ask = limited(document_characters=10), {**ASK, "documents": [LONG, "b"]}
    played = play(spec, ask, one_for_all, long_documents="chunk", chunk_score=merge)
    assert repr(played.ranking) == repr([(0, score), (1, score)])


def test_the_best_chunks_raw_score_is_the_documents() -> None:
    mapping = "results[].{index: index, relevance_score: sigmoid(score), raw_score: score, relevant_spans: spans}"

    def with_spans(request: HttpRequest) -> Answer:
        lengths = map(len, json.loads(request.body)["documents"])
        found = [{"index": at, "score": length, "spans": [{"end": 1}]} for at, length in enumerate(lengths)]
        return reply({"results": found})

    spec = toy(limits={"documents": "none", "document_characters": 14}, response={"results": mapping})
    played = play(spec, {**ASK, "documents": [LONG, "b"]}, with_spans, long_documents="chunk")
    assert played.response.results == [
        {"index": 0, "relevance_score": sigmoid(14), "raw_score": 14},
        {"index": 1, "relevance_score": sigmoid(1), "raw_score": 1, "relevant_spans": [{"end": 1}]},
    ]


def test_chunks_come_together_in_whatever_order_they_are_ranked() -> None:
    def best_first(request: HttpRequest) -> Answer:
        ranked = sorted(enumerate(json.loads(request.body)["documents"]), key=lambda one: one[1])
        found = [{"index": at, "score": 9 - place} for place, (at, _) in enumerate(ranked)]
        return reply({"results": found})

    spec, ask = limited(document_characters=2), {**ASK, "documents": ["b d", "a c", "e"]}
    assert play(spec, ask, best_first, long_documents="chunk").ranking == [(1, 9.0), (0, 8.0), (2, 5.0)]
    assert play(spec, ask, best_first, long_documents="chunk", chunk_score="mean").ranking == [
        (1, 8.0),
        (0, 7.0),
        (2, 5.0),
    ]


def test_an_estimate_of_the_cost_counts_what_is_sent() -> None:
    price = {"usd": 1, "per": 1, "unit": "search_units", "read": "2026-11-20"}
    spec = toy(limits={"documents": "none", "document_characters": 2}, models={"m": {"price": price}})
    played = play(spec, {**ASK, "documents": ["a " * 150]}, by_length, long_documents="chunk")
    assert played.response.meta.cost == {"usd": 2, "estimated": True}


def test_chunks_beyond_all_reason_are_refused() -> None:
    ask = {**ASK, "documents": ["b", "a " * (MAX_CHUNKS + 1)]}
    error = play(limited(document_characters=2), ask, long_documents="chunk").error
    assert isinstance(error, RequestInvalid)
    message = f"makes more than {MAX_CHUNKS} chunks of 2 characters; shorten it, or pass long_documents=truncate"
    assert [(one.path, one.message) for one in error.problems] == [(("documents", 1), message)]
    first = play(limited(document_characters=2), ask, by_length, long_documents="chunk", chunk_score="first")
    assert first.bodies[0]["documents"] == ["b", "a "]


PICTURE = "data:image/png;base64," + "A" * 3000
SHOWN = {
    "typed": {"type": "image", "image": PICTURE, "text": LONG},
    "not typed": {"image": PICTURE, "text": LONG},
    "with ranked fields": {"type": "image", "image": PICTURE, "title": LONG},
}


@pytest.mark.parametrize("document", SHOWN.values(), ids=SHOWN)
def test_a_document_keeps_its_picture_when_its_text_is_cut(document: dict[str, Any]) -> None:
    ask: dict[str, Any] = {"query": "q", "documents": [document, {"image": URL}, {"image": URL, "title": "t"}, "b"]}
    if "title" in document:
        ask["rank_fields"] = ["title"]
    spec = toy(request=TAKES_IMAGES, limits={"documents": "none", "document_characters": 12})
    played = play(spec, ask, [scored(1, 2, 3, 4)], long_documents="truncate")
    cut = {"text": "title: one t", "image": PICTURE} if "title" in document else {"text": LONG[:12], "image": PICTURE}
    titled = {"text": "title: t", "image": URL} if "title" in document else {"image": URL}
    assert played.bodies[0]["documents"] == [cut, {"image": URL}, titled, {"text": "b"}]


# Requests with too much in them


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"request_characters": 7}, [["aaa", "bbb"], ["ccc", "d"]]),
        ({"request_characters": 7, "query_counts": "per_document"}, [["aaa"], ["bbb"], ["ccc", "d"]]),
        ({"request_tokens": 3}, [["aaa", "bbb"], ["ccc", "d"]]),
        ({"request_tokens": 5, "query_counts": "per_document"}, [["aaa", "bbb"], ["ccc", "d"]]),
        ({"request_tokens": 1}, [["aaa"], ["bbb"], ["ccc"], ["d"]]),
    ],
)
def test_requests_are_split_by_what_is_in_them(limits: dict[str, Any], expected: list[list[str]]) -> None:
    ask = {"model": "m", "query": "q", "documents": ["aaa", "bbb", "ccc", "d"]}
    played = play(limited(**limits), ask, by_length)
    assert [body["documents"] for body in played.bodies] == expected
    assert played.ranking == [(0, 3.0), (1, 3.0), (2, 3.0), (3, 1.0)]


def test_a_list_that_must_stay_whole_is_refused_by_characters_and_sent_by_tokens() -> None:
    scoring = {"scale": "probability", "mode": "listwise"}
    refused = play(
        toy(limits={"documents": 9, "request_characters": 10}, scoring=scoring),
        {**ASK, "documents": ["a" * 8, "b" * 8]},
    )
    assert "takes 10 characters at a time" in str(refused.error)
    sent = play(toy(limits={"documents": 9, "request_tokens": 2}, scoring=scoring), ASK, by_length)
    assert sent.bodies[0]["documents"] == ASK["documents"]


def nested(levels: int) -> dict[str, Any]:
    document: dict[str, Any] = {"title": "t"}
    for _ in range(levels):
        document = {"inner": document}
    return document


ODD: dict[str, dict[str, Any]] = {
    "half of a surrogate pair": {"title": "\ud800"},
    "a number beyond JSON's": {"title": 2**70},
    "too deep": nested(600),
}


@pytest.mark.parametrize("document", ODD.values(), ids=ODD)
@pytest.mark.parametrize("limits", [{"request_characters": 50}, {"request_tokens": 50}], ids=["characters", "tokens"])
def test_what_has_no_length_is_refused_as_it_is_elsewhere(document: dict[str, Any], limits: dict[str, int]) -> None:
    ask = RerankRequest(query="q", documents=["a", document], model="m")
    body = {"query": "{{ query }}", "documents": "{{ objects }}"}
    refused = play(toy(request={"body": body}), ask).error
    error = play(toy(request={"body": body}, limits={"documents": "none", **limits}), ask).error
    assert isinstance(error, RequestInvalid)
    assert str(error) == str(refused)


@pytest.mark.parametrize("limits", [{"request_characters": 60}, {"request_tokens": 20}], ids=["characters", "tokens"])
def test_a_picture_is_no_text_that_counts(limits: dict[str, int]) -> None:
    spec = toy(request=TAKES_IMAGES, limits={"documents": "none", **limits})
    ask = {"query": "q", "documents": [{"image": PICTURE}, {"image": PICTURE}, "b" * 50, "c" * 50]}
    played = play(spec, ask, lambda request: scored(*range(len(json.loads(request.body)["documents"]))))
    assert [len(body["documents"]) for body in played.bodies] == [3, 1]


TEXTS = st.text(st.sampled_from(" \n\x1cxé汉😀a"), min_size=1, max_size=60).filter(lambda text: text.strip(" \n"))
ANY_LIMITS = st.fixed_dictionaries(
    {"documents": st.integers(1, 4) | st.just("none")},
    optional={
        "document_characters": st.integers(1, 30),
        "document_tokens": st.integers(1, 20),
        "pair_tokens": st.integers(8, 30),
        "request_characters": st.integers(11, 60),
        "request_tokens": st.integers(8, 60),
        "query_counts": st.sampled_from(["once", "per_document"]),
    },
)


@given(ANY_LIMITS, TEXTS.filter(lambda text: len(text) <= 10), st.lists(TEXTS, min_size=1, max_size=8), st.data())
def test_every_document_is_ranked_once_and_every_request_keeps_to_the_limits(
    limits: dict[str, Any], query: str, texts: list[str], data: st.DataObject
) -> None:
    policy, merge = data.draw(st.sampled_from(["truncate", "chunk"])), data.draw(st.sampled_from(CHUNK_SCORES))
    ask = {"model": "m", "query": query, "documents": texts}
    played = play(limited(**limits), ask, has_an_x, long_documents=policy, chunk_score=merge)
    assert sorted(index for index, _ in played.ranking) == [*range(len(texts))]
    for body in played.bodies:
        sent, queries = body["documents"], len(body["documents"]) if "per_document" in limits.values() else 1
        assert limits["documents"] == "none" or len(sent) <= limits["documents"]
        assert all(len(text) <= limits.get("document_characters", 60) for text in sent)
        assert len(query) * queries + sum(map(len, sent)) <= limits.get("request_characters", 999)
        tokens = estimated_tokens(query) * queries + sum(map(estimated_tokens, sent))
        assert len(sent) == 1 or tokens <= limits.get("request_tokens", 999)


def has_an_x(request: HttpRequest) -> Answer:
    return scored(*(float("x" in text) for text in json.loads(request.body)["documents"]))


@given(ANY_LIMITS, st.lists(TEXTS, min_size=1, max_size=8))
def test_what_is_found_in_the_head_is_found_in_a_chunk(limits: dict[str, Any], texts: list[str]) -> None:
    ask = {"model": "m", "query": "q", "documents": texts}
    head = dict(play(limited(**limits), ask, has_an_x, long_documents="truncate").ranking)
    best = dict(play(limited(**limits), ask, has_an_x, long_documents="chunk").ranking)
    assert all(best[index] >= score for index, score in head.items())
    assert best == {index: float("x" in text) for index, text in enumerate(texts)}


# Documents that are no text

TAKES_IMAGES = {
    "body": {
        "query": "{{ query }}",
        "documents": {
            "$for": "document in documents",
            "$item": {"text": "{{ document.text }}", "image": "{{ document.image }}"},
        },
    }
}
URL = "https://pictures.example/1.png"
IMAGES = {
    "short": {"image": URL},
    "typed": {"type": "image", "image": URL, "text": "a cat"},
    "part of a message": {"type": "image_url", "image_url": {"url": URL}},
}


@pytest.mark.parametrize("document", IMAGES.values(), ids=IMAGES)
def test_an_image_is_sent_where_it_is_taken(document: dict[str, Any]) -> None:
    played = play(toy(request=TAKES_IMAGES), {"query": "q", "documents": ["a", document]}, [scored(1, 2)])
    shown = {"image": URL, **({"text": "a cat"} if "text" in document else {})}
    assert played.bodies[0]["documents"] == [{"text": "a"}, shown]


@pytest.mark.parametrize("document", IMAGES.values(), ids=IMAGES)
def test_an_image_is_refused_elsewhere(document: dict[str, Any]) -> None:
    error = play(toy(), {"model": "m", "query": "q", "documents": ["a", document]}).error
    assert isinstance(error, RequestInvalid)
    assert [(one.path, one.message) for one in error.problems] == [
        (("documents", 1), "is an image, and m of toy takes none")
    ]


def test_a_refusal_names_the_models_that_would_take_it() -> None:
    spec = toy(models={"sees": {"body": TAKES_IMAGES["body"]}, "reads": {}})
    error = play(spec, {"model": "reads", "query": "q", "documents": [{"video": URL}, {"image": URL}]}).error
    assert isinstance(error, RequestInvalid)
    assert [one.message for one in error.problems] == [
        "is a video, and reads of toy takes none",
        "is an image, and reads of toy takes none; sees would",
    ]


def test_an_object_with_text_and_a_picture_is_a_text() -> None:
    played = play(toy(), {"model": "m", "query": "q", "documents": [{"text": "a cat", "image": URL}]}, [scored(1)])
    assert played.bodies[0]["documents"] == ["a cat"]


def test_an_image_stays_beside_objects_that_become_text() -> None:
    ask = {"query": "q", "documents": [{"title": "t"}, {"image": URL}], "rank_fields": ["title"]}
    played = play(toy(request=TAKES_IMAGES), ask, [scored(1, 2)])
    assert played.bodies[0]["documents"] == [{"text": "title: t"}, {"image": URL}]


# Scores that are made of the provider's


def sigmoid_toy(**changes: Any) -> ProviderSpec:
    return toy(scoring={"scale": "probability", "mode": "pointwise", "transform": "sigmoid"}, **changes)


def test_a_score_is_transformed_and_the_providers_own_kept() -> None:
    results = play(sigmoid_toy(), {**ASK, "documents": ["a", "b", "c"]}, [scored(0, -800, 3)]).response.results
    assert results == [
        {"index": 2, "relevance_score": sigmoid(3), "raw_score": 3.0},
        {"index": 0, "relevance_score": 0.5, "raw_score": 0.0},
        {"index": 1, "relevance_score": 0.0, "raw_score": -800.0},
    ]


def test_scores_that_become_one_keep_their_order() -> None:
    assert play(sigmoid_toy(), ASK, [scored(50, 90)]).ranking == [(1, 1.0), (0, 1.0)]


def test_a_model_may_go_without_the_transform_of_its_provider() -> None:
    spec = sigmoid_toy(models={"m": {"scoring": {"transform": "none", "scale": "logit"}}})
    assert play(spec, ASK, [scored(50, 90)]).ranking == [(1, 90.0), (0, 50.0)]


def test_a_raw_score_that_the_provider_tells_is_kept() -> None:
    mapping = {"results": "results[].{index: index, relevance_score: score, raw_score: raw}"}
    spec = sigmoid_toy(response=mapping)
    found = play(spec, {**ASK, "documents": ["a"]}, [reply({"results": [{"index": 0, "score": 0, "raw": 9}]})])
    assert found.response.results == [{"index": 0, "relevance_score": 0.5, "raw_score": 9}]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_transform_gives_a_finite_number_in_the_same_order(score: float) -> None:
    for transform in TRANSFORMS.values():
        assert math.isfinite(transform(score))
        assert transform(score) <= transform(math.nextafter(score, math.inf))
