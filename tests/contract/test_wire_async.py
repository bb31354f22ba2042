"""What only an async client can do: be cancelled, serve many calls at once, and move between event loops."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from callers import KEY
from loopback import PATIENCE_SECONDS, Peer, Seen, Server, broken, reply, wait_until

import rankspec
from rankspec import AsyncClient, TimedOut, TransportError

GOOD = reply({"id": "r-1", "results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]})


def call(server: Server, **others: Any) -> dict[str, Any]:
    """The arguments of a call to a server."""
    given = {"model": "cohere/rerank-v3.5", "query": "q", "documents": ["a", "b"], "api_key": KEY}
    return {**given, "api_base": server.url, "timeout": 5, "max_retries": 0, **others}


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """The outcome of a coroutine in an event loop of its own, that must leave nothing behind."""
    complaints: list[dict[str, Any]] = []

    async def guarded() -> Any:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        outcome = await asyncio.wait_for(work, PATIENCE_SECONDS * 2)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return outcome

    outcome = asyncio.run(guarded())
    gc.collect()
    assert complaints == []
    return outcome


def answer_by_query(peer: Peer, seen: Seen) -> None:
    """A score that tells which call it belongs to."""
    number = float(seen.json["query"])
    results = [{"index": index, "relevance_score": number} for index, _ in enumerate(seen.json["documents"])]
    peer.send(reply({"id": seen.json["query"], "results": results}))


def _hold_headers(peer: Peer, seen: Seen) -> None:
    peer.pause(5)


def _hold_body(peer: Peer, seen: Seen) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")
    peer.pause(5)


def _ask_to_come_back(peer: Peer, seen: Seen) -> None:
    peer.send(reply("", 429, {"Retry-After": "4"}))


async def _cancelled(task: asyncio.Task[Any]) -> float:
    """Cancels a task; gives the seconds until it has ended."""
    started = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return time.monotonic() - started


async def _until(claim: Callable[[], Any]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not claim() and time.monotonic() < until:
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("behaviour", [_hold_headers, _hold_body, _ask_to_come_back])
def test_cancelling_ends_the_call_at_once(behaviour: Callable[[Peer, Seen], None]) -> None:
    async def work() -> None:
        with Server(behaviour) as server:
            async with AsyncClient() as client:
                task = asyncio.create_task(client.rerank(**call(server, max_retries=3, timeout=20)))
                await _until(lambda: server.seen)
                await asyncio.sleep(0.05)
                assert await _cancelled(task) < 0.3
                await asyncio.sleep(0.05)
                assert len(server.seen) == 1

    run(work())


def test_cancelling_ends_every_part_of_a_split_call() -> None:
    async def work() -> None:
        with Server(_hold_headers) as server:
            async with AsyncClient() as client:
                documents = [f"d{number}" for number in range(32 * 12)]
                arguments = call(server, model="huggingface", documents=documents, timeout=20)
                task = asyncio.create_task(client.rerank(**arguments))
                await _until(lambda: len(server.seen) == 8)
                assert await _cancelled(task) < 0.3
                await asyncio.sleep(0.05)
                # No part that was waiting for its turn is sent any more.
                assert len(server.seen) == 8

    run(work())


def _time_kept(timeout: float) -> float | None:
    """How long the connection of a call that is cancelled at once is kept."""
    kept: list[float | None] = []

    def hold(peer: Peer, seen: Seen) -> None:
        kept.append(peer.seconds_until_client_closes())

    async def work() -> None:
        with Server(hold) as server:
            async with AsyncClient() as client:
                task = asyncio.create_task(client.rerank(**call(server, timeout=timeout)))
                await _until(lambda: server.seen)
                await _cancelled(task)
                await _until(lambda: kept)

    run(work())
    return kept[0]


def test_the_connection_of_a_cancelled_call_is_closed_when_its_time_is_up() -> None:
    kept = _time_kept(0.3)
    assert kept is not None
    assert kept < 1.3


@pytest.mark.xfail(reason="pyreqwest 0.15 lets a cancelled request run on to its timeout", strict=False)
def test_the_connection_of_a_cancelled_call_is_closed_at_once() -> None:
    kept = _time_kept(1.0)
    assert kept is not None
    assert kept < 0.5


def test_a_client_works_on_after_a_call_was_cancelled() -> None:
    async def work() -> None:
        with Server(_hold_headers, GOOD) as server:
            async with AsyncClient() as client:
                task = asyncio.create_task(client.rerank(**call(server)))
                await _until(lambda: server.seen)
                await _cancelled(task)
                assert (await client.rerank(**call(server))).id == "r-1"

    run(work())


def test_an_outer_timeout_ends_the_call() -> None:
    async def work() -> None:
        with Server(_hold_headers) as server:
            async with AsyncClient() as client:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await client.rerank(**call(server))

    run(work())


def test_fifty_calls_at_once_get_their_own_answers() -> None:
    together = threading.Barrier(50)

    def answer_together(peer: Peer, seen: Seen) -> None:
        together.wait(PATIENCE_SECONDS)
        answer_by_query(peer, seen)

    async def work() -> None:
        with Server(answer_together) as server:
            calls = [
                rankspec.arerank(**call(server, query=str(number), documents=["x"] * (number % 5 + 1)))
                for number in range(50)
            ]
            responses = await asyncio.gather(*calls)
            assert server.most_at_once == 50
        for number, response in enumerate(responses):
            assert response.id == str(number)
            assert [result.relevance_score for result in response.results] == [float(number)] * (number % 5 + 1)

    run(work())


def test_failures_and_answers_at_once_do_not_mix() -> None:
    def behave(peer: Peer, seen: Seen) -> None:
        if int(seen.json["query"]) % 3 == 0:
            broken("")(peer, seen)
        elif int(seen.json["query"]) % 3 == 1:
            peer.pause(3)
        else:
            answer_by_query(peer, seen)

    async def work() -> None:
        with Server(behave) as server:
            async with AsyncClient() as client:
                calls = [client.rerank(**call(server, query=str(number), timeout=0.5)) for number in range(30)]
                outcomes = await asyncio.gather(*calls, return_exceptions=True)
        for number, outcome in enumerate(outcomes):
            if number % 3 == 2:
                assert not isinstance(outcome, BaseException)
                assert outcome.id == str(number)
            else:
                assert type(outcome) is (TransportError if number % 3 == 0 else TimedOut)

    run(work())


def test_one_event_loop_after_another() -> None:
    with Server(GOOD) as server:
        client = AsyncClient()
        for _ in range(3):
            assert run(rankspec.arerank(**call(server))).id == "r-1"
            assert run(client.rerank(**call(server))).id == "r-1"
        run(client.aclose())


def test_event_loops_in_several_threads_share_a_client() -> None:
    client = AsyncClient()
    answers: list[str] = []

    def work(number: int) -> None:
        answers.append(asyncio.run(client.rerank(**call(server, query=str(number)))).id)

    with Server(answer_by_query) as server:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
        asyncio.run(client.aclose())
    assert sorted(answers) == [str(number) for number in range(6)]


def test_a_client_that_was_closed_works_again() -> None:
    async def work() -> None:
        with Server(GOOD) as server:
            client = AsyncClient()
            await client.aclose()
            for _ in range(2):
                assert (await client.rerank(**call(server))).id == "r-1"
                await client.aclose()
                await client.aclose()
            async with client:
                assert (await client.rerank(**call(server))).id == "r-1"

    run(work())


def test_closing_ends_the_calls_under_way_with_our_error() -> None:
    async def work() -> None:
        with Server(_hold_headers) as server:
            client = AsyncClient()
            task = asyncio.create_task(client.rerank(**call(server)))
            await _until(lambda: server.seen)
            await client.aclose()
            with pytest.raises(TransportError):
                await task

    run(work())


def test_a_call_starts_no_thread_of_ours() -> None:
    started: list[str] = []

    async def work() -> None:
        with Server(answer_by_query) as server:
            async with AsyncClient() as client:
                documents = [f"d{number}" for number in range(100)]
                await client.rerank(**call(server, documents=documents, query="1"))
                before = threading.active_count() - server.connections
                await asyncio.gather(*(client.rerank(**call(server, query=str(number))) for number in range(20)))
                started.append(f"{threading.active_count() - server.connections - before}")

    run(work())
    assert started == ["0"]
    assert "rankspec-watchdog" not in {thread.name for thread in threading.enumerate()} - _threads_of_others()


def _threads_of_others() -> set[str]:
    """Threads that sync clients of other tests have started in this process."""
    return {"rankspec-watchdog"} if "rankspec.transports.requests_transport" in sys.modules else set()


def test_the_event_loop_is_not_held_up_by_a_call() -> None:
    async def work() -> None:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        with Server(_hold_headers) as server:
            async with AsyncClient() as client:
                ticking = asyncio.create_task(tick())
                with pytest.raises(TimedOut):
                    await client.rerank(**call(server, timeout=0.4))
                await _cancelled(ticking)
        assert ticks > 15

    run(work())


def test_an_async_generator_may_hold_a_call_and_be_left() -> None:
    async def answers(client: AsyncClient, server: Server) -> Any:
        for _ in range(3):
            yield await client.rerank(**call(server))

    async def work() -> None:
        with Server(GOOD) as server:
            async with AsyncClient() as client:
                found = answers(client, server)
                assert (await anext(found)).id == "r-1"
                await found.aclose()

    run(work())


def test_a_coroutine_that_is_never_awaited_sends_nothing() -> None:
    with Server(GOOD) as server:
        waiting: Awaitable[Any] = rankspec.arerank(**call(server))
        waiting.close()  # type: ignore[attr-defined]
        wait_until(lambda: True)
        assert server.connections == 0
