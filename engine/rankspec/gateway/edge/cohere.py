"""Cohere's own requests and replies, version 1 and 2, as its clients send and read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import orjson

from rankspec.errors import RequestInvalid
from rankspec.gateway.edge.dialect import JSON_HEADERS
from rankspec.gateway.refusals import Refused
from rankspec.gateway.values import Asked, CallerCredentials
from rankspec.models import HttpResponse, Json, Problem, RerankResponse

_KNOWN = frozenset(
    (
        "model",
        "query",
        "documents",
        "top_n",
        "rank_fields",
        "return_documents",
        "max_chunks_per_doc",
        "max_tokens_per_doc",
        "priority",
        "relevant_spans",
        "instruction",
    )
)
"""Members of rerank_request.schema.json that stand at the top of a body. Both versions take all of them: clients send
v1's on v2's path."""

_CREDENTIALS = {
    "api_key": "api_key",
    "api_base": "api_base",
    "base_url": "api_base",
    "headers": "headers",
    "extra_headers": "headers",
}
"""Members that say how to reach the provider, as clients of LiteLLM send them, by their names here."""

_OF_CONNECTION = frozenset(
    (
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
"""Headers that no caller sets: they say where a request goes and how. One with the gateway's key must not go to another
host that shares the provider's address."""

_KINDS = {str: "text", int: "a number", float: "a number", bool: "true or false", list: "a list", dict: "an object"}


_API_VERSIONS: dict[int, dict[str, Any]] = {1: {"version": "1"}, 2: {"version": "2", "is_experimental": False}}
"""What replies of each version say of it. Source: Cohere, Rerank API v1 and v2, read 2026-11-20."""


class CohereDialect:
    """Cohere's rerank API.

    Args:
        version: of the path; replies tell it.
        needs_model: refuse a request without a model, as version 2 does, before a default is looked for.
    """

    takes_raw_documents = True

    def __init__(self, version: Literal[1, 2], *, needs_model: bool = False) -> None:
        self.name = f"cohere_v{version}"
        self._api_version = _API_VERSIONS[version]
        self._needs_model = needs_model

    def read(self, body: Json) -> Asked:
        """What a body asks: null is absent, and what Cohere does not know goes to the provider as it is.

        Raises:
            RequestInvalid, Refused: it is no object, or names its model or credentials in a way that cannot be read.
        """
        if not isinstance(body, dict):
            raise _wrong((), f"the body must be a JSON object, not {_KINDS.get(type(body), 'null')}")
        if body.keys() <= _KNOWN and None not in body.values():
            values, brought = body.copy(), None
        else:
            values, brought = _sorted_out(body)
        model = values.pop("model", None)
        if model is not None and not isinstance(model, str):
            raise _wrong(("model",), f"must be text, not {_KINDS[type(model)]}")
        model = model.strip() if model else None
        if not model and self._needs_model:
            raise Refused(400, "a model parameter is required for this endpoint.")
        return Asked(model or None, values, _credentials(brought) if brought else None)

    def answer(self, asked: Asked, response: RerankResponse) -> HttpResponse:
        """The reply in Cohere's shape. Its API version is that of the caller's path, whatever the provider's is."""
        meta = {**response["meta"], "api_version": self._api_version}
        body = orjson.dumps({"id": response["id"], "results": response["results"], "meta": meta})
        return HttpResponse(200, JSON_HEADERS, body)

    def refuse(self, status: int, message: str, request_id: str) -> HttpResponse:
        """The reply with Cohere's two members. A JSON body and content type are what its clients' exceptions need."""
        return HttpResponse(status, JSON_HEADERS, orjson.dumps({"message": message, "id": request_id}))


def _sorted_out(body: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a body asks, with what Cohere does not know as `extra`; and what it brings to reach the provider."""
    values: dict[str, Any] = {}
    brought: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, value in body.items():
        if value is None:
            continue
        if name in _KNOWN:
            values[name] = value
        elif name in _CREDENTIALS:
            brought[name] = value
        elif name == "extra" and isinstance(value, dict):
            extra.update(value)
        else:
            extra[name] = value
    if extra:
        values["extra"] = extra
    return values, brought


def _wrong(path: tuple[str, ...], message: str) -> RequestInvalid:
    return RequestInvalid([Problem(path, message)])


def _credentials(brought: Mapping[str, Any]) -> CallerCredentials:
    found: dict[str, Any] = {}
    for name, value in brought.items():
        meant = _CREDENTIALS[name]
        if meant == "headers":
            if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
                raise _wrong((name,), "must be an object of texts by name")
            for header in value:
                if header.strip().lower() in _OF_CONNECTION:
                    raise _wrong((name, header[:100]), "is set by the gateway alone")
            found[meant] = {**found.get(meant, {}), **value}
        elif not isinstance(value, str):
            raise _wrong((name,), "must be text")
        elif found.setdefault(meant, value) != value:
            raise _wrong((name,), "and api_base are two names of the same thing, and differ")
    return CallerCredentials(**found)
