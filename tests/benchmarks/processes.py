"""Processes and what they take: CPU time, memory, descriptors. Each is ended by its id. Linux only."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

SERVER_CPU, OTHER_CPU = 0, 1
"""What is measured runs on the first CPU, what asks and answers it on the second."""

_TICKS = os.sysconf("SC_CLK_TCK")
_STOP_SECONDS = 20.0
_IDLE_STEP_SECONDS = 0.2


def tree(pid: int) -> list[int]:
    """The process and all that it started."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            with suppress(OSError):
                found.extend(int(child) for child in task.read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """What the tree has used since it started, in user and system mode. Counted in hundredths of a second."""
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


def keep_on(cpu: int) -> None:
    """Keep this process, and what it starts from now on, on one CPU, where there are several."""
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {cpu})


@contextmanager
def running(
    command: Sequence[str],
    *,
    cpu: int,
    environ: Mapping[str, str] | None = None,
    log: Path | None = None,
    **options: Any,
) -> Iterator[subprocess.Popen[str]]:
    """A process on one CPU; it and what it started are killed at the end. Its errors go to the log."""
    with (log or Path(os.devnull)).open("w") as errors:
        options = {"stdout": errors, "stderr": errors, **options}
        process = subprocess.Popen(
            command, env=environ and dict(environ), text=True, preexec_fn=lambda: keep_on(cpu), **options
        )
    try:
        yield process
    finally:
        for pid in tree(process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(_STOP_SECONDS)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def cpu_of_run(command: Sequence[str], environ: Mapping[str, str], folder: str) -> float | None:
    """Seconds of CPU that a command takes from its start to its end, or None if it fails."""
    process = subprocess.Popen(
        command,
        env=dict(environ),
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: keep_on(SERVER_CPU),
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return None if process.returncode else usage.ru_utime + usage.ru_stime


@contextmanager
def started(command: Sequence[str], *, cpu: int, **options: Any) -> Iterator[tuple[int, str]]:
    """The id and the first line of output of a process that says where it listens."""
    with running(command, cpu=cpu, stdout=subprocess.PIPE, **options) as process:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        assert line, f"{command[0]} ended with {process.wait(_STOP_SECONDS)}"
        yield process.pid, line


def hold(pid: int) -> None:
    """Stop the tree for a while: its turn is over, and what it does beside must not disturb the next."""
    for one in tree(pid):
        os.kill(one, signal.SIGSTOP)


def release(pid: int) -> None:
    """Let the tree go on."""
    for one in reversed(tree(pid)):
        os.kill(one, signal.SIGCONT)


def drain(pid: int, *, at_most_seconds: float = 15.0) -> None:
    """Wait until the tree has no more work: what is left of one's load must not be done in another's turn."""
    until = time.monotonic() + at_most_seconds
    before = cpu_seconds(pid)
    while time.monotonic() < until:
        time.sleep(_IDLE_STEP_SECONDS)
        now = cpu_seconds(pid)
        if now - before <= 0.2 * _IDLE_STEP_SECONDS:
            return
        before = now


def wait_until(claim: Callable[[], bool], process: subprocess.Popen[str], *, seconds: float, step: float) -> None:
    """Wait for what a process is about to do.

    Raises:
        AssertionError: it ended, or the time is over.
    """
    until = time.monotonic() + seconds
    while not claim():
        assert process.poll() is None, f"ended with {process.returncode}"
        assert time.monotonic() < until, f"not ready within {seconds:g} s"
        time.sleep(step)
