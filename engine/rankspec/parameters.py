"""The caller's request: from loose arguments to `RerankRequest`, and what a provider makes of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from operator import attrgetter
from typing import Any

import orjson

from rankspec.documents import DEFAULT_RANK_FIELDS, MEDIA, are_texts, longer_than, media_kind
from rankspec.errors import RequestInvalid
from rankspec.models import Json, LongDocuments, Path, Policy, Problem, RerankRequest
from rankspec.raw_texts import RawTexts
from rankspec.resources import read_schema
from rankspec.specs import UNSUPPORTABLE, Limits, ModelSpec, ProviderSpec
from rankspec.validation import Validator

SHORTEN = "shorten it, or pass long_documents=truncate or chunk"
"""What to do about a document that is too long."""

BY_LENGTH = ("refuse", "truncate", "chunk")
"""What is done with long documents that makes a limit of the caller's own count."""

_unsupportable = attrgetter(*UNSUPPORTABLE)
_NONE_GIVEN = (None,) * len(UNSUPPORTABLE)

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
    if float in map(type, given.values()):
        for name in _WHOLE_NUMBERS:
            if type(number := given.get(name)) is float:
                given[name] = int(number)  # JSON Schema counts 2.0 as a whole number.
    return RerankRequest(**given)


def check_parameters(
    spec: ProviderSpec,
    model: ModelSpec,
    request: RerankRequest,
    policy: Policy,
    long_documents: LongDocuments | None = None,
) -> list[str]:
    """The warnings about parameters that the provider does not know.

    Args:
        long_documents: what is done with long documents: the caller's own limit of tokens may be honoured by that.

    Raises:
        RequestInvalid: there are some and the policy is "error", or the provider needs a model and none is named.
    """
    if spec.needs_model and request.model is None:
        raise RequestInvalid([Problem(("model",), f"{spec.name} needs a model: write {spec.name}/MODEL")])
    given = _unsupportable(request)
    if given == _NONE_GIVEN:
        return []
    known = model.body.names
    unknown = [
        name for name, value in zip(UNSUPPORTABLE, given, strict=True) if value is not None and name not in known
    ]
    if long_documents in BY_LENGTH and "max_tokens_per_doc" in unknown:
        unknown.remove("max_tokens_per_doc")  # It is a limit among others then.
    if unknown and policy == "error":
        raise RequestInvalid([Problem((name,), f"is not supported by {spec.name}") for name in unknown])
    if policy == "ignore":
        return []
    return [f"{name} is not supported by {spec.name} and was ignored" for name in unknown]


def check_media(spec: ProviderSpec, model: ModelSpec, request: RerankRequest) -> None:
    """Check that documents which are no text are of a kind that the model takes.

    Raises:
        RequestInvalid: some are not; all of them are named.
    """
    if are_texts(request.documents):
        return
    fields = DEFAULT_RANK_FIELDS if request.rank_fields is None else request.rank_fields
    taken = _media(model)
    problems = [
        Problem(("documents", position), _not_taken(kind, spec, request.model))
        for position, document in enumerate(request.documents)
        if (kind := media_kind(document, fields)) is not None and kind not in taken
    ]
    if problems:
        raise RequestInvalid(problems)


def _media(model: ModelSpec) -> set[str]:
    """The kinds of documents besides text that a model takes."""
    return {kind for kind in MEDIA if f"document.{kind}" in model.body.names}


def _not_taken(kind: str, spec: ProviderSpec, model: str | None) -> str:
    named = f"{model} of {spec.name}" if model else spec.name
    able = [name for name, one in spec.models.items() if kind in _media(one)]
    article = "an" if kind == "image" else "a"
    hint = f"; {', '.join(able)} would" if able else ""
    return f"is {article} {kind}, and {named} takes none{hint}"


def check_limits(
    spec: ProviderSpec, limits: Limits, request: RerankRequest, long_documents: LongDocuments | None = None
) -> None:
    """Check the lengths in characters that the provider takes.

    Args:
        long_documents: what is done with long documents; unless None, they are not looked at here.

    Raises:
        RequestInvalid: the query or a document is too long; all of them are named.
    """
    of_query, of_document, together = limits.query_characters, limits.document_characters, limits.request_characters
    if of_query is None and of_document is None and together is None:
        return
    query = len(request.query)
    beside = None if together is None else together - 1  # For a document's one.
    problems = [
        _too_long(("query",), query, most, spec) for most in (of_query, beside) if most is not None and query > most
    ]
    if long_documents is None:
        if of_document is not None:
            for position, length in longer_than(request.documents, of_document):
                problems.append(_too_long(("documents", position), length, of_document, spec))
        if together is not None and query < together:
            for position, length in longer_than(request.documents, together - query):
                problems.append(_too_long_together(position, length, query, together, spec))
    if problems:
        raise RequestInvalid(problems)


def _too_long_together(position: int, length: int, query: int, most: int, spec: ProviderSpec) -> Problem:
    message = f"has {length} characters and the query {query}, but {spec.name} takes at most {most} together; {SHORTEN}"
    return Problem(("documents", position), message)


def _too_long(path: Path, length: int, most: int, spec: ProviderSpec) -> Problem:
    what_to_do = "shorten it" if path == ("query",) else SHORTEN
    return Problem(path, f"has {length} characters, but {spec.name} takes at most {most}; {what_to_do}")


def too_many_documents(spec: ProviderSpec, counted: str, why: str) -> RequestInvalid:
    """The error for a request that is too large and cannot be split."""
    message = (
        f"{counted} are too many: {spec.name} {why}, and they cannot be split over several requests "
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
