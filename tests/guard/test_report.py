"""What is published of the speed: every target, and beside it what was measured."""

from __future__ import annotations

import pytest
from report import FILE, cells, lines
from targets import TARGETS, Row

FEWER = Row("k", "calls", "a peer", "at most", 1.25, 1.1)
MORE = Row("k", "requests", "a peer", "at least", 60, 100, "ms")


def test_every_target_has_a_key_of_its_own() -> None:
    assert len({row.key for row in TARGETS}) == len(TARGETS)


@pytest.mark.skipif(not FILE.exists(), reason="not in the wheel, or not yet measured")
def test_the_published_table_has_every_target_as_it_stands() -> None:
    text = FILE.read_text("utf-8")
    for row in TARGETS:
        what, beside, target, stretch, *_ = cells(row, None)
        assert f"| {what} | {beside} | {target} | {stretch} |" in text, f"measure again, or write the report: {what}"


@pytest.mark.parametrize(
    ("row", "values", "measured", "verdict"),
    [
        (FEWER, [1.3, 1.2, 1.0], "1.20 (1.00 to 1.30)", "met"),
        (FEWER, [1.05, 1.0, 1.9], "1.05 (1.00 to 1.90)", "met, and the stretch"),
        (FEWER, [1.26], "1.26", "missed"),
        (FEWER, [-0.001], "0.00", "met, and the stretch"),
        (MORE, [59.0, 70.0, 110.0], "70.0 ms (59.0 to 110.0)", "met"),
        (MORE, [101.0], "101 ms", "met, and the stretch"),
        (MORE, [12.0], "12.0 ms", "missed"),
        (MORE, None, "not measured", ""),
    ],
    ids=["at most", "stretch", "missed", "nought", "at least", "stretch of more", "missed more", "not measured"],
)
def test_a_target_is_met_by_the_median(row: Row, values: list[float] | None, measured: str, verdict: str) -> None:
    assert list(cells(row, values))[4:] == [measured, verdict]


def test_conditions_are_told_once_where_all_subjects_have_them_alike() -> None:
    table = {"title": "T", "conditions": "How.", "columns": ["", "n"], "rows": [["one", "1"], ["two", ""]]}
    one = {"title": "A", "conditions": {"machine": "m", "load": "1"}, "figures": {}, "skipped": [], "tables": [table]}
    two = {**one, "title": "B", "conditions": {"machine": "m", "load": "2"}, "skipped": ["nginx"], "tables": []}
    text = "\n".join(lines({"a": one, "b": two}))
    assert text[text.index("## Conditions") :] == (
        "## Conditions\n\n- machine: m\n\n"
        "## A\n\nload: 1\n\n### T\n\nHow.\n\n|  | n |\n| --- | ---: |\n| one | 1 |\n| two |  |\n\n"
        "## B\n\nload: 2\n\nLeft out: nginx\n"
    )
