"""The caller's documents in the forms that providers take. Pure; makes text only of what is asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import yaml

from rankspec.errors import RequestInvalid
from rankspec.models import Document, Problem

DEFAULT_RANK_FIELDS = ("text",)

_ODD_LINE_END = re.compile("[\x85\u2028\u2029]")
_REPRESENTERS: dict[type, Any] = {
    str: lambda dumper, value: dumper.represent_str(str.__str__(value)),
    int: lambda dumper, value: dumper.represent_int(int(value)),
    dict: lambda dumper, value: dumper.represent_dict(value),
    list: lambda dumper, value: dumper.represent_list(value),
}
"""How subclasses of JSON's types are written, such as those of NumPy."""


def _dumper(base: Any) -> Any:
    class Dumper(base):  # type: ignore[misc]
        def ignore_aliases(self, data: Any) -> bool:
            return True  # A value that stands in two fields is written twice.

    for kind, represent in _REPRESENTERS.items():
        Dumper.add_multi_representer(kind, represent)
    return Dumper


_PYTHON_DUMPER = _dumper(yaml.SafeDumper)
_DUMPER = _dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper))


def as_text(document: Document, rank_fields: Sequence[str], position: int) -> str:
    """The text that stands for a document.

    A string is its own text. Of an object the default is its field `text`; other `rank_fields` give YAML
    of those of them that it has, in their order. Source: Cohere, Rerank best practices, read 2026-11-20.

    Raises:
        RequestInvalid: the object has no usable text; `position` says which.
    """
    if isinstance(document, str):
        return document
    if tuple(rank_fields) == DEFAULT_RANK_FIELDS:
        text = document.get("text")
        if isinstance(text, str) and text.strip():
            return text
        raise _no_text(position, "has no text: give it a field 'text', or name the fields to rank in rank_fields")
    chosen = {name: document[name] for name in rank_fields if document.get(name) not in (None, "")}
    if not chosen:
        raise _no_text(position, f"has none of the rank_fields {', '.join(rank_fields)}")
    try:
        text = _dump(chosen, _DUMPER)
        if "\\U" not in text:
            return text
        # libyaml escapes what lies beyond 16 bits, such as emoji, and providers would rank the escapes. PyYAML does
        # not, but makes other line ends of odd ones.
        unescaped = _dump(chosen, _PYTHON_DUMPER)
        return text if _ODD_LINE_END.search(unescaped) else unescaped
    except RecursionError:
        raise _no_text(position, "is nested too deeply to be made text, or holds itself") from None
    except UnicodeEncodeError:
        raise _no_text(position, "holds half of a surrogate pair, which UTF-8 cannot carry") from None


def _dump(fields: dict[str, Any], dumper: Any) -> str:
    text = yaml.dump(
        fields, Dumper=dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=2**31 - 1
    )
    return str(text).rstrip("\n")


def _no_text(position: int, message: str) -> RequestInvalid:
    return RequestInvalid([Problem(("documents", position), message)])


class DocumentForms:
    """The documents of one request, each form made when first asked for.

    Args:
        documents: some of the caller's documents.
        rank_fields: the fields that make an object's text, or None for the default.
        flatten: true when objects must become text whatever form is asked for.
        offset: the position of the first of them in the caller's list, for messages.
    """

    def __init__(
        self, documents: Sequence[Document], rank_fields: Sequence[str] | None, *, flatten: bool, offset: int = 0
    ) -> None:
        self._rank_fields = DEFAULT_RANK_FIELDS if rank_fields is None else rank_fields
        self._offset = offset
        self._as_given = documents
        self.given: Sequence[Document] = documents if not flatten else self.texts

    @cached_property
    def has_objects(self) -> bool:
        """Whether some document is sent as an object."""
        return any(not isinstance(document, str) for document in self.given)

    @cached_property
    def texts(self) -> Sequence[str]:
        """Every document as text."""
        documents = self._as_given
        if all(isinstance(document, str) for document in documents):
            return documents  # type: ignore[return-value]
        return [self._text(document, position) for position, document in enumerate(documents)]

    @cached_property
    def objects(self) -> list[dict[str, Any]]:
        """Every document as an object; a text is {"text": ...}."""
        return [{"text": document} if isinstance(document, str) else document for document in self.given]

    @property
    def uniform(self) -> Sequence[Document]:
        """Texts if all are texts, otherwise all objects."""
        return self.objects if self.has_objects else self.given

    def __iter__(self) -> Any:
        """A loop's documents, in order."""
        for position, document in enumerate(self.given):
            yield LoopDocument(self, position, document)

    def _text(self, document: Document, position: int) -> str:
        return as_text(document, self._rank_fields, self._offset + position)


class LoopDocument:
    """One document inside a loop of a template."""

    __slots__ = ("_forms", "given", "index")

    def __init__(self, forms: DocumentForms, index: int, given: Document) -> None:
        self._forms = forms
        self.index = index
        self.given = given

    @property
    def text(self) -> str:
        return self._forms._text(self.given, self.index)

    @property
    def object(self) -> dict[str, Any] | None:
        return None if isinstance(self.given, str) else self.given
