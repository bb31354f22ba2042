"""AWS Signature Version 4, calculated anew from a request that arrived.

Written apart from the library that signs what is sent, so that one checks the other. Source: AWS, Create a signed
AWS API request, read 2026-11-23.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlsplit

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^,\s]+)/(\d{8})/([^/,\s]+)/([^/,\s]+)/aws4_request,\s*"
    r"SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class Signed:
    """What an Authorization header says."""

    key_id: str
    day: str
    region: str
    service: str
    headers: tuple[str, ...]
    signature: str


def read_signature(authorization: str) -> Signed | None:
    """What the header says, or None if it is no signature."""
    match = _AUTHORIZATION.fullmatch(authorization.strip())
    if match is None:
        return None
    key_id, day, region, service, headers, signature = match.groups()
    return Signed(key_id, day, region, service, tuple(headers.split(";")), signature)


def signature(signed: Signed, secret: str, method: str, url: str, headers: Mapping[str, str], body: bytes) -> str:
    """The signature that this request has with this secret, as hexadecimal digits.

    Args:
        signed: what the request says of its signature: the scope, and which headers it covers.
        headers: names in lower case.
    """
    parts = urlsplit(url)
    pairs = sorted((quote(name, "-_.~"), quote(text, "-_.~")) for name, text in parse_qsl(parts.query, True))
    lines = [f"{name}:{' '.join(headers.get(name, '').split())}" for name in signed.headers]
    canonical = [
        method,
        quote(parts.path or "/", "/-_.~"),
        "&".join(f"{name}={text}" for name, text in pairs),
        *lines,
        "",
        ";".join(signed.headers),
        hashlib.sha256(body).hexdigest(),
    ]
    scope = f"{signed.day}/{signed.region}/{signed.service}/aws4_request"
    digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
    to_sign = "\n".join(["AWS4-HMAC-SHA256", headers.get("x-amz-date", ""), scope, digest])
    key = f"AWS4{secret}".encode()
    for part in (signed.day, signed.region, signed.service, "aws4_request", to_sign):
        key = hmac.digest(key, part.encode(), "sha256")
    return key.hex()
