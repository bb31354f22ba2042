"""The async transport, on wreq. A request whose task is cancelled is ended on the wire, at once."""

from __future__ import annotations

import asyncio
import os
import re
import time
from datetime import timedelta
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from rankspec.errors import ConnectFailed, ExtraMissing, RankspecError, TimedOut, TransportError
from rankspec.models import Exchange, HttpRequest, HttpResponse
from rankspec.transports import in_process
from rankspec.transports.async_driver import Pause, Send, drive
from rankspec.transports.limits import (
    BAD_CERTIFICATE,
    BAD_COMPRESSION,
    BAD_PROXY,
    CLOSED,
    CUT_OFF,
    FORKED,
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
    from wreq import CertStore, Client, DnsOptions, HeaderMap, Method, Proxy, Response, Runtime, exceptions
    from wreq.redirect import Policy

    from rankspec.transports.certificates import trusted_certificates
except ImportError:
    raise ExtraMissing("async", "arerank() and AsyncClient") from None

ERRORS: dict[type[Exception], type[TransportError]] = {
    exceptions.TimeoutError: TimedOut,
    exceptions.ConnectionError: ConnectFailed,
    exceptions.ProxyConnectionError: ConnectFailed,
    exceptions.TlsError: ConnectFailed,
    exceptions.BuilderError: ConnectFailed,
    exceptions.ConnectionResetError: TransportError,
    exceptions.RequestError: TransportError,
    exceptions.BodyError: TransportError,
    exceptions.DecodingError: TransportError,
    exceptions.RedirectError: TransportError,
    exceptions.StatusError: TransportError,
    exceptions.UpgradeError: TransportError,
    exceptions.WebSocketError: TransportError,
    exceptions.RustPanic: TransportError,
    OSError: ConnectFailed,  # A file of certificates that cannot be read.
    RuntimeError: TransportError,  # A task of the library that ended without an outcome.
}
"""What each of the library's exceptions is here; looked up along the class order."""

_MAX_PORTS_NOTED = 4096
_SECONDS_OF_RACE = 1.0
_PORT_OF_REQUEST = re.compile(r"kind: SendRequest, .* local_addr: \S+:(\d+) ")
_PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")


class AsyncTransport:
    """Sends requests over pooled connections; one process may use it in several event loops and threads.

    Proxies come from the environment, as with requests; certificates from the system and from certifi, and those that
    the environment names besides. Redirects are not followed.
    """

    def __init__(self) -> None:
        self._uses_proxies = bool(getproxies())
        self._client: Client | None = None
        self._ports_used: set[int] = set()

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
            return await self._exchange(request)
        except tuple(ERRORS) as error:
            failure, cause = _translated(error, request, time.monotonic() - started), _cause(error, request)
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            failure = no_connection(TransportError, request, CLOSED, time.monotonic() - started)
        try:
            # Not within the except block: there an error that holds a secret would stay behind as the context.
            raise failure from cause
        finally:
            del failure, cause  # Else their tracebacks would hold them, and the client with its connections.

    async def _exchange(self, request: HttpRequest) -> HttpResponse:
        proxy = _proxy_for(request) if self._uses_proxies else None
        response = await self._response(
            self._client_in_use(request), request, {} if proxy is None else {"proxy": proxy}
        )
        self._note_connection(response)
        return HttpResponse(response.status.as_int(), _read_headers(response.headers), await _read_body(response))

    async def _response(self, client: Client, request: HttpRequest, options: dict[str, Any]) -> Response:
        """The status and headers of a reply, and a body to be read."""
        started = time.monotonic()
        try:
            return await _request(client, request, request.timeout_seconds, options)
        except (exceptions.RequestError, exceptions.ConnectionResetError) as error:
            seconds = time.monotonic() - started
            if seconds > min(_SECONDS_OF_RACE, request.timeout_seconds) or not self._was_kept(error):
                raise
        # The server closed a kept connection while the request was on its way to it: ask once more.
        return await _request(client, request, request.timeout_seconds - seconds, options)

    def _client_in_use(self, request: HttpRequest) -> Client:
        process, runtime = _runtime()
        if process != os.getpid():
            raise no_connection(ConnectFailed, request, FORKED, 0.0)
        if self._client is None:
            self._client = _new_client(runtime)
        return self._client

    def _note_connection(self, response: Response) -> None:
        if len(self._ports_used) > _MAX_PORTS_NOTED:
            self._ports_used.clear()
        if response.local_addr is not None:
            self._ports_used.add(response.local_addr.port())

    def _was_kept(self, error: Exception) -> bool:
        """Whether the connection that broke off before a reply had served an earlier request."""
        port = _PORT_OF_REQUEST.search(str(error))
        return port is not None and int(port[1]) in self._ports_used

    async def run(self, exchange: Exchange, *, send: Send | None = None, wait: Pause = asyncio.sleep) -> Any:
        """The outcome of an exchange.

        Args:
            exchange: a rerank call.
            send: what to send each request with, those of the parts of a split call too; `self.send` by default.
            wait: what to wait with between tries.
        """
        return await drive(exchange, send or self.send, wait)

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
    raise _timed_out(request, seconds)


@cache
def _runtime() -> tuple[int, Runtime]:
    """The process that the library's thread is in, and the thread. In a forked child nothing would answer."""
    # One answers all that Python can ask for; a second one makes each request dearer by a third.
    return os.getpid(), Runtime(workers=1, work_steal=False, thread_name="rankspec")


async def _request(client: Client, request: HttpRequest, seconds: float, options: dict[str, Any]) -> Response:
    # The library's own clock runs until the body is read, and costs less than asyncio's.
    return await client.request(
        getattr(Method, request.method),
        request.url,
        headers=dict(request.headers),
        body=request.body,
        timeout=timedelta(seconds=seconds),
        **options,
    )


def _new_client(runtime: Runtime) -> Client:
    certificates = trusted_certificates(certificate_file(os.environ))
    return Client(
        runtime=runtime,
        tls_verify=CertStore(pem_certs=certificates, default_paths=True),
        http1_only=True,
        redirect=Policy.none(),
        # The library's own reading of the environment differs in NO_PROXY, its own resolver from the system's.
        no_proxy=True,
        dns_options=DnsOptions(system_dns=True),
    )


def _proxy_for(request: HttpRequest) -> Proxy | None:
    from requests.utils import select_proxy

    address = select_proxy(request.url, proxies_for(request.url))
    try:
        return None if address is None else _proxy(address if "://" in address else f"http://{address}")
    except exceptions.BuilderError:
        address = None
    # Not within the except block: the library's text may hold the proxy's password.
    raise no_connection(ConnectFailed, request, BAD_PROXY, 0.0)


@cache
def _proxy(address: str) -> Proxy:
    # The library sends around a proxy whose scheme it does not know.
    if address.partition("://")[0].lower() not in _PROXY_SCHEMES:
        raise exceptions.BuilderError(BAD_PROXY)
    return Proxy.all(address)


def _read_headers(found: HeaderMap) -> dict[str, str]:
    """The headers by name in lower case, those that come several times joined as HTTP joins them."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in found:
        name, value = str(raw_name, "latin-1").lower(), str(raw_value, "latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


async def _read_body(response: Response) -> bytes:
    pieces: list[memoryview] = []
    size = 0
    async with response.stream() as stream:
        async for piece in stream:
            if isinstance(piece, memoryview):  # Else it is the trailers.
                size += len(piece)
                if size > MAX_REPLY_BYTES:
                    raise reply_too_large()
                pieces.append(piece)
    return b"".join(pieces)


def _is_cancelled() -> bool:
    """Whether this task is being cancelled; if not, closing the client has ended the call."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _translated(error: Exception, request: HttpRequest, seconds: float) -> RankspecError:
    kind = next(ERRORS[base] for base in type(error).__mro__ if base in ERRORS)
    if kind is TimedOut or seconds >= request.timeout_seconds:  # While the body is read it is an error like others.
        return _timed_out(request, seconds)
    if "{ kind: Connect, " in str(error):
        kind = ConnectFailed  # A reset, for one, may come at any time.
    return no_connection(kind, request, _reason(error, kind, request), seconds)


def _timed_out(request: HttpRequest, seconds: float) -> TimedOut:
    host = urlsplit(request.url).netloc
    return TimedOut(f"{host} gave no complete answer within {seconds:.1f} seconds", seconds_waited=seconds)


_OF_SYSTEM = re.compile(r'Os \{ code: \d+, kind: \w+, message: "([^"]*)" \}')


def _reason(error: Exception, kind: type[TransportError], request: HttpRequest) -> str:
    # The library's own text is a dump of its values: only what is known to be in one is looked for.
    text = str(error)
    of_system = _OF_SYSTEM.search(text)
    if of_system:
        return of_system[1]
    if isinstance(error, exceptions.ProxyConnectionError):
        return PROXY_REFUSED
    if isinstance(error, exceptions.BuilderError) or "dns error" in text:
        return UNKNOWN_HOST
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return BAD_CERTIFICATE
    if kind is ConnectFailed and request.url.startswith("https:"):
        return NO_TLS
    is_decoding = isinstance(error, exceptions.DecodingError) and "netty::Error" not in text
    return BAD_COMPRESSION if is_decoding else CUT_OFF


def _cause(error: Exception, request: HttpRequest) -> Exception | None:
    """The error, unless its text holds a secret: a traceback would show it."""
    return None if any(secret in str(error) for secret in request.secrets) else error
