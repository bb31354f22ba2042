"""Where findings point: at the very characters meant, in any style of YAML, and never outside the file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from stepping import TOY, toy_text

from rankspec.catalog import Catalog
from rankspec.checks import check_text
from rankspec.models import Finding, Problem
from rankspec.resources import shipped_specs
from rankspec.strict_yaml import YamlFile, read_yaml

CORPUS = Path(__file__).resolve().parent.parent / "invalid"
LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
NOT_TRIED = {"yaml_too_large", "yaml_unreadable"}
"""Files of the corpus that are no text, or are too large to be checked hundreds of times."""

WITH_SUGGESTIONS = {
    "example-error",
    "insecure-url",
    "invalid-value",
    "mapping-keys",
    "mapping-unseen",
    "scoring-contradiction",
    "template-loop",
    "unknown-filter",
    "unknown-function",
    "unknown-key",
    "unknown-name",
    "unknown-parent",
    "unknown-test",
    "unknown-value",
    "wrong-type",
}
"""Codes of findings that may say what to write instead."""


def corpus() -> dict[str, str]:
    files = (file for file in sorted(CORPUS.glob("*.yaml")) if file.stem not in NOT_TRIED)
    return {file.name: file.read_bytes().decode("utf-8-sig") for file in files}


CATALOG = Catalog([CORPUS], environ={})
BROKEN = corpus()
SHIPPED = {name: file.read_text("utf-8") for name, file in shipped_specs().items()}


def check(text: str, file: str = "toy.yaml") -> tuple[Finding, ...]:
    return check_text(text, file, CATALOG.parent_data, cases=0).findings


def index_of(text: str, line: int, column: int) -> int:
    """The character of a text at a line and a column, counted from 1."""
    starts = [0, *(found.end() for found in LINE_BREAK.finditer(text))]
    return starts[line - 1] + column - 1


def applied(text: str, finding: Finding) -> str:
    """The text with what a finding suggests in the place that it names."""
    assert finding.suggestion is not None
    start = index_of(text, finding.line, finding.column)
    end = index_of(text, finding.line, finding.end_column)
    return text[:start] + finding.suggestion + text[end:]


# Any text in any style

TEXTS = st.text(st.sampled_from("ab{}'\" \n\t\\é😀:#-x,[]\u2028"), max_size=30) | st.text(max_size=20)
STYLES = st.fixed_dictionaries(
    {
        "default_style": st.sampled_from([None, "'", '"', "|", ">"]),
        "default_flow_style": st.booleans(),
        "width": st.integers(8, 120),
        "indent": st.integers(2, 6),
        "allow_unicode": st.booleans(),
    }
)
HERE = ("outer", "inner", 1)


def written(value: str, style: dict[str, Any]) -> YamlFile:
    """A file that holds the text at HERE, written in a style."""
    return read_yaml(yaml.dump({"outer": {"inner": [1, value]}}, **style), "toy.yaml")


def stands_for(text: str, at: int, character: str) -> bool:
    """Whether what stands in the file is a character of the value, or its escape, or white space that was folded."""
    if character.isspace():
        return text[at].isspace() or text[at] in "\\\"'"
    escape = re.match(r"\\(?:x..|u....|U........|[^xuU])", text[at:])
    return text[at] == character or (escape is not None and yaml.safe_load(f'"{escape.group()}"') == character)


@given(TEXTS, STYLES)
@settings(max_examples=500)
@example("it's {{ 'x' }}", {"default_style": "'"})
@example('"é\t\\', {"default_style": '"', "allow_unicode": False})
@example("a b  c\n\n d e\n", {"default_style": ">", "width": 8})
def test_every_character_of_a_text_is_found_in_the_file(value: str, style: dict[str, Any]) -> None:
    file = written(value, style)
    assume(file.is_complete and file.value_at(HERE) == value)
    places = []
    for offset, character in enumerate(value):
        finding = file.finding_of(Problem(HERE, "m", "c", offset, 1))
        places.append(index_of(file.text, finding.line, finding.column))
        assert stands_for(file.text, places[-1], character), (offset, character)
    assert places == sorted(places)


@given(TEXTS, STYLES, st.data())
def test_a_place_behind_or_inside_a_text_lies_inside_the_file(value: str, style: dict[str, Any], data: Any) -> None:
    file = written(value, style)
    assume(file.is_complete and file.value_at(HERE) == value)
    offset, length = data.draw(st.integers(0, len(value) + 2)), data.draw(st.integers(0, len(value) + 2))
    assert_inside(file.finding_of(Problem(HERE, "m", "c", offset, length)), file.text)


@pytest.mark.parametrize("text", ["a: xy", "a: 'xy'", 'a: "xy"', "a: |-\n  xy", "{a: xy}", "a: xy\n"])
@pytest.mark.parametrize("length", [0, 1, 5])
def test_a_place_behind_the_last_text_of_a_file_lies_inside_it(text: str, length: int) -> None:
    assert_inside(read_yaml(text, "toy.yaml").finding_of(Problem(("a",), "m", "c", 2, length)), text)


WORDS = st.lists(st.sampled_from(["it's", '"quoted"', "a", "b c", "é😀", "back\\slash", "two\nlines", "#", "- x"]), max_size=5)  # fmt: skip


@given(WORDS, WORDS, STYLES)
@settings(max_examples=300)
def test_a_suggestion_mends_a_template_in_any_style(before: list[str], after: list[str], style: dict[str, Any]) -> None:
    text = " ".join([*before, "{{ qurey }}", *after])
    request = {"request": {"body": {"query": text, "documents": "{{ texts }}"}}}
    source = yaml.dump({**TOY, "request": None}, sort_keys=False).replace("request: null\n", "")
    source += yaml.dump(request, **{**style, "default_flow_style": False})
    # PyYAML writes a backslash twice now and then, where it folds.
    assume(read_yaml(source, "toy.yaml").value_at(("request", "body", "query")) == text)
    (finding,) = (one for one in check(source) if one.code == "unknown-name")
    assert source[index_of(source, finding.line, finding.column) :].startswith("qurey")
    mended = read_yaml(applied(source, finding), "toy.yaml")
    assert mended.findings == []
    assert mended.value_at(("request", "body", "query")) == text.replace("qurey", "query")


@pytest.mark.parametrize(
    "name",
    ["qurey", "\\x71urey", "qu\\x72ey", "qure\\x79", "\\u0071\\u0075\\u0072\\u0065\\u0079"],
    ids=["plain", "first escaped", "middle escaped", "last escaped", "all escaped"],
)
def test_a_suggestion_replaces_escapes_whole(name: str) -> None:
    source = toy_text().replace("{{ query }}", f"{{{{ {name} }}}}")
    (finding,) = (one for one in check(source) if one.code == "unknown-name")
    assert applied(source, finding) == toy_text()


# Suggestions of the corpus


def alike(finding: Finding, findings: tuple[Finding, ...]) -> int:
    """How many findings say the same of the same value."""
    meant = finding.code, finding.path, finding.message
    return sum((one.code, one.path, one.message) == meant for one in findings)


@pytest.mark.parametrize("file", sorted(BROKEN))
def test_a_suggestion_that_is_followed_mends_what_it_was_made_for(file: str) -> None:
    text = BROKEN[file]
    findings = check(text, file)
    for finding in findings:
        if finding.suggestion is not None and finding.end_column:
            mended = check(applied(text, finding), file)
            assert alike(finding, mended) == alike(finding, findings) - 1
            assert of_yaml(mended) == of_yaml(findings)


def of_yaml(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.code for finding in findings if finding.code.startswith("yaml-")]


def test_suggestions_of_every_code_are_tried() -> None:
    findings = [finding for file, text in BROKEN.items() for finding in check(text, file)]
    found = {finding.code for finding in findings if finding.suggestion is not None and finding.end_column}
    assert found == WITH_SUGGESTIONS


# Whatever a file holds


def assert_inside(finding: Finding, text: str) -> None:
    lines = LINE_BREAK.split(text)
    for line, column, end in (
        (finding.line, finding.column, finding.end_column),
        *((one.line, one.column, 0) for one in finding.related),
    ):
        assert 1 <= line <= len(lines), finding
        assert 1 <= column <= len(lines[line - 1]) + 1, finding
        assert end == 0 or column < end <= len(lines[line - 1]) + 1, finding


def assert_checks(text: str) -> None:
    for finding in check(text):
        if finding.file == "toy.yaml":
            assert_inside(finding, text)


PIECES = [
    *"{}[]:,'\"|>-#&*!%@`? \n\t\ra0~$.\\é😀",
    "\u2028",
    "{{ x }}",
    "{{",
    "null",
    "true",
    "[]",
    "{}",
    "- ",
    "\n  ",
    '""',
]
MUTATIONS = st.lists(
    st.tuples(
        st.sampled_from(["delete", "insert", "repeat", "delete lines", "repeat lines", "move lines", "indent"]),
        st.floats(0, 1, exclude_max=True),
        st.floats(0, 1, exclude_max=True),
        st.integers(1, 40),
        st.sampled_from(PIECES),
    ),
    min_size=1,
    max_size=4,
)


def mutilated(text: str, mutations: list[tuple[str, float, float, int, str]]) -> str:
    """The text after each mutation: its kind, where (and where else) as a share of the text, how much, and a piece."""
    for kind, where, elsewhere, size, piece in mutations:
        at = int(where * len(text))
        lines = text.splitlines(keepends=True) or [""]
        row, other, some = int(where * len(lines)), int(elsewhere * len(lines)), size % 5 + 1
        match kind:
            case "delete":
                text = text[:at] + text[at + size :]
            case "insert":
                text = text[:at] + piece + text[at:]
            case "repeat":
                text = text[: at + size] + text[at:]
            case "delete lines":
                text = "".join(lines[:row] + lines[row + some :])
            case "repeat lines":
                text = "".join(lines[: row + some] + lines[row:])
            case "move lines":
                text = "".join(lines[:other] + lines[row : row + some] + lines[other:])
            case "indent":
                text = "".join([*lines[:row], "  ", *lines[row:]])
    return text


@given(st.text(max_size=60))
@settings(max_examples=300)
def test_any_text_can_be_checked(text: str) -> None:
    assert_checks(text)


@given(st.sampled_from(sorted(SHIPPED)), MUTATIONS)
@settings(max_examples=400)
def test_a_shipped_spec_can_be_checked_however_it_is_mutilated(name: str, mutations: list[Any]) -> None:
    assert_checks(mutilated(SHIPPED[name], mutations))


@given(st.sampled_from(sorted(BROKEN)), MUTATIONS)
@settings(max_examples=400)
def test_a_broken_spec_can_be_checked_however_it_is_mutilated(name: str, mutations: list[Any]) -> None:
    assert_checks(mutilated(BROKEN[name], mutations))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.sampled_from(["", "a", "{{ x }}", "*"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "$for", "index", ""]), inner),
    max_leaves=4,
)  # fmt: skip


@given(st.sampled_from(sorted(SHIPPED)), VALUES, st.data())
@settings(max_examples=200)
def test_any_value_may_stand_anywhere_in_a_spec(name: str, value: Any, data: Any) -> None:
    spec = read_yaml(SHIPPED[name], "toy.yaml").data
    path = data.draw(st.sampled_from(places_of(spec)))
    inside = spec
    for part in path[:-1]:
        inside = inside[part]
    inside[path[-1]] = value
    assert_checks(json.dumps(spec, indent=1))


def places_of(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The paths of all values inside a value."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, member in members for place in ((*path, key), *places_of(member, (*path, key)))]


@given(st.text(st.characters(codec="utf-8"), max_size=30))
@settings(max_examples=200)
def test_any_text_may_be_a_template_or_a_mapping(text: str) -> None:
    for changes in (
        {"request": {"body": {"query": text, "documents": "{{ texts }}"}}},
        {"request": {"body": {"query": "{{ query }}", "documents": {"$for": "d in documents", "$item": "{{" + text + "}}"}}}},
        {"response": {"results": text or "x"}, "errors": {"message": [text or "x", "a." + text]}},
        {"endpoint": {"base_url": text or "x", "path": "{{ " + text + " }}"}},
    ):  # fmt: skip
        assert_checks(toy_text(**changes))
