"""Rules about mappings: paths that no example reply has, and fallbacks that are never reached."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rankspec.checks.rules.subject import Rule, Subject, headers_of
from rankspec.errors import nearest
from rankspec.mapping import Expression, Tracer, nodes
from rankspec.models import Finding, Json, Path, Problem, listed

Mapped = tuple[Path, Expression]

_NEEDED = ("index", "relevance_score")
_KEYS = (*_NEEDED, "raw_score", "relevant_spans")
_RESULTS: Path = ("response", "results")
_PROJECTIONS = ("projection", "filter_projection", "value_projection")


def wrong_keys(results: Expression) -> Iterator[Problem]:
    """What is wrong with the keys that the mapping of results gives each of them, where they are written there."""
    for arm in _arms(results.tree):
        while arm["type"] == "pipe":
            arm = arm["children"][-1]
        if arm["type"] in _PROJECTIONS and arm["children"][1]["type"] == "multi_select_dict":
            yield from _wrong_keys(results.text, arm["children"][1]["children"])


def _wrong_keys(text: str, pairs: list[Any]) -> Iterator[Problem]:
    keys = {pair["value"]: pair for pair in pairs}
    missing = [name for name in _NEEDED if name not in keys]
    needs = f"every result needs {' and '.join(_NEEDED)}"
    first = _key_place(text, pairs[0])
    for key in [key for key in keys if key not in _KEYS]:
        meant = nearest(key, missing) or next((name for name in missing if key in name), None)
        if meant is not None:
            missing.remove(meant)
            message = f"{needs}; did you mean '{meant}'? Known keys are {', '.join(_KEYS)}"
            yield Problem(_RESULTS, message, "mapping-keys", _key_place(text, keys[key]), len(key), meant)
    if missing:
        message = f"{needs}, and {' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} missing here"
        yield Problem(_RESULTS, message, "mapping-keys", max(text.rfind("{", 0, first), 0), 1)


def _key_place(text: str, pair: Any) -> int:
    """Where in the text a key stands: the tree has the places of what is read only."""
    starts = [node["start"] for node in nodes(pair) if "start" in node]
    places = [found.start(1) for found in re.finditer(rf'(?<!\w)"?({re.escape(pair["value"])})"?\s*:', text)]
    before = [place for place in places if not starts or place < min(starts)]
    return before[-1 if starts else 0] if before else 0


def _keys(subject: Subject) -> Iterator[Finding]:
    if subject.is_here(_RESULTS):
        yield from (subject.read.finding_of(problem) for problem in wrong_keys(subject.spec.response.results))


def _unseen(subject: Subject) -> Iterator[Finding]:
    good, bad = _replies(subject)
    for expressions, replies in (
        (subject.spec.response.expressions(), good),
        (subject.spec.errors.expressions(), bad),
        (_of_both(subject), good + bad),
    ):
        for path, expression in expressions:
            if replies and subject.is_here(path):
                yield from _unseen_of(subject, path, expression, replies)


def _unseen_of(
    subject: Subject, path: Path, expression: Expression, replies: list[dict[str, Any]]
) -> Iterator[Finding]:
    tracers = [Tracer(headers_of(reply)) for reply in replies]
    for tracer, reply in zip(tracers, replies, strict=True):
        tracer.trace(expression, reply.get("body"))
    seen = set().union(*(tracer.seen for tracer in tracers))
    names = {node["start"]: node for node in nodes(expression.tree) if _is_name(node)}
    # Of an arm that is never reached it is told that it is not.
    seen |= {node["start"] for arm in _idle(expression) for node in nodes(arm) if _is_name(node)}
    # A name that is read beside the one it resembles is a fallback, and no misspelling.
    known = {names[start]["value"] for start in names.keys() & seen}
    told = False
    for start in sorted(names.keys() - seen):
        beside = set().union(*(tracer.missed.get(start, ()) for tracer in tracers))
        if told and not beside:
            continue  # It stands below a part that was told.
        told = True
        yield _unseen_finding(subject, path, expression.text, names[start], beside - known)


def _is_name(node: Any) -> bool:
    if node["type"] == "function_expression":
        return bool(node["value"] == "header")
    return bool(node["type"] == "field")


def _unseen_finding(subject: Subject, path: Path, text: str, node: Any, beside: set[str]) -> Finding:
    is_header = node["type"] == "function_expression"
    name = str(node["children"][0].get("value")) if is_header else node["value"]
    meant = nearest(name, sorted(beside), cutoff=0.8)
    what = "header" if is_header else "member"
    message = f"no example reply has a {what} '{name}' there" + (f"; did you mean '{meant}'?" if meant else "")
    start = node["start"] + (text[node["start"]] == '"')
    # Inside quotes of JMESPath any word can stand; without them only an identifier.
    can_stand = meant and re.fullmatch(r"[\w-]+" if start > node["start"] else r"[A-Za-z_]\w*", meant, re.ASCII)
    suggestion = meant if can_stand and not is_header else None
    problem = Problem(path, message, "mapping-unseen", start, len(node["value"]), suggestion)
    return subject.read.finding_of(problem, severity="error" if meant else "warning")


def _replies(subject: Subject) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The examples' replies that are read by `response`, and those that are read by `errors`."""
    good: list[dict[str, Any]] = []
    bad: list[dict[str, Any]] = []
    for _, example in subject.examples():
        replies = listed(example.get("reply"))
        for position, reply in enumerate(replies):
            is_error = "raises" in example and position == len(replies) - 1
            (bad if is_error else good).append(reply)
    return good, bad


def _of_both(subject: Subject) -> Iterator[Mapped]:
    if subject.spec.errors.in_success is not None:
        yield ("errors", "in_success"), subject.spec.errors.in_success


def _unreachable(subject: Subject) -> Iterator[Finding]:
    for mapped in (subject.spec.response.expressions(), subject.spec.errors.expressions(), _of_both(subject)):
        for path, expression in mapped:
            if subject.is_here(path):
                yield from _idle_arms(subject, path, expression)
    earlier: set[str] = set()
    is_certain, name = False, None
    for path, expression in subject.spec.errors.expressions():
        if path[1] != name:
            name, is_certain = path[1], False
            earlier.clear()
        shape = repr(_shape(expression.tree))
        if (is_certain or shape in earlier) and subject.is_here(path):
            message = "is never reached: an entry before it gives the same, or always gives something"
            yield subject.read.finding("mapping-unreachable", path, message, severity="warning")
        earlier.add(shape)
        is_certain = is_certain or _is_certain(expression.tree)


def _idle_arms(subject: Subject, path: Path, expression: Expression) -> Iterator[Finding]:
    for arm in _idle(expression):
        starts = [inner["start"] for inner in nodes(arm) if "start" in inner]
        message = "what stands behind || is never reached: the part before it gives the same, or always something"
        problem = Problem(path, message, "mapping-unreachable", min(starts) if starts else None, 1)
        yield subject.read.finding_of(problem, severity="warning")


def _idle(expression: Expression) -> Iterator[Any]:
    """The trees behind every || that is never passed."""
    for node in nodes(expression.tree):
        if node["type"] == "or_expression":
            left, right = node["children"]
            if _is_certain(left) or (left["type"] == right["type"] and _shape(left) == _shape(right)):
                yield right


def _is_certain(tree: Any) -> bool:
    """Whether an expression gives something true whatever the reply is."""
    return any(_is_true(arm) for arm in _arms(tree))


def _arms(tree: Any) -> Iterator[Any]:
    """What stands between the || of a chain, however long; a tree of another kind is its own only arm."""
    waiting = [tree]
    while waiting:
        arm = waiting.pop()
        if arm["type"] == "or_expression":
            waiting += arm["children"]
        else:
            yield arm


def _is_true(tree: Any) -> bool:
    if tree["type"] == "literal":
        # Zero is true in JMESPath, and equal to False in Python.
        return tree["value"] not in (None, "", [], {}) and tree["value"] is not False
    return bool(tree["type"] == "multi_select_dict")


def _shape(tree: Any) -> Json:
    """The tree without its places, so that two can be compared."""
    if not isinstance(tree, dict):
        return tree
    return {
        key: [_shape(child) for child in value] if key == "children" else value
        for key, value in tree.items()
        if key != "start"
    }


MAPPING_RULES: tuple[Rule, ...] = (_keys, _unseen, _unreachable)
