"""What can go wrong between a call and its answer: each is one of our errors, the same from every client."""

from __future__ import annotations

import gzip
import json
import socket
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from callers import CALLERS, KEY, Caller, failure_of, outcome_of
from loopback import Behaviour, Peer, Seen, Server, broken, refusing_host, reply

from rankspec import (
    AuthenticationRejected,
    ConnectFailed,
    ProviderError,
    ProviderUnavailable,
    RankspecError,
    RateLimited,
    RequestInvalid,
    RequestRejected,
    ResponseInvalid,
    TransportError,
)
from rankspec.transports import limits

GOOD = {"id": "r-1", "results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]}
GOOD_JSON = json.dumps(GOOD).encode()


def call(server: Server | str, **others: Any) -> dict[str, Any]:
    """The arguments of a call to a server."""
    base = server if isinstance(server, str) else server.url
    given = {"model": "cohere/rerank-v3.5", "query": "q", "documents": ["a", "b"], "api_key": KEY, "api_base": base}
    return {"max_retries": 0, "timeout": 5, **given, **others}


@dataclass(frozen=True)
class Fault:
    """What the server does, and what becomes of it. `{host}` in the text is the server's address."""

    behaviour: Behaviour
    error: type[RankspecError]
    text: str
    attributes: dict[str, Any] = field(default_factory=dict)


BROKE_OFF = "the connection to {host} broke off before the reply was complete: "
CHECK = "; check the address and the network"
CUT_OFF = BROKE_OFF + "the reply ended early or is not HTTP" + CHECK
RESET = BROKE_OFF + "Connection reset by peer" + CHECK
BAD_COMPRESSION = BROKE_OFF + "the reply's compression is broken" + CHECK
NOT_JSON = "Cohere answered 200 with a body that is not JSON, or was cut off"
KEY_HINT = " (check the key: COHERE_API_KEY, CO_API_KEY, or what was passed)"
OF_PROVIDER: dict[str, Any] = {"code": None, "retry_after_seconds": None, "request_id": None}


def _reset(peer: Peer, seen: Seen) -> None:
    peer.reset()


def _reset_within_the_body(peer: Peer, seen: Seen) -> None:
    peer.send(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"results": ')
    peer.pause(0.05)  # What a reset overtakes is lost.
    peer.reset()


NO_COMPLETE_REPLY = {
    "the connection is closed before the reply": Fault(broken(""), TransportError, CUT_OFF),
    "the connection is reset before the reply": Fault(_reset, TransportError, RESET),
    "the connection is reset within the body": Fault(_reset_within_the_body, TransportError, RESET),
    "the connection is closed within the status": Fault(broken("HTTP/1.1 20"), TransportError, CUT_OFF),
    "the body is shorter than its length": Fault(
        broken("HTTP/1.1 200 OK\nContent-Length: 999\n\n", GOOD_JSON), TransportError, CUT_OFF
    ),
    "a chunk is shorter than its length": Fault(
        broken("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nfff\n", GOOD_JSON), TransportError, CUT_OFF
    ),
    "the chunks do not end": Fault(
        broken(f"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n{len(GOOD_JSON):x}\n", GOOD_JSON + b"\r\n"),
        TransportError,
        CUT_OFF,
    ),
    "the size of a chunk is no number": Fault(
        broken("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nzz\n", GOOD_JSON), TransportError, CUT_OFF
    ),
    "the server speaks another protocol": Fault(broken("SSH-2.0-OpenSSH_9.9\n"), TransportError, CUT_OFF),
    "the server speaks TLS": Fault(broken("", b"\x15\x03\x01\x00\x02\x02\x16"), TransportError, CUT_OFF),
    "the server answers without headers": Fault(broken("", GOOD_JSON), TransportError, CUT_OFF),
    "the status is no status": Fault(broken("HTTP/1.1 99 OK\nContent-Length: 2\n\n{}"), TransportError, CUT_OFF),
    "there are very many headers": Fault(
        broken("HTTP/1.1 200 OK\n" + "X-A: b\n" * 200 + "Content-Length: 2\n\n{}"), TransportError, CUT_OFF
    ),
    "two lengths contradict each other": Fault(
        broken("HTTP/1.1 200 OK\nContent-Length: 2\nContent-Length: 3\n\n{}}"), TransportError, CUT_OFF
    ),
    "the compression is broken": Fault(
        reply(GOOD_JSON, headers={"Content-Encoding": "gzip"}), TransportError, BAD_COMPRESSION
    ),
}

BAD_REPLY = {
    "a page of HTML": Fault(
        reply("<!doctype html><p>Welcome", headers={"Content-Type": "text/html"}),
        ResponseInvalid,
        "Cohere answered 200 with an HTML page where JSON was due; is the base URL that of the API?",
        {"expression": None, "excerpt": "<!doctype html><p>Welcome"},
    ),
    "JSON that is cut off": Fault(
        reply('{"results": [{"index": 0'),
        ResponseInvalid,
        NOT_JSON,
        {"expression": None, "excerpt": '{"results": [{"index": 0'},
    ),
    "a score that is NaN": Fault(
        reply('{"results": [{"index": 0, "relevance_score": NaN}]}'),
        ResponseInvalid,
        NOT_JSON,
        {"expression": None, "excerpt": '{"results": [{"index": 0, "relevance_score": NaN}]}'},
    ),
    "an empty body": Fault(
        reply(""), ResponseInvalid, "Cohere answered 200 with an empty body", {"expression": None, "excerpt": ""}
    ),
    "no content": Fault(
        broken("HTTP/1.1 204 No Content\n\n"),
        ResponseInvalid,
        "Cohere answered 204 with an empty body",
        {"expression": None, "excerpt": ""},
    ),
}


def _breaks(results: object, what: str) -> Fault:
    """A reply that is JSON and still cannot be true."""
    body = json.dumps({"results": results}, separators=(",", ":"))
    expression = "results[].{index: index, relevance_score: relevance_score, relevant_spans: relevant_spans}"
    text = f"Cohere answered 200 but {what}"
    return Fault(reply(body), ResponseInvalid, text, {"expression": expression, "excerpt": body})


def _results(*pairs: tuple[Any, Any]) -> list[dict[str, Any]]:
    return [{"index": index, "relevance_score": score} for index, score in pairs]


BAD_RESULTS = {
    "an index twice": _breaks(_results((0, 0.5), (0, 0.4)), "the reply has index 0 twice"),
    "an index out of range": _breaks(
        _results((0, 0.5), (2, 0.4)), "the reply has index 2, but 2 documents were sent: 0 to 1"
    ),
    "a negative index": _breaks(
        _results((0, 0.5), (-1, 0.4)), "the reply has index -1, but 2 documents were sent: 0 to 1"
    ),
    "too few results": _breaks(_results((0, 0.5)), "the reply has 1 results where 2 were due"),
    "no results": _breaks([], "the reply has 0 results where 2 were due"),
}


@pytest.mark.parametrize("name", NO_COMPLETE_REPLY)
def test_without_a_complete_reply_a_call_fails(caller: Caller, name: str) -> None:
    fault = NO_COMPLETE_REPLY[name]
    with Server(fault.behaviour) as server:
        error = failure_of(caller, fault.error, **call(server))
        assert str(error) == fault.text.format(host=server.host)
        assert isinstance(error, TransportError)
        assert error.provider == "cohere"
        assert 0 < error.seconds_waited < 5
        assert len(server.seen) == 1


@pytest.mark.parametrize("name", [*BAD_REPLY, *BAD_RESULTS])
def test_a_bad_reply_is_an_error_and_is_not_asked_for_again(caller: Caller, name: str) -> None:
    fault = {**BAD_REPLY, **BAD_RESULTS}[name]
    with Server(fault.behaviour) as server:
        error = failure_of(caller, fault.error, **call(server, max_retries=3))
        assert str(error) == fault.text
        assert vars(error) == {"message": str(error), "provider": "cohere", **fault.attributes}
        assert len(server.seen) == 1


@pytest.mark.parametrize("score", ["0.5", None, True, [0.5], {}])
def test_a_score_that_is_no_number_is_an_error(caller: Caller, score: object) -> None:
    with Server(reply({"results": _results((0, score), (1, 0.5))})) as server:
        error = failure_of(caller, ResponseInvalid, **call(server))
        assert str(error).startswith("Cohere answered 200 but index 0 of the reply has ")
        assert str(error).endswith(" as score, not a finite number")


def test_headers_that_are_cut_off_are_never_a_success(caller: Caller) -> None:
    # http.client takes the end of a connection for the end of the headers.
    with Server(broken("HTTP/1.1 200 OK\nContent-Len")) as server:
        kind, _, _ = outcome_of(caller, **call(server))
        assert kind == ("ResponseInvalid" if caller.kind == "sync" else "TransportError")


def test_a_refused_connection_is_told_apart(caller: Caller) -> None:
    host = refusing_host()
    error = failure_of(caller, ConnectFailed, **call(f"http://{host}"))
    assert str(error) == f"the connection to {host} could not be made: Connection refused{CHECK}"
    assert error.provider == "cohere"


def _unknown_names_are_told_at_once() -> bool:
    started = time.monotonic()
    try:
        socket.getaddrinfo("nonexistent.invalid", 80)
    except OSError:
        return time.monotonic() - started < 0.5
    return False


@pytest.mark.parametrize("host", ["nonexistent.invalid", "a..invalid", "x" * 70 + ".invalid", "*.invalid"])
def test_a_host_name_that_does_not_exist_is_told_apart(caller: Caller, host: str) -> None:
    if not _unknown_names_are_told_at_once():
        pytest.skip("the resolver here is slow, or knows every name")
    error = failure_of(caller, ConnectFailed, **call(f"http://{host}"))
    assert str(error) == f"the connection to {host} could not be made: the host name is not known{CHECK}"


@pytest.mark.parametrize("host", ["1.2.3.4.5", "999.1.1.1", "%zz", "[v1.a]", "xn--a.invalid"])
def test_a_host_name_that_cannot_be_one_is_told_apart(caller: Caller, host: str) -> None:
    if not _unknown_names_are_told_at_once():
        pytest.skip("the resolver here is slow, or knows every name")
    kind, text, _ = outcome_of(caller, **call(f"http://{host}"))
    if kind == "TimedOut":
        pytest.skip("the resolver here is slow")  # It may be asked for names of some forms and not of others.
    assert kind in ("ConnectFailed", "RequestInvalid")
    if kind == "ConnectFailed":
        assert text == f"the connection to {host} could not be made: the host name is not known{CHECK}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_the_key_goes_nowhere_else(caller: Caller, status: int) -> None:
    with (
        Server(reply(GOOD)) as elsewhere,
        Server(reply("", status, {"Location": f"http://user:pass@{elsewhere.host}/x?a=b"})) as server,
    ):
        error = failure_of(caller, ProviderError, **call(server, max_retries=2))
        assert str(error) == (
            f"Cohere answered {status}, a redirect to {elsewhere.host}, which is not followed because the request "
            "carries a key; check the base URL"
        )
        assert error.status == status
        assert len(server.seen) == 1
        assert elsewhere.connections == 0


ERROR_REPLIES = {
    "a refused key": (
        Fault(reply({"message": "invalid api token"}, 401), AuthenticationRejected, "invalid api token"),
        401,
        KEY_HINT,
    ),
    "a forbidden model": (
        Fault(reply({"message": "not for you"}, 403), AuthenticationRejected, "not for you"),
        403,
        KEY_HINT,
    ),
    "a bad request": (Fault(reply({"message": "too long"}, 400), RequestRejected, "too long"), 400, ""),
    "an unknown path in plain text": (
        Fault(reply("no such path", 404, {"Content-Type": "text/plain"}), RequestRejected, "no such path"),
        404,
        "",
    ),
    "an error page": (
        Fault(reply("<html>", 502, {"Content-Type": "text/html"}), ProviderUnavailable, "an HTML page"),
        502,
        "",
    ),
    "no body, and a reason of its own": (Fault(reply("", 422), RequestRejected, "Unprocessable Entity"), 422, ""),
    "a status that nobody knows": (Fault(reply("", 599), ProviderUnavailable, "no message"), 599, ""),
    "JSON of another shape": (Fault(reply(["a"], 400), RequestRejected, '["a"]'), 400, ""),
    "a message that is no text": (
        Fault(reply({"message": {"x": 1}}, 400), RequestRejected, '{"message": {"x": 1}}'),
        400,
        "",
    ),
}


@pytest.mark.parametrize("name", ERROR_REPLIES)
def test_an_error_reply_says_what_the_provider_said(caller: Caller, name: str) -> None:
    fault, status, hint = ERROR_REPLIES[name]
    with Server(fault.behaviour) as server:
        error = failure_of(caller, fault.error, **call(server))
        assert str(error) == f"Cohere answered {status}: {fault.text}{hint}"
        of_provider = {"provider": "cohere", "status": status, "provider_message": fault.text, **OF_PROVIDER}
        told = {name: value for name, value in vars(error).items() if name != "message_is_mapped"}
        assert told == {"message": str(error), **of_provider}
        assert error.message_is_mapped == (name in ("a refused key", "a forbidden model", "a bad request"))


def test_the_request_id_and_the_wait_are_told(caller: Caller) -> None:
    headers = {"X-Request-Id": "abc", "Retry-After": "7"}
    with Server(reply({"message": "slow down"}, 429, headers)) as server:
        error = failure_of(caller, RateLimited, **call(server))
        assert (error.request_id, error.retry_after_seconds) == ("abc", 7.0)


def test_an_error_inside_a_success_is_an_error(caller: Caller, query_key_spec: str) -> None:
    with Server(reply({"error_code": "E7", "error": {"message": "no such deployment"}})) as server:
        error = failure_of(caller, ProviderError, **call(server, model="query_key/m", specs=query_key_spec))
        assert str(error) == "Query key answered 200 with an error: no such deployment"
        assert (error.status, error.code, error.provider_message) == (200, "E7", "no such deployment")


def test_the_first_message_path_that_fits_is_used(caller: Caller, query_key_spec: str) -> None:
    bodies = [
        {"error": {"message": "inner"}, "message": "outer"},
        {"message": "outer"},
        {"error": "of another shape", "message": "outer"},
        {"detail": [{"msg": "first"}, {"msg": "second"}]},
    ]
    told = []
    for body in bodies:
        with Server(reply(body, 400)) as server:
            arguments = call(server, model="query_key/m", specs=query_key_spec)
            told.append(failure_of(caller, RequestRejected, **arguments).provider_message)
    assert told == ["inner", "outer", "outer", "first"]


@pytest.mark.parametrize("where", ["message", "other", "text", "code", "request id", "header"])
def test_a_reply_that_echoes_the_key_does_not_show_it(caller: Caller, where: str, query_key_spec: str) -> None:
    told = f"the key {KEY} is not known"
    echoes = {
        "message": reply({"message": told}, 401),
        "other": reply({"oops": told}, 401),
        "text": reply(told, 401, {"Content-Type": "text/plain"}),
        "code": reply({"message": told, "error_code": KEY}, 401),
        "request id": reply(told, 401, {"X-Request-Id": KEY}),
        "header": reply("", 302, {"Location": f"http://{KEY.replace('/', '')}.invalid/"}),
    }
    for model in ("cohere/m", "query_key/m"):
        with Server(echoes[where]) as server:
            arguments = call(server, model=model, specs=query_key_spec)
            if where == "header":
                arguments["api_key"] = KEY.replace("/", "")
            error = failure_of(caller, ProviderError if where == "header" else AuthenticationRejected, **arguments)
            assert arguments["api_key"] not in f"{error!r} {vars(error)}"
            assert "***" in str(error)


def test_a_good_status_with_the_key_in_it_does_not_show_it(caller: Caller) -> None:
    with Server(reply({"results": [], "echo": KEY})) as server:
        error = failure_of(caller, ResponseInvalid, **call(server))
        assert error.excerpt == '{"results":[],"echo":"***"}'


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_reply_is_read(caller: Caller, encoding: str) -> None:
    packed = {"gzip": gzip.compress(GOOD_JSON), "deflate": zlib.compress(GOOD_JSON)}[encoding]
    with Server(reply(packed, headers={"Content-Encoding": encoding})) as server:
        assert caller.rerank(**call(server)).id == "r-1"
        assert encoding in server.seen[0].headers["accept-encoding"]


ODD_BUT_SOUND = {
    "without a length": "HTTP/1.1 200 OK\n\n{body}",
    "over HTTP 1.0": "HTTP/1.0 200 OK\n\n{body}",
    "after a 100": "HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\nContent-Length: {length}\n\n{body}",
    "in chunks with an extension and a trailer": (
        "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nTrailer: X-A\n\n{size};a=b\n{body}\n0\nX-A: b\n\n"
    ),
    "without a reason": "HTTP/1.1 200\nContent-Length: {length}\n\n{body}",
    "with another success status": "HTTP/1.1 207 Many\nContent-Length: {length}\n\n{body}",
    "with a header that is not UTF-8": "HTTP/1.1 200 OK\nX-A: caf\xe9\nContent-Length: {length}\n\n{body}",
    "with the same length twice": "HTTP/1.1 200 OK\nContent-Length: {length}\nContent-Length: {length}\n\n{body}",
    "with a type that is not JSON's": "HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: {length}\n\n{body}",
    "with cookies": "HTTP/1.1 200 OK\nSet-Cookie: a=b\nSet-Cookie: c=d\nContent-Length: {length}\n\n{body}",
}


@pytest.mark.parametrize("name", ODD_BUT_SOUND)
def test_an_odd_reply_that_is_sound_is_read(caller: Caller, name: str) -> None:
    body = GOOD_JSON.decode()
    text = ODD_BUT_SOUND[name].format(body=body, length=len(body), size=f"{len(body):x}")

    def behave(peer: Peer, seen: Seen) -> None:
        peer.send(text.replace("\n", "\r\n").encode("latin-1"))
        peer.close()

    with Server(behave) as server:
        assert [result.index for result in caller.rerank(**call(server)).results] == [1, 0]


def test_a_byte_order_mark_before_the_json_is_read_over(caller: Caller) -> None:
    with Server(reply(b"\xef\xbb\xbf" + GOOD_JSON)) as server:
        assert caller.rerank(**call(server)).id == "r-1"


def test_a_header_that_comes_twice_is_joined(caller: Caller) -> None:
    with Server(reply({"message": "x"}, 429, {"X-Request-Id": "1\r\nX-Request-Id: 2", "Retry-After": "1"})) as server:
        error = failure_of(caller, RateLimited, **call(server))
        assert error.request_id == "1, 2"


@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "compressed"])
def test_a_reply_over_the_bound_is_an_error(caller: Caller, is_packed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_REPLY_BYTES", 1000)
    body = json.dumps({**GOOD, "padding": "x" * 100_000}).encode()
    headers = {"Content-Encoding": "gzip"} if is_packed else {}
    with Server(reply(gzip.compress(body) if is_packed else body, headers=headers), reply(GOOD)) as server:
        error = failure_of(caller, TransportError, **call(server))
        assert str(error) == "the reply is larger than 1000 bytes, and was not read to its end"
        assert caller.rerank(**call(server)).id == "r-1"


def test_a_reply_at_the_bound_is_read(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_REPLY_BYTES", len(GOOD_JSON))
    with Server(reply(GOOD_JSON)) as server:
        assert caller.rerank(**call(server)).id == "r-1"


def test_after_a_fault_the_same_client_works_again(caller: Caller) -> None:
    faults = [fault.behaviour for fault in NO_COMPLETE_REPLY.values()]
    with Server(*faults, reply(GOOD)) as server:
        for _ in faults:
            failure_of(caller, TransportError, **call(server))
        assert caller.rerank(**call(server)).id == "r-1"


def test_connections_are_kept_for_the_next_call(caller: Caller) -> None:
    chunked = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{len(GOOD_JSON):x}\r\n".encode()
    replies = [reply(GOOD), reply({"message": "x"}, 400), reply("", 302), chunked + GOOD_JSON + b"\r\n0\r\n\r\n"]
    with Server(*replies, reply(GOOD)) as server:
        for _ in range(6):
            outcome_of(caller, **call(server))
        assert [seen.connection for seen in server.seen] == [0] * 6


def test_a_connection_that_was_closed_while_idle_is_replaced(caller: Caller) -> None:
    def answer_and_close(peer: Peer, seen: Seen) -> None:
        peer.send(reply(GOOD))
        peer.close()

    with Server(answer_and_close) as server:
        for _ in range(3):
            assert caller.rerank(**call(server, max_retries=1)).id == "r-1"
        assert len(server.seen) == 3


def _close(peer: Peer, seen: Seen) -> None:
    peer.close()


@pytest.mark.parametrize("end", [_close, _reset], ids=["closed", "reset"])
def test_a_request_that_a_kept_connection_closes_under_is_sent_once_more(
    caller: Caller, end: Callable[[Peer, Seen], None]
) -> None:
    with Server(reply(GOOD), end, reply(GOOD)) as server:
        for _ in range(2):
            assert caller.rerank(**call(server)).id == "r-1"
        assert [seen.connection for seen in server.seen] == [0, 0, 1]
        assert server.seen[1].headers == server.seen[2].headers
        assert server.seen[1].body == server.seen[2].body


def test_a_request_is_sent_once_more_and_not_twice(caller: Caller) -> None:
    def close_all_but_the_first(peer: Peer, seen: Seen) -> None:
        if len(server.seen) == 1:
            peer.send(reply(GOOD))
        else:
            peer.close()

    with Server(close_all_but_the_first) as server:
        caller.rerank(**call(server))
        error = failure_of(caller, TransportError, **call(server))
        assert str(error) == CUT_OFF.format(host=server.host)
        assert [seen.connection for seen in server.seen] == [0, 0, 1]


def test_a_new_connection_that_closes_before_the_reply_is_an_error(caller: Caller) -> None:
    with Server(_close) as server:
        failure_of(caller, TransportError, **call(server))
        assert len(server.seen) == 1


@pytest.mark.parametrize("beginning", ["HTTP/1.1 200 OK\nContent-Length: 99\n\n{", "SSH-2.0-OpenSSH_9.9\n"])
def test_a_kept_connection_that_closes_after_some_of_the_reply_is_an_error(caller: Caller, beginning: str) -> None:
    with Server(reply(GOOD), broken(beginning)) as server:
        caller.rerank(**call(server))
        failure_of(caller, TransportError, **call(server))
        assert [seen.connection for seen in server.seen] == [0, 0]


def test_a_kept_connection_that_closes_late_is_an_error(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SECONDS_OF_RACE", 0.0)  # Whatever it takes is late.
    with Server(reply(GOOD), _close) as server:
        caller.rerank(**call(server))
        failure_of(caller, TransportError, **call(server))
        assert [seen.connection for seen in server.seen] == [0, 0]


def test_bytes_behind_a_reply_are_not_read_as_the_next_one(caller: Caller) -> None:
    stray = reply({"results": _results((0, 1.0), (1, 0.0)), "id": "stray"})
    with Server(reply(GOOD) + stray, reply({**GOOD, "id": "r-2"})) as server:
        assert caller.rerank(**call(server)).id == "r-1"
        assert caller.rerank(**call(server, max_retries=1)).id == "r-2"


def test_cookies_are_not_kept(caller: Caller) -> None:
    with Server(reply(GOOD, headers={"Set-Cookie": "session=abc; Path=/"})) as server:
        for _ in range(2):
            caller.rerank(**call(server))
        assert [seen.headers.get("cookie") for seen in server.seen] == [None, None]


ANSWER = "an answer"
LENGTH = f"Content-Length: {len(GOOD_JSON)}\n"
DIFFERENT: dict[str, tuple[bytes, str, str]] = {
    # What the server sends, and what it comes to with requests and with wreq.
    "a space before a colon": (f"HTTP/1.1 200 OK\nX-A : b\n{LENGTH}\n".encode(), ANSWER, "TransportError"),
    "a line that is no header": (f"HTTP/1.1 200 OK\nX-A\n{LENGTH}\n".encode(), ANSWER, "TransportError"),
    "a folded header": (f"HTTP/1.1 200 OK\nX-A: b\n c\n{LENGTH}\n".encode(), ANSWER, "TransportError"),
    "a length below 0": (b"HTTP/1.1 200 OK\nContent-Length: -2\n\n", ANSWER, "TransportError"),
    "a length that is no number": (b"HTTP/1.1 200 OK\nContent-Length: abc\n\n", ANSWER, "TransportError"),
    "a very long header": (
        f"HTTP/1.1 200 OK\nX-A: {'b' * 70_000}\n{LENGTH}\n".encode(),
        "TransportError",
        ANSWER,
    ),
    "early hints": (f"HTTP/1.1 103 Early Hints\n\nHTTP/1.1 200 OK\n{LENGTH}\n".encode(), "ProviderError", ANSWER),
    "a coding that was not asked for": (
        f"HTTP/1.1 200 OK\nContent-Encoding: br\n{LENGTH}\n".encode(),
        ANSWER,
        "TransportError",
    ),
    "a switch of protocols": (f"HTTP/1.1 101 Hm\n{LENGTH}\n".encode(), "ProviderError", "ProviderError"),
    "a coding that does not exist": (f"HTTP/1.1 200 OK\nContent-Encoding: no\n{LENGTH}\n".encode(), ANSWER, ANSWER),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_odd_http_ends_in_an_answer_or_our_error(caller: Caller, name: str) -> None:
    head, with_requests, with_wreq = DIFFERENT[name]
    with Server(broken(head.decode(), GOOD_JSON)) as server:
        outcome = outcome_of(caller, **call(server))
        found = outcome[0] if isinstance(outcome, tuple) else ANSWER
        assert found == (with_requests if caller.kind == "sync" else with_wreq)
        if found == ANSWER:
            assert [result["index"] for result in outcome["results"]] == [1, 0]


@pytest.mark.parametrize("name", [*NO_COMPLETE_REPLY, *BAD_REPLY, *BAD_RESULTS, *ERROR_REPLIES])
def test_all_clients_come_to_the_same(name: str) -> None:
    faults = {**NO_COMPLETE_REPLY, **BAD_REPLY, **BAD_RESULTS, **{key: one[0] for key, one in ERROR_REPLIES.items()}}
    outcomes = []
    with Server(faults[name].behaviour) as server:
        for kind in CALLERS.values():
            caller = kind()
            outcomes.append(outcome_of(caller, **call(server)))
            caller.close()
    assert outcomes == outcomes[:1] * len(CALLERS)


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding"])
def test_a_header_of_the_caller_that_frames_the_body_is_refused(caller: Caller, name: str) -> None:
    with Server(reply(GOOD)) as server:
        failure_of(caller, RequestInvalid, **call(server, headers={name: "5"}, timeout=1))
        assert server.seen == []


def test_white_space_around_a_header_of_the_caller_does_not_matter(caller: Caller) -> None:
    with Server(reply(GOOD)) as server:
        caller.rerank(**call(server, headers={"X-A": " b "}))
        assert server.seen[0].headers["x-a"] == "b"
