"""YAML without surprises: what is refused, where it stands, and that all of JSON reads back."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from rankspec import strict_yaml
from rankspec.models import Finding, Json, Path, format_path
from rankspec.strict_yaml import MAX_CHARACTERS, MAX_DEPTH, Mark, YamlFile, read_yaml

PARSERS = [pytest.param(name, id=name) for name in ("CSafeLoader", "SafeLoader") if hasattr(yaml, name)]


@pytest.fixture(params=PARSERS)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML comes with libyaml or without it."""
    monkeypatch.setattr(strict_yaml, "_LOADER", getattr(yaml, request.param))


both_parsers = pytest.mark.usefixtures("parser")


def read(text: str) -> YamlFile:
    return read_yaml(text, "toy.yaml")


def told(text: str) -> list[str]:
    return [str(finding) for finding in read(text).findings]


def cases(*rows: tuple[Any, ...]) -> list[Any]:
    return [pytest.param(*row[1:], id=row[0]) for row in rows]


BOOLEAN = "is a boolean to some YAML readers"
CONSTANT = "is written true, false or null here"
DATE = "is a date to YAML readers"
BASE_60 = "is a number in base 60 to YAML readers"
OTHER_BASE = "is a number in another base to YAML readers"
NOT_FINITE = "is not a finite number"
NOT_JSON = "is not written like a JSON number"
OWN_MEANING = "has a meaning of its own in YAML"

SURPRISES = cases(
    ("time of day", "12:30", BASE_60),
    ("time with seconds", "12:30:45", BASE_60),
    ("time with fractions", "190:20:30.15", BASE_60),
    ("signed time", "-1:30", BASE_60),
    ("yes", "yes", BOOLEAN),
    ("no", "no", BOOLEAN),
    ("Norway", "NO", BOOLEAN),
    ("on", "on", BOOLEAN),
    ("off", "Off", BOOLEAN),
    ("capital true", "True", CONSTANT),
    ("upper case false", "FALSE", CONSTANT),
    ("capital null", "Null", CONSTANT),
    ("mixed case null", "nULL", CONSTANT),
    ("tilde", "~", CONSTANT),
    ("day", "2024-10-01", DATE),
    ("day with short parts", "2024-1-1", DATE),
    ("time stamp", "2024-10-01T10:00:00Z", DATE),
    ("time stamp with a space", "2024-10-01 10:00:00.5 -5", DATE),
    ("day that no calendar has", "2024-99-99", DATE),
    ("hexadecimal", "0x1F", OTHER_BASE),
    ("signed hexadecimal", "-0x1f", OTHER_BASE),
    ("octal of YAML 1.1", "0777", OTHER_BASE),
    ("octal of YAML 1.2", "0o17", OTHER_BASE),
    ("binary", "0b101", OTHER_BASE),
    ("leading zeros", "007", OTHER_BASE),
    ("leading zero that is not octal", "08", NOT_JSON),
    ("underscores", "1_000", NOT_JSON),
    ("underscores in a fraction", "1.000_5", NOT_JSON),
    ("no digit before the point", ".5", NOT_JSON),
    ("no digit after the point", "1.", NOT_JSON),
    ("signed and no digit before the point", "-.5", NOT_JSON),
    ("plus sign", "+1", NOT_JSON),
    ("plus sign before a fraction", "+1.5e3", NOT_JSON),
    ("point before the exponent", "1.e5", NOT_JSON),
    ("beyond the doubles", "1e400", NOT_JSON),
    ("below the doubles", "-1.5e400", NOT_JSON),
    ("infinity", ".inf", NOT_FINITE),
    ("negative infinity", "-.Inf", NOT_FINITE),
    ("not a number", ".NaN", NOT_FINITE),
    ("merge", "<<", OWN_MEANING),
    ("value", "=", OWN_MEANING),
)


@both_parsers
@pytest.mark.parametrize(("scalar", "why"), SURPRISES)
def test_a_surprise_is_found_where_it_stands(scalar: str, why: str) -> None:
    file = read(f"first: 1\nouter:\n  inner: {scalar} # why\n")
    message = f"{scalar} {why}; put it in quotes if it is text"
    assert file.findings == [Finding("error", "yaml-surprise", "toy.yaml", 3, 10, ("outer", "inner"), message)]
    assert file.data == {"first": 1, "outer": {"inner": scalar}}


@both_parsers
@pytest.mark.parametrize(("scalar", "why"), SURPRISES)
def test_a_surprise_in_flow_style_is_found_where_it_stands(scalar: str, why: str) -> None:
    assert told(f"a: [é😀, {scalar}]") == [
        f"toy.yaml:1:9: error: a[1]: {scalar} {why}; put it in quotes if it is text [yaml-surprise]"
    ]


@both_parsers
@pytest.mark.parametrize(("scalar", "why"), SURPRISES)
def test_a_surprising_key_is_found_where_it_stands(scalar: str, why: str) -> None:
    file = read(f"outer:\n  - {scalar}: x\n")
    message = f"the key {scalar} {why}; put it in quotes"
    assert file.findings == [Finding("error", "yaml-surprise", "toy.yaml", 2, 5, ("outer", 0, scalar), message)]


@both_parsers
@pytest.mark.parametrize("style", cases(("single quotes", "'{}'"), ("double quotes", '"{}"'), ("block", "|-\n  {}")))
@pytest.mark.parametrize(("scalar", "why"), [*SURPRISES, *cases(("true", "true", ""), ("one", "1", ""))])
def test_a_surprise_that_is_marked_as_text_is_text(scalar: str, why: str, style: str) -> None:
    file = read("a: " + style.format(scalar))
    assert (file.data, file.findings) == ({"a": scalar}, [])


@both_parsers
@pytest.mark.parametrize(("scalar", "why"), [*SURPRISES, *cases(("true", "true", ""), ("null", "null", ""))])
def test_a_quoted_key_is_text(scalar: str, why: str) -> None:
    file = read(f"'{scalar}': x")
    assert (file.data, file.findings) == ({scalar: "x"}, [])


@pytest.mark.parametrize("scalar", ["true", "false", "null"])
def test_a_constant_as_key_is_a_finding(scalar: str) -> None:
    assert told(f"{scalar}: x") == [
        f"toy.yaml:1:1: error: {scalar}: the key {scalar} is not text to YAML readers; put it in quotes [yaml-surprise]"
    ]


NOTHING = (
    "nothing stands here, which YAML reads as null; write what is meant: {} for an object without members, [] for an "
    "empty list, '' for text, or null [yaml-surprise]"
)


@pytest.mark.parametrize(
    ("text", "finding"),
    cases(
        ("at the end", "a:", f"toy.yaml:1:3: error: a: {NOTHING}"),
        ("before another key", "a:\nb: 1", f"toy.yaml:1:3: error: a: {NOTHING}"),
        ("in a list", "- 1\n-", f"toy.yaml:2:2: error: [1]: {NOTHING}"),
        ("in flow style", "{a: , b: 1}", f"toy.yaml:1:5: error: a: {NOTHING}"),
        ("a key alone in flow style", "{a}", f"toy.yaml:1:3: error: a: {NOTHING}"),
        ("a document of nothing", "---\n", f"toy.yaml:1:4: error: {NOTHING}"),
    ),
)
def test_an_empty_value_is_a_finding(text: str, finding: str) -> None:
    assert told(text) == [finding]


@both_parsers
def test_a_missing_key_is_a_finding() -> None:
    file = read("a: 1\n? \n: v")
    message = "the key is missing; an empty one is ''"
    assert file.findings == [Finding("error", "yaml-surprise", "toy.yaml", 2, 2, ("",), message)]


@both_parsers
def test_an_empty_key_in_quotes_is_text() -> None:
    file = read("'': v")
    assert (file.data, file.findings) == ({"": "v"}, [])


@both_parsers
@pytest.mark.parametrize(
    ("text", "value"),
    cases(
        ("zero", "0", 0),
        ("negative zero", "-0", 0),
        ("negative", "-17", -17),
        ("status", "424", 424),
        ("beyond 64 bits", "18446744073709551616", 2**64),
        ("fraction", "1.5", 1.5),
        ("negative fraction", "-0.25", -0.25),
        ("exponent", "1e5", 1e5),
        ("signed exponent", "2.5E-3", 2.5e-3),
        ("the largest double", "1.7976931348623157e+308", 1.7976931348623157e308),
        ("true", "true", True),
        ("false", "false", False),
        ("null", "null", None),
    ),
)
def test_a_plain_json_scalar_keeps_its_type(text: str, value: Json) -> None:
    file = read(f"- {text}")
    assert (repr(file.data), file.findings) == (repr([value]), [])


@both_parsers
@pytest.mark.parametrize(
    "text",
    cases(
        ("host and port", "localhost:8080"),
        ("numbers and a colon", "127:8080"),
        ("no minute", "12:60"),
        ("version", "1.5.2"),
        ("version with a letter", "v2"),
        ("month", "2024-10"),
        ("word that begins like no", "none"),
        ("word that begins like on", "one"),
        ("word that begins like true", "trueish"),
        ("underscore", "_"),
        ("private name", "__init__"),
        ("point", "."),
        ("plus", "+"),
        ("prefix of a hexadecimal number", "0x"),
        ("no binary number", "0b2"),
        ("exponent alone", "e5"),
        ("number without its exponent", "1e"),
        ("comparison", "=="),
        ("digits of another script", "１２:３０"),
        ("emoji", "😀"),
        ("sentence", "no, 12:30 is fine"),
        ("expression", "results[].relevance_score"),
        ("URL", "https://h.example:8080/v1?a=b#c"),
    ),
)
def test_plain_text_is_text(text: str) -> None:
    file = read(f"- {text}")
    assert (file.data, file.findings) == ([text], [])


def test_a_number_of_thousands_of_digits_is_a_finding() -> None:
    digits = "7" * 5000
    assert told(f"a: {digits}") == [
        f"toy.yaml:1:4: error: a: {digits} is not written like a JSON number; put it in quotes if it is text "
        "[yaml-surprise]"
    ]
    digits = "7" * 800  # YAML ends a key at 1024 characters.
    assert told(f"{digits}: a") == [
        f"toy.yaml:1:1: error: {digits}: the key {digits} is not written like a JSON number; put it in quotes "
        "[yaml-surprise]"
    ]


@pytest.mark.parametrize(
    "text",
    cases(
        ("digits", "1" * 100_000 + "x"),
        ("digits and underscores", "1_" * 50_000 + "x"),
        ("a time", "1" + ":1" * 50_000 + "x"),
        ("octal digits", "0" * 100_000 + "x"),
        ("a fraction", "1." + "1" * 100_000 + "x"),
    ),
)
def test_long_text_that_begins_like_a_number_is_read_at_once(text: str) -> None:
    assert read(f"- {text}").data == [text]


@both_parsers
@pytest.mark.parametrize(
    ("text", "findings"),
    cases(
        ("twice", "a: 1\nb: 2\na: 3", ["toy.yaml:3:1: error: a: 'a' stands here again; it is first in line 1"]),
        ("quoted", "a: 1\n'a': 3", ["toy.yaml:2:1: error: a: 'a' stands here again; it is first in line 1"]),
        (
            "three times, nested",
            "o:\n  - k: 1\n    k: 1\n    k: 1",
            [
                "toy.yaml:3:5: error: o[0].k: 'k' stands here again; it is first in line 2",
                "toy.yaml:4:5: error: o[0].k: 'k' stands here again; it is first in line 2",
            ],
        ),
        ("flow style", "{a: 1, b: 2, a: 1}", ["toy.yaml:1:14: error: a: 'a' stands here again; it is first in line 1"]),
        (
            "number and text",
            "424: x\n'424': y",
            ["toy.yaml:2:1: error: 424: '424' stands here again; it is first in line 1"],
        ),
    ),
)
def test_a_repeated_key_is_a_finding(text: str, findings: list[str]) -> None:
    assert told(text) == [f"{finding} [yaml-duplicate-key]" for finding in findings]


@both_parsers
def test_the_same_key_in_two_objects_is_no_finding() -> None:
    assert told("a: {k: 1}\nb: {k: 1}\nc: [{k: 1}, {k: 1}]") == []


ANCHOR = "anchors are not read here: remove &{} [yaml-alias]"
ALIAS = "aliases are not read here: write the value of *{} out [yaml-alias]"
TAG = "tags are not read here: remove {} [yaml-tag]"


@both_parsers
@pytest.mark.parametrize(
    ("text", "findings"),
    cases(
        (
            "anchor and alias",
            "a: &x 1\nb: *x",
            ["toy.yaml:1:4: error: a: " + ANCHOR.format("x"), "toy.yaml:2:4: error: b: " + ALIAS.format("x")],
        ),
        ("anchor on an object", "a: &x\n  b: 1", ["toy.yaml:1:4: error: a: " + ANCHOR.format("x")]),
        ("anchor on a list", "- &x [1]", ["toy.yaml:1:3: error: [0]: " + ANCHOR.format("x")]),
        ("anchor on a key", "a: 1\n&x k: v", ["toy.yaml:2:1: error: k: " + ANCHOR.format("x")]),
        ("alias of nothing", "a: *none", ["toy.yaml:1:4: error: a: " + ALIAS.format("none")]),
        ("alias as key", "*x : 1", ["toy.yaml:1:1: error: a key is text [yaml-key]"]),
        ("tag on a number", "a: !!str 1", ["toy.yaml:1:4: error: a: " + TAG.format("tag:yaml.org,2002:str")]),
        ("tag on an object", "a: !!set {}", ["toy.yaml:1:4: error: a: " + TAG.format("tag:yaml.org,2002:set")]),
        ("tag on a key", "!!int 1: v", ["toy.yaml:1:1: error: 1: " + TAG.format("tag:yaml.org,2002:int")]),
        ("tag of our own", "a: !mine x", ["toy.yaml:1:4: error: a: " + TAG.format("!mine")]),
        (
            "tag that runs code elsewhere",
            "!!python/object/apply:os.system [ls]",
            ["toy.yaml:1:1: error: " + TAG.format("tag:yaml.org,2002:python/object/apply:os.system")],
        ),
        (
            "anchor and tag",
            "a: &x !!int '1'",
            [
                "toy.yaml:1:4: error: a: " + ANCHOR.format("x"),
                "toy.yaml:1:4: error: a: " + TAG.format("tag:yaml.org,2002:int"),
            ],
        ),
    ),
)
def test_anchors_aliases_and_tags_are_findings(text: str, findings: list[str]) -> None:
    assert told(text) == findings


def test_many_aliases_stay_small() -> None:
    laughs = "a: &a [x, x]\n" + "\n".join(
        f"{new}: &{new} [*{old}, *{old}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert {finding.code for finding in read(laughs).findings} == {"yaml-alias"}


@both_parsers
@pytest.mark.parametrize(
    ("text", "finding"),
    cases(
        ("object", "{a: 1}: x", "toy.yaml:1:1: error: a key is text [yaml-key]"),
        ("list", "o:\n  ? [a]\n  : x", "toy.yaml:2:5: error: o: a key is text [yaml-key]"),
        ("nested objects", "{ {a: 1}: 2}", "toy.yaml:1:3: error: a key is text [yaml-key]"),
        ("two lines", "{{a: 1,\nb: 2}: 2}", "toy.yaml:1:2: error: a key is text [yaml-key]"),
    ),
)
def test_a_key_that_is_no_text_is_a_finding(text: str, finding: str) -> None:
    assert told(text) == [finding]


@both_parsers
@pytest.mark.parametrize(
    ("text", "expression", "place", "quoted"),
    cases(
        ("value", "query: {{ query }}\n", "query", (1, 8, 19), '"{{ query }}"'),
        ("without spaces", "o:\n  query: {{query}}\n", "o.query", (2, 10, 19), '"{{query}}"'),
        ("in a list", "- {{ texts }}\n", "[0]", (1, 3, 14), '"{{ texts }}"'),
        ("in flow style", "a: [1, {{ x }}, 2]\n", "a[1]", (1, 8, 15), '"{{ x }}"'),
        ("with quotes", 'a: {{ x | default("y") }}\n', "a", (1, 4, 26), "'{{ x | default(\"y\") }}'"),
    ),
)
def test_an_expression_without_quotes_says_so(
    text: str, expression: str, place: tuple[int, int, int], quoted: str
) -> None:
    (found,) = read(text).findings
    assert (found.code, format_path(found.path), found.message) == (
        "yaml-key",
        expression,
        f"a value that begins with {{{{ needs quotes: write {quoted}",
    )
    assert (found.line, found.column, found.end_column) == place


@both_parsers
@pytest.mark.parametrize("key", ["424", "-1", "1.5", "1e3", "0"])
def test_a_number_as_key_is_its_text(key: str) -> None:
    file = read(f"{key}: x")
    assert (file.data, file.findings) == ({key: "x"}, [])


def test_a_second_document_is_a_finding() -> None:
    file = read("---\na: 1\n---\nb: 2\n")
    assert [str(finding) for finding in file.findings] == [
        "toy.yaml:3:1: error: a spec file holds one document; remove the second --- [yaml-documents]"
    ]
    assert file.data == {"a": 1}


@both_parsers
@pytest.mark.parametrize(
    "text", cases(("empty", ""), ("white space", " \n\n"), ("comment", "# a: 1\n"), ("mark", "\ufeff"))
)
def test_an_empty_file_is_a_finding(text: str) -> None:
    file = read(text)
    assert [str(finding) for finding in file.findings] == ["toy.yaml:1:1: error: the file is empty [yaml-empty]"]
    assert file.data is None


SYNTAX = cases(
    ("no colon", "a: 1\nb\nc: 2", (2, 1), "a colon is missing behind this key"),
    ("two values", "a: b: c", (1, 5), "mapping values are not allowed"),
    ("open quote", "a: 'x", (1, 4), "this quote is never closed"),
    ("open list", "a: [1", (1, 6), "did not find expected ',' or ']'"),
    ("list for an object", "a: 1\n- b", (2, 1), ""),
    ("at sign", "a: @x", (1, 4), "found character"),
    ("unknown escape", r'a: "\d"', (1, 5), "escape character"),
    ("newer YAML", "%YAML 2.0\n---\na: 1", (1, 1), "found incompatible YAML document"),
)


@both_parsers
@pytest.mark.parametrize(
    ("text", "where"),
    cases(("before a key", "a:\n\tb: 1", "2:1"), ("before the first key", "\ta: 1", "1:1")),
)
def test_a_tab_that_indents_is_a_finding(text: str, where: str) -> None:
    assert told(text) == [f"toy.yaml:{where}: error: a tab cannot indent YAML; write spaces [yaml-tab]"]


@pytest.mark.parametrize(("text", "where", "message"), SYNTAX)
def test_what_is_no_yaml_is_one_finding_with_its_position(text: str, where: tuple[int, int], message: str) -> None:
    [finding] = read(text).findings
    assert (finding.code, finding.path) == ("yaml-syntax", ())
    assert (finding.line, finding.column) == where
    assert message in finding.message


@both_parsers
@pytest.mark.parametrize(("text", "where", "message"), SYNTAX)
def test_what_is_no_yaml_is_a_finding_to_both_parsers(text: str, where: tuple[int, int], message: str) -> None:
    assert [finding.code for finding in read(text).findings] == ["yaml-syntax"]


@both_parsers
@pytest.mark.parametrize(
    ("text", "line", "column", "character"),
    cases(
        ("NUL", "a: b\x00c", 1, 5, "U+0000"),
        ("bell in a later line", "a: é😀\r\nb:\r  - '\x07'", 3, 6, "U+0007"),
        ("delete", "a: 1\n\n# \x7f", 3, 3, "U+007F"),
        ("escape", "\x1b[31m", 1, 1, "U+001B"),
        ("half of a surrogate pair", "a: 1\nb: 'x\ud83d'", 2, 6, "U+D83D"),
        ("no character", "a: \uffff", 1, 4, "U+FFFF"),
    ),
)
def test_a_character_that_yaml_refuses_is_found_where_it_stands(
    text: str, line: int, column: int, character: str
) -> None:
    assert told(text) == [
        f"toy.yaml:{line}:{column}: error: the character {character} cannot stand in a YAML file [yaml-syntax]"
    ]


@both_parsers
def test_a_byte_order_mark_is_passed_over() -> None:
    file = read("\ufeffa: 1\n")
    assert (file.data, file.findings) == ({"a": 1}, [])


def test_what_is_nested_as_deep_as_possible_is_read() -> None:
    value: Json = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    file = read(json.dumps(value))
    assert (file.data, file.findings) == (value, [])


@pytest.mark.parametrize("levels", cases(("one level more", MAX_DEPTH + 2), ("very many", 5000)))
@pytest.mark.parametrize(
    ("opening", "path"), cases(("lists", "[", 0), ("objects", '{"a": ', "a"), ("block lists", "- ", 0))
)
def test_what_is_nested_deeper_is_one_finding(opening: str, path: str | int, levels: int) -> None:
    [finding] = read(opening * levels).findings
    assert (finding.code, finding.message) == ("yaml-too-deep", "nested deeper than 60 levels")
    assert (finding.line, finding.column) == (1, len(opening) * (MAX_DEPTH + 1) + 1)
    assert finding.path == (path,) * (MAX_DEPTH + 1)


def test_the_largest_file_is_read_and_a_larger_one_is_a_finding() -> None:
    largest = "a: '" + "x" * (MAX_CHARACTERS - 5) + "'"
    assert told(largest) == []
    file = read(largest + "\n")
    assert [str(finding) for finding in file.findings] == [
        "toy.yaml:1:1: error: the file has 1000001 characters; 1000000 is the most [yaml-too-large]"
    ]
    assert file.data is None


SCALARS = """\
plain: one
  two
quoted: "a
  b \\
  c\\u2028"
single: 'it''s
  here'
folded: >-
    one
    two

    three
literal: |
  # no comment
   x
"""


@both_parsers
def test_scalars_of_several_lines_are_read_and_found_at_their_start() -> None:
    file = read(SCALARS)
    assert file.data == {
        "plain": "one two",
        "quoted": "a b c\u2028",
        "single": "it's here",
        "folded": "one two\nthree",
        "literal": "# no comment\n x\n",
    }
    assert file.findings == []
    assert file.keys == {
        ("plain",): Mark(1, 1),
        ("quoted",): Mark(3, 1),
        ("single",): Mark(6, 1),
        ("folded",): Mark(8, 1),
        ("literal",): Mark(13, 1),
    }
    assert file.values == {
        (): Mark(1, 1),
        ("plain",): Mark(1, 8),
        ("quoted",): Mark(3, 9),
        ("single",): Mark(6, 9),
        ("folded",): Mark(8, 9),
        ("literal",): Mark(13, 10),
    }


@both_parsers
def test_every_key_and_value_has_its_position() -> None:
    file = read("# comment\n\na: {é😀: [1, {x: y}]}\n'b':\n- - c\n- d: >\n   text\n")
    assert file.data == {"a": {"é😀": [1, {"x": "y"}]}, "b": [["c"], {"d": "text\n"}]}
    assert file.keys == {
        ("a",): Mark(3, 1),
        ("a", "é😀"): Mark(3, 5),
        ("a", "é😀", 1, "x"): Mark(3, 14),
        ("b",): Mark(4, 1),
        ("b", 1, "d"): Mark(6, 3),
    }
    assert file.values == {
        (): Mark(3, 1),
        ("a",): Mark(3, 4),
        ("a", "é😀"): Mark(3, 9),
        ("a", "é😀", 0): Mark(3, 10),
        ("a", "é😀", 1): Mark(3, 13),
        ("a", "é😀", 1, "x"): Mark(3, 17),
        ("b",): Mark(5, 1),
        ("b", 0): Mark(5, 3),
        ("b", 0, 0): Mark(5, 5),
        ("b", 1): Mark(6, 3),
        ("b", 1, "d"): Mark(6, 6),
    }


MARKED = read("a:\n  b: [1]\n")


@pytest.mark.parametrize(
    ("path", "of_key", "mark"),
    cases(
        ("a value", ("a", "b"), False, Mark(2, 6)),
        ("a key", ("a", "b"), True, Mark(2, 3)),
        ("a list's item, which has no key", ("a", "b", 0), True, Mark(2, 7)),
        ("a missing member", ("a", "x"), False, Mark(2, 3)),
        ("a missing member's key", ("a", "x"), True, Mark(1, 1)),
        ("a path far outside", ("a", "b", 7, "x", 1), False, Mark(2, 6)),
        ("another root", ("z", "z"), True, Mark(1, 1)),
        ("the root", (), False, Mark(1, 1)),
    ),
)
def test_a_path_is_marked_at_itself_or_the_nearest_part_there_is(path: Path, of_key: bool, mark: Mark) -> None:
    assert MARKED.mark(path, of_key=of_key) == mark


def test_a_path_in_an_empty_file_is_marked_at_its_start() -> None:
    assert read("").mark(("a",)) == Mark(1, 1)


def test_a_finding_of_a_path_says_where_it_stands() -> None:
    assert MARKED.finding("some-code", ("a", "b"), "is odd", of_key=True) == Finding(
        "error", "some-code", "toy.yaml", 2, 3, ("a", "b"), "is odd", 4
    )
    assert (
        str(MARKED.finding("some-code", ("a", "b", 0), "is odd")) == "toy.yaml:2:7: error: a.b[0]: is odd [some-code]"
    )


def test_all_that_is_wrong_is_told_at_once() -> None:
    file = read("a: no\nb: &x 1\nb: *x\nc: [12:30, ~]\n")
    assert [(finding.line, finding.column, finding.code) for finding in file.findings] == [
        (1, 4, "yaml-surprise"),
        (2, 4, "yaml-alias"),
        (3, 1, "yaml-duplicate-key"),
        (3, 4, "yaml-alias"),
        (4, 5, "yaml-surprise"),
        (4, 12, "yaml-surprise"),
    ]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**300), 10**300)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=40), inner, max_size=5),
    max_leaves=15,
)

# JSON leaves these as they are, where YAML refuses them or reads a line break.
TO_ESCAPE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def as_json(value: Json, **layout: Any) -> str:
    written = json.dumps(value, ensure_ascii=False, **layout)
    return TO_ESCAPE.sub(lambda match: f"\\u{ord(match.group()):04x}", written)


@pytest.mark.parametrize(
    "layout", cases(("usual", {}), ("compact", {"separators": (",", ":")}), ("indented", {"indent": 2}))
)
@given(value=JSON)
def test_any_json_value_reads_back(layout: dict[str, Any], value: Json) -> None:
    file = read(as_json(value, **layout))
    assert file.findings == []
    assert json.dumps(file.data) == json.dumps(value)


@given(value=JSON)
def test_every_part_of_a_json_value_has_a_position(value: Json) -> None:
    file = read(as_json(value))
    paths = list(_paths(value, ()))
    assert sorted(file.values, key=repr) == sorted(paths, key=repr)
    assert sorted(file.keys, key=repr) == sorted(
        [path for path in paths if path and isinstance(path[-1], str)], key=repr
    )


def _paths(value: Json, path: Path) -> list[Path]:
    members: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(inner for key, member in members for inner in _paths(member, (*path, key)))]


# The parser that ours uses, too: libyaml and PyYAML differ on tabs and line breaks.
BASE_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
ANY_TEXT = st.text(st.characters(exclude_categories=()))
YAML_TEXT = st.text(st.sampled_from("ab019:-?,.~#&*!|>'\"%@`{}[]<=_+ \n\t\r\\é😀\u2028\x85"), max_size=40)


@given(text=ANY_TEXT | YAML_TEXT)
def test_no_text_makes_the_reader_fail(text: str) -> None:
    file = read(text)
    json.dumps(file.data)
    lines = re.split("\r\n|[\n\r\x85\u2028\u2029]", text)
    for finding in file.findings:
        assert 1 <= finding.line <= len(lines) + 1
        assert finding.column >= 1
        assert finding.message


@given(text=YAML_TEXT)
def test_what_is_read_without_findings_has_the_structure_that_yaml_gives_it(text: str) -> None:
    file = read(text)
    if not file.findings:
        assert _texts(file.data) == _texts(yaml.load(text, Loader=BASE_LOADER))  # noqa: S506


def _texts(value: Json) -> Json:
    """The value with its scalars as text, numbers aside."""
    if isinstance(value, dict):
        return {key: _texts(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_texts(member) for member in value]
    try:
        return float(value)
    except ValueError:
        return value


@given(scalar=st.text(st.sampled_from("0123456789-+.:_xobeEnaftlsyruTFNOTZ~=<"), min_size=1, max_size=12))
def test_a_plain_scalar_is_read_as_json_or_as_text_or_refused(scalar: str) -> None:
    file = read(f"- {scalar}")
    if file.findings or not isinstance(file.data, list) or isinstance(file.data[0], dict | list):
        return
    [value] = file.data
    try:
        assert repr(value) == repr(json.loads(scalar, parse_constant=_refuse))
    except ValueError:
        # No reader may see anything but text in it. PyYAML sees text in 1e5 as well, which JSON does not.
        assert value == scalar == yaml.safe_load(f"- {scalar}")[0]


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is Python's JSON only")


_READERS_TAKE = [
    (r"(?i:yes|no|on|off)", "is a boolean to some YAML readers"),
    (r"(?i:true|false|null)|~", "is written true, false or null here"),
    (r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt\s].*)?", "is a date to YAML readers"),
    (r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?", "is a number in base 60 to YAML readers"),
    (r"[-+]?(?:0[xX][0-9a-fA-F_]+|0[oO]?[0-7_]+|0[bB][01_]+)", "is a number in another base to YAML readers"),
    (r"[-+]?\.(?:inf|Inf|INF|nan|NaN|NAN)", "is not a finite number"),
    (r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?", "is not written like a JSON number"),
    (r"<<|=", "has a meaning of its own in YAML"),
]
_JSON = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")


@given(
    st.text("-+.:_0123456789eExXobB", min_size=1, max_size=8)
    | st.from_regex(
        "|".join(f"(?:{pattern})" for pattern, _ in _READERS_TAKE),
        fullmatch=True,
        alphabet=st.characters(max_codepoint=126),
    )
    | st.sampled_from(["yes", "No", "oN", "OFF", "True", "nULL", "~", "=", "<<", "on1", "nope", "y", "~a", "=="])
)
@example("0E000")
@example("1e999")
def test_a_plain_scalar_is_a_surprise_where_some_reader_takes_it_for_something_else(text: str) -> None:
    file = read(f"a: {text}\nb: 1\n")
    if any(finding.code != "yaml-surprise" for finding in file.findings) or file.keys.keys() != {("a",), ("b",)}:
        return  # Not one plain scalar.
    written = file.text[file.values["a",].start : file.values["a",].end]
    why = next((why for pattern, why in _READERS_TAKE if re.fullmatch(pattern, written)), None)
    is_json = bool(_JSON.fullmatch(written)) and not (written[-1].isdigit() and math.isinf(float(written)))
    expected = None if is_json else why
    assert [finding.message for finding in file.findings] == (
        [f"{written} {expected}; put it in quotes if it is text"] if expected else []
    )
