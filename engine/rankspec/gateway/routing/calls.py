"""One caller's request on its way: what all its tries have in common, and how long it is away from the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from rankspec.errors import RankspecError
from rankspec.gateway.values import Asked, Trace
from rankspec.models import HttpRequest, HttpResponse, RerankRequest

T = TypeVar("T")
Send = Callable[[HttpRequest], Awaitable[HttpResponse]]


class Call:
    """One caller's request, over all its tries. Its sends and waits are told to its trace whenever one begins or ends.

    Those at the same time are counted once, and waits only while nothing is sent.

    Args:
        name: the model in the caller's words.
        limit: the time by which a try has to end.
        send: sends one request to a provider.
        clock: seconds that only grow.

    Attributes:
        failed: how deployments have failed in it, by their ids.
        sends, waits: how many are under way.
    """

    __slots__ = (
        "_clock",
        "_since",
        "asked",
        "failed",
        "limit",
        "name",
        "request",
        "send",
        "sends",
        "trace",
        "waits",
    )

    def __init__(
        self,
        request: RerankRequest,
        name: str,
        asked: Asked,
        trace: Trace,
        limit: float,
        send: Send,
        clock: Callable[[], float],
    ) -> None:
        self.request = request
        self.name = name
        self.asked = asked
        self.trace = trace
        self.limit = limit
        self.send = send
        self.failed: dict[str, RankspecError] = {}
        self.sends = 0
        self.waits = 0
        self._clock = clock
        self._since = 0.0

    @property
    def is_shared(self) -> bool:
        """Whether the call is made with the gateway's own key, so that it says something about other callers' calls."""
        return self.asked.credentials is None

    def tell(self) -> None:
        """Tell the trace what went on until now; to be called before `sends` or `waits` change."""
        now = self._clock()
        if self.sends:
            self.trace.upstream_seconds += now - self._since
        elif self.waits:
            self.trace.waited_seconds += now - self._since
        self._since = now

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        await self.away(asyncio.sleep(seconds))

    async def away(self, awaitable: Awaitable[T]) -> T:
        """What comes of something that is waited for, such as a place in a queue."""
        self.tell()
        self.waits += 1
        try:
            return await awaitable
        finally:
            self.tell()
            self.waits -= 1


class CountingSend:
    """Sends the requests of one try, and counts them."""

    __slots__ = ("_call", "count")

    def __init__(self, call: Call) -> None:
        self._call = call
        self.count = 0

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        """The reply to one request."""
        self.count += 1
        call = self._call
        call.tell()
        call.sends += 1
        try:
            return await call.send(request)
        finally:
            call.tell()
            call.sends -= 1
