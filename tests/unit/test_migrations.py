"""Old spec files become current ones by small edits; everything else in them stays as it is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stepping import TOY

from rankspec import migrations
from rankspec.errors import SpecInvalid
from rankspec.migrations import CURRENT_VERSION, STEPS, current, migrated
from rankspec.resources import read_schema, shipped_specs
from rankspec.strict_yaml import Mark, read_yaml

WHOLE = """\
# yaml-language-server: $schema=../schemas/provider_spec.schema.json

spec_version: 1   # the first
provider: "toy"
auth:
  - {kind: none, when: "{{ 'a' in base_url }}"}   # not this one
errors:
    # before
    message: [error.message, "when"]
    when: error_code   # behind
    kinds: {when: request}
models:
  when: {}
examples:
  - {title: "errors: when", request: {errors: {when: x}, spec_version: 1}}
"""
MIGRATED = """\
# yaml-language-server: $schema=../schemas/provider_spec.schema.json

spec_version: 2   # the first
provider: "toy"
auth:
  - {kind: none, when: "{{ 'a' in base_url }}"}   # not this one
errors:
    # before
    message: [error.message, "when"]
    in_success: error_code   # behind
    kinds: {when: request}
models:
  when: {}
examples:
  - {title: "errors: when", request: {errors: {when: x}, spec_version: 1}}
"""


def migrated_text(text: str) -> str:
    new, _ = migrated(text, read_yaml(text, "toy.yaml"))
    return new


def findings(text: str) -> list[str]:
    with pytest.raises(SpecInvalid) as caught:
        migrated(text, read_yaml(text, "toy.yaml"))
    return [str(finding) for finding in caught.value.findings]


def test_only_what_changed_in_the_language_changes_in_the_file() -> None:
    text, notes = migrated(WHOLE, read_yaml(WHOLE, "toy.yaml"))
    assert text == MIGRATED
    assert notes == ("line 3: spec_version is now 2", "line 10: errors.when is now errors.in_success")


def test_line_ends_stay_as_they_are() -> None:
    assert migrated_text(WHOLE.replace("\n", "\r\n")) == MIGRATED.replace("\n", "\r\n")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("spec_version: 1\nerrors: {when: x, message: [a]}", "spec_version: 2\nerrors: {in_success: x, message: [a]}"),
        ("spec_version: 1\nerrors: {'when':x}", "spec_version: 2\nerrors: {'in_success':x}"),
        ('{"spec_version":1,"errors":{"when":"x"}}', '{"spec_version":2,"errors":{"in_success":"x"}}'),
        ('errors: {"wh\\u0065n": x}\nspec_version: 1', 'errors: {"in_success": x}\nspec_version: 2'),
        ("spec_version: 1\nerrors:\n  ? when\n  : x", "spec_version: 2\nerrors:\n  ? in_success\n  : x"),
        ("spec_version: 1\nerrors:\n  ? >-\n    when\n  : x", "spec_version: 2\nerrors:\n  ? in_success\n  : x"),
        (
            "title: 😀\x85\nspec_version: 1\nerrors: {a: '😀', when: x}",
            "title: 😀\x85\nspec_version: 2\nerrors: {a: '😀', in_success: x}",
        ),
        ("spec_version: 1\nerrors:\n  when: |\n    x\n", "spec_version: 2\nerrors:\n  in_success: |\n    x\n"),
        ("spec_version: 1\nerrors: {when: null}", "spec_version: 2\nerrors: {in_success: null}"),
        ("spec_version: 1\nextends: cohere", "spec_version: 2\nextends: cohere"),
        ("spec_version: 1\nerrors: null", "spec_version: 2\nerrors: null"),
        ("spec_version: 1\nerrors: [when]", "spec_version: 2\nerrors: [when]"),
        ("spec_version: 1.0", "spec_version: 2"),
    ],
    ids=[
        "flow style",
        "single quotes",
        "json",
        "an escape in the key",
        "an explicit key",
        "a block scalar as key",
        "characters of several bytes",
        "a block below",
        "null for an inherited one",
        "a child without errors",
        "errors removed",
        "errors of a wrong type",
        "a version with a point",
    ],
)
def test_a_file_in_any_style_is_migrated(old: str, new: str) -> None:
    assert migrated_text(old) == new
    assert read_yaml(new, "toy.yaml").findings == []


def test_a_current_file_is_returned_as_it_is() -> None:
    assert migrated(MIGRATED, read_yaml(MIGRATED, "toy.yaml")) == (MIGRATED, ())


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (
            "spec_version: 3",
            "toy.yaml:1:15: error: spec_version: the file is written in version 3 of the spec language, and this "
            "program knows 1 to 2; update rankspec [unknown-value]",
        ),
        (
            "provider: toy",
            "toy.yaml:1:1: error: 'spec_version' is missing: write the version that the file is written in, 1 to 2 "
            "[missing-key]",
        ),
        ("spec_version: 0", "toy.yaml:1:15: error: spec_version: must be a whole number, 1 to 2 [unknown-value]"),
        ("spec_version: 1.5", "toy.yaml:1:15: error: spec_version: must be a whole number, 1 to 2 [unknown-value]"),
        ("spec_version: '1'", "toy.yaml:1:15: error: spec_version: must be a whole number, 1 to 2 [unknown-value]"),
        ("spec_version: true", "toy.yaml:1:15: error: spec_version: must be a whole number, 1 to 2 [unknown-value]"),
        ("[]", "toy.yaml:1:1: error: a spec is an object: provider: name, and so on [wrong-type]"),
        (
            "spec_version: 1\nerrors: {when: a, in_success: b}",
            "toy.yaml:2:10: error: errors.when: 'in_success' is here already, which is the new name of 'when': "
            "remove one of them [unknown-key]",
        ),
    ],
    ids=["newer", "missing", "zero", "a half", "text", "a boolean", "no object", "both names"],
)
def test_what_cannot_be_migrated_is_a_finding(text: str, finding: str) -> None:
    assert findings(text) == [finding]


def test_what_does_not_read_is_told_as_the_loader_tells_it() -> None:
    text = "spec_version: 1\nprovider: [toy"
    assert findings(text) == [str(finding) for finding in read_yaml(text, "toy.yaml").findings]


def test_every_version_before_the_current_one_has_a_step() -> None:
    assert list(STEPS) == list(range(1, CURRENT_VERSION))
    assert read_schema("provider_spec")["properties"]["spec_version"]["const"] == CURRENT_VERSION


# What the loader reads


def test_an_old_file_reads_as_a_current_one_at_its_own_places() -> None:
    text = "spec_version: 1\nerrors: {when: error_code, message: [detail]} # here\nprovider: toy\n"
    file = read_yaml(text, "toy.yaml")
    read = current(file)
    assert read.data == {
        "spec_version": 2,
        "errors": {"in_success": "error_code", "message": ["detail"]},
        "provider": "toy",
    }
    assert read.text == text
    assert read.keys["errors", "in_success"] == Mark(2, 10, 25, 29)
    assert read.values["errors", "message", 0] == file.values["errors", "message", 0]
    assert read.findings == []
    assert file.data["spec_version"] == 1


@pytest.mark.parametrize(
    "text",
    [MIGRATED, "spec_version: 3", "provider: toy", "[]", "spec_version: 1\na: [", "spec_version: '1'"],
    ids=["current", "newer", "without a version", "no object", "no yaml", "text as version"],
)
def test_what_is_current_or_cannot_be_migrated_is_left_to_the_loader(text: str) -> None:
    file = read_yaml(text, "toy.yaml")
    assert current(file) is file


def test_an_old_file_with_both_names_is_left_to_the_schema() -> None:
    file = read_yaml("spec_version: 1\nerrors: {when: a, in_success: b}", "toy.yaml")
    assert current(file) is file


def test_an_old_file_with_a_finding_elsewhere_is_looked_at_all_the_same() -> None:
    file = read_yaml("spec_version: 1\ntitle: yes\nerrors: {when: a}", "toy.yaml")
    read = current(file)
    assert read.data == {"spec_version": 2, "title": "yes", "errors": {"in_success": "a"}}
    assert [finding.code for finding in read.findings] == ["yaml-surprise"]


def test_an_old_file_with_the_key_twice_is_left_as_it_is() -> None:
    file = read_yaml("spec_version: 1\nerrors: {when: a, when: b}", "toy.yaml")
    assert current(file) is file


def test_a_current_file_is_not_read_a_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [read_yaml(file.read_text("utf-8"), name) for name, file in shipped_specs().items()]

    def read_again(text: str, name: str) -> None:
        raise AssertionError(f"{name} is read again")

    monkeypatch.setattr(migrations, "read_yaml", read_again)
    for file in files:
        assert current(file) is file


# Any file

KEYS = st.sampled_from(["when", "in_success_not", "message", "kinds", "é", "a b"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["when", "x # y", "{{ a }}", "1", "errors"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


@given(
    errors=st.dictionaries(KEYS, VALUES),
    more=st.dictionaries(st.sampled_from(["auth", "examples", "models"]), VALUES),
    indent=st.sampled_from([None, 1, 4]),
    newline=st.sampled_from(["\n", "\r\n"]),
)
def test_any_value_stays_the_same_but_for_the_renamed_key(
    errors: dict[str, object], more: dict[str, object], indent: int | None, newline: str
) -> None:
    data = {**TOY, **more, "spec_version": 1, "errors": errors}
    text = json.dumps(data, ensure_ascii=False, indent=indent).replace("\n", newline)
    expected = {("in_success" if key == "when" else key): value for key, value in errors.items()}
    new, notes = migrated(text, read_yaml(text, "toy.yaml"))
    assert read_yaml(new, "toy.yaml").data == {**data, "spec_version": 2, "errors": expected}
    assert list(json.loads(new)["errors"]) == list(expected)
    assert len(notes) == 1 + ("when" in errors)
    assert current(read_yaml(text, "toy.yaml")).data == read_yaml(new, "toy.yaml").data
