"""Ends requests whose time is up.

requests bounds each wait for bytes, not their sum: a server that sends a byte now and then would hold a call for ever.
One thread watches the sockets of calls under way and shuts those down whose time is up.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress

from rankspec.transports.sync_driver import parts_here


class Watch:
    """One request under way: its time limit, and what its connection is to know and to tell.

    Args:
        deadline: when its time is up, by time.monotonic().
        query: what goes behind the address, with its question mark. The libraries do not see it: they write URLs
            into logs and errors, and a query may hold a key.
    """

    def __init__(self, deadline: float, query: str) -> None:
        self.deadline = deadline
        self.query = query
        self.socket: socket.socket | None = None
        self.is_connected = False
        self.is_kept = False
        """Whether the connection has served an earlier request."""
        self.has_begun = False
        """Whether anything of the reply has come."""
        self.is_expired = False
        self._parts = parts_here()

    def __enter__(self) -> None:
        self._outer = _here.watch  # That of a call which a signal's handler has come between, and calls itself.
        _here.watch = self
        _watchdog.add(self)
        if self._parts is not None:
            self._parts.add(self)

    def __exit__(self, *_: object) -> None:
        _here.watch = self._outer
        _watchdog.remove(self)
        if self._parts is not None:
            self._parts.remove(self)

    def expire(self) -> None:
        """End the request, from another thread: its socket is shut down now, or as soon as it has one."""
        self.is_expired = True
        if self.socket is not None:
            with suppress(OSError):  # Closed already.
                # Not SSLSocket's own, which also drops the TLS state that the reading thread is using.
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)


class _Here(threading.local):
    watch: Watch | None = None


_here = _Here()


def watch_here() -> Watch:
    """The watch of the request that this thread sends."""
    assert _here.watch is not None, "connections are used by send() alone"
    return _here.watch


class _Watchdog:
    def __init__(self) -> None:
        self._reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._lock = threading.RLock()  # A signal's handler may call, too, while this thread holds it.
        self._changed = threading.Condition(self._lock)
        self._watches: set[Watch] = set()
        self._thread: threading.Thread | None = None
        self._wakes_at = float("inf")

    def add(self, watch: Watch) -> None:
        with self._lock:
            self._watches.add(watch)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="rankspec-watchdog", daemon=True)
                self._thread.start()
            elif watch.deadline < self._wakes_at:
                self._changed.notify()

    def remove(self, watch: Watch) -> None:
        with self._lock:
            self._watches.discard(watch)

    def _run(self) -> None:
        with self._lock:
            while True:
                now = time.monotonic()
                for watch in [watch for watch in self._watches if watch.deadline <= now]:
                    self._watches.discard(watch)
                    watch.expire()
                self._wakes_at = min((watch.deadline for watch in self._watches), default=float("inf"))
                # Idle, it still wakes now and then, so that add() need not wake it for every call.
                self._changed.wait(min(self._wakes_at - now, threading.TIMEOUT_MAX))


_watchdog = _Watchdog()
