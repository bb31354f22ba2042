"""What a benchmark comes to: figures for the table of targets, and tables that say where they are from."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


class Missing(Exception):
    """What a benchmark compares with cannot be had on this machine; the text says why."""


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    `seconds` is the length of one load; `folder` is for files that are gone at the end.
    """

    rounds: int
    seconds: float
    folder: Path


@dataclass(frozen=True)
class Table:
    """Measured values in rows, with the conditions that hold for this table."""

    title: str
    conditions: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass
class Outcome:
    """What one subject came to: by the key of a target one value for each round, tables, and what was left out."""

    figures: dict[str, list[float]] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The median, and the least and the most that were seen."""
    middle, least, most = (f"{value:,.{digits}f}" for value in bounds(values, digits))
    return middle if len(values) == 1 else f"{middle} ({least} to {most})"


def bounds(values: Sequence[float], digits: int) -> list[float]:
    """The median, the least and the most, rounded."""
    found = (statistics.median(values), min(values), max(values))
    return [round(value, digits) + 0.0 for value in found]  # There is no use in a minus before a nought.


def ratios(values: Sequence[float], beside: Sequence[float]) -> list[float]:
    """Round by round, what one came to in terms of the other."""
    return [one / other for one, other in zip(values, beside, strict=True)]


def tell(text: str) -> None:
    """Say on standard error what is being measured."""
    print(f"  {text}", file=sys.stderr, flush=True)
