"""Requests that have ended are counted and logged, each once, whatever becomes of the loop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

from rankspec.gateway.observing.observer import Observer
from rankspec.gateway.values import Trace


@dataclass
class Told:
    """Stands for metrics and log: what they are told, and when."""

    counted: list[str] = field(default_factory=list)
    logged: list[list[str]] = field(default_factory=list)

    def observe(self, trace: Trace) -> None:
        self.counted.append(trace.request_id)

    def write(self, *requests: tuple[Trace, Any]) -> None:
        self.logged.append([trace.request_id for trace, _ in requests])


def an_observer() -> tuple[Observer, Told]:
    told = Told()
    return Observer(cast("Any", told), cast("Any", told)), told


def test_those_of_one_turn_are_told_of_at_its_end() -> None:
    observer, told = an_observer()

    async def work() -> None:
        for turn in ("a", "b"):
            for number in range(3):
                observer.note(Trace(f"{turn}{number}"), None)
            assert f"{turn}0" not in told.counted
            await asyncio.sleep(0)
            assert f"{turn}2" in told.counted

    asyncio.run(work())
    assert told == Told(["a0", "a1", "a2", "b0", "b1", "b2"], [["a0", "a1", "a2"], ["b0", "b1", "b2"]])


def test_what_a_loop_notes_last_is_told() -> None:
    observer, told = an_observer()

    async def work(name: str) -> None:
        observer.note(Trace(name), None)

    for name in ("first", "second"):
        asyncio.run(work(name))
    assert told.logged == [["first"], ["second"]]


def test_what_a_loop_has_left_is_told_when_it_is_over() -> None:
    observer, told = an_observer()
    loop = asyncio.new_event_loop()

    async def work() -> None:
        loop.stop()
        await asyncio.sleep(0)
        observer.note(Trace("left"), None)

    task = loop.create_task(work())
    loop.run_forever()
    loop.stop()
    loop.run_forever()
    loop.close()
    assert task.done()
    assert told.logged == []

    observer.flush()
    observer.flush()
    assert told == Told(["left"], [["left"]])
