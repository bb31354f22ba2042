"""Findings as text for people and as data for machines; nothing in a file can steer a terminal or break a format."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rankspec.models import Finding, Related
from rankspec.reports import (
    CheckedFile,
    Report,
    Rule,
    as_github,
    as_json,
    as_junit,
    as_sarif,
    as_text,
    summary_line,
)
from rankspec.reports.excerpt import lines_of, marked, visible, width_of

TEXT = """\
spec_version: 2
provider: toy
request:
  body:
    query: "{{ qurey }}"
limits: {documents: 0}
examples:
  - title: a plain call
  - title: an error
"""


@dataclass(frozen=True)
class One:
    """A checked file."""

    file: str = "toy.yaml"
    text: str = TEXT
    findings: tuple[Finding, ...] = ()
    examples: int = 2
    cases: int = 200
    seed: int = 7


@dataclass(frozen=True)
class Told:
    """What a page says."""

    severity: str = "error"
    title: str = "A name that there is not"
    what: str = "The name is not known."
    why: str = "It would be absent."


NAME = Finding(
    "error", "unknown-name", "toy.yaml", 5, 16, ("request", "body", "query"), "unknown name 'qurey'", 21, "query"
)
LIMIT = Finding("error", "invalid-value", "toy.yaml", 6, 21, ("limits", "documents"), "must be 1 or more, not 0")
DIFFERS = Finding(
    "error",
    "example-differs",
    "toy.yaml",
    8,
    5,
    ("examples", 0, "returns"),
    "a plain call: returns 1, not 2",
    10,
    related=(Related(5, 5, "decides this"),),
    details=("- 2", "+ 1"),
)
IDLE = Finding("warning", "unused-setting", "toy.yaml", 2, 1, (), "nothing uses it")
RULES: dict[str, Rule] = {"unknown-name": Told()}  # type: ignore[dict-item]


def report(*findings: Finding, strict: bool = False, **changes: object) -> Report:
    return Report([replace(One(findings=findings), **changes)], RULES, {}, strict)  # type: ignore[arg-type]


def parsed(xml: str) -> ElementTree.Element:
    return ElementTree.fromstring(xml)  # noqa: S314 - it is our own


def test_text_shows_the_place_the_line_and_what_to_write() -> None:
    assert as_text(report(NAME)) == (
        "toy.yaml:5:16: error[unknown-name]: unknown name 'qurey'\n"
        "  = at: request.body.query\n"
        '5 |     query: "{{ qurey }}"\n'
        "  |                ^^^^^\n"
        "  = help: write 'query'\n"
        "  = see: rankspec check --explain unknown-name\n"
    )


def test_text_shows_related_places_and_details() -> None:
    assert as_text(report(DIFFERS)) == (
        "toy.yaml:8:5: error[example-differs]: a plain call: returns 1, not 2\n"
        "  = at: examples[0].returns\n"
        "8 |   - title: a plain call\n"
        "  |     ^^^^^\n"
        "  = note: decides this\n"
        '5 |     query: "{{ qurey }}"\n'
        "  |     ^\n"
        "    - 2\n"
        "    + 1\n"
    )


def test_text_names_the_page_of_a_code_once_and_separates_findings_by_a_line() -> None:
    told = as_text(report(NAME, replace(NAME, line=6, column=1, end_column=7, suggestion="")))
    assert told.count("--explain unknown-name") == 1
    assert told.endswith("\n\ntoy.yaml:6:1: error[unknown-name]: unknown name 'qurey'\n"
                         "  = at: request.body.query\n"
                         "6 | limits: {documents: 0}\n"
                         "  | ^^^^^^\n"
                         "  = help: remove it\n")  # fmt: skip


def test_text_suggests_nothing_where_it_is_not_known_what_to_replace() -> None:
    finding = replace(NAME, end_column=0)
    assert "help" not in as_text(report(finding)) + as_github(report(finding))
    assert "fixes" not in json.loads(as_sarif(report(finding)))["runs"][0]["results"][0]


def test_text_of_no_findings_is_empty() -> None:
    assert as_text(report()) == ""


def test_text_has_colours_only_where_they_are_asked_for() -> None:
    assert "\x1b" not in as_text(report(NAME, DIFFERS, IDLE))
    coloured = as_text(report(IDLE), colour=True)
    assert coloured == (
        "\x1b[1mtoy.yaml:2:1:\x1b[0m \x1b[1;33mwarning[unused-setting]:\x1b[0m nothing uses it\n"
        "\x1b[34m2 |\x1b[0m provider: toy\n"
        "\x1b[34m  |\x1b[0m \x1b[1;33m^\x1b[0m\n"
    )


@pytest.mark.parametrize("changes", [{"text": ""}, {"file": "other.yaml"}], ids=["unreadable", "unknown"])
def test_a_file_whose_text_is_not_known_has_no_excerpt(changes: dict[str, str]) -> None:
    assert as_text(report(IDLE, **changes)) == "toy.yaml:2:1: warning[unused-setting]: nothing uses it\n"


def test_a_finding_in_a_parent_shows_the_parents_line() -> None:
    finding = replace(IDLE, file="parent.yaml", line=1)
    shown = Report([One(findings=(finding,))], {}, {"parent.yaml": "title: Parent\n"})
    assert "1 | title: Parent\n" in as_text(shown)


def test_a_finding_behind_the_last_line_has_no_excerpt() -> None:
    assert as_text(report(replace(IDLE, line=99))) == "toy.yaml:99:1: warning[unused-setting]: nothing uses it\n"


def test_nothing_in_a_file_reaches_the_terminal_as_a_control_character() -> None:
    hostile = "\x1b[31m\u202e\x07\x9b"
    finding = replace(
        IDLE,
        file=f"toy{hostile}.yaml",
        path=(hostile,),
        message=hostile,
        end_column=3,
        suggestion=hostile,
        related=(Related(1, 1, hostile),),
        details=(hostile,),
    )
    told = as_text(report(finding, text=f"a: {hostile}\nb: {hostile}", file=finding.file))
    assert [one for one in told if not one.isprintable() and one != "\n"] == []
    assert told.startswith("toy\\x1b[31m\\u202e\\x07\\x9b.yaml:2:1: warning")


MARKED = [
    ("a span", "ab: cd", 5, 7, 40, "ab: cd", "    ^^"),
    ("only a start", "ab: cd", 5, 0, 40, "ab: cd", "    ^"),
    ("behind the end", "ab", 3, 0, 40, "ab", "  ^"),
    ("far behind the end", "ab", 9, 12, 40, "ab", "  ^"),
    ("longer than the line", "ab", 2, 99, 40, "ab", " ^"),
    ("an empty line", "", 1, 0, 40, "", "^"),
    ("wide characters", "日本: 東京", 5, 7, 40, "日本: 東京", "      ^^^^"),
    ("a combining accent", "e\u0301: x", 5, 6, 40, "e\u0301: x", "   ^"),
    ("a tab", "\ta", 2, 3, 40, "    a", "    ^"),
    ("a tab itself", "\ta", 1, 2, 40, "    a", "^^^^"),
    ("a control character", "\x1bab", 2, 3, 40, "\\x1bab", "    ^"),
    ("a bidirectional mark", "\u202eab", 2, 3, 40, "\\u202eab", "      ^"),
    ("cut behind", "abcdefghijklmnopqrstuvwxyz", 2, 4, 16, "abcdefghij...", " ^^"),
    ("cut before", "abcdefghijklmnopqrstuvwxyz", 26, 27, 16, "...rstuvwxyz", "           ^"),
    ("cut on both sides", "abcdefghijklmnopqrstuvwxyz", 13, 15, 16, "...jklmnopqrs...", "      ^^"),
    ("cut inside the span", "abcdefghijklmnopqrstuvwxyz", 13, 27, 16, "...jklmnopqrs...", "      ^^^^^^^"),
    ("cut among wide characters", "東" * 20, 10, 11, 16, "...東東東東東...", "     ^^"),
]


@pytest.mark.parametrize(
    ("line", "column", "end_column", "width", "source", "marks"),
    [case[1:] for case in MARKED],
    ids=[case[0] for case in MARKED],
)
def test_marks_stand_under_what_is_meant(
    line: str, column: int, end_column: int, width: int, source: str, marks: str
) -> None:
    assert marked(line, column, end_column, width) == (source, marks)
    assert width_of(source) <= width


@given(st.text(), st.integers(0, 60), st.integers(0, 70), st.integers(20, 60))
@example("東" * 60, 30, 31, 20)
@example("\t" * 60, 60, 61, 20)
def test_a_line_of_any_text_is_cut_to_the_width_and_the_first_mark_stands_under_its_character(
    line: str, column: int, end_column: int, width: int
) -> None:
    source, marks = marked(line, column, end_column, width)
    assert source.isprintable() or not source
    assert max(width_of(source), len(marks)) <= width
    indent = marks.index("^")
    meant = line[max(column, 1) - 1 : max(column, 1)]
    if meant.isascii() and meant.isprintable() and meant.strip() and source.isascii():
        assert source[indent] == meant


def test_lines_end_where_yaml_ends_them() -> None:
    assert lines_of("a\r\nb\rc\nd\x85e\u2028f\u2029g\x0bh") == ["a", "b", "c", "d", "e", "f", "g\x0bh"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 東 😀", "plain é 東 😀"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\u200b\ufeff\ud800", "\\u200b\\ufeff\\ud800"),
        ("\U000e0041\xa0\ue000", "\\U000e0041\\xa0\\ue000"),
    ],
    ids=["signs", "breaks", "without a sign", "tags and others"],
)
def test_what_is_no_sign_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_the_summary_counts_in_words() -> None:
    assert summary_line(report(NAME, IDLE), 1.26) == (
        "checked 1 file: 1 error, 1 warning; 2 examples replayed, 200 generated requests (seed 7); 1.3 seconds"
    )
    assert summary_line(report(cases=0, examples=1), 0) == (
        "checked 1 file: 0 errors, 0 warnings; 1 example replayed; 0.0 seconds"
    )


def test_a_fault_of_a_shared_parent_is_told_and_counted_once() -> None:
    files: list[CheckedFile] = [One("a.yaml", findings=(NAME,)), One("b.yaml", findings=(NAME,))]
    shared = Report(files)
    assert as_text(shared).count("error[") == 1
    assert as_github(shared).count("::error") == 1
    assert json.loads(as_json(shared))["summary"]["errors"] == 1
    assert [len(one["findings"]) for one in json.loads(as_json(shared))["files"]] == [1, 1]


@pytest.mark.parametrize(
    ("findings", "strict", "failed"),
    [((), True, False), ((IDLE,), False, False), ((IDLE,), True, True), ((IDLE, NAME), False, True)],
    ids=["nothing", "a warning", "a warning that counts", "an error"],
)
def test_errors_fail_and_warnings_only_if_strict(findings: tuple[Finding, ...], strict: bool, failed: bool) -> None:
    assert report(*findings, strict=strict).has_failed is failed


def test_json_holds_everything() -> None:
    assert json.loads(as_json(report(DIFFERS, NAME))) == {
        "version": 1,
        "files": [
            {
                "file": "toy.yaml",
                "examples": 2,
                "cases": 200,
                "findings": [
                    {
                        "severity": "error",
                        "code": "example-differs",
                        "file": "toy.yaml",
                        "line": 8,
                        "column": 5,
                        "end_column": 10,
                        "path": ["examples", 0, "returns"],
                        "message": "a plain call: returns 1, not 2",
                        "suggestion": None,
                        "related": [{"line": 5, "column": 5, "message": "decides this"}],
                        "details": ["- 2", "+ 1"],
                    },
                    {
                        "severity": "error",
                        "code": "unknown-name",
                        "file": "toy.yaml",
                        "line": 5,
                        "column": 16,
                        "end_column": 21,
                        "path": ["request", "body", "query"],
                        "message": "unknown name 'qurey'",
                        "suggestion": "query",
                        "related": [],
                        "details": [],
                    },
                ],
            }
        ],
        "summary": {
            "files": 1,
            "errors": 2,
            "warnings": 0,
            "examples": 2,
            "cases": 200,
            "seed": 7,
            "strict": False,
            "failed": True,
        },
    }


def test_json_is_ascii_and_gives_null_for_an_end_that_is_not_known() -> None:
    told = as_json(report(replace(LIMIT, message="é\ud800")))
    assert told.isascii()
    assert json.loads(told)["files"][0]["findings"][0]["end_column"] is None


def test_github_commands_are_escaped() -> None:
    finding = replace(DIFFERS, file="a,b:100%.yaml", message="50%: x", details=("- a\nb",), suggestion="y")
    assert as_github(report(finding, IDLE)) == (
        "::error file=a%2Cb%3A100%25.yaml,line=8,col=5,endColumn=10,title=example-differs::"
        "examples[0].returns: 50%25: x%0Aline 5: decides this%0A- a\\nb%0Ahelp: write 'y'\n"
        "::warning file=toy.yaml,line=2,col=1,title=unused-setting::nothing uses it\n"
    )


def test_sarif_holds_rules_results_and_fixes() -> None:
    log = json.loads(as_sarif(report(NAME, DIFFERS, IDLE)))
    assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
    run = log["runs"][0]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [
        "example-differs",
        "unknown-name",
        "unused-setting",
    ]
    assert run["tool"]["driver"]["rules"][1] == {
        "id": "unknown-name",
        "shortDescription": {"text": "A name that there is not"},
        "fullDescription": {"text": "The name is not known."},
        "help": {
            "text": "The name is not known.\n\nIt would be absent.\n\nrankspec check --explain unknown-name",
            "markdown": "The name is not known.\n\nIt would be absent.\n\n`rankspec check --explain unknown-name`",
        },
        "defaultConfiguration": {"level": "error"},
    }
    assert run["artifacts"] == [{"location": {"uri": "toy.yaml"}}]
    region = {"startLine": 5, "startColumn": 16, "endColumn": 21}
    assert run["results"][0] == {
        "ruleId": "unknown-name",
        "ruleIndex": 1,
        "level": "error",
        "message": {"text": "request.body.query: unknown name 'qurey'"},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": "toy.yaml"}, "region": region},
                "logicalLocations": [{"fullyQualifiedName": "request.body.query", "kind": "member"}],
            }
        ],
        "fixes": [
            {
                "description": {"text": "write 'query'"},
                "artifactChanges": [
                    {
                        "artifactLocation": {"uri": "toy.yaml"},
                        "replacements": [{"deletedRegion": region, "insertedContent": {"text": "query"}}],
                    }
                ],
            }
        ],
    }
    assert run["results"][1]["relatedLocations"] == [
        {
            "id": 1,
            "message": {"text": "decides this"},
            "physicalLocation": {
                "artifactLocation": {"uri": "toy.yaml"},
                "region": {"startLine": 5, "startColumn": 5},
            },
        }
    ]
    assert run["results"][2]["level"] == "warning"
    assert run["results"][2]["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "toy.yaml"},
                "region": {"startLine": 2, "startColumn": 1},
            }
        }
    ]


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("a b/ü:1.yaml", "a%20b/%C3%BC%3A1.yaml"),
        ("<stdin>", "%3Cstdin%3E"),
        ("/srv/a b.yaml", "file:///srv/a%20b.yaml"),
        ("a\udcff.yaml", "a%FF.yaml"),
    ],
    ids=["relative", "standard input", "absolute", "not UTF-8"],
)
def test_sarif_names_a_file_by_a_uri(file: str, uri: str) -> None:
    log = json.loads(as_sarif(report(replace(IDLE, file=file), file=file)))
    location = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert location == {"uri": uri}


def test_junit_has_a_suite_for_each_file_and_a_case_for_each_example() -> None:
    root = parsed(as_junit(report(IDLE, NAME, DIFFERS)))
    assert root.attrib == {"name": "rankspec check", "tests": "4", "failures": "2", "errors": "0"}
    suite = root[0]
    assert suite.attrib == {"name": "toy.yaml", "tests": "4", "failures": "2", "errors": "0"}
    assert [case.get("name") for case in suite] == [
        "a plain call",
        "an error",
        "unused-setting at 2:1",
        "unknown-name at 5:16",
    ]
    failure = suite[0][0]
    assert failure.attrib == {"message": "a plain call: returns 1, not 2", "type": "example-differs"}
    assert failure.text == (
        "toy.yaml:8:5: error: examples[0].returns: a plain call: returns 1, not 2 [example-differs]\n  - 2\n  + 1"
    )
    assert list(suite[1]) == []
    assert [(one.tag, one.text) for one in suite[2]] == [("system-out", str(IDLE))]


def test_junit_lets_a_warning_fail_where_warnings_count() -> None:
    root = parsed(as_junit(report(IDLE, strict=True)))
    assert root.get("failures") == "1"


def test_junit_has_one_case_for_a_file_without_findings_and_examples() -> None:
    root = parsed(as_junit(report(text="title: Toy\n")))
    assert [case.get("name") for case in root[0]] == ["check"]


@pytest.mark.parametrize("examples", ["7", "[7, {title: 7}]"], ids=["no list", "no titles"])
def test_junit_names_examples_without_a_title_by_their_place(examples: str) -> None:
    root = parsed(as_junit(report(text=f"examples: {examples}\n")))
    assert [case.get("name") for case in root[0]] == (["check"] if examples == "7" else ["example 1", "example 2"])


def test_junit_leaves_out_what_xml_cannot_hold() -> None:
    hostile = "a\x00\x1b\x0b\ud800\ufffe<&\"'é\U0001f600"
    finding = replace(IDLE, message=hostile, details=(hostile,))
    root = parsed(as_junit(report(finding, file=hostile, text='a: "\\e"\n', strict=True)))
    kept = "a<&\"'é\U0001f600"
    assert root[0].get("name") == kept
    assert root[0][0][0].get("message") == kept
