"""One caller's request over all that may answer it: choice, retries, hedging and fallbacks, in one deadline.

What a single try does is `tries.py`'s matter.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

from rankspec.errors import RankspecError, RequestInvalid
from rankspec.exchange import backoff_seconds
from rankspec.gateway.refusals import Busy, ModelNotFound
from rankspec.gateway.routing.calls import Call
from rankspec.gateway.routing.degrading import degraded_warning, passthrough
from rankspec.gateway.routing.deployments import Deployment
from rankspec.gateway.routing.faults import is_callers
from rankspec.gateway.routing.groups import Group, Groups
from rankspec.gateway.routing.selection import ranked
from rankspec.gateway.routing.tries import Transport, Tries
from rankspec.gateway.values import PASSTHROUGH, Asked, RoutingConfig, Trace
from rankspec.models import Problem, RerankMeta, RerankResponse
from rankspec.parameters import validated
from rankspec.raw_texts import RawTexts
from rankspec.replies import is_retryable

_LISTS = (list, RawTexts)
_MAX_RESERVE_SECONDS = 1.0
_RESERVED_SHARE = 0.1


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
        self._strategy = routing.strategy
        self._rounds = range(1 + routing.retries)
        self._has_fallbacks = bool(routing.fallbacks or routing.default_fallbacks)
        self._send = transport.send
        self._tries = Tries(routing, transport, clock)
        self._clock = clock
        self._jitter = jitter

    def rerank(self, asked: Asked, trace: Trace) -> Coroutine[Any, Any, RerankResponse]:
        """The ranking, to be awaited.

        Args:
            trace: is filled with what the request goes through, also if it fails.

        Raises:
            Refused: no such model, or no room.
            RankspecError: as the engine tells of the last try of the model asked for.
        """
        name = asked.model or self._routing.default_model or self.groups.only_name
        trace.asked_model = asked.model
        documents = asked.values.get("documents")
        trace.documents = len(documents) if isinstance(documents, _LISTS) else 0
        if name is None:
            raise RequestInvalid([Problem(("model",), "is missing, and there is no default model")])
        group = self.groups.find(name)
        if group is None:
            raise ModelNotFound(name)
        trace.model = group.name
        request = validated(asked.values)
        request.model = group.deployments[0].fixed_model_id  # The one that is likely asked need not copy it then.
        limit = self._clock() + self._routing.timeout_seconds
        call = Call(request, name, asked, trace, limit, self._send, self._clock)
        chain = self._chain(group, call) if self._has_fallbacks else None
        return self._answer(group, chain, call) if chain else self._ask(group, call)

    def _chain(self, group: Group, call: Call) -> list[Group | None]:
        """Who answers if the group cannot, in order; None for the passthrough."""
        if not call.is_shared:
            return []  # The caller wants that provider, and its key is for no other.
        routing = self._routing
        names = routing.fallbacks.get(call.name) or routing.fallbacks.get(group.name) or routing.default_fallbacks
        members = [(name, None if name == PASSTHROUGH else self._callable(name)) for name in names]
        return [one for name, one in members if one is not None or name == PASSTHROUGH]

    def _callable(self, name: str) -> Group | None:
        """The group of a chain's member, or None if there is none that can be called."""
        try:
            return self.groups.find(name)
        except RankspecError:
            return None  # Its key is missing, say: that concerns those who ask for it, and not this request.

    async def _answer(self, group: Group, chain: Sequence[Group | None], call: Call) -> RerankResponse:
        """The answer of the first that has one."""
        deadline = call.limit
        failure: RankspecError | None = None
        for position, member in enumerate((group, *chain)):
            later = chain[position:]
            if failure is not None:
                call.trace.fallbacks.append(PASSTHROUGH if member is None else member.name)
            if member is None:
                call.trace.deployment = None
                return _degraded(passthrough(call.request), call, failure, PASSTHROUGH)
            call.limit = deadline - self._reserve(member, later)
            try:
                response = await self._ask(member, call, has_more=bool(later))
            except RankspecError as error:
                if failure is None and is_callers(error):
                    raise
                failure = failure or error  # What became of the model that was asked for.
            else:
                return response if failure is None else _degraded(response, call, failure, member.name)
        assert failure is not None
        raise failure

    def _reserve(self, member: Group, later: Iterable[Group | None]) -> float:
        """Time to keep for those who come later and answer at once; one that does so itself may have it."""
        if _is_at_once(member) or not any(map(_is_at_once, later)):
            return 0.0
        return min(_MAX_RESERVE_SECONDS, self._routing.timeout_seconds * _RESERVED_SHARE)

    async def _ask(self, group: Group, call: Call, *, has_more: bool = False) -> RerankResponse:
        """The answer of one of the group's deployments, after as many tries as it takes.

        Raises:
            Busy: nobody may be asked, or not in time.
            RankspecError: of the last try.
        """
        failure: RankspecError | None = None
        candidates: Sequence[Deployment]
        for _ in self._rounds:
            if call.failed:
                candidates = await self._due(group, call, has_more)
            else:
                candidates = ranked(group.deployments, self._strategy, self._jitter) or _left_out(group, has_more)
            if not candidates:
                break
            try:
                response = await self._tries.ask(group, candidates, call)
            except RankspecError as error:
                failure = error
                if is_callers(error):
                    break
            else:
                meta: RerankMeta = response["meta"]
                warnings, cost = meta.get("warnings"), meta.get("cost")
                if warnings:
                    call.trace.warnings = len(warnings)
                if cost:
                    call.trace.cost_usd = cost["usd"]
                return response
        raise failure or Busy(group.name, min(one.state.seconds_until_free() for one in group.deployments))

    async def _due(self, group: Group, call: Call, has_more: bool) -> Sequence[Deployment]:
        """Whom to ask after a failure, the best first; nobody if there is no time. Waits where a retry has to."""
        candidates = self._candidates(group, call, has_more)
        pause = self._pause(candidates[0], call) if candidates else 0.0
        if self._clock() + pause >= call.limit:
            return []
        if pause:
            await call.wait(pause)
            # Meanwhile others' requests have found out more.
            candidates = self._candidates(group, call, has_more)
        return candidates

    def _candidates(self, group: Group, call: Call, has_more: bool) -> list[Deployment]:
        """Who may be asked, the best first: those that have not failed in this call, then those that may yet answer."""
        found = ranked(group.deployments, self._strategy, self._jitter) or _left_out(group, has_more)
        fresh = [one for one in found if one.id not in call.failed]
        again = [one for one in found if one.id in call.failed and is_retryable(call.failed[one.id])]
        return fresh + sorted(again, key=lambda one: _told_seconds(call.failed[one.id]) or 0.0)

    def _pause(self, deployment: Deployment, call: Call) -> float:
        """Seconds to wait before a deployment is asked again; 0 for one that is asked for the first time."""
        failure = call.failed.get(deployment.id)
        if failure is None:
            return 0.0
        told = _told_seconds(failure)
        return backoff_seconds(len(call.trace.attempts) - 1, self._jitter()) if told is None else told


def _is_at_once(member: Group | None) -> bool:
    """Whether a member of a chain answers without a network: the passthrough, or what ranks in this process."""
    return member is None or all(one.is_in_process for one in member.deployments)


def _left_out(group: Group, has_more: bool) -> list[Deployment]:
    """Whom to ask if all are left out for their failures and nobody else can answer: a likely failure is better than a
    sure one."""
    cooling = [] if has_more else [one for one in group.deployments if one.state.is_cooling()]
    return sorted(cooling, key=lambda one: one.state.seconds_until_free())[:1]


def _told_seconds(failure: RankspecError) -> float | None:
    """How long the provider told to wait, or None."""
    seconds: float | None = getattr(failure, "retry_after_seconds", None)
    return seconds


def _degraded(response: RerankResponse, call: Call, failure: RankspecError | None, name: str) -> RerankResponse:
    """The response, saying that it is not what was asked for; so does the trace."""
    call.trace.degraded = "passthrough" if name == PASSTHROUGH else "fallback"
    response["meta"]["warnings"] = [degraded_warning(call.name, failure, name), *response.meta.warnings]
    call.trace.warnings = len(response["meta"]["warnings"])
    return response
