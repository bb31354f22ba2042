"""The SDK beside requests alone: `rerank()` on requests and on the native client, and one client shared by threads."""

from __future__ import annotations

from environments import rankspec_python
from outcomes import Outcome, Plan, Table, ratios, spread, tell
from payloads import KEY
from workers import worker

import servers

SIZES = ((4, 100, 400), (100, 1000, 200), (1000, 1000, 60))
"""Documents, bytes in each, calls in one turn."""

NAMES = {
    "requests": "requests.Session().post(json=...).json()",
    "rerank": "rerank(), on requests",
    "native": "rerank(), on the native client",
}
THREAD_CALLS = 150


def measure(plan: Plan) -> Outcome:
    """CPU of a call at three sizes, and calls in a second of eight threads."""
    outcome = Outcome()
    rows = [row for size in SIZES for row in _size(*size, plan, outcome)]
    conditions = (
        "CPU of the whole process on the first CPU, the provider in C on the second; one call after the other, turns of "
        "equal numbers of calls. The session is kept, and its connection. Texts are new for each call."
    )
    columns = ("documents", "", "CPU µs per call", "beside requests")
    outcome.tables.append(Table("One call of the SDK", conditions, columns, rows))
    _threads(plan, outcome)
    return outcome


def _size(count: int, size: int, times: int, plan: Plan, outcome: Outcome) -> list[tuple[str, ...]]:
    with (
        servers.upstream(count, plan.folder) as provider,
        worker(rankspec_python(), "sdk_worker.py", provider.url, CO_API_URL=provider.url, COHERE_API_KEY=KEY) as ask,
    ):
        found: dict[str, list[float]] = {name: [] for name in ask("contenders")}
        if "native" not in found:
            outcome.skipped.append(f"rerank() on the native client, {count} documents: this rankspec has none")
        for number in range(plan.rounds + 1):
            for name, values in found.items():
                tell(f"SDK, {count} documents: round {number or 'of warm-up'}, {name}")
                us = ask("calls", name, count, size, times if number else max(3, times // 10))
                if number:
                    values.append(us)
    for name in found.keys() - {"requests"}:
        outcome.figures[f"sdk-{name}-{count}"] = ratios(found[name], found["requests"])
    shape = f"{count:,} x {size:,} bytes"
    return [
        (shape, NAMES[name], spread(values, 0), spread(ratios(values, found["requests"])))
        for name, values in found.items()
    ]


def _threads(plan: Plan, outcome: Outcome) -> None:
    count, size = 4, 100
    with (
        servers.upstream(count, plan.folder) as provider,
        worker(rankspec_python(), "sdk_worker.py", provider.url, CO_API_URL=provider.url, COHERE_API_KEY=KEY) as ask,
    ):
        found: dict[str, list[float]] = {"requests": [], "rerank": []}
        for number in range(plan.rounds + 1):
            for name, values in found.items():
                tell(f"SDK, eight threads: round {number or 'of warm-up'}, {name}")
                per_second = ask("threads", name, count, size, THREAD_CALLS if number else 10)
                if number:
                    values.append(per_second)
    outcome.figures["sdk-threads"] = ratios(found["rerank"], found["requests"])
    rows = [
        ("requests, a session for each thread", spread(found["requests"], 0), ""),
        ("one Client for all", spread(found["rerank"], 0), spread(outcome.figures["sdk-threads"])),
    ]
    conditions = f"{count} documents of {size} bytes, {THREAD_CALLS} calls in each thread, process on the first CPU."
    outcome.tables.append(Table("Eight threads", conditions, ("", "calls per second", "ratio"), rows))
