"""Every code that a check may give has a page, and what the page shows as wrong and right is so."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stepping import play

import rankspec
from rankspec.catalog import Catalog
from rankspec.checks import DEFAULT_CASES, check_text
from rankspec.checks.pages import BASE, PAGES, explained, filled, listed
from rankspec.errors import ConfigInvalid, SpecInvalid
from rankspec.gateway.config import examine_config, read_config
from rankspec.models import Finding
from rankspec.specs import load_spec
from rankspec.strict_yaml import MAX_CHARACTERS, read_yaml

PACKAGE = Path(rankspec.__file__).parent
CORPUS = Path(__file__).resolve().parent.parent / "invalid"
NOT_IN_A_TEXT = {"yaml-too-large", "yaml-unreadable", "spec-name", "spec-shadows", "template-failed", "extra-missing"}
"""Codes about a file's size, bytes or name, which a fragment cannot have, and about a real call."""

REPORTERS = {"Finding", "Problem", "finding", "report", "_report", "_refuse", "warn"}
"""The functions and classes that are given a code."""


def findings(text: str, code: str = "") -> tuple[Finding, ...]:
    """What a check finds; requests are generated only where the code is about them."""
    if code in PAGES and PAGES[code].is_config:
        return tuple(config_findings(text))
    cases = DEFAULT_CASES if code.startswith("generated-") else 0
    return check_text(text, "toy.yaml", Catalog(environ={}).parent_data, cases=cases).findings


def config_findings(text: str) -> list[Finding]:
    """What a gateway's start says of a config, and what only a check does."""
    environ = {"COHERE_API_KEY": "a-key"}
    told = [one for one in examine_config(text, "config.yaml", environ)[1] if one.code == "secret-in-file"]
    try:
        return [*told, *read_config(text, "config.yaml", environ)[1]]
    except ConfigInvalid as error:
        return [*told, *error.findings]


def test_the_spec_that_the_pages_change_has_no_fault() -> None:
    assert findings(BASE, "generated-") == ()


@pytest.mark.parametrize("code", sorted(PAGES.keys() - NOT_IN_A_TEXT))
def test_what_a_page_shows_as_wrong_is_found(code: str) -> None:
    page = PAGES[code]
    found = findings(page.file(page.bad), code)
    assert {finding.severity for finding in found if finding.code == code} == {page.severity}, found


@pytest.mark.parametrize("code", sorted(PAGES.keys() - NOT_IN_A_TEXT))
def test_what_a_page_shows_as_right_has_no_error(code: str) -> None:
    page = PAGES[code]
    found = findings(page.file(page.good), code)
    assert [finding for finding in found if finding.severity == "error" or finding.code == code] == []


def _too_large() -> list[Finding]:
    return read_yaml("#" * (MAX_CHARACTERS + 1), "toy.yaml").findings


def _loaded(name: str, content: bytes) -> Callable[[], list[Finding]]:
    def load() -> list[Finding]:
        Path(f"{name}.yaml").write_bytes(content)
        with pytest.raises(SpecInvalid) as caught:
            Catalog([f"{name}.yaml"], environ={}).load(name)
        return list(caught.value.findings)

    return load


def _called() -> list[Finding]:
    page = PAGES["template-failed"]
    spec = load_spec(page.file(page.bad), "toy.yaml", Catalog(environ={}).parent_data)
    played = play(spec, {"query": "q", "documents": ["a"], "model": "m", "instruction": "i"})
    assert isinstance(played.error, SpecInvalid)
    return list(played.error.findings)


def _without_extra() -> list[Finding]:
    page = PAGES["extra-missing"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "botocore", None)
        patch.delitem(sys.modules, "botocore.auth", raising=False)
        checked = check_text(page.file(page.bad), "toy.yaml", Catalog(environ={}).parent_data)
    assert (checked.examples, checked.cases) == (0, 0)
    return [finding for finding in checked.findings if finding.code != "example-kinds"]


@pytest.mark.parametrize(
    ("code", "find"),
    [
        ("yaml-too-large", _too_large),
        ("yaml-unreadable", _loaded("toy", "title: Café".encode("latin-1"))),
        ("spec-name", _loaded("toi", BASE.encode())),
        ("spec-shadows", _loaded("cohere", BASE.encode())),
        ("template-failed", _called),
        ("extra-missing", _without_extra),
    ],
    ids=["yaml-too-large", "yaml-unreadable", "spec-name", "spec-shadows", "template-failed", "extra-missing"],
)
def test_a_page_about_a_file_or_a_call_names_its_code(code: str, find: Callable[[], list[Finding]]) -> None:
    assert [(finding.code, finding.severity) for finding in find()] == [(code, PAGES[code].severity)]


def codes_in_the_source() -> Iterator[str]:
    """The codes that the package's modules give to findings and problems."""
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and _name(node.func) in REPORTERS:
                texts = (one.value for one in node.args if isinstance(one, ast.Constant))
                yield from (text for text in texts if isinstance(text, str) and _is_code(text))


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _is_code(text: str) -> bool:
    return "-" in text and text.replace("-", "").isalpha() and text.islower()


def test_every_code_in_the_source_has_a_page() -> None:
    codes = set(codes_in_the_source())
    assert len(codes) > 20
    assert sorted(codes - PAGES.keys()) == []


def test_every_code_of_the_broken_specs_has_a_page() -> None:
    lines = [line for file in CORPUS.glob("*.expected") for line in file.read_text("utf-8").splitlines()]
    assert sorted({line.rpartition("[")[2].rstrip("]") for line in lines} - PAGES.keys()) == []


@pytest.mark.parametrize("code", sorted(PAGES))
def test_a_page_is_written_out(code: str) -> None:
    page = PAGES[code]
    assert _is_code(code)
    assert not page.title.endswith(".")
    assert page.what.endswith(".")
    assert page.why.endswith(".")
    assert page.bad != page.good
    assert page.bad.endswith("\n")
    assert page.good.endswith("\n")


def test_a_page_is_told_with_both_of_its_examples() -> None:
    assert explained("yaml-tab") == (
        "yaml-tab (error): A tab is used for indentation\n"
        "\n"
        "A line is indented with a tab. YAML takes spaces only.\n"
        "\n"
        "How wide a tab is depends on the editor, so YAML does not let it say what belongs to\nwhat.\n"
        "\n"
        "Wrong:\n\n    limits:\n    \tdocuments: 1000\n"
        "\n"
        "Right:\n\n    limits:\n      documents: 1000"
    )


def test_the_list_has_every_code_once() -> None:
    lines = listed().splitlines()
    assert [line.split()[0] for line in lines] == sorted(PAGES)
    assert lines[0].split(maxsplit=2)[1:] == ["error", "endpoint.headers sets the header that auth sets"]


def test_a_fragment_takes_the_place_of_whole_keys() -> None:
    changed = filled("limits: {documents: 1}\nlimits: {documents: 2}\nmodels: {}\n")
    assert changed.count("limits:") == 2
    assert changed.endswith("models: {}\n")
    assert filled("") == BASE
