"""The names of a template: those that were used, and that of a loop's document."""

from __future__ import annotations

from rankspec.models import Path

OPENINGS = ("{{", "{%", "{#")
"""What Jinja's expressions, statements and comments begin with."""


class Names:
    """What a compiler and its reader both know while they read one template.

    Attributes:
        used: the names that were used.
        loop, loop_path: the name of the loop's document and where it is given; None outside of a loop.
    """

    def __init__(self) -> None:
        self.used: set[str] = set()
        self.loop: str | None = None
        self.loop_path: Path | None = None
