"""How documents are spread over several requests. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Budget(NamedTuple):
    """What the query and the documents of one request may take together, in characters or in tokens.

    Attributes:
        limit: that much.
        query: what the query takes in each request.
        documents: what each document takes, the query with it where that is read anew for each.
    """

    limit: int
    query: int
    documents: Sequence[int]


def ranges(count: int, most: int, budgets: Sequence[Budget]) -> list[tuple[int, int]]:
    """Where each request's documents begin and end: as many as fit, in order, one at least.

    Args:
        count: how many documents there are.
        most: how many of them one request takes.
    """
    if not budgets:
        if count <= most:
            return [(0, count)]
        return [(start, min(start + most, count)) for start in range(0, count, most)]
    found: list[tuple[int, int]] = []
    start = 0
    spent = [budget.query for budget in budgets]
    for position in range(count):
        spent = [so_far + budget.documents[position] for so_far, budget in zip(spent, budgets, strict=True)]
        is_over = any(total > budget.limit for total, budget in zip(spent, budgets, strict=True))
        if position > start and (is_over or position - start >= most):
            found.append((start, position))
            start = position
            spent = [budget.query + budget.documents[position] for budget in budgets]
    return [*found, (start, count)]
