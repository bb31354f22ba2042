"""Single small mistakes inside the expressions of a spec: names, marks, operators, literals, parts left out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from layout import OPENING, Code, Layout, Token
from mutants import Mutant, altered, misspelt

from rankspec.vocabulary import BODY_NAMES, ENDPOINT_NAMES, FILTERS, LOOP_NAMES, TESTS

KEYWORDS = {"if", "else", "and", "or", "not", "in", "is", "true", "false", "none"}
CLOSING = {closing: opening for opening, closing in OPENING.items()}
_CODE_QUOTES = {"'": "text", '"': "text", "`": "text"}
OTHER_OPERATORS = {
    "and": "or",
    "or": "and",
    "==": "!=",
    "!=": "==",
    "<": ">=",
    ">=": "<",
    ">": "<=",
    "<=": ">",
    "+": "-",
    "-": "+",
    "*": "/",
    "/": "*",
    "~": "+",
    "||": "&&",
    "&&": "||",
}
ARMS = {"or": {"or", "if", "else", ","}, "and": {"or", "and", "if", "else", ","}, "~": {"~", "if", "else", ","}}
"""What ends the operands of these, besides brackets; of the others see `_arm_stops`."""


def _mutant(operator: str, code: Code, start: int, end: int, new: str) -> Mutant:
    return Mutant(operator, code.place.path, start, end, new)


def misspell_name(layout: Layout) -> Iterator[Mutant]:
    """A name, field, filter, test or function with a letter dropped, doubled or exchanged."""
    for code in layout.code:
        for token in _names(code):
            for new in misspelt(token.text):
                yield _mutant("misspell-name", code, token.start, token.end, new)


def _names(code: Code) -> Iterator[Token]:
    for token in code.tokens:
        if token.kind == "name" and (code.language == "jmespath" or token.text not in KEYWORDS):
            yield token


def other_name(layout: Layout) -> Iterator[Mutant]:
    """A name, filter, test or setting of a template replaced by each other one that could stand there."""
    settings = (layout.data or {}).get("settings", {})
    for code in layout.code:
        if code.language == "jmespath":
            continue
        in_body = code.place.path[0] in ("request", "models")
        for at, token in enumerate(code.tokens):
            if token.kind != "name" or token.text in KEYWORDS:
                continue
            before = [one.text for one in code.tokens[max(0, at - 2) : at]]
            for new in _others(token.text, before, BODY_NAMES if in_body else ENDPOINT_NAMES, settings):
                yield _mutant("other-name", code, token.start, token.end, new)


def _others(name: str, before: Sequence[str], known: dict[str, str], settings: dict[str, object]) -> list[str]:
    match before:
        case [*_, "|"]:
            return [one for one in FILTERS if one != name]
        case [*_, "is"] | ["is", "not"]:
            return [one for one in TESTS if one != name]
        case ["settings", "."]:
            return [one for one in settings if one != name]
        case [_, "."]:
            return [one for one in LOOP_NAMES if one != name] if name in LOOP_NAMES else []
    return [one for one in known if one != name] if name in known else []


def drop_token(layout: Layout) -> Iterator[Mutant]:
    """A bracket, brace, quote, comma, dot, pipe or other mark of an expression left out."""
    for code in layout.code:
        for token in code.tokens:
            if token.kind == "mark":
                yield _mutant("drop-token", code, token.start, token.end, "")
            elif token.text[0] in _CODE_QUOTES:
                yield _mutant("drop-token", code, token.start, token.start + 1, "")
                yield _mutant("drop-token", code, token.end - 1, token.end, "")
        if code.language == "jinja" and code.place.path[-1] != "$for":
            # The braces around it: each of the four.
            for start in (code.start - 2, code.start - 1, code.end, code.end + 1):
                yield _mutant("drop-token", code, start, start + 1, "")


def change_operator(layout: Layout) -> Iterator[Mutant]:
    """An operator turned into its opposite or its neighbour; a `not` put in or left out."""
    for code in layout.code:
        for at, token in enumerate(code.tokens):
            after = code.tokens[at + 1].text if at + 1 < len(code.tokens) else ""
            if code.language == "jinja" and token.text == "not":
                yield _mutant("change-operator", code, token.start, code.tokens[at + 1].start, "")
            elif code.language == "jinja" and token.text == "is" and after != "not":
                yield _mutant("change-operator", code, token.start, token.end, "is not")
            elif code.language == "jinja" and token.text == "in" and code.tokens[at - 1].text != "not":
                yield _mutant("change-operator", code, token.start, token.end, "not in")
            elif token.text in OTHER_OPERATORS and token.kind in ("mark", "name") and _is_operator(code, at):
                yield _mutant("change-operator", code, token.start, token.end, OTHER_OPERATORS[token.text])


def _is_operator(code: Code, at: int) -> bool:
    """Whether a token is an operator in this language at this place."""
    text = code.tokens[at].text
    if code.language == "jmespath":
        return text not in ("*", "and", "or", "+", "-", "/", "~")
    return text not in ("||", "&&")


def alter_literal(layout: Layout) -> Iterator[Mutant]:
    """A text or number inside an expression: a letter changed or dropped, one added to a number."""
    for code in layout.code:
        for token in code.tokens:
            if token.kind == "number":
                yield _mutant("alter-literal", code, token.start, token.end, str(int(float(token.text)) + 1))
            elif token.kind == "text":
                inner = token.text[1:-1]
                for new in altered(inner) if inner else ("x",):
                    yield _mutant("alter-literal", code, token.start + 1, token.end - 1, new)


def swap_arms(layout: Layout) -> Iterator[Mutant]:
    """The two sides of `or`, `||`, `~` or of an if-else in each other's place."""
    for code in layout.code:
        tokens = code.tokens
        for at, token in enumerate(tokens):
            sides = _sides(code, at)
            if sides is not None:
                (start, left_end), (right_start, end) = sides
                text = layout.text
                new = text[right_start:end] + text[left_end:right_start] + text[start:left_end]
                yield _mutant("swap-arms", code, start, end, new)
            elif token.text == "else" and code.language == "jinja":
                first = _arm(tokens, _opening_if(tokens, at), -1, {",", "else"})
                last = _arm(tokens, at, 1, {",", "if"})
                middle = layout.text[first[1] : last[0]]
                new = layout.text[last[0] : last[1]] + middle + layout.text[first[0] : first[1]]
                yield _mutant("swap-arms", code, first[0], last[1], new)


def _sides(code: Code, at: int) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """The spans of an operator's two operands, if the token is an operator with operands of one kind."""
    text = code.tokens[at].text
    if code.tokens[at].kind == "text":
        return None
    if code.language == "jmespath":
        stops = {"||": {"||", "|", ",", ":"}, "&&": {"||", "&&", "|", ",", ":", "?"}}.get(text)
        if stops is not None and "?" not in stops:
            stops = {*stops, "?"}
    else:
        stops = ARMS.get(text)
    if stops is None:
        return None
    return _arm(code.tokens, at, -1, stops), _arm(code.tokens, at, 1, stops)


def _opening_if(tokens: Sequence[Token], at: int) -> int:
    """The `if` that an `else` belongs to."""
    depth = 0
    for position in range(at - 1, -1, -1):
        text = tokens[position].text
        depth += (text in CLOSING) - (text in OPENING)
        if text == "if" and depth == 0:
            return position
    raise ValueError("an else without an if")


def _arm(tokens: Sequence[Token], at: int, step: int, stops: set[str]) -> tuple[int, int]:
    """The span of the tokens on one side of another, up to one that ends them or the bracket around them."""
    depth, found = 0, at
    position = at + step
    while 0 <= position < len(tokens):
        text = tokens[position].text if tokens[position].kind != "text" else ""
        opens, closes = text in OPENING, text in CLOSING
        if depth == 0 and (text in stops or (closes if step > 0 else opens)):
            break
        depth += (opens - closes) * step
        found = position
        position += step
    first, last = (tokens[at + 1], tokens[found]) if step > 0 else (tokens[found], tokens[at - 1])
    return first.start, last.end


def drop_part(layout: Layout) -> Iterator[Mutant]:
    """A filter, a condition, one side of an operator, a member of a list or object, or a pair of brackets left out."""
    for code in layout.code:
        for at, token in enumerate(code.tokens):
            if token.kind == "text":
                continue
            for start, end in _parts(code, at):
                if end > start:
                    yield _mutant("drop-part", code, start, end, "")


def _parts(code: Code, at: int) -> Iterator[tuple[int, int]]:
    tokens, token = code.tokens, code.tokens[at]
    before = tokens[at - 1].end if at else code.start
    sides = _sides(code, at)
    if sides is not None:
        (start, left_end), (right_start, end) = sides
        yield start, right_start
        yield left_end, end
    elif token.text in OPENING:
        closing = _closing(tokens, at)
        yield from _members(tokens, at, closing)
        if token.text == "[" and code.language == "jmespath":
            yield token.start, tokens[closing].end
    elif code.language == "jinja" and token.text == "|":
        behind = at + 2
        last = _closing(tokens, behind) if behind < len(tokens) and tokens[behind].text == "(" else at + 1
        yield before, tokens[last].end
    elif code.language == "jinja" and token.text == "if":
        condition = _arm(tokens, at, 1, {",", "else"})
        yield before, condition[1]
        rest = _arm(tokens, at, 1, {","})
        if rest != condition:
            yield before, rest[1]
            otherwise = next(one for one in tokens if one.start >= condition[1] and one.text != "else")
            yield _arm(tokens, at, -1, {",", "else"})[0], otherwise.start
    elif code.language == "jmespath" and token.text in (".", "|") and at + 1 < len(tokens):
        following = tokens[at + 1]
        if following.kind == "name":
            yield token.start, following.end


def _closing(tokens: Sequence[Token], at: int) -> int:
    depth = 0
    for position in range(at, len(tokens)):
        if tokens[position].kind == "mark":
            depth += (tokens[position].text in OPENING) - (tokens[position].text in CLOSING)
            if depth == 0:
                return position
    raise ValueError("a bracket that is not closed")


def _members(tokens: Sequence[Token], opening: int, closing: int) -> Iterator[tuple[int, int]]:
    """The spans of what stands between brackets with commas, each with one comma."""
    depth, commas = 0, [opening]
    for position in range(opening + 1, closing):
        text = tokens[position].text if tokens[position].kind == "mark" else ""
        if text == "," and depth == 0:
            commas.append(position)
        depth += (text in OPENING) - (text in CLOSING)
    commas.append(closing)
    if len(commas) < 3:
        return
    for at, (start, end) in enumerate(itertools.pairwise(commas)):
        if at == 0:
            yield tokens[start].end, tokens[end + 1].start
        else:
            yield tokens[start].start, tokens[end].start


OPERATORS = (
    misspell_name,
    other_name,
    drop_token,
    change_operator,
    alter_literal,
    swap_arms,
    drop_part,
)
