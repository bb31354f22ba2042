"""rerankers: its API ranker, which takes the whole URL of an endpoint and the name of its dialect."""

from __future__ import annotations

from typing import Any

from calls import answer_calls
from rerankers.models.api_rankers import APIRanker


def call(asked: dict[str, Any]) -> Any:
    """One call of `rank`. `client` is the dialect."""
    arguments = asked["arguments"]
    url = asked["base_url"] + asked["path"]
    ranker = APIRanker(arguments["model"], asked["api_key"], asked["client"], verbose=0, url=url)
    ranked = ranker.rank(query=arguments["query"], docs=arguments["documents"])
    return [{"index": one.document.doc_id, "score": one.score} for one in ranked.results]


answer_calls(call)
