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
_TOO_DEEP = "(nested too deeply to be shown)"
_DELETE = 0x7F
_COLOURS = {"info": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[31m"}


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
        self._has_colour = form == "text" and stream.isatty() and not os.environ.get("NO_COLOR")
        self._second = -1
        self._day_and_second = ""

    @property
    def lost_lines(self) -> int:
        """How many lines nobody took."""
        return self._writer.lost_lines

    def write(self, *requests: tuple[Trace, Asked | None]) -> None:
        """Log requests; what was asked is looked at only when content is logged."""
        self._writer.write(b"".join([self._line(trace, asked) for trace, asked in requests]))

    def _line(self, trace: Trace, asked: Asked | None) -> bytes:
        content = _content(asked) if self._log_content and asked is not None else None
        level = _level(trace)
        if self._form == "json":
            return _json_line(_request_fields(self._now(), level, trace, content))
        return self._text_line(level, f"{trace.status or '-':>3}  {_sentence(trace, content)}")

    def event(self, name: str, level: Level = "info", **fields: Any) -> None:
        """Log what is no request: a start, a reload, a warning. Fields that are None are left out."""
        given = {key: value for key, value in fields.items() if value is not None}
        if self._form == "json":
            said = {key: value for key, value in given.items() if value != ""}
            self._writer.write(_json_line({"time": self._now(), "level": level, "event": name, **said}))
        else:
            told = "  ".join(f"{key}={visible(str(value))}" for key, value in given.items())
            self._writer.write(self._text_line(level, f"{'-':>3}  {visible(name)}  {told}".rstrip()))

    def flush(self) -> None:
        """Hand over what the stream did not take before, as far as it takes it now."""
        self._writer.flush()

    def _now(self) -> str:
        """The time as RFC 3339, in UTC, with milliseconds."""
        now = self._clock()
        second = int(now)
        if second != self._second:
            self._second, self._day_and_second = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._day_and_second}.{int((now - second) * 1000):03d}Z"

    def _text_line(self, level: str, rest: str) -> bytes:
        mark = f"{level:<7}"
        if self._has_colour:
            mark = f"{_COLOURS[level]}{mark}\x1b[0m"
        return f"{self._now()}  {mark}  {rest}\n".encode("utf-8", "backslashreplace")


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


def _request_fields(now: str, level: str, trace: Trace, content: Any) -> dict[str, Any]:
    """What a request's line holds. What does not apply to it is left out."""
    fields: dict[str, Any] = {
        "time": now,
        "level": level,
        "event": "rerank",
        "request_id": trace.request_id[:_MAX_NAME],
    }
    if trace.dialect:
        fields["dialect"] = trace.dialect
    if trace.model:
        fields["model"] = trace.model
    if trace.asked_model:
        fields["asked_model"] = trace.asked_model[:_MAX_NAME]
    if trace.deployment:
        fields["deployment"] = trace.deployment
    fields["status"] = trace.status
    fields["documents"] = trace.documents
    fields["request_bytes"] = trace.request_bytes
    fields["reply_bytes"] = trace.reply_bytes
    fields["seconds"] = round(trace.seconds, 6)
    fields["own_seconds"] = round(trace.own_seconds, 6)
    fields["upstream_seconds"] = round(trace.upstream_seconds, 6)
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
    if content is not None:
        fields["content"] = content
    return fields


def _json_line(fields: dict[str, Any]) -> bytes:
    """The fields as one line of JSON."""
    try:
        line = orjson.dumps(fields, default=str, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        # Half a surrogate pair, or a content too deep for the encoder.
        shown = {key: value if isinstance(value, int | float) else _shown(value, str) for key, value in fields.items()}
        line = orjson.dumps(shown, option=orjson.OPT_APPEND_NEWLINE)
    if line.isascii() and _DELETE not in line:
        return line  # JSON itself escapes all others that are no signs on their own.
    text = line[:-1].decode()
    return line if text.isprintable() else "".join(map(_escaped, text)).encode() + b"\n"


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


def _sentence(trace: Trace, content: Any) -> str:
    """A request for people: names and figures in columns, then what is out of the ordinary."""
    asked = trace.asked_model or trace.model or "-"
    name = visible(asked[:_MAX_NAME])
    answered = f"{name} -> {visible(trace.deployment)}" if trace.deployment else name
    parts = [
        f"{trace.dialect or '-':<10}",
        f"{answered:<44}",
        f"{trace.documents:>5} documents",
        f"{_milliseconds(trace.seconds)} (own {_milliseconds(trace.own_seconds).strip()})",
    ]
    if trace.retries:
        parts.append("tried " + ", ".join(f"{visible(one.deployment)}: {one.error or 'ok'}" for one in trace.attempts))
    if trace.fallbacks:
        parts.append("fallback " + " -> ".join(map(visible, trace.fallbacks)))
    if trace.degraded:
        parts.append(f"DEGRADED ({trace.degraded})")
    if trace.hedged:
        parts.append("hedged")
    if trace.upstream_requests > 1:
        parts.append(f"{trace.upstream_requests} upstream requests")
    if trace.cost_usd is not None:
        parts.append(f"${trace.cost_usd:.2g}")
    if trace.error:
        parts.append(
            f"{trace.error}: {visible(trace.log_error[:_MAX_EXPLANATION])}" if trace.log_error else trace.error
        )
    if content is not None:
        parts.append(" ".join(f"{name}={_shown(value, repr)}" for name, value in content.items()))
    return "  ".join([*parts, visible(trace.request_id[:_MAX_NAME])])


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:8.1f} ms"
