"""What looks like a key in a text, and how it is covered, so that no finding about a file shows one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from rankspec.models import Finding

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


def places_of_secrets(text: str) -> Iterator[tuple[int, int]]:
    """Where something begins and ends that looks like a key or a token."""
    return (found.span() for found in _SECRET.finditer(text))


def secrets_of(text: str) -> set[str]:
    """What looks like a key or a token in a text."""
    return {text[start:end] for start, end in places_of_secrets(text)}


def hide(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret covered, at its full length so that columns stay what they are."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "*" * len(secret))
    return text


def without_secrets(finding: Finding, secrets: Iterable[str]) -> Finding:
    """The finding with every secret covered: what is told may be kept in a log."""
    secrets = tuple(secrets)
    if not secrets:
        return finding
    return replace(
        finding,
        path=tuple(hide(part, secrets) if isinstance(part, str) else part for part in finding.path),
        message=hide(finding.message, secrets),
        related=tuple(replace(one, message=hide(one.message, secrets)) for one in finding.related),
        details=tuple(hide(line, secrets) for line in finding.details),
    )
