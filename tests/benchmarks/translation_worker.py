"""CPU of one translation beside that of orjson alone, in alternating blocks of one process."""

from __future__ import annotations

import time
from collections.abc import Callable

import orjson
from payloads import asked, bedrock_reply, body, cohere_reply
from translating import COHERE, Translation, always, bedrock
from worker_loop import serve

TRANSLATIONS = {"flat": Translation(COHERE), "loop": bedrock()}
REPLIES = {"flat": cohere_reply, "loop": bedrock_reply}
_BLOCKS = 5


def compare(kind: str, count: int, size: int, is_ascii: bool, seconds: float) -> list[float]:
    """µs of CPU for one translation and for orjson alone, each in about so many seconds in all."""
    request, reply = body(asked(count, size, is_ascii=is_ascii)), REPLIES[kind](count)
    translate, answer = TRANSLATIONS[kind], always(reply)

    def ours() -> None:
        translate(request, answer)

    def alone() -> None:
        # Loaded anew each time: orjson keeps the UTF-8 of a text that it has written once within that text.
        orjson.dumps(orjson.loads(request))
        orjson.dumps(orjson.loads(reply))

    spent = {ours: 0.0, alone: 0.0}
    times = {one: _times(one, seconds / _BLOCKS) for one in spent}
    for _ in range(_BLOCKS):
        for one in spent:
            spent[one] += _seconds(one, times[one])
    return [spent[one] / (times[one] * _BLOCKS) * 1e6 for one in (ours, alone)]


def _times(one: Callable[[], None], seconds: float) -> int:
    """How often it can be done in that time; at least once."""
    one()  # The first fills caches.
    return max(1, int(seconds / _seconds(one, 1)))


def _seconds(one: Callable[[], None], times: int) -> float:
    before = time.thread_time()
    for _ in range(times):
        one()
    return time.thread_time() - before


if __name__ == "__main__":
    serve(compare)
