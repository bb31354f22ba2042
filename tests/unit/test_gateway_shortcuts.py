"""A whole body and a whole reply at a time: on the wire they are what ASGI's messages would have been."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref
from collections.abc import Sequence
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from rankspec.gateway.edge.shortcuts import SHORTCUTS
from rankspec.gateway.edge.waiting import WAITING
from rankspec.gateway.serving.protocol import GatewayProtocol, ServerSettings

PATIENCE_SECONDS = 20.0
MOST_BYTES = 1_000_000
DATE = (b"date", b"Mon, 23 Nov 2026 12:00:00 GMT")


async def by_messages(scope: Any, receive: Any, send: Any) -> None:
    """Tells the length of the body that came, and so many bytes as the path says."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"] and len(body) <= MOST_BYTES
    told = _told(scope, body)
    await send({"type": "http.response.start", "status": 200, "headers": _headers(scope, told)})
    await send({"type": "http.response.body", "body": told})


async def by_shortcuts(scope: Any, receive: Any, send: Any) -> None:
    """The same."""
    shortcuts = scope[SHORTCUTS]
    body = shortcuts.body_at_hand(MOST_BYTES)
    more = body is None
    body = body or bytearray()
    while more:
        message = await shortcuts.receive_whole(MOST_BYTES)
        body += message["body"]
        more = message["more_body"] and len(body) <= MOST_BYTES
    told = _told(scope, body)
    lines = b"".join(b"%b: %b\r\n" % header for header in _headers(scope, told))
    if b"\r\nconnection: " in lines or not shortcuts.reply(200, lines, told):
        await send({"type": "http.response.start", "status": 200, "headers": _headers(scope, told)})
        await send({"type": "http.response.body", "body": told})


def _told(scope: Any, body: bytes | bytearray) -> bytes:
    return b"%d of %d" % (min(len(body), MOST_BYTES), sum(body[:MOST_BYTES])) + bytes(int(scope["path"][1:]))


def _headers(scope: Any, told: bytes) -> list[tuple[bytes, bytes]]:
    given = [(b"content-length", b"%d" % len(told)), (b"x-one", b"1")]
    return [*given, (b"connection", b"close")] if b"end=1" in scope["query_string"] else given


def wire(app: Any, pieces: Sequence[bytes]) -> bytes:
    """Everything that comes back for pieces that are sent one after the other, until a while brings nothing."""

    async def talk() -> bytes:
        settings = ServerSettings(app, head_seconds=5, lifespan="off", ws="none", log_config=None, server_header=False)
        state = ServerState()
        state.default_headers = [DATE]
        loop = asyncio.get_running_loop()
        serving = await loop.create_server(
            lambda: GatewayProtocol(settings, server_state=state, app_state={}), "127.0.0.1", 0
        )
        received = b""
        async with serving:
            with socket.socket() as visitor:
                visitor.setblocking(False)
                await loop.sock_connect(visitor, serving.sockets[0].getsockname())
                for piece in pieces:
                    await loop.sock_sendall(visitor, piece)
                    await asyncio.sleep(0.02)
                while True:
                    try:
                        data = await asyncio.wait_for(loop.sock_recv(visitor, 1 << 20), 0.3)
                    except TimeoutError:
                        return received
                    if not data:
                        return received + b"(closed)"
                    received += data

    return asyncio.run(asyncio.wait_for(talk(), PATIENCE_SECONDS))


def asking(target: bytes, body: bytes, *headers: bytes, version: bytes = b"1.1", method: bytes = b"POST") -> bytes:
    lines = (b"%s %s HTTP/%s" % (method, target, version), b"host: x", b"content-length: %d" % len(body), *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


BODY = bytes(range(256)) * 1000
CHUNKED = b"POST /3 HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
CASES = {
    "a small body": [asking(b"/3", b"abc")],
    "no body": [asking(b"/3", b"")],
    "a large body": [asking(b"/3", BODY)],
    "a body in pieces": [asking(b"/3", BODY)[:100], asking(b"/3", BODY)[100:90_000], asking(b"/3", BODY)[90_000:]],
    "a body in chunks": [CHUNKED, b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n"],
    "a body that is too large": [asking(b"/3", bytes([1]) * 3_000_000)],
    "a large reply": [asking(b"/300000", b"abc")],
    "two in a row": [asking(b"/3", BODY), asking(b"/4", b"abc")],
    "two in one piece": [asking(b"/3", BODY) + asking(b"/300000", b"abc")],
    "the last by the caller's wish": [asking(b"/3", b"abc", b"connection: close")],
    "the last by ours": [asking(b"/3?end=1", b"abc")],
    "an old client": [asking(b"/3", b"abc", version=b"1.0")],
    "a head alone": [asking(b"/3", b"abc", method=b"HEAD")],
    "who asks before sending": [asking(b"/3", b"abc", b"expect: 100-continue")[:-3], b"abc"],
}


@pytest.mark.parametrize("pieces", CASES.values(), ids=CASES.keys())
def test_what_comes_back_is_the_same_as_by_messages(pieces: Sequence[bytes]) -> None:
    by_the_short_way = wire(by_shortcuts, pieces)

    assert by_the_short_way.startswith(b"HTTP/1.1 ")
    assert by_the_short_way == wire(by_messages, pieces)


def test_who_goes_away_in_the_middle_of_a_body_is_noticed() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(await scope[SHORTCUTS].receive_whole(MOST_BYTES))
        seen.append(scope[SHORTCUTS].reply(200, b"content-length: 0\r\n", b""))

    async def talk() -> None:
        settings = ServerSettings(app, head_seconds=5, lifespan="off", ws="none", log_config=None)
        state = ServerState()
        serving = await asyncio.get_running_loop().create_server(
            lambda: GatewayProtocol(settings, server_state=state, app_state={}), "127.0.0.1", 0
        )
        async with serving:
            _, writer = await asyncio.open_connection(*serving.sockets[0].getsockname())
            writer.write(asking(b"/3", b"abcdef")[:-3])
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.close()
            while len(seen) < 2:
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(talk(), PATIENCE_SECONDS))
    assert seen == [{"type": "http.disconnect"}, False]


def test_a_request_that_was_answered_holds_nothing_of_itself() -> None:
    """Else memory grows with every request, until the collector of cycles runs, which it does seldom."""
    ended: list[weakref.ref[Any]] = []

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        shortcuts = scope[SHORTCUTS]
        ended.append(weakref.ref(shortcuts.message_event))
        await by_shortcuts(scope, receive, send)

    gc.disable()
    try:
        wire(noting, [asking(b"/3", b"abc") for _ in range(5)])
    finally:
        gc.enable()
    assert [reference() for reference in ended[:-1]] == [None] * 4


HEADS = {
    "a plain path": asking(b"/v2/rerank", b""),
    "a path with escapes and a query": asking(b"/a%20b/%C3%BC%2F?x=%20&y", b""),
    "slashes": asking(b"//a//", b""),
    "another machine's address": asking(b"http://elsewhere:80/a?b", b""),
    "no path": asking(b"*", b"", method=b"OPTIONS"),
    "no address": asking(b"elsewhere:80", b"", method=b"CONNECT"),
    "an old client": asking(b"/a", b"", version=b"1.0"),
    "an old client that stays": asking(b"/a", b"", b"connection: keep-alive", version=b"1.0"),
    "who goes after it": asking(b"/a", b"", b"Connection: Close"),
    "several of a name": asking(b"/a", b"", b"X-One: 1", b"x-one: 2", b"X-ONE:"),
    "who asks before sending": asking(b"/a", b"abc", b"Expect: 100-Continue")[:-3],
    "who expects two things": asking(b"/a", b"abc", b"expect: 100-continue", b"expect: else")[:-3],
    "who expects something else": asking(b"/a", b"abc", b"expect: else"),
    "two targets in turn": asking(b"/a", b"") + asking(b"/b?c", b"") + asking(b"/b?c", b""),
}


class _Wire(asyncio.Transport):
    """Takes what is sent."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("10.0.0.1", 5), "sockname": ("10.0.0.2", 80)}.get(name, default)

    def is_closing(self) -> bool:
        return False

    def can_write_eof(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: Any) -> None:
        return

    def _ignore(self) -> None:
        return

    close = pause_reading = resume_reading = _ignore


@pytest.mark.parametrize("pieces", [1, 2, 7])
@pytest.mark.parametrize("sent", HEADS.values(), ids=HEADS.keys())
def test_what_a_head_says_is_what_uvicorn_understands(sent: bytes, pieces: int) -> None:
    def understood(protocol: type[HttpToolsProtocol]) -> list[Any]:
        found: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            cycle = receive.__self__
            plain = {key: value for key, value in scope.items() if key not in (SHORTCUTS, WAITING)}
            found.append((plain, cycle.keep_alive, cycle.waiting_for_100_continue))
            await by_messages({**scope, "path": "/3"}, lambda: _no_more(), send)

        async def talk() -> None:
            settings = ServerSettings(app, head_seconds=5, lifespan="off", ws="none", log_config=None)
            state = ServerState()
            state.default_headers = [DATE]
            connection = protocol(settings, server_state=state, app_state={"a": 1})
            connection.connection_made(_Wire())
            for start in range(0, len(sent), -(-len(sent) // pieces)):
                connection.data_received(sent[start : start + -(-len(sent) // pieces)])
            for _ in range(20):
                await asyncio.sleep(0)
            connection.connection_lost(None)

        asyncio.run(asyncio.wait_for(talk(), PATIENCE_SECONDS))
        return found

    assert understood(GatewayProtocol) == understood(HttpToolsProtocol)


async def _no_more() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


def test_a_caller_who_leaves_while_several_requests_are_in_line_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    """The one that is answered is not the last one that came."""
    ends: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        scope[WAITING].add(task)
        try:
            if scope["path"] == "/slow":
                await asyncio.sleep(PATIENCE_SECONDS)
        except asyncio.CancelledError:
            task.uncancel()
            ends.append(scope["path"])
            return
        scope[WAITING].discard(task)
        scope[SHORTCUTS].reply(200, b"content-length: 2\r\n", b"ok")

    async def talk() -> list[Any]:
        settings = ServerSettings(app, head_seconds=5, lifespan="off", ws="none", log_config=None, server_header=False)
        loop = asyncio.get_running_loop()
        odd: list[Any] = []
        loop.set_exception_handler(lambda _, context: odd.append(context))
        state = ServerState()
        serving = await loop.create_server(
            lambda: GatewayProtocol(settings, server_state=state, app_state={}), "127.0.0.1", 0
        )
        async with serving:
            with socket.socket() as visitor:
                visitor.setblocking(False)
                await loop.sock_connect(visitor, serving.sockets[0].getsockname())
                one = b"POST /%b HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n"
                await loop.sock_sendall(visitor, b"".join(one % path for path in (b"at-once", b"slow", b"at-once")))
                assert (await loop.sock_recv(visitor, 1000)).endswith(b"ok")
            async with asyncio.timeout(PATIENCE_SECONDS):
                while state.tasks:
                    await asyncio.sleep(0.01)
        gc.collect()  # An exception that nobody has asked for is told when its task is gone.
        await asyncio.sleep(0)
        return odd

    assert asyncio.run(talk()) == []
    assert ends == ["/slow"]
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
