"""What Prometheus reads. Label values are names of the config and of our own: no caller can add a series.

Counting is what every request pays for, and rendering what hardly anyone does: numbers are counted in rows (see
`counts.py`), and made into the Prometheus library's samples only when somebody asks.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from rankspec.errors import ExtraMissing
from rankspec.gateway.observing.counts import Counts, Row
from rankspec.gateway.observing.samples import HISTOGRAMS, collected, width_of
from rankspec.gateway.observing.worker_metrics import FOLDER_VARIABLE, file_of_this_worker, live_workers
from rankspec.gateway.values import Trace

try:
    from prometheus_client import Metric, ProcessCollector
    from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
except ImportError:
    raise ExtraMissing("gateway", "rankspec serve") from None

UNKNOWN = "unknown"
"""The model of a request that names none that is configured."""

OTHER = "other"
"""The model of requests once there are MAX_MODELS of them, after many reloads."""

MAX_MODELS = 1000

UP = "up"

_Key = tuple[str, str | None, int]
"""A request's dialect, model and status."""

States = Callable[[], Iterable[tuple[str, str]]]
"""The id and the state of every deployment: UP, or another word while it is left out for its failures."""

_SECONDS_BETWEEN_REFRESHES = 1.0


def _places(metric: str) -> tuple[float, ...]:
    """A histogram's bounds as bisect_left finds an amount's place in its row, whose first number is no bucket's."""
    return float("-inf"), *HISTOGRAMS[metric]


_SECONDS = _places("request_seconds")
_OWN_SECONDS = _places("own_seconds")
_DOCUMENTS = _places("documents")
_REQUEST_BYTES = _places("request_bytes")
_REPLY_BYTES = _places("reply_bytes")
_UPSTREAM_SECONDS = _places("upstream_seconds")


def _no_states() -> Iterable[tuple[str, str]]:
    return ()


class Metrics:
    """Counts requests, and renders the counts as Prometheus reads them.

    Among several workers (see `worker_metrics`) every one counts in a file of its own, and any of them renders the
    sum. Numbers only grow over reloads; a deployment that is gone is left out of `rankspec_deployment_up`.

    Args:
        version: of rankspec.
        states: tells the deployments that there are now.
        clock: seconds that only grow.
    """

    def __init__(
        self, version: str, states: States = _no_states, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.states = states
        self._clock = clock
        self._refreshed = float("-inf")
        folder = os.environ.get(FOLDER_VARIABLE)
        self._folder = Path(folder) if folder else None
        self._counts = Counts(None if self._folder is None else file_of_this_worker(self._folder))
        self.in_flight = Gauge(self._row("in_flight"))
        self._hedged = self._row("hedged")
        self._row("build_info", version)[0] = 1.0
        self._model_labels: dict[str | None, str] = {}
        self._series: dict[_Key, _Series] = {}
        self._upstream: dict[tuple[str, str | None], tuple[Row, Row]] = {}

    def observe(self, trace: Trace) -> None:
        """Count one request that has been answered or refused."""
        key = trace.dialect, trace.model, trace.status
        series = self._series.get(key) or self._new_series(key)
        series.requests[0] += 1.0
        row, seconds = series.seconds, trace.seconds
        row[0] += seconds
        row[bisect_left(_SECONDS, seconds)] += 1.0
        row, seconds = series.own_seconds, trace.own_seconds
        row[0] += seconds
        row[bisect_left(_OWN_SECONDS, seconds)] += 1.0
        row, size = series.request_bytes, trace.request_bytes
        row[0] += size
        row[bisect_left(_REQUEST_BYTES, size)] += 1.0
        row, size = series.reply_bytes, trace.reply_bytes
        row[0] += size
        row[bisect_left(_REPLY_BYTES, size)] += 1.0
        if documents := trace.documents:
            row = series.documents
            row[0] += documents
            row[bisect_left(_DOCUMENTS, documents)] += 1.0
        for attempt in trace.attempts:
            tried = attempt.deployment, attempt.error
            outcomes, row = self._upstream.get(tried) or self._new_upstream(tried)
            outcomes[0] += 1.0
            seconds = attempt.seconds
            row[0] += seconds
            row[bisect_left(_UPSTREAM_SECONDS, seconds)] += 1.0
        if trace.cost_usd:
            series.cost_usd[0] += trace.cost_usd
        if len(trace.attempts) > 1 or trace.upstream_requests > 1 or trace.overlong_documents or trace.degraded:
            self._observe_unusual(trace, series)
        if trace.hedged:
            self._hedged[0] += 1.0
        if self._folder is not None:
            self._refresh_at_times()

    def reloaded(self, outcome: str) -> None:
        """Count a reload of the config: "ok", or "refused"."""
        self._row("reloads", outcome)[0] += 1.0

    def render(self) -> tuple[bytes, str]:
        """The body of a reply to Prometheus, and its content type. May run in a thread while requests are counted."""
        self._refresh()
        return generate_latest(_Rendered(self._collected)), CONTENT_TYPE_LATEST

    def _observe_unusual(self, trace: Trace, series: _Series) -> None:
        series.retries[0] += trace.retries
        if trace.upstream_requests > 1:
            series.splits[0] += 1.0
        series.overlong_documents[0] += trace.overlong_documents
        for to in trace.fallbacks:
            self._row("fallbacks", series.model, to)[0] += 1.0
        if trace.degraded:
            self._row("degraded", series.model, trace.degraded)[0] += 1.0

    def _new_series(self, key: _Key) -> _Series:
        dialect, name, status = key
        labels = self._model_labels
        model = labels.get(name)
        if model is None:
            model = labels[name] = UNKNOWN if name is None else name if len(labels) < MAX_MODELS else OTHER
        made = self._series[key] = _Series(dialect or UNKNOWN, model, str(status), self._row)
        return made

    def _new_upstream(self, tried: tuple[str, str | None]) -> tuple[Row, Row]:
        deployment, error = tried
        outcomes = self._row("upstream_requests", deployment, error or "ok")
        made = self._upstream[tried] = outcomes, self._row("upstream_seconds", deployment)
        return made

    def _row(self, metric: str, *labels: str) -> Row:
        return self._counts.row((metric, *labels), width_of(metric))

    def _refresh_at_times(self) -> None:
        # A worker that renders sees its own deployments alone: each writes down what it sees.
        if self._clock() - self._refreshed >= _SECONDS_BETWEEN_REFRESHES:
            self._refresh()

    def _refresh(self) -> None:
        self._refreshed = self._clock()
        for deployment, state in self.states():
            self._row("deployment_up", deployment)[0] = float(state == UP)

    def _collected(self) -> Iterator[Metric]:
        deployments = {deployment for deployment, _ in self.states()}
        yield from collected(self._counts, self._folder, deployments)
        if self._folder is None:
            yield from ProcessCollector(registry=None).collect()
        else:
            yield from _processes(live_workers(self._folder))


class _Rendered:
    """What `generate_latest` takes for a registry."""

    def __init__(self, collect: Callable[[], Iterator[Metric]]) -> None:
        self.collect = collect


class Gauge:
    """A number that goes up and down."""

    __slots__ = ("_row",)

    def __init__(self, row: Row) -> None:
        self._row = row

    def inc(self) -> None:
        """One more."""
        self._row[0] += 1.0

    def dec(self) -> None:
        """One less."""
        self._row[0] -= 1.0


class _Series:
    """Where requests of one dialect, model and status are counted, found once. All rows but one are the model's."""

    __slots__ = (
        "cost_usd",
        "documents",
        "model",
        "overlong_documents",
        "own_seconds",
        "reply_bytes",
        "request_bytes",
        "requests",
        "retries",
        "seconds",
        "splits",
    )

    def __init__(self, dialect: str, model: str, status: str, row: Callable[..., Row]) -> None:
        self.model = model
        self.requests = row("requests", dialect, model, status)
        self.seconds = row("request_seconds", model)
        self.own_seconds = row("own_seconds", model)
        self.documents = row("documents", model)
        self.request_bytes = row("request_bytes", model)
        self.reply_bytes = row("reply_bytes", model)
        self.retries = row("retries", model)
        self.splits = row("splits", model)
        self.overlong_documents = row("overlong_documents", model)
        self.cost_usd = row("cost_usd", model)


_OF_ALL = {"process_start_time_seconds": min, "process_max_fds": min}
"""How the workers' figures become one, where they are not added."""


def _processes(workers: Iterable[int]) -> Iterator[Metric]:
    """The usual metrics of a process, over all workers."""
    found: dict[str, list[Metric]] = {}
    for worker in workers:
        for metric in ProcessCollector(pid=lambda worker=worker: worker, registry=None).collect():  # type: ignore[misc]
            found.setdefault(metric.name, []).append(metric)
    for metrics in found.values():
        first = metrics[0]
        for position, sample in enumerate(first.samples):
            figures = [metric.samples[position].value for metric in metrics]
            first.samples[position] = sample._replace(value=_OF_ALL.get(sample.name, sum)(figures))
        yield first
