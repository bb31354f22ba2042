"""The places of one deployment: so many requests at a time, and a bounded queue of those that wait for one."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from math import inf
from typing import Literal

from rankspec.errors import RankspecError

_Turn = Literal["go", "late", "away"]


class QueueFull(RankspecError):
    """No place is free, and no one else may wait for one."""

    def __init__(self, message: str = "the deployment is at its limit of requests at a time: ask another one") -> None:
        super().__init__(message)


class QueueDismissed(QueueFull):
    """The deployment went into cooldown while it was waited for."""

    def __init__(self) -> None:
        super().__init__("the deployment went into cooldown: ask another one")


class QueueTimedOut(RankspecError):
    """No place became free in time."""

    def __init__(self) -> None:
        super().__init__("the deployment had no room for the request in time: try again later")


class Places:
    """Who may be under way at a time. First come, first served.

    A place that is given back goes straight to the one who has waited longest, so that no newcomer can take it.

    Args:
        limit: how many places there are; None for as many as are wanted.
        room: how many may wait.
    """

    __slots__ = ("_limit", "_room", "_waiting", "taken")

    def __init__(self, limit: int | None, room: int) -> None:
        self._limit = inf if limit is None else limit
        self._room = room
        self._waiting: OrderedDict[asyncio.Future[_Turn], None] = OrderedDict()
        self.taken = 0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def has_free(self) -> bool:
        """Whether a place can be had at once."""
        return self.taken < self._limit

    @property
    def has_room(self) -> bool:
        """Whether a place can be had, be it after a wait."""
        return self.has_free or len(self._waiting) < self._room

    def take(self) -> bool:
        """Take a place if one is free; whether that was so."""
        if self.taken >= self._limit:
            return False
        self.taken += 1
        return True

    async def wait(self, seconds: float) -> None:
        """Take the place that becomes free after those that wait already have theirs; to be called if none is free.

        Args:
            seconds: how long to wait at most.

        Raises:
            QueueFull: no one else may wait, or (QueueDismissed) those who wait were sent away.
            QueueTimedOut: no place became free in time.
        """
        if len(self._waiting) >= self._room:
            raise QueueFull
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[_Turn] = loop.create_future()
        self._waiting[turn] = None
        timer = loop.call_later(seconds, self._end, turn, "late")
        try:
            outcome = await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result() == "go":
                self.give_back()  # It was given a place and cancelled before it could run.
            raise
        finally:
            timer.cancel()
            self._waiting.pop(turn, None)
        if outcome == "late":
            raise QueueTimedOut
        if outcome == "away":
            raise QueueDismissed

    def give_back(self) -> None:
        """Give a place to the next one who waits, or leave it free."""
        while self._waiting:
            turn, _ = self._waiting.popitem(last=False)
            if not turn.done():
                turn.set_result("go")
                return
        self.taken -= 1

    def dismiss(self) -> None:
        """Send all away who wait."""
        for turn in list(self._waiting):
            self._end(turn, "away")

    def _end(self, turn: asyncio.Future[_Turn], outcome: _Turn) -> None:
        # Who is told to go away no longer takes up room, though it has not run yet.
        self._waiting.pop(turn, None)
        if not turn.done():
            turn.set_result(outcome)
