"""How long a request is away from the gateway: at providers, and waiting between tries."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from rankspec.models import HttpRequest, HttpResponse

Send = Callable[[HttpRequest], Awaitable[HttpResponse]]


class _Span:
    """The time in which at least one of several things is going on."""

    __slots__ = ("_open", "_since", "seconds")

    def __init__(self) -> None:
        self._open = 0
        self._since = 0.0
        self.seconds = 0.0

    def begin(self, now: float) -> None:
        if not self._open:
            self._since = now
        self._open += 1

    def end(self, now: float) -> None:
        self._open -= 1
        if not self._open:
            self.seconds += now - self._since


class Meter:
    """Measures the sends and waits of one caller's request, over all its tries.

    Args:
        send: sends one request to a provider.
    """

    __slots__ = ("_away", "_clock", "_send", "_upstream")

    def __init__(self, send: Send, clock: Callable[[], float]) -> None:
        self._send = send
        self._clock = clock
        self._upstream = _Span()
        self._away = _Span()

    @property
    def upstream_seconds(self) -> float:
        """How long at least one request to a provider was under way."""
        return self._upstream.seconds

    @property
    def waited_seconds(self) -> float:
        """How long there was nothing but waits."""
        return max(0.0, self._away.seconds - self._upstream.seconds)

    async def send(self, request: HttpRequest) -> HttpResponse:
        """The reply to one request."""
        now = self._clock()
        self._away.begin(now)
        self._upstream.begin(now)
        try:
            return await self._send(request)
        finally:
            now = self._clock()
            self._upstream.end(now)
            self._away.end(now)

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._away.begin(self._clock())
        try:
            await asyncio.sleep(seconds)
        finally:
            self._away.end(self._clock())

    async def away(self, awaitable: Awaitable[float]) -> float:
        """What comes of something that is waited for, such as a place in a queue."""
        self._away.begin(self._clock())
        try:
            return await awaitable
        finally:
            self._away.end(self._clock())


class CountingSend:
    """Sends by way of a meter and counts the requests of one try."""

    __slots__ = ("_meter", "count")

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self.count = 0

    def __call__(self, request: HttpRequest) -> Awaitable[HttpResponse]:
        self.count += 1
        return self._meter.send(request)
