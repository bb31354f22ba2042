"""The native sync transport, an opt-in: on wreq, which takes a fifth of the CPU that requests takes."""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from queue import Empty, SimpleQueue
from typing import Any
from urllib.request import getproxies

from rankspec.errors import ExtraMissing
from rankspec.models import Exchange, HttpRequest, HttpResponse
from rankspec.transports import in_process, limits
from rankspec.transports.limits import reply_too_large, timed_out
from rankspec.transports.sync_driver import drive, parts_here

try:
    from wreq import Streamer
    from wreq.blocking import Client, Response
    from wreq.tls import CertStore

    from rankspec.transports import native
except ImportError:
    raise ExtraMissing("async", 'transport="native"') from None

_SECONDS_TO_END = 2.0
"""How long a request that is ended may take to do so; it takes a millisecond."""


class NativeTransport:
    """Sends requests over pooled connections; safe to share between threads.

    Proxies come from the environment, as with requests; certificates from the system and from certifi, and those that
    the environment names besides. Redirects are not followed, and cookies are not kept. In a process that was forked
    from one that had used it, a call fails and says so. Ctrl-C ends a call at once.
    """

    def __init__(self) -> None:
        self._uses_proxies = bool(getproxies())
        self._idle: list[_Lane] = []
        self._trusted = cache(native.certificates)

    def send(self, request: HttpRequest) -> HttpResponse:
        """The reply to one request.

        Raises:
            ConnectFailed, TimedOut, TransportError: no complete reply came.
        """
        if request.url.startswith(in_process.SCHEME):
            return in_process.send(request)
        started = time.monotonic()
        native.check_not_forked(request)
        try:
            return self._exchange(request)
        except native.FAILURES as error:
            failure = native.translated(error, request, time.monotonic() - started)
            cause = native.cause(error, request)
        try:
            # Not within the except block: there an error that holds a secret would stay behind as the context.
            raise failure from cause
        finally:
            del failure, cause  # Else their tracebacks would hold them, and the lane with its connections.

    def _exchange(self, request: HttpRequest) -> HttpResponse:
        lane = self._free_lane()
        parts = parts_here()
        if parts is not None:
            parts.add(lane)
        _under_way.add(lane)
        try:
            work = partial(lane.exchange, request, uses_proxies=self._uses_proxies)
            return _interruptible(work, lane) if _is_main_thread() else work()
        finally:
            _under_way.lanes.discard(lane)
            if parts is not None:
                parts.remove(lane)
            if not lane.is_ended:
                self._idle.append(lane)

    def _free_lane(self) -> _Lane:
        try:
            return self._idle.pop()  # The one that was used last: its connections are most likely open.
        except IndexError:
            return _Lane(self._trusted)

    def run(self, exchange: Exchange) -> Any:
        """The outcome of an exchange."""
        return drive(exchange, self.send)

    def close(self) -> None:
        """Close the pooled connections."""
        with suppress(IndexError):
            while True:
                self._idle.pop().expire()  # One by one: a lane that a call takes meanwhile is that call's.


class _Lane:
    """A client of the library, with connections of its own, that serves one request at a time.

    The library ends all that a client has under way or nothing; so each may have one request only. A lane takes 50 kB
    and a tenth of a millisecond to make.

    Args:
        trusted: gives the certificates to trust.
    """

    def __init__(self, trusted: Callable[[], CertStore]) -> None:
        self._trusted = trusted
        self._client: Client | None = None
        self._kept = native.KeptConnections()
        self._stream: Streamer | None = None
        self.is_ended = False

    def exchange(self, request: HttpRequest, *, uses_proxies: bool) -> HttpResponse:
        """The reply to one request; any error of the library's if none comes."""
        started = time.monotonic()
        try:
            response = self._response(request, started, uses_proxies=uses_proxies)
            body = self._read(response)
        except BaseException:  # What ends at our wish ends with asyncio's CancelledError.
            if not self.is_ended:
                raise
        finally:
            self._stream = None
        if self.is_ended:  # A reply that was cut off here may look like one that has ended.
            raise timed_out(request, time.monotonic() - started)
        return native.reply(response, body)

    def _response(self, request: HttpRequest, started: float, *, uses_proxies: bool) -> Response:
        method, url, options = native.asked(request, uses_proxies=uses_proxies)
        if self._client is None:
            self._client = native.new_client(Client, self._trusted())
            if self.is_ended:  # Before there was a client to close.
                self._client.close()
        response: Response | None = None
        try:
            response = self._client.request(method, url, **options)
        except native.BROKE_OFF as error:
            options["timeout"] = self._kept.time_to_ask_again(error, request, started)
            if options["timeout"] is None:
                raise
        if response is None:
            response = self._client.request(method, url, **options)
        self._kept.note(response)
        return response

    def _read(self, response: Response) -> bytes:
        pieces: list[memoryview] = []
        size = 0
        with response.stream() as stream:
            self._stream = stream
            if self.is_ended:  # Before there was a stream to end.
                return b""
            for piece in stream:
                if isinstance(piece, memoryview):  # Else it is the trailers.
                    size += len(piece)
                    if size > limits.MAX_REPLY_BYTES:
                        raise reply_too_large()
                    pieces.append(piece)
        return b"".join(pieces)

    def expire(self) -> None:
        """End the request under way, at any time and from any thread, and close the connections."""
        self.is_ended = True
        client, stream = self._client, self._stream
        if client is not None:
            client.close()  # Ends a request that waits for its reply's head,
        if stream is not None:
            stream.__exit__(None, None, None)  # and this one that reads the body.


class _UnderWay:
    """The lanes that serve a request now.

    Before the process ends they are ended, and waited for: the library, on its way back to a daemon thread, would find
    no interpreter any more, and crash.
    """

    def __init__(self) -> None:
        self.lanes: set[_Lane] = set()
        self._is_last = False
        atexit.register(self._end)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.lanes.clear)

    def add(self, lane: _Lane) -> None:
        self.lanes.add(lane)
        if self._is_last:
            lane.expire()

    def _end(self) -> None:
        self._is_last = True
        for lane in list(self.lanes):
            lane.expire()
        until = time.monotonic() + _SECONDS_TO_END
        while self.lanes and time.monotonic() < until:
            time.sleep(0.001)


_under_way = _UnderWay()


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _interruptible(work: Callable[[], HttpResponse], lane: _Lane) -> HttpResponse:
    """What `work` comes to, in a thread beside this one.

    The library waits without a look at signals: in the main thread Ctrl-C would come through with the reply only. This
    takes 20 microseconds.
    """
    try:
        helper = _helpers.pop()
    except IndexError:
        helper = _Helper()
    try:
        helper.asked.put(work)
        outcome = helper.outcomes.get()
    except BaseException:  # The caller's own interruption.
        lane.expire()
        # A process that ended while the library is still on its way back to that thread would crash.
        with suppress(Empty):
            helper.outcomes.get(timeout=_SECONDS_TO_END)
            _helpers.append(helper)
        raise
    _helpers.append(helper)
    if not isinstance(outcome, BaseException):
        return outcome
    try:
        raise outcome
    finally:
        del outcome  # Else its traceback would hold it, and the lane with its connections.


class _Helper:
    """A thread that does what it is asked, one thing after the other."""

    def __init__(self) -> None:
        self.asked: SimpleQueue[Callable[[], HttpResponse]] = SimpleQueue()
        self.outcomes: SimpleQueue[HttpResponse | BaseException] = SimpleQueue()
        threading.Thread(target=self._run, name="rankspec-native", daemon=True).start()

    def _run(self) -> None:
        while True:
            work = self.asked.get()
            try:
                self.outcomes.put(work())
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that asked
                self.outcomes.put(error)
            del work  # It holds a request, and with it the documents.


_helpers: list[_Helper] = []

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_helpers.clear)  # Their threads are not in the child: none would answer.
