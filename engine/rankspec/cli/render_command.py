"""`rankspec render`."""

from __future__ import annotations

import json
from typing import Any

import click

from rankspec.cli.options import CALL_OPTIONS, SPEC_OPTIONS, prepare_call, with_options
from rankspec.cli.request_forms import as_dict, curl_line
from rankspec.exchange import first_requests
from rankspec.explanation import without_secrets


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
    _, call = prepare_call(query, file, file_format, specs, options, override=override)
    binding = call.bind(placeholders=True)
    for sent in first_requests(call.exchange(binding)):
        request = without_secrets(sent, binding, call.request.model)
        if output == "json":
            click.echo(json.dumps(as_dict(request), ensure_ascii=False))
            continue
        line = curl_line(binding, call.request.model, request)
        if line is None:
            raise click.UsageError(f"{call.spec.title} runs inside this process; --output json shows its request")
        click.echo(line)
