"""What only an async client can do: be cancelled, serve many calls at once, and move between event loops."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from callers import KEY
from loopback import PATIENCE_SECONDS, Peer, Seen, Server, broken, reply, wait_until

import rankspec
from rankspec import AsyncClient, RankspecError, TimedOut, TransportError
from rankspec.models import Exchange, HttpRequest, HttpResponse, Together
from rankspec.transports import in_process
from rankspec.transports.async_transport import AsyncTransport

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


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="this system does not list threads")
def test_the_librarys_thread_waits_its_turn_and_no_other_thread_does() -> None:
    with Server(GOOD) as server:
        text = """
            import asyncio, os, pathlib, rankspec, sys
            asyncio.run(rankspec.AsyncClient().rerank("cohere/rerank-v3.5", "q", ["a", "b"], api_base=sys.argv[1]))
            for task in pathlib.Path("/proc/self/task").iterdir():
                is_librarys = (task / "comm").read_text() == "rankspec\\n"
                assert os.sched_getscheduler(int(task.name)) == (os.SCHED_BATCH if is_librarys else os.SCHED_OTHER)
                print("the library's" if is_librarys else "Python's")
            """
        command = [sys.executable, "-W", "error", "-c", textwrap.dedent(text), server.url]
        process = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COHERE_API_KEY": KEY})
        assert (process.stderr, set(process.stdout.splitlines())) == ("", {"the library's", "Python's"})


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


HOLD = {"headers": b"", "body": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"}


@dataclass
class Holding:
    """A behaviour: send the beginning of a reply, and note when the client goes away. Queries `q2` are answered."""

    beginning: bytes
    kept: list[float | None] = field(default_factory=list)

    def __call__(self, peer: Peer, seen: Seen) -> None:
        if seen.json["query"] == "q2":
            peer.send(GOOD)
            return
        peer.send(self.beginning)
        self.kept.append(peer.seconds_until_client_closes())
        peer.close()


@pytest.mark.parametrize("phase", HOLD)
def test_the_connection_of_a_cancelled_call_is_closed_at_once(phase: str) -> None:
    hold = Holding(HOLD[phase])

    async def work() -> None:
        with Server(hold) as server:
            async with AsyncClient() as client:
                task = asyncio.create_task(client.rerank(**call(server, timeout=60)))
                await _until(lambda: server.seen)
                await asyncio.sleep(0.05)
                await _cancelled(task)
                await _until(lambda: hold.kept)
                # The connections of later calls are new ones, and kept.
                for _ in range(2):
                    assert (await client.rerank(**call(server, query="q2"))).id == "r-1"
                assert [seen.connection for seen in server.seen] == [0, 1, 1]

    run(work())
    (kept,) = hold.kept
    assert kept is not None
    assert kept < 1


@pytest.mark.parametrize("phase", HOLD)
def test_the_connections_of_a_cancelled_split_call_are_closed_at_once(phase: str) -> None:
    hold = Holding(HOLD[phase])

    async def work() -> None:
        with Server(hold) as server:
            async with AsyncClient() as client:
                documents = [f"d{number}" for number in range(32 * 12)]
                arguments = call(server, model="huggingface", documents=documents, timeout=60)
                task = asyncio.create_task(client.rerank(**arguments))
                await _until(lambda: len(server.seen) == 8)
                await _cancelled(task)
                await _until(lambda: len(hold.kept) == 8)

    run(work())
    assert len(hold.kept) == 8
    assert all(kept is not None and kept < 1 for kept in hold.kept)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system does not list descriptors")
@pytest.mark.parametrize("phase", HOLD)
def test_two_hundred_cancelled_calls_leave_no_descriptor_behind(phase: str) -> None:
    hold = Holding(HOLD[phase])

    async def work() -> None:
        with Server(hold) as server:
            async with AsyncClient() as client:
                await client.rerank(**call(server, query="q2"))
                before = _descriptors()
                for done in range(0, 200, 20):
                    tasks = [asyncio.create_task(client.rerank(**call(server, timeout=60))) for _ in range(20)]
                    await _until(lambda done=done: len(server.seen) == done + 21)
                    for task in tasks:
                        await _cancelled(task)
                await _until(lambda: len(hold.kept) == 200)
                await _until(lambda: _descriptors() <= before)
                assert (await client.rerank(**call(server, query="q2"))).id == "r-1"
                assert len(hold.kept) == 200
                # The kept connection may have been one of those that were cancelled: it is replaced by one new one.
                assert _descriptors() <= before

    run(work())
    assert all(kept is not None for kept in hold.kept)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system does not list descriptors")
def test_a_closed_client_leaves_no_descriptor_behind_though_calls_have_failed() -> None:
    def behave(peer: Peer, seen: Seen) -> None:
        if seen.json["query"] == "fail":
            peer.seconds_until_client_closes()
            peer.close()
        elif seen.json["query"] == "refuse":
            peer.send(reply("", 500))
        else:
            peer.send(GOOD)

    async def work() -> None:
        with Server(behave) as server:
            await rankspec.arerank(**call(server))  # The library's thread stays.
            before = _descriptors()
            client = AsyncClient()
            calls = [
                *(client.rerank(**call(server, query=query)) for query in ["good", "refuse"] * 5),
                *(client.rerank(**call(server, query="fail", timeout=0.2)) for _ in range(5)),
            ]
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert sum(isinstance(outcome, RankspecError) for outcome in outcomes) == 10
            outcomes.clear()
            await client.aclose()
            async with asyncio.timeout(PATIENCE_SECONDS / 2):  # After that the server would close them.
                await _until(lambda: _descriptors() <= before)

    gc.disable()
    try:
        run(work())
    finally:
        gc.enable()


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_the_one_who_runs_an_exchange_may_send_its_requests_and_those_of_its_parts() -> None:
    sent: list[str] = []

    async def work() -> None:
        transport = AsyncTransport()

        async def note_and_send(request: HttpRequest) -> HttpResponse:
            sent.append(request.url)
            return await transport.send(request)

        def ask(path: str) -> Exchange:
            request = HttpRequest("POST", f"{server.url}/{path}", {}, b'{"query": "q2"}')
            response = yield request
            return response.status

        def ask_thrice() -> Exchange:
            first = yield HttpRequest("POST", f"{server.url}/a", {}, b'{"query": "q2"}')
            others = yield Together((ask("b"), ask("c")))
            return [first.status, *others]

        assert await transport.run(ask_thrice(), send=note_and_send) == [200, 200, 200]
        await transport.aclose()
        assert sorted(sent) == [f"{server.url}/{path}" for path in "abc"]

    with Server(GOOD) as server:
        run(work())


def test_ranking_inside_this_process_does_not_hold_up_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    is_under_way, may_end = threading.Event(), threading.Event()

    def answer(body: Any) -> Any:
        is_under_way.set()
        assert may_end.wait(PATIENCE_SECONDS)
        return {"results": body}

    async def work() -> HttpResponse:
        task = asyncio.create_task(AsyncTransport().send(HttpRequest("POST", "local://slow/rerank", {}, b"[1]")))
        await _until(is_under_way.is_set)
        may_end.set()
        return await task

    monkeypatch.setitem(sys.modules, "slow_service", SimpleNamespace(answer=answer))
    monkeypatch.setitem(in_process._SERVICES, "slow", ("slow_service", "local"))
    assert run(work()).body == b'{"results":[1]}'


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
