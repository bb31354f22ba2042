"""Which deployment comes first. Chance is seeded, time is stepped by hand."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from dataclasses import dataclass
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankspec.gateway.routing.availability import DeploymentState
from rankspec.gateway.routing.selection import ranked
from rankspec.gateway.values import DeploymentConfig, RoutingConfig, Strategy

STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
ROUNDS = 4000


class Clock:
    """Seconds that pass when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Option:
    """A deployment, as far as the choice is concerned."""

    config: DeploymentConfig
    state: DeploymentState
    usd: float | None = None

    def cost_usd(self) -> float | None:
        return self.usd


def option(name: str, *, clock: Clock | None = None, usd: float | None = None, **config: Any) -> Option:
    entry = DeploymentConfig(id=name, name="m", model="cohere/m", **config)
    routing = RoutingConfig(allowed_failures=0)
    return Option(entry, DeploymentState(entry, routing, clock=clock or Clock()), usd)


def ask(one: Option, count: int = 1) -> None:
    """Requests that go at once."""

    async def enter() -> None:
        for _ in range(count):
            await one.state.enter(math.inf)

    asyncio.run(enter())


def answer(one: Option, seconds: float, tokens: float | None = None) -> None:
    one.state.succeeded(seconds, tokens)


def names(options: list[Option], strategy: Strategy, seed: int = 0) -> list[str]:
    return [one.config.id for one in ranked(options, strategy, random.Random(seed).random)]


def firsts(options: list[Option], strategy: Strategy) -> Counter[str]:
    """How often each comes first."""
    draw = random.Random(7).random
    return Counter(ranked(options, strategy, draw)[0].config.id for _ in range(ROUNDS))


def near(share: float) -> Any:
    """Five standard deviations of how often something of that probability happens."""
    return pytest.approx(ROUNDS * share, abs=5 * math.sqrt(ROUNDS * share * (1 - share)))


class TestEveryStrategy:
    @pytest.mark.parametrize("strategy", STRATEGIES)
    def test_nobody_is_chosen_of_nobody(self, strategy: Strategy) -> None:
        assert names([], strategy) == []

    @pytest.mark.parametrize("strategy", STRATEGIES)
    def test_one_who_is_alone_is_chosen_unless_it_is_left_out(self, strategy: Strategy) -> None:
        one = option("a", weight=0)
        assert names([one], strategy) == ["a"]
        one.state.failed()
        assert names([one], strategy) == []

    @pytest.mark.parametrize("strategy", STRATEGIES)
    def test_a_lower_order_goes_before_everything_else(self, strategy: Strategy) -> None:
        slow = option("slow", order=1, usd=9.0, weight=0)
        ask(slow, 50)
        answer(slow, 30.0, 100)
        quick = option("quick", order=2, usd=0.1, weight=100)
        answer(quick, 0.1)
        unknown = option("unknown", order=3)
        assert names([unknown, quick, slow], strategy) == ["slow", "quick", "unknown"]
        slow.state.failed()
        assert names([unknown, quick, slow], strategy) == ["quick", "unknown"]

    @pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name != "ordered"])
    def test_what_is_equal_is_shared(self, strategy: Strategy) -> None:
        counts = firsts([option("a"), option("b"), option("c")], strategy)
        assert {name: counts[name] for name in "abc"} == {name: near(1 / 3) for name in "abc"}


@st.composite
def options(draw: st.DrawFn) -> list[Option]:
    """Deployments in all kinds of states."""
    clock = Clock()
    some = []
    for number in range(draw(st.integers(0, 6))):
        one = option(
            str(number),
            clock=clock,
            usd=draw(st.none() | st.floats(0, 1)),
            weight=draw(st.sampled_from([0, 0.5, 1, 20])),
            order=draw(st.integers(1, 3)),
            requests_per_minute=draw(st.none() | st.integers(1, 3)),
            tokens_per_minute=draw(st.none() | st.integers(1, 100)),
            max_concurrent=draw(st.none() | st.integers(1, 3)),
            max_queued=0,
        )
        ask(one, draw(st.integers(0, one.state.max_concurrent or 3)))
        if draw(st.booleans()):
            answer(one, draw(st.floats(0, 3)), draw(st.none() | st.integers(0, 100)))
        if draw(st.sampled_from([False, False, True])):
            one.state.failed()
        some.append(one)
    return some


@given(options=options(), strategy=st.sampled_from(STRATEGIES), seed=st.integers(0, 2**32))
def test_exactly_those_that_may_start_are_ranked_by_order(options: list[Option], strategy: Strategy, seed: int) -> None:
    found = ranked(options, strategy, random.Random(seed).random)
    assert sorted(one.config.id for one in found) == [one.config.id for one in options if one.state.may_start()]
    orders = [one.config.order for one in found]
    assert orders == sorted(orders)


@given(options=options(), strategy=st.sampled_from(STRATEGIES), number=st.sampled_from([0.0, math.nextafter(1.0, 0.0)]))
def test_the_ends_of_chance_do_no_harm(options: list[Option], strategy: Strategy, number: float) -> None:
    found = ranked(options, strategy, lambda: number)
    assert sorted(one.config.id for one in found) == [one.config.id for one in options if one.state.may_start()]


class TestWeightedShuffle:
    @pytest.mark.parametrize(
        "weights",
        [
            pytest.param((1, 1), id="equal"),
            pytest.param((1, 3), id="one-to-three"),
            pytest.param((0.2, 0.3, 0.5), id="fractions"),
            pytest.param((900, 60, 40), id="large"),
        ],
    )
    def test_each_comes_first_as_often_as_its_weight_says(self, weights: tuple[float, ...]) -> None:
        counts = firsts([option(str(at), weight=weight) for at, weight in enumerate(weights)], "weighted-shuffle")
        wanted = {str(at): near(weight / sum(weights)) for at, weight in enumerate(weights)}
        assert {name: counts[name] for name in wanted} == wanted

    def test_those_after_the_first_are_shuffled_by_weight_too(self) -> None:
        draw = random.Random(3).random
        some = [option("a", weight=2), option("b", weight=1), option("c", weight=3)]
        seconds = Counter(
            found[1].config.id for _ in range(ROUNDS) if (found := ranked(some, "weighted-shuffle", draw))
        )
        # b is second after a, with 2/6 * 1/4, or after c, with 3/6 * 1/3.
        assert seconds["b"] == near(2 / 6 * 1 / 4 + 3 / 6 * 1 / 3)

    def test_weight_zero_is_for_when_there_is_nothing_else(self) -> None:
        idle, spare, other = option("idle", weight=1e-9), option("spare", weight=0), option("other", weight=0)
        draw = random.Random(1).random
        orders = Counter(
            tuple(one.config.id for one in ranked([spare, other, idle], "weighted-shuffle", draw))
            for _ in range(ROUNDS)
        )
        assert orders == {("idle", "spare", "other"): near(1 / 2), ("idle", "other", "spare"): near(1 / 2)}
        idle.state.failed()
        assert sorted(names([spare, other, idle], "weighted-shuffle")) == ["other", "spare"]


class TestLeastBusy:
    def test_the_fewest_requests_for_each_unit_of_weight(self) -> None:
        small, large, idle = option("small"), option("large", weight=4), option("idle")
        ask(small)
        ask(large, 3)
        assert names([small, large, idle], "least-busy") == ["idle", "large", "small"]

    def test_the_smallest_share_of_the_places(self) -> None:
        small, large = option("small", max_concurrent=2, weight=9), option("large", max_concurrent=20)
        ask(small)
        ask(large, 5)
        assert names([small, large], "least-busy") == ["large", "small"]

    def test_where_one_would_wait_comes_last(self) -> None:
        full, busy = option("full", max_concurrent=1), option("busy")
        ask(full)
        ask(busy, 40)
        assert names([full, busy], "least-busy") == ["busy", "full"]

    def test_weight_zero_comes_last(self) -> None:
        spare, busy = option("spare", weight=0), option("busy")
        ask(busy, 40)
        assert names([spare, busy], "least-busy") == ["busy", "spare"]

    def test_a_burst_is_spread(self) -> None:
        some = [option("a"), option("b"), option("c", weight=2)]
        draw = random.Random(5).random
        for _ in range(40):
            ask(ranked(some, "least-busy", draw)[0])
        assert [one.state.in_flight for one in some] == [10, 10, 20]


class TestLowestLatency:
    def test_the_fastest_first(self) -> None:
        some = [option("slow"), option("slower"), option("fast")]
        for one, seconds in zip(some, (0.5, 0.9, 0.2), strict=True):
            answer(one, seconds)
        assert names(some, "lowest-latency") == ["fast", "slow", "slower"]

    def test_those_nearly_as_fast_share_the_load(self) -> None:
        some = [option("a"), option("b"), option("c")]
        for one, seconds in zip(some, (0.10, 0.11, 0.13), strict=True):
            answer(one, seconds)
        counts = firsts(some, "lowest-latency")
        assert counts == {"a": near(1 / 2), "b": near(1 / 2)}

    def test_one_request_finds_out_about_an_unknown_one(self) -> None:
        known, unknown = option("known"), option("unknown")
        answer(known, 0.2)
        assert names([known, unknown], "lowest-latency") == ["unknown", "known"]
        ask(unknown)
        assert names([known, unknown], "lowest-latency") == ["known", "unknown"]
        answer(unknown, 0.1)
        assert names([known, unknown], "lowest-latency") == ["unknown", "known"]

    def test_a_burst_before_the_first_answer_is_spread(self) -> None:
        some = [option("a"), option("b"), option("c")]
        draw = random.Random(5).random
        for _ in range(30):
            ask(ranked(some, "lowest-latency", draw)[0])
        assert [one.state.in_flight for one in some] == [10, 10, 10]

    def test_what_was_slow_long_ago_is_tried_again(self) -> None:
        clock = Clock()
        slow, fast = option("slow", clock=clock), option("fast", clock=clock)
        answer(slow, 5.0)
        clock.now += 301
        answer(fast, 0.1)
        assert names([slow, fast], "lowest-latency") == ["slow", "fast"]

    def test_the_wait_for_a_place_counts(self) -> None:
        full, free = option("full", max_concurrent=1), option("free")
        answer(full, 0.2)
        answer(free, 0.3)
        assert names([full, free], "lowest-latency") == ["full", "free"]
        ask(full)
        assert names([full, free], "lowest-latency") == ["free", "full"]


class TestLowestUsage:
    def test_the_smallest_share_of_the_limits(self) -> None:
        small, large = option("small", requests_per_minute=10), option("large", requests_per_minute=100)
        ask(small, 2)
        ask(large, 15)
        assert names([small, large], "lowest-usage") == ["large", "small"]

    def test_the_limit_that_is_nearest_counts(self) -> None:
        one = option("one", requests_per_minute=100, tokens_per_minute=1000)
        other = option("other", tokens_per_minute=1000)
        ask(one)
        answer(one, 0.1, 600)
        one.state.leave()
        answer(other, 0.1, 500)
        assert names([one, other], "lowest-usage") == ["other", "one"]

    def test_without_limits_the_fewest_tokens(self) -> None:
        many, few = option("many"), option("few")
        ask(many)
        ask(few, 5)
        answer(many, 0.1, 900)
        answer(few, 0.1, 50)
        assert names([many, few], "lowest-usage") == ["few", "many"]

    def test_the_fewest_requests_beside_one_that_counts_no_tokens(self) -> None:
        uncounted, counted = option("uncounted"), option("counted")
        ask(uncounted, 2)
        ask(counted)
        answer(counted, 0.1, 900)
        assert names([uncounted, counted], "lowest-usage") == ["counted", "uncounted"]

    def test_a_burst_is_spread(self) -> None:
        some = [option("a", requests_per_minute=60), option("b", requests_per_minute=30)]
        draw = random.Random(5).random
        for _ in range(45):
            ask(ranked(some, "lowest-usage", draw)[0])
        assert [one.state.in_flight for one in some] == [30, 15]

    def test_tokens_that_are_not_counted_yet_are_expected(self) -> None:
        some = [option("a", tokens_per_minute=9000), option("b", tokens_per_minute=9000)]
        for one in some:
            ask(one)
            answer(one, 0.1, 100)
            one.state.leave()
        draw = random.Random(5).random
        for _ in range(20):
            ask(ranked(some, "lowest-usage", draw)[0])
        assert [one.state.in_flight for one in some] == [10, 10]


class TestLowestCost:
    def test_the_cheapest_first_and_the_unknown_last(self) -> None:
        some = [option("unknown"), option("dear", usd=0.002), option("free", usd=0.0), option("cheap", usd=0.001)]
        assert names(some, "lowest-cost") == ["free", "cheap", "dear", "unknown"]


class TestOrdered:
    def test_as_in_the_config(self) -> None:
        some = [option(name, order=order) for name, order in (("a", 2), ("b", 1), ("c", 2), ("d", 1))]
        assert names(some, "ordered") == ["b", "d", "a", "c"]
