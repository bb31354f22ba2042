"""`rankspec check`: what is checked, in which form it is told, and how it exits."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from click.testing import CliRunner, Result

from rankspec.checks import DEFAULT_CASES, DEFAULT_SEED
from rankspec.checks.pages import BASE, PAGES
from rankspec.cli import main

BAD = BASE.replace("{{ query }}", "{{ qurey }}")
IDLE = BASE + "settings:\n  region: {description: Region, default: eu}\n"
CHECKOUT = Path(__file__).resolve().parent.parent.parent
PATIENCE_SECONDS = 60.0
HOOKS = CHECKOUT / ".pre-commit-hooks.yaml"


@pytest.fixture(autouse=True)
def _without_colours_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    """The command's outcome, without generated requests if not asked for."""
    cases = () if "--cases" in arguments else ("--cases", "0")
    return CliRunner().invoke(main, ["check", *cases, *arguments], input=stdin, catch_exceptions=False)


def write(name: str, text: str) -> str:
    """The file's name; its provider is called as the file is."""
    file = Path(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text.replace("provider: toy\n", f"provider: {file.stem}\n"), "utf-8")
    return name


def checked(*arguments: str, stdin: bytes | None = None) -> dict[str, Any]:
    result = run(*arguments, "--output", "json", stdin=stdin)
    assert result.exit_code in (0, 1), result.stderr
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def files(*arguments: str) -> list[str]:
    return [one["file"] for one in checked(*arguments)["files"]]


def codes(*arguments: str, stdin: bytes | None = None) -> list[str]:
    return [one["code"] for file in checked(*arguments, stdin=stdin)["files"] for one in file["findings"]]


def without_seconds(text: str) -> str:
    return re.sub(r"[0-9]+\.[0-9] seconds", "N seconds", text)


def test_a_spec_without_a_fault_prints_only_a_summary() -> None:
    result = run(write("toy.yaml", BASE))
    assert result.stdout == ""
    assert without_seconds(result.stderr) == (
        "rankspec: checked 1 file: 0 errors, 0 warnings; 4 examples replayed; N seconds\n"
    )
    assert result.exit_code == 0


def test_an_error_is_told_with_its_line() -> None:
    result = run(write("toy.yaml", BAD))
    assert result.stdout == (
        "toy.yaml:19:16: error[unknown-name]: unknown name 'qurey'; did you mean 'query'?\n"
        "   = at: request.body.query\n"
        '19 |     query: "{{ qurey }}"\n'
        "   |                ^^^^^\n"
        "   = help: write 'query'\n"
        "   = see: rankspec check --explain unknown-name\n"
    )
    assert without_seconds(result.stderr).startswith("rankspec: checked 1 file: 1 error, 0 warnings; ")
    assert result.exit_code == 1


def test_warnings_fail_only_if_strict() -> None:
    file = write("toy.yaml", IDLE)
    assert codes(file) == ["unused-setting"]
    assert (run(file).exit_code, run(file, "--strict").exit_code) == (0, 1)


@pytest.fixture
def _tree() -> None:
    for name in ("specs/b.yaml", "specs/a.yaml", "specs/more/c.yaml", "specs/.hidden/d.yaml", "specs/.e.yaml"):
        write(name, BASE)
    write("specs/notes.md", "no spec")


@pytest.mark.usefixtures("_tree")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["specs"], ["specs/a.yaml", "specs/b.yaml", "specs/more/c.yaml"]),
        (["specs/b.yaml", "specs/a.yaml"], ["specs/b.yaml", "specs/a.yaml"]),
        (["specs/*.yaml"], ["specs/a.yaml", "specs/b.yaml"]),
        (["specs/*"], ["specs/a.yaml", "specs/b.yaml", "specs/more/c.yaml"]),
        (["specs/**/*.yaml"], ["specs/a.yaml", "specs/b.yaml", "specs/more/c.yaml"]),
        (["**"], ["specs/a.yaml", "specs/b.yaml", "specs/more/c.yaml"]),
        (["specs/b.yaml", "./specs/b.yaml", "specs"], ["specs/b.yaml", "specs/a.yaml", "specs/more/c.yaml"]),
        (["specs/.hidden/d.yaml"], ["specs/.hidden/d.yaml"]),
        (["cohere", "specs/a.yaml"], ["provider_specs/cohere.yaml", "specs/a.yaml"]),
    ],
    ids=["a folder", "files", "a glob", "a glob of all", "a deep glob", "two stars", "twice", "hidden", "a name"],
)
def test_files_are_found_in_order_and_each_once(arguments: list[str], expected: list[str]) -> None:
    assert files(*arguments) == expected


def test_what_is_installed_inside_a_folder_is_passed_over() -> None:
    for name in ("specs/a.yaml", "specs/v/lib/b.yaml", "specs/node_modules/c.yaml", "specs/__pycache__/d.yaml"):
        write(name, BASE)
    write("specs/v/pyvenv.cfg", "")
    assert files("specs") == ["specs/a.yaml"]


def test_another_name_of_a_shipped_spec_is_taken() -> None:
    text = BASE.replace("provider: toy", "provider: jina")
    assert codes(write("jina.yaml", text)) == ["spec-shadows"]
    assert codes(write("toy.yaml", f"aliases: [cohere, toy-2, tei]\n{BASE}"))[-2:] == ["spec-shadows"] * 2


def test_a_name_with_the_signs_of_a_glob_is_first_a_file() -> None:
    assert files(write("a[1].yaml", BASE)) == ["a[1].yaml"]


def test_without_arguments_the_folder_of_specs_is_checked() -> None:
    write("provider_specs/toy.yaml", BASE)
    assert files() == ["provider_specs/toy.yaml"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say what to check: a file, a folder or a glob; there is no ./provider_specs"),
        (["toy.yaml"], "there is no file or folder 'toy.yaml'\n"),
        (["here/cohere"], "there is no file or folder 'here/cohere'\n"),
        (["coher"], "there is no file or folder 'coher', and no spec of that name; did you mean 'cohere'?"),
        (["*.yaml"], "there is no .yaml file in '*.yaml'"),
        (["empty"], "there is no .yaml file in 'empty'"),
        (["a" * 300], f"'{'a' * 300}' cannot be read: File name too long"),
        (["-", "--watch"], "standard input cannot be watched"),
        (["cohere", "--specs", "nowhere"], "'nowhere' does not exist"),
        (["cohere", "--output", "xml"], "'xml' is not one of"),
        (["cohere", "--cases", "-1"], "-1 is not in the range"),
        (["--explain", "unknown-nam"], "no finding has the code 'unknown-nam'; did you mean 'unknown-name'?"),
        (["--explain", "zzz"], "no finding has the code 'zzz'; known are auth-header-twice, "),
    ],
    ids=lambda value: (" ".join(value)[:40] or "nothing") if isinstance(value, list) else "",
)
def test_wrong_usage_exits_with_two(arguments: list[str], message: str) -> None:
    Path("empty").mkdir()
    result = run(*arguments)
    assert message in result.stderr
    assert (result.stdout, result.exit_code) == ("", 2)


def test_standard_input_has_no_name_of_its_own() -> None:
    told = checked("-", stdin=b"\xef\xbb\xbf" + BASE.encode())
    assert told["files"] == [{"file": "<stdin>", "examples": 4, "cases": told["files"][0]["cases"], "findings": []}]


def test_standard_input_can_be_given_a_name_which_then_counts() -> None:
    write("specs/parent.yaml", BASE)
    child = b"spec_version: 2\nprovider: child\nextends: parent\n"
    assert "spec-name" not in codes("-", "--stdin-name", "specs/child.yaml", stdin=child)
    assert "unknown-parent" not in codes("-", "--stdin-name", "specs/child.yaml", stdin=child)
    assert "spec-name" in codes("-", "--stdin-name", "specs/other.yaml", stdin=child)
    assert "unknown-parent" in codes("-", stdin=child)


@pytest.mark.parametrize("place", ["a file", "standard input"])
def test_what_is_not_utf8_is_a_finding(place: str) -> None:
    raw = "title: Café".encode("latin-1")
    Path("toy.yaml").write_bytes(raw)
    told = checked("toy.yaml") if place == "a file" else checked("-", stdin=raw)
    [finding] = told["files"][0]["findings"]
    assert (finding["code"], finding["line"], finding["column"]) == ("yaml-unreadable", 1, 1)
    assert finding["message"] == "is not UTF-8: byte 10 cannot be read; save the file as UTF-8"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="such a user reads every file")
def test_a_file_without_leave_to_read_it_is_a_finding() -> None:
    Path(write("toy.yaml", BASE)).chmod(0)
    assert codes("toy.yaml") == ["yaml-unreadable"]


def test_a_file_that_is_not_called_as_its_provider_is_a_finding_beside_others() -> None:
    Path("toi.yaml").write_text(BAD)
    [first, second] = checked("toi.yaml")["files"][0]["findings"]
    assert (first["code"], first["line"], first["column"], first["end_column"]) == ("spec-name", 2, 11, 14)
    assert first["message"] == "the provider is 'toy' but the file is called toi.yaml; make them the same"
    assert first["suggestion"] == "toi"
    assert second["code"] == "unknown-name"
    Path("my-toy.yaml").write_text(BASE)
    assert checked("my-toy.yaml")["files"][0]["findings"][0]["suggestion"] is None


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="pipes have no names here")
def test_a_pipe_needs_no_name() -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, BASE.encode())
        os.close(writing)
        assert codes(f"/dev/fd/{reading}") == []
    finally:
        os.close(reading)


CHILD = "spec_version: 2\nprovider: child\nextends: {}\n"


@pytest.mark.parametrize(
    ("parent", "arguments"),
    [("specs/parent.yaml", []), ("others/parent.yaml", ["--specs", "others"]), (None, [])],
    ids=["beside", "in --specs", "shipped"],
)
def test_a_parent_is_found(parent: str | None, arguments: list[str]) -> None:
    if parent:
        write(parent, BASE)
    file = write("specs/child.yaml", CHILD.format("parent" if parent else "cohere"))
    assert codes(file, *arguments) == ["example-kinds"]


def test_a_parent_beside_the_file_comes_before_a_shipped_one() -> None:
    write("specs/cohere.yaml", BAD)
    told = checked(write("specs/child.yaml", CHILD.format("cohere")))
    assert [(one["file"], one["code"]) for one in told["files"][0]["findings"]] == [
        ("specs/child.yaml", "unknown-name")
    ]


def test_a_parents_parent_is_found_beside_it_too() -> None:
    write("specs/grandparent.yaml", BASE)
    write("specs/parent.yaml", CHILD.format("grandparent").replace("child", "parent"))
    assert codes(write("specs/child.yaml", CHILD.format("parent"))) == ["example-kinds"]


def test_specs_that_extend_each_other_are_a_finding() -> None:
    write("a.yaml", "spec_version: 2\nprovider: a\nextends: b\n")
    write("b.yaml", "spec_version: 2\nprovider: b\nextends: a\n")
    result = run("a.yaml")
    assert result.stdout.startswith(
        "b.yaml:3:10: error[extends-cycle]: the specs extend each other in a circle: b -> a -> b\n"
        "  = at: extends\n"
        "3 | extends: a\n"
        "  |          ^\n"
    )
    assert result.exit_code == 1


@pytest.mark.parametrize("where", ["beside", "in --specs"])
def test_a_broken_parent_is_shown_in_its_own_file_and_told_once(where: str) -> None:
    folder = "specs" if where == "beside" else "others"
    write(f"{folder}/parent.yaml", "limits: {documents: 1}\nlimits: {documents: 2}\n")
    more = [] if where == "beside" else ["--specs", "others"]
    write("specs/child.yaml", CHILD.format("parent"))
    write("specs/twin.yaml", CHILD.format("parent").replace("child", "twin"))
    result = run("specs/child.yaml", "specs/twin.yaml", *more)
    assert result.stdout.count("error[") == 1
    assert f"{folder}/parent.yaml:2:1: error[yaml-duplicate-key]: " in result.stdout
    assert "2 | limits: {documents: 2}\n" in result.stdout
    assert "checked 2 files: 1 error, " in result.stderr


def test_a_key_in_a_file_is_not_shown() -> None:
    page = PAGES["secret-literal"]
    key = re.findall("sk-live-[0-9a-f]+", page.bad)[0]
    file = write("toy.yaml", page.file(page.bad).replace("path:", "pth:"))
    for output in ("text", "json", "github", "sarif", "junit"):
        result = run(file, "--output", output)
        assert "secret-literal" in result.stdout
        assert key not in result.stdout + result.stderr


def test_a_key_in_the_place_of_the_providers_name_is_not_shown() -> None:
    key = "sk-abcdefghij0123456789abcd"
    result = run(write("toy.yaml", f"spec_version: 2\nprovider: {key}\n"))
    assert f"the provider is '{'*' * len(key)}' but the file is called toy.yaml" in result.stdout
    assert key not in result.output


def test_generated_requests_follow_the_seed() -> None:
    file = write("toy.yaml", BASE)
    assert checked(file, "--seed", "3", "--cases", "5")["summary"]["seed"] == 3
    result = run(file, "--seed", "3", "--cases", "5")
    assert "5 generated requests (seed 3); " in result.stderr
    assert checked(file)["summary"]["cases"] == 0


def test_colours_follow_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    file = write("toy.yaml", BAD)
    assert "\x1b" not in run(file).stdout
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert run(file).stdout.startswith("\x1b[1mtoy.yaml:19:16:\x1b[0m \x1b[1;31merror[unknown-name]:\x1b[0m ")
    assert "\x1b" not in run(file, "--output", "json").stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in run(file).stdout


@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals")
@pytest.mark.parametrize("terminal", ["xterm", "dumb"])
def test_a_terminal_gets_colours_and_lines_of_its_width(terminal: str) -> None:
    import pty

    write("toy.yaml", BAD.replace('query: "{{ qurey }}"', f'query: "{"x" * 100}{{{{ qurey }}}}"'))
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "rankspec", "check", "toy.yaml"]
    environ = {**os.environ, "TERM": terminal, "COLUMNS": "60"}
    with subprocess.Popen(command, stdout=follower, stderr=subprocess.DEVNULL, env=environ) as process:
        os.close(follower)
        shown = b""
        while chunk := _read(leader):
            shown += chunk
        assert process.wait(PATIENCE_SECONDS) == 1
    os.close(leader)
    assert (b"\x1b[" in shown) is (terminal == "xterm")
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).splitlines()
    assert re.fullmatch(r'19 \| \.\.\.x+{{ qurey }}"', lines[2])
    assert 50 < len(lines[2]) <= 60
    assert lines[3] == "   | " + " " * (lines[2].index("qurey") - 5) + "^^^^^"


def _read(leader: int) -> bytes:
    try:
        return os.read(leader, 4096)
    except OSError:  # The other side is closed.
        return b""


def test_an_error_of_the_environment_is_json_where_json_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANKSPEC_SPECS", "nowhere")
    result = run(write("toy.yaml", BASE), "--output", "json")
    assert json.loads(result.stderr)["error"] == "SpecInvalid"
    assert (result.stdout, result.exit_code) == ("", 1)


def test_the_same_findings_stand_behind_every_output() -> None:
    file = write("toy.yaml", BAD)
    told = {output: run(file, "--output", output) for output in ("github", "sarif", "junit", "json")}
    assert {result.exit_code for result in told.values()} == {1}
    assert told["github"].stdout.startswith(
        "::error file=toy.yaml,line=19,col=16,endColumn=21,title=unknown-name::request.body.query: unknown name"
    )
    [result] = json.loads(told["sarif"].stdout)["runs"][0]["results"]
    assert result["ruleId"] == "unknown-name"
    suites = ElementTree.fromstring(told["junit"].stdout)  # noqa: S314 - it is our own
    assert suites.get("failures") == "1"
    assert json.loads(told["json"].stdout)["summary"]["errors"] == 1


def test_an_output_that_cannot_carry_a_sign_gets_an_escape() -> None:
    write("toy.yaml", BAD.replace("title: Toy", "title: Töy").replace('query: "{{ qurey }}"', 'query: "ö {{ qurey }}"'))
    result = subprocess.run(
        [sys.executable, "-m", "rankspec", "check", "toy.yaml"],
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert b'query: "\\xf6 {{ qurey }}"' in result.stdout
    assert result.returncode == 1


def test_a_code_is_explained() -> None:
    result = run("--explain", "unknown-name")
    assert result.stdout.startswith("unknown-name (error): A template uses a name that there is not\n\n")
    assert '    query: "{{ qurey }}"\n' in result.stdout
    assert (result.stderr, result.exit_code) == ("", 0)


def test_all_codes_are_listed() -> None:
    lines = run("--explain", "all").stdout.splitlines()
    assert [line.split()[0] for line in lines] == sorted(PAGES)


def test_pages_are_data_too() -> None:
    page = json.loads(run("--explain", "yaml-tab", "--output", "json").stdout)
    assert page == {
        "code": "yaml-tab",
        "severity": "error",
        "title": "A tab is used for indentation",
        "what": PAGES["yaml-tab"].what,
        "why": PAGES["yaml-tab"].why,
        "bad": "limits:\n\tdocuments: 1000\n",
        "good": "limits:\n  documents: 1000\n",
        "is_whole": False,
        "is_config": False,
    }
    assert json.loads(run("--explain", "all", "--output", "json").stdout).keys() == PAGES.keys()


# A shell that starts a process in the background makes it deaf to Ctrl-C.
WATCH = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from rankspec.cli import main; main()"


class Watching:
    """A process that watches, and what it has told so far."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WATCH, "check", "--watch", "--cases", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.told = ""
        self._seen = 0
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.told += line

    def wait_for(self, pattern: str) -> None:
        """Until the pattern stands in what was told since the last one."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := re.compile(pattern).search(self.told, self._seen)):
            assert self.process.poll() is None, self.told
            assert time.monotonic() < deadline, self.told
            time.sleep(0.02)
        self._seen = found.end()

    def end(self) -> int:
        """The exit code after Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE_SECONDS)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def watching() -> Iterator[list[Watching]]:
    started: list[Watching] = []
    yield started
    for one in started:
        one.close()


with_signals = pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is no signal there")


@with_signals
def test_a_watched_file_is_checked_again_when_it_changes(watching: list[Watching]) -> None:
    write("toy.yaml", BASE)
    one = Watching("toy.yaml")
    watching.append(one)
    one.wait_for(r"rankspec: [0-9:]{8}; Ctrl-C ends\nrankspec: checked 1 file: 0 errors")
    write("toy.yaml", BAD)
    one.wait_for(r"Ctrl-C ends\ntoy\.yaml:19:16: error\[unknown-name\](.|\n)*checked 1 file: 1 error")
    Path("toy.yaml").unlink()
    one.wait_for("there is no file or folder 'toy.yaml'")
    write("toy.yaml", BASE)
    one.wait_for("checked 1 file: 0 errors")
    assert one.end() == 0


@with_signals
def test_a_watched_folder_is_checked_again_for_a_new_file_or_a_parent(watching: list[Watching]) -> None:
    write("specs/toy.yaml", CHILD.format("parent").replace("child", "toy"))
    write("others/parent.yaml", BASE)
    one = Watching("specs", "--specs", "others")
    watching.append(one)
    one.wait_for("checked 1 file: 0 errors")
    write("others/parent.yaml", BAD)
    one.wait_for("checked 1 file: 1 error")
    write("specs/parent.yaml", BASE)
    one.wait_for("checked 2 files: 0 errors")
    write("specs/another.yaml", BAD)
    one.wait_for("checked 3 files: 1 error")
    assert one.end() == 1


@pytest.mark.skipif(not HOOKS.exists(), reason="the hook is not in the wheel")
def test_the_hook_runs_the_check_on_specs() -> None:
    [hook] = yaml.safe_load(HOOKS.read_text("utf-8"))
    assert (hook["id"], hook["entry"], hook["language"]) == ("rankspec-check", "rankspec check", "python")
    matched = ["provider_specs/toy.yaml", "sub/provider_specs/toy.yaml", "provider_specs/own/toy.yaml"]
    others = ["toy.yaml", "provider_specs/README.md", "my_provider_specs/toy.yaml"]
    assert [name for name in [*matched, *others] if re.search(hook["files"], name)] == matched


def test_the_help_tells_the_defaults() -> None:
    told = " ".join(run("--help").stdout.split())
    assert f"For the generated requests; {DEFAULT_SEED} by default." in told
    assert f"How many requests to generate for each spec; {DEFAULT_CASES} by default." in told
