"""JMESPath's public cases, fetched once into a folder that git ignores."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

COMMIT = "53abcc37901891cf4308fcd910eab287416c4609"
ADDRESS = os.environ.get("RANKSPEC_JMESPATH_CASES") or "https://github.com/jmespath/jmespath.test"
"""A git repository with that commit, such as a copy on this machine."""

CACHE = Path(__file__).resolve().parents[2] / ".jmespath_cases"
FETCH_SECONDS = 120.0
_NETWORK = ("Could not resolve host", "Failed to connect", "Connection", "Network is unreachable", "timed out",
            "not appear to be a git repository", "does not exist")  # fmt: skip


class Case(NamedTuple):
    """An expression with what it is to find in a value, or the kind of error that it is to be."""

    feature: str
    given: Any
    expression: str
    result: Any
    error: str | None


def jmespath_cases() -> list[Case]:
    """The cases of that commit but its benchmarks, by feature; skips where they cannot be had."""
    folder = _fetched()
    return [
        Case(file.stem, suite["given"], case["expression"], case.get("result"), case.get("error"))
        for file in sorted((folder / "tests").glob("*.json"))
        for suite in json.loads(file.read_text())
        for case in suite["cases"]
        if "bench" not in case
    ]


def _fetched() -> Path:
    folder, done = CACHE / COMMIT, CACHE / f"{COMMIT}.done"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Other test processes wait.
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            _fetch(folder)
            done.touch()
    return folder


def _fetch(folder: Path) -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not installed, which fetches JMESPath's cases")
    _git("clone", "--quiet", "--no-checkout", ADDRESS, str(folder))
    _git("-C", str(folder), "checkout", "--quiet", COMMIT)


def _git(*arguments: str) -> None:
    environ = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(["git", *arguments], env=environ, capture_output=True, text=True, timeout=FETCH_SECONDS)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{ADDRESS}, which has JMESPath's cases, gave none within {FETCH_SECONDS:g} seconds")
    if done.returncode == 0:
        return
    if any(sign in done.stderr for sign in _NETWORK):
        pytest.skip(f"{ADDRESS} cannot be reached, which has JMESPath's cases: {done.stderr.strip().splitlines()[-1]}")
    pytest.fail(f"git {' '.join(arguments)} failed: {done.stderr}")
