"""One tiny request to every deployment: who answers, how fast, and which class of error if not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Any

import pytest

from rankspec.catalog import Catalog
from rankspec.errors import AuthenticationRejected, ConnectFailed, RankspecError
from rankspec.gateway.observing import probes
from rankspec.gateway.observing.probes import MAX_CONCURRENT, probe_all
from rankspec.gateway.values import DeploymentConfig
from rankspec.models import Exchange, RerankRequest
from rankspec.specs import ProviderSpec

CATALOG = Catalog(environ={})
SECRET = "https://up.example/?key=sk-secret"

PATIENCE_SECONDS = 8.0


class StandIn:
    """A deployment that remembers how it was asked."""

    def __init__(self, name: str, model: str, error: RankspecError | None = None) -> None:
        self.id = f"id-{name}"
        self.config = DeploymentConfig(self.id, name, model)
        self.error = error
        self.asked: list[tuple[Any, ...]] = []

    @property
    def spec(self) -> ProviderSpec:
        return CATALOG.load(self.config.model.partition("/")[0])

    def target(self, star: str | None) -> str | None:
        return star

    def exchange(
        self, target: str | None, request: RerankRequest, given: Collection[str], timeout_seconds: float, retries: int
    ) -> Exchange:
        self.asked.append((target, len(request.documents), tuple(given), timeout_seconds, retries))
        return self._steps()

    def _steps(self) -> Exchange:
        if self.error is not None:
            raise self.error
        return "answer"
        yield


class Driver:
    """Runs exchanges that have no steps, and counts how many are under way."""

    def __init__(self, pause_seconds: float = 0.0) -> None:
        self.pause_seconds = pause_seconds
        self.under_way = self.most = 0

    async def run(self, exchange: Exchange) -> Any:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(self.pause_seconds)
            next(exchange)
        except StopIteration as stop:
            return stop.value
        finally:
            self.under_way -= 1


def a_clock() -> Callable[[], float]:
    return lambda: 0.0


def test_each_deployment_is_asked_once_without_retries_and_failures_are_told_by_class_alone() -> None:
    good, down = StandIn("good", "cohere/rerank-v3.5"), StandIn("down", "jina_ai/x", ConnectFailed(SECRET))
    refused = StandIn("refused", "local/bm25", AuthenticationRejected(SECRET, provider_message=SECRET))

    found = asyncio.run(probe_all([good, down, refused], Driver(), 3.0, clock=a_clock()))

    assert found == {
        "status": "failing",
        "deployments": [
            {"id": "id-good", "name": "good", "model": "cohere/rerank-v3.5", "ok": True, "seconds": 0.0},
            {
                "id": "id-down",
                "name": "down",
                "model": "jina_ai/x",
                "ok": False,
                "seconds": 0.0,
                "error": "ConnectFailed",
            },
            {
                "id": "id-refused",
                "name": "refused",
                "model": "local/bm25",
                "ok": False,
                "seconds": 0.0,
                "error": "AuthenticationRejected",
            },
        ],
    }
    assert good.asked == [(None, 2, (), 3.0, 0)]


def test_a_star_is_probed_with_the_first_model_that_the_spec_lists() -> None:
    starred = StandIn("cohere/*", "cohere/rerank-v4*")

    found = asyncio.run(probe_all([starred], Driver(), 3.0, clock=a_clock()))

    assert found["deployments"][0]["model"] == "cohere/rerank-v4.0-pro"
    assert starred.asked[0][0] == ".0-pro"


def test_a_star_without_a_list_is_not_probed_and_no_failure() -> None:
    starred = StandIn("infinity/*", "infinity/*")

    found = asyncio.run(probe_all([starred], Driver(), 3.0, clock=a_clock()))

    assert found == {
        "status": "ok",
        "deployments": [
            {
                "id": "id-infinity/*",
                "name": "infinity/*",
                "model": "infinity/*",
                "ok": None,
                "reason": "not probed: its spec lists no model",
            }
        ],
    }
    assert starred.asked == []


def test_few_are_asked_at_a_time() -> None:
    driver = Driver()

    asyncio.run(probe_all([StandIn(f"d{number}", "local/bm25") for number in range(40)], driver, 3.0))

    assert driver.most == MAX_CONCURRENT


def test_a_transport_that_never_ends_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "GRACE_SECONDS", 0.0)

    probing = probe_all([StandIn("d", "local/bm25")], Driver(pause_seconds=600), 0.01)
    found = asyncio.run(asyncio.wait_for(probing, PATIENCE_SECONDS))

    assert found["deployments"][0]["error"] == "TimedOut"
