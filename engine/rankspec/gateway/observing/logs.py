"""What operators read: one line for each request and event, as JSON or for people. Never waits for who reads it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, TextIO

import orjson

from rankspec.gateway.observing.lines import LineWriter
from rankspec.gateway.values import Asked, Trace
from rankspec.reports.excerpt import visible

Form = Literal["json", "text"]
Level = Literal["info", "warning", "error"]

_MAX_NAME = 200
_MAX_EXPLANATION = 2000
_NAMES = ("dialect", "model", "asked_model", "deployment")
_TOO_DEEP = "(nested too deeply to be shown)"
_COLUMNS = "%3s  %-10s  %-44s  %5d documents  %8.1f ms (own %.1f ms)"
_TIME = "%s.%03dZ"
"""Filled in in half the time that an f-string takes for as many widths."""

_DELETE = 0x7F
_COLOURS: dict[Level, str] = {"info": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[31m"}


class AccessLog:
    """Writes one line for each request and for each event.

    Text of callers is cut to a bounded length and shown with escapes for whatever is no sign on its own: it can
    neither begin a line nor drive a terminal. Errors of the stream are swallowed: see `LineWriter`.

    Args:
        stream: where lines go.
        form: "json" for machines, "text" for people; coloured if the stream is a terminal and NO_COLOR is not set.
        log_content: whether lines hold queries and documents.
        clock: seconds since 1970.
    """

    def __init__(
        self, stream: TextIO, form: Form, log_content: bool = False, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._writer = LineWriter(stream)
        self._form = form
        self._log_content = log_content
        self._clock = clock
        has_colour = form == "text" and stream.isatty() and not os.environ.get("NO_COLOR")
        self._marks = {level: _mark(level, colour if has_colour else None) for level, colour in _COLOURS.items()}
        self._second = -1
        self._day_and_second = ""

    @property
    def lost_lines(self) -> int:
        """How many lines nobody took."""
        return self._writer.lost_lines

    def write(self, *requests: tuple[Trace, Asked | None]) -> None:
        """Log requests that ended together; what was asked is looked at only when content is logged.

        Whatever is raised by a value that no line can hold, none of them is written then.
        """
        now, shows = self._now(), self._log_content
        if self._form == "json":
            told = [_encoded(_request_fields(now, trace, asked if shows else None)) for trace, asked in requests]
            lines = _of_signs(b"".join(told))
        else:
            lines = b"".join([self._request_text(now, trace, asked if shows else None) for trace, asked in requests])
        self._writer.write(lines)

    def event(self, name: str, level: Level = "info", **fields: Any) -> None:
        """Log what is no request: a start, a reload, a warning. Fields that are None are left out."""
        given = {key: value for key, value in fields.items() if value is not None}
        if self._form == "json":
            said = {key: value for key, value in given.items() if value != ""}
            self._writer.write(_of_signs(_encoded({"time": self._now(), "level": level, "event": name, **said})))
        else:
            told = "  ".join(f"{key}={visible(str(value))}" for key, value in given.items())
            self._writer.write(self._text_line(self._now(), level, f"{'-':>3}  {visible(name)}  {told}".rstrip()))

    def flush(self) -> None:
        """Hand over what the stream did not take before, as far as it takes it now."""
        self._writer.flush()

    def _now(self) -> str:
        """The time as RFC 3339, in UTC, with milliseconds."""
        now = self._clock()
        second = int(now)
        if second != self._second:
            self._second, self._day_and_second = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return _TIME % (self._day_and_second, (now - second) * 1000)

    def _request_text(self, now: str, trace: Trace, asked: Asked | None) -> bytes:
        return self._text_line(now, _level(trace), _sentence(trace, asked))

    def _text_line(self, now: str, level: Level, rest: str) -> bytes:
        return f"{now}  {self._marks[level]}  {rest}\n".encode("utf-8", "backslashreplace")


def _mark(level: Level, colour: str | None) -> str:
    mark = f"{level:<7}"
    return f"{colour}{mark}\x1b[0m" if colour else mark


def _content(asked: Asked) -> dict[str, Any]:
    """Query and documents, as plain values."""
    documents = asked.values.get("documents")
    if isinstance(documents, Sequence) and not isinstance(documents, str):
        documents = list(documents)
    return {"query": asked.values.get("query"), "documents": documents}


def _level(trace: Trace) -> Level:
    if trace.status >= 500:
        return "error"
    return "warning" if trace.status >= 400 or trace.degraded else "info"


def _request_fields(now: str, trace: Trace, asked: Asked | None) -> dict[str, Any]:
    """What a request's line holds. What does not apply to it is left out."""
    asked_model = trace.asked_model or ""
    fields: dict[str, Any] = {
        "time": now,
        "level": _level(trace),
        "event": "rerank",
        "request_id": trace.request_id[:_MAX_NAME],
        "dialect": trace.dialect,
        "model": trace.model,
        "asked_model": asked_model[:_MAX_NAME],
        "deployment": trace.deployment,
        "status": trace.status,
        "documents": trace.documents,
        "request_bytes": trace.request_bytes,
        "reply_bytes": trace.reply_bytes,
        # To the microsecond, in half the time of round(..., 6).
        "seconds": round(trace.seconds * 1e6) / 1e6,
        "own_seconds": round(trace.own_seconds * 1e6) / 1e6,
        "upstream_seconds": round(trace.upstream_seconds * 1e6) / 1e6,
    }
    if not (trace.dialect and trace.model and asked_model and trace.deployment):
        fields = {name: value for name, value in fields.items() if value or name not in _NAMES}
    if trace.waited_seconds:
        fields["waited_seconds"] = round(trace.waited_seconds, 6)
    attempts = trace.attempts
    if len(attempts) > 1 or (attempts and attempts[0].error):
        if trace.retries:
            fields["retries"] = trace.retries
        fields["attempts"] = [
            {"deployment": one.deployment, "seconds": round(one.seconds, 6), "error": one.error} for one in attempts
        ]
    if trace.fallbacks:
        fields["fallbacks"] = trace.fallbacks
    if trace.degraded:
        fields["degraded"] = trace.degraded
    if trace.hedged:
        fields["hedged"] = True
    if trace.upstream_requests:
        fields["upstream_requests"] = trace.upstream_requests
    if trace.warnings:
        fields["warnings"] = trace.warnings
    if trace.error:
        fields["error"] = trace.error
    if trace.cost_usd is not None:
        fields["cost_usd"] = trace.cost_usd
    if trace.log_error:
        fields["log_error"] = trace.log_error[:_MAX_EXPLANATION]
    if asked is not None:
        fields["content"] = _content(asked)
    return fields


def _encoded(fields: dict[str, Any]) -> bytes:
    """The fields as one line of JSON."""
    try:
        return orjson.dumps(fields, default=str, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        # Half a surrogate pair, or a content too deep for the encoder.
        shown = {key: value if isinstance(value, int | float) else _shown(value, str) for key, value in fields.items()}
        return orjson.dumps(shown, option=orjson.OPT_APPEND_NEWLINE)


def _of_signs(lines: bytes) -> bytes:
    """Lines of JSON, with escapes for whatever is no sign on its own."""
    if lines.isascii() and _DELETE not in lines:
        return lines  # JSON itself escapes all others.
    return "\n".join(map(_escaped_line, lines.decode().split("\n"))).encode()


def _escaped_line(line: str) -> str:
    return line if line.isprintable() else "".join(map(_escaped, line))


def _shown(value: Any, as_text: Callable[[Any], str]) -> str:
    """A value as text. What a caller sent may be deeper than Python shows, and others' lines are written with its."""
    try:
        return visible(as_text(value))
    except RecursionError:
        return _TOO_DEEP


def _escaped(character: str) -> str:
    """JSON's escape for a character that is no sign on its own."""
    if character.isprintable():
        return character
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _sentence(trace: Trace, asked: Asked | None) -> str:
    """A request for people: names and figures in columns, then what is out of the ordinary."""
    name = (trace.asked_model or trace.model or "-")[:_MAX_NAME]
    answered = visible(f"{name} -> {trace.deployment}" if trace.deployment else name)
    milliseconds, own_milliseconds = trace.seconds * 1000, trace.own_seconds * 1000
    columns = trace.status or "-", trace.dialect or "-", answered, trace.documents, milliseconds, own_milliseconds
    parts = [_COLUMNS % columns]
    if len(trace.attempts) > 1:
        parts.append("tried " + ", ".join(f"{one.deployment}: {one.error or 'ok'}" for one in trace.attempts))
    if trace.fallbacks:
        parts.append("fallback " + " -> ".join(trace.fallbacks))
    if trace.degraded:
        parts.append(f"DEGRADED ({trace.degraded})")
    if trace.hedged:
        parts.append("hedged")
    if trace.upstream_requests > 1:
        parts.append(f"{trace.upstream_requests} upstream requests")
    if trace.cost_usd is not None:
        parts.append(f"${trace.cost_usd:.2g}")
    if trace.error:
        parts.append(f"{trace.error}: {trace.log_error[:_MAX_EXPLANATION]}" if trace.log_error else trace.error)
    if asked is not None:
        parts.append(" ".join(f"{name}={_shown(value, repr)}" for name, value in _content(asked).items()))
    parts.append(trace.request_id[:_MAX_NAME])
    return visible("  ".join(parts))
