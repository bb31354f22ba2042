"""Ways to damage a JSON value, each at one place of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rankspec.models import Json, Path, format_path

_MAX_PLACES = 60
_ODD: tuple[Json, ...] = (None, True, "text", "1", "NaN", -1, 0.5, 10**9, 1.7e308, [], {}, [None], [[]], [{}])


@dataclass(frozen=True, slots=True)
class Damage:
    """One change at one place. `only_moves` tells that it takes nothing away and adds nothing."""

    label: str
    path: Path
    change: Callable[[Json], Json]
    only_moves: bool = False

    def apply(self, value: Json) -> Json:
        """A changed copy; the value itself where it has no such place any more."""
        return _changed(value, self.path, self.change)


def damages(value: Json) -> Iterator[Damage]:
    """Every way to damage a value, at a bounded number of places, those that only move items first."""
    places = list(_places(value, ()))[:_MAX_PLACES]
    lists = [path for path, one in places if isinstance(one, list) and one]
    for path in lists:
        yield Damage(f"{_name(path)} reversed", path, lambda items: items[::-1], True)
        yield Damage(f"{_name(path)} rotated", path, lambda items: [*items[1:], *items[:1]], True)
    for path in lists:
        yield Damage(f"{_name(path)} cut short", path, lambda items: items[:-1])
        yield Damage(f"{_name(path)} doubled", path, lambda items: items * 2)
        yield Damage(f"the first of {_name(path)} doubled", path, lambda items: [items[0], *items])
        yield from (Damage(f"{_name(path)} longer", path, _longer(odd)) for odd in _ODD)
    for path, one in places:
        if path:
            yield Damage(f"{_name(path)} removed", path[:-1], _without(path[-1]))
        if isinstance(one, dict):
            yield Damage(f"{_name(path)} with another member", path, lambda members: {**members, "rankspec": [1]})
    for path, _ in places:
        yield from (Damage(f"{_name(path)} replaced", path, _replaced(odd)) for odd in _ODD)


def _name(path: Path) -> str:
    return format_path(path) or "all"


def _longer(odd: Json) -> Callable[[Json], Json]:
    return lambda items: [*items, odd]


def _replaced(odd: Json) -> Callable[[Json], Json]:
    return lambda value: odd


def _without(part: str | int) -> Callable[[Json], Json]:
    def change(value: Json) -> Json:
        if isinstance(value, dict):
            return {key: member for key, member in value.items() if key != part}
        return [member for at, member in enumerate(value) if at != part]

    return change


def _places(value: Json, path: Path) -> Iterator[tuple[Path, Json]]:
    """The value and all its members, the outer ones first."""
    level = [(path, value)]
    while level:
        yield from level
        level = [
            ((*above, key), member)
            for above, one in level
            for key, member in (
                one.items() if isinstance(one, dict) else enumerate(one) if isinstance(one, list) else ()
            )
        ]


def _changed(value: Json, path: Path, change: Callable[[Json], Json]) -> Json:
    if not path:
        try:
            return change(value)
        except (TypeError, IndexError):
            return value  # Another damage left something else here.
    part = path[0]
    if isinstance(value, dict) and part in value:
        return {**value, part: _changed(value[part], path[1:], change)}
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return [_changed(one, path[1:], change) if at == part else one for at, one in enumerate(value)]
    return value
