"""What both transports on wreq share: its errors as ours, its clients, what it is asked with and what it answers."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

from wreq import Client, DnsOptions, HeaderMap, Method, Proxy, Response, Runtime, blocking, exceptions
from wreq.redirect import Policy
from wreq.tls import CertStore

from rankspec.errors import ConnectFailed, RankspecError, TimedOut, TransportError
from rankspec.models import HttpRequest, HttpResponse
from rankspec.transports import limits
from rankspec.transports.certificates import trusted_certificates
from rankspec.transports.limits import (
    BAD_CERTIFICATE,
    BAD_COMPRESSION,
    BAD_PROXY,
    CUT_OFF,
    FORKED,
    NO_TLS,
    PROXY_REFUSED,
    UNKNOWN_HOST,
    certificate_file,
    no_connection,
    proxies_for,
    timed_out,
)
from rankspec.transports.reply_headers import ReplyHeaders

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

FAILURES = tuple(ERRORS)

BROKE_OFF = (exceptions.RequestError, exceptions.ConnectionResetError)
"""What a connection that ends before the reply may come as."""

C = TypeVar("C", Client, blocking.Client)

_MAX_PORTS_NOTED = 4096
_PORT_OF_REQUEST = re.compile(
    r"kind: SendRequest, source: Some\(netty::Error\((?:IncompleteMessage|Io)\b.* local_addr: \S+:(\d+) "
)
_PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")


class _Library:
    """The library's own threads, one for event loops and one for sync calls.

    In a forked child they are not there, and nothing would answer.
    """

    def __init__(self) -> None:
        self.is_forked = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._note_fork)

    def _note_fork(self) -> None:
        self.is_forked = _runtime.cache_info().currsize > 0


_library = _Library()


@cache
def _runtime(*, serves_loops: bool) -> Runtime:
    # One thread answers all that Python can ask for; a second one makes each request dearer by a third.
    with _threads_that_wait_their_turn() if serves_loops else nullcontext():
        return Runtime(workers=1, work_steal=False, thread_name="rankspec")


@contextmanager
def _threads_that_wait_their_turn() -> Iterator[None]:
    """Has Linux start threads as such that, on waking, do not push another off its CPU.

    For each request sent and each reply the library's thread would come between two instructions of Python's, for
    microseconds, and leave it cold caches: with 64 calls in flight on one CPU that is a third of all their CPU. So it
    has its turn when Python waits, or after some milliseconds. Where another process keeps that CPU busy, a call alone
    waits those milliseconds too, which is why sync calls, that gain nothing, have a thread of the usual kind.
    """
    is_changed = False
    if hasattr(os, "SCHED_BATCH"):
        with suppress(OSError):  # A sandbox may forbid it.
            # What is not the default is somebody's wish, and could not be set back without privileges.
            if os.sched_getscheduler(0) == os.SCHED_OTHER:
                os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))  # This thread, and those that it starts.
                is_changed = True
    try:
        yield
    finally:
        if is_changed:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def check_not_forked(request: HttpRequest) -> None:
    """Check that the library works in this process.

    Raises:
        ConnectFailed: it was used in the process that this one was forked from.
    """
    if _library.is_forked:
        raise no_connection(ConnectFailed, request, FORKED, 0.0)


def certificates() -> CertStore:
    """What is trusted: the certificates of the system, Mozilla's, and those that the environment names.

    Raises:
        ConnectFailed, OSError: those that the environment names cannot be had.
    """
    return CertStore(pem_certs=trusted_certificates(certificate_file(os.environ)), default_paths=True)


def new_client(kind: type[C], trusted: CertStore) -> C:
    """A client with connections of its own."""
    return kind(
        runtime=_runtime(serves_loops=kind is Client),
        tls_verify=trusted,
        http1_only=True,
        redirect=Policy.none(),
        # The library's own reading of the environment differs in NO_PROXY, its own resolver from the system's.
        no_proxy=True,
        dns_options=DnsOptions(system_dns=True),
    )


def asked(request: HttpRequest, *, uses_proxies: bool) -> tuple[Method, str, dict[str, Any]]:
    """What a client is asked with: method, URL and keywords.

    Raises:
        ConnectFailed: what the environment names as a proxy is none.
    """
    options: dict[str, Any] = {
        "headers": dict(request.headers),
        "body": request.body,
        # The library's own clock runs until the body is read, and costs less than asyncio's.
        "timeout": timedelta(seconds=request.timeout_seconds),
    }
    proxy = _proxy_for(request) if uses_proxies else None
    if proxy is not None:
        options["proxy"] = proxy
    return getattr(Method, request.method), request.url, options


class KeptConnections:
    """Which connections have served a request, known by their ports on this side.

    A server may close a kept connection while a request is on its way to it. Such a request is sent once more: the
    server has not answered it. (To the library a head that breaks off within looks the same.)
    """

    def __init__(self) -> None:
        self._ports: set[int] = set()

    def note(self, response: Response | blocking.Response) -> None:
        """Note the connection that a reply came over."""
        address = response.local_addr
        if address is not None:
            if len(self._ports) > _MAX_PORTS_NOTED:
                self._ports.clear()
            self._ports.add(address.port())

    def time_to_ask_again(self, error: Exception, request: HttpRequest, started: float) -> timedelta | None:
        """The time that is left for asking once more after `error`; None if this request is not to be sent again.

        Args:
            started: when it was sent, by time.monotonic().
        """
        seconds = time.monotonic() - started
        if seconds > min(limits.SECONDS_OF_RACE, request.timeout_seconds):
            return None
        port = _PORT_OF_REQUEST.search(str(error))
        is_kept = port is not None and int(port[1]) in self._ports
        return timedelta(seconds=request.timeout_seconds - seconds) if is_kept else None


def has_bounded_length(response: Response | blocking.Response) -> bool:
    """Whether a reply told its length, and it is within the bound. What is decompressed has none."""
    length = response.content_length
    return length is not None and length <= limits.MAX_REPLY_BYTES


def reply(response: Response | blocking.Response, body: bytes) -> HttpResponse:
    """A response with its body as one of ours."""
    found = response.headers
    return HttpResponse(response.status.as_int(), ReplyHeaders(lambda: _read_headers(found)), body)


def _read_headers(found: HeaderMap) -> Iterator[tuple[str, str]]:
    return ((str(name, "latin-1"), str(text, "latin-1")) for name, text in found)


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


def translated(error: Exception, request: HttpRequest, seconds: float) -> RankspecError:
    """Our error for one of the library's, which came after so many seconds."""
    kind = next(ERRORS[base] for base in type(error).__mro__ if base in ERRORS)
    if kind is TimedOut or seconds >= request.timeout_seconds:  # While the body is read it is an error like others.
        return timed_out(request, seconds)
    if "{ kind: Connect, " in str(error):
        kind = ConnectFailed  # A reset, for one, may come at any time.
    return no_connection(kind, request, _reason(error, kind, request), seconds)


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


def cause(error: Exception, request: HttpRequest) -> Exception | None:
    """The error, unless its text holds a secret: a traceback would show it."""
    return None if any(secret in str(error) for secret in request.secrets) else error
