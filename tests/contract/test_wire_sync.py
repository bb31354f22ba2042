"""What only a sync client can be in: several threads, an interrupted process, and a forked one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from callers import KEY
from loopback import PATIENCE_SECONDS, Peer, Seen, Server, reply

import rankspec
from rankspec import Client, TimedOut

GOOD = reply({"id": "r-1", "results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]})


def call(server: Server, **others: Any) -> dict[str, Any]:
    """The arguments of a call to a server."""
    given = {"model": "cohere/rerank-v3.5", "query": "q", "documents": ["a", "b"], "api_key": KEY}
    return {**given, "api_base": server.url, "timeout": 5, "max_retries": 0, **others}


def answer_by_query(peer: Peer, seen: Seen) -> None:
    """A score that tells which call it belongs to."""
    number = float(seen.json["query"])
    results = [{"index": index, "relevance_score": number} for index, _ in enumerate(seen.json["documents"])]
    peer.send(reply({"id": seen.json["query"], "results": results}))


def test_eight_threads_share_a_client() -> None:
    with Server(answer_by_query) as server, Client() as client, ThreadPoolExecutor(8) as threads:

        def work(number: int) -> None:
            documents = ["x"] * (number % 5 + 1)
            response = client.rerank(**call(server, query=str(number), documents=documents))
            assert response.id == str(number)
            assert [result.index for result in response.results] == list(range(number % 5 + 1))
            assert {result.relevance_score for result in response.results} == {float(number)}

        list(threads.map(work, range(200)))
        assert len(server.seen) == 200
        assert server.connections <= 8


def test_the_calls_of_several_threads_are_under_way_at_the_same_time() -> None:
    together = threading.Barrier(8)

    def answer_together(peer: Peer, seen: Seen) -> None:
        together.wait(PATIENCE_SECONDS)
        answer_by_query(peer, seen)

    with Server(answer_together) as server, ThreadPoolExecutor(8) as threads:
        answers = threads.map(lambda number: rankspec.rerank(**call(server, query=str(number))).id, range(8))
        assert list(answers) == [str(number) for number in range(8)]


def test_each_thread_keeps_its_own_time_limit() -> None:
    def hold(peer: Peer, seen: Seen) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        peer.drip(b"x" * 1000)

    with Server(hold) as server, Client() as client, ThreadPoolExecutor(8) as threads:

        def work(seconds: float) -> float:
            started = time.monotonic()
            with pytest.raises(TimedOut):
                client.rerank(**call(server, timeout=seconds))
            return time.monotonic() - started - seconds

        # The longest first: each of the later ones must wake the watchdog earlier than it meant to.
        late = list(threads.map(work, [0.55, 0.5, 0.45, 0.4, 0.35, 0.3, 0.25, 0.2]))
        assert all(0 <= seconds < 0.6 for seconds in late)


def test_a_client_that_was_closed_works_again() -> None:
    with Server(GOOD) as server:
        client = Client()
        client.close()
        for _ in range(2):
            assert client.rerank(**call(server)).id == "r-1"
            client.close()
            client.close()
        with client:
            assert client.rerank(**call(server)).id == "r-1"


def test_closing_does_not_harm_a_call_under_way() -> None:
    asked = threading.Event()

    def answer_late(peer: Peer, seen: Seen) -> None:
        asked.set()
        peer.pause(0.2)
        peer.send(GOOD)

    with Server(answer_late) as server, ThreadPoolExecutor(1) as threads:
        client = Client()
        answer = threads.submit(client.rerank, **call(server))
        assert asked.wait(PATIENCE_SECONDS)
        client.close()
        assert answer.result(PATIENCE_SECONDS).id == "r-1"


def _script(text: str, server: Server, **environment: str) -> subprocess.Popen[str]:
    """A Python process of its own, with `call()` ready."""
    head = f"""
        import os, sys, threading, time
        from rankspec import AsyncClient, Client, RankspecError, TimedOut
        ARGUMENTS = dict(
            model="cohere/rerank-v3.5", query="1", documents=["a", "b"], api_key="sk-test-0123",
            api_base={server.url!r}, timeout=5, max_retries=0,
        )
        """
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(head) + textwrap.dedent(text)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


@needs_fork
def test_a_forked_child_does_not_use_its_parents_connections() -> None:
    text = """
        client = Client()
        client.rerank(**ARGUMENTS)
        child = os.fork()
        for _ in range(2):
            assert client.rerank(**ARGUMENTS).id == "1"
        if child == 0:
            os._exit(0)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
    with Server(answer_by_query) as server:
        process = _script(text, server)
        out, errors = process.communicate(timeout=30)
        assert (process.returncode, out, errors) == (0, "", "")
        # One for the parent, and one for the child, which may be the second or not.
        assert server.connections == 2
        assert len(server.seen) == 5


@needs_fork
def test_the_time_limit_holds_in_a_forked_child() -> None:
    def hold(peer: Peer, seen: Seen) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        peer.drip(b"x" * 1000)

    text = """
        client = Client()
        client.rerank(**ARGUMENTS)
        child = os.fork()
        if child == 0:
            started = time.monotonic()
            try:
                client.rerank(**{**ARGUMENTS, "timeout": 0.4})
            except TimedOut:
                os._exit(0 if time.monotonic() - started < 1.2 else 3)
            os._exit(4)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
    with Server(GOOD, hold) as server:
        process = _script(text, server)
        out, errors = process.communicate(timeout=30)
        assert (process.returncode, out, errors) == (0, "", "")


@needs_fork
def test_an_async_client_in_a_forked_child_fails_with_our_error() -> None:
    text = """
        import asyncio
        asyncio.run(AsyncClient().rerank(**ARGUMENTS))
        child = os.fork()
        if child == 0:
            try:
                asyncio.run(AsyncClient().rerank(**ARGUMENTS))
            except RankspecError as error:
                os._exit(0 if "fork first, or spawn" in str(error) else 3)
            os._exit(4)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
    with Server(answer_by_query) as server:
        process = _script(text, server)
        out, errors = process.communicate(timeout=30)
        assert (process.returncode, out, errors) == (0, "", "")


@needs_fork
@pytest.mark.parametrize("documents", [2, 70], ids=["whole", "split"])
def test_an_interrupt_ends_a_call_at_once(documents: int) -> None:
    text = f"""
        try:
            Client().rerank(**{{**ARGUMENTS, "timeout": 20, "model": "huggingface", "documents": ["d"] * {documents}}})
        except KeyboardInterrupt:
            print("interrupted")
        """

    def hold(peer: Peer, seen: Seen) -> None:
        peer.pause(PATIENCE_SECONDS)

    with Server(hold) as server:
        process = _script(text, server)
        until = time.monotonic() + PATIENCE_SECONDS
        while len(server.seen) < (documents + 31) // 32 and time.monotonic() < until:
            time.sleep(0.01)
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=30)
        assert (process.returncode, out, errors) == (0, "interrupted\n", "")
        assert time.monotonic() - started < 2


def test_a_process_ends_with_a_client_left_open() -> None:
    text = """
        client = Client()
        client.rerank(**ARGUMENTS)
        print("done")
        """
    with Server(answer_by_query) as server:
        process = _script(text, server)
        out, errors = process.communicate(timeout=30)
        assert (process.returncode, out, errors) == (0, "done\n", "")


def test_an_async_client_left_open_does_not_hold_up_the_end_of_a_process() -> None:
    text = """
        import asyncio
        client = AsyncClient()
        asyncio.run(client.rerank(**ARGUMENTS))
        print("done")
        """
    with Server(answer_by_query) as server:
        process = _script(text, server)
        out, errors = process.communicate(timeout=30)
        assert (process.returncode, out, errors) == (0, "done\n", "")


@pytest.mark.parametrize("is_cancelled", [True, False], ids=["cancelled", "left"])
def test_a_process_ends_while_async_calls_are_under_way(is_cancelled: bool) -> None:
    text = f"""
        import asyncio
        from rankspec import arerank
        async def work():
            await asyncio.gather(*(arerank(**ARGUMENTS) for _ in range(4)))
            tasks = [asyncio.create_task(arerank(**{{**ARGUMENTS, "query": "2"}})) for _ in range(8)]
            await asyncio.sleep(0.05)
            if {is_cancelled}:
                [task.cancel() for task in tasks]
        asyncio.run(work())
        print("done")
        """

    def answer_the_first(peer: Peer, seen: Seen) -> None:
        if seen.json["query"] == "2":
            peer.pause(PATIENCE_SECONDS)
        else:
            answer_by_query(peer, seen)

    with Server(answer_the_first) as server:
        process = _script(text, server)
        out, errors = process.communicate(timeout=30)
        assert (process.returncode, out, errors) == (0, "done\n", "")


def test_a_sync_call_loads_no_async_library_and_an_async_one_no_requests() -> None:
    text = """
        import asyncio
        {call}
        print(*sorted({{"asyncio", "requests", "urllib3", "wreq", "bm25s", "numpy"}} & set(sys.modules)))
        """
    with Server(answer_by_query) as server:
        calls = {
            "Client().rerank(**ARGUMENTS)": "asyncio requests urllib3\n",
            "asyncio.run(AsyncClient().rerank(**ARGUMENTS))": "asyncio wreq\n",
        }
        for one, loaded in calls.items():
            process = _script(text.format(call=one), server)
            assert process.communicate(timeout=30) == (loaded, "")
