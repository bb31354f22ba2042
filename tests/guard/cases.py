"""The work that is counted: translations, calls and whole requests to the gateway, each answered at once by a stand-in."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
from payloads import asked, bedrock_reply, body, cohere_reply
from translating import COHERE, LOCAL, Answer, Translation, always, bedrock
from uvicorn.server import ServerState

from rankspec import Client
from rankspec.exchange import run_offline
from rankspec.gateway.serving import server
from rankspec.gateway.serving.protocol import GatewayProtocol, ServerSettings
from rankspec.models import HttpRequest, HttpResponse
from rankspec.transports import in_process
from rankspec.transports.async_transport import AsyncTransport

SIZES = {4: 100, 100: 1000, 1000: 1000}
"""Documents, and bytes in each."""

Work = Callable[[], object]


def cases() -> Iterator[tuple[str, Work]]:
    """Every piece of work by its name."""
    flat, loop, local = Translation(COHERE), bedrock(), Translation(LOCAL)
    with tempfile.TemporaryDirectory() as folder:
        gateway = StubbedGateway(Path(folder))
    for count, size in SIZES.items():
        replies = cohere_reply(count), bedrock_reply(count), _local_reply(count)
        cohere, aws, own = map(always, replies)
        client = OfflineClient(cohere)
        for kind, is_ascii in (("", False), (", ASCII", True)):
            values = asked(count, size, is_ascii=is_ascii)
            request, name = body(values), f"{count} documents{kind}"
            yield f"translation, flat body, {name}", partial(flat, request, cohere)
            yield f"translation, body that loops, {name}", partial(loop, request, aws)
            yield f"translation, in process, {name}", partial(local, request, own)
            yield f"gateway, one request, {name}", partial(gateway.post, request, replies[0])
        yield f"rerank(), {count} documents", partial(client.rerank, COHERE, values["query"], values["documents"])
    request = body(asked(100, 1000))
    yield "translation, in process, 100 documents, ranked by BM25", partial(local, request, in_process.send)


def _local_reply(count: int) -> bytes:
    return body({"results": orjson.loads(cohere_reply(count))["results"]})


class OfflineClient(Client):
    """A client whose calls are answered by a function: all of `rerank()` but for the sending."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(api_key="key")
        self._answer = answer

    def _new_transport(self) -> Any:
        return SimpleNamespace(run=lambda exchange: run_offline(exchange, self._answer))


_HEAD = (
    b"POST /v2/rerank HTTP/1.1\r\nHost: 127.0.0.1:4000\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)


class _Stub(AsyncTransport):
    """Answers at once, always the same."""

    reply = b""

    async def send(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, {"content-type": "application/json"}, self.reply)


class StubbedGateway:
    """The gateway as the command starts it, but for its sockets."""

    def __init__(self, folder: Path) -> None:
        config = folder / "config.yaml"
        params = {"model": COHERE, "api_base": "http://127.0.0.1:1", "api_key": "key"}
        config.write_text(json.dumps({"model_list": [{"model_name": "rerank-v3.5", "litellm_params": params}]}))
        self._loop = asyncio.new_event_loop()
        kept = server.AsyncTransport, sys.stderr
        server.AsyncTransport, sys.stderr = _Stub, io.StringIO()  # The log goes to the latter.
        try:
            self._gateway = server.Service(server.ServeOptions(config=str(config))).gateway
        finally:
            server.AsyncTransport, sys.stderr = kept
        self._connection: tuple[_Wire, GatewayProtocol] | None = None

    def post(self, request: bytes, reply: bytes) -> None:
        """One request as it comes over a connection, for which the provider gives that reply.

        Raises:
            AssertionError: it is not answered with 200.
        """
        _Stub.reply = reply
        answer = self._loop.run_until_complete(self._answer(request))
        assert answer.startswith(b"HTTP/1.1 200 "), answer

    async def _answer(self, request: bytes) -> bytes:
        if self._connection is None:
            self._connection = self._connected()
        wire, protocol = self._connection
        wire.answer = self._loop.create_future()
        protocol.data_received(_HEAD % len(request) + request)
        answer = await wire.answer
        await asyncio.sleep(0)  # What has ended is counted and logged at the end of a turn of the loop.
        return answer

    def _connected(self) -> tuple[_Wire, GatewayProtocol]:
        settings = ServerSettings(
            self._gateway,
            http=GatewayProtocol,
            ws="none",
            interface="asgi3",
            log_config=None,
            proxy_headers=False,
            server_header=False,
            head_seconds=10,
        )
        settings.load()
        state = ServerState()
        state.default_headers = [(b"date", b"Mon, 23 Nov 2026 12:00:00 GMT")]
        wire, protocol = _Wire(), GatewayProtocol(settings, server_state=state, app_state={})
        protocol.connection_made(wire)
        return wire, protocol


class _Wire(asyncio.Transport):
    """A connection that takes whatever is written, and has nothing of its own to read."""

    answer: asyncio.Future[bytes]

    def __init__(self) -> None:
        super().__init__({"sockname": ("127.0.0.1", 4000), "peername": ("127.0.0.1", 5000)})

    def write(self, data: Any) -> None:
        # A large reply comes in two pieces, and nothing of the second is looked at.
        if not self.answer.done():
            self.answer.set_result(bytes(data))

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def resume_reading(self) -> None:
        pass

    def pause_reading(self) -> None:
        pass
