"""The sync transport, on requests."""

from __future__ import annotations

import os
import socket
import ssl
import time
import weakref
from functools import cached_property
from typing import Any
from urllib.request import getproxies

import requests
import urllib3
from requests.utils import requote_uri

from rankspec.errors import ConnectFailed, RankspecError, TimedOut, TransportError
from rankspec.models import Exchange, HttpRequest, HttpResponse
from rankspec.transports import in_process, limits
from rankspec.transports.limits import (
    BAD_CERTIFICATE,
    BAD_COMPRESSION,
    BAD_PROXY,
    CUT_OFF,
    NO_TLS,
    PROXY_REFUSED,
    UNKNOWN_HOST,
    certificate_file,
    no_connection,
    proxies_for,
    reply_too_large,
    timed_out,
)
from rankspec.transports.reply_headers import ReplyHeaders
from rankspec.transports.requests_adapter import Adapter, Limit, Prepared
from rankspec.transports.sync_driver import drive
from rankspec.transports.watchdog import Watch

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

FAILURES = tuple(ERRORS)

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
        self._adapter = Adapter(pool_connections=32, pool_maxsize=32)

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
        watch = Watch(started + request.timeout_seconds, requote_uri(mark + query) if query else "")
        try:
            with watch:
                if watch.is_expired:
                    raise timed_out(request, 0.0)
                response = self._exchange(request, address, watch)
        except FAILURES as error:
            failure, cause = _translated(error, request, watch, time.monotonic() - started), _cause(error, request)
        else:
            if watch.is_expired:
                # Without a length, a reply that was cut off here looks like one that has ended.
                raise timed_out(request, time.monotonic() - started)
            return response
        # Not within the except block: there an error that holds a secret would stay behind as the context.
        raise failure from cause

    def _exchange(self, request: HttpRequest, address: str, watch: Watch) -> HttpResponse:
        proxies = proxies_for(address) if self._uses_proxies else None
        prepared = Prepared(request, self._adapter.road(address, proxies, self._certificates))
        reply: Any = None  # urllib3's own, which the adapter passes on.
        try:
            reply = self._adapter.send(prepared, timeout=_limit(watch), proxies=proxies)
        except requests.ConnectionError as error:
            if not _may_ask_again(error, watch, request):
                raise
        if reply is None:
            reply = self._adapter.send(prepared, timeout=_limit(watch), proxies=proxies)
        try:
            body = reply.read(limits.MAX_REPLY_BYTES + 1, decode_content=True)
        finally:
            reply.close()
            reply.release_conn()
        if len(body) > limits.MAX_REPLY_BYTES:
            raise reply_too_large()
        return HttpResponse(reply.status, ReplyHeaders(reply.headers.iteritems), body)

    def run(self, exchange: Exchange) -> Any:
        """The outcome of an exchange."""
        return drive(exchange, self.send)

    def close(self) -> None:
        """Close the pooled connections."""
        self._adapter.close()


def _limit(watch: Watch) -> Any:  # The types of requests do not know that it may be one of urllib3's.
    """The longest wait for bytes: what is left of the time, and never 0, which would mean no waiting at all."""
    return Limit(min(max(watch.deadline - time.monotonic(), 0.001), _MAX_SOCKET_SECONDS))


def _may_ask_again(error: requests.ConnectionError, watch: Watch, request: HttpRequest) -> bool:
    """Whether the server closed a kept connection while the request was on its way to it, and cannot have answered."""
    seconds = request.timeout_seconds - (watch.deadline - time.monotonic())
    has_broken_off = any(isinstance(one, ConnectionResetError) for one in _chain(error))  # Closing early is one, too.
    return (
        has_broken_off
        and watch.is_kept
        and not watch.has_begun
        and not watch.is_expired
        and seconds <= limits.SECONDS_OF_RACE
    )


def _translated(error: Exception, request: HttpRequest, watch: Watch, seconds: float) -> RankspecError:
    kind = next(ERRORS[base] for base in type(error).__mro__ if base in ERRORS)
    if watch.is_expired or kind is TimedOut:
        return timed_out(request, seconds)
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


def _reason(chain: list[BaseException], watch: Watch) -> str:
    for kinds, reason in _REASONS:
        if any(isinstance(one, kinds) for one in chain):
            return reason
    for one in chain:
        if isinstance(one, OSError) and one.strerror:
            return one.strerror
    if watch.is_connected:
        return CUT_OFF
    return PROXY_REFUSED if watch.socket is not None else str(chain[0]) or type(chain[0]).__name__


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


_transports: weakref.WeakSet[RequestsTransport] = weakref.WeakSet()


def _open_anew() -> None:
    # A child that wrote into its parent's connections would read the parent's replies.
    for transport in _transports:
        transport._open()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open_anew)
