"""Anchors, aliases and merge keys of YAML, for files that may have them, such as a gateway's
config. Provider specs may not: what a line of a spec says is to be read in that line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from rankspec.models import Json

MERGE_KEY = "<<"

_MAX_REPEATED = 100_000
"""Events that aliases may repeat in one file: each of a few aliases can stand for all before it."""


class AliasFault(Exception):
    """An alias stands for nothing, or for too much. Line and column count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


def expanded(events: Iterable[Any]) -> Iterator[Any]:
    """The parser's events with those of the anchored node in place of each alias. They keep their own places.

    Raises:
        AliasFault: an alias has no anchor before it, or all of them together repeat too much.
    """
    known: dict[str, list[Any]] = {}
    # Of the anchored nodes that have not ended: the anchor, the events so far, and how deep the node stands.
    open_nodes: list[tuple[str, list[Any], int]] = []
    depth = repeated = 0
    for event in events:
        again, anchor = [event], None
        if isinstance(event, yaml.AliasEvent):
            again = known.get(str(event.anchor), [])
            repeated += len(again)
            if not again or repeated > _MAX_REPEATED:
                mark: Any = event.start_mark
                why = "the aliases of this file repeat too much" if again else "there is no such anchor before it"
                raise AliasFault(f"*{event.anchor}: {why}", mark.line + 1, mark.column + 1)
        elif anchor := getattr(event, "anchor", None):
            event.anchor = None
        for _, recorded, _ in open_nodes:
            recorded += again
        if anchor:
            open_nodes.append((anchor, [event], depth))
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        while open_nodes and open_nodes[-1][2] == depth:
            name, recorded, _ = open_nodes.pop()
            known[name] = recorded
        yield from again


def merge_sources(value: Json) -> list[tuple[tuple[int, ...], dict[str, Json]]] | None:
    """The mappings behind a merge key with their places below it, the one that goes first at first; None if it has
    something else."""
    if isinstance(value, dict):
        return [((), value)]
    if isinstance(value, list) and all(isinstance(one, dict) for one in value):
        return [((at,), one) for at, one in enumerate(value)]
    return None
