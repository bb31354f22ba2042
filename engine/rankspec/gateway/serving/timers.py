"""Timers that nearly always are stopped before their time: they cost a look at the clock, and no timer of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class SlackTimer:
    """Calls back so many seconds after the last start, unless it is stopped before.

    Behind it is one timer of the loop, which is neither moved nor ended by `start` and `stop`, but looks when it fires
    whether there is anything to do: to make one for each request costs a twentieth of what a small request does.

    Args:
        seconds: from `start` to the call.
        call: what is called.
    """

    __slots__ = ("_at", "_call", "_handle", "_loop", "_seconds")

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, call: Callable[[], None]) -> None:
        self._loop = loop
        self._seconds = seconds
        self._call = call
        self._at: float | None = None
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Count from now on."""
        self._at = self._loop.time() + self._seconds
        if self._handle is None:
            self._handle = self._loop.call_later(self._seconds, self._look)

    def stop(self) -> None:
        """Do not call, until the next start."""
        self._at = None

    def end(self) -> None:
        """Do not call ever again, and leave nothing behind."""
        self._at = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _look(self) -> None:
        self._handle = None
        if self._at is None:
            return
        left = self._at - self._loop.time()
        if left > 0:
            self._handle = self._loop.call_later(left, self._look)
        else:
            self._at = None
            self._call()
