"""Findings as SARIF 2.1.0, the form in which code scanning services take them.

Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0".
"""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from rankspec.models import Finding, format_path
from rankspec.reports.report import Report
from rankspec.version import __version__

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def as_sarif(report: Report) -> str:
    """One SARIF log with one run, as text that ends with a line break. All of it is ASCII."""
    findings = report.findings
    codes = sorted({finding.code for finding in findings})
    run = {
        "tool": {
            "driver": {"name": "rankspec", "version": __version__, "rules": [_rule(report, code) for code in codes]}
        },
        "columnKind": "unicodeCodePoints",
        "artifacts": [{"location": {"uri": _uri(one.file)}} for one in report.files],
        "results": [_result(finding, codes.index(finding.code)) for finding in findings],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(report: Report, code: str) -> dict[str, Any]:
    rule = report.rules.get(code)
    if rule is None:
        return {"id": code}
    told, command = f"{rule.what}\n\n{rule.why}\n\n", f"rankspec check --explain {code}"
    return {
        "id": code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.what},
        "help": {"text": told + command, "markdown": f"{told}`{command}`"},
        "defaultConfiguration": {"level": rule.severity},
    }


def _result(finding: Finding, rule_index: int) -> dict[str, Any]:
    region = _region(finding.line, finding.column, finding.end_column)
    location: dict[str, Any] = {"physicalLocation": _physical(finding.file, region)}
    where = format_path(finding.path)
    if where:
        location["logicalLocations"] = [{"fullyQualifiedName": where, "kind": "member"}]
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": rule_index,
        "level": finding.severity,
        "message": {"text": "\n".join([f"{where}: {finding.message}" if where else finding.message, *finding.details])},
        "locations": [location],
    }
    if finding.related:
        result["relatedLocations"] = [
            {
                "id": number,
                "message": {"text": one.message},
                "physicalLocation": _physical(finding.file, _region(one.line, one.column)),
            }
            for number, one in enumerate(finding.related, 1)
        ]
    if finding.suggestion is not None and finding.end_column:
        replacement = {"deletedRegion": region, "insertedContent": {"text": finding.suggestion}}
        change = {"artifactLocation": {"uri": _uri(finding.file)}, "replacements": [replacement]}
        description = f"write '{finding.suggestion}'" if finding.suggestion else "remove it"
        result["fixes"] = [{"description": {"text": description}, "artifactChanges": [change]}]
    return result


def _physical(file: str, region: dict[str, int]) -> dict[str, Any]:
    return {"artifactLocation": {"uri": _uri(file)}, "region": region}


def _region(line: int, column: int, end_column: int = 0) -> dict[str, int]:
    region = {"startLine": line, "startColumn": column}
    return {**region, "endColumn": end_column} if end_column else region


def _uri(file: str) -> str:
    path = PurePath(file)
    if path.is_absolute():
        return path.as_uri()
    # A colon in the first part would be read as a scheme.
    return quote(path.as_posix(), errors="surrogateescape")
