"""Anchors, aliases and merge keys, in files that may have them."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rankspec.strict_yaml import read_yaml

SHARED = """\
base: &base
  timeout: 5
  nested: {a: [1, 2]}
one:
  <<: *base
  model: cohere
two:
  <<: [{timeout: 1}, *base]
list: [*base, &text words, *text]
"""


def test_an_alias_stands_for_what_its_anchor_names() -> None:
    read = read_yaml(SHARED, "c.yaml", aliases=True)
    assert read.findings == []
    assert read.data == yaml.safe_load(SHARED)


def test_a_value_keeps_the_place_where_it_is_written() -> None:
    read = read_yaml(SHARED, "c.yaml", aliases=True)
    own = read.finding("x", ("one", "model"), "m")
    merged = read.finding("x", ("one", "timeout"), "m")
    deep = read.finding("x", ("two", "nested", "a", 1), "m")
    first = read.finding("x", ("two", "timeout"), "m")
    assert [(one.line, one.column) for one in (own, merged, deep, first)] == [(6, 10), (2, 12), (3, 19), (8, 18)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: *b", "*b: there is no such anchor before it"),
        ("a: &a [*a]", "*a: there is no such anchor before it"),
        ("a: &a 1\nb:\n  <<: *a\n", "what << merges is an object, or a list of objects"),
        ("a: &a 1\n<<: [*a]\n", "what << merges is an object, or a list of objects"),
        (
            "\n".join(
                ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
                + [
                    f"{two}: &{two} [{', '.join([f'*{one}'] * 10)}]"
                    for one, two in zip("abcdef", "bcdefg", strict=True)
                ]
            ),
            "*d: the aliases of this file repeat too much",
        ),
    ],
    ids=["unknown", "itself", "no-object", "no-objects", "too-much"],
)
def test_what_an_alias_cannot_be_is_told(text: str, said: str) -> None:
    read = read_yaml(text, "c.yaml", aliases=True)
    assert [finding.message for finding in read.findings] == [said]


def test_a_spec_may_have_none() -> None:
    codes = {finding.code for finding in read_yaml(SHARED, "spec.yaml").findings}
    assert codes == {"yaml-alias", "yaml-surprise"}


def test_a_quoted_merge_key_is_a_key() -> None:
    assert read_yaml('"<<": {a: 1}', "c.yaml", aliases=True).data == {"<<": {"a": 1}}


LEAVES = st.sampled_from(["x", "y", "&p x", "&q y", "*p", "*q"])
NODES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(inner, max_size=3).map(lambda items: f"&p [{', '.join(items)}]"),
        st.lists(inner, max_size=3).map(lambda items: "{" + ", ".join(f"k{n}: {v}" for n, v in enumerate(items)) + "}"),
        st.lists(inner, max_size=3).map(
            lambda items: "&q {" + ", ".join(f"k{n}: {v}" for n, v in enumerate(items)) + "}"
        ),
    ),
    max_leaves=12,
)


@given(NODES)
def test_any_sharing_is_read_as_pyyaml_reads_it(node: str) -> None:
    text = f"top: {node}"
    read = read_yaml(text, "c.yaml", aliases=True)
    try:
        expected, refused = yaml.load(text, Loader=yaml.BaseLoader), ""  # noqa: S506 - text only
    except yaml.YAMLError as error:
        expected, refused = None, str(error)
    if "duplicate anchor" not in refused:  # YAML itself lets an anchor stand again.
        assert bool(read.findings) == bool(refused)
        assert refused or read.data == expected
