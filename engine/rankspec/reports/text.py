"""Findings as a compiler tells them: the place, the message, the line with what is meant underlined, what to write."""

from __future__ import annotations

from collections.abc import Iterator

from rankspec.models import Finding, format_path
from rankspec.reports.excerpt import lines_of, marked, visible
from rankspec.reports.report import Report

PLAIN_WIDTH = 120
"""The width where there is no terminal."""

_COLOURS = {"error": "1;31", "warning": "1;33", "place": "1", "gutter": "34", "note": "36", "-": "31", "+": "32"}


def as_text(report: Report, *, width: int = PLAIN_WIDTH, colour: bool = False) -> str:
    """All findings, with an empty line between them; empty if there are none.

    Args:
        width: of the terminal, in cells. Excerpts are cut to it, messages are not.
        colour: whether to use a terminal's colours.
    """
    writer = _Writer(report, width, colour)
    return "\n".join("".join(f"{line}\n" for line in writer.finding(finding)) for finding in report.findings)


def summary_line(report: Report, seconds: float) -> str:
    """What was done and what came of it, in one line."""
    parts = [_counted(report.count("error"), "error"), _counted(report.count("warning"), "warning")]
    tried = [_counted(report.examples, "example") + " replayed"]
    if report.cases:
        tried.append(f"{_counted(report.cases, 'generated request')} (seed {report.seed})")
    return (
        f"checked {_counted(len(report.files), 'file')}: {', '.join(parts)}; {', '.join(tried)}; {seconds:.1f} seconds"
    )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


class _Writer:
    def __init__(self, report: Report, width: int, colour: bool) -> None:
        self._report = report
        self._width = max(width, 40)
        self._colour = colour
        self._explained: set[str] = set()
        self._lines: dict[str, list[str]] = {}

    def finding(self, finding: Finding) -> Iterator[str]:
        """The finding's lines."""
        head = self._in("place", f"{visible(finding.file)}:{finding.line}:{finding.column}:")
        label = self._in(finding.severity, f"{finding.severity}[{finding.code}]:")
        yield f"{head} {label} {visible(finding.message)}"
        digits = len(str(max(finding.line, *(one.line for one in finding.related), 1)))
        margin = " " * digits
        if finding.path:
            yield f"{margin} {self._in('gutter', '=')} at: {visible(format_path(finding.path))}"
        place = (finding.line, finding.column, finding.end_column)
        yield from self._excerpt(finding.file, place, finding.severity, digits)
        for related in finding.related:
            yield f"{margin} {self._in('gutter', '=')} {self._in('note', 'note')}: {visible(related.message)}"
            yield from self._excerpt(finding.file, (related.line, related.column, 0), "note", digits)
        for line in finding.details:
            shown = visible(line)
            yield f"{margin}   {self._in(line[0], shown) if line[:2] in ('- ', '+ ') else shown}"
        for word, text in self._hints(finding):
            yield f"{margin} {self._in('gutter', '=')} {self._in('note', word)}: {text}"

    def _hints(self, finding: Finding) -> Iterator[tuple[str, str]]:
        # Without an end it is not known what to replace: the fault may lie in the parent's file.
        if finding.suggestion is not None and finding.end_column:
            yield "help", f"write '{visible(finding.suggestion)}'" if finding.suggestion else "remove it"
        if finding.code in self._report.rules and finding.code not in self._explained:
            self._explained.add(finding.code)
            yield "see", f"rankspec check --explain {finding.code}"

    def _excerpt(self, file: str, place: tuple[int, int, int], role: str, digits: int) -> Iterator[str]:
        number, column, end_column = place
        lines = self._lines_of(file)
        if number > len(lines) or not any(lines):
            return
        source, marks = marked(lines[number - 1], column, end_column, self._width - digits - 3)
        yield f"{self._in('gutter', f'{number:>{digits}} |')} {source}".rstrip()
        yield f"{self._in('gutter', ' ' * digits + ' |')} {self._in(role, marks)}"

    def _lines_of(self, file: str) -> list[str]:
        if file not in self._lines:
            self._lines[file] = lines_of(self._report.text_of(file) or "")
        return self._lines[file]

    def _in(self, role: str, text: str) -> str:
        return f"\x1b[{_COLOURS[role]}m{text}\x1b[0m" if self._colour else text
