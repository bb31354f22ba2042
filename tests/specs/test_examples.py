"""Every example of every shipped spec is a test, named file::title."""

from __future__ import annotations

import pytest

from rankspec.catalog import Catalog
from rankspec.checks import replay
from rankspec.specs import ProviderSpec

CATALOG = Catalog(environ={})

TOLD = sorted(
    [
        "title",
        "aliases",
        "base_url_variables",
        "echo",
        "model_is_required",
        "auth",
        "settings",
        "limits",
        "scale",
        "mode",
        "models",
    ]
)
"""What no call of an example can show, and users rely on all the same."""


def _examples() -> list[object]:
    return [
        pytest.param(spec, example, id=f"{source.name}::{example['title']}")
        for source in CATALOG.sources
        if source.is_shipped
        for spec in [CATALOG.load(source.name)]
        for example in spec.examples
    ]


@pytest.mark.parametrize(("spec", "example"), _examples())
def test_an_example_goes_as_it_says(spec: ProviderSpec, example: dict[str, object]) -> None:
    assert replay(spec, example) == []


@pytest.mark.parametrize("name", [source.name for source in CATALOG.sources if source.is_shipped])
def test_users_are_told_of_every_shipped_provider_what_its_example_says(name: str) -> None:
    (told,) = (example["tells"] for example in CATALOG.load(name).examples if "tells" in example)
    assert sorted(told) == TOLD


@pytest.mark.parametrize("name", [source.name for source in CATALOG.sources if source.is_shipped])
def test_no_two_examples_of_a_spec_have_the_same_title(name: str) -> None:
    titles = [example["title"] for example in CATALOG.load(name).examples]
    assert len(set(titles)) == len(titles)
