"""Variables and stand-ins in pasted text ($KEY, <token>, YOUR_PROJECT), and text as templates write it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from rankspec.models import Path

_VARIABLE = r"\$\{(?P<braced>[A-Za-z_]\w*)(?::?[-=?+](?P<default>[^}]*))?\}|\$(?P<bare>[A-Za-z_]\w*)"
_COMMAND = r"\$\([^)]*\)|`[^`]*`"
_MARKED = r"<(?P<angle>[A-Za-z][^<>]*)>|\{\{\s*(?P<double>[\w.-]+)\s*\}\}|\{(?P<single>[A-Za-z][\w.-]*)\}"
_SHOUTED = r"\b(?P<shouted>(?:YOUR|MY)[_-][A-Z0-9_-]*[A-Z0-9]|[A-Z][A-Z0-9]*_[A-Z0-9_]*[A-Z0-9])\b"
_MARKS = re.compile(f"{_VARIABLE}|{_COMMAND}|{_MARKED}|{_SHOUTED}")
_EXPANSION = re.compile(f"{_VARIABLE}|{_COMMAND}")
_STAND_IN = re.compile(
    r"<.*>|\{.*\}|\[.*\]|%\w+%|(?i:your|my|insert|replace|enter)\b.*|(?i:your|my|insert|replace|enter)[-_ ].*"
    r"|[xX*.\u2022\u2026-]{2,}|(?i:(?:\w+[-_ ])?(?:api|access|secret|auth|bearer)?[-_ ]?(?:key|token)(?:[-_ ]here)?)"
    r"|(?:[A-Z][A-Z0-9]*_)+[A-Z0-9]+",
    re.DOTALL,
)
_OPENINGS = ("{{", "{%", "{#")
_BETWEEN_BRACES = re.compile(r"(?<=\{)(?=\{)")
_SENTINELS = 0xE000
_RESERVED = (
    "model query documents top_n api_base api_key headers max_tokens_per_doc priority max_chunks_per_doc instruction "
    "unsupported timeout max_retries rank_fields extra specs provider return_documents relevant_spans settings "
    "base_url key"
)
"""Names that no setting takes: a call has arguments of these names already."""


def literal(text: str) -> str:
    """Constant text as a template writes it, so that it renders to itself.

    Two braces are written apart, so that nobody takes them for an expression: {{ '{' ~ '{ x }}' }}.
    """
    if not any(opening in text for opening in _OPENINGS):
        return text
    return "{{ " + " ~ ".join(map(quoted, _BETWEEN_BRACES.split(text))) + " }}"


def quoted(text: str) -> str:
    """The text as a string of Jinja's."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{escaped}'"


def variable_name(text: str) -> str | None:
    """The environment variable that stands in the text, in the spelling that specs take; None if there is none."""
    match = re.search(_VARIABLE, text)
    if match is None:
        return None
    name = re.sub(r"[^A-Z0-9_]", "", (match["braced"] or match["bare"]).upper()).lstrip("_0123456789")
    return name or None


def secret_literals(text: str) -> list[str]:
    """The parts of a secret's text that are no variable and no stand-in: what must be shown nowhere."""
    defaults = [match["default"] for match in re.finditer(_VARIABLE, text) if match["default"]]
    parts = [] if _STAND_IN.fullmatch(text.strip()) else _EXPANSION.sub("\n", text).split("\n")
    return [part for part in (*defaults, *parts) if part.strip() and not _STAND_IN.fullmatch(part.strip())]


def setting_name(text: str, provider: str) -> str:
    """A setting's name from that of a variable or stand-in: <Project ID> is project_id."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    name = re.sub(r"^(?:your|my)_(?=.)", "", name)
    name = name.removeprefix(f"{provider}_") or name
    name = re.sub(r"^[^a-z]+", "", name) or "value"
    return f"{name}_setting" if name in _RESERVED.split() else name


class Settings:
    """The settings that a spec needs for the variables and stand-ins of a curl line."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self.declared: dict[str, dict[str, Any]] = {}
        self._marks: dict[str, str] = {}

    def declare(self, name: str, description: str, env: list[str], default: str | None = None) -> str:
        """The name in templates of a setting; one that is declared already keeps what it has."""
        setting: dict[str, Any] = {"description": description}
        if env:
            setting["env"] = env
        if default:
            setting["default"] = default
        self.declared.setdefault(name, setting)
        return f"settings.{name}"

    @property
    def made_up(self) -> dict[str, str]:
        """Values to show a call with, for the settings that have no default."""
        return {name: f"my-{name.replace('_', '-')}" for name, one in self.declared.items() if "default" not in one}

    def forget_defaults(self, secrets: list[str]) -> None:
        """Leave out the defaults in which one of these stands."""
        for setting in self.declared.values():
            if any(secret in setting.get("default", "") for secret in secrets):
                del setting["default"]

    def marked(self, text: str, *, in_address: bool) -> str:
        """The text with one private character for each variable and stand-in, so that it can be taken apart."""

        def mark(match: re.Match[str]) -> str:
            groups = match.groupdict()
            shouted = groups["shouted"]
            if shouted and not in_address and setting_name(shouted, self._provider) not in self.declared:
                return match.group()  # A header's constant, as far as one can see.
            told = next((value for key, value in groups.items() if value and key != "default"), None) or "value"
            character = chr(_SENTINELS + len(self._marks))
            self._marks[character] = self._expression(told, match)
            return character

        return _MARKS.sub(mark, text)

    def _expression(self, told: str, match: re.Match[str]) -> str:
        name = setting_name(told, self._provider)
        if name in ("model_setting", "model_id", "model_name", "modelid"):
            return "model"
        is_variable = bool(match["braced"] or match["bare"])
        env = [variable_name(match.group())] if is_variable else [f"{self._provider}_{name}".upper()]
        return self.declare(name, f"{name.replace('_', ' ')}", [one for one in env if one], match["default"])

    def holds_mark(self, text: str) -> bool:
        """Whether a marked text has a variable or stand-in."""
        return any(character in self._marks for character in text)

    def template(self, marked: str, constant: Callable[[str], str] = literal) -> str:
        """The template of a marked text."""
        return "".join(
            "{{ " + self._marks[part] + " }}" if part in self._marks else constant(part) for part in self._parts(marked)
        )

    def _parts(self, marked: str) -> Iterator[str]:
        pattern = "([" + "".join(self._marks) + "])" if self._marks else "(?!)"
        return (part for part in re.split(pattern, marked) if part)


def format_where(path: Path) -> str:
    """A body's path as people write it."""
    return ".".join(str(part) for part in path) or "the whole body"
