"""Sends one request over and over with wrk: so many connections, each with its next request once one is answered."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from environments import environ, library_path, wrk
from processes import OTHER_CPU, keep_on

_PATIENCE_SECONDS = 90.0
_LEAST_REQUESTS = 2

_SCRIPT = """\
local file = io.open("%s", "rb")
wrk.method, wrk.body = "POST", file:read("*a")
file:close()
wrk.headers["content-type"] = "application/json"
wrk.headers["authorization"] = "Bearer %s"
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

    url: str
    body: bytes = field(repr=False)
    key: str


@dataclass(frozen=True)
class Load:
    """What came of it. The times are a caller's, from its request to its whole reply."""

    requests: int
    seconds: float
    failed: int
    p50_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def load(target: Target, connections: int, seconds: float, folder: Path) -> Load:
    """What so many connections came to in that time.

    Raises:
        AssertionError: a request failed, or none was answered.
    """
    body, script = folder / "body.json", folder / "wrk.lua"
    body.write_bytes(target.body)
    script.write_text(_SCRIPT % (body, target.key))
    command = [wrk(), "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", str(script), "--timeout", "60s"]
    done = subprocess.run(
        [*command, target.url],
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + _PATIENCE_SECONDS,
        env=environ(**library_path(wrk())),
        preexec_fn=lambda: keep_on(OTHER_CPU),
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("JSON "))
    found = Load(**json.loads(line.removeprefix("JSON ")))
    is_whole = found.requests > 0 and found.failed == 0
    assert is_whole, f"{target.url}: {found.failed} of {found.requests} requests failed"
    return found


def one_after_the_other(target: Target, seconds: float) -> int:
    """How many requests one caller gets answered in about that time, two at the least: wrk drops what takes longer.

    Raises:
        AssertionError: one is not answered with 200.
    """
    parts = urlsplit(target.url)
    headers = {"content-type": "application/json", "authorization": f"Bearer {target.key}"}
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=_PATIENCE_SECONDS)
    done, until = 0, time.monotonic() + seconds
    try:
        while done < _LEAST_REQUESTS or time.monotonic() < until:
            connection.request("POST", parts.path, target.body, headers)
            reply = connection.getresponse()
            reply.read()
            assert reply.status == 200, f"{target.url}: {reply.status}"
            done += 1
    finally:
        connection.close()
    return done
