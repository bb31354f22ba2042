"""Findings as workflow commands, which GitHub shows beside the changed lines.

Source: "Workflow commands for GitHub Actions", docs.github.com, and the escapes of actions/toolkit `command.ts`.
"""

from __future__ import annotations

from rankspec.models import Finding, format_path
from rankspec.reports.excerpt import visible
from rankspec.reports.report import Report


def as_github(report: Report) -> str:
    """One command a line; empty if there are no findings."""
    return "".join(f"{_command(finding)}\n" for finding in report.findings)


def _command(finding: Finding) -> str:
    properties = {"file": finding.file.replace("\\", "/"), "line": finding.line, "col": finding.column}
    if finding.end_column:
        properties["endColumn"] = finding.end_column
    properties["title"] = finding.code
    told = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{finding.severity} {told}::{_data(_message(finding))}"


def _message(finding: Finding) -> str:
    where = f"{format_path(finding.path)}: " if finding.path else ""
    help_line = [f"help: write '{finding.suggestion}'"] if finding.suggestion and finding.end_column else []
    notes = [f"line {one.line}: {one.message}" for one in finding.related]
    return "\n".join(map(visible, [where + finding.message, *notes, *finding.details, *help_line]))


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
