"""What a deployment's use and speed are measured with: amounts within a minute, and averages that follow what is new.

Both are told the time, and hold a bounded amount however much is counted.
"""

from __future__ import annotations

import math
from collections import deque

WINDOW_SECONDS = 60

_INERTIA_SECONDS = 30.0
_LEAST_SHARE = 0.1
_SHORTLY_SECONDS = -_INERTIA_SECONDS * math.log(1.0 - _LEAST_SHARE)
"""A value that comes so soon after the last one has the least share."""


class Window:
    """What was counted within the last minute, in buckets of one second.

    An amount counts for at least 60 seconds and for less than 61, so that a limit kept by it is kept in every minute,
    wherever that begins. Holds at most 61 buckets.
    """

    __slots__ = ("_amount", "_buckets", "_second", "_total")

    def __init__(self) -> None:
        self._buckets: deque[tuple[float, float]] = deque()  # Each a whole second and its amount, the oldest first.
        self._total = 0.0  # Of the buckets.
        self._second = -math.inf  # The latest one, which is in no bucket yet, ...
        self._amount = 0.0  # ... and its amount.

    def add(self, now: float, amount: float = 1.0) -> None:
        """Count an amount, 0 or more, at a time in seconds that is not before those of earlier calls."""
        second = now // 1
        if second > self._second:
            self._go_on(second)
        self._amount += amount

    def total(self, now: float) -> float:
        """The sum of the last minute's amounts."""
        second = now // 1
        if second > self._second:
            self._go_on(second)
        return self._total + self._amount

    def seconds_until_below(self, now: float, limit: float) -> float:
        """When the total will be below a limit above 0 if nothing is added, in seconds from now; 0 if it is."""
        total = self.total(now)
        if total < limit:
            return 0.0
        for second, amount in (*self._buckets, (self._second, self._amount)):
            total -= amount
            if total < limit:
                return second + WINDOW_SECONDS + 1 - now
        return WINDOW_SECONDS + 1.0

    def _go_on(self, second: float) -> None:
        """Close the latest second, and forget those that are too long ago for this one."""
        buckets, oldest = self._buckets, second - WINDOW_SECONDS
        if self._amount:
            buckets.append((self._second, self._amount))
            self._total += self._amount
        self._second, self._amount = second, 0.0
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
        before, since = self._value, now - self._at
        if before is None or since > self._forget_seconds:
            self._value = value
        elif since <= _SHORTLY_SECONDS:
            self._value = before + _LEAST_SHARE * (value - before)
        else:
            self._value = before + (1.0 - math.exp(-since / _INERTIA_SECONDS)) * (value - before)
        self._at = now

    def value(self, now: float) -> float | None:
        """The average, or None while there is none, or none that is recent."""
        return self._value if now - self._at <= self._forget_seconds else None
