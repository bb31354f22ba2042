"""What the gateway costs, beside a gateway that does nothing on the same stack.

    python tests/benchmarks/gateway.py [--rounds 3] [--seconds 3] [--output figures.json]

Contenders take turns within each round, and every figure is the median over the rounds. The gateway and the
pass-throughs run on the first CPU, the provider (a small server in C) and the callers on the second, if there is one.
Needs Linux and gcc; uses wrk if it is installed. Figures of different runs or machines are not comparable; the ratios
within one table are.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from load import Latency, Target, Throughput, has_wrk, measure_latency, measure_throughput
from processes import cpu_seconds, pin, resident_mb, started

HERE = Path(__file__).resolve().parent
SIZES = {4: 64, 100: 32, 1000: 8}
"""Documents in a request, and callers at once."""

LATENCY_REQUESTS = {4: 1000, 100: 400, 1000: 100}
CONTENDERS = ("provider alone", "pass-through, bytes", "pass-through, JSON", "gateway")
START_SECONDS = 30.0
SETTLE_SECONDS = 1.0
_SENTENCE = "The capital’s café serves “crème brûlée” — and <b>bread</b> with butter, says the guide. "
_GATEWAY_CPU, _OTHER_CPU = 0, 1


@dataclass
class Figures:
    """What the rounds came to for one contender and size."""

    latency: list[Latency] = field(default_factory=list)
    throughput: list[Throughput] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)


def main() -> None:
    """Measure, print the tables and write the figures."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        bench = Bench(folder, stack)
        conditions = _conditions(arguments)
        print(*(f"{key}: {text}" for key, text in conditions.items()), sep="\n")
        starts = [bench.start_seconds() for _ in range(max(3, arguments.rounds))]
        rest = bench.rest_mb()
        figures = bench.run(arguments.rounds, arguments.seconds)
        after = resident_mb(bench.pids["gateway", 1000])
        print(f"\nstart to ready: {statistics.median(starts):.2f} s (of {len(starts)} starts)")
        print(f"memory: {rest:.0f} MB at rest, {after:.0f} MB after the last round with 1,000 documents\n")
        print(*_table(figures), sep="\n")
        if arguments.output:
            told = {"conditions": conditions, "start_seconds": starts, "rest_mb": rest, "loaded_mb": after}
            told["figures"] = [
                {"contender": who, "documents": size, **asdict(one)} for (who, size), one in figures.items()
            ]
            Path(arguments.output).write_text(json.dumps(told, indent=2) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each run for throughput")
    parser.add_argument("--output", help="a file for all figures, as JSON")
    return parser.parse_args()


def _conditions(arguments: argparse.Namespace) -> dict[str, str]:
    packages = ("rankspec", "uvicorn", "httptools", "uvloop", "wreq", "orjson")
    cpu = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "?"
    )
    return {
        "machine": f"{os.cpu_count()} CPUs, {cpu}, Linux {platform.release()}, CPython {platform.python_version()}",
        "load before": f"{os.getloadavg()[0]:.2f}",
        "packages": ", ".join(f"{name} {version(name)}" for name in packages),
        "callers": ("wrk" if has_wrk() else "asyncio")
        + "; "
        + ", ".join(f"{n} for {d} documents" for d, n in SIZES.items()),
        "documents": "1 kB each, some of it not ASCII",
        "rounds": f"{arguments.rounds}, {arguments.seconds:g} s each for throughput; medians",
    }


def _lines(path: str) -> list[str]:
    with suppress(OSError):
        return Path(path).read_text().splitlines()
    return []


class Bench:
    """Providers, pass-throughs and gateways, one of each for every size, so that none is warmed up by another's work."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self.pids: dict[tuple[str, int], int] = {}
        self.targets: dict[tuple[str, int], Target] = {}
        mock = folder / "mock_upstream"
        subprocess.run(["gcc", "-O2", "-o", str(mock), str(HERE / "mock_upstream.c")], check=True)
        if (os.cpu_count() or 1) > 1:
            os.sched_setaffinity(0, {_OTHER_CPU})
        self._upstreams = {size: self._upstream(mock, size) for size in SIZES}

    def _upstream(self, mock: Path, size: int) -> str:
        file = self._folder / f"reply-{size}"
        results = [{"index": at, "relevance_score": 1 - at / (size + 1)} for at in range(size)]
        meta = {"api_version": {"version": "2"}, "billed_units": {"search_units": max(1, size // 100)}}
        body = json.dumps({"id": "0a1b2c3d-0000-4000-8000-000000000000", "results": results, "meta": meta}).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        file.write_bytes(head.encode() + body)
        pid, port = self._stack.enter_context(started([str(mock), str(file)]))
        pin(pid, _OTHER_CPU)
        return f"http://127.0.0.1:{port}"

    def run(self, rounds: int, seconds: float) -> dict[tuple[str, int], Figures]:
        """The figures by contender and documents."""
        for size in SIZES:
            self._start_contenders(size)
        figures = {(who, size): Figures() for size in SIZES for who in CONTENDERS}
        for key, target in self.targets.items():
            measure_throughput(target, SIZES[key[1]], 1.0, self._folder)  # Warms up.
        for number in range(rounds):
            for size in SIZES:
                for who in CONTENDERS:
                    print(f"\rround {number + 1}: {size} documents, {who:<20}", end="", file=sys.stderr)
                    self._measure(figures[who, size], who, size, seconds)
        print(file=sys.stderr)
        return figures

    def _measure(self, figures: Figures, who: str, size: int, seconds: float) -> None:
        target = self.targets[who, size]
        figures.latency.append(measure_latency(target, LATENCY_REQUESTS[size]))
        pid = self.pids.get((who, size))
        before = cpu_seconds(pid) if pid else 0.0
        throughput = measure_throughput(target, SIZES[size], seconds, self._folder)
        assert not throughput.failed, f"{who}: {throughput.failed} requests failed"
        figures.throughput.append(throughput)
        if pid:
            figures.cpu_us.append((cpu_seconds(pid) - before) / throughput.requests * 1e6)

    def _start_contenders(self, size: int) -> None:
        upstream = f"{self._upstreams[size]}/v2/rerank"
        body = _body(size)
        self.targets["provider alone", size] = Target("provider alone", upstream, body)
        for form in ("bytes", "JSON"):
            command = [sys.executable, str(HERE / "pass_through.py"), form.lower(), upstream]
            self._add(f"pass-through, {form}", size, *self._stack.enter_context(started(command)), body=body)
        pid, url = self._stack.enter_context(self._gateway(size))
        self._add("gateway", size, pid, f"{url}/v2/rerank", body=body)

    def _add(self, who: str, size: int, pid: int, url: str, *, body: bytes) -> None:
        pin(pid, _GATEWAY_CPU)
        self.pids[who, size] = pid
        self.targets[who, size] = Target(who, url, body)

    @contextmanager
    def _gateway(self, size: int) -> Iterator[tuple[int, str]]:
        """The gateway as users start it; its log is written and thrown away."""
        config = self._folder / f"config-{size}.yaml"
        params = {"model": "cohere/rerank-v3.5", "api_base": self._upstreams[size], "api_key": "key"}
        config.write_text(json.dumps({"model_list": [{"model_name": "rerank-v3.5", "litellm_params": params}]}))
        port = _free_port()
        command = [
            str(Path(sys.executable).with_name("rankspec")),
            "serve",
            "--config",
            str(config),
            "--port",
            str(port),
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            if (os.cpu_count() or 1) > 1:
                os.sched_setaffinity(process.pid, {_GATEWAY_CPU})
            url = f"http://127.0.0.1:{port}"
            _wait_until(lambda: _is_ready(url), process)
            yield process.pid, url
        finally:
            process.kill()
            process.wait(START_SECONDS)

    def start_seconds(self) -> float:
        """From the command to the first 200 of /health/ready."""
        began = time.perf_counter()
        with self._gateway(4):
            return time.perf_counter() - began

    def rest_mb(self) -> float:
        """Memory of a gateway that nobody has asked anything."""
        with self._gateway(4) as (pid, _):
            time.sleep(SETTLE_SECONDS)
            return resident_mb(pid)


def _body(size: int) -> bytes:
    text = (_SENTENCE * 20).encode()[:1000].decode(errors="ignore")
    documents = [f"{at} {text}" for at in range(size)]
    asked = {"model": "rerank-v3.5", "query": "Where is crème brûlée served?", "documents": documents}
    return json.dumps(asked, ensure_ascii=False).encode()


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _is_ready(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"{url}/health/ready", timeout=5) as reply:
        return bool(reply.status == 200)
    return False


def _wait_until(claim: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECONDS
    while not claim():
        assert process.poll() is None, "the gateway ended"
        assert time.monotonic() < until, "the gateway is not ready"
        time.sleep(0.005)


def _table(figures: dict[tuple[str, int], Figures]) -> Iterator[str]:
    yield (
        "| documents | | req/s | CPU µs per request | p50 ms | p99 ms | alone: p50 ms | p99 ms "
        "| added: p50 ms | p99 ms |"
    )
    yield "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for (who, size), one in figures.items():
        alone = figures["provider alone", size]
        added = [f"{_added(one, alone, name):.2f}" if one is not alone else "" for name in ("p50_ms", "p99_ms")]
        cells = [
            f"{size:,}",
            who,
            f"{_median(one.throughput, 'per_second'):,.0f}",
            f"{statistics.median(one.cpu_us):,.0f}" if one.cpu_us else "",
            *(f"{_median(one.throughput, name):.1f}" for name in ("p50_ms", "p99_ms")),
            *(f"{_median(one.latency, name):.2f}" for name in ("p50_ms", "p99_ms")),
            *added,
        ]
        yield f"| {' | '.join(cells)} |"


def _median(rounds: list[Any], name: str) -> float:
    return statistics.median(getattr(one, name) for one in rounds)


def _added(one: Figures, alone: Figures, name: str) -> float:
    """By how much a caller waits longer than without anything between it and the provider: per round, then the median."""
    pairs = zip(one.latency, alone.latency, strict=True)
    return statistics.median(getattr(mine, name) - getattr(bare, name) for mine, bare in pairs)


if __name__ == "__main__":
    main()
