"""GET /docs: a page to read what the gateway takes and to try it. One file, which loads nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

from rankspec.models import HttpResponse

_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


@cache
def docs_page() -> HttpResponse:
    """The page, with headers that let it run its own script and style alone and talk to this server alone."""
    text = files("rankspec.gateway.description").joinpath("docs_page.html").read_text("utf-8")
    hashes = {kind: _hash(inner) for kind, inner in _INLINE.findall(text)}
    policy = (
        f"default-src 'none'; script-src {hashes['script']}; style-src {hashes['style']}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }
    return HttpResponse(200, headers, text.encode())


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return f"'sha256-{digest}'"
