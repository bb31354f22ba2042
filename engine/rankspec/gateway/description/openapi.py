"""GET /openapi.json: what the gateway takes and gives, from the schemas it checks by and the names of its config."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from rankspec.catalog import Catalog
from rankspec.gateway.description.models_page import model_names
from rankspec.gateway.description.openapi_schemas import (
    ERROR,
    HEALTH,
    MODEL,
    NON_BLANK,
    PAGE,
    STATUS,
    json_schema,
    request_schema,
    response_schema,
)
from rankspec.gateway.values import PASSTHROUGH, STAR, GatewayConfig
from rankspec.models import Json

_MAX_EXAMPLES = 20

_REFUSALS = {
    400: "The request is not valid, or the provider finds it at fault.",
    401: "The key is missing or not known.",
    403: "Without a key in the gateway's config only its own machine may ask this.",
    404: "There is no such model.",
    405: "The path takes another method: see the header `allow`.",
    408: "The body took too long to arrive.",
    413: "The body is larger than the gateway takes, or the provider says so.",
    415: "The body is not JSON, or is compressed in a way that the gateway does not read.",
    422: "The provider finds the request at fault.",
    429: "The provider's or the gateway's limit is reached: see the header `retry-after`.",
    498: "The provider does not take the texts.",
    500: "The gateway's settings are at fault, such as its key for the provider, or the provider's reply is.",
    503: "The provider cannot be reached, or is down.",
    504: "The provider did not answer in time.",
}
_OF_EVERY_PAGE = (405, 500)
_OF_RERANK = (400, 401, 404, 405, 408, 413, 415, 422, 429, 498, 500, 503, 504)
_WITH_RETRY_AFTER = (408, 429, 500, 503, 504)
_CLOSED_PAGE = (401, *_OF_EVERY_PAGE)

_REPLY_HEADERS = {
    "x-rankspec-model": ("The configured model that was meant.", {"type": "string"}),
    "x-rankspec-deployment": ("Which of its deployments answered.", {"type": "string"}),
    "x-rankspec-cost-usd": ("What the answer costs in US dollars, if that is known.", {"type": "number"}),
    "x-rankspec-degraded": (
        "Only in a degraded answer: another model ranked (fallback), or none did and scores are null (passthrough).",
        {"type": "string", "enum": ["fallback", "passthrough"]},
    ),
    "server-timing": (
        "Milliseconds of the gateway itself and of providers.",
        {"type": "string", "examples": ["own;dur=0.6, upstream;dur=120.4"]},
    ),
}
_REQUEST_ID = {
    "description": "Names the request in errors and logs. A caller's own is kept.",
    "required": True,
    "schema": {"type": "string", "minLength": 1},
}
_RETRY_AFTER = {"description": "Seconds to wait before the next try.", "schema": {"type": "integer", "minimum": 1}}
_OF_LIST = [
    {"name": name, "in": "query", "description": text, "schema": schema}
    for name, text, schema in (
        ("endpoint", "Only models of this endpoint of Cohere's.", {"type": "string", "examples": ["rerank"]}),
        ("page_size", "How many to list, 1 or more; all by default.", {"type": "string", "examples": ["20"]}),
        ("page_token", "The `next_page_token` of the page before.", {"type": "string"}),
    )
]
_MODEL_NAME = {
    "name": "model",
    "in": "path",
    "required": True,
    "description": "A model's name; its slashes may be written as they are.",
    "schema": {"type": "string", "minLength": 1},
}
_EXAMPLES = {
    "Texts": {
        "query": "What is the capital of France?",
        "documents": ["Berlin is the capital of Germany.", "Paris is the capital of France.", "Nice is by the sea."],
        "top_n": 2,
    },
    "Objects": {
        "query": "What is the capital of France?",
        "documents": [{"id": 7, "text": "Paris is the capital of France."}, {"id": 8, "text": "Nice is by the sea."}],
        "return_documents": True,
    },
}


_INFO = {
    "title": "rankspec",
    "summary": "Rerank with any provider, in Cohere's terms.",
    "description": (
        "Documents are ranked by how well they answer a query. Requests and replies are Cohere's, version 1 and 2, "
        "whichever provider ranks: its official clients work when they are given this server as their base URL. "
        "Bodies may be compressed with gzip or deflate."
    ),
    "license": {"name": "MIT", "identifier": "MIT"},
}
_TAGS = [
    {"name": "Rerank", "description": "Rank documents."},
    {"name": "Models", "description": "What can be asked for."},
    {"name": "Operation", "description": "Health and figures."},
]


def openapi_document(config: GatewayConfig, catalog: Catalog, version: str) -> bytes:
    """The OpenAPI 3.1 document of a gateway with this config, as JSON.

    Args:
        version: of rankspec.
    """
    names = model_names(config, catalog)
    has_keys = bool(config.server.keys)
    components: dict[str, Json] = {
        "schemas": {
            "RerankRequest": request_schema(config, _model(config, names, needed=not has_default(config))),
            "RerankRequestV2": request_schema(config, _model(config, names, needed=True)),
            "RerankResponse": response_schema(),
            "Error": ERROR,
            "ModelList": PAGE,
            "Model": MODEL,
            "Status": STATUS,
            "Health": HEALTH,
            "Json": json_schema(),
        },
        "responses": {str(status): _refusal(status) for status in _REFUSALS},
        "headers": {"x-request-id": _REQUEST_ID},
    }
    if has_keys:
        scheme = {"type": "http", "scheme": "bearer", "description": "A key of the gateway."}
        components["securitySchemes"] = {"bearer": scheme}
    return orjson.dumps(
        {
            "openapi": "3.1.0",
            "info": {**_INFO, "version": version},
            "tags": _TAGS,
            "paths": _paths(config, names[0] if names else "rerank-v3.5"),
            "components": components,
        }
    )


def has_default(config: GatewayConfig) -> bool:
    """Whether a request need not name a model: a default is set, or there is just one."""
    routing = config.routing
    names = {name for name in _callable_names(config) if name not in routing.aliases}
    return routing.default_model is not None or (len(names) == 1 and not any(STAR in name for name in names))


def _callable_names(config: GatewayConfig) -> list[str]:
    """Every name that requests may be made with, some with a star: members of fallback chains too."""
    routing = config.routing
    chains = (*routing.fallbacks.values(), routing.default_fallbacks)
    names = [one.name for one in config.deployments] + list(routing.aliases)
    return list(dict.fromkeys([*names, *(one for chain in chains for one in chain if one != PASSTHROUGH)]))


def _model(config: GatewayConfig, names: list[str], *, needed: bool) -> tuple[dict[str, Json], bool]:
    """The schema of `model`, and whether it must be given. Where no name has a star, the names are all there are."""
    examples = {"examples": names[:_MAX_EXAMPLES]} if names else {}
    known = _callable_names(config)
    if not needed:
        return {"type": ["string", "null"], **examples}, False
    if any(STAR in name for name in known):
        return {"type": "string", "pattern": NON_BLANK, **examples}, True
    return {"type": "string", "enum": known, **examples}, True


def _paths(config: GatewayConfig, example: str) -> dict[str, Json]:
    has_keys = bool(config.server.keys)
    # A caller's own key is refused in the same way, by the provider.
    never = {403} if has_keys else {401}
    never_of_rerank = never - {401} if config.server.allow_caller_credentials else never

    def rerank(name: str, summary: str, request: str) -> dict[str, Json]:
        return {"post": _locked(_rerank(name, summary, request, example), never_of_rerank, has_keys=has_keys)}

    def page(name: str, summary: str, reply: str, tag: str, *more: int) -> dict[str, Any]:
        return _locked(_operation(name, tag, summary, reply, (*_CLOSED_PAGE, *more)), never, has_keys=has_keys)

    models = page("listModels", "List models, for clients of Cohere and of OpenAI", "ModelList", "Models")
    model = page("getModel", "One model", "Model", "Models", 404)
    providers = page("providers", "Ask every deployment something tiny", "Health", "Operation", 403)
    live = _operation("live", "Operation", "Whether the server runs", "Status", _OF_EVERY_PAGE)
    ready = _operation("ready", "Operation", "Whether it takes requests", "Status", (*_OF_EVERY_PAGE, 503))
    metrics = _operation("metrics", "Operation", "Figures for Prometheus", "text/plain", _OF_EVERY_PAGE)
    return {
        "/v2/rerank": rerank("rerankV2", "Rerank, as Cohere's version 2", "RerankRequestV2"),
        "/v1/rerank": rerank("rerankV1", "Rerank, as Cohere's version 1", "RerankRequest"),
        "/rerank": rerank("rerank", "Rerank, as version 2 with a default model", "RerankRequest"),
        "/v1/models": {"get": {**models, "parameters": _OF_LIST}},
        "/v1/models/{model}": {"get": {**model, "parameters": [{**_MODEL_NAME, "example": example}]}},
        "/health/live": {"get": live},
        "/health/ready": {"get": ready},
        "/health/providers": {"get": providers},
        "/metrics": {"get": metrics},
    }


def _locked(operation: dict[str, Any], never: set[int], *, has_keys: bool) -> dict[str, Any]:
    """The operation with a key if there are keys, and without the statuses that are then never given."""
    responses = {status: one for status, one in operation["responses"].items() if int(status) not in never}
    return {**operation, "responses": responses, **({"security": [{"bearer": []}]} if has_keys else {})}


def _rerank(name: str, summary: str, request: str, example: str) -> dict[str, Any]:
    operation = _operation(name, "Rerank", summary, "RerankResponse", _OF_RERANK)
    operation["responses"]["200"]["headers"] |= {
        header: {"description": text, "schema": schema} for header, (text, schema) in _REPLY_HEADERS.items()
    }
    values = {label: {"summary": label, "value": {"model": example, **body}} for label, body in _EXAMPLES.items()}
    content = {"application/json": {"schema": _reference("schemas", request), "examples": values}}
    return {**operation, "requestBody": {"required": True, "content": content}}


def _operation(name: str, tag: str, summary: str, reply: str, refusals: Iterable[int]) -> dict[str, Any]:
    """An operation without parameters. `reply` names a schema, or a type of text."""
    content = {reply: {"schema": {"type": "string"}}} if "/" in reply else _json(reply)
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "responses": {
            "200": {"description": "Done.", "headers": _headers(), "content": content},
            **{str(status): _reference("responses", str(status)) for status in sorted(refusals)},
        },
    }


def _refusal(status: int) -> dict[str, Json]:
    headers = {**_headers(), "retry-after": _RETRY_AFTER} if status in _WITH_RETRY_AFTER else _headers()
    return {"description": _REFUSALS[status], "headers": headers, "content": _json("Error")}


def _headers() -> dict[str, Json]:
    return {"x-request-id": _reference("headers", "x-request-id")}


def _json(schema: str) -> dict[str, Json]:
    return {"application/json": {"schema": _reference("schemas", schema)}}


def _reference(part: str, name: str) -> dict[str, Json]:
    return {"$ref": f"#/components/{part}/{name}"}
