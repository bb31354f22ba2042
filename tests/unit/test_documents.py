"""Documents in the forms that providers take: Cohere's rank_fields rule, mixtures, and who is at fault where."""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rankspec import documents as room
from rankspec.documents import DEFAULT_RANK_FIELDS, DocumentForms, as_text, longer_than
from rankspec.errors import RequestInvalid
from rankspec.models import Document, Json, Problem
from rankspec.raw_texts import RawTexts
from rankspec.vocabulary import DOCUMENT_NAMES

NO_TEXT = "has no text: give it a field 'text', or name the fields to rank in rank_fields"


class Text(str):
    __slots__ = ()


class Level(enum.IntEnum):
    LOW = 1


def cases(*rows: tuple[Any, ...]) -> list[Any]:
    return [pytest.param(*row[1:], id=row[0]) for row in rows]


def forms(
    documents: Sequence[Document], rank_fields: Sequence[str] | None = None, flatten: bool = False, offset: int = 0
) -> DocumentForms:
    return DocumentForms(documents, rank_fields, flatten=flatten, offset=offset)


@pytest.fixture(params=["libyaml", "PyYAML alone"])
def dumper(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML comes with libyaml or without it."""
    if request.param == "PyYAML alone":
        monkeypatch.setattr(room, "_DUMPER", room._PYTHON_DUMPER)


with_both_dumpers = pytest.mark.usefixtures("dumper")


# The text of a document


@pytest.mark.parametrize("text", ["a", " a\n", "", "text: a", "😀\u2028"], ids=repr)
@pytest.mark.parametrize("rank_fields", [("text",), ("title", "text")], ids=repr)
def test_a_text_is_its_own_text(text: str, rank_fields: Sequence[str]) -> None:
    assert as_text(text, rank_fields, 0) == text


@pytest.mark.parametrize("rank_fields", [DEFAULT_RANK_FIELDS, ["text"], ("text",)], ids=repr)
@pytest.mark.parametrize("text", ["a", " a\n", "key: value", "- x", "12:30", "😀\u2028\r\n"], ids=repr)
def test_the_default_is_the_field_text_as_it_stands(rank_fields: Sequence[str], text: str) -> None:
    assert as_text({"title": "T", "text": text}, rank_fields, 0) == text


@with_both_dumpers
@pytest.mark.parametrize(
    ("document", "rank_fields", "expected"),
    cases(
        ("one field", {"title": "T", "text": "x"}, ["title"], "title: T"),
        ("in the order asked for", {"text": "x", "title": "T"}, ["title", "text"], "title: T\ntext: x"),
        ("in the other order", {"text": "x", "title": "T"}, ["text", "title"], "text: x\ntitle: T"),
        ("text named twice", {"text": "x"}, ["text", "text"], "text: x"),
        ("a field that is not there", {"text": "x"}, ["title", "text"], "text: x"),
        ("null", {"title": None, "text": "x"}, ["title", "text"], "text: x"),
        ("empty text", {"title": "", "text": "x"}, ["title", "text"], "text: x"),
        ("zero", {"n": 0, "text": "x"}, ["n", "text"], "n: 0\ntext: x"),
        ("false", {"is_new": False}, ["is_new"], "is_new: false"),
        ("empty list", {"tags": [], "text": "x"}, ["tags", "text"], "tags: []\ntext: x"),
        ("empty object", {"o": {}, "text": "x"}, ["o", "text"], "o: {}\ntext: x"),
        ("fraction", {"price": 9.5}, ["price"], "price: 9.5"),
        ("list", {"tags": ["a", "b"]}, ["tags"], "tags:\n- a\n- b"),
        ("object", {"author": {"name": "N", "born": 1900}}, ["author"], "author:\n  name: N\n  born: 1900"),
        ("null inside", {"o": {"a": None}}, ["o"], "o:\n  a: null"),
        ("tuple", {"tags": ("a", "b")}, ["tags"], "tags:\n- a\n- b"),
        ("text like a number", {"year": "1984"}, ["year"], "year: '1984'"),
        ("text like a date", {"day": "2024-10-01"}, ["day"], "day: '2024-10-01'"),
        ("text like a boolean", {"country": "no"}, ["country"], "country: 'no'"),
        ("text with a colon", {"title": "a: b"}, ["title"], "title: 'a: b'"),
        ("text of other scripts", {"title": "Zürich 東京"}, ["title"], "title: Zürich 東京"),
        ("emoji", {"title": "a 😀 👩‍👩‍👧"}, ["title"], "title: a 😀 👩‍👩‍👧"),
        ("emoji in a key", {"😀": "a"}, ["😀"], "😀: a"),
        ("emoji and quotes", {"title": "'😀': \\U0001F600"}, ["title"], "title: '''😀'': \\U0001F600'"),
        ("path that looks like an escape", {"path": "C:\\Users"}, ["path"], "path: C:\\Users"),
        ("long text", {"title": "word " * 500 + "end"}, ["title"], "title: " + "word " * 500 + "end"),
        ("lines", {"text": "a\nb", "title": "T"}, ["text", "title"], "text: 'a\n\n  b'\ntitle: T"),
        ("dots in a name", {"a.b": "x", "a": {"b": "y"}}, ["a.b"], "a.b: x"),
    ),
)
def test_other_rank_fields_give_yaml_of_those_fields(
    document: dict[str, Json], rank_fields: Sequence[str], expected: str
) -> None:
    assert as_text(document, rank_fields, 0) == expected


@with_both_dumpers
def test_a_value_that_stands_in_two_fields_is_written_twice() -> None:
    shared: dict[str, Json] = {"a": [1]}
    assert as_text({"x": shared, "y": shared, "z": [shared, shared]}, ["x", "y", "z"], 0) == (
        "x:\n  a:\n  - 1\ny:\n  a:\n  - 1\nz:\n- a:\n  - 1\n- a:\n  - 1"
    )


@with_both_dumpers
@pytest.mark.parametrize(
    ("value", "expected"),
    cases(
        ("text", Text("x"), "f: x"),
        ("text with emoji", Text("😀"), "f: 😀"),
        ("object", OrderedDict(b=1, a=2), "f:\n  b: 1\n  a: 2"),
        ("number", Level.LOW, "f: 1"),
        ("inside", [Text("x"), OrderedDict(a=Text("12:30"))], "f:\n- x\n- a: '12:30'"),
    ),
)
def test_values_of_subclasses_are_written_as_what_they_are(value: Json, expected: str) -> None:
    assert as_text({"f": value}, ["f"], 0) == expected


@pytest.mark.parametrize(
    ("document", "rank_fields", "message"),
    cases(
        ("no text", {"title": "T"}, ["text"], NO_TEXT),
        ("empty text", {"text": ""}, ["text"], NO_TEXT),
        ("blank text", {"text": " \n\u3000"}, ["text"], NO_TEXT),
        ("null as text", {"text": None}, ["text"], NO_TEXT),
        ("number as text", {"text": 5}, ["text"], NO_TEXT),
        ("list as text", {"text": ["a"]}, ["text"], NO_TEXT),
        ("no such fields", {"text": "x"}, ["title", "body"], "has none of the rank_fields title, body"),
        ("only null and empty ones", {"a": None, "b": ""}, ["a", "b"], "has none of the rank_fields a, b"),
        (
            "half of a surrogate pair",
            {"a": "\ud83d"},
            ["a"],
            "holds half of a surrogate pair, which UTF-8 cannot carry",
        ),
        (
            "half of a surrogate pair in a key",
            {"a": {"\ud83d": 1}},
            ["a"],
            "holds half of a surrogate pair, which UTF-8 cannot carry",
        ),
    ),
)
def test_an_object_without_usable_text_is_named_by_its_position(
    document: dict[str, Json], rank_fields: Sequence[str], message: str
) -> None:
    with pytest.raises(RequestInvalid) as caught:
        as_text(document, rank_fields, 7)
    assert caught.value.problems == (Problem(("documents", 7), message),)
    assert str(caught.value) == f"invalid request: documents[7]: {message}"


@with_both_dumpers
def test_an_object_that_holds_itself_is_named_by_its_position() -> None:
    document: dict[str, Json] = {"a": []}
    document["a"].append(document)
    with pytest.raises(RequestInvalid) as caught:
        as_text(document, ["a"], 2)
    assert str(caught.value) == ("invalid request: documents[2]: is nested too deeply to be made text, or holds itself")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
# What YAML's own readers take for something else, or for a line's end.
TRICKY_TEXT = st.text(
    st.sampled_from(" \t\n\r\x00\x07\x7f\x85\xa0\u2028\u2029\ufeff\ufffe'\"\\:#-?&*!|>%@`{}[],0eU😀é"), max_size=12
)


FIELDS = st.dictionaries(st.text(min_size=1, max_size=8) | TRICKY_TEXT, VALUES | TRICKY_TEXT, min_size=1, max_size=4)


@given(document=FIELDS)
def test_any_fields_read_back_from_their_text(document: dict[str, Json]) -> None:
    expected = {name: value for name, value in document.items() if value not in (None, "")} | {"here": "x"}
    read = yaml.safe_load(as_text({**document, "here": "x"}, [*document, "here", "not there"], 0))
    assert repr(read) == repr(expected)


@given(text=st.text(st.characters(min_codepoint=0x10000, exclude_categories=["Cs", "Cn"]), min_size=1))
def test_characters_beyond_16_bits_are_written_as_themselves(text: str) -> None:
    assert text in as_text({"title": f"a{text}b"}, ["title"], 0)


# All documents


MIXED: list[Document] = ["Paris", {"text": "Berlin", "title": "B"}, "Rome"]
OBJECTS: list[Document] = [{"text": "Berlin", "title": "B"}, {"text": "Rome", "title": "R"}]
TEXTS: list[Document] = ["Paris", "Rome"]


@pytest.mark.parametrize(
    ("documents", "rank_fields", "flatten", "expected"),
    cases(
        (
            "texts",
            TEXTS,
            None,
            False,
            {
                "given": TEXTS,
                "texts": TEXTS,
                "objects": [{"text": "Paris"}, {"text": "Rome"}],
                "uniform": TEXTS,
                "has_objects": False,
            },
        ),
        (
            "objects",
            OBJECTS,
            None,
            False,
            {
                "given": OBJECTS,
                "texts": ["Berlin", "Rome"],
                "objects": OBJECTS,
                "uniform": OBJECTS,
                "has_objects": True,
            },
        ),
        (
            "a mixture",
            MIXED,
            None,
            False,
            {
                "given": MIXED,
                "texts": ["Paris", "Berlin", "Rome"],
                "objects": [{"text": "Paris"}, {"text": "Berlin", "title": "B"}, {"text": "Rome"}],
                "uniform": [{"text": "Paris"}, {"text": "Berlin", "title": "B"}, {"text": "Rome"}],
                "has_objects": True,
            },
        ),
        (
            "rank fields that the provider takes",
            MIXED,
            ["title", "text"],
            False,
            {
                "given": MIXED,
                "texts": ["Paris", "title: B\ntext: Berlin", "Rome"],
                "objects": [{"text": "Paris"}, {"text": "Berlin", "title": "B"}, {"text": "Rome"}],
                "uniform": [{"text": "Paris"}, {"text": "Berlin", "title": "B"}, {"text": "Rome"}],
                "has_objects": True,
            },
        ),
        (
            "rank fields that the provider does not take",
            MIXED,
            ["title"],
            True,
            {
                "given": ["Paris", "title: B", "Rome"],
                "texts": ["Paris", "title: B", "Rome"],
                "objects": [{"text": "Paris"}, {"text": "title: B"}, {"text": "Rome"}],
                "uniform": ["Paris", "title: B", "Rome"],
                "has_objects": False,
            },
        ),
        (
            "default rank fields, flattened",
            OBJECTS,
            ["text"],
            True,
            {
                "given": ["Berlin", "Rome"],
                "texts": ["Berlin", "Rome"],
                "objects": [{"text": "Berlin"}, {"text": "Rome"}],
                "uniform": ["Berlin", "Rome"],
                "has_objects": False,
            },
        ),
        (
            "a tuple",
            ("Paris", {"text": "Rome"}),
            None,
            False,
            {
                "given": ("Paris", {"text": "Rome"}),
                "texts": ["Paris", "Rome"],
                "objects": [{"text": "Paris"}, {"text": "Rome"}],
                "uniform": [{"text": "Paris"}, {"text": "Rome"}],
                "has_objects": True,
            },
        ),
        ("none", [], None, False, {"given": [], "texts": [], "objects": [], "uniform": [], "has_objects": False}),
    ),
)
def test_documents_in_every_form(
    documents: Sequence[Document], rank_fields: Sequence[str] | None, flatten: bool, expected: dict[str, Json]
) -> None:
    made = forms(documents, rank_fields, flatten)
    assert {name: getattr(made, name) for name in expected} == expected


def test_the_callers_documents_stay_as_they_are() -> None:
    document: dict[str, Json] = {"text": "Berlin", "title": "B"}
    documents: list[Document] = ["Paris", document]
    made = forms(documents, ["title"])
    assert (made.texts, made.objects, made.uniform) == (
        ["Paris", "title: B"],
        [{"text": "Paris"}, document],
        made.objects,
    )
    assert documents == ["Paris", {"text": "Berlin", "title": "B"}]
    assert made.objects[1] is document


NO_TEXT_AT_1: list[Document] = [{"text": "a"}, {"title": "b"}, {"title": "c"}]


@pytest.mark.parametrize("offset", cases(("first request", 0), ("a later part", 100)))
def test_the_first_object_without_text_is_named_by_its_position_in_the_callers_list(offset: int) -> None:
    with pytest.raises(RequestInvalid) as caught:
        _ = forms(NO_TEXT_AT_1, offset=offset).texts
    assert caught.value.problems == (Problem(("documents", offset + 1), NO_TEXT),)


def test_objects_without_text_are_sent_as_objects_all_the_same() -> None:
    made = forms(NO_TEXT_AT_1)
    assert (made.given, made.objects, made.uniform, made.has_objects) == (NO_TEXT_AT_1,) * 3 + (True,)


def test_objects_that_must_become_text_are_named_at_once() -> None:
    with pytest.raises(RequestInvalid) as caught:
        forms(MIXED, ["author"], flatten=True, offset=4)
    assert caught.value.problems == (Problem(("documents", 5), "has none of the rank_fields author"),)


# Documents in a loop


@pytest.mark.parametrize(
    ("rank_fields", "flatten", "expected"),
    cases(
        (
            "as given",
            None,
            False,
            [(0, "Paris", None), (1, "Berlin", {"text": "Berlin", "title": "B"}), (2, "Rome", None)],
        ),
        (
            "rank fields that the provider takes",
            ["title"],
            False,
            [(0, "Paris", None), (1, "title: B", {"text": "Berlin", "title": "B"}), (2, "Rome", None)],
        ),
        ("flattened", ["title"], True, [(0, "Paris", None), (1, "title: B", None), (2, "Rome", None)]),
    ),
)
def test_a_loop_sees_every_document(
    rank_fields: Sequence[str] | None, flatten: bool, expected: list[tuple[int, str, Json]]
) -> None:
    made = forms(MIXED, rank_fields, flatten, offset=50)
    assert [(document.index, document.text, document.object) for document in made] == expected


def test_a_loop_names_an_object_without_text_by_its_position_in_the_callers_list() -> None:
    document = list(forms(NO_TEXT_AT_1, offset=20))[2]
    assert (document.index, document.object) == (2, {"title": "c"})
    with pytest.raises(RequestInvalid) as caught:
        _ = document.text
    assert caught.value.problems == (Problem(("documents", 22), NO_TEXT),)


DOCUMENTS = st.lists(
    st.text(min_size=1)
    | st.fixed_dictionaries({"text": st.text(min_size=1).filter(str.strip)}, optional={"title": VALUES, "n": VALUES})
)


@given(documents=DOCUMENTS)
def test_every_form_keeps_number_and_order(documents: list[Document]) -> None:
    made = forms(documents)
    texts = [document if isinstance(document, str) else document["text"] for document in documents]
    assert list(made.texts) == texts
    assert [one["text"] for one in made.objects] == texts
    assert [one.text for one in made] == texts
    assert [one.index for one in made] == list(range(len(documents)))
    assert len({type(one) for one in made.uniform}) <= 1
    assert made.has_objects == any(isinstance(document, dict) for document in documents)


@given(documents=DOCUMENTS, rank_fields=st.lists(st.sampled_from(["text", "title", "n", "x"]), min_size=1))
def test_flattened_documents_are_texts_in_every_form(documents: list[Document], rank_fields: list[str]) -> None:
    made = forms(documents, [*rank_fields, "text"], flatten=True)
    assert all(isinstance(one, str) for one in made.given)
    assert made.given == made.texts == made.uniform == [one.text for one in made]
    assert made.objects == [{"text": text} for text in made.texts]
    assert not made.has_objects


def test_a_loop_over_texts_alone_has_them_at_once() -> None:
    assert [forms(one).loop_texts for one in (TEXTS, MIXED, OBJECTS)] == [TEXTS, None, None]
    assert forms(MIXED, ["title"], flatten=True).loop_texts == ["Paris", "title: B", "Rome"]


def test_an_odd_line_end_beside_an_emoji_is_escaped() -> None:
    assert as_text({"f": "😀\u2028"}, ["f"], 0) == 'f: "\\U0001F600\\L"'


# Documents that stay the JSON that they came in


FORMS = {"documents": "given", "texts": "texts", "objects": "objects", "uniform_documents": "uniform"}


def values_of(forms: DocumentForms) -> dict[str, Any]:
    """What every name of a template stands for."""
    values = {name: getattr(forms, form) for name, form in FORMS.items()}
    in_loop = [(one.index, one.text, one.object) for one in forms]
    values["loop_texts"] = forms.loop_texts
    return {**values, "in_loop": in_loop, "has_objects": forms.has_objects, "count": len(forms)}


@given(
    texts=st.lists(st.text(), min_size=1),
    rank_fields=st.none() | st.just(["text"]),
    flatten=st.booleans(),
    inspected=st.none() | st.frozensets(st.sampled_from(sorted(DOCUMENT_NAMES))),
)
def test_raw_texts_are_written_as_texts_in_every_form(
    texts: list[str], rank_fields: list[str] | None, flatten: bool, inspected: frozenset[str] | None
) -> None:
    raw = DocumentForms(
        RawTexts([orjson.dumps(text) for text in texts]), rank_fields, flatten=flatten, inspected=inspected
    )
    expected, values = values_of(forms(texts, rank_fields, flatten)), values_of(raw)
    assert orjson.dumps(values) == orjson.dumps(expected)
    for name in FORMS.keys() if inspected is None else inspected & FORMS.keys():
        assert values[name] == expected[name]
    if inspected is None or "document.text" in inspected:
        assert values["in_loop"] == expected["in_loop"]


def test_only_what_no_expression_looks_into_stays_undecoded() -> None:
    made = DocumentForms(RawTexts([b'"a"']), None, flatten=False, inspected={"texts", "document.text"})
    kinds = {name: type(value) for name, value in values_of(made).items()}
    fragment = orjson.Fragment
    assert kinds == {
        "documents": fragment,
        "texts": list,
        "objects": fragment,
        "uniform_documents": fragment,
        "loop_texts": list,
        "in_loop": list,
        "has_objects": bool,
        "count": int,
    }
    assert [type(one.text) for one in made] == [str]
    assert [type(one.text) for one in DocumentForms(RawTexts([b'"a"']), None, flatten=False, inspected=())] == [
        fragment
    ]


@given(
    documents=st.lists(st.text(max_size=6) | st.dictionaries(st.text(max_size=2), st.none())), most=st.integers(0, 4)
)
def test_texts_that_are_too_long_are_found(documents: list[Document], most: int) -> None:
    expected = [(at, len(one)) for at, one in enumerate(documents) if isinstance(one, str) and len(one) > most]
    assert longer_than(documents, most) == expected
    texts = [one for one in documents if isinstance(one, str)]
    assert longer_than(RawTexts([orjson.dumps(one) for one in texts]), most) == longer_than(texts, most)
