"""The text of a recorded reply: taken apart into status and body, and whether it is an error."""

from __future__ import annotations

import re
from dataclasses import dataclass

import orjson

from rankspec.drafting.names import is_in
from rankspec.models import Json

ERROR_MESSAGES = ("error.message", "message", "detail", "error")
"""Where most providers say what was wrong, the surest first."""

_STATUS_LINE = re.compile(r"HTTP/[0-9.]+ ([0-9]{3})[^\n]*\n")
_ERROR = frozenset(("error", "errors", "detail", "details", "message", "msg", "error_message", "error_msg", "fault"))
_RESULTS = frozenset(("results", "result", "data", "rankings", "scores", "output", "predictions"))


@dataclass(frozen=True, slots=True)
class Recording:
    """A reply as it was recorded: its status, 200 where none stands in it, and the text of its body."""

    status: int
    text: str

    @property
    def has_failed(self) -> bool:
        """Whether the status is that of an error."""
        return not 200 <= self.status < 300


def read_recording(text: str) -> Recording:
    """A reply with or without its headers, as curl -i writes them."""
    status = 200
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").lstrip()
    while match := _STATUS_LINE.match(text):
        status = int(match.group(1))
        text = text.partition("\n\n")[2].lstrip()
    return Recording(status, text)


def is_error(reply: Json) -> bool:
    """Whether a reply without scores says what was wrong, itself or in the one member it has."""
    if not isinstance(reply, dict):
        return False
    if any(is_in(name, _RESULTS) and value is not None for name, value in reply.items()):
        return False
    if any(is_in(name, _ERROR) and value for name, value in reply.items()):
        return True
    return len(reply) == 1 and is_error(next(iter(reply.values())))


def message_place(text: str) -> str | None:
    """Which of ERROR_MESSAGES gives the message of an error; None if none does, or it is no JSON."""
    try:
        reply = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    for place in ERROR_MESSAGES:
        found = reply
        for name in place.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        if isinstance(found, str):
            return place
    return None
