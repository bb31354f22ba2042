"""`rankspec explain`: whole output and exit code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rankspec import __version__
from rankspec.cli import main

SPEC = """\
spec_version: 2
provider: acme
title: Acme
endpoint: {base_url: "https://api.acme.example", path: /rank}
auth: {kind: bearer, key: {env: [ACME_API_KEY]}}
request:
  body: {q: "{{ query }}", texts: "{{ texts }}"}
response:
  results: "[].{index: i, relevance_score: s}"
  meta:
    tokens: {input_tokens: "header('x-tokens')"}
errors:
  message: [detail]
limits: {documents: 2}
scoring: {scale: logit, mode: pointwise}
models:
  m: {price: {usd: 1, per: 1000000, unit: input_tokens, read: "2026-11-20"}}
"""

TEXT = f"""\
1. The request, as acme (FOLDER/acme.yaml) takes it
   query: "what?"
   model: "m"
   top_n: 1
   return_documents: true
   priority: 3

2. The documents as text
   [0] "one"
   [1] "two"

3. What becomes of each parameter
   model             ignored   the provider is not told; it only says which rules of the spec hold
   query             sent      as body.q
   documents         sent      as texts in body.texts
   top_n             emulated  the ranking is cut here, the provider is not told
   return_documents  emulated  the caller's own documents are attached here, the provider is not asked for them
   priority          ignored   acme does not know it; a warning in the response says so

4. The rules that hold: those of the provider, with models.m laid over them
   limits.documents  2
   scoring.scale     logit
   scoring.mode      pointwise
   price             $1 per 1,000,000 input_tokens, read 2026-11-20

5. The HTTP request
   POST https://api.acme.example/rank
   Content-Type: application/json
   Accept: application/json
   User-Agent: rankspec/{__version__}
   Authorization: Bearer <key>

   {{
     "q": "what?",
     "texts": [
       "one",
       "two"
     ]
   }}

   curl -X POST https://api.acme.example/rank -H 'Content-Type: application/json' -H 'Accept: application/json' -H \
'User-Agent: rankspec/{__version__}' -H 'Authorization: Bearer '"$ACME_API_KEY" --data-raw \
'{{"q":"what?","texts":["one","two"]}}'
"""
SUCCESS = """
6. The reply: status 200, read as a success
   response.results  (FOLDER/acme.yaml:9)
     [].{index: i, relevance_score: s}
     -> [{"index":1,"relevance_score":2.5},{"index":0,"relevance_score":-1}]
   response.meta.tokens.input_tokens  (FOLDER/acme.yaml:11)
     header('x-tokens')
     -> "12"

7. What the call returns
   {
     "id": "(made here)",
     "results": [
       {
         "index": 1,
         "relevance_score": 2.5,
         "document": {
           "text": "two"
         }
       }
     ],
     "meta": {
       "warnings": [
         "acme gave no number for tokens input_tokens, which is left out",
         "priority is not supported by acme and was ignored"
       ]
     }
   }
"""
ERROR = """
6. The reply: status 503, read as an error
   errors.message[0]  (FOLDER/acme.yaml:13)
     detail
     -> "busy"

7. What the call raises
   ProviderUnavailable: Acme answered 503: busy
   provider_message: "busy"
   retry_after_seconds: 2.0
   A call tries again before it raises this.
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "acme.yaml").write_text(SPEC)
    (tmp_path / "texts.txt").write_text("one\ntwo\n")
    (tmp_path / "reply.json").write_text('[{"i": 1, "s": 2.5}, {"i": 0, "s": -1}]')
    (tmp_path / "error.json").write_text('{"detail": "busy"}')
    monkeypatch.setenv("ACME_API_KEY", "very-secret")
    return tmp_path


def run(folder: Path, *arguments: str, query: str = "what?") -> Result:
    command = ["explain", query, str(folder / "texts.txt"), "--specs", str(folder / "acme.yaml"), "-m", "acme/m"]
    result = CliRunner().invoke(main, [*command, *arguments], catch_exceptions=False)
    assert "very-secret" not in result.output
    return result


def told(folder: Path, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(folder, "--output", "json", *arguments).stdout)
    return found


def test_a_call_is_shown_in_numbered_steps(folder: Path) -> None:
    result = run(folder, "-n", "1", "--priority", "3")
    assert result.stdout == TEXT.replace("FOLDER", str(folder))
    assert (result.stderr, result.exit_code) == ("", 0)


def test_a_reply_shows_what_each_expression_finds_and_the_response(folder: Path) -> None:
    more = ["--reply", str(folder / "reply.json"), "--reply-header", "X-Tokens: 12"]
    result = run(folder, "-n", "1", "--priority", "3", *more)
    assert result.stdout == (TEXT + SUCCESS).replace("FOLDER", str(folder))
    assert (result.stderr, result.exit_code) == ("", 0)


def test_an_error_reply_shows_the_error_and_fails_as_the_call_would(folder: Path) -> None:
    more = ["--reply", str(folder / "error.json"), "--status", "503", "--reply-header", "Retry-After: 2"]
    result = run(folder, "-n", "1", "--priority", "3", *more)
    assert result.stdout == (TEXT + ERROR).replace("FOLDER", str(folder))
    assert (result.stderr, result.exit_code) == ("", 1)


def test_json_has_every_step(folder: Path) -> None:
    found = told(folder, "--reply", str(folder / "reply.json"))
    [request] = found.pop("requests")
    assert request.pop("curl").startswith("curl -X POST https://api.acme.example/rank ")
    assert request == {
        "method": "POST",
        "url": "https://api.acme.example/rank",
        "headers": {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": f"rankspec/{__version__}",
            "Authorization": "Bearer <key>",
        },
        "body": {"q": "what?", "texts": ["one", "two"]},
    }
    assert found == {
        "provider": "acme",
        "file": str(folder / "acme.yaml"),
        "request": {"query": "what?", "documents": ["one", "two"], "model": "m", "return_documents": True},
        "documents_as_text": ["one", "two"],
        "parameters": [
            {
                "name": "model",
                "how": "ignored",
                "reason": "the provider is not told; it only says which rules of the spec hold",
            },
            {"name": "query", "how": "sent", "reason": "as body.q"},
            {"name": "documents", "how": "sent", "reason": "as texts in body.texts"},
            {
                "name": "return_documents",
                "how": "emulated",
                "reason": "the caller's own documents are attached here, the provider is not asked for them",
            },
        ],
        "model": {
            "id": "m",
            "entry": "m",
            "limits": {"documents": 2},
            "scale": "logit",
            "mode": "pointwise",
            "price": {"usd": 1, "per": 1000000, "unit": "input_tokens", "read": "2026-11-20"},
        },
        "replies": [
            {
                "status": 200,
                "is_error": False,
                "found": [
                    {
                        "path": "response.results",
                        "file": str(folder / "acme.yaml"),
                        "line": 9,
                        "expression": "[].{index: i, relevance_score: s}",
                        "found": '[{"index":1,"relevance_score":2.5},{"index":0,"relevance_score":-1}]',
                        "failure": None,
                    },
                    {
                        "path": "response.meta.tokens.input_tokens",
                        "file": str(folder / "acme.yaml"),
                        "line": 11,
                        "expression": "header('x-tokens')",
                        "found": "null",
                        "failure": None,
                    },
                ],
            }
        ],
        "response": {
            "id": "(made here)",
            "results": [
                {"index": 1, "relevance_score": 2.5, "document": {"text": "two"}},
                {"index": 0, "relevance_score": -1.0, "document": {"text": "one"}},
            ],
            "meta": {},
        },
        "error": None,
    }


def test_an_error_is_in_the_json_too(folder: Path) -> None:
    result = run(folder, "--output", "json", "--reply", str(folder / "error.json"), "--status", "400")
    assert json.loads(result.stdout)["error"] == {
        "error": "RequestRejected",
        "message": "Acme answered 400: busy",
        "provider_message": "busy",
        "is_retried": False,
    }
    assert (result.stderr, result.exit_code) == ("", 1)


def test_what_cannot_be_sent_is_explained_as_far_as_it_goes(folder: Path) -> None:
    result = run(folder, "--priority", "3", "--unsupported", "error")
    assert "   priority          refused   acme does not know it, and unsupported is error\n" in result.stdout
    assert result.stdout.endswith(
        "\n5. What the call raises\n   RequestInvalid: invalid request: priority: is not supported by acme\n"
    )
    assert (result.stderr, result.exit_code) == ("", 2)


def test_a_call_that_is_split_has_a_step_for_each_request_and_reply(folder: Path) -> None:
    (folder / "texts.txt").write_text("one\ntwo\nthree\n")
    (folder / "second.json").write_text('[{"i": 0, "s": 9}]')
    replies = ["--reply", str(folder / "reply.json"), "--reply", str(folder / "second.json")]
    headings = re.findall(r"^\d+\. (.*)$", run(folder, *replies).stdout, re.MULTILINE)
    assert headings[4:] == [
        "The HTTP request 1 of 2",
        "The HTTP request 2 of 2",
        "The reply 1 of 2: status 200, read as a success",
        "The reply 2 of 2: status 200, read as a success",
        "What the call returns",
    ]
    result = run(folder, *replies[:2])
    assert "the call sends 2 requests, but replies are given for 1: give --reply once for each" in result.stderr
    assert (result.stdout, result.exit_code) == ("", 2)


def test_more_replies_than_requests_are_wrong_usage(folder: Path) -> None:
    result = run(folder, *["--reply", str(folder / "reply.json")] * 2)
    assert "the call sends 1 request, but replies are given for 2" in result.stderr
    assert (result.stdout, result.exit_code) == ("", 2)


def test_an_inherited_expression_has_the_parents_file_and_line(folder: Path) -> None:
    child = folder / "child.yaml"
    child.write_text("spec_version: 2\nprovider: child\nextends: acme\nresponse:\n  id: x\n")
    found = told(folder, "--specs", str(child), "-m", "child/m", "--reply", str(folder / "reply.json"))
    places = {one["path"]: (Path(one["file"]).name, one["line"]) for one in found["replies"][0]["found"]}
    assert places == {
        "response.results": ("acme.yaml", 9),
        "response.id": ("child.yaml", 5),
        "response.meta.tokens.input_tokens": ("acme.yaml", 11),
    }


@pytest.mark.parametrize(
    "arguments",
    [["render"], ["render", "--output", "curl"], ["explain"], ["explain", "--output", "json"]],
    ids=["render", "render as curl", "explain", "explain as JSON"],
)
def test_a_callers_secret_headers_are_shown_as_stars(folder: Path, arguments: list[str]) -> None:
    command, *more = arguments
    given = (
        "Authorization: Token hunter2",
        "X-Api-Key: hunter2",
        "Cookie: a=hunter2",
        "X-My-Tokens: hunter2",
        "X-Team: a",
    )
    headers = [word for header in given for word in ("-H", header)]
    texts = str(folder / "texts.txt")
    Path(texts).write_text("one\ntwo\n")
    spec = ["--specs", str(folder / "acme.yaml"), "-m", "acme/m"]
    result = CliRunner().invoke(main, [command, "q", texts, *spec, *headers, *more], catch_exceptions=False)
    assert (result.stderr, result.exit_code) == ("", 0)
    assert "hunter2" not in result.stdout
    shown = re.findall(r"(Authorization|X-Api-Key|Cookie|X-My-Tokens|X-Team)(?:\": \"|: )([*a]+)", result.stdout)
    assert set(shown) == {
        ("Authorization", "***"),
        ("X-Api-Key", "***"),
        ("Cookie", "***"),
        ("X-My-Tokens", "***"),
        ("X-Team", "a"),
    }


def test_what_runs_in_process_has_no_curl_command(folder: Path) -> None:
    result = run(folder, "-m", "local/bm25")
    assert "   It is answered inside this process: there is no curl command for it.\n" in result.stdout
    assert result.exit_code == 0


def test_an_object_without_text_is_told(folder: Path) -> None:
    documents = folder / "objects.jsonl"
    documents.write_text('{"title": "one"}\n')
    command = ["explain", "q", str(documents), "-m", "cohere_v1/m"]
    result = CliRunner().invoke(main, command, catch_exceptions=False)
    assert "   [0] has no text: an object without the fields to rank\n" in result.stdout
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--reply", "nowhere.json"], "nowhere.json cannot be read: No such file or directory"),
        (["--reply-header", "red"], "must be of the form 'NAME: VALUE'"),
        (["--status", "42"], "42 is not in the range 100<=x<=599"),
        (["--setting", "colour=red"], "invalid request: colour: acme has no such setting"),
        (["--top-n", "0"], "invalid request: top_n: must be 1 or more, not 0"),
    ],
    ids=["no reply file", "header", "status", "setting", "request"],
)
def test_a_mistake_is_one_sentence_and_no_traceback(folder: Path, arguments: list[str], message: str) -> None:
    result = run(folder, *arguments)
    assert message in result.stderr
    assert (result.stdout, result.exit_code) == ("", 2)
