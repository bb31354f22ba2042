"""How a success reply is read: a spec's expressions, and what all of them find in one reply."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from rankspec.contract import NEEDED, Columns
from rankspec.mapping import Expression, Reader, Rows, rows_of
from rankspec.models import Json, Path


class Readings(NamedTuple):
    """What is found in a success reply.

    Attributes:
        results: what the results expression finds; or, where `columns` reads it, the list that it makes them of.
        units: in the order of the mapping's.
    """

    results: Json
    next_token: Json
    id: Json
    api_version: Json
    warnings: Json
    units: Sequence[Json]
    columns: Columns | None


@dataclass(frozen=True)
class ResponseMapping:
    """How a success reply is read."""

    results: Expression
    id: Expression | None
    api_version: Expression | None
    warnings: Expression | None
    units: Mapping[str, Expression | Mapping[str, Expression]]
    next_token: Expression | None

    def search(self, reply: Json, headers: Mapping[str, str], *, by_columns: bool = True) -> Readings:
        """What all of them find in a reply.

        Args:
            by_columns: whether results that only need other names may come as they are, to be read by columns.

        Raises:
            MappingFailed: one of them does not fit it; of several the results.
        """
        values = self._reader.read(reply, headers) if by_columns else None
        columns = self._columns
        if values is None:
            values, columns = [_found(one, reply, headers) for one in (self.results, *self._others)], None
        results, token, found_id, version, warnings, *units = values
        return Readings(results, token, found_id, version, warnings, units, columns)

    @property
    def _others(self) -> tuple[Expression | Mapping[str, Expression] | None, ...]:
        return self.next_token, self.id, self.api_version, self.warnings, *self.units.values()

    @cached_property
    def _rows(self) -> Rows | None:
        """What the results expression gives other names, if that is all it does.

        None where there may be pages: their results are checked together, each as the expression makes it.
        """
        rows = rows_of(self.results) if self.next_token is None else None
        return rows if rows is not None and rows.names.keys() >= NEEDED else None

    @cached_property
    def _columns(self) -> Columns | None:
        return None if self._rows is None else Columns(self._rows.names)

    @cached_property
    def _reader(self) -> Reader:
        return Reader([self.results if self._rows is None else self._rows, *self._others])

    def expressions(self) -> Iterator[tuple[Path, Expression]]:
        """Every expression with its path in the spec."""
        named = {("results",): self.results, ("id",): self.id, ("meta", "api_version"): self.api_version}
        for part, one in self.units.items():
            units = {(): one} if isinstance(one, Expression) else {(name,): unit for name, unit in one.items()}
            named.update({("meta", part, *below): unit for below, unit in units.items()})
        named.update({("meta", "warnings"): self.warnings, ("next_token",): self.next_token})
        yield from ((("response", *path), one) for path, one in named.items() if one is not None)


def _found(one: Expression | Mapping[str, Expression] | None, reply: Json, headers: Mapping[str, str]) -> Json:
    if one is None:
        return None
    if isinstance(one, Expression):
        return one.search(reply, headers)
    return {name: expression.search(reply, headers) for name, expression in one.items()}
