"""Compile a JMESPath expression, list what it calls, evaluate it. Knows nothing of providers.

An expression is evaluated as a Python function, ten to twenty times as fast as jmespath evaluates its tree. Whatever
that function raises, jmespath is asked then, and the value or the error is its own.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, ClassVar, NamedTuple

import jmespath
from jmespath import ast, exceptions, functions, parser, visitor

from rankspec.errors import did_you_mean, nearest
from rankspec.jmespath_code import write_code
from rankspec.models import Json, Path, Problem
from rankspec.transforms import sigmoid

EXTRA_FUNCTIONS = {
    "enumerate": "enumerate(list) gives [{index: 0, value: first}, ...]: the position of each item.",
    "sigmoid": "sigmoid(number) gives 1 / (1 + e^-number): a logit as a probability.",
    "header": "header('name') gives the reply's header of that name in any case, or null.",
}
"""The functions that JMESPath lacks, with what each gives."""


_LET_THROUGH = (ArithmeticError, TypeError, ValueError, AttributeError, RecursionError)
"""Python's errors that jmespath lets through on odd input, such as sum() of text or deep nesting."""

_MAX_SHOWN = 200


class MappingFailed(Exception):
    """An expression, whose text is `expression`, cannot be evaluated on this reply."""

    def __init__(self, message: str, expression: str) -> None:
        super().__init__(message, expression)
        self.expression = expression

    def __str__(self) -> str:
        return str(self.args[0])


class _Functions(functions.Functions):
    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    @functions.signature({"types": ["array"]})
    def _func_enumerate(self, items: list[Json]) -> list[Json]:
        return [{"index": index, "value": value} for index, value in enumerate(items)]

    @functions.signature({"types": ["number"]})
    def _func_sigmoid(self, number: float) -> float:
        return sigmoid(number)

    @functions.signature({"types": ["string"]})
    def _func_header(self, name: str) -> str | None:
        return self._headers.get(name.lower())


_NO_HEADERS = _Functions({})

_Code = Callable[[Json, _Functions], Json]


class _Parser(parser.Parser):
    """Notes at every field and function call where its name starts in the text."""

    _CACHE: ClassVar[dict[str, Any]] = {}

    def _token_nud_unquoted_identifier(self, token: Any) -> Any:
        return {**super()._token_nud_unquoted_identifier(token), "start": token["start"]}  # type: ignore[misc]

    def _token_nud_quoted_identifier(self, token: Any) -> Any:
        return {**super()._token_nud_quoted_identifier(token), "start": token["start"]}  # type: ignore[misc]

    def _token_led_lparen(self, left: Any) -> Any:
        return {**super()._token_led_lparen(left), "start": left.get("start")}  # type: ignore[misc]


class Expression:
    """A compiled JMESPath expression."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._parsed = _Parser().parse(text)
        self._functions = _functions_for(self._parsed.parsed)

    def search(self, body: Json, headers: Mapping[str, str]) -> Json:
        """What the expression finds in a reply's body, or None.

        Args:
            headers: the reply's headers, names in lower case.

        Raises:
            MappingFailed: the reply has values of a type that the expression cannot work on.
        """
        functions = self._functions or _Functions(headers)
        try:
            return self._code(body, functions)
        except Exception:  # noqa: BLE001, S110 - what is wrong with the reply, and whether anything is, jmespath says
            pass
        return self._interpreted(body, functions)

    def _interpreted(self, body: Json, functions: _Functions) -> Json:
        try:
            return self._parsed.search(body, jmespath.Options(custom_functions=functions))
        except (exceptions.JMESPathError, *_LET_THROUGH) as error:
            # The message holds the value that did not fit, which may be the whole reply.
            raise MappingFailed(_shortened(" ".join(str(error).split())), self.text) from error

    @cached_property
    def _code(self) -> _Code:
        # Written on first use, in 0.2 ms: of the ten expressions of a spec a call evaluates five.
        return _code_of(self.text)

    @property
    def tree(self) -> Any:
        """JMESPath's own tree. Fields and function calls have the place of their name in the text as `start`."""
        return self._parsed.parsed

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


class Rows(NamedTuple):
    """The list that an expression makes objects of, where all that it does is to give members other names.

    Attributes:
        tree: finds the list.
        names: the members' names in the list, by those in the objects.
    """

    tree: Any
    names: Mapping[str, str]


def rows_of(expression: Expression) -> Rows | None:
    """The list behind `list[].{name: member, ...}`; None for any other expression."""
    tree = expression.tree
    if tree["type"] != "projection" or tree["children"][1]["type"] != "multi_select_dict":
        return None
    pairs = [(pair["value"], pair["children"][0]) for pair in tree["children"][1]["children"]]
    if any(member["type"] != "field" for _, member in pairs):
        return None
    return Rows(tree["children"][0], {name: member["value"] for name, member in pairs})


Member = Expression | Rows | Mapping[str, Expression] | None
"""What is to be found: by an expression, the list behind one, by several with names, or nothing."""


class Reader:
    """Finds several things in a reply by one function, which reads but once what several expressions read."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._tree = ast.multi_select_list([_tree(member) for member in members])
        self._functions = _functions_for(self._tree)

    def read(self, body: Json, headers: Mapping[str, str]) -> list[Json] | None:
        """What each of the members finds; None if the expressions have to be asked one by one, for whatever reason."""
        try:
            found: list[Json] | None = self._code(body, self._functions or _Functions(headers))
        except Exception:  # noqa: BLE001 - what is wrong with the reply, and whether anything is, the expressions say
            return None
        return found

    @cached_property
    def _code(self) -> _Code:
        return _written(self._tree)


def _tree(member: Member) -> Any:
    if member is None:
        return ast.literal(None)  # type: ignore[arg-type]
    if isinstance(member, Mapping):
        return ast.multi_select_dict([ast.key_val_pair(name, one.tree) for name, one in member.items()])
    return member.tree


@lru_cache(maxsize=512)
def _code_of(text: str) -> _Code:
    """The function for an expression. Specs share most of theirs."""
    return _written(_Parser().parse(text).parsed)


def _written(tree: Any) -> _Code:
    code = write_code(tree, _Functions.FUNCTION_TABLE)
    return code.search if code else _no_code


def _no_code(body: Json, functions: _Functions) -> Json:
    raise NotImplementedError


def compile_expression(text: str, path: Path, problems: list[Problem]) -> Expression | None:
    """The compiled expression; what is wrong with it is added to `problems`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", PendingDeprecationWarning)
            expression = Expression(text)
        calls = list(_calls(expression.tree))
    except PendingDeprecationWarning:
        message = "is not JMESPath: what stands between ` and ` is JSON; a text is written 'text'"
        problems.append(Problem(path, message, "mapping-syntax", text.find("`"), 1))
        return None
    except exceptions.ParseError as error:
        at = len(text) if isinstance(error, exceptions.IncompleteExpressionError) else error.lex_position
        message = f"is not JMESPath: {_reason(error)}"
        problems.append(Problem(path, message, "mapping-syntax", at, len(str(error.token_value or "")) or 1))
        return None
    except exceptions.JMESPathError as error:
        problems.append(Problem(path, f"is not JMESPath: {error}", "mapping-syntax"))
        return None
    except (ValueError, RecursionError):  # Numbers of thousands of digits, and nesting as deep.
        problems.append(Problem(path, "is not JMESPath: too long a number, or nested too deeply", "mapping-syntax"))
        return None
    found = [problem for node in calls if (problem := _wrong_call(node, path))]
    problems += found
    return None if found else expression


def _wrong_call(node: Any, path: Path) -> Problem | None:
    name, arguments, at = node["value"], len(node["children"]), node["start"]
    signature = _Functions.FUNCTION_TABLE.get(name)
    if signature is None:
        known = _Functions.FUNCTION_TABLE
        message = f"unknown function '{name}'{did_you_mean(name, known)}"
        return Problem(path, message, "unknown-function", at, len(name), nearest(name, known))
    wanted = signature["signature"]
    variadic = bool(wanted) and wanted[-1].get("variadic", False)
    if len(wanted) <= arguments and (variadic or arguments == len(wanted)):
        return None
    count = f"{len(wanted)} argument{'' if len(wanted) == 1 else 's'}{' or more' if variadic else ''}"
    return Problem(path, f"{name}() takes {count}, not {arguments}", "wrong-arity", at, len(name))


def nodes(tree: Any) -> Iterator[Any]:
    """Every node of a tree, itself first."""
    yield tree
    for child in tree["children"]:
        if isinstance(child, dict):
            yield from nodes(child)


def _functions_for(tree: Any) -> _Functions | None:
    """The functions that an expression calls; None if they depend on the reply's headers."""
    return None if any(node["value"] == "header" for node in _calls(tree)) else _NO_HEADERS


def _calls(tree: Any) -> Iterator[Any]:
    return (node for node in nodes(tree) if node["type"] == "function_expression")


class Tracer(visitor.TreeInterpreter):
    """Evaluates expressions and notes in `seen` which fields, by their place in the text, some value had."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__(jmespath.Options(custom_functions=_Functions(headers)))
        self.seen: set[int] = set()
        self.missed: dict[int, set[str]] = {}
        self._headers = headers

    def visit_field(self, node: Any, value: Any) -> Any:
        if isinstance(value, dict):
            if node["value"] in value:
                self.seen.add(node["start"])
            else:
                self.missed.setdefault(node["start"], set()).update(value)
        return super().visit_field(node, value)

    def visit_function_expression(self, node: Any, value: Any) -> Any:
        found = super().visit_function_expression(node, value)
        if node["value"] == "header":
            if found is not None:
                self.seen.add(node["start"])
            else:
                self.missed.setdefault(node["start"], set()).update(self._headers)
        return found

    def trace(self, expression: Expression, body: Json) -> Json:
        """What the expression finds, or None where it does not fit."""
        try:
            return self.visit(expression.tree, body)
        except (exceptions.JMESPathError, *_LET_THROUGH):
            return None


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}... ({len(text)} characters)"


def _reason(error: exceptions.ParseError) -> str:
    if isinstance(error, exceptions.IncompleteExpressionError):
        return "it ends too early"
    if isinstance(error, exceptions.LexerError):
        return str(error.message)
    return f"'{error.token_value}' cannot stand here" if error.token_value else "it ends too early"
