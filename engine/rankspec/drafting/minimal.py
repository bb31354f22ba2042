"""The file to start from when there is no request to learn from: the least that loads, with comments on the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rankspec.drafting.layout import MODELINE
from rankspec.drafting.outcome import Draft
from rankspec.migrations import CURRENT_VERSION

_HEAD = """\
{modeline}spec_version: {version}
provider: {name} # the file must be called {name}.yaml
title: {title} # TODO: the name as people write it
# documentation: # TODO: the pages that tell of this API, each with the day it was read
#   - {{title: Rerank API, url: "https://docs.example.com/rerank", read: "2026-01-31"}}
# confidence: documented # or inferred, community
"""

_ENDPOINT = """
endpoint:
  base_url: https://api.example.com # TODO: the provider's own address
  base_url_env: [{prefix}_BASE_URL] # variables that replace it
"""

_WHOLE = """\
  path: /v1/rerank # TODO; a model in the path is {{{{ model }}}}, or {{{{ model | keep_slashes }}}}
  # headers: {{X-Api-Version: "1"}}

auth:
  kind: bearer # or header, query, basic, aws_sigv4, none
  key: {{env: [{prefix}_API_KEY]}}

request:
  body: # TODO: the provider's names on the left. A member whose value is absent is left out.
    model: "{{{{ model }}}}"
    query: "{{{{ query }}}}"
    documents: "{{{{ texts }}}}"
    top_n: "{{{{ top_n }}}}" # without it the engine cuts the results itself
    # Documents as objects: {{$for: document in documents, $item: {{text: "{{{{ document.text }}}}"}}}}

response: # TODO: JMESPath over the reply's body
  results: "results[].{{index: index, relevance_score: relevance_score}}"
  # For scores in the documents' order: "enumerate(scores)[].{{index: index, relevance_score: value}}"
  id: id
  # meta: {{tokens: {{input_tokens: usage.total_tokens}}}}

errors:
  message: [error.message, message, detail] # TODO: where an error reply has its text, tried in order

limits:
  documents: none # TODO: how many documents one request may hold

scoring:
  scale: unknown # TODO: probability, logit, cosine or unbounded
  mode: pointwise # TODO: listwise if a score depends on the other documents
"""

_EXAMPLES = """
# TODO: recorded calls, each of them a test. rankspec new --from-curl FILE --reply FILE writes one from a call.
# examples:
#   - title: a plain call
#     request: {{model: m, query: q, documents: [a, b]}}
#     sends: {{method: POST, url: "{url}", headers: {{...}}, body: {{...}}}}
#     reply: {{status: 200, body: {{...}}}}
#     returns: {{results: [{{index: 1, relevance_score: 0.9}}, {{index: 0, relevance_score: 0.1}}], meta: {{}}}}
"""

_EXTENDS = """\
extends: {parent}
# Whatever is not written here is as in {parent}. Objects are merged key by key, everything else replaces what
# {parent} has, and null removes it: {{request: {{body: {{top_n: null, top_k: "{{{{ top_n }}}}"}}}}}}
"""

_KEY = """
auth:
  key: {{env: [{prefix}_API_KEY]}}
"""

_REST = "the path, the body, the mapping of replies, the limits and the scale of the scores"


def minimal_draft(name: str, parent: str | None = None, parent_data: Mapping[str, Any] | None = None) -> Draft:
    """A commented file for a provider: a whole one, or one that says only what differs from its parent.

    Args:
        name: the provider's name.
        parent: the spec that it extends.
        parent_data: the parent's data, by which it is known what is worth repeating.
    """
    values: dict[str, Any] = {"modeline": MODELINE, "version": CURRENT_VERSION}
    values |= {"name": name, "prefix": name.upper(), "title": name.replace("_", " ").title()}
    if parent is None:
        values["url"] = "https://api.example.com/v1/rerank"
        text = _HEAD + _ENDPOINT + _WHOLE + _EXAMPLES
        remaining = [f"endpoint.base_url, and whatever is marked TODO: {_REST}"]
    else:
        data = parent_data or {}
        values["parent"] = parent
        values["url"] = "https://api.example.com" + _path(data)
        text = _HEAD + _EXTENDS + _ENDPOINT + (_KEY if _has_key(data) else "") + _EXAMPLES
        remaining = [f"endpoint.base_url, and what else differs from {parent}"]
    return Draft(text.format(**values), remaining=(*remaining, "examples: no call is recorded yet"))


def _has_key(data: Mapping[str, Any]) -> bool:
    auth = data.get("auth")
    return isinstance(auth, dict) and "key" in auth


def _path(data: Mapping[str, Any]) -> str:
    path = data.get("endpoint", {}).get("path", "")
    return path if isinstance(path, str) and "{" not in path else "/..."
