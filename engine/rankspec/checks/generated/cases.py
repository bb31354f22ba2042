"""What is asked of a spec to try it: hostile texts, documents of every kind, parameters absent and present."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import Any

from rankspec.checks.generated.target import Model, Target
from rankspec.documents import DEFAULT_RANK_FIELDS, as_text
from rankspec.models import Document, Json, Path
from rankspec.resources import read_schema

PIECES = (
    "a", "B", "1", " ", '"', "\\", "\n", "\t", "\r\n", "'", ",", "é", "😍", "0", "-1", "1.50", "1e5", "007", "0x1F",
    "NaN", "Infinity", "true", "False", "null", "None", "undefined", "~", "[]", "[1, 2]", "{}", '{"a": "b"}',
    "{{ query }}", "{{ 7 * 7 }}", "{{", "}}", "{% raw %}", "{# x #}", "${x}", "%s", "$item", "\\n", "\\u0041", '\\"',
    "<key>", "</b>&amp;", "- a: b # c", "---", "2026-11-20", "`", "|", ";", "a  b", "\x00", "\x08", "\x1b", "\x7f",
    "\x85", "\xa0", "\u2028", "\u202e", "\ufeff", "\ufffd", "e\u0301", "ß", "İ", "ﬁ", "👍🏻", "中文", "عربي",
    "\U0010ffff",
)  # fmt: skip
"""Parts of texts, the plainest first: a failing case is shrunk towards them."""

_CHARACTERS = 32
_TEXTS = 100
_MIXTURES = 40

KINDS = ("text", "object", "titled", "rich")
"""The kinds of documents."""


@dataclass(frozen=True, slots=True)
class Shape:
    """All of a request but its texts: which model and binding, what is asked beside, and what kinds of documents."""

    model: int
    binding: int
    options: int
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """A generated request. `texts` are the query and the documents' texts."""

    shape: Shape
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Slot:
    """A text of the caller: where it stands in the request. An object has two: its field, and what stands for it."""

    path: Path
    text: str

    @property
    def document(self) -> int | None:
        """The position of its document."""
        return int(self.path[1]) if self.path[0] == "documents" else None


class Requests:
    """Makes requests of cases. `options` are what may be asked beside the query and the documents, nothing first."""

    def __init__(self, target: Target, seed: int) -> None:
        self._target = target
        self.texts = tuple(_texts(seed))
        self.options = tuple(_combinations(_choices(), seed))
        self.model_count = len(target.models)
        self.binding_count = len(target.bindings)

    def most_documents(self, model: int) -> int:
        """How many documents one call may have."""
        return self._target.models[model].most_documents

    def model(self, shape: Shape) -> Model:
        """The model that is asked."""
        return self._target.models[shape.model]

    def given(self, shape: Shape) -> Mapping[str, Any]:
        """The optional parameters."""
        model, options = self.model(shape), self.options[shape.options]
        named = {} if model.name is None else {"model": model.name}
        return {**named, **{key: value for key, value in options.items() if key != "extra" or model.body.takes_extra}}

    def request(self, shape: Shape, texts: Sequence[str]) -> dict[str, Any]:
        """The request with these texts: the query, then the documents'."""
        query, *bodies = texts
        documents = [_document(kind, text) for kind, text in zip(shape.kinds, bodies, strict=True)]
        return {"query": query, "documents": documents, **self.given(shape)}

    def simplify(self, case: Case, fails: Callable[[Case], bool]) -> Case:
        """The case with the first options, and then texts, with which it still fails."""
        for options in range(case.shape.options):
            candidate = replace(case, shape=replace(case.shape, options=options))
            if fails(candidate):
                case = candidate
                break
        for at, text in enumerate(case.texts):
            for plainer in self.texts[: self.texts.index(text)]:
                candidate = replace(case, texts=(*case.texts[:at], plainer, *case.texts[at + 1 :]))
                if fails(candidate):
                    case = candidate
                    break
        return case

    def slots(self, shape: Shape, request: Mapping[str, Any]) -> Iterator[Slot]:
        """The caller's texts in a request of that shape; always as many, in the same order."""
        fields = self.given(shape).get("rank_fields", DEFAULT_RANK_FIELDS)
        yield Slot(("query",), request["query"])
        for position, document in enumerate(request["documents"]):
            path: Path = ("documents", position)
            if isinstance(document, str):
                yield Slot(path, document)
                continue
            made = as_text(document, fields, position)
            yield Slot(path, made)
            yield Slot((*path, "text"), document["text"])


def _document(kind: str, text: str) -> Document:
    title = 'On "{{ title }}"\n1'
    match kind:
        case "text":
            return text
        case "object":
            return {"text": text}
        case "titled":
            return {"title": title, "text": text}
    more: dict[str, Any] = {
        "year": 1999,
        "price": 4.5,
        "draft": None,
        "tags": ["x", True, []],
        "in": {"{{ deep }}": {}},
    }
    return {"text": text, "title": title, **more}


@cache
def _choices() -> dict[str, list[Json]]:
    """The values to try of every optional parameter, made from the request's schema."""
    properties = read_schema("rerank_request")["properties"]
    required = ("model", *read_schema("rerank_request")["required"])
    found = {name: _values(name, one) for name, one in properties.items() if name not in required}
    return {name: values for name, values in found.items() if values}


def _values(name: str, schema: Mapping[str, Any]) -> list[Json]:
    match schema["type"]:
        case "integer":
            least = schema["minimum"]
            return [least, least + 1, schema.get("maximum", 2**31 - 1)]
        case "boolean":
            return [True]
        case "string":
            return ['Prefer "new" {{ sources }}\nNone']
        case "array":
            return [list(DEFAULT_RANK_FIELDS), *schema["examples"]]
        case "object" if "required" in schema:
            every = schema["properties"]
            least_of = {key: every[key]["enum"][-1] for key in schema["required"]}
            return [*schema["examples"], {key: one["examples"][0] for key, one in every.items()}, least_of]
    # A name that no spec sends itself: the engine refuses to send two values for one.
    return [{f"rankspec_{name}": 'x "y"'}]


def _combinations(choices: Mapping[str, list[Json]], seed: int) -> Iterator[dict[str, Json]]:
    """Nothing, each value alone, all first and all last values together, and mixtures."""
    yield {}
    for name, values in choices.items():
        yield from ({name: value} for value in values)
    yield {name: values[0] for name, values in choices.items()}
    yield {name: values[-1] for name, values in choices.items()}
    random = Random(seed)
    for _ in range(_MIXTURES):
        yield {name: random.choice(values) for name, values in choices.items() if random.random() < 0.5}


def _texts(seed: int) -> Iterator[str]:
    """Every piece alone, then characters from all of Unicode, then pieces and characters put together."""
    random = Random(seed)
    # Half a surrogate pair is refused before anything is rendered.
    codes = [random.randrange(top) for top in (0x250, 0x3000, 0xD800, 0x110000) for _ in range(_CHARACTERS // 4)]
    characters = [chr(code) for code in codes if not 0xD800 <= code < 0xE000]
    parts = (*PIECES, *characters)
    joined = ("".join(random.choices(parts, k=random.choice((2, 3)))) for _ in range(_TEXTS))
    for text in (*parts, *joined):
        yield text if text.strip() else f"{text}a"
