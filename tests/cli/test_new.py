"""`rankspec new`: what it writes, what it tells, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rankspec.cli import main

KEY = "pa-0123456789abcdefghij"
CURL = f"""curl https://api.acme.example/v1/rerank \\
  -H 'Authorization: Bearer {KEY}' \\
  -d '{{"model": "m", "query": "q", "documents": ["a", "b"]}}'
"""
REPLY = json.dumps({"results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]})


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["new", *arguments], input=stdin, catch_exceptions=False)


@pytest.fixture
def call(tmp_path: Path) -> list[str]:
    """Options that name a curl line and its reply."""
    (tmp_path / "call.txt").write_text(CURL, "utf-8")
    (tmp_path / "reply.json").write_text(REPLY, "utf-8")
    return ["--from-curl", "call.txt", "--reply", "reply.json"]


def test_a_call_becomes_a_file_and_what_is_guessed_and_left_is_told(call: list[str]) -> None:
    result = run("acme", *call)
    lines = [line for line in result.stderr.splitlines() if "[example-kinds]" not in line and line != "Found by check:"]
    assert lines == [
        "acme.yaml: written",
        "Guessed, and marked in the file:",
        "  - scoring.scale: all scores of the reply are between 0 and 1",
        "  - title: the name as people write it",
        "  - errors.message: no error reply was given",
        "  - limits.documents: look it up",
        "  - scoring.mode: listwise if a score depends on the other documents",
        "Left to do:",
        "  - errors: no error reply is recorded yet; add an example of a refused key",
    ]
    text = Path("acme.yaml").read_text("utf-8")
    assert text.startswith(
        "# yaml-language-server: $schema=provider_spec.schema.json\nspec_version: 2\nprovider: acme\n"
    )
    assert KEY not in text + result.stderr
    assert (result.stdout, result.exit_code) == ("", 0)


def test_the_written_file_passes_check_and_can_be_called(call: list[str]) -> None:
    run("acme", *call)
    Path("texts.txt").write_text("one\ntwo\n", "utf-8")
    checked = CliRunner().invoke(main, ["check", "acme.yaml"], catch_exceptions=False)
    assert checked.exit_code == 0, checked.output
    arguments = ["render", "q", "texts.txt", "--specs", "acme.yaml", "--model", "acme/m"]
    rendered = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert json.loads(rendered.stdout)["body"] == {"model": "m", "query": "q", "documents": ["one", "two"]}


def test_the_file_can_be_printed_instead(call: list[str]) -> None:
    written, printed = run("acme", *call), run("acme", *call, "--output", "-")
    assert printed.stdout == Path("acme.yaml").read_text("utf-8")
    assert printed.stderr == written.stderr.replace("acme.yaml: written", "acme.yaml: drafted")


def test_a_curl_line_may_come_from_standard_input(call: list[str]) -> None:
    from_file, from_stdin = (
        run("acme", *call, "--output", "-"),
        run("acme", "--from-curl", "-", *call[2:], "--output", "-", stdin=CURL),
    )
    assert from_stdin.stdout == from_file.stdout


def test_the_file_of_a_body_is_found_beside_the_curl_line(tmp_path: Path) -> None:
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls" / "body.json").write_text('{"query": "q", "texts": ["a", "b"]}', "utf-8")
    (tmp_path / "calls" / "call.txt").write_text("curl localhost:8080/rerank -d @body.json", "utf-8")
    (tmp_path / "reply.json").write_text(REPLY, "utf-8")
    assert run("acme", "--from-curl", "calls/call.txt", "--reply", "reply.json").exit_code == 0


def test_without_a_reply_the_file_is_written_and_check_finds_what_is_missing(call: list[str]) -> None:
    result = run("acme", *call[:2])
    assert "  - acme.yaml:2:1: error: 'response' is missing [missing-key]\n" in result.stderr
    assert "  - response: how a reply is read; pass --reply FILE with the reply that the request got\n" in result.stderr
    assert (Path("acme.yaml").exists(), result.exit_code) == (True, 1)


@pytest.mark.parametrize("options", [[], ["--extends", "cohere"]], ids=["whole", "extending"])
def test_a_file_to_fill_in(options: list[str]) -> None:
    result = run("acme", *options)
    assert "Left to do:\n  - endpoint.base_url, and " in result.stderr
    assert ("extends: cohere\n" in Path("acme.yaml").read_text("utf-8"), result.exit_code) == (bool(options), 0)


def test_a_file_that_is_there_is_replaced_only_by_force(call: list[str]) -> None:
    Path("acme.yaml").write_text("mine", "utf-8")
    refused = run("acme", *call)
    assert "Error: acme.yaml is there already; pass --force or --output\n" in refused.stderr
    assert (Path("acme.yaml").read_text("utf-8"), refused.exit_code) == ("mine", 2)
    assert run("acme", *call, "--force").exit_code == 0
    assert Path("acme.yaml").read_text("utf-8") != "mine"


def test_an_output_that_is_there_is_refused_as_the_option_that_names_it(call: list[str]) -> None:
    Path("other.yaml").write_text("mine", "utf-8")
    refused = run("acme", *call, "--output", "other.yaml")
    assert "--output: other.yaml is there already; pass --force to replace it\n" in refused.stderr
    assert (Path("other.yaml").read_text("utf-8"), refused.exit_code) == ("mine", 2)


def test_a_file_of_another_name_is_told_to_be_renamed(call: list[str]) -> None:
    result = run("acme", *call, "--output", "other.yaml")
    assert "The spec is found only in a file called acme.yaml.\n" in result.stderr
    assert Path("other.yaml").exists()


WRONG = {
    "a capital": (["Acme"], "'Acme' is no name of a spec: it begins with a-z and goes on with a-z, 0-9 and _"),
    "a dash": (["ac-me"], "'ac-me' is no name of a spec"),
    "a path": (["../acme"], "'../acme' is no name of a spec"),
    "a shipped spec": (["cohere"], "'cohere' is the name of a shipped spec; choose another"),
    "another name of one": (["jina"], "'jina' is another name of the shipped spec 'jina_ai'; choose another"),
    "another name with a dash": (["aws-bedrock"], "'aws-bedrock' is another name of the shipped spec"),
    "a shipped spec with a dash": (["jina-ai"], "'jina-ai' is the name of a shipped spec; choose another"),
    "an unknown parent": (["acme", "--extends", "coher"], "no spec is called 'coher'; did you mean 'cohere'?"),
    "two ways at once": (["acme", "--from-curl", "x", "--extends", "cohere"], "give one of them"),
    "a reply alone": (["acme", "--reply", "x"], "give that with --from-curl"),
    "standard input twice": (["acme", "--from-curl", "-", "--reply", "-"], "standard input cannot be both the curl line and the reply"),
    "no such file": (["acme", "--from-curl", "nowhere.txt"], "nowhere.txt cannot be read: No such file or directory"),
    "not UTF-8": (["acme", "--from-curl", "bad.txt"], "bad.txt is not UTF-8: byte 0 cannot be read"),
    "no curl line": (["acme", "--from-curl", "reply.json"], "this is no curl line: a line that begins with 'curl' is needed"),
    "no reply": (["acme", "--from-curl", "call.txt", "--reply", "call.txt"], "the reply is not JSON: "),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG)
def test_wrong_usage_is_told_and_writes_nothing(call: list[str], arguments: list[str], message: str) -> None:
    Path("bad.txt").write_bytes(b"\xff\xfe")
    result = run(*arguments)
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert (sorted(file.name for file in Path().glob("*.yaml")), result.exit_code) == ([], 2)
