"""Does a request that arrived hold the emulator's key, in the way that the spec says?"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from rankspec.auth import Authenticator, AwsSigV4Auth, NoAuth, QueryAuth
from rankspec.emulator.addresses import Address
from rankspec.emulator.signatures import read_signature, signature
from rankspec.models import HttpRequest
from rankspec.specs import ProviderSpec
from rankspec.templates import Compiler, TextTemplate
from rankspec.vocabulary import ENDPOINT_NAMES


@dataclass(frozen=True, slots=True)
class _Way:
    authenticator: Authenticator
    service: str = ""
    region: TextTemplate | None = None


class KeyChecker:
    """Checks the key of every request to one spec's provider.

    Args:
        key: what every secret of the spec has to be.
    """

    def __init__(self, spec: ProviderSpec, key: str) -> None:
        self._spec = spec
        self._key = key
        auth = spec.data["auth"]
        entries = [auth] if isinstance(auth, dict) else auth
        self._ways = [self._way(one, entry) for one, entry in zip(spec.authenticators, entries, strict=True)]

    def _way(self, authenticator: Authenticator, entry: Mapping[str, Any]) -> _Way:
        if not isinstance(authenticator, AwsSigV4Auth):
            return _Way(authenticator)
        compiler = Compiler(ENDPOINT_NAMES, frozenset(self._spec.settings), [])
        return _Way(authenticator, entry["service"], compiler.text(entry["region"], ("auth", "region")))

    def query_names(self) -> set[str]:
        """The query parameters that may hold a key."""
        return {name for way in self._ways for name, _ in _query_of(_signed(way.authenticator, {"key": "k"}))}

    def is_right(self, request: HttpRequest, address: Address) -> bool:
        """Whether the request holds the key.

        Args:
            request: its header names in lower case.
        """
        way = next(one for one in self._ways if _holds(one.authenticator, address))
        authenticator = way.authenticator
        if isinstance(authenticator, NoAuth):
            return True
        if isinstance(authenticator, AwsSigV4Auth):
            return self._is_signed(request, way, address)
        wanted = _signed(authenticator, dict.fromkeys(authenticator.secret_names, self._key))
        if isinstance(authenticator, QueryAuth):
            given = dict(parse_qsl(urlsplit(request.url).query))
            return all(_same(given.get(name), text) for name, text in _query_of(wanted))
        return all(_same(request.headers.get(name.lower()), text) for name, text in wanted.headers.items())

    def _is_signed(self, request: HttpRequest, way: _Way, address: Address) -> bool:
        told = read_signature(request.headers.get("authorization", ""))
        if told is None or not _same(told.key_id, self._key) or told.service != way.service:
            return False
        region = way.region.render(address.scope) if way.region else None
        day = request.headers.get("x-amz-date", "")[:8]
        token = request.headers.get("x-amz-security-token")
        if (region is not None and told.region != region) or told.day != day or "host" not in told.headers:
            return False
        if token is not None and ("x-amz-security-token" not in told.headers or not _same(token, self._key)):
            return False
        return _same(
            told.signature,
            signature(told, self._key, request.method, request.url, request.headers, request.body),
        )


def _holds(authenticator: Authenticator, address: Address) -> bool:
    return authenticator.when is None or authenticator.when.holds(address.scope)


def _signed(authenticator: Authenticator, credentials: Mapping[str, str]) -> HttpRequest:
    """An empty request with what this kind adds to it."""
    empty = HttpRequest("POST", "http://127.0.0.1/", {}, b"")
    return empty if isinstance(authenticator, AwsSigV4Auth) else authenticator.sign(empty, credentials, {})


def _query_of(request: HttpRequest) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(request.url).query)


def _same(given: str | None, wanted: str) -> bool:
    return given is not None and hmac.compare_digest(given.encode(), wanted.encode())
