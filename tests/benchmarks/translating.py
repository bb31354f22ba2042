"""One translation without HTTP: a caller's body to what the provider is sent, its reply to the caller's. Bytes on all sides.

It is what the gateway does between its sockets (routing, log and metrics apart), from the same functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from rankspec.binding import Arguments, Binding
from rankspec.catalog import Catalog
from rankspec.exchange import Rules, rerank_exchange, run_offline
from rankspec.gateway.edge.bodies import decode_json
from rankspec.gateway.edge.cohere import CohereDialect
from rankspec.models import HttpRequest, HttpResponse
from rankspec.parameters import validated

Answer = Callable[[HttpRequest], HttpResponse]

COHERE = "cohere/rerank-v3.5"
"""Its body is flat: the documents are one list."""

BEDROCK = "bedrock/cohere.rerank-v3-5:0"
"""Its body loops: an object of its own around each document."""

LOCAL = "local/bm25"
"""Answers inside the process."""

_UNSIGNED = {"Authorization": "none"}
"""A header of the caller's takes the place of the signature, which is a hash over the body and no translation."""


class Translation:
    """A provider, ready to be called.

    Args:
        model: provider/model.
        settings: the provider's own.
    """

    def __init__(self, model: str, settings: Mapping[str, str] | None = None) -> None:
        spec, self._model = Catalog(environ={}).resolve(model)
        arguments = Arguments("key", headers=_UNSIGNED if spec.name == "bedrock" else None, settings=settings)
        self._binding = Binding(spec, arguments, {})
        self._dialect = CohereDialect(2, needs_model=True)
        self._rules = Rules(max_retries=0)

    def __call__(self, body: bytes, answer: Answer) -> bytes:
        """The reply to a caller whose request is `body`, with what `answer` gives for the provider's."""
        asked = self._dialect.read(decode_json(body, raw_documents=self._dialect.takes_raw_documents))
        request = replace(validated(asked.values), model=self._model)
        response = run_offline(rerank_exchange(self._binding, request, self._rules), answer)
        return self._dialect.answer(asked, response).body


def bedrock() -> Translation:
    """The provider whose body loops, as it is called from a region."""
    return Translation(BEDROCK, {"region": "us-west-2"})


def always(reply: bytes) -> Answer:
    """A provider that always says the same."""
    headers = {"content-type": "application/json"}
    return lambda _: HttpResponse(200, headers, reply)
