"""What is known of one deployment while the gateway runs: whether it may be asked, how busy, fast and used it is.

It keeps state and decides nothing about requests: `selection.py` puts deployments in order, and the router asks them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from rankspec.gateway.routing.cooldown import Cooldown, StateName
from rankspec.gateway.routing.measures import MovingAverage, Window
from rankspec.gateway.routing.queueing import Places, QueueDismissed, QueueFull, QueueTimedOut
from rankspec.gateway.values import DeploymentConfig, RoutingConfig

__all__ = ["DeploymentState", "QueueDismissed", "QueueFull", "QueueTimedOut"]

_QUEUED_PER_PLACE = 10
_LEAST_QUEUED = 100
_FORGET_LATENCY_SECONDS = 300.0
_LIKELY_WAIT_SECONDS = 1.0


class DeploymentState:
    """What is known of one deployment. For one event loop: it has no locks.

    A request goes through it as `enter_at_once()` or else `await enter(...)`, then `succeeded(...)` or `failed(...)`,
    and `leave()` in any case. Who is not to be sent anything is told by `may_start`; to enter is to look at places
    only, so that the router can ask a deployment in cooldown if there is no other.

    Args:
        config: its limits. Without `max_queued`, ten requests may wait for each place, and a hundred at the least.
        routing: what a cooldown is.
        clock: seconds that only grow.
        share: of how many processes this is one: limits of requests, of tokens and of places are divided by it.
    """

    __slots__ = (
        "_clock",
        "_cooldown",
        "_has_limits",
        "_latency",
        "_places",
        "_requests",
        "_tokens",
        "_tokens_each",
        "config",
        "max_concurrent",
        "requests_per_minute",
        "tokens_per_minute",
    )

    def __init__(
        self,
        config: DeploymentConfig,
        routing: RoutingConfig,
        *,
        clock: Callable[[], float] = time.monotonic,
        share: int = 1,
    ) -> None:
        self.config = config
        self.max_concurrent = _divided(config.max_concurrent, share)
        self.requests_per_minute = _divided(config.requests_per_minute, share)
        self.tokens_per_minute = _divided(config.tokens_per_minute, share)
        self._has_limits = any(
            limit is not None for limit in (self.max_concurrent, self.requests_per_minute, self.tokens_per_minute)
        )
        self._clock = clock
        self._places = Places(self.max_concurrent, _room(config.max_queued, self.max_concurrent))
        self._cooldown = Cooldown(routing.allowed_failures, routing.cooldown_seconds, routing.timeout_seconds)
        self._latency = MovingAverage(_FORGET_LATENCY_SECONDS)
        self._requests, self._tokens = Window(), Window()
        self._tokens_each = MovingAverage()

    @property
    def in_flight(self) -> int:
        """Requests under way."""
        return self._places.taken

    @property
    def queued(self) -> int:
        """Requests that wait for a place."""
        return self._places.waiting

    @property
    def has_free_place(self) -> bool:
        """Whether a request would go at once, and not wait in the queue."""
        return self._places.has_free

    @property
    def latency_seconds(self) -> float | None:
        """How long answers take on average, those of late most; None without an answer in the last five minutes."""
        return self._latency.value(self._clock())

    @property
    def requests_this_minute(self) -> int:
        """Requests that went within the last minute; see `measures.Window`."""
        return int(self._requests.total(self._clock()))

    @property
    def tokens_this_minute(self) -> float:
        """Tokens of the answers within the last minute; see `measures.Window`."""
        return self._tokens.total(self._clock())

    @property
    def expected_tokens(self) -> float:
        """Those and what requests that are not answered yet will add, if each adds what others did on average."""
        now = self._clock()
        return self._tokens.total(now) + self._tokens_under_way(now)

    @property
    def state_name(self) -> StateName:
        """up, cooling, or probing: after a cooldown and before the answer that ends it."""
        return self._cooldown.name(self._clock())

    def is_cooling(self) -> bool:
        """Whether it is left out for its failures: in cooldown, or probed by a request that is under way."""
        return not self._cooldown.may_start(self._clock())

    def may_start(self) -> bool:
        """Whether a request may be sent here: no cooldown, below its limits, a place free or room in the queue."""
        if self._cooldown.until is None and not self._has_limits:
            return True  # The usual case reads no clock.
        now = self._clock()
        return self._cooldown.may_start(now) and self._places.has_room and self._is_below_rates(now)

    def seconds_until_free(self) -> float:
        """When `may_start` may be true again, in seconds; 0 if it is now. What depends on others' ends is a guess."""
        now = self._clock()
        guess = self._latency.value(now) or _LIKELY_WAIT_SECONDS
        waits = [self._cooldown.seconds_until_free(now), self._seconds_until_below_rates(now, guess)]
        if self._cooldown.is_probed(now):
            waits[0] = min(waits[0], guess)
        if not self._places.has_room:
            waits.append(guess)
        return max(waits)

    def enter_at_once(self, now: float) -> bool:
        """Take a place and count a request if no one has to be waited for; whether that was so."""
        if not self._places.take():
            return False
        if self._cooldown.until is not None:
            self._cooldown.started(now)
        self._requests.add(now)
        return True

    async def enter(self, deadline: float) -> float:
        """Take a place, and count a request.

        Args:
            deadline: by the clock, until when to wait for a place.

        Returns:
            Seconds waited.

        Raises:
            QueueFull: no place is free and no one else may wait, or (QueueDismissed) a cooldown began during the wait.
            QueueTimedOut: no place became free in time.
        """
        now = self._clock()
        if self.enter_at_once(now):
            return 0.0
        is_probe = self._cooldown.started(now)
        try:
            await self._places.wait(deadline - now)
        except BaseException:
            if is_probe:
                self._cooldown.released()
            raise
        gone = self._clock()
        self._requests.add(gone)
        return gone - now

    def leave(self) -> None:
        """Give the place back. To be called once for each `enter` that returned."""
        self._places.give_back()
        if self._cooldown.until is not None and not self._places.taken:
            self._cooldown.released()  # A probe that told nothing is gone.

    def also_sent(self, requests: int) -> None:
        """Count more requests than the one that `enter` counted: a call that was split, or tried again."""
        if requests > 0:
            self._requests.add(self._clock(), requests)

    def succeeded(self, seconds: float, tokens: float | None) -> bool:
        """Take note of an answer.

        Args:
            seconds: how long it took, without the wait for a place.
            tokens: how many the provider counted, if it told.

        Returns:
            Whether it ended a cooldown.
        """
        now = self._clock()
        self._latency.add(now, seconds)
        if tokens is not None:
            self._tokens.add(now, tokens)
            self._tokens_each.add(now, tokens)
        return self._cooldown.succeeded(now - seconds)

    def failed(
        self,
        *,
        retry_after_seconds: float | None = None,
        counts: bool = True,
        at_once: bool = False,
        seconds: float | None = None,
    ) -> bool:
        """Take note of a request without an answer.

        Args:
            retry_after_seconds: how long the provider told to wait: the deployment is left out for so long, but for no
                more than a minute (or the configured cooldown, if that is longer).
            counts: False if it tells nothing about the deployment: the caller's fault, or the caller is gone.
            at_once: whether to leave the deployment out after this one: for a key that is refused.
            seconds: how long it was under way. What began before a cooldown says nothing about the time after it.

        Returns:
            Whether it started a cooldown. Those who wait for a place are sent away then.
        """
        now = self._clock()
        began = now - (seconds or 0.0)
        if not counts:
            self._cooldown.released(began)
            return False
        has_started = self._cooldown.failed(now, began, retry_after_seconds, at_once=at_once)
        if has_started:
            self._places.dismiss()
        return has_started

    def adopt(self, other: DeploymentState) -> None:
        """Take over what is known of the same deployment from before a reload; its requests under way stay there.

        What its requests still tell is known here too, but for the cooldown. Nothing is taken over if another provider,
        model, address or key is called now: the reason for a cooldown may be gone.
        """
        if _called(self.config) != _called(other.config):
            return
        self._cooldown.adopt(other._cooldown)
        self._latency, self._tokens_each = other._latency, other._tokens_each
        self._requests, self._tokens = other._requests, other._tokens

    def _is_below_rates(self, now: float) -> bool:
        """Whether one more request keeps the rates. Those in the queue count as sent, and each request that is not
        answered yet as reading as many tokens as the others did on average."""
        requests, tokens = self.requests_per_minute, self.tokens_per_minute
        if requests is not None and self._requests.total(now) + self.queued >= requests:
            return False
        return tokens is None or self._tokens.total(now) + self._tokens_under_way(now) < tokens

    def _seconds_until_below_rates(self, now: float, guess: float) -> float:
        if self._is_below_rates(now):
            return 0.0
        requests, tokens = self.requests_per_minute, self.tokens_per_minute
        of_requests = self._requests.seconds_until_below(now, max(1, requests - self.queued)) if requests else 0.0
        of_tokens = self._tokens.seconds_until_below(now, tokens) if tokens else 0.0
        return max(of_requests, of_tokens) or guess  # A guess if it hangs on what is not answered yet.

    def _tokens_under_way(self, now: float) -> float:
        under_way = self.in_flight + self.queued
        return under_way * (self._tokens_each.value(now) or 0.0) if under_way else 0.0


def _divided(limit: int | None, share: int) -> int | None:
    return None if limit is None else max(1, limit // max(1, share))


def _room(max_queued: int | None, max_concurrent: int | None) -> int:
    if max_queued is not None:
        return max_queued
    return max(_LEAST_QUEUED, _QUEUED_PER_PLACE * (max_concurrent or 0))


def _called(config: DeploymentConfig) -> tuple[object, ...]:
    return config.model, config.api_base, config.api_key, dict(config.headers), dict(config.settings)
