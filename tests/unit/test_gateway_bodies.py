"""Bodies: collected, unpacked and decoded, within bounds."""

from __future__ import annotations

import asyncio
import gzip
import re
import zlib
from typing import Any

import pytest

from rankspec.gateway.edge.bodies import CallerGone, check_content_type, decode_json, is_too_deep, read_body
from rankspec.gateway.refusals import Refused

MOST = 3_000_000
BODY = b'{"query":"q","documents":["' + b"abc " * 1000 + b'"]}'


def read(*pieces: bytes, headers: dict[bytes, bytes] | None = None, most: int = MOST, patience: float = 10) -> bytes:
    """The body that arrives in these pieces; after the last one comes nothing more."""
    messages = [
        {"type": "http.request", "body": piece, "more_body": position < len(pieces) - 1}
        for position, piece in enumerate(pieces)
    ]

    async def receive() -> Any:
        if messages:
            return messages.pop(0)
        return await asyncio.sleep(60)

    found = asyncio.run(asyncio.wait_for(read_body(receive, headers or {}, most, patience), 20))
    return bytes(found)


def refusal(*pieces: bytes, **more: Any) -> tuple[int, str, dict[str, str]]:
    with pytest.raises(Refused) as caught:
        read(*pieces, **more)
    return caught.value.status, caught.value.message, caught.value.headers


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


@pytest.mark.parametrize("pieces", [[BODY], [BODY[:5], BODY[5:]], [b"", BODY[:1], b"", BODY[1:], b""]])
def test_pieces_make_the_body(pieces: list[bytes]) -> None:
    assert read(*pieces) == BODY


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        (b"identity", BODY),
        (b"gzip", gzip.compress(BODY)),
        (b"x-gzip", gzip.compress(BODY)),
        (b"GZip", gzip.compress(BODY[:9]) + gzip.compress(b"") + gzip.compress(BODY[9:])),
        (b"deflate", zlib.compress(BODY)),
        (b"deflate", raw_deflate(BODY)),
    ],
    ids=["identity", "gzip", "x-gzip", "gzip of several", "deflate", "deflate without its frame"],
)
def test_compressed_bodies_are_unpacked(encoding: bytes, packed: bytes) -> None:
    assert read(packed, headers={b"content-encoding": encoding}) == BODY
    assert read(packed[:20], packed[20:], headers={b"content-encoding": encoding}) == BODY


def test_a_body_of_very_many_gzip_files_is_refused() -> None:
    """Each of them costs something, even if there is nothing in it."""
    headers = {b"content-encoding": b"gzip"}
    assert read(gzip.compress(b"") * 9000 + gzip.compress(BODY), headers=headers) == BODY
    told = "the body has more than 10000 gzip files in a row: send it as one"
    assert refusal(gzip.compress(b"") * 10_001, headers=headers) == (413, told, {})


def test_a_body_of_just_the_largest_size_is_taken() -> None:
    assert len(read(b"a" * MOST)) == MOST
    packed = gzip.compress(bytes(MOST))
    assert read(packed, headers={b"content-encoding": b"gzip"}) == bytes(MOST)


TOO_LARGE = "the request's body is larger than 3000000 bytes, the most that this server takes"


def test_a_body_that_is_said_to_be_too_large_is_refused_before_it_is_read() -> None:
    assert refusal(headers={b"content-length": b"3000001"}) == (413, TOO_LARGE, {})


def test_who_waits_for_leave_to_send_too_much_is_refused_and_the_connection_ended() -> None:
    headers = {b"content-length": b"3000001", b"expect": b"100-continue"}
    assert refusal(headers=headers) == (413, TOO_LARGE, {"connection": "close"})


@pytest.mark.parametrize("pieces", [[b"a" * (MOST + 1)], [b"a" * MOST, b"a"], [b"a" * MOST, b"a", b"never read"]])
def test_a_body_that_turns_out_too_large_is_refused(pieces: list[bytes]) -> None:
    assert refusal(*pieces) == (413, TOO_LARGE, {})


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, raw_deflate], ids=["gzip", "deflate", "raw"])
def test_a_body_that_unpacks_to_too_much_is_refused(pack: Any) -> None:
    encoding = b"gzip" if pack is gzip.compress else b"deflate"
    bomb = pack(bytes(MOST * 50))
    status, message, headers = refusal(bomb, headers={b"content-encoding": encoding})
    expected = "the request's body unpacks to more than 3000000 bytes, the most this server takes"
    assert (status, message, headers) == (413, expected, {})


def test_several_bombs_behind_each_other_are_one() -> None:
    bomb = gzip.compress(bytes(MOST // 2 + 1))
    assert refusal(bomb * 3, headers={b"content-encoding": b"gzip"})[0] == 413


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        (b"gzip", b"no gzip at all"),
        (b"gzip", gzip.compress(BODY)[:-9]),
        (b"gzip", gzip.compress(BODY)[:5]),
        (b"gzip", gzip.compress(BODY) + b"behind"),
        (b"gzip", gzip.compress(BODY)[:-8] + b"\0" * 8),
        (b"deflate", zlib.compress(BODY)[:-1]),
        (b"deflate", zlib.compress(BODY) + b"behind"),
        (b"deflate", b"\xff\xff"),
    ],
    ids=["other", "cut off", "cut in its head", "text behind", "checksum", "deflate cut off", "behind", "no deflate"],
)
def test_a_damaged_body_is_refused(encoding: bytes, packed: bytes) -> None:
    expected = "the compressed body is damaged or cut off, or not packed as its content-encoding says"
    assert refusal(packed, headers={b"content-encoding": encoding}) == (400, expected, {})


@pytest.mark.parametrize("encoding", [b"br", b"zstd", b"gzip, gzip", b"deflate,gzip", b"nonsense"])
def test_an_unknown_or_repeated_encoding_is_refused_with_those_that_are_known(encoding: bytes) -> None:
    status, _, headers = refusal(BODY, headers={b"content-encoding": encoding})
    assert (status, headers) == (415, {"accept-encoding": "gzip, deflate"})


def test_a_body_that_does_not_arrive_in_time_is_refused() -> None:
    async def receive() -> Any:
        await asyncio.sleep(0)
        if pieces:
            return {"type": "http.request", "body": pieces.pop(), "more_body": True}
        return await asyncio.sleep(60)

    pieces = [b"a", b"b"]
    with pytest.raises(Refused) as caught:
        asyncio.run(asyncio.wait_for(read_body(receive, {}, MOST, 0.05), 20))
    expected = (408, "the request's body did not arrive within 0.05 seconds", {"connection": "close"})
    assert (caught.value.status, caught.value.message, caught.value.headers) == expected


@pytest.mark.parametrize("pieces", [[], [b"a"]], ids=["before", "within"])
def test_a_caller_that_goes_away_while_sending_is_noticed(pieces: list[bytes]) -> None:
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    with pytest.raises(CallerGone):
        asyncio.run(asyncio.wait_for(read_body(receive, {}, MOST, 10), 20))


@pytest.mark.parametrize(
    "told",
    [
        b"application/json",
        b"Application/JSON; charset=utf-8",
        b"application/vnd.api+json",
        b"text/json",
        b"",
        b" ; charset=utf-8",
    ],
)
def test_content_types_that_clients_send_with_json_are_taken(told: bytes) -> None:
    check_content_type({b"content-type": told})
    check_content_type({})


@pytest.mark.parametrize(
    "headers",
    [
        {b"content-type": b"text/plain"},
        {b"content-type": b"application/x-www-form-urlencoded"},
        {b"content-type": b"multipart/form-data; boundary=x"},
        {b"content-type": b"application/jsonl"},
        {b"origin": b"https://elsewhere.example"},
    ],
    ids=["plain text", "form", "files", "lines of JSON", "a page of another site"],
)
def test_other_content_types_are_refused(headers: dict[bytes, bytes]) -> None:
    with pytest.raises(Refused) as caught:
        check_content_type(headers)
    assert (caught.value.status, caught.value.headers) == (415, {"accept": "application/json"})
    assert caught.value.message == "the body must be JSON and say so: send the header content-type: application/json"


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b' \n{"a":1}\n', {"a": 1}),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b'"\\ud83d\\ude00\\u0000"', "😀\0"),
        (bytearray(b"[]"), []),
        (b"[" * 1000 + b"]" * 1000, None),
    ],
    ids=["byte order mark", "white space", "repeated key", "surrogate pair", "bytearray", "nested"],
)
def test_json_is_decoded(body: bytes, value: Any) -> None:
    found = decode_json(body)
    assert value is None or found == value


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", r"the request has no body, but must have a JSON object"),
        (b" \r\n", r"the request has no body, but must have a JSON object"),
        (b"\xef\xbb\xbf\n", r"the request has no body, but must have a JSON object"),
        (b"\xef\xbb\xbf" * 2 + b"{}", r"the body is not valid JSON: .*\(line 1, column 1\)"),
        (b'{"query": "q",\n "documents" ["a"]}', r"the body is not valid JSON: .+ \(line 2, column 14\)"),
        (b'{"a": NaN}', r"the body is not valid JSON: .+ \(line 1, column 7\)"),
        (b"1e999", r"the body is not valid JSON: .+ \(line 1, column 1\)"),
        (b'"\\ud800"', r"the body is not valid JSON: .+ \(line 1, column [0-9]\)"),
        (b'{"a": "\xff"}', r"the body is not UTF-8: byte 7 cannot be read"),
        (b'{"a": "\xed\xa0\x80"}', r"the body is not UTF-8: byte 7 cannot be read"),
        ("[]".encode("utf-16"), r"the body is not UTF-8: byte 0 cannot be read"),
        (b"[" * 100_000, r"the body is not valid JSON: .+"),
    ],
    ids=[
        "empty",
        "space",
        "byte order mark",
        "two byte order marks",
        "syntax",
        "NaN",
        "number",
        "half a pair",
        "no UTF-8",
        "surrogate",
        "UTF-16",
        "depth",
    ],
)
def test_what_is_no_json_is_refused_with_the_place(body: bytes, message: str) -> None:
    with pytest.raises(Refused) as caught:
        decode_json(body)
    assert caught.value.status == 400
    assert re.fullmatch(message, caught.value.message)


@pytest.mark.parametrize(("depth", "is_deep"), [(1, False), (199, False), (200, True), (1000, True)])
def test_what_is_nested_too_deeply_to_be_encoded_again_is_known(depth: int, is_deep: bool) -> None:
    assert is_too_deep(decode_json(b"[" * depth + b"1" + b"]" * depth)) is is_deep
    assert is_too_deep(decode_json(b'{"a":' * depth + b"1" + b"}" * depth)) is is_deep
