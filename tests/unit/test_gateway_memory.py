"""Large blocks of memory go back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from rankspec.gateway.serving.memory import give_back_memory

SCRIPT = """
import os, sys
from rankspec.gateway.serving.memory import give_back_memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

assert give_back_memory({})
large = b"x" * 30_000_000
del large  # From here on glibc alone would keep blocks of up to that size.
blocks = [bytearray(1_000_000) for _ in range(60)]
kept = [blocks.pop() for _ in range(1)]
before = resident()
del blocks
print(before - resident() > 50_000_000)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_what_was_needed_for_a_burst_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_what_the_environment_says_of_it_stands() -> None:
    assert not give_back_memory({"MALLOC_ARENA_MAX": "4"})
