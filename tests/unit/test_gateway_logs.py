"""One line for each request and event, which nobody else can write, and which never holds anyone up."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankspec.gateway.observing.lines import MAX_PENDING_BYTES, LineWriter
from rankspec.gateway.observing.logs import AccessLog, Form
from rankspec.gateway.values import Asked, Attempt, Trace

NOON = 1795435200.25


def a_trace(**more: object) -> Trace:
    trace = Trace(
        "id-1",
        "cohere_v2",
        asked_model="rerank-v3.5",
        model="rerank-v3.5",
        deployment="cohere-1",
        documents=100,
        request_bytes=2048,
        reply_bytes=512,
        status=200,
        attempts=[Attempt("cohere-1", 0.12)],
        upstream_requests=1,
        upstream_seconds=0.12,
        receive_seconds=0.001,
        seconds=0.1225,
    )
    for name, value in more.items():
        setattr(trace, name, value)
    return trace


def written(trace: Trace, asked: Asked | None = None, *, form: Form = "json", log_content: bool = False) -> str:
    stream = io.StringIO()
    AccessLog(stream, form, log_content, clock=lambda: NOON).write((trace, asked))
    return stream.getvalue()


def test_a_plain_answer_is_one_line_of_json_without_what_does_not_apply() -> None:
    line = written(a_trace())

    assert line.count("\n") == 1
    assert json.loads(line) == {
        "time": "2026-11-23T12:00:00.250Z",
        "level": "info",
        "event": "rerank",
        "request_id": "id-1",
        "dialect": "cohere_v2",
        "model": "rerank-v3.5",
        "asked_model": "rerank-v3.5",
        "deployment": "cohere-1",
        "status": 200,
        "documents": 100,
        "request_bytes": 2048,
        "reply_bytes": 512,
        "seconds": 0.1225,
        "own_seconds": 0.0015,
        "upstream_seconds": 0.12,
        "upstream_requests": 1,
    }


@pytest.mark.parametrize("nothing", [None, ""], ids=["none", "empty"])
@pytest.mark.parametrize("name", ["dialect", "model", "asked_model", "deployment"])
def test_a_name_that_there_is_not_is_left_out(name: str, nothing: str | None) -> None:
    whole, without = json.loads(written(a_trace())), json.loads(written(a_trace(**{name: nothing})))

    del whole[name]
    assert list(without.items()) == list(whole.items())


def test_nothing_at_all_is_told_with_what_every_line_has() -> None:
    assert json.loads(written(Trace("id-1"))) == {
        "time": "2026-11-23T12:00:00.250Z",
        "level": "info",
        "event": "rerank",
        "request_id": "id-1",
        "status": 0,
        "documents": 0,
        "request_bytes": 0,
        "reply_bytes": 0,
        "seconds": 0.0,
        "own_seconds": 0.0,
        "upstream_seconds": 0.0,
    }


@given(st.floats(0, 1000), st.floats(0, 1000))
def test_times_are_told_to_the_microsecond(seconds: float, upstream_seconds: float) -> None:
    line = json.loads(written(a_trace(seconds=seconds, upstream_seconds=upstream_seconds, receive_seconds=0.0)))

    told = {
        "seconds": seconds,
        "own_seconds": max(0.0, seconds - upstream_seconds),
        "upstream_seconds": upstream_seconds,
    }
    for name, amount in told.items():
        assert line[name] == pytest.approx(amount, abs=0.51e-6)
        assert line[name] == round(line[name], 6)
        assert isinstance(line[name], float)


def test_retries_fallbacks_hedging_and_cost_are_told() -> None:
    trace = a_trace(
        attempts=[Attempt("cohere-1", 0.1, "TimedOut"), Attempt("local", 0.02)],
        fallbacks=["local/bm25"],
        degraded="fallback",
        hedged=True,
        waited_seconds=0.0001,
        cost_usd=0.002,
        warnings=1,
    )

    line = json.loads(written(trace))

    assert {name: line.get(name) for name in ("level", "retries", "attempts", "fallbacks", "degraded", "hedged")} == {
        "level": "warning",
        "retries": 1,
        "attempts": [
            {"deployment": "cohere-1", "seconds": 0.1, "error": "TimedOut"},
            {"deployment": "local", "seconds": 0.02, "error": None},
        ],
        "fallbacks": ["local/bm25"],
        "degraded": "fallback",
        "hedged": True,
    }
    assert (line["waited_seconds"], line["cost_usd"], line["warnings"]) == (0.0001, 0.002, 1)


@pytest.mark.parametrize(
    ("status", "level"),
    [(200, "info"), (404, "warning"), (429, "warning"), (503, "error")],
    ids=["an answer", "not found", "too many", "unavailable"],
)
def test_the_level_follows_the_status(status: int, level: str) -> None:
    assert json.loads(written(a_trace(status=status)))["level"] == level


def test_an_error_is_told_with_what_is_for_the_operator_alone() -> None:
    line = json.loads(written(a_trace(status=503, error="ConnectFailed", log_error="no connection to cohere")))

    assert (line["error"], line["log_error"]) == ("ConnectFailed", "no connection to cohere")


@pytest.mark.parametrize("form", ["json", "text"])
def test_content_is_logged_only_when_asked_for(form: Form) -> None:
    asked = Asked("m", {"query": "a secret question", "documents": ["a secret text"]})

    assert "secret" not in written(a_trace(), asked, form=form)
    shown = written(a_trace(), asked, form=form, log_content=True)
    assert "a secret question" in shown
    assert "a secret text" in shown


NASTY = 'x\n{"event":"forged"}\r\x1b[31m\x9b2J\x7f\u202e\u2028\U000e0001'


@pytest.mark.parametrize("form", ["json", "text"])
def test_text_of_callers_neither_begins_a_line_nor_drives_a_terminal(form: Form) -> None:
    line = written(a_trace(asked_model=NASTY, request_id=NASTY), form=form)

    assert line.endswith("\n")
    assert line[:-1].isprintable()


def test_json_keeps_text_of_callers_as_it_was() -> None:
    assert json.loads(written(a_trace(asked_model=NASTY)))["asked_model"] == NASTY


@pytest.mark.parametrize("form", ["json", "text"])
def test_half_a_surrogate_pair_does_not_break_the_log(form: Form) -> None:
    assert "half \\" in written(a_trace(asked_model="half \ud800"), form=form)


def test_content_that_no_encoder_takes_is_shown_as_text() -> None:
    deep: list[object] = []
    for _ in range(300):
        deep = [deep]
    asked = Asked("m", {"query": "q", "documents": [{"text": deep}]})

    assert isinstance(json.loads(written(a_trace(), asked, log_content=True))["content"], str)


def test_of_lines_that_come_together_each_is_escaped_as_it_is_alone() -> None:
    traces = [a_trace(), a_trace(asked_model=NASTY), a_trace(asked_model="caf\u00e9"), a_trace(asked_model="\x7f")]
    stream = io.StringIO()
    AccessLog(stream, "json", clock=lambda: NOON).write(*((trace, None) for trace in traces))

    assert stream.getvalue() == "".join(map(written, traces))


def test_people_read_escapes_wherever_a_name_stands() -> None:
    trace = a_trace(
        attempts=[Attempt("a\n", 0.1, "TimedOut"), Attempt("b\x1b", 0.02)],
        fallbacks=["c\u2028"],
        error="Refused",
        log_error="d\x7f",
    )

    line = written(trace, form="text")

    assert line[:-1].isprintable()
    assert "tried a\\n: TimedOut, b\\x1b: ok  fallback c\\u2028  Refused: d\\x7f  id-1\n" in line


def test_a_long_name_is_cut() -> None:
    assert len(written(a_trace(asked_model="x" * 1_000_000, request_id="y" * 1_000_000))) < 1000


def test_people_read_columns() -> None:
    trace = a_trace(cost_usd=0.002, attempts=[Attempt("a", 0.1, "TimedOut"), Attempt("cohere-1", 0.02)])

    assert written(trace, form="text") == (
        "2026-11-23T12:00:00.250Z  info     200  cohere_v2   rerank-v3.5 -> cohere-1                         "
        "100 documents     122.5 ms (own 1.5 ms)  tried a: TimedOut, cohere-1: ok  $0.002  id-1\n"
    )


def test_events_are_lines_too() -> None:
    stream = io.StringIO()
    AccessLog(stream, "json", clock=lambda: NOON).event("start", host="::1", port=4000, config=None)
    AccessLog(stream, "text", clock=lambda: NOON).event("reload", "warning", findings=2, file="a\nb")

    assert stream.getvalue() == (
        '{"time":"2026-11-23T12:00:00.250Z","level":"info","event":"start","host":"::1","port":4000}\n'
        "2026-11-23T12:00:00.250Z  warning    -  reload  findings=2  file=a\\nb\n"
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("no_colour", "is_coloured"), [("", True), ("1", False)], ids=["as usual", "NO_COLOR"])
def test_a_terminal_gets_colour_unless_it_is_refused(
    no_colour: str, is_coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", no_colour)
    stream = Terminal()

    AccessLog(stream, "text").write((a_trace(), None))

    assert ("\x1b[32minfo   \x1b[0m" in stream.getvalue()) is is_coloured


def test_the_clock_is_read_for_every_line() -> None:
    times = iter([NOON, NOON + 0.5, NOON + 60])
    stream = io.StringIO()
    log = AccessLog(stream, "json", clock=lambda: next(times))

    for _ in range(3):
        log.event("tick")

    assert [json.loads(line)["time"][11:] for line in stream.getvalue().splitlines()] == [
        "12:00:00.250Z",
        "12:00:00.750Z",
        "12:01:00.250Z",
    ]


def test_a_file_has_whole_lines_in_order(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as stream:
        stream.write("before\n")
        writer = LineWriter(stream)
        for number in range(1000):
            writer.write(b"%d %s\n" % (number, b"x" * 5000))

    lines = (tmp_path / "log").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["before", *map(str, range(1000))]


def a_pipe() -> tuple[int, TextIO]:
    read, write = os.pipe()
    return read, os.fdopen(write, "w")


def test_a_reader_that_is_gone_costs_lines_and_nothing_else() -> None:
    read, stream = a_pipe()
    log = AccessLog(stream, "json")
    os.close(read)

    log.write((a_trace(), None))
    log.event("stop")

    assert log.lost_lines == 2
    stream.close()
    log.write((a_trace(), None))
    assert log.lost_lines == 3


def test_a_reader_that_does_not_read_holds_nobody_up_and_gets_what_waited_once_it_reads() -> None:
    read, stream = a_pipe()
    os.set_blocking(read, False)
    writer = LineWriter(stream)
    line = b"x" * 999 + b"\n"
    written = 2 * MAX_PENDING_BYTES // len(line)

    for _ in range(written):
        writer.write(line)
    lost = writer.lost_lines
    received = b""
    for _ in range(1000):
        writer.flush()
        try:
            received += os.read(read, 1 << 20)
        except BlockingIOError:
            break

    assert 0 < lost < written
    assert received == line * (written - lost)
    assert writer.flush()
    stream.close()
    os.close(read)


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What is written at a time."""
    noted: list[bytes] = []
    write = os.write

    def note(descriptor: int, data: bytes) -> int:
        noted.append(bytes(data))
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", note)
    return noted


def test_lines_that_come_together_go_out_together(tmp_path: Path, writes: list[bytes]) -> None:
    with (tmp_path / "log").open("w") as stream:
        LineWriter(stream).write(b"one\ntwo\nthree\n" * 1000)

    assert writes == [b"one\ntwo\nthree\n" * 1000]


def test_a_pipe_gets_whole_lines_among_which_no_other_process_writes(writes: list[bytes]) -> None:
    lines = [b"%03d %s\n" % (number, b"x" * 300) for number in range(100)]
    read, stream = a_pipe()
    LineWriter(stream).write(b"".join(lines))
    stream.close()
    os.close(read)

    assert len(writes) == 8
    assert all(len(one) <= 4096 and one.endswith(b"\n") for one in writes)
    assert b"".join(writes) == b"".join(lines)


def test_of_lines_that_come_together_those_wait_for_which_there_is_room() -> None:
    read, stream = a_pipe()
    writer = LineWriter(stream)
    line = b"x" * 999 + b"\n"
    writer.write(line * 200)  # More than a pipe takes.
    writer.write(line * 2 * (MAX_PENDING_BYTES // len(line)))
    received, taken = b"", b"first"
    os.set_blocking(read, False)
    while taken:
        writer.flush()
        try:
            taken = os.read(read, 1 << 20)
        except BlockingIOError:
            break
        received += taken
    stream.close()
    os.close(read)

    assert received == line * (200 + 2 * (MAX_PENDING_BYTES // len(line)) - writer.lost_lines)
    assert writer.lost_lines > 0


def test_several_requests_have_a_line_each() -> None:
    stream = io.StringIO()
    AccessLog(stream, "json").write(*((a_trace(request_id=name), None) for name in ("one", "two")))
    assert [json.loads(line)["request_id"] for line in stream.getvalue().splitlines()] == ["one", "two"]


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_content_too_deep_to_show_costs_no_other_request_its_line(form: Form) -> None:
    stream = io.StringIO()
    deep = json.loads("[" * 900 + "]" * 900)
    for _ in range(200):
        deep = [deep]
    asked = Asked(None, {"query": "q", "documents": [{"text": "a", "more": deep}]})
    AccessLog(stream, form, log_content=True).write((a_trace(request_id="id-deep"), asked), (a_trace(), None))
    lines = stream.getvalue().splitlines()
    assert ["id-deep" in line for line in lines] == [True, False]
    assert "nested too deeply" in lines[0]
