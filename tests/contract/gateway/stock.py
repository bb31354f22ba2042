"""Clients as users install them, each in a process that makes the calls that a test asks for."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest
from gateway_process import plain_environment

SCRIPTS = Path(__file__).resolve().parent / "clients"
CACHE = Path(os.environ.get("RANKSPEC_STOCK_CLIENTS") or SCRIPTS.parents[3] / ".stock_clients")
"""Where npm's and the newest Python client are installed to, once for each version."""

CALL_SECONDS = 60.0
INSTALL_SECONDS = 300.0
_NETWORK = ("ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EAI_AGAIN", "ENETUNREACH", "No matching distribution",
            "Temporary failure", "NewConnectionError")  # fmt: skip


class StockClient:
    """A script of clients/ in a process of its own: a line for a call, a line for its outcome."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command, env=dict(environ), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._errors: list[str] = []
        self._threads = [
            threading.Thread(target=self._read, name="client-outcomes", daemon=True),
            threading.Thread(target=self._read_errors, name="client-errors", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        self._errors.extend(self._process.stderr)

    def call(self, **asked: Any) -> Any:
        """What a call returned, or what it raised: {"returned": ...} or {"raised": class, "status": ...}."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        try:
            line = self._lines.get(timeout=CALL_SECONDS)
        except queue.Empty:
            line = None
        assert line is not None, f"the client gave no outcome: {''.join(self._errors)}"
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(CALL_SECONDS)
        for thread in self._threads:
            thread.join(CALL_SECONDS)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()


def python_client(script: str, folder: Path, packages: Path | None = None) -> StockClient:
    """A Python client.

    Args:
        packages: a folder of packages that go before the installed ones.
    """
    environ = plain_environment(folder)
    if packages is not None:
        environ["PYTHONPATH"] = str(packages)
    return StockClient([sys.executable, str(SCRIPTS / script)], environ)


def node_client(script: str, folder: Path, packages: Path) -> StockClient:
    """A client for Node.js."""
    environ = plain_environment(folder) | {"NODE_PATH": str(packages)}
    return StockClient(["node", str(SCRIPTS / script)], environ)


def npm_packages() -> Path:
    """The folder of the packages that clients/package-lock.json names; skips without node, npm or a registry."""
    for command in ("node", "npm"):
        if shutil.which(command) is None:
            pytest.skip(f"{command} is not installed, which the npm client needs")
    lock = (SCRIPTS / "package-lock.json").read_bytes()
    with _installed(f"npm-{hashlib.sha256(lock).hexdigest()[:12]}") as folder:
        if folder is not None:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(SCRIPTS / name, folder)
            _install(["npm", "ci", "--no-audit", "--no-fund"], folder)
    return CACHE / f"npm-{hashlib.sha256(lock).hexdigest()[:12]}" / "node_modules"


def newest_python_packages() -> Path:
    """The folder of the current cohere SDK, which langchain-cohere keeps out of the test environment."""
    pinned = next(line for line in (SCRIPTS / "newest.txt").read_text().splitlines() if not line.startswith("#"))
    with _installed(pinned.replace("==", "-")) as folder:
        if folder is not None:
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), pinned]
            _install(command, folder)
    return CACHE / pinned.replace("==", "-")


@contextmanager
def _installed(name: str) -> Iterator[Path | None]:
    """Gives a folder to install into, or None if that has been done. Other test processes wait."""
    folder, done = CACHE / name, CACHE / f"{name}.done"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.exists():
            yield None
        else:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            yield folder
            done.touch()


def _install(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    if done.returncode == 0:
        return
    told = (done.stderr or done.stdout).strip()
    if any(sign in told for sign in _NETWORK):
        pytest.skip(f"{command[0]} reaches no registry: {told.splitlines()[-1]}")
    pytest.fail(f"{' '.join(command)} failed: {told}")
