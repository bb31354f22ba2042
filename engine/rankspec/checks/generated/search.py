"""Hypothesis, held to a seed: looks for a case that has a problem, and makes it small. Prints and keeps nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, TypeVar

from rankspec.models import Path, Problem

T = TypeVar("T")

MAX_PROBLEMS = 3
MAX_SHRINKS = 400
"""How many cases are tried to make a failing one smaller. Not a time, so that a seed has one result everywhere."""
_BACKEND = "rankspec"
_OWN: dict[str, Any] = {
    "_get_local_constants": lambda providers: providers.Constants,
    "CONSTANTS_CACHE": lambda providers: type(providers.CONSTANTS_CACHE)(1024),
}
_LOCK = threading.Lock()


Simplify = Callable[[T, Callable[[T], bool]], T]
"""Makes a failing case plainer by means that its strategy has not, given the test that it must go on failing."""


def search(
    strategy: Any,
    problems_of: Callable[[T], Iterable[Problem]],
    simplify: Simplify[T],
    *,
    cases: int,
    seed: int,
) -> tuple[list[Problem], int]:
    """The problems that cases of a strategy have, each shown with the smallest case found, and how many were tried.

    Args:
        strategy: a Hypothesis strategy of cases, which are hashable.
        problems_of: what is wrong with a case.
        cases: how many to try.
        seed: the same one gives the same result.
    """
    known: dict[tuple[str, Path], Problem] = {}
    tried = 0
    with _LOCK, _own_backend():
        while len(known) < MAX_PROBLEMS:
            hunt = _Hunt(problems_of, frozenset(known))
            case = hunt.run(strategy, cases, seed)
            tried = max(tried, hunt.tried)
            if case is None:
                break
            problem = hunt.problem(simplify(case, hunt.has_same))
            known[problem.code, problem.path] = problem
    return list(known.values()), tried


class _Hunt:
    """One search, for a problem that is not known; when one is found, for the smallest case that has the same one."""

    def __init__(self, problems_of: Callable[[Any], Iterable[Problem]], known: frozenset[tuple[str, Path]]) -> None:
        self._problems_of = problems_of
        self._known = known
        self._found: tuple[str, Path] | None = None
        self._failing: set[Any] = set()
        self._shrinks = 0
        self.tried = 0

    def run(self, strategy: Any, cases: int, seed: int) -> Any:
        from hypothesis import Phase, Verbosity, find, settings
        from hypothesis.errors import NoSuchExample

        # Everything is said here, for profiles and the environment may change every default.
        rules = settings(
            max_examples=cases,
            database=None,
            deadline=None,
            derandomize=False,
            phases=(Phase.generate, Phase.shrink),
            verbosity=Verbosity.quiet,
            print_blob=False,
            backend=_BACKEND,
        )
        try:
            return find(strategy, self._has_failed, settings=rules, random=Random(seed))
        except NoSuchExample:
            return None

    def problem(self, case: Any) -> Problem:
        """The problem that was found, as a case has it."""
        return next(problem for problem in self._problems_of(case) if (problem.code, problem.path) == self._found)

    def has_same(self, case: Any) -> bool:
        """Whether a case has the problem that was found."""
        return any((problem.code, problem.path) == self._found for problem in self._problems_of(case))

    def _has_failed(self, case: Any) -> bool:
        if case in self._failing:
            return True
        if self._found is None:
            self.tried += 1
        else:
            self._shrinks += 1
            if self._shrinks > MAX_SHRINKS:
                return False
        for problem in self._problems_of(case):
            key = problem.code, problem.path
            if key == self._found or (self._found is None and key not in self._known):
                self._found = key
                self._failing.add(case)
                return True
        return False


@contextmanager
def _own_backend() -> Iterator[None]:
    """Hypothesis without its reading of all local modules, whose constants it would try, and keep in a folder here.

    Under a name of its own a backend is also asked for every case afresh; Hypothesis's own way of avoiding cases
    that it had takes longer than trying them.
    """
    from hypothesis.internal.conjecture import providers

    providers.AVAILABLE_PROVIDERS[_BACKEND] = "hypothesis.internal.conjecture.providers.HypothesisProvider"
    # No part of its interface: where it is not there, at worst the folder is.
    own = {name: make for name, make in _OWN.items() if hasattr(providers, name)}
    theirs = {name: getattr(providers, name) for name in own}
    for name, make in own.items():
        setattr(providers, name, make(providers))
    try:
        yield
    finally:
        for name, value in theirs.items():
            setattr(providers, name, value)
