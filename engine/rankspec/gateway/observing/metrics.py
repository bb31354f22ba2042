"""What Prometheus reads. Label values are names of the config and of our own: no caller can add a series."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from rankspec.errors import ExtraMissing
from rankspec.gateway.observing.worker_metrics import FOLDER_VARIABLE, add_worker, live_workers
from rankspec.gateway.values import Trace

try:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, ProcessCollector, values
    from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector
except ImportError:
    raise ExtraMissing("gateway", "rankspec serve") from None

UNKNOWN = "unknown"
"""The model of a request that names none that is configured."""

OTHER = "other"
"""The model of requests once there are MAX_MODELS of them, after many reloads."""

MAX_MODELS = 1000

UP = "up"

States = Callable[[], Iterable[tuple[str, str]]]
"""The id and the state of every deployment: UP, or another word while it is left out for its failures."""

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 2, 3.5, 5, 10, 20, 30, 60)
_OWN_SECONDS = (0.0001, 0.0002, 0.0003, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)
_DOCUMENTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
_BYTES = (1e3, 4e3, 16e3, 64e3, 256e3, 1e6, 4e6, 16e6, 64e6)
_SECONDS_BETWEEN_REFRESHES = 1.0


def _no_states() -> Iterable[tuple[str, str]]:
    return ()


class Metrics:
    """Counts requests, and renders the counts as Prometheus reads them.

    Among several workers (see `worker_metrics`) every one counts in files of its own, and any of them renders the
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
        if self._folder is not None:
            # The library chose when it was imported, which a parent may have done before it started workers.
            values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]
            add_worker(self._folder)
        self._registry = CollectorRegistry()
        self._series = _Series(self._registry)
        self.in_flight = self._series.in_flight
        self._series.build_info.labels(version).set(1)
        self._requests: dict[tuple[str, str | None, int], Any] = {}
        self._models: dict[str | None, _ModelSeries] = {}
        self._upstream: dict[tuple[str, str | None], tuple[Any, Any]] = {}

    def observe(self, trace: Trace) -> None:
        """Count one request that has been answered or refused."""
        key = (trace.dialect, trace.model, trace.status)
        requests = self._requests.get(key)
        if requests is None:
            requests = self._requests[key] = self._series.requests.labels(
                trace.dialect or UNKNOWN, self._model_name(trace.model), trace.status
            )
        requests.inc()
        model = self._models.get(trace.model)
        if model is None:
            model = self._models[trace.model] = _ModelSeries(self._series, self._model_name(trace.model))
        model.seconds.observe(trace.seconds)
        model.own_seconds.observe(trace.own_seconds)
        model.request_bytes.observe(trace.request_bytes)
        model.reply_bytes.observe(trace.reply_bytes)
        if trace.documents:
            model.documents.observe(trace.documents)
        for attempt in trace.attempts:
            outcomes, seconds = self._upstream_of(attempt.deployment, attempt.error)
            outcomes.inc()
            seconds.observe(attempt.seconds)
        if trace.cost_usd:
            model.cost_usd.inc(trace.cost_usd)
        if len(trace.attempts) > 1 or trace.upstream_requests > 1 or trace.overlong_documents or trace.degraded:
            self._observe_unusual(trace, model)
        if trace.hedged:
            self._series.hedged.inc()
        if self._folder is not None:
            self._refresh_at_times()

    def reloaded(self, outcome: str) -> None:
        """Count a reload of the config: "ok", or "refused"."""
        self._series.reloads.labels(outcome).inc()

    def render(self) -> tuple[bytes, str]:
        """The body of a reply to Prometheus, and its content type."""
        self._refresh()
        return generate_latest(_Rendered(self._collected)), CONTENT_TYPE_LATEST

    def _observe_unusual(self, trace: Trace, model: _ModelSeries) -> None:
        if trace.retries:
            model.retries.inc(trace.retries)
        if trace.upstream_requests > 1:
            model.splits.inc()
        if trace.overlong_documents:
            model.overlong_documents.inc(trace.overlong_documents)
        for to in trace.fallbacks:
            self._series.fallbacks.labels(model.name, to).inc()
        if trace.degraded:
            self._series.degraded.labels(model.name, trace.degraded).inc()

    def _model_name(self, name: str | None) -> str:
        if name is None:
            return UNKNOWN
        known = self._models.get(name)
        if known is not None:
            return known.name
        return name if len(self._models) < MAX_MODELS else OTHER

    def _upstream_of(self, deployment: str, error: str | None) -> tuple[Any, Any]:
        found = self._upstream.get((deployment, error))
        if found is None:
            outcomes = self._series.upstream_requests.labels(deployment, error or "ok")
            found = self._upstream[deployment, error] = outcomes, self._series.upstream_seconds.labels(deployment)
        return found

    def _refresh_at_times(self) -> None:
        # A worker that renders sees its own deployments alone: each writes down what it sees.
        if self._clock() - self._refreshed >= _SECONDS_BETWEEN_REFRESHES:
            self._refresh()

    def _refresh(self) -> None:
        self._refreshed = self._clock()
        for deployment, state in self.states():
            self._series.deployment_up.labels(deployment).set(state == UP)

    def _collected(self) -> Iterator[Metric]:
        """Every metric, without the series that nobody asks for."""
        known = {deployment for deployment, _ in self.states()}
        for metric in self._all():
            if metric.name == "rankspec_deployment_up":
                metric.samples = [sample for sample in metric.samples if sample.labels["deployment"] in known]
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric

    def _all(self) -> Iterator[Metric]:
        if self._folder is None:
            yield from self._registry.collect()
            yield from ProcessCollector(registry=None).collect()
        else:
            workers = live_workers(self._folder)
            yield from MultiProcessCollector(None, str(self._folder)).collect()  # type: ignore[no-untyped-call]
            yield from _processes(workers)


class _Rendered:
    """What `generate_latest` takes for a registry."""

    def __init__(self, collect: Callable[[], Iterator[Metric]]) -> None:
        self.collect = collect


class _Series:
    """Every metric there is."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"rankspec_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, label: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"rankspec_{name}", text, (label,), buckets=buckets, registry=registry)

        def gauge(name: str, text: str, mode: Any, *labels: str) -> Gauge:
            return Gauge(f"rankspec_{name}", text, labels, registry=registry, multiprocess_mode=mode)

        self.requests = counter("requests", "Requests that were answered or refused.", "dialect", "model", "status")
        self.seconds = histogram("request_seconds", "From a request's first byte to its reply.", "model", _SECONDS)
        self.own_seconds = histogram(
            "own_seconds", "What the gateway adds: no provider, no wait, no upload.", "model", _OWN_SECONDS
        )
        self.documents = histogram("documents", "Documents of a request.", "model", _DOCUMENTS)
        self.request_bytes = histogram("request_bytes", "Size of a request's body.", "model", _BYTES)
        self.reply_bytes = histogram("reply_bytes", "Size of a reply's body.", "model", _BYTES)
        self.upstream_seconds = histogram(
            "upstream_seconds", "How long a try on a deployment took.", "deployment", _SECONDS
        )
        self.upstream_requests = counter(
            "upstream_requests", "Tries on a deployment: ok, or the error's class.", "deployment", "outcome"
        )
        self.retries = counter("retries", "Tries after a request's first.", "model")
        self.fallbacks = counter("fallbacks", "Requests that went to a member of a fallback chain.", "model", "to")
        self.degraded = counter("degraded", "Answers of another model, or of none.", "model", "kind")
        self.hedged = counter("hedged", "Requests for which a second deployment was asked.")
        self.splits = counter("splits", "Answers that took more than one request to the provider.", "model")
        self.overlong_documents = counter("overlong_documents", "Documents that a provider likely cut.", "model")
        self.cost_usd = counter("cost_usd", "What answers cost, in US dollars, where it is known.", "model")
        self.reloads = counter("reloads", "Reloads of the config: ok, or refused.", "outcome")
        self.in_flight = gauge("in_flight", "Requests that are being answered.", "livesum")
        self.deployment_up = gauge(
            "deployment_up", "1, or 0 while it is left out for its failures.", "livemin", "deployment"
        )
        self.build_info = gauge("build_info", "1; its label is the version.", "max", "version")


class _ModelSeries:
    """The series of one model, found once."""

    __slots__ = (
        "cost_usd",
        "documents",
        "name",
        "overlong_documents",
        "own_seconds",
        "reply_bytes",
        "request_bytes",
        "retries",
        "seconds",
        "splits",
    )

    def __init__(self, series: _Series, name: str) -> None:
        self.name = name
        self.seconds = series.seconds.labels(name)
        self.own_seconds = series.own_seconds.labels(name)
        self.documents = series.documents.labels(name)
        self.request_bytes = series.request_bytes.labels(name)
        self.reply_bytes = series.reply_bytes.labels(name)
        self.retries = series.retries.labels(name)
        self.splits = series.splits.labels(name)
        self.overlong_documents = series.overlong_documents.labels(name)
        self.cost_usd = series.cost_usd.labels(name)


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
