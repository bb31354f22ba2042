"""One rerank call, stepped by hand: sending, retries, splitting, pages, and what comes back."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stepping import KEY, Answer, Clock, Played, play, reply, scored, toy

from rankspec.binding import Arguments, Binding
from rankspec.errors import (
    AuthenticationRejected,
    ConnectFailed,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    RequestInvalid,
    RequestRejected,
    ResponseInvalid,
    SettingMissing,
    SpecInvalid,
    TimedOut,
    TransportError,
)
from rankspec.exchange import Rules, rerank_exchange
from rankspec.models import HttpRequest, HttpResponse, RerankRequest, Together
from rankspec.parameters import validated
from rankspec.specs import ProviderSpec

ONE: dict[str, Any] = {"model": "m", "query": "q", "documents": ["a"]}


def letters(count: int) -> list[str]:
    return [f"d{position}" for position in range(count)]


# Rendering and sending


def test_one_request_is_sent_with_everything() -> None:
    played = play(toy(), {**ONE, "documents": ["a", "b"], "top_n": 1}, [scored(0.1, 0.9)], timeout_seconds=7.5)
    sent = played.sent[0]
    assert (sent.method, sent.url) == ("POST", "https://api.toy.example/v1/rerank")
    assert sent.headers["Authorization"] == f"Bearer {KEY}"
    assert sent.headers["Content-Type"] == "application/json"
    assert json.loads(sent.body) == {"model": "m", "query": "q", "documents": ["a", "b"], "top_n": 1}
    assert sent.timeout_seconds == 7.5
    assert KEY in sent.secrets
    assert played.ranking == [(1, 0.9)]


def test_the_method_is_the_specs() -> None:
    spec = toy(endpoint={"base_url": "https://h.example", "path": "/r", "method": "PUT"})
    assert play(spec, ONE, [scored(1)]).sent[0].method == "PUT"


def test_an_alias_of_a_model_is_sent_as_the_model_itself() -> None:
    spec = toy(models={"real": {"aliases": ["nick"]}})
    assert play(spec, {**ONE, "model": "nick"}, [scored(1)]).bodies[0]["model"] == "real"


def test_a_models_own_body_limits_and_mode_are_used() -> None:
    spec = toy(
        models={"m": {"body": {"max": "{{ max_tokens_per_doc }}", "top_n": None}, "limits": {"query_characters": 1}}}
    )
    played = play(spec, {**ONE, "top_n": 1, "max_tokens_per_doc": 5}, [scored(1)])
    assert played.bodies == [{"model": "m", "query": "q", "documents": ["a"], "max": 5}]
    assert "warnings" not in played.response.meta
    error = play(spec, {**ONE, "query": "qq"}).error
    assert str(error) == "invalid request: query: has 2 characters, but toy takes at most 1; shorten it"
    assert play(spec, {**ONE, "query": "qq", "model": "other"}, [scored(1)]).ranking == [(0, 1.0)]


HARD = [
    "123",
    "null",
    "[1]",
    "{{ 7*7 }}",
    "{% raw %}",
    '"',
    "\\",
    "a\nb\r\n\t",
    "a\u2028\u2029",
    "😀",
    "a\0b",
    "\x7f",
    "e\u0301",
    "<<",
    "{{",
    "true",
]


@pytest.mark.parametrize("text", HARD)
def test_any_text_arrives_unchanged(text: str) -> None:
    played = play(toy(), {"model": text, "query": text, "documents": [text, {"text": text}]}, [scored(1, 2)])
    assert played.bodies == [{"model": text, "query": text, "documents": [text, text]}]


sendable = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


@given(sendable, sendable)
def test_all_text_arrives_unchanged(query: str, document: str) -> None:
    played = play(toy(), {**ONE, "query": query, "documents": [document]}, [scored(1)])
    assert played.bodies == [{"model": "m", "query": query, "documents": [document]}]


BODY = {"query": "{{ query }}", "documents": "{{ documents }}", "i": "{{ instruction }}", "s": "{{ settings.region }}"}
UNSENDABLE = [
    (
        "half a surrogate pair in a field",
        {"documents": ["a", {"x": ["\ud83d"]}]},
        "documents[1].x[0]: holds half of a surrogate pair at character 0, which UTF-8 cannot carry",
    ),
    (
        "a number of 70 bits",
        {"documents": [{"x": {"y": 2**70}}]},
        "documents[0].x.y: is a whole number of more than 64 bits, which cannot be sent",
    ),
    (
        "a number of 70 bits in extra",
        {"extra": {"x": 2**70}},
        "extra.x: is a whole number of more than 64 bits, which cannot be sent",
    ),
    (
        "half a surrogate pair in extra",
        {"extra": {"x": "\ud83d"}},
        "extra.x: holds half of a surrogate pair at character 0, which UTF-8 cannot carry",
    ),
]


@pytest.mark.parametrize(("values", "message"), [pytest.param(*case[1:], id=case[0]) for case in UNSENDABLE])
def test_what_json_cannot_carry_is_refused_with_its_path(values: dict[str, Any], message: str) -> None:
    spec = toy(request={"body": BODY}, settings={"region": {"description": "r", "optional": True}})
    played = play(spec, {**ONE, **values})
    assert isinstance(played.error, RequestInvalid)
    assert str(played.error) == f"invalid request: {message}"
    assert played.sent == []


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (RerankRequest("q\ud83d", ["a"]), "query: holds half of a surrogate pair at character 1"),
        (RerankRequest("q", ["a"], instruction="\ud83d"), "instruction: holds half of a surrogate pair at character 0"),
        (RerankRequest("q", ["a", "\ud83d"]), "documents[1]: holds half of a surrogate pair at character 0"),
    ],
    ids=["query", "instruction", "document"],
)
def test_a_request_that_was_not_validated_is_still_not_sent_broken(request_: RerankRequest, message: str) -> None:
    spec = toy(request={"body": BODY}, settings={"region": {"description": "r", "optional": True}})
    played = play(spec, request_)
    assert str(played.error) == f"invalid request: {message}, which UTF-8 cannot carry"
    assert played.sent == []


def test_a_setting_that_json_cannot_carry_is_refused() -> None:
    spec = toy(request={"body": BODY}, settings={"region": {"description": "r"}})
    played = play(spec, ONE, arguments=Arguments(api_key=KEY, settings={"region": "\ud83d"}))
    assert str(played.error) == (
        "invalid request: settings.region: holds half of a surrogate pair at character 0, which UTF-8 cannot carry"
    )


def test_a_template_that_fails_is_told_as_a_fault_of_the_spec() -> None:
    played = play(toy(request={"body": {"x": "{{ query - 1 }}"}}), ONE)
    assert isinstance(played.error, SpecInvalid)
    assert [(finding.code, finding.path) for finding in played.error.findings] == [
        ("template-failed", ("request", "body"))
    ]
    assert str(played.error) == (
        "toy.yaml:1:1: error: request.body: TypeError: unsupported operand type(s) for -: 'str' and 'int' "
        "[template-failed]"
    )
    assert played.sent == []


def test_an_object_without_text_is_refused_by_its_position() -> None:
    played = play(toy(), {**ONE, "documents": ["a", {"title": "t"}]})
    assert str(played.error) == (
        "invalid request: documents[1]: has no text: give it a field 'text', or name the fields to rank in rank_fields"
    )


# Documents and ids


def test_returned_documents_are_the_callers_own_whatever_the_provider_echoes() -> None:
    whole = {"text": "t", "title": "x", "nested": {"deep": [1]}}
    spec = toy(response={"results": "results[].{index: index, relevance_score: score, document: document}"})
    body = {"results": [{"index": 0, "score": 1, "document": {"text": "changed"}}, {"index": 1, "score": 0}]}
    played = play(spec, {**ONE, "documents": [whole, "b"], "return_documents": True}, [reply(body)])
    first, second = played.response.results
    assert first.document is whole
    assert second == {"index": 1, "relevance_score": 0.0, "document": {"text": "b"}}


def test_without_being_asked_for_documents_are_not_there() -> None:
    spec = toy(response={"results": "results[].{index: index, relevance_score: score, document: document}"})
    played = play(spec, ONE, [reply({"results": [{"index": 0, "score": 1, "document": "a"}]})])
    assert played.response.results == [{"index": 0, "relevance_score": 1.0}]


def test_objects_flattened_by_rank_fields_come_back_whole() -> None:
    document = {"title": "t", "body": "b", "id": 7}
    request = {**ONE, "documents": [document], "rank_fields": ["title", "body"], "return_documents": True}
    played = play(toy(), request, [scored(1)])
    assert played.bodies[0]["documents"] == ["title: t\nbody: b"]
    assert played.response.results[0].document is document


@pytest.mark.parametrize(
    ("told", "expected"),
    [("r-1", "r-1"), (7, "7"), (None, "made-here"), ("", "made-here"), ({"a": 1}, "made-here"), (True, "made-here")],
)
def test_the_id_is_the_providers_or_one_made_here(told: Any, expected: str) -> None:
    assert play(toy(), ONE, [scored(1, id=told)]).response.id == expected


def test_ids_made_here_differ() -> None:
    binding = Binding(toy(), Arguments(api_key=KEY), {})
    ids = set()
    for _ in range(2):
        steps = rerank_exchange(binding, RerankRequest("q", ["a"], model="m"), Rules())
        next(steps)
        with pytest.raises(StopIteration) as stop:
            steps.send(scored(1))
        ids.add(stop.value.value.id)
    assert len(ids) == 2


def test_a_raw_score_stays_beside_the_transformed_one() -> None:
    spec = toy(
        response={"results": "results[].{index: index, relevance_score: sigmoid(score), raw_score: score}"},
    )
    result = play(spec, ONE, [scored(0)]).response.results[0]
    assert result == {"index": 0, "relevance_score": 0.5, "raw_score": 0}


# Retries

RETRIED: list[tuple[str, Answer]] = [
    ("no connection", ConnectFailed("x")),
    ("a reply cut off", TransportError("x")),
    ("408", reply({}, 408)),
    ("424", reply({}, 424)),
    ("429", reply({}, 429)),
    ("500", reply({}, 500)),
    ("502 in HTML", HttpResponse(502, {}, b"<html>")),
    ("503", reply({}, 503)),
    ("529", reply({}, 529)),
]
NOT_RETRIED: list[tuple[str, Answer, type[Exception]]] = [
    ("400", reply({}, 400), RequestRejected),
    ("401", reply({}, 401), AuthenticationRejected),
    ("403", reply({}, 403), AuthenticationRejected),
    ("404", reply({}, 404), RequestRejected),
    ("413", reply({}, 413), RequestRejected),
    ("422", reply({}, 422), RequestRejected),
    ("a redirect", HttpResponse(307, {"location": "https://elsewhere.example"}, b""), ProviderError),
    ("HTML in a success", HttpResponse(200, {}, b"<html>"), ResponseInvalid),
    ("truncated JSON", HttpResponse(200, {}, b'{"results": ['), ResponseInvalid),
    ("a broken contract", reply({"results": []}), ResponseInvalid),
    ("the time run out", TimedOut("x"), TimedOut),
]


@pytest.mark.parametrize("answer", [pytest.param(answer, id=name) for name, answer in RETRIED])
def test_tried_again_after(answer: Answer) -> None:
    played = play(toy(), ONE, [answer, scored(0.5)])
    assert played.ranking == [(0, 0.5)]
    assert len(played.sent) == 2
    assert played.sent[0].body == played.sent[1].body


@pytest.mark.parametrize(("answer", "kind"), [pytest.param(*case[1:], id=case[0]) for case in NOT_RETRIED])
def test_not_tried_again_after(answer: Answer, kind: type[Exception]) -> None:
    played = play(toy(), ONE, [answer])
    assert type(played.error) is kind
    assert getattr(played.error, "provider", None) == "toy"
    assert (len(played.sent), played.waits) == (1, [])


@pytest.mark.parametrize("max_retries", [0, 1, 2, 5])
def test_tried_again_as_often_as_allowed(max_retries: int) -> None:
    answers = [reply({"message": f"no {number}"}, 503) for number in range(max_retries + 1)]
    played = play(toy(), ONE, answers, max_retries=max_retries)
    assert isinstance(played.error, ProviderUnavailable)
    assert str(played.error) == f"Toy answered 503: no {max_retries}"
    assert (len(played.sent), len(played.waits)) == (max_retries + 1, max_retries)


def test_by_default_there_are_two_retries() -> None:
    assert len(play(toy(), ONE, [reply({}, 500)] * 3).sent) == 3


@pytest.mark.parametrize(
    ("jitter", "waits"),
    [
        (1.0, [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]),
        (0.0, [0.25, 0.5, 1.0, 2.0, 4.0, 4.0]),
        (0.5, [0.375, 0.75, 1.5, 3.0, 6.0, 6.0]),
    ],
)
def test_the_waits_grow_and_are_bounded(jitter: float, waits: list[float]) -> None:
    played = play(toy(), ONE, [reply({}, 500)] * 6 + [scored(1)], max_retries=6, jitter=lambda: jitter)
    assert played.waits == waits
    assert played.ranking == [(0, 1.0)]


def test_the_waits_differ_by_default() -> None:
    jitter = Rules().jitter
    assert len({jitter() for _ in range(5)}) == 5
    assert all(0 <= jitter() < 1 for _ in range(100))


def test_a_great_many_retries_do_not_overflow() -> None:
    played = play(toy(), ONE, [ConnectFailed("x")] * 1501, max_retries=1500, timeout_seconds=1e9)
    assert isinstance(played.error, ConnectFailed)
    assert (len(played.waits), played.waits[-1]) == (1500, 8.0)


@pytest.mark.parametrize(("told", "wait"), [("7", 7.0), ("0", 0.0), ("0.25", 0.25), ("59", 59.0)])
def test_the_providers_own_wait_is_honoured(told: str, wait: float) -> None:
    played = play(toy(), ONE, [reply({}, 429, {"retry-after": told}), scored(1)], timeout_seconds=100)
    assert played.waits == [wait]
    assert played.ranking == [(0, 1.0)]


def test_a_wait_that_is_too_long_is_not_waited_for_but_told() -> None:
    played = play(toy(), ONE, [reply({"message": "no"}, 429, {"retry-after": "61"})], timeout_seconds=1000)
    assert isinstance(played.error, RateLimited)
    assert played.error.retry_after_seconds == 61.0
    assert played.waits == []


@pytest.mark.parametrize("told", ["-5", "soon", "nan", ""])
def test_a_wait_that_makes_no_sense_gives_way_to_ours(told: str) -> None:
    assert play(toy(), ONE, [reply({}, 429, {"retry-after": told}), scored(1)]).waits == [0.5]


def test_no_wait_reaches_beyond_the_deadline() -> None:
    played = play(toy(), ONE, [reply({}, 429, {"retry-after": "10"})], timeout_seconds=10)
    assert isinstance(played.error, RateLimited)
    assert played.waits == []
    played = play(toy(), ONE, [reply({}, 429, {"retry-after": "9"}), scored(1)], timeout_seconds=10)
    assert played.waits == [9.0]


def test_the_timeout_bounds_the_whole_call() -> None:
    played = play(toy(), ONE, [reply({}, 500), reply({}, 500), scored(1)], timeout_seconds=10, seconds_per_request=3.0)
    assert [request.timeout_seconds for request in played.sent] == [10.0, 6.5, 2.5]
    assert played.ranking == [(0, 1.0)]


def test_nothing_is_sent_after_the_deadline() -> None:
    played = play(toy(), ONE, [reply({}, 500)], timeout_seconds=10, seconds_per_request=10.0)
    assert isinstance(played.error, ProviderUnavailable)
    assert len(played.sent) == 1
    late = play(toy(), ONE, [], timeout_seconds=0)
    assert isinstance(late.error, TimedOut)
    assert late.sent == []


TOO_LONG = "Toy gave no complete answer within 2.5 seconds; pass a longer timeout="


def test_a_timeout_says_how_long_was_waited() -> None:
    played = play(toy(), ONE, [TimedOut("read timed out", seconds_waited=1.0)], timeout_seconds=2.5)
    assert isinstance(played.error, TimedOut)
    assert str(played.error) == TOO_LONG
    assert (played.error.provider, played.error.seconds_waited) == ("toy", 2.5)
    assert played.error.__cause__ is None


def test_a_timeout_while_waiting_ends_the_call() -> None:
    clock = Clock()

    def answer(request: HttpRequest) -> Answer:
        return reply({}, 503, {"retry-after": "1"})

    steps = rerank_exchange(
        Binding(toy(), Arguments(api_key=KEY), {}),
        RerankRequest("q", ["a"], model="m"),
        Rules(timeout_seconds=2.5, clock=clock),
    )
    request = next(steps)
    assert isinstance(request, HttpRequest)
    wait = steps.send(answer(request))
    clock.now += 100  # The machine slept.
    with pytest.raises(TimedOut, match=f"^{TOO_LONG}$"):
        steps.send(None)
    assert wait.seconds == 1.0  # type: ignore[union-attr]


def test_an_error_of_the_transport_is_told_with_the_provider() -> None:
    played = play(toy(), ONE, [ConnectFailed("no route to host", seconds_waited=1.0)], max_retries=0)
    assert isinstance(played.error, ConnectFailed)
    assert (str(played.error), played.error.provider, played.error.seconds_waited) == ("no route to host", "toy", 1.0)


def test_what_is_thrown_in_from_outside_comes_out_again() -> None:
    class Cancelled(BaseException):
        pass

    with pytest.raises(Cancelled):
        play(toy(), ONE, [Cancelled()])


def test_a_closed_exchange_says_nothing() -> None:
    steps = rerank_exchange(Binding(toy(), Arguments(api_key=KEY), {}), RerankRequest("q", ["a"], model="m"), Rules())
    next(steps)
    steps.close()


# Splitting


def split_spec(size: int, mode: str = "pointwise", **changes: Any) -> ProviderSpec:
    return toy(limits={"documents": size}, scoring={"scale": "probability", "mode": mode}, **changes)


def by_name(request: HttpRequest) -> HttpResponse:
    """A reply that scores document dN with N / 100, best first, and obeys top_n."""
    body = json.loads(request.body)
    items = [{"index": index, "score": int(text[1:]) / 100} for index, text in enumerate(body["documents"])]
    items.sort(key=lambda item: -item["score"])
    units = {"search_units": 1, "tokens": len(items)}
    return reply({"id": f"r-{body['documents'][0]}", "results": items[: body.get("top_n")], "units": units})


def test_more_documents_than_the_limit_are_split_and_merged() -> None:
    played = play(split_spec(4), {**ONE, "documents": letters(10)}, by_name)
    assert [body["documents"] for body in played.bodies] == [letters(10)[0:4], letters(10)[4:8], letters(10)[8:10]]
    assert played.together == [3]
    assert played.ranking == [(index, index / 100) for index in range(9, -1, -1)]
    assert played.response.id == "r-d0"


@pytest.mark.parametrize(("count", "sizes"), [(3, [3]), (4, [4]), (5, [4, 1]), (8, [4, 4]), (9, [4, 4, 1])])
def test_no_request_holds_more_than_the_limit(count: int, sizes: list[int]) -> None:
    played = play(split_spec(4), {**ONE, "documents": letters(count)}, by_name)
    assert [len(body["documents"]) for body in played.bodies] == sizes
    assert played.together == ([] if len(sizes) == 1 else [len(sizes)])
    assert sorted(index for index, _ in played.ranking) == list(range(count))


def test_top_n_is_cut_after_the_merge() -> None:
    played = play(split_spec(4), {**ONE, "documents": letters(10), "top_n": 3}, by_name)
    assert [body["top_n"] for body in played.bodies] == [3, 3, 2]
    assert [index for index, _ in played.ranking] == [9, 8, 7]


def test_returned_documents_are_those_of_the_whole_list() -> None:
    documents: list[Any] = [*letters(5), {"text": "d99", "own": True}]
    played = play(split_spec(2), {**ONE, "documents": documents, "return_documents": True, "top_n": 2}, by_name)
    first, second = played.response.results
    assert (first.index, first.document) == (5, documents[5])
    assert first.document is documents[5]
    assert (second.index, second.document) == (4, {"text": "d4"})


def test_ties_between_parts_are_ranked_by_the_whole_lists_index() -> None:
    played = play(split_spec(2), {**ONE, "documents": letters(5)}, [scored(1, 2), scored(2, 1), scored(1)])
    assert played.ranking == [(1, 2.0), (2, 2.0), (0, 1.0), (3, 1.0), (4, 1.0)]


def test_units_of_the_parts_are_added_up_and_warnings_told_once() -> None:
    mapping = {
        "results": "results[].{index: index, relevance_score: score}",
        "meta": {"billed_units": "units", "warnings": "warnings", "api_version": "version"},
    }
    spec = split_spec(
        2,
        response=mapping,
        models={"m": {"price": {"usd": 2, "per": 1000, "unit": "search_units", "read": "2026-11-20"}}},
    )
    played = play(
        spec,
        {**ONE, "documents": letters(5), "priority": 1},
        [
            scored(1, 2, units={"search_units": 1, "a": 1}, warnings=["old"]),
            scored(1, 2, units={"search_units": 2}, warnings=["old", "new"], version={"version": "2"}),
            scored(1, units={"search_units": 3, "b": 2}, version={"version": "3"}),
        ],
    )
    assert played.response.meta == {
        "api_version": {"version": "2"},
        "billed_units": {"search_units": 6, "a": 1, "b": 2},
        "cost": {"usd": 0.012, "estimated": False},
        "warnings": ["old", "new", "priority is not supported by toy and was ignored"],
    }


def test_too_many_documents_for_a_listwise_model_are_refused() -> None:
    played = play(split_spec(4, "listwise"), {**ONE, "documents": letters(5)})
    assert isinstance(played.error, RequestInvalid)
    assert str(played.error) == (
        "invalid request: documents: 5 are too many: toy takes 4 documents at a time, and they cannot be split over "
        "several requests without changing the ranking; send fewer"
    )
    assert played.sent == []


def test_as_many_as_the_limit_are_not_too_many_for_a_listwise_model() -> None:
    assert len(play(split_spec(4, "listwise"), {**ONE, "documents": letters(4)}, by_name).ranking) == 4


def test_one_part_that_breaks_the_contract_breaks_the_whole() -> None:
    played = play(split_spec(2), {**ONE, "documents": letters(4)}, [scored(1, 2), scored(1)])
    assert isinstance(played.error, ResponseInvalid)
    assert str(played.error) == "Toy answered 200 but the reply has 1 results where 2 were due"
    played = play(split_spec(2), {**ONE, "documents": letters(4)}, [scored(1, 2), scored(1, 2, 3)])
    assert str(played.error) == "Toy answered 200 but the reply has index 2, but 2 documents were sent: 0 to 1"


def test_each_part_is_tried_again_by_itself() -> None:
    answers = [reply({}, 500), scored(1, 2), reply({}, 500), reply({}, 500), scored(3)]
    played = play(split_spec(2), {**ONE, "documents": letters(3)}, answers)
    assert played.ranking == [(2, 3.0), (1, 2.0), (0, 1.0)]
    assert played.waits == [0.5, 0.5, 1.0]


def test_the_parts_share_the_deadline() -> None:
    played = play(
        split_spec(1), {**ONE, "documents": letters(3)}, [scored(1)] * 3, timeout_seconds=10, seconds_per_request=4.0
    )
    assert [request.timeout_seconds for request in played.sent] == [10.0, 6.0, 2.0]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            {"title": "t"},
            "documents[3]: has no text: give it a field 'text', or name the fields to rank in rank_fields",
        ),
        (
            {"text": "\ud83d"},
            "documents[3].text: holds half of a surrogate pair at character 0, which UTF-8 cannot carry",
        ),
    ],
    ids=["without text", "that cannot be sent"],
)
def test_nothing_is_sent_if_a_later_part_holds_a_document(document: Any, message: str) -> None:
    played = play(split_spec(2), {**ONE, "documents": ["a", "b", "c", document]})
    assert isinstance(played.error, RequestInvalid)
    assert str(played.error) == f"invalid request: {message}"
    assert played.sent == []


def test_positions_in_a_loop_are_those_of_the_request() -> None:
    body = {"items": {"$for": "document in documents", "$item": {"id": "{{ document.index | string }}"}}}
    spec = split_spec(2, request={"body": body})
    assert [
        body["items"] for body in play(spec, {**ONE, "documents": letters(3)}, [scored(1, 2), scored(1)]).bodies
    ] == [
        [{"id": "0"}, {"id": "1"}],
        [{"id": "0"}],
    ]


@given(st.integers(1, 12), st.integers(1, 30), st.integers(1, 40) | st.none(), st.data())
def test_a_split_call_ranks_as_one_that_is_not_split(
    size: int, count: int, top_n: int | None, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(count)))
    request = {**ONE, "documents": [f"d{number}" for number in order], "top_n": top_n}
    split, whole = (play(split_spec(limit), request, by_name) for limit in (size, 1000))
    assert split.response.results == whole.response.results
    assert [index for index, _ in whole.ranking] == sorted(range(count), key=lambda index: -order[index])[:top_n]


# Bytes


def byte_spec(limit: int, mode: str = "pointwise", documents: Any = "none") -> ProviderSpec:
    return toy(limits={"documents": documents, "request_bytes": limit}, scoring={"scale": "probability", "mode": mode})


def test_a_request_of_too_many_bytes_is_halved_until_each_fits() -> None:
    documents = [f"d{number:04}" for number in range(16)]
    limit = size_of(documents[:4])
    played = play(byte_spec(limit), {**ONE, "documents": documents}, by_name)
    assert [len(body["documents"]) for body in played.bodies] == [4, 4, 4, 4]
    assert all(len(request.body) <= limit for request in played.sent)
    assert [index for index, _ in played.ranking] == list(range(15, -1, -1))


def rising(request: HttpRequest) -> HttpResponse:
    """A reply in which each document scores its position in the request."""
    return scored(*range(len(json.loads(request.body)["documents"])))


def size_of(documents: list[str]) -> int:
    return len(orjson.dumps({"model": "m", "query": "q", "documents": documents}))


def test_halves_may_be_halved_unevenly() -> None:
    documents = ["d1" + "0" * 400, "d2", "d3", "d4", "d5", "d6"]
    played = play(byte_spec(size_of(documents[:3])), {**ONE, "documents": documents}, rising)
    assert [body["documents"] for body in played.bodies] == [documents[:3], documents[3:]]
    played = play(byte_spec(size_of(documents[:1])), {**ONE, "documents": documents}, rising)
    assert [body["documents"] for body in played.bodies] == [documents[:1], documents[1:3], documents[3:]]
    assert [index for index, _ in played.ranking] == [5, 2, 4, 0, 1, 3]


def test_bytes_and_not_characters_are_counted() -> None:
    limit = size_of(["😀", "a"])
    assert len(play(byte_spec(limit), {**ONE, "documents": ["😀", "a"]}, [scored(1, 2)]).sent) == 1
    assert len(play(byte_spec(limit - 1), {**ONE, "documents": ["😀", "a"]}, [scored(1), scored(2)]).sent) == 2


def test_both_limits_hold_at_once() -> None:
    documents = ["d1", "d2", "d3" + "0" * 200, "d4" + "0" * 200, "d5"]
    played = play(byte_spec(300, documents=2), {**ONE, "documents": documents}, rising)
    assert [body["documents"] for body in played.bodies] == [["d1", "d2"], [documents[2]], [documents[3]], ["d5"]]


def test_one_document_of_too_many_bytes_is_refused_by_its_position() -> None:
    played = play(byte_spec(100), {**ONE, "documents": ["a", "b", "x" * 200, "c"]})
    assert isinstance(played.error, RequestInvalid)
    assert str(played.error) == (
        "invalid request: documents[2]: makes a request of 242 bytes, but toy takes at most 100; shorten it"
    )
    assert played.sent == []


def test_too_many_bytes_for_a_listwise_model_are_refused() -> None:
    played = play(byte_spec(100, "listwise"), {**ONE, "documents": ["x" * 60, "y" * 60]})
    assert str(played.error) == (
        "invalid request: documents: 2 are too many: toy takes 100 bytes at a time, and this is 165, and they cannot "
        "be split over several requests without changing the ranking; send fewer"
    )
    assert played.sent == []


# Pages


PAGED: dict[str, Any] = {
    "request": {"body": {"documents": "{{ texts }}", "token": "{{ next_token }}"}},
    "response": {
        "results": "results[].{index: index, relevance_score: score}",
        "id": "id",
        "next_token": "next",
        "meta": {"tokens": "tokens"},
    },
}


def page(next_token: Any, *pairs: tuple[int, float], **more: Any) -> HttpResponse:
    return reply({"results": [{"index": index, "score": score} for index, score in pairs], "next": next_token, **more})


def test_pages_are_joined() -> None:
    played = play(
        toy(**PAGED),
        {**ONE, "documents": letters(3)},
        [page("t1", (2, 0.5), id="first"), page("t2", (0, 0.9), id="second"), page(None, (1, 0.1))],
    )
    assert played.ranking == [(0, 0.9), (2, 0.5), (1, 0.1)]
    assert played.response.id == "first"
    assert [body.get("token") for body in played.bodies] == [None, "t1", "t2"]
    assert played.together == []


def test_counts_of_pages_are_added_up() -> None:
    answers = [page("t", (0, 1), tokens={"input": 3}), page("", (1, 1), tokens={"input": 4, "other": 1})]
    assert play(toy(**PAGED), {**ONE, "documents": letters(2)}, answers).response.meta.tokens == {
        "input": 7,
        "other": 1,
    }


def test_a_page_may_be_empty() -> None:
    answers = [page("t"), page("u", (0, 1)), page(None)]
    assert play(toy(**PAGED), ONE, answers).ranking == [(0, 1.0)]


def test_a_page_is_tried_again() -> None:
    answers = [page("t", (0, 1)), reply({}, 500), page(None, (1, 2))]
    played = play(toy(**PAGED), {**ONE, "documents": letters(2)}, answers)
    assert [body.get("token") for body in played.bodies] == [None, "t", "t"]
    assert played.ranking == [(1, 2.0), (0, 1.0)]


def test_the_contract_holds_for_all_pages_together() -> None:
    request = {**ONE, "documents": letters(2)}
    played = play(toy(**PAGED), request, [page("t", (0, 1)), page(None, (0, 2))])
    assert str(played.error) == "Toy answered 200 but the reply has index 0 twice"
    played = play(toy(**PAGED), request, [page("t", (0, 1)), page(None)])
    assert str(played.error) == "Toy answered 200 but the reply has 1 results where 2 were due"


def test_a_page_that_leads_to_itself_is_no_endless_loop() -> None:
    played = play(toy(**PAGED), ONE, lambda request: page("same", (0, 1)))
    assert isinstance(played.error, ResponseInvalid)
    assert str(played.error) == ("Toy answered 200 but its pages do not end: page 2 leads to one that was read")
    assert len(played.sent) == 2


def test_pages_that_lead_in_a_circle_are_no_endless_loop() -> None:
    tokens = iter("abcabc")
    played = play(toy(**PAGED), ONE, lambda request: page(next(tokens)))
    assert str(played.error) == "Toy answered 200 but its pages do not end: page 4 leads to one that was read"


def test_ever_new_pages_are_no_endless_loop() -> None:
    numbers = iter(range(1000))
    played = play(toy(**PAGED), ONE, lambda request: page(f"t{next(numbers)}"))
    assert str(played.error) == "Toy answered 200 but its pages do not end: there are more than 100"
    assert len(played.sent) == 100


@pytest.mark.parametrize("token", [7, True, ["t"], {"t": 1}], ids=repr)
def test_a_token_that_is_no_text_is_invalid(token: Any) -> None:
    played = play(toy(**PAGED), ONE, [page(token, (0, 1))])
    assert isinstance(played.error, ResponseInvalid)
    assert (
        str(played.error)
        == f"Toy answered 200 but the token of its next page is no text: {orjson.dumps(token).decode()}"
    )


def test_a_page_without_a_list_of_results_breaks_the_contract() -> None:
    for odd in ({"index": 0, "score": 1}, "x", None):
        answers = [page("t", (0, 1)), reply({"results": odd, "next": None})]
        told = str(play(toy(**{**PAGED, "response": {**PAGED["response"], "results": "results"}}), ONE, answers).error)
        assert "has no list of results where the spec looks for one" in told or "has nothing as" in told


def test_the_time_of_a_call_begins_with_its_first_step() -> None:
    clock = Clock()
    exchange = rerank_exchange(
        Binding(toy(), Arguments(KEY), {}), validated(ONE), Rules(timeout_seconds=5, clock=clock)
    )
    clock.now += 10
    assert next(exchange).timeout_seconds == 5


def test_pages_of_parts_are_joined_part_by_part() -> None:
    spec = toy(**PAGED, limits={"documents": 2})
    answers = [page("t", (1, 0.4)), page(None, (0, 0.3)), page(None, (0, 0.9))]
    played = play(spec, {**ONE, "documents": letters(3)}, answers)
    assert played.ranking == [(2, 0.9), (1, 0.4), (0, 0.3)]


# top_n and what is due


BLIND = {"body": {"query": "{{ query }}", "documents": "{{ texts }}"}}


def test_a_provider_that_ignores_top_n_is_cut() -> None:
    assert play(toy(), {**ONE, "documents": letters(3), "top_n": 2}, [scored(1, 3, 2)]).ranking == [(1, 3.0), (2, 2.0)]
    played = play(toy(request=BLIND), {**ONE, "documents": letters(3), "top_n": 2}, [scored(1, 3, 2)])
    assert played.ranking == [(1, 3.0), (2, 2.0)]
    assert "top_n" not in played.bodies[0]


def test_a_top_n_larger_than_the_list_is_fine() -> None:
    played = play(toy(), {**ONE, "documents": letters(2), "top_n": 99}, [scored(1, 2)])
    assert played.bodies[0]["top_n"] == 2
    assert len(played.ranking) == 2


def test_a_provider_that_knows_top_n_may_send_as_many() -> None:
    assert play(toy(), {**ONE, "documents": letters(3), "top_n": 1}, [scored(1)]).ranking == [(0, 1.0)]
    played = play(toy(), {**ONE, "documents": letters(3), "top_n": 2}, [scored(1)])
    assert str(played.error) == "Toy answered 200 but the reply has 1 results where 2 were due"


def test_a_provider_that_does_not_know_top_n_must_rank_all() -> None:
    played = play(toy(request=BLIND), {**ONE, "documents": letters(3), "top_n": 1}, [scored(1)])
    assert str(played.error) == "Toy answered 200 but the reply has 1 results where 3 were due"


# Parameters that a provider does not know


def test_by_default_a_warning_tells_what_was_ignored() -> None:
    played = play(toy(), {**ONE, "priority": 1, "max_tokens_per_doc": 5}, [scored(1)])
    assert played.response.meta.warnings == [
        "max_tokens_per_doc is not supported by toy and was ignored",
        "priority is not supported by toy and was ignored",
    ]


def test_policy_error_sends_nothing() -> None:
    played = play(toy(), {**ONE, "priority": 1}, unsupported="error")
    assert str(played.error) == "invalid request: priority: is not supported by toy"
    assert played.sent == []


def test_policy_ignore_says_nothing() -> None:
    assert play(toy(), {**ONE, "priority": 1}, [scored(1)], unsupported="ignore").response.meta == {}


def test_policy_error_says_nothing_of_what_is_known() -> None:
    assert play(toy(), {**ONE, "top_n": 1}, [scored(1)], unsupported="error").response.meta == {}


# Extra


def test_extra_is_merged_into_the_body() -> None:
    spec = toy(request={"body": {"query": "{{ query }}", "parameters": {"top_n": "{{ top_n }}"}}})
    extra = {"truncate": "end", "parameters": {"x": None}}
    played = play(spec, {**ONE, "top_n": 1, "extra": extra}, [scored(1)])
    assert played.bodies == [{"query": "q", "truncate": "end", "parameters": {"top_n": 1, "x": None}}]
    assert extra == {"truncate": "end", "parameters": {"x": None}}


def test_extra_goes_into_every_part() -> None:
    played = play(split_spec(2), {**ONE, "documents": letters(3), "extra": {"x": 1}}, by_name)
    assert [body["x"] for body in played.bodies] == [1, 1]


def test_extra_cannot_change_what_the_spec_sends() -> None:
    played = play(toy(), {**ONE, "extra": {"query": "other"}})
    assert str(played.error) == "invalid request: extra.query: is a field that the spec of toy sends itself"
    assert played.sent == []


def test_extra_goes_where_the_body_names_it_and_nowhere_else() -> None:
    spec = toy(request={"body": {"query": "{{ query }}", "options": "{{ extra }}", "seed": "{{ extra.seed }}"}})
    assert play(spec, {**ONE, "extra": {"seed": 7, "query": "x"}}, [scored(1)]).bodies == [
        {"query": "q", "options": {"seed": 7, "query": "x"}, "seed": 7}
    ]
    assert play(spec, ONE, [scored(1)]).bodies == [{"query": "q"}]


def test_extra_has_no_place_in_a_list() -> None:
    spec = toy(request={"body": [{"query": "{{ query }}"}]})
    assert play(spec, ONE, [scored(1)]).bodies == [[{"query": "q"}]]
    played = play(spec, {**ONE, "extra": {"a": 1}})
    assert str(played.error) == "invalid request: extra: cannot be added: what toy is sent is no object here"


def test_an_empty_extra_is_nothing() -> None:
    assert play(toy(request={"body": ["{{ query }}"]}), {**ONE, "extra": {}}, [scored(1)]).bodies == [["q"]]


# Meta


def with_meta(price: dict[str, Any] | None = None, **meta: Any) -> ProviderSpec:
    mapping = {"results": "results[].{index: index, relevance_score: score}", "meta": meta}
    price = {"usd": 2.0, "per": 1000, "unit": "search_units", "read": "2026-11-20", **(price or {})}
    return toy(response=mapping, models={"m": {"price": price}, "free": {}})


COSTS = [
    ("told", {}, 1, {"search_units": 3}, {"usd": 0.006, "estimated": False}),
    ("told as zero", {}, 1, {"search_units": 0}, {"usd": 0.0, "estimated": False}),
    ("estimated for one document", {}, 1, None, {"usd": 0.002, "estimated": True}),
    ("estimated for a hundred documents", {}, 100, None, {"usd": 0.002, "estimated": True}),
    ("estimated for a hundred and one", {}, 101, {"other": 1}, {"usd": 0.004, "estimated": True}),
    (
        "by another unit",
        {"usd": 0.05, "per": 1_000_000, "unit": "tokens"},
        1,
        {"tokens": 42},
        {"usd": 2.1e-06, "estimated": False},
    ),
    ("by another unit that is not told", {"unit": "tokens"}, 1, {"search_units": 1}, None),
    ("rounded", {"usd": 0.1, "per": 3}, 1, {"search_units": 1}, {"usd": 0.0333333333, "estimated": False}),
    ("free", {"usd": 0}, 1, {"search_units": 1}, {"usd": 0.0, "estimated": False}),
    ("beyond any number", {"per": 1}, 1, {"search_units": 1.7e308}, None),
]


@pytest.mark.parametrize(("price", "count", "units", "cost"), [pytest.param(*case[1:], id=case[0]) for case in COSTS])
def test_the_cost_is(price: dict[str, Any], count: int, units: Any, cost: Any) -> None:
    played = play(
        with_meta(price, billed_units="units"),
        {**ONE, "documents": letters(count)},
        [scored(*[1] * count, units=units)],
    )
    assert played.response.meta.cost == cost


def test_an_estimate_counts_the_documents_of_all_parts() -> None:
    spec = toy(
        limits={"documents": 150},
        models={"m": {"price": {"usd": 2, "per": 1000, "unit": "search_units", "read": "2026-11-20"}}},
    )
    played = play(spec, {**ONE, "documents": letters(250)}, by_name)
    assert played.response.meta.cost == {"usd": 0.006, "estimated": True}


def test_a_model_without_a_price_has_no_cost() -> None:
    played = play(with_meta(billed_units="units"), {**ONE, "model": "free"}, [scored(1, units={"search_units": 1})])
    assert played.response.meta == {"billed_units": {"search_units": 1}}


def test_counts_may_be_mapped_one_by_one_and_those_that_are_absent_left_out() -> None:
    spec = with_meta(tokens={"input_tokens": "usage.prompt", "output_tokens": "usage.nothing"}, billed_units="nothing")
    played = play(spec, {**ONE, "model": "free"}, [scored(1, usage={"prompt": 7})])
    assert played.response.meta == {"tokens": {"input_tokens": 7}}


def test_a_count_that_is_no_number_is_left_out_and_told() -> None:
    spec = with_meta(billed_units="units", tokens={"input_tokens": "usage"})
    played = play(spec, {**ONE, "model": "free"}, [scored(1, units={"search_units": "1", "a": 2}, usage=True)])
    assert played.response.meta == {
        "billed_units": {"a": 2},
        "warnings": [
            "toy gave no number for billed_units search_units, which is left out",
            "toy gave no number for tokens input_tokens, which is left out",
        ],
    }


WARNINGS: list[tuple[str, Any, list[str]]] = [
    ("a list", ["a", "b", "a"], ["a", "b"]),
    ("one text", "a", ["a"]),
    ("objects", [{"code": 1}, 7, None], ['{"code":1}', "7"]),
    ("one object", {"code": 1}, ['{"code":1}']),
    ("nothing", None, []),
    ("an empty list", [], []),
    ("an empty text", "", []),
    ("a key", [f"trial key {KEY}"], ["trial key ***"]),
]


@pytest.mark.parametrize(("told", "warnings"), [pytest.param(*case[1:], id=case[0]) for case in WARNINGS])
def test_the_providers_warnings_are_told_from(told: Any, warnings: list[str]) -> None:
    played = play(with_meta(warnings="warnings"), {**ONE, "model": "free"}, [scored(1, warnings=told)])
    assert played.response.meta == ({"warnings": warnings} if warnings else {})


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"version": "2", "is_deprecated": False}, {"version": "2", "is_deprecated": False}),
        ({"version": 2}, None),
        ("2", None),
        (None, None),
    ],
)
def test_the_version_is_told_if_it_is_one(told: Any, expected: Any) -> None:
    played = play(with_meta(api_version="version"), {**ONE, "model": "free"}, [scored(1, version=told)])
    assert played.response.meta.api_version == expected


def test_meta_may_come_from_headers() -> None:
    spec = with_meta(billed_units={"search_units": "to_number(header('X-Units'))"})
    body = {"results": [{"index": 0, "score": 1}]}
    assert play(spec, {**ONE, "model": "free"}, [reply(body, headers={"x-units": "3"})]).response.meta == {
        "billed_units": {"search_units": 3}
    }


# Replies that break the contract


def test_a_mapping_that_does_not_fit_the_reply_is_told_with_its_expression() -> None:
    spec = toy(response={"results": "sort_by(results, &score)"})
    played = play(spec, ONE, [reply({"results": 7})])
    assert isinstance(played.error, ResponseInvalid)
    assert str(played.error).startswith("Toy answered 200 but 'sort_by(results, &score)' does not fit its reply: ")
    assert (played.error.provider, played.error.expression) == ("toy", "sort_by(results, &score)")
    assert played.error.excerpt == '{"results":7}'


def test_a_broken_contract_is_told_with_the_expression_and_an_excerpt() -> None:
    played = play(toy(), ONE, [reply({"results": [{"index": 5, "score": 1}], "key": KEY, "more": "x" * 5000})])
    error = played.error
    assert isinstance(error, ResponseInvalid)
    assert str(error) == "Toy answered 200 but the reply has index 5, but 1 documents were sent: 0 to 0"
    assert error.expression == "results[].{index: index, relevance_score: score}"
    assert error.excerpt.startswith('{"results":[{"index":5,"score":1}],"key":"***","more":"xxx')
    assert len(error.excerpt) == 303


def test_a_reply_that_is_nested_deeper_than_can_be_written_is_told_all_the_same() -> None:
    deep = HttpResponse(200, {}, b'{"more": ' + b"[" * 400 + b"]" * 400 + b', "results": 7}')
    error = play(toy(), ONE, [deep]).error
    assert isinstance(error, ResponseInvalid)
    assert error.excerpt == "(nested too deeply to be shown)"


@pytest.mark.parametrize("body", [None, {}, [], "x", 7, {"results": None}, {"results": {}}], ids=repr)
def test_a_reply_without_results_is_invalid(body: Any) -> None:
    assert isinstance(play(toy(), ONE, [reply(body)]).error, ResponseInvalid)


SECRET_REPLIES = [
    ("as index", {"results": [{"index": KEY, "score": 1}]}),
    ("as score", {"results": [{"index": 0, "score": KEY}]}),
    ("as results", {"results": KEY}),
    ("where it does not fit", {"results": [{"index": 0, "score": 1}], "n": KEY}),
    ("at the end of the excerpt", {"pad": "x" * 280 + KEY}),
    ("as next page", {"results": [], "next": {"a": KEY}}),
]


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in SECRET_REPLIES])
def test_a_key_that_a_broken_reply_holds_is_hidden(body: Any) -> None:
    spec = toy(
        response={
            "results": "results[].{index: index, relevance_score: score} || results",
            "meta": {"tokens": {"n": "n && abs(n)"}},
            "next_token": "next",
        }
    )
    error = play(spec, ONE, [reply(body)]).error
    assert isinstance(error, ResponseInvalid)
    shown = f"{error} {error!r} {vars(error)}"
    assert not any(KEY[:length] in shown for length in range(6, len(KEY) + 1))


@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_a_key_that_an_error_reply_echoes_is_hidden(status: int) -> None:
    for arguments in (Arguments(api_key=KEY), Arguments(headers={"Authorization": f"Bearer {KEY}"})):
        played = play(
            toy(),
            ONE,
            [reply({"error": {"message": f"bad {KEY}", "code": KEY}}, status, {"location": KEY})],
            arguments=arguments,
            max_retries=0,
        )
        assert isinstance(played.error, ProviderError)
        assert played.error.provider_message == "bad ***"
        assert KEY not in f"{played.error} {played.error!r} {vars(played.error)}"


def test_a_key_in_the_query_is_hidden_in_both_spellings() -> None:
    spec = toy(auth={"kind": "query", "name": "k", "key": {"env": ["K"]}})
    played = play(
        spec, ONE, [reply({"message": "no /r?k=a%2Fb%3D nor a/b="}, 400)], arguments=Arguments(api_key="a/b=")
    )
    assert str(played.error) == "Toy answered 400: no /r?k=*** nor ***"


# Order of checks


def test_a_missing_setting_is_told_before_a_missing_key() -> None:
    spec = toy(settings={"region": {"description": "Region"}})
    assert isinstance(play(spec, ONE, arguments=Arguments()).error, SettingMissing)


def test_a_missing_model_is_told_first() -> None:
    played = play(toy(settings={"region": {"description": "Region"}}), {"query": "q", "documents": ["a"]})
    assert str(played.error) == "invalid request: model: toy needs a model: write toy/MODEL"


def test_parts_are_exchanges_that_a_driver_may_run_at_once() -> None:
    binding = Binding(split_spec(1), Arguments(api_key=KEY), {})
    steps = rerank_exchange(binding, RerankRequest("q", ["a", "b", "c"], model="m"), Rules())
    together = next(steps)
    assert isinstance(together, Together)
    first, second, third = together.exchanges
    for one in (third, first, second):
        assert isinstance(next(one), HttpRequest)
    outcomes = {}
    for name, one, score in (("second", second, 0.2), ("third", third, 0.3), ("first", first, 0.1)):
        with pytest.raises(StopIteration) as stop:
            one.send(scored(score))
        outcomes[name] = stop.value.value
    with pytest.raises(StopIteration) as stop:
        steps.send([outcomes["first"], outcomes["second"], outcomes["third"]])
    assert [(result.index, result.relevance_score) for result in stop.value.value.results] == [
        (2, 0.3),
        (1, 0.2),
        (0, 0.1),
    ]


def test_an_error_of_a_part_thrown_into_the_whole_comes_out_of_it() -> None:
    binding = Binding(split_spec(1), Arguments(api_key=KEY), {})
    steps = rerank_exchange(binding, RerankRequest("q", ["a", "b"], model="m"), Rules())
    next(steps)
    error = ConnectFailed("x")
    with pytest.raises(ConnectFailed) as caught:
        steps.throw(error)
    assert caught.value is error


def test_a_binding_serves_several_calls() -> None:
    binding = Binding(toy(), Arguments(api_key=KEY), {})
    for query in ("one", "two"):
        steps = rerank_exchange(binding, RerankRequest(query, ["a"], model=query), Rules())
        request = next(steps)
        assert isinstance(request, HttpRequest)
        assert json.loads(request.body)["model"] == json.loads(request.body)["query"] == query


# Anything at all

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["results", "index", "score", "next", "units", "warnings", "id", "raw"]), inner
        )
    ),
    max_leaves=15,
)
ANYTHING = toy(
    request=PAGED["request"],
    response={
        "results": "results[].{index: index, relevance_score: sigmoid(score), raw_score: raw} || "
        "enumerate(results)[].{index: index, relevance_score: value}",
        "id": "id",
        "next_token": "next",
        "meta": {"billed_units": "units", "tokens": {"n": "sum(units)"}, "warnings": "warnings", "api_version": "id"},
    },
)


@given(st.lists(json_values, min_size=1, max_size=3))
def test_any_reply_makes_a_whole_response_or_one_of_our_errors(bodies: list[Any]) -> None:
    played: Played = play(ANYTHING, {**ONE, "documents": letters(2)}, [*map(reply, bodies), *[page(None)] * 5])
    if played.failure is not None:
        assert isinstance(played.failure, ResponseInvalid)
        return
    assert sorted(index for index, _ in played.ranking) == [0, 1]
    assert all(math.isfinite(score) for _, score in played.ranking)
    assert json.loads(json.dumps(played.response, allow_nan=False)) == played.response


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ({"latency": "{{ extra.latency }}"}, {"latency": "low", "other": 1}),
        ({"options": "{{ extra }}"}, {"options": {"latency": "low", "other": 1}}),
        (
            {"options": {"all": "{{ extra }}", "one": "{{ extra.latency }}"}},
            {"options": {"all": {"latency": "low", "other": 1}, "one": "low"}},
        ),
        ({"a": 1}, {"a": 1, "latency": "low", "other": 1}),
    ],
    ids=["one member", "whole", "both", "not at all"],
)
def test_no_member_of_extra_is_lost(body: dict[str, Any], sent: dict[str, Any]) -> None:
    spec = toy(request={"body": {"q": "{{ query }}", "d": "{{ texts }}", **body}})
    played = play(spec, {**ONE, "documents": ["a"], "extra": {"latency": "low", "other": 1}}, [scored(1)])
    assert json.loads(played.sent[0].body) == {"q": ONE["query"], "d": ["a"], **sent}
