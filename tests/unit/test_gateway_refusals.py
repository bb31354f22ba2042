"""What a caller is told of an error: the right status, and nothing that is none of a caller's business."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rankspec import errors
from rankspec.errors import (
    AuthenticationRejected,
    ConfigInvalid,
    ConnectFailed,
    CredentialMissing,
    ExtraMissing,
    ProviderError,
    ProviderUnavailable,
    RankspecError,
    RateLimited,
    RequestInvalid,
    RequestRejected,
    ResponseInvalid,
    SettingMissing,
    SpecInvalid,
    SpecNotFound,
    TimedOut,
    TransportError,
)
from rankspec.gateway.refusals import Busy, ModelNotFound, Refused, refusal_of, shown
from rankspec.models import Finding, Problem
from rankspec.parameters import validated

SECRET = "sk-live-7Hq2mZ81kPw04Rt"
HOSTILE = f"POST https://rerank.internal.corp:8443/v2/rerank?key={SECRET} failed in /srv/app/main.py with key {SECRET}"
FINDING = Finding("error", "yaml-unreadable", "/etc/rankspec/own.yaml", 1, 1, (), HOSTILE)

ERRORS: list[tuple[RankspecError, int]] = [
    (RequestInvalid([Problem(("top_n",), "must be 1 or more, not 0")]), 400),
    (RequestRejected(HOSTILE, provider="p", status=400, provider_message=HOSTILE, message_is_mapped=True), 400),
    (RequestRejected(HOSTILE, provider="p", status=413, provider_message=HOSTILE, message_is_mapped=True), 413),
    (RequestRejected(HOSTILE, provider="p", status=422, provider_message=HOSTILE, message_is_mapped=True), 422),
    (RequestRejected(HOSTILE, provider="p", status=498, provider_message=HOSTILE, message_is_mapped=True), 498),
    (RequestRejected(HOSTILE, provider="p", status=409, provider_message=HOSTILE, message_is_mapped=True), 400),
    (RequestRejected(HOSTILE, provider="p", status=404, provider_message=HOSTILE, message_is_mapped=True), 500),
    (RequestRejected(HOSTILE, provider="p", status=405, provider_message=HOSTILE, message_is_mapped=True), 500),
    (SpecNotFound(HOSTILE, name=HOSTILE), 404),
    (ModelNotFound("m"), 404),
    (Busy("m", 2.5), 429),
    (RateLimited(HOSTILE, provider="p", status=429, provider_message=HOSTILE), 429),
    (ProviderUnavailable(HOSTILE, provider="p", status=500, provider_message=HOSTILE), 503),
    (ConnectFailed(HOSTILE), 503),
    (TransportError(HOSTILE), 503),
    (TimedOut(HOSTILE), 504),
    (AuthenticationRejected(HOSTILE, provider="p", status=401, provider_message="invalid api token"), 500),
    (CredentialMissing(HOSTILE, provider="p", name="key", variables=("P_API_KEY",)), 500),
    (SettingMissing(HOSTILE, provider="p", name="region", variables=("P_REGION",)), 500),
    (SpecInvalid([FINDING]), 500),
    (ConfigInvalid([FINDING]), 500),
    (ExtraMissing("async", HOSTILE), 500),
    (ResponseInvalid(HOSTILE, provider="p", excerpt=HOSTILE), 500),
    (ProviderError(HOSTILE, provider="p", status=302, provider_message=HOSTILE), 500),
    (RankspecError(HOSTILE), 500),
]
CASES = pytest.mark.parametrize(("error", "status"), ERRORS, ids=lambda value: type(value).__name__)


@CASES
def test_every_error_has_a_status_of_coheres(error: RankspecError, status: int) -> None:
    assert refusal_of(error).status == status


def every_kind(of: type[RankspecError]) -> Iterator[type[RankspecError]]:
    yield of
    for kind in of.__subclasses__():
        yield from every_kind(kind)


def test_no_class_of_errors_is_left_out_above() -> None:
    tried = {type(error) for error, _ in ERRORS} | {Refused}
    ours = {kind for kind in every_kind(RankspecError) if kind.__module__ == errors.__name__}
    assert ours <= tried


@CASES
def test_no_message_gives_away_a_url_a_path_or_a_key(error: RankspecError, status: int) -> None:
    told = refusal_of(error).message
    for part in ("sk-live", "7Hq2", "http", "internal", "8443", "/srv", "main.py", "/v2", "/etc", "own.yaml", "P_API"):
        assert part not in told
    assert len(told) <= 300


def test_a_refusal_of_our_key_does_not_look_like_one_of_the_callers() -> None:
    for error, _ in ERRORS:
        if isinstance(error, AuthenticationRejected | CredentialMissing):
            told = refusal_of(error).message.lower()
            assert not any(word in told for word in ("key", "token", "credential", "unauthorized", "permission"))


@pytest.mark.parametrize(
    ("told", "expected"),
    [(None, 1.0), (0.0, 0.0), (7.2, 7.2)],
    ids=["not told", "at once", "seconds"],
)
def test_a_rate_limit_says_when_to_come_back(told: float | None, expected: float) -> None:
    assert refusal_of(RateLimited("m", retry_after_seconds=told)).retry_after_seconds == expected


def test_an_outage_says_when_to_come_back_if_the_provider_did() -> None:
    assert refusal_of(ProviderUnavailable("m", retry_after_seconds=30)).retry_after_seconds == 30
    assert refusal_of(ProviderUnavailable("m")).retry_after_seconds is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"query": "q", "documents": []}, "list of documents must not be empty"),
        ({"query": "q"}, "list of documents must not be empty"),
        ({"query": " ", "documents": ["a"]}, "query must not be empty or be only whitespace"),
        ({"documents": ["a"]}, "query must not be empty or be only whitespace"),
        ({"query": "q", "documents": ["a", "", "b"]}, "document at index 1 cannot be empty"),
        ({"query": "q", "documents": [{}]}, "document at index 0 cannot be empty"),
        (
            {"query": "q", "documents": ["a"], "rank_fields": []},
            "rank_fields cannot be empty, it must either contain at least one field or be omitted",
        ),
        ({"query": "q", "documents": ["a"], "top_n": 0}, "top_n: must be 1 or more, not 0"),
        (
            {"query": 7, "documents": "a"},
            "documents: must be a list, not the text 'a'; query: must be text, not the number 7",
        ),
        ({"query": "q", "documents": ["a", 7]}, "documents[1]: must be text or an object, not the number 7"),
    ],
    ids=lambda value: value if isinstance(value, str) else "values",
)
def test_what_is_wrong_with_a_request_is_told_in_coheres_words(values: dict[str, object], message: str) -> None:
    with pytest.raises(RequestInvalid) as caught:
        validated(values)
    assert refusal_of(caught.value).message == f"invalid request: {message}"


def test_of_many_problems_some_are_told() -> None:
    with pytest.raises(RequestInvalid) as caught:
        validated({"query": "q", "documents": [""] * 1000})
    told = "; ".join(f"document at index {index} cannot be empty" for index in range(5))
    assert refusal_of(caught.value).message == f"invalid request: {told}; and 995 more"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("top_k must be at most 100", "top_k must be at most 100"),
        ("model rerank-v3.5 takes and/or: 1.5 of 2", "model rerank-v3.5 takes and/or: 1.5 of 2"),
        (
            "documents.0.text: jina-reranker-v2-base-multilingual reads 1024 tokens",
            "documents.0.text: jina-reranker-v2-base-multilingual reads 1024 tokens",
        ),
        ("see https://docs.example.com/errors?x=1 for more", "see *** for more"),
        ("see docs.example.com/errors.", "see ***"),
        ("upstream 10.0.0.7:8080 refused, [fe80::1]:80 too", "upstream *** refused, *** too"),
        ("no route to backend-7.rerank.svc:8080", "no route to ***"),
        ("ask ops@example.com", "ask ***"),
        ("cannot open /var/lib/model.bin, C:\\models\\a.bin or \\\\host\\share", "cannot open ***, *** or ***"),
        ("Bearer abc.def is wrong", "*** is wrong"),
        ("Incorrect API key provided: abcdef", "Incorrect API key***"),
        ("key sk-proj-**** is wrong", "key *** is wrong"),
        ("id 123e4567-e89b-12d3-a456-426614174000", "id ***"),
        ("token 9f86d081884c7d659a2feaa0c55ad015", "token ***"),
        ("token AbC1234567890dEfGhIjKl==", "token ***"),
        ("<html><body>Bad Gateway</body></html>", ""),
        ('{"detail": [{"loc": ["body"]}]}', ""),
        ("an HTML page", ""),
        (" \n ", ""),
        ("two\nlines", "two lines"),
        ("a" * 50 + " b" * 300, "a" * 50 + " b" * 123 + " ..."),
    ],
)
def test_a_providers_message_is_shown_without_what_gives_it_away(message: str, expected: str) -> None:
    assert shown(message) == expected


def test_a_provider_that_does_not_say_why_is_quoted_with_nothing() -> None:
    error = RequestRejected("m", status=400, provider_message='{"detail": "secret"}', message_is_mapped=True)
    told = refusal_of(error)
    expected = (400, "invalid request: the model's provider refused it, and does not say why")
    assert (told.status, told.message) == expected


def test_a_text_that_is_no_message_of_the_specs_is_not_passed_on() -> None:
    error = RequestRejected("m", status=400, provider_message="nginx on rack 7 says no")
    assert refusal_of(error).message == "invalid request: the model's provider refused it, and does not say why"
    error.message_is_mapped = True
    assert refusal_of(error).message == "nginx on rack 7 says no"
