"""`rankspec schema`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from rankspec.cli.writing import write_file
from rankspec.resources import read_schema

SCHEMAS = ("provider_spec", "rerank_request", "rerank_response", "gateway_config")


@click.command()
@click.argument("name", type=click.Choice(SCHEMAS), default="provider_spec")
@click.option("--output", metavar="FILE|-", default="-", show_default=True, help="Where to write it.")
def schema(name: str, output: str) -> None:
    """Print a JSON Schema: provider_spec, rerank_request, rerank_response or gateway_config.

    An editor with a YAML language server completes and checks a spec whose first line names the first of them, and a
    gateway's config whose first line names the last:

    \b
    rankspec schema --output provider_spec.schema.json
    # yaml-language-server: $schema=provider_spec.schema.json
    """
    text = json.dumps(read_schema(name), ensure_ascii=False, indent=2) + "\n"
    if output == "-":
        click.echo(text, nl=False)
    else:
        write_file(Path(output), text.encode())
