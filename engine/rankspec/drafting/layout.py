"""Plain values to YAML in the layout of the shipped specs, with comments. Reads back to exactly the same values."""

from __future__ import annotations

import re
from collections.abc import Mapping

import orjson

from rankspec.models import Json, Path

MODELINE = "# yaml-language-server: $schema=provider_spec.schema.json\n"
"""The first line of a drafted file: editors find the schema that `rankspec schema` writes beside it."""

WIDTH = 120

_PLAIN = re.compile(r"\$(?:for|item)|[A-Za-z/](?:[A-Za-z0-9_./@+ ,:;()?!&'=-]*[A-Za-z0-9_./@+()?!-])?")
_NO_PLAIN_FLOW = re.compile(r"[,\[\]{}:?]")
_WORDS = {"yes", "no", "on", "off", "true", "false", "null", "y", "n", "nan", "inf"}
_OWN_PARAGRAPH = {"settings", "endpoint", "auth", "request", "response", "errors", "limits", "scoring", "examples"}
_ALWAYS_BLOCKS = {("request", "body"), ("examples", 0)}
_UNPRINTABLE = re.compile("[^\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", '"': '\\"'}


def layout(spec: Mapping[str, Json], comments: Mapping[Path, str], before: Mapping[str, str]) -> str:
    """The YAML of a spec.

    Args:
        spec: the members, in order. Objects and lists that fit one line stand on one.
        comments: a comment for the value at a path, behind its line or before it.
        before: lines of comment, without the #, before a top-level member; those of "" stand at the end.
    """
    writer = _Writer(comments)
    for name, value in spec.items():
        if text := before.get(name):
            writer.lines += ["", *_commented(text)]
        if writer.lines and (name in _OWN_PARAGRAPH or name in before):
            writer.lines.append("")
        writer.member(name, value, (name,), 0)
    if text := before.get(""):
        writer.lines += ["", *_commented(text)]
    return "\n".join(writer.lines) + "\n"


def _commented(text: str) -> list[str]:
    return [f"# {line}".rstrip() for line in text.split("\n")]


class _Writer:
    def __init__(self, comments: Mapping[Path, str]) -> None:
        self.lines: list[str] = []
        self._comments = comments

    def member(self, key: str, value: Json, path: Path, indent: int) -> None:
        """One member of an object in block layout."""
        self._entry(f"{' ' * indent}{scalar(key, flow=False)}:", value, path, indent + 2)

    def _entry(self, start: str, value: Json, path: Path, indent: int) -> None:
        if not self._is_block(value, path, len(start) + 1):
            self._line(f"{start} {flow(value, is_inside=False)}", path)
        elif isinstance(value, dict):
            self._line(start, path)
            for key, one in value.items():
                self.member(key, one, (*path, key), indent)
        else:
            self._line(start, path)
            for position, one in enumerate(value):
                self._item(one, (*path, position), indent)

    def _item(self, value: Json, path: Path, indent: int) -> None:
        """One item of a list in block layout; an object's first member stands behind the dash."""
        dash = " " * indent + "-"
        if isinstance(value, dict) and self._is_block(value, path, indent + 2):
            first = len(self.lines)
            for key, one in value.items():
                self.member(key, one, (*path, key), indent + 2)
            at = next(at for at in range(first, len(self.lines)) if not self.lines[at].lstrip().startswith("# "))
            self.lines[at] = dash + self.lines[at][indent + 1 :]
        elif isinstance(value, list) and self._is_block(value, path, indent + 2):
            self._line(dash, path)
            for position, one in enumerate(value):
                self._item(one, (*path, position), indent + 2)
        else:
            self._line(f"{dash} {flow(value, is_inside=False)}", path)

    def _is_block(self, value: Json, path: Path, column: int) -> bool:
        if not isinstance(value, dict | list) or not value:
            return False
        # However short they are, as in the shipped specs.
        if path in _ALWAYS_BLOCKS or (len(path) == 1 and path[0] in _OWN_PARAGRAPH):
            return True
        if any(len(other) > len(path) and other[: len(path)] == path for other in self._comments):
            return True
        if isinstance(value, dict) and value.keys() == {"$for", "$item"} and len(flow(value["$item"])) > WIDTH // 3:
            return True
        return column + len(flow(value, is_inside=False)) > WIDTH

    def _line(self, text: str, path: Path) -> None:
        comment = self._comments.get(path)
        if comment is None:
            self.lines.append(text)
        elif len(text) + len(comment) + 3 <= WIDTH:
            self.lines.append(f"{text} # {comment}")
        else:
            indent = len(text) - len(text.lstrip())
            self.lines += [f"{' ' * indent}# {comment}", text]


def flow(value: Json, *, is_inside: bool = True) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key, flow=True)}: {flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(one) for one in value) + "]"
    return scalar(value, flow=is_inside)


def scalar(value: Json, *, flow: bool) -> str:
    """A scalar as strict_yaml reads it back; text in quotes where YAML would make something else of it."""
    if isinstance(value, str):
        return value if _is_plain(value, flow) else _quoted(value)
    # Python's way to write a float has a point or an exponent, and is read back to the same one.
    return repr(value) if isinstance(value, float) else orjson.dumps(value).decode()


def _is_plain(text: str, flow: bool) -> bool:
    if len(text) > 300 or text.lower() in _WORDS or not _PLAIN.fullmatch(text):
        return False
    return ": " not in text and not text.endswith(":") and not (flow and _NO_PLAIN_FLOW.search(text))


def _quoted(text: str) -> str:
    """The text in double quotes, with the characters that cannot stand in a YAML file escaped."""
    for character in ("\\", '"', "\n", "\r", "\t"):
        text = text.replace(character, _SHORT_ESCAPES[character])
    return f'"{_UNPRINTABLE.sub(_escaped, text)}"'


def _escaped(match: re.Match[str]) -> str:
    number = ord(match.group())
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
