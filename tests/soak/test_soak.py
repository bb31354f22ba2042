"""Mixed traffic with faults, sizes and callers who go away: every request is answered once, and nothing grows.

Takes about two minutes. RANKSPEC_SOAK_SECONDS makes the first test longer.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from gateway_process import Gateway
from processes import descriptors, resident_mb
from traffic import Traffic
from upstreams import CATALOG, UPSTREAM_KEY, Upstream

from rankspec.emulator import EmulatedProvider, Faults, Outcome, Served, serve
from rankspec.models import HttpRequest

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("RANKSPEC_SOAK_SECONDS", "60"))
CALLERS = 48
FAULTS = (
    "429:0.02,500:0.02,503:0.02,reset:0.02,cut_off:0.02,truncated:0.02,html:0.01,empty:0.01,slow:0.01,timeout:0.002"
)

MAX_GROWTH_MB = 16.0
MAX_GROWTH_SHARE = 0.05
MORE_DESCRIPTORS = CALLERS // 2
"""Callers come and go: what is open at a moment swings by so many connections without growing."""


class Counting(EmulatedProvider):
    """A provider that counts the requests that it ranks, by the word that only one query has."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(CATALOG.load(name), key=UPSTREAM_KEY, **options)
        self.words: Counter[str] = Counter()
        self._lock = threading.Lock()

    def outcome(self, request: HttpRequest) -> Outcome:
        at = request.body.find(b"where is needle") + len(b"where is ")
        with self._lock:
            self.words[request.body[at : at + 60].partition(b'"')[0].decode()] += 1
        return super().outcome(request)


@contextmanager
def counting_upstream(name: str, faults: str = "", seed: int = 1) -> Iterator[tuple[Counting, Upstream]]:
    provider = Counting(name)
    served: list[Served] = []
    with serve(provider, faults=Faults([faults] if faults else [], seed=seed), log=served.append) as url:
        yield provider, Upstream(provider, url, served)


def routing(**changes: Any) -> dict[str, Any]:
    return {"num_retries": 2, "allowed_fails": 20, "cooldown_time": 1, "timeout": 20, **changes}


@contextmanager
def soaked_gateway(folder: Path) -> Iterator[tuple[Gateway, list[Counting]]]:
    """A gateway whose providers often fail. Three of its four models answer whatever they do."""
    with ExitStack() as stack:
        found = [
            stack.enter_context(counting_upstream(name, faults, seed))
            for seed, (name, faults) in enumerate({"cohere": FAULTS, "jina_ai": FAULTS, "bedrock": "500:0.05"}.items())
        ]
        cohere, jina, bedrock = (one for _, one in found)
        entries = [
            cohere.entry("steady", timeout=3),
            jina.entry("steady", timeout=3, max_parallel_requests=8),
            cohere.entry("bare", timeout=3),
            jina.entry("through", timeout=3),
            bedrock.entry("split", timeout=10),
        ]
        chains = [{"steady": ["local/bm25"]}, {"through": ["passthrough"]}, {"split": ["local/bm25"]}]
        environ = cohere.variables | jina.variables | bedrock.variables
        config = {"model_list": entries, "router_settings": routing(fallbacks=chains)}
        gateway = stack.enter_context(Gateway(folder, config, environ))
        yield gateway, [provider for provider, _ in found]


def test_mixed_traffic_is_answered_once_each_and_nothing_grows(tmp_path: Path) -> None:
    with soaked_gateway(tmp_path) as (gateway, providers):
        answering = ("steady", "through", "split")
        traffic = Traffic(gateway.url, (*answering, "bare"), frozenset(answering))
        memory: list[float] = []
        files: list[float] = []

        async def soak() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(traffic.run(CALLERS, SECONDS))
                group.create_task(measured(gateway.pid, SECONDS, memory, files))

        asyncio.run(soak())
        print(f"{len(traffic.asked)} requests over {traffic.connections} connections: {dict(traffic.statuses())}")
        assert traffic.problems == []
        assert_each_has_its_own_id(traffic)
        assert_only_asked_words_arrived(traffic, providers)
        assert_does_not_grow(memory, MAX_GROWTH_MB, MAX_GROWTH_SHARE)
        assert_does_not_grow(files, MORE_DESCRIPTORS, MAX_GROWTH_SHARE)
        assert_counted(gateway, traffic)
        assert gateway.stop() == 0
        assert "Traceback" not in gateway.text


async def measured(pid: int, seconds: float, memory: list[float], files: list[float]) -> None:
    """A sample a second of what the gateway holds."""
    for _ in range(int(seconds)):
        await asyncio.sleep(1)
        memory.append(resident_mb(pid))
        files.append(descriptors(pid))


def assert_each_has_its_own_id(traffic: Traffic) -> None:
    ids = [one.request_id for one in traffic.asked if one.status is not None]
    assert None not in ids
    assert len(set(ids)) == len(ids)


def assert_only_asked_words_arrived(traffic: Traffic, providers: list[Counting]) -> None:
    """Nobody asked a provider what no caller asked; what one ranked without a stand-in was asked of a provider."""
    arrived = set().union(*(one.words for one in providers))
    assert arrived <= {one.word for one in traffic.asked}
    ranked = {one.word for one in traffic.asked if one.status == 200 and one.degraded is None}
    assert ranked <= arrived


def assert_does_not_grow(samples: list[float], most: float, share: float) -> None:
    """The last quarter is not above the one before it, but for noise."""
    quarter = len(samples) // 4
    before, after = statistics.median(samples[-2 * quarter : -quarter]), statistics.median(samples[-quarter:])
    print(f"third quarter {before:g}, fourth {after:g}, all {[round(one) for one in samples]}")
    assert after <= before + max(most, before * share)


def assert_counted(gateway: Gateway, traffic: Traffic) -> None:
    """The metrics know every answer, and nothing is under way any more."""
    for (model, status), count in traffic.statuses().items():
        found = gateway.metric("rankspec_requests_total", model=model, status=str(status))
        # Those of callers who went away may have been answered before that was noticed.
        cancelled = sum(one.is_cancelled and one.model == model for one in traffic.asked)
        assert count <= found <= count + cancelled
    assert gateway.metric("rankspec_in_flight") == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stop_under_load_loses_no_request(tmp_path: Path, workers: str) -> None:
    with counting_upstream("cohere", "slow:0.3") as (provider, cohere):
        config = {"model_list": [cohere.entry("m")], "router_settings": routing()}
        arguments = ("serve", "--port", "0", "--workers", workers)
        with Gateway(tmp_path, config, cohere.variables, arguments) as gateway:
            traffic = Traffic(gateway.url, ("m",), frozenset({"m"}), cancelled_share=0.0)
            before: list[str] = []

            async def soak() -> None:
                running = asyncio.create_task(traffic.run(CALLERS, 30))
                await asyncio.sleep(3)
                before.extend(one.word for one in traffic.asked if one.is_sent)
                gateway.tell(signal.SIGTERM)
                await asyncio.to_thread(gateway.process.wait, 20)
                traffic.stop()
                await running

            asyncio.run(soak())
            assert gateway.process.returncode == 0
            assert traffic.refused == CALLERS, "every caller tries again, and is refused in the end"
            assert traffic.problems == []
            accepted = set(before) | set(provider.words)
            answered = {one.word for one in traffic.asked if one.status == 200 and one.problem is None}
            assert len(before) > CALLERS
            assert accepted - answered == set()
            assert "Traceback" not in gateway.text


GOOD, BAD = "ok", "refused"
BAD_TEXTS = ("model_list: [", "model_list: {}\n", "model_list:\n  - model_name: m\n", "- a list\n", "")


def test_a_storm_of_reloads_loses_no_request(tmp_path: Path) -> None:
    with counting_upstream("cohere") as (_, cohere), Gateway(tmp_path, storm(cohere, 0), cohere.variables) as gateway:
        traffic = Traffic(gateway.url, ("m",), frozenset({"m"}))
        told: list[tuple[float, float]] = []

        async def rewrite() -> None:
            good = bad = 0
            for number in range(1, 21):
                is_bad = number % 4 == 0
                gateway.write(BAD_TEXTS[number // 4 - 1] if is_bad else storm(cohere, number))
                good, bad = good + (not is_bad), bad + is_bad
                await asyncio.to_thread(wait_for_reload, gateway, good, bad)
                told.append((good, bad))
            traffic.stop()

        async def soak() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(traffic.run(16, 120))
                group.create_task(rewrite())

        asyncio.run(soak())
        assert told[-1] == (15, 5)
        assert traffic.problems == []
        assert len(traffic.asked) > 100
        names = [one["name"] for one in gateway.get("/v1/models").json["models"]]
        assert names == ["m", "generation-19"], "the last good file is in force"
        assert gateway.stop() == 0


def storm(cohere: Upstream, number: int) -> dict[str, Any]:
    """A config that tells which one it is."""
    entries = [cohere.entry("m"), cohere.entry(f"generation-{number}")]
    return {"model_list": entries, "router_settings": routing()}


def wait_for_reload(gateway: Gateway, good: int, bad: int) -> None:
    """Wait until the gateway has told of so many reloads."""
    for _ in range(200):
        found = [gateway.metric("rankspec_reloads_total", outcome=outcome) for outcome in (GOOD, BAD)]
        if found == [good, bad]:
            return
        threading.Event().wait(0.05)
    raise AssertionError(f"reloads are {found}, and not {[good, bad]}: {gateway.text[-2000:]}")
