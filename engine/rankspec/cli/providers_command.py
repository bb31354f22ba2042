"""`rankspec providers`."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from rankspec.catalog import Catalog
from rankspec.cli.options import SPEC_OPTIONS, with_options
from rankspec.errors import RankspecError, SpecInvalid
from rankspec.specs import ProviderSpec
from rankspec.summary import key_variables, limits_text, price_text, summarize

if TYPE_CHECKING:
    from rankspec.matching import Match


class _Providers(click.Command):
    """Tells the words of --match below the options."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from rankspec.matching import help_text

        with formatter.section("Conditions of --match (joined by commas, all must hold for the same model)"):
            formatter.write_dl(help_text())


@click.command(cls=_Providers)
@click.argument("name", required=False)
@with_options(*SPEC_OPTIONS)
@click.option("--match", "wanted", metavar="CONDITIONS",
              help="Only those that meet all of these: 'objects, documents>500'.")  # fmt: skip
@click.option("--output", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True,
              help="Text for people, everything for machines, or the page of a document.")  # fmt: skip
@click.pass_context
def providers(
    ctx: click.Context, name: str | None, specs: tuple[str, ...], override: bool, wanted: str | None, output: str
) -> None:
    """List the providers, or show one in detail: settings, key variables and whether they are set, limits, scores."""
    ctx.obj["output"] = output
    catalog = Catalog(specs, override=override)
    if name is not None:
        if wanted is not None:
            raise click.BadParameter("looks through all providers: leave the name out", param_hint="--match")
        _show_one(catalog.load(name), output)
        return
    listed = list(catalog.listed())
    loaded = [one for one in listed if isinstance(one, ProviderSpec)]
    broken = [one for one in listed if isinstance(one, RankspecError)]
    matches = None if wanted is None else _matches(loaded, wanted)
    _show_all(loaded, matches, output)
    if matches == [] and wanted is not None and output == "text":
        click.echo(f"rankspec: {_none(loaded, wanted)}", err=True)
    for failure in broken:
        click.echo(f"rankspec: {failure}", err=True)
    if broken:
        ctx.exit(1 if any(isinstance(failure, SpecInvalid) for failure in broken) else 2)


def _matches(specs: Sequence[ProviderSpec], wanted: str) -> list[Match]:
    from rankspec.matching import MatchInvalid, matching

    try:
        return matching(specs, wanted, os.environ)
    except MatchInvalid as error:
        message = f"{error} (rankspec providers --help has every condition)"
        raise click.BadParameter(message, param_hint="--match") from None


def _none(specs: Sequence[ProviderSpec], wanted: str) -> str:
    """That nothing matches, and which conditions are in the way."""
    from rankspec.matching import nearest_matches

    near = [f"without '{one}' {count}" for one, count in nearest_matches(specs, wanted, os.environ).items()]
    return f"no provider matches all of it{'; ' if near else ''}{', '.join(near)}"


def _show_one(spec: ProviderSpec, output: str) -> None:
    if output == "json":
        click.echo(json.dumps(summarize(spec, os.environ), ensure_ascii=False, indent=2))
    elif output == "markdown":
        from rankspec.catalog_page import section

        click.echo(section(spec))
    else:
        _print_detail(spec)


def _show_all(specs: list[ProviderSpec], matches: list[Match] | None, output: str) -> None:
    if output == "json":
        told = [summarize(spec, os.environ) for spec in specs] if matches is None else list(map(_told, matches))
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
    elif output == "markdown":
        from rankspec.catalog_page import catalog_table, dialect_table, sections

        chosen = specs if matches is None else [match.spec for match in matches]
        click.echo("\n\n".join((catalog_table(specs, matches), dialect_table(chosen), sections(chosen))))
    elif matches != []:
        _print_list(specs, matches)


def _told(match: Match) -> dict[str, Any]:
    """A provider and the models that match; others: those that its spec does not list match, too."""
    found = {"models": list(match.models), "others": match.is_any}
    return {**summarize(match.spec, os.environ), "match": found}


_HEADINGS = ("provider", "key", "settings", "documents", "score", "mode")
_WIDTH_OF_A_FILE = 160
_NARROWEST = 12


def _print_list(specs: list[ProviderSpec], matches: list[Match] | None) -> None:
    rows = [_HEADINGS, *map(_row, specs)]
    if matches is not None:
        rows = [(*_HEADINGS, "models"), *((*_row(match.spec), match.text) for match in matches)]
    is_terminal = sys.stdout.isatty()
    widths = _widths(rows, shutil.get_terminal_size().columns if is_terminal else _WIDTH_OF_A_FILE)
    for at, row in enumerate(rows):
        cells = [textwrap.wrap(cell, width) or [""] for cell, width in zip(row, widths, strict=True)]
        for line in range(max(map(len, cells))):
            parts = [cell[line] if line < len(cell) else "" for cell in cells]
            text = "  ".join(part.ljust(width) for part, width in zip(parts, widths, strict=True))
            click.secho(text, bold=is_terminal and at == 0)


def _widths(rows: Sequence[tuple[str, ...]], most: int) -> list[int]:
    """The columns' widths; where they are too wide together, the widest but the first gives way."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    while sum(widths) + 2 * (len(widths) - 1) > most and max(widths[1:]) > _NARROWEST:
        widths[widths.index(max(widths[1:]), 1)] -= 1
    return widths


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
    lines.append(("dialect", summary["dialect"]))
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
    lines += [("limit", limits_text({name: value})) for name, value in summary["limits"].items()]
    lines.append(("score", f"{summary['scale']}, {summary['mode']}{_transform(summary)}"))
    for how in ("native", "emulated", "unsupported"):
        lines.append((how, ", ".join(name for name, own in summary["support"].items() if own == how) or "-"))
    lines += [("model", _model(summary, model)) for model in summary["models"]]
    lines += [("documentation", f"{page['url']} (read {page['read']})") for page in summary["documentation"]]
    lines.append(("verified", f"{summary['verified'] or 'never'}, {summary['confidence'] or 'confidence unknown'}"))
    width = max(len(label) for label, _ in lines)
    previous = ""
    for label, text in lines:
        click.echo(f"{'' if label == previous else label:<{width}}  {text}")
        previous = label


def _variable(variable: dict[str, Any]) -> str:
    return f"{variable['name']} ({'set' if variable['is_set'] else 'not set'})"


def _transform(told: dict[str, Any]) -> str:
    return "" if told["transform"] == "none" else f", {told['transform']} of the provider's"


def _model(summary: dict[str, Any], model: dict[str, Any]) -> str:
    parts = [model["id"]]
    if model["aliases"]:
        parts.append(f"also {', '.join(model['aliases'])}")
    limits = {name: value for name, value in model["limits"].items() if value != summary["limits"].get(name)}
    if limits:
        parts.append(limits_text(limits))
    parts += [model[name] for name in ("scale", "mode") if model[name] != summary[name]]
    found = summary["differences"].get(model["id"], {})
    parts += [f"transform {found['transform']}"] if "transform" in found else []
    parts += [f"{name} {how}" for name, how in found.get("support", {}).items()]
    if model["price"]:
        parts.append(f"{price_text(model['price'])}, read {model['price']['read']}")
    return "; ".join(parts)
