"""How the process treats its memory: what a burst needed is given back, and cycles are looked for seldom."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

_ARENA_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD = -8, -3, -1
"""Parameters of mallopt. Source: mallopt(3), Linux manual pages, read 2026-11-23."""

_OBJECTS_BETWEEN_COLLECTIONS = 10_000
"""Python's own 700 are made by a few requests: with 64 at a time, to look at them took a tenth of all CPU."""

_ARENAS = 2
_HUGE_BYTES = 32 * 1024 * 1024
"""From this size on a block is the system's own, and goes back when it is free; glibc allows no larger bound."""

_FREE_BYTES = 512 * 1024 * 1024
"""So much may be free at the end of the heap before the C library itself gives it back, while a request waits."""

_INTERVAL_SECONDS = 10.0
_WORTH_BYTES = 16 * 1024 * 1024


def keep_memory_for_requests(environ: Mapping[str, str] = os.environ) -> bool:
    """Let the C library keep what is free for the next request, and say whether it does: see `give_back_at_times`.

    To get blocks of a megabyte from the system and to give them back, page by page, took more than half of what a
    request of a thousand documents cost. What the environment says of it (MALLOC_...) is left alone.
    """
    if any(name.startswith("MALLOC_") for name in environ):
        return False
    mallopt = _of_c_library("mallopt")
    if mallopt is None:
        return False
    settings = ((_ARENA_MAX, _ARENAS), (_MMAP_THRESHOLD, _HUGE_BYTES), (_TRIM_THRESHOLD, _FREE_BYTES))
    taken = [mallopt(name, value) for name, value in settings]
    return all(taken)


async def give_back_at_times(interval_seconds: float = _INTERVAL_SECONDS) -> None:
    """Give what is free back to the system after a burst: by itself glibc keeps what is free among what is not.

    That takes 0.1 ms for each MB, and is done when the process holds some MB more than it did after the last time.
    """
    trim = _of_c_library("malloc_trim")
    if trim is None:
        return
    least = resident_bytes()
    while True:
        await asyncio.sleep(interval_seconds)
        least = min(least, resident_bytes())
        if resident_bytes() > least + _WORTH_BYTES:
            await asyncio.to_thread(trim, 0)
            least = resident_bytes()


def resident_bytes() -> int:
    """The memory that this process has. Linux only."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _of_c_library(name: str) -> Callable[..., int] | None:
    """A function of glibc, or None where there is none."""
    if sys.platform != "linux":
        return None
    import ctypes

    found: Callable[..., int] | None = getattr(ctypes.CDLL(None), name, None)
    return found


def collect_seldom() -> None:
    """Look for cycles of objects less often, and never at those that there are by now.

    Config and specs are tens of thousands of objects, and to look at them holds up all requests for milliseconds.
    """
    _, *others = gc.get_threshold()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, *others)
    gc.collect()
    gc.freeze()
