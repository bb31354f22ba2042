"""A request's whole body and its whole reply, by way of what uvicorn keeps of it.

It relies on parts of uvicorn that are not documented, as `protocol.py` does.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from rankspec.gateway.edge.shortcuts import SHORTCUTS

_SMALL_BYTES = 64 * 1024
"""Up to this size it costs less to copy a body behind its head than to write twice."""

_Headers = Sequence[tuple[bytes, bytes]]


class DefaultHead:
    """The headers of every reply, as bytes. uvicorn makes a new list of them once a second, for the date."""

    def __init__(self) -> None:
        self._headers: _Headers | None = None
        self._lines = b""

    def lines(self, headers: _Headers) -> bytes:
        """The headers as lines."""
        if headers is not self._headers:
            self._headers, self._lines = headers, b"".join(b"%b: %b\r\n" % header for header in headers)
        return self._lines


class GatewayCycle(RequestResponseCycle):
    """uvicorn's request, with the shortcuts of `edge/shortcuts.py`.

    Attributes:
        headers: by name; of several of one name, the last.
        default_head: of every reply.
        enough_bytes: when more of the body than that is here, whoever waits for it gets it.
    """

    headers: Mapping[bytes, bytes]
    default_head: DefaultHead
    enough_bytes = HIGH_WATER_LIMIT

    def body_at_hand(self, most_bytes: int) -> bytearray | None:
        """The whole body, if all of it is here and it has no more than so many bytes; it is given once."""
        if self.more_body or self.disconnected or self.waiting_for_100_continue or len(self.body) > most_bytes:
            return None
        return self._taken()

    def _taken(self) -> bytearray:
        self.message_event.clear()  # What comes next is the end of the connection.
        body, self.body = self.body, bytearray()
        return body

    async def receive_whole(self, most_bytes: int) -> MutableMapping[str, Any]:
        """ASGI's message, with the whole body, or with as much of it as is more than so many bytes."""
        if self.waiting_for_100_continue:
            return await self.receive()  # type: ignore[return-value]
        self.enough_bytes = most_bytes
        try:
            self.flow.resume_reading()
            while not self._is_at_end():
                self.message_event.clear()
                await self.message_event.wait()
        finally:
            self.enough_bytes = HIGH_WATER_LIMIT
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self._taken(), "more_body": self.more_body}

    def _is_at_end(self) -> bool:
        return not self.more_body or self.disconnected or self.response_complete or len(self.body) > self.enough_bytes

    def reply(self, status: int, lines: bytes, body: bytes) -> bool:
        """Send the whole reply, if that needs no wait, and say whether it was sent."""
        if self.flow.write_paused or self.disconnected or self.response_started or self.scope["method"] == "HEAD":
            return False
        end = b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n"
        head = STATUS_LINE[status] + self.default_head.lines(self.default_headers) + lines + end
        if len(body) <= _SMALL_BYTES:
            self.transport.write(head + body)
        else:
            self.transport.write(head)
            self.transport.write(body)
        self.response_started = self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
        # The scope and this hold each other, and it is long before anybody looks for that.
        self.scope.pop(SHORTCUTS, None)  # type: ignore[misc]
        return True
