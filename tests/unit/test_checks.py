"""Examples are replayed through a real call, and whatever goes otherwise than they say is a finding."""

from __future__ import annotations

from typing import Any

import pytest
from stepping import KEY, TOY, toy, toy_text

from rankspec.checks import MADE_ID, replay, replay_examples, run_offline
from rankspec.models import HttpRequest, HttpResponse, Together, Wait
from rankspec.strict_yaml import read_yaml

SENDS: dict[str, Any] = {
    "method": "POST",
    "url": "https://api.toy.example/v1/rerank",
    "headers": {"Authorization": "Bearer <key>", "content-type": "application/json"},
    "body": {"model": "m", "query": "q", "documents": ["a", "b"]},
}
REPLY: dict[str, Any] = {
    "status": 200,
    "body": {"id": "r-1", "results": [{"index": 0, "score": 0.5}, {"index": 1, "score": 1}]},
}
RETURNS: dict[str, Any] = {
    "id": "r-1",
    "results": [{"index": 1, "relevance_score": 1.0}, {"index": 0, "relevance_score": 0.5}],
    "meta": {},
}
PLAIN: dict[str, Any] = {
    "title": "plain",
    "request": {"model": "m", "query": "q", "documents": ["a", "b"]},
    "sends": SENDS,
    "reply": REPLY,
    "returns": RETURNS,
}


def differences(example: dict[str, Any], **changes: Any) -> list[str]:
    """What goes otherwise than the example says, as `path: message`."""
    found = replay(toy(**changes), example)
    return [".".join(map(str, path)) + ": " + message for path, message in found]


def failing(status: int = 429, **raises: Any) -> dict[str, Any]:
    """An example of a refusal."""
    body = {"error": {"message": "slow down", "code": "limit"}}
    reply = {"status": status, "headers": {"Retry-After": "2"}, "body": body}
    expected = {"error": "RateLimited", "message": "slow down", **raises}
    return {**{key: PLAIN[key] for key in ("title", "request", "sends")}, "reply": reply, "raises": expected}


def test_an_example_that_goes_as_it_says_has_no_differences() -> None:
    assert differences(PLAIN) == []


def test_an_id_made_here_is_not_expected() -> None:
    reply = {"status": 200, "body": {"results": REPLY["body"]["results"]}}
    returns = {key: value for key, value in RETURNS.items() if key != "id"}
    assert differences({**PLAIN, "reply": reply, "returns": returns}) == []
    assert differences({**PLAIN, "reply": reply}) == ["returns.id: returns no id"]


SENT_OTHERWISE = [
    ("method", {"method": "PUT"}, ["sends.method: sends POST, not PUT"]),
    (
        "url",
        {"url": "https://api.toy.example/v2/rerank"},
        ["sends.url: sends to https://api.toy.example/v1/rerank, not https://api.toy.example/v2/rerank"],
    ),
    ("a missing header", {"headers": {"X-A": "*"}}, ["sends.headers.X-A: the header X-A is not sent"]),
    (
        "another header",
        {"headers": {"authorization": "Token *"}},
        ["sends.headers.authorization: the header authorization is 'Bearer <key>', not 'Token *'"],
    ),
    ("a wildcard", {"headers": {"AUTHORIZATION": "B*er <key>"}}, []),
    ("no headers", {"headers": {}}, []),
    (
        "case of a header's value",
        {"headers": {"Authorization": "bearer <key>"}},
        ["sends.headers.Authorization: the header Authorization is 'Bearer <key>', not 'bearer <key>'"],
    ),
    ("another value", {"body": {**SENDS["body"], "query": "Q"}}, ['sends.body.query: sends "q", not "Q"']),
    ("a missing member", {"body": {**SENDS["body"], "top_n": 1}}, ["sends.body.top_n: sends no top_n"]),
    (
        "a member too many",
        {"body": {"model": "m", "documents": ["a", "b"]}},
        ['sends.body: sends query: "q", which is not in the example'],
    ),
    (
        "several members too many, in the order sent",
        {"body": {}},
        [
            'sends.body: sends model: "m", which is not in the example',
            'sends.body: sends query: "q", which is not in the example',
            'sends.body: sends documents: ["a","b"], which is not in the example',
        ],
    ),
    (
        "inside a list",
        {"body": {**SENDS["body"], "documents": ["a", "c"]}},
        ['sends.body.documents.1: sends "b", not "c"'],
    ),
    (
        "a shorter list",
        {"body": {**SENDS["body"], "documents": ["a"]}},
        ['sends.body.documents: sends ["a","b"], not ["a"]'],
    ),
    ("a list for a text", {"body": {**SENDS["body"], "model": ["m"]}}, ['sends.body.model: sends "m", not ["m"]']),
]


@pytest.mark.parametrize(("changes", "found"), [pytest.param(*case[1:], id=case[0]) for case in SENT_OTHERWISE])
def test_a_difference_of_the_request(changes: dict[str, Any], found: list[str]) -> None:
    assert differences({**PLAIN, "sends": {**SENDS, **changes}}) == found


RETURNED_OTHERWISE = [
    ("a score", {"results": [{"index": 1, "relevance_score": 0.9}, RETURNS["results"][1]]}, ["returns.results.0.relevance_score: returns 1.0, not 0.9"]),
    ("an integer for a float is the same", {"results": [{"index": 1, "relevance_score": 1}, RETURNS["results"][1]]}, []),
    ("true is not 1", {"results": [{"index": True, "relevance_score": 1.0}, RETURNS["results"][1]]}, ["returns.results.0.index: returns 1, not true"]),
    ("null is not 1", {"results": [{"index": None, "relevance_score": 1.0}, RETURNS["results"][1]]}, ["returns.results.0.index: returns 1, not null"]),
    ("order", {"results": RETURNS["results"][::-1]}, ["returns.results.0.index: returns 1, not 0", "returns.results.0.relevance_score: returns 1.0, not 0.5", "returns.results.1.index: returns 0, not 1", "returns.results.1.relevance_score: returns 0.5, not 1.0"]),
    ("a document", {"results": [{**RETURNS["results"][0], "document": {"text": "b"}}, RETURNS["results"][1]]}, ["returns.results.0.document: returns no document"]),
    ("meta", {"meta": {"tokens": {"n": 1}}}, ["returns.meta.tokens: returns no tokens"]),
    ("another id", {"id": "r-2"}, ['returns.id: returns "r-1", not "r-2"']),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "found"), [pytest.param(*case[1:], id=case[0]) for case in RETURNED_OTHERWISE])
def test_a_difference_of_the_response(changes: dict[str, Any], found: list[str]) -> None:
    assert differences({**PLAIN, "returns": {**RETURNS, **changes}}) == found


def test_a_warning_that_the_example_does_not_have_is_a_difference() -> None:
    example = {**PLAIN, "request": {**PLAIN["request"], "priority": 1}}
    assert differences(example) == [
        'returns.meta: returns warnings: ["priority is not supported by toy and was ignored"], '
        "which is not in the example"
    ]


def test_an_error_that_is_raised_as_expected_has_no_differences() -> None:
    assert differences(failing(code="limit", retry_after_seconds=2)) == []


RAISED_OTHERWISE = [
    ("another class", {"error": "RequestRejected"}, ["raises.error: raises RateLimited, not RequestRejected: Toy answered 429: slow down"]),
    ("the root", {"error": "ProviderError"}, ["raises.error: raises RateLimited, not ProviderError: Toy answered 429: slow down"]),
    ("another message", {"message": "down"}, ["raises.message: the message is 'slow down', not 'down'"]),
    ("another code", {"code": "other"}, ["raises.code: code is 'limit', not 'other'"]),
    ("another wait", {"retry_after_seconds": 3}, ["raises.retry_after_seconds: retry_after_seconds is 2.0, not 3"]),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "found"), [pytest.param(*case[1:], id=case[0]) for case in RAISED_OTHERWISE])
def test_a_difference_of_the_error(changes: dict[str, Any], found: list[str]) -> None:
    assert differences(failing(**changes)) == found


def test_an_error_found_here_must_hold_the_words() -> None:
    example = {"title": "t", "request": {"query": "", "documents": ["a"]}}
    raises = {"error": "RequestInvalid", "message": "must not be empty"}
    assert differences({**example, "raises": raises}) == []
    (found,) = differences({**example, "raises": {**raises, "message": "something else"}})
    assert found.startswith("raises.message: the text is 'invalid request: query: must not be empty")
    assert found.endswith("', which does not hold 'something else'")


def test_an_error_instead_of_a_response_is_a_difference() -> None:
    example = {**PLAIN, "reply": {"status": 500, "body": {"message": "oops"}}}
    assert differences(example) == ["returns: raises ProviderUnavailable: Toy answered 500: oops"]


def test_a_response_instead_of_an_error_is_a_difference() -> None:
    (found,) = differences({**failing(), "reply": REPLY})
    assert found.startswith("raises: nothing is raised; the call returns {'id': 'r-1', 'results': [")


def test_a_request_that_is_not_sent_is_a_difference() -> None:
    example = {**PLAIN, "request": {"model": "m", "query": "", "documents": ["a"]}}
    found = differences(example)
    assert found[0].startswith("returns: raises RequestInvalid: ")
    assert found[1:] == ["sends: 0 requests are sent, not 1"]


def test_a_request_that_the_example_does_not_have_is_a_difference() -> None:
    example = {"title": "t", "request": PLAIN["request"], "raises": {"error": "SettingMissing", "message": "x"}}
    assert differences(example) == [
        "sends: a request is sent that the example does not have: POST https://api.toy.example/v1/rerank"
    ]


def test_no_retry_is_made() -> None:
    assert differences(failing(503, error="ProviderUnavailable")) == []


SPLIT: dict[str, Any] = {
    "title": "split",
    "request": {"model": "m", "query": "q", "documents": ["a", "b", "c"]},
    "sends": [
        {**SENDS, "body": {"model": "m", "query": "q", "documents": ["a", "b"]}},
        {**SENDS, "body": {"model": "m", "query": "q", "documents": ["c"]}},
    ],
    "reply": [
        {"status": 200, "body": {"results": [{"index": 0, "score": 3}, {"index": 1, "score": 1}]}},
        {"status": 200, "body": {"results": [{"index": 0, "score": 2}]}},
    ],
    "returns": {
        "results": [
            {"index": 0, "relevance_score": 3},
            {"index": 2, "relevance_score": 2},
            {"index": 1, "relevance_score": 1},
        ],
        "meta": {},
    },
}


def test_several_requests_are_compared_in_order() -> None:
    assert differences(SPLIT, limits={"documents": 2}) == []
    swapped = {**SPLIT, "sends": SPLIT["sends"][::-1]}
    assert differences(swapped, limits={"documents": 2}) == [
        'sends.0.body.documents: sends ["a","b"], not ["c"]',
        'sends.1.body.documents: sends ["c"], not ["a","b"]',
    ]


def test_fewer_requests_than_the_example_has_are_a_difference() -> None:
    found = differences(SPLIT)
    assert found[0] == 'sends.0.body.documents: sends ["a","b","c"], not ["a","b"]'
    assert found[-1] == "sends: 1 requests are sent, not 2"


@pytest.mark.parametrize(
    ("replies", "count"), [(SPLIT["reply"][0], 1), ([*SPLIT["reply"], REPLY], 3)], ids=["one reply", "three replies"]
)
def test_there_is_one_reply_for_each_request(replies: Any, count: int) -> None:
    found = differences({**SPLIT, "reply": replies}, limits={"documents": 2})
    assert found == [f"reply: has {count} replies for 2 requests"]


def test_settings_the_base_url_and_missing_secrets_are_the_examples() -> None:
    spec: dict[str, Any] = {
        "settings": {"region": {"description": "r"}},
        "endpoint": {"base_url": "https://{{ settings.region }}.example", "path": "/r"},
        "auth": {"kind": "bearer", "key": {"env": ["K"], "optional": True}},
    }
    sends = {**SENDS, "url": "https://x.example/r"}
    assert differences({**PLAIN, "settings": {"region": "x"}, "sends": sends}, **spec) == []
    sends = {**SENDS, "url": "https://y.example/z/r"}
    example = {**PLAIN, "settings": {"region": "x"}, "api_base": "https://y.example/z", "sends": sends}
    assert differences(example, **spec) == []
    assert differences({**example, "without": ["key"]}, **spec) == [
        "sends.headers.Authorization: the header Authorization is not sent"
    ]
    missing = {"title": "t", "request": PLAIN["request"], "raises": {"error": "SettingMissing", "message": "region"}}
    assert differences(missing, **spec) == []


def test_a_missing_key_is_told_as_it_would_be() -> None:
    example = {"title": "t", "request": PLAIN["request"], "without": ["key"]}
    raises = {"error": "CredentialMissing", "message": "Toy needs a key: set TOY_API_KEY or TOY_KEY, or pass api_key="}
    assert differences({**example, "raises": raises}) == []


def test_the_environment_plays_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOY_API_KEY", KEY)
    monkeypatch.setenv("TOY_API_BASE", "https://elsewhere.example")
    assert differences(PLAIN) == []


def test_a_reply_may_be_text_that_is_no_json() -> None:
    example = {**failing(), "reply": {"status": 502, "text": "Bad\nGateway"}}
    example["raises"] = {"error": "ProviderUnavailable", "message": "Bad Gateway"}
    assert differences(example) == []


def test_a_spec_whose_template_fails_has_a_difference_and_no_crash() -> None:
    endpoint = {"base_url": "https://h.example", "path": "/r", "headers": {"X": "{{ model - 1 }}"}}
    found = differences(PLAIN, endpoint=endpoint)
    assert found[0].startswith("returns: raises RequestInvalid: ")
    assert found[1:] == ["sends: 0 requests are sent, not 1"]


def test_findings_stand_at_the_line_of_the_expectation() -> None:
    wrong = {**PLAIN, "title": "wrong", "sends": {**SENDS, "body": {**SENDS["body"], "query": "Q"}}}
    worse = {**PLAIN, "title": "worse", "returns": {**RETURNS, "meta": {"tokens": {}}}}
    text = toy_text(examples=[PLAIN, wrong, worse])
    spec = toy(examples=[PLAIN, wrong, worse])
    lines = text.splitlines()
    found = list(replay_examples(spec, read_yaml(text, "toy.yaml")))
    assert [(one.code, one.path, one.message) for one in found] == [
        ("example-differs", ("examples", 1, "sends", "body", "query"), 'wrong: sends "q", not "Q"'),
        ("example-differs", ("examples", 2, "returns", "meta", "tokens"), "worse: returns no tokens"),
    ]
    assert ['"query": "Q"' in lines[found[0].line - 1], '"tokens": {}' in lines[found[1].line - 1]] == [True, True]
    assert [lines[one.line - 1][one.column - 1 :].rstrip(",") for one in found] == ['"Q"', "{}"]


def test_a_spec_without_examples_has_no_findings() -> None:
    assert "examples" not in TOY
    assert list(replay_examples(toy(), read_yaml(toy_text(), "toy.yaml"))) == []


def test_steps_are_answered_without_waiting() -> None:
    def part(number: int) -> Any:
        response = yield HttpRequest("POST", f"https://h.example/{number}", {}, b"")
        return response.status + number

    def whole() -> Any:
        assert (yield Wait(1e9)) is None
        return (yield Together([part(1), part(2)]))

    seen = []

    def answer(request: HttpRequest) -> HttpResponse:
        seen.append(request.url)
        return HttpResponse(200, {}, b"")

    assert run_offline(whole(), answer) == [201, 202]
    assert seen == ["https://h.example/1", "https://h.example/2"]


def test_the_made_id_is_no_id_of_a_provider() -> None:
    assert MADE_ID == "(made here)"
