"""Marks in the place of a request's texts: where they land in what is rendered, and what must stand there instead."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from rankspec.checks.generated.cases import Slot
from rankspec.models import Json, Path

_SIGN = "Text"
_MARK = re.compile("(Text[0-9]{3}X)")
MISSING: Json = object()
"""Stands for a member that is not there."""


def mark(number: int) -> str:
    """A text that no template makes and none holds twice, in both cases of letters."""
    return f"{_SIGN}{number:03}X"


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a body does not hold the caller's texts as it should, and how; `due` is MISSING if that cannot be said."""

    path: Path
    how: str
    got: Json
    due: Json = MISSING


@dataclass
class Marked:
    """A request with marks and what it is rendered to.

    Attributes:
        landed: which slots stand in the bodies, in the order in which they stand there.
        joined: two documents that stand in one text.
    """

    request: Mapping[str, Any]
    bodies: list[Json]
    slots: Sequence[Slot]
    landed: list[int] = field(init=False)
    joined: tuple[int, int] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._of_mark: dict[str, int] = {}
        for at, slot in enumerate(self.slots):
            self._of_mark.setdefault(slot.text, at)
        # What stands for an object may be more than its text's mark, and is then to be found as a whole.
        longer = [re.escape(text) for text in self._of_mark if not _MARK.fullmatch(text)]
        self._pattern = re.compile(f"({'|'.join(longer)}|{_MARK.pattern[1:]}") if longer else _MARK
        self.landed = []
        for text in texts_of(self.bodies):
            here = self._split(text)[1]
            self.landed += here
            documents = sorted({document for at in here if (document := self.slots[at].document) is not None})
            if len(documents) > 1 and self.joined is None:
                self.joined = documents[0], documents[1]

    def differences(self, bodies: list[Json], slots: Sequence[Slot]) -> Iterator[Difference]:
        """Where other bodies are not these with the texts of other slots. What holds no mark may depend on them."""
        return self._compare(self.bodies, bodies, (), slots)

    def _split(self, text: str) -> tuple[list[str], list[int]]:
        """What is constant in a text, and the slots between."""
        if text in self._of_mark:
            return ["", ""], [self._of_mark[text]]
        if _SIGN not in text:
            return [text], []
        split = self._pattern.split(text)
        return split[::2], [self._of_mark[one] for one in split[1::2]]

    def _compare(self, marked: Json, got: Json, path: Path, slots: Sequence[Slot]) -> Iterator[Difference]:
        if isinstance(marked, dict) and isinstance(got, dict):
            for key in {**marked, **got}:
                here = (*path, key)
                if key not in got:
                    yield Difference(here, "is not sent with every text", MISSING)
                elif key not in marked:
                    yield Difference(here, "is sent with some texts only", got[key])
                else:
                    yield from self._compare(marked[key], got[key], here, slots)
        elif isinstance(marked, list) and isinstance(got, list) and len(marked) == len(got):
            for position, (one, other) in enumerate(zip(marked, got, strict=True)):
                yield from self._compare(one, other, (*path, position), slots)
        elif isinstance(marked, str) and isinstance(got, str):
            yield from self._compare_texts(marked, got, path, slots)
        elif any(isinstance(one, dict | list | str) for one in (marked, got)):
            yield Difference(path, "is another kind of value with some texts", got)

    def _compare_texts(self, marked: str, got: str, path: Path, slots: Sequence[Slot]) -> Iterator[Difference]:
        inner = _inner(marked)
        if inner is not None:
            inside = _inner(got)
            if inside is None or any(True for _ in self._compare(inner, inside, (), slots)):
                yield Difference(path, "is broken or other JSON with some texts", got)
            return
        constant, between = self._split(marked)
        texts = [slots[at].text for at in between]
        due = "".join(part for pair in zip(constant, [*texts, ""], strict=True) for part in pair)
        if texts and got != due:
            yield Difference(path, "is not sent as other texts are", got, due)


def texts_of(value: Json, *, outer: bool = False) -> Iterator[str]:
    """Every text of a JSON value; of a text that is itself JSON those inside, and with `outer` that one too."""
    if isinstance(value, str):
        inner = _inner(value)
        if inner is None or outer:
            yield value
        if inner is not None:
            yield from texts_of(inner, outer=outer)
    elif isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from texts_of(member, outer=outer)


def _inner(text: str) -> Json:
    """The object or list that a text is as JSON, or None."""
    if not text.startswith(("{", "[")):
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
