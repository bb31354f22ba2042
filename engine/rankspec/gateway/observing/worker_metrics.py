"""How several workers count together: each in a file of its own, in one temporary folder."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_WORKER = "worker-"
_ENDED = "ended-"


@contextmanager
def prepare_workers() -> Iterator[Path]:
    """A folder for the metrics of the workers that are started inside; it is removed at the end.

    The environment variable that names it is inherited by the workers, and put back at the end.
    """
    before = os.environ.get(FOLDER_VARIABLE)
    folder = Path(tempfile.mkdtemp(prefix="rankspec-metrics-"))
    os.environ[FOLDER_VARIABLE] = str(folder)
    try:
        yield folder
    finally:
        if before is None:
            os.environ.pop(FOLDER_VARIABLE, None)
        else:
            os.environ[FOLDER_VARIABLE] = before
        shutil.rmtree(folder, ignore_errors=True)


def file_of_this_worker(folder: Path) -> Path:
    """Where this process counts. What one of the same process id left, which has ended, is put aside."""
    file = folder / f"{_WORKER}{os.getpid()}"
    with suppress(FileNotFoundError):
        file.rename(folder / f"{_ENDED}{os.getpid()}-{time.time_ns()}")
    return file


def live_workers(folder: Path) -> dict[int, Path]:
    """Where the workers count that run now, by process id."""
    files = {int(file.name.removeprefix(_WORKER)): file for file in sorted(folder.glob(f"{_WORKER}*"))}
    return {worker: file for worker, file in files.items() if _is_running(worker)}


def all_workers(folder: Path) -> list[Path]:
    """Where all workers count and have counted."""
    return sorted([*folder.glob(f"{_WORKER}*"), *folder.glob(f"{_ENDED}*")])


def _is_running(worker: int) -> bool:
    with suppress(ProcessLookupError, PermissionError):  # Another user's has the number of one that has ended.
        os.kill(worker, 0)
        return True
    return False
