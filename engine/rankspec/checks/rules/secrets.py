"""Rules that keep secrets out of spec files. No finding shows what it found."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rankspec.checks.rules.subject import Rule, Subject, listed
from rankspec.models import Finding, Path
from rankspec.strict_yaml import YamlFile

_SECRET = re.compile(
    r"(?<![A-Za-z0-9_-])(?:"
    r"(?:sk|pk|rk|pa|co|nvapi|pcsk|jina|voyage|mxb|ze|gsk|xai|hf|r8|fw|tgp_v1|ghp|gho|github_pat|glpat|xox[abp])"
    r"[-_](?:[A-Za-z0-9]+[-_])*(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{20,}(?:[-_][A-Za-z0-9]+)*"
    r"|AKIA[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"
    r"|(?<=Bearer )(?=[A-Za-z0-9._-]*[0-9])[A-Za-z0-9._-]{20,}"
    r")"
)
"""What keys and tokens of services look like. Source: their published formats, as secret scanners know them."""

_LEAST_CHARACTERS = 8
"""What is shorter is a word such as KEY that stands for a secret, and may stand in a message too."""
_PLACEHOLDER = re.compile(r"<[a-z_]+>|\*")


def secrets_of(read: YamlFile) -> set[str]:
    """What looks like a key or a token in a file."""
    return {found.group() for found in _SECRET.finditer(read.text)}


def secrets_in_examples(subject: Subject) -> set[str]:
    """What examples show in clear text in the headers that carry secrets."""
    shown = {value.rpartition(" ")[2] for _, _, value in _clear_headers(subject)}
    return {one for one in shown if len(one) >= _LEAST_CHARACTERS}


def hide(text: str, secrets: set[str]) -> str:
    """The text with every secret covered, at its full length so that columns stay what they are."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "*" * len(secret))
    return text


def literal_secrets(read: YamlFile) -> Iterator[Finding]:
    """Every place of the file's text, comments too, that looks like a key."""
    for found in _SECRET.finditer(read.text):
        line, column = read.line_and_column(found.start())
        message = (
            "this looks like a key: take it out of the file, withdraw it where it was made, and name the environment "
            "variable that holds it under auth"
        )
        end = column + len(found.group())
        yield Finding("error", "secret-literal", read.name, line, column, (), message, end)


def _in_example(subject: Subject) -> Iterator[Finding]:
    for path, name, _ in _clear_headers(subject):
        message = f"the header {name} carries a secret: write <key> in its place"
        yield subject.read.finding("secret-in-example", path, message)


def _clear_headers(subject: Subject) -> Iterator[tuple[Path, str, str]]:
    """The headers of examples that carry a secret and no placeholder: path, name and value."""
    carriers = {one.header.lower() for one in subject.spec.authenticators if one.header}
    for path, example in subject.examples():
        sends = example.get("sends")
        for position, sent in enumerate(listed(sends)):
            at = (position,) if isinstance(sends, list) else ()
            for name, value in sent.get("headers", {}).items():
                if name.lower() in carriers and not _PLACEHOLDER.search(value):
                    yield (*path, "sends", *at, "headers", name), name, value


SECRET_RULES: tuple[Rule, ...] = (_in_example,)
