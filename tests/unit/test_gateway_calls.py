"""How long a request is away from the gateway: time at providers is counted once however much is under way."""

from __future__ import annotations

import asyncio
import math

import pytest

from rankspec.gateway.routing.calls import Call, CountingSend
from rankspec.gateway.values import Asked, Trace
from rankspec.models import HttpRequest, HttpResponse, RerankRequest

REQUEST = HttpRequest("POST", "http://a.test", {}, b"", 1.0, ())


class Upstream:
    """Sends that end when they are told to, and a clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.open: list[asyncio.Future[HttpResponse]] = []

    def clock(self) -> float:
        return self.now

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.open.append(asyncio.get_running_loop().create_future())
        return await self.open[-1]

    async def settle(self, seconds: float) -> None:
        """Let everything run that can, then let time pass."""
        for _ in range(5):
            await asyncio.sleep(0)
        self.now += seconds


def call(upstream: Upstream, trace: Trace) -> Call:
    return Call(RerankRequest("q", ["d"]), "m", Asked("m", {}), trace, math.inf, upstream.send, upstream.clock)


def test_requests_at_the_same_time_are_counted_once() -> None:
    async def work() -> None:
        upstream = Upstream()
        trace = Trace("id")
        send = CountingSend(call(upstream, trace))
        first = asyncio.ensure_future(send(REQUEST))
        await upstream.settle(2.0)
        second = asyncio.ensure_future(send(REQUEST))
        await upstream.settle(3.0)
        upstream.open[0].set_result(HttpResponse(200, {}, b""))
        await upstream.settle(4.0)
        upstream.open[1].set_result(HttpResponse(200, {}, b""))
        await asyncio.gather(first, second)
        await upstream.settle(50.0)
        assert (trace.upstream_seconds, trace.waited_seconds) == (9.0, 0.0)

    asyncio.run(work())


def test_a_wait_counts_where_nothing_is_under_way() -> None:
    async def work() -> None:
        upstream = Upstream()
        trace = Trace("id")
        one = call(upstream, trace)
        place: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        waiting = asyncio.ensure_future(one.away(place))
        await upstream.settle(1.0)
        sent = asyncio.ensure_future(CountingSend(one)(REQUEST))
        await upstream.settle(2.0)
        upstream.open[0].set_result(HttpResponse(200, {}, b""))
        await sent
        await upstream.settle(4.0)
        place.set_result(0.0)
        await waiting
        assert (trace.upstream_seconds, trace.waited_seconds) == (2.0, 5.0)

    asyncio.run(work())


def test_what_is_cancelled_is_counted_to_its_end() -> None:
    async def work() -> None:
        upstream = Upstream()
        trace = Trace("id")
        one = call(upstream, trace)
        send = CountingSend(one)
        sent = asyncio.ensure_future(send(REQUEST))
        await upstream.settle(2.0)
        sent.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sent
        await upstream.settle(9.0)
        assert (trace.upstream_seconds, send.count) == (2.0, 1)

    asyncio.run(work())
