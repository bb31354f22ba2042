"""CPU of `arerank()` with many calls in flight, of rankspec or of litellm: each is run by the Python that has it."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from payloads import KEY, asked, body
from worker_loop import serve

WHICH, URL = sys.argv[1:]
_loop = asyncio.new_event_loop()


def _ask() -> Callable[[Any], Awaitable[Any]]:
    if WHICH == "rankspec":
        import rankspec

        return lambda one: rankspec.arerank(
            "cohere/rerank-v3.5", one["query"], one["documents"], api_key=KEY, api_base=URL
        )
    import litellm

    litellm.suppress_debug_info = True
    model = "cohere/rerank-v3.5"
    return lambda one: litellm.arerank(
        model=model, query=one["query"], documents=one["documents"], api_key=KEY, api_base=URL
    )


ask = _ask()


def calls(count: int, size: int, in_flight: int, times: int) -> float:
    """µs of this process's CPU for one call, with so many in flight."""
    raw = body(asked(count, size))
    work = [json.loads(raw) for _ in range(times)]
    before = time.process_time()
    _loop.run_until_complete(_all(work, in_flight))
    return (time.process_time() - before) / times * 1e6


async def _all(work: list[Any], in_flight: int) -> None:
    async def one_after_the_other() -> None:
        while work:
            await ask(work.pop())

    await asyncio.gather(*(one_after_the_other() for _ in range(in_flight)))


if __name__ == "__main__":
    serve(calls)
