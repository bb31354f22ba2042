"""Who is told of requests that have ended: the metrics and the log."""

from __future__ import annotations

from asyncio import AbstractEventLoop, get_running_loop
from pathlib import PurePath
from traceback import extract_tb
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
        self._loop: AbstractEventLoop | None = None

    def note(self, trace: Trace, asked: Asked | None) -> None:
        """A request has ended; its trace changes no more."""
        self._ended.append((trace, asked))
        loop = get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            loop.call_soon(self.flush)

    def flush(self) -> None:
        """Tell what is not told yet, as after the last turn of a loop; what cannot be told keeps nothing else back."""
        ended, self._ended, self._loop = self._ended, [], None
        if not ended:
            return
        for trace, _ in ended:
            try:
                self._metrics.observe(trace)
            except Exception as error:  # noqa: BLE001 - the outermost frame
                self._say_why("uncounted", trace, error)
        try:
            self._log.write(*ended)
        except Exception:  # noqa: BLE001 - the outermost frame
            for one in ended:
                self._write_alone(*one)

    def _write_alone(self, trace: Trace, asked: Asked | None) -> None:
        try:
            self._log.write((trace, asked))
        except Exception as error:  # noqa: BLE001 - the outermost frame
            self._say_why("unlogged", trace, error)

    def _say_why(self, event: str, trace: Trace, error: Exception) -> None:
        self._log.event(event, "error", request_id=trace.request_id, where=where_raised(error, 1))


def where_raised(error: BaseException, frames: int) -> str:
    """The class of an error and where it was raised, with the innermost frames last. Its text may hold anything."""
    found = extract_tb(error.__traceback__)[-frames:]
    places = ", ".join(f"{PurePath(one.filename).name}:{one.lineno} {one.name}" for one in found)
    return f"{type(error).__name__} at {places}"
