"""`rankspec schema`: whole output and exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rankspec.cli import main
from rankspec.resources import read_schema


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["schema", *arguments], catch_exceptions=False)


def test_the_schema_of_a_spec_is_printed_by_default() -> None:
    result = run()
    assert json.loads(result.stdout) == read_schema("provider_spec")
    assert (result.stderr, result.exit_code) == ("", 0)


@pytest.mark.parametrize("name", ["provider_spec", "rerank_request", "rerank_response", "gateway_config"])
def test_a_schema_is_written_to_a_file(tmp_path: Path, name: str) -> None:
    file = tmp_path / f"{name}.schema.json"
    result = run(name, "--output", str(file))
    assert json.loads(file.read_text("utf-8")) == read_schema(name)
    assert file.read_text("utf-8").endswith("}\n")
    assert (result.output, result.exit_code) == ("", 0)


def test_an_unknown_schema_is_answered_with_the_known_ones() -> None:
    result = run("provider")
    assert (
        "'provider' is not one of 'provider_spec', 'rerank_request', 'rerank_response', 'gateway_config'"
        in result.stderr
    )
    assert (result.stdout, result.exit_code) == ("", 2)


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    result = run("--output", str(tmp_path / "nowhere" / "schema.json"))
    assert "schema.json cannot be written: No such file or directory" in result.stderr
    assert result.exit_code == 1


def test_help_shows_the_line_that_points_an_editor_at_it() -> None:
    assert "# yaml-language-server: $schema=provider_spec.schema.json" in run("--help").stdout
