"""Bodies whose documents are texts, decoded without them: those stay the bytes that they are.

What this decodes is what the ordinary decoder would have; where that takes a closer look, it says nothing.
"""

from __future__ import annotations

import codecs
import re
from functools import cache
from typing import Any

import orjson

from rankspec.models import Json
from rankspec.raw_texts import RawTexts

_START = re.compile(rb'"documents"[ \t\r\n]*:[ \t\r\n]*\[[ \t\r\n]*(?=")')
_BETWEEN = re.compile(rb"[ \t\r\n]*,[ \t\r\n]*")
_HAS_TEXT = re.compile(
    rb'"(?:[ ]|\\[tnfr]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2(?:\x80[\x80-\x8a\xa8\xa9\xaf]|\x81\x9f)|\xe3\x80\x80)*+'
    rb'(?:[^"\\]|\\["\\/b])'
)
"""A JSON string with a character that is no white space, behind any that is. One that begins with \\u is not looked at.

The white space is that of the schema's pattern for documents.
"""

_PLACEHOLDER = b"0"
_STEP_BYTES = 64 * 1024
"""How much is decoded at a time to see that it is UTF-8: a copy of the whole as wide characters takes memory."""


def decode_around_documents(body: bytes | bytearray) -> dict[str, Json] | None:
    """What a body says, its documents as `RawTexts`; None if they are no list of texts, or anything is out of order.

    The native decoder finds each text. Then the ordinary one reads the body with a placeholder where the texts stand:
    only if it finds that placeholder, alone in the list of documents, was it there that they stood.
    """
    start = _START.search(body)
    texts = _texts(body) if start else None
    if start is None or not texts or not all(map(_HAS_TEXT.match, texts)):
        return None
    first = start.end()
    between = _BETWEEN.match(body, first + len(texts[0]))
    joined = (between[0] if between else b"").join(texts)
    if not body.startswith(joined, first) or not _is_utf8(joined):
        return None
    try:
        value = orjson.loads(b"".join((body[:first], _PLACEHOLDER, body[first + len(joined) :])))
    except orjson.JSONDecodeError:
        return None
    if value["documents"] != [0]:
        return None
    value["documents"] = RawTexts(texts)
    return value  # type: ignore[no-any-return]


def _texts(body: bytes | bytearray) -> list[Any] | None:
    """The items of the body's list of documents, as bytes; None if there is no such list, or if it is no JSON."""
    try:
        return _decoder().decode(body).documents  # type: ignore[no-any-return]
    except (ValueError, RecursionError):
        return None


@cache
def _decoder() -> Any:
    # Imported with the first body that takes it, for a quick start.
    import msgspec

    return msgspec.json.Decoder(msgspec.defstruct("Body", [("documents", list[msgspec.Raw])]))


def _is_utf8(text: bytes) -> bool:
    view, position = memoryview(text), 0
    try:
        while position < len(text):
            piece = view[position : position + _STEP_BYTES]
            position += codecs.utf_8_decode(piece, "strict", position + len(piece) == len(text))[1]
    except UnicodeDecodeError:
        return False
    return True
