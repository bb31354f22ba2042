"""What was counted beside the figures that are stored for this minor version of Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILE = HERE / "figures.json"
WRITE = "python tests/guard/write_figures.py"

MOST = 1.33
"""A third more than stored is a slow-down."""

LEAST = 0.67
"""A third less than stored, and the stored figure would let the gain be lost again unseen."""

SLACK = 5
"""Differences that mean nothing where figures are small."""

_OFF = ("PYTHONASYNCIODEBUG", "PYTHONDEVMODE", "PYTHONTRACEMALLOC", "PYTHONPROFILEIMPORTTIME")
"""Variables that make Python itself do more."""

Counted = Mapping[str, Mapping[str, int]]


def python() -> str:
    """The minor version of Python: each compiles to instructions of its own."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def stored() -> dict[str, Counted]:
    """The figures by version of Python."""
    found: dict[str, Counted] = json.loads(FILE.read_text()) if FILE.exists() else {}
    return found


def counted() -> Counted:
    """What each case does now, in a process of its own: nothing that ran before or runs beside changes it."""
    environ = {name: value for name, value in os.environ.items() if name not in _OFF} | {"PYTHONHASHSEED": "0"}
    command = [sys.executable, str(HERE / "count_all.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environ)
    assert done.returncode == 0, done.stderr
    found: Counted = json.loads(done.stdout)
    return found


def dearer(now: Counted, before: Counted) -> list[str]:
    """A table of what does more than it may; empty if nothing does."""
    return _table(now, before, lambda one, other: one > other * MOST + SLACK)


def cheaper(now: Counted, before: Counted) -> list[str]:
    """A table of what does so much less that the stored figures are of no use any more; empty if nothing does."""
    return _table(now, before, lambda one, other: one < other * LEAST - SLACK)


def _table(now: Counted, before: Counted, is_told: Callable[[int, int], bool]) -> list[str]:
    rows = [row for row in _rows(now, before) if is_told(row[2], row[3])]
    if not rows:
        return []
    head = f"{'':<56} {'':<14} {'now':>12} {'stored':>12} {'change':>8}"
    return [
        head,
        *(f"{case:<56} {what:<14} {one:>12,} {other:>12,} {_change(one, other):>8}" for case, what, one, other in rows),
    ]


def _rows(now: Counted, before: Counted) -> Iterator[tuple[str, str, int, int]]:
    for case, figures in now.items():
        for what, one in figures.items():
            yield case, what, one, before[case][what]


def _change(one: int, other: int) -> str:
    return f"{one / other - 1:+.0%}" if other else "new"
