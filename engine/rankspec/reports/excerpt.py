"""One line of a file with marks under a part of it, as wide as a terminal, and safe to print in one.

Control and format characters are shown as escapes: a file must not be able to colour, move or reverse what is shown.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

TAB = "    "
ELLIPSIS = "..."

# The line breaks of YAML 1.1: positions in findings count these.
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_NO_WIDTH_CATEGORIES = ("Mn", "Me")


def lines_of(text: str) -> list[str]:
    """The lines of a YAML file, without their ends."""
    return _LINE_BREAK.split(text)


def visible(text: str) -> str:
    """`text` in one line, with escapes for whatever is no sign on its own."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def width_of(text: str) -> int:
    """How many cells of a terminal a visible text takes."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(character: str) -> int:
    if unicodedata.category(character) in _NO_WIDTH_CATEGORIES:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def marked(line: str, column: int, end_column: int, width: int) -> tuple[str, str]:
    """The visible line, cut to `width` cells around the marks, and the line of marks to put under it.

    Args:
        column: the first character meant, from 1; it may be the one behind the line's last.
        end_column: behind the last character meant; 0 or less than `column` if only the start is known.
        width: in cells of a terminal.
    """
    pieces = [TAB if character == "\t" else visible(character) for character in line]
    start = min(max(column - 1, 0), len(pieces))
    end = min(max(end_column - 1, start + 1), len(pieces))
    first, last = _window([width_of(piece) for piece in pieces], start, width)
    before, behind = ELLIPSIS if first else "", ELLIPSIS if last < len(pieces) else ""
    indent = width_of(before) + width_of("".join(pieces[first:start]))
    length = max(1, width_of("".join(pieces[start : min(end, last)])))
    return before + "".join(pieces[first:last]).rstrip() + behind, " " * indent + "^" * length


def _window(widths: Sequence[int], start: int, width: int) -> tuple[int, int]:
    """Which pieces to show, as a slice: all of them, or a third before the start and the rest behind it."""
    if sum(widths) + (start == len(widths)) <= width:
        return 0, len(widths)
    room = max(width - 2 * len(ELLIPSIS), 1)
    first, used = start, 0
    while first and used + widths[first - 1] <= room // 3:
        first -= 1
        used += widths[first]
    last = start
    while last < len(widths) and used + widths[last] <= room:
        used += widths[last]
        last += 1
    while first and used + widths[first - 1] < room:
        first -= 1
        used += widths[first]
    return first, last
