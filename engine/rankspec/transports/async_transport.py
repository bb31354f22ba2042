"""The async transport, on wreq. A request whose task is cancelled is ended on the wire, at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any
from urllib.request import getproxies

from rankspec.errors import ExtraMissing, TransportError
from rankspec.models import Exchange, HttpRequest, HttpResponse
from rankspec.transports import in_process, limits
from rankspec.transports.async_driver import Pause, Send, drive
from rankspec.transports.limits import CLOSED, no_connection, reply_too_large, timed_out

try:
    from wreq import Client, Response

    from rankspec.transports import native
except ImportError:
    raise ExtraMissing("async", "arerank() and AsyncClient") from None


class AsyncTransport:
    """Sends requests over pooled connections; one process may use it in several event loops and threads.

    Proxies come from the environment, as with requests; certificates from the system and from certifi, and those that
    the environment names besides. Redirects are not followed.
    """

    def __init__(self) -> None:
        self._uses_proxies = bool(getproxies())
        self._client: Client | None = None
        self._kept = native.KeptConnections()

    async def send(self, request: HttpRequest) -> HttpResponse:
        """The reply to one request.

        Raises:
            ConnectFailed, TimedOut, TransportError: no complete reply came.
        """
        started = time.monotonic()
        if request.url.startswith(in_process.SCHEME):
            return await _send_in_process(request, started)
        cause: Exception | None = None
        try:
            response = await self._response(request, started)
            # Each wait for the library is a hop between threads: one for the head and one for the body, if it may.
            whole = bytes(await response.bytes()) if native.has_bounded_length(response) else await _counted(response)
            return native.reply(response, whole)
        except native.FAILURES as error:
            failure = native.translated(error, request, time.monotonic() - started)
            cause = native.cause(error, request)
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            failure = no_connection(TransportError, request, CLOSED, time.monotonic() - started)
        try:
            # Not within the except block: there an error that holds a secret would stay behind as the context.
            raise failure from cause
        finally:
            del failure, cause  # Else their tracebacks would hold them, and the client with its connections.

    async def _response(self, request: HttpRequest, started: float) -> Response:
        """The status and headers of a reply, and a body to be read."""
        native.check_not_forked(request)
        client = self._client
        if client is None:
            client = self._client = native.new_client(Client, native.certificates())
        method, url, options = native.asked(request, uses_proxies=self._uses_proxies)
        response: Response | None = None
        try:
            response = await client.request(method, url, **options)
        except native.BROKE_OFF as error:
            options["timeout"] = self._kept.time_to_ask_again(error, request, started)
            if options["timeout"] is None:
                raise
        if response is None:
            response = await client.request(method, url, **options)
        self._kept.note(response)
        return response

    def run(
        self, exchange: Exchange, *, send: Send | None = None, wait: Pause = asyncio.sleep
    ) -> Coroutine[Any, Any, Any]:
        """The outcome of an exchange.

        Args:
            exchange: a rerank call.
            send: what to send each request with, those of the parts of a split call too; `self.send` by default.
            wait: what to wait with between tries.
        """
        return drive(exchange, send or self.send, wait)

    async def aclose(self) -> None:
        """Close the pooled connections, and end the calls that wait for a reply."""
        client, self._client = self._client, None
        if client is not None:
            client.close()


async def _send_in_process(request: HttpRequest, started: float) -> HttpResponse:
    """The answer of a service inside this process, from a thread: ranking a thousand documents takes tens of ms."""
    try:
        async with asyncio.timeout(request.timeout_seconds):
            return await asyncio.to_thread(in_process.send, request)
    except TimeoutError:
        seconds = time.monotonic() - started
    raise timed_out(request, seconds)


async def _counted(response: Response) -> bytes:
    """A body whose size is not known before it is read to its end."""
    pieces: list[memoryview] = []
    size = 0
    async with response.stream() as stream:
        async for piece in stream:
            if isinstance(piece, memoryview):  # Else it is the trailers.
                size += len(piece)
                if size > limits.MAX_REPLY_BYTES:
                    raise reply_too_large()
                pieces.append(piece)
    return b"".join(pieces)


def _is_cancelled() -> bool:
    """Whether this task is being cancelled; if not, closing the client has ended the call."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
