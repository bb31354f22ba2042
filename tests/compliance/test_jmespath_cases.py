"""JMESPath's public cases hold, and it is our code that answers them and not jmespath's interpreter."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from jmespath.exceptions import JMESPathError
from jmespath_cases import Case, jmespath_cases

from rankspec.mapping import Expression, MappingFailed
from rankspec.models import Json

ANSWERED = {
    "basic": {"code": 18},
    "boolean": {"code": 60},
    "current": {"code": 3},
    "escape": {"code": 8},
    "filters": {"code": 88},
    "functions": {"code": 130, "jmespath": 44, "refused": 1},
    "identifiers": {"code": 125},
    "indices": {"code": 56, "jmespath": 3},
    "literal": {"code": 40, "refused": 1},
    "multiselect": {"code": 53},
    "pipe": {"code": 17},
    "slice": {"code": 37, "jmespath": 1, "refused": 3},
    "syntax": {"code": 33, "jmespath": 2, "refused": 100},
    "unicode": {"code": 4},
    "wildcard": {"code": 65},
}
"""How many cases of each feature our code answers, jmespath does after it, or no tree is made of.

What jmespath answers are the errors, and five lists whose members are read although they are no objects.
"""


class Watched(Expression):
    """An expression that knows whether jmespath evaluated it."""

    was_interpreted = False

    def _interpreted(self, body: Json, functions: Any) -> Json:
        self.was_interpreted = True
        return super()._interpreted(body, functions)


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return jmespath_cases()


@pytest.fixture(autouse=True)
def _old_literals() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        yield


def _answered(case: Case) -> tuple[str, Json, bool]:
    """Who answered a case, with what, and whether that is an error."""
    try:
        expression = Watched(case.expression)
    except JMESPathError:
        return "refused", None, True
    try:
        found, failed = expression.search(case.given, {}), False
    except MappingFailed:
        found, failed = None, True
    return "jmespath" if expression.was_interpreted else "code", found, failed


def test_every_case_has_its_result_or_is_an_error(cases: list[Case]) -> None:
    wrong = [
        (case.feature, case.expression, case.given, found)
        for case in cases
        for _, found, failed in [_answered(case)]
        if repr(found) != repr(case.result) or failed != (case.error is not None)
    ]
    assert wrong == []
    assert len(cases) == 892


def test_code_answers_all_but_errors_and_odd_lists(cases: list[Case]) -> None:
    answered: dict[str, Counter[str]] = {}
    for case in cases:
        answered.setdefault(case.feature, Counter())[_answered(case)[0]] += 1
    assert answered == ANSWERED
