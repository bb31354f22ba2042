"""Prints what each case does, as JSON: `python tests/guard/count_all.py`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import counting


def main() -> None:
    """Count every case."""
    counting.install()
    # Not before: rankspec has to find the counted helpers and the even clocks.
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
    from cases import cases

    print(json.dumps({name: asdict(counting.count(work)) for name, work in cases()}))


if __name__ == "__main__":
    main()
