"""Lines to a stream that may be slow, full or gone: whoever writes them is never held up and never fails."""

from __future__ import annotations

import os
import select
import stat
import threading
from contextlib import suppress
from typing import TextIO

MAX_PENDING_BYTES = 1024 * 1024

_CHUNK = 4096
"""POSIX's PIPE_BUF on Linux: when a pipe is said to be writable, so many bytes go in at once, and in one piece."""


class LineWriter:
    """Writes whole lines, in order.

    To a pipe, a socket or a terminal that takes no more, lines wait here, at most a mebibyte of them; further ones
    are lost and counted. A line that waits goes out with the next one, or on `flush`. What a closed stream is sent
    is lost and counted too.
    """

    def __init__(self, stream: TextIO) -> None:
        self.lost_lines = 0
        self._stream = stream
        self._lock = threading.Lock()  # Some events are told by threads.
        self._pending = bytearray()
        self._has_descriptor = _has_descriptor(stream)
        self._poll: select.poll | None = None
        self._descriptor = -1

    def write(self, lines: bytes) -> None:
        """Write one or more lines, each of which ends in a line feed."""
        if not self._has_descriptor:
            self._write_text(lines)
            return
        with self._lock:
            if self._pending:
                self._send(self._pending)
            if not self._pending:
                self._send(lines)
            elif len(self._pending) + len(lines) <= MAX_PENDING_BYTES:
                self._pending += lines
            else:
                self._keep_some(lines)

    def flush(self) -> bool:
        """Hand over what waits, as far as it is taken now; whether nothing is left."""
        with self._lock:
            if self._pending:
                self._send(self._pending)
            return not self._pending

    def _keep_some(self, lines: bytes) -> None:
        """Let lines wait for which there is room, and lose the others."""
        for line in lines.splitlines(keepends=True):
            if len(self._pending) + len(line) > MAX_PENDING_BYTES:
                self.lost_lines += 1
            else:
                self._pending += line

    def _write_text(self, lines: bytes) -> None:
        try:
            self._stream.write(lines.decode())
            self._stream.flush()
        except (OSError, ValueError):
            self.lost_lines += lines.count(b"\n")

    def _send(self, data: bytes | bytearray) -> None:
        """Write what is taken without waiting, and keep the rest as what is pending."""
        sent = 0
        try:
            descriptor = self._stream.fileno()
            if descriptor != self._descriptor:
                self._look_at(descriptor)
            poll = self._poll
            while sent < len(data) and (poll is None or poll.poll(0)):
                sent += os.write(descriptor, data[sent : self._end_of_piece(data, sent)])
        except (OSError, ValueError):
            self.lost_lines += data.count(b"\n", sent)
            sent = len(data)
        if self._pending or sent < len(data):
            self._pending = bytearray(data[sent:])

    def _end_of_piece(self, data: bytes | bytearray, start: int) -> int:
        """How far to write at once: to the end, to a file; else whole lines, among which no other process writes."""
        if self._poll is None or len(data) - start <= _CHUNK:
            return len(data)
        return data.rfind(b"\n", start, start + _CHUNK) + 1 or start + _CHUNK

    def _look_at(self, descriptor: int) -> None:
        self._poll = None if _takes_all(descriptor) else select.poll()
        if self._poll is not None:
            self._poll.register(descriptor, select.POLLOUT)
        self._descriptor = descriptor


def _takes_all(descriptor: int) -> bool:
    """Whether what is written is taken at once, as by files and /dev/null: by no pipe, socket or terminal."""
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISREG(mode) or (stat.S_ISCHR(mode) and not os.isatty(descriptor))


def _has_descriptor(stream: TextIO) -> bool:
    """Whether the stream can be asked if it takes more, rather than a text in memory, or any on Windows."""
    if not hasattr(select, "poll"):
        return False
    with suppress(OSError, ValueError):
        stream.flush()
        return stream.fileno() >= 0
    return False
