"""Counts as Prometheus reads them: every name, no label that a caller makes up, and one sum over all workers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from rankspec.gateway.observing import metrics as metrics_module
from rankspec.gateway.observing.counts import Counts
from rankspec.gateway.observing.metrics import Metrics
from rankspec.gateway.observing.samples import HISTOGRAMS
from rankspec.gateway.observing.worker_metrics import FOLDER_VARIABLE, live_workers, prepare_workers
from rankspec.gateway.values import Attempt, Trace

DASHBOARD = Path(__file__).resolve().parent.parent.parent / "engine" / "examples" / "grafana-dashboard.json"

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def a_trace(**more: object) -> Trace:
    trace = Trace("id", "cohere_v2", model="best", deployment="cohere-1", status=200, documents=100)
    trace.request_bytes, trace.reply_bytes = 2048, 512
    trace.seconds, trace.upstream_seconds, trace.upstream_requests = 0.1225, 0.12, 1
    trace.attempts = [Attempt("cohere-1", 0.12)]
    for name, value in more.items():
        setattr(trace, name, value)
    return trace


def rendered(metrics: Metrics) -> str:
    body, content_type = metrics.render()
    assert content_type.startswith("text/plain; version=")
    return body.decode()


def families(text: str) -> list[Metric]:
    return list(text_string_to_metric_families(text))


def samples(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families(text)
        for sample in family.samples
    }


def value(text: str, name: str, **labels: str) -> float | None:
    return samples(text).get((name, tuple(sorted(labels.items()))))


def counts(text: str) -> Samples:
    """What was counted: no buckets, no sums, and nothing about the process."""
    left_out = ("_bucket", "_sum", "_info", "_in_flight")
    return {
        key: one
        for key, one in samples(text).items()
        if key[0].startswith("rankspec_") and not key[0].endswith(left_out) and one
    }


def test_a_plain_answer_is_counted() -> None:
    metrics = Metrics("1.2.3")
    metrics.observe(a_trace())

    assert counts(rendered(metrics)) == {
        ("rankspec_requests_total", (("dialect", "cohere_v2"), ("model", "best"), ("status", "200"))): 1,
        ("rankspec_request_seconds_count", (("model", "best"),)): 1,
        ("rankspec_own_seconds_count", (("model", "best"),)): 1,
        ("rankspec_documents_count", (("model", "best"),)): 1,
        ("rankspec_request_bytes_count", (("model", "best"),)): 1,
        ("rankspec_reply_bytes_count", (("model", "best"),)): 1,
        ("rankspec_upstream_seconds_count", (("deployment", "cohere-1"),)): 1,
        ("rankspec_upstream_requests_total", (("deployment", "cohere-1"), ("outcome", "ok"))): 1,
    }


def test_what_is_out_of_the_ordinary_is_counted() -> None:
    metrics = Metrics("1.2.3")
    metrics.observe(
        a_trace(
            attempts=[Attempt("cohere-1", 0.1, "TimedOut"), Attempt("cohere-2", 0.1, "RateLimited"), Attempt("l", 0.1)],
            fallbacks=["voyage", "local/bm25"],
            degraded="fallback",
            hedged=True,
            upstream_requests=3,
            overlong_documents=7,
            cost_usd=0.002,
        )
    )
    metrics.reloaded("refused")

    text = rendered(metrics)

    of_model = {"model": "best"}
    assert {
        "retries": value(text, "rankspec_retries_total", **of_model),
        "splits": value(text, "rankspec_splits_total", **of_model),
        "overlong": value(text, "rankspec_overlong_documents_total", **of_model),
        "cost": value(text, "rankspec_cost_usd_total", **of_model),
        "hedged": value(text, "rankspec_hedged_total"),
        "degraded": value(text, "rankspec_degraded_total", **of_model, kind="fallback"),
        "first fallback": value(text, "rankspec_fallbacks_total", **of_model, to="voyage"),
        "second fallback": value(text, "rankspec_fallbacks_total", **of_model, to="local/bm25"),
        "timed out": value(text, "rankspec_upstream_requests_total", deployment="cohere-1", outcome="TimedOut"),
        "limited": value(text, "rankspec_upstream_requests_total", deployment="cohere-2", outcome="RateLimited"),
        "answered": value(text, "rankspec_upstream_requests_total", deployment="l", outcome="ok"),
        "reloads": value(text, "rankspec_reloads_total", outcome="refused"),
    } == {
        "retries": 2,
        "splits": 1,
        "overlong": 7,
        "cost": 0.002,
        "hedged": 1,
        "degraded": 1,
        "first fallback": 1,
        "second fallback": 1,
        "timed out": 1,
        "limited": 1,
        "answered": 1,
        "reloads": 1,
    }


def test_own_time_has_buckets_of_a_tenth_of_a_millisecond() -> None:
    metrics = Metrics("1.2.3")
    metrics.observe(a_trace(seconds=0.12015, upstream_seconds=0.12))

    text = rendered(metrics)

    assert value(text, "rankspec_own_seconds_bucket", model="best", le="0.0001") == 0
    assert value(text, "rankspec_own_seconds_bucket", model="best", le="0.0002") == 1


FIELDS = {
    "request_seconds": "seconds",
    "documents": "documents",
    "request_bytes": "request_bytes",
    "reply_bytes": "reply_bytes",
}


@pytest.mark.parametrize("metric", FIELDS)
def test_an_amount_is_in_the_buckets_whose_bound_it_does_not_exceed(metric: str) -> None:
    metrics, bounds = Metrics("1.2.3"), HISTOGRAMS[metric]
    amounts = [*bounds, bounds[0] / 2, *(bound * 1.01 for bound in bounds)]
    for amount in amounts:
        metrics.observe(a_trace(**{FIELDS[metric]: amount}))

    text = rendered(metrics)

    name = f"rankspec_{metric}"
    found = {key[1]: one for key, one in samples(text).items() if key[0] == f"{name}_bucket"}
    assert {float(dict(labels)["le"]): one for labels, one in found.items()} == {
        bound: sum(amount <= bound for amount in amounts) for bound in (*bounds, float("inf"))
    }
    assert value(text, f"{name}_sum", model="best") == pytest.approx(sum(amounts))


def test_amounts_of_nothing_are_counted_but_for_documents() -> None:
    metrics = Metrics("1.2.3")
    metrics.observe(a_trace(seconds=0.0, upstream_seconds=0.0, request_bytes=0, reply_bytes=0, documents=0))

    text = rendered(metrics)

    found = {name: value(text, f"rankspec_{name}_count", model="best") for name in ("own_seconds", *FIELDS)}
    assert found == {"own_seconds": 1, "request_seconds": 1, "request_bytes": 1, "reply_bytes": 1, "documents": 0}
    assert value(text, "rankspec_own_seconds_bucket", model="best", le="0.0001") == 1


def test_what_callers_write_is_no_label() -> None:
    metrics = Metrics("1.2.3")
    for number in range(100):
        metrics.observe(a_trace(asked_model=f"made-up-{number}", model=None, status=404, request_id=f"id-{number}"))

    text = rendered(metrics)

    assert "made-up" not in text
    assert value(text, "rankspec_requests_total", dialect="cohere_v2", model="unknown", status="404") == 100


def test_models_that_many_reloads_brought_share_a_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_module, "MAX_MODELS", 3)
    metrics = Metrics("1.2.3")
    for _ in range(2):
        for number in range(10):
            for status in (200, 503):
                metrics.observe(a_trace(model=f"m{number}", status=status))

    found = {(labels["model"], labels["status"]): one for name, labels, one in _requests(rendered(metrics))}

    each = {"m0": 2, "m1": 2, "m2": 2, "other": 14}
    assert found == {(model, status): count for model, count in each.items() for status in ("200", "503")}


def _requests(text: str) -> list[tuple[str, dict[str, str], float]]:
    return [
        (name, dict(labels), one)
        for (name, labels), one in samples(text).items()
        if name.endswith("requests_total") and "model" in dict(labels)
    ]


def test_a_deployment_is_up_while_it_is_and_gone_when_it_is_gone() -> None:
    states = {"a": "up", "b": "cooling", "c": "probing"}
    metrics = Metrics("1.2.3", lambda: states.items())

    before = rendered(metrics)
    states.clear()
    states["a"] = "cooling"
    after = rendered(metrics)

    def up(text: str) -> dict[str, float]:
        return {dict(labels)["deployment"]: one for (name, labels), one in samples(text).items() if "_up" in name}

    assert up(before) == {"a": 1, "b": 0, "c": 0}
    assert up(after) == {"a": 0}


def test_requests_under_way_version_and_process_are_told() -> None:
    metrics = Metrics("1.2.3")
    metrics.in_flight.inc()
    metrics.in_flight.inc()
    metrics.in_flight.dec()

    text = rendered(metrics)

    assert value(text, "rankspec_in_flight") == 1
    assert value(text, "rankspec_build_info", version="1.2.3") == 1
    assert (value(text, "process_resident_memory_bytes") or 0) > 0


def test_the_text_is_as_promtool_wants_it() -> None:
    metrics = Metrics("1.2.3", lambda: [("a", "up")])
    metrics.observe(a_trace(cost_usd=0.1, degraded="passthrough", fallbacks=["passthrough"], upstream_requests=2))
    text = rendered(metrics)

    names = [family.name for family in families(text)]
    assert len(names) == len(set(names))
    for family in families(text):
        assert re.fullmatch(r"[a-z][a-z0-9_]*[a-z0-9]", family.name)
        assert family.documentation.endswith(".") or family.name.endswith("_info")
        assert family.type in ("counter", "gauge", "histogram")
        assert not family.name.endswith(("_created", "_count", "_sum", "_bucket", "_milliseconds"))
        if family.type == "counter":
            assert all(sample.name.endswith("_total") for sample in family.samples)
        if family.type == "histogram":
            assert any(sample.labels.get("le") == "+Inf" for sample in family.samples) or not family.samples
    assert "_created" not in text


WORKER = """
import sys
from rankspec.gateway.observing.counts import Counts
from rankspec.gateway.observing.metrics import Metrics
from rankspec.gateway.values import Attempt, Trace

state = sys.argv[1]
metrics = Metrics("1.2.3", lambda: [("cohere-1", state), ("gone" if state == "up" else "here", "up")])
trace = Trace("id", "cohere_v2", model="best", status=200, documents=100, seconds=0.1)
trace.attempts = [Attempt("cohere-1", 0.05)]
for _ in range(10):
    metrics.observe(trace)
metrics.in_flight.inc()
print("ready", flush=True)
for line in sys.stdin:
    if line == "render\\n":
        print(metrics.render()[0].decode() + "# end", flush=True)
    else:
        break
"""


class Worker:
    """A process that counts."""

    def __init__(self, state: str) -> None:
        command = [sys.executable, "-c", WORKER, state]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._lines("ready") == ""

    def render(self) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write("render\n")
        self.process.stdin.flush()
        return self._lines("# end")

    def end(self) -> None:
        self.process.communicate("end\n", timeout=20)

    def _lines(self, last: str) -> str:
        assert self.process.stdout is not None
        lines: list[str] = []
        for line in self.process.stdout:
            if line.rstrip("\n") == last:
                return "".join(lines)
            lines.append(line)
        raise AssertionError("the worker ended")


def test_any_worker_renders_the_sum_and_what_ended_workers_counted_stays() -> None:
    with prepare_workers() as folder:
        first, second = Worker("up"), Worker("cooling")
        both = second.render()
        first.end()
        alone = second.render()
        second.end()

    requests = {"dialect": "cohere_v2", "model": "best", "status": "200"}
    assert value(both, "rankspec_requests_total", **requests) == 20
    assert value(both, "rankspec_request_seconds_count", model="best") == 20
    assert value(both, "rankspec_in_flight") == 2
    assert value(both, "rankspec_deployment_up", deployment="cohere-1") == 0
    assert value(both, "rankspec_deployment_up", deployment="gone") is None
    assert value(both, "rankspec_build_info", version="1.2.3") == 1
    assert value(alone, "rankspec_requests_total", **requests) == 20
    assert value(alone, "rankspec_in_flight") == 1
    resident = "process_resident_memory_bytes"
    assert (value(both, resident) or 0) > 1.2 * (value(alone, resident) or 0)
    assert not folder.exists()
    assert FOLDER_VARIABLE not in os.environ


def test_the_variable_that_was_set_before_is_put_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))

    with prepare_workers() as folder:
        assert os.environ[FOLDER_VARIABLE] == str(folder)

    assert os.environ[FOLDER_VARIABLE] == str(tmp_path)
    assert tmp_path.exists()


def test_of_a_worker_that_has_ended_counts_stay_and_gauges_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait(timeout=20)
    left = Counts(tmp_path / f"worker-{ended.pid}")
    left.row(("hedged",), 1)[0] = 2.0
    left.row(("in_flight",), 1)[0] = 7.0
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))

    text = rendered(Metrics("1.2.3"))

    assert list(live_workers(tmp_path)) == [os.getpid()]
    assert (value(text, "rankspec_hedged_total"), value(text, "rankspec_in_flight")) == (2, 0)


def test_a_worker_with_the_process_id_of_an_earlier_one_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    earlier = Metrics("1.2.3")
    earlier.in_flight.inc()
    earlier.observe(a_trace())

    text = rendered(Metrics("1.2.3"))

    assert value(text, "rankspec_in_flight") == 0
    assert value(text, "rankspec_documents_count", model="best") == 1


@pytest.mark.skipif(not DASHBOARD.exists(), reason="the examples are not installed")
def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    metrics = Metrics("1.2.3")
    known = {family.name for family in families(rendered(metrics))}
    known |= {f"{name}{end}" for name in known for end in ("_total", "_bucket", "_sum", "_count")}

    asked = {name for query in _queries(dashboard) for name in re.findall(r"\b(?:rankspec|process)_\w+", query)}

    assert asked
    assert asked <= known


def _queries(dashboard: dict[str, list[dict[str, list[dict[str, str]]]]]) -> list[str]:
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
