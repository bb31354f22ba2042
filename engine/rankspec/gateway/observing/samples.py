"""Every metric there is, and its samples for Prometheus, made of rows of numbers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Literal

from rankspec.errors import ExtraMissing
from rankspec.gateway.observing.counts import Counts, Row, RowName, read_counts
from rankspec.gateway.observing.worker_metrics import all_workers, live_workers

try:
    from prometheus_client import Metric
    from prometheus_client.utils import floatToGoString
except ImportError:
    raise ExtraMissing("gateway", "rankspec serve") from None

Rows = dict[RowName, list[float]]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 2, 3.5, 5, 10, 20, 30, 60)
_OWN_SECONDS = (0.0001, 0.0002, 0.0003, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)
_DOCUMENTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
_BYTES = (1_000, 4_000, 16_000, 64_000, 256_000, 1_000_000, 4_000_000, 16_000_000, 64_000_000)

HISTOGRAMS: dict[str, tuple[float, ...]] = {
    "request_seconds": _SECONDS,
    "own_seconds": _OWN_SECONDS,
    "documents": _DOCUMENTS,
    "request_bytes": _BYTES,
    "reply_bytes": _BYTES,
    "upstream_seconds": _SECONDS,
}
"""The upper bounds of the buckets, but for the last one, which has none.

They are ints for what is an int: to compare one with a float takes two to three times as long.
"""


@dataclass(frozen=True, slots=True)
class _Kind:
    """One metric. `of_workers` makes one number of those of several workers; counts of ended ones stay, gauges go."""

    name: str
    text: str
    labels: tuple[str, ...] = ()
    type: Literal["counter", "histogram", "gauge"] = "counter"
    of_workers: Callable[[Iterable[float]], float] = sum


_KINDS = (
    _Kind("requests", "Requests that were answered or refused.", ("dialect", "model", "status")),
    _Kind("request_seconds", "From a request's first byte to its reply.", ("model",), "histogram"),
    _Kind("own_seconds", "What the gateway adds: no provider, no wait, no upload.", ("model",), "histogram"),
    _Kind("documents", "Documents of a request.", ("model",), "histogram"),
    _Kind("request_bytes", "Size of a request's body.", ("model",), "histogram"),
    _Kind("reply_bytes", "Size of a reply's body.", ("model",), "histogram"),
    _Kind("upstream_seconds", "How long a try on a deployment took.", ("deployment",), "histogram"),
    _Kind("upstream_requests", "Tries on a deployment: ok, or the error's class.", ("deployment", "outcome")),
    _Kind("retries", "Tries after a request's first.", ("model",)),
    _Kind("fallbacks", "Requests that went to a member of a fallback chain.", ("model", "to")),
    _Kind("degraded", "Answers of another model, or of none.", ("model", "kind")),
    _Kind("hedged", "Requests for which a second deployment was asked."),
    _Kind("splits", "Answers that took more than one request to the provider.", ("model",)),
    _Kind("overlong_documents", "Documents that a provider likely cut.", ("model",)),
    _Kind("cost_usd", "What answers cost, in US dollars, where it is known.", ("model",)),
    _Kind("reloads", "Reloads of the config: ok, or refused.", ("outcome",)),
    _Kind("in_flight", "Requests that are being answered.", (), "gauge"),
    _Kind("deployment_up", "1, or 0 while it is left out for its failures.", ("deployment",), "gauge", min),
    _Kind("build_info", "1; its label is the version.", ("version",), "gauge", max),
)
"""In the order in which they are told."""


def width_of(metric: str) -> int:
    """How many numbers a metric's rows have: one, or a histogram's sum and its buckets."""
    return 2 + len(HISTOGRAMS[metric]) if metric in HISTOGRAMS else 1


def collected(counts: Counts, folder: Path | None, deployments: Collection[str]) -> Iterator[Metric]:
    """Every metric with its samples.

    Args:
        counts: those of this process.
        folder: where all workers count, if there are several.
        deployments: those that there are now.
    """
    by_metric: dict[str, Rows] = {}
    for (metric, *labels), numbers in _rows(counts, folder).items():
        if metric != "deployment_up" or labels[0] in deployments:
            by_metric.setdefault(metric, {})[tuple(labels)] = numbers
    for kind in _KINDS:
        told = Metric(f"rankspec_{kind.name}", kind.text, kind.type)
        for labels_of_row, numbers in by_metric.get(kind.name, {}).items():
            _add_samples(told, kind, dict(zip(kind.labels, labels_of_row, strict=True)), numbers)
        yield told


def _rows(counts: Counts, folder: Path | None) -> Rows:
    """The rows of all processes, each name once."""
    if folder is None:
        return {name: list(row) for name, row in counts.rows()}
    kinds = {kind.name: kind for kind in _KINDS}
    live = set(live_workers(folder).values())
    found: dict[RowName, list[Row]] = {}
    for file in all_workers(folder):
        for name, row in read_counts(file):
            if file in live or kinds[name[0]].type != "gauge":
                found.setdefault(name, []).append(row)
    return {name: list(map(kinds[name[0]].of_workers, zip(*rows, strict=True))) for name, rows in found.items()}


def _add_samples(told: Metric, kind: _Kind, labels: dict[str, str], numbers: Sequence[float]) -> None:
    if kind.type != "histogram":
        told.add_sample(f"{told.name}_total" if kind.type == "counter" else told.name, labels, numbers[0])
        return
    bounds = (*map(floatToGoString, HISTOGRAMS[kind.name]), "+Inf")
    total = 0.0
    for bound, total in zip(bounds, accumulate(numbers[1:]), strict=True):
        told.add_sample(f"{told.name}_bucket", {**labels, "le": bound}, total)
    told.add_sample(f"{told.name}_count", labels, total)
    told.add_sample(f"{told.name}_sum", labels, numbers[0])
