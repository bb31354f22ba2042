"""The gateway's process and the emulated providers are those of the contract tests, the meters those of the benchmarks."""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "contract" / "gateway"), str(TESTS / "contract"), str(TESTS / "benchmarks")]
