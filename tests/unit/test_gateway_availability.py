"""What is known of a deployment: places and queue, limits by the minute, cooldown, averages. Time is stepped by hand."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rankspec.gateway.routing.availability import DeploymentState, QueueDismissed, QueueFull, QueueTimedOut
from rankspec.gateway.routing.measures import MovingAverage, Window
from rankspec.gateway.values import DeploymentConfig, RoutingConfig

LONG = 3600.0


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def state(clock: Clock, *, share: int = 1, routing: dict[str, Any] | None = None, **config: Any) -> DeploymentState:
    settings = {"allowed_failures": 0, "cooldown_seconds": 5.0, **(routing or {})}
    entry = DeploymentConfig(id="a", name="m", model="cohere/m", **config)
    return DeploymentState(entry, RoutingConfig(**settings), clock=clock, share=share)


def run(scene: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scene(), 20))  # type: ignore[arg-type]


async def settled() -> None:
    """Let every task go as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


def taking(one: DeploymentState, count: int = 1) -> None:
    """Requests that go at once."""

    async def enter() -> None:
        for _ in range(count):
            assert await one.enter(math.inf) == 0.0

    asyncio.run(enter())


def waiting(one: DeploymentState, clock: Clock, seconds: float = LONG) -> asyncio.Task[float]:
    return asyncio.ensure_future(one.enter(clock() + seconds))


class TestPlaces:
    def test_without_a_limit_everyone_enters_at_once(self) -> None:
        one = state(Clock())
        taking(one, 1000)
        assert (one.in_flight, one.queued, one.may_start()) == (1000, 0, True)

    def test_who_finds_no_place_waits_for_one_and_is_told_how_long_that_took(self) -> None:
        clock = Clock()
        one = state(clock, max_concurrent=1)

        async def scene() -> None:
            assert await one.enter(clock() + LONG) == 0.0
            second = waiting(one, clock)
            await settled()
            assert (one.in_flight, one.queued, second.done()) == (1, 1, False)
            clock.now += 7
            one.leave()
            assert await second == 7.0
            assert (one.in_flight, one.queued, one.requests_this_minute) == (1, 0, 2)
            one.leave()
            assert (one.in_flight, one.queued) == (0, 0)

        run(scene)

    def test_a_full_queue_turns_away_at_once(self) -> None:
        clock = Clock()
        one = state(clock, max_concurrent=1, max_queued=1)

        async def scene() -> None:
            await one.enter(clock() + LONG)
            assert one.may_start()
            second = waiting(one, clock)
            await settled()
            assert not one.may_start()
            assert one.seconds_until_free() == 1.0
            with pytest.raises(QueueFull) as told:
                await one.enter(clock() + LONG)
            assert str(told.value) == "the deployment is at its limit of requests at a time: ask another one"
            one.leave()
            await second

        run(scene)

    def test_a_queue_of_none_lets_nobody_wait(self) -> None:
        clock = Clock()
        one = state(clock, max_concurrent=2, max_queued=0)
        taking(one, 2)
        assert not one.may_start()
        with pytest.raises(QueueFull):
            taking(one)
        one.leave()
        assert one.may_start()

    @pytest.mark.parametrize(
        ("max_concurrent", "room"), [pytest.param(1, 100, id="few-places"), pytest.param(40, 400, id="many-places")]
    )
    def test_a_queue_is_bounded_if_the_config_does_not_say_how(self, max_concurrent: int, room: int) -> None:
        clock = Clock()
        one = state(clock, max_concurrent=max_concurrent)

        async def scene() -> None:
            tasks = [waiting(one, clock) for _ in range(max_concurrent + room)]
            await settled()
            assert (one.in_flight, one.queued) == (max_concurrent, room)
            with pytest.raises(QueueFull):
                await one.enter(clock() + LONG)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        run(scene)

    def test_a_wait_ends_at_the_deadline(self) -> None:
        clock = Clock()
        one = state(clock, max_concurrent=1)

        async def scene() -> None:
            await one.enter(clock() + LONG)
            with pytest.raises(QueueTimedOut) as told:
                await one.enter(clock() + 0.01)
            assert str(told.value) == "the deployment had no room for the request in time: try again later"
            assert (one.in_flight, one.queued, one.requests_this_minute) == (1, 0, 1)
            one.leave()
            assert one.in_flight == 0

        run(scene)

    def test_nobody_waits_whose_deadline_has_passed(self) -> None:
        clock = Clock()
        one = state(clock, max_concurrent=1)
        taking(one)
        with pytest.raises(QueueTimedOut):
            asyncio.run(one.enter(clock()))

    def test_who_is_cancelled_after_being_given_a_place_gives_it_to_the_next(self) -> None:
        clock = Clock()
        one = state(clock, max_concurrent=1)

        async def scene() -> None:
            await one.enter(clock() + LONG)
            second, third = waiting(one, clock), waiting(one, clock)
            await settled()
            one.leave()
            second.cancel()
            await third
            assert second.cancelled()
            assert (one.in_flight, one.queued) == (1, 0)

        run(scene)

    def test_a_cooldown_sends_away_who_waits(self) -> None:
        clock = Clock()
        one = state(clock, max_concurrent=1)

        async def scene() -> None:
            await one.enter(clock() + LONG)
            waiters = [waiting(one, clock) for _ in range(3)]
            await settled()
            assert one.failed()
            assert one.queued == 0
            one.leave()
            outcomes = await asyncio.gather(*waiters, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [QueueDismissed] * 3
            assert str(outcomes[0]) == "the deployment went into cooldown: ask another one"
            assert one.in_flight == 0

        run(scene)


@dataclass
class Queueing:
    """A deployment with places, beside a plain account of who should have one."""

    places: int
    room: int
    clock: Clock = field(default_factory=Clock)
    tasks: dict[int, asyncio.Task[float]] = field(default_factory=dict)
    holders: list[int] = field(default_factory=list)
    queue: list[int] = field(default_factory=list)
    served: list[int] = field(default_factory=list)
    arrived: int = 0

    def __post_init__(self) -> None:
        self.state = state(self.clock, max_concurrent=self.places, max_queued=self.room)

    async def enter(self, _: int) -> None:
        number, self.arrived = self.arrived, self.arrived + 1
        task = waiting(self.state, self.clock)
        await asyncio.sleep(0)
        if len(self.holders) < self.places:
            self.holders.append(number)
            self.served.append(number)
        elif len(self.queue) < self.room:
            self.queue.append(number)
        else:
            assert isinstance(task.exception(), QueueFull)
            return
        self.tasks[number] = task

    async def leave(self, choice: int) -> None:
        """One who runs ends. Those that were given a place just now have not run yet."""
        running = [number for number in self.holders if self.tasks[number].done()]
        if running:
            self.holders.remove(running[choice % len(running)])
            self.state.leave()
            self._hand_on()

    async def cancel(self, choice: int) -> None:
        """One who waits goes, or one who was given a place and does not know it yet."""
        pending = [number for number in (*self.queue, *self.holders) if not self.tasks[number].done()]
        if not pending:
            return
        number = pending[choice % len(pending)]
        self.tasks[number].cancel()
        await settled()
        assert self.tasks[number].cancelled()
        if number in self.queue:
            self.queue.remove(number)
        else:
            self.holders.remove(number)
            self.served.remove(number)
            self._hand_on()

    async def tick(self, _: int) -> None:
        await settled()

    def _hand_on(self) -> None:
        if self.queue:
            self.holders.append(self.queue.pop(0))
            self.served.append(self.holders[-1])

    def check(self) -> None:
        assert (self.state.in_flight, self.state.queued) == (len(self.holders), len(self.queue))
        assert 0 <= self.state.in_flight <= self.places
        assert not any(self.tasks[number].done() for number in self.queue)
        assert self.state.may_start() == (len(self.holders) < self.places or len(self.queue) < self.room)

    async def drain(self) -> None:
        while self.holders:
            await settled()
            await self.leave(0)
            self.check()
        assert self.queue == []
        assert self.served == sorted(self.served)
        assert [number for number, task in self.tasks.items() if not task.cancelled()] == self.served


@given(
    places=st.integers(1, 3),
    room=st.integers(0, 4),
    steps=st.lists(
        st.tuples(st.sampled_from(["enter", "enter", "enter", "leave", "leave", "cancel", "tick"]), st.integers(0, 9)),
        max_size=40,
    ),
)
def test_the_queue_is_first_come_first_served_and_loses_no_place(
    places: int, room: int, steps: list[tuple[str, int]]
) -> None:
    queueing = Queueing(places, room)

    async def scene() -> None:
        for step, choice in steps:
            await getattr(queueing, step)(choice)
            queueing.check()
        await queueing.drain()
        assert (queueing.state.in_flight, queueing.state.queued) == (0, 0)

    run(scene)


class TestLimits:
    def test_requests_by_the_minute_are_kept_in_every_minute(self) -> None:
        clock = Clock(1000.5)
        one = state(clock, requests_per_minute=2)
        assert (one.may_start(), one.seconds_until_free()) == (True, 0.0)
        taking(one)
        clock.now += 10
        taking(one)
        assert (one.may_start(), one.requests_this_minute, one.seconds_until_free()) == (False, 2, 50.5)
        clock.now += 50.5
        assert (one.may_start(), one.requests_this_minute, one.seconds_until_free()) == (True, 1, 0.0)

    def test_those_in_the_queue_count_as_sent(self) -> None:
        clock = Clock()
        one = state(clock, requests_per_minute=2, max_concurrent=1)

        async def scene() -> None:
            await one.enter(clock() + LONG)
            assert one.may_start()
            second = waiting(one, clock)
            await settled()
            assert (one.requests_this_minute, one.may_start(), one.seconds_until_free()) == (1, False, 61.0)
            one.leave()
            await second

        run(scene)

    def test_more_requests_of_a_split_call_count(self) -> None:
        clock = Clock()
        one = state(clock, requests_per_minute=5)
        taking(one)
        one.also_sent(4)
        assert (one.requests_this_minute, one.may_start()) == (5, False)

    def test_tokens_by_the_minute(self) -> None:
        clock = Clock()
        one = state(clock, tokens_per_minute=100)
        taking(one)
        one.succeeded(0.2, 100)
        one.leave()
        assert (one.tokens_this_minute, one.may_start(), one.seconds_until_free()) == (100, False, 61.0)
        clock.now += 61
        assert (one.tokens_this_minute, one.may_start(), one.seconds_until_free()) == (0, True, 0.0)

    def test_requests_under_way_are_taken_for_the_average_of_tokens(self) -> None:
        clock = Clock()
        one = state(clock, tokens_per_minute=100)
        taking(one)
        one.succeeded(0.25, 30)
        one.leave()
        taking(one, 2)
        assert one.may_start()
        taking(one)
        assert (one.may_start(), one.seconds_until_free()) == (False, 0.25)

    def test_a_request_larger_than_the_limit_goes_if_it_is_alone(self) -> None:
        clock = Clock()
        one = state(clock, tokens_per_minute=10)
        taking(one)
        one.succeeded(0.2, 500)
        one.leave()
        clock.now += 61
        assert one.may_start()

    @pytest.mark.parametrize(
        ("share", "limits"),
        [
            pytest.param(1, (10, 100, 3), id="one-process"),
            pytest.param(2, (5, 50, 1), id="rounded-down"),
            pytest.param(1000, (1, 1, 1), id="never-nothing"),
        ],
    )
    def test_limits_are_shared_by_the_processes(self, share: int, limits: tuple[int, int, int]) -> None:
        one = state(Clock(), share=share, requests_per_minute=10, tokens_per_minute=100, max_concurrent=3)
        assert (one.requests_per_minute, one.tokens_per_minute, one.max_concurrent) == limits


class TestCooldown:
    @pytest.mark.parametrize("allowed", [0, 1, 3])
    def test_more_failures_in_a_row_than_are_allowed_start_one(self, allowed: int) -> None:
        one = state(Clock(), routing={"allowed_failures": allowed})
        assert [one.failed() for _ in range(allowed + 1)] == [False] * allowed + [True]
        assert (one.is_cooling(), one.may_start(), one.state_name) == (True, False, "cooling")

    def test_an_answer_starts_the_count_anew(self) -> None:
        one = state(Clock(), routing={"allowed_failures": 1})
        for _ in range(5):
            one.failed()
            one.succeeded(0.1, None)
        assert one.state_name == "up"

    def test_failures_are_forgotten_after_a_minute(self) -> None:
        clock = Clock()
        one = state(clock, routing={"allowed_failures": 1})
        one.failed()
        clock.now += 61
        assert not one.failed()
        clock.now += 59
        assert one.failed()

    def test_it_ends_with_one_probe_that_is_answered(self) -> None:
        clock = Clock()
        one = state(clock)
        one.failed()
        assert one.seconds_until_free() == 5.0
        clock.now += 4.5
        assert (one.is_cooling(), one.seconds_until_free()) == (True, 0.5)
        clock.now += 0.5
        assert (one.is_cooling(), one.may_start(), one.state_name) == (False, True, "probing")
        taking(one)
        assert (one.is_cooling(), one.may_start(), one.state_name) == (True, False, "probing")
        assert one.seconds_until_free() == 1.0
        assert one.succeeded(0.1, None)
        assert (one.is_cooling(), one.may_start(), one.state_name) == (False, True, "up")

    def test_it_doubles_while_probes_fail_and_is_short_again_after_an_answer(self) -> None:
        clock = Clock()
        one = state(clock)
        lengths = []
        for _ in range(7):
            taking(one)
            one.failed()
            one.leave()
            lengths.append(one.seconds_until_free())
            clock.now += lengths[-1]
        assert lengths == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0, 60.0]
        one.succeeded(0.1, None)
        one.failed()
        assert one.seconds_until_free() == 5.0

    def test_a_long_one_that_is_configured_stays_as_it_is(self) -> None:
        clock = Clock()
        one = state(clock, routing={"cooldown_seconds": 300.0})
        one.failed()
        clock.now += 300
        one.failed()
        assert one.seconds_until_free() == 300.0

    @pytest.mark.parametrize(
        ("told", "seconds"),
        [
            pytest.param(2.0, 2.0, id="as-told"),
            pytest.param(0.5, 0.5, id="shorter-than-configured"),
            pytest.param(86400.0, 60.0, id="at-the-most-a-minute"),
        ],
    )
    def test_a_time_told_by_the_provider_is_kept_at_once(self, told: float, seconds: float) -> None:
        one = state(Clock(), routing={"allowed_failures": 9})
        assert one.failed(retry_after_seconds=told)
        assert one.seconds_until_free() == seconds

    @pytest.mark.parametrize("told", [0.0, -1.0, math.nan, None])
    def test_a_time_that_is_none_is_a_failure_like_others(self, told: float | None) -> None:
        one = state(Clock(), routing={"allowed_failures": 9})
        assert not one.failed(retry_after_seconds=told)

    def test_a_cause_that_lasts_starts_it_at_once(self) -> None:
        one = state(Clock(), routing={"allowed_failures": 9})
        assert one.failed(at_once=True)
        assert one.seconds_until_free() == 5.0

    def test_failures_during_it_neither_lengthen_nor_double_it(self) -> None:
        clock = Clock()
        one = state(clock)
        one.failed()
        clock.now += 1
        assert [one.failed() for _ in range(100)] == [False] * 100
        assert one.seconds_until_free() == 4.0
        assert not one.failed(retry_after_seconds=9.0)
        assert one.seconds_until_free() == 9.0

    def test_what_is_no_fault_of_the_deployment_counts_for_nothing(self) -> None:
        one = state(Clock())
        assert not one.failed(counts=False)
        assert not one.failed(counts=False, retry_after_seconds=5.0, at_once=True)
        assert one.state_name == "up"

    def test_zero_seconds_switch_it_off(self) -> None:
        one = state(Clock(), routing={"cooldown_seconds": 0.0})
        assert not any([one.failed(), one.failed(at_once=True), one.failed(retry_after_seconds=5.0)])
        assert one.may_start()

    def test_a_probe_that_tells_nothing_makes_way_for_another(self) -> None:
        clock = Clock()
        one = state(clock)
        one.failed()
        clock.now += 5
        taking(one)
        assert not one.may_start()
        one.failed(counts=False)
        assert one.may_start()

    def test_a_probe_that_only_leaves_makes_way_for_another(self) -> None:
        clock = Clock()
        one = state(clock)
        one.failed()
        clock.now += 5
        taking(one)
        one.leave()
        assert one.may_start()

    def test_a_probe_of_which_nothing_is_heard_blocks_no_longer_than_a_request_may_take(self) -> None:
        clock = Clock()
        one = state(clock, routing={"timeout_seconds": 30.0})
        taking(one)
        one.failed()
        clock.now += 5
        taking(one)
        clock.now += 29
        assert not one.may_start()
        clock.now += 1
        assert one.may_start()

    def test_a_probe_that_gives_up_in_the_queue_makes_way_for_another(self) -> None:
        clock = Clock()
        one = state(clock, max_concurrent=1)

        async def scene() -> None:
            await one.enter(clock() + LONG)
            one.failed()
            clock.now += 5
            probe = waiting(one, clock)
            await settled()
            assert not one.may_start()
            probe.cancel()
            await asyncio.gather(probe, return_exceptions=True)
            assert one.may_start()

        run(scene)

    def test_another_one_that_finds_no_room_does_not_end_the_probe(self) -> None:
        clock = Clock()
        one = state(clock, max_concurrent=1, max_queued=0)
        one.failed()
        clock.now += 5
        taking(one)
        with pytest.raises(QueueFull):
            taking(one)
        assert one.is_cooling()

    def test_what_began_before_it_tells_nothing_about_the_time_after_it(self) -> None:
        clock = Clock()
        one = state(clock)
        taking(one, 3)
        clock.now += 1
        one.failed(seconds=1.0)
        clock.now += 5
        taking(one)
        clock.now += 1
        assert not one.succeeded(7.0, None)
        assert not one.failed(seconds=7.0)
        assert not one.failed(seconds=7.0, counts=False)
        assert (one.state_name, one.is_cooling()) == ("probing", True)
        assert one.succeeded(1.0, None)
        assert not one.failed(seconds=7.0)
        assert one.state_name == "up"

    def test_an_answer_to_one_who_was_sent_in_spite_of_it_ends_it(self) -> None:
        clock = Clock()
        one = state(clock)
        one.failed()
        clock.now += 1
        taking(one)
        clock.now += 1
        assert one.succeeded(1.0, None)
        assert one.state_name == "up"


@dataclass
class Failing:
    """The rules of cooldown written plainly, for one request at a time."""

    allowed: int
    seconds: float
    failures: list[float] = field(default_factory=list)
    until: float | None = None
    length: float = 0.0

    def answer(self) -> None:
        self.failures, self.until, self.length = [], None, 0.0

    def fail(self, now: float, told: float | None) -> None:
        if self.until is not None and now < self.until:
            self.until = max(self.until, now + min(told or 0.0, 60.0))
            return
        self.failures = [at for at in self.failures if math.floor(now) - math.floor(at) <= 60] + [now]
        if self.until is not None or told or len(self.failures) > self.allowed:
            self.length = min(60.0, self.length * 2 or self.seconds)
            self.until = now + (min(told, 60.0) if told else self.length)
            self.failures = []

    def name(self, now: float) -> str:
        if self.until is None:
            return "up"
        return "cooling" if now < self.until else "probing"


@given(
    allowed=st.integers(0, 3),
    seconds=st.sampled_from([1.0, 5.0, 45.0]),
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("pass"), st.sampled_from([0.25, 1.0, 4.0, 5.0, 20.0, 60.0, 61.0])),
            st.tuples(st.just("fail"), st.sampled_from([None, None, None, 3.0, 90.0])),
            st.tuples(st.sampled_from(["answer", "give up"]), st.none()),
        ),
        max_size=50,
    ),
)
def test_a_cooldown_goes_as_its_rules_say(allowed: int, seconds: float, steps: list[tuple[str, float | None]]) -> None:
    clock, rules = Clock(), Failing(allowed, seconds)
    one = state(clock, routing={"allowed_failures": allowed, "cooldown_seconds": seconds})
    for step, amount in steps:
        if step == "pass":
            clock.now += amount or 0.0
        else:
            taking(one)
            assert one.may_start() == (rules.name(clock()) == "up")
            if step == "fail":
                one.failed(retry_after_seconds=amount)
                rules.fail(clock(), amount)
            elif step == "answer":
                one.succeeded(0.0, None)
                rules.answer()
            else:
                one.failed(counts=False)
            one.leave()
        assert one.state_name == rules.name(clock())
        assert one.may_start() == (one.state_name != "cooling") == (not one.is_cooling())
        assert one.seconds_until_free() == (rules.until - clock() if rules.until and one.is_cooling() else 0.0)


class TestAverages:
    def test_latency_is_unknown_before_the_first_answer_and_five_minutes_after_the_last(self) -> None:
        clock = Clock()
        one = state(clock)
        assert one.latency_seconds is None
        one.succeeded(0.5, None)
        clock.now += 300
        assert one.latency_seconds == 0.5
        clock.now += 1
        assert one.latency_seconds is None
        one.succeeded(2.0, None)
        assert one.latency_seconds == 2.0

    def test_latency_follows_what_is_new(self) -> None:
        clock = Clock()
        one = state(clock)
        one.succeeded(1.0, None)
        one.succeeded(2.0, None)
        assert one.latency_seconds == 1.1
        for _ in range(50):
            one.succeeded(2.0, None)
        assert one.latency_seconds == pytest.approx(2.0, abs=0.01)

    def test_a_value_weighs_more_the_longer_ago_the_last_one_was(self) -> None:
        average = MovingAverage()
        average.add(0.0, 1.0)
        average.add(30.0, 2.0)
        assert average.value(30.0) == pytest.approx(2.0 - math.exp(-1))


@given(
    values=st.lists(st.tuples(st.floats(0, 400), st.floats(0, 1000)), max_size=40),
    forget=st.sampled_from([math.inf, 300.0, 5.0, 1.0]),
    pause=st.floats(0, 400),
)
@example(values=[(0.0, 1.0), (3.16, 2.0), (3.17, 3.0)], forget=math.inf, pause=0.0)
@example(values=[(0.0, 1.0), (300.0, 2.0)], forget=300.0, pause=300.0)
def test_an_average_goes_as_its_rules_say(values: list[tuple[float, float]], forget: float, pause: float) -> None:
    now, average = 1000.0, MovingAverage(forget)
    expected, at = None, -math.inf
    for seconds, value in values:
        now += seconds
        average.add(now, value)
        share = 1.0 if now - at > forget else max(0.1, 1.0 - math.exp((at - now) / 30.0))
        expected = value if expected is None else expected + share * (value - expected)
        at = now
        assert average.value(now) == pytest.approx(expected)
    now += pause
    assert average.value(now) == (pytest.approx(expected) if values and now - at <= forget else None)


@given(
    events=st.lists(st.tuples(st.floats(0, 40, allow_nan=False), st.integers(0, 1000)), max_size=60),
    pause=st.floats(0, 130),
    limit=st.integers(1, 3000),
)
@example(events=[(0.5, 1)], pause=60.0, limit=1)
@example(events=[(0.5, 1)], pause=60.5, limit=1)
def test_a_window_counts_the_last_minute_to_the_second(
    events: list[tuple[float, int]], pause: float, limit: int
) -> None:
    now, window, counted = 1000.0, Window(), []
    for seconds, amount in events:
        now += seconds
        window.add(now, amount)
        counted.append((now, amount))
    now += pause
    total = window.total(now)
    assert total >= sum(amount for at, amount in counted if now - at <= 60)
    assert total <= sum(amount for at, amount in counted if now - at < 61)
    wait = window.seconds_until_below(now, limit)
    assert (wait == 0.0) == (total < limit)
    assert wait <= 61
    assert window.total(now + wait + 1e-6) < limit


class TestReload:
    def test_what_is_known_outlives_a_reload_but_not_requests_under_way(self) -> None:
        clock = Clock()
        old = state(clock, requests_per_minute=9)
        taking(old, 2)
        old.succeeded(0.5, 30)
        old.failed()
        new = state(clock, requests_per_minute=5)
        new.adopt(old)
        assert (new.in_flight, new.requests_this_minute, new.tokens_this_minute) == (0, 2, 30)
        assert new.latency_seconds == 0.5
        assert (new.state_name, new.seconds_until_free()) == ("cooling", 5.0)

    def test_answers_to_older_requests_are_known_after_it(self) -> None:
        clock = Clock()
        old, new = state(clock), state(clock)
        taking(old)
        new.adopt(old)
        old.succeeded(0.5, 30)
        old.leave()
        assert (new.latency_seconds, new.tokens_this_minute, old.in_flight, new.in_flight) == (0.5, 30, 0, 0)

    def test_a_probe_before_it_does_not_block_one_after_it(self) -> None:
        clock = Clock()
        old = state(clock)
        old.failed()
        clock.now += 5
        taking(old)
        new = state(clock)
        new.adopt(old)
        assert (new.state_name, new.may_start()) == ("probing", True)

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"api_key": "another"}, id="key"),
            pytest.param({"api_base": "https://other.example"}, id="address"),
            pytest.param({"model": "cohere/n"}, id="model"),
            pytest.param({"headers": {"a": "b"}}, id="headers"),
            pytest.param({"settings": {"region": "eu"}}, id="settings"),
        ],
    )
    def test_another_way_to_be_called_starts_afresh(self, change: dict[str, Any]) -> None:
        clock = Clock()
        old = state(clock)
        taking(old)
        old.failed(at_once=True)
        new = DeploymentState(replace(old.config, **change), RoutingConfig(), clock=clock)
        new.adopt(old)
        assert (new.state_name, new.requests_this_minute) == ("up", 0)

    def test_a_cooldown_that_the_new_config_switches_off_is_over(self) -> None:
        clock = Clock()
        old, new = state(clock), state(clock, routing={"cooldown_seconds": 0.0})
        old.failed()
        new.adopt(old)
        assert new.may_start()
