"""What is installed: the data beside the package, nothing more, and a light import."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

import rankspec
from rankspec.resources import data_folder, read_schema, shipped_specs

EXPECTED_SPECS = {
    "azure_ai",
    "bedrock",
    "cohere",
    "cohere_v1",
    "huggingface",
    "infinity",
    "jina_ai",
    "local",
    "together_ai",
}
HEAVY = ("click", "rich", "wreq", "botocore", "numpy", "bm25s", "Stemmer", "jsonschema", "requests", "asyncio")
from_wheel = pytest.mark.skipif("RANKSPEC_EXPECT_WHEEL" not in os.environ, reason="runs against the built wheel only")


def test_every_shipped_spec_and_schema_is_found() -> None:
    assert shipped_specs().keys() >= EXPECTED_SPECS
    for name in ("provider_spec", "rerank_request", "rerank_response"):
        assert read_schema(name)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_version_is_that_of_the_distribution() -> None:
    assert importlib.metadata.version("rankspec") == rankspec.__version__


def test_the_public_names_are_all_there_and_sorted() -> None:
    assert rankspec.__all__ == sorted(rankspec.__all__)
    assert [name for name in rankspec.__all__ if not hasattr(rankspec, name)] == []


def test_the_package_says_that_it_is_typed() -> None:
    assert Path(rankspec.__file__).with_name("py.typed").exists()


def test_importing_rankspec_loads_nothing_heavy() -> None:
    code = f"import sys, rankspec; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


@from_wheel
def test_the_tests_run_against_the_wheel() -> None:
    assert "site-packages" in rankspec.__file__
    assert str(data_folder("schemas")).startswith(str(Path(rankspec.__file__).parent))


@from_wheel
def test_the_wheel_holds_modules_specs_and_schemas_only() -> None:
    files = importlib.metadata.files("rankspec") or []
    kinds = {file.suffix for file in files if "dist-info" not in str(file) and "__pycache__" not in str(file)}
    assert kinds - {""} == {".py", ".typed", ".yaml", ".json", ".html"} - (
        {".typed"} if ".typed" not in kinds else set()
    )
