"""What the mapping expressions of a spec find in a reply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from rankspec.errors import redact
from rankspec.mapping import Expression, MappingFailed
from rankspec.models import HttpResponse, Json, Path
from rankspec.replies import read_error
from rankspec.specs import ProviderSpec
from rankspec.strict_yaml import YamlFile

MAX_FOUND_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Found:
    """One mapping expression and what it found in a reply.

    Attributes:
        path: where the expression stands in the spec.
        file: the file that it stands in, which may be that of a parent; None if that is not known.
        line: its line there, from 1.
        found: JSON, cut after some hundred characters; None if the expression does not fit the reply.
        failure: why it does not fit.
    """

    path: Path
    file: str | None
    line: int | None
    expression: str
    found: str | None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class ReadReply:
    """One reply, and what each expression that is about such a reply found in it."""

    status: int
    is_error: bool
    found: tuple[Found, ...]


def read_reply(spec: ProviderSpec, reply: HttpResponse, files: Sequence[YamlFile], secrets: Sequence[str]) -> ReadReply:
    """What each expression that is about such a reply finds in it.

    Args:
        files: the spec's file and then its parents', for lines.
        secrets: the values to be kept out of every text.
    """
    error, _ = read_error(spec, reply, secrets)
    try:
        body = orjson.loads(reply.body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        body = None
    expressions = list((spec.errors if error is not None else spec.response).expressions())
    if spec.errors.in_success is not None and 200 <= reply.status < 300:
        expressions = [(("errors", "in_success"), spec.errors.in_success), *expressions]
    found = [_found(path, expression, body, reply, files, secrets) for path, expression in expressions]
    return ReadReply(reply.status, error is not None, tuple(found))


def _found(
    path: Path,
    expression: Expression,
    body: Json,
    reply: HttpResponse,
    files: Sequence[YamlFile],
    secrets: Sequence[str],
) -> Found:
    file, line = _place(path, files)
    try:
        found = orjson.dumps(expression.search(body, reply.headers)).decode()
    except MappingFailed as error:
        return Found(path, file, line, expression.text, None, redact(str(error), secrets))
    return Found(path, file, line, expression.text, _shortened(redact(found, secrets)))


def _place(path: Path, files: Sequence[YamlFile]) -> tuple[str | None, int | None]:
    """The file that says it, and the line: the spec's own before its parents'."""
    for file in files:
        if path in file.values:
            return file.name, file.values[path].line
    return None, None


def _shortened(text: str) -> str:
    if len(text) <= MAX_FOUND_CHARACTERS:
        return text
    return f"{text[:MAX_FOUND_CHARACTERS]}... ({len(text)} characters)"
