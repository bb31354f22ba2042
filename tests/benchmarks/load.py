"""Sends one request over and over and measures: latency of one caller, and throughput of many."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httptools

_PATIENCE_SECONDS = 60.0

_WRK = """\
local file = io.open("%s", "rb")
wrk.method, wrk.body = "POST", file:read("*a")
file:close()
wrk.headers["content-type"] = "application/json"
function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('\\nJSON {"requests": %%d, "seconds": %%f, "failed": %%d, "p50_ms": %%f, "p99_ms": %%f}\\n',
    summary.requests, summary.duration / 1e6, failed, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


@dataclass(frozen=True)
class Target:
    """Where requests go, and the one that goes there."""

    name: str
    url: str
    body: bytes

    @property
    def request(self) -> bytes:
        """The bytes on the wire."""
        parts = urlsplit(self.url)
        lines = (
            f"POST {parts.path or '/'} HTTP/1.1",
            f"host: {parts.netloc}",
            "content-type: application/json",
            f"content-length: {len(self.body)}",
        )
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


@dataclass(frozen=True)
class Latency:
    """Milliseconds from the first byte sent to the last one read, of one caller at a time."""

    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Throughput:
    """What many callers at once came to."""

    requests: int
    seconds: float
    failed: int
    p50_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def measure_latency(target: Target, count: int) -> Latency:
    """One connection, one request after the other."""
    parts = urlsplit(target.url)
    request = target.request
    taken: list[float] = []
    with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=_PATIENCE_SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(count):
            started = time.perf_counter()
            connection.sendall(request)
            _read_reply(connection)
            taken.append((time.perf_counter() - started) * 1000)
    return Latency(statistics.median(taken), percentile(taken, 99))


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that so many per cent do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def _read_reply(connection: socket.socket) -> None:
    parser = _Reply()
    while not parser.is_complete:
        data = connection.recv(1 << 18)
        assert data, "the connection was closed"
        parser.feed(data)
    assert parser.status == 200, f"status {parser.status}"


class _Reply:
    """Reads one reply."""

    def __init__(self) -> None:
        self.is_complete = False
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        self._parser.feed_data(data)

    @property
    def status(self) -> int:
        return self._parser.get_status_code()

    def on_message_complete(self) -> None:
        self.is_complete = True


def has_wrk() -> bool:
    """Whether wrk is installed, which takes less of a shared machine than the generator here."""
    return shutil.which("wrk") is not None


def measure_throughput(target: Target, connections: int, seconds: float, folder: Path) -> Throughput:
    """So many connections, each with its next request as soon as the last one is answered."""
    if has_wrk():
        return _with_wrk(target, connections, seconds, folder)
    return asyncio.run(_with_asyncio(target, connections, seconds))


def _with_wrk(target: Target, connections: int, seconds: float, folder: Path) -> Throughput:
    body, script = folder / "body.json", folder / "wrk.lua"
    body.write_bytes(target.body)
    script.write_text(_WRK % body)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", str(script), "--timeout", "30s"]
    done = subprocess.run(
        [*command, target.url], capture_output=True, text=True, check=True, timeout=seconds + _PATIENCE_SECONDS
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("JSON "))
    return Throughput(**json.loads(line.removeprefix("JSON ")))


class _Caller(asyncio.Protocol):
    """One connection that asks without a pause."""

    def __init__(self, request: bytes, taken: list[float], failures: list[int]) -> None:
        self._request = request
        self._taken = taken
        self._failures = failures
        self.is_stopped = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._started = time.perf_counter()
        self._transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        if self.is_stopped:
            return
        self._taken.append((time.perf_counter() - self._started) * 1000)
        if self._parser.get_status_code() != 200:
            self._failures.append(self._parser.get_status_code())
        asyncio.get_running_loop().call_soon(self._send)

    def connection_lost(self, _: Exception | None) -> None:
        if not self.is_stopped:
            self._failures.append(0)


async def _with_asyncio(target: Target, connections: int, seconds: float) -> Throughput:
    parts = urlsplit(target.url)
    taken: list[float] = []
    failures: list[int] = []
    loop = asyncio.get_running_loop()
    callers = [
        await loop.create_connection(lambda: _Caller(target.request, taken, failures), parts.hostname, parts.port)
        for _ in range(connections)
    ]
    started = time.perf_counter()
    await asyncio.sleep(seconds)
    elapsed = time.perf_counter() - started
    for transport, caller in callers:
        caller.is_stopped = True
        transport.abort()
    await asyncio.sleep(0)
    return Throughput(len(taken), elapsed, len(failures), statistics.median(taken), percentile(taken, 99))
