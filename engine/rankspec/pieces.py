"""What one call sends: its documents, in as many requests as the provider needs, each rendered as a body. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

import orjson

from rankspec.binding import Binding
from rankspec.documents import DocumentForms, sent_texts
from rankspec.errors import RequestInvalid, SpecInvalid
from rankspec.lengths import estimated_tokens
from rankspec.long_documents import Fitted
from rankspec.models import Finding, Problem, RerankRequest
from rankspec.parameters import merge_extra, too_many_documents
from rankspec.raw_texts import RawTexts
from rankspec.specs import ModelSpec
from rankspec.splitting import Budget, ranges
from rankspec.templates import TemplateFailed, body_scope
from rankspec.validation import unsendable
from rankspec.vocabulary import WHOLE_EXTRA


@dataclass(slots=True)
class Piece:
    """Some of the documents, ready to be sent in one request; `start` is the first one's position in the list."""

    start: int
    forms: DocumentForms
    body: bytes


class Pieces:
    """The pieces of one call.

    Args:
        request: what the caller asks.
        fitted: what became of its long documents, if something had to.

    Attributes:
        owners: for each document that is sent, the position of the caller's that it is of; None if each is its own.
    """

    __slots__ = ("_binding", "_documents", "_model", "_model_id", "_rank_fields", "_request", "owners")

    def __init__(self, binding: Binding, model: ModelSpec, request: RerankRequest, fitted: Fitted | None) -> None:
        self._binding = binding
        self._model = model
        self._model_id = binding.spec.model_id(request.model)
        self._request = request
        self._documents = request.documents
        self._rank_fields = request.rank_fields
        self.owners: Sequence[int] | None = None
        if fitted is not None:
            self._documents, self.owners = fitted.documents, fitted.owners
            if fitted.are_flattened:
                self._rank_fields = None
        elif type(self._documents) is RawTexts and model.limits.request_bytes is not None:
            self._documents = self._documents.decoded()  # Raw ones may be longer than as they are written here.

    @property
    def document_count(self) -> int:
        """How many documents are sent."""
        return len(self._documents)

    def cut(self) -> list[Piece]:
        """The pieces, in the documents' order.

        Raises:
            RequestInvalid: they are too large, and cannot be split or not further.
            SpecInvalid: the template fails on this request.
        """
        return [piece for start, stop in self._ranges() for piece in self._within_bytes(start, stop)]

    def top_n(self, count: int) -> int | None:
        """How many results a request for so many documents asks for; None for all of them."""
        top_n = self._request.top_n
        # The best few of several documents' chunks may all be of one document.
        return None if top_n is None or self.owners else min(top_n, count)

    def body(self, forms: DocumentForms, next_token: str | None) -> bytes:
        """The body of a request for documents, or for a later page of their results.

        Raises:
            RequestInvalid: something in the request cannot be written as JSON, or is written by the spec itself.
            SpecInvalid: the template fails on this request.
        """
        request, template = self._request, self._model.body
        values = {
            "model": self._model_id,
            "query": request.query,
            "top_n": self.top_n(len(forms)),
            "return_documents": request.return_documents,
            "rank_fields": self._rank_fields,
            "max_chunks_per_doc": request.max_chunks_per_doc,
            "max_tokens_per_doc": request.max_tokens_per_doc,
            "priority": request.priority,
            "relevant_spans": request.relevant_spans,
            "instruction": request.instruction,
            "settings": self._binding.settings,
            "extra": request.extra,
            "next_token": next_token,
        }
        spec = self._binding.spec
        try:
            body = template.render(body_scope(forms, template.names, values))
        except TemplateFailed as error:
            finding = Finding("error", "template-failed", spec.file, 1, 1, ("request", "body"), str(error))
            raise SpecInvalid([finding]) from error
        if request.extra and WHOLE_EXTRA not in template.names:
            left_over = {name: value for name, value in request.extra.items() if f"extra.{name}" not in template.names}
            body = merge_extra(spec, body, left_over) if left_over else body
        try:
            return orjson.dumps(body)
        except TypeError as error:
            raise self._unsendable(error) from None

    def _unsendable(self, error: TypeError) -> RequestInvalid:
        given = {name: getattr(self._request, name) for name in RerankRequest.__slots__ if name != "top_n"}
        problems = unsendable({**given, "settings": self._binding.settings})
        return RequestInvalid(problems or [Problem((), f"cannot be written as JSON: {error}")])

    def _ranges(self) -> list[tuple[int, int]]:
        """Where each request's documents begin and end, as far as that is known before they are rendered."""
        limits, count = self._model.limits, len(self._documents)
        size = limits.documents or count
        if count > size and not self._model.is_pointwise:
            self._refuse(f"takes {size} documents at a time")
        budgets: list[Budget] = []
        if limits.request_characters is not None:
            budgets.append(self._budget(limits.request_characters, len))
            if not self._model.is_pointwise and len(ranges(count, size, budgets)) > 1:
                self._refuse(f"takes {limits.request_characters} characters at a time")
        if limits.request_tokens is not None and self._model.is_pointwise:
            budgets.append(self._budget(limits.request_tokens, estimated_tokens))
        return ranges(count, size, budgets)

    def _refuse(self, why: str) -> NoReturn:
        counted = f"{len(self._documents)}" + (" chunks of them" if self.owners else "")
        raise too_many_documents(self._binding.spec, counted, why)

    def _budget(self, limit: int, measure: Callable[[str], int]) -> Budget:
        query, is_per_document = measure(self._request.query), self._model.limits.counts_query_per_document
        beside = query if is_per_document else 0
        costs = [measure(text) + beside for text in sent_texts(self._documents, self._rank_fields)]
        return Budget(limit, 0 if is_per_document else query, costs)

    def _within_bytes(self, start: int, stop: int) -> list[Piece]:
        """The documents from `start` to `stop`, in one request or, if its bytes are too many, in halves."""
        forms = self._forms(start, stop)
        body = self.body(forms, None)
        limit = self._model.limits.request_bytes
        if limit is None or len(body) <= limit:
            return [Piece(start, forms, body)]
        name = self._binding.spec.name
        if stop - start == 1:
            message = f"makes a request of {len(body)} bytes, but {name} takes at most {limit}; shorten it"
            position = self.owners[start] if self.owners else start
            raise RequestInvalid([Problem(("documents", position), message)])
        if not self._model.is_pointwise:
            self._refuse(f"takes {limit} bytes at a time, and this is {len(body)}")
        middle = (start + stop) // 2
        return [*self._within_bytes(start, middle), *self._within_bytes(middle, stop)]

    def _forms(self, start: int, stop: int) -> DocumentForms:
        documents, body = self._documents, self._model.body
        if start or stop < len(documents):
            documents = documents[start:stop]
        fields = self._rank_fields
        flatten = fields is not None and "rank_fields" not in body.names
        return DocumentForms(
            documents, fields, flatten=flatten, offset=start, owners=self.owners, inspected=body.inspected
        )
