"""The schemas of the OpenAPI document: those that the engine checks by, as the gateway's callers meet them."""

from __future__ import annotations

from typing import Any

from rankspec.gateway.values import GatewayConfig
from rankspec.models import Json
from rankspec.resources import read_schema

_JSON_REFERENCE = {"$ref": "#/components/schemas/Json"}
_OWN_KEYWORDS = ("$schema", "$id", "$defs", "x-messages")

NON_BLANK = "[^\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
"""What is left of a text that Python strips."""

_CREDENTIALS = {
    "api_key": {"type": ["string", "null"], "description": "The caller's own key for the provider."},
    "api_base": {"type": ["string", "null"], "description": "Where to reach the provider."},
    "base_url": {"type": ["string", "null"], "description": "The same as api_base."},
    "headers": {
        "type": ["object", "null"],
        "description": "More headers for the provider.",
        "additionalProperties": {"type": "string"},
    },
    "extra_headers": {
        "type": ["object", "null"],
        "description": "The same as headers.",
        "additionalProperties": {"type": "string"},
    },
}
"""Members that say how to reach the provider."""

ERROR: dict[str, Json] = {
    "type": "object",
    "description": "Why there is no answer.",
    "required": ["message", "id"],
    "properties": {
        "message": {"type": "string", "description": "One sentence.", "examples": ["invalid api token"]},
        "id": {"type": "string", "description": "The request's id, as in x-request-id."},
    },
}

MODEL: dict[str, Json] = {
    "type": "object",
    "description": "A model, in Cohere's terms and in OpenAI's.",
    "required": ["id", "name", "object", "created", "owned_by", "endpoints"],
    "properties": {
        "id": {"type": "string"},
        "name": {"type": "string", "description": "The same as id."},
        "object": {"const": "model"},
        "created": {"type": "integer"},
        "owned_by": {"type": "string", "description": "The provider."},
        "endpoints": {"type": "array", "items": {"const": "rerank"}},
        "context_length": {"type": "number", "description": "Tokens that it reads of a query and a document."},
        "model_info": {"type": "object", "description": "What the config tells besides."},
    },
}

PAGE: dict[str, Json] = {
    "type": "object",
    "description": "Models, as clients of Cohere (`models`) and of OpenAI (`data`) look for them.",
    "required": ["object", "models", "data"],
    "properties": {
        "object": {"const": "list"},
        "models": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "endpoints"],
                "properties": {name: MODEL["properties"][name] for name in ("name", "endpoints", "context_length")},
            },
        },
        "data": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "object", "created", "owned_by"],
                "properties": {
                    name: MODEL["properties"][name] for name in ("id", "object", "created", "owned_by", "model_info")
                },
            },
        },
        "next_page_token": {"type": "string", "description": "There are more: the `page_token` of the next page."},
    },
}

STATUS: dict[str, Json] = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": {"enum": ["live", "ready"]}},
}

HEALTH: dict[str, Json] = {
    "type": "object",
    "required": ["status", "deployments"],
    "properties": {
        "status": {"enum": ["ok", "failing"]},
        "deployments": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "name", "model", "ok"],
                "properties": {
                    "id": {"type": "string"},
                    "name": {"type": "string", "description": "What callers write."},
                    "model": {"type": "string", "description": "Provider and model that were asked."},
                    "ok": {"type": ["boolean", "null"], "description": "Null if it was not asked: see `reason`."},
                    "seconds": {"type": "number"},
                    "error": {"type": "string", "description": "The error's class.", "examples": ["TimedOut"]},
                    "reason": {"type": "string"},
                },
            },
        },
    },
}


_OBJECTS = {"required": ["text"], "properties": {"text": {"description": "What is ranked of an object by default."}}}
_DOCUMENTS = {"examples": [["Paris is in France.", {"text": "Berlin is in Germany.", "id": 7}]]}

_ALTERNATIVES: list[Json] = [
    {"title": "Texts alone", "properties": {"documents": {"items": {"type": "string"}}}},
    {
        "title": "Objects with a text",
        "properties": {
            "rank_fields": {"enum": [None, ["text"]]},
            "documents": {"items": {"properties": {"text": {"type": "string", "pattern": NON_BLANK}}}},
        },
    },
    {
        "title": "Objects with several fields to rank",
        "required": ["rank_fields"],
        "properties": {
            "rank_fields": {"type": "array", "minItems": 2, "contains": {"const": "text"}},
            "documents": {"items": {"properties": {"text": {"not": {"enum": [None, ""]}}}}},
        },
    },
]
"""What objects among the documents must be like, as far as a schema can tell."""


def request_schema(config: GatewayConfig, model: tuple[dict[str, Json], bool]) -> dict[str, Json]:
    """What a body may hold.

    Args:
        model: the schema of `model`, and whether it must be given.
    """
    ours = read_schema("rerank_request")
    schema = _opened(ours)
    properties = {name: one for name, one in schema["properties"].items() if name != "extra"}
    required = list(schema["required"])
    for name, one in properties.items():
        if name not in required:
            one["type"] = [one["type"], "null"]
    own, is_needed = model
    properties["model"] = {"title": "Model", "description": "One of the models of /v1/models.", **own}
    properties["documents"] |= _DOCUMENTS
    properties["documents"]["items"] |= _OBJECTS
    properties |= _CREDENTIALS if config.server.allow_caller_credentials else _refused_credentials()
    return {
        "title": "Rerank request",
        "description": (
            "Null is the same as absent. Members that are not named here go to the provider as they are. An object "
            "among the documents needs no `text` if it has one of the rank_fields, which a schema cannot say."
        ),
        "type": "object",
        "required": ["model", *required] if is_needed else required,
        "properties": properties,
        "additionalProperties": _JSON_REFERENCE,
        "anyOf": _ALTERNATIVES,
    }


def response_schema() -> dict[str, Json]:
    """What a ranking is. A degraded answer that nothing ranked has no scores."""
    schema: dict[str, Any] = _opened(read_schema("rerank_response"))
    score = schema["properties"]["results"]["items"]["properties"]["relevance_score"]
    score["type"] = ["number", "null"]
    score["description"] += " Null where nothing ranked: see x-rankspec-degraded."
    meta = schema["properties"]["meta"]
    meta["required"] = ["api_version"]
    meta["examples"] = [
        {"api_version": {"version": "2", "is_experimental": False}, **example} for example in meta["examples"]
    ]
    return schema


def json_schema() -> dict[str, Json]:
    """Any value. That its numbers are finite goes without saying: JSON has no others."""
    schema: dict[str, Json] = _opened(read_schema("rerank_request")["$defs"]["json"])
    kept = {name: one for name, one in schema.items() if name not in ("minimum", "maximum")}
    return {**kept, "description": "Any JSON value."}


def _refused_credentials() -> dict[str, Json]:
    text = "Not taken here: the gateway has its own keys."
    return {name: {"type": "null", "description": text} for name in _CREDENTIALS}


def _opened(schema: Any) -> Any:
    """A schema of ours without what only we understand; `$defs/json` is a component."""
    if isinstance(schema, list):
        return [_opened(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _JSON_REFERENCE
    return {name: _opened(one) for name, one in schema.items() if name not in _OWN_KEYWORDS}
