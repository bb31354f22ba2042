"""The requests and replies that are measured. Nothing is random: every run sends the same bytes."""

from __future__ import annotations

import json
from typing import Any

KEY = "sk-benchmark"
QUERY = "Where is crème brûlée served?"
_SENTENCE = "The capital’s café serves “crème brûlée” — and <b>bread</b> with butter, says the guide. "
_PLAIN = 'The capital\'s cafe serves "creme brulee" - and <b>bread</b> with butter, says the guide. '


def documents(count: int, size: int, *, is_ascii: bool = False) -> list[str]:
    """So many texts of so many bytes each, no two alike; some of the characters are not ASCII unless asked."""
    sentence = _PLAIN if is_ascii else _SENTENCE
    text = (sentence * (size // len(sentence) + 1)).encode()
    return [(f"{at} ".encode() + text)[:size].decode(errors="ignore") for at in range(count)]


def asked(count: int, size: int, *, model: str = "rerank-v3.5", is_ascii: bool = False) -> dict[str, Any]:
    """What a caller asks."""
    query = QUERY.encode("ascii", "ignore").decode() if is_ascii else QUERY
    return {"model": model, "query": query, "documents": documents(count, size, is_ascii=is_ascii)}


def body(value: Any) -> bytes:
    """A value as clients send it: compact JSON, characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def cohere_reply(count: int) -> bytes:
    """A reply of Cohere's: one result for each document, by falling score."""
    results = [{"index": index, "relevance_score": score} for index, score in _ranking(count)]
    meta = {"api_version": {"version": "2"}, "billed_units": {"search_units": max(1, count // 100)}}
    return body({"id": "0a1b2c3d-0000-4000-8000-000000000000", "results": results, "meta": meta})


def bedrock_reply(count: int) -> bytes:
    """A reply of Bedrock's: one result for each document, by falling score."""
    return body({"results": [{"index": index, "relevanceScore": score} for index, score in _ranking(count)]})


def _ranking(count: int) -> list[tuple[int, float]]:
    """The documents' indexes in no apparent order, each once, with falling scores."""
    # 7919 is a prime, and no count that is measured is a multiple of it.
    return [(at * 7919 % count, round(1 - (at + 0.1234567) / (count + 1), 8)) for at in range(count)]


def as_http(reply: bytes) -> bytes:
    """A reply with its head, as the provider in C sends it."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(reply)}\r\n\r\n"
    return head.encode() + reply
