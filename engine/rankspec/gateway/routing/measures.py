"""What a deployment's use and speed are measured with: amounts within a minute, and averages that follow what is new.

Both are told the time, and hold a bounded amount however much is counted.
"""

from __future__ import annotations

import math
from collections import deque

WINDOW_SECONDS = 60

_INERTIA_SECONDS = 30.0
_LEAST_SHARE = 0.1


class Window:
    """What was counted within the last minute, in buckets of one second.

    An amount counts for at least 60 seconds and for less than 61, so that a limit kept by it is kept in every minute,
    wherever that begins. Holds at most 61 buckets.
    """

    __slots__ = ("_buckets", "_total")

    def __init__(self) -> None:
        self._buckets: deque[list[float]] = deque()  # Each a whole second and its amount, the oldest first.
        self._total = 0.0

    def add(self, now: float, amount: float = 1.0) -> None:
        """Count an amount, 0 or more, at a time in seconds that is not before those of earlier calls."""
        second = now // 1
        buckets = self._buckets
        if buckets and buckets[-1][0] == second:
            buckets[-1][1] += amount
        else:
            self._forget(second)
            buckets.append([second, amount])
        self._total += amount

    def total(self, now: float) -> float:
        """The sum of the last minute's amounts."""
        if self._buckets:
            self._forget(now // 1)
        return self._total

    def seconds_until_below(self, now: float, limit: float) -> float:
        """When the total will be below a limit above 0 if nothing is added, in seconds from now; 0 if it is."""
        total = self.total(now)
        if total < limit:
            return 0.0
        for second, amount in self._buckets:
            total -= amount
            if total < limit:
                return second + WINDOW_SECONDS + 1 - now
        return WINDOW_SECONDS + 1.0

    def clear(self) -> None:
        """Forget everything."""
        self._buckets.clear()
        self._total = 0.0

    def _forget(self, second: float) -> None:
        buckets, oldest = self._buckets, second - WINDOW_SECONDS
        while buckets and buckets[0][0] < oldest:
            self._total -= buckets.popleft()[1]
        if not buckets:
            self._total = 0.0  # Sums of fractions leave a rest.


class MovingAverage:
    """An exponentially weighted average. A new value weighs a tenth, and more the longer ago the last one was.

    Args:
        forget_seconds: after so long without a value the average is not known any more.
    """

    __slots__ = ("_at", "_forget_seconds", "_value")

    def __init__(self, forget_seconds: float = math.inf) -> None:
        self._forget_seconds = forget_seconds
        self._value: float | None = None
        self._at = -math.inf

    def add(self, now: float, value: float) -> None:
        """Take a value into account."""
        before = self.value(now)
        if before is None:
            self._value = value
        else:
            share = max(_LEAST_SHARE, 1.0 - math.exp((self._at - now) / _INERTIA_SECONDS))
            self._value = before + share * (value - before)
        self._at = now

    def value(self, now: float) -> float | None:
        """The average, or None while there is none, or none that is recent."""
        return self._value if now - self._at <= self._forget_seconds else None
