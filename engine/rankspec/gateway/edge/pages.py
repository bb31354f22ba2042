"""What the gateway answers besides rankings: models, health, metrics, its own description."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson

from rankspec.gateway.edge.dialect import JSON_HEADERS
from rankspec.gateway.edge.keys import Keys
from rankspec.gateway.refusals import ModelNotFound, Refused
from rankspec.models import HttpResponse, Json
from rankspec.version import __version__

if TYPE_CHECKING:
    from rankspec.gateway.observing.metrics import Metrics
    from rankspec.gateway.observing.probes import Transport
    from rankspec.gateway.routing.assembly import Snapshot

_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-real-ip")


@dataclass(frozen=True, slots=True)
class Visit:
    """A request for a page. `headers` are by name in lower case; `name` is what the path says behind the page's own."""

    headers: Mapping[bytes, bytes]
    client: tuple[str, int] | None = None
    query: str = ""
    name: str = ""

    @property
    def is_from_this_machine(self) -> bool:
        """Whether the caller is on loopback and no proxy says that it only passes the request on."""
        if self.client is None or any(name in self.headers for name in _FORWARDED):
            return False
        try:
            return ip_address(self.client[0].partition("%")[0]).is_loopback
        except ValueError:
            return False


@dataclass
class Pages:
    """The pages of one snapshot."""

    snapshot: Snapshot
    keys: Keys
    metrics: Metrics
    transport: Transport
    is_ready: Callable[[], bool] = field(default=lambda: True)

    def find(self, path: str) -> tuple[Page, str] | None:
        """The page at a path, and the name that the path ends in, if it is one of many."""
        page = PAGES.get(path)
        if page is not None:
            return page, ""
        if path.startswith(_MODEL):
            return Pages.model, path[len(_MODEL) :]
        return None

    async def models(self, visit: Visit) -> HttpResponse:
        """Every model that can be asked for."""
        self.keys.check(visit.headers)
        from rankspec.gateway.description.models_page import models_page

        asked = dict(parse_qsl(visit.query))
        # A name with a star may need every spec there is.
        return _json(await asyncio.to_thread(models_page, self.snapshot.config, self.snapshot.catalog, asked))

    async def model(self, visit: Visit) -> HttpResponse:
        """One model."""
        self.keys.check(visit.headers)
        from rankspec.gateway.description.models_page import model_page

        found = await asyncio.to_thread(model_page, visit.name, self.snapshot.config, self.snapshot.catalog)
        if found is None:
            raise ModelNotFound(visit.name)
        return _json(found)

    async def check_key(self, visit: Visit) -> HttpResponse:
        """Cohere's question whether a key is one: it is refused if not."""
        self.keys.check(visit.headers)
        return _json({"valid": True})

    async def live(self, visit: Visit) -> HttpResponse:
        """The process answers."""
        return _json({"status": "live"})

    async def ready(self, visit: Visit) -> HttpResponse:
        """It takes requests. No provider is asked."""
        if not self.is_ready():
            raise Refused(503, "the gateway is starting or stopping", headers={"retry-after": "1"})
        return _json({"status": "ready"})

    async def providers(self, visit: Visit) -> HttpResponse:
        """Whether each deployment answers. That costs what requests cost, so that not everyone may ask."""
        self.keys.check(visit.headers)
        if self.keys.is_open and not visit.is_from_this_machine:
            raise Refused(403, "without a key in the gateway's config only its own machine may ask this")
        from rankspec.gateway.observing.probes import probe_all

        return _json(await probe_all(self.snapshot.router.groups.deployments, self.transport))

    async def metrics_text(self, visit: Visit) -> HttpResponse:
        """What Prometheus reads."""
        body, content_type = await asyncio.to_thread(self.metrics.render)
        return HttpResponse(200, {"content-type": content_type}, body)

    async def openapi(self, visit: Visit) -> HttpResponse:
        """The description for machines."""
        return HttpResponse(200, JSON_HEADERS, await asyncio.to_thread(lambda: self._openapi))

    @cached_property
    def _openapi(self) -> bytes:
        from rankspec.gateway.description.openapi import openapi_document

        return openapi_document(self.snapshot.config, self.snapshot.catalog, __version__)

    async def docs(self, visit: Visit) -> HttpResponse:
        """The description for people."""
        from rankspec.gateway.description.docs_page import docs_page

        return docs_page()

    async def root(self, visit: Visit) -> HttpResponse:
        """Leads people to the description."""
        return HttpResponse(307, {"location": "/docs", **JSON_HEADERS}, orjson.dumps({"docs": "/docs"}))


Page = Callable[[Pages, Visit], Awaitable[HttpResponse]]

PAGES: dict[str, Page] = {
    "/": Pages.root,
    "/docs": Pages.docs,
    "/openapi.json": Pages.openapi,
    "/v1/models": Pages.models,
    "/models": Pages.models,
    "/metrics": Pages.metrics_text,
    "/health/live": Pages.live,
    "/health/liveness": Pages.live,
    "/health/liveliness": Pages.live,
    "/health/ready": Pages.ready,
    "/health/readiness": Pages.ready,
    "/health/providers": Pages.providers,
}
"""By path, what GET and HEAD are answered with. Those who come from LiteLLM find the names of its health checks."""

CHECK_KEY = "/v1/check-api-key"
_MODEL = "/v1/models/"


def _json(value: Json | Any) -> HttpResponse:
    return HttpResponse(200, JSON_HEADERS, orjson.dumps(value))
