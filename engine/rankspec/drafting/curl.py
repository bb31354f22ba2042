"""A curl line to the request that it sends. Runs nothing; the files that it names are read by a function handed in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from rankspec.drafting.outcome import DraftFailed, Notebook
from rankspec.drafting.shell import Command, Word, split_commands

ReadFile = Callable[[str], str]
"""The text of a file that the curl line names, relative to where the line stands. Raises OSError, UnicodeError."""


def _names(text: str) -> list[str]:
    return text.split()


_DATA = ("data", "data-ascii", "data-raw", "data-binary", "json")
_MEANT = {*_DATA, "request", "header", "user", "url", "oauth2-bearer", "aws-sigv4"}

_WITHOUT_VALUE = _names(
    """
    silent show-error include location location-trusted insecure verbose fail fail-with-body fail-early no-buffer
    compressed globoff progress-bar no-progress-meter http1.0 http1.1 http2 http2-prior-knowledge http3 ipv4 ipv6
    tlsv1 tlsv1.0 tlsv1.1 tlsv1.2 tlsv1.3 sslv2 sslv3 ssl ssl-reqd ssl-no-revoke raw no-keepalive tcp-nodelay
    path-as-is anyauth basic digest disable create-dirs remote-name remote-header-name remote-name-all
    junk-session-cookies netrc netrc-optional retry-connrefused retry-all-errors parallel trace-time tr-encoding
    tcp-fastopen proxy-insecure disable-eprt disable-epsv no-alpn no-npn no-sessionid cert-status styled-output
"""
)
_WITH_VALUE = _names(
    """
    output write-out max-time connect-timeout retry retry-delay retry-max-time proxy proxy-user proxy-header noproxy
    preproxy socks5 socks5-hostname cacert capath cert cert-type key key-type pass resolve connect-to interface
    limit-rate max-redirs max-filesize dump-header stderr trace trace-ascii cookie cookie-jar ciphers tls13-ciphers
    tls-max speed-limit speed-time keepalive-time unix-socket abstract-unix-socket rate expect100-timeout dns-servers
    proto proto-redir proto-default happy-eyeballs-timeout-ms continue-at user-agent referer netrc-file output-dir
    range time-cond local-port delegation pinnedpubkey variable crlfile engine doh-url etag-save etag-compare
"""
)
_REFUSED = {
    "form": "sends a form (-F), but a rerank request has a JSON body (-d)",
    "form-string": "sends a form (--form-string), but a rerank request has a JSON body (-d)",
    "data-urlencode": "encodes its data for a form (--data-urlencode), but a rerank request has a JSON body (-d)",
    "get": "sends its data in the address (-G), but a rerank request has a JSON body",
    "upload-file": "uploads a file (-T); give the JSON body with -d @FILE instead",
    "head": "asks for the headers alone (-I); a rerank request has a JSON body (-d)",
    "config": "takes its options from a file (-K); write them out in the line",
}
_TAKES_VALUE = {*_MEANT, *_WITH_VALUE, "form", "form-string", "data-urlencode", "upload-file", "config"}
_KNOWN = {*_TAKES_VALUE, *_WITHOUT_VALUE, *_REFUSED}
_DROPPED = {
    "cookie": "the cookies (-b) are left out",
    "cert": "the client's certificate (--cert) is left out: a spec has none",
    "netrc": "the .netrc file (-n) is not read: say how the provider authenticates",
    "digest": "--digest is left out: a spec has no digest authentication",
    "proxy": "the proxy (-x) is left out: it is taken from the environment",
}
"""What is said of an option that is left out, where it may matter."""

_LETTERS = {
    "X": "request", "H": "header", "d": "data", "u": "user", "s": "silent", "S": "show-error", "i": "include",
    "L": "location", "k": "insecure", "v": "verbose", "f": "fail", "N": "no-buffer", "g": "globoff",
    "#": "progress-bar", "0": "http1.0", "4": "ipv4", "6": "ipv6", "1": "tlsv1", "2": "sslv2", "3": "sslv3",
    "q": "disable", "O": "remote-name", "J": "remote-header-name", "j": "junk-session-cookies", "n": "netrc",
    "Z": "parallel", "o": "output", "w": "write-out", "m": "max-time", "x": "proxy", "U": "proxy-user", "E": "cert",
    "D": "dump-header", "c": "cookie-jar", "b": "cookie", "y": "speed-time", "Y": "speed-limit", "C": "continue-at",
    "A": "user-agent", "e": "referer", "F": "form", "G": "get", "T": "upload-file", "I": "head", "K": "config",
    "r": "range", "z": "time-cond",
}  # fmt: skip

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_ADDRESS = re.compile(r"(?:https?://|[\w.-]+\.[a-z]{2,}(?:[:/]|$)|localhost|127\.|\$|\{\{|<)", re.IGNORECASE)
_PROMPTS = ("$", "%", "sudo", "time", "export")


@dataclass(slots=True)
class CurlRequest:
    """What a curl line sends. Values are as they are written: variables such as $KEY are not replaced.

    `body` is the text after -d or --json; `body_expands` tells whether a shell would replace something in it, and
    `body_cut` where an apostrophe seems to have ended it too early.
    """

    url: str
    method: str
    headers: list[tuple[str, str]]
    body: str
    body_expands: bool = False
    body_cut: str = ""
    user: str | None = None
    sigv4: str | None = None


@dataclass(slots=True)
class _Options:
    values: dict[str, list[Word]] = field(default_factory=dict)
    urls: list[Word] = field(default_factory=list)
    data: list[tuple[str, Word]] = field(default_factory=list)


def read_curl(text: str, read_file: ReadFile, notebook: Notebook) -> CurlRequest:
    """The request of the first curl line of `text` that has a body.

    Raises:
        DraftFailed: there is none, or it sends something else than a body of its own.
    """
    lines = [command for command in _joined(split_commands(text), notebook) if _is_curl(command)]
    if not lines:
        raise DraftFailed("this is no curl line: a line that begins with 'curl' is needed")
    chosen = next((line for line in lines if _has_body(line)), lines[0])
    if len(lines) > 1:
        notebook.note(f"of {len(lines)} curl lines, number {lines.index(chosen) + 1} is read")
    return _request(chosen, read_file, notebook)


def _joined(commands: list[Command], notebook: Notebook) -> list[Command]:
    """The commands without prompts and variables before them; a line of options belongs to the command before it."""
    joined: list[Command] = []
    for command in commands:
        words = command.words
        while words and (words[0].text in _PROMPTS or (_ASSIGNMENT.fullmatch(words[0].text) and len(words) > 1)):
            words = words[1:]
        if words and joined and words[0].text.startswith("-") and words[0].text != "-" and _is_curl(joined[-1]):
            notebook.note("a line that begins with an option is read as part of the curl line before it")
            joined[-1].words.extend(words)
            joined[-1].stdin = joined[-1].stdin or command.stdin
        else:
            joined.append(Command(list(words), command.stdin))
    return joined


def _is_curl(command: Command) -> bool:
    return bool(command.words) and re.split(r"[/\\]", command.words[0].text)[-1].lower() in ("curl", "curl.exe")


def _has_body(command: Command) -> bool:
    return any(word.text.startswith(("-d", "--data", "--json")) for word in command.words)


def _request(command: Command, read_file: ReadFile, notebook: Notebook) -> CurlRequest:
    options = _read_options(command.words[1:], notebook)
    for name, why in _REFUSED.items():
        if name in options.values:
            raise DraftFailed(f"the curl line {why}")
    if not options.urls:
        raise DraftFailed("the curl line has no address")
    if len(options.urls) > 1:
        notebook.note("the curl line has several addresses; the first is read")
    if not options.data:
        raise DraftFailed("the curl line sends no body: -d or --json with the JSON of a rerank request is needed")
    separator = "" if any(name == "json" for name, _ in options.data) else "&"
    body = separator.join(_data(name, word.text, command.stdin, read_file) for name, word in options.data)
    headers = list(_headers(options, notebook))
    last = {name: words[-1].text for name, words in options.values.items()}
    return CurlRequest(
        url=options.urls[0].text,
        method=last.get("request", "POST").upper(),
        headers=headers,
        body=body,
        body_expands=any(word.expands for _, word in options.data),
        body_cut=next((word.cut for _, word in options.data if word.cut), ""),
        user=last.get("user"),
        sigv4=last.get("aws-sigv4"),
    )


def _headers(options: _Options, notebook: Notebook) -> Iterator[tuple[str, str]]:
    for word in options.values.get("header", []):
        if word.text.startswith("@"):
            notebook.leave("the headers of the file after -H @ are not read: add those that matter under endpoint")
            continue
        name, found, value = word.text.partition(":")
        if found and value.strip():
            yield name.strip(), value.strip()
    for word in options.values.get("oauth2-bearer", []):
        yield "Authorization", f"Bearer {word.text}"


def _data(name: str, text: str, stdin: str | None, read_file: ReadFile) -> str:
    if name == "data-raw" or not text.startswith("@"):
        return text
    if text == "@-":
        if stdin is None:
            raise DraftFailed("the curl line takes its body from standard input (@-): put the JSON after -d")
        return stdin
    file = text[1:]
    try:
        return read_file(file)
    except UnicodeError:
        raise DraftFailed(f"the body's file {file} is not UTF-8") from None
    except OSError as error:
        why = error.strerror or "cannot be read"
        raise DraftFailed(
            f"the body's file {file} cannot be read: {why}; it is looked for beside the curl line"
        ) from None


def _read_options(words: list[Word], notebook: Notebook) -> _Options:
    options = _Options()
    rest = iter(words)
    for word in rest:
        text = word.text
        if text in ("--", "-", "--next", "-:"):
            continue
        if text.startswith("--"):
            _long_option(word, rest, options, notebook)
        elif text.startswith("-"):
            _short_options(word, rest, options, notebook)
        else:
            options.urls.append(word)
    return options


def _long_option(word: Word, rest: Iterator[Word], options: _Options, notebook: Notebook) -> None:
    name, given, value = word.text[2:].partition("=")
    if name.startswith("no-") and name not in _KNOWN:
        name = name[3:] if name[3:] in _WITHOUT_VALUE else name
    if name not in _KNOWN:
        notebook.note(f"the option --{name} is not known here and is left out")
        if not given:
            _skip_unknown_value(rest, options, notebook)
    elif name in _TAKES_VALUE:
        _take(name, Word(value, word.expands, word.cut) if given else _value(rest, f"--{name}"), options, notebook)
    else:
        _take(name, Word(""), options, notebook)


def _short_options(word: Word, rest: Iterator[Word], options: _Options, notebook: Notebook) -> None:
    letters = word.text[1:]
    for at, letter in enumerate(letters):
        name = _LETTERS.get(letter)
        if name is None:
            notebook.note(f"the option -{letter} is not known here and is left out")
            if at + 1 == len(letters):
                _skip_unknown_value(rest, options, notebook)
            return
        if name in _TAKES_VALUE:
            attached = letters[at + 1 :]
            _take(
                name,
                Word(attached, word.expands, word.cut) if attached else _value(rest, f"-{letter}"),
                options,
                notebook,
            )
            return
        _take(name, Word(""), options, notebook)


def _value(rest: Iterator[Word], option: str) -> Word:
    word = next(rest, None)
    if word is None:
        raise DraftFailed(f"the curl line ends after {option}, whose value is missing")
    return word


def _skip_unknown_value(rest: Iterator[Word], options: _Options, notebook: Notebook) -> None:
    """What follows an unknown option is its value, unless it is an option or an address."""
    word = next(rest, None)
    if word is None:
        return
    if word.text.startswith("--"):
        _long_option(word, rest, options, notebook)
    elif word.text.startswith("-"):
        _short_options(word, rest, options, notebook)
    elif _ADDRESS.match(word.text):
        options.urls.append(word)


def _take(name: str, word: Word, options: _Options, notebook: Notebook) -> None:
    if name == "url":
        options.urls.append(word)
        return
    if name in _DATA:
        options.data.append((name, word))
    if name in _DROPPED:
        notebook.note(_DROPPED[name])
    options.values.setdefault(name, []).append(word)
