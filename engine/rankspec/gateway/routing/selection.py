"""Which deployment of a model answers, and who comes next if it does not. Pure: state is read, nothing is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf, log
from typing import Protocol, TypeVar

from rankspec.gateway.routing.availability import DeploymentState
from rankspec.gateway.values import DeploymentConfig, Strategy

_NEARLY = 1.2
"""Deployments up to a fifth slower than the fastest share the load with it."""


class Candidate(Protocol):
    """A deployment, as far as the choice is concerned."""

    @property
    def config(self) -> DeploymentConfig:
        """Its weight and order."""

    @property
    def state(self) -> DeploymentState:
        """What is known of it."""

    def cost_usd(self) -> float | None:
        """What a request costs, or None if that is not known."""


C = TypeVar("C", bound=Candidate)
_Random = Callable[[], float]


def ranked(candidates: Sequence[C], strategy: Strategy, random: _Random) -> Sequence[C]:
    """All that may start, the best first: of the lowest order first, within it by strategy.

    Later ones are where a retry or a hedge goes. What a strategy finds equal is shuffled by weight.

    Args:
        candidates: in the config's order.
        random: numbers from 0 to below 1.
    """
    if len(candidates) == 1:
        return candidates if candidates[0].state.may_start() else ()
    found = [one for one in candidates if one.state.may_start()]
    if len(found) < 2:
        return found
    rank = _RANKINGS[strategy]
    orders = {one.config.order for one in found}
    if len(orders) == 1:
        return rank(found, random)
    ranking: list[C] = []
    for order in sorted(orders):
        ranking += rank([one for one in found if one.config.order == order], random)
    return ranking


def _shuffled(candidates: list[C], random: _Random) -> list[C]:
    """In random order, each first as often as its weight is of the sum of weights; those of weight 0 come last."""

    # The shortest of waiting times with the weights as rates: Efraimidis and Spirakis 2006.
    def draw(one: C) -> tuple[bool, float]:
        weight = one.config.weight
        return (False, -log(1.0 - random()) / weight) if weight > 0 else (True, random())

    return sorted(candidates, key=draw)


def _least_busy(candidates: list[C], random: _Random) -> list[C]:
    """The least loaded first; last those where a request would have to wait.

    The load is the requests under way and waiting: as a share of the places, if all have a number of those, else for
    each unit of weight.
    """
    are_limited = all(one.state.max_concurrent is not None for one in candidates)

    def load(one: C) -> tuple[bool, float]:
        state = one.state
        capacity = state.max_concurrent if are_limited else one.config.weight
        return not state.has_free_place, _busy(state) / capacity if capacity else inf

    return sorted(_shuffled(candidates, random), key=load)


def _lowest_latency(candidates: list[C], random: _Random) -> list[C]:
    """The fastest first, in random order with those that are nearly as fast.

    Before them come those of which nothing is known and that have nothing to do; after them, the least busy first,
    those whose first answer is awaited: one request finds out how fast a deployment is.
    """
    expected = {id(one): _expected_seconds(one.state) for one in candidates}
    near = _NEARLY * min((seconds for seconds in expected.values() if seconds is not None), default=0.0)

    def slowness(one: C) -> tuple[int, float]:
        seconds = expected[id(one)]
        if seconds is None:
            busy = _busy(one.state)
            return (3, busy) if busy else (0, 0.0)
        return (1, 0.0) if seconds <= near else (2, seconds)

    return sorted(_shuffled(candidates, random), key=slowness)


def _lowest_usage(candidates: list[C], random: _Random) -> list[C]:
    """The least used in the last minute first.

    By the share of the limit that is nearest; if one has no limits by the minute, by tokens; and if one had no tokens,
    as with providers that do not count them, by requests.
    """
    states = [one.state for one in candidates]
    usage: Callable[[DeploymentState], float] = _requests
    if all(state.requests_per_minute or state.tokens_per_minute for state in states):
        usage = _used_share
    elif all(state.tokens_this_minute for state in states):
        usage = _tokens
    return sorted(_shuffled(candidates, random), key=lambda one: usage(one.state))


def _lowest_cost(candidates: list[C], random: _Random) -> list[C]:
    """The cheapest first, those of unknown cost last."""

    def cost(one: C) -> float:
        usd = one.cost_usd()
        return inf if usd is None else usd

    return sorted(_shuffled(candidates, random), key=cost)


def _ordered(candidates: list[C], random: _Random) -> list[C]:
    """As in the config."""
    return candidates


def _busy(state: DeploymentState) -> int:
    return state.in_flight + state.queued


def _requests(state: DeploymentState) -> int:
    return state.requests_this_minute + state.queued


def _tokens(state: DeploymentState) -> float:
    return state.expected_tokens


def _used_share(state: DeploymentState) -> float:
    requests, tokens = state.requests_per_minute, state.tokens_per_minute
    return max(_requests(state) / requests if requests else 0.0, _tokens(state) / tokens if tokens else 0.0)


def _expected_seconds(state: DeploymentState) -> float | None:
    """How long an answer is likely to take, with the wait for a place; None while nothing is known."""
    latency = state.latency_seconds
    if latency is None or state.max_concurrent is None or state.has_free_place:
        return latency
    return latency * (1.0 + (state.queued + 1) / state.max_concurrent)


_RANKINGS: Mapping[Strategy, Callable[..., list[C]]] = {
    "weighted-shuffle": _shuffled,
    "least-busy": _least_busy,
    "lowest-latency": _lowest_latency,
    "lowest-usage": _lowest_usage,
    "lowest-cost": _lowest_cost,
    "ordered": _ordered,
}
