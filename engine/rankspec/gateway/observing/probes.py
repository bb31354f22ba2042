"""GET /health/providers: asks every deployment something tiny, and says which of them answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any, Protocol, TypeVar

from rankspec.errors import RankspecError
from rankspec.gateway.description.models_page import listed_stars
from rankspec.gateway.values import STAR, DeploymentConfig
from rankspec.models import Exchange, Json, RerankRequest
from rankspec.specs import ProviderSpec

MAX_CONCURRENT = 8
GRACE_SECONDS = 1.0
"""How much longer than an exchange's own timeout is waited, for a transport that does not keep to it."""

_REQUEST = RerankRequest(query="health check", documents=("Everything is well.", "Something is wrong."))

TargetT = TypeVar("TargetT")


class Probed(Protocol[TargetT]):
    """What a probe needs of a deployment."""

    id: str
    config: DeploymentConfig

    @property
    def spec(self) -> ProviderSpec:
        """The provider."""

    def target(self, star: str | None) -> TargetT:
        """What to call for the text that the star in the deployment's name stands for."""

    def exchange(
        self,
        target: TargetT,
        request: RerankRequest,
        given: Collection[str],
        timeout_seconds: float,
        max_retries: int,
    ) -> Exchange:
        """The steps of one call."""


class Transport(Protocol):
    """What drives exchanges."""

    async def run(self, exchange: Exchange) -> Any:
        """The outcome of an exchange."""


async def probe_all(
    deployments: Iterable[Probed[Any]],
    transport: Transport,
    timeout_seconds: float = 10.0,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Json:
    """Whether each deployment answers: one small request each, no retry, no fallback, MAX_CONCURRENT at a time.

    What is told of a failure is its class: no URL, key or text of a provider. A deployment with a star is asked for
    the first model that its spec lists, and "not probed" if there is none. Every probe counts at the provider as any
    request does, and is neither part of the metrics nor of what is known of the deployment.

    Args:
        timeout_seconds: for each deployment, from its turn.

    Returns:
        `status` ("ok" if no deployment failed, otherwise "failing") and the `deployments`, in order.
    """
    limit = asyncio.Semaphore(MAX_CONCURRENT)

    async def probe(deployment: Probed[Any]) -> dict[str, Json]:
        async with limit:
            return await _probe(deployment, transport, timeout_seconds, clock)

    found = await asyncio.gather(*map(probe, deployments))
    return {"status": "failing" if any(one["ok"] is False for one in found) else "ok", "deployments": found}


async def _probe(
    deployment: Probed[Any], transport: Transport, timeout_seconds: float, clock: Callable[[], float]
) -> dict[str, Json]:
    star = next(listed_stars(deployment.config.model, deployment.spec), None)
    model = deployment.config.model
    told: dict[str, Json] = {"id": deployment.id, "name": deployment.config.name, "model": model}
    if STAR in model:
        if star is None:
            return {**told, "ok": None, "reason": "not probed: its spec lists no model"}
        told["model"] = model.replace(STAR, star, 1)
    started = clock()
    try:
        target = deployment.target(star if STAR in model else None)
        exchange = deployment.exchange(target, _REQUEST, (), timeout_seconds, 0)
        await asyncio.wait_for(transport.run(exchange), timeout_seconds + GRACE_SECONDS)
    except (RankspecError, TimeoutError) as error:
        name = "TimedOut" if isinstance(error, TimeoutError) else type(error).__name__
        return {**told, "ok": False, "seconds": round(clock() - started, 3), "error": name}
    return {**told, "ok": True, "seconds": round(clock() - started, 3)}
