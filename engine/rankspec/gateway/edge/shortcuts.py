"""What our own protocol offers beside ASGI's messages: a whole body and a whole reply at a time.

A reply of two messages, each of whose headers is looked at anew, costs as much as all else that the edge does; a large
body of many messages wakes the application for each, and is copied twice. Under any other protocol, messages it is.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, Protocol

SHORTCUTS = "rankspec.shortcuts"
"""The key of a request's scope under which our own protocol keeps its `Shortcuts`."""


class Shortcuts(Protocol):
    """Those of one request."""

    headers: Mapping[bytes, bytes]
    """By name in lower case; of several of one name, the last."""

    def body_at_hand(self, most_bytes: int) -> bytearray | None:
        """The whole body, if all of it is here and it has no more than so many bytes; it is given once."""

    async def receive_whole(self, most_bytes: int) -> MutableMapping[str, Any]:
        """ASGI's message, with the whole body, or with as much of it as is more than so many bytes."""

    def reply(self, status: int, lines: bytes, body: bytes) -> bool:
        """Send the whole reply, if that needs no wait, and say whether it was sent.

        Args:
            lines: the headers as they go over the wire, each with its line's end. Names are in lower case,
                content-length among them, and no connection, for which there is more to do.
        """
