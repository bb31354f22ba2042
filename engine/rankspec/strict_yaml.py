"""YAML to plain values and their positions, without YAML's surprises.

A plain scalar is true, false, null, a JSON number or text; whatever YAML 1.1 or its readers would take
for something else (a date, 12:30, no, 0x1F, 1_000) is an error that asks for quotes. Anchors, aliases,
tags and repeated keys are errors. Reads text only; opens no file.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import yaml

from rankspec.models import Finding, Json, Path, Problem, Related, Severity
from rankspec.yaml_aliases import MERGE_KEY, AliasFault, expanded, merge_sources

MAX_CHARACTERS = 1_000_000
MAX_DEPTH = 60

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_CONSTANTS = {"true": True, "false": False, "null": None}
_WORDS = {
    **dict.fromkeys(("yes", "no", "on", "off"), "is a boolean to some YAML readers"),
    **dict.fromkeys(("true", "false", "null", "~"), "is written true, false or null here"),
    **dict.fromkeys(("<<", "="), "has a meaning of its own in YAML"),
}
"""Words that YAML readers take for something else than text, in any case."""
_NUMERIC = frozenset("0123456789+-.")
_SURPRISES = (
    (r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt\s].*)?", "is a date to YAML readers"),
    (r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?", "is a number in base 60 to YAML readers"),
    (r"[-+]?(?:0[xX][0-9a-fA-F_]+|0[oO]?[0-7_]+|0[bB][01_]+)", "is a number in another base to YAML readers"),
    (r"[-+]?\.(?:inf|Inf|INF|nan|NaN|NAN)", "is not a finite number"),
    (r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?", "is not written like a JSON number"),
)
"""What begins like a number and is none of JSON's. Few files have any: each is compiled when it is looked for."""
_WAYS_OUT = "write what is meant: {} for an object without members, [] for an empty list, '' for text, or null"
_UNREADABLE = yaml.reader.Reader.NON_PRINTABLE
_AT_ITS_START = (
    ("while scanning a simple key", "a colon is missing behind this key"),
    ("while scanning a quoted scalar", "this quote is never closed"),
)
"""Faults that the parser notices only lines later, by what it was doing."""

# Patterns that only places and findings need. Few calls do: they are compiled, and kept by re, when they are used.
_EXPRESSION = r"\{\{.*?\}\}"
_LINE_BREAK = "\r\n|[\n\r\x85\u2028\u2029]"
_ESCAPE = r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[^xuU\r\n])"
_ESCAPED_SPACES = "xuUtnrNLP_ \tvfe"
_SPACE = " \t\n\r\x85\u2028\u2029"
"""What folding and indentation are made of; no other white space."""

_FOLDED = rf"(?:[{_SPACE}]|\\\r?\n)*"
_SPACES = rf"[{_SPACE}]*"


@dataclass(frozen=True, slots=True)
class Mark:
    """Where something starts: line and column, from 1. `start` and `end` are its characters in the file's text."""

    line: int
    column: int
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass
class YamlFile:
    """A read file: its value, and where each key and value stands, by path."""

    name: str
    text: str = ""
    data: Json = None
    keys: dict[Path, Mark] = field(default_factory=dict)
    values: dict[Path, Mark] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    is_complete: bool = False
    """Whether the file was read to its end, so that what is wrong with it elsewhere can be said too."""

    def mark(self, path: Path, *, of_key: bool = False) -> Mark:
        """Where `path` stands, or the nearest part of it that is in the file."""
        while True:
            if of_key and path in self.keys:
                return self.keys[path]
            if path in self.values:
                return self.values[path]
            if not path:
                return Mark(1, 1)
            path = path[:-1]

    def finding(
        self, code: str, path: Path, message: str, *, of_key: bool = False, severity: Severity = "error", **more: Any
    ) -> Finding:
        """What is wrong at `path`; `more` are further attributes of the finding."""
        mark = self.mark(path, of_key=of_key)
        # What an inherited part is about stands in another file: here only the nearest part of the path is meant.
        is_here = path in (self.keys if of_key else self.values)
        end = self._end_column(mark) if is_here else 0
        return Finding(severity, code, self.name, mark.line, mark.column, path, message, **{"end_column": end, **more})

    def finding_of(self, problem: Problem, *, of_key: bool = False, severity: Severity = "error") -> Finding:
        """The finding that a problem with the file's value is, at the very characters that it is about."""
        mark = self.values.get(problem.path)
        related: tuple[Related, ...] = ()
        if problem.related in self.keys:
            at = self.keys[problem.related]
            related = (Related(at.line, at.column, "this decides it"),)
        if problem.offset is not None and mark is not None and not of_key:
            source, places = self._source_of(problem.path, mark)
            if places is not None:
                line, column = self.line_and_column(mark.start + places[min(problem.offset, len(places) - 1)])
                last = min(problem.offset + max(problem.length, 1), len(places)) - 1
                end_line, end_column = self.line_and_column(mark.start + _end_of(source, places[last]))
                return Finding(
                    severity,
                    problem.code,
                    self.name,
                    line,
                    column,
                    problem.path,
                    problem.message,
                    end_column if end_line == line and column < end_column <= self._width(line) + 1 else 0,
                    problem.suggestion,
                    related,
                )
        return self.finding(
            problem.code,
            problem.path,
            problem.message,
            of_key=of_key,
            severity=severity,
            suggestion=problem.suggestion,
            related=related,
        )

    def value_at(self, path: Path) -> Json:
        """What stands at a path of the file's value, or None."""
        value = self.data
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None  # Of two equal keys only the last one's value is kept.
        return value

    def _source_of(self, path: Path, mark: Mark) -> tuple[str, list[int] | None]:
        """A value as it is written, and where each of its characters stands there."""
        # A long text with many problems is followed once.
        if path not in self._sources:
            source, value = self.text[mark.start : mark.end], self.value_at(path)
            self._sources[path] = source, _places(source, value) if isinstance(value, str) else None
        return self._sources[path]

    @cached_property
    def _sources(self) -> dict[Path, tuple[str, list[int] | None]]:
        return {}

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(found.end() for found in re.finditer(_LINE_BREAK, self.text))]

    def _width(self, line: int) -> int:
        start = self._line_starts[line - 1]
        end = self._line_starts[line] if line < len(self._line_starts) else len(self.text)
        while end > start and self.text[end - 1] in "\r\n":
            end -= 1
        return end - start

    def line_and_column(self, index: int) -> tuple[int, int]:
        """Line and column, from 1, of a character of the text."""
        line = bisect_right(self._line_starts, index)
        return line, index - self._line_starts[line - 1] + 1

    def _end_column(self, mark: Mark) -> int:
        """Behind a scalar's last character, if it ends in the line that it starts in."""
        text = self.text[mark.start : mark.end]
        return 0 if not text or re.search(_LINE_BREAK, text) else mark.column + len(text)


def _places(source: str, value: str) -> list[int] | None:
    """Where in a scalar's source each character of its value stands, and where the value ends; None if that is unclear.

    Folding, indentation and quoting add and take away white space and marks only: all else stands in its order.
    """
    at, end = 0, len(source)
    quote = source[:1] if source[:1] in "'\"" else ""
    if quote:
        at, end = 1, end - 1
    elif source[:1] in "|>":
        header = re.search(_LINE_BREAK, source)
        at = header.end() if header else end
    folded, spaces, escapes = re.compile(_FOLDED), re.compile(_SPACES), re.compile(_ESCAPE)
    places: list[int] = []
    for character in value:
        escape = None
        if quote == '"':
            # What stands before an escape is white space that was folded, unless the value has it too.
            skipped = folded.match(source, at)
            before = skipped.end() if skipped else at
            escape = escapes.match(source, before)
            if escape and not (character in _SPACE and source[at : at + 1] == character):
                at = before
                places.append(at)
                if character not in _SPACE or escape.group(1)[0] in _ESCAPED_SPACES:
                    at = escape.end()
                continue
        if character not in _SPACE:
            skipped = (folded if quote == '"' else spaces).match(source, at)
            at = skipped.end() if skipped else at
            if source[at : at + 1] != character:
                return None
        places.append(min(at, max(end - 1, 0)))
        if source[at : at + 1] == character:
            at += 2 if quote == "'" == character else 1
    return [*places, min(at, end)]


def _end_of(source: str, place: int) -> int:
    """Behind what stands for one character of a scalar's value: an escape is several characters long."""
    if source[:1] == '"' and (escape := re.compile(_ESCAPE).match(source, place)):
        return escape.end()
    return place + (2 if source[:1] == "'" and source.startswith("''", place) else 1)


def read_yaml(text: str, name: str, *, aliases: bool = False) -> YamlFile:
    """The file's value and positions; what is wrong with it is in `findings`, and `data` is then incomplete.

    Args:
        aliases: read anchors, aliases and merge keys, which are findings otherwise.
    """
    text = text.removeprefix("\ufeff")  # A mark of the encoding, which stands in no column.
    reader = _Reader(YamlFile(name, text), aliases=aliases)
    if len(text) > MAX_CHARACTERS:
        reader.report(
            "yaml-too-large", Mark(1, 1), f"the file has {len(text)} characters; {MAX_CHARACTERS} is the most"
        )
        return reader.file
    if unreadable := _UNREADABLE.search(text):
        # The parsers would say so too, but not in which line.
        lines = re.split(_LINE_BREAK, text[: unreadable.start()])
        message = f"the character U+{ord(unreadable.group()):04X} cannot stand in a YAML file"
        reader.report("yaml-syntax", Mark(len(lines), len(lines[-1]) + 1), message)
        return reader.file
    try:
        events = yaml.parse(text, Loader=_LOADER)
        reader.read(expanded(events) if aliases else events)
        reader.file.is_complete = reader.is_whole
    except AliasFault as error:
        reader.report("yaml-alias", Mark(error.line, error.column), str(error))
    except yaml.MarkedYAMLError as error:
        reader.report_syntax(error)
    except yaml.YAMLError as error:
        reader.report("yaml-syntax", Mark(1, 1), " ".join(str(error).split()))
    except _Stop:
        pass
    return reader.file


def _indentation(text: str, index: int) -> str:
    """The white space around a place that nothing but white space stands before in its line."""
    start = max(text.rfind("\n", 0, index), text.rfind("\r", 0, index)) + 1
    rest = text[start:]
    return "" if text[start:index].strip() else rest[: len(rest) - len(rest.lstrip(" \t"))]


def _block_before(lines: Sequence[str], number: int) -> Mark | None:
    """Where the lines begin that stand before one (counted from 0) and are indented deeper."""
    here = _width(lines[number]) if number < len(lines) else 0
    first = number
    while first and (not lines[first - 1].strip() or _width(lines[first - 1]) > here):
        first -= 1
    return Mark(first + 1, _width(lines[first]) + 1) if first < number else None


def _width(line: str) -> int:
    return len(line) - len(line.lstrip())


def _line_before(lines: Sequence[str]) -> Mark | None:
    """Where the last of the lines begins that holds more than white space and comments."""
    for number in range(len(lines), 0, -1):
        code = lines[number - 1].strip()
        if code and not code.startswith("#"):
            return Mark(number, lines[number - 1].index(code) + 1)
    return None


class _Stop(Exception):
    """The rest of the file cannot be understood."""


class _Reader:
    def __init__(self, file: YamlFile, *, aliases: bool) -> None:
        self.file = file
        self.has_aliases = aliases
        self.events: Iterator[Any] = iter(())
        self.lines = file.text.splitlines()
        self.is_whole = True
        self.open_flows: list[Mark] = []
        self.last_long_quote: Mark | None = None

    def report(self, code: str, mark: Mark, message: str, path: Path = ()) -> None:
        self.file.findings.append(Finding("error", code, self.file.name, mark.line, mark.column, path, message))

    def report_syntax(self, error: yaml.MarkedYAMLError) -> None:
        """Report what the parser says. It notices many faults late: where they may begin is related."""
        problem, context = error.problem_mark or error.context_mark, error.context_mark
        if problem is None:
            self.report("yaml-syntax", Mark(1, 1), error.problem or "is not YAML")
            return
        text, where = self.file.text, self._inside(Mark(problem.line + 1, problem.column + 1))
        if "\t" in _indentation(text, problem.index):
            self.report("yaml-tab", where, "a tab cannot indent YAML; write spaces")
            return
        told = next((words for start, words in _AT_ITS_START if (error.context or "").startswith(start)), None)
        if told and context is not None and ("':'" in (error.problem or "") or "end of" in (error.problem or "")):
            self.report("yaml-syntax", Mark(context.line + 1, context.column + 1), told)
            return
        places: list[tuple[Mark | None, str]] = [
            (self.last_long_quote, "this quoted text goes on over several lines: is its closing quote missing?"),
            *((mark, "this bracket is not closed by then") for mark in self.open_flows),
            (Mark(context.line + 1, context.column + 1) if context else None, f"{error.context} that begins here"),
            (_block_before(self.lines, problem.line), "this is indented deeper than what follows: is its key missing?"),
            (_line_before(self.lines[: problem.line]), "is a colon, comma, quote or bracket missing here?"),
        ]
        related: dict[int, Related] = {}
        for mark, why in places:
            if mark is not None and mark.line != where.line and mark.line <= len(self.lines):
                related.setdefault(mark.line, Related(mark.line, mark.column, why))
        message = " ".join(filter(None, (error.context, error.problem))) or "is not YAML"
        self.file.findings.append(
            Finding(
                "error",
                "yaml-syntax",
                self.file.name,
                where.line,
                where.column,
                (),
                message,
                related=tuple(related.values()),
            )
        )

    def read(self, events: Iterator[Any]) -> None:
        self.events = events
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.report(
                        "yaml-documents", self._mark(event), "a spec file holds one document; remove the second ---"
                    )
                    return
                self.file.data = self._value(next(events), ())
        if not documents:
            self.report("yaml-empty", Mark(1, 1), "the file is empty")
            raise _Stop

    def _value(self, event: Any, path: Path) -> Json:
        self.file.values[path] = mark = self._mark(event)
        if len(path) > MAX_DEPTH:
            self.report("yaml-too-deep", mark, f"nested deeper than {MAX_DEPTH} levels", path)
            raise _Stop
        if isinstance(event, yaml.AliasEvent):
            self.report("yaml-alias", mark, f"aliases are not read here: write the value of *{event.anchor} out", path)
            self.is_whole = False  # What it stands for is missing.
            return None
        self._refuse_properties(event, path)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        if event.flow_style:
            self.open_flows.append(mark)
        value = self._sequence(path) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(path)
        if event.flow_style:
            self.open_flows.pop()
        return value

    def _refuse_properties(self, event: Any, path: Path) -> None:
        if event.anchor:
            self.report("yaml-alias", self._mark(event), f"anchors are not read here: remove &{event.anchor}", path)
        if event.tag:
            self.report("yaml-tag", self._mark(event), f"tags are not read here: remove {event.tag}", path)

    def _sequence(self, path: Path) -> list[Json]:
        items: list[Json] = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._value(event, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> dict[str, Json]:
        members: dict[str, Json] = {}
        merged: dict[str, tuple[Json, Path]] = {}
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            mark = self._mark(event)
            if not isinstance(event, yaml.ScalarEvent):
                self._report_key(mark, path)
                raise _Stop
            key: str = event.value
            here = (*path, key)
            self._refuse_properties(event, here)
            if key == MERGE_KEY and not event.style and self.has_aliases:
                merged = self._merged(here, mark)
                continue
            # A whole number as key is taken as its text: 424 and "424" name the same member.
            if not event.style and (key in _CONSTANTS or _surprise(key)):
                why = _surprise(key) or "is not text to YAML readers"
                message = f"the key {key} {why}; put it in quotes" if key else "the key is missing; an empty one is ''"
                self.report("yaml-surprise", mark, message, here)
            if key in members:
                first = self.file.keys[here]
                self._forget(members[key], here)
                self.report(
                    "yaml-duplicate-key", mark, f"'{key}' stands here again; it is first in line {first.line}", here
                )
            else:
                self.file.keys[here] = mark
            members[key] = self._value(next(self.events), here)
        for key, (value, place) in merged.items():
            if key not in members:
                members[key] = value
                self._move_marks(place, (*path, key))
        return members

    def _merged(self, path: Path, mark: Mark) -> dict[str, tuple[Json, Path]]:
        """What stands behind a merge key, by key: value and place. Of several mappings the first goes before."""
        sources = merge_sources(self._value(next(self.events), path))
        if sources is None:
            self.report("yaml-key", mark, "what << merges is an object, or a list of objects", path)
        found: dict[str, tuple[Json, Path]] = {}
        for place, source in sources or ():
            for key, value in source.items():
                found.setdefault(key, (value, (*path, *place, key)))
        return found

    def _move_marks(self, place: Path, path: Path) -> None:
        """Give the marks of a value and all in it another path."""
        depth = len(place)
        for marks in (self.file.keys, self.file.values):
            for known in [known for known in marks if known[:depth] == place]:
                marks[(*path, *known[depth:])] = marks.pop(known)

    def _report_key(self, mark: Mark, path: Path) -> None:
        """Report a key that is no text: nearly always an expression that lacks its quotes."""
        expression = re.compile(_EXPRESSION).match(self.file.text, mark.start - 1) if mark.start else None
        if expression is None:
            self.report("yaml-key", mark, "a key is text", path)
            return
        written = expression.group()
        quoted = f"'{written}'" if '"' in written or "\\" in written else f'"{written}"'
        message = f"a value that begins with {{{{ needs quotes: write {quoted}"
        column = mark.column - 1
        end = column + len(written)
        self.file.findings.append(
            Finding("error", "yaml-key", self.file.name, mark.line, column, path, message, end_column=end)
        )

    def _mark(self, event: Any) -> Mark:
        start, end = event.start_mark, event.end_mark
        return self._inside(Mark(start.line + 1, start.column + 1, start.index, end.index))

    def _inside(self, mark: Mark) -> Mark:
        """The mark, or the end of the last line: what is missing at the end of a file is missing there."""
        if mark.line <= len(self.lines) or not self.lines:
            return mark
        return Mark(len(self.lines), len(self.lines[-1]) + 1, mark.start, mark.end)

    def _forget(self, value: Json, path: Path) -> None:
        """Drop the marks inside a value whose key stands again: the last one's value is kept."""
        members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for part, member in members:
            here = (*path, part)
            self._forget(member, here)
            self.file.keys.pop(here, None)
            self.file.values.pop(here, None)

    def _scalar(self, event: Any, path: Path) -> Json:
        text: str = event.value
        if event.style in ("'", '"') and event.end_mark.line > event.start_mark.line:
            self.last_long_quote = self._mark(event)
        if event.style:  # Quoted or a block; plain is '' or None, by parser.
            return text
        if why := _surprise(text):
            way_out = "; put it in quotes if it is text" if text else f"; {_WAYS_OUT}"
            self.report("yaml-surprise", self._mark(event), f"{text} {why}{way_out}".strip(), path)
            return text
        return _plain(text)


def _plain(text: str) -> Json:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _surprise(text: str) -> str | None:
    if not text:
        return "nothing stands here, which YAML reads as null"
    if text in _CONSTANTS:
        return None
    if text[0] not in _NUMERIC:
        return _WORDS.get(text.lower())
    if _FLOAT.fullmatch(text) and abs(float(text)) != float("inf"):
        return None
    return next((why for pattern, why in _SURPRISES if re.fullmatch(pattern, text)), None)
