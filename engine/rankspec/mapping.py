"""Compile a JMESPath expression, list what it calls, evaluate it. Knows nothing of providers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import jmespath
from jmespath import exceptions, functions

from rankspec.errors import did_you_mean
from rankspec.models import Json, Path, Problem

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
    """An expression cannot be evaluated on this reply."""


class _Functions(functions.Functions):
    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    @functions.signature({"types": ["array"]})
    def _func_enumerate(self, items: list[Json]) -> list[Json]:
        return [{"index": index, "value": value} for index, value in enumerate(items)]

    @functions.signature({"types": ["number"]})
    def _func_sigmoid(self, number: float) -> float:
        # Written so that neither end overflows.
        if number >= 0:
            return 1 / (1 + math.exp(-number))
        power = math.exp(number)
        return power / (1 + power)

    @functions.signature({"types": ["string"]})
    def _func_header(self, name: str) -> str | None:
        return self._headers.get(name.lower())


_NO_HEADERS = jmespath.Options(custom_functions=_Functions({}))


class Expression:
    """A compiled JMESPath expression."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._parsed = jmespath.compile(text)
        self._uses_header = "header" in dict(_calls(self._parsed.parsed))

    def search(self, body: Json, headers: Mapping[str, str]) -> Json:
        """What the expression finds in a reply's body, or None.

        Args:
            headers: the reply's headers, names in lower case.

        Raises:
            MappingFailed: the reply has values of a type that the expression cannot work on.
        """
        options = jmespath.Options(custom_functions=_Functions(headers)) if self._uses_header else _NO_HEADERS
        try:
            return self._parsed.search(body, options)
        except (exceptions.JMESPathError, *_LET_THROUGH) as error:
            # The message holds the value that did not fit, which may be the whole reply.
            raise MappingFailed(_shortened(" ".join(str(error).split()))) from error

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


def compile_expression(text: str, path: Path, problems: list[Problem]) -> Expression | None:
    """The compiled expression; what is wrong with it is added to `problems`."""
    try:
        expression = Expression(text)
        calls = list(_calls(expression._parsed.parsed))
    except exceptions.JMESPathError as error:
        problems.append(Problem(path, f"is not JMESPath: {_first_sentence(error)}", "mapping-syntax"))
        return None
    except (ValueError, RecursionError):  # Numbers of thousands of digits, and nesting as deep.
        problems.append(Problem(path, "is not JMESPath: too long a number, or nested too deeply", "mapping-syntax"))
        return None
    sound = True
    for name, arguments in calls:
        signature = _Functions.FUNCTION_TABLE.get(name)
        if signature is None:
            message = f"unknown function '{name}'{did_you_mean(name, _Functions.FUNCTION_TABLE)}"
            problems.append(Problem(path, message, "unknown-function"))
            sound = False
            continue
        wanted = signature["signature"]
        variadic = bool(wanted) and wanted[-1].get("variadic", False)
        if arguments < len(wanted) or (arguments > len(wanted) and not variadic):
            count = f"{len(wanted)} argument{'' if len(wanted) == 1 else 's'}{' or more' if variadic else ''}"
            problems.append(Problem(path, f"{name}() takes {count}, not {arguments}", "wrong-arity"))
            sound = False
    return expression if sound else None


def _calls(node: Any) -> Iterator[tuple[str, int]]:
    """Every function call of a parsed expression: its name and how many arguments it is given."""
    if node["type"] == "function_expression":
        yield node["value"], len(node["children"])
    for child in node["children"]:
        if isinstance(child, dict):
            yield from _calls(child)


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}... ({len(text)} characters)"


def _first_sentence(error: Exception) -> str:
    return str(error).partition("\n")[0].strip()
