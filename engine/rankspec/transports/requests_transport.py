"""The sync transport, on requests, with the sync driver of exchanges."""

from __future__ import annotations

import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from rankspec.errors import ConnectFailed, RankspecError, TimedOut, TransportError
from rankspec.models import Exchange, HttpRequest, HttpResponse, Together, Wait
from rankspec.transports import in_process
from rankspec.transports.limits import (
    MAX_CONCURRENT_PARTS,
    MAX_REPLY_BYTES,
    certificate_file,
    no_connection,
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
    urllib3.exceptions.HTTPError: TransportError,
    UnicodeError: ConnectFailed,  # A host name that cannot be encoded.
    OSError: TransportError,
}
"""What each of the libraries' exceptions is here; looked up along the class order."""

_NO_CONNECTION = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.NameResolutionError, ConnectionRefusedError)


class RequestsTransport:
    """Sends requests over pooled connections; safe to share between threads.

    Proxies and certificates come from the environment, as with requests; .netrc is not read, because requests
    would put what it finds there in place of the key. Redirects are not followed.
    """

    def __init__(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.clear()
        self._session.headers["Accept-Encoding"] = "gzip, deflate"
        self._session.verify = certificate_file(os.environ) or True
        for prefix in ("http://", "https://"):
            self._session.mount(prefix, _WatchedAdapter(pool_connections=32, pool_maxsize=32))

    def send(self, request: HttpRequest) -> HttpResponse:
        """The reply to one request.

        Raises:
            ConnectFailed, TimedOut, TransportError: no complete reply came.
        """
        if request.url.startswith(in_process.SCHEME):
            return in_process.send(request)
        started = time.monotonic()
        watch = _Watch(started + request.timeout_seconds)
        try:
            with watch:
                response = self._exchange(request)
        except tuple(ERRORS) as error:
            raise _translated(error, request, watch, time.monotonic() - started) from _cause(error, request)
        if watch.is_expired:
            # Without a length, a reply that was cut off here looks like one that has ended.
            raise _timed_out(request, time.monotonic() - started)
        return response

    def _exchange(self, request: HttpRequest) -> HttpResponse:
        response = self._session.request(
            request.method,
            request.url,
            data=request.body,
            headers=dict(request.headers),
            timeout=request.timeout_seconds,
            proxies=_proxies(request.url),
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
        return HttpResponse(response.status_code, headers, body, response.reason or "")

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
                time.sleep(step.seconds)

    def _run_together(self, step: Together) -> list[Any]:
        pool = ThreadPoolExecutor(min(MAX_CONCURRENT_PARTS, len(step.exchanges)), "rankspec-part")
        try:
            return list(pool.map(self.run, step.exchanges))
        finally:
            pool.shutdown(cancel_futures=True)

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()


def _proxies(url: str) -> dict[str, str]:
    proxies: dict[str, str] = requests.utils.get_environ_proxies(url)
    return proxies


def _translated(error: Exception, request: HttpRequest, watch: _Watch, seconds: float) -> RankspecError:
    kind = next(ERRORS[base] for base in type(error).__mro__ if base in ERRORS)
    if watch.is_expired or kind is TimedOut:
        return _timed_out(request, seconds)
    chain = _chain(error)
    if any(isinstance(one, _NO_CONNECTION) for one in chain):
        kind = ConnectFailed
    reason = next((one.strerror for one in chain if isinstance(one, OSError) and one.strerror), None)
    return no_connection(kind, request, reason or type(chain[-1]).__name__, seconds)


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
    """The time limit of one request; `socket` is set by the connection that serves it."""

    current = threading.local()

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.socket: socket.socket | None = None
        self.is_expired = False

    def __enter__(self) -> None:
        _Watch.current.watch = self
        _watchdog.add(self)

    def __exit__(self, *_: object) -> None:
        _Watch.current.watch = None
        _watchdog.remove(self)

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


class _WatchedConnection(HTTPConnection):
    def getresponse(self) -> Any:
        _watch_socket(self.sock)
        return super().getresponse()


class _WatchedTlsConnection(HTTPSConnection):
    def getresponse(self) -> Any:
        _watch_socket(self.sock)
        return super().getresponse()


def _watch_socket(sock: Any) -> None:
    watch: _Watch | None = getattr(_Watch.current, "watch", None)
    if watch is not None:
        watch.socket = sock
        if watch.is_expired:
            watch.expire()


class _WatchedPool(HTTPConnectionPool):
    ConnectionCls = _WatchedConnection


class _WatchedTlsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTlsConnection


class _WatchedAdapter(HTTPAdapter):
    """Requests' adapter, with connections that tell their socket to the watch of the call."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _WatchedPool, "https": _WatchedTlsPool}

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = {"http": _WatchedPool, "https": _WatchedTlsPool}
        return manager
