"""What a draft comes to, and what is learnt on the way to it."""

from __future__ import annotations

from dataclasses import dataclass, field

from rankspec.models import Path, format_path


class DraftFailed(Exception):
    """No spec can be drafted from what was given. The text is one sentence, without any value of the request."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A drafted spec.

    Attributes:
        text: the file.
        guesses: what was not certain, as `path: why`; the file has a comment at each.
        remaining: what is left to do by hand, as sentences.
        notes: what else was noticed, such as options of curl that were left out.
    """

    text: str
    guesses: tuple[str, ...] = ()
    remaining: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Notebook:
    """Collects what is to be told of a draft; `guesses` by path in the spec."""

    guesses: dict[Path, str] = field(default_factory=dict)
    todos: dict[Path, str] = field(default_factory=dict)
    remaining: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def draft(self, text: str) -> Draft:
        """The draft of this text, with everything that was collected."""
        guesses = (f"{format_path(path)}: {why}" for path, why in self.guesses.items())
        told = (guesses, self.remaining, self.notes)
        return Draft(text, *(tuple(map(_on_one_line, lines)) for lines in told))

    def guess(self, path: Path, why: str) -> None:
        """Mark the value at `path` as guessed."""
        self.guesses.setdefault(path, why)

    def todo(self, path: Path, what: str) -> None:
        """Mark the value at `path` as one to be filled in by hand."""
        self.todos.setdefault(path, what)

    def leave(self, what: str) -> None:
        """Something that is left to do by hand."""
        if what not in self.remaining:
            self.remaining.append(what)

    def note(self, what: str) -> None:
        """Something worth telling."""
        if what not in self.notes:
            self.notes.append(what)

    @property
    def comments(self) -> dict[Path, str]:
        """The comment at each path."""
        told = {path: f"guessed: {why}" for path, why in self.guesses.items()}
        told |= {path: f"TODO: {what}" for path, what in self.todos.items()}
        return {path: _on_one_line(text) for path, text in told.items()}


def _on_one_line(text: str) -> str:
    # The names of a body's members are the provider's: there may be anything in them.
    return "".join(character if character.isprintable() else " " for character in text)
