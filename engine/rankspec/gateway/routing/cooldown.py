"""Whether a deployment is left out because it failed: up, cooling, or probed by one request after that."""

from __future__ import annotations

import math
from collections import deque
from typing import Literal

from rankspec.gateway.routing.measures import WINDOW_SECONDS

StateName = Literal["up", "cooling", "probing"]

MAX_COOLDOWN_SECONDS = 60.0
"""The longest cooldown unless the config asks for a longer one: a try a minute costs little, and finds out."""


class Cooldown:
    """The state machine of one deployment's failures. It is told the time, and never refuses: who asks decides.

    - **Up.** More than `allowed_failures` failures in a row, all within a minute, start a cooldown. So does a single
      one whose cause lasts, or that came with a time to wait. An answer starts the count anew.
    - **Cooling** for `seconds`, or for as long as the provider told; a failure meanwhile may tell a longer time.
    - **Probing.** After that one request at a time may try. An answer ends the cooldown; a failure starts the next
      one, twice as long, up to a minute or `seconds` if that is longer.

    What began before the last cooldown did tells nothing about the time after it and is passed over.

    Args:
        allowed_failures: 0 or more.
        seconds: the length of the first cooldown; with 0 there is none ever.
        probe_seconds: a probe of which nothing was heard for so long is taken as lost.

    Attributes:
        until: when the cooldown ends, or ended if it is still to be seen whether it is over; None while it is up.
    """

    __slots__ = (
        "_allowed",
        "_failures",
        "_next_seconds",
        "_probe_at",
        "_probe_seconds",
        "_seconds",
        "_since",
        "until",
    )

    def __init__(self, allowed_failures: int, seconds: float, probe_seconds: float) -> None:
        self._allowed = allowed_failures
        self._seconds = seconds
        self._probe_seconds = probe_seconds
        self._failures: deque[float] = deque()  # When there were some since the last answer, in the last minute.
        self.until: float | None = None
        self._since = -math.inf
        self._probe_at = -math.inf
        self._next_seconds = seconds

    def may_start(self, now: float) -> bool:
        """Whether a request may go: there is no cooldown, or a probe is due."""
        return self.until is None or (now >= self.until and now >= self._probe_at + self._probe_seconds)

    def seconds_until_free(self, now: float) -> float:
        """When a request may go, unless a probe that is under way settles it before, in seconds from now; 0 if now."""
        if self.until is None:
            return 0.0
        return max(0.0, self.until - now, self._probe_at + self._probe_seconds - now)

    def is_probed(self, now: float) -> bool:
        """Whether a probe is under way."""
        return self.until is not None and now < self._probe_at + self._probe_seconds

    def name(self, now: float) -> StateName:
        """What it is called in metrics; probing from when a probe is due."""
        if self.until is None:
            return "up"
        return "cooling" if now < self.until else "probing"

    def started(self, now: float) -> bool:
        """A request goes. Returns whether it is the probe: the first one since a probe was due."""
        if self.until is None or not self.may_start(now):
            return False
        self._probe_at = now
        return True

    def released(self, began: float = math.inf) -> None:
        """A request that began then ended without telling anything: another one may be the probe."""
        if began >= self._since:
            self._probe_at = -math.inf

    def succeeded(self, began: float) -> bool:
        """A request that began then was answered. Returns whether that ended a cooldown."""
        if began < self._since:
            return False
        if self._failures:
            self._failures.clear()
        if self.until is None:
            return False
        self.until = None
        self._probe_at = -math.inf
        self._next_seconds = self._seconds
        return True

    def failed(self, now: float, began: float, retry_after_seconds: float | None, *, at_once: bool) -> bool:
        """A request that began then failed. Returns whether that started a cooldown.

        Args:
            retry_after_seconds: how long the provider told to wait, if it did.
            at_once: whether one such failure is enough.
        """
        if began < self._since or not self._seconds:
            return False
        told = self._bounded(retry_after_seconds)
        if self.until is not None and now < self.until:
            self.until = max(self.until, now + told)
            return False
        if self.until is None and not told and not at_once:
            self._failures.append(now)
            while self._failures[0] // 1 < now // 1 - WINDOW_SECONDS:
                self._failures.popleft()
            if len(self._failures) <= self._allowed:
                return False
        self._start(now, told or self._next_seconds)
        return True

    def adopt(self, other: Cooldown) -> None:
        """Take over what another one has come to. A probe that is under way there is not known here."""
        if not self._seconds:
            return
        self._failures, self.until, self._since = other._failures, other.until, other._since
        self._next_seconds = max(self._seconds, min(other._next_seconds, self._most))

    @property
    def _most(self) -> float:
        return max(self._seconds, MAX_COOLDOWN_SECONDS)

    def _bounded(self, told: float | None) -> float:
        return min(told, self._most) if told is not None and told > 0 else 0.0

    def _start(self, now: float, seconds: float) -> None:
        self.until = now + seconds
        self._since = now
        self._probe_at = -math.inf
        self._next_seconds = min(self._next_seconds * 2, self._most)
