"""What a page of a finding's code is made of, and the small spec that its examples stand in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from rankspec.models import Severity

BASE = """\
spec_version: 2
provider: toy
title: Toy
documentation:
  - {title: Rerank, url: "https://toy.example/docs/rerank", read: "2026-01-15"}
confidence: documented

endpoint:
  base_url: https://api.toy.example
  path: /v1/rerank

auth:
  kind: bearer
  key: {env: [TOY_API_KEY]}

request:
  body:
    model: "{{ model }}"
    query: "{{ query }}"
    documents: "{{ texts }}"
    top_n: "{{ top_n }}"

response:
  results: "results[].{index: index, relevance_score: score}"
  id: id

errors:
  message: [error.message]

limits:
  documents: 1000

scoring:
  scale: probability
  mode: pointwise

examples:
  - title: a plain call
    request: {model: toy-1, query: capital of france, documents: [paris, rome]}
    sends:
      method: POST
      url: https://api.toy.example/v1/rerank
      headers: {Authorization: "Bearer <key>"}
      body: {model: toy-1, query: capital of france, documents: [paris, rome]}
    reply:
      status: 200
      body: {id: r-1, results: [{index: 0, score: 0.9}, {index: 1, score: 0.1}]}
    returns:
      id: r-1
      results: [{index: 0, relevance_score: 0.9}, {index: 1, relevance_score: 0.1}]
      meta: {}
  - title: top_n is sent, and the query looks like a number
    request: {model: toy-1, query: "1234", documents: [paris, rome], top_n: 1}
    sends:
      method: POST
      url: https://api.toy.example/v1/rerank
      body: {model: toy-1, query: "1234", documents: [paris, rome], top_n: 1}
    reply: {status: 200, body: {id: r-2, results: [{index: 1, score: 0.8}]}}
    returns: {id: r-2, results: [{index: 1, relevance_score: 0.8}], meta: {}}
  - title: objects are sent as text, and the scores are neither sorted nor distinct
    request: {model: toy-1, query: capital of france, documents: [rome, {text: berlin}, {text: paris}]}
    sends:
      method: POST
      url: https://api.toy.example/v1/rerank
      body: {model: toy-1, query: capital of france, documents: [rome, berlin, paris]}
    reply:
      status: 200
      body: {id: r-3, results: [{index: 1, score: 0.1}, {index: 0, score: 0.1}, {index: 2, score: 0.9}]}
    returns:
      id: r-3
      results: [{index: 2, relevance_score: 0.9}, {index: 0, relevance_score: 0.1}, {index: 1, relevance_score: 0.1}]
      meta: {}
  - title: the key is refused
    request: {model: toy-1, query: capital of france, documents: [paris]}
    sends:
      method: POST
      url: https://api.toy.example/v1/rerank
      body: {model: toy-1, query: capital of france, documents: [paris]}
    reply: {status: 401, body: {error: {message: invalid key}}}
    raises: {error: AuthenticationRejected, message: invalid key}
"""
"""A complete spec without a fault."""

_TOP_LEVEL_KEY = re.compile(r"^([a-z_]+):", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Page:
    """What there is to say of one code.

    Attributes:
        severity: what findings of this code usually are.
        title: what is wrong, in one line.
        what: what the check found, in a few sentences.
        why: what comes of it.
        bad: top-level keys of a spec that has the fault; all others are those of `BASE`.
        good: the same keys as they should be.
        is_whole: `bad` and `good` are whole files.
        is_config: it is about a gateway's config, and not about a spec.
    """

    severity: Severity
    title: str
    what: str
    why: str
    bad: str
    good: str
    is_whole: bool = False
    is_config: bool = False

    def file(self, fragment: str) -> str:
        """The whole file that `bad` or `good` stands for."""
        return fragment if self.is_whole else filled(fragment)


def filled(fragment: str) -> str:
    """`BASE` with the top-level keys of `fragment` in place of its own; keys that it lacks stand at its end.

    Keys are taken as they are written, so that a fragment need not be YAML.
    """
    blocks = _blocks(BASE)
    for key, text in _blocks(fragment).items():
        blocks[key] = text
    return "".join(blocks.values())


def _blocks(text: str) -> dict[str, str]:
    """The text of each top-level key; that of a repeated key is joined."""
    starts = [match.start() for match in _TOP_LEVEL_KEY.finditer(text)]
    blocks: dict[str, str] = {}
    for start, end in pairwise([*starts, len(text)]):
        block = text[start:end]
        key = block.partition(":")[0]
        blocks[key] = blocks.get(key, "") + block
    return blocks
