"""What is said of a config while it is read: its findings, and the keys of LiteLLM's that have no effect."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from rankspec.disclosure import means_a_secret, secrets_of, without_secrets
from rankspec.models import Finding, Path, Problem, Severity, format_path, leaves
from rankspec.strict_yaml import YamlFile

REFERENCE = "os.environ/"
"""Begins a text that names an environment variable, as LiteLLM writes it."""

_OF_SECRETS = ("keys", "headers", "extra_headers")
_PLACES = ("env", "file")
_LINE = re.compile(r"^[\s-]*[\"']?([\w-]+)[\"']?\s*:\s+([^\s{\[#][^#\n]*?)\s*(?:#.*)?$", re.MULTILINE)
_USER_INFO = re.compile(r"://([^\s/@:]*:[^\s/@]+)@")
_LEAST_CHARACTERS = 8
_LEAST_MIXED_CHARACTERS = 4


class Notes:
    """Collects what there is to say of one file. No finding that it gives shows a secret."""

    def __init__(self, read: YamlFile) -> None:
        self._read = read
        self._found: list[Finding] = []
        self._unused: list[Path] = []
        self._secrets = secrets_in(read)

    def report(
        self, code: str, path: Path, message: str, *, severity: Severity = "error", of_key: bool = False, **more: Any
    ) -> None:
        """Take in what is wrong at a path; `more` are further attributes of the finding."""
        self._found.append(self._read.finding(code, path, message, of_key=of_key, severity=severity, **more))

    def warn(self, code: str, path: Path, message: str, *, of_key: bool = False) -> None:
        """Take in a warning."""
        self.report(code, path, message, severity="warning", of_key=of_key)

    def problem(self, problem: Problem, *, severity: Severity = "error") -> None:
        """Take in a problem with the file's value."""
        of_key = problem.of_key or problem.code == "unknown-key"
        mark = self._read.mark(problem.path, of_key=of_key)
        if (mark.line, mark.column) in {(one.line, one.column) for one in self._read.findings}:
            return  # A value that YAML misreads is of the wrong type too: the first is what to mend.
        self._found.append(self._read.finding_of(problem, of_key=of_key, severity=severity))

    def hide(self, value: str) -> None:
        """Let no finding show a value. Words that are too short to be told apart stay: messages are made of them."""
        if is_secret(value):
            self._secrets.add(value)

    def take(self, findings: Iterable[Finding]) -> None:
        """Take in findings that were made elsewhere."""
        self._found += findings

    @property
    def errors(self) -> int:
        """How many errors were noted so far."""
        return sum(finding.severity == "error" for finding in self._found)

    def unused(self, path: Path) -> None:
        """Take in a key of LiteLLM's that has no effect."""
        self._unused.append(path)

    @property
    def has_errors(self) -> bool:
        """Whether anything is wrong that keeps the file from being used."""
        return self.errors > 0

    def findings(self) -> list[Finding]:
        """Everything said, by line and column."""
        found = [*self._found, *self._of_unused()]
        covered = dict.fromkeys(without_secrets(finding, self._secrets) for finding in found)
        return sorted(covered, key=lambda one: (one.line, one.column, list(map(str, one.path))))

    def _of_unused(self) -> Iterable[Finding]:
        if self._unused:
            in_order = sorted(set(self._unused), key=lambda path: self._read.mark(path, of_key=True).start)
            names = ", ".join(map(format_path, in_order))
            message = f"LiteLLM's keys that have no effect here: {names}"
            yield self._read.finding("config-not-applied", in_order[0], message, of_key=True, severity="warning")


def is_secret(text: str) -> bool:
    """Whether a text under the name of a secret is one, and no word such as none or dummy."""
    least = _LEAST_CHARACTERS if text.isalpha() else _LEAST_MIXED_CHARACTERS
    return len(text) >= least and not text.startswith(REFERENCE)


def secrets_in(read: YamlFile) -> set[str]:
    """The secrets that stand in a config as they are: by their look, and by the names under which they stand."""
    named = [value for path, value in leaves(read.data) if any(map(_holds_secrets, path)) and path[-1] not in _PLACES]
    # Of a file that is broken there are only its lines.
    named += [value.strip("'\"") for name, value in _LINE.findall(read.text) if _holds_secrets(name)]
    texts = [one for one in named if isinstance(one, str) and not one.startswith(REFERENCE)]
    texts += [part for text in texts for part in text.split()]
    users = [found for found in _USER_INFO.findall(read.text) if found]
    return secrets_of(read.text) | {one for one in texts if is_secret(one)} | set(users)


def _holds_secrets(part: str | int) -> bool:
    return isinstance(part, str) and (part in _OF_SECRETS or means_a_secret(part))
