"""The async transport, on pyreqwest, with the async driver of exchanges. No thread is started for a call."""

from __future__ import annotations

import asyncio
import atexit
import os
import re
import time
from contextlib import suppress
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies
from weakref import WeakSet

from rankspec.errors import ConnectFailed, ExtraMissing, RankspecError, TimedOut, TransportError
from rankspec.models import Exchange, HttpRequest, HttpResponse, Together, Wait
from rankspec.transports import in_process
from rankspec.transports.limits import (
    BAD_CERTIFICATE,
    BAD_COMPRESSION,
    BAD_PROXY,
    CUT_OFF,
    FORKED,
    MAX_CONCURRENT_PARTS,
    MAX_REPLY_BYTES,
    NO_TLS,
    PROXY_REFUSED,
    UNKNOWN_HOST,
    certificate_file,
    no_connection,
    proxies_for,
    reply_too_large,
)

try:
    from pyreqwest import exceptions
    from pyreqwest.client import Client, ClientBuilder
    from pyreqwest.http import HeaderMap, Url
    from pyreqwest.proxy import ProxyBuilder
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
    ValueError: ConnectFailed,  # A host name that cannot be one.
    OSError: ConnectFailed,  # A file of certificates that cannot be read.
    RuntimeError: ConnectFailed,  # This process was forked from one that had used the library.
}
"""What each of the library's exceptions is here; looked up along the class order."""


_SECONDS_TO_SETTLE = 0.05

_open_transports: WeakSet[AsyncTransport] = WeakSet()


@atexit.register
def _close_all() -> None:
    # A thread of pyreqwest 0.15 that is at work while the interpreter ends may abort the process: leave it none.
    transports = list(_open_transports)
    for transport in transports:
        with suppress(Exception):
            asyncio.run(transport.aclose())
    if transports:
        time.sleep(_SECONDS_TO_SETTLE)


class AsyncTransport:
    """Sends requests over pooled connections.

    Proxies come from the environment, as with requests; certificates from the system, and those that the environment
    names besides. Redirects are not followed.
    """

    def __init__(self) -> None:
        self._uses_proxies = bool(getproxies())

    @cached_property
    def _client(self) -> Client:
        builder = ClientBuilder().follow_redirects(False).referer(False)
        extra_certificates = certificate_file(os.environ)
        if extra_certificates:
            builder = builder.add_root_certificate_pem(_read_certificates(Path(extra_certificates)))
        # The library's own reading of the environment differs in NO_PROXY.
        builder = builder.proxy(ProxyBuilder.custom(_proxy)) if self._uses_proxies else builder.no_proxy()
        _open_transports.add(self)
        return builder.build()

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
        except tuple(ERRORS) as error:
            failure, cause = _translated(error, request, time.monotonic() - started), _cause(error, request)
        # Not within the except block: there an error that holds a secret would stay behind as the context.
        raise failure from cause

    async def _exchange(self, request: HttpRequest) -> HttpResponse:
        if self._uses_proxies:
            _check_proxy(request)
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
            return HttpResponse(response.status, _read_headers(response.headers), b"" if body is None else bytes(body))

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
        if "_client" in self.__dict__:
            await self._client.close()


def _read_certificates(place: Path) -> bytes:
    files = sorted(place.iterdir()) if place.is_dir() else [place]
    return b"\n".join(file.read_bytes() for file in files if file.is_file())


def _proxy(url: Url | str) -> str | None:
    from requests.utils import select_proxy

    proxy: str | None = select_proxy(str(url), proxies_for(str(url)))
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def _check_proxy(request: HttpRequest) -> None:
    # The library would panic, and say so on the error stream.
    proxy = _proxy(request.url)
    if proxy is not None and not Url.is_valid(proxy):
        raise no_connection(ConnectFailed, request, BAD_PROXY, 0.0)


def _read_headers(found: HeaderMap) -> dict[str, str]:
    """The headers by name in lower case, those that come several times joined as HTTP joins them."""
    headers: dict[str, str] = {}
    for name in found:
        try:
            headers[name.lower()] = ", ".join(found.getall(name))
        except ValueError:
            continue  # Not UTF-8, which the library gives no way to read.
    return headers


def _translated(error: Exception, request: HttpRequest, seconds: float) -> RankspecError:
    kind = next(ERRORS[base] for base in type(error).__mro__ if base in ERRORS)
    if kind is TimedOut:
        host = urlsplit(request.url).netloc
        return TimedOut(f"{host} gave no complete answer within {seconds:.1f} seconds", seconds_waited=seconds)
    causes = _causes(error)
    if isinstance(error, exceptions.ConnectError) and "client error (Connect)" not in causes:
        kind = TransportError  # The library calls what breaks off before a reply so, too.
    return no_connection(kind, request, _reason(error, kind, causes, request), seconds)


_OF_SYSTEM = re.compile(r"(.*) \(os error [0-9]+\)")


def _reason(error: Exception, kind: type[TransportError], causes: list[str], request: HttpRequest) -> str:
    last = causes[-1]
    of_system = _OF_SYSTEM.fullmatch(last)
    if of_system:
        return of_system[1]
    if "dns error" in causes or type(error) is ValueError:
        return UNKNOWN_HOST
    if type(error) is RuntimeError and "fork" in last:
        return FORKED
    if last.startswith("tunnel error"):
        return PROXY_REFUSED
    if last.startswith("invalid peer certificate"):
        return BAD_CERTIFICATE
    if isinstance(error, exceptions.ConnectError) and kind is ConnectFailed and request.url.startswith("https:"):
        return NO_TLS
    if "client error (SendRequest)" in causes or "error reading a body from connection" in causes:
        return CUT_OFF
    return BAD_COMPRESSION if "error decoding response body" in causes else last


def _causes(error: Exception) -> list[str]:
    """What the library says, from the general to the particular."""
    details: Any = getattr(error, "details", None) or {}
    return [cause["message"] for cause in details.get("causes") or ()] or [str(error)]


def _cause(error: Exception, request: HttpRequest) -> Exception | None:
    """The error, unless its text holds a secret: a traceback would show it."""
    texts = f"{error} {getattr(error, 'details', '')}"
    return None if any(secret in texts for secret in request.secrets) else error
