"""A config as a whole: its parts are read one after the other, and what is wrong with any of them is told together."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rankspec.catalog import Catalog, SpecOverridden
from rankspec.disclosure import means_a_secret
from rankspec.errors import ConfigInvalid, SpecInvalid
from rankspec.gateway.config.deployments import Builder, Deployments
from rankspec.gateway.config.entries import Said, names_in, read_entries
from rankspec.gateway.config.form import sound_part
from rankspec.gateway.config.notes import Notes
from rankspec.gateway.config.providers import Way, warn_of_literal
from rankspec.gateway.config.reading import read_config_text
from rankspec.gateway.config.references import ReadFile, References, is_referable, read_text_file
from rankspec.gateway.config.routing import TERMS, aliases, chains, read_server, said, settled
from rankspec.gateway.config.targets import Targets
from rankspec.gateway.values import GatewayConfig, RoutingConfig
from rankspec.models import Finding, Json, Severity


def read_config(
    text: str,
    file: str,
    environ: Mapping[str, str],
    *,
    lenient: bool = False,
    catalog: Catalog | None = None,
    read_file: ReadFile = read_text_file,
) -> tuple[GatewayConfig, list[Finding], Catalog]:
    """The config, the warnings about it, and the specs that it was read with.

    Args:
        text: the file's content.
        file: its name, for findings; relative paths in it start at its folder.
        environ: environment variables by name.
        lenient: leave out deployments whose secrets are missing, with a warning.
        catalog: the specs that can be called; by default the shipped ones, the user's and those that the config names.
        read_file: reads the files with secrets.

    Raises:
        ConfigInvalid: with everything that is wrong, and the warnings.
    """
    reader = _Reader(text, file, environ, read_file, catalog, missing="warning" if lenient else "error", is_check=False)
    config = reader.config()
    findings = reader.notes.findings()
    if config is None or reader.catalog is None or reader.notes.has_errors:
        raise ConfigInvalid(findings)
    return config, findings, reader.catalog


def examine_config(
    text: str,
    file: str,
    environ: Mapping[str, str] | None = None,
    *,
    catalog: Catalog | None = None,
    specs: Sequence[str] = (),
    read_file: ReadFile = read_text_file,
) -> tuple[GatewayConfig | None, list[Finding]]:
    """The config with `<NAME>` for secrets, or None if there is none, and everything that there is to say about it.

    Args:
        environ: environment variables by name: what the config refers to and is missing is warned of; None: is not.
        specs: folders and files of specs besides those that the config names.
        text, file, catalog, read_file: as for `read_config`.
    """
    reader = _Reader(text, file, environ, read_file, catalog, missing="warning", is_check=True, specs=specs)
    config = reader.config()
    return (None if reader.notes.has_errors else config), reader.notes.findings()


class _Reader:
    def __init__(
        self,
        text: str,
        file: str,
        environ: Mapping[str, str] | None,
        read_file: ReadFile,
        catalog: Catalog | None,
        *,
        missing: Severity,
        is_check: bool,
        specs: Sequence[str] = (),
    ) -> None:
        self._read, self._tolerated = read_config_text(text, file)
        self._file = Path(file).absolute()
        self._environ = environ
        self.catalog = catalog
        self._missing: Severity = missing
        self._is_check = is_check
        self._specs = specs
        self._variables: dict[str, str] = {}
        self.notes = Notes(self._read)
        self._references = References(self.notes, environ, self._file.parent, read_file, placeholders=is_check)

    def config(self) -> GatewayConfig | None:
        """What can be made of the file; what is wrong is in the notes."""
        data = self._data()
        if data is None:
            return None
        specs = tuple(str(self._file.parent / one) for one in data.get("specs", ()))
        override = bool(data.get("override_specs", False))
        catalog = self.catalog = self.catalog or self._own_catalog(specs, override=override)
        if catalog is None:
            return None
        made = self._deployments(data, catalog)
        is_lenient = self._missing == "warning" and not self._is_check
        targets = Targets(made, catalog, aliases(data, self.notes), self.notes, is_lenient)
        config = GatewayConfig(
            tuple(made.found),
            self._routing(data, targets),
            read_server(data, self._references, self.notes, is_check=self._is_check),
            specs,
            override,
            (str(self._file), *dict.fromkeys(self._references.files)),
        )
        if not made.found and not self.notes.has_errors:
            message = "there is no model to rerank with: add one to model_list"
            self.notes.report("config-no-models", self._where_models_are(), message, of_key=True)
        return config

    def _data(self) -> dict[str, Any] | None:
        """What of the file's value can be used, or None if nothing can."""
        self.notes.take(self._read.findings)
        if not self._read.is_complete:
            return None
        if not isinstance(self._read.data, dict):
            self.notes.report("wrong-type", (), "a config is an object: model_list:, router_settings: and so on")
            return None
        self._variables = self._own_variables()
        self._references.lay_over(self._variables)
        return sound_part(self._read.data, self._tolerated, self.notes)

    def _deployments(self, data: Mapping[str, Json], catalog: Catalog) -> Deployments:
        way = Way(
            self._references.environ,
            self._missing,
            self._is_check,
            self._variables,
            said(data, ("router_settings", "default_max_parallel_requests")),
        )
        made = Builder(catalog, self._references, self.notes, way).build(list(read_entries(data, self.notes)))
        made.faulty |= names_in(self._read.data)
        return made

    def _where_models_are(self) -> tuple[str, ...]:
        return next(((name,) for name in ("model_list", "models") if name in self._read.data), ())

    def _own_variables(self) -> dict[str, str]:
        """The file's own environment variables; one that refers to what is missing is not set."""
        data = self._read.data.get("environment_variables")
        found = {
            name: self._references.text(value, ("environment_variables", name), severity=self._missing)
            for name, value in (data.items() if isinstance(data, dict) else ())
            if is_referable(value)
        }
        if self._is_check:
            for name, value in data.items() if isinstance(data, dict) else ():
                if means_a_secret(name):
                    warn_of_literal(Said(value, ("environment_variables", name)), self.notes)
        return {name: value for name, value in found.items() if value}

    def _own_catalog(self, specs: tuple[str, ...], *, override: bool) -> Catalog | None:
        places = (*specs, *self._specs)
        for at, place in enumerate(specs):
            if not _is_there(place):
                message = f"there is no file or folder '{self._read.value_at(('specs', at))}'"
                self.notes.report("config-specs", ("specs", at), message)
        places = tuple(place for place in places if _is_there(place))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SpecOverridden)  # The config asks for it.
                return Catalog(places, override=override, environ=self._environ or {})
        except SpecInvalid as error:
            for finding in error.findings:
                self.notes.report("config-specs", (), f"{finding.message}: {finding.file}")
            return None

    def _routing(self, data: Mapping[str, Json], targets: Targets) -> RoutingConfig:
        values = settled(data, TERMS, self.notes)
        default = Said(values["default_model"], ("routing", "default_model")) if "default_model" in values else None
        values["default_model"] = targets.checked_default(default)
        found = [(chain, targets.checked_chain(chain)) for chain in chains(data, self.notes)]
        return RoutingConfig(
            aliases=targets.checked_aliases(),
            fallbacks={chain.name.value: members for chain, members in found if chain.name and members},
            default_fallbacks=next((members for chain, members in found if chain.name is None), ()),
            **values,
        )


def _is_there(place: str) -> bool:
    try:
        return Path(place).exists()
    except OSError:  # The name is too long, or leads through a folder that may not be read.
        return False
