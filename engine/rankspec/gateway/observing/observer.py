"""Who is told of requests that have ended: the metrics and the log."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rankspec.gateway.values import Asked, Trace

if TYPE_CHECKING:
    from rankspec.gateway.observing.logs import AccessLog
    from rankspec.gateway.observing.metrics import Metrics


class Observer:
    """Counts and logs requests when the loop's turn is over in which they ended.

    With 64 at a time some 40 end in one turn: to tell of so many in a row costs half of what it costs between one and
    the next, and one write is enough for their lines.
    """

    def __init__(self, metrics: Metrics, log: AccessLog) -> None:
        self._metrics = metrics
        self._log = log
        self._ended: list[tuple[Trace, Asked | None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def note(self, trace: Trace, asked: Asked | None) -> None:
        """A request has ended; its trace changes no more."""
        self._ended.append((trace, asked))
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            loop.call_soon(self.flush)

    def flush(self) -> None:
        """Tell what is not told yet, as after the last turn of a loop."""
        ended, self._ended, self._loop = self._ended, [], None
        for trace, _ in ended:
            self._metrics.observe(trace)
        if ended:
            self._log.write(*ended)
