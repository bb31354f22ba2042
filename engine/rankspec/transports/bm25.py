"""BM25 over the documents of one request, by bm25s. The service behind local://bm25.

Scores depend on all documents of the request, through each term's rarity. Source: the bm25s README, read 2026-11-23.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import bm25s
import numpy
import Stemmer
from bm25s.tokenization import STOPWORDS_EN

from rankspec.models import Json
from rankspec.transports.in_process import BadRequest

# Words, and for scripts that are written without spaces single characters.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0e7f"
_TOKEN = rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+"
_STOP_WORDS = {"english": list(STOPWORDS_EN)}


def answer(body: Json) -> Json:
    """The reply to {"query", "documents", "top_n"?, "language"?}: {"results": [{"index", "relevance_score"}]}.

    Raises:
        BadRequest: the language is none that the stemmer knows.
    """
    query, documents = body["query"], body["documents"]
    scores = _scores(query, documents, body.get("language", "english"))
    # A stable sort of the negated scores keeps tied documents in their order.
    order = numpy.argsort(-scores, kind="stable")[: body.get("top_n") or len(documents)]
    return {"results": [{"index": int(index), "relevance_score": float(scores[index])} for index in order]}


def _scores(query: str, documents: list[str], language: str) -> Any:
    options: dict[str, Any] = {
        "token_pattern": _TOKEN,
        "stopwords": _STOP_WORDS.get(language),
        "stemmer": _stemmer(language),
        "show_progress": False,
    }
    corpus = bm25s.tokenize(documents, return_ids=True, **options)
    terms = bm25s.tokenize([query], return_ids=False, **options)[0]
    known = [term for term in terms if term in corpus.vocab]
    if not known:
        return numpy.zeros(len(documents))
    index = bm25s.BM25()
    index.index(corpus, show_progress=False)
    return index.get_scores(known)


@cache
def _stemmer(language: str) -> Any:
    if language == "none":
        return None
    try:
        return Stemmer.Stemmer(language)
    except KeyError:
        known = ", ".join(Stemmer.algorithms())
        raise BadRequest(f"no stemmer knows the language '{language}'; known are none, {known}") from None
