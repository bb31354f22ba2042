"""Curl lines as people paste them: each gives the same request as curl would send."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankspec.drafting.curl import read_curl
from rankspec.drafting.outcome import DraftFailed, Notebook
from rankspec.drafting.shell import split_commands

URL = "https://api.acme.example/v1/rerank"
HEADER = ("Authorization", "Bearer $KEY")
FILES = {"body.json": '{"query": "from a file"}'}


def read_file(name: str) -> str:
    if name not in FILES:
        raise FileNotFoundError(2, "No such file or directory")
    return FILES[name]


def read(text: str) -> tuple[dict[str, Any], list[str]]:
    """The request as a plain dict without what is as usual, and the notes."""
    notebook = Notebook()
    usual = {"url": URL, "method": "POST", "headers": [], "user": None, "sigv4": None}
    usual |= {"body_expands": False, "body_cut": ""}
    request = asdict(read_curl(text, read_file, notebook))
    return {name: value for name, value in request.items() if usual.get(name) != value or name == "body"}, [
        *notebook.notes,
        *notebook.remaining,
    ]


SAME = {
    "options apart": f"curl -X POST {URL} -H 'Authorization: Bearer $KEY' -d '{{}}'",
    "options joined": f"curl -sSLkXPOST {URL} '-HAuthorization: Bearer $KEY' '-d{{}}'",
    "long options with =": f"curl --request=POST --url={URL} --header='Authorization: Bearer $KEY' --data-raw='{{}}'",
    "backslashes": f"curl {URL} \\\n  -H 'Authorization: Bearer $KEY' \\\n  -d '{{}}'\n",
    "Windows line ends": f"curl {URL} \\\r\n  -H 'Authorization: Bearer $KEY' \\\r\n  -d '{{}}'\r\n",
    "blanks behind backslashes": f"curl {URL} \\  \n  -H 'Authorization: Bearer $KEY' \\\t\n  -d '{{}}'",
    "a backslash at the end": f"curl {URL} -H 'Authorization: Bearer $KEY' -d '{{}}' \\",
    "double quotes": f'curl "{URL}" -H "Authorization: Bearer $KEY" -d "{{}}"',
    "dollar quotes": f"curl {URL} -H $'Authorization: Bearer $KEY' --data-binary $'\\u007b}}'",
    "no values that matter": f"curl --compressed -s -S -i -L -v -o out.json --max-time 30 -m30 {URL} -w '%{{http_code}}' -H 'Authorization: Bearer $KEY' --json '{{}}'",
    "a prompt, a code block, a pipe": f"```bash\n$ curl {URL} -H 'Authorization: Bearer $KEY' -d '{{}}' 2>&1 | jq .\n```",
    "a variable before it": f"export KEY=secret\nKEY=secret curl {URL} -H 'Authorization: Bearer $KEY' -d '{{}}' > out.json",
    "a comment": f"# reranks\ncurl {URL} -H 'Authorization: Bearer $KEY' -d '{{}}' # done",
    "a bearer option": f"curl {URL} --oauth2-bearer '$KEY' -d '{{}}'",
    "a path to curl": f"/usr/bin/curl {URL} -H 'Authorization: Bearer $KEY' -d '{{}}'",
    "a here-document": f"curl {URL} -H 'Authorization: Bearer $KEY' -d @- <<'EOF'\n{{}}\nEOF\n",
    "a here-string": f"curl {URL} -H 'Authorization: Bearer $KEY' -d @- <<< '{{}}'",
}  # fmt: skip


@pytest.mark.parametrize("text", SAME.values(), ids=SAME)
def test_one_request_written_in_many_ways(text: str) -> None:
    assert read(text) == ({"headers": [HEADER], "body": "{}"}, [])


DATA = {
    "a quote inside quotes": ("""-d '{"q":"it'"'"'s"}'""", '{"q":"it\'s"}'),
    "a quote behind a backslash": ("""-d '{"q":"it'\\''s"}'""", '{"q":"it\'s"}'),
    "escaped double quotes": (r'-d "{\"q\":\"a \\ b\"}"', '{"q":"a \\ b"}'),
    "emoji as a browser escapes it": (r"""--data-raw $'{"q":"\ud83d\ude00 it\'s"}'""", '{"q":"\U0001f600 it\'s"}'),
    "several lines": ("-d '{\n  \"q\": 1\n}'", '{\n  "q": 1\n}'),
    "a file": ("-d @body.json", FILES["body.json"]),
    "an at sign in raw data": ("--data-raw @body.json", "@body.json"),
    "json in two parts": ("--json '{' --json '}'", "{}"),
}


@pytest.mark.parametrize(("option", "body"), DATA.values(), ids=DATA)
def test_the_body_is_what_the_shell_makes_of_it(option: str, body: str) -> None:
    assert read(f"curl {URL} {option}") == ({"body": body}, [])


def test_a_variable_that_the_shell_would_replace_in_the_body_is_noticed() -> None:
    assert read(f'curl {URL} -d "{{\\"q\\":\\"$QUERY\\"}}"') == ({"body": '{"q":"$QUERY"}', "body_expands": True}, [])
    assert read(f"""curl {URL} -d '{{"q":"$QUERY"}}'""") == ({"body": '{"q":"$QUERY"}'}, [])


def test_a_command_that_gives_the_key_stays_one_word() -> None:
    request, _ = read(f'curl {URL} -H "Authorization: Bearer $(gcloud auth print-access-token)" -d {{}}')
    assert request["headers"] == [("Authorization", "Bearer $(gcloud auth print-access-token)")]


def test_what_curl_signs_and_names_is_kept() -> None:
    request, _ = read(f"curl -XPUT {URL} --aws-sigv4 aws:amz:eu-west-1:bedrock -u 'a:b' -d {{}}")
    assert request == {"method": "PUT", "sigv4": "aws:amz:eu-west-1:bedrock", "user": "a:b", "body": "{}"}


NOTICED = {
    "an unknown option": (f"curl --frobnicate {URL} -d {{}}", "the option --frobnicate is not known here and is left out"),
    "an unknown option with a value": (f"curl {URL} --colour blue -d {{}}", "the option --colour is not known here and is left out"),
    "an unknown letter": (f"curl {URL} -Q -d {{}}", "the option -Q is not known here and is left out"),
    "cookies": (f"curl {URL} -b 'a=b' -d {{}}", "the cookies (-b) are left out"),
    "two addresses": (f"curl {URL} https://other.example -d {{}}", "the curl line has several addresses; the first is read"),
    "a backslash that is missing": (f"curl {URL}\n  -d {{}}", "a line that begins with an option is read as part of the curl line before it"),
    "a line that fetches a token": (f"curl https://iam.example/token\ncurl {URL} -d {{}}", "of 2 curl lines, number 2 is read"),
    "headers in a file": (f"curl {URL} -H @headers -d {{}}", "the headers of the file after -H @ are not read: add those that matter under endpoint"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "note"), NOTICED.values(), ids=NOTICED)
def test_what_is_left_out_is_told(text: str, note: str) -> None:
    assert read(text) == ({"body": "{}"}, [note])


REFUSED = {
    "another program": ("http POST example.com", "this is no curl line: a line that begins with 'curl' is needed"),
    "nothing": ("", "this is no curl line: a line that begins with 'curl' is needed"),
    "carets": (f"curl ^\"{URL}^\" ^\n  -d ^\"{{}}^\"", "the curl line is written for Windows' command prompt (with ^); copy it as cURL (bash), or write \\ at the line ends and ' around texts"),
    "backticks": (f"curl {URL} `\n  -d '{{}}'", "the curl line is written for PowerShell (with ` at line ends); write \\ at the line ends instead"),
    "typographic quotes": (f"curl {URL} \\\n -d \u201c{{}}\u201d", "line 2: the curl line has typographic quotes; write ' or \" instead"),
    "an open quote": (f"curl {URL} -d '{{}}", "line 1: the quote ' is not closed"),
    "an open double quote": (f'curl {URL} \\\n -d "{{}}', 'line 2: the quote " is not closed'),
    "an open here-document": (f"curl {URL} -d @- <<EOF\n{{}}", "the text after <<EOF has no end: a line with EOF alone is missing"),
    "no address": ("curl -d '{}'", "the curl line has no address"),
    "no body": (f"curl {URL}", "the curl line sends no body: -d or --json with the JSON of a rerank request is needed"),
    "no value": (f"curl {URL} -d", "the curl line ends after -d, whose value is missing"),
    "a file that is missing": (f"curl {URL} -d @nowhere.json", "the body's file nowhere.json cannot be read: No such file or directory; it is looked for beside the curl line"),
    "standard input": (f"curl {URL} -d @-", "the curl line takes its body from standard input (@-): put the JSON after -d"),
    "a form": (f"curl {URL} -F a=b", "the curl line sends a form (-F), but a rerank request has a JSON body (-d)"),
    "data in the address": (f"curl -G {URL} -d a=b", "the curl line sends its data in the address (-G), but a rerank request has a JSON body"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_refused_in_one_sentence(text: str, message: str) -> None:
    with pytest.raises(DraftFailed) as caught:
        read(text)
    assert str(caught.value) == message


@given(st.text(alphabet=st.sampled_from("curl -d\\\"'$({})`<>EOF|&;^@#\n\t ab"), max_size=60))
def test_any_text_gives_words_or_one_sentence(text: str) -> None:
    sentence = ""
    try:
        split_commands(text)
    except DraftFailed as error:
        sentence = str(error)
    assert "\n" not in sentence
