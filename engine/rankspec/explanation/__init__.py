"""What a spec makes of one call, step by step, as values for people: what is sent and why, and how a reply is read.

Pure: replies are handed in, and nothing is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from rankspec.binding import Binding
from rankspec.disclosure import without_named
from rankspec.documents import DEFAULT_RANK_FIELDS, as_text
from rankspec.errors import RankspecError, RequestInvalid, redact
from rankspec.exchange import Rules, rerank_exchange, run_offline
from rankspec.explanation.found import Found, ReadReply, read_reply
from rankspec.explanation.given import Parameter, parameters
from rankspec.models import HttpRequest, HttpResponse, RerankRequest, RerankResponse
from rankspec.replies import is_retryable
from rankspec.specs import ModelSpec, ProviderSpec
from rankspec.strict_yaml import YamlFile

__all__ = ["Explanation", "Found", "Parameter", "ReadReply", "explain", "without_secrets"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """One call, step by step. Secrets are placeholders.

    Attributes:
        request: the validated request, without what was not given.
        model_id: the id that the provider knows the model by.
        model: what holds for this model; its `id` is the entry of `models` that it comes from, if there is one.
        documents_as_text: one text per document, in the caller's order; None for an object that has no text.
        requests: what is sent, in order; none if the error comes before.
        replies: the replies that were handed in, as far as they were read.
        response: what the call returns, if all its replies are there and it succeeds.
        error: what the call raises.
        is_retried: whether a real call would send the same again before it raises.
    """

    spec: ProviderSpec
    request: Mapping[str, Any]
    model_id: str | None
    model: ModelSpec
    documents_as_text: tuple[str | None, ...]
    parameters: tuple[Parameter, ...]
    requests: tuple[HttpRequest, ...]
    replies: tuple[ReadReply, ...] = ()
    response: RerankResponse | None = None
    error: RankspecError | None = None
    is_retried: bool = False


def explain(
    binding: Binding,
    request: RerankRequest,
    rules: Rules,
    files: Sequence[YamlFile] = (),
    replies: Sequence[HttpResponse] = (),
) -> Explanation:
    """The steps of one call, which is not made.

    Args:
        binding: the spec with what the caller brings, made with `placeholders=True`.
        files: the spec's file and then its parents', for lines.
        replies: what the provider answers to each request, in order. Those that are missing leave the call open.
    """
    spec = binding.spec
    model = spec.model(request.model)
    sent: list[HttpRequest] = []
    read: list[ReadReply] = []

    def answer(http: HttpRequest) -> HttpResponse | None:
        sent.append(without_secrets(http, binding, request.model))
        if len(read) == len(replies):
            return None
        reply = replies[len(read)]
        read.append(read_reply(spec, reply, files, binding.secrets))
        return reply

    response: RerankResponse | None = None
    error: RankspecError | None = None
    # A reply that asks for a retry ends the call here, and no time passes.
    try:
        response = run_offline(rerank_exchange(binding, request, rules.offline()), answer)
    except RankspecError as raised:
        error = raised
    return Explanation(
        spec,
        _given(request),
        spec.model_id(request.model),
        model,
        tuple(_text(request, position) for position in range(len(request.documents))),
        tuple(parameters(binding, model, request, rules)),
        tuple(sent),
        tuple(read),
        response,
        error,
        error is not None and rules.max_retries > 0 and is_retryable(error),
    )


def without_secrets(http: HttpRequest, binding: Binding, model: str | None) -> HttpRequest:
    """The request for people to see: the placeholders hide the key, but a caller's own headers may hold one as well.

    Args:
        binding: what the request was made with.
        model: the model of the call.
    """
    secrets = binding.secrets
    headers = without_named(http.headers, binding.headers(binding.spec.model_id(model)))
    headers = {name: redact(value, secrets) for name, value in headers.items()}
    return replace(http, url=redact(http.url, secrets), headers=headers)


def _given(request: RerankRequest) -> dict[str, Any]:
    values = {field.name: getattr(request, field.name) for field in fields(request)}
    return {name: value for name, value in values.items() if value is not None}


def _text(request: RerankRequest, position: int) -> str | None:
    try:
        return as_text(request.documents[position], request.rank_fields or DEFAULT_RANK_FIELDS, position)
    except RequestInvalid:
        return None
