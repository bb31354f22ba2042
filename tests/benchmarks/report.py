"""Writes `engine/PERFORMANCE.md` from what `run.py` measured.

    python tests/benchmarks/report.py figures.json [more.json ...]

Give the files of a whole run, or of runs of single subjects. A subject that several files have is taken from the last
of them, figures and tables together.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from outcomes import bounds
from targets import TARGETS, Row

HERE = Path(__file__).resolve().parent
FILE = HERE.parent.parent / "engine" / "PERFORMANCE.md"
FINDINGS = HERE / "findings.md"
"""What profiles showed, in words: the part of the report that is written by hand."""

_HEAD = """\
# What it costs

<!-- Written by tests/benchmarks/report.py from a run of tests/benchmarks/run.py; not by hand. -->

Every figure is a ratio within one run, whose contenders took turns; measured is the median over the rounds, with the
least and the most that were seen. Machines differ, and may be shared: compare nothing across tables.
"""


def main() -> None:
    """Write the file."""
    subjects: dict[str, Any] = {}
    for file in sys.argv[1:]:
        subjects.update(json.loads(Path(file).read_text())["subjects"])
    FILE.write_text("\n".join(lines(subjects)) + "\n")
    print(f"{FILE}: {len(subjects)} subjects")


def lines(subjects: Mapping[str, Any]) -> Iterator[str]:
    """The file's lines, from subjects by name as `run.py` writes them."""
    figures = {key: values for one in subjects.values() for key, values in one["figures"].items()}
    yield _HEAD
    yield "## Targets\n"
    yield "| what | beside | target | stretch | measured | |"
    yield "| --- | --- | ---: | ---: | ---: | --- |"
    for row in TARGETS:
        yield f"| {' | '.join(cells(row, figures.get(row.key)))} |"
    yield ""
    yield FINDINGS.read_text("utf-8")
    shared = _shared([one["conditions"] for one in subjects.values()])
    yield "## Conditions\n"
    for name, text in shared.items():
        yield f"- {name}: {text}"
    yield ""
    for one in subjects.values():
        yield f"## {one['title']}\n"
        if own := [f"{name}: {text}" for name, text in one["conditions"].items() if name not in shared]:
            yield "; ".join(own) + "\n"
        for reason in one["skipped"]:
            yield f"Left out: {reason}\n"
        for table in one["tables"]:
            yield from _table(table)


def cells(row: Row, values: Sequence[float] | None) -> Iterator[str]:
    """A row of the table of targets; `values` are those of the rounds, or None if there are none."""
    yield row.what
    yield row.beside
    yield _bound(row, row.target)
    yield "" if row.stretch is None else _bound(row, row.stretch)
    yield "not measured" if values is None else _measured(row, values)
    yield "" if values is None else row.verdict(values)


def _bound(row: Row, value: float) -> str:
    """A bound in words: "2 or less", "60 or more"."""
    return f"{value:g} {row.unit}".strip() + (" or more" if row.sense == "at least" else " or less")


def _measured(row: Row, values: Sequence[float]) -> str:
    size = abs(statistics.median(values))
    digits = 0 if row.unit == "specs" or size >= 100 else 1 if size >= 10 else 2
    middle, least, most = (f"{value:.{digits}f}" for value in bounds(values, digits))
    middle = f"{middle} {row.unit}".strip()
    return middle if len(values) == 1 else f"{middle} ({least} to {most})"


def _shared(conditions: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The conditions that all have alike."""
    first = conditions[0]
    return {name: text for name, text in first.items() if all(one.get(name) == text for one in conditions)}


def _table(table: Mapping[str, Any]) -> Iterator[str]:
    columns, rows = table["columns"], table["rows"]
    are_numbers = [all(not row[at] or row[at][0] in "-0123456789" for row in rows) for at in range(len(columns))]
    yield f"### {table['title']}\n"
    yield table["conditions"] + "\n"
    yield f"| {' | '.join(columns)} |"
    yield f"| {' | '.join('---:' if is_number else '---' for is_number in are_numbers)} |"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def target_lines(figures: Mapping[str, Sequence[float]]) -> Iterator[str]:
    """What was measured beside its targets, for a terminal."""
    for row in TARGETS:
        if values := figures.get(row.key):
            bounds = _bound(row, row.target) + ("" if row.stretch is None else f", stretch {row.stretch:g}")
            yield f"  {row.what}: {_measured(row, values)} [{bounds}] {row.verdict(values)}"


if __name__ == "__main__":
    main()
