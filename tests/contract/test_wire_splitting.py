"""More documents than one request may hold: split, sent at the same time, and put together again."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from callers import KEY, Caller, failure_of
from loopback import PATIENCE_SECONDS, Peer, Seen, Server, broken, reply, wait_until

from rankspec import (
    AuthenticationRejected,
    RankspecError,
    RequestInvalid,
    RequestRejected,
    ResponseInvalid,
    TimedOut,
    TransportError,
)

DOCUMENTS = [f"document {number}" for number in range(70)]
"""Three requests of 32, 32 and 6."""


def call(server: Server, **others: Any) -> dict[str, Any]:
    """The arguments of a call that is split in three."""
    given = {"model": "huggingface", "query": "q", "documents": DOCUMENTS, "api_key": KEY, "api_base": server.url}
    return {"max_retries": 0, "timeout": 5, "return_documents": False, **given, **others}


def score(text: str) -> float:
    """The score of a document: its number decides, and every tenth is a tie."""
    return int(text.split()[-1]) % 10 / 10


def rank(peer: Peer, seen: Seen) -> None:
    """Answer as the provider would, the best last."""
    results = [{"index": index, "score": score(text)} for index, text in enumerate(seen.json["texts"])]
    peer.send(reply(sorted(results, key=lambda result: result["score"]), headers={"x-compute-tokens": "10"}))


def part_of(seen: Seen) -> int:
    """Which of the three parts a request is."""
    return DOCUMENTS.index(seen.json["texts"][0]) // 32


EXPECTED = sorted(range(70), key=lambda index: (-score(DOCUMENTS[index]), index))


def test_the_parts_come_back_in_one_ranking(caller: Caller) -> None:
    with Server(rank) as server:
        response = caller.rerank(**call(server))
        assert [result.index for result in response.results] == EXPECTED
        assert all(result.relevance_score == score(DOCUMENTS[result.index]) for result in response.results)
        assert response.meta.tokens == {"input_tokens": 30}
        assert sorted(len(seen.json["texts"]) for seen in server.seen) == [6, 32, 32]
        assert sorted(text for seen in server.seen for text in seen.json["texts"]) == sorted(DOCUMENTS)


def test_top_n_cuts_the_whole_ranking(caller: Caller) -> None:
    with Server(rank) as server:
        response = caller.rerank(**call(server, top_n=9, return_documents=True))
        assert [result.index for result in response.results] == EXPECTED[:9]
        assert [result.document for result in response.results] == [{"text": DOCUMENTS[at]} for at in EXPECTED[:9]]


@pytest.mark.parametrize(("count", "sizes"), [(1, [1]), (32, [32]), (33, [1, 32]), (64, [32, 32]), (65, [1, 32, 32])])
def test_no_request_is_sent_for_nothing(caller: Caller, count: int, sizes: list[int]) -> None:
    with Server(rank) as server:
        response = caller.rerank(**call(server, documents=DOCUMENTS[:count]))
        assert sorted(result.index for result in response.results) == list(range(count))
        assert sorted(len(seen.json["texts"]) for seen in server.seen) == sizes


def test_the_parts_are_sent_at_the_same_time(caller: Caller) -> None:
    together = threading.Barrier(3)

    def answer_together(peer: Peer, seen: Seen) -> None:
        together.wait(PATIENCE_SECONDS)  # Nobody gets an answer before all have asked.
        rank(peer, seen)

    with Server(answer_together) as server:
        assert [result.index for result in caller.rerank(**call(server)).results] == EXPECTED
        assert server.most_at_once == 3


def test_at_most_eight_parts_are_sent_at_the_same_time(caller: Caller) -> None:
    together = threading.Barrier(8)

    def answer_in_eights(peer: Peer, seen: Seen) -> None:
        together.wait(PATIENCE_SECONDS)
        rank(peer, seen)

    documents = [f"document {number}" for number in range(32 * 16)]
    with Server(answer_in_eights) as server:
        assert len(caller.rerank(**call(server, documents=documents)).results) == len(documents)
        assert (len(server.seen), server.most_at_once) == (16, 8)


def test_a_part_that_fails_fails_the_whole_call_at_once(caller: Caller) -> None:
    kept: list[float | None] = []

    def refuse_the_second(peer: Peer, seen: Seen) -> None:
        if part_of(seen) == 1:
            while len(server.seen) < 3:
                peer.pause(0.01)
            peer.send(reply({"error": "no", "error_type": "Validation"}, 422))
        else:
            kept.append(peer.seconds_until_client_closes())

    with Server(refuse_the_second) as server:
        started = time.monotonic()
        error = failure_of(caller, RequestRejected, **call(server))
        assert time.monotonic() - started < 2
        assert (error.status, error.provider_message, error.code) == (422, "no", "Validation")
        # The other two are given up with it.
        wait_until(lambda: len(kept) == 2)
        assert len(kept) == 2
        assert all(seconds is not None and seconds < 2 for seconds in kept)


def test_the_failure_that_comes_first_is_told(caller: Caller) -> None:
    def fail_in_turn(peer: Peer, seen: Seen) -> None:
        peer.pause({0: 0.4, 1: 0.2, 2: 0.0}[part_of(seen)])
        peer.send(reply({"error": f"part {part_of(seen)}"}, 401))

    with Server(fail_in_turn) as server:
        assert failure_of(caller, AuthenticationRejected, **call(server)).provider_message == "part 2"


def test_a_part_that_waits_for_its_retry_is_ended_too(caller: Caller) -> None:
    def behave(peer: Peer, seen: Seen) -> None:
        if part_of(seen) == 0:
            peer.pause(0.2)
            peer.send(reply({"error": "no"}, 401))
        else:
            peer.send(reply("", 503, {"Retry-After": "4"}))

    with Server(behave) as server:
        started = time.monotonic()
        failure_of(caller, AuthenticationRejected, **call(server, max_retries=2, timeout=20))
        assert time.monotonic() - started < 2
        assert len(server.seen) == 3


def test_each_part_is_tried_again_by_itself(caller: Caller) -> None:
    failed: list[int] = []

    def fail_once(peer: Peer, seen: Seen) -> None:
        if part_of(seen) in failed:
            rank(peer, seen)
        else:
            failed.append(part_of(seen))
            peer.send(reply("", 503, {"Retry-After": "0"}))

    with Server(fail_once) as server:
        assert [result.index for result in caller.rerank(**call(server, max_retries=1)).results] == EXPECTED
        assert len(server.seen) == 6


@pytest.mark.parametrize("fault", ["closed", "too few", "late"])
def test_no_ranking_comes_of_parts(caller: Caller, fault: str) -> None:
    def behave(peer: Peer, seen: Seen) -> None:
        if part_of(seen) != 2:
            rank(peer, seen)
        elif fault == "closed":
            broken("HTTP/1.1 200 OK\nContent-Length: 99\n\n")(peer, seen)
        elif fault == "too few":
            peer.send(reply([{"index": 0, "score": 0.5}]))
        else:
            peer.pause(5)

    kind = {"closed": TransportError, "too few": ResponseInvalid, "late": TimedOut}[fault]
    with Server(behave) as server:
        error: RankspecError = failure_of(caller, kind, **call(server, timeout=0.4))
        if fault == "too few":
            assert "the reply has 1 results where 6 were due" in str(error)


def test_after_a_part_has_failed_the_client_works_again(caller: Caller) -> None:
    with Server(reply("", 401), reply("", 401), reply("", 401), rank) as server:
        failure_of(caller, AuthenticationRejected, **call(server))
        while len(server.seen) < 3:  # Those that were given up may arrive late.
            server.seen.append(server.seen[0])
        assert [result.index for result in caller.rerank(**call(server)).results] == EXPECTED


def test_too_many_bytes_are_halved_until_they_fit(caller: Caller) -> None:
    documents = [f"{'x' * 700_000} {number}" for number in range(5)]
    with Server(rank) as server:
        response = caller.rerank(**call(server, documents=documents))
        assert [result.index for result in response.results] == [4, 3, 2, 1, 0]
        assert sorted(len(seen.json["texts"]) for seen in server.seen) == [1, 2, 2]
        assert all(len(seen.body) <= 2_000_000 for seen in server.seen)


def test_a_part_of_a_part_that_fails_fails_the_whole_call(caller: Caller) -> None:
    documents = [f"{'x' * 700_000} {number}" for number in range(5)]

    def refuse_the_last(peer: Peer, seen: Seen) -> None:
        if seen.json["texts"][-1].endswith(" 4"):
            peer.send(reply({"error": "no"}, 401))
        else:
            peer.pause(5)

    with Server(refuse_the_last) as server:
        started = time.monotonic()
        error = failure_of(caller, AuthenticationRejected, **call(server, documents=documents))
        assert error.provider_message == "no"
        assert time.monotonic() - started < 2


def test_a_ranking_that_depends_on_the_whole_list_is_not_split(caller: Caller, tmp_path: Any) -> None:
    (tmp_path / "listwise.yaml").write_text(
        "spec_version: 2\nprovider: listwise\ntitle: Listwise\nextends: huggingface\n"
        "documentation: [{title: None, url: 'https://listwise.example/', read: '2026-11-20'}]\n"
        "scoring: {mode: listwise}\n"
    )
    with Server(rank) as server:
        arguments = call(server, model="listwise", specs=tmp_path)
        error = failure_of(caller, RequestInvalid, **arguments)
        assert str(error) == (
            "invalid request: documents: 70 are too many: listwise takes 32 documents at a time, and they cannot be "
            "split over several requests without changing the ranking; send fewer"
        )
        assert server.seen == []
        assert len(caller.rerank(**{**arguments, "documents": DOCUMENTS[:32]}).results) == 32


def test_nothing_is_sent_when_one_part_cannot_be(caller: Caller) -> None:
    with Server(rank) as server:
        failure_of(caller, RequestInvalid, **call(server, documents=[*DOCUMENTS, "\ud800"]))
        failure_of(caller, RequestInvalid, **call(server, documents=[*DOCUMENTS, {"title": "no text"}]))
        assert server.seen == []


def test_no_thread_is_left_behind(caller: Caller) -> None:
    with Server(rank) as server:
        caller.rerank(**call(server))  # The watchdog, or the library's own runtime, stays from here on.
        before = {thread.name for thread in threading.enumerate() if not thread.name.startswith("loopback")}
        for _ in range(3):
            caller.rerank(**call(server))
        after = {thread.name for thread in threading.enumerate() if not thread.name.startswith("loopback")}
        assert after == before
