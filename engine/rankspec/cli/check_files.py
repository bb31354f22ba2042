"""Which files `rankspec check` is to check, where specs' parents are, and the check of all of them."""

from __future__ import annotations

import glob
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from rankspec.catalog import Catalog, Source, shipped_alias, unreadable
from rankspec.checks import Checked, check_text
from rankspec.checks.rules.literals import sent_secrets
from rankspec.disclosure import hide, secrets_of, without_secrets
from rankspec.errors import SpecInvalid, did_you_mean
from rankspec.migrations import current
from rankspec.models import Finding
from rankspec.resources import shipped_specs
from rankspec.specs import merged_data
from rankspec.strict_yaml import YamlFile, read_yaml

DEFAULT_FOLDER = "provider_specs"
STDIN = "-"
STDIN_LABEL = "<stdin>"

_PROVIDER = re.compile(r"^provider\s*:", re.MULTILINE)
"""A key that every spec has, and no gateway's config."""

_NAME = re.compile("[a-z][a-z0-9_]*")

Stamp = tuple[int, int, int] | None
"""What tells one state of a file from another; None for a file that is not there."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks to check.

    Attributes:
        inputs: files, folders, globs, names of specs, or "-"; none at all means ./provider_specs.
        specs: folders and files where parents are looked for, before the shipped specs.
        stdin_name: the file's name for what comes from standard input.
        tries: `seed` and `cases` of the generated requests, where they are given.
    """

    inputs: tuple[str, ...] = ()
    specs: tuple[str, ...] = ()
    stdin_name: str | None = None
    tries: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Run:
    """One check of everything wanted: its outcome, and what it depends on.

    Attributes:
        wanted: what is checked.
        known: the specs that may be asked for by name.
        sources: the files that are meant; None for standard input. Without any, nothing could be checked.
        checked: one for each source.
        texts: what files hold that findings may be about and that are not checked, with secrets covered.
        stamps: the state that each file had which the outcome depends on.
    """

    wanted: Wanted
    known: Mapping[str, Source] = field(default_factory=dict)
    sources: list[Source | None] = field(default_factory=list)
    checked: list[Checked] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    stamps: dict[Path, Stamp] = field(default_factory=dict)

    def is_outdated(self) -> bool:
        """Whether a file has changed since, or is new, or is gone."""
        if any(stamp(path) != before for path, before in self.stamps.items()):
            return True
        try:
            return list(find_sources(self.wanted, self.known)) != self.sources
        except click.UsageError:
            return bool(self.sources)


def stamp(path: Path) -> Stamp:
    """The file's state now."""
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size, state.st_ino


def check_all(wanted: Wanted) -> Run:
    """Everything wanted, checked in order.

    Raises:
        click.UsageError: an input is not there.
        SpecInvalid: a folder of specs that the environment names is not there.
    """
    catalog = Catalog(wanted.specs)
    run = Run(wanted, {source.name: source for source in catalog.sources})
    run.stamps.update({file: stamp(file) for file in _files_of(catalog, wanted.specs)})
    run.sources += find_sources(wanted, run.known)
    for one in run.sources:
        run.checked.append(_check_stdin(catalog, run) if one is None else _check_source(one, catalog, run))
    _add_texts(run, catalog)
    return run


def _files_of(catalog: Catalog, specs: Iterable[str]) -> Iterator[Path]:
    yield from (source.file for source in catalog.sources if isinstance(source.file, Path))
    yield from map(Path, specs)  # A folder's own state tells that a file is new.


def find_sources(wanted: Wanted, known: Mapping[str, Source]) -> Iterator[Source | None]:
    """The spec files meant, each once; None stands for standard input.

    Args:
        known: the specs that may be asked for by name.

    Raises:
        click.UsageError: an input is not there.
    """
    inputs = wanted.inputs
    if not inputs:
        if not Path(DEFAULT_FOLDER).is_dir():
            raise click.UsageError(f"say what to check: a file, a folder or a glob; there is no ./{DEFAULT_FOLDER}")
        inputs = (DEFAULT_FOLDER,)
    seen: set[object] = set()
    for one in inputs:
        for source in [None] if one == STDIN else _expand(one, known):
            key = source if source is None or not isinstance(source.file, Path) else source.file.resolve()
            if key not in seen:
                seen.add(key)
                yield source


def _expand(one: str, known: Mapping[str, Source]) -> list[Source]:
    path = Path(one)
    try:
        is_folder, is_there = path.is_dir(), path.exists()
    except OSError as error:  # The name is too long, or leads through a folder that may not be read.
        raise click.UsageError(f"'{one}' cannot be read: {error.strerror}") from None
    if is_folder:
        found = list(_specs_in(path))
    elif is_there:
        found = [path]
    elif glob.has_magic(one):
        # Path.glob takes no absolute pattern, and finds hidden files.
        matches = map(Path, sorted(glob.glob(one, recursive=True)))  # noqa: PTH207
        found = [file for match in matches for file in (_specs_in(match) if match.is_dir() else [match])]
        found = [file for file in found if file.suffix == ".yaml"]
    elif one in known:
        return [known[one]]
    else:
        hint = "" if path.name != one or path.suffix else f", and no spec of that name{did_you_mean(one, known)}"
        raise click.UsageError(f"there is no file or folder '{one}'{hint}")
    if not found:
        raise click.UsageError(f"there is no .yaml file in '{one}'")
    return [Source(file.stem, file, is_shipped=False) for file in found]


def _specs_in(folder: Path) -> Iterator[Path]:
    """The folder's spec files and those of folders in it, in order; without hidden ones and installed packages."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_passed_over(Path(place, name)))
        yield from (Path(place, name) for name in sorted(files) if name.endswith(".yaml") and name[0] != ".")


def _is_passed_over(folder: Path) -> bool:
    return folder.name.startswith((".", "__")) or folder.name == "node_modules" or (folder / "pyvenv.cfg").exists()


def _check_source(source: Source, catalog: Catalog, run: Run) -> Checked:
    folder = None
    if isinstance(source.file, Path):
        run.stamps[source.file] = stamp(source.file)
        folder = source.file.parent
    try:
        text = source.read()
    except SpecInvalid as error:
        return Checked(source.label, "", error.findings)
    # A pipe, such as a shell's <(command), has no name of its own.
    name = source.file.name if source.file.is_file() else None
    return _check(text, source.label, name, Parents(catalog, folder, run), run.wanted)


def _check_stdin(catalog: Catalog, run: Run) -> Checked:
    stdin_name = run.wanted.stdin_name
    label = stdin_name or STDIN_LABEL
    try:
        text = sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return Checked(label, "", unreadable(label, error).findings)
    file = Path(stdin_name) if stdin_name else None
    parents = Parents(catalog, file.parent if file else None, run)
    return _check(text, label, file.name if file else None, parents, run.wanted)


def _check(text: str, label: str, name: str | None, parents: Parents, wanted: Wanted) -> Checked:
    if not _PROVIDER.search(text):
        # What a gateway's config needs is imported for files alone that may be one.
        from rankspec.gateway.config import looks_like_config
        from rankspec.gateway.config.checking import check_config

        if looks_like_config(text):
            return check_config(text, label, os.environ, wanted.specs)
    checked = check_text(text, label, parents, **wanted.tries)
    misnamed = [] if name is None or checked.read is None else list(_misnamed(checked.read, name))
    findings = sorted([*checked.findings, *misnamed], key=lambda finding: (finding.line, finding.column))
    return replace(checked, findings=tuple(findings))


def _misnamed(read: YamlFile, name: str) -> Iterator[Finding]:
    """What is wrong with the file's name: it is not the provider's, or that of another one."""
    provider = read.data.get("provider") if isinstance(read.data, dict) else None
    stem = name.removesuffix(".yaml")
    if isinstance(provider, str) and provider != stem:
        message = f"the provider is '{provider}' but the file is called {name}; make them the same"
        suggestion = stem if _NAME.fullmatch(stem) else None
        finding = read.finding("spec-name", ("provider",), message, suggestion=suggestion)
        yield without_secrets(finding, secrets_of(read.text))
    owner = shipped_alias(stem)
    if owner is not None:
        message = f"'{stem}' is another name of the shipped spec '{owner}'; give the provider a name of its own"
        yield read.finding("spec-shadows", ("provider",), message)
    aliases = read.data.get("aliases") if isinstance(read.data, dict) else None
    for position, alias in enumerate(aliases if isinstance(aliases, list) else ()):
        plain = str(alias).replace("-", "_")
        owner = plain if plain in shipped_specs() else shipped_alias(plain)
        if owner not in (None, stem):
            message = f"'{alias}' already means the shipped spec '{owner}': this alias is never reached"
            yield read.finding("spec-shadows", ("aliases", position), message)


class Parents:
    """Gives the data of the spec that another extends: from a file beside it, else from the catalog.

    Args:
        folder: where the spec's file lies; None if it lies nowhere.
        run: takes the texts and states of the files that are read, or would be if they were there.
    """

    def __init__(self, catalog: Catalog, folder: Path | None, run: Run) -> None:
        self._catalog = catalog
        self._folder = folder
        self._run = run

    def __call__(self, name: str, below: tuple[str, ...] = ()) -> Mapping[str, Any]:
        """As `Catalog.parent_data`.

        Raises:
            SpecNotFound: there is none. SpecInvalid: it does not read, or extends itself.
        """
        file = None if self._folder is None else self._folder / f"{name}.yaml"
        if file is not None:
            self._run.stamps.setdefault(file, stamp(file))
        if file is None or not file.is_file():
            return self._catalog.parent_data(name, below)
        source = Source(name, file, is_shipped=False)
        text = source.read()
        read = current(read_yaml(text, source.label))
        self._run.texts[source.label] = hide(text, secrets_of(text) | sent_secrets(read.data))
        if name in below:
            message = f"the specs extend each other in a circle: {' -> '.join((*below, name))}"
            raise SpecInvalid([read.finding("extends-cycle", ("extends",), message)])
        if read.findings:
            raise SpecInvalid(read.findings)
        return merged_data(read, lambda parent: self(parent, (*below, name)))


def _add_texts(run: Run, catalog: Catalog) -> None:
    """The texts of the catalog's files that findings are about."""
    wanted = {finding.file for checked in run.checked for finding in checked.findings} - run.texts.keys()
    for source in catalog.sources:
        if source.label in wanted:
            with suppress(SpecInvalid):  # That it cannot be read is the finding.
                text = source.read()
                data = read_yaml(text, source.label).data
                run.texts[source.label] = hide(text, secrets_of(text) | sent_secrets(data))
