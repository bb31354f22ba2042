"""Tasks that work for a caller who waits: how protocol and application agree to end them when the caller has gone.

Watching for the end of a connection from a task of its own costs a quarter of what else the edge does.
"""

from __future__ import annotations

import asyncio
from typing import Any

WAITING = "rankspec.waiting"
"""The key of a request's scope under which our own protocol keeps the set of such tasks."""


def cancel_all(waiting: set[asyncio.Task[Any]]) -> None:
    """Cancel the tasks, and take them out of the set, by which they know why."""
    tasks = list(waiting)
    waiting.clear()
    for task in tasks:
        task.cancel()
