"""What goes wrong on request: which faults there are, how often each comes, and which one is next. No socket."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass

KINDS = {
    "timeout": "the request is taken, and never answered",
    "reset": "the connection is reset in place of an answer",
    "cut_off": "the connection ends in the middle of the answer",
    "truncated": "half of the answer's body, with the length of that half",
    "html": "200 with an HTML page",
    "empty": "200 with nothing in it",
    "slow": "the answer comes a second late",
}
"""Every fault besides an HTTP status, with what it does."""

_STATUS = re.compile(r"[3-5][0-9]{2}")
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault, and the share of requests that it meets, above 0 and at most 1."""

    kind: str
    probability: float

    @property
    def status(self) -> int | None:
        """The HTTP status that it is, if it is one."""
        return int(self.kind) if self.kind not in KINDS else None


class Faults:
    """Draws the fault of each request, or none. The same seed draws the same faults.

    Args:
        texts: kinds with or without a probability, several with commas: "429:0.2,timeout:0.1", "html".

    Raises:
        ValueError: a text says none of this; the message says what is wrong.
    """

    def __init__(self, texts: Iterable[str] = (), *, seed: int | None = None) -> None:
        parts = [part.strip() for text in texts for part in text.split(",")]
        self.faults = tuple(_fault(part) for part in parts if part)
        total = sum(fault.probability for fault in self.faults)
        if total > 1 + _ROUNDING:
            raise ValueError(f"the probabilities of the faults add up to {total:g}, which is more than 1")
        self._random = random.Random(seed)

    def draw(self) -> Fault | None:
        """The fault of the next request, if it is to have one."""
        if not self.faults:
            return None
        left = self._random.random()
        for fault in self.faults:
            left -= fault.probability
            if left < 0:
                return fault
        return None


def _fault(text: str) -> Fault:
    kind, colon, share = text.partition(":")
    kind = kind.strip().replace("-", "_")
    if kind not in KINDS and not _STATUS.fullmatch(kind):
        raise ValueError(f"'{kind}' is no fault; there are {', '.join(KINDS)}, and every HTTP status from 300 to 599")
    if not colon:
        return Fault(kind, 1.0)
    try:
        probability = float(share)
    except ValueError:
        probability = -1.0
    if not 0 < probability <= 1:
        raise ValueError(f"'{text}' must end in a probability above 0 and up to 1, such as {kind}:0.2")
    return Fault(kind, probability)
