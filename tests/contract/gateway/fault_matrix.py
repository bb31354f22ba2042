"""What becomes of a request when a provider fails: the outcome that is promised for every fault and policy.

Data: the tests send these requests, and engine/GATEWAY.md shows the table. Knows nothing of pytest.

The policies, all with `num_retries: 1` and `allowed_fails: 1`:

- retry: one deployment, which has the fault, and nothing behind it. One request is sent.
- fallback: the same with a chain to a second model that works. One request is sent.
- cooldown: two deployments under one name, the one with the fault of the lower order. Three requests are sent, one
  after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

POLICIES = ("retry", "fallback", "cooldown")


@dataclass(frozen=True)
class Cell:
    """What callers and the two providers see.

    Attributes:
        statuses: of the replies.
        faulty: requests to the deployment with the fault, where they arrive; tries in any case.
        healthy: requests to the other one.
        is_up: whether the faulty deployment is still asked after that.
        retry_after: the header of the last reply.
    """

    statuses: tuple[int, ...]
    faulty: int
    healthy: int = 0
    is_up: bool = False
    retry_after: str | None = None


@dataclass(frozen=True)
class Row:
    """One fault. `error` is the class that the log and the metrics name."""

    fault: str
    error: str
    retry: Cell
    fallback: Cell
    cooldown: Cell

    def cell(self, policy: str) -> Cell:
        """The outcome with that policy."""
        found: Cell = getattr(self, policy)
        return found


OK = (200,)
ALL_OK = (200, 200, 200)

ROWS = (
    Row(
        "connection refused",
        "ConnectFailed",
        retry=Cell((503,), 2),
        fallback=Cell(OK, 2, 1),
        cooldown=Cell(ALL_OK, 2, 3),
    ),
    Row(
        "name not found",
        "ConnectFailed",
        retry=Cell((503,), 2),
        fallback=Cell(OK, 2, 1),
        cooldown=Cell(ALL_OK, 2, 3),
    ),
    Row(
        "connection reset",
        "TransportError",
        retry=Cell((503,), 2),
        fallback=Cell(OK, 2, 1),
        cooldown=Cell(ALL_OK, 2, 3),
    ),
    Row(
        "slow headers",
        "TimedOut",
        retry=Cell((504,), 1, is_up=True),
        fallback=Cell(OK, 1, 1, is_up=True),
        cooldown=Cell(ALL_OK, 2, 3),
    ),
    Row(
        "slow body",
        "TimedOut",
        retry=Cell((504,), 1, is_up=True),
        fallback=Cell(OK, 1, 1, is_up=True),
        cooldown=Cell(ALL_OK, 2, 3),
    ),
    Row(
        "truncated body",
        "TransportError",
        retry=Cell((503,), 2),
        fallback=Cell(OK, 2, 1),
        cooldown=Cell(ALL_OK, 2, 3),
    ),
    Row(
        "HTML in place of JSON",
        "ResponseInvalid",
        retry=Cell((500,), 1, is_up=True),
        fallback=Cell(OK, 1, 1, is_up=True),
        cooldown=Cell(ALL_OK, 2, 3),
    ),
    Row(
        "200 with an error inside",
        "ResponseInvalid",
        retry=Cell((500,), 1, is_up=True),
        fallback=Cell(OK, 1, 1, is_up=True),
        cooldown=Cell(ALL_OK, 2, 3),
    ),
    Row(
        "429 with Retry-After",
        "RateLimited",
        retry=Cell((429,), 2, retry_after="1"),
        fallback=Cell(OK, 1, 1),
        cooldown=Cell(ALL_OK, 1, 3),
    ),
    Row(
        "429 without Retry-After",
        "RateLimited",
        retry=Cell((429,), 2, retry_after="1"),
        fallback=Cell(OK, 2, 1),
        cooldown=Cell(ALL_OK, 2, 3),
    ),
    Row(
        "storm of 500s",
        "ProviderUnavailable",
        retry=Cell((503,), 2),
        fallback=Cell(OK, 2, 1),
        cooldown=Cell(ALL_OK, 2, 3),
    ),
)


def table() -> Iterator[str]:
    """The lines of a Markdown table for people."""
    yield "| the provider | error | retry | fallback | cooldown |"
    yield "| --- | --- | --- | --- | --- |"
    for row in ROWS:
        cells = " | ".join(_told(row.cell(policy), policy) for policy in POLICIES)
        yield f"| {row.fault} | `{row.error}` | {cells} |"


def _told(cell: Cell, policy: str) -> str:
    tried = f"{cell.faulty} {'try' if cell.faulty == 1 else 'tries'}"
    if policy == "retry":
        waits = f", `Retry-After: {cell.retry_after}`" if cell.retry_after else ""
        return f"{cell.statuses[0]}{waits} after {tried}"
    if policy == "fallback":
        return f"{cell.statuses[0]}, degraded, after {tried}"
    return f"{', '.join(map(str, cell.statuses))}; {tried}, then left out"
