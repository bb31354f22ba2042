"""One caller's request over all that may answer it: choice, retries, hedging and fallbacks, in one deadline.

What a single try does is the engine's matter (`exchange.py`), and what a deployment may take `availability.py`'s.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from rankspec.contract import attach_documents
from rankspec.errors import RankspecError, RequestInvalid
from rankspec.exchange import backoff_seconds
from rankspec.gateway.refusals import Busy, ModelNotFound
from rankspec.gateway.routing.availability import QueueFull, QueueTimedOut
from rankspec.gateway.routing.deployments import Deployment, Target, overlong_documents
from rankspec.gateway.routing.faults import for_caller, is_callers, settle
from rankspec.gateway.routing.groups import Group, Groups
from rankspec.gateway.routing.metering import CountingSend, Meter
from rankspec.gateway.routing.selection import ranked
from rankspec.gateway.values import PASSTHROUGH, Asked, Attempt, RoutingConfig, Trace
from rankspec.models import (
    Exchange,
    HttpRequest,
    HttpResponse,
    Problem,
    RerankMeta,
    RerankRequest,
    RerankResponse,
    RerankResult,
)
from rankspec.parameters import validated
from rankspec.replies import is_retryable

_MAX_RESERVE_SECONDS = 1.0
_RESERVED_SHARE = 0.1


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


@dataclass(slots=True)
class _Call:
    """One caller's request on its way. `limit` is the time by which a try has to end."""

    request: RerankRequest
    name: str
    asked: Asked
    limit: float
    meter: Meter
    trace: Trace
    failed: dict[str, RankspecError] = field(default_factory=dict)

    @property
    def is_shared(self) -> bool:
        """Whether the call is made with the gateway's own key, so that it says something about other callers' calls."""
        return self.asked.credentials is None


class Router:
    """Answers callers' requests from deployments.

    Args:
        groups: the deployments by the names that callers write.
        routing: how to choose, to retry and to fall back.
        transport: sends what deployments have to send.
        clock: seconds that only grow.
        jitter: numbers from 0 to 1.
    """

    def __init__(
        self,
        groups: Groups,
        routing: RoutingConfig,
        transport: Transport,
        *,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.groups = groups
        self._routing = routing
        self._transport = transport
        self._clock = clock
        self._jitter = jitter

    async def rerank(self, asked: Asked, trace: Trace) -> RerankResponse:
        """The ranking.

        Args:
            trace: is filled with what the request goes through, also if it fails.

        Raises:
            Refused: no such model, or no room.
            RankspecError: as the engine tells of the last try of the model asked for.
        """
        name = asked.model or self._routing.default_model or self.groups.only_name
        trace.asked_model = asked.model
        if name is None:
            raise RequestInvalid([Problem(("model",), "is missing, and there is no default model")])
        group = self.groups.find(name)
        if group is None:
            raise ModelNotFound(name)
        trace.model = group.name
        request = validated(asked.values)
        trace.documents = len(request.documents)
        meter = Meter(self._transport.send, self._clock)
        deadline = self._clock() + self._routing.timeout_seconds
        call = _Call(request, name, asked, deadline, meter, trace)
        try:
            response = await self._answer(group, self._chain(group, call), call, deadline)
        finally:
            trace.upstream_seconds, trace.waited_seconds = meter.upstream_seconds, meter.waited_seconds
        trace.warnings = len(response.meta.warnings)
        trace.cost_usd = response.meta.cost["usd"] if response.meta.cost else None
        return response

    def _chain(self, group: Group, call: _Call) -> list[Group | None]:
        """Who answers if the group cannot, in order; None for the passthrough."""
        if not call.is_shared:
            return []  # The caller wants that provider, and its key is for no other.
        routing = self._routing
        names = routing.fallbacks.get(call.name) or routing.fallbacks.get(group.name) or routing.default_fallbacks
        members = [None if name == PASSTHROUGH else self.groups.find(name) for name in names]
        return [one for name, one in zip(names, members, strict=True) if one is not None or name == PASSTHROUGH]

    async def _answer(
        self, group: Group, chain: Sequence[Group | None], call: _Call, deadline: float
    ) -> RerankResponse:
        """The answer of the first that has one."""
        failure: RankspecError | None = None
        for position, member in enumerate((group, *chain)):
            later = chain[position:]
            if failure is not None:
                call.trace.fallbacks.append(PASSTHROUGH if member is None else member.name)
            if member is None:
                return _degraded(_passthrough(call.request), call, failure, PASSTHROUGH)
            call.limit = deadline - self._reserve(later)
            try:
                response = await self._ask(member, call, has_more=bool(later))
            except RankspecError as error:
                if is_callers(error):
                    raise
                failure = failure or error  # What became of the model that was asked for.
            else:
                return response if failure is None else _degraded(response, call, failure, member.name)
        assert failure is not None
        raise failure

    def _reserve(self, later: Iterable[Group | None]) -> float:
        """Time to keep for those who come later and answer at once."""
        is_at_once = any(one is None or all(d.is_in_process for d in one.deployments) for one in later)
        return min(_MAX_RESERVE_SECONDS, self._routing.timeout_seconds * _RESERVED_SHARE) if is_at_once else 0.0

    async def _ask(self, group: Group, call: _Call, *, has_more: bool) -> RerankResponse:
        """The answer of one of the group's deployments, after as many tries as it takes."""
        for _ in range(1 + self._routing.retries):
            candidates = self._candidates(group, call, has_more=has_more)
            pause = self._pause(candidates[0], call)
            if self._clock() + pause >= call.limit and call.failed:
                break
            if pause:
                await call.meter.wait(pause)
            try:
                return await self._race(group, candidates, call)
            except RankspecError as error:
                failure = error
                if is_callers(error) or not self._has_candidates(group, call, has_more=has_more):
                    raise
        raise failure

    def _candidates(self, group: Group, call: _Call, *, has_more: bool) -> list[Deployment]:
        """Whom to ask, the best first: those that have not failed in this call, then those that may yet answer.

        Raises:
            Busy: there is none.
        """
        found = ranked(group.deployments, self._routing.strategy, self._jitter)
        if not found and not has_more:
            # All are left out for their failures: a likely failure is better than a sure one.
            cooling = [one for one in group.deployments if one.state.is_cooling()]
            found = sorted(cooling, key=lambda one: one.state.seconds_until_free())[:1]
        fresh = [one for one in found if one.id not in call.failed]
        again = [one for one in found if one.id in call.failed and is_retryable(call.failed[one.id])]
        if not fresh and not again:
            raise Busy(group.name, min(one.state.seconds_until_free() for one in group.deployments))
        return fresh + again

    def _has_candidates(self, group: Group, call: _Call, *, has_more: bool) -> bool:
        try:
            return bool(self._candidates(group, call, has_more=has_more))
        except Busy:
            return False

    def _pause(self, deployment: Deployment, call: _Call) -> float:
        """Seconds to wait before a deployment is asked again; 0 for one that is asked for the first time."""
        failure = call.failed.get(deployment.id)
        if failure is None:
            return 0.0
        told: float | None = getattr(failure, "retry_after_seconds", None)
        return backoff_seconds(len(call.trace.attempts) - 1, self._jitter()) if told is None else told

    async def _race(self, group: Group, candidates: Sequence[Deployment], call: _Call) -> RerankResponse:
        """The first's answer, or the second's if that one is asked because the first is slow, and is faster."""
        after = self._routing.hedge_after_seconds
        first, others = candidates[0], [one for one in candidates[1:] if one.id not in call.failed]
        if after is None or not others:
            return await self._try(group, first, call)
        running: set[asyncio.Future[RerankResponse]] = {asyncio.ensure_future(self._try(group, first, call))}
        try:
            done, _ = await asyncio.wait(running, timeout=after)
            if not done:
                call.trace.hedged = True
                running.add(asyncio.ensure_future(self._try(group, others[0], call)))
            return await _first_answer(running)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _try(self, group: Group, deployment: Deployment, call: _Call) -> RerankResponse:
        """One try on one deployment; what came of it is told to its state and to the trace."""
        state, trace, arrived = deployment.state, call.trace, self._clock()
        trace.deployment = deployment.id
        try:
            await call.meter.away(state.enter(call.limit))
        except (QueueFull, QueueTimedOut):
            busy = call.failed[deployment.id] = Busy(group.name, state.seconds_until_free())
            trace.attempts.append(Attempt(deployment.id, self._clock() - arrived, type(busy).__name__))
            raise busy from None
        started = self._clock()
        error: BaseException | None = None
        try:
            response = await self._send(group, deployment, call)
        except RankspecError as raised:
            error = call.failed[deployment.id] = raised
            told = for_caller(raised, call.name, is_starred=group.star is not None, is_shared=call.is_shared)
            settle(state, told, self._clock() - started, is_shared=call.is_shared)
            raise told from raised
        except BaseException as raised:
            error = raised  # Cancelled: the caller has gone, or another deployment was faster.
            state.failed(counts=False, seconds=self._clock() - started)
            raise
        finally:
            state.leave()
            seconds = self._clock() - started
            trace.attempts.append(Attempt(deployment.id, seconds, type(error).__name__ if error else None))
        state.succeeded(seconds, _tokens(response), response.meta.cost["usd"] if response.meta.cost else None)
        trace.deployment = deployment.id
        return response

    async def _send(self, group: Group, deployment: Deployment, call: _Call) -> RerankResponse:
        target = deployment.target(group.star)
        if call.asked.credentials is not None:
            target = deployment.with_credentials(target, call.asked.credentials)
        request, warnings = deployment.without_foreign_extra(target, call.request, call.asked.extra_of)
        timeout = max(0.001, call.limit - self._clock())
        if deployment.config.timeout_seconds is not None:
            timeout = min(timeout, deployment.config.timeout_seconds)
        exchange = deployment.exchange(
            target, request, call.asked.values.keys(), timeout, self._inner_retries(deployment, target, call)
        )
        send = CountingSend(call.meter)
        try:
            response: RerankResponse = await self._transport.run(exchange, send=send, wait=call.meter.wait)
        finally:
            deployment.state.also_sent(send.count - 1)
        if warnings:
            response["meta"]["warnings"] = [*response.meta.warnings, *warnings]
        deployment.priced(response, len(call.request.documents))
        call.trace.upstream_requests = send.count
        call.trace.overlong_documents = overlong_documents(target, call.request)
        return response

    def _inner_retries(self, deployment: Deployment, target: Target, call: _Call) -> int:
        """How often the engine itself tries again: by default only with the parts of a split call, so that those that
        are answered are not paid twice."""
        if deployment.config.max_retries is not None:
            return deployment.config.max_retries
        most = target.model.limits.documents
        return self._routing.retries if most is not None and len(call.request.documents) > most else 0


async def _first_answer(running: set[asyncio.Future[RerankResponse]]) -> RerankResponse:
    """The result of the first task that has one; those that ended are taken out of the set.

    Raises:
        RankspecError: every task's failed; the last one's.
    """
    while True:
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        running -= done
        answered = [task for task in done if task.exception() is None]
        if answered or not running:
            return (answered or list(done))[0].result()


def _passthrough(request: RerankRequest) -> RerankResponse:
    """The documents in the caller's order, without scores."""
    count = len(request.documents)
    results = [RerankResult(index=index, relevance_score=None) for index in range(min(count, request.top_n or count))]
    if request.return_documents:
        attach_documents(results, request.documents)
    return RerankResponse(id=str(uuid.uuid4()), results=results, meta=RerankMeta())


def _degraded(response: RerankResponse, call: _Call, failure: RankspecError | None, name: str) -> RerankResponse:
    """The response, saying that it is not what was asked for."""
    is_passthrough = name == PASSTHROUGH
    call.trace.degraded = "passthrough" if is_passthrough else "fallback"
    what = (
        "the documents are in the order in which they were sent, and nothing ranked them"
        if is_passthrough
        else f"'{name}' ranked in its place, and scores are its own"
    )
    told = f"degraded: the model '{call.name}' could not answer ({type(failure).__name__}): {what}"
    response["meta"]["warnings"] = [told, *response.meta.warnings]
    return response


def _tokens(response: RerankResponse) -> float | None:
    """How many tokens the provider says it read, or None."""
    for part in (response.meta.tokens, response.meta.billed_units):
        for unit in ("total_tokens", "input_tokens"):
            if part and unit in part:
                return part[unit]
    return None
