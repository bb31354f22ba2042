"""A reply's headers, read when somebody asks: of most replies nobody does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property


class ReplyHeaders(Mapping[str, str]):
    """Values by name in lower case; those that come several times joined as HTTP joins them.

    Args:
        read: gives every name and value, in any case and order of coming.
    """

    def __init__(self, read: Callable[[], Iterable[tuple[str, str]]]) -> None:
        self._read = read

    @cached_property
    def _texts(self) -> dict[str, str]:
        texts: dict[str, str] = {}
        for name, text in self._read():
            known = name.lower()
            texts[known] = f"{texts[known]}, {text}" if known in texts else text
        return texts

    def __getitem__(self, name: str) -> str:
        return self._texts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)
