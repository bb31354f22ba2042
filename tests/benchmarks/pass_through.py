"""A gateway that does nothing: uvicorn, a bare ASGI function, and the transport that rankspec's own gateway uses.

Its two forms are what the gateway is measured against: `bytes` hands bodies on as they are, `json` decodes and encodes
both. Started as `pass_through.py FORM UPSTREAM_URL`; prints its own URL.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson
import uvicorn

from rankspec.models import HttpRequest
from rankspec.transports.async_transport import AsyncTransport

Message = MutableMapping[str, Any]
JSON = {"content-type": "application/json", "authorization": "Bearer key"}


class PassThrough:
    """The ASGI application."""

    def __init__(self, form: str, upstream: str) -> None:
        self._decodes = form == "json"
        self._upstream = upstream
        self._transport = AsyncTransport()

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        body = await _body(receive)
        if self._decodes:
            body = orjson.dumps(orjson.loads(body))
        reply = await self._transport.send(HttpRequest("POST", self._upstream, JSON, body, 60.0))
        answer = orjson.dumps(orjson.loads(reply.body)) if self._decodes else reply.body
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


async def _body(receive: Callable[[], Awaitable[Message]]) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


class _Server(uvicorn.Server):
    """Says where it listens."""

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        print(f"http://127.0.0.1:{self.servers[0].sockets[0].getsockname()[1]}", flush=True)


def main() -> None:
    form, upstream = sys.argv[1:]
    config = uvicorn.Config(
        PassThrough(form, upstream),
        port=0,
        http="httptools",
        loop="uvloop",
        lifespan="off",
        log_level="error",
        access_log=False,
        ws="none",
    )
    _Server(config).run()


if __name__ == "__main__":
    main()
