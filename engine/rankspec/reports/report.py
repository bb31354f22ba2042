"""What the writers write: the checked files with their findings, and what is known of each finding's code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rankspec.models import Finding, Severity


class CheckedFile(Protocol):
    """One file and what a check of it came to."""

    @property
    def file(self) -> str:
        """The file's name, as findings have it."""

    @property
    def text(self) -> str:
        """The file's content with secrets covered; empty if it cannot be read."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, by line and column; also with a parent that it extends."""

    @property
    def examples(self) -> int:
        """How many examples were replayed."""

    @property
    def cases(self) -> int:
        """How many requests were generated."""

    @property
    def seed(self) -> int:
        """The seed of the generated requests."""


class Rule(Protocol):
    """What the page of a code says."""

    @property
    def severity(self) -> Severity:
        """The severity that findings of this code usually have."""

    @property
    def title(self) -> str:
        """What is wrong, in one line."""

    @property
    def what(self) -> str:
        """What is wrong, in a few sentences."""

    @property
    def why(self) -> str:
        """What comes of it."""


@dataclass(frozen=True)
class Report:
    """The outcome of one run.

    Attributes:
        files: in the order in which they were checked.
        rules: the pages, by code.
        texts: the content of other files that findings are about, by name: parents that were not checked themselves.
        strict: whether warnings count as failures.
    """

    files: Sequence[CheckedFile]
    rules: Mapping[str, Rule] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False

    @property
    def findings(self) -> list[Finding]:
        """Every finding once: a fault of a parent is a finding of all that extend it."""
        return list(dict.fromkeys(finding for one in self.files for finding in one.findings))

    def count(self, severity: Severity) -> int:
        """How many different findings of this severity there are."""
        return sum(finding.severity == severity for finding in self.findings)

    def fails(self, finding: Finding) -> bool:
        """Whether this finding makes the run a failure."""
        return self.strict or finding.severity == "error"

    @property
    def has_failed(self) -> bool:
        """Whether there is an error, or with `strict` anything at all."""
        return any(map(self.fails, self.findings))

    @property
    def examples(self) -> int:
        """How many examples were replayed in all files."""
        return sum(one.examples for one in self.files)

    @property
    def cases(self) -> int:
        """How many requests were generated for all files."""
        return sum(one.cases for one in self.files)

    @property
    def seed(self) -> int | None:
        """The seed of the generated requests; None if nothing was checked."""
        return self.files[0].seed if self.files else None

    def text_of(self, file: str) -> str | None:
        """The content of a file that a finding is about, if it is known."""
        return next((one.text for one in self.files if one.file == file), self.texts.get(file))
