"""The code of an expression gives what jmespath gives: the same value, or the same error."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError

from rankspec.catalog import Catalog
from rankspec.jmespath_code import MAX_LEVELS, Code, write_code
from rankspec.mapping import EXTRA_FUNCTIONS, Expression, MappingFailed, Tracer, compile_expression
from rankspec.models import Json, Problem

HEADERS = {"x-id": "r-1", "x-compute-tokens": "12"}
FUNCTIONS = Tracer(HEADERS)._functions
TABLE = FUNCTIONS.FUNCTION_TABLE


class Interpreted(Expression):
    """The reference: an expression that jmespath evaluates."""

    def _code(self, body: Json, functions: Any) -> Json:
        raise NotImplementedError


class CodeOnly(Expression):
    """An expression that jmespath does not evaluate, whatever its code raises."""

    def _interpreted(self, body: Json, functions: Any) -> Json:
        raise AssertionError(f"{self.text} left to jmespath")


def outcome(expression: Expression, body: Json, headers: Mapping[str, str] = HEADERS) -> str:
    """The value, with its types and the order of its members, or the error."""
    try:
        found = repr(expression.search(body, headers))
    except MappingFailed as error:
        found = f"{error!r} from {error.__cause__!r}"
    return re.sub(r" at 0x[0-9a-f]+", "", found)  # An expression reference is an object of jmespath's.


def same(text: str, body: Json) -> None:
    before = repr(body)
    assert outcome(Expression(text), body) == outcome(Interpreted(text), body)
    assert repr(body) == before


def code(text: str) -> Code:
    found = write_code(Expression(text).tree, TABLE)
    assert found is not None
    return found


def cases(*rows: tuple[Any, ...]) -> list[Any]:
    return [pytest.param(*row[1:], id=row[0]) for row in rows]


# What is written


def test_the_code_of_a_list_of_results_is_one_loop_without_a_check_of_each() -> None:
    assert ast.unparse(code("results[].{index: index, score: s}").module) == (
        "def search(value, functions):\n"
        "    v1 = value.get('results') if isinstance(value, dict) else None\n"
        "    v2 = None\n"
        "    if isinstance(v1, list):\n"
        "        v2 = []\n"
        "        for v3 in v1:\n"
        "            v2.append({'index': v3.get('index'), 'score': v3.get('s')})\n"
        "    return v2"
    )


CALLS = {
    "map": "map(&a, @)",
    "sort_by": "sort_by(@, &a)",
    "max_by": "max_by(@, &a)",
    "min_by": "min_by(@, &a)",
    "header": "header('x-id')",
}


@pytest.mark.parametrize("name", sorted(TABLE))
def test_every_function_is_called_from_code(name: str) -> None:
    text = CALLS.get(name) or f"{name}({', '.join('@' for _ in TABLE[name]['signature'])})"
    assert code(text).interpreted == frozenset()


@pytest.mark.parametrize(
    ("text", "interpreted"),
    cases(
        ("reference as a value", "&a", {"expref"}),
        ("reference for a function of any value", "not_null(&a)", {"function_expression"}),
        ("reference where a list is due", "sort_by(&a, b)", {"function_expression"}),
        ("name where a reference is due", "max_by(@, a)", {"function_expression"}),
        ("function that there is none of", "{a: zzz(@), b: b}", {"function_expression"}),
        ("too few arguments", "a[].join(',')", {"function_expression"}),
        ("too many arguments", "[].length(a, b)", {"function_expression"}),
    ),
)
def test_what_code_cannot_say_is_interpreted_and_nothing_else(text: str, interpreted: set[str]) -> None:
    assert code(text).interpreted == interpreted
    same(text, {"a": [1], "b": [{"a": 1}]})
    same(text, [{"a": 2}, {"a": 1}, None, []])


@pytest.mark.parametrize(
    "text",
    cases(
        ("alternatives", "||".join(["a"] * (MAX_LEVELS + 1)) + "||b"),
        ("negations", "!" * (MAX_LEVELS + 1) + "a"),
        ("objects", "{a: " * (MAX_LEVELS + 1) + "b" + "}" * (MAX_LEVELS + 1)),
        ("more loops than Python nests", "map(&" * 21 + "@" + ", @)" * 21),
    ),
)
def test_a_tree_too_deep_for_code_is_interpreted(text: str) -> None:
    expression = Expression(text)
    assert write_code(expression.tree, TABLE) is None
    for body in ({"b": 1}, {"a": 1, "b": 2}, [[1]], None):
        same(text, body)


def test_a_chain_of_any_length_is_code() -> None:
    text = "a" + ".a" * 499
    body = orjson.loads(b'{"a":' * 500 + b"1" + b"}" * 500)
    assert CodeOnly(text).search(body, {}) == 1


HOSTILE = [
    "__import__('os')",
    "'",
    '"',
    "\\",
    "\n",
    "{x}",
    "class",
    "value",
    "functions",
    "v1",
    "c1",
    "é",
    "\ud800",
    "\0",
]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_name_is_never_read_as_python(name: str) -> None:
    quoted = orjson.dumps(name).decode() if name != "\ud800" else '"\\ud800"'
    for text in (quoted, f"a[].{quoted}", f"{{{quoted}: {quoted}}}", f"`{quoted}`", f"a[?{quoted} == `{quoted}`]"):
        same(text, {name: name, "a": [{name: name}, {name: 1}]})


# Who answers


USUAL = [
    ("results[].{index: index, relevance_score: relevance_score}", {"results": [{"index": 0, "relevance_score": 0.5}]}),
    ("[].{index: index, relevance_score: score}", [{"index": 1, "score": 1}, {"index": 0, "score": 0}]),
    ("reverse(sort_by(results, &score))[*].{index: index}", {"results": [{"index": 0, "score": 2}, {"score": 1.5}]}),
    ("enumerate(scores || data)[].{index: index, s: sigmoid(value)}", {"data": [-1.5, 2]}),
    (
        "results[].{document: document.text, first: spans[0].at}",
        {"results": [{"document": None}, {"spans": [{"at": 1}]}]},
    ),
    ("results[?score > `0.5` && !hidden].index", {"results": [{"index": 1, "score": 1}, {"score": 0}]}),
    ("results[].relevant_spans[].start", {"results": [{"relevant_spans": [{"start": 1}]}, {}]}),
    ("max_by(results, &score).index", {"results": [{"index": 7, "score": 1}]}),
    ("results", {}),
    ("results[].index", {"results": []}),
    ("results[].index", None),
    ("error.message || message", {"error": None, "message": "m"}),
    ("error.message", "Bad Gateway"),
    ("to_number(header('x-compute-tokens'))", []),
    ("join('; ', detail[].msg)", {"detail": [{"msg": "a"}, {"msg": "b"}]}),
]


@pytest.mark.parametrize(("text", "body"), USUAL)
def test_the_usual_replies_are_never_left_to_jmespath(text: str, body: Json) -> None:
    assert outcome(CodeOnly(text), body) == outcome(Interpreted(text), body)


def test_a_reply_beyond_the_usual_is_left_to_jmespath() -> None:
    text, body = "results[].{index: index}", {"results": [{"index": 1}, None, "a", [{"index": 2}]]}
    with pytest.raises(AssertionError, match="left to jmespath"):
        CodeOnly(text).search(body, {})
    assert Expression(text).search(body, {}) == [{"index": 1}, {"index": None}, {"index": 2}]


def test_an_error_is_the_one_of_jmespath_alone() -> None:
    with pytest.raises(MappingFailed) as caught:
        Expression("sum(results)").search({"results": ["a"]}, {})
    assert isinstance(caught.value.__cause__, JMESPathError)
    assert caught.value.__cause__.__context__ is None


def test_each_search_sees_its_own_headers() -> None:
    expression = CodeOnly("header('x-id') || id")
    found = [expression.search({"id": "i"}, headers) for headers in ({"x-id": "1"}, {"x-id": "2"}, {})]
    assert found == ["1", "2", "i"]


# The same as jmespath


VALUES = [
    None,
    True,
    False,
    0,
    1,
    0.0,
    -0.0,
    1.0,
    2,
    0.5,
    "",
    "a",
    "1",
    [],
    [0],
    [True],
    [None],
    {},
    {"a": 1},
    [{"a": 1}],
]


@pytest.mark.parametrize("operator", ["==", "!=", "<", "<=", ">", ">=", "||", "&&"])
def test_an_operator_gives_for_every_pair_what_jmespath_gives(operator: str) -> None:
    for left in VALUES:
        for right in VALUES:
            same(f"a {operator} b", {"a": left, "b": right})
            same(f"a {operator} `{orjson.dumps(right).decode()}`", {"a": left})


ONE_VALUE = [
    *("@", "@[0]", "@[-1]", "@[1]", "@[:1]", "@[::-1]", "@[::0]", "@[]", "@[*]", "@.*", "@.a", "*.a", "[]", "[*]"),
    *("[*].a", "[].a", "[?@]", "[?a]", "[?!a].a", "[?a==`1`]", "[?`0`]", "[?`false`]", "!@", "!a", "[][]", "[].[a][]"),
    *("{a:@}", "{a:a,b:@}", "[@]", "[a,@]", "@.{a:a}", "[*].{a:a}", "[].{a:a||@}", "[*].[a]", "[*].{b:`1`}"),
    *(
        "[*].[`1`,'a']",
        "[].{b:`1`}",
        "[].{b:a.b}",
        "{a:a,a:b}",
        "[].{b:@||a}",
        "[].{b:@[0]}",
        "a.b|@",
        "@|[0]",
        "a[*].b",
        "a[0].a",
        "a.*",
        "'a'|a",
    ),
    *("sort_by(@,&a)", "sort_by(@,&@)", "max_by(@,&@)", "min_by(@,&@)", "max_by(@,&a)", "min_by(@,&a)", "map(&a,@)"),
    *("map(&@,@)", "map(&[a],@)", "map(&`1`,@)", "[*].length(@)", "[].length(@)", "[*].to_array(@)", "values(@)"),
    *("keys(@)", "length(@)", "type(@)", "to_string(@)", "to_number(@)", "to_array(@)", "reverse(@)", "sort(@)"),
    *("max(@)", "min(@)", "sum(@)", "avg(@)", "abs(@)", "ceil(@)", "floor(@)", "sigmoid(@)", "enumerate(@)"),
    *("header(@)", "join('-',@)", "contains(@,'a')", "contains(@,`1`)", "starts_with(@,'a')", "ends_with(@,@)"),
    *("merge(@,@)", "merge(@,`1`)", "not_null(@,a)", "enumerate(@)[].{index:index,all:@}", "&a", "[*].{a:&a}"),
    *("[*].{b:not_null(a,&a)}", "[].not_null(a,&a)", "[?@].a", "[?a].[@]", "[?!a].{b:@}"),
]
LISTS: list[Json] = [
    VALUES,
    [[1, [2]], 3],
    ["b", "a", "b"],
    [2, 1.5, 2.0, 1],
    [{"a": 2}, {"a": 1}, {"a": 2.0}],
    [{"a": "x"}, {"a": "b"}],
    [{"a": [{"b": 1}, {"b": None}]}],
    {"a": {"b": 1}, "b": 2},
]


@pytest.mark.parametrize("text", ONE_VALUE)
def test_an_expression_gives_for_every_value_what_jmespath_gives(text: str) -> None:
    for value in VALUES + LISTS:
        same(text, value)


NUMBERS = st.sampled_from([0, 1, -1, 0.0, 1.0, 0.5, 10**400]) | st.integers(-3, 3) | st.floats(-2, 2)
SCALARS = st.none() | st.booleans() | NUMBERS | st.sampled_from(["", "a", "b", "1", "x-id"])
FIELDS = ["a", "b", "index", "score", "results", '"x y"', '"\'"']
BODIES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([name.strip('"') for name in FIELDS]), inner, max_size=4)
        | st.lists(st.fixed_dictionaries({"a": inner}, optional={"b": inner, "score": NUMBERS}), max_size=4)
    ),
    max_leaves=12,
)
LITERALS = st.sampled_from(
    ["`1`", "`0`", "`0.5`", "`true`", "`null`", '`""`', "`[]`", "`{}`", '`{"a": [1, null]}`', "'a'", "''"]
)
FIELD = st.sampled_from(FIELDS)


def _joined(pattern: str, *parts: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(lambda found: pattern % found)


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "||", "&&", "|"])
    one = st.sampled_from([name for name, row in TABLE.items() if len(row["signature"]) == 1])
    two = st.sampled_from([name for name, row in TABLE.items() if len(row["signature"]) == 2])
    by = st.sampled_from(["sort_by", "max_by", "min_by"])
    indexes = st.integers(-3, 3)
    bounds = st.none() | st.integers(-3, 3)
    slices = st.tuples(bounds, bounds, st.sampled_from([None, 1, -1, 2])).map(
        lambda found: ":".join("" if one is None else str(one) for one in found)
    )
    return st.one_of(
        _joined("%s.%s", inner, FIELD),
        _joined("%s.*", inner),
        _joined("%s[%s]", inner, indexes),
        _joined("%s[%s]", inner, slices),
        _joined("%s[]", inner),
        _joined("%s[*]", inner),
        _joined("%s[].%s", inner, FIELD),
        _joined("%s[?%s]", inner, inner),
        _joined("%s[?%s].{b: %s, a: %s}", inner, inner, FIELD, inner),
        _joined("%s.{a: %s, %s: %s}", inner, inner, FIELD, inner),
        _joined("%s[].{a: %s, %s: %s}", inner, FIELD, FIELD, inner),
        _joined("%s[*].[%s, %s]", inner, inner, FIELD),
        _joined("[%s, %s]", inner, inner),
        _joined("%s %s %s", inner, operators, inner),
        _joined("!%s", inner),
        _joined("(%s)", inner),
        _joined("%s(%s)", one, inner),
        _joined("%s(%s, %s)", two, inner, inner),
        _joined("%s(%s, &%s)", by, inner, inner),
        _joined("map(&%s, %s)", inner, inner),
        _joined("%s[].%s(%s)", inner, one, inner),
    )


EXPRESSIONS = st.recursive(FIELD | LITERALS | st.just("@") | st.just("*"), _larger, max_leaves=8)


@settings(max_examples=1000)
@given(text=EXPRESSIONS, bodies=st.lists(BODIES, min_size=1, max_size=4))
@example(text="a[].{b: b}", bodies=[{"a": [[{"b": 1}], None]}])
def test_any_expression_gives_what_jmespath_gives(text: str, bodies: list[Json]) -> None:
    try:
        Expression(text)
    except JMESPathError:
        assume(False)
    for body in bodies:
        same(text, body)


# The shipped specs


CATALOG = Catalog(environ={})
SPECS = [CATALOG.load(source.name) for source in CATALOG.sources if source.is_shipped]


def _shipped() -> Iterator[tuple[str, str]]:
    """Every expression of every shipped spec, with the spec's name."""
    for spec in SPECS:
        found = [expression for _, expression in (*spec.response.expressions(), *spec.errors.expressions())]
        found += [spec.errors.in_success] if spec.errors.in_success else []
        yield from ((spec.name, expression.text) for expression in found)


def _bodies(value: Any) -> Iterator[Json]:
    """The bodies of recorded replies."""
    if isinstance(value, dict):
        if "body" in value and ("status" in value or "headers" in value):
            yield value["body"]
        for inner in value.values():
            yield from _bodies(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _bodies(inner)


SHIPPED = sorted({text for _, text in _shipped()})
REPLIES = [body for spec in SPECS for one in spec.examples for body in _bodies(one.get("reply"))]


def test_there_are_shipped_expressions_and_replies() -> None:
    assert len(SHIPPED) >= 20
    assert len(REPLIES) >= 50


@pytest.mark.parametrize("text", SHIPPED)
def test_a_shipped_expression_is_code_and_reads_every_recorded_reply_as_jmespath_does(text: str) -> None:
    assert code(text).interpreted == frozenset()
    for body in REPLIES:
        same(text, body)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_no_recorded_success_is_left_to_jmespath(spec: Any) -> None:
    mappings = [expression.text for _, expression in spec.response.expressions()]
    successes = [body for one in spec.examples if "returns" in one for body in _bodies(one.get("reply"))]
    for text in mappings:
        for body in successes:
            assert outcome(CodeOnly(text), body) == outcome(Interpreted(text), body)


def _places(body: Json) -> Iterator[tuple[Any, Any]]:
    """Every container in a body with each of its keys or positions."""
    for key in body if isinstance(body, dict) else range(len(body)) if isinstance(body, list) else ():
        yield body, key
        yield from _places(body[key])


@st.composite
def damaged(draw: st.DrawFn) -> Json:
    """A recorded reply with up to three members that are gone, in a list, twice there, or something else."""
    root = [copy.deepcopy(draw(st.sampled_from(REPLIES)))]
    for _ in range(draw(st.integers(0, 3))):
        parent, key = draw(st.sampled_from(list(_places(root))))
        change = draw(st.sampled_from(["gone", "in a list", "twice", "else"]))
        if change == "gone" and parent is not root:
            del parent[key]
        elif change == "in a list":
            parent[key] = [parent[key]]
        elif change == "twice" and isinstance(parent, list) and parent is not root:
            parent.insert(key, copy.deepcopy(parent[key]))
        else:
            parent[key] = draw(BODIES)
    return root[0]


@settings(max_examples=200)
@given(body=damaged())
def test_a_damaged_reply_gives_for_every_shipped_expression_what_jmespath_gives(body: Json) -> None:
    for text in SHIPPED:
        same(text, body)


def test_the_extra_functions_are_among_those_tried() -> None:
    assert set(EXTRA_FUNCTIONS) <= set(TABLE)
    problems: list[Problem] = []
    assert compile_expression("header('x-id')", (), problems) is not None
    assert problems == []
