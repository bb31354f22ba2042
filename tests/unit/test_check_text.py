"""What a check gives beside its findings' lines: related places, details, counts, and the same result every time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from stepping import toy_text

from rankspec.catalog import Catalog
from rankspec.checks import DEFAULT_CASES, DEFAULT_SEED, Checked, check_text
from rankspec.checks.pages import BASE
from rankspec.errors import SpecNotFound
from rankspec.models import Finding, format_path

CORPUS = Path(__file__).resolve().parent.parent / "invalid"


def corpus_text(name: str) -> str:
    return (CORPUS / f"{name}.yaml").read_text("utf-8")


def check(text: str, *, cases: int = 0) -> Checked:
    return check_text(text, "toy.yaml", Catalog([CORPUS], environ={}).parent_data, cases=cases)


def find_no_parent(name: str) -> Mapping[str, Any]:
    raise SpecNotFound(f"no spec is called '{name}'", name=name)


def changed(*replacements: tuple[str, str]) -> str:
    """The pages' complete spec with some of its text replaced, each piece once."""
    text = BASE
    for old, new in replacements:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def at(text: str, line: int, column: int) -> str:
    """What stands at a place, to the end of its line."""
    return text.split("\n")[line - 1][column - 1 :]


# What a check gives


def test_a_complete_spec_has_no_findings() -> None:
    checked = check(BASE, cases=30)
    assert checked == Checked("toy.yaml", BASE, (), examples=4, cases=30, seed=DEFAULT_SEED)
    assert not checked.has_failed(strict=True)


def test_warnings_fail_only_when_asked() -> None:
    checked = check(toy_text())
    assert [(finding.severity, finding.code) for finding in checked.findings] == [("warning", "example-kinds")]
    assert (checked.has_failed(), checked.has_failed(strict=True)) == (False, True)
    failed = check(toy_text(limits={"documents": 0}))
    assert (failed.has_failed(), failed.has_failed(strict=True)) == (True, True)


def test_requests_are_generated_only_for_a_spec_without_errors() -> None:
    assert check(changed(("{{ query }}", "{{ qurey }}")), cases=30).cases == 0
    assert check(changed(("score: 0.9}", "score: 0.7}")), cases=30).cases == 0
    assert check(toy_text(), cases=30).cases == 30
    assert check(BASE).cases == 0


def test_the_same_seed_gives_the_same_findings() -> None:
    text = corpus_text("generated_text")
    parent = Catalog(environ={}).parent_data
    first = check_text(text, "toy.yaml", parent, seed=7, cases=60)
    assert first.findings
    assert first == check_text(text, "toy.yaml", parent, seed=7, cases=60)
    assert (first.seed, DEFAULT_CASES) == (7, 200)


def test_findings_stand_in_the_order_of_the_file_and_once_each() -> None:
    for name in ("several_faults", "several_faults_of_form", "example_differs_request", "secret_literal"):
        findings = check(corpus_text(name)).findings
        places = [(finding.line, finding.column) for finding in findings]
        assert places == sorted(places)
        assert len(set(findings)) == len(findings)


def test_a_fault_keeps_the_rules_silent_but_a_fault_of_an_example_does_not() -> None:
    without_query = ('    query: "{{ query }}"\n', "")
    codes = [one.code for one in check(changed(without_query, ("documents: 1000", "documents: 0"))).findings]
    assert codes == ["invalid-value"]
    codes = [one.code for one in check(changed(without_query, ("status: 401", "status: 99"))).findings]
    assert {"unused-query", "invalid-value", "example-differs"} <= set(codes)


def test_a_faulty_example_is_not_replayed_and_the_others_are() -> None:
    text = changed(("status: 401", "status: 99"), ("message: invalid key}\n", "message: other}\n"), ("0.8}", "0.7}"))
    assert [(one.code, format_path(one.path)) for one in check(text).findings] == [
        ("example-differs", "examples[1].returns.results[0].relevance_score"),
        ("invalid-value", "examples[3].reply.status"),
    ]


def test_a_deprecated_literal_of_jmespath_is_no_crash() -> None:
    found = check(changed(("id: id", 'id: "`unquoted` || id"'))).findings
    assert all(finding.path[:2] == ("response", "id") for finding in found if finding.severity == "error")


@pytest.mark.parametrize(
    "expression",
    ["a" + " || a" * 600, "a" + " && a" * 600, "a" + " | a" * 600, "a" + ".a" * 3000, "(" * 3000 + "a" + ")" * 3000],
    ids=["fallbacks", "conditions", "pipes", "members", "brackets"],
)
def test_a_mapping_may_be_of_any_length(expression: str) -> None:
    found = check(changed(("id: id", f'id: "{expression}"'))).findings
    assert {finding.path[0] for finding in found} <= {"response", "examples"}


def test_a_template_may_be_of_any_length() -> None:
    for expression in ("query" + " ~ query" * 5000, "(" * 3000 + "query" + ")" * 3000, "query" + " | lower" * 3000):
        found = check(changed(('"{{ query }}"', '"{{ ' + expression + ' }}"'))).findings
        assert {finding.path[0] for finding in found} <= {"request", "examples"}


def test_a_parent_that_is_not_to_be_had_is_one_finding() -> None:
    text = json.dumps({"spec_version": 2, "provider": "toy", "extends": "nobody", "limits": {"documents": 0}})
    (found,) = check_text(text, "toy.yaml", find_no_parent, cases=0).findings
    assert (found.code, found.path, found.message) == ("unknown-parent", ("extends",), "no spec is called 'nobody'")


def test_faults_of_a_parent_file_are_told_of_that_file() -> None:
    (found,) = check(corpus_text("inherited_yaml_fault")).findings
    assert (Path(found.file).name, found.line, found.code) == ("yaml_tab.yaml", 5, "yaml-tab")


# What is related, and details


def only(text: str, code: str = "example-differs") -> Finding:
    (found,) = (finding for finding in check(text).findings if finding.code == code)
    return found


DECIDED = [
    pytest.param(
        ("body: {model: toy-1, query: capital", "body: {model: toy-2, query: capital"),
        "request.body.model decides this",
        '"{{ model }}"',
        ('- "model": "toy-2"', '+ "model": "toy-1"'),
        id="a template",
    ),
    pytest.param(
        ("url: https://api.toy.example/v1/rerank", "url: https://api.toy.example/v2/rerank"),
        "endpoint.path decides this",
        "/v1/rerank",
        ("- https://api.toy.example/v2/rerank", "+ https://api.toy.example/v1/rerank"),
        id="the path",
    ),
    pytest.param(
        ("url: https://api.toy.example/", "url: https://toy.example/"),
        "endpoint.base_url decides this",
        "https://api.toy.example",
        ("- https://toy.example/v1/rerank", "+ https://api.toy.example/v1/rerank"),
        id="the base URL",
    ),
    pytest.param(
        ("Bearer <key>", "Token <key>"),
        "auth decides this",
        "auth:",
        ("- Authorization: Token <key>", "+ Authorization: Bearer <key>"),
        id="authentication",
    ),
    pytest.param(
        ("id: r-1\n", "id: r-9\n"),
        "response.id decides this",
        "id",
        ('- "id": "r-9"', '+ "id": "r-1"'),
        id="a mapping",
    ),
    pytest.param(
        ("relevance_score: 0.8}", "relevance_score: 0.7}"),
        "response.results decides this",
        '"results[].{index: index, relevance_score: score}"',
        ('- "relevance_score": 0.7', '+ "relevance_score": 0.8'),
        id="a score",
    ),
    pytest.param(
        ("AuthenticationRejected, message: invalid key", "AuthenticationRejected, message: another"),
        "errors.message[0] decides this",
        "error.message]",
        ("- another", "+ invalid key"),
        id="an error's message",
    ),
    pytest.param(
        ("error: AuthenticationRejected", "error: RateLimited"),
        "errors decides this",
        "errors:",
        ("- RateLimited", "+ AuthenticationRejected"),
        id="an error's class",
    ),
]


@pytest.mark.parametrize(("replacement", "related", "there", "details"), DECIDED)
def test_what_differs_from_an_example_is_told_with_what_decides_it(
    replacement: tuple[str, str], related: str, there: str, details: tuple[str, ...]
) -> None:
    text = changed(replacement)
    found = only(text)
    assert [(one.message, at(text, one.line, one.column)) for one in found.related] == [(related, there)]
    assert found.details == details


def test_a_limit_decides_how_documents_are_split() -> None:
    one = {"title": "split", "request": {"model": "m", "query": "q", "documents": ["a", "b", "c"]}, "splits": [2, 1]}
    text = toy_text(examples=[one], limits={"documents": 3})
    found = only(text)
    assert [(one.message, at(text, one.line, one.column)) for one in found.related] == [
        ("limits.documents decides this", "3")
    ]
    assert found.details == ("- [2,1]", "+ [3]")


def test_a_request_that_the_schema_refuses_is_told_with_its_member() -> None:
    text = changed(("query: capital of france, documents: [paris, rome]}", "query: 7, documents: [paris, rome]}"))
    found = only(text, "example-request")
    assert at(text, found.line, found.column) == "7, documents: [paris, rome]}"
    assert found.message == "a plain call: the request is refused: must be text, not the number 7"
    assert (found.related, found.details) == ((), ())


def test_a_parameter_that_is_not_known_is_told_at_its_key_with_the_nearest() -> None:
    text = changed(("documents: [paris, rome], top_n: 1}\n    sends", "documents: [paris, rome], top_k: 1}\n    sends"))
    found = only(text, "example-request")
    assert (at(text, found.line, found.column), found.suggestion) == ("top_k: 1}", "top_n")
    assert [one.code for one in check(text).findings] == ["example-kinds", "example-request"]


def test_a_model_that_is_missing_is_the_examples_matter() -> None:
    text = changed(("request: {model: toy-1, query", "request: {query"))
    found = only(text, "example-request")
    assert at(text, found.line, found.column).startswith("{query: capital of france")
    assert found.related == ()


def test_a_mapping_that_no_example_can_be_read_by_is_told_once() -> None:
    text = changed(("relevance_score: score}", "relevance_score: id}"))
    found = only(text, "example-contract")
    assert (found.path, at(text, found.line, found.column)[:12]) == (("response", "results"), '"results[].{')
    assert [(one.message, at(text, one.line - 1, 5)) for one in found.related] == [
        ("examples[0].returns is one example of it", at(text, found.related[0].line - 1, 5))
    ]
    assert found.message.endswith("has nothing as score, not a finite number (a plain call)")
    assert {one.code for one in check(text).findings} == {"example-contract", "mapping-unseen"}


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        ("results[].{idx: index, score: score}", [("idx", "index"), ("score", "relevance_score")]),
        ("results[].{index: index, score: score}", [("score", "relevance_score")]),
        ("results[].{index: index}", [("{index: index}", None)]),
        ("results[].{idx: index}", [("{idx: index}", None), ("idx", "index")]),
        ("results[*].{\\\"idx\\\": index, relevance_score: score}", [("idx", "index")]),
        ("(results | [?score]).{raw_score: score}", []),
        ("results | [?score].{raw_score: score}", [("{raw_score: score}", None)]),
        ("results[].{indx: index, relevance_score: score} || data[].{index: i, relevance_score: s}", [("indx", "index")]),
    ],
)  # fmt: skip
def test_keys_that_no_result_can_be_read_by_are_told_where_they_stand(
    mapping: str, told: list[tuple[str, str | None]]
) -> None:
    text = changed(("results[].{index: index, relevance_score: score}", mapping))
    without_examples = text.partition("examples:")[0]
    for one in (text, without_examples):
        found = [finding for finding in check(one).findings if finding.code == "mapping-keys"]
        assert [finding.suggestion for finding in found] == [meant for _, meant in told]
        places = [at(one, finding.line, finding.column) for finding in found]
        assert [place[: len(start)] for place, (start, _) in zip(places, told, strict=True)] == [
            start for start, _ in told
        ]
        if told:
            assert "example-contract" not in {finding.code for finding in check(one).findings}


def test_a_secret_in_an_examples_header_does_not_differ_too() -> None:
    found = check(changed(("Bearer <key>", "Bearer 7f3b9c11d2"))).findings
    assert [one.code for one in found] == ["secret-in-example"]


def test_missing_keys_of_the_whole_spec_need_no_details() -> None:
    (found,) = check(changed(("scoring:\n  scale: probability\n  mode: pointwise\n", ""))).findings
    assert (found.code, found.message, found.details) == ("missing-key", "'scoring' is missing", ())


def test_a_reply_that_breaks_the_contract_is_told_with_its_mapping() -> None:
    text = changed(("{index: 0, score: 0.9}", "{index: 7, score: 0.9}"))
    found = only(text, "example-contract")
    assert [(one.message, at(text, one.line, one.column)) for one in found.related] == [
        ("response.results decides this", '"results[].{index: index, relevance_score: score}"')
    ]
    assert found.details[0].startswith('- {"id":"r-1","results":[{"index":0,')
    assert found.details[1].startswith("+ ResponseInvalid: Toy answered 200 but the reply has index 7")


def test_a_class_that_is_not_known_is_told_with_the_nearest() -> None:
    found = only(changed(("AuthenticationRejected", "AuthentificationRejected")), "example-error")
    assert (found.suggestion, found.related, found.details) == ("AuthenticationRejected", (), ())


def test_what_stands_in_the_parent_is_related_to_nothing_here() -> None:
    one = json.dumps({**TOY_CALL, "returns": {"results": [], "meta": {}}})
    found = [
        finding
        for finding in check(f"spec_version: 2\nprovider: toy\nextends: cohere\nexamples: [{one}]\n").findings
        if finding.code == "example-differs"
    ]
    assert [finding.related for finding in found] == [()]


TOY_CALL = {
    "title": "plain",
    "request": {"model": "m", "query": "q", "documents": ["a"]},
    "sends": {
        "method": "POST",
        "url": "https://api.cohere.com/v2/rerank",
        "body": {"model": "m", "query": "q", "documents": ["a"]},
    },
    "reply": {"status": 200, "body": {"results": [{"index": 0, "relevance_score": 0.5}]}},
}


def test_a_setting_that_is_not_known_is_told_with_the_nearest_one() -> None:
    text = corpus_text("unknown_setting")
    found = [finding for finding in check(text).findings if finding.code == "unknown-name"]
    there = [[at(text, one.line, one.column).partition(":")[0] for one in finding.related] for finding in found]
    assert [(finding.suggestion, *places) for finding, places in zip(found, there, strict=True)] == [
        ("region", "region"),
        ("account", "account"),
        (None, "settings"),
        ("region", "region"),
    ]


def test_a_value_of_the_wrong_form_is_told_with_what_the_schema_says_of_it() -> None:
    (found,) = check(changed(("documents: 1000", "documents: many"))).findings
    assert found.details == (
        "limits.documents: How many documents one request may hold, or none. More are split over several requests "
        "when the mode is pointwise, and refused when it is listwise.",
    )


def test_a_key_that_is_not_known_needs_no_details() -> None:
    (found,) = check(changed(("path: /v1/rerank", "path: /v1/rerank\n  metod: POST"))).findings
    assert (found.code, found.suggestion, found.details) == ("unknown-key", "method", ())


def test_a_score_outside_its_scale_is_told_with_the_scale() -> None:
    text = corpus_text("score_outside_of_a_model")
    found = only(text, "scoring-contradiction")
    assert [(one.message, at(text, one.line, one.column)) for one in found.related] == [
        ("the scale is said here", "cosine}}}")
    ]


def test_syntax_that_breaks_late_is_told_with_where_it_may_begin() -> None:
    text = corpus_text("yaml_syntax")
    found = only(text, "yaml-syntax")
    assert "{path: /a" in [at(text, one.line, one.column) for one in found.related]


def test_a_diff_of_long_values_is_cut_around_what_differs() -> None:
    long = "x" * 300
    text = changed(
        ("query: capital of france, documents: [paris, rome]}", f"query: {long}a{long}, documents: [paris, rome]}}"),
        ("query: capital of france, documents: [paris, rome]}", f"query: {long}b{long}, documents: [paris, rome]}}"),
    )
    found = only(text)
    assert [len(line) <= 180 for line in found.details] == [True, True]
    assert ["xbx" in found.details[0], "xax" in found.details[1]] == [True, True]
    assert len(found.message) < 1000


def test_a_faulty_example_behind_what_json_cannot_carry_is_left_out() -> None:
    checked = check(
        changed(("score: 0.9}, {index: 1", "score: 99999999999999999999}, {index: 1"), ("reply: {", "reply: x #"))
    )
    assert [finding.path for finding in checked.findings] == [
        ("examples", 0, "reply", "body", "results", 0, "score"),
    ]


def test_every_problem_of_one_long_text_is_told_at_its_place() -> None:
    many = 2000
    checked = check(changed(('"{{ query }}"', '"' + "{{ qery }} " * many + '"')))
    assert [finding.column for finding in checked.findings] == [16 + 11 * number for number in range(many)]
