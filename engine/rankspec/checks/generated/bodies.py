"""What is wrong with what a generated request is rendered to.

A request is rendered twice: as it is, and with a mark in place of every text. Where the marks land is where the
texts must stand, unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from rankspec.checks.generated.cases import Case, Requests, Shape
from rankspec.checks.generated.marks import MISSING, Marked, mark, texts_of
from rankspec.checks.generated.target import UNKNOWN_MODELS, Body, Leaf, Target
from rankspec.errors import RankspecError, SpecInvalid
from rankspec.models import Json, Path, Problem, format_path
from rankspec.specs import UNSUPPORTABLE
from rankspec.vocabulary import BODY_NAMES, DOCUMENT_NAMES

_QUERY = frozenset({"query"})
_OPTIONAL = ("model", "top_n", "rank_fields", "extra", "next_token", *UNSUPPORTABLE)
_TRACES = ("", "None", "null", "undefined")
_PROBES = {"model": UNKNOWN_MODELS, "top_n": (2, 3), "priority": (2, 3)}
"""Parameters that are sent as they are, where they are sent, each with two values that tell where."""
_NESTED = re.compile(r"\{\{(?:(?!\}\}).)*\{\{", re.DOTALL)
"""An expression that holds the beginning of another."""
_OUR_EXPRESSION = re.compile(rf"\{{\{{-?\s*(?:{'|'.join(BODY_NAMES)}|document)\b")
"""The beginning of an expression that a template could mean; other braces in a text are the provider's own."""
_MAX_SHOWN = 200
_MAX_SHOWN_VALUE = 80


@dataclass(frozen=True, slots=True)
class Rendered:
    """A request and the bodies that it became."""

    body: Body
    request: Mapping[str, Any]
    bodies: list[Json]

    def values(self, leaf: Leaf) -> list[Json]:
        """What a template became, everywhere it was rendered."""
        return [value for body in self.bodies for value in self.body.values(leaf, body)]

    def problem(self, path: Path, what: str, got: Json, due: Json = MISSING, code: str = "generated-text") -> Problem:
        """The problem that this is, with the request shown."""
        gives = "nothing" if got is MISSING else shown(got, _MAX_SHOWN_VALUE)
        wanted = "" if due is MISSING else f" where {shown(due, _MAX_SHOWN_VALUE)} is due"
        return Problem(path, f"{what}: the request {shown(self.request)} gives {gives}{wanted}", code)

    def problem_of(self, names: frozenset[str], what: str) -> Problem:
        """The problem at the first template that uses one of the names; shown is what all that do became."""
        leaves = [leaf for leaf in self.body.leaves if names & leaf.names]
        sent = [value for leaf in leaves for value in self.values(leaf)] if leaves else self.bodies
        path = self.body.in_spec(leaves[0].path if leaves else ())
        return self.problem(path, what, MISSING if not sent else sent[0] if len(sent) == 1 else sent)


class Bodies:
    """Judges generated requests."""

    def __init__(self, target: Target, requests: Requests) -> None:
        self._target = target
        self._requests = requests
        self._marked: dict[Shape, Marked | Problem] = {}
        self._sent_as_is: dict[tuple[Body, str], frozenset[str]] = {}

    def problems(self, case: Case) -> Iterator[Problem]:
        """What is wrong with what a case is rendered to."""
        shape = case.shape
        request = self._requests.request(shape, case.texts)
        bodies = self._render(shape, request)
        if shape not in self._marked:
            self._marked[shape] = self._mark(shape)
        marked = self._marked[shape]
        if isinstance(bodies, Problem):
            yield bodies
        elif isinstance(marked, Problem):
            yield marked
        else:
            rendered = Rendered(self._requests.model(shape).body, request, bodies)
            yield from self._texts(shape, rendered, marked)
            yield from self._traces(shape, rendered)
            yield from self._values(rendered)

    def _render(self, shape: Shape, request: Mapping[str, Any]) -> list[Json] | Problem:
        try:
            return self._target.render(self._target.bindings[shape.binding], request)
        except RankspecError as error:
            return self._failure(shape, request, error)

    def _failure(self, shape: Shape, request: Mapping[str, Any], error: RankspecError) -> Problem:
        """A call that fails before it sends: at the template that fails by itself, if one does."""
        body = self._requests.model(shape).body
        path: Path = ("endpoint",)
        if not self._fails(shape, request, {}):
            failing = (leaf.path for leaf in body.leaves if self._fails(shape, request, leaf.tree))
            path = body.in_spec(next(failing, ()))
        reason = error.findings[0].message if isinstance(error, SpecInvalid) else str(error)
        message = f"the request {shown(request)} cannot be rendered: {printable(reason)}"
        return Problem(path, message, "generated-fails")

    def _fails(self, shape: Shape, request: Mapping[str, Any], tree: Json) -> bool:
        try:
            self._target.render(self._target.bindings[shape.binding], request, tree)
        except RankspecError:
            return True
        return False

    def _mark(self, shape: Shape) -> Marked | Problem:
        request = self._requests.request(shape, [mark(number) for number in range(len(shape.kinds) + 1)])
        bodies = self._render(shape, request)
        if isinstance(bodies, Problem):
            return bodies
        return Marked(request, bodies, list(self._requests.slots(shape, request)))

    def _texts(self, shape: Shape, rendered: Rendered, marked: Marked) -> Iterator[Problem]:
        slots = list(self._requests.slots(shape, rendered.request))
        landed = {marked.slots[at].path[:2] for at in marked.landed}
        for path in dict.fromkeys(slot.path[:2] for slot in slots if slot.path[:2] not in landed):
            texts = [slot.text for slot in slots if slot.path[:2] == path]
            if not any(text in sent for text in texts for sent in texts_of(rendered.bodies, outer=True)):
                names = _QUERY if path == ("query",) else DOCUMENT_NAMES
                yield rendered.problem_of(names, f"{format_path(path)} is not sent unchanged")
        # These two show the marks, which tell the documents apart whatever their texts are.
        with_marks = replace(rendered, request=marked.request, bodies=marked.bodies)
        if marked.joined is not None:
            both = "documents {} and {}".format(*marked.joined)
            yield with_marks.problem_of(DOCUMENT_NAMES, f"{both} are sent as one text, where nothing tells them apart")
        first = [slots[at].document for at in dict.fromkeys(marked.landed)]
        order = [document for document in dict.fromkeys(first) if document is not None]
        if order != sorted(order):
            yield with_marks.problem_of(DOCUMENT_NAMES, "the documents are sent in another order")
        for found in marked.differences(rendered.bodies, slots):
            path = rendered.body.in_spec(rendered.body.origin(found.path[1:]))
            what = f"{format_path(found.path[1:]) or 'the body'} {found.how}"
            yield rendered.problem(path, what, found.got, found.due)

    def _traces(self, shape: Shape, rendered: Rendered) -> Iterator[Problem]:
        settings = self._target.bindings[shape.binding].settings
        absent = {name for name in _OPTIONAL if name not in rendered.request}
        absent |= {f"settings.{name}" for name, value in settings.items() if value is None}
        for leaf in rendered.body.leaves:
            lacking = sorted(absent & leaf.names)
            nested = _NESTED.search(leaf.text) is not None
            if not lacking and not nested:
                continue
            path, given = rendered.body.in_spec(leaf.path), list(texts_of([rendered.request, settings], outer=True))
            for value in rendered.values(leaf):
                if lacking and _is_trace(value) and value not in given:
                    what = f"{lacking[0]} is absent and leaves a trace"
                    yield rendered.problem(path, what, value, code="generated-absent")
                if nested and _holds_our_expression(value) and not any("{{" in text for text in given):
                    what = "an expression is sent as it stands"
                    yield rendered.problem(path, what, value, code="generated-absent")

    def _values(self, rendered: Rendered) -> Iterator[Problem]:
        if len(rendered.bodies) > 1:
            return  # Each asks for no more results than it has documents.
        request = rendered.request
        sent = {name: request[name] for name in _PROBES if name in request}
        if "top_n" in sent:
            sent["top_n"] = min(sent["top_n"], len(request["documents"]))
        if "model" in sent:
            sent["model"] = self._target.spec.model_id(sent["model"])
        for name, due in sent.items():
            for leaf in rendered.body.leaves:
                if leaf.text not in self._as_is(rendered.body, name):
                    continue
                values = rendered.values(leaf) or [MISSING]
                wrong = [value for value in values if not _holds(value, due)]
                if wrong:
                    path = rendered.body.in_spec(leaf.path)
                    yield rendered.problem(path, f"{name} is not sent as it is", wrong[0], due)

    def _as_is(self, body: Body, name: str) -> frozenset[str]:
        """The templates that a parameter is sent by: those whose values differ where its value does."""
        if (body, name) not in self._sent_as_is:
            self._sent_as_is[body, name] = frozenset(self._probe(body, name))
        return self._sent_as_is[body, name]

    def _probe(self, body: Body, name: str) -> Iterator[str]:
        model = next(one.name for one in self._target.models if one.body is body)
        request = {"query": "Probe", "documents": [f"Probe {number}" for number in range(4)]}
        named = request if model is None else {**request, "model": model}
        for leaf in body.leaves:
            if name not in leaf.names:
                continue
            found: list[list[Json]] = []
            for value in _PROBES[name]:
                try:
                    found.append(self._target.render(self._target.bindings[-1], {**named, name: value}, leaf.tree))
                except RankspecError:
                    break
            if len(found) == 2 and found[0] != found[1]:
                yield leaf.text


def shown(value: Json, most: int = _MAX_SHOWN) -> str:
    """A value as JSON, cut."""
    text = printable(orjson.dumps(value).decode())
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"


def printable(text: str) -> str:
    """The text with escapes for what a terminal would not show, or take for a command."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def _is_trace(value: Json) -> bool:
    if isinstance(value, list):
        return all(map(_is_trace, value))
    return value is None or value == {} or (isinstance(value, str) and value.strip() in _TRACES)


def _holds_our_expression(value: Json) -> bool:
    return isinstance(value, str) and _OUR_EXPRESSION.search(value) is not None


def _holds(value: Json, due: Json) -> bool:
    if isinstance(value, str):
        return str(due) in value
    if isinstance(value, list | dict):
        return any(_holds(one, due) for one in (value if isinstance(value, list) else value.values()))
    return not isinstance(value, bool) and value == due
