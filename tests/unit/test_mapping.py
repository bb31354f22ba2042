"""JMESPath with three functions more: what they give, what is refused, and that a reply can only fail in one way."""

from __future__ import annotations

import ast
import copy
import json
import math
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rankspec.jmespath_code import write_code
from rankspec.mapping import EXTRA_FUNCTIONS, Expression, MappingFailed, Reader, _Functions, compile_expression, rows_of
from rankspec.models import Json, Problem

PATH = ("response", "results")


def compiled(text: str) -> Expression:
    problems: list[Problem] = []
    expression = compile_expression(text, PATH, problems)
    assert problems == []
    assert expression is not None
    return expression


def search(text: str, body: Json, headers: Mapping[str, str] | None = None) -> Json:
    return compiled(text).search(body, headers or {})


def wrong(text: str) -> list[tuple[str, str]]:
    problems: list[Problem] = []
    assert compile_expression(text, PATH, problems) is None
    assert {problem.path for problem in problems} == {PATH}
    return [(problem.code, problem.message) for problem in problems]


def cases(*rows: tuple[Any, ...]) -> list[Any]:
    return [pytest.param(*row[1:], id=row[0]) for row in rows]


def nested(levels: int) -> Json:
    body: Json = 1
    for _ in range(levels):
        body = [body]
    return body


def test_an_expression_finds_what_jmespath_finds() -> None:
    body = {"results": [{"index": 1, "score": 0.5, "extra": 1}, {"index": 0, "score": 0.25}]}
    assert search("results[].{index: index, relevance_score: score}", body) == [
        {"index": 1, "relevance_score": 0.5},
        {"index": 0, "relevance_score": 0.25},
    ]


def test_an_expression_shows_its_text() -> None:
    expression = compiled("results[].index")
    assert (expression.text, repr(expression)) == ("results[].index", "Expression('results[].index')")


@pytest.mark.parametrize("body", [None, 1, "text", True, [], {}, [[]]], ids=repr)
def test_what_is_not_there_is_none(body: Json) -> None:
    assert search("results.message", body) is None


# enumerate


@pytest.mark.parametrize(
    ("items", "expected"),
    cases(
        ("numbers", [0.5, 1], [{"index": 0, "value": 0.5}, {"index": 1, "value": 1}]),
        ("nulls stay", [None, {"a": None}], [{"index": 0, "value": None}, {"index": 1, "value": {"a": None}}]),
        ("lists", [[1], []], [{"index": 0, "value": [1]}, {"index": 1, "value": []}]),
        ("none", [], []),
    ),
)
def test_enumerate_gives_every_item_its_position(items: list[Json], expected: list[Json]) -> None:
    assert search("enumerate(@)", items) == expected
    assert search("enumerate(a.b)", {"a": {"b": items}}) == expected


@given(scores=st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_a_list_of_scores_becomes_results_in_the_documents_order(scores: list[float]) -> None:
    found = search("enumerate(scores)[].{index: index, relevance_score: value}", {"scores": scores})
    assert found == [{"index": index, "relevance_score": score} for index, score in enumerate(scores)]


@given(
    rows=st.lists(st.fixed_dictionaries({}, optional={"i": st.none() | st.integers(), "s": st.none() | st.floats()}))
)
def test_a_row_without_a_value_keeps_the_other_rows_in_step(rows: list[dict[str, Json]]) -> None:
    found = search("[].{index: i, relevance_score: s}", rows)
    assert repr(found) == repr([{"index": row.get("i"), "relevance_score": row.get("s")} for row in rows])


# sigmoid


@pytest.mark.parametrize(
    ("number", "expected"),
    cases(
        ("zero", 0, 0.5),
        ("negative zero", -0.0, 0.5),
        ("one", 1, 1 / (1 + math.exp(-1))),
        ("minus one", -1, 1 - 1 / (1 + math.exp(-1))),
        ("big", 1000, 1.0),
        ("big and negative", -1000, 0.0),
        ("the largest double", 1.7976931348623157e308, 1.0),
        ("the least double", -1.7976931348623157e308, 0.0),
        ("infinity", math.inf, 1.0),
        ("minus infinity", -math.inf, 0.0),
        ("big whole number", 10**300, 1.0),
        ("just before underflow", -745, 5e-324),
    ),
)
def test_sigmoid_gives_a_probability(number: float, expected: float) -> None:
    assert search("sigmoid(@)", number) == pytest.approx(expected, rel=1e-15, abs=0)


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(one=FINITE, other=FINITE)
def test_sigmoid_keeps_the_order_and_stays_between_zero_and_one(one: float, other: float) -> None:
    low, high = search("[sigmoid([0]), sigmoid([1])]", sorted([one, other]))
    assert 0 <= low <= high <= 1


@given(number=FINITE)
def test_sigmoid_is_symmetric(number: float) -> None:
    assert search("sigmoid(a) ", {"a": number}) + search("sigmoid(a)", {"a": -number}) == pytest.approx(1)


def test_sigmoid_of_what_is_not_a_number_is_not_a_number() -> None:
    assert math.isnan(search("sigmoid(@)", math.nan))


# header


@pytest.mark.parametrize("name", ["x-request-id", "X-Request-Id", "X-REQUEST-ID"])
def test_header_finds_a_header_in_any_case(name: str) -> None:
    headers = {"x-request-id": "r-1", "other": "o"}
    assert search(f"header('{name}')", {}, headers) == "r-1"
    assert search(f"{{id: header('{name}'), n: [header('Other')]}}", {}, headers) == {"id": "r-1", "n": ["o"]}
    assert search(f"a[].{{id: header('{name}')}}", {"a": [1, 2]}, headers) == [{"id": "r-1"}, {"id": "r-1"}]
    assert search("header(name)", {"name": name}, headers) == "r-1"


def test_a_header_that_is_not_there_is_null() -> None:
    assert search("header('x')", {}, {"y": "1"}) is None
    assert search("header('x') || id", {"id": "i"}) == "i"


def test_header_sees_the_headers_of_its_own_reply() -> None:
    expression = compiled("to_number(header('retry-after'))")
    assert expression.search({}, {"retry-after": "2"}) == 2
    assert expression.search({}, {"retry-after": "0.5"}) == 0.5
    assert expression.search({}, {}) is None


def test_headers_are_not_part_of_the_body() -> None:
    assert search("[*, @]", {}, {"x": "1"}) == [[], {}]


# What is refused


@pytest.mark.parametrize(
    ("text", "message"),
    cases(
        ("misspelt", "sigmod(a)", "unknown function 'sigmod'; did you mean 'sigmoid'?"),
        (
            "misspelt function of JMESPath",
            "results[?lenght(a) > `1`]",
            "unknown function 'lenght'; did you mean 'length'?",
        ),
        ("far off", "frobnicate(a)", "unknown function 'frobnicate'"),
        ("in a filter", "a[?zzz(@)]", "unknown function 'zzz'"),
        ("in a list", "[a, [zzz(@)]]", "unknown function 'zzz'"),
        ("in an object", "{a: {b: zzz(@)}}", "unknown function 'zzz'"),
        ("in a projection", "a[].b.zzz(@)", "unknown function 'zzz'"),
        ("in a pipe", "a | zzz(@) | b", "unknown function 'zzz'"),
        ("in a comparison", "a == zzz(@)", "unknown function 'zzz'"),
        ("in an expression reference", "sort_by(a, &zzz(@))", "unknown function 'zzz'"),
        ("in another function", "length(zzz(@))", "unknown function 'zzz'"),
        ("in an untaken branch", "a || !zzz(@) && b", "unknown function 'zzz'"),
        ("newer than JMESPath 1.0", "items(@)", "unknown function 'items'"),
        ("of Python", "__class__(@)", "unknown function '__class__'"),
    ),
)
def test_an_unknown_function_is_a_problem(text: str, message: str) -> None:
    assert wrong(text) == [("unknown-function", message)]


@pytest.mark.parametrize(
    ("text", "message"),
    cases(
        ("sigmoid of none", "sigmoid()", "sigmoid() takes 1 argument, not 0"),
        ("sigmoid of two", "sigmoid(a, b)", "sigmoid() takes 1 argument, not 2"),
        ("enumerate of two", "enumerate(a, `1`)", "enumerate() takes 1 argument, not 2"),
        ("header of none", "header()", "header() takes 1 argument, not 0"),
        ("header of two", "header('a', 'b')", "header() takes 1 argument, not 2"),
        ("join of one", "join(a)", "join() takes 2 arguments, not 1"),
        ("join of three", "join(',', a, b)", "join() takes 2 arguments, not 3"),
        ("not_null of none", "not_null()", "not_null() takes 1 argument or more, not 0"),
        ("merge of none", "merge()", "merge() takes 1 argument or more, not 0"),
        ("inside another", "length(sigmoid())", "sigmoid() takes 1 argument, not 0"),
    ),
)
def test_a_wrong_number_of_arguments_is_a_problem(text: str, message: str) -> None:
    assert wrong(text) == [("wrong-arity", message)]


def test_functions_of_any_number_of_arguments_take_any_number() -> None:
    assert search("not_null(a, b, c, d)", {"d": 1}) == 1
    assert search('merge(@, `{"b": 2}`, `{"c": 3}`)', {"a": 1}) == {"a": 1, "b": 2, "c": 3}


def test_all_wrong_functions_are_told_at_once() -> None:
    assert wrong("{a: zzz(@), b: sigmoid(), c: [yyy(length(@, @))]}") == [
        ("unknown-function", "unknown function 'zzz'"),
        ("wrong-arity", "sigmoid() takes 1 argument, not 0"),
        ("unknown-function", "unknown function 'yyy'"),
        ("wrong-arity", "length() takes 1 argument, not 2"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    cases(
        ("nothing", "", "Invalid JMESPath expression: cannot be empty."),
        ("white space", "  ", "it ends too early"),
        ("cut off", "a.", "it ends too early"),
        ("open bracket", "a[0", "it ends too early"),
        ("open quote", "'a", "Unclosed ' delimiter"),
        ("open literal", "`1", "Unclosed ` delimiter"),
        (
            "two names",
            "a b",
            "'b' cannot stand here",
        ),
        ("plain number", "a == 1", "'1' cannot stand here"),
        ("single equals sign", "a = b", "Unknown token '='"),
        ("Jinja", "{{ a }}", "'{' cannot stand here"),
        ("NUL", "a\x00", "Unknown token \x00"),
    ),
)
def test_what_is_no_jmespath_is_a_problem(text: str, message: str) -> None:
    [(code, found)] = wrong(text)
    assert code == "mapping-syntax"
    assert found.startswith(f"is not JMESPath: {message}")
    assert "\n" not in found


@pytest.mark.parametrize(
    "text",
    cases(
        ("position of thousands of digits", f"a[{'9' * 5000}]"),
        ("slice of thousands of digits", f"a[-{'9' * 5000}:]"),
        ("brackets", "(" * 3000 + "a" + ")" * 3000),
        ("negations", "!" * 3000 + "a"),
        ("alternatives", "||".join(["a"] * 3000)),
        ("pipes", "|".join(["a"] * 3000)),
        ("literal", "`" + "[" * 3000 + "]" * 3000 + "`"),
    ),
)
def test_an_expression_beyond_measure_is_a_problem(text: str) -> None:
    assert wrong(text) == [("mapping-syntax", "is not JMESPath: too long a number, or nested too deeply")]


TOKENS = "a b index . .. [ ] [] [0] [-1] [?a] [*] * { } ( ) : , | || && ! == != < >= @ & 'x' '' \" ` `1` -1 99 1:2 ::0"
CALLS = "sigmoid( header( enumerate( length( sort_by( to_number( not_null() zzz( \\ # é 😀 \x00"
JMESPATH = st.sampled_from([*TOKENS.split(), *CALLS.split()])


@pytest.mark.filterwarnings("ignore:deprecated string literal syntax:PendingDeprecationWarning")
@given(text=st.text() | st.lists(JMESPATH, max_size=8).map("".join) | st.lists(JMESPATH, max_size=8).map(" ".join))
def test_no_text_makes_the_compiler_fail(text: str) -> None:
    problems: list[Problem] = []
    expression = compile_expression(text, PATH, problems)
    assert (expression is None) == bool(problems)
    assert all(problem.message for problem in problems)


# What fails on a reply


@pytest.mark.parametrize(
    ("text", "body", "message"),
    cases(
        (
            "sigmoid of text",
            "sigmoid(@)",
            "0.5",
            "In function sigmoid(), invalid type for value: 0.5, expected one of: ['number'], received: \"string\"",
        ),
        (
            "sigmoid of true",
            "sigmoid(@)",
            True,
            "In function sigmoid(), invalid type for value: True, expected one of: ['number'], received: \"boolean\"",
        ),
        (
            "sigmoid of nothing",
            "sigmoid(a)",
            {},
            "In function sigmoid(), invalid type for value: None, expected one of: ['number'], received: \"null\"",
        ),
        (
            "enumerate of an object",
            "enumerate(@)",
            {},
            "In function enumerate(), invalid type for value: {}, expected one of: ['array'], received: \"object\"",
        ),
        (
            "header of a number",
            "header(@)",
            1,
            "In function header(), invalid type for value: 1, expected one of: ['string'], received: \"number\"",
        ),
        (
            "length of a number",
            "length(@)",
            5,
            "In function length(), invalid type for value: 5, expected one of: ['string', 'array', 'object'],",
        ),
        (
            "order of mixed things",
            "sort_by(@, &a)",
            [{"a": 1}, {"a": "x"}],
            "In function sort_by(), invalid type for value: x, expected one of: ['number'], received: \"string\"",
        ),
        ("whole number beyond the doubles", "sigmoid(@)", 10**400, "int too large to convert to float"),
        ("rounding what is no number", "ceil(to_number('NaN'))", None, "cannot convert float NaN to integer"),
        ("rounding infinity", "floor(to_number('1e999'))", None, "cannot convert float infinity to integer"),
        ("slice without a step", "[::0]", [1], "slice step cannot be zero"),
        ("number in text", "contains(@, `1`)", "abc", "'in <string>' requires string as left operand, not int"),
        ("text of deep nesting", "to_string(@)", nested(100_000), "maximum recursion depth exceeded"),
    ),
)
def test_what_does_not_fit_fails_with_the_reason(text: str, body: Json, message: str) -> None:
    with pytest.raises(MappingFailed) as caught:
        search(text, body)
    assert str(caught.value).startswith(message)


def test_a_failure_shows_only_the_beginning_of_a_long_value() -> None:
    with pytest.raises(MappingFailed) as caught:
        search("sigmoid(@)", "x" * 5000)
    text = str(caught.value)
    assert text == "In function sigmoid(), invalid type for value: " + "x" * 153 + "... (5096 characters)"


def test_a_failure_is_one_line() -> None:
    with pytest.raises(MappingFailed) as caught:
        search("sigmoid(@)", "a\n  b\r\n\tc")
    assert str(caught.value) == (
        "In function sigmoid(), invalid type for value: a b c, expected one of: ['number'], received: \"string\""
    )


def test_a_deeply_nested_reply_is_searched() -> None:
    body = orjson.loads(b'{"a":' * 500 + b'{"id": "i"}' + b"}" * 500)
    assert search("a" + ".a" * 499 + ".id", body) == "i"


EXPRESSIONS = [
    "@",
    "results[].{index: index, relevance_score: relevance_score}",
    "enumerate(@)[].{index: index, relevance_score: value}",
    "enumerate(scores || data || @)[].{index: index, relevance_score: sigmoid(value)}",
    "results[].{index: index, relevance_score: sigmoid(score), raw_score: score}",
    "sort_by(@, &index)",
    "sort_by(results, &score)[].index",
    "max_by(@, &score).index",
    "min_by(results, &index)",
    "sort(@)",
    "max(@)",
    "min(results[].score)",
    "sum(@)",
    "sum(results[].score)",
    "avg(@)",
    "map(&sigmoid(score), results)",
    "map(&length(@), @)",
    "join(', ', @)",
    "join(@, results[].index)",
    "reverse(@)",
    "keys(@)",
    "values(@)",
    "merge(@, results)",
    "contains(@, `1`)",
    "contains(results, 'a')",
    "starts_with(@, 'a')",
    "ends_with(index, score)",
    "to_number(@)",
    "ceil(to_number(index))",
    "floor(score)",
    "abs(@)",
    "to_string(@)",
    "to_array(@)[].index",
    "type(@)",
    "not_null(results, data, @)",
    "length(@)",
    "header('x-id')",
    "header(index)",
    "header(@) || index",
    "results[?score > `0.5`]",
    "results[?index == score].score | [0]",
    "[?score >= `0`] | [-1]",
    "results[::-1]",
    "results[1:].score",
    "@[::0]",
    "[*].*.index",
    "results[][][]",
    "*.*",
    "{a: results, b: [index, sigmoid(score)]}",
    "error.message || message || detail[0].msg",
    "!results && index",
    "&index",
]

FIELDS = st.sampled_from(["results", "data", "scores", "index", "score", "relevance_score", "message", "a"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["1", "1e999", "nan", "x-id", "X-Id"])
)
BODIES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS | st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=500)
@given(text=st.sampled_from(EXPRESSIONS), body=BODIES | st.fixed_dictionaries({"results": BODIES}) | st.lists(SCALARS))
def test_a_reply_of_any_shape_gives_a_value_or_fails_in_one_way(text: str, body: Json) -> None:
    before = copy.deepcopy(body)
    try:
        compiled(text).search(body, {"x-id": "1"})
    except MappingFailed as error:
        message = str(error)
    else:
        message = "found"
    assert message
    assert repr(body) == repr(before)


def test_the_functions_that_are_described_are_the_functions_there_are() -> None:
    for name, help_text in EXTRA_FUNCTIONS.items():
        assert help_text.startswith(f"{name}(")
        assert wrong(f"{name}()") == [("wrong-arity", f"{name}() takes 1 argument, not 0")]


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=6,
    )
)
def test_a_literal_is_the_value_it_writes(value: Json) -> None:
    written = json.dumps(value).replace("`", "\\u0060")
    assert search(f"`{written}`", None) == value


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("rows[].{index: i, relevance_score: s}", {"index": "i", "relevance_score": "s"}),
        ("rows[*].{x: x}", {"x": "x"}),
        ("a.b[].{x: x}", {"x": "x"}),
        ("rows[?a].{x: y}", None),
        ("rows[].{x: y.z}", None),
        ("rows[].{x: y || z}", None),
        ("rows[].{x: `1`}", None),
        ("rows[].x", None),
        ("{x: y}", None),
        ("rows[].{x: y} | @", None),
    ],
)
def test_what_only_gives_other_names_is_found(text: str, names: dict[str, str] | None) -> None:
    found = rows_of(Expression(text))
    assert (None if found is None else found.names) == names


def test_several_expressions_read_a_reply_at_once() -> None:
    members = [Expression("meta.id"), None, {"a": Expression("meta.n"), "b": Expression("header('x')")}]
    reader = Reader([*members, rows_of(Expression("rows[].{x: y}"))])
    body = {"meta": {"id": "7", "n": 1}, "rows": [{"y": 2}]}
    assert reader.read(body, {"x": "told"}) == ["7", None, {"a": 1, "b": "told"}, [{"y": 2}]]
    assert reader.read(None, {}) is None
    assert Reader([Expression("sum(n)")]).read({"n": "no list"}, {}) is None
    code = write_code(reader._tree, _Functions.FUNCTION_TABLE)
    assert code is not None
    assert ast.unparse(code.module).count("value.get('meta')") == 1
