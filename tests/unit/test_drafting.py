"""A request and its reply become a spec: what is found by value, what is guessed, and that no key is written."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rankspec.catalog import Catalog
from rankspec.checks import check_text, replay
from rankspec.drafting import Draft, DraftFailed, draft_from_curl, minimal_draft
from rankspec.drafting.layout import layout
from rankspec.errors import SpecNotFound
from rankspec.specs import load_spec
from rankspec.strict_yaml import read_yaml

URL = "https://api.acme.example/v1/rerank"
KEY = "sk-live-0123456789abcdef"
BODY = {"model": "m", "query": "q", "documents": ["aa", "bb"]}
REPLY = {"results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]}


def no_parent(name: str) -> Any:
    raise SpecNotFound(f"no spec is called '{name}'", name=name)


def no_file(name: str) -> str:
    raise AssertionError(name)


def draft(sent: Any = BODY, reply: Any = REPLY, options: str = "", url: str = URL) -> tuple[Draft, dict[str, Any]]:
    """The draft of a call and the values of its file."""
    curl = f"curl '{url}' {options} -d {shlex.quote(json.dumps(sent, ensure_ascii=False))}"
    made = draft_from_curl("acme", curl, None if reply is None else json.dumps(reply), no_file)
    return made, read_yaml(made.text, "acme.yaml").data


def told(made: Draft) -> str:
    return "\n".join([made.text, *made.guesses, *made.remaining, *made.notes])


WHOLE = """\
# yaml-language-server: $schema=provider_spec.schema.json
spec_version: 2
provider: acme
title: Acme # guessed: the name as people write it
confidence: inferred

# TODO: the pages that tell of this API, each with the day it was read:
# documentation:
#   - {title: Rerank API, url: "https://docs.example.com/rerank", read: "2026-01-31"}

endpoint:
  base_url: https://api.acme.example
  path: /v1/rerank

auth:
  kind: bearer
  key: {env: [ACME_API_KEY]}

request:
  body:
    model: "{{ model }}"
    query: "{{ query }}"
    documents: "{{ texts }}"
    limit: "{{ top_n }}" # guessed: how many results to return

response:
  results: "results[].{index: index, relevance_score: relevance_score}"

errors:
  message: [error.message, message, detail, error] # guessed: no error reply was given

limits:
  documents: none # guessed: look it up

scoring:
  scale: probability # guessed: all scores of the reply are between 0 and 1
  mode: pointwise # guessed: listwise if a score depends on the other documents

examples:
  - title: the recorded call
    request: {model: m, query: q, documents: [aa, bb], top_n: 2}
    sends:
      method: POST
      url: https://api.acme.example/v1/rerank
      headers: {Authorization: "Bearer <key>", Content-Type: application/json}
      body: {model: m, query: q, documents: [aa, bb], limit: 2}
    reply: {status: 200, body: {results: [{index: 1, relevance_score: 0.9}, {index: 0, relevance_score: 0.1}]}}
    returns: {results: [{index: 1, relevance_score: 0.9}, {index: 0, relevance_score: 0.1}], meta: {}}
"""


def test_a_whole_file() -> None:
    made, _ = draft({**BODY, "limit": 2}, options=f"-H 'Authorization: Bearer {KEY}'")
    assert made.text == WHOLE
    assert made.guesses == (
        "request.body.limit: how many results to return",
        "scoring.scale: all scores of the reply are between 0 and 1",
        "title: the name as people write it",
        "errors.message: no error reply was given",
        "limits.documents: look it up",
        "scoring.mode: listwise if a score depends on the other documents",
    )
    assert made.remaining == ("errors: no error reply is recorded yet; add an example of a refused key",)
    assert made.notes == ()


def env(*names: str) -> dict[str, list[str]]:
    return {"env": list(names)}


AUTH = {
    "a variable": ('-H "Authorization: Bearer $OTHER_KEY"', {"kind": "bearer", "key": env("OTHER_KEY")}),
    "braces": ('-H "Authorization: bearer ${CO_API_KEY}"', {"kind": "bearer", "key": env("CO_API_KEY")}),
    "a variable in single quotes": ("-H 'Authorization: Bearer $api_key'", {"kind": "bearer", "key": env("API_KEY")}),
    "a stand-in": ("-H 'Authorization: Bearer <token>'", {"kind": "bearer", "key": env("ACME_API_KEY")}),
    "a command": ('-H "Authorization: Bearer $(gcloud auth print-access-token)"', {"kind": "bearer", "key": env("ACME_API_KEY")}),
    "a literal": (f"-H 'Authorization: Bearer {KEY}'", {"kind": "bearer", "key": env("ACME_API_KEY")}),
    "a literal as default": (f'-H "Authorization: Bearer ${{MY_KEY:-{KEY}}}"', {"kind": "bearer", "key": env("MY_KEY")}),
    "another scheme": (f"-H 'Authorization: Token {KEY}'", {"kind": "header", "name": "Authorization", "scheme": "Token", "key": env("ACME_API_KEY")}),
    "no scheme": (f"-H 'Authorization: {KEY}'", {"kind": "header", "name": "Authorization", "key": env("ACME_API_KEY")}),
    "x-api-key": (f"-H 'x-api-key: {KEY}'", {"kind": "header", "name": "x-api-key", "key": env("ACME_API_KEY")}),
    "Api-Key": (f"-H 'Api-Key: {KEY}'", {"kind": "header", "name": "Api-Key", "key": env("ACME_API_KEY")}),
    "a header that says nothing": (f"-H 'X-Whatever: {KEY}'", {"kind": "header", "name": "X-Whatever", "key": env("ACME_API_KEY")}),
    "a header with a variable that does": ("-H 'X-Whatever: $WHATEVER_TOKEN'", {"kind": "header", "name": "X-Whatever", "key": env("WHATEVER_TOKEN")}),
    "user and password": (f"-u me:{KEY}", {"kind": "basic", "username": env("ACME_USERNAME"), "password": env("ACME_PASSWORD")}),
    "user and password in variables": ('-u "$ES_USER:$ES_PASS"', {"kind": "basic", "username": env("ES_USER"), "password": env("ES_PASS")}),
    "user and password in base64": ("-H 'Authorization: Basic bWU6c2stbGl2ZS0wMTIzNDU2Nzg5YWJjZGVm'", {"kind": "basic", "username": env("ACME_USERNAME"), "password": env("ACME_PASSWORD")}),
    "nothing": ("", {"kind": "none"}),
}  # fmt: skip


@pytest.mark.parametrize(("options", "auth"), AUTH.values(), ids=AUTH)
def test_authentication_names_a_variable_and_no_key(options: str, auth: dict[str, Any]) -> None:
    made, spec = draft(options=options)
    assert spec["auth"] == auth
    assert KEY not in told(made)
    assert "bWU6c2st" not in told(made)
    assert len(spec["examples"]) == 1


@pytest.mark.parametrize("name", ["key", "access_token", "api_key"])
def test_a_key_in_the_address_is_a_parameter(name: str) -> None:
    made, spec = draft(url=f"{URL}?version=2024-05-31&{name}={KEY}")
    assert spec["auth"] == {"kind": "query", "name": name, "key": env("ACME_API_KEY")}
    assert spec["endpoint"]["query"] == {"version": "2024-05-31"}
    assert spec["examples"][0]["sends"]["url"] == f"{URL}?version=2024-05-31&{name}=%3Ckey%3E"
    assert KEY not in told(made)


def test_a_variable_in_a_parameter_gives_the_key_its_name() -> None:
    _, spec = draft(url=f"{URL}?key=$OTHER_KEY")
    assert spec["auth"]["key"] == env("OTHER_KEY")
    assert "settings" not in spec


def test_a_key_that_stands_in_the_body_and_the_reply_too_is_written_nowhere() -> None:
    reply = {**REPLY, "echo": f"called with {KEY}"}
    made, spec = draft({**BODY, "note": f"the key is {KEY}"}, reply, f"-H 'Authorization: Bearer {KEY}'")
    assert KEY not in told(made)
    assert spec["examples"][0]["reply"]["body"]["echo"] == "called with <key>"


def test_a_key_of_the_body_is_left_to_be_thought_about() -> None:
    made, spec = draft({**BODY, "api_key": KEY})
    assert spec["request"]["body"]["api_key"] == "<key>"
    assert f"request.body.api_key: {IN_BODY}" in made.remaining
    assert KEY not in told(made)


LOOKS_SECRET = "this looks like a secret and is written as <key>; if it is none, write it there"
LOOKS_LIKE_A_KEY = "sk-" + "abc123DEF456" * 3


def test_what_looks_like_a_key_in_the_body_and_the_reply_is_written_nowhere() -> None:
    made, spec = draft({**BODY, "options": {"via": f"x {LOOKS_LIKE_A_KEY}"}}, {**REPLY, "seen": LOOKS_LIKE_A_KEY})
    assert LOOKS_LIKE_A_KEY not in told(made)
    assert spec["request"]["body"]["options"] == {"via": "x <key>"}
    assert spec["examples"][0]["reply"]["body"]["seen"] == "<key>"
    assert f"request.body.options.via: {LOOKS_SECRET}" in made.remaining
    assert [note for note in made.notes if "none is needed" in note] == []
    assert "a key in the reply is written as <key>" in made.notes


def test_what_looks_like_a_key_in_the_path_is_refused_without_being_told() -> None:
    with pytest.raises(DraftFailed) as caught:
        draft(url=f"https://api.acme.example/{LOOKS_LIKE_A_KEY}/rerank")
    assert str(caught.value) == "the key stands in the address's host or path, where a spec cannot put one"


def test_what_looks_like_a_key_within_a_header_is_a_secret() -> None:
    made, spec = draft(options=f"-H 'X-Via: one {LOOKS_LIKE_A_KEY}'")
    assert LOOKS_LIKE_A_KEY not in told(made)
    assert spec["auth"]["name"] == "X-Via"


def test_a_key_in_the_path_is_refused_without_being_told() -> None:
    with pytest.raises(DraftFailed) as caught:
        draft(url=f"https://api.acme.example/{KEY}/rerank", options=f"-H 'Authorization: Bearer {KEY}'")
    assert str(caught.value) == "the key stands in the address's host or path, where a spec cannot put one"


def test_of_two_secrets_one_is_kept_and_the_other_told() -> None:
    made, spec = draft(options=f"-H 'Authorization: Bearer {KEY}' -H 'X-Api-Key: {KEY}2'")
    assert spec["auth"]["kind"] == "bearer"
    assert made.remaining[0] == "two secrets: the bearer key is the one kept, and the header X-Api-Key is left out"
    assert KEY not in told(made)


SECRET = "SECRETKEY1234567890abcdef"
IN_BODY = "the key is in the body, where a spec cannot send one: this file cannot work yet"


@pytest.mark.parametrize(
    "options",
    [f"-H 'X-Acme-Customer: {SECRET}'", f"-H 'X-Acme-Customer: of-{SECRET}-one'", f"-H 'X-Note: see {SECRET}'"],
    ids=["alone", "within", "behind a word"],
)
def test_a_key_of_the_body_is_written_nowhere_else_either(options: str) -> None:
    sent = {"api_key": SECRET, **BODY, "options": {"via": f"x:{SECRET}"}}
    made, spec = draft(sent, {**REPLY, "seen": f"{SECRET}!"}, options)
    assert SECRET not in told(made)
    assert spec["auth"]["kind"] == "header"
    assert "auth.name: the key, by the look of its value" in made.guesses
    assert spec["request"]["body"]["options"] == {"via": "x:<key>"}
    assert spec["examples"][0]["reply"]["body"]["seen"] == "<key>!"
    assert f"request.body.api_key: {IN_BODY}" in made.remaining


def test_a_key_of_the_body_is_refused_in_the_path() -> None:
    with pytest.raises(DraftFailed, match="the key stands in the address's host or path"):
        draft({**BODY, "api_key": "the-secret-one"}, url="https://api.acme.example/the-secret-one/rerank")


def test_a_key_is_not_the_default_of_a_setting() -> None:
    url = f"https://api.acme.example/${{TENANT:-{SECRET}}}/rerank"
    made, spec = draft({**BODY, "api_key": SECRET}, url=url)
    assert SECRET not in told(made)
    assert spec["settings"]["tenant"] == {"description": "tenant", "env": ["TENANT"]}


@pytest.mark.parametrize("value", [KEY, "$ACME_KEY", "YOUR_API_KEY"], ids=["a literal", "a variable", "a stand-in"])
@pytest.mark.parametrize("name", ["api_key", "accessToken"])
def test_with_a_key_in_the_body_it_is_not_said_that_none_is_needed(name: str, value: str) -> None:
    made, spec = draft({name: value, "model": "m", "ask": "where is Paris", "documents": ["aa", "bb"]})
    assert (spec["auth"], spec["request"]["body"][name]) == ({"kind": "none"}, "<key>")
    assert spec["examples"][0]["request"]["query"] == "where is Paris"
    assert f"request.body.{name}: {IN_BODY}" in made.remaining
    assert [note for note in made.notes if "none is needed" in note] == []
    assert value not in told(made)


def test_a_key_of_a_list_in_the_body_is_found_too() -> None:
    made, spec = draft({**BODY, "via": [{"name": "other", "api_key": "hunter2-and-more"}]})
    assert spec["request"]["body"]["via"] == [{"name": "other", "api_key": "<key>"}]
    assert "hunter2" not in told(made)


RANDOM = {
    "hex digits": "0123456789abcdef0123456789abcdef",
    "letters and digits": "aB3dE6gH9jK2mN5pQ8sT",
}


@pytest.mark.parametrize("value", RANDOM.values(), ids=RANDOM)
def test_what_looks_random_in_the_body_is_covered_and_told(value: str) -> None:
    made, spec = draft({**BODY, "tenant": {"ref": f"t-{value}"}}, {**REPLY, "tenant": value})
    assert spec["request"]["body"]["tenant"] == {"ref": "t-<key>"}
    assert f"request.body.tenant.ref: {LOOKS_SECRET}" in made.remaining
    assert value not in told(made)


@pytest.mark.parametrize("value", RANDOM.values(), ids=RANDOM)
def test_what_looks_random_in_a_header_is_a_secret_beside_the_key(value: str) -> None:
    made, spec = draft(options=f"-H 'X-Acme-Customer: {value}' -H 'Authorization: Bearer {KEY}'")
    assert spec["auth"]["kind"] == "bearer"
    assert made.remaining[0].endswith("the bearer key is the one kept, and the header X-Acme-Customer is left out")
    assert value not in told(made)


@pytest.mark.parametrize("value", [RANDOM["hex digits"], "01234567-89ab-cdef-0123-456789abcdef"], ids=["hex", "uuid"])
def test_the_id_of_a_trace_is_no_secret(value: str) -> None:
    _, spec = draft(options=f"-H 'X-Request-Id: {value}'")
    assert (spec["auth"], spec["endpoint"]["headers"]) == ({"kind": "none"}, {"X-Request-Id": value})


def test_documents_and_their_ids_may_look_random() -> None:
    ids = ["0123456789abcdef0123456789abcde1", "0123456789abcdef0123456789abcde2"]
    sent = {"query": "q", "docs": [{"id": one, "text": "t" + one} for one in ids]}
    made, spec = draft(sent, {"results": [{"id": ids[1], "score": 0.9}, {"id": ids[0], "score": 0.1}]})
    assert spec["examples"][0]["request"]["documents"] == ["t" + one for one in ids]
    assert made.remaining == ("errors: no error reply is recorded yet; add an example of a refused key",)


PREFIXED = {
    "a literal": "Token token=abc1234",
    "in quotes": 'Token token="abc1234"',
    "a variable": "Token token=$ACME_API_KEY",
    "bearer": "Bearer token=abc1234",
}


@pytest.mark.parametrize("value", PREFIXED.values(), ids=PREFIXED)
def test_what_stands_before_the_key_is_told(value: str) -> None:
    made, _ = draft({**BODY, "note": "token=x"}, options=f"-H 'Authorization: {value}'")
    assert "auth: the curl line writes token= before the key: set ACME_API_KEY to token=KEY" in made.remaining
    assert "abc1234" not in told(made)
    assert "note: token=x" in made.text


def test_a_key_with_padding_has_nothing_before_it() -> None:
    made, _ = draft(options="-H 'Authorization: ApiKey aWQ6a2V5MDEyMzQ1Njc4OQ=='")
    assert [one for one in made.remaining if one.startswith("auth")] == []


ADDRESSES = {
    "a variable": ("https://x.example/accounts/$ACME_ACCOUNT_ID/rerank", {"account_id": ["ACME_ACCOUNT_ID"]}, "https://x.example", "/accounts/{{ settings.account_id }}/rerank"),
    "a shouted stand-in": ("https://x.example/accounts/YOUR_ACCOUNT_ID/rerank", {"account_id": ["ACME_ACCOUNT_ID"]}, "https://x.example", "/accounts/{{ settings.account_id }}/rerank"),
    "brackets in the host": ("https://<deployment>.models.example/v1/rerank", {"deployment": ["ACME_DEPLOYMENT"]}, "https://{{ settings.deployment }}.models.example", "/v1/rerank"),
    "double braces": ("https://x.example/{{workspace}}/rerank", {"workspace": ["ACME_WORKSPACE"]}, "https://x.example", "/{{ settings.workspace }}/rerank"),
    "no scheme": ("localhost:8080/rerank", {}, "http://localhost:8080", "/rerank"),
    "no path": ("https://x.example", {}, "https://x.example", "/"),
}  # fmt: skip


@pytest.mark.parametrize(("url", "names", "base", "path"), ADDRESSES.values(), ids=ADDRESSES)
def test_what_changes_in_an_address_is_a_setting(url: str, names: dict[str, list[str]], base: str, path: str) -> None:
    _, spec = draft(url=url)
    assert {name: one["env"] for name, one in spec.get("settings", {}).items()} == names
    assert spec["endpoint"] == {"base_url": base, "path": path}
    assert len(spec["examples"]) == 1


def test_an_address_in_a_variable_is_left_to_be_filled_in() -> None:
    made, spec = draft(url="$ACME_URL/v1/rerank")
    assert spec["endpoint"] == {
        "base_url": "https://api.example.com",
        "base_url_env": ["ACME_URL"],
        "path": "/v1/rerank",
    }
    assert made.remaining[0] == "endpoint.base_url: the curl line takes the address from a variable; write it here"


def body_of(sent: Any, reply: Any = None) -> tuple[Any, dict[str, Any], Draft]:
    """The template, the caller's request of the example (if there is a reply), and the draft."""
    made, spec = draft(sent, reply)
    return spec["request"]["body"], spec["examples"][0]["request"] if reply else {}, made


def test_a_query_with_an_unknown_name_is_found_by_its_look() -> None:
    body, request, made = body_of({"lang": "en", "ask": "where is Paris", "documents": ["aa", "bb"]}, REPLY)
    assert (body["ask"], body["lang"], request["query"]) == ("{{ query }}", "en", "where is Paris")
    assert "request.body.ask: this is the query, by its look" in made.guesses


def test_documents_with_an_unknown_name_are_found_by_their_look() -> None:
    body, request, made = body_of({"query": "q", "things": ["aa", "bb"]}, REPLY)
    assert (body["things"], request["documents"]) == ("{{ texts }}", ["aa", "bb"])
    assert "request.body.things: these are the documents, by their look" in made.guesses


def test_documents_that_stand_twice_are_written_twice() -> None:
    body, _, made = body_of({"query": "q", "documents": ["aa", "bb"], "texts": ["aa", "bb"]}, REPLY)
    assert (body["documents"], body["texts"]) == ("{{ texts }}", "{{ texts }}")
    assert "request.body.texts: the same documents as in documents" in made.guesses


def test_of_two_lists_that_may_be_documents_one_is_chosen_and_told() -> None:
    body, _, made = body_of({"query": "q", "documents": ["aa", "bb"], "contexts": ["x", "y"]}, REPLY)
    assert (body["documents"], body["contexts"]) == ("{{ texts }}", ["x", "y"])
    assert "request.body.contexts: a constant; the documents are taken to be those in documents" in made.guesses


def test_other_fields_of_documents_are_the_callers() -> None:
    sent = {
        "query": "q",
        "docs": [{"title": "T", "body": "aa", "lang": "en"}, {"title": "U", "body": "bb", "lang": "en"}],
    }
    body, request, _ = body_of(sent, REPLY)
    item = {"title": "{{ document.object.title }}", "body": "{{ document.text }}", "lang": "en"}
    assert body["docs"] == {"$for": "document in documents", "$item": item}
    assert request["documents"] == [{"text": "aa", "title": "T"}, {"text": "bb", "title": "U"}]


def test_other_ids_are_sent_and_recorded_as_positions() -> None:
    sent = {"query": "q", "docs": [{"id": "x9", "text": "aa"}, {"id": "k3", "text": "bb"}]}
    made, spec = draft(sent, {"results": [{"id": "k3", "score": 0.9}, {"id": "x9", "score": 0.1}]})
    assert spec["response"]["results"] == "results[].{index: to_number(id), relevance_score: score}"
    assert spec["examples"][0]["reply"]["body"] == {"results": [{"id": "1", "score": 0.9}, {"id": "0", "score": 0.1}]}
    assert "examples[0].reply: the recorded ids are written as the positions that the spec sends" in made.guesses


READINGS = {
    "an index": ([{"index": 1, "score": 0.9}, {"index": 0, "score": 0.1}], "[].{index: index, relevance_score: score}", [1, 0]),
    "an index of another name, by the texts": ([{"n": 1, "rank": 0, "score": 2.5, "text": "bb"}, {"n": 0, "rank": 1, "score": 1.5, "text": "aa"}], "[].{index: n, relevance_score: score}", [1, 0]),
    "an index from 1, by the texts": ([{"pos": 2, "score": 0.9, "text": "bb"}, {"pos": 1, "score": 0.1, "text": "aa"}], "[].{index: sum([pos, `-1`]), relevance_score: score}", [1, 0]),
    "an index further in": ([{"doc": {"index": 1}, "s": {"relevance": 0.9}}, {"doc": {"index": 0}, "s": {"relevance": 0.1}}], "[].{index: doc.index, relevance_score: s.relevance}", [1, 0]),
    "numbers as text": ([{"index": "1", "score": "9e-1"}, {"index": "0", "score": "0.1"}], "[].{index: to_number(index), relevance_score: to_number(score)}", [1, 0]),
    "scores alone": ([0.1, 0.9], "enumerate(@)[].{index: index, relevance_score: value}", [1, 0]),
    "scores in lists": ([[0.1], [0.9]], "enumerate(@)[].{index: index, relevance_score: value[0]}", [1, 0]),
    "scores in one list": ([[0.1, 0.9]], "enumerate([0])[].{index: index, relevance_score: value}", [1, 0]),
    "pairs": ([[1, 0.9], [0, 0.1]], "[*].{index: [0], relevance_score: [1]}", [1, 0]),
    "scores in objects without an index": ([{"score": 0.1}, {"score": 0.9}], "enumerate(@)[].{index: index, relevance_score: value.score}", [1, 0]),
    "scores by position as name": ({"scores": {"0": 0.1, "1": 0.9}}, "enumerate(values(scores))[].{index: index, relevance_score: value}", [1, 0]),
    "a name that JMESPath takes in quotes": ({"the results": [{"doc-index": 1, "my score": 0.9}, {"doc-index": 0, "my score": 0.1}]}, '"the results"[].{index: "doc-index", relevance_score: "my score"}', [1, 0]),
}  # fmt: skip


@pytest.mark.parametrize(("reply", "expression", "ranking"), READINGS.values(), ids=READINGS)
def test_results_are_found_by_their_shape(reply: Any, expression: str, ranking: list[int]) -> None:
    _, spec = draft(reply=reply)
    assert spec["response"]["results"] == expression
    assert [result["index"] for result in spec["examples"][0]["returns"]["results"]] == ranking


NO_RESULTS = {
    "another request's reply": ({"results": [{"index": 7, "score": 0.9}]}, "response: no list with an index and a score for each document was found in the reply"),
    "texts alone": ({"results": [{"score": 0.9, "text": "bb"}, {"score": 0.1, "text": "aa"}]}, "response: the results name their documents by text alone, which no mapping can follow"),
    "no reply": (None, "response: how a reply is read; pass --reply FILE with the reply that the request got"),
}  # fmt: skip


@pytest.mark.parametrize(("reply", "sentence"), NO_RESULTS.values(), ids=NO_RESULTS)
def test_without_results_the_mapping_is_left_to_do(reply: Any, sentence: str) -> None:
    made, spec = draft(reply=reply)
    assert (sentence in made.remaining, "response" in spec, "examples" in spec) == (True, False, False)
    assert "# TODO: how a reply is read." in made.text
    findings = check_text(made.text, "acme.yaml", Catalog().parent_data, cases=0).findings
    assert [finding.message for finding in findings if finding.severity == "error"] == ["'response' is missing"]


ERRORS = {
    "a detail": ('{"detail": "no"}', "", "the error reply has it in detail"),
    "details of fields": ('{"detail": [{"loc": ["body", "x"], "msg": "no"}]}', "", "the error reply has it elsewhere"),
    "an object": ('{"error": {"message": "no"}}', "", "the error reply has it in error.message"),
    "an envelope": ('{"Response": {"Error": {"Code": "A", "Message": "no"}}}', "", "the error reply has it elsewhere"),
    "a status": ('HTTP/1.1 401 Unauthorized\r\n\r\n{"message": "no"}', " (HTTP 401)", "the error reply has it in message"),
    "a page": ("HTTP/1.1 502 Bad Gateway\r\n\r\n<html>", " (HTTP 502)", "the error reply has it elsewhere"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "status", "where"), ERRORS.values(), ids=ERRORS)
def test_a_reply_that_is_an_error_is_told_as_one(text: str, status: str, where: str) -> None:
    made = draft_from_curl("acme", f"curl {URL} -d '{json.dumps(BODY)}'", text, no_file)
    sentence = f"response: this reply is an error{status}: give the reply of a call that worked; this one could become an example of an error"
    assert made.remaining[0] == sentence
    assert f"errors.message: {where}" in made.guesses
    assert "scoring.scale: no reply with scores was given" in made.guesses
    assert "no error reply" not in told(made)
    assert "no list with an index" not in told(made)


def test_a_reply_that_says_success_is_no_error() -> None:
    made, _ = draft(reply={"message": "success", "results": [{"index": 7, "score": 0.9}]})
    assert "response: no list with an index and a score for each document was found in the reply" in made.remaining
    assert "scoring.scale: no reply with scores was given" in made.guesses


def test_a_reply_with_fewer_results_than_were_due_makes_no_example() -> None:
    made, spec = draft(reply={"results": [{"index": 1, "score": 0.5}]})
    assert "examples" not in spec
    sentence = "examples: the recorded call does not go through this draft: Acme answered 200 but the reply has 1 results where 2 were due"
    assert sentence in made.remaining


def test_a_reply_may_begin_with_its_headers() -> None:
    text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/2 200 \r\nx-request-id: 1\r\n\r\n" + json.dumps(REPLY)
    made = draft_from_curl("acme", f"curl {URL} -d '{json.dumps(BODY)}'", text, no_file)
    assert read_yaml(made.text, "acme.yaml").data["examples"][0]["reply"] == {"status": 200, "body": REPLY}


@pytest.mark.parametrize(
    ("data", "reply", "message"),
    [
        ("{oops", "{}", "the body after -d is not JSON: "),
        ("[]", "{}", "the body after -d must be a JSON object with the query and the documents"),
        (json.dumps(BODY), "{oops", "the reply is not JSON: "),
    ],
    ids=["the body", "an empty body", "the reply"],
)
def test_what_is_not_json_is_refused_without_being_quoted(data: str, reply: str, message: str) -> None:
    with pytest.raises(DraftFailed) as caught:
        draft_from_curl("acme", f"curl {URL} -d '{data}'", reply, no_file)
    assert str(caught.value).startswith(message)
    assert "oops" not in str(caught.value)


def test_a_member_whose_name_no_template_takes_is_left_out_and_told() -> None:
    made, spec = draft({**BODY, "$defs": 1, "note": "{{ x }}"})
    assert spec["request"]["body"]["note"] == "{{ '{' ~ '{ x }}' }}"
    assert spec["examples"][0]["sends"]["body"] == {**BODY, "note": "{{ x }}"}
    assert "request.body.$defs is left out: a template takes no member of that name" in made.remaining
    assert "the spec sends these members otherwise than the curl line: $defs" in made.notes


def test_a_constant_that_reads_like_a_template_passes_the_check() -> None:
    made, _ = draft({**BODY, "note": "say {{ query }} and {{{ x }}}"}, REPLY)
    findings = check_text(made.text, "acme.yaml", Catalog(environ={}).parent_data).findings
    assert [finding for finding in findings if finding.severity == "error"] == []


IN_PATH = "the path holds what looks like the model's name: another model would go to the same address"
SPELT = {
    "another spelling": ("nvidia/llama-3.2-nv-rerankqa-1b-v2", "/v1/retrieval/nvidia/llama-3_2-nv-rerankqa-1b-v2/reranking", True),
    "most of it": ("nvidia/nv-rerankqa-mistral-4b-v3", "/v1/retrieval/nvidia/nv-rerankqa-mistral-4b/reranking", True),
    "the operation": ("rerank-2", "/v2/rerank", False),
    "another service": ("gte-rerank-v2", "/services/rerank/text-rerank/text-rerank", False),
    "a word of it": ("bge-reranker", "/v1/reranker", False),
}  # fmt: skip


@pytest.mark.parametrize(("model", "path", "is_noticed"), SPELT.values(), ids=SPELT)
def test_a_path_that_spells_the_model_otherwise_is_kept_and_told(model: str, path: str, is_noticed: bool) -> None:
    made, spec = draft({**BODY, "model": model}, url=f"https://api.acme.example{path}")
    assert spec["endpoint"]["path"] == path
    assert (IN_PATH in made.notes) == is_noticed


def test_what_is_sent_otherwise_is_told_with_its_whole_path() -> None:
    sent = {
        "model": "m",
        "input": {"query": "q", "documents": ["aa", "bb"]},
        "parameters": {"return_documents": True, "top_n": 9},
    }
    made, spec = draft(sent)
    assert spec["request"]["body"]["parameters"] == {"return_documents": False, "top_n": "{{ top_n }}"}
    sentence = "the spec sends these members otherwise than the curl line: parameters.return_documents, parameters.top_n (2 for 9, as there are no more documents)"
    assert sentence in made.notes


def test_what_is_sent_otherwise_in_each_document_is_told_once() -> None:
    sent = {"query": "q", "docs": [{"id": "x9", "text": "aa"}, {"id": "k3", "text": "bb"}]}
    made, _ = draft(sent, {"results": [{"id": "k3", "score": 0.9}, {"id": "x9", "score": 0.1}]})
    assert "the spec sends these members otherwise than the curl line: docs.id" in made.notes


APOSTROPHES = {
    "one": """'{"query": "What's up?", "documents": ["a", "b"]}'""",
    "two": """'{"query": "What's up?", "documents": ["a", "it's"]}'""",
    "at an odd place": """'{"query": "What's", "documents": ["a"], "x": 1}'""",
}


@pytest.mark.parametrize("data", APOSTROPHES.values(), ids=APOSTROPHES)
def test_an_apostrophe_that_ends_the_body_is_told(data: str) -> None:
    with pytest.raises(DraftFailed) as caught:
        draft_from_curl("acme", f"curl {URL} \\\n -d {data}", None, no_file)
    assert str(caught.value) == "line 2: an apostrophe ends the text that ' began: write '\\'' instead"


ODD = st.sampled_from(
    ["no", "12:30", "null", "{{ x }}", "{% x %}", "{# x", "it's \\ \"so\"\n", "0x1F", "\r\n", "\U0001f600", "a: b # c", "<key>", "- a", "\x00\x85\ufeff\u2028"]
)  # fmt: skip
TEXT = st.one_of(
    ODD,
    st.text(st.characters(exclude_categories=["Cs"])),
    ODD.flatmap(lambda odd: st.text().map(lambda text: text + odd)),
)
SENDABLE = TEXT.filter(str.strip)


@settings(max_examples=150)
@given(query=SENDABLE, documents=st.lists(SENDABLE, min_size=1, max_size=4), model=SENDABLE, constant=TEXT)
def test_any_texts_are_sent_as_they_are_and_the_example_replays(
    query: str, documents: list[str], model: str, constant: str
) -> None:
    sent = {"model": model, "query": query, "documents": documents, "options": {"note": constant}}
    reply = {"results": [{"index": index, "score": 0.5} for index in range(len(documents))]}
    made, spec = draft(sent, reply)
    [example] = spec["examples"]
    assert example["sends"]["body"] == sent
    assert example["request"] == {"model": model, "query": query, "documents": documents}
    assert replay(load_spec(made.text, "acme.yaml", no_parent), example) == []


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200)
@given(value=JSON, other=JSON)
def test_a_laid_out_file_reads_back_to_the_same_values(value: Any, other: Any) -> None:
    data = {"request": {"body": value}, "examples": [{"title": "t", "reply": {"body": other}}]}
    read = read_yaml(
        layout(
            data, {("request", "body"): "guessed: x", ("examples", 0, "reply", "body"): "y " * 60}, {"request": "a\nb"}
        ),
        "x.yaml",
    )
    assert read.findings == []
    assert json.dumps(read.data) == json.dumps(data)


def test_a_minimal_file_loads_and_says_what_to_fill_in() -> None:
    made = minimal_draft("acme_one")
    checked = check_text(made.text, "acme_one.yaml", Catalog().parent_data)
    assert [str(finding) for finding in checked.findings if finding.severity == "error"] == []
    assert made.remaining == (
        "endpoint.base_url, and whatever is marked TODO: the path, the body, the mapping of replies, the limits and the scale of the scores",
        "examples: no call is recorded yet",
    )


@pytest.mark.parametrize("parent", sorted(source.name for source in Catalog().sources))
def test_a_file_that_extends_any_shipped_spec_loads(parent: str) -> None:
    catalog = Catalog()
    made = minimal_draft("acme", parent, catalog.parent_data(parent))
    checked = check_text(made.text, "acme.yaml", catalog.parent_data, cases=0)
    assert [str(finding) for finding in checked.findings if finding.severity == "error"] == []
    assert read_yaml(made.text, "acme.yaml").data["extends"] == parent
