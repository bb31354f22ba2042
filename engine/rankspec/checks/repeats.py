"""Long texts and long lists in an example's request, written short: `{$repeat: a, times: 1000}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rankspec.models import Json

MAX_CHARACTERS = 10_000_000
MAX_ITEMS = 100_000
REPEATED = ("query", "documents")
"""The members of a request in which a repetition may stand: whole, or as one of the documents."""


class TooLarge(Exception):
    """A member of the request would be larger than any example needs. Carries its `name`."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


def expanded(request: Mapping[str, Any]) -> dict[str, Any]:
    """The request with its repetitions written out.

    Raises:
        TooLarge: nothing is written out that has more than 10 million characters or 100,000 items.
    """
    written = dict(request)
    for name in REPEATED:
        if name in written:
            items, characters = _size(written[name])
            if items > MAX_ITEMS or characters > MAX_CHARACTERS:
                message = (
                    f"makes {items:,} items with {characters:,} characters; "
                    f"{MAX_ITEMS:,} items and {MAX_CHARACTERS:,} characters are the most"
                )
                raise TooLarge(name, message)
            written[name] = _written_out(written[name])
    return written


def _size(value: Json) -> tuple[int, int]:
    """How many list items and characters a value has when it is written out."""
    if isinstance(value, str):
        return 0, len(value)
    if isinstance(value, list):
        sizes = [_size(item) for item in value]
        return len(value) + sum(items for items, _ in sizes), sum(characters for _, characters in sizes)
    if _is_repetition(value):
        items, characters = _size(value["$repeat"])
        return items * value["times"], characters * value["times"]
    return 0, 0


def _written_out(value: Json) -> Json:
    if isinstance(value, list):
        return [_written_out(item) for item in value]
    if _is_repetition(value):
        return _written_out(value["$repeat"]) * value["times"]
    return value


def _is_repetition(value: Json) -> bool:
    return isinstance(value, dict) and "$repeat" in value
