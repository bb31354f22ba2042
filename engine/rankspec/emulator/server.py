"""An emulated provider on loopback: HTTP/1.1, keep-alive, and the faults that concern the connection."""

from __future__ import annotations

import re
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rankspec.emulator.faults import Fault, Faults
from rankspec.emulator.provider import EmulatedProvider, Outcome
from rankspec.models import HttpRequest, HttpResponse

MAX_BODY_BYTES = 64 * 1024 * 1024
IDLE_SECONDS = 60.0
"""How long a connection without a request is kept."""

UNANSWERED_SECONDS = 600.0
"""How long a request without an answer is kept, if the client has that much patience."""

SLOW_SECONDS = 1.0

GRACE_SECONDS = 5.0
"""How long closing waits for answers that are under way: a client that does not read would block it."""

_LOOPBACK = "127.0.0.1"
_REFUSED_SECONDS = 2.0
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\n]*)?\r?\n")
_MAX_LINE_BYTES = 65536
_ORIGIN = re.compile(r"https?://[^/?#]*")

Log = Callable[["Served"], None]


@dataclass(frozen=True, slots=True)
class Served:
    """One request that was answered, for a log. `target` has no query: a key may be in it."""

    method: str
    target: str
    status: int | None
    documents: int | None
    fault: str | None

    def __str__(self) -> str:
        parts = [self.method, self.target, "-" if self.status is None else str(self.status)]
        if self.documents is not None:
            parts.append(f"{self.documents} document{'' if self.documents == 1 else 's'}")
        return " ".join(parts) + (f" ({self.fault})" if self.fault else "")


@contextmanager
def serve(
    provider: EmulatedProvider,
    *,
    port: int = 0,
    faults: Faults | None = None,
    log: Log | None = None,
) -> Iterator[str]:
    """Serves while the `with` block runs; gives the base URL to call.

    Args:
        port: 0 for one that is free.
        faults: what goes wrong; by default nothing.
        log: told of every request.

    Raises:
        OSError: the port is taken.
    """
    server = _Server((_LOOPBACK, port), provider, faults or Faults(), log)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="emulator", daemon=True)
    thread.start()
    try:
        yield f"http://{_LOOPBACK}:{server.server_port}{provider.base_path}"
    finally:
        server.shutdown()
        thread.join()
        server.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # Those are not waited for, and would outlive the `with` block.
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], provider: EmulatedProvider, faults: Faults, log: Log | None) -> None:
        super().__init__(address, _Handler)
        self.provider = provider
        self.faults = faults
        self.log = log
        self.closing = threading.Event()
        self.changed = threading.Condition()
        self.connections: set[socket.socket] = set()

    def server_bind(self) -> None:
        # The parent's asks the resolver for this machine's name.
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing for a client that has gone: that is no fault of the server."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def close(self) -> None:
        """Take no more requests, and give the answers that are under way some time to be sent."""
        self.closing.set()
        with self.changed:
            self._shut_down(socket.SHUT_RD)
            self.changed.wait_for(lambda: not self.connections, GRACE_SECONDS)
            self._shut_down(socket.SHUT_RDWR)
        self.server_close()

    def _shut_down(self, how: int) -> None:
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(how)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "rankspec-emulator"
    sys_version = ""
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        with self.server.changed:
            self.server.connections.add(self.connection)
        if self.server.closing.is_set():
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RD)

    def finish(self) -> None:
        with self.server.changed:
            self.server.connections.discard(self.connection)
            self.server.changed.notify_all()
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
        """Nothing: what is worth telling goes to `log`."""

    def _answer(self) -> None:
        provider = self.server.provider
        body = self._body()
        if body is None:
            self.close_connection = True  # What follows is no request, but this one's body.
            self._send(Outcome(provider.length_reply(MAX_BODY_BYTES)))
            self._skip_the_rest()
            return
        fault = self.server.faults.draw()
        if fault is None:
            self._send(self._outcome(body))
        elif fault.status is not None:
            self._send(Outcome(provider.status_reply(fault.status)), fault)
        else:
            self._misbehave(fault, body)

    def _body(self) -> bytes | None:
        """The request's body; None if it is too long, or does not say where it ends."""
        encoding = self.headers.get("transfer-encoding")
        if encoding is not None:
            return self._joined_chunks() if encoding.strip().lower() == "chunked" else None
        length = self.headers.get("content-length", "0")
        if not _LENGTH.fullmatch(length) or int(length) > MAX_BODY_BYTES:
            return None
        return self._exactly(int(length))

    def _joined_chunks(self) -> bytes | None:
        body = bytearray()
        while size := _CHUNK_SIZE.fullmatch(self._line()):
            length = int(size[1], 16)
            if length == 0:
                while self._line().strip():
                    pass  # Trailers tell nothing that matters here.
                return bytes(body)
            if len(body) + length > MAX_BODY_BYTES:
                return None
            body += self._exactly(length)
            if self._line().strip():
                return None
        return None

    def _exactly(self, length: int) -> bytes:
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionError("the client has gone")
        return body

    def _line(self) -> bytes:
        line = self.rfile.readline(_MAX_LINE_BYTES)
        if not line:
            raise ConnectionError("the client has gone")
        return line

    def _skip_the_rest(self) -> None:
        """Read on until the client has the answer: closed before that, the connection is reset and the answer lost."""
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(_REFUSED_SECONDS)
        while self.rfile.read1(_MAX_LINE_BYTES):
            pass

    def _outcome(self, body: bytes) -> Outcome:
        headers: dict[str, str] = {}
        for name, text in self.headers.items():
            headers[name.lower()] = f"{headers[name.lower()]}, {text}" if name.lower() in headers else text
        url = self.path
        if not _ORIGIN.match(url):  # A proxy is sent the whole URL.
            host = headers.get("host", f"{self.server.server_name}:{self.server.server_port}")
            url = f"http://{host}/{url.removeprefix('/')}"
        return self.server.provider.outcome(HttpRequest(self.command, url, headers, body))

    def _misbehave(self, fault: Fault, body: bytes) -> None:
        provider = self.server.provider
        match fault.kind:
            case "html":
                self._send(Outcome(provider.html_reply()), fault)
            case "empty":
                self._send(Outcome(provider.empty_reply()), fault)
            case "slow":
                self.server.closing.wait(SLOW_SECONDS)
                self._send(self._outcome(body), fault)
            case "truncated":
                outcome = self._outcome(body)
                whole = outcome.response
                half = HttpResponse(whole.status, whole.headers, whole.body[: len(whole.body) // 2])
                self._send(Outcome(half, outcome.documents), fault)
            case "cut_off":
                self._send(self._outcome(body), fault, cut=True)
            case "timeout":
                self._tell(None, None, fault)
                self._wait_for_the_client()
            case "reset":
                self._tell(None, None, fault)
                self._reset()

    def _wait_for_the_client(self) -> None:
        """Until it goes, the server closes, or it has waited longer than anybody waits."""
        self.close_connection = True
        self.connection.settimeout(UNANSWERED_SECONDS)
        with suppress(OSError):
            self.connection.recv(1)

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()  # It holds the socket open.
        self.connection.close()

    def _send(self, outcome: Outcome, fault: Fault | None = None, *, cut: bool = False) -> None:
        reply = outcome.response
        # Told first: whoever has the answer may read the log.
        self._tell(reply.status, outcome.documents, fault)
        self.send_response(reply.status, reply.reason or responses.get(reply.status, "Unknown"))
        for name, text in reply.headers.items():
            self.send_header(name, text)
        has_body = reply.status != HTTPStatus.NOT_MODIFIED
        if has_body:
            self.send_header("content-length", str(len(reply.body)))
        if self.close_connection or cut:
            self.close_connection = True
            self.send_header("connection", "close")
        self.end_headers()
        if has_body and self.command != "HEAD":
            self.wfile.write(reply.body[: len(reply.body) // 2] if cut else reply.body)

    def _tell(self, status: int | None, documents: int | None, fault: Fault | None) -> None:
        if self.server.log is not None:
            # In ASCII: a terminal takes some of what a client may send for commands.
            target = ascii(_ORIGIN.sub("", self.path).partition("?")[0])[1:-1]
            self.server.log(Served(self.command, target, status, documents, fault.kind if fault else None))


for _method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
    setattr(_Handler, f"do_{_method}", _Handler._answer)
