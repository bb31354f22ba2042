"""Large blocks of memory go back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from rankspec.gateway.serving.memory import keep_memory_for_requests

SCRIPT = """
import asyncio
from rankspec.gateway.serving.memory import give_back_at_times, keep_memory_for_requests, resident_bytes

async def burst():
    giving_back = asyncio.ensure_future(give_back_at_times(0.01))
    await asyncio.sleep(0.05)
    rest = resident_bytes()
    blocks = [bytearray(1_000_000) for _ in range(60)]
    kept = blocks[::20]
    del blocks
    for _ in range(1000):
        await asyncio.sleep(0.01)
        if resident_bytes() < rest + 20_000_000:
            break
    giving_back.cancel()
    return resident_bytes() < rest + 20_000_000

assert keep_memory_for_requests({})
print(asyncio.run(burst()))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_what_was_needed_for_a_burst_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("True\n", "")


COLLECTED = """
import gc, weakref
from rankspec.gateway.serving.memory import collect_seldom

class Link: pass

def cycle():
    one = Link()
    one.itself = one
    return weakref.ref(one)

before = cycle()
collect_seldom()
assert before() is None
assert gc.get_freeze_count() > 0
one = cycle()
kept = [[] for _ in range(2_000)]
assert one() is not None
kept += [[] for _ in range(10_000)]
print(one() is None)
"""


def test_cycles_are_looked_for_seldom_and_still_found() -> None:
    done = subprocess.run([sys.executable, "-c", COLLECTED], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "True\n"


def test_what_the_environment_says_of_it_stands() -> None:
    assert not keep_memory_for_requests({"MALLOC_ARENA_MAX": "4"})
