"""Bodies decoded around their documents: the same request, and the same refusal, as when all is decoded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rankspec.binding import Arguments, Binding
from rankspec.catalog import Catalog
from rankspec.contract import attach_documents
from rankspec.errors import RankspecError
from rankspec.exchange import Rules, first_requests, rerank_exchange
from rankspec.gateway.edge import bodies
from rankspec.gateway.edge.bodies import decode_json
from rankspec.gateway.edge.cohere import CohereDialect
from rankspec.gateway.edge.raw_documents import decode_around_documents
from rankspec.models import Json, RerankRequest, RerankResult
from rankspec.parameters import validated
from rankspec.raw_texts import RawTexts
from rankspec.resources import read_schema, shipped_specs
from shipped import EXEMPLARS

PATTERN = read_schema("rerank_request")["properties"]["documents"]["items"]["pattern"]
BOM = b"\xef\xbb\xbf"
CATALOG = Catalog()
RULES = Rules(new_id=lambda: "id").offline()


def decoded(body: bytes, *, is_raw: bool) -> Json:
    """What a body says by one of the two roads, however small it is."""
    value = decode_around_documents(body.removeprefix(BOM)) if is_raw else None
    return decode_json(body) if value is None else value


def request_in(body: bytes, *, is_raw: bool) -> RerankRequest:
    asked = CohereDialect(2).read(decoded(body, is_raw=is_raw))
    return validated({**asked.values, "model": asked.model})


def outcome(body: bytes, *, is_raw: bool) -> Any:
    """The request that a body makes, or the error, as text that tells all types apart."""
    try:
        request = request_in(body, is_raw=is_raw)
    except RankspecError as error:
        return repr(error), str(error)
    return repr({name: _plain(getattr(request, name)) for name in RerankRequest.__slots__})


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, RawTexts) else value


# Bodies of every kind


SOUND_PIECES = [
    *("a", "documents", "é", "“", "検", "\u0bcd", "😀", " ", "\xa0", "\x85", "\u1680", "\u2003", "\u200b", "\u2028"),
    *("\u202f", "\u205f", "\u3000", "\ufeff", "\x7f", "]", "[", ",", ":", "{", "}", "'", "0"),
    *(r"\n", r"\t", r"\f", r"\r", r"\b", r"\"", r"\\", r"\/", r"\"documents\":[", r"\\\""),
    *(r"\u0020", r"\u000b", r"\u00e9", r"\u3000", r"\ud83d\ude00", r"\u0000", r"\u001c"),
]
UNSOUND_PIECES = ["\x01", "\n", "\udc80", "\ud800", r"\ud800", r"\ude00\ud83d", r"\q", r"\u12", '"', "\\"]


def _strings(pieces: list[str], least: int = 0) -> st.SearchStrategy[str]:
    characters = st.characters(min_codepoint=0xA0, exclude_categories=["Cs"])
    return st.lists(st.sampled_from(pieces) | characters, min_size=least, max_size=5).map(
        lambda parts: f'"{"".join(parts)}"'
    )


TEXTS = _strings(SOUND_PIECES, 1)
NUMBERS = st.sampled_from(
    ["0", "-0", "1", "2.0", "1.5", "1e3", "1e999", "1e-999", f"{2**64 - 1}", f"{2**64}", f"{-(2**63) - 1}", "0.1e1"]
)
WORDS = st.sampled_from(["true", "false", "null", "{}", "[]", '""', '"é"'])
UNSOUND = st.sampled_from(["NaN", "01", "+1", "1.", "tru", "", "}", "[1,]", "{1:2}", "[" * 300 + "]" * 300])
SPACE = st.sampled_from(["", "", " ", "\n  ", "\t\r\n"])
VALUES = st.recursive(
    TEXTS | NUMBERS | WORDS,
    lambda inner: (
        st.lists(inner, max_size=2).map(lambda items: f"[{','.join(items)}]")
        | st.tuples(TEXTS, inner).map(lambda member: f'{{"documents":{member[1]},{member[0]}: 1}}')
    ),
    max_leaves=3,
)


@st.composite
def lists_of_documents(draw: Any, items: st.SearchStrategy[str], *, is_even: bool = False) -> str:
    documents = draw(st.lists(items, max_size=4) | st.lists(items, min_size=1, max_size=2))
    between = draw(st.tuples(SPACE, SPACE).map(",".join))
    other = st.just(between) if is_even else st.just(between) | st.tuples(SPACE, SPACE).map(",".join)
    separators = [draw(other) for _ in documents[1:]]
    joined = "".join(part for pair in zip(documents, [*separators, ""], strict=False) for part in pair)
    return f"[{draw(SPACE)}{joined}{draw(SPACE)}]"


DOCUMENTS = lists_of_documents(TEXTS)
ODD_DOCUMENTS = lists_of_documents(TEXTS | VALUES | _strings(SOUND_PIECES + UNSOUND_PIECES) | UNSOUND) | VALUES
NAMES = st.sampled_from(['"documents"', '"query"', '"model"', '"top_n"', '"return_documents"', '"extra"', '"truncate"'])
ODD_NAMES = NAMES | _strings(SOUND_PIECES) | st.sampled_from([r'"d\u006fcuments"', '"document"', "documents", "1"])


@st.composite
def written(draw: Any, documents: st.SearchStrategy[str], members: st.SearchStrategy[tuple[str, str]]) -> bytes:
    """A body in which a query, documents and more members stand in any order."""
    found = draw(st.lists(members, max_size=3))
    found += [('"query"', draw(TEXTS)), ('"documents"', draw(documents))]
    members_in_order = [f"{name}{draw(SPACE)}:{draw(SPACE)}{value}" for name, value in draw(st.permutations(found))]
    text = f"{draw(SPACE)}{{{draw(SPACE)}{','.join(members_in_order)}{draw(SPACE)}}}{draw(SPACE)}"
    return text.encode("utf-8", "surrogatepass")


@st.composite
def damaged(draw: Any, whole: st.SearchStrategy[bytes]) -> bytes:
    body = draw(whole)
    at = draw(st.integers(0, len(body)))
    new = draw(
        st.sampled_from([b"", b"\xff", b"\xc3", b"\xa9", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b'"', b"\\", b" "])
    )
    more = draw(st.sampled_from([0, 1, 2, len(body)]))
    return draw(st.sampled_from([b"", BOM])) + body[:at] + new + body[at + more :]


SOUND_MEMBERS = st.one_of(
    st.tuples(st.just('"top_n"'), st.sampled_from(["1", "2", "null"])),
    st.tuples(st.just('"return_documents"'), st.sampled_from(["true", "false"])),
    st.tuples(st.sampled_from(['"truncate"', '"seed"', '"user"']), TEXTS | WORDS),
)
SOUND_BODIES = written(DOCUMENTS, SOUND_MEMBERS)
ODD_BODIES = written(DOCUMENTS | ODD_DOCUMENTS, st.tuples(ODD_NAMES, VALUES | ODD_DOCUMENTS | UNSOUND))


@given(body=SOUND_BODIES | ODD_BODIES | damaged(SOUND_BODIES) | damaged(ODD_BODIES))
@example(body=b'{"query":"q","extra":{"documents":["a"]},"documents":["a"]}')
@example(body=b'{"query":"q","documents":["a"],"documents":[0]}')
@example(body=b'{"query":"q","documents":["a"],"documents":["a"]}')
@example(body=rb'{"query":"q","documents":["a"],"d\u006fcuments":["b"]}')
@example(body=b'{"query":"documents","documents":["a","a,a"],"user":["a","a,a"]}')
@example(body=b'{"query":"q","n":1e999,"n":1,"documents":["a"]}')
@example(body=b'{"query":"q","documents":["a"         ,"b","c"],"u":[""]}')  # As if the first gap were everywhere.
@example(body=b'[{"query":"q","documents":["a"]}]')
def test_a_body_says_the_same_by_both_roads(body: bytes) -> None:
    assert outcome(body, is_raw=True) == outcome(body, is_raw=False)


@given(body=written(lists_of_documents(TEXTS, is_even=True), SOUND_MEMBERS))
def test_texts_that_are_no_doubt_visible_stay_raw(body: bytes) -> None:
    texts = orjson.loads(body)["documents"]
    if texts and all(text[0].isprintable() and not text[0].isspace() for text in texts) and rb'"\u' not in body:
        value = decode_around_documents(body)
        assert value is not None
        assert isinstance(value["documents"], RawTexts)
        assert {name: _plain(member) for name, member in value.items()} == orjson.loads(body)


# What is made of them


def _bindings(names: Iterable[str]) -> Iterator[Any]:
    for name in sorted(names):
        spec = CATALOG.load(name)
        settings = dict.fromkeys(spec.settings, "x")
        environ = {variable: "key" for source in _variables(spec.data) for variable in source}
        binding = Binding(spec, Arguments(api_key="key", settings=settings), environ, discover=False)
        yield binding


def _variables(value: Any) -> Iterator[list[str]]:
    for key, member in (
        value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    ):
        if key == "env":
            yield member
        else:
            yield from _variables(member)


def sent(binding: Any, body: bytes, *, is_raw: bool) -> Any:
    """The decoded bodies of what goes upstream, or the error."""
    try:
        request = request_in(body, is_raw=is_raw)
        return [orjson.loads(one.body) for one in first_requests(rerank_exchange(binding, request, RULES))]
    except RankspecError as error:
        return repr(error), str(error)


@pytest.mark.parametrize("binding", list(_bindings(EXEMPLARS)), ids=lambda one: one.spec.name)
@given(body=SOUND_BODIES | ODD_BODIES)
def test_what_any_spec_may_use_is_sent_the_same_by_both_roads(binding: Any, body: bytes) -> None:
    assert sent(binding, body, is_raw=True) == sent(binding, body, is_raw=False)


@settings(max_examples=300)
@given(binding=st.sampled_from(list(_bindings(shipped_specs()))), body=SOUND_BODIES | ODD_BODIES)
def test_every_shipped_spec_sends_the_same_by_both_roads(binding: Any, body: bytes) -> None:
    assert sent(binding, body, is_raw=True) == sent(binding, body, is_raw=False)


@given(body=SOUND_BODIES)
def test_raw_documents_are_given_back_as_they_are(body: bytes) -> None:
    value = decode_around_documents(body)
    if value is not None:
        texts = orjson.loads(body)["documents"]
        raw = [RerankResult(index=index, relevance_score=0.5) for index in range(len(texts))]
        plain = [RerankResult(one) for one in raw]
        attach_documents(raw, value["documents"])
        attach_documents(plain, texts)
        assert orjson.loads(orjson.dumps(raw)) == plain


# When that road is taken


LARGE = '{"query":"q","documents":["“é”' + "a" * bodies.LEAST_RAW_BYTES + '"]}'


@pytest.mark.parametrize(
    ("body", "raw_documents", "is_raw"),
    [
        pytest.param(LARGE.encode(), True, True, id="large"),
        pytest.param(bytearray(BOM + LARGE.encode()), True, True, id="in pieces, behind a byte order mark"),
        pytest.param(LARGE.encode(), False, False, id="not asked for"),
        pytest.param(LARGE.replace("“é”", "").encode(), True, False, id="ASCII"),
        pytest.param('{"query":"q","documents":["é"]}'.encode(), True, False, id="small"),
        pytest.param(LARGE.replace('["', '["a", {"text":"a"}, "').encode(), True, False, id="an object among them"),
        pytest.param(LARGE.replace('["', '[" \\n", "').encode(), True, False, id="a blank one among them"),
    ],
)
def test_documents_stay_raw_where_that_is_asked_for_and_pays(body: bytes, raw_documents: bool, is_raw: bool) -> None:
    value = decode_json(body, raw_documents=raw_documents)
    assert isinstance(value["documents"], RawTexts) is is_raw
    assert {**value, "documents": list(value["documents"])} == orjson.loads(bytes(body).removeprefix(BOM))


def test_a_text_of_nothing_but_white_space_is_left_to_the_ordinary_decoder() -> None:
    blank = [text for text in map(chr, (*range(0xD800), *range(0xE000, 0x10000))) if not re.search(PATTERN, text)]
    assert len(blank) == 25
    for text in [*blank, "".join(blank), ""]:
        assert decode_around_documents(orjson.dumps({"query": "é", "documents": ["a", text]})) is None
        raw = decode_around_documents(orjson.dumps({"query": "é", "documents": ["a", f"{text}a"]}))
        assert (raw is None) == ("\x0b" in text)  # Written as \u000b.


def test_texts_that_begin_with_white_space_stay_raw() -> None:
    texts = [" a", "\n\t“", "\u3000検", "\u2003\u200b", "\xa0\x85\u1680\u2028\u202f\u205f é", "\ufeff", "\\ a"]
    value = decode_around_documents(orjson.dumps({"query": "é", "documents": texts}))
    assert value is not None
    assert isinstance(value["documents"], RawTexts)
    assert list(value["documents"]) == texts


def test_a_text_that_is_no_utf8_is_found_wherever_it_is_cut() -> None:
    for length in range(64 * 1024 - 4, 64 * 1024 + 2):
        body = b'{"query":"q","documents":["' + b"a" * length + '“é"]}'.encode()
        assert decode_around_documents(body) is not None
        assert decode_around_documents(body.replace("“".encode(), "“".encode()[:2])) is None
