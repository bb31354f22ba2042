"""Who may call: the gateway's own keys, wherever clients put them."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Mapping

from rankspec.gateway.refusals import Refused

_BEARER = b"bearer "
_OTHER_HEADERS = (b"x-api-key", b"api-key")
_CHALLENGE = {"www-authenticate": "Bearer"}


class Keys:
    """The keys that open the gateway; with none of them it is open to everyone."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = [key.encode() for key in keys]

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
        if self.is_open:
            return
        given = list(_given(headers))
        if not given:
            raise Refused(401, "no api key supplied", headers=_CHALLENGE)
        # Every key is compared with every one given: how long that takes tells nothing about any of them.
        if not sum(hmac.compare_digest(one, key) for one in given for key in self._keys):
            raise Refused(401, "invalid api token", headers=_CHALLENGE)


def _given(headers: Mapping[bytes, bytes]) -> Iterator[bytes]:
    """What the request brings as a key, with or without the word Bearer."""
    authorization = headers.get(b"authorization", b"").strip()
    if authorization[: len(_BEARER)].lower() == _BEARER:
        authorization = authorization[len(_BEARER) :].strip()
    for key in (authorization, *(headers.get(name, b"").strip() for name in _OTHER_HEADERS)):
        if key and key.lower() != _BEARER.strip():
            yield key
