"""No finding shows what looks like a key, wherever it stands: in this file or a parent's, whole or cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytest

from rankspec.checks import check_text
from rankspec.checks.pages import BASE
from rankspec.disclosure import hide, means_a_secret, secrets_of, without_named, without_secrets
from rankspec.errors import SpecInvalid
from rankspec.migrations import current
from rankspec.models import Finding, Related
from rankspec.specs import load_spec, merged_data
from rankspec.strict_yaml import read_yaml

KEY = "sk-abcdefghij0123456789abcd"
STARS = "*" * len(KEY)


def finding(message: str, **more: Any) -> Finding:
    return Finding("error", "some-code", "toy.yaml", 1, 1, (), message, **more)


def parent_of(text: str) -> Any:
    """Gives the data of a spec of this text, as a catalog does."""

    def find_parent(name: str) -> Mapping[str, Any]:
        read = current(read_yaml(text, f"{name}.yaml"))
        if read.findings:
            raise SpecInvalid(read.findings)
        return merged_data(read, find_parent)

    return find_parent


CHILD = "spec_version: 2\nextends: toy\nprovider: child\ntitle: Child\n"


def test_every_part_of_a_finding_is_covered() -> None:
    shown = finding(KEY, related=(Related(2, 1, f"x {KEY}"),), details=(f"- {KEY}",), suggestion=KEY)
    assert without_secrets(shown, ()) == finding(
        STARS, related=(Related(2, 1, f"x {STARS}"),), details=(f"- {STARS}",), suggestion=None
    )


def test_what_is_no_secret_stays() -> None:
    plain = finding("write sk-... here", suggestion="query", details=("+ a...",))
    assert without_secrets(plain, {KEY}) == plain


@pytest.mark.parametrize("kept", [8, 15, len(KEY) - 1])
def test_what_is_left_of_a_secret_where_a_text_was_cut_is_covered(kept: int) -> None:
    shown = finding(f"sends x{KEY[:kept]}... not ...{KEY[-kept:]}y")
    stars = "*" * kept
    assert without_secrets(shown, {KEY}) == finding(f"sends x{stars}... not ...{stars}y")


def test_a_covered_text_keeps_its_length() -> None:
    text = f"a: {KEY} # {KEY}\n"
    assert hide(text, secrets_of(text)) == f"a: {STARS} # {STARS}\n"


@pytest.mark.parametrize(
    "parent", [f"a: 1\n{KEY}: 1\n{KEY}: 2\n", f"a: &{KEY} 1\n"], ids=["a repeated key", "an anchor"]
)
def test_a_key_in_a_parent_that_does_not_read_is_not_shown(parent: str) -> None:
    checked = check_text(CHILD, "child.yaml", parent_of(parent))
    assert [one.file for one in checked.findings] == ["toy.yaml"]
    assert KEY not in str(asdict(checked))


def test_a_key_that_a_parent_sends_is_not_shown_by_its_child() -> None:
    parent = BASE.replace("  path: /v1/rerank\n", f"  path: /v1/rerank\n  headers: {{X-Secret: {KEY}}}\n")
    examples = BASE[BASE.index("examples:") :].replace('Authorization: "Bearer <key>"', "X-Secret: other")
    checked = check_text(CHILD + examples, "child.yaml", parent_of(parent), cases=0)
    assert f"the header X-Secret is '{STARS}', not 'other'" in str(asdict(checked))
    assert KEY not in str(asdict(checked))


def test_a_key_in_a_file_that_is_no_yaml_is_not_shown_by_the_load_either() -> None:
    with pytest.raises(SpecInvalid) as caught:
        load_spec(f"{KEY}: 1\n{KEY}: 2\nb: [\n", "toy.yaml", parent_of(""))
    assert [one.code for one in caught.value.findings][:1] == ["yaml-duplicate-key"]
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "X-Api-Key",
        "apikey",
        "Ocp-Apim-Subscription-Key",
        "accessToken",
        "X-Amz-Security-Token",
        "COOKIE",
        "X-Amz-Signature",
        "Proxy-Authorization",
        "client_secret",
        "X-Secret-Id",
        "dbPassword",
    ],
)
def test_a_name_means_a_secret(name: str) -> None:
    assert means_a_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "max_tokens",
        "tokens",
        "token_type",
        "X-Api-Version",
        "X-Api-Key-Version",
        "Idempotency-Key",
        "keyword",
        "author",
    ],
)
def test_a_name_means_no_secret(name: str) -> None:
    assert not means_a_secret(name)


def test_headers_are_shown_without_what_their_names_say_is_secret() -> None:
    given = {"Authorization": "Token a", "X-Keys": "b", "x-team": "c", "X-Auth": "d"}
    sent = {**given, "X-Auth": "<key>", "Api-Key": "<key>"}
    assert without_named(sent, given) == {**sent, "Authorization": "***", "X-Keys": "***"}
