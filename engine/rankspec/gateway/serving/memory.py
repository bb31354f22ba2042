"""Memory that was needed for a burst is given back when it is over."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

_ARENA_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD = -8, -3, -1
"""Parameters of mallopt. Source: mallopt(3), Linux manual pages, read 2026-11-23."""

_ARENAS = 2
_LARGE_BYTES = 128 * 1024


def give_back_memory(environ: Mapping[str, str] = os.environ) -> bool:
    """Let the C library return large blocks to the system as soon as they are free, and say whether it does.

    By itself glibc raises the size from which it does so to that of the largest block freed so far, and a gateway's
    memory would for ever be that of its largest burst. What the environment says of it (MALLOC_...) is left alone.
    """
    if sys.platform != "linux" or any(name.startswith("MALLOC_") for name in environ):
        return False
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = ((_ARENA_MAX, _ARENAS), (_MMAP_THRESHOLD, _LARGE_BYTES), (_TRIM_THRESHOLD, _LARGE_BYTES))
    taken = [mallopt(name, value) for name, value in settings]
    return all(taken)
