"""Raw texts: a sequence of the texts that they are, and what the encoder writes of them undecoded."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankspec.raw_texts import RawTexts

WRITTEN = [b'"a"', '"é\u2028"'.encode(), rb'"\u00e9\ud83d\ude00\n\/"', b'""']
TEXTS = ["a", "é\u2028", "é😀\n/", ""]


def test_raw_texts_read_as_the_texts_that_they_are() -> None:
    raw = RawTexts(WRITTEN)
    assert (len(raw), list(raw), raw.decoded(), [*reversed(raw)]) == (4, TEXTS, TEXTS, TEXTS[::-1])
    assert ([raw[at] for at in range(4)], raw[-1], raw.index("a"), "b" in raw) == (TEXTS, "", 0, False)
    assert repr(raw) == "RawTexts(4 texts)"
    with pytest.raises(IndexError):
        raw[4]


def test_some_of_raw_texts_are_raw_texts() -> None:
    some = RawTexts(WRITTEN)[1:3]
    assert (type(some), list(some)) == (RawTexts, TEXTS[1:3])


def test_the_encoder_writes_raw_texts_as_they_came() -> None:
    raw = RawTexts(WRITTEN)
    assert orjson.dumps(raw.fragment) == b"[%b]" % b",".join(WRITTEN)
    assert orjson.dumps([*raw.fragments()]) == b"[%b]" % b",".join(WRITTEN)
    assert orjson.dumps({"a": raw.fragment_at(2)}) == b'{"a":%b}' % WRITTEN[2]
    assert orjson.loads(orjson.dumps(raw.objects_fragment)) == [{"text": text} for text in TEXTS]
    assert [orjson.dumps(none) for none in (RawTexts([]).fragment, RawTexts([]).objects_fragment)] == [b"[]", b"[]"]


@given(texts=st.lists(st.text()), ascii_only=st.booleans(), most=st.integers(0, 8))
def test_what_is_asked_of_raw_texts_is_what_a_list_answers(texts: list[str], ascii_only: bool, most: int) -> None:
    """As memory views here: any kind of bytes will do."""
    raw = RawTexts([memoryview(json.dumps(text, ensure_ascii=ascii_only).encode()) for text in texts])
    assert list(raw) == texts
    assert orjson.loads(orjson.dumps(raw.fragment)) == texts
    assert orjson.loads(orjson.dumps([*raw.fragments()])) == texts
    assert orjson.loads(orjson.dumps(raw.objects_fragment)) == [{"text": text} for text in texts]
    assert raw.longer_than(most) == [(at, len(text)) for at, text in enumerate(texts) if len(text) > most]
