"""The promise that every response keeps: what breaks it, and how results are ranked."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from stepping import play, reply, toy

from rankspec import contract
from rankspec.contract import ContractBroken, Scored, add_units, attach_documents, check_results, check_units, rank
from rankspec.errors import ResponseInvalid
from rankspec.mapping import Expression
from rankspec.models import RerankResult
from rankspec.raw_texts import RawTexts


def found(*pairs: tuple[Any, Any]) -> list[dict[str, Any]]:
    return [{"index": index, "relevance_score": score} for index, score in pairs]


def results(*pairs: tuple[int, float]) -> list[RerankResult]:
    return [RerankResult(index=index, relevance_score=score) for index, score in pairs]


def ranked(
    value: Any, documents: int, expected: int = 0, top_n: int | None = None, start: int = 0
) -> list[RerankResult]:
    return rank(check_results(value, documents, expected, start), top_n)


def test_sound_results_become_results_with_floats_as_scores() -> None:
    sound = ranked(found((2, 1), (0, -3.5), (1, 0)), 3, 3)
    assert sound == results((2, 1.0), (1, 0.0), (0, -3.5))
    assert [type(result["relevance_score"]) for result in sound] == [float, float, float]
    assert [type(result) for result in sound] == [RerankResult] * 3


def test_indexes_of_a_part_become_positions_in_the_callers_list() -> None:
    assert ranked(found((0, 0.1), (1, 0.2)), 2, start=5) == results((6, 0.2), (5, 0.1))


def test_fewer_results_than_documents_are_sound_if_no_more_were_due() -> None:
    assert ranked(found((4, 0.5)), 5, 1) == results((4, 0.5))
    assert ranked([], 5, 0) == []


BROKEN = [
    ("nothing", None, "the reply has no list of results where the spec looks for one, but nothing"),
    ("an object", {}, "the reply has no list of results where the spec looks for one, but an object"),
    ("a text", "x", "the reply has no list of results where the spec looks for one, but the text 'x'"),
    ("a number", 7, "the reply has no list of results where the spec looks for one, but 7"),
    ("an item that is nothing", [None], "result 0 of the reply is nothing, not an object"),
    ("an item that is a number", [*found((0, 1)), 0.5], "result 1 of the reply is 0.5, not an object"),
    ("an item that is a list", [[]], "result 0 of the reply is a list, not an object"),
    ("no index", [{"relevance_score": 1}], "result 0 of the reply has nothing as index, not a whole number"),
    ("a float as index", found((0, 1), (1.0, 1)), "result 1 of the reply has 1.0 as index, not a whole number"),
    ("a boolean as index", found((True, 1)), "result 0 of the reply has True as index, not a whole number"),
    ("a text as index", found(("0", 1)), "result 0 of the reply has the text '0' as index, not a whole number"),
    ("a list as index", found(([0], 1)), "result 0 of the reply has a list as index, not a whole number"),
    ("an index too large", found((0, 1), (3, 1)), "the reply has index 3, but 3 documents were sent: 0 to 2"),
    ("a negative index", found((-1, 1)), "the reply has index -1, but 3 documents were sent: 0 to 2"),
    ("an index twice", found((2, 1), (0, 1), (2, 0.5)), "the reply has index 2 twice"),
    ("no score", [{"index": 1}], "index 1 of the reply has nothing as score, not a finite number"),
    ("NaN", found((1, math.nan)), "index 1 of the reply has nan as score, not a finite number"),
    ("infinity", found((1, math.inf)), "index 1 of the reply has inf as score, not a finite number"),
    ("minus infinity", found((1, -math.inf)), "index 1 of the reply has -inf as score, not a finite number"),
    ("a text as score", found((1, "0.5")), "index 1 of the reply has the text '0.5' as score, not a finite number"),
    ("a boolean as score", found((1, True)), "index 1 of the reply has True as score, not a finite number"),
    ("an object as score", found((1, {})), "index 1 of the reply has an object as score, not a finite number"),
    (
        "a number beyond any float",
        found((1, 10**400)),
        f"index 1 of the reply has {10**400} as score, not a finite number",
    ),
    ("too few", found((0, 1), (1, 1)), "the reply has 2 results where 3 were due"),
    ("none", [], "the reply has 0 results where 3 were due"),
    ("too many", found((0, 1), (1, 1), (2, 1), (3, 1)), "the reply has index 3, but 3 documents were sent: 0 to 2"),
    ("too many, one twice", found((0, 1), (1, 1), (2, 1), (1, 1)), "the reply has index 1 twice"),
]


@pytest.mark.parametrize(("value", "message"), [pytest.param(*case[1:], id=case[0]) for case in BROKEN])
def test_a_reply_breaks_the_contract_with(value: Any, message: str) -> None:
    with pytest.raises(ContractBroken) as caught:
        check_results(value, 3, 3)
    assert str(caught.value) == message


def test_a_long_text_is_shown_in_part() -> None:
    with pytest.raises(ContractBroken) as caught:
        check_results(found(("x" * 5000, 1)), 3, 3)
    assert str(caught.value) == f"result 0 of the reply has the text '{'x' * 40}' as index, not a whole number"


def test_a_raw_score_and_spans_are_kept_and_other_fields_are_not() -> None:
    spans = [{"start": 0, "end": 3, "score": 0.5}]
    item = {"index": 0, "relevance_score": 0.9, "raw_score": 2, "relevant_spans": spans, "document": {"text": "theirs"}}
    assert ranked([item], 1, 1) == [RerankResult(index=0, relevance_score=0.9, raw_score=2, relevant_spans=spans)]


def test_an_absent_raw_score_is_left_out() -> None:
    item = {"index": 0, "relevance_score": 0.9, "raw_score": None, "relevant_spans": None}
    assert ranked([item], 1, 1) == results((0, 0.9))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("raw_score", "2.0", "index 0 of the reply has the text '2.0' as raw_score, not a finite number"),
        ("raw_score", math.nan, "index 0 of the reply has nan as raw_score, not a finite number"),
        ("raw_score", False, "index 0 of the reply has False as raw_score, not a finite number"),
        ("relevant_spans", "all", "index 0 of the reply has the text 'all' as relevant_spans, not a list of objects"),
        ("relevant_spans", {}, "index 0 of the reply has an object as relevant_spans, not a list of objects"),
        ("relevant_spans", [1], "index 0 of the reply has a list as relevant_spans, not a list of objects"),
    ],
)
def test_what_the_response_schema_would_refuse_breaks_the_contract(field: str, value: Any, message: str) -> None:
    with pytest.raises(ContractBroken) as caught:
        check_results([{"index": 0, "relevance_score": 1, field: value}], 1, 1)
    assert str(caught.value) == message


def test_results_are_ranked_by_falling_score_and_ties_by_rising_index() -> None:
    pairs = found((3, 0.5), (1, 0.5), (2, 0.9), (0, -1.0), (4, 0.5))
    assert ranked(pairs, 5) == results((2, 0.9), (1, 0.5), (3, 0.5), (4, 0.5), (0, -1.0))


@pytest.mark.parametrize("scores", [(-0.0, 0.0), (2**60, 2**60 + 1)], ids=["zeros", "integers that are one float"])
def test_what_is_equal_as_floats_is_a_tie(scores: tuple[float, float]) -> None:
    assert [result.index for result in ranked(found((0, scores[0]), (1, scores[1])), 2)] == [0, 1]
    assert [result.index for result in ranked(found((1, scores[1]), (0, scores[0])), 2)] == [0, 1]


@pytest.mark.parametrize(
    ("top_n", "indexes"), [(1, [2]), (2, [2, 0]), (3, [2, 0, 1]), (9, [2, 0, 1]), (None, [2, 0, 1])]
)
def test_at_most_top_n_results_are_left(top_n: int | None, indexes: list[int]) -> None:
    pairs = found((0, 0.5), (1, 0.1), (2, 0.9))
    assert [result.index for result in ranked(pairs, 3, top_n=top_n)] == indexes


def test_documents_are_the_callers_own_objects() -> None:
    documents: list[Any] = ["text", {"title": "t", "n": 1}]
    found = results((1, 0.9), (0, 0.5))
    attach_documents(found, documents)
    assert found[0].document is documents[1]
    assert found[1].document == {"text": "text"}


def test_raw_texts_are_given_back_as_they_came() -> None:
    found = results((1, 0.9), (0, 0.5))
    attach_documents(found, RawTexts([b'"caf\\u00e9"', '"crème"'.encode()]))
    written = orjson.dumps([result["document"] for result in found])
    assert written == '[{"text":"crème"},{"text":"caf\\u00e9"}]'.encode()


scores = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-5, 5)


@given(st.lists(scores, min_size=1, max_size=30), st.integers(1, 40) | st.none(), st.randoms(use_true_random=False))
def test_any_permutation_of_a_reply_maps_to_the_same_ranking(
    values: list[float], top_n: int | None, random: Any
) -> None:
    request = {"model": "m", "query": "q", "documents": ["d"] * len(values), "top_n": top_n}
    items = [{"index": index, "score": value} for index, value in enumerate(values)]
    straight = play(toy(), request, [reply({"results": items})]).response
    random.shuffle(items)
    shuffled = play(toy(), request, [reply({"results": items})]).response
    assert shuffled == straight
    ranking = [(result.relevance_score, result.index) for result in straight.results]
    assert ranking == sorted(ranking, key=lambda pair: (-pair[0], pair[1]))
    assert len(ranking) == min(top_n or len(values), len(values))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
item = st.fixed_dictionaries(
    {"index": st.integers(-1, 4) | json_values, "relevance_score": scores | json_values},
    optional={"raw_score": json_values, "relevant_spans": json_values},
)


@given(st.lists(item | json_values, max_size=5) | json_values, st.integers(1, 4))
def test_whatever_a_reply_says_it_is_sound_or_breaks_the_contract(value: Any, documents: int) -> None:
    try:
        checked = ranked(value, documents)
    except ContractBroken:
        return
    indexes = [result.index for result in checked]
    assert len(set(indexes)) == len(indexes)
    assert all(0 <= index < documents for index in indexes)
    assert all(math.isfinite(result.relevance_score) for result in checked)


@given(st.lists(item, max_size=5) | st.lists(item | json_values, max_size=5), st.integers(1, 4))
def test_a_look_at_whole_columns_lets_nothing_through_that_a_look_at_each_result_refuses(
    value: list[Any], documents: int
) -> None:
    names = {name: name for name in ("index", "relevance_score", "raw_score", "relevant_spans")}
    scored = contract.Columns(names).scored(value, documents, 0, 3)
    if scored is not None:
        contract._check_each(value, documents)
        assert scored.indexes == [one["index"] + 3 for one in value]
        assert scored.scores == [one["relevance_score"] for one in value]
        assert not any(one.get("raw_score") or one.get("relevant_spans") for one in value)


row = st.fixed_dictionaries(
    {"place": st.integers(0, 3) | st.integers(-1, 4) | json_values, "s": scores | json_values},
    optional={"logit": st.none() | json_values, "index": json_values, "document": json_values},
)


@given(st.lists(row, max_size=4) | st.lists(row | json_values, max_size=4) | json_values)
@example([{"place": 1, "s": 0.5}, {"place": 0, "s": 1}, {"place": 2, "s": -1.5, "logit": None}])
@example([None, {"place": 0, "s": 1}, {"place": 2, "s": 1}, {"place": 1, "s": 1}])
@example({"place": 0, "s": 1})
def test_results_that_only_need_other_names_are_what_the_expression_makes_of_them(rows: Any) -> None:
    renamed = "rows[].{index: place, relevance_score: s, raw_score: logit}"
    assert outcome(renamed, rows) == outcome(f"{renamed} | @", rows)  # A pipe is more than other names.
    assert outcome(renamed.replace("[]", "[*]"), rows) == outcome(f"{renamed.replace('[]', '[*]')} | @", rows)


def outcome(expression: str, rows: Any) -> str:
    """The results of a spec with this results expression, or what is wrong with them."""
    spec = toy(response={"results": expression})
    try:
        return repr(
            play(spec, {"model": "m", "query": "q", "documents": ["d"] * 3}, [reply({"rows": rows})]).response.results
        )
    except ResponseInvalid as error:
        return str(error)


def test_one_member_may_be_index_and_score_and_another_the_raw_score() -> None:
    rows = [{"i": at, "s": at + 0.5} for at in range(3)]
    for twice in (
        "rows[].{index: i, relevance_score: i, raw_score: s}",
        "rows[].{index: i, relevance_score: s, raw_score: s}",
    ):
        assert outcome(twice, rows) == outcome(f"{twice} | @", rows)
        assert outcome(twice, rows).count("raw_score") == 3


def test_several_replies_are_as_one() -> None:
    plain, full = Scored([0], [0.5]), Scored([1, 2], [0.4, 0.3], [{"raw_score": 1}, None])
    assert Scored.of_parts([plain, plain]) == Scored([0, 0], [0.5, 0.5])
    assert Scored.of_parts([plain, full]) == Scored([0, 1, 2], [0.5, 0.4, 0.3], [None, {"raw_score": 1}, None])


def test_what_only_has_other_names_is_read_by_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract, "_check_each", None)
    monkeypatch.setattr(Expression, "search", None)
    assert outcome("rows[].{relevance_score: s, index: i}", [{"s": 1, "i": at} for at in range(3)]).count("index") == 3


UNITS = [
    ("sound", {"search_units": 1, "tokens": 2.5}, {"search_units": 1, "tokens": 2.5}, []),
    ("absent", None, {}, []),
    ("absent numbers", {"a": None, "b": 1}, {"b": 1}, []),
    ("no object", [1], {}, ["(not an object)"]),
    ("a text", "3", {}, ["(not an object)"]),
    ("odd numbers", {"a": "1", "b": True, "c": math.nan, "d": math.inf, "e": [], "f": 0}, {"f": 0}, list("abcde")),
    ("beyond any float", {"a": 10**400, "b": 1}, {"b": 1}, ["a"]),
]


@pytest.mark.parametrize(("value", "sound", "odd"), [pytest.param(*case[1:], id=case[0]) for case in UNITS])
def test_counts_are_numbers(value: Any, sound: dict[str, float], odd: list[str]) -> None:
    assert check_units(value) == (sound, odd)


def test_counts_of_several_replies_are_added_up_by_name() -> None:
    assert add_units([{"a": 1, "b": 0.5}, {}, {"a": 2, "c": 3}]) == {"a": 3, "b": 0.5, "c": 3}
    assert add_units([]) == {}
    assert add_units([{"a": 1.7e308, "b": 1}, {"a": 1.7e308}]) == {"b": 1}
