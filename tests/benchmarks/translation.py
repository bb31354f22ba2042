"""The translation core beside orjson alone, and how its cost grows with the request."""

from __future__ import annotations

from environments import rankspec_python
from outcomes import Outcome, Plan, Table, ratios, spread, tell
from workers import Ask, worker

BASELINE = (
    "orjson alone: the caller's request loaded and dumped, and the provider's reply loaded and dumped, both from bytes "
    "and anew each time"
)
_KEYS = {
    ("flat", 1000, False): "core-flat",
    ("flat", 1000, True): "core-flat-ascii",
    ("loop", 1000, False): "core-loop",
    ("loop", 1000, True): "core-loop-ascii",
}
_SIZES = ((4, 100), (100, 1000), (1000, 1000))
_GROWTH = ((4, 100), (10, 1000), (100, 1000), (1000, 1000), (4000, 1000), (10_000, 1000), (10_000, 6600))
_BASE = (1000, 1000)


def measure(plan: Plan) -> Outcome:
    """Both bodies at three sizes, ASCII or not; then one body up to the largest that the gateway takes."""
    outcome = Outcome()
    with worker(rankspec_python(), "translation_worker.py") as ask:
        _compare(ask, plan, outcome)
        _grow(ask, plan, outcome)
    return outcome


def _compare(ask: Ask, plan: Plan, outcome: Outcome) -> None:
    cases = [(kind, *size, is_ascii) for kind in ("flat", "loop") for is_ascii in (False, True) for size in _SIZES]
    found: dict[tuple[str, int, int, bool], list[list[float]]] = {case: [] for case in cases}
    for number in range(plan.rounds):
        for (kind, count, size, is_ascii), rounds in found.items():
            tell(f"translation: round {number + 1}, {kind}, {count} x {size}{', ASCII' if is_ascii else ''}")
            rounds.append(ask(kind, count, size, is_ascii, min(plan.seconds, 1.0)))
    rows = []
    for (kind, count, size, is_ascii), rounds in found.items():
        ours, alone = ([values[which] for values in rounds] for which in (0, 1))
        if key := _KEYS.get((kind, count, is_ascii)):
            outcome.figures[key] = ratios(ours, alone)
        name = "flat body (cohere)" if kind == "flat" else "body that loops (bedrock)"
        shape = f"{count:,} x {size:,} bytes{', ASCII' if is_ascii else ''}"
        rows.append((name, shape, spread(ours, 1), spread(alone, 1), spread(ratios(ours, alone))))
    conditions = (
        f"Thread CPU, in alternating blocks of one process. The translation starts from the caller's bytes and ends "
        f"with the caller's reply as bytes: decode, validate, render, encode; decode the provider's reply, map, check, "
        f"rank, encode; no HTTP, no signature, no routing. Beside it {BASELINE}."
    )
    columns = ("", "documents", "translation, CPU µs", "orjson alone, CPU µs", "ratio")
    outcome.tables.append(Table("Translation without HTTP", conditions, columns, rows))


def _grow(ask: Ask, plan: Plan, outcome: Outcome) -> None:
    found: dict[tuple[int, int], list[list[float]]] = {size: [] for size in _GROWTH}
    for number in range(plan.rounds):
        for (count, size), rounds in found.items():
            tell(f"growth of translation: round {number + 1}, {count} x {size}")
            rounds.append([us / (count * size / 1000) for us in ask("flat", count, size, False, 0.5)])
    ours = {size: [values[0] for values in rounds] for size, rounds in found.items()}
    alone = {size: [values[1] for values in rounds] for size, rounds in found.items()}
    beside = {size: ratios(ours[size], alone[size]) for size in found}
    outcome.figures["growth-core-documents"] = ratios(beside[10_000, 1000], beside[_BASE])
    outcome.figures["growth-core-bytes"] = ratios(beside[10_000, 6600], beside[_BASE])
    rows = [
        (
            f"{count:,} x {size:,} bytes",
            spread(ours[count, size]),
            spread(alone[count, size]),
            spread(beside[count, size]),
        )
        for count, size in _GROWTH
    ]
    conditions = "As above, flat body, not ASCII. 10,000 x 6,600 bytes are just under 64 MiB."
    columns = ("documents", "translation, CPU µs per kB of documents", "orjson alone", "ratio")
    outcome.tables.append(Table("Growth of the translation", conditions, columns, rows))
