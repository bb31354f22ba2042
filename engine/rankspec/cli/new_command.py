"""`rankspec new`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from rankspec.catalog import Catalog, shipped_alias
from rankspec.checks import check_text
from rankspec.cli.writing import write_file
from rankspec.drafting import Draft, DraftFailed, draft_from_curl, minimal_draft
from rankspec.resources import shipped_specs

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@click.command()
@click.argument("name")
@click.option("--from-curl", metavar="FILE|-", help="A curl line of a request that works.")
@click.option("--reply", metavar="FILE|-", help="The reply that this request got.")
@click.option("--extends", metavar="PROVIDER", help="Say only what differs from this provider's spec.")
@click.option("--output", metavar="FILE|-", help="Where to write it; NAME.yaml by default.")
@click.option("--force", is_flag=True, help="Replace the file if it is there already.")
@click.pass_context
def new(
    ctx: click.Context,
    /,
    name: str,
    from_curl: str | None,
    reply: str | None,
    extends: str | None,
    output: str | None,
    force: bool,
) -> None:
    """Write a spec for the provider NAME: from a curl line, from another provider's spec, or to be filled in.

    A key in the curl line is written nowhere: the spec names an environment variable in its place. What had to be
    guessed is marked in the file and told, and so is what is left to do.
    """
    _check_usage(name, from_curl, reply, extends)
    target = None if output == "-" else Path(output or f"{name}.yaml")
    if target is not None and target.exists() and not force:
        if output is None:
            raise click.UsageError(f"{target} is there already; pass --force or --output")
        raise click.BadParameter(f"{target} is there already; pass --force to replace it", param_hint="--output")
    catalog = Catalog()
    draft = _draft(name, from_curl, reply, extends, catalog)
    if target is None:
        click.echo(draft.text, nl=False)
    else:
        write_file(target, draft.text.encode())
    label = f"{name}.yaml" if target is None else str(target)
    checked = check_text(draft.text, label, catalog.parent_data)
    _tell(label, draft, [str(finding) for finding in checked.findings], is_written=target is not None)
    if target is not None and target.name != f"{name}.yaml":
        click.echo(f"The spec is found only in a file called {name}.yaml.", err=True)
    ctx.exit(1 if checked.has_failed() else 0)


def _check_usage(name: str, from_curl: str | None, reply: str | None, extends: str | None) -> None:
    spelt = name.replace("-", "_")
    if spelt in shipped_specs():
        raise click.BadParameter(f"{name!r} is the name of a shipped spec; choose another", param_hint="NAME")
    if (owner := shipped_alias(spelt)) is not None:
        message = f"{name!r} is another name of the shipped spec {owner!r}; choose another"
        raise click.BadParameter(message, param_hint="NAME")
    if not _NAME.fullmatch(name):
        message = f"{name!r} is no name of a spec: it begins with a-z and goes on with a-z, 0-9 and _"
        raise click.BadParameter(message, param_hint="NAME")
    if from_curl is not None and extends is not None:
        raise click.UsageError("--from-curl and --extends are two ways to begin: give one of them")
    if reply is not None and from_curl is None:
        raise click.UsageError("--reply is the reply to a request: give that with --from-curl")
    if reply == from_curl == "-":
        raise click.UsageError("standard input cannot be both the curl line and the reply")


def _draft(name: str, from_curl: str | None, reply: str | None, extends: str | None, catalog: Catalog) -> Draft:
    if from_curl is None:
        return minimal_draft(name, extends, None if extends is None else catalog.parent_data(extends))
    folder = Path() if from_curl == "-" else Path(from_curl).parent
    curl_text = _read(from_curl, "--from-curl")
    reply_text = None if reply is None else _read(reply, "--reply")
    try:
        return draft_from_curl(name, curl_text, reply_text, lambda file: (folder / file).read_text("utf-8-sig"))
    except DraftFailed as error:
        raise click.UsageError(str(error)) from None


def _read(file: str, option: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise click.BadParameter(f"{file} cannot be read: {error.strerror}", param_hint=option) from None
    except UnicodeDecodeError as error:
        message = f"{file} is not UTF-8: byte {error.start} cannot be read"
        raise click.BadParameter(message, param_hint=option) from None


def _tell(label: str, draft: Draft, findings: list[str], *, is_written: bool) -> None:
    click.echo(f"{label}: written" if is_written else f"{label}: drafted", err=True)
    for title, lines in (
        ("Noticed", draft.notes),
        ("Guessed, and marked in the file", draft.guesses),
        ("Found by check", findings),
        ("Left to do", draft.remaining),
    ):
        if lines:
            click.echo(f"{title}:", err=True)
            for line in lines:
                click.echo(f"  - {line}", err=True)
