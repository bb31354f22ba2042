"""What our own protocol offers beside ASGI's messages: a whole body and a whole reply at a time.

A reply of two messages, each of whose headers is looked at anew, costs as much as all else that the edge does; a large
body of many messages wakes the application for each, and is copied twice. Under any other protocol, messages it is.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any, Protocol

SHORTCUTS = "rankspec.shortcuts"
"""The key of a request's scope under which our own protocol keeps its `Shortcuts`."""

Header = tuple[bytes, bytes]


class Shortcuts(Protocol):
    """Those of one request."""

    def body_at_hand(self, most_bytes: int) -> bytearray | None:
        """The whole body, if all of it is here and it has no more than so many bytes; it is given once."""

    async def receive(self, most_bytes: int) -> MutableMapping[str, Any]:
        """ASGI's message, with the whole body, or with as much of it as is more than so many bytes."""

    def reply(self, status: int, headers: Sequence[Header], body: bytes) -> bool:
        """Send the whole reply, if that needs no wait, and say whether it was sent.

        Args:
            headers: names in lower case, content-length among them; without line breaks, which are not looked for.
        """
