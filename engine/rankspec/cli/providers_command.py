"""`rankspec providers`."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import Any

import click

from rankspec.catalog import Catalog
from rankspec.cli.options import SPEC_OPTIONS, with_options
from rankspec.errors import RankspecError, SpecInvalid
from rankspec.specs import ProviderSpec
from rankspec.summary import key_variables, markdown_table, price_text, summarize


@click.command()
@click.argument("name", required=False)
@with_options(*SPEC_OPTIONS)
@click.option("--output", type=click.Choice(["table", "json", "markdown"]), default="table", show_default=True,
              help="A table for people, everything for machines, or a table for a document.")  # fmt: skip
@click.pass_context
def providers(ctx: click.Context, name: str | None, specs: tuple[str, ...], override: bool, output: str) -> None:
    """List the providers, or show one in detail: settings, key variables and whether they are set, limits, scores."""
    ctx.obj["output"] = output
    catalog = Catalog(specs, override=override)
    if name is not None:
        spec = catalog.load(name)
        if output == "json":
            click.echo(json.dumps(summarize(spec, os.environ), ensure_ascii=False, indent=2))
        elif output == "markdown":
            click.echo(markdown_table([spec]))
        else:
            _print_detail(spec)
        return
    listed = list(catalog.listed())
    loaded = [one for one in listed if isinstance(one, ProviderSpec)]
    broken = [one for one in listed if isinstance(one, RankspecError)]
    if output == "json":
        click.echo(json.dumps([summarize(spec, os.environ) for spec in loaded], ensure_ascii=False, indent=2))
    elif output == "markdown":
        click.echo(markdown_table(loaded))
    else:
        _print_list(loaded)
    for failure in broken:
        click.echo(f"rankspec: {failure}", err=True)
    if broken:
        ctx.exit(1 if any(isinstance(failure, SpecInvalid) for failure in broken) else 2)


_HEADINGS = ("provider", "key", "settings", "documents", "score", "mode")
_WIDTH_OF_A_FILE = 160


def _print_list(specs: list[ProviderSpec]) -> None:
    rows = [_HEADINGS, *map(_row, specs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    is_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if is_terminal else _WIDTH_OF_A_FILE
    if sum(widths) + 2 * (len(widths) - 1) > width:
        _print_wrapped(rows)
        return
    # rich takes longer to import and to draw than all specs take to load.
    for at, row in enumerate(rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.secho(line, bold=is_terminal and at == 0)


def _row(spec: ProviderSpec) -> tuple[str, ...]:
    limit = spec.default_model.limits.documents
    return (
        spec.name,
        _key_state(spec),
        ", ".join(spec.settings) or "-",
        f"{limit:,}" if limit else "no limit",
        spec.default_model.scale,
        spec.default_model.mode,
    )


def _print_wrapped(rows: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for at, heading in enumerate(rows[0]):
        table.add_column(heading, no_wrap=at == 0)
    for row in rows[1:]:
        table.add_row(*row)
    console = Console()
    (console if console.is_terminal else Console(width=_WIDTH_OF_A_FILE)).print(table)


def _key_state(spec: ProviderSpec) -> str:
    found = [name for name in key_variables(spec) if os.environ.get(name, "").strip()]
    if found:
        return f"{', '.join(found)} set"
    names = key_variables(spec)
    optional = all(secret.optional for one in spec.authenticators for secret in one.secrets)
    if not names:
        return "needs none"
    return f"{names[0]} {'not set (optional)' if optional else 'not set'}"


def _print_detail(spec: ProviderSpec) -> None:
    summary = summarize(spec, os.environ)
    lines: list[tuple[str, str]] = [("provider", f"{summary['name']}: {summary['title']}")]
    if summary["aliases"]:
        lines.append(("also called", ", ".join(summary["aliases"])))
    lines.append(("file", summary["file"]))
    lines += [("base URL", url) for url in summary["base_url"]]
    lines += [("base URL from", _variable(one)) for one in summary["base_url_variables"]]
    for way in summary["auth"]:
        lines.append(("authentication", way["kind"] + (f" when {way['when']}" if "when" in way else "")))
        for secret in way["secrets"]:
            optional = ", optional" if secret["optional"] else ""
            lines += [(f"{secret['name']} from", _variable(one) + optional) for one in secret["variables"]]
            lines.append((f"{secret['name']} from", f"the argument {secret['argument']}"))
    for setting in summary["settings"]:
        default = f", by default {setting['default']}" if setting["default"] else ""
        need = "" if setting["optional"] else ", required"
        from_variables = "".join(f"; {_variable(one)}" for one in setting["variables"])
        lines.append(("setting", f"{setting['name']}: {setting['description']}{default}{need}{from_variables}"))
    lines += [("limit", f"{name.replace('_', ' ')}: {value:,}") for name, value in summary["limits"].items()]
    lines.append(("score", f"{summary['scale']}, {summary['mode']}"))
    for how, names in summary["parameters"].items():
        lines.append((how, ", ".join(names) or "-"))
    lines += [("model", _model(model)) for model in summary["models"]]
    lines += [("documentation", f"{page['url']} (read {page['read']})") for page in summary["documentation"]]
    width = max(len(label) for label, _ in lines)
    previous = ""
    for label, text in lines:
        click.echo(f"{'' if label == previous else label:<{width}}  {text}")
        previous = label


def _variable(variable: dict[str, Any]) -> str:
    return f"{variable['name']} ({'set' if variable['is_set'] else 'not set'})"


def _model(model: dict[str, Any]) -> str:
    parts = [model["id"]]
    if model["aliases"]:
        parts.append(f"also {', '.join(model['aliases'])}")
    if model["price"]:
        parts.append(f"{price_text(model['price'])}, read {model['price']['read']}")
    return "; ".join(parts)
