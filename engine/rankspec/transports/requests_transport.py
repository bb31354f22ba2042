"""The sync transport, on requests, with the sync driver of exchanges."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache, cached_property
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import requote_uri
from urllib3.connectionpool import HTTPConnectionPool

from rankspec.errors import ConnectFailed, RankspecError, TimedOut, TransportError
from rankspec.models import Exchange, HttpRequest, HttpResponse, Together, Wait
from rankspec.transports import in_process
from rankspec.transports.limits import (
    BAD_CERTIFICATE,
    BAD_COMPRESSION,
    BAD_PROXY,
    CUT_OFF,
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

ERRORS: dict[type[Exception], type[TransportError]] = {
    requests.ConnectTimeout: TimedOut,
    requests.ReadTimeout: TimedOut,
    requests.Timeout: TimedOut,
    requests.exceptions.ProxyError: ConnectFailed,
    requests.exceptions.SSLError: ConnectFailed,
    requests.exceptions.InvalidProxyURL: ConnectFailed,
    requests.exceptions.InvalidURL: ConnectFailed,
    requests.exceptions.InvalidSchema: ConnectFailed,
    requests.exceptions.MissingSchema: ConnectFailed,
    requests.exceptions.URLRequired: ConnectFailed,
    requests.ConnectionError: TransportError,
    requests.exceptions.ChunkedEncodingError: TransportError,
    requests.exceptions.ContentDecodingError: TransportError,
    requests.exceptions.InvalidHeader: TransportError,
    requests.exceptions.InvalidJSONError: TransportError,
    requests.exceptions.JSONDecodeError: TransportError,
    requests.exceptions.StreamConsumedError: TransportError,
    requests.exceptions.UnrewindableBodyError: TransportError,
    requests.HTTPError: TransportError,
    requests.TooManyRedirects: TransportError,
    requests.exceptions.RetryError: TransportError,
    requests.RequestException: TransportError,
    urllib3.exceptions.ReadTimeoutError: TimedOut,
    urllib3.exceptions.ProxySchemeUnsupported: ConnectFailed,
    urllib3.exceptions.HTTPError: TransportError,
    UnicodeError: ConnectFailed,  # A host name that cannot be encoded.
    OSError: TransportError,
}
"""What each of the libraries' exceptions is here; looked up along the class order."""

_MAX_SOCKET_SECONDS = 1_000_000.0  # A socket's own timeout wraps around beyond 24 days; the watch does not.


class RequestsTransport:
    """Sends requests over pooled connections; safe to share between threads.

    Proxies and certificates come from the environment, as with requests; .netrc is not read, because requests
    would put what it finds there in place of the key. Redirects are not followed, and cookies are not kept: one
    caller's would go out with another's key. A forked child opens connections of its own.
    """

    def __init__(self) -> None:
        self._uses_proxies = bool(getproxies())
        self._open()
        _transports.add(self)

    def _open(self) -> None:
        session = requests.Session()
        session.trust_env = False
        session.headers.clear()
        session.headers["Accept-Encoding"] = "gzip, deflate"
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        for prefix in ("http://", "https://"):
            session.mount(prefix, _WatchedAdapter(pool_connections=32, pool_maxsize=32))
        self._session = session

    @cached_property
    def _certificates(self) -> str | bool:
        return certificate_file(os.environ) or True

    def send(self, request: HttpRequest) -> HttpResponse:
        """The reply to one request.

        Raises:
            ConnectFailed, TimedOut, TransportError: no complete reply came.
        """
        if request.url.startswith(in_process.SCHEME):
            return in_process.send(request)
        started = time.monotonic()
        address, mark, query = request.url.partition("?")
        watch = _Watch(started + request.timeout_seconds, requote_uri(mark + query) if query else "")
        try:
            with watch:
                if watch.is_expired:
                    raise _timed_out(request, 0.0)
                response = self._exchange(request, address)
        except tuple(ERRORS) as error:
            failure, cause = _translated(error, request, watch, time.monotonic() - started), _cause(error, request)
        else:
            if watch.is_expired:
                # Without a length, a reply that was cut off here looks like one that has ended.
                raise _timed_out(request, time.monotonic() - started)
            return response
        # Not within the except block: there an error that holds a secret would stay behind as the context.
        raise failure from cause

    def _exchange(self, request: HttpRequest, address: str) -> HttpResponse:
        response = self._session.request(
            request.method,
            address,
            data=request.body,
            headers=dict(request.headers),
            timeout=min(request.timeout_seconds, _MAX_SOCKET_SECONDS),
            proxies=proxies_for(address) if self._uses_proxies else None,
            verify=self._certificates,
            allow_redirects=False,
            stream=True,
        )
        try:
            body = response.raw.read(MAX_REPLY_BYTES + 1, decode_content=True)
        finally:
            response.close()
        if len(body) > MAX_REPLY_BYTES:
            raise reply_too_large()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return HttpResponse(response.status_code, headers, body)

    def run(self, exchange: Exchange) -> Any:
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
                    outcome = self.send(step)
                except RankspecError as error:
                    failure = error
            elif isinstance(step, Together):
                outcome = self._run_together(step)
            elif isinstance(step, Wait):
                _sleep(step.seconds)

    def _run_together(self, step: Together) -> list[Any]:
        parts = _here.parts or _Parts()
        pool = ThreadPoolExecutor(min(MAX_CONCURRENT_PARTS, len(step.exchanges)), "rankspec-part")
        try:
            futures = [pool.submit(self._run_part, exchange, parts) for exchange in step.exchanges]
            return [future.result() for future in futures]
        except RankspecError as error:
            failure = parts.end(error)
        except BaseException as error:  # The caller's own interruption.
            parts.end(error)
            raise
        finally:
            pool.shutdown(cancel_futures=True)
        raise failure

    def _run_part(self, exchange: Exchange, parts: _Parts) -> Any:
        _here.parts = parts
        try:
            return self.run(exchange)
        except BaseException as error:
            parts.end(error)
            raise

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()


def _translated(error: Exception, request: HttpRequest, watch: _Watch, seconds: float) -> RankspecError:
    kind = next(ERRORS[base] for base in type(error).__mro__ if base in ERRORS)
    if watch.is_expired or kind is TimedOut:
        return _timed_out(request, seconds)
    # The libraries call some failures before and after the request by the same name; the watch knows.
    kind = TransportError if watch.is_connected else ConnectFailed
    return no_connection(kind, request, _reason(_chain(error), watch), seconds)


_REASONS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    ((requests.exceptions.InvalidProxyURL, urllib3.exceptions.ProxySchemeUnknown), BAD_PROXY),
    (ssl.SSLCertVerificationError, BAD_CERTIFICATE),
    (ssl.SSLError, NO_TLS),
    ((socket.gaierror, UnicodeError, urllib3.exceptions.LocationValueError), UNKNOWN_HOST),
    (requests.exceptions.InvalidURL, UNKNOWN_HOST),
    (urllib3.exceptions.DecodeError, BAD_COMPRESSION),
)


def _reason(chain: list[BaseException], watch: _Watch) -> str:
    for kinds, reason in _REASONS:
        if any(isinstance(one, kinds) for one in chain):
            return reason
    for one in chain:
        if isinstance(one, OSError) and one.strerror:
            return one.strerror
    if watch.is_connected:
        return CUT_OFF
    return PROXY_REFUSED if watch.socket is not None else str(chain[0]) or type(chain[0]).__name__


def _timed_out(request: HttpRequest, seconds: float) -> TimedOut:
    host = urlsplit(request.url).netloc
    return TimedOut(f"{host} gave no complete answer within {seconds:.1f} seconds", seconds_waited=seconds)


def _cause(error: Exception, request: HttpRequest) -> Exception | None:
    """The error, unless its text holds a secret: a traceback would show it."""
    texts = " ".join(str(one) for one in _chain(error))
    return None if any(secret in texts for secret in request.secrets) else error


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what is behind it: its arguments' and its own causes, outermost first."""
    chain: list[BaseException] = []
    todo: list[BaseException] = [error]
    while todo:
        one = todo.pop()
        if one in chain:
            continue
        chain.append(one)
        inner = (getattr(one, "reason", None), one.__cause__, one.__context__, *one.args)
        todo += [cause for cause in inner if isinstance(cause, BaseException)]
    return chain


# requests bounds each wait for bytes, not their sum: a server that sends a byte now and then would hold a call for
# ever. One thread watches the sockets of calls under way and shuts those down whose time is up.


class _Watch:
    """One request under way: its time limit, and what its connection is to know and to tell.

    Args:
        deadline: when its time is up, by time.monotonic().
        query: what goes behind the address, with its question mark. The libraries do not see it: they write URLs
            into logs and errors, and a query may hold a key.
    """

    def __init__(self, deadline: float, query: str) -> None:
        self.deadline = deadline
        self.query = query
        self.socket: socket.socket | None = None
        self.is_connected = False
        self.is_expired = False
        self._parts = _here.parts

    def __enter__(self) -> None:
        _here.watch = self
        _watchdog.add(self)
        if self._parts is not None:
            self._parts.add(self)

    def __exit__(self, *_: object) -> None:
        _here.watch = None
        _watchdog.remove(self)
        if self._parts is not None:
            self._parts.remove(self)

    def expire(self) -> None:
        self.is_expired = True
        if self.socket is not None:
            with suppress(OSError):  # Closed already.
                # Not SSLSocket's own, which also drops the TLS state that the reading thread is using.
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)


class _Watchdog:
    def __init__(self) -> None:
        self._reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._changed = threading.Condition()
        self._watches: set[_Watch] = set()
        self._thread: threading.Thread | None = None
        self._wakes_at = float("inf")

    def add(self, watch: _Watch) -> None:
        with self._changed:
            self._watches.add(watch)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="rankspec-watchdog", daemon=True)
                self._thread.start()
            elif watch.deadline < self._wakes_at:
                self._changed.notify()

    def remove(self, watch: _Watch) -> None:
        with self._changed:
            self._watches.discard(watch)

    def _run(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for watch in [watch for watch in self._watches if watch.deadline <= now]:
                    self._watches.discard(watch)
                    watch.expire()
                self._wakes_at = min((watch.deadline for watch in self._watches), default=float("inf"))
                # Idle, it still wakes now and then, so that add() need not wake it for every call.
                self._changed.wait(min(self._wakes_at - now, threading.TIMEOUT_MAX))


_watchdog = _Watchdog()


class _Parts:
    """The parts of one split call, each in a thread of its own. When one fails, the others end at once.

    A part that is ended so raises TimedOut, which no exchange retries; the first failure is the one that counts.
    """

    def __init__(self) -> None:
        self._failure: BaseException | None = None
        self.has_ended = threading.Event()
        self._lock = threading.Lock()
        self._watches: set[_Watch] = set()

    def add(self, watch: _Watch) -> None:
        with self._lock:
            self._watches.add(watch)
            if self.has_ended.is_set():
                watch.expire()

    def remove(self, watch: _Watch) -> None:
        with self._lock:
            self._watches.discard(watch)

    def end(self, failure: BaseException) -> BaseException:
        """End all parts; gives the failure that came first."""
        with self._lock:
            if self._failure is None:
                self._failure = failure
            self.has_ended.set()
            for watch in self._watches:
                watch.expire()
            return self._failure


class _Here(threading.local):
    """What this thread is about."""

    watch: _Watch | None = None
    parts: _Parts | None = None


_here = _Here()


def _watch() -> _Watch:
    assert _here.watch is not None, "connections are used by send() alone"
    return _here.watch


def _sleep(seconds: float) -> None:
    if _here.parts is None:
        time.sleep(seconds)
    else:
        _here.parts.has_ended.wait(seconds)


class _Watched:
    """What a connection does for the watch of the request that it serves."""

    sock: socket.socket | None

    def _new_conn(self) -> socket.socket:
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]
        _attach(sock)  # A proxy's answer, which comes first, may be slow, too.
        return sock

    def _tunnel(self) -> None:
        super()._tunnel()  # type: ignore[misc]
        if _watch().is_expired:
            raise TimeoutError  # A proxy's answer that was cut off here looks like one that has ended.

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        _attach(self.sock, is_connected=True)

    def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        _attach(self.sock, is_connected=self.sock is not None)
        super().putrequest(method, url + _watch().query, *args, **kwargs)  # type: ignore[misc]


def _attach(sock: socket.socket | None, *, is_connected: bool = False) -> None:
    watch = _watch()
    watch.socket = sock
    watch.is_connected = is_connected
    if watch.is_expired:
        watch.expire()


@cache
def _watched(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    """The same kind of pool, direct or through whatever proxy, with watched connections."""
    connection = pool.ConnectionCls
    if issubclass(connection, _Watched):
        return pool
    return type(pool.__name__, (pool,), {"ConnectionCls": type(connection.__name__, (_Watched, connection), {})})


class _WatchedAdapter(HTTPAdapter):
    """Requests' adapter, with connections that tell their socket to the watch of the call."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self._watch_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        self._watch_pools(manager)
        return manager

    def _watch_pools(self, manager: Any) -> None:
        pools = manager.pool_classes_by_scheme
        manager.pool_classes_by_scheme = {scheme: _watched(pool) for scheme, pool in pools.items()}


_transports: weakref.WeakSet[RequestsTransport] = weakref.WeakSet()


def _open_anew() -> None:
    # A child that wrote into its parent's connections would read the parent's replies.
    for transport in _transports:
        transport._open()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open_anew)
