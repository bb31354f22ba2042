"""Requests that have ended are counted and logged, each once, whatever becomes of the loop."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from rankspec.gateway.observing.logs import AccessLog, Form
from rankspec.gateway.observing.metrics import Metrics
from rankspec.gateway.observing.observer import Observer
from rankspec.gateway.values import Attempt, Trace


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


def a_trace(name: str, **more: object) -> Trace:
    trace = Trace(name, "cohere_v2", model="best", deployment="cohere-1", status=200, documents=4)
    trace.attempts = [Attempt("cohere-1", 0.12)]
    for key, value in more.items():
        setattr(trace, key, value)
    return trace


ODD = {
    "a time that is none": {"seconds": None},
    "a size that is text": {"request_bytes": "many"},
    "a status that is none": {"status": None},
    "an id that is a number": {"request_id": 7},
    "a price that is text": {"cost_usd": "free"},
    "an endless time": {"upstream_seconds": float("inf")},
    "no tries at all": {"attempts": None},
}


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_one_that_cannot_be_told_costs_no_other_its_line_or_its_count(form: Form, odd: dict[str, object]) -> None:
    stream, metrics = io.StringIO(), Metrics("1.2.3")
    observer = Observer(metrics, AccessLog(stream, form))

    async def work() -> None:
        for turn in ("a", "b"):
            observer.note(a_trace(f"{turn}-before"), None)
            observer.note(a_trace(f"{turn}-odd", model="odd", **odd), None)
            observer.note(a_trace(f"{turn}-after"), None)
            await asyncio.sleep(0)

    asyncio.run(work())
    lines = stream.getvalue().splitlines()
    plain = [line for line in lines if "-before" in line or "-after" in line]

    assert [name in line for name, line in zip(("a-b", "a-a", "b-b", "b-a"), plain, strict=True)] == [True] * 4
    assert (
        'rankspec_requests_total{dialect="cohere_v2",model="best",status="200"} 4.0\n' in metrics.render()[0].decode()
    )


def test_why_one_cannot_be_told_is_told() -> None:
    stream = io.StringIO()
    observer = Observer(Metrics("1.2.3"), AccessLog(stream, "json"))

    async def work() -> None:
        observer.note(a_trace("odd", seconds=None), None)

    asyncio.run(work())
    events = [json.loads(line) for line in stream.getvalue().splitlines()]

    assert [(event["event"], event["level"], event["request_id"]) for event in events] == [
        ("uncounted", "error", "odd"),
        ("unlogged", "error", "odd"),
    ]
    assert [event["where"].split(":")[0] for event in events] == ["TypeError at metrics.py", "TypeError at logs.py"]
