"""What only a sync client can be in: several threads, an interrupted process, and a forked one."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from callers import KEY
from loopback import PATIENCE_SECONDS, Peer, Seen, Server, reply, wait_until

from rankspec import Client, RankspecError, TimedOut

GOOD = reply({"id": "r-1", "results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]})


@pytest.fixture(params=["requests", "native"])
def transport(request: pytest.FixtureRequest) -> Any:
    """The name of each sync transport in turn."""
    return request.param


def call(server: Server, **others: Any) -> dict[str, Any]:
    """The arguments of a call to a server."""
    given = {"model": "cohere/rerank-v3.5", "query": "q", "documents": ["a", "b"], "api_key": KEY}
    return {**given, "api_base": server.url, "timeout": 5, "max_retries": 0, **others}


def answer_by_query(peer: Peer, seen: Seen) -> None:
    """A score that tells which call it belongs to."""
    number = float(seen.json["query"])
    results = [{"index": index, "relevance_score": number} for index, _ in enumerate(seen.json["documents"])]
    peer.send(reply({"id": seen.json["query"], "results": results}))


def test_eight_threads_share_a_client(transport: Any) -> None:
    with Server(answer_by_query) as server, Client(transport=transport) as client, ThreadPoolExecutor(8) as threads:

        def work(number: int) -> None:
            documents = ["x"] * (number % 5 + 1)
            response = client.rerank(**call(server, query=str(number), documents=documents))
            assert response.id == str(number)
            assert [result.index for result in response.results] == list(range(number % 5 + 1))
            assert {result.relevance_score for result in response.results} == {float(number)}

        list(threads.map(work, range(200)))
        assert len(server.seen) == 200
        assert server.connections <= 8


def test_a_pool_that_the_library_has_closed_is_opened_anew() -> None:
    with Server(GOOD) as server, Client(transport="requests") as client:
        client.rerank(**call(server))
        adapter = client._transport_in_use()._adapter  # type: ignore[union-attr]
        pools = adapter.poolmanager.pools
        for pool in [pools[key] for key in pools.keys()]:  # noqa: SIM118 - not a dict, and not to be iterated
            pool.close()  # As older versions do with the pool that the 33rd host drives out.
        adapter.poolmanager.clear()
        assert client.rerank(**call(server)).id == "r-1"


def test_many_addresses_of_a_host_share_its_connections(transport: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rankspec.transports.requests_adapter._MAX_ROADS", 2)
    with Server(GOOD) as server, Client(transport=transport) as client:
        for number in [0, 1, 2, 3, 0, 3]:
            client.rerank(**call(server, api_base=f"{server.url}/{number}"))
        assert [seen.path for seen in server.seen] == [f"/{number}/v2/rerank" for number in [0, 1, 2, 3, 0, 3]]
        assert server.connections == 1


def test_the_calls_of_several_threads_are_under_way_at_the_same_time(transport: Any) -> None:
    together = threading.Barrier(8)

    def answer_together(peer: Peer, seen: Seen) -> None:
        together.wait(PATIENCE_SECONDS)
        answer_by_query(peer, seen)

    with Server(answer_together) as server, Client(transport=transport) as client, ThreadPoolExecutor(8) as threads:
        answers = threads.map(lambda number: client.rerank(**call(server, query=str(number))).id, range(8))
        assert list(answers) == [str(number) for number in range(8)]


def test_the_head_and_a_small_body_go_out_in_one_piece_and_a_large_body_is_not_copied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[bytes] = []

    def note_what_is_sent(sock: socket.socket, data: bytes) -> None:
        if threading.current_thread() is threading.main_thread():  # The server has threads of its own.
            sent.append(data)
        super(socket.socket, sock).sendall(data)

    monkeypatch.setattr(socket.socket, "sendall", note_what_is_sent)
    with Server(GOOD) as server, Client(transport="requests") as client:
        client.rerank(**call(server))
        client.rerank(**call(server, documents=["x" * 40_000, "y"]))
    small, large = server.seen
    head, _, body = sent[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v2/rerank HTTP/1.1\r\n")
    assert body == small.body
    assert sent[1].endswith(b"\r\n\r\n")
    assert sent[2:] == [large.body]


def test_bodies_of_any_size_arrive_whole(transport: Any) -> None:
    bound = 32 * 1024
    with Server(GOOD) as server, Client(transport=transport) as client:
        for size in [1, bound - 500, bound - 200, bound - 1, bound, bound + 1, 40 * bound]:
            client.rerank(**call(server, documents=["x" * size, "y"]))
            assert server.seen[-1].json["documents"] == ["x" * size, "y"]
            assert server.seen[-1].headers["content-length"] == str(len(server.seen[-1].body))
        assert server.connections == 1


def test_each_thread_keeps_its_own_time_limit(transport: Any) -> None:
    def hold(peer: Peer, seen: Seen) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        peer.drip(b"x" * 1000)

    with Server(hold) as server, Client(transport=transport) as client, ThreadPoolExecutor(8) as threads:

        def work(seconds: float) -> float:
            started = time.monotonic()
            with pytest.raises(TimedOut):
                client.rerank(**call(server, timeout=seconds))
            return time.monotonic() - started - seconds

        # The longest first: each of the later ones must wake the watchdog earlier than it meant to.
        late = list(threads.map(work, [0.55, 0.5, 0.45, 0.4, 0.35, 0.3, 0.25, 0.2]))
        assert all(0 <= seconds < 0.6 for seconds in late)


def test_a_client_that_was_closed_works_again(transport: Any) -> None:
    with Server(GOOD) as server:
        client = Client(transport=transport)
        client.close()
        for _ in range(2):
            assert client.rerank(**call(server)).id == "r-1"
            client.close()
            client.close()
        with client:
            assert client.rerank(**call(server)).id == "r-1"


def test_closing_does_not_harm_a_call_under_way(transport: Any) -> None:
    asked = threading.Event()

    def answer_late(peer: Peer, seen: Seen) -> None:
        asked.set()
        peer.pause(0.2)
        peer.send(GOOD)

    with Server(answer_late) as server, ThreadPoolExecutor(1) as threads:
        client = Client(transport=transport)
        answer = threads.submit(client.rerank, **call(server))
        assert asked.wait(PATIENCE_SECONDS)
        client.close()
        assert answer.result(PATIENCE_SECONDS).id == "r-1"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system does not list descriptors")
def test_a_closed_client_leaves_no_descriptor_behind_though_calls_have_failed(transport: Any) -> None:
    def behave(peer: Peer, seen: Seen) -> None:
        if seen.json["query"] == "fail":
            peer.seconds_until_client_closes()
            peer.close()
        elif seen.json["query"] == "refuse":
            peer.send(reply("", 500))
        else:
            peer.send(GOOD)

    def attempt(client: Client, query: str) -> bool:
        try:
            client.rerank(**call(server, query=query, timeout=0.2 if query == "fail" else 5))
        except RankspecError:
            return False
        return True

    gc.disable()
    try:
        with Server(behave) as server, ThreadPoolExecutor(4) as threads:
            with Client(transport=transport) as client:
                attempt(client, "good")  # The thread of the library, or the watchdog, stays.
            wait_until(lambda: not any(peer.is_open for peer in server._peers))
            before = _descriptors()
            with Client(transport=transport) as client:
                queries = ["good", "refuse", "fail"] * 4
                assert [attempt(client, query) for query in queries] == [query == "good" for query in queries]
                answers = threads.map(lambda query: attempt(client, query), queries)
                assert list(answers) == [query == "good" for query in queries]
            wait_until(lambda: _descriptors() <= before)
            assert _descriptors() <= before
    finally:
        gc.enable()


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _script(text: str, server: Server, **environment: str) -> subprocess.Popen[str]:
    """A Python process of its own, with `call()` ready."""
    head = f"""
        import os, signal, sys, threading, time
        signal.signal(signal.SIGINT, signal.default_int_handler)  # A shell's background jobs are born without it.
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


NATIVE_CALLS = {"native": "client.rerank(**ARGUMENTS)", "async": "asyncio.run(AsyncClient().rerank(**ARGUMENTS))"}


@needs_fork
@pytest.mark.parametrize("in_child", NATIVE_CALLS)
@pytest.mark.parametrize("in_parent", NATIVE_CALLS)
def test_a_client_over_wreq_in_a_forked_child_fails_with_our_error(in_parent: str, in_child: str) -> None:
    text = f"""
        import asyncio
        client = Client(transport="native")
        {NATIVE_CALLS[in_parent]}
        child = os.fork()
        if child == 0:
            try:
                {NATIVE_CALLS[in_child]}
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
@pytest.mark.parametrize("in_child", NATIVE_CALLS)
def test_a_child_that_was_forked_before_any_call_makes_its_own(in_child: str) -> None:
    text = f"""
        import asyncio
        client = Client(transport="native")
        child = os.fork()
        {NATIVE_CALLS[in_child]}
        if child == 0:
            os._exit(0)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
    with Server(answer_by_query) as server:
        process = _script(text, server)
        out, errors = process.communicate(timeout=30)
        assert (process.returncode, out, errors) == (0, "", "")
        assert len(server.seen) == 2


@needs_fork
def test_a_child_forked_after_a_call_that_failed_before_the_network_makes_its_own() -> None:
    text = """
        import signal
        client = Client(transport="native")
        os.environ["REQUESTS_CA_BUNDLE"] = os.devnull + "/none"
        try:
            client.rerank(**ARGUMENTS)
        except RankspecError:
            del os.environ["REQUESTS_CA_BUNDLE"]
        child = os.fork()
        if child == 0:
            signal.alarm(8)
            os._exit(0 if client.rerank(**ARGUMENTS).id == "1" else 3)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
    with Server(answer_by_query) as server:
        process = _script(text, server)
        out, errors = process.communicate(timeout=30)
        assert (process.returncode, out, errors) == (0, "", "")


def _hold_head(peer: Peer, seen: Seen) -> None:
    peer.pause(PATIENCE_SECONDS)


def _hold_body(peer: Peer, seen: Seen) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")
    peer.pause(PATIENCE_SECONDS)


@needs_fork
@pytest.mark.parametrize("hold", [_hold_head, _hold_body], ids=["head", "body"])
@pytest.mark.parametrize("documents", [2, 70], ids=["whole", "split"])
def test_an_interrupt_ends_a_call_at_once(transport: Any, documents: int, hold: Any) -> None:
    text = f"""
        try:
            Client().rerank(**{{**ARGUMENTS, "timeout": 20, "model": "huggingface", "documents": ["d"] * {documents}}})
        except KeyboardInterrupt:
            print("interrupted")
        """

    with Server(hold) as server:
        process = _script(text, server, RANKSPEC_TRANSPORT=transport)
        until = time.monotonic() + PATIENCE_SECONDS
        while len(server.seen) < (documents + 31) // 32 and time.monotonic() < until:
            time.sleep(0.01)
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=30)
        assert (process.returncode, out, errors) == (0, "interrupted\n", "")
        assert time.monotonic() - started < 2


def test_an_interrupted_call_is_ended_on_the_wire_and_the_client_works_on(transport: Any) -> None:
    kept: list[float | None] = []

    def hold_the_first(peer: Peer, seen: Seen) -> None:
        if len(server.seen) > 1:
            peer.send(GOOD)
            return
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")
        kept.append(peer.seconds_until_client_closes())
        peer.close()

    def interrupt() -> None:
        wait_until(lambda: bool(server.seen))
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    with Server(hold_the_first) as server, Client(transport=transport) as client:
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        interrupting = threading.Thread(target=interrupt)
        interrupting.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                client.rerank(**call(server, timeout=60))
        finally:
            signal.signal(signal.SIGINT, before)
        interrupting.join(PATIENCE_SECONDS)
        assert [client.rerank(**call(server)).id for _ in range(2)] == ["r-1", "r-1"]
        wait_until(lambda: bool(kept))
        assert kept[0] is not None
        assert [seen.connection for seen in server.seen] == [0, 1, 1]


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="this system has no signal to spare")
def test_a_signal_handler_may_call_while_a_call_waits(transport: Any) -> None:
    answers: list[str] = []

    def wait_for_the_other(peer: Peer, seen: Seen) -> None:
        if seen.json["query"] == "1":
            os.kill(os.getpid(), signal.SIGUSR1)
            wait_until(lambda: bool(answers))
        answer_by_query(peer, seen)

    with Server(wait_for_the_other) as server, Client(transport=transport) as client:
        before = signal.signal(
            signal.SIGUSR1, lambda *_: answers.append(client.rerank(**call(server, query="2", timeout=60)).id)
        )
        try:
            answers.append(client.rerank(**call(server, query="1", timeout=60)).id)
        finally:
            signal.signal(signal.SIGUSR1, before)
    assert answers == ["2", "1"]


def test_a_process_ends_with_a_client_left_open(transport: Any) -> None:
    text = """
        client = Client()
        client.rerank(**ARGUMENTS)
        print("done")
        """
    with Server(answer_by_query) as server:
        process = _script(text, server, RANKSPEC_TRANSPORT=transport)
        out, errors = process.communicate(timeout=30)
        assert (process.returncode, out, errors) == (0, "done\n", "")


@pytest.mark.parametrize("hold", [_hold_head, _hold_body], ids=["head", "body"])
def test_a_process_ends_while_a_daemon_thread_waits_for_its_answer(transport: Any, hold: Any) -> None:
    text = """
        def work():
            try:
                Client().rerank(**{**ARGUMENTS, "query": "2", "timeout": 60})
            except RankspecError:
                pass
        Client().rerank(**ARGUMENTS)
        threading.Thread(target=work, daemon=True).start()
        time.sleep(0.2)
        print("done")
        """

    def answer_the_first(peer: Peer, seen: Seen) -> None:
        (hold if seen.json["query"] == "2" else answer_by_query)(peer, seen)

    with Server(answer_the_first) as server:
        process = _script(text, server, RANKSPEC_TRANSPORT=transport)
        out, errors = process.communicate(timeout=30)
        assert (process.returncode, out, errors) == (0, "done\n", "")
        assert len(server.seen) == 2


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


def test_a_call_loads_the_library_of_its_transport_and_no_other() -> None:
    text = """
        import asyncio
        {call}
        print(*sorted({{"asyncio", "requests", "urllib3", "wreq", "bm25s", "numpy"}} & set(sys.modules)))
        """
    with Server(answer_by_query) as server:
        calls = {
            "Client().rerank(**ARGUMENTS)": "asyncio requests urllib3\n",
            "Client(transport='native').rerank(**ARGUMENTS)": "asyncio wreq\n",
            "asyncio.run(AsyncClient().rerank(**ARGUMENTS))": "asyncio wreq\n",
        }
        for one, loaded in calls.items():
            process = _script(text.format(call=one), server)
            assert process.communicate(timeout=30) == (loaded, "")
