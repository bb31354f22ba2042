"""A gateway that does nothing, on the libraries of rankspec's own: uvicorn, httptools, uvloop, wreq; nothing of rankspec.

`bytes` hands bodies on as they are, `json` decodes and encodes both. Started as `pass_through.py FORM UPSTREAM_URL`;
prints its own URL.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import timedelta
from typing import Any

import orjson
import uvicorn
from wreq import Client, Method, Runtime

Message = MutableMapping[str, Any]
HEADERS = {"content-type": "application/json", "authorization": "Bearer key"}
TIMEOUT = timedelta(seconds=60)


class PassThrough:
    """The ASGI application."""

    def __init__(self, form: str, upstream: str) -> None:
        self._decodes = form == "json"
        self._upstream = upstream
        self._client: Client | None = None

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        body = await _body(receive)
        if self._decodes:
            body = orjson.dumps(orjson.loads(body))
        status, answer = await self._ask(body)
        if self._decodes:
            answer = orjson.dumps(orjson.loads(answer))
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _ask(self, body: bytes) -> tuple[int, bytes]:
        if self._client is None:
            # One thread answers all that one Python can ask for; with more of them each request is dearer.
            runtime = Runtime(workers=1, work_steal=False)
            self._client = Client(runtime=runtime, http1_only=True, no_proxy=True)
        reply = await self._client.request(Method.POST, self._upstream, headers=HEADERS, body=body, timeout=TIMEOUT)
        return reply.status.as_int(), bytes(await reply.bytes())


async def _body(receive: Callable[[], Awaitable[Message]]) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


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
        backlog=2048,
    )
    _Server(config).run()


if __name__ == "__main__":
    main()
