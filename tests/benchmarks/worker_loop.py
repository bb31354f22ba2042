"""The other end of `workers.py`: answers lines until there are no more."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any


def serve(answer: Callable[..., Any]) -> None:
    """Call a function with the values of each line, and print what it gives."""
    output = sys.stdout
    sys.stdout = sys.stderr  # Whatever a library prints must not come between.
    for line in sys.stdin:
        output.write(json.dumps(answer(*json.loads(line))) + "\n")
        output.flush()
