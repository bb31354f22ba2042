"""Does something again whenever a file that it depends on has changed. Looks at the files' states; needs no service."""

from __future__ import annotations

import time
from collections.abc import Callable

INTERVAL_SECONDS = 0.25
"""Between two looks at the files."""

SHARE_OF_TIME = 0.1
"""How much of the time looking may take: a folder of very many files is looked at less often."""


def watch(check: Callable[[], object], is_outdated: Callable[[], bool]) -> None:
    """Check, and again when the last check is outdated, until Ctrl-C.

    Args:
        check: checks and tells.
        is_outdated: whether the last check's outcome may have changed.
    """
    try:
        while True:
            check()
            while not _look(is_outdated):
                pass
    except KeyboardInterrupt:
        return


def _look(is_outdated: Callable[[], bool]) -> bool:
    started = time.monotonic()
    outdated = is_outdated()
    if not outdated:
        time.sleep(max(INTERVAL_SECONDS, (time.monotonic() - started) / SHARE_OF_TIME))
    return outdated
