"""Each file here is a spec with faults, and `check` finds exactly what the file beside it holds.

`NAME.expected` has one finding on each line, as users see them. A file that a change of the messages makes stale is
read through and written again by hand: the findings are what authors of specs have to work with.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from rankspec.catalog import Catalog
from rankspec.checks import check_text
from rankspec.checks.pages import PAGES
from rankspec.errors import SpecInvalid
from rankspec.models import Finding

HERE = Path(__file__).resolve().parent
NAMES = sorted(file.stem for file in HERE.glob("*.yaml"))
REPEATED = {"yaml_too_large": 20_000}
"""Files that are kept small: their text stands so many times in what is read."""

NOT_TEXT = ("yaml_unreadable",)
"""Files that are no text at all: the catalog says so, which reads them."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("invalid")
    for file in HERE.glob("*.yaml"):
        shutil.copy(file, folder)
    for name, times in REPEATED.items():
        (folder / f"{name}.yaml").write_text((HERE / f"{name}.yaml").read_text() * times)
    return folder


def expected(name: str) -> list[str]:
    return (HERE / f"{name}.expected").read_text("utf-8").splitlines()


def findings_of(name: str, corpus: Path) -> list[str]:
    """What the catalog says of the file, which knows its name and place, and what `check` finds."""
    catalog = Catalog([corpus], environ={})
    file = corpus / f"{name}.yaml"
    findings: list[Finding] = []
    if name not in NOT_TEXT:
        findings += check_text(file.read_text("utf-8-sig"), str(file), catalog.parent_data).findings
    try:
        catalog.load(name)
    except SpecInvalid as error:
        findings = [*(finding for finding in error.findings if finding not in findings), *findings]
    return [str(finding).replace(f"{corpus}{os.sep}", "") for finding in findings]


@pytest.mark.parametrize("name", NAMES)
def test_a_spec_fails_with_exactly_these_findings(name: str, corpus: Path) -> None:
    assert [settled(line) for line in findings_of(name, corpus)] == [settled(line) for line in expected(name)]


def settled(line: str) -> str:
    """A finding without the case that it shows: another release of Hypothesis may find another smallest one."""
    return re.sub(r"the (request|reply) \{.*(?= \[generated)", r"the \1 ...", line)


ELSEWHERE = {"template-failed", "extra-missing"}
"""What no file shows by itself: a template that fails in a real call, and a package that is not installed."""


def codes_of_the_corpus() -> set[str]:
    return {line.rpartition("[")[2].rstrip("]") for name in NAMES for line in expected(name)}


def test_every_code_has_a_file_that_produces_it_and_a_page() -> None:
    assert codes_of_the_corpus() == {code for code, page in PAGES.items() if not page.is_config} - ELSEWHERE


def test_the_corpus_has_at_least_sixty_files() -> None:
    assert len(NAMES) >= 60


def test_every_file_has_its_findings_and_every_finding_its_file() -> None:
    assert sorted(file.stem for file in HERE.glob("*.expected")) == NAMES
    assert all(expected(name) for name in NAMES)


def test_every_finding_says_where() -> None:
    lines = [line for name in NAMES for line in expected(name)]
    assert [
        line
        for line in lines
        if not re.match(r"[a-z_]+\.yaml:[1-9][0-9]*:[1-9][0-9]*: (error|warning): .+ \[.+\]$", line)
    ] == []
