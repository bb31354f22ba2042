"""CPU of calls of the SDK beside requests alone, and what eight threads get done. Texts are new for each call."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import requests
from payloads import KEY, asked, body
from worker_loop import serve

import rankspec
from rankspec import Client

MODEL = "cohere/rerank-v3.5"
URL = sys.argv[1]
_HEADERS = {"authorization": f"Bearer {KEY}"}
Ask = Callable[[Any], Any]
_session = requests.Session()


def on_requests(one: Any) -> Any:
    """What is compared with: the same request and reply, and nothing else done."""
    return _session.post(f"{URL}/v2/rerank", json=one, headers=_HEADERS, timeout=60).json()


def by_rerank(one: Any) -> Any:
    """The function that users import, with its key and address from the environment, as they have them."""
    return rankspec.rerank(MODEL, one["query"], one["documents"])


def _native() -> Ask:
    client = Client(transport="native")  # type: ignore[call-arg, unused-ignore]
    return lambda one: client.rerank(MODEL, one["query"], one["documents"])


def contenders() -> list[str]:
    """Those that this rankspec has."""
    try:
        _native()
    except (TypeError, rankspec.RankspecError):
        return ["requests", "rerank"]
    return ["requests", "rerank", "native"]


def calls(name: str, count: int, size: int, times: int) -> float:
    """µs of this process's CPU for one call."""
    ask = _ASKS[name]
    raw = body(asked(count, size))
    work = [json.loads(raw) for _ in range(times)]
    before = time.process_time()
    for one in work:
        ask(one)
    return (time.process_time() - before) / times * 1e6


def threads(name: str, count: int, size: int, times: int) -> float:
    """Calls in a second of eight threads: sessions of their own, or one client for all."""
    raw = body(asked(count, size))
    with Client() as client:
        barrier = threading.Barrier(9)

        def work() -> None:
            mine = [json.loads(raw) for _ in range(times)]
            session = requests.Session()
            barrier.wait()
            for one in mine:
                if name == "rerank":
                    client.rerank(MODEL, one["query"], one["documents"])
                else:
                    session.post(f"{URL}/v2/rerank", json=one, headers=_HEADERS, timeout=60).json()

        running = [threading.Thread(target=work) for _ in range(8)]
        for thread in running:
            thread.start()
        barrier.wait()
        started = time.perf_counter()
        for thread in running:
            thread.join()
        return 8 * times / (time.perf_counter() - started)


def answer(what: str, *values: Any) -> Any:
    """One measurement."""
    return {"contenders": contenders, "calls": calls, "threads": threads}[what](*values)


_ASKS: dict[str, Ask] = {"requests": on_requests, "rerank": by_rerank}
if "native" in contenders():
    _ASKS["native"] = _native()

if __name__ == "__main__":
    assert os.environ["CO_API_URL"] == URL
    serve(answer)
