"""`rankspec render`."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import click
import orjson

from rankspec.auth import Authenticator
from rankspec.binding import Binding
from rankspec.cli.options import (
    CALL_OPTIONS,
    SPEC_OPTIONS,
    call_keywords,
    make_client,
    read_documents,
    with_options,
)
from rankspec.client import Call, prepare
from rankspec.models import Exchange, HttpRequest, Together

_PLACEHOLDER = re.compile(r"<([a-z_]+)>")


@click.command()
@click.argument("query")
@click.argument("file", metavar="FILE|-")
@with_options(*CALL_OPTIONS, *SPEC_OPTIONS)
@click.option("--output", type=click.Choice(["json", "curl"]), default="json", show_default=True,
              help="JSON, or a curl command line that takes the key from the environment.")  # fmt: skip
@click.pass_context
def render(
    ctx: click.Context,
    /,
    query: str,
    file: str,
    file_format: str,
    specs: tuple[str, ...],
    override: bool,
    output: str,
    **options: Any,
) -> None:
    """Show the exact HTTP request of a call. Secrets are hidden, and nothing is sent.

    A call that needs several requests gives each on a line of its own.
    """
    ctx.obj["output"] = output
    documents = read_documents(file, file_format)
    client = make_client(specs, override=override)
    call = prepare(client, query=query, documents=documents, **call_keywords(options))
    binding = call.bind(placeholders=True)
    for request in _first_requests(call.exchange(binding)):
        if output == "json":
            click.echo(json.dumps(_as_dict(request), ensure_ascii=False))
        else:
            click.echo(_as_curl(call, binding, request))


def _first_requests(exchange: Exchange) -> Iterator[HttpRequest]:
    step = exchange.send(None)
    if isinstance(step, Together):
        for part in step.exchanges:
            yield from _first_requests(part)
    elif isinstance(step, HttpRequest):
        yield step


def _as_dict(request: HttpRequest) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": request.url,
        "headers": dict(request.headers),
        "body": orjson.loads(request.body),
    }


def _as_curl(call: Call, binding: Binding, request: HttpRequest) -> str:
    if not request.url.startswith("http"):
        raise click.UsageError(f"{call.spec.title} runs inside this process; --output json shows its request")
    authenticator = binding.authenticator(call.request.model)
    own_options: list[str] = []
    own_headers: set[str] = set()
    variables: dict[str, str] = {}
    if authenticator is not None:
        own_options, own_headers = authenticator.curl(binding.scope(call.request.model))
        variables = _variables(authenticator)
    words = ["curl", "-X", request.method, request.url, *own_options]
    for name, value in request.headers.items():
        if name.lower() not in own_headers:
            words += ["-H", f"{name}: {value}"]
    words += ["--data-raw", request.body.decode()]
    return " ".join([*(_quoted(word, variables) for word in words[:-1]), shlex.quote(words[-1])])


def _variables(authenticator: Authenticator) -> dict[str, str]:
    """The environment variable that stands for each secret."""
    return {secret.name: secret.env[0] for secret in authenticator.secrets}


def _quoted(word: str, variables: Mapping[str, str]) -> str:
    """The word for a shell; `<key>` becomes the variable that holds the key."""
    parts = _PLACEHOLDER.split(word)
    if len(parts) == 1 or not variables.keys() & set(parts[1::2]):
        return shlex.quote(word)
    quoted = ""
    for position, part in enumerate(parts):
        if position % 2 == 0:
            quoted += shlex.quote(part) if part else ""
        else:
            quoted += f'"${variables[part]}"' if part in variables else shlex.quote(f"<{part}>")
    return quoted
