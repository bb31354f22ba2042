"""A request's whole body and its whole reply, by way of what uvicorn keeps of it.

It relies on parts of uvicorn that are not documented, as `protocol.py` does.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from rankspec.gateway.edge.shortcuts import SHORTCUTS, Header

_SMALL_BYTES = 64 * 1024
"""Up to this size it costs less to copy a body behind its head than to write twice."""


class DefaultHead:
    """The headers of every reply, as bytes. uvicorn makes a new list of them once a second, for the date."""

    def __init__(self) -> None:
        self._headers: Sequence[Header] | None = None
        self._lines = b""

    def lines(self, headers: Sequence[Header]) -> bytes:
        """The headers as lines."""
        if headers is not self._headers:
            self._headers, self._lines = headers, b"".join(b"%b: %b\r\n" % header for header in headers)
        return self._lines


class CycleShortcuts:
    """See `edge/shortcuts.py`.

    Args:
        cycle: the request.
        default_head: of every reply.

    Attributes:
        is_collecting: whether pieces of the body go to `collect`.
    """

    __slots__ = ("_cycle", "_default_head", "_most_bytes", "is_collecting")

    def __init__(self, cycle: RequestResponseCycle, default_head: DefaultHead) -> None:
        self._cycle = cycle
        self._default_head = default_head
        self._most_bytes = 0
        self.is_collecting = False

    def collect(self, piece: bytes) -> None:
        """Take a piece of the body that has come."""
        cycle = self._cycle
        cycle.body += piece
        if len(cycle.body) > self._most_bytes:
            cycle.message_event.set()

    def body_at_hand(self, most_bytes: int) -> bytearray | None:
        """The whole body, if all of it is here and it has no more than so many bytes; it is given once."""
        cycle = self._cycle
        if cycle.more_body or cycle.disconnected or cycle.waiting_for_100_continue or len(cycle.body) > most_bytes:
            return None
        return self._taken()

    def _taken(self) -> bytearray:
        cycle = self._cycle
        cycle.message_event.clear()  # What comes next is the end of the connection.
        body, cycle.body = cycle.body, bytearray()
        return body

    async def receive(self, most_bytes: int) -> MutableMapping[str, Any]:
        """ASGI's message, with the whole body, or with as much of it as is more than so many bytes."""
        cycle, self._most_bytes = self._cycle, most_bytes
        if cycle.waiting_for_100_continue:
            return await cycle.receive()  # type: ignore[return-value]
        self.is_collecting = True
        try:
            cycle.flow.resume_reading()
            while not self._is_at_end():
                cycle.message_event.clear()
                await cycle.message_event.wait()
        finally:
            self.is_collecting = False
        if cycle.disconnected or cycle.response_complete:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self._taken(), "more_body": cycle.more_body}

    def _is_at_end(self) -> bool:
        cycle = self._cycle
        return (
            not cycle.more_body or cycle.disconnected or cycle.response_complete or len(cycle.body) > self._most_bytes
        )

    def reply(self, status: int, headers: Sequence[Header], body: bytes) -> bool:
        """Send the whole reply, if that needs no wait, and say whether it was sent."""
        cycle = self._cycle
        if cycle.flow.write_paused or cycle.disconnected or cycle.response_started or cycle.scope["method"] == "HEAD":
            return False
        lines = [STATUS_LINE[status], self._default_head.lines(cycle.default_headers)]
        for name, value in headers:
            if name == b"connection":
                return False  # uvicorn has more to do for those.
            lines += (name, b": ", value, b"\r\n")
        lines.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
        if len(body) <= _SMALL_BYTES:
            lines.append(body)
            cycle.transport.write(b"".join(lines))
        else:
            cycle.transport.write(b"".join(lines))
            cycle.transport.write(body)
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()
        # These and the cycle hold each other, and it is long before anybody looks for that.
        cycle.scope.pop(SHORTCUTS, None)  # type: ignore[misc]
        return True
