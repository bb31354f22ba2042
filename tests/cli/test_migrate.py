"""`rankspec migrate`: whole output, exit code, and the files themselves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rankspec.cli import main

OLD = b"\xef\xbb\xbfspec_version: 1 # v\r\nprovider: toy\r\nerrors: {when: x} # \xc3\xa9\r\n"
NEW = b"\xef\xbb\xbfspec_version: 2 # v\r\nprovider: toy\r\nerrors: {in_success: x} # \xc3\xa9\r\n"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    file = tmp_path / "toy.yaml"
    file.write_bytes(OLD)
    return file


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["migrate", *map(str, arguments)], catch_exceptions=False)


def test_a_file_is_changed_in_place_and_keeps_its_permissions(old: Path) -> None:
    old.chmod(0o640)
    result = run(old)
    assert result.stdout == (
        f"{old}: brought to version 2\n"
        "  line 1: spec_version is now 2\n"
        "  line 3: errors.when is now errors.in_success\n"
    )
    assert (result.stderr, result.exit_code) == ("", 0)
    assert old.read_bytes() == NEW
    assert old.stat().st_mode & 0o777 == 0o640
    assert list(old.parent.iterdir()) == [old]


def test_a_current_file_is_not_touched_and_is_told(old: Path) -> None:
    run(old)
    os.utime(old, ns=(1, 1))
    result = run(old)
    assert (result.stdout, result.exit_code) == (f"{old}: version 2 already, unchanged\n", 0)
    assert (old.read_bytes(), old.stat().st_mtime_ns) == (NEW, 1)


def test_check_says_what_would_change_and_changes_nothing(old: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh.yaml"
    fresh.write_bytes(NEW)
    result = run("--check", fresh, old)
    assert result.stdout == (
        f"{fresh}: version 2 already, unchanged\n"
        f"{old}: would be brought to version 2\n"
        "  line 1: spec_version is now 2\n"
        "  line 3: errors.when is now errors.in_success\n"
    )
    assert (old.read_bytes(), result.exit_code) == (OLD, 1)
    assert run("--check", fresh).exit_code == 0


def test_the_new_text_goes_to_standard_output_if_asked_to(old: Path) -> None:
    result = run(old, "--output", "-")
    assert result.stdout_bytes == NEW
    assert result.stderr.startswith(f"{old}: brought to version 2\n")
    assert (old.read_bytes(), result.exit_code) == (OLD, 0)


def test_a_link_stays_a_link(old: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(old)
    assert run(link).exit_code == 0
    assert (link.is_symlink(), old.read_bytes()) == (True, NEW)


def test_what_does_not_read_is_a_finding_and_the_others_are_migrated(old: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("spec_version: 1\nprovider: [toy\n")
    (tmp_path / "newer.yaml").write_text("spec_version: 3\n")
    (tmp_path / "latin.yaml").write_bytes(b"spec_version: 1 # \xe9")
    names = ["broken.yaml", "newer.yaml", "latin.yaml", "missing.yaml"]
    result = run(*(tmp_path / name for name in names), old)
    assert result.exit_code == 1
    assert old.read_bytes() == NEW
    lines = [line.removeprefix(f"{tmp_path}/") for line in result.stderr.splitlines()]
    assert [line.partition(":")[0] for line in lines] == names
    assert lines[1:] == [
        "newer.yaml:1:15: error: spec_version: the file is written in version 3 of the spec language, and this program "
        "knows 1 to 2; update rankspec [unknown-value]",
        "latin.yaml:1:1: error: is not UTF-8: byte 18 cannot be read; save the file as UTF-8 [yaml-unreadable]",
        "missing.yaml:1:1: error: cannot be read: No such file or directory [yaml-unreadable]",
    ]


@pytest.mark.parametrize("more", [["--check"], ["other.yaml"]], ids=["with --check", "with two files"])
def test_standard_output_takes_one_file_only(old: Path, more: list[str]) -> None:
    result = run(old, "--output", "-", *more)
    assert "--output prints one file's text: give one FILE, and no --check" in result.stderr
    assert (result.stdout, result.exit_code, old.read_bytes()) == ("", 2, OLD)


def test_a_crash_while_writing_leaves_the_old_file_and_nothing_else(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    result = run(old)
    assert "toy.yaml cannot be written: No space left on device" in result.stderr
    assert (result.exit_code, old.read_bytes(), list(old.parent.iterdir())) == (1, OLD, [old])


def test_a_key_in_what_is_wrong_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "toy.yaml"
    file.write_text("sk-abcdefghij0123456789abcd: 1\nsk-abcdefghij0123456789abcd: 2\n")
    result = run(file)
    assert result.exit_code == 1
    assert f"'{'*' * 27}' stands here again" in result.stderr
    assert "abcdefghij" not in result.output
