"""How a base URL and a path become one URL. Pure; resolves and contacts nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from rankspec.errors import RequestInvalid
from rankspec.models import Problem

_VERSION = re.compile(r"v[0-9]+(?:(?:alpha|beta)[0-9]*)?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_LOOPBACK = re.compile(r"(?:localhost|127(?:\.[0-9]+){3}|\[::1\])(?::[0-9]+)?(?:[/?].*)?", re.IGNORECASE)


def check_base(base: str, source: str = "api_base") -> str:
    """A caller's base URL, checked; without a scheme it is https, or http on this machine.

    Args:
        source: where it comes from, for messages.

    Raises:
        RequestInvalid: it is not a URL that a request can be sent to.
    """
    base = base.strip()
    if not _SCHEME.match(base):
        base = ("http://" if _LOOPBACK.fullmatch(base) else "https://") + base
    if not base.isprintable() or any(character in base for character in " \\<>\"'`{}|^"):
        raise _bad_base(source, "holds a character that no URL holds")
    try:
        parts = urlsplit(base)
        port = parts.port
    except ValueError:
        raise _bad_base(source, "is not a URL") from None
    if parts.scheme not in ("http", "https"):
        raise _bad_base(source, f"must start with http:// or https://, not {parts.scheme}://")
    if "@" in parts.netloc:
        raise _bad_base(source, "must not hold a user name or password; give the key as api_key")
    if not parts.hostname or port == 0:
        raise _bad_base(source, "names no host")
    if parts.netloc.endswith(":"):  # A scheme with too few slashes, such as http:/host, ends here.
        raise _bad_base(source, "is not a URL")
    return urlunsplit((parts.scheme, parts.netloc, parts.path, parts.query, ""))


def _bad_base(source: str, message: str) -> RequestInvalid:
    return RequestInvalid([Problem((source,), message)])


def join_url(base: str, path: str, query: Mapping[str, str]) -> str:
    """One URL from a base and the operation's path, with nothing doubled.

    What the base's path ends with and the operation's path starts with is written once, and a version such as v1 in
    the base takes the place of the path's. A base that ends in the path's last segment is the whole address. The
    base's own query stays, and wins over `query`.
    """
    parts = urlsplit(base)
    left = [segment for segment in parts.path.split("/") if segment]
    right = path.removeprefix("/").split("/")
    if len(right) > 1 and left and left[-1] == right[-1]:
        right = []
    else:
        for length in range(min(len(left), len(right)), 0, -1):
            if all(map(_same_segment, left[-length:], right[:length])):
                right = right[length:]
                break
    given = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    added = urlencode({name: value for name, value in query.items() if name not in given}, quote_via=quote)
    joined_query = "&".join(filter(None, (parts.query, added)))
    return urlunsplit((parts.scheme, parts.netloc, "/" + "/".join(left + right), joined_query, ""))


def _same_segment(left: str, right: str) -> bool:
    return left == right or bool(_VERSION.fullmatch(left) and _VERSION.fullmatch(right))


def has_dot_segment(path: str) -> bool:
    """Whether a path has a segment that leads elsewhere: . or .. ."""
    return any(segment in (".", "..") for segment in path.split("/"))
