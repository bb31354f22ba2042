"""Who may call: the gateway's own keys, wherever clients put them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hmac import compare_digest
from itertools import repeat

from rankspec.gateway.refusals import Refused

_BEARER = b"bearer "
_HEADERS = (b"authorization", b"x-api-key", b"api-key")
_CHALLENGE = {"www-authenticate": "Bearer"}


class Keys:
    """The keys that open the gateway; with none of them it is open to everyone."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = [key.encode() for key in keys]
        usual = [(key, b"Bearer " + key) for key in self._keys]
        self._usual = [header for key, header in usual if _given({b"authorization": header}) == [key]]

    @property
    def is_open(self) -> bool:
        """Whether no key is needed."""
        return not self._keys

    def check(self, headers: Mapping[bytes, bytes]) -> None:
        """Let a request through that brings one of the keys.

        Args:
            headers: by name in lower case.

        Raises:
            Refused: it brings none, or another one.
        """
        if not self._keys:
            return
        if _is_among(headers.get(b"authorization", b""), self._usual):
            return
        given = _given(headers)
        if not given:
            raise Refused(401, "no api key supplied", headers=_CHALLENGE)
        if not any([_is_among(one, self._keys) for one in given]):  # noqa: C419 - all are looked at
            raise Refused(401, "invalid api token", headers=_CHALLENGE)


def _is_among(given: bytes, keys: Iterable[bytes]) -> bool:
    """Whether it is one of them. It is compared with every one: how long that takes tells nothing about any of them."""
    return sum(map(compare_digest, keys, repeat(given))) > 0


def _given(headers: Mapping[bytes, bytes]) -> list[bytes]:
    """What the request brings as keys, with or without the word Bearer."""
    given: list[bytes] = []
    for name in _HEADERS:
        key = headers.get(name)
        if key is None:
            continue
        key = key.strip()
        if name == b"authorization" and key[: len(_BEARER)].lower() == _BEARER:
            key = key[len(_BEARER) :].strip()
        if key and key.lower() != _BEARER.strip():
            given.append(key)
    return given
