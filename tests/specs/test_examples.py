"""Every example of every shipped spec is a test, named file::title."""

from __future__ import annotations

import pytest

from rankspec.catalog import Catalog
from rankspec.checks import replay
from rankspec.specs import ProviderSpec

CATALOG = Catalog(environ={})


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
