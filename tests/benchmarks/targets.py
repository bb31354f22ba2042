"""What is promised of the speed, one row for each figure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Row:
    """One promise: the figure is to be at least, or at most, the target.

    `key` is what the benchmarks call the figure, `sense` says which way is better.
    """

    key: str
    what: str
    beside: str
    sense: Literal["at least", "at most"]
    target: float
    stretch: float | None = None
    unit: str = ""

    def meets(self, measured: float, bound: float) -> bool:
        return measured >= bound if self.sense == "at least" else measured <= bound

    def verdict(self, values: Sequence[float]) -> str:
        """Whether the median meets target and stretch."""
        middle = statistics.median(values)
        if not self.meets(middle, self.target):
            return "missed"
        return "met, and the stretch" if self.stretch is not None and self.meets(middle, self.stretch) else "met"


_LITELLM = "LiteLLM's proxy, stock"
_PASS_THROUGH = "a bare JSON pass-through on the same libraries"
_ORJSON = "orjson alone, same request and reply"
_REQUESTS = "`requests.Session().post(json=...).json()`"
_IMPORT = "`import requests`, both over an empty interpreter"
_BASE = "the same ratio at 1,000 x 1 kB"

TARGETS = (
    Row("gateway-litellm", "gateway, 4 x 100 characters, 64 connections: requests per second", _LITELLM, "at least", 60, 100),
    Row("gateway-nginx", "the same", "nginx, `proxy_pass`", "at least", 0.25, 0.35),
    Row("gateway-cpu-4", "the same: CPU per request", _PASS_THROUGH, "at most", 1.25, 1.1),
    Row("gateway-cpu-100", "gateway, 100 x 1 kB, 64 connections: CPU per request", _PASS_THROUGH, "at most", 1.1, 0.7),
    Row("gateway-cpu-1000", "gateway, 1,000 x 1 kB, 16 connections: CPU per request", _PASS_THROUGH, "at most", 1.1, 0.7),
    Row("gateway-cpu-100-ascii", "the same with 100 documents of ASCII", _PASS_THROUGH, "at most", 1.1, 0.7),
    Row("gateway-cpu-1000-ascii", "the same with 1,000 documents of ASCII", _PASS_THROUGH, "at most", 1.1, 0.7),
    Row("latency-p50-4", "provider that answers after 50 ms, 4 connections: added p50", "the provider alone", "at most", 2, 1, "ms"),
    Row("latency-p99-256", "the same, 256 connections: added p99", "the provider alone", "at most", 50, 15, "ms"),
    Row("core-flat", "translation core, 1,000 x 1 kB, flat body: CPU", _ORJSON, "at most", 2, 1.5),
    Row("core-flat-ascii", "the same, ASCII", _ORJSON, "at most", 2, 1.5),
    Row("core-loop", "translation core, 1,000 x 1 kB, body that loops: CPU", _ORJSON, "at most", 3, 2),
    Row("core-loop-ascii", "the same, ASCII", _ORJSON, "at most", 3, 2),
    Row("sdk-rerank-4", "`rerank()` on requests, 4 documents: CPU", _REQUESTS, "at most", 1.05, 1.0),
    Row("sdk-rerank-100", "`rerank()` on requests, 100 documents: CPU", _REQUESTS, "at most", 0.7, 0.6),
    Row("sdk-rerank-1000", "`rerank()` on requests, 1,000 documents: CPU", _REQUESTS, "at most", 0.6, 0.5),
    Row("sdk-native-4", "`rerank()` on the native client, 4 documents: CPU", _REQUESTS, "at most", 0.5, 0.25),
    Row("sdk-native-100", "`rerank()` on the native client, 100 documents: CPU", _REQUESTS, "at most", 0.5, 0.35),
    Row("sdk-native-1000", "`rerank()` on the native client, 1,000 documents: CPU", _REQUESTS, "at most", 0.6, 0.45),
    Row("arerank", "`arerank()`, 64 in flight, 4 documents: CPU, times less", "LiteLLM's `arerank`", "at least", 14, 25),
    Row("import", "`import rankspec`: CPU", _IMPORT, "at most", 0.5, 0.15),
    Row("import-rerank", "`from rankspec import rerank`: CPU", _IMPORT, "at most", 0.5, 0.15),
    Row("first-rerank", "import and first `rerank()`: CPU", _IMPORT, "at most", 1.8, 1.3),
    Row("start", "gateway, start to first 200: times less", _LITELLM, "at least", 12, 30),
    Row("memory", "gateway, memory after the start: times less", _LITELLM, "at least", 4, 6),
    Row("memory-growth", "gateway, growth of memory over 100,000 requests", "itself when warm", "at most", 5, 0, "%"),
    Row("growth-core-documents", "translation of 10,000 x 1 kB: CPU beside orjson alone", _BASE, "at most", 1.25),
    Row("growth-core-bytes", "translation of 64 MiB: CPU beside orjson alone", _BASE, "at most", 1.25),
    Row("growth-gateway-documents", "gateway, 10,000 x 1 kB: CPU beside the pass-through", _BASE, "at most", 1.25),
    Row("growth-gateway-bytes", "gateway, 64 MiB: CPU beside the pass-through", _BASE, "at most", 1.25),
    Row("catalog-compiled", "a call among all specs, more than fifty: specs that it compiles", "", "at most", 1, 1, "specs"),
    Row("catalog-listing", "`rankspec providers`, all specs, all imported: CPU", "", "at most", 150, None, "ms"),
    Row("catalog-command", "`rankspec providers`, all specs, the whole process: CPU", "", "at most", 150, None, "ms"),
    Row("sdk-threads", "one client shared by 8 threads: calls per second", "requests in 8 threads, a session each", "at least", 0.9),
)  # fmt: skip
