"""Templates that were checked: what they render, and the scope of a body."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote

from rankspec.documents import DocumentForms
from rankspec.models import Json
from rankspec.templates import functions
from rankspec.templates.functions import Member, Scope, Text, Write
from rankspec.templates.values import written
from rankspec.vocabulary import BODY_NAMES, PathText, as_text

_FAILURES = (TypeError, ValueError, KeyError, IndexError, ArithmeticError, AttributeError, RecursionError, MemoryError)
_ABSENT_NAMES: dict[str, Any] = dict.fromkeys(BODY_NAMES)


class TemplateFailed(Exception):
    """A template cannot be rendered with these values."""


class JsonTemplate:
    """A checked tree. `names` are the names it uses, members too: document.text, settings.NAME, extra.NAME."""

    def __init__(self, names: frozenset[str], tree: Member, empty: Callable[[], Json]) -> None:
        self.names = names
        self._tree = tree
        self._empty = empty

    @cached_property
    def inspected(self) -> frozenset[str]:
        """Those of DOCUMENT_NAMES among the names whose values the template looks into, or makes something else of.

        The values of the others only become parts of the body, so that they may be all that can be written as JSON.
        """
        return functions.inspected(self._tree)

    # Functions are made when first asked for: it takes as long as reading the template (0.4 ms for a flat body), and
    # a spec has templates for many models while a call uses one.
    @cached_property
    def _function(self) -> Callable[[Scope], Json]:
        return functions.json_function(self._tree, self._empty)

    def render(self, scope: Scope) -> Json:
        """The JSON value; an object or list that is all absent is empty.

        Raises:
            TemplateFailed: an expression does not fit the values it was given.
        """
        try:
            return self._function(scope)
        except _FAILURES as error:
            raise _failed(error) from error


class TextTemplate:
    """A checked text, and the names it uses."""

    def __init__(self, names: frozenset[str], text: Text) -> None:
        self.names = names
        self._text = text

    @cached_property
    def _function(self) -> Callable[[Scope, Write], str | None]:
        return functions.text_function(self._text)

    def render(self, scope: Scope, *, percent_encode: bool = False) -> str | None:
        """The text, or None if a value in it is absent.

        Args:
            percent_encode: encode every value for use in a URL's path or host.

        Raises:
            TemplateFailed: an expression does not fit the values it was given, or has no text.
        """
        try:
            return self._function(scope, _encoded if percent_encode else written)
        except _FAILURES as error:
            raise _failed(error) from error


class Condition:
    """A checked `when`, and the names it uses."""

    def __init__(self, names: frozenset[str], expression: ast.expr) -> None:
        self.names = names
        self._expression = expression

    @cached_property
    def _function(self) -> Callable[[Scope], Any]:
        return functions.expression_function(self._expression)

    def holds(self, scope: Scope) -> bool:
        """Whether the expression is true, as Jinja judges truth."""
        try:
            return bool(self._function(scope))
        except _FAILURES as error:
            raise _failed(error) from error


def _failed(error: Exception) -> TemplateFailed:
    return TemplateFailed(f"{type(error).__name__}: {error}")


def _encoded(value: Any) -> str | None:
    return None if value is None else quote(as_text(value), safe="/" if isinstance(value, PathText) else "")


def body_scope(forms: DocumentForms, names: frozenset[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """The scope of a body: `values`, and of the documents the forms that `names` ask for."""
    scope = {**_ABSENT_NAMES, **values, "documents_in_loop": forms}
    if "documents" in names:
        scope["documents"] = forms.given
    if "texts" in names:
        scope["texts"] = forms.texts
    if "objects" in names:
        scope["objects"] = forms.objects
    if "uniform_documents" in names:
        scope["uniform_documents"] = forms.uniform
    if "has_objects" in names:
        scope["has_objects"] = forms.has_objects
    return scope
