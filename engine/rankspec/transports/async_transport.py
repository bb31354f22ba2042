"""The async transport, on pyreqwest, with the async driver of exchanges. No thread is started for a call."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rankspec.errors import ConnectFailed, ExtraMissing, RankspecError, TimedOut, TransportError
from rankspec.models import Exchange, HttpRequest, HttpResponse, Together, Wait
from rankspec.transports import in_process
from rankspec.transports.limits import (
    MAX_CONCURRENT_PARTS,
    MAX_REPLY_BYTES,
    certificate_file,
    no_connection,
    reply_too_large,
)

try:
    from pyreqwest import exceptions
    from pyreqwest.client import Client, ClientBuilder
except ImportError:
    raise ExtraMissing("async", "arerank() and AsyncClient") from None

ERRORS: dict[type[Exception], type[TransportError]] = {
    exceptions.RequestTimeoutError: TimedOut,
    exceptions.ConnectTimeoutError: TimedOut,
    exceptions.ReadTimeoutError: TimedOut,
    exceptions.WriteTimeoutError: TimedOut,
    exceptions.PoolTimeoutError: TimedOut,
    exceptions.ConnectError: ConnectFailed,
    exceptions.BuilderError: ConnectFailed,
    exceptions.ReadError: TransportError,
    exceptions.WriteError: TransportError,
    exceptions.NetworkError: TransportError,
    exceptions.TransportError: TransportError,
    exceptions.ClientClosedError: TransportError,
    exceptions.RequestPanicError: TransportError,
    exceptions.JSONDecodeError: TransportError,
    exceptions.BodyDecodeError: TransportError,
    exceptions.DecodeError: TransportError,
    exceptions.RedirectError: TransportError,
    exceptions.StatusError: TransportError,
    exceptions.RequestError: TransportError,
    exceptions.DetailedPyreqwestError: TransportError,
    exceptions.PyreqwestError: TransportError,
}
"""What each of the library's exceptions is here; looked up along the class order."""


class AsyncTransport:
    """Sends requests over pooled connections.

    Proxies come from the environment; certificates from the system, and those that the environment names besides.
    Redirects are not followed.
    """

    def __init__(self) -> None:
        builder = ClientBuilder().follow_redirects(False).referer(False)
        extra_certificates = certificate_file(os.environ)
        if extra_certificates:
            builder = builder.add_root_certificate_pem(Path(extra_certificates).read_bytes())
        self._client: Client = builder.build()

    async def send(self, request: HttpRequest) -> HttpResponse:
        """The reply to one request.

        Raises:
            ConnectFailed, TimedOut, TransportError: no complete reply came.
        """
        if request.url.startswith(in_process.SCHEME):
            return in_process.send(request)
        started = time.monotonic()
        try:
            return await self._exchange(request)
        except exceptions.PyreqwestError as error:
            seconds = time.monotonic() - started
            raise _translated(error, request, seconds) from _cause(error, request)

    async def _exchange(self, request: HttpRequest) -> HttpResponse:
        building = (
            self._client.request(request.method, request.url)
            .headers(dict(request.headers))
            .body_bytes(request.body)
            .timeout(timedelta(seconds=request.timeout_seconds))
        )
        async with building.build_streamed() as response:
            body = await response.body_reader.read(MAX_REPLY_BYTES + 1)
            if body is not None and len(body) > MAX_REPLY_BYTES:
                raise reply_too_large()
            headers = {name.lower(): value for name, value in response.headers.items()}
            return HttpResponse(response.status, headers, b"" if body is None else bytes(body))

    async def run(self, exchange: Exchange) -> Any:
        """The outcome of an exchange."""
        outcome: Any = None
        failure: RankspecError | None = None
        while True:
            try:
                step = exchange.send(outcome) if failure is None else exchange.throw(failure)
            except StopIteration as stop:
                return stop.value
            outcome = failure = None
            if isinstance(step, HttpRequest):
                try:
                    outcome = await self.send(step)
                except RankspecError as error:
                    failure = error
            elif isinstance(step, Together):
                outcome = await self._run_together(step)
            elif isinstance(step, Wait):
                await asyncio.sleep(step.seconds)

    async def _run_together(self, step: Together) -> list[Any]:
        limit = asyncio.Semaphore(MAX_CONCURRENT_PARTS)

        async def run_one(exchange: Exchange) -> Any:
            async with limit:
                return await self.run(exchange)

        tasks = [asyncio.ensure_future(run_one(exchange)) for exchange in step.exchanges]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            # One part has failed or the caller has gone: the others are of no use any more.
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def aclose(self) -> None:
        """Close the pooled connections."""
        await self._client.close()


def _translated(error: exceptions.PyreqwestError, request: HttpRequest, seconds: float) -> RankspecError:
    kind = next(ERRORS[base] for base in type(error).__mro__ if base in ERRORS)
    if kind is TimedOut:
        host = urlsplit(request.url).netloc
        return TimedOut(f"{host} gave no complete answer within {seconds:.1f} seconds", seconds_waited=seconds)
    causes = (getattr(error, "details", None) or {}).get("causes") or []
    return no_connection(kind, request, causes[-1]["message"] if causes else error.message, seconds)


def _cause(error: exceptions.PyreqwestError, request: HttpRequest) -> Exception | None:
    """The error, unless its text holds a secret: a traceback would show it."""
    texts = f"{error.message} {getattr(error, 'details', '')}"
    return None if any(secret in texts for secret in request.secrets) else error
