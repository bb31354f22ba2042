"""One try on one deployment, or on two when the first is slow. What came of it is told to its state and to the trace.

What a single try does is the engine's matter (`exchange.py`), and what a deployment may take `availability.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol

from rankspec.errors import RankspecError
from rankspec.gateway.refusals import Busy
from rankspec.gateway.routing.availability import QueueFull, QueueTimedOut
from rankspec.gateway.routing.calls import Call, CountingSend
from rankspec.gateway.routing.deployments import Deployment
from rankspec.gateway.routing.faults import for_caller, settle
from rankspec.gateway.routing.groups import Group
from rankspec.gateway.values import Attempt, RoutingConfig
from rankspec.models import Exchange, HttpRequest, HttpResponse, RerankMeta, RerankResponse

_LEAST_SECONDS = 0.001


class Transport(Protocol):
    """What drives exchanges: `AsyncTransport`, or a stand-in."""

    async def send(self, request: HttpRequest) -> HttpResponse:
        """The reply to one request."""

    async def run(
        self,
        exchange: Exchange,
        *,
        send: Callable[[HttpRequest], Awaitable[HttpResponse]] | None = None,
        wait: Callable[[float], Awaitable[None]] = ...,
    ) -> Any:
        """The outcome of an exchange."""


class Tries:
    """Asks deployments.

    Args:
        routing: when to ask a second one.
        transport: sends what deployments have to send.
        clock: seconds that only grow.
    """

    def __init__(self, routing: RoutingConfig, transport: Transport, clock: Callable[[], float]) -> None:
        self._routing = routing
        self._transport = transport
        self._clock = clock

    def ask(self, group: Group, candidates: Sequence[Deployment], call: Call) -> Coroutine[Any, Any, RerankResponse]:
        """The first's answer, or the second's if that one is asked because the first is slow, and is faster."""
        after = self._routing.hedge_after_seconds
        if after is not None and len(candidates) > 1:
            others = [one for one in candidates[1:] if one.id not in call.failed]
            if others:
                return self._race(group, candidates[0], others[0], after, call)
        return self._try(group, candidates[0], call)

    async def _race(
        self, group: Group, first: Deployment, second: Deployment, after: float, call: Call
    ) -> RerankResponse:
        asked = {asyncio.ensure_future(self._try(group, first, call)): first}
        try:
            done, _ = await asyncio.wait(asked, timeout=after)
            if not done:
                call.trace.hedged = True
                asked[asyncio.ensure_future(self._try(group, second, call))] = second
            answered = await _first_answered(set(asked))
            call.trace.deployment = asked[answered].id
            return answered.result()
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def _try(self, group: Group, deployment: Deployment, call: Call) -> RerankResponse:
        state, asked, trace = deployment.state, call.asked, call.trace
        trace.deployment = deployment.id
        started = self._clock()
        if not state.enter_at_once(started):
            started = await self._enter(group, deployment, call)
        send = CountingSend(call)
        error: str | None = None
        try:
            target, request, warnings = deployment.fixed_target, call.request, None
            if target is None or asked.credentials is not None or request.extra:
                target, request, warnings = deployment.fitted(group.star, request, asked)
            timeout = call.limit - started
            if not _LEAST_SECONDS <= timeout <= deployment.timeout_seconds:
                timeout = min(max(_LEAST_SECONDS, timeout), deployment.timeout_seconds)
            retries = deployment.config.max_retries
            if retries is None:  # Then only parts of a split call: so those that are answered are not paid twice.
                retries = self._routing.retries if len(request.documents) > target.max_documents else 0
            exchange = deployment.exchange(target, request, asked.values, timeout, retries)
            response: RerankResponse = await self._transport.run(exchange, send=send, wait=call.wait)
            if warnings:
                response["meta"]["warnings"] = [*response.meta.warnings, *warnings]
            if deployment.config.price is not None:
                deployment.priced(response, len(request.documents))
            trace.upstream_requests = send.count
            trace.overlong_documents = deployment.overlong_documents(target, request)
        except RankspecError as raised:
            error, call.failed[deployment.id] = type(raised).__name__, raised
            told = for_caller(raised, call.name, is_starred=group.star is not None, is_shared=call.is_shared)
            settle(state, told, self._clock() - started, is_shared=call.is_shared)
            raise told from raised
        except BaseException as raised:
            error = type(raised).__name__  # Cancelled: the caller has gone, or another deployment was faster.
            state.failed(counts=False, seconds=self._clock() - started)
            raise
        finally:
            if send.count > 1:
                state.also_sent(send.count - 1)
            state.leave()
            seconds = self._clock() - started
            trace.attempts.append(Attempt(deployment.id, seconds, error))
        if asked.credentials is None:
            state.succeeded(seconds, _tokens(response))
        else:
            state.failed(counts=False, seconds=seconds)  # That a caller's own key is taken says nothing of ours.
        return response

    async def _enter(self, group: Group, deployment: Deployment, call: Call) -> float:
        """Take a place at a deployment that has none free. Returns when there was one.

        Raises:
            Busy: there is none in time.
        """
        state, arrived = deployment.state, self._clock()
        try:
            await call.away(state.enter(call.limit))
        except (QueueFull, QueueTimedOut):
            busy = call.failed[deployment.id] = Busy(group.name, state.seconds_until_free())
            call.trace.attempts.append(Attempt(deployment.id, self._clock() - arrived, type(busy).__name__))
            raise busy from None
        return self._clock()


async def _first_answered(running: set[asyncio.Task[RerankResponse]]) -> asyncio.Task[RerankResponse]:
    """The first task with an answer, or the last one if none has."""
    while True:
        done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        answered = [task for task in done if task.exception() is None]
        if answered or not running:
            return (answered or list(done))[0]


def _tokens(response: RerankResponse) -> float | None:
    """How many tokens the provider says it read, or None."""
    meta: RerankMeta = response["meta"]
    for units in (meta.get("tokens"), meta.get("billed_units")):
        if units and ("total_tokens" in units or "input_tokens" in units):
            tokens: float = units.get("total_tokens", units.get("input_tokens"))
            return tokens
    return None
