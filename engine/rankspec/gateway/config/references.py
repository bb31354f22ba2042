"""Texts of a config that stand elsewhere: in the environment, or in a file that is read as asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import isfinite
from pathlib import Path as FilePath
from typing import Any

from rankspec.gateway.config.notes import REFERENCE, Notes
from rankspec.models import Json, Path, Severity

ReadFile = Callable[[str], str]
"""Gives the text of a file; raises OSError or UnicodeDecodeError."""

_SHELL = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)[^}]*\}|^\$([A-Z_][A-Z0-9_]*)$")


class References:
    """Finds what a config refers to.

    Args:
        notes: takes what is wrong.
        environ: environment variables by name; None: nothing is looked for.
        folder: where relative paths start.
        read_file: reads the files that are named.
        placeholders: give `<NAME>` in place of what is found, and only warn of what is not.
    """

    def __init__(
        self,
        notes: Notes,
        environ: Mapping[str, str] | None,
        folder: FilePath,
        read_file: ReadFile,
        *,
        placeholders: bool,
    ) -> None:
        self._notes = notes
        self._environ = environ
        self._variables: Mapping[str, str] = {}
        self._folder = folder
        self._read_file = read_file
        self._placeholders = placeholders
        self.files: list[str] = []

    def lay_over(self, variables: Mapping[str, str]) -> None:
        """Let the file's own variables go before the environment's."""
        self._variables = variables

    @property
    def environ(self) -> Mapping[str, str] | None:
        """Environment variables by name, the file's own above them; None if the environment is not known."""
        return None if self._environ is None else {**self._environ, **self._variables}

    def text(self, value: Json, path: Path, *, severity: Severity = "error") -> str | None:
        """The text that a value is or refers to; None if that is missing, which is then said.

        Args:
            severity: of what is missing. What is written wrongly is an error.
        """
        if not is_referable(value):
            self._notes.report("wrong-type", path, "must be text, os.environ/NAME, {env: NAME} or {file: PATH}")
            return None
        if isinstance(value, dict):
            if "env" in value:
                return self._variable(value["env"], (*path, "env"), severity)
            return self._file(value["file"], (*path, "file"), severity)
        text = value if isinstance(value, str) else _written(value)
        if text.startswith(REFERENCE):
            return self._variable(text.removeprefix(REFERENCE), path, severity)
        return text if self._is_plain(text, path) else None

    def number(self, reference: str, path: Path, *, severity: Severity = "error") -> float | None:
        """The number that a text refers to; None if that is missing or none, which is then said."""
        found = self.text(reference, path, severity=severity)
        if found is None or self._placeholders:
            return None
        number = number_of(found)
        if number is None or number < 0:
            self._notes.report("invalid-value", path, "what it refers to is no number, or less than 0")
            return None
        return number

    def _is_plain(self, text: str, path: Path) -> bool:
        """Whether a text refers to nothing. Other programs' ways to refer would be sent as they stand."""
        if found := _SHELL.search(text):
            name = found[1] or found[2]
            self._refuse(path, f"variables are not put into texts: write {REFERENCE}{name} for the whole value")
        elif REFERENCE in text:
            self._refuse(path, f"{REFERENCE}NAME stands for the whole value, and cannot be a part of it")
        return not found and REFERENCE not in text

    def _refuse(self, path: Path, message: str) -> None:
        self._notes.report("secret-form", path, message)

    def _variable(self, name: str, path: Path, severity: Severity) -> str | None:
        if not name.strip():
            self._refuse(path, f"the variable's name is missing: write {REFERENCE}NAME")
            return None
        value = (self._variables.get(name) or (self._environ or {}).get(name, "")).strip()
        if self._environ is not None and not value:
            message = f"the environment variable {name} is not set"
            self._notes.report("secret-missing", path, message, severity="warning" if self._placeholders else severity)
        elif value and not self._placeholders:
            self._notes.hide(value)
        return f"<{name}>" if self._placeholders else value or None

    def _file(self, name: str, path: Path, severity: Severity) -> str | None:
        file = str(self._folder / name)
        if self._placeholders and self._environ is None:
            return f"<{name}>"
        try:
            text = _without_line_break(self._read_file(file))
            why = None if text.strip() else "is empty"
        except OSError as error:
            text, why = "", f"cannot be read: {error.strerror}"
        except (UnicodeDecodeError, ValueError):
            text, why = "", "cannot be read: it is not UTF-8 text"
        self.files.append(file)
        if why is not None:
            message = f"the file {name} {why}"
            self._notes.report("secret-missing", path, message, severity="warning" if self._placeholders else severity)
        elif not self._placeholders:
            self._notes.hide(text)
        return f"<{name}>" if self._placeholders else text if why is None else None


def number_of(text: str) -> float | None:
    """The number that a text is, or None."""
    try:
        number = float(text) if "." in text else int(text)
    except ValueError:
        return None
    return number if isfinite(number) else None


def _without_line_break(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


def _written(value: Any) -> str:
    """A number or boolean as YAML writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def is_reference(value: Json) -> bool:
    """Whether a text stands elsewhere."""
    return isinstance(value, dict) or (isinstance(value, str) and value.startswith(REFERENCE))


def is_referable(value: Json) -> bool:
    """Whether a value is of a form that `References.text` takes."""
    if isinstance(value, dict):
        return len(value) == 1 and all(key in ("env", "file") and isinstance(one, str) for key, one in value.items())
    return isinstance(value, str | int | float)


def read_text_file(file: str) -> str:
    """The text of a file."""
    return FilePath(file).read_text("utf-8")
