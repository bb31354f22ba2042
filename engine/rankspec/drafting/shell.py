"""Splits pasted text into commands and words as a POSIX shell would, without running or expanding anything."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from rankspec.drafting.outcome import DraftFailed

_CONTINUATION = re.compile(r"\\[ \t]*(?:\n|\Z)")
_POWERSHELL = re.compile(r"`[ \t]*(?:\n|\Z)")
_CARET = re.compile(r"\^(?:[ \t]*(?:\n|\Z)|[\"'])")
_PLACEHOLDER = re.compile(r"<[A-Za-z](?:[\w .-]*[\w.-])?>")
_NAME = re.compile(r"\$(?:[A-Za-z_]\w*|\{)")
_HERE = re.compile(r"<<(-?)[ \t]*(['\"]?)([A-Za-z_]\w*)\2")
_REDIRECTION = re.compile(r"[0-9]*(?:>>|>\||>&|<&|>|<)[0-9-]*")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|x([0-9a-fA-F]{1,2})|([0-7]{1,3})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "v": "\v"}
_APOSTROPHE = re.compile(r"[A-Za-z0-9]'[A-Za-z]")
_TYPOGRAPHIC = "\u201c\u201d\u201e\u2018\u2019"

_WINDOWS = (
    "the curl line is written for Windows' command prompt (with ^); "
    "copy it as cURL (bash), or write \\ at the line ends and ' around texts"
)
_CUT = "an apostrophe ends the text that ' began: write '\\'' instead"
_OF_POWERSHELL = "the curl line is written for PowerShell (with ` at line ends); write \\ at the line ends instead"


@dataclass(frozen=True, slots=True)
class Word:
    """One word, as it is written.

    `expands` tells whether a shell would replace something in it, such as $KEY; `cut` is a sentence if an apostrophe
    seems to have ended a text in it too early.
    """

    text: str
    expands: bool = False
    cut: str = ""


@dataclass(slots=True)
class Command:
    """The words of one command, and what it is given as standard input by << or <<<, if that stands in the text."""

    words: list[Word] = field(default_factory=list)
    stdin: str | None = None


def split_commands(text: str) -> list[Command]:
    """The commands of a text, in order; comments, redirections and the marks of code blocks are left out.

    Raises:
        DraftFailed: a quote is not closed, or it is written for another shell.
    """
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    unmarked = "\n".join("" if line.lstrip().startswith("```") else line for line in lines)
    return _Splitter(unmarked).split()


class _Splitter:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.commands: list[Command] = []
        self.command = Command()
        self.word: list[str] | None = None
        self.expands = False
        self.cut = ""
        self.skips_word = False
        self.takes_input = False
        self.here: list[tuple[str, bool]] = []

    def split(self) -> list[Command]:
        while self.at < len(self.text):
            self._step(self.text[self.at])
        self._end_command()
        return self.commands

    def _step(self, character: str) -> None:
        if character in " \t":
            self._end_word()
            self.at += 1
        elif character == "\n":
            self._end_line()
        elif character == "#" and self.word is None:
            self.at = self._find("\n", self.at)
        elif character in "\\^`":
            self._special(character)
        elif character in "'\"":
            self._quoted(character)
        elif character == "$":
            self._dollar()
        elif character in ";|&":
            self._separator(character)
        elif character in "<>" or (self.word is None and _REDIRECTION.match(self.text, self.at)):
            self._redirection()
        elif character in _TYPOGRAPHIC:
            raise DraftFailed(f"{self._place()}: the curl line has typographic quotes; write ' or \" instead")
        else:
            self._add(character)
            self.at += 1

    def _special(self, character: str) -> None:
        if match := _CONTINUATION.match(self.text, self.at):
            if len(match.group()) > 2:
                self._end_word()
            self.at = match.end()
        elif _CARET.match(self.text, self.at):
            raise DraftFailed(_WINDOWS)
        elif _POWERSHELL.match(self.text, self.at):
            raise DraftFailed(_OF_POWERSHELL)
        elif character == "\\":
            self._add(self.text[self.at + 1])
            self.at += 2
        elif character == "`":
            self._substitution("`")
        else:
            self._add(character)
            self.at += 1

    def _quoted(self, quote: str) -> None:
        self._add("")
        if quote == "'":
            end = self._closing("'", self.at + 1)
            self._add(self.text[self.at + 1 : end])
            if _APOSTROPHE.match(self.text, end - 1):
                self.cut = self.cut or f"{self._place(end)}: {_CUT}"
            self.at = end + 1
            return
        opened = self.at
        self.at += 1
        while self.at < len(self.text) and self.text[self.at] != '"':
            self._in_double_quotes(self.text[self.at])
        if self.at >= len(self.text):
            raise DraftFailed(self._first_cut or f'{self._place(opened)}: the quote " is not closed')
        self.at += 1

    def _in_double_quotes(self, character: str) -> None:
        following = self.text[self.at + 1 : self.at + 2]
        if character == "\\" and following and following in '$`"\\\n':
            self._add("" if following == "\n" else following)
            self.at += 2
        elif character == "`":
            self._substitution("`")
        elif self.text.startswith("$(", self.at):
            self._substitution(")")
        else:
            if _NAME.match(self.text, self.at):
                self.expands = True
            self._add(character)
            self.at += 1

    def _dollar(self) -> None:
        if self.text.startswith("$'", self.at):
            self._ansi_quoted()
        elif self.text.startswith('$"', self.at):
            self.at += 1
        elif self.text.startswith("$(", self.at):
            self._substitution(")")
        else:
            end = self.at + 1
            if _NAME.match(self.text, self.at):
                self.expands = True
                if self.text.startswith("${", self.at):
                    end = self._closing("}", self.at) + 1
            self._add(self.text[self.at : end])
            self.at = end

    def _ansi_quoted(self) -> None:
        end = self.at + 2
        while end < len(self.text) and self.text[end] != "'":
            end += 2 if self.text[end] == "\\" else 1
        if end >= len(self.text):
            raise DraftFailed(f"{self._place()}: the quote $' is not closed")
        decoded = _ESCAPE.sub(_unescaped, self.text[self.at + 2 : end])
        # Browsers write what lies beyond 16 bits as two escapes.
        self._add(decoded.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
        self.at = end + 1

    def _substitution(self, closing: str) -> None:
        """Take $(...) or `...` as it is written, however many quotes and parentheses it holds."""
        self.expands = True
        end = self.at + (1 if closing == "`" else 2)
        depth = 1
        while end < len(self.text):
            character = self.text[end]
            depth += (character == "(" and closing == ")") - (character == closing)
            end += 1
            if not depth:
                self._add(self.text[self.at : end])
                self.at = end
                return
        raise DraftFailed(f"{self._place()}: {'$(' if closing == ')' else '`'} is not closed")

    def _separator(self, character: str) -> None:
        following = self.text[self.at + 1 : self.at + 2]
        if character == "&" and self.word is not None and following.isalnum():
            self._add(character)  # An address that was pasted without quotes.
            self.at += 1
            return
        self.at += 1
        self._end_command()

    def _redirection(self) -> None:
        if match := _PLACEHOLDER.match(self.text, self.at):
            self._add(match.group())
            self.at = match.end()
            return
        self._end_word()
        if self.text.startswith("<<<", self.at):
            self.takes_input = True
            self.at += 3
        elif match := _HERE.match(self.text, self.at):
            self.here.append((match.group(3), bool(match.group(1))))
            self.at = match.end()
        else:
            operator = _REDIRECTION.match(self.text, self.at)
            assert operator is not None
            self.skips_word = not operator.group()[-1].isdigit() and not operator.group().endswith("-")
            self.at = operator.end()

    def _end_line(self) -> None:
        self.at += 1
        here, self.here = self.here, []
        self._end_word()
        for delimiter, strips in here:
            self.command.stdin = self._here_text(delimiter, strips)
        self._end_command()

    def _here_text(self, delimiter: str, strips: bool) -> str:
        lines: list[str] = []
        while self.at < len(self.text):
            end = self._find("\n", self.at)
            line = self.text[self.at : end]
            self.at = min(end + 1, len(self.text))
            if line.strip() == delimiter:
                return "\n".join(lines)
            lines.append(line.lstrip("\t") if strips else line)
        raise DraftFailed(f"the text after <<{delimiter} has no end: a line with {delimiter} alone is missing")

    def _add(self, text: str) -> None:
        if self.word is None:
            self.word = []
        self.word.append(text)

    def _end_word(self) -> None:
        if self.word is not None:
            word = Word("".join(self.word), self.expands, self.cut)
            if self.takes_input:
                self.command.stdin = word.text
            elif not self.skips_word:
                self.command.words.append(word)
            self.skips_word = self.takes_input = False
        self.word = None
        self.expands = False
        self.cut = ""

    def _end_command(self) -> None:
        self._end_word()
        if self.command.words:
            self.commands.append(self.command)
        self.command = Command()

    @property
    def _first_cut(self) -> str:
        """Where the command's first apostrophe seems to have ended a text too early; empty if none has."""
        return next((word.cut for word in self.command.words if word.cut), self.cut)

    def _find(self, what: str, start: int) -> int:
        found = self.text.find(what, start)
        return len(self.text) if found < 0 else found

    def _closing(self, what: str, start: int) -> int:
        found = self.text.find(what, start)
        if found < 0:
            raise DraftFailed(self._first_cut or f"{self._place()}: the quote {what} is not closed")
        return found

    def _place(self, at: int | None = None) -> str:
        return f"line {self.text.count(chr(10), 0, self.at if at is None else at) + 1}"


def _unescaped(match: re.Match[str]) -> str:
    short, long, hexadecimal, octal, letter = match.groups()
    for digits, base in ((short, 16), (long, 16), (hexadecimal, 16), (octal, 8)):
        if digits is not None:
            number = int(digits, base)
            return chr(number) if number <= 0x10FFFF else "\ufffd"
    return _ESCAPED.get(letter, letter)
