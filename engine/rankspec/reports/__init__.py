"""Findings as text for people, and as JSON, GitHub annotations, SARIF or JUnit XML for machines.

Every writer takes a `Report` and gives one text. None of them prints, opens a file or asks for the time.
"""

from rankspec.reports.github import as_github
from rankspec.reports.junit import as_junit
from rankspec.reports.plain_json import as_json
from rankspec.reports.report import CheckedFile, Report, Rule
from rankspec.reports.sarif import as_sarif
from rankspec.reports.text import PLAIN_WIDTH, as_text, summary_line

__all__ = [
    "PLAIN_WIDTH",
    "CheckedFile",
    "Report",
    "Rule",
    "as_github",
    "as_json",
    "as_junit",
    "as_sarif",
    "as_text",
    "summary_line",
]
