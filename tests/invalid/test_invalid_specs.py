"""Each file here is a spec that must fail, with exactly the findings that the file beside it holds.

`NAME.expected` has one finding on each line, as users see them. A file that a change of the messages makes stale is
read through and written again by hand: the findings are what authors of specs have to work with.
"""

from __future__ import annotations

import ast
import inspect
import re
import shutil
from pathlib import Path

import pytest

from rankspec import catalog, mapping, models, specs, strict_yaml, templates, validation
from rankspec.catalog import Catalog
from rankspec.errors import SpecInvalid

HERE = Path(__file__).resolve().parent
NAMES = sorted(file.stem for file in HERE.glob("*.yaml"))
REPEATED = {"yaml_too_large": 20_000}
"""Files that are kept small: their text stands so many times in what is read."""

ROOMS = (catalog, mapping, models, specs, strict_yaml, templates, validation)
"""The modules that find what is wrong with a spec while it is loaded."""


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


@pytest.mark.parametrize("name", NAMES)
def test_a_spec_fails_with_exactly_these_findings(name: str, corpus: Path) -> None:
    with pytest.raises(SpecInvalid) as caught:
        Catalog([corpus], environ={}).load(name)
    found = [str(finding).replace(f"{corpus / 'x'}"[:-1], "") for finding in caught.value.findings]
    assert found == expected(name)


def codes_of(module: object) -> set[str]:
    """The codes that stand in a module's source: lower-case words with hyphens between them."""
    tree = ast.parse(inspect.getsource(module))  # type: ignore[arg-type]
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in texts if re.fullmatch(r"[a-z]+(-[a-z]+)+", text) and not text.startswith("x-")}


def codes_of_the_corpus() -> set[str]:
    return {line.rpartition("[")[2].rstrip("]") for name in NAMES for line in expected(name)}


@pytest.mark.parametrize("code", sorted(set.union(*map(codes_of, ROOMS))))
def test_every_code_has_a_file_that_produces_it(code: str) -> None:
    assert code in codes_of_the_corpus()


def test_every_file_has_its_findings_and_every_finding_its_file() -> None:
    assert sorted(file.stem for file in HERE.glob("*.expected")) == NAMES
    assert all(expected(name) for name in NAMES)


def test_every_finding_says_where() -> None:
    lines = [line for name in NAMES for line in expected(name)]
    assert [
        line for line in lines if not re.match(r"[a-z_]+\.yaml:[1-9][0-9]*:[1-9][0-9]*: error: .+ \[.+\]$", line)
    ] == []
