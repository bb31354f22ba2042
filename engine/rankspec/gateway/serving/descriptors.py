"""File descriptors: each connection takes one."""

from __future__ import annotations

import sys
from contextlib import suppress

_MOST = 1024 * 1024
"""What is asked for if there is no limit that may not be exceeded."""


def raise_limit() -> int:
    """Allow this process as many descriptors as the system lets it have, and say how many these are."""
    try:
        import resource
    except ImportError:
        return sys.maxsize
    kind = resource.RLIMIT_NOFILE
    soft, hard = resource.getrlimit(kind)
    wanted = max(soft, _MOST) if hard == resource.RLIM_INFINITY else hard
    if soft not in (wanted, resource.RLIM_INFINITY):
        with suppress(ValueError, OSError):  # macOS has one more limit, and does not tell it.
            resource.setrlimit(kind, (wanted, hard))
    soft, _ = resource.getrlimit(kind)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft
