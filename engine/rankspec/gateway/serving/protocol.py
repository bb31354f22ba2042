"""uvicorn's HTTP protocol with what it leaves open: bounds on a request's head, and errors as JSON.

It relies on parts of uvicorn that are not documented; `tests/contract/test_gateway_edge.py` fails if they change.
"""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from rankspec.errors import ExtraMissing
from rankspec.gateway.edge.shortcuts import SHORTCUTS
from rankspec.gateway.edge.waiting import WAITING, cancel_all

try:
    import httptools
    import uvicorn
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

    from rankspec.gateway.serving.shortcuts import DefaultHead, GatewayCycle
except ImportError:
    raise ExtraMissing("gateway", "rankspec serve") from None

from rankspec.gateway.serving.timers import SlackTimer

MAX_HEAD_BYTES = 64 * 1024
DRAIN_SECONDS = 10.0
"""How long the rest of a body is read and dropped after a reply that came before its end."""

REFUSED_SECONDS = 2.0
"""How long a connection stays open after what is no request, for the reply to arrive."""

LAST_CALL_SECONDS = 0.5
"""How long a connection without a request stays open at the end: a request may be on its way already."""

UNREAD_SECONDS = 30.0
"""How long a connection stays open whose caller takes nothing of a reply."""


class ServerSettings(uvicorn.Config):
    """uvicorn's settings and ours.

    Args:
        head_seconds: how long a request's head may take to arrive.
        unread_seconds: how long a caller may take nothing of a reply.
        max_connections: how many there may be at a time; further ones are refused.

    Attributes:
        default_head: the headers of every reply.
        is_stopping: whether connections are to end when nothing more comes over them.
        is_full: whether the last connection that came was refused.
    """

    def __init__(
        self,
        *args: Any,
        head_seconds: float,
        unread_seconds: float = UNREAD_SECONDS,
        max_connections: int = sys.maxsize,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.head_seconds = head_seconds
        self.unread_seconds = unread_seconds
        self.max_connections = max_connections
        self.default_head = DefaultHead()
        self.is_stopping = False
        self.is_full = False


class _HeadTooLarge(Exception):
    """A request's head has more bytes than MAX_HEAD_BYTES."""


class GatewayProtocol(HttpToolsProtocol):
    """One connection.

    A timer runs while the caller owes something: the first request of a new connection, a head that has begun, or the
    rest of a body that was answered before its end. None is started for a request that arrives in one piece. Another
    one runs while a reply waits to be taken.
    """

    cycle: GatewayCycle

    def __init__(self, config: ServerSettings, *args: Any, **kwargs: Any) -> None:
        super().__init__(config, *args, **kwargs)
        self._settings = config
        self._running: RequestResponseCycle | None = None
        self._waiting: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._unread_timer = SlackTimer(self.loop, config.unread_seconds, self._look_at_unread)
        self._unread_bytes = 0
        self._idle_timer = SlackTimer(self.loop, config.timeout_keep_alive, self.timeout_keep_alive_handler)
        self._target_bytes = b""
        self._target: dict[str, Any] = {}
        self._scope_of_all: dict[str, Any] = {}
        self._is_in_head = False
        self._is_in_body = False
        self._is_refused = False
        self._fault = HTTPStatus.BAD_REQUEST
        self._offers_upgrade = False
        self._piece = b""
        self._earlier_bytes = 0
        self._has_body = False
        self._bytes_without_body = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._scope_of_all = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": self.root_path,
            WAITING: self._waiting,
        }
        # One that was accepted as the server stopped is not among those that uvicorn tells to stop.
        settings = self._settings
        self._start_timer(LAST_CALL_SECONDS if settings.is_stopping else settings.head_seconds)
        was_full, settings.is_full = settings.is_full, len(self.connections) > settings.max_connections
        if settings.is_full:
            if not was_full:
                self.logger.error(f"there are {settings.max_connections} connections: further ones are refused")
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
            self.transport.close()  # At once: its descriptor is needed.

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._unread_timer.end()
        running = self._running
        if running is not None and not running.response_complete:
            running.disconnected = True  # uvicorn says so to the last request that came, which may not have begun.
            running.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)
        self._idle_timer.end()
        cancel_all(self._waiting)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        self._piece = data
        super().data_received(data)
        self._piece = b""
        if self._is_in_head:
            # The piece in which it began may hold much else.
            if self._earlier_bytes > MAX_HEAD_BYTES:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            self._earlier_bytes += len(data)
        elif self._is_in_body:
            # Extensions of chunks, and what may follow the last one, are no part of what the application counts.
            self._bytes_without_body = 0 if self._has_body else self._bytes_without_body + len(data)
            self._has_body = False
            if self._bytes_without_body > MAX_HEAD_BYTES:
                self._refuse(HTTPStatus.BAD_REQUEST)
        if self._timer is None and (self._is_in_head or self._is_idle()):
            self._start_timer(self._settings.head_seconds)

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self._is_in_head = True
        self._earlier_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """As uvicorn's, but for what it does for settings that we do not have; the scope is made at once."""
        parser = self.parser
        self._offers_upgrade = parser.should_upgrade()
        if self._offers_upgrade:
            return
        pairs = self.headers
        if self._earlier_bytes + len(self._piece) > MAX_HEAD_BYTES:
            size = len(self.url) + sum(len(name) + len(value) for name, value in pairs)
            if size > MAX_HEAD_BYTES:
                self._fault = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
                raise _HeadTooLarge
        if self.url != self._target_bytes:
            self._target, self._target_bytes = self._read_target(), self.url
        version, headers = parser.get_http_version(), dict(pairs)
        scope = {
            **self._scope_of_all,
            **self._target,
            "http_version": version,
            "method": parser.get_method().decode("ascii"),
            "headers": pairs,
            "state": self.app_state.copy(),
        }
        before = self.cycle
        self.cycle = scope[SHORTCUTS] = cycle = GatewayCycle(
            scope=scope,  # type: ignore[arg-type]
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=b"expect" in headers and _waits_for_leave(pairs),
            keep_alive=version != "1.0" and parser.should_keep_alive() and not self._settings.is_stopping,
            on_response=self.on_response_complete,
        )
        cycle.headers, cycle.default_head = headers, self._settings.default_head
        if before is None or before.response_complete:
            self._running = cycle
            self._start_asgi_task(cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))
        self.headers = []  # For those that may follow the body: what they say is nothing that the head says.
        self._is_in_head = False
        self._is_in_body = True
        self._bytes_without_body = 0
        self._stop_timer()

    def _read_target(self) -> dict[str, Any]:
        """What the scope says of a request's target: most often the same as of the one before."""
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        return {
            "path": self.root_path + (unquote(path) if "%" in path else path),
            "raw_path": self.root_path.encode("ascii") + url.path,
            "query_string": url.query or b"",
        }

    def on_body(self, body: bytes) -> None:
        self._has_body = True
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > cycle.enough_bytes:
            self.flow.pause_reading()
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        if self._offers_upgrade:
            return
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.more_body = False
            cycle.message_event.set()
        self._is_in_body = False
        if not self.pipeline:
            self.flow.resume_reading()  # The end of the connection has to be seen.

    def on_response_complete(self) -> None:
        """As uvicorn's, but for the timers."""
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self.flow.resume_reading()
            if self.pipeline:
                cycle, app = self.pipeline.pop()
                self._running = cycle
                self._start_asgi_task(cycle, app)
            else:
                self._idle_timer.start()
            if self._is_in_body and self.cycle.response_complete:
                self._start_timer(DRAIN_SECONDS)
        self._watch_unread()

    def _unset_keepalive_if_required(self) -> None:
        self._idle_timer.stop()

    def shutdown(self) -> None:
        """The server stops: end the connection when nothing more comes over it."""
        if self._is_idle() and not self._is_refused:
            self._start_timer(LAST_CALL_SECONDS)
        else:
            super().shutdown()

    def _unsupported_upgrade_warning(self) -> None:
        """What uvicorn calls for a request that offers to go on in another protocol.

        The parser skips the bodies of such requests, but Java's HTTP client makes that offer with every first one. The
        request is read again as if there were no offer.
        """
        error = sys.exception()
        method = self.parser.get_method()
        if method == b"CONNECT" or not isinstance(error, httptools.HttpParserUpgrade):
            self._refuse(HTTPStatus.BAD_REQUEST)
            return
        kept = [(name, value) for name, value in self.headers if name not in (b"upgrade", b"connection")]
        wants_end = any(name == b"connection" and b"close" in value.lower() for name, value in self.headers)
        if wants_end:
            kept.append((b"connection", b"close"))
        version = self.parser.get_http_version().encode()
        head = [b"%s %s HTTP/%s" % (method, self.url, version), *(b": ".join(header) for header in kept)]
        behind = self._piece[error.args[0] :]
        self.parser = httptools.HttpRequestParser(self)
        with suppress(AttributeError):
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # As uvicorn does.
        self.data_received(b"\r\n".join(head) + b"\r\n\r\n" + behind)

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls for what is not HTTP, or cannot be taken in."""
        self._refuse(self._fault)

    def _is_idle(self) -> bool:
        return not self._is_in_head and not self._is_in_body and (self.cycle is None or self.cycle.response_complete)

    def _start_timer(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self._time_is_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_is_up(self) -> None:
        self._timer = None
        if self._is_refused:
            self.transport.abort()
        elif self._is_in_head:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.transport.close()

    def _watch_unread(self) -> None:
        """End the connection unless the caller takes something of what waits for it, again and again."""
        self._unread_bytes = self.transport.get_write_buffer_size()
        if self._unread_bytes:
            self._unread_timer.start()
        else:
            self._unread_timer.stop()

    def _look_at_unread(self) -> None:
        waits = self.transport.get_write_buffer_size()
        if waits >= self._unread_bytes:
            self.transport.abort()  # To close it would be to wait for the caller.
        else:
            self._watch_unread()

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer what is no request, and read nothing more from the connection."""
        if self._is_refused:
            return
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if not self._is_in_body:
                cycle.keep_alive = False  # The request before it is in order, and is answered.
                return
            cycle.disconnected = True  # Its own body cannot be read: the application gets no more of it.
            cycle.message_event.set()
        elif self._is_in_body:
            self.transport.close()  # It is answered already.
            return
        self._is_refused = True
        self.transport.write(_reply(status, self.server_state.default_headers))
        # A connection that is closed on a caller that writes resets, and the reply may be lost with it.
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._start_timer(REFUSED_SECONDS)


def _waits_for_leave(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the caller sends the body when it is told to."""
    return any(name == b"expect" and value.lower() == b"100-continue" for name, value in headers)


_MESSAGES = {
    HTTPStatus.BAD_REQUEST: "this is no request in HTTP/1.1 that can be read",
    HTTPStatus.REQUEST_TIMEOUT: "the request's head did not arrive in time",
    HTTPStatus.SERVICE_UNAVAILABLE: "the gateway has no room for another connection, please try again later",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: f"the request's head is larger than {MAX_HEAD_BYTES} bytes",
}


def _reply(status: HTTPStatus, default_headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    request_id = str(uuid.uuid4())
    body = json.dumps({"message": _MESSAGES[status], "id": request_id}).encode()
    headers = [
        *default_headers,
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", request_id.encode()),
        (b"connection", b"close"),
    ]
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append((b"retry-after", b"1"))
    lines = [b"HTTP/1.1 %d %s" % (status.value, status.phrase.encode()), *(b": ".join(header) for header in headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
