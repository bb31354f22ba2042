"""`rankspec migrate`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from rankspec.catalog import unreadable
from rankspec.cli.writing import write_file
from rankspec.disclosure import secrets_of, without_secrets
from rankspec.errors import SpecInvalid
from rankspec.migrations import CURRENT_VERSION, migrated
from rankspec.strict_yaml import read_yaml

_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class _Migrated:
    """One file's new text, and what was changed in it."""

    file: Path
    text: str
    notes: tuple[str, ...]


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 if a file would change.")
@click.option("--output", type=click.Choice(["-"]), metavar="-",
              help="Print the one file's new text, and leave the file as it is.")  # fmt: skip
@click.pass_context
def migrate(ctx: click.Context, /, files: tuple[Path, ...], check: bool, output: str | None) -> None:
    """Bring spec files to the current version of the spec language, in place.

    Comments, order, quotes and line ends stay as they are.
    """
    if output is not None and (check or len(files) > 1):
        raise click.UsageError("--output prints one file's text: give one FILE, and no --check")
    failures = outdated = 0
    for file in files:
        try:
            read = _migrate(file)
        except SpecInvalid as error:
            click.echo(error.message, err=True)
            failures += 1
            continue
        outdated += bool(read.notes)
        if output is not None:
            click.echo(read.text, nl=False)
        elif read.notes and not check:
            write_file(file, read.text.encode())
        _tell(read, check=check, to_stderr=output is not None)
    ctx.exit(1 if failures or (check and outdated) else 0)


def _migrate(file: Path) -> _Migrated:
    name = str(file)
    try:
        text = file.read_bytes().decode()
    except (UnicodeDecodeError, OSError) as error:
        raise unreadable(name, error) from None
    mark = _BOM if text.startswith(_BOM) else ""
    read = read_yaml(text[len(mark) :], name)
    # What is wrong may stand in a log.
    read.findings = [without_secrets(finding, secrets_of(text)) for finding in read.findings]
    text, notes = migrated(read.text, read)
    return _Migrated(file, mark + text, notes)


def _tell(read: _Migrated, *, check: bool, to_stderr: bool) -> None:
    if not read.notes:
        click.echo(f"{read.file}: version {CURRENT_VERSION} already, unchanged", err=to_stderr)
        return
    done = "would be brought" if check else "brought"
    click.echo(f"{read.file}: {done} to version {CURRENT_VERSION}", err=to_stderr)
    for note in read.notes:
        click.echo(f"  {note}", err=to_stderr)
