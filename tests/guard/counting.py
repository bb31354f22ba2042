"""Counts what a piece of work makes Python and its native helpers do. No clock is read: every run counts the same.

Must be imported before rankspec, so that rankspec finds the counted helpers in place of the plain ones.
"""

from __future__ import annotations

import gc
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import jsonschema_rs
import msgspec
import orjson

_dumps, _loads, _validator_for, _decoder = orjson.dumps, orjson.loads, jsonschema_rs.validator_for, msgspec.json.Decoder
_UNCOUNTED = {__file__, __file__.replace("counting.py", "cases.py")}
_WARM_UPS = 2
"""Runs before the one that counts: the first fill caches."""


@dataclass
class Counts:
    """What one run of a piece of work did.

    Args:
        instructions: of Python's bytecode, in rankspec and in all that it calls.
        c_calls: calls of functions written in C.
        decoded, encoded, validated: bytes of JSON that orjson, msgspec and jsonschema-rs were handed.
        texts: characters of the texts, and bytes, whose own methods were called: encode, strip, replace and so on.
    """

    instructions: int = 0
    c_calls: int = 0
    decoded: int = 0
    encoded: int = 0
    validated: int = 0
    texts: int = 0


_now = Counts()
_is_counting = False


def count(work: Callable[[], object]) -> Counts:
    """What a piece of work does once it has been done before and its caches are filled."""
    global _now
    for _ in range(_WARM_UPS):
        work()
    _now = Counts()
    gc.collect()
    gc.disable()  # It would call back at moments that depend on all that ran before.
    try:
        for hook in (sys.settrace, sys.setprofile):
            with _counting(hook):
                work()
    finally:
        gc.enable()
    _now.decoded, _now.encoded, _now.validated = _now.decoded // 2, _now.encoded // 2, _now.validated // 2
    return _now


@contextmanager
def _counting(hook: Callable[[Any], None]) -> Iterator[None]:
    global _is_counting
    _is_counting = True
    hook(_begin_frame if hook is sys.settrace else _profile)
    try:
        yield
    finally:
        hook(None)
        _is_counting = False


def _begin_frame(frame: FrameType, event: str, argument: object) -> Any:
    if frame.f_code.co_filename in _UNCOUNTED:
        return None
    frame.f_trace_opcodes, frame.f_trace_lines = True, False
    return _trace


def _trace(frame: FrameType, event: str, argument: object) -> Any:
    if event == "opcode" and _is_counting:
        _now.instructions += 1
    return _trace


def _profile(frame: FrameType, event: str, function: Any) -> None:
    if event == "c_call" and _is_counting and frame.f_code.co_filename not in _UNCOUNTED:
        _now.c_calls += 1
        owner = getattr(function, "__self__", None)
        if isinstance(owner, str | bytes | bytearray):
            _now.texts += len(owner)


@contextmanager
def _pausing() -> Iterator[None]:
    """What the counting itself does is not counted."""
    global _is_counting
    before, _is_counting = _is_counting, False
    try:
        yield
    finally:
        _is_counting = before


def _add(name: str, size: int) -> None:
    if _is_counting:
        setattr(_now, name, getattr(_now, name) + size)


def _counted_dumps(value: Any, *arguments: Any, **named: Any) -> bytes:
    written = _dumps(value, *arguments, **named)
    _add("encoded", len(written))
    return written


def _counted_loads(text: Any) -> Any:
    _add("decoded", len(text))
    return _loads(text)


class _CountedDecoder:
    """A decoder of msgspec's that counts what it is handed."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._native = _decoder(*arguments, **named)

    def decode(self, text: Any) -> Any:
        _add("decoded", len(text))
        return self._native.decode(text)


class _CountedValidator:
    """A validator of jsonschema-rs that counts what it is handed."""

    def __init__(self, native: Any) -> None:
        self._native = native

    def is_valid(self, value: Any) -> bool:
        with _pausing():
            size = len(_dumps(value, default=list))
        _add("validated", size)
        return bool(self._native.is_valid(value))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._native, name)


def _counted_validator_for(*arguments: Any, **named: Any) -> _CountedValidator:
    return _CountedValidator(_validator_for(*arguments, **named))


def install() -> None:
    """Put the counted helpers in place, and clocks that advance by a millionth of a second when they are read.

    What is done with a duration or a date, such as looking for its place in a histogram, would else differ from run to
    run.
    """
    orjson.dumps, orjson.loads = _counted_dumps, _counted_loads
    jsonschema_rs.validator_for, msgspec.json.Decoder = _counted_validator_for, _CountedDecoder
    ticks = itertools.count(1_000_000_000, 1000)
    time.monotonic_ns = time.perf_counter_ns = ticks.__next__
    time.monotonic = time.perf_counter = lambda: next(ticks) / 1e9
    time.time = lambda: 1_700_000_000 + next(ticks) / 1e9
