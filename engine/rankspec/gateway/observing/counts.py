"""Numbers that are counted up in place, in memory or in a file that other processes read. It knows no metric.

A row is some numbers behind a name. To count is `row[0] += 1.0`: no lock, and nothing is looked up.
"""

from __future__ import annotations

import json
import mmap
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import TypeAlias

Row: TypeAlias = "list[float] | memoryview[float]"
"""Floats, 0 at first. They are 64 bits wide, so that whole numbers up to 2 ** 53 are exact.

In memory alone they are a list, which counts in half the time.
"""

RowName = tuple[str, ...]
"""A metric's name, and the values of its labels."""

_HEAD = Struct("=II")
"""What is before each row of a file: how many bytes its name takes, and how many numbers there are."""

_NUMBER_BYTES = 8
_PAGE_BYTES = mmap.ALLOCATIONGRANULARITY
_BLOCK_BYTES = 16 * _PAGE_BYTES


class Counts:
    """The rows of this process.

    Args:
        file: where they are for others to read: made anew, and mapped into memory block by block. Where it cannot grow,
            as on a full disk, further rows are in memory alone, as all are without a file.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._rows: dict[RowName, Row] = {}
        self._lock = threading.Lock()
        self._file = file
        if file is not None:
            file.write_bytes(b"")
        self._size = 0
        self._block = memoryview(b"")
        self._at = 0

    def row(self, name: RowName, length: int) -> Row:
        """The row of a name, of so many numbers; a new one when it is first asked for."""
        found = self._rows.get(name)
        if found is None:
            with self._lock:  # Metrics are rendered in a thread, which may find new deployments.
                found = self._rows.get(name) or self._new_row(name, length)
                self._rows[name] = found
        return found

    def rows(self) -> list[tuple[RowName, Row]]:
        """Every row, in the order of their making. Any thread may ask."""
        return list(self._rows.items())

    def _new_row(self, name: RowName, length: int) -> Row:
        text = json.dumps(name).encode()
        text += b" " * (-len(text) % _NUMBER_BYTES)
        start = _HEAD.size + len(text)
        place = self._place(start + _NUMBER_BYTES * length)
        if place is None:
            return [0.0] * length
        place[_HEAD.size : start] = text
        place[: _HEAD.size] = _HEAD.pack(len(text), length)  # Last: until then a reader sees no row.
        return place[start:].cast("d")

    def _place(self, size: int) -> memoryview | None:
        """So many bytes of the file, all 0; None without a file, and where it cannot grow."""
        if self._file is None:
            return None
        if self._at + size > len(self._block):
            try:
                self._block = _new_block(self._file, self._size, -(-size // _BLOCK_BYTES) * _BLOCK_BYTES)
            except OSError:
                return None
            self._size += len(self._block)
            self._at = 0
        place = self._block[self._at : self._at + size]
        self._at += size
        return place


def read_counts(file: Path) -> Iterator[tuple[RowName, Row]]:
    """The rows of a file, as they are now: what another process counts meanwhile is not seen."""
    data = memoryview(b"")
    with suppress(FileNotFoundError):
        data = memoryview(file.read_bytes())
    at = 0
    while at < len(data):
        text, length = _HEAD.unpack_from(data, at)
        if not length:  # The rest of a block, or of the file. Blocks begin where pages do.
            at = (at // _PAGE_BYTES + 1) * _PAGE_BYTES
            continue
        start = at + _HEAD.size + text
        at = start + _NUMBER_BYTES * length
        yield tuple(json.loads(bytes(data[start - text : start]))), data[start:at].cast("d")


def _new_block(file: Path, offset: int, size: int) -> memoryview:
    """So many bytes more at the end of a file, mapped into memory."""
    with file.open("r+b") as opened:
        _reserve(opened.fileno(), offset, size)
        return memoryview(mmap.mmap(opened.fileno(), size, offset=offset))


def _reserve(descriptor: int, offset: int, size: int) -> None:
    """Let a file grow. A page without a place on the disk would end the process when it is written to."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, offset, size)
    else:
        os.ftruncate(descriptor, offset + size)
