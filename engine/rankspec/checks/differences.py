"""Where what happens differs from what an example says: the place, a sentence, and a small diff."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson

from rankspec.models import Json, Path

MAX_DETAIL = 160
"""Characters in a line of a diff."""

MAX_MESSAGE = 400
"""Characters of a value in a message."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that goes otherwise than an example says.

    Attributes:
        path: where in the example the expectation stands.
        message: one sentence.
        cause: where in the spec the template, mapping or limit stands that made the difference, if it is known.
        details: a small diff: what was expected behind "- ", what came behind "+ ".
        code: the rule that the finding has.
        suggestion: what was likely meant.
        in_request: where in the example's request the fault lies, if it lies there.
    """

    path: Path
    message: str
    cause: Path | None = None
    details: tuple[str, ...] = ()
    code: str = "example-differs"
    suggestion: str | None = None
    in_request: Path | None = None


Cause = Callable[[Path], Path | None]
"""From a member of what was compared to where in the spec it comes from."""


def compare(expected: Json, actual: Json, path: Path, verb: str, cause: Cause) -> Iterator[Difference]:
    """Where two JSON values differ; 1 and 1.0 are the same, 1 and true are not.

    Args:
        path: where in the example `expected` stands.
        verb: what is done with `actual`: sends, returns, tells.
        cause: where in the spec a member of `actual` comes from, by its path in it.
    """
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in expected:
            if key in actual:
                yield from compare(expected[key], actual[key], (*path, key), verb, _below(cause, key))
            else:
                details = (f"- {_member(key)}{_cut(as_json(expected[key]))}",)
                yield Difference((*path, key), f"{verb} no {key}", cause((key,)), details)
        for key in [key for key in actual if key not in expected]:
            shown = as_json(actual[key])
            message = f"{verb} {key}: {_cut(shown, '', MAX_MESSAGE)}, which is not in the example"
            yield Difference(path, message, cause((key,)), (f"+ {_member(key)}{_cut(shown)}",))
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for position, (one, other) in enumerate(zip(expected, actual, strict=True)):
            yield from compare(one, other, (*path, position), verb, _below(cause, position))
    elif isinstance(expected, bool) is not isinstance(actual, bool) or expected != actual:
        one, other = as_json(expected), as_json(actual)
        message = f"{verb} {_cut(other, one, MAX_MESSAGE)}, not {_cut(one, other, MAX_MESSAGE)}"
        yield Difference(path, message, cause(()), diff(one, other, _member(path[-1])))


def diff(expected: str, actual: str, label: str = "") -> tuple[str, str]:
    """Two texts as a small diff, each cut around the first place where they differ."""
    return f"- {label}{_cut(expected, actual)}", f"+ {label}{_cut(actual, expected)}"


def as_json(value: Json) -> str:
    """Compact JSON; whole numbers may have any size."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _below(cause: Cause, key: str | int) -> Cause:
    return lambda path: cause((key, *path))


def _member(key: str | int) -> str:
    return f"{as_json(key)}: " if isinstance(key, str) else ""


def _cut(text: str, other: str = "", most: int = MAX_DETAIL) -> str:
    """The part of a long text that holds the first character in which it differs from the other one."""
    if len(text) <= most:
        return text
    inner = most - 6  # Room for dots at both ends.
    pairs = enumerate(zip(text, other, strict=False))
    differs = next((at for at, (one, another) in pairs if one != another), min(len(text), len(other)))
    start = max(0, min(differs - inner // 3, len(text) - inner))
    return f"{'...' if start else ''}{text[start : start + inner]}{'...' if start + inner < len(text) else ''}"
