"""What looks like a key in a text, and how it is covered, so that no finding about a file shows one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
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

_SECRET_NAME = re.compile(
    r"(?<!idempotency-)(?<!cache-)key$|(?:token|auth|authorization|cookie|credentials?|signature|sig|passphrase)$"
    r"|(?:secret|passw(?:or)?d)(?!.*-(?:version|type|name)$)"
)
_MAY_BE_SECRET_NAME = re.compile(r"key|token|auth|cookie|credential|signature|secret|pass|session", re.IGNORECASE)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_CUT = re.compile(r"\.{3}")
_LEAST_CUT = 8
"""How many of a secret's characters beside the dots of a text that was cut are no accident."""


def places_of_secrets(text: str) -> Iterator[tuple[int, int]]:
    """Where something begins and ends that looks like a key or a token."""
    return (found.span() for found in _SECRET.finditer(text))


def secrets_of(text: str) -> set[str]:
    """What looks like a key or a token in a text."""
    return {text[start:end] for start, end in places_of_secrets(text)}


def means_a_secret(name: str) -> bool:
    """Whether a header or parameter of that name holds a secret: X-Api-Key, accessToken; not X-Api-Key-Version."""
    words = re.sub(r"[_ ]", "-", _HUMP.sub("-", name)).lower()
    return bool(_SECRET_NAME.search(words))


def without_named(sent: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """The headers of a request, three stars in place of what may be a secret by its name.

    Args:
        given: the headers that the caller and the spec give. What else is sent has placeholders for secrets.
    """
    return {
        name: "***" if _MAY_BE_SECRET_NAME.search(name) and given.get(name) == value else value
        for name, value in sent.items()
    }


def hide(text: str, secrets: Iterable[str]) -> str:
    """The text with these secrets, and all else that looks like one, covered at full length: columns stay."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "*" * len(secret))
    return _SECRET.sub(lambda found: "*" * len(found.group()), text)


def _hide_ends(text: str, secrets: Iterable[str]) -> str:
    """The text with what is left of a secret covered where the text was cut, which dots show."""
    for dots in _CUT.finditer(text):
        start, end = dots.span()
        for secret in secrets:
            for length in range(len(secret) - 1, _LEAST_CUT - 1, -1):
                if text.endswith(secret[:length], 0, start):
                    text = text[: start - length] + "*" * length + text[start:]
                if text.startswith(secret[-length:], end):
                    text = text[:end] + "*" * length + text[end + length :]
    return text


def without_secrets(finding: Finding, secrets: Iterable[str]) -> Finding:
    """The finding with every secret covered, also what only looks like one: what is told may be kept in a log."""
    secrets = tuple(secrets)

    def cover(text: str) -> str:
        return _hide_ends(hide(text, secrets), secrets)

    suggestion = finding.suggestion
    return replace(
        finding,
        path=tuple(cover(part) if isinstance(part, str) else part for part in finding.path),
        message=cover(finding.message),
        suggestion=suggestion if suggestion is None or cover(suggestion) == suggestion else None,
        related=tuple(replace(one, message=cover(one.message)) for one in finding.related),
        details=tuple(map(cover, finding.details)),
    )
