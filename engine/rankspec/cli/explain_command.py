"""`rankspec explain`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from rankspec.catalog import Catalog
from rankspec.cli.options import CALL_OPTIONS, SPEC_OPTIONS, pair, prepare_call, with_options
from rankspec.cli.request_forms import as_dict, curl_line
from rankspec.errors import ProviderError, RankspecError, ResponseInvalid, SpecInvalid
from rankspec.explanation import Explanation, Found, explain
from rankspec.migrations import current
from rankspec.models import HttpRequest, HttpResponse, format_path
from rankspec.specs import ProviderSpec
from rankspec.strict_yaml import YamlFile, read_yaml
from rankspec.summary import price_text

MAX_DOCUMENT_CHARACTERS = 200

_FAILED = (ProviderError, ResponseInvalid, SpecInvalid)
"""What a call fails with after all of the caller's part was right."""


@click.command(name="explain")
@click.argument("query")
@click.argument("file", metavar="FILE|-")
@with_options(*CALL_OPTIONS, *SPEC_OPTIONS)
@click.option("--reply", "replies", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
              help="The body of a provider's reply; once for each request, in order.")  # fmt: skip
@click.option("--status", type=click.IntRange(100, 599), default=200, show_default=True, help="The replies' status.")
@click.option("--reply-header", "reply_headers", multiple=True, metavar="'NAME: VALUE'",
              help="A header of the replies.")  # fmt: skip
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True,
              help="Numbered steps for people, or JSON for machines.")  # fmt: skip
@click.pass_context
def explain_command(
    ctx: click.Context,
    /,
    query: str,
    file: str,
    file_format: str,
    specs: tuple[str, ...],
    override: bool,
    replies: tuple[Path, ...],
    status: int,
    reply_headers: tuple[str, ...],
    output: str,
    **options: Any,
) -> None:
    """Show what a spec makes of a call, step by step. Secrets are hidden, and nothing is sent.

    With --reply it also shows what each mapping expression finds in a provider's reply, and what the call returns or
    raises then. The exit code is that of the call: 0, 1 if it fails, 2 if nothing can be sent.
    """
    ctx.obj["output"] = output
    client, call = prepare_call(query, file, file_format, specs, options, override=override)
    binding = call.bind(placeholders=True)
    parts = (pair(text, ":", "--reply-header", "'NAME: VALUE'") for text in reply_headers)
    headers = {name.lower(): value for name, value in parts}
    answers = [HttpResponse(status, headers, _content(reply)) for reply in replies]
    files = _spec_files(client.catalog, call.spec)
    explanation = explain(binding, call.request, call.rules, files, answers)
    _check_count(explanation, len(replies))
    curl = [curl_line(binding, call.request.model, request) for request in explanation.requests]
    if output == "json":
        click.echo(json.dumps(_as_json(explanation, curl), ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(_as_text(explanation, curl)))
    if explanation.error is not None:
        ctx.exit(1 if isinstance(explanation.error, _FAILED) else 2)


def _content(reply: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(reply) == "-" else reply.read_bytes()
    except OSError as error:
        raise click.BadParameter(f"{reply} cannot be read: {error.strerror}", param_hint="--reply") from None


def _spec_files(catalog: Catalog, spec: ProviderSpec) -> list[YamlFile]:
    """The spec's file and then its parents', as they are read."""
    sources = {source.name: source for source in catalog.sources}
    files: list[YamlFile] = []
    name: str | None = spec.name
    while name in sources:
        file = current(read_yaml(sources[name].read(), sources[name].label))
        files.append(file)
        name = file.data.get("extends") if isinstance(file.data, dict) else None
    return files


def _check_count(explanation: Explanation, replies: int) -> None:
    """Check that there is a reply for each request, if there is one at all."""
    requests = len(explanation.requests)
    if not replies or requests == replies or explanation.error is not None:
        return
    sent = f"{requests} request{'' if requests == 1 else 's'}"
    message = f"the call sends {sent}, but replies are given for {replies}: give --reply once for each"
    raise click.UsageError(message)


def _as_json(explanation: Explanation, curl: list[str | None]) -> dict[str, Any]:
    spec, model = explanation.spec, explanation.model
    told: dict[str, Any] = {
        "provider": spec.name,
        "file": spec.file,
        "request": explanation.request,
        "documents_as_text": explanation.documents_as_text,
        "parameters": [asdict(parameter) for parameter in explanation.parameters],
        "model": {"id": explanation.model_id, "entry": model.id, **_rules(explanation)},
        "requests": [
            {**as_dict(request), "curl": line} for request, line in zip(explanation.requests, curl, strict=True)
        ],
        "replies": [
            {
                "status": reply.status,
                "is_error": reply.is_error,
                "found": [{**asdict(found), "path": format_path(found.path)} for found in reply.found],
            }
            for reply in explanation.replies
        ],
        "response": None if explanation.response is None else explanation.response.to_dict(),
        "error": None if explanation.error is None else _error(explanation.error, is_retried=explanation.is_retried),
    }
    return told


def _rules(explanation: Explanation) -> dict[str, Any]:
    model = explanation.model
    return {
        "limits": {name: value for name, value in model.limits._asdict().items() if value is not None},
        "scale": model.scale,
        "mode": model.mode,
        "price": model.price._asdict() if model.price else None,
    }


def _error(error: RankspecError, *, is_retried: bool) -> dict[str, Any]:
    names = ("code", "provider_message", "retry_after_seconds", "request_id", "expression", "excerpt")
    more = {name: getattr(error, name) for name in names if getattr(error, name, None) not in (None, "")}
    return {"error": type(error).__name__, "message": error.message, **more, "is_retried": is_retried}


def _as_text(explanation: Explanation, curl: list[str | None]) -> Iterator[str]:
    """Lines, each step under a heading with its number."""
    for number, (heading, lines) in enumerate(_steps(explanation, curl), 1):
        if number > 1:
            yield ""
        yield f"{number}. {heading}"
        yield from (f"   {line}" if line else "" for line in lines)


def _steps(explanation: Explanation, curl: list[str | None]) -> Iterator[tuple[str, list[str]]]:
    spec, request = explanation.spec, explanation.request
    yield (
        f"The request, as {spec.name} ({spec.file}) takes it",
        [f"{name}: {_json(value)}" for name, value in request.items() if name != "documents"],
    )
    yield "The documents as text", [_document(at, text) for at, text in enumerate(explanation.documents_as_text)]
    yield (
        "What becomes of each parameter",
        _table([(one.name, one.how, one.reason) for one in explanation.parameters]),
    )
    yield _model_heading(explanation), _table(list(_rule_rows(explanation)))
    count = len(explanation.requests)
    for number, (sent, line) in enumerate(zip(explanation.requests, curl, strict=True), 1):
        yield _heading("The HTTP request", number, count), _request(sent, line)
    for number, reply in enumerate(explanation.replies, 1):
        kind = "read as an error" if reply.is_error else "read as a success"
        heading = _heading("The reply", number, len(explanation.replies))
        yield f"{heading}: status {reply.status}, {kind}", [line for one in reply.found for line in _found(one)]
    if explanation.response is not None:
        lines = json.dumps(explanation.response.to_dict(), ensure_ascii=False, indent=2).splitlines()
        yield "What the call returns", lines
    if explanation.error is not None:
        yield "What the call raises", _error_lines(explanation)


def _heading(text: str, number: int, count: int) -> str:
    return text if count == 1 else f"{text} {number} of {count}"


def _document(position: int, text: str | None) -> str:
    if text is None:
        return f"[{position}] has no text: an object without the fields to rank"
    shown = _json(text)
    cut = shown if len(shown) <= MAX_DOCUMENT_CHARACTERS else f"{shown[:MAX_DOCUMENT_CHARACTERS]}..."
    return f"[{position}] {cut}"


def _model_heading(explanation: Explanation) -> str:
    entry = explanation.model.id
    if entry is None:
        return "The rules that hold: those of the provider"
    return f"The rules that hold: those of the provider, with models.{entry} laid over them"


def _rule_rows(explanation: Explanation) -> Iterator[tuple[str, ...]]:
    model = explanation.model
    for name, value in _rules(explanation)["limits"].items():
        yield f"limits.{name}", f"{value:,}"
    yield "scoring.scale", model.scale
    yield "scoring.mode", model.mode
    if model.price:
        yield "price", f"{price_text(model.price._asdict())}, read {model.price.read}"


def _request(request: HttpRequest, line: str | None) -> list[str]:
    body = as_dict(request)["body"]
    lines = [f"{request.method} {request.url}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    lines += ["", *json.dumps(body, ensure_ascii=False, indent=2).splitlines(), ""]
    return [*lines, line or "It is answered inside this process: there is no curl command for it."]


def _found(found: Found) -> list[str]:
    where = f"  ({found.file}:{found.line})" if found.file else ""
    outcome = f"-> {found.found}" if found.failure is None else f"does not fit: {found.failure}"
    return [f"{format_path(found.path)}{where}", f"  {found.expression}", f"  {outcome}"]


def _error_lines(explanation: Explanation) -> list[str]:
    assert explanation.error is not None
    told = _error(explanation.error, is_retried=explanation.is_retried)
    lines = [f"{told.pop('error')}: {told.pop('message')}"]
    is_retried = told.pop("is_retried")
    lines += [f"{name}: {_json(value)}" for name, value in told.items()]
    return [*lines, "A call tries again before it raises this."] if is_retried else lines


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
