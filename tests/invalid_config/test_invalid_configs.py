"""Each file here is a gateway's config with faults, and `check` finds exactly what the file beside it holds.

`NAME.expected` has one finding on each line, as users see them. A file that a change of the messages makes stale is
read through and written again by hand.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rankspec.checks.pages import PAGES
from rankspec.gateway.config.checking import check_config

HERE = Path(__file__).resolve().parent
NAMES = sorted(file.stem for file in HERE.glob("*.yaml"))
ENVIRON = {"COHERE_API_KEY": "a-key"}


def expected(name: str) -> list[str]:
    return (HERE / f"{name}.expected").read_text("utf-8").splitlines()


def without_catalog(line: str) -> str:
    """A finding without the names of all providers: there is a new one now and then."""
    return re.sub(r"(a provider out of|known are) [a-z0-9_, ]+ \[", r"\1 ... [", line)


@pytest.mark.parametrize("name", NAMES)
def test_a_config_fails_with_exactly_these_findings(name: str) -> None:
    file = HERE / f"{name}.yaml"
    checked = check_config(file.read_text("utf-8"), str(file), ENVIRON)
    found = [without_catalog(str(finding).replace(f"{HERE}/", "")) for finding in checked.findings]
    assert found == [without_catalog(line) for line in expected(name)]


def test_every_code_of_configs_has_a_file_that_produces_it() -> None:
    codes = {line.rpartition("[")[2].rstrip("]") for name in NAMES for line in expected(name)}
    assert {code for code, page in PAGES.items() if page.is_config} - codes == set()
    assert codes <= PAGES.keys()


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
