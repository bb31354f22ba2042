"""Rows of numbers: what one process counts, another one reads, however many rows there are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rankspec.gateway.observing import counts as counts_module
from rankspec.gateway.observing.counts import Counts, RowName, read_counts

NAMES = st.lists(st.text(max_size=20), min_size=1, max_size=3).map(tuple)
ROWS = st.dictionaries(NAMES, st.lists(st.floats(allow_nan=False), min_size=1, max_size=20), max_size=30)


def told(rows: object) -> dict[RowName, list[float]]:
    """Rows as plain values."""
    return {name: list(row) for name, row in rows}  # type: ignore[attr-defined]


@given(ROWS)
@settings(max_examples=50)
def test_what_is_counted_in_a_file_reads_as_what_is_counted_in_memory(
    tmp_path_factory: pytest.TempPathFactory, rows: dict[RowName, list[float]]
) -> None:
    file = tmp_path_factory.mktemp("counts") / "worker-1"
    in_memory, in_file = Counts(), Counts(file)
    for counts in (in_memory, in_file):
        for name, numbers in rows.items():
            row = counts.row(name, len(numbers))
            for position, number in enumerate(numbers):
                row[position] += number

    assert told(read_counts(file)) == told(in_file.rows()) == told(in_memory.rows()) == rows


def test_rows_over_many_blocks_are_all_read_and_go_on_counting(tmp_path: Path) -> None:
    counts = Counts(tmp_path / "worker-1")
    names = [("metric", f"{number:05}", "x" * (number % 700)) for number in range(2000)]
    huge = ("metric", "y" * 500_000)
    for _ in range(2):
        for name in (*names, huge):
            counts.row(name, 1 + len(name[1]) % 19)[0] += 1.0

    assert {name: row[0] for name, row in read_counts(tmp_path / "worker-1")} == dict.fromkeys((*names, huge), 2.0)


def test_a_name_has_one_row() -> None:
    counts = Counts()
    counts.row(("a",), 2)[1] = 3.0

    assert list(counts.row(("a",), 2)) == [0.0, 3.0]


def test_a_file_that_is_gone_has_no_rows(tmp_path: Path) -> None:
    assert list(read_counts(tmp_path / "worker-1")) == []


def test_where_the_file_cannot_grow_counting_goes_on_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = Counts(tmp_path / "worker-1")
    counts.row(("before",), 1)[0] = 1.0

    def is_full(descriptor: int, offset: int, size: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(counts_module, "_reserve", is_full)
    for number in range(10_000):
        counts.row(("after", str(number)), 1)[0] = 1.0

    rows = told(counts.rows())
    assert len(rows) == 10_001
    assert set(map(tuple, rows.values())) == {(1.0,)}
    assert 1 < len(told(read_counts(tmp_path / "worker-1"))) < 10_001
