"""Findings as JUnit XML, which build servers show as tests: a suite for each file, a case for each example.

A finding outside the examples has a case of its own, named after its code. A warning is a note in a case that passes,
unless warnings count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree import ElementTree

from rankspec.models import Finding, Path
from rankspec.reports.report import CheckedFile, Report
from rankspec.strict_yaml import read_yaml

# What XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass
class _Case:
    name: str
    findings: list[Finding] = field(default_factory=list)


def as_junit(report: Report) -> str:
    """The document, which ends with a line break."""
    root = ElementTree.Element("testsuites", name="rankspec check")
    for one in report.files:
        root.append(_suite(report, one))
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, 0)) for suite in root)))
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _suite(report: Report, checked: CheckedFile) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", name=_clean(checked.file))
    failures = 0
    for case in _cases(checked):
        element = ElementTree.SubElement(suite, "testcase", classname=_clean(checked.file), name=_clean(case.name))
        failing = [finding for finding in case.findings if report.fails(finding)]
        others = [finding for finding in case.findings if not report.fails(finding)]
        if failing:
            failures += 1
            message, kind = _clean(failing[0].message), failing[0].code
            failure = ElementTree.SubElement(element, "failure", message=message, type=kind)
            failure.text = _clean("\n".join(map(_told, failing)))
        if others:
            ElementTree.SubElement(element, "system-out").text = _clean("\n".join(map(_told, others)))
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(failures))
    suite.set("errors", "0")
    return suite


def _cases(checked: CheckedFile) -> Iterator[_Case]:
    """The examples, then what is found elsewhere; a file with neither is one case."""
    examples = {position: _Case(title) for position, title in enumerate(_titles(checked))}
    others: list[_Case] = []
    for finding in checked.findings:
        position = _example_of(finding.path) if finding.file == checked.file else None
        if position in examples:
            examples[position].findings.append(finding)
        else:
            others.append(_Case(f"{finding.code} at {finding.line}:{finding.column}", [finding]))
    yield from [*examples.values(), *others] or [_Case("check")]


def _example_of(path: Path) -> int | None:
    return path[1] if path[:1] == ("examples",) and len(path) > 1 and isinstance(path[1], int) else None


def _titles(checked: CheckedFile) -> list[str]:
    data = read_yaml(checked.text, checked.file).data
    examples = data.get("examples") if isinstance(data, dict) else None
    if not isinstance(examples, list):
        return []
    titles = [one.get("title") if isinstance(one, dict) else None for one in examples]
    return [title if isinstance(title, str) else f"example {position}" for position, title in enumerate(titles, 1)]


def _told(finding: Finding) -> str:
    return "\n".join([str(finding), *(f"  {line}" for line in finding.details)])


def _clean(text: str) -> str:
    return _NOT_XML.sub("", text)
