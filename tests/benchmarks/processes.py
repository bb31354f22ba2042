"""What a process and its children take: CPU time, memory, descriptors. Linux only."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_STOP_SECONDS = 20.0


def tree(pid: int) -> list[int]:
    """The process and all that it started."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            found.extend(int(child) for child in task.read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """What the tree has used since it started, in user and system mode."""
    total = 0
    for one in tree(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def resident_mb(pid: int) -> float:
    """The tree's memory now."""
    return sum(_status_kb(one, "VmRSS") for one in tree(pid)) / 1024


def descriptors(pid: int) -> int:
    """How many files and sockets the process has open."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def _status_kb(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])


def pin(pid: int, cpu: int) -> None:
    """Keep the tree on one CPU, where there are several."""
    if (os.cpu_count() or 1) > 1:
        for one in tree(pid):
            for task in Path(f"/proc/{one}/task").iterdir():
                os.sched_setaffinity(int(task.name), {cpu})


@contextmanager
def started(command: Sequence[str], environ: Mapping[str, str] | None = None) -> Iterator[tuple[int, str]]:
    """The process's id and the first line of its output; it is killed at the end."""
    process = subprocess.Popen(command, env=environ and dict(environ), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.pid, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait(_STOP_SECONDS)
        assert process.stdout is not None
        process.stdout.close()
