"""The loop of every client script: a call a line on standard input, its outcome a line on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

Outcome = dict[str, Any]


def answer_calls(call: Callable[[dict[str, Any]], Any]) -> None:
    """Makes each call that is asked for, and tells what it returned or raised.

    Args:
        call: makes one; gives what it returned as JSON's types.
    """
    for line in sys.stdin:
        try:
            outcome: Outcome = {"returned": call(json.loads(line))}
        except Exception as error:  # noqa: BLE001 - whatever a client raises is what is asked about
            outcome = raised(error)
        print(json.dumps(outcome), flush=True)


def raised(error: Exception) -> Outcome:
    """The error as values: of those of the SDKs also status, body and the headers' names in lower case."""
    headers = getattr(error, "headers", None) or {}
    return {
        "raised": type(error).__name__,
        "status": getattr(error, "status_code", None),
        "body": getattr(error, "body", None),
        "headers": {name.lower(): text for name, text in headers.items()},
        "text": str(error),
    }
