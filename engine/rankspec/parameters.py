"""The caller's request: from loose arguments to `RerankRequest`, and what a provider makes of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import orjson

from rankspec.documents import longer_than
from rankspec.errors import RequestInvalid
from rankspec.models import Json, Path, Policy, Problem, RerankRequest
from rankspec.raw_texts import RawTexts
from rankspec.resources import read_schema
from rankspec.specs import UNSUPPORTABLE, Limits, ModelSpec, ProviderSpec
from rankspec.validation import Validator

_WHOLE_NUMBERS = ("top_n", "max_chunks_per_doc", "max_tokens_per_doc", "priority")


@cache
def _validator() -> Validator:
    return Validator(read_schema("rerank_request"))


def validated(values: Mapping[str, Any]) -> RerankRequest:
    """The request that these values make. None means: not given.

    Raises:
        RequestInvalid: with everything that is wrong.
    """
    given = {name: value for name, value in values.items() if value is not None}
    documents = given.get("documents")
    if type(documents) is RawTexts:
        # Whoever made them has seen that they are texts and not blank: one stands for all.
        given["documents"] = ["text"][: len(documents)]
    problems = _validator().problems(given)
    if problems:
        raise RequestInvalid(problems)
    given["documents"] = documents
    for name in _WHOLE_NUMBERS:
        if type(number := given.get(name)) is float:
            given[name] = int(number)  # JSON Schema counts 2.0 as a whole number.
    return RerankRequest(**given)


def check_parameters(spec: ProviderSpec, model: ModelSpec, request: RerankRequest, policy: Policy) -> list[str]:
    """The warnings about parameters that the provider does not know.

    Raises:
        RequestInvalid: there are some and the policy is "error", or the provider needs a model and none is named.
    """
    if spec.needs_model and request.model is None:
        raise RequestInvalid([Problem(("model",), f"{spec.name} needs a model: write {spec.name}/MODEL")])
    known = model.body.names
    unknown = [name for name in UNSUPPORTABLE if getattr(request, name) is not None and name not in known]
    if unknown and policy == "error":
        raise RequestInvalid([Problem((name,), f"is not supported by {spec.name}") for name in unknown])
    if policy == "ignore":
        return []
    return [f"{name} is not supported by {spec.name} and was ignored" for name in unknown]


def check_limits(spec: ProviderSpec, limits: Limits, request: RerankRequest) -> None:
    """Check the lengths that the provider takes.

    Raises:
        RequestInvalid: the query or a document is too long; all of them are named.
    """
    problems: list[Problem] = []
    most = limits.query_characters
    if most is not None and len(request.query) > most:
        problems.append(_too_long(("query",), len(request.query), most, spec))
    most = limits.document_characters
    if most is not None:
        for position, length in longer_than(request.documents, most):
            problems.append(_too_long(("documents", position), length, most, spec))
    if problems:
        raise RequestInvalid(problems)


def _too_long(path: Path, length: int, most: int, spec: ProviderSpec) -> Problem:
    return Problem(path, f"has {length} characters, but {spec.name} takes at most {most}; shorten it")


def too_many_documents(spec: ProviderSpec, request: RerankRequest, why: str) -> RequestInvalid:
    """The error for a request that is too large and cannot be split."""
    message = (
        f"{len(request.documents)} are too many: {spec.name} {why}, and they cannot be split over several requests "
        "without changing the ranking; send fewer"
    )
    return RequestInvalid([Problem(("documents",), message)])


def merge_extra(spec: ProviderSpec, body: Json, extra: Mapping[str, Any], path: Path = ("extra",)) -> Json:
    """The body with the caller's provider-only parameters added.

    Raises:
        RequestInvalid: the spec sends one of them itself.
    """
    if not isinstance(body, dict):
        raise RequestInvalid([Problem(path, f"cannot be added: what {spec.name} is sent is no object here")])
    merged = dict(body)
    for name, value in extra.items():
        here = (*path, name)
        if name not in merged:
            merged[name] = value
        elif isinstance(merged[name], dict) and isinstance(value, Mapping):
            merged[name] = merge_extra(spec, merged[name], value, here)
        elif _decoded(merged[name]) != value:
            raise RequestInvalid([Problem(here, f"is a field that the spec of {spec.name} sends itself")])
    return merged


def _decoded(value: Json) -> Json:
    """What a value says, with that of the fragments in it."""
    if isinstance(value, orjson.Fragment):
        return orjson.loads(orjson.dumps(value))
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if isinstance(value, dict):
        return {name: _decoded(member) for name, member in value.items()}
    return value
