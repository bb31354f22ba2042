"""Several processes that answer on the same sockets: started, watched, told to reload and to stop by this one."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from rankspec.errors import RankspecError
from rankspec.gateway.observing.logs import AccessLog
from rankspec.gateway.observing.worker_metrics import prepare_workers
from rankspec.gateway.serving.listening import removed_at_end
from rankspec.gateway.serving.server import ServeOptions, Service, Summary, listen, load_config, make_log, tell_start

_START_SECONDS = 60.0
_KILL_SECONDS = 5.0
"""How long beyond its patience with requests a worker may take to end."""

_RESTART_SECONDS = 1.0
_LOOK_SECONDS = 1.0

multiprocessing.allow_connection_pickling()  # Of sockets, too.


def run_workers(options: ServeOptions) -> None:
    """Serve in `options.workers` processes until SIGTERM or SIGINT; a second one ends them at once.

    Raises:
        RankspecError: the config cannot be used, there is nothing to listen on, or a worker does not start.
        SystemExit: a second signal came.
    """
    config, findings, _ = load_config(options)
    log = make_log(options, config)
    sockets = listen(options, config, os.environ)
    with (
        removed_at_end(options.uds),
        prepare_workers(),
        _caught(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as caught,
    ):
        workers = _Workers(options, sockets, log, caught)
        try:
            summary = workers.start()
            if summary is not None:
                tell_start(log, sockets, config, summary, findings, options.workers)
                workers.watch()
        finally:
            # First, or callers would go on to wait at a door that nobody opens.
            for one in sockets:
                one.close()
            workers.stop()
    log.event("stopped")
    log.flush()


@dataclass(slots=True)
class _Worker:
    """A process, and our end of the line on which it says once that it is ready, or why it is not."""

    process: SpawnProcess
    line: Connection


class _Workers:
    def __init__(
        self, options: ServeOptions, sockets: Sequence[socket.socket], log: AccessLog, caught: socket.socket
    ) -> None:
        self._options = options
        self._sockets = list(sockets)
        self._log = log
        self._caught = caught
        self._running: list[_Worker] = []
        self._stops = 0

    def start(self) -> Summary | None:
        """Start all of them; what the first one has to tell, or None if a signal says to stop before.

        Raises:
            RankspecError: one does not start.
        """
        self._running = [self._started() for _ in range(self._options.workers)]
        summary: Summary | None = None
        until = time.monotonic() + _START_SECONDS
        for worker in self._running:
            while not worker.line.poll():
                if not worker.process.is_alive() and not worker.line.poll():
                    raise RankspecError(f"a worker ended while it started, with exit code {worker.process.exitcode}")
                if time.monotonic() > until:
                    raise RankspecError(f"a worker did not start within {_START_SECONDS:g} seconds")
                wait([worker.line, worker.process.sentinel, self._caught], _LOOK_SECONDS)
                self._obey()
                if self._stops:
                    return None
            told = _told(worker)
            if isinstance(told, str):
                raise RankspecError(told)
            summary = summary or told
        return summary

    def watch(self) -> None:
        """Pass signals on and replace what dies, until told to stop."""
        while not self._stops:
            wait([self._caught, *(worker.process.sentinel for worker in self._running)], _LOOK_SECONDS)
            self._obey()
            for position, worker in enumerate(self._running):
                if not worker.process.is_alive() and not self._stops:
                    self._tell_end(worker)
                    wait([self._caught], _RESTART_SECONDS)
                    self._running[position] = self._started()

    def stop(self) -> None:
        """Tell all of them to stop, and wait until they have."""
        until = time.monotonic() + self._options.grace_seconds + _KILL_SECONDS
        self._signal(signal.SIGTERM, self._running)
        while living := [worker.process.sentinel for worker in self._running if worker.process.is_alive()]:
            wait([self._caught, *living], _LOOK_SECONDS)
            self._obey()
            if self._stops > 1 or time.monotonic() > until:
                self._signal(signal.SIGKILL, self._running)
                raise SystemExit(1)

    def _started(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        arguments = (self._options, self._sockets, theirs)
        process = context.Process(target=_work, args=arguments, name="rankspec-worker", daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _obey(self) -> None:
        numbers = b""
        with suppress(BlockingIOError):
            numbers = self._caught.recv(1024)
        if signal.SIGHUP in numbers:
            # One that starts would end by it, and reads the config anyhow.
            self._signal(signal.SIGHUP, [worker for worker in self._running if worker.line.poll()])
        self._stops += sum(number in (signal.SIGTERM, signal.SIGINT) for number in numbers)

    def _signal(self, number: signal.Signals, workers: Iterable[_Worker]) -> None:
        for worker in workers:
            if worker.process.is_alive() and worker.process.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(worker.process.pid, number)

    def _tell_end(self, worker: _Worker) -> None:
        try:
            told = worker.line.recv() if worker.line.poll() else None
        except (EOFError, OSError):
            told = None  # It had started.
        reason = told if isinstance(told, str) else None
        self._log.event("worker_died", "error", exit_code=worker.process.exitcode, message=reason)


def _told(worker: _Worker) -> Any:
    try:
        return worker.line.recv()
    except (EOFError, OSError):
        return f"a worker ended while it started, with exit code {worker.process.exitcode}"


@contextmanager
def _caught(*numbers: signal.Signals) -> Iterator[socket.socket]:
    """A socket from which the numbers of signals are read that come meanwhile."""
    reading, writing = socket.socketpair()
    reading.setblocking(False)
    writing.setblocking(False)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    earlier = signal.set_wakeup_fd(writing.fileno())
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(earlier)
        for number, handler in before.items():
            signal.signal(number, handler)
        reading.close()
        writing.close()


def _work(options: ServeOptions, sockets: list[socket.socket], line: Connection) -> None:
    """One worker's life."""
    os.setpgid(0, 0)  # Ctrl-C is the parent's, who passes it on.
    try:
        service = Service(options, workers=options.workers)
    except RankspecError as error:
        line.send(error.message)
        return
    service.gateway.run_beside(_end_with_parent)

    def on_started() -> None:
        line.send(service.summary)
        line.close()

    service.serve(sockets, on_started, is_worker=True)


async def _end_with_parent() -> None:
    """Stop when the parent has died: nobody else would tell."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        died = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(parent.sentinel, died.cancel)
        with suppress(asyncio.CancelledError):
            await died
        if died.cancelled():
            asyncio.get_running_loop().remove_reader(parent.sentinel)
            os.kill(os.getpid(), signal.SIGTERM)
