"""Texts that stay the JSON that they came in, so that those which only pass through are neither decoded nor encoded.

A body of a thousand documents of 1 kB that is not ASCII costs 2 ms to decode and encode again, and half of that to
find out where its texts begin and end and that they are UTF-8.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

import orjson


class RawTexts(Sequence[str]):
    """JSON strings as a sequence of the texts that they are. Whoever looks at a text has it decoded; nothing is kept.

    Args:
        slices: the bytes of one JSON string each, with its quotes, valid and in UTF-8; bytes, or what has bytes.
    """

    __slots__ = ("_slices",)

    def __init__(self, slices: Sequence[Any]) -> None:
        self._slices = slices

    def __len__(self) -> int:
        return len(self._slices)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> RawTexts: ...
    def __getitem__(self, index: int | slice) -> str | RawTexts:
        if isinstance(index, slice):
            return RawTexts(self._slices[index])
        return orjson.loads(memoryview(self._slices[index]))  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[str]:
        return iter(self.decoded())

    def __repr__(self) -> str:
        return f"RawTexts({len(self)} texts)"

    def decoded(self) -> list[str]:
        """The texts."""
        return orjson.loads(b"[%b]" % b",".join(self._slices))  # type: ignore[no-any-return]

    @property
    def fragment(self) -> orjson.Fragment:
        """The list of the texts, for the encoder."""
        return orjson.Fragment(b"[%b]" % b",".join(self._slices))

    @property
    def objects_fragment(self) -> orjson.Fragment:
        """The list of objects {"text": ...} of the texts, for the encoder."""
        if not self._slices:
            return orjson.Fragment(b"[]")
        return orjson.Fragment(b'[{"text":%b}]' % b'},{"text":'.join(self._slices))

    def fragments(self) -> Iterator[orjson.Fragment]:
        """Every text, for the encoder."""
        return map(orjson.Fragment, map(bytes, self._slices))

    def fragment_at(self, index: int) -> orjson.Fragment:
        """One text, for the encoder."""
        return orjson.Fragment(bytes(self._slices[index]))

    def longer_than(self, characters: int) -> list[tuple[int, int]]:
        """The position and the number of characters of each text that has more than so many."""
        # A text has at most as many characters as bytes between its quotes: only longer ones are decoded.
        likely = [position for position, one in enumerate(map(len, self._slices)) if one - 2 > characters]
        counted = ((position, len(self[position])) for position in likely)
        return [(position, length) for position, length in counted if length > characters]
