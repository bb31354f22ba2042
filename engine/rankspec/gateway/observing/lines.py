"""Lines to a stream that may be slow, full or gone: whoever writes them is never held up and never fails."""

from __future__ import annotations

import os
import select
from contextlib import suppress
from typing import TextIO

MAX_PENDING_BYTES = 1024 * 1024

_CHUNK = 4096
"""POSIX's PIPE_BUF on Linux: when a pipe is said to be writable, so many bytes go in at once."""


class LineWriter:
    """Writes whole lines, in order.

    To a pipe, a socket or a terminal that takes no more, lines wait here, at most a mebibyte of them; further ones
    are lost and counted. A line that waits goes out with the next one, or on `flush`. What a closed stream is sent
    is lost and counted too.
    """

    def __init__(self, stream: TextIO) -> None:
        self.lost_lines = 0
        self._stream = stream
        self._pending = bytearray()
        self._has_descriptor = _has_descriptor(stream)
        self._poll: select.poll | None = None
        self._polled = -1

    def write(self, line: bytes) -> None:
        """Write one line, which ends in a line feed."""
        if self._pending and not self.flush() and len(self._pending) + len(line) > MAX_PENDING_BYTES:
            self.lost_lines += 1
            return
        try:
            if not self._has_descriptor:
                self._stream.write(line.decode())
                self._stream.flush()
            elif self._pending:
                self._pending += line
            else:
                self._send(line)
        except (OSError, ValueError):
            self.lost_lines += 1

    def flush(self) -> bool:
        """Hand over what waits, as far as it is taken now; whether nothing is left."""
        if not self._pending:
            return True
        waiting = bytes(self._pending)
        self._pending.clear()
        try:
            self._send(waiting)
        except (OSError, ValueError):
            self.lost_lines += waiting.count(b"\n")
        return not self._pending

    def _send(self, data: bytes) -> None:
        """Write what is taken without waiting, and keep the rest."""
        descriptor = self._stream.fileno()
        sent = 0
        while sent < len(data):
            if not self._is_writable(descriptor):
                self._pending += data[sent:]
                return
            sent += os.write(descriptor, data[sent : sent + _CHUNK])

    def _is_writable(self, descriptor: int) -> bool:
        if self._poll is None or self._polled != descriptor:
            self._poll, self._polled = select.poll(), descriptor
            self._poll.register(descriptor, select.POLLOUT)
        return bool(self._poll.poll(0))


def _has_descriptor(stream: TextIO) -> bool:
    """Whether the stream can be asked if it takes more, rather than a text in memory, or any on Windows."""
    if not hasattr(select, "poll"):
        return False
    with suppress(OSError, ValueError):
        stream.flush()
        return stream.fileno() >= 0
    return False
