"""What becomes of documents that are longer than a provider takes: sent, refused, cut, or scored in chunks. Pure.

Limits in characters are exact. Those in tokens are compared with an estimate: see `lengths.estimated_tokens`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice, repeat
from operator import itemgetter
from typing import Any

from rankspec.contract import Scored
from rankspec.documents import MEDIA, medium, texts_of
from rankspec.errors import RequestInvalid
from rankspec.lengths import TextLimit, estimated_tokens
from rankspec.models import ChunkScore, Document, LongDocuments, Problem, RerankRequest
from rankspec.parameters import SHORTEN
from rankspec.specs import Limits, ModelSpec, ProviderSpec

_LEAST_SHARE_OF_A_DOCUMENT = 4
"""A quarter of what query and document may have together is left to the document, however long the query is."""

MAX_CHUNKS = 100_000
"""So many chunks are made of the documents of one call. A caller may ask for chunks of one token of 64 MiB."""

_TOLD = {"max": "the highest", "mean": "the mean", "first": "the first"}


@dataclass(slots=True)
class Fitted:
    """The documents as they are sent.

    Attributes:
        documents: the caller's own, or what they were made.
        owners: for each, the position of the caller's document that it is of; None if each is its own.
        are_flattened: whether all objects became text, so that there are no fields to rank any more.
        warning: what was done, and with how many.
    """

    documents: Sequence[Document]
    owners: list[int] | None
    are_flattened: bool
    warning: str


def document_limit(model: ModelSpec, request: RerankRequest) -> TextLimit:
    """How long one document of a request may be, whatever else is in it.

    The caller's max_tokens_per_doc counts too where the provider does not know it.
    """
    limits, query = model.limits, request.query
    characters = [limits.document_characters]
    if limits.request_characters is not None:
        characters.append(limits.request_characters - len(query))
    tokens = [limits.document_tokens, *_beside(query, limits)]
    if "max_tokens_per_doc" not in model.body.names:
        tokens.append(request.max_tokens_per_doc)
    return TextLimit(_least(characters), _least(tokens))


def _beside(query: str, limits: Limits) -> Iterator[int]:
    """The tokens that a query leaves to a document."""
    for together in (limits.pair_tokens, limits.request_tokens):
        if together is not None:
            yield max(together - estimated_tokens(query), together // _LEAST_SHARE_OF_A_DOCUMENT)


def _least(numbers: Iterable[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return max(1, min(known)) if known else None


def fit(
    spec: ProviderSpec, model: ModelSpec, request: RerankRequest, policy: LongDocuments, chunk_score: ChunkScore
) -> Fitted | None:
    """The documents of a request, none longer than the provider takes; None if they are sent as they are.

    Raises:
        RequestInvalid: the policy is to refuse long ones, and there are some; all of them are named.
    """
    limit = document_limit(model, request)
    if policy == "send" or limit == TextLimit():
        return None
    texts = [*texts_of(request.documents, request.rank_fields)]
    long = [position for position, text in enumerate(texts) if text is not None and not limit.fits(text)]
    if not long:
        return None
    if policy == "refuse":
        message = f"is longer than the {limit} that {spec.name} takes of it; {SHORTEN}"
        raise RequestInvalid([Problem(("documents", position), message) for position in long])
    pieces = _cut(texts, long, limit, policy, chunk_score)
    documents, are_flattened = _with_pieces(request, texts, pieces)
    were = "document was" if len(long) == 1 else "documents were"
    told = f"{len(long)} {were} longer than {limit}, and cut"
    if policy == "truncate":
        return Fitted(documents, None, are_flattened, told)
    owners = [position for position in range(len(texts)) for _ in pieces.get(position, ("whole",))]
    total = sum(map(len, pieces.values()))
    told += f" into {total} chunks; a document's score is {_TOLD[chunk_score]} of its chunks"
    return Fitted(documents, owners, are_flattened, told)


def _cut(
    texts: Sequence[str | None], long: Iterable[int], limit: TextLimit, policy: LongDocuments, chunk_score: ChunkScore
) -> dict[int, list[str]]:
    """What each long document is sent as, by its position.

    Raises:
        RequestInvalid: more than MAX_CHUNKS would be.
    """
    pieces: dict[int, list[str]] = {}
    left = MAX_CHUNKS
    for position in long:
        text = texts[position] or ""
        head, chunks = limit.head(text), limit.chunks(text)
        if policy == "truncate":
            pieces[position] = [head if head.strip() else next(chunks, head)]
        elif chunk_score == "first":
            pieces[position] = [next(chunks, head)]
        else:  # There may be none: what is blank to Python need not be blank to Unicode, and so to callers.
            pieces[position] = list(islice(chunks, left + 1)) or [head]
            left -= len(pieces[position])
        if left < 0:
            message = f"makes more than {MAX_CHUNKS} chunks of {limit}; shorten it, or pass long_documents=truncate"
            raise RequestInvalid([Problem(("documents", position), message)])
    return pieces


def _with_pieces(
    request: RerankRequest, texts: Sequence[str | None], pieces: Mapping[int, list[str]]
) -> tuple[list[Document], bool]:
    """All documents with the pieces in place of the long ones, and whether all became text for that.

    A piece is a text, or an object of that and the picture that stood beside it. Other objects can stay, unless it is
    by fields that they are ranked.
    """
    documents = request.documents
    flatten = request.rank_fields is not None and any(isinstance(documents[position], dict) for position in pieces)
    sent: list[Document] = []
    for position, (document, text) in enumerate(zip(documents, texts, strict=True)):
        if position in pieces:
            sent += [_with_text(document, piece) for piece in pieces[position]]
        else:
            sent.append(_with_text(document, text) if flatten and text is not None else document)
    return sent, flatten


def _with_text(document: Document, text: str) -> Document:
    """A text in place of what a document has; its image or video stays."""
    if isinstance(document, dict) and any(medium(document, kind) for kind in MEDIA):
        return {**document, "text": text}
    return text


def whole(scored: Scored, owners: Sequence[int], chunk_score: ChunkScore) -> Scored:
    """One result for each of the caller's documents, from those of what was sent.

    The raw score of the best of several chunks is told too, but nothing that the provider said of a mere piece's text.
    """
    indexes, scores, more = scored
    rows = [*zip(indexes, scores, repeat(None) if more is None else more, strict=False)]
    rows.sort(key=itemgetter(0))  # By chunks, and so by owners.
    found, best, said = [], [], []
    for owner, group in groupby(rows, key=lambda row: owners[row[0]]):
        chunks = [*group]
        _, score, item = chunks[0]
        if len(chunks) > 1:
            score, item = _combined(chunks, chunk_score)
        found.append(owner)
        best.append(score)
        said.append(item)
    return Scored(found, best, said if any(said) else None)


def _combined(
    chunks: Sequence[tuple[int, float, Mapping[str, Any] | None]], chunk_score: ChunkScore
) -> tuple[float, Mapping[str, Any] | None]:
    """The score of several chunks, and what is told besides."""
    _, best, item = max(chunks, key=itemgetter(1))
    if chunk_score == "max":
        return best, item and {"raw_score": item.get("raw_score")}
    scores = [score for _, score, _ in chunks]
    mean = sum(score / len(scores) for score in scores)
    return max(min(scores), min(best, mean)), None  # Rounding leads out of the range, and equal ones would not tie.
