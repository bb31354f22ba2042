"""What a reply says: a body to map, or one of our errors."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stepping import KEY, reply, toy

from rankspec.errors import (
    AuthenticationRejected,
    ConnectFailed,
    ProviderError,
    ProviderUnavailable,
    RankspecError,
    RateLimited,
    RequestInvalid,
    RequestRejected,
    ResponseInvalid,
    TimedOut,
    TransportError,
)
from rankspec.models import HttpResponse
from rankspec.replies import KINDS, excerpt, is_retryable, read_error
from rankspec.resources import read_schema
from rankspec.specs import ProviderSpec

TOY = toy()
CHECK = " (check the key: TOY_API_KEY, TOY_KEY, or what was passed)"


def error_of(response: HttpResponse, spec: ProviderSpec = TOY, secrets: tuple[str, ...] = ()) -> RankspecError:
    error, body = read_error(spec, response, secrets)
    assert body is None
    assert error is not None
    return error


def provider_error_of(response: HttpResponse, spec: ProviderSpec = TOY, secrets: tuple[str, ...] = ()) -> ProviderError:
    error = error_of(response, spec, secrets)
    assert isinstance(error, ProviderError)
    return error


def test_every_kind_of_the_schema_has_a_class() -> None:
    kinds = read_schema("provider_spec")["properties"]["errors"]["properties"]["kinds"]["additionalProperties"]["enum"]
    assert set(KINDS) == set(kinds)


# Success


@pytest.mark.parametrize("status", [200, 201, 202, 299])
def test_a_success_gives_its_body(status: int) -> None:
    assert read_error(TOY, reply({"a": 1}, status), ()) == (None, {"a": 1})


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b' \r\n{"a": 1}\n', {"a": 1}),
        (b"null", None),
        (b"[1, 2]", [1, 2]),
        (b'"text"', "text"),
        (b"0", 0),
        (b"<", None),
    ][:-1],
    ids=["byte order mark", "white space", "null", "list", "text", "zero"],
)
def test_a_success_may_be_any_json(raw: bytes, body: Any) -> None:
    assert read_error(TOY, HttpResponse(200, {}, raw), ()) == (None, body)


def test_the_content_type_of_a_success_does_not_matter() -> None:
    response = reply({"a": 1}, headers={"content-type": "text/html"})
    assert read_error(TOY, response, ()) == (None, {"a": 1})


CUT_OFF = "Toy answered 200 with a body that is not JSON, or was cut off"
HTML = "Toy answered 200 with an HTML page where JSON was due; is the base URL that of the API?"
EMPTY = "Toy answered 200 with an empty body"
NOT_JSON = [
    ("truncated JSON", b'{"results": [{"index"', {}, CUT_OFF),
    ("NaN", b'{"a": NaN}', {}, CUT_OFF),
    ("Infinity", b'{"a": -Infinity}', {}, CUT_OFF),
    ("single quotes", b"{'a': 1}", {}, CUT_OFF),
    ("two values", b"{} {}", {}, CUT_OFF),
    ("half a surrogate pair", b'"\\ud800"', {}, CUT_OFF),
    ("bytes that are not UTF-8", b'{"a": "\xff"}', {}, CUT_OFF),
    ("UTF-16", '{"a": 1}'.encode("utf-16"), {}, CUT_OFF),
    ("a very deep list", b"[" * 5000 + b"]" * 5000, {}, CUT_OFF),
    ("server-sent events", b"data: {}\n\n", {"content-type": "text/event-stream"}, CUT_OFF),
    ("text", b"OK", {"content-type": "text/plain"}, CUT_OFF),
    ("HTML", b"<html>", {}, HTML),
    ("HTML after white space", b"\n  <!DOCTYPE html>", {}, HTML),
    ("HTML by its type", b"Please log in", {"content-type": "text/html; charset=utf-8"}, HTML),
    ("HTML by its type in capitals", b"Please log in", {"content-type": "Text/HTML"}, HTML),
    ("nothing", b"", {}, EMPTY),
    ("white space", b" \r\n", {"content-type": "text/html"}, EMPTY),
]


@pytest.mark.parametrize(("raw", "headers", "message"), [pytest.param(*case[1:], id=case[0]) for case in NOT_JSON])
def test_a_success_that_is_no_json_is_invalid(raw: bytes, headers: dict[str, str], message: str) -> None:
    error = error_of(HttpResponse(200, headers, raw))
    assert type(error) is ResponseInvalid
    assert str(error) == message
    assert error.provider == "toy"
    assert not is_retryable(error)


def test_an_empty_success_without_content_is_invalid() -> None:
    assert str(error_of(HttpResponse(204, {}, b""))) == "Toy answered 204 with an empty body"


def test_an_invalid_success_is_shown_in_part_on_one_line_and_without_secrets() -> None:
    error = error_of(HttpResponse(200, {}, f"a\n  b {KEY} ".encode() + b"x" * 5000), secrets=(KEY,))
    assert isinstance(error, ResponseInvalid)
    assert error.excerpt == f"a b *** {'x' * 292}..."


# Redirects


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308, 399])
def test_a_redirect_is_an_error_that_is_not_tried_again(status: int) -> None:
    response = HttpResponse(status, {"location": "https://user:pw@evil.example/x?key=1", "x-request-id": "r"}, b"")
    error = provider_error_of(response)
    assert type(error) is ProviderError
    assert str(error) == (
        f"Toy answered {status}, a redirect to evil.example, which is not followed because the request carries a key; "
        "check the base URL"
    )
    assert (error.provider, error.status, error.request_id) == ("toy", status, "r")
    assert not is_retryable(error)


@pytest.mark.parametrize(
    "headers",
    [{}, {"location": ""}, {"location": "/elsewhere"}, {"location": "https://[::1"}, {"location": "http://[x]/"}],
    ids=["no location", "an empty one", "a path", "an open bracket", "brackets around a name"],
)
def test_a_redirect_to_nowhere_names_no_host(headers: dict[str, str]) -> None:
    assert str(error_of(HttpResponse(302, headers, b""))) == (
        "Toy answered 302, a redirect, which is not followed because the request carries a key; check the base URL"
    )


def test_a_redirect_does_not_show_the_key() -> None:
    error = error_of(HttpResponse(302, {"location": f"https://{KEY}.example/"}, b""), secrets=(KEY,))
    assert KEY not in str(error)


# Kinds


STATUSES = [
    (400, RequestRejected),
    (401, AuthenticationRejected),
    (402, AuthenticationRejected),
    (403, AuthenticationRejected),
    (404, RequestRejected),
    (405, RequestRejected),
    (408, ProviderUnavailable),
    (409, RequestRejected),
    (413, RequestRejected),
    (415, RequestRejected),
    (418, RequestRejected),
    (422, RequestRejected),
    (424, ProviderUnavailable),
    (425, ProviderUnavailable),
    (429, RateLimited),
    (431, RequestRejected),
    (451, RequestRejected),
    (497, RequestRejected),
    (498, ProviderUnavailable),
    (499, ProviderUnavailable),
    (500, ProviderUnavailable),
    (501, ProviderUnavailable),
    (502, ProviderUnavailable),
    (503, ProviderUnavailable),
    (504, ProviderUnavailable),
    (520, ProviderUnavailable),
    (529, ProviderUnavailable),
    (599, ProviderUnavailable),
]


@pytest.mark.parametrize(("status", "kind"), STATUSES)
def test_a_status_is_of_a_kind(status: int, kind: type[ProviderError]) -> None:
    error = provider_error_of(reply({"message": "no"}, status))
    assert type(error) is kind
    assert str(error) == f"Toy answered {status}: no" + (CHECK if kind is AuthenticationRejected else "")
    assert error.provider_message == "no"
    assert (error.status, error.provider, error.code) == (status, "toy", None)
    assert is_retryable(error) is (kind in (RateLimited, ProviderUnavailable))


KINDS_OF_TOY = {
    "429": "request",
    "418": "rate_limit",
    "quota": "rate_limit",
    "Auth*": "authentication",
    "AuthServer*": "unavailable",
    "*": "request",
}
BY_CODE = [
    ("a code", 400, "quota", RateLimited),
    ("a status", 418, None, RateLimited),
    ("a status against the usual reading", 429, None, RequestRejected),
    ("a code against its status", 401, "quota", RateLimited),
    ("a family of codes", 400, "AuthExpired", AuthenticationRejected),
    ("the longest family of codes", 400, "AuthServerDown", ProviderUnavailable),
    ("a family against a status", 418, "AuthExpired", AuthenticationRejected),
    ("the family of all codes", 500, "other", RequestRejected),
    ("no code, the usual reading", 500, None, ProviderUnavailable),
    ("a code that is a number", 500, 429, RequestRejected),
]


@pytest.mark.parametrize(("status", "code", "kind"), [pytest.param(*case[1:], id=case[0]) for case in BY_CODE])
def test_a_spec_may_say_the_kind_by(status: int, code: Any, kind: type[ProviderError]) -> None:
    spec = toy(errors={"message": ["message"], "code": ["code"], "kinds": KINDS_OF_TOY})
    error = provider_error_of(reply({"message": "no", "code": code}, status), spec)
    assert type(error) is kind
    assert error.code == (None if code is None else str(code))


def test_the_status_in_the_body_is_the_one_to_judge_by() -> None:
    spec = toy(errors={"message": ["message"], "status": ["a.status", "status"]})
    for told, status in ((401, 401), ("429", 429), ("x", 500), (700, 500), (None, 500), (True, 500), (404.5, 500)):
        error = provider_error_of(reply({"message": "no", "status": told}, 500), spec)
        assert error.status == status
        assert str(error).startswith(f"Toy answered {status}: no")


def test_the_code_may_come_from_a_header() -> None:
    spec = toy(errors={"code": ["error.code", "header('X-Amzn-ErrorType')"]})
    error = provider_error_of(reply({}, 400, {"x-amzn-errortype": "ValidationException"}), spec)
    assert error.code == "ValidationException"


# Errors inside a success


WHEN = {
    "in_success": "error_code || errors",
    "code": ["error_code"],
    "message": ["error_msg"],
    "kinds": {"17": "rate_limit"},
}


def test_an_error_inside_a_success_is_an_error() -> None:
    error = provider_error_of(reply({"error_code": 17, "error_msg": "daily limit"}), toy(errors=WHEN))
    assert type(error) is RateLimited
    assert str(error) == "Toy answered 200 with an error: daily limit"
    assert (error.status, error.code, error.provider_message) == (200, "17", "daily limit")


def test_an_error_inside_a_success_of_no_known_kind_is_not_tried_again() -> None:
    error = provider_error_of(reply({"error_code": 99, "error_msg": "odd"}), toy(errors=WHEN))
    assert type(error) is ProviderError
    assert not is_retryable(error)


def test_the_status_inside_a_success_gives_the_kind() -> None:
    spec = toy(errors={"in_success": "status >= `400`", "status": ["status"], "message": ["detail"]})
    error = provider_error_of(reply({"status": 503, "detail": "busy"}), spec)
    assert type(error) is ProviderUnavailable
    assert str(error) == "Toy answered 200 with an error: busy"
    assert read_error(spec, reply({"status": 200}), ()) == (None, {"status": 200})


@pytest.mark.parametrize("value", [None, False, "", [], {}], ids=repr)
def test_what_is_false_to_jmespath_is_no_error(value: Any) -> None:
    spec = toy(errors={"in_success": "error"})
    assert read_error(spec, reply({"error": value}), ()) == (None, {"error": value})


@pytest.mark.parametrize("value", [0, True, "x", [None], {"a": None}], ids=repr)
def test_what_is_true_to_jmespath_is_an_error(value: Any) -> None:
    assert type(error_of(reply({"error": value}), toy(errors={"in_success": "error"}))) is ProviderError


def test_a_condition_that_does_not_fit_the_reply_does_not_hold() -> None:
    spec = toy(errors={"in_success": "sum(results) > `1`"})
    assert read_error(spec, reply({"results": ["a"]}), ()) == (None, {"results": ["a"]})


# Messages


MESSAGE = {"message": ["error.message", "detail[0].msg", "detail", "message"]}
MESSAGES = [
    ("the first path", {"error": {"message": "one"}, "message": "two"}, "one"),
    ("a later path", {"message": "two"}, "two"),
    ("a later path, the first being blank", {"error": {"message": "  "}, "message": "two"}, "two"),
    ("a later path, the first being no text", {"error": {"message": {"a": 1}}, "message": "two"}, "two"),
    ("a path into a list", {"detail": [{"msg": "field required"}]}, "field required"),
    ("a text where a list may be", {"detail": "Not Found"}, "Not Found"),
    ("on one line", {"message": " a\n\t b\r\n"}, "a b"),
    ("long, in part", {"message": "x" * 500}, "x" * 300 + "..."),
    ("just short enough", {"message": "x" * 300}, "x" * 300),
    ("the plain body", {"other": "x"}, '{"other": "x"}'),
    ("the plain list", [1], "[1]"),
    ("the text of a JSON text", "just text", "just text"),
    ("the plain number", 7, "7"),
    ("the plain null", None, "null"),
]


@pytest.mark.parametrize(("body", "message"), [pytest.param(*case[1:], id=case[0]) for case in MESSAGES])
def test_the_message_is(body: Any, message: str) -> None:
    error = provider_error_of(reply(body, 500), toy(errors=MESSAGE))
    assert error.provider_message == message
    assert str(error) == f"Toy answered 500: {message}"


PLAIN = [
    ("plain text", b"upstream\n connect error", {}, "", "upstream connect error"),
    ("truncated JSON", b'{"message": "x', {}, "", '{"message": "x'),
    ("HTML", b"<html><h1>502</h1></html>", {}, "Bad Gateway", "an HTML page"),
    ("HTML by its type", b"502", {"content-type": "text/html"}, "", "502"),
    ("JSON of another type", b'{"a": 1}', {"content-type": "text/html"}, "", '{"a": 1}'),
    ("nothing, with a reason", b"", {}, "Slow Down", "Slow Down"),
    ("nothing, without a reason", b"", {}, "", "Bad Gateway"),
    ("white space", b" \n", {}, "", "Bad Gateway"),
    ("bytes that are not UTF-8", b"caf\xe9", {}, "", "caf\ufffd"),
    ("one quotation mark", b'"', {}, "", '"'),
]


@pytest.mark.parametrize(
    ("raw", "headers", "reason", "message"), [pytest.param(*case[1:], id=case[0]) for case in PLAIN]
)
def test_without_a_message_there_is(raw: bytes, headers: dict[str, str], reason: str, message: str) -> None:
    error = provider_error_of(HttpResponse(502, headers, raw, reason))
    assert error.provider_message == message


def test_a_status_without_a_name_and_a_body_has_no_message() -> None:
    assert str(error_of(HttpResponse(599, {}, b""))) == "Toy answered 599: no message"


def test_a_refused_key_is_told_with_all_variables_once() -> None:
    auth = [
        {"kind": "header", "name": "k", "key": {"env": ["TOY_API_KEY", "TOY_KEY"]}, "when": "{{ model == 'x' }}"},
        {"kind": "bearer", "key": {"env": ["TOY_KEY", "OTHER_KEY"]}},
    ]
    assert str(error_of(reply({"message": "no"}, 401), toy(auth=auth))) == (
        "Toy answered 401: no (check the key: TOY_API_KEY, TOY_KEY, OTHER_KEY, or what was passed)"
    )
    assert str(error_of(reply({"message": "no"}, 401), toy(auth={"kind": "none"}))) == "Toy answered 401: no"


@pytest.mark.parametrize(
    "name", ["x-request-id", "request-id", "x-amzn-requestid", "x-ms-request-id", "apim-request-id"]
)
def test_the_id_of_the_request_is_kept(name: str) -> None:
    assert provider_error_of(reply({}, 500, {name: "r-1"})).request_id == "r-1"


# Secrets


ECHOES = [
    ("in the message", {"error": {"message": f"bad key {KEY}"}}),
    ("in the code", {"error": {"code": KEY, "message": "no"}}),
    ("in the plain body", {"sent": {"key": KEY}}),
    ("at the end of what is shown of the message", {"message": "x" * 290 + KEY}),
    ("at the end of what is shown of the code", {"error": {"code": "x" * 290 + KEY, "message": "no"}}),
    ("at the end of what is shown of the body", {"a": "x" * 280 + KEY}),
    ("with white space before it", {"message": " \n" * 500 + KEY}),
]


@pytest.mark.parametrize("status", [200, 400, 401, 500])
@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in ECHOES])
def test_a_key_that_the_provider_echoes_is_hidden(status: int, body: Any) -> None:
    spec = toy(errors={"message": ["error.message", "message"], "code": ["error.code"], "in_success": "`true`"})
    error = provider_error_of(reply(body, status), spec, (KEY,))
    shown = f"{error} {error!r} {vars(error)}"
    assert not any(KEY[:length] in shown for length in range(6, len(KEY) + 1))


@pytest.mark.parametrize("size", range(270, 300, 3))
def test_a_key_at_the_end_of_an_excerpt_is_hidden(size: int) -> None:
    error = error_of(HttpResponse(200, {}, b"x" * size + KEY.encode() + b"y" * 900), secrets=(KEY,))
    assert isinstance(error, ResponseInvalid)
    assert KEY[:6] not in error.excerpt


def test_a_key_far_behind_white_space_is_hidden() -> None:
    error = error_of(HttpResponse(200, {}, b" " * 1190 + KEY.encode() * 3), secrets=(KEY,))
    assert isinstance(error, ResponseInvalid)
    assert KEY[:6] not in error.excerpt


def test_a_key_in_a_header_of_the_reply_or_its_reason_is_hidden() -> None:
    error = provider_error_of(HttpResponse(502, {"x-request-id": f"r-{KEY}"}, b"", f"bad {KEY}"), secrets=(KEY,))
    assert (error.request_id, error.provider_message) == ("r-***", "bad ***")


def test_a_password_that_json_escapes_is_hidden() -> None:
    password = 'pa"ss\\word'
    error = provider_error_of(reply({"sent": password}, 400), secrets=(password,))
    assert error.provider_message == '{"sent": "***"}'


def test_an_excerpt_is_the_beginning_on_one_line() -> None:
    assert excerpt(b"a \n b") == "a b"
    assert excerpt(b"x" * 10_000) == "x" * 300 + "..."
    assert excerpt(b"\xff") == "\ufffd"


# Retry-After


NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


def at(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


WAITS = [
    ("seconds", {"retry-after": "7"}, 7.0),
    ("a fraction", {"retry-after": "0.5"}, 0.5),
    ("zero", {"retry-after": "0"}, 0.0),
    ("with spaces", {"retry-after": " 7 "}, 7.0),
    ("milliseconds", {"retry-after-ms": "1500"}, 1.5),
    ("milliseconds before seconds", {"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
    ("seconds, the milliseconds being odd", {"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
    ("a date by the provider's clock", {"retry-after": at(30), "date": at(0)}, 30.0),
    ("a date that has passed", {"retry-after": at(-30), "date": at(0)}, 0.0),
    ("a date in the old form", {"retry-after": "Friday, 20-Nov-26 12:00:05 GMT", "date": at(0)}, 5.0),
    ("a date with an offset", {"retry-after": "Fri, 20 Nov 2026 13:00:05 +0100", "date": at(0)}, 5.0),
    ("a negative number", {"retry-after": "-7"}, None),
    ("NaN", {"retry-after": "nan"}, None),
    ("infinity", {"retry-after": "inf"}, None),
    ("more than a lifetime", {"retry-after": "1e9"}, None),
    ("text", {"retry-after": "soon"}, None),
    ("nothing", {"retry-after": ""}, None),
    ("half a date", {"retry-after": "Fri, 20 Nov"}, None),
    ("an impossible date", {"retry-after": "Fri, 99 Nov 2026 12:00:00 GMT", "date": at(0)}, None),
    ("no header", {}, None),
]


@pytest.mark.parametrize(("headers", "seconds"), [pytest.param(*case[1:], id=case[0]) for case in WAITS])
@pytest.mark.parametrize("status", [429, 503])
def test_the_time_to_wait_is_read_from(headers: dict[str, str], seconds: float | None, status: int) -> None:
    assert provider_error_of(reply({}, status, headers)).retry_after_seconds == seconds


def test_a_date_is_read_by_our_clock_if_the_providers_is_odd_or_absent() -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    for headers in ({"retry-after": in_a_minute}, {"retry-after": in_a_minute, "date": "today"}):
        seconds = provider_error_of(reply({}, 429, headers)).retry_after_seconds
        assert seconds is not None
        assert 50 < seconds <= 60


def test_the_time_to_wait_may_be_in_the_body_where_no_header_tells_it() -> None:
    spec = toy(errors={"retry_after_seconds": ["error.wait", "header('x-ratelimit-reset')"]})
    assert provider_error_of(reply({"error": {"wait": 3}}, 429), spec).retry_after_seconds == 3.0
    assert provider_error_of(reply({"error": {"wait": "2.5"}}, 429), spec).retry_after_seconds == 2.5
    assert provider_error_of(reply({}, 429, {"x-ratelimit-reset": "4"}), spec).retry_after_seconds == 4.0
    assert provider_error_of(reply({"error": {"wait": 3}}, 429, {"retry-after": "9"}), spec).retry_after_seconds == 9.0
    assert provider_error_of(reply({"error": {"wait": -3}}, 429), spec).retry_after_seconds is None
    assert provider_error_of(reply({"error": {"wait": True}}, 429), spec).retry_after_seconds is None


def test_a_reply_of_another_shape_than_the_spec_knows_is_still_an_error_with_its_text() -> None:
    spec = toy(
        errors={
            "message": ["join(', ', errors)"],
            "code": ["to_number(code) + `1`" if False else "length(code)"],
            "status": ["length(status)"],
            "retry_after_seconds": ["sum(wait)"],
        }
    )
    error = provider_error_of(reply({"errors": 7, "code": 1, "status": True, "wait": ["x"]}, 500), spec)
    assert type(error) is ProviderUnavailable
    assert error.provider_message == '{"errors": 7, "code": 1, "status": true, "wait": ["x"]}'
    assert (error.code, error.retry_after_seconds) == (None, None)


# Retries


RETRYABLE = [
    (RateLimited("x"), True),
    (ProviderUnavailable("x"), True),
    (ConnectFailed("x"), True),
    (TransportError("x"), True),
    (TimedOut("x"), False),
    (AuthenticationRejected("x"), False),
    (RequestRejected("x"), False),
    (ProviderError("x"), False),
    (ResponseInvalid("x"), False),
    (RequestInvalid([]), False),
    (ValueError("x"), False),
]


@pytest.mark.parametrize(("error", "retryable"), RETRYABLE, ids=lambda value: type(value).__name__)
def test_what_may_succeed_a_little_later_is_tried_again(error: Exception, retryable: bool) -> None:
    assert is_retryable(error) is retryable


# Anything at all


header_text = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40)


@given(
    st.integers(100, 599),
    st.binary(max_size=60)
    | st.sampled_from([b"{}", b"[]", b'{"error": {"message": "x", "code": 1}}', b"<x>", b"null"]),
    st.dictionaries(
        st.sampled_from(["retry-after", "retry-after-ms", "date", "location", "content-type", "x-request-id"]),
        header_text | st.sampled_from([at(0), at(9e9), "Fri, 31 Dec 9999 23:59:59 -2359", "9" * 400, "//[", "0001"]),
    ),
)
def test_any_reply_is_a_body_or_one_of_our_errors(status: int, raw: bytes, headers: dict[str, str]) -> None:
    error, _ = read_error(TOY, HttpResponse(status, headers, raw), (KEY,))
    assert error is None or isinstance(error, RankspecError)
    if not 200 <= status < 300:
        assert isinstance(error, ProviderError)
        assert error.retry_after_seconds is None or error.retry_after_seconds >= 0
        assert str(copy.copy(error)) == str(error)
