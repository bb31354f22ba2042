"""A request's body: collected, unpacked and decoded, with a bound on its size and on the time that it takes."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import orjson

from rankspec.gateway.edge.raw_documents import decode_around_documents
from rankspec.gateway.refusals import Refused
from rankspec.models import Json

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Headers = Mapping[bytes, bytes]

_ENCODINGS = "gzip, deflate"
_STEP_BYTES = 1024 * 1024
_STEP_PACKED_BYTES = 64 * 1024
"""How much is unpacked before others get their turn."""

_MAX_GZIP_FILES = 10_000
"""How many gzip files there may be in one body. Tools that write many put 64 KiB into each."""

MAX_DEPTH = 200
TOO_DEEP = f"the body is nested deeper than {MAX_DEPTH} levels"

LEAST_RAW_BYTES = 8 * 1024
"""From this size on it pays to leave documents undecoded."""

_BOM = b"\xef\xbb\xbf"
_GZIP, _ZLIB, _RAW = 31, 15, -15
"""zlib's names for the three forms."""


class CallerGone(Exception):
    """The caller has closed the connection: nobody is there to answer."""


def check_content_type(headers: Headers) -> None:
    """Let through what clients send as JSON.

    A body without a type is taken for JSON, unless a browser sends it: a page of another site can send that, and
    text/plain, to a gateway on the reader's own machine without being asked for leave first.

    Raises:
        Refused: the body is said to be something else.
    """
    told = headers.get(b"content-type", b"")
    if told == b"application/json":
        return
    told = told.partition(b";")[0].strip().lower()
    if told == b"application/json" or (not told and b"origin" not in headers):
        return
    if told == b"text/json" or (told.startswith(b"application/") and told.endswith(b"+json")):
        return
    message = "the body must be JSON and say so: send the header content-type: application/json"
    raise Refused(415, message, headers={"accept": "application/json", **_close(headers)})


async def read_body(receive: Receive, headers: Headers, max_bytes: int, timeout_seconds: float) -> bytes | bytearray:
    """The whole body, unpacked.

    Args:
        max_bytes: the largest body, as sent and as unpacked.
        timeout_seconds: how long it may take to arrive.

    Raises:
        Refused: it is too large (413), too slow (408), packed in a way that is not known (415) or damaged (400).
        CallerGone: the rest of it will not come.
    """
    unpack = _unpacking(headers)
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length) > max_bytes:
        raise _too_large(max_bytes, headers)
    try:
        async with asyncio.timeout(timeout_seconds):
            body = await _collect(receive, headers, max_bytes)
    except TimeoutError:
        message = f"the request's body did not arrive within {timeout_seconds:g} seconds"
        raise Refused(408, message, headers={"connection": "close"}) from None
    return await unpack(body, max_bytes) if unpack else body


async def _collect(receive: Receive, headers: Headers, max_bytes: int) -> bytes | bytearray:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise CallerGone
    piece: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        _check_size(len(piece), max_bytes, headers)
        return piece
    body = bytearray(piece)
    while message.get("more_body", False):
        _check_size(len(body), max_bytes, headers)
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerGone
        body += message.get("body", b"")
    _check_size(len(body), max_bytes, headers)
    return body


def _check_size(size: int, max_bytes: int, headers: Headers) -> None:
    if size > max_bytes:
        raise _too_large(max_bytes, headers)


def _too_large(max_bytes: int, headers: Headers) -> Refused:
    message = f"the request's body is larger than {max_bytes} bytes, the most that this server takes"
    return Refused(413, message, headers=_close(headers))


def _close(headers: Headers) -> dict[str, str]:
    """Ends the connection after a refusal that came before the body, if the caller waits for leave to send it.

    Another one is sending already. Its body is read and dropped, within bounds: a connection that is closed on a
    caller that writes resets, and most clients then never see the reply.
    """
    return {"connection": "close"} if b"expect" in headers else {}


Unpack = Callable[[bytes | bytearray, int], Awaitable[bytearray]]


def _unpacking(headers: Headers) -> Unpack | None:
    """What unpacks the body, or None for one that is not packed."""
    told = headers.get(b"content-encoding", b"").strip().lower()
    if told in (b"", b"identity"):
        return None
    if told in (b"gzip", b"x-gzip"):
        return _gunzip
    if told == b"deflate":
        return _inflate
    message = f"the body's content-encoding is not known here; use one of {_ENCODINGS}, or none"
    raise Refused(415, message, headers={"accept-encoding": _ENCODINGS, **_close(headers)})


async def _gunzip(body: bytes | bytearray, max_bytes: int) -> bytearray:
    """A gzip file may hold several, one behind the other; they are one text."""
    unpacked = bytearray()
    rest = memoryview(body)
    for _ in range(_MAX_GZIP_FILES):
        if not rest:
            return unpacked
        rest = await _unpack_one(rest, _GZIP, unpacked, max_bytes)
    raise Refused(413, f"the body has more than {_MAX_GZIP_FILES} gzip files in a row: send it as one")


async def _inflate(body: bytes | bytearray, max_bytes: int) -> bytearray:
    """What HTTP calls deflate is zlib's form; some clients send it without its frame."""
    framed = len(body) > 1 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
    unpacked = bytearray()
    if await _unpack_one(memoryview(body), _ZLIB if framed else _RAW, unpacked, max_bytes):
        raise _damaged()
    return unpacked


async def _unpack_one(packed: memoryview, form: int, unpacked: bytearray, max_bytes: int) -> memoryview:
    """Unpack up to the end of one compressed text, and give what is behind it."""
    decompressor = zlib.decompressobj(form)
    position = 0
    rest: bytes | memoryview = b""
    while not decompressor.eof:
        if not rest:
            rest = packed[position : position + _STEP_PACKED_BYTES]
            position += len(rest)
        try:
            piece = decompressor.decompress(rest, min(_STEP_BYTES, max_bytes + 1 - len(unpacked)))
        except zlib.error:
            raise _damaged() from None
        if not (piece or rest or decompressor.eof):
            raise _damaged()
        unpacked += piece
        if len(unpacked) > max_bytes:
            raise Refused(413, f"the request's body unpacks to more than {max_bytes} bytes, the most this server takes")
        rest = decompressor.unconsumed_tail
        await asyncio.sleep(0)
    return packed[position - len(decompressor.unused_data) :]


def _damaged() -> Refused:
    return Refused(400, "the compressed body is damaged or cut off, or not packed as its content-encoding says")


def decode_json(body: bytes | bytearray, *, raw_documents: bool = False) -> Json:
    """What a body says.

    Of members of the same name the last one counts, as for most servers.

    Args:
        raw_documents: whether the member `documents` may come as `RawTexts`, where that costs less.

    Raises:
        Refused: it is no JSON, or holds what JSON cannot carry.
    """
    # Text in ASCII is decoded and encoded faster than cut out.
    if raw_documents and len(body) >= LEAST_RAW_BYTES and not body.isascii():
        value = decode_around_documents(body)
        if value is not None:
            return value
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if body[:3] == _BOM and body[3:6] != _BOM:
            return decode_json(body[3:], raw_documents=raw_documents)
        raise Refused(400, _what_is_wrong(body, error)) from None


def is_too_deep(value: Json) -> bool:
    """Whether the encoder fails on what the decoder took, which goes deeper."""
    level = [value]
    for _ in range(MAX_DEPTH):
        members = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [inner for one in members for inner in one]
    return bool(level)


def _what_is_wrong(body: bytes | bytearray, error: orjson.JSONDecodeError) -> str:
    if not body or body.isspace():
        return "the request has no body, but must have a JSON object"
    try:
        body.decode()
    except UnicodeDecodeError as found:
        return f"the body is not UTF-8: byte {found.start} cannot be read"
    return f"the body is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})"
