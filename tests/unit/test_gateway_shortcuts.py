"""A whole body and a whole reply at a time: on the wire they are what ASGI's messages would have been."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref
from collections.abc import Sequence
from typing import Any

import pytest
from uvicorn.server import ServerState

from rankspec.gateway.edge.shortcuts import SHORTCUTS
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
        message = await shortcuts.receive(MOST_BYTES)
        body += message["body"]
        more = message["more_body"] and len(body) <= MOST_BYTES
    told = _told(scope, body)
    if not shortcuts.reply(200, _headers(scope, told), told):
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
        seen.append(await scope[SHORTCUTS].receive(MOST_BYTES))
        seen.append(scope[SHORTCUTS].reply(200, [(b"content-length", b"0")], b""))

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
        ended.append(weakref.ref(shortcuts._cycle.message_event))
        await by_shortcuts(scope, receive, send)

    gc.disable()
    try:
        wire(noting, [asking(b"/3", b"abc") for _ in range(5)])
    finally:
        gc.enable()
    assert [reference() for reference in ended[:-1]] == [None] * 4
