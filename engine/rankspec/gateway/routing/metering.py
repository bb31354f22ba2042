"""How long a request is away from the gateway: at providers, and waiting between tries."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from rankspec.models import HttpRequest, HttpResponse

Send = Callable[[HttpRequest], Awaitable[HttpResponse]]


class _Span:
    """The time in which at least one of several things is going on."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._open = 0
        self._since = 0.0
        self.seconds = 0.0

    def begin(self) -> None:
        if not self._open:
            self._since = self._clock()
        self._open += 1

    def end(self) -> None:
        self._open -= 1
        if not self._open:
            self.seconds += self._clock() - self._since


class Meter:
    """Measures the sends and waits of one caller's request, over all its tries.

    Args:
        send: sends one request to a provider.
    """

    def __init__(self, send: Send, clock: Callable[[], float]) -> None:
        self._send = send
        self._upstream = _Span(clock)
        self._away = _Span(clock)

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
        self._away.begin()
        self._upstream.begin()
        try:
            return await self._send(request)
        finally:
            self._upstream.end()
            self._away.end()

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._away.begin()
        try:
            await asyncio.sleep(seconds)
        finally:
            self._away.end()

    async def away(self, awaitable: Awaitable[float]) -> float:
        """What comes of something that is waited for, such as a place in a queue."""
        self._away.begin()
        try:
            return await awaitable
        finally:
            self._away.end()


class CountingSend:
    """Sends by way of a meter and counts the requests of one try."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self.count = 0

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        self.count += 1
        return await self._meter.send(request)
