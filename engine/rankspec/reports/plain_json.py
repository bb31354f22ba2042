"""Findings as one JSON object.

    {"version": 1,
     "files": [{"file": "a.yaml", "examples": 6, "cases": 200, "findings": [FINDING, ...]}, ...],
     "summary": {"files": 1, "errors": 1, "warnings": 0, "examples": 6, "cases": 200, "seed": 0,
                 "strict": false, "failed": true}}

FINDING has `severity` ("error" or "warning"), `code`, `file` (a parent's name if the fault is there), `line` and
`column` (from 1, in characters), `end_column` (behind the last character meant, or null), `path` (keys and positions),
`message`, `suggestion` (what to write from `column` to `end_column`, or null), `related` (objects of `line`, `column`
and `message`) and `details` (lines of text). The summary counts a finding once that several files share. `version`
changes when a member is renamed or removed; members may be added. All of it is ASCII.
"""

from __future__ import annotations

import json
from typing import Any

from rankspec.models import Finding
from rankspec.reports.report import Report

FORMAT_VERSION = 1


def as_json(report: Report) -> str:
    """The object that the module's docstring describes, as text that ends with a line break."""
    told = {
        "version": FORMAT_VERSION,
        "files": [
            {
                "file": one.file,
                "examples": one.examples,
                "cases": one.cases,
                "findings": [_finding(finding) for finding in one.findings],
            }
            for one in report.files
        ],
        "summary": {
            "files": len(report.files),
            "errors": report.count("error"),
            "warnings": report.count("warning"),
            "examples": report.examples,
            "cases": report.cases,
            "seed": report.seed,
            "strict": report.strict,
            "failed": report.has_failed,
        },
    }
    return json.dumps(told, indent=2) + "\n"


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "severity": finding.severity,
        "code": finding.code,
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "end_column": finding.end_column or None,
        "path": list(finding.path),
        "message": finding.message,
        "suggestion": finding.suggestion,
        "related": [{"line": one.line, "column": one.column, "message": one.message} for one in finding.related],
        "details": list(finding.details),
    }
