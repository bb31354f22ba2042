"""Timeouts, retries and waits: what is tried again, and that a call ends when its time is up, whatever happens."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from callers import KEY, Caller, failure_of
from loopback import Behaviour, Peer, Seen, Server, broken, refusing_host, reply

from rankspec import (
    AuthenticationRejected,
    ConnectFailed,
    ProviderUnavailable,
    RateLimited,
    RequestRejected,
    TimedOut,
    TransportError,
)

GOOD = reply({"id": "r-1", "results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]})
SLACK_SECONDS = 1.0
"""How much later than its timeout a call may end on a busy machine."""


def call(base: Server | str, **others: Any) -> dict[str, Any]:
    """The arguments of a call to a server."""
    given = {"model": "cohere/rerank-v3.5", "query": "q", "documents": ["a", "b"], "api_key": KEY}
    return {**given, "api_base": base if isinstance(base, str) else base.url, **others}


@contextmanager
def taking(least: float, most: float) -> Iterator[None]:
    """Checks how many seconds the block takes."""
    started = time.monotonic()
    yield
    assert least <= time.monotonic() - started <= most


def _silent(peer: Peer, seen: Seen) -> None:
    peer.pause(5)


def _drip(head: str) -> Callable[[Peer, Seen], None]:
    def behave(peer: Peer, seen: Seen) -> None:
        peer.send(head.replace("\n", "\r\n").encode())
        peer.drip(b"x" * 1000)

    return behave


def _drip_chunks(peer: Peer, seen: Seen) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    peer.drip(b"1\r\nx\r\n" * 200)


def _stop_within_the_body(peer: Peer, seen: Seen) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
    peer.pause(5)


def _read_nothing(peer: Peer) -> None:
    peer.pause(5)


SLOW: dict[str, Behaviour] = {
    "nothing comes": _silent,
    "the status drips": lambda peer, seen: peer.drip(b"HTTP/1.1 200 OK\r\n" * 9, 0.05),
    "the headers drip": _drip("HTTP/1.1 200 OK\nX-A: "),
    "the body drips": _drip("HTTP/1.1 200 OK\nContent-Length: 1000\n\n"),
    "a body without a length drips": _drip("HTTP/1.1 200 OK\n\n"),
    "the chunks drip": _drip_chunks,
    "the body stops": _stop_within_the_body,
    "an error's body drips": _drip("HTTP/1.1 500 Oops\nContent-Length: 1000\n\n"),
}


@pytest.mark.parametrize("name", SLOW)
def test_a_slow_reply_ends_with_the_timeout_and_is_not_asked_for_again(caller: Caller, name: str) -> None:
    with Server(SLOW[name]) as server, taking(0.25, 0.25 + SLACK_SECONDS):
        error = failure_of(caller, TimedOut, **call(server, timeout=0.25, max_retries=5))
        assert str(error) == "Cohere gave no complete answer within 0.25 seconds; pass a longer timeout="
        assert vars(error) == {"message": str(error), "provider": "cohere", "seconds_waited": 0.25}
        assert len(server.seen) == 1


def test_a_server_that_takes_nothing_in_ends_with_the_timeout(caller: Caller) -> None:
    with Server(on_connect=_read_nothing) as server, taking(0.25, 0.25 + SLACK_SECONDS):
        failure_of(caller, TimedOut, **call(server, documents=["x" * 20_000_000, "b"], timeout=0.25))


def test_a_handshake_that_drips_ends_with_the_timeout(caller: Caller) -> None:
    def drip(peer: Peer) -> None:
        peer.send(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03")
        peer.drip(b"x" * 1000)

    caller.rerank(model="local/bm25", query="q", documents=["a"])
    with Server(on_connect=drip) as server, taking(0.25, 0.25 + SLACK_SECONDS):
        failure_of(caller, TimedOut, **call(f"https://{server.host}", timeout=0.25))


def test_a_proxy_that_drips_ends_with_the_timeout(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(_drip("HTTP/1.1 200 OK\nX-A: ")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with taking(0.25, 0.25 + SLACK_SECONDS):
            failure_of(caller, TimedOut, **call("https://provider.invalid", timeout=0.25))
        assert [seen.method for seen in proxy.seen] == ["CONNECT"]


def test_very_small_and_very_large_timeouts_mean_what_they_say(caller: Caller) -> None:
    def answer_soon(peer: Peer, seen: Seen) -> None:
        peer.pause(0.05)
        peer.send(GOOD)

    with Server(answer_soon) as server:
        failure_of(caller, TimedOut, **call(server, timeout=1e-7))
        # In milliseconds these are a little over 2**32 and 2**31, where a socket's own timeout wraps around.
        for seconds in (4_294_967.3, 2_147_483.7, 1e9):
            assert caller.rerank(**call(server, timeout=seconds)).id == "r-1"


def test_a_client_is_told_its_timeout_once(caller: Caller) -> None:
    caller.client.timeout = 0.25
    with Server(_silent) as server, taking(0.25, 0.25 + SLACK_SECONDS):
        failure_of(caller, TimedOut, **call(server))


def test_a_storm_of_errors_is_tried_as_often_as_asked(caller: Caller) -> None:
    with Server(reply({"message": "boom"}, 500, {"Retry-After": "0.01"})) as server:
        for retries in (0, 1, 4):
            server.seen.clear()
            error = failure_of(caller, ProviderUnavailable, **call(server, max_retries=retries))
            assert (error.status, error.provider_message) == (500, "boom")
            assert len(server.seen) == retries + 1


def test_without_a_hint_the_waits_grow(caller: Caller) -> None:
    with Server(reply({"message": "boom"}, 503), reply({"message": "boom"}, 502), GOOD) as server:
        assert caller.rerank(**call(server)).id == "r-1"
        first, second, third = (seen.at for seen in server.seen)
        assert 0.25 <= second - first <= 0.5 + SLACK_SECONDS
        assert 0.5 <= third - second <= 1.0 + SLACK_SECONDS


@pytest.mark.parametrize("status", [408, 424, 425, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_tried_again(caller: Caller, status: int) -> None:
    with Server(reply("", status, {"Retry-After": "0"}), GOOD) as server:
        assert caller.rerank(**call(server)).id == "r-1"
        assert len(server.seen) == 2
        assert server.seen[0].body == server.seen[1].body
        assert server.seen[0].headers == server.seen[1].headers


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 422])
def test_what_cannot_pass_is_not_tried_again(caller: Caller, status: int) -> None:
    kind = AuthenticationRejected if status in (401, 403) else RequestRejected
    with Server(reply("", status, {"Retry-After": "0"}), GOOD) as server:
        failure_of(caller, kind, **call(server))
        assert len(server.seen) == 1


def test_a_connection_that_breaks_off_is_tried_again(caller: Caller) -> None:
    with Server(broken(""), GOOD) as server:
        assert caller.rerank(**call(server)).id == "r-1"
        assert [seen.connection for seen in server.seen] == [0, 1]


def test_a_refused_connection_is_tried_again_as_often_as_asked(caller: Caller) -> None:
    with taking(0.25, 0.5 + SLACK_SECONDS):
        failure_of(caller, ConnectFailed, **call(f"http://{refusing_host()}", max_retries=1))


def test_the_wait_that_the_provider_asks_for_is_kept(caller: Caller) -> None:
    for header, value in (("Retry-After", "0.2"), ("retry-after-ms", "200")):
        with Server(reply("", 429, {header: value}), GOOD) as server:
            assert caller.rerank(**call(server)).id == "r-1"
            first, second = (seen.at for seen in server.seen)
            assert 0.2 <= second - first <= 0.2 + SLACK_SECONDS


def test_a_date_to_wait_for_is_read_by_the_providers_clock(caller: Caller) -> None:
    headers = {"Date": "Wed, 21 Oct 2015 07:28:00 GMT", "Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}
    with Server(reply("", 429, headers), GOOD) as server, taking(0, SLACK_SECONDS):
        assert caller.rerank(**call(server)).id == "r-1"


@pytest.mark.parametrize("seconds", ["3600", "61", "30"])
def test_a_wait_that_is_too_long_is_told_at_once(caller: Caller, seconds: str) -> None:
    with Server(reply({"message": "later"}, 429, {"Retry-After": seconds})) as server, taking(0, SLACK_SECONDS):
        error = failure_of(caller, RateLimited, **call(server, timeout=20))
        assert error.retry_after_seconds == float(seconds)
        assert len(server.seen) == 1


def test_retries_and_waits_count_against_the_timeout(caller: Caller) -> None:
    with Server(reply({"message": "boom"}, 503, {"Retry-After": "0.1"})) as server, taking(0.3, 0.5 + SLACK_SECONDS):
        failure_of(caller, ProviderUnavailable, **call(server, timeout=0.5, max_retries=1000))
        assert 3 <= len(server.seen) <= 5


def test_a_retry_gets_only_the_time_that_is_left(caller: Caller) -> None:
    with (
        Server(reply("", 503, {"Retry-After": "0.15"}), _silent) as server,
        taking(0.3, 0.3 + SLACK_SECONDS),
    ):
        failure_of(caller, TimedOut, **call(server, timeout=0.3))
        assert len(server.seen) == 2


def test_pages_share_one_timeout(caller: Caller) -> None:
    importlib.import_module("botocore.auth")  # Not within the time of the call.

    def page(peer: Peer, seen: Seen) -> None:
        peer.pause(0.2)
        peer.send(reply({"results": [], "nextToken": f"t{time.monotonic()}"}))

    arguments = call("", model="bedrock/m", region="r", aws_access_key_id="A", aws_secret_access_key="s", timeout=0.5)
    del arguments["api_key"]
    with Server(page) as server, taking(0.5, 0.5 + SLACK_SECONDS):
        arguments["api_base"] = server.url
        failure_of(caller, TimedOut, **arguments)
        assert 2 <= len(server.seen) <= 3


def test_no_complete_reply_again_and_again_is_the_last_error(caller: Caller) -> None:
    with Server(reply("", 503, {"Retry-After": "0"}), broken("")) as server:
        failure_of(caller, TransportError, **call(server, max_retries=1))
        # A transport asks once more where a kept connection breaks off before the reply.
        assert len(server.seen) == 3
