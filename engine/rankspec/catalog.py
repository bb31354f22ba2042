"""The specs that can be called: the shipped ones and the user's own. Loads one only when it is asked for."""

from __future__ import annotations

import os
import re
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rankspec.errors import RankspecError, SpecInvalid, SpecNotFound, did_you_mean, nearest
from rankspec.migrations import current
from rankspec.models import Finding
from rankspec.resources import data_folder, shipped_specs
from rankspec.specs import ProviderSpec, load_spec, merged_data, without_examples
from rankspec.strict_yaml import read_yaml

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

SPECS_VARIABLE = "RANKSPEC_SPECS"
"""The environment variable that names folders or files of specs, separated as PATH is."""


_ALIASES = re.compile(r"^aliases: \[([^\]]*)\]", re.MULTILINE)


class SpecOverridden(UserWarning):
    """A shipped spec is replaced by one of the user's, as asked."""


def unreadable(label: str, error: UnicodeDecodeError | OSError) -> SpecInvalid:
    """The error for a spec file that cannot be read, or is not UTF-8."""
    if isinstance(error, OSError):
        message = f"cannot be read: {error.strerror}"
    else:
        message = f"is not UTF-8: byte {error.start} cannot be read; save the file as UTF-8"
    return SpecInvalid([Finding("error", "yaml-unreadable", label, 1, 1, (), message)])


class Source(NamedTuple):
    """One spec file. `overrides` is true if it replaces a shipped one."""

    name: str
    file: Traversable
    is_shipped: bool
    overrides: bool = False

    @property
    def label(self) -> str:
        """The file as people know it."""
        return f"provider_specs/{self.file.name}" if self.is_shipped else str(self.file)

    def read(self) -> str:
        """The file's text.

        Raises:
            SpecInvalid: it cannot be read, or is not UTF-8.
        """
        try:
            return self.file.read_text("utf-8-sig")
        except (UnicodeDecodeError, OSError) as error:
            raise unreadable(self.label, error) from None


class Catalog:
    """Specs by name, from the shipped files and the user's folders.

    Args:
        specs: more folders or files, searched before all others.
        override: let a user's spec replace a shipped one of the same name; a `SpecOverridden` warning says so.
        environ: the environment to look in; by default the process's own.

    Raises:
        SpecInvalid: a named file or folder is not there, or a spec takes a shipped name without `override`.
    """

    def __init__(
        self,
        specs: Iterable[str | os.PathLike[str]] = (),
        *,
        override: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._sources = {name: Source(name, file, True) for name, file in shipped_specs().items()}
        self._clashes: dict[str, Source] = {}
        self._loaded: dict[str, ProviderSpec] = {}
        self._data: dict[str, Mapping[str, Any]] = {}
        self._index: tuple[dict[str, str], dict[str, list[str]]] | None = None
        self._lock = threading.RLock()
        self._specs = tuple(specs)
        self._override = override
        self._environ = os.environ if environ is None else environ
        self._taken: set[str] = set()
        self._scan()

    def _scan(self) -> bool:
        """Take in the user's spec files that are new, and say whether there are any."""
        known = len(self._taken)
        for file in _user_files(self._specs, self._environ):
            name = file.name.removesuffix(".yaml")
            if name not in self._taken:
                self._taken.add(name)
                self._index = None
                self._add(name, file, override=self._override)
        return len(self._taken) > known

    def _add(self, name: str, file: Path, *, override: bool) -> None:
        shipped = self._sources.get(name)
        if shipped is None:
            self._sources[name] = Source(name, file, False)
        elif _are_equal(file, shipped.file):
            return  # A checkout's own folder, or a copy of a shipped file.
        elif override:
            warnings.warn(f"the shipped spec '{name}' is replaced by {file}", SpecOverridden, stacklevel=3)
            self._sources[name] = Source(name, file, False, overrides=True)
        else:
            self._clashes[name] = Source(name, file, False)

    @property
    def sources(self) -> list[Source]:
        """Every spec file, by name."""
        return [self._sources[name] for name in sorted(self._sources)]

    def load(self, name: str) -> ProviderSpec:
        """The spec of that name or alias.

        Raises:
            SpecNotFound: no spec has it.
            SpecInvalid: the file does not load, or takes a shipped spec's name without leave.
        """
        spec = self._loaded.get(name)
        if spec is not None:
            return spec
        known = self._name(name)
        if known is None:
            names = sorted(self._sources)
            raise SpecNotFound(
                f"no provider is called '{name}'{did_you_mean(name, names)}; known are {', '.join(names)}",
                name=name,
                known=names,
                nearest=nearest(name, names),
            )
        with self._lock:
            if known not in self._loaded:
                self._loaded[known] = self._load(known)
            return self._loaded[known]

    def listed(self) -> Iterator[ProviderSpec | RankspecError]:
        """Every spec by name, or why it does not load. What is wrong in its examples is for `check` to say."""
        for source in self.sources:
            try:
                yield self._loaded.get(source.name) or self._load(source.name, examples_later=True)
            except RankspecError as error:
                yield error

    def _load(self, name: str, *, examples_later: bool = False) -> ProviderSpec:
        clash = self._clashes.get(name)
        if clash is not None:
            message = f"'{name}' is the name of a shipped spec; give the file another name, or ask for the override"
            raise SpecInvalid([Finding("error", "spec-shadows", clash.label, 1, 1, (), message)])
        source = self._sources[name]
        owner = None if source.is_shipped or self._override else shipped_alias(name)
        if owner is not None:
            message = f"'{name}' is another name of the shipped spec '{owner}'; give the file a name of its own"
            raise SpecInvalid([Finding("error", "spec-shadows", source.label, 1, 1, (), message)])
        text = source.read()
        # What is shipped has been checked with its examples.
        later = examples_later or source.is_shipped
        spec = load_spec(text, source.label, self.parent_data, examples_later=later)
        if spec.name != name:
            message = f"the provider is '{spec.name}' but the file is called {source.file.name}; make them the same"
            raise SpecInvalid([read_yaml(text, source.label).finding("spec-name", ("provider",), message)])
        return spec

    def parent_data(self, name: str, below: tuple[str, ...] = ()) -> Mapping[str, Any]:
        """The data of the spec of that name, its own parents' laid under it: what another spec extends.

        Raises:
            SpecNotFound: there is none. SpecInvalid: it does not read, or extends itself.
        """
        if name not in self._sources:
            raise SpecNotFound(
                f"no spec is called '{name}'{did_you_mean(name, self._sources)}",
                name=name,
                known=sorted(self._sources),
                nearest=nearest(name, self._sources),
            )
        source = self._sources[name]
        if name in below:
            message = f"the specs extend each other in a circle: {' -> '.join((*below, name))}"
            raise SpecInvalid([read_yaml(source.read(), source.label).finding("extends-cycle", ("extends",), message)])
        if name not in self._data:
            text = source.read()
            read = current(read_yaml(without_examples(text) if source.is_shipped else text, source.label))
            if read.findings:
                raise SpecInvalid(read.findings)
            self._data[name] = merged_data(read, lambda parent: self.parent_data(parent, (*below, name)))
        return self._data[name]

    def resolve(self, model: str, provider: str | None = None) -> tuple[ProviderSpec, str | None]:
        """The spec and the model's id for what a user wrote.

        Args:
            model: "provider/model", a provider alone, or an id that exactly one spec knows.
            provider: the provider's name, if it is given apart; `model` may then still begin with it.

        Raises:
            SpecNotFound: nothing, or more than one thing, is meant.
            SpecInvalid: the spec does not load.
        """
        head, slash, rest = model.partition("/")
        if provider is not None:
            spec = self.load(provider)
            named = bool(slash) and self._name(head) == spec.name
            return spec, (rest if named else model) or None
        if self._name(head) is not None:
            return self.load(head), rest or None
        owners = self._models().get(model, [])
        if len(owners) == 1:
            return self.load(owners[0]), model
        if owners:
            forms = " or ".join(f"{owner}/{model}" for owner in owners)
            raise SpecNotFound(f"several providers have the model '{model}': write {forms}", name=model, known=owners)
        names = sorted(self._sources)
        meant = nearest(head, names)
        hint = f"; did you mean '{meant}{slash}{rest}'?" if meant else "."
        raise SpecNotFound(
            f"no provider is called '{head}', and no spec lists the model '{model}'{hint} "
            f"Write provider/model, with a provider out of {', '.join(names)}",
            name=model,
            known=names,
            nearest=meant,
        )

    def _name(self, name: str) -> str | None:
        """The spec's own name for a name or alias in any spelling."""
        if name in self._sources:
            return name
        plain = name.lower().replace("-", "_")
        if plain in self._sources:
            return plain
        found = self._aliases().get(plain)
        if found is None:
            with self._lock:
                # A file that was dropped in since is a provider at once.
                return self._name(name) if self._scan() else None
        return found

    def _aliases(self) -> dict[str, str]:
        return self._indexes()[0]

    def _models(self) -> dict[str, list[str]]:
        return self._indexes()[1]

    def _indexes(self) -> tuple[dict[str, str], dict[str, list[str]]]:
        """Names by alias, and names by model id. A file that does not even read is left out: it fails when called."""
        with self._lock:
            if self._index is None:
                aliases: dict[str, str] = {}
                models: dict[str, list[str]] = {}
                for source, data in self._headers():
                    for alias in _texts(data.get("aliases")):
                        aliases.setdefault(alias.replace("-", "_"), source.name)
                    for model, own in (data.get("models") or {}).items():
                        for one in (model, *_texts(own.get("aliases") if isinstance(own, dict) else None)):
                            if not one.endswith("*"):
                                models.setdefault(one, []).append(source.name)
                self._index = aliases, models
            return self._index

    def _headers(self) -> Iterator[tuple[Source, dict[str, Any]]]:
        # The shipped ones first: no file that is dropped in takes an alias from them.
        for source in sorted(self.sources, key=lambda source: not source.is_shipped):
            try:
                read = read_yaml(without_examples(source.read()), source.label)
            except RankspecError:
                continue
            if isinstance(read.data, dict) and isinstance(read.data.get("models", {}), dict | None):
                yield source, read.data


@cache
def _shipped_aliases() -> dict[str, str]:
    """The shipped specs' other names. Their lines are looked for and not the files read: there are many."""
    return {
        alias.strip().replace("-", "_"): name
        for name, file in shipped_specs().items()
        if (found := _ALIASES.search(file.read_text("utf-8")))
        for alias in found.group(1).split(",")
    }


def shipped_alias(name: str) -> str | None:
    """The shipped spec that users may call by this other name, or None."""
    return _shipped_aliases().get(name)


def _are_equal(file: Path, other: Traversable) -> bool:
    try:
        return file.read_bytes() == other.read_bytes()
    except OSError:
        return False  # A folder, or a link to nowhere: the same error as for any other name, when it is called.


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _user_files(specs: Iterable[str | os.PathLike[str]], environ: Mapping[str, str]) -> Iterator[Path]:
    """Spec files outside the package: those named first, then the environment's, the working and config folders'."""
    named = [Path(one) for one in specs]
    named += [Path(one) for one in environ.get(SPECS_VARIABLE, "").split(os.pathsep) if one]
    for place in named:
        if place.is_dir():
            yield from sorted(place.glob("*.yaml"))
        elif place.is_file():
            yield place
        else:
            message = "there is no such file or folder of specs"
            raise SpecInvalid([Finding("error", "yaml-unreadable", str(place), 1, 1, (), message)])
    for folder in (Path("provider_specs"), config_folder(environ) / "provider_specs"):
        if folder.is_dir() and not _is_shipped(folder):
            yield from sorted(folder.glob("*.yaml"))


def _is_shipped(folder: Path) -> bool:
    shipped = data_folder("provider_specs")
    return isinstance(shipped, Path) and shipped.exists() and folder.samefile(shipped)


def config_folder(environ: Mapping[str, str]) -> Path:
    """The user's own folder for rankspec."""
    if environ.get("XDG_CONFIG_HOME"):
        return Path(environ["XDG_CONFIG_HOME"]) / "rankspec"
    home = os.environ.get("HOME")
    if sys.platform == "linux" and home and not os.environ.keys() & {"XDG_CONFIG_HOME", "ANDROID_ROOT"}:
        # As platformdirs says, which takes 2 ms to import at the first call of a process.
        return Path(home, ".config", "rankspec")
    import platformdirs

    return Path(platformdirs.user_config_dir("rankspec", appauthor=False))
