"""What a mutant is, what is prose, and how a word is misspelt. The operators are in `file_mutants`, `code_mutants`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from rankspec.models import Path, format_path

PROSE = {
    "title": "the name as people write it, shown only",
    "documentation": "where the facts were read, and when; no call depends on it",
    "confidence": "what the authors think of their sources",
    "settings.*.description": "a sentence for people, quoted in messages",
    "models.*.price.read": "the day the price was read",
    "examples[[]*[]].title": "what an example is called",
    "examples[[]*[]].source": "where its reply was published",
}
"""What is prose and no behaviour, by path, with the reason. Comments are prose too, and are not mutated."""


@dataclass(frozen=True)
class Mutant:
    """One mistake: the characters from `start` to `end` of the file become `new`.

    `also` are lines at which it may be told too, such as that of the object that now lacks a key.
    """

    operator: str
    path: Path
    start: int
    end: int
    new: str
    also: tuple[int, ...] = ()

    def applied(self, text: str) -> str:
        """The whole file with the mistake in it."""
        return text[: self.start] + self.new + text[self.end :]

    def old(self, text: str) -> str:
        """What stands there without the mistake."""
        return text[self.start : self.end]

    def lines(self, text: str) -> set[int]:
        """The lines of the mutated file that the mistake is in, from 1; of what is gone, those on both sides of it."""
        first = text.count("\n", 0, self.start) + 1
        lines = set(range(first, first + self.new.removesuffix("\n").count("\n") + 1))
        if not self.new.strip():
            said = [number for number, line in enumerate(text.splitlines(), 1) if not _is_silent(line)]
            lines |= {max((one for one in said if one < first), default=1)}
            lines |= {min((one for one in said if one >= first), default=first)}
        return lines

    def __str__(self) -> str:
        return f"{self.operator} {format_path(self.path)}"


def _is_silent(line: str) -> bool:
    return not line.strip() or line.strip().startswith("#")


def is_prose(path: Path) -> bool:
    """Whether a value is prose, by the table above."""
    parts = [format_path(path[:length]) for length in range(1, len(path) + 1)]
    return any(
        fnmatchcase(part, pattern) and part.count(".") == pattern.count(".") for part in parts for pattern in PROSE
    )


def misspelt(word: str) -> Iterator[str]:
    """The word with a letter dropped, one doubled, and two exchanged: each once, near its middle."""
    letters = [at for at, letter in enumerate(word) if letter.isalnum()]
    if not letters:
        return
    middle = letters[len(letters) // 2]
    if len(word) > 1:
        yield word[:middle] + word[middle + 1 :]
    yield word[: middle + 1] + word[middle:]
    for at in sorted(letters, key=lambda at: abs(at - middle)):
        if at + 1 in letters and word[at] != word[at + 1]:
            yield word[:at] + word[at + 1] + word[at] + word[at + 2 :]
            return


def altered(text: str) -> Iterator[str]:
    """The text with one letter changed, and with one dropped; one without letters gets or loses a character."""
    letters = [at for at, letter in enumerate(text) if letter.isalnum()]
    if not letters:
        yield text + "x"
        if len(text) > 1:
            yield text[1:]
        return
    middle = letters[len(letters) // 2]
    yield text[:middle] + _other(text[middle]) + text[middle + 1 :]
    if len(text) > 1:
        yield text[:middle] + text[middle + 1 :]


def _other(letter: str) -> str:
    if letter.isdigit():
        return str((int(letter) + 1) % 10)
    return {"z": "a", "Z": "A"}.get(letter, chr(ord(letter) + 1) if letter.isascii() else "x")
