"""`rankspec check`."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rankspec.errors import did_you_mean

if TYPE_CHECKING:
    from rankspec.cli.check_files import Run, Wanted
    from rankspec.reports import Report

OUTPUTS = ("text", "json", "github", "sarif", "junit")
ALL_CODES = "all"


@click.command()
@click.argument("inputs", nargs=-1, metavar="[PATH|GLOB|NAME|-]...")
@click.option(
    "--output",
    type=click.Choice(OUTPUTS),
    default="text",
    show_default=True,
    help="Text for people, or a form for machines.",
)
@click.option("--strict", is_flag=True, help="Let warnings count as errors.")
@click.option("--watch", is_flag=True, help="Check again when a file changes, until Ctrl-C.")
@click.option("--explain", metavar="CODE", help="Explain a finding's code, or list them all: --explain all.")
@click.option("--seed", type=click.IntRange(min=0), help="For the generated requests; 0 by default.")
@click.option(
    "--cases", type=click.IntRange(min=0), help="How many requests to generate for each spec; 200 by default."
)
@click.option(
    "--specs", multiple=True, type=click.Path(exists=True), help="A folder or file of specs to extend or use."
)
@click.option("--stdin-name", metavar="NAME.yaml", help="The file's name for what comes from standard input.")
@click.option("--live", is_flag=True, help="Also send one tiny real request, with the key from the environment.")
@click.option("--model", help="With --live: the model to ask; by default the first that the spec lists.")
@click.option("--api-base", help="With --live: the provider's base URL, in place of the spec's.")
@click.pass_context
def check(
    ctx: click.Context,
    /,
    inputs: tuple[str, ...],
    output: str,
    strict: bool,
    watch: bool,
    explain: str | None,
    specs: tuple[str, ...],
    stdin_name: str | None,
    live: bool,
    model: str | None,
    api_base: str | None,
    **tries: int | None,
) -> None:
    """Check provider specs without a network: their form, their facts, their examples, and generated requests.

    A gateway's config is checked too: its form, its models and their settings, its fallbacks, and that what it refers
    to is set here.

    Checks files, folders with all .yaml files in them, quoted globs, the names of shipped specs, and - for standard
    input; without any, the folder provider_specs. What a spec extends is found beside it, in --specs, and among the
    shipped specs.

    Exits with 0 if nothing is found, 1 if there is an error (with --strict also a warning), 2 for wrong usage.
    """
    ctx.obj["output"] = output
    if explain is not None:
        _echo(_explanation(explain, as_json=output == "json") + "\n")
        return
    from rankspec.cli.check_files import STDIN, Wanted

    wanted = Wanted(inputs, specs, stdin_name, {name: value for name, value in tries.items() if value is not None})
    if watch and STDIN in inputs:
        raise click.UsageError("standard input cannot be watched")
    if watch:
        ctx.exit(_watch(wanted, output, strict=strict))
    if live and (output != "text" or len(inputs) != 1 or STDIN in inputs):
        raise click.UsageError("--live takes one file or name, and prints text")
    outcome = _check(wanted, strict=strict)
    _tell(outcome, output)
    has_failed = outcome.report.has_failed
    if live and not has_failed:
        has_failed = _call_live(outcome.run, specs, model, api_base)
    ctx.exit(int(has_failed))


def _call_live(run: Run, specs: tuple[str, ...], model: str | None, api_base: str | None) -> bool:
    """Call the provider, tell what came of it, and say whether it contradicts the spec."""
    from rankspec.cli.check_live import call_live, live_text

    if len(run.sources) != 1 or (source := run.sources[0]) is None or not isinstance(source.file, Path):
        raise click.UsageError("--live takes one file")
    report = call_live(source.file, specs, model, api_base)
    _echo(live_text(report) + "\n")
    return bool(report.problems)


@dataclass(frozen=True)
class _Outcome:
    run: Run
    report: Report
    seconds: float


def _check(wanted: Wanted, *, strict: bool) -> _Outcome:
    from rankspec.checks.pages import PAGES
    from rankspec.cli.check_files import check_all
    from rankspec.reports import Report

    started = time.monotonic()
    run = check_all(wanted)
    return _Outcome(run, Report(run.checked, PAGES, run.texts, strict), time.monotonic() - started)


def _tell(outcome: _Outcome, output: str) -> None:
    from rankspec.reports import summary_line

    _echo(_writer(output)(outcome.report))
    click.echo(f"rankspec: {summary_line(outcome.report, outcome.seconds)}", err=True)


def _writer(output: str) -> Callable[[Report], str]:
    from rankspec import reports

    def as_text(report: Report) -> str:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else reports.PLAIN_WIDTH
        return reports.as_text(report, width=width, colour=_has_colour())

    writers: dict[str, Callable[[Report], str]] = {
        "text": as_text,
        "json": reports.as_json,
        "github": reports.as_github,
        "sarif": reports.as_sarif,
        "junit": reports.as_junit,
    }
    return writers[output]


def _watch(wanted: Wanted, output: str, *, strict: bool) -> int:
    """The exit code of the last check before Ctrl-C."""
    from rankspec.cli.check_files import Run
    from rankspec.cli.check_watch import watch

    last: Run | None = None
    exit_code = 1

    def check_again() -> None:
        nonlocal last, exit_code
        click.clear()  # Does nothing where there is no terminal.
        click.echo(f"rankspec: {time.strftime('%H:%M:%S')}; Ctrl-C ends", err=True)
        try:
            outcome = _check(wanted, strict=strict)
        except click.UsageError as error:
            if last is None:
                raise
            # A file may be away for a moment while an editor saves it.
            last, exit_code = Run(wanted, last.known), 1
            click.echo(f"rankspec: {error.message}", err=True)
        else:
            last, exit_code = outcome.run, int(outcome.report.has_failed)
            _tell(outcome, output)

    watch(check_again, lambda: last is not None and last.is_outdated())
    return exit_code


def _echo(text: str) -> None:
    """Print to standard output, in a form that its encoding can carry."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    click.echo(text.encode(encoding, "backslashreplace").decode(encoding), nl=False, color=_has_colour())


def _has_colour() -> bool:
    """Whether standard output takes colours: see no-color.org and force-color.org."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (sys.stdout.isatty() and os.environ.get("TERM") != "dumb")


def _explanation(code: str, *, as_json: bool) -> str:
    from rankspec.checks.pages import PAGES, explained, listed

    if code == ALL_CODES:
        told: Any = {name: asdict(page) for name, page in sorted(PAGES.items())}
        return json.dumps(told, indent=2) if as_json else listed()
    if code not in PAGES:
        hint = did_you_mean(code, PAGES) or f"; known are {', '.join(sorted(PAGES))}"
        raise click.BadParameter(f"no finding has the code '{code}'{hint}", param_hint="--explain")
    return json.dumps({"code": code, **asdict(PAGES[code])}, indent=2) if as_json else explained(code)
