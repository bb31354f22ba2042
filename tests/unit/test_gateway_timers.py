"""Timers that are started anew again and again: they call when they are due, and not when they are stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from rankspec.gateway.serving.timers import SlackTimer


@dataclass
class Handle:
    """A timer of the loop."""

    at: float
    call: Callable[[], None]
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True


@dataclass
class Loop:
    """A loop whose time is set by hand."""

    now: float = 100.0
    handles: list[Handle] = field(default_factory=list)

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, call: Callable[[], None]) -> Handle:
        self.handles.append(Handle(self.now + seconds, call))
        return self.handles[-1]

    def pass_time(self, until: float) -> None:
        while due := [one for one in self.handles if one.at <= until]:
            first = min(due, key=lambda one: one.at)
            self.handles.remove(first)
            self.now = max(self.now, first.at)
            if not first.is_cancelled:
                first.call()
        self.now = until


def a_timer() -> tuple[Loop, SlackTimer, list[float]]:
    loop, called = Loop(), list[float]()
    timer = SlackTimer(cast("asyncio.AbstractEventLoop", loop), 30.0, lambda: called.append(loop.now))
    return loop, timer, called


def test_it_calls_when_it_was_started_long_enough_ago() -> None:
    loop, timer, called = a_timer()
    timer.start()
    loop.pass_time(129.0)
    assert called == []
    loop.pass_time(500.0)
    assert called == [130.0]


def test_each_start_counts_anew_and_leaves_one_timer_of_the_loop() -> None:
    loop, timer, called = a_timer()
    for now in range(100, 120):
        loop.pass_time(float(now))
        timer.start()
    assert len(loop.handles) == 1
    loop.pass_time(500.0)
    assert called == [149.0]


def test_what_is_stopped_does_not_call_and_can_be_started_again() -> None:
    loop, timer, called = a_timer()
    timer.start()
    timer.stop()
    loop.pass_time(200.0)
    assert called == []
    timer.start()
    loop.pass_time(500.0)
    assert called == [230.0]


def test_what_is_ended_leaves_nothing_behind() -> None:
    loop, timer, called = a_timer()
    timer.start()
    timer.end()
    assert all(handle.is_cancelled for handle in loop.handles)
    loop.pass_time(500.0)
    assert called == []


def test_a_call_may_start_it_again() -> None:
    loop = Loop()
    called: list[float] = []

    def call() -> None:
        called.append(loop.now)
        timer.start()

    timer: Any = SlackTimer(cast("asyncio.AbstractEventLoop", loop), 30.0, call)
    timer.start()
    loop.pass_time(195.0)
    assert called == [130.0, 160.0, 190.0]
