"""Endpoints inside this process, for URLs such as local://bm25/rerank. They answer like any other provider."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from urllib.parse import urlsplit

import orjson

from rankspec.errors import ExtraMissing, TransportError
from rankspec.models import HttpRequest, HttpResponse, Json, listed
from rankspec.specs import ProviderSpec

SCHEME = "local://"
"""What the URL of an endpoint inside this process begins with."""

_SERVICES = {"bm25": ("rankspec.transports.bm25", "local")}
"""The module of each service, and the extra that it needs."""


class BadRequest(Exception):
    """The service cannot work with this body; the text says why."""


def is_in_process(spec: ProviderSpec) -> bool:
    """Whether a provider is one of these endpoints."""
    return any(url.startswith(SCHEME) for url in listed(spec.data["endpoint"]["base_url"]))


def send(request: HttpRequest) -> HttpResponse:
    """The answer of the service that the URL names.

    Raises:
        ExtraMissing: the service's packages are not installed.
        TransportError: there is no such service.
    """
    name = urlsplit(request.url).netloc
    if name not in _SERVICES:
        raise TransportError(f"there is no endpoint '{name}' inside this process; there is {', '.join(_SERVICES)}")
    try:
        body = _service(name)(orjson.loads(request.body))
    except BadRequest as error:
        return _response(400, {"message": str(error)})
    return _response(200, body)


@cache
def _service(name: str) -> Callable[[Json], Json]:
    module, extra = _SERVICES[name]
    try:
        answer: Callable[[Json], Json] = import_module(module).answer
    except ImportError as error:
        raise ExtraMissing(extra, f"local/{name}") from error
    return answer


def _response(status: int, body: Json) -> HttpResponse:
    return HttpResponse(status, {"content-type": "application/json"}, orjson.dumps(body))
