"""How several workers count together: each in files of its own, in one temporary folder.

The Prometheus library looks for the folder when it is imported, so this module leaves it alone.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_WORKER = "worker-"


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


def add_worker(folder: Path) -> None:
    """Note that this process counts in the folder."""
    (folder / f"{_WORKER}{os.getpid()}").touch()


def live_workers(folder: Path) -> list[int]:
    """The workers that run now, by process id. Gauges of those that have ended are removed; what they counted stays."""
    live: list[int] = []
    for file in sorted(folder.glob(f"{_WORKER}*")):
        worker = int(file.name.removeprefix(_WORKER))
        if _is_running(worker):
            live.append(worker)
        else:
            for gauge in folder.glob(f"gauge_live*_{worker}.db"):
                gauge.unlink(missing_ok=True)
            file.unlink(missing_ok=True)
    return live


def _is_running(worker: int) -> bool:
    with suppress(ProcessLookupError, PermissionError):  # Another user's has the number of one that has ended.
        os.kill(worker, 0)
        return True
    return False
