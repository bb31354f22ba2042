"""No translation and no request does a third more than it did: counted, not timed, so that no clock decides.

What native code does with what it is handed is not seen; how often it is called and how many bytes it gets is.
"""

from __future__ import annotations

import pytest
from comparison import MOST, WRITE, Counted, cheaper, counted, dearer, python, stored

FIGURES = stored().get(python())
of_this_python = pytest.mark.skipif(FIGURES is None, reason=f"no figures for Python {python()}: {WRITE} stores them")


@pytest.fixture(scope="module")
def now() -> Counted:
    return counted()


@of_this_python
def test_nothing_does_a_third_more_than_it_did(now: Counted) -> None:
    assert FIGURES is not None
    assert now.keys() == FIGURES.keys(), f"the cases have changed: {WRITE}"
    table = "\n".join(dearer(now, FIGURES))
    assert not table, f"\n{table}\n\nIf that is what the change is for, store it: {WRITE}"


@of_this_python
def test_what_does_much_less_than_it_did_has_its_figures_stored(now: Counted) -> None:
    assert FIGURES is not None
    table = "\n".join(cheaper(now, FIGURES))
    assert not table, f"\n{table}\n\nIf it is not merely done where nothing counts it, keep the gain: {WRITE}"


def test_the_same_work_counts_the_same_again(now: Counted) -> None:
    assert counted() == now


def test_a_slow_down_by_a_third_is_told_in_a_table() -> None:
    before = {"translation": {"instructions": 1000, "c_calls": 3}}
    assert dearer({"translation": {"instructions": int(1000 * MOST), "c_calls": 6}}, before) == []
    assert [
        " ".join(line.split()) for line in dearer({"translation": {"instructions": 1500, "c_calls": 3}}, before)
    ] == [
        "now stored change",
        "translation instructions 1,500 1,000 +50%",
    ]
    assert [
        " ".join(line.split()) for line in cheaper({"translation": {"instructions": 500, "c_calls": 3}}, before)
    ] == [
        "now stored change",
        "translation instructions 500 1,000 -50%",
    ]
