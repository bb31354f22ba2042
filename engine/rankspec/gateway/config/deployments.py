"""Entries to deployments, each checked against the spec of its provider. What is wrong is said where it stands."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from rankspec.binding import Arguments
from rankspec.catalog import Catalog
from rankspec.errors import RequestInvalid, SpecInvalid, SpecNotFound, nearest
from rankspec.gateway.config.entries import Entry, Said
from rankspec.gateway.config.notes import Notes
from rankspec.gateway.config.providers import TYPO, Way, fits, sort_others, warn_of_literals, with_variables
from rankspec.gateway.config.references import References, is_reference
from rankspec.gateway.values import STAR, DeploymentConfig, Price
from rankspec.models import Path, Problem
from rankspec.parameters import validated
from rankspec.specs import ProviderSpec

_TEXTS = ("api_key", "api_base", "headers")
_COUNTS = ("max_retries", "order", "requests_per_minute", "tokens_per_minute", "max_concurrent", "max_queued")
_NUMBERS = ("weight", "timeout_seconds")

_RANKS = re.compile(r"rank|colbert", re.IGNORECASE)
_DOES_NOT_RANK = re.compile(
    r"embed|whisper|dall-e|(?:^|[/.])(?:tts|gpt|chatgpt|o[134]|claude|command|gemini|titan|nova)(?:[-_:.0-9]|$)",
    re.IGNORECASE,
)
"""What names of models say that people have for LiteLLM beside their rerankers, and do not mark."""

Resolved = tuple[str, ProviderSpec | None, str | None]
"""provider/model, the spec and the model's id; without a spec if each request names the provider."""


@dataclass
class Deployments:
    """What came of the entries.

    Attributes:
        found: the deployments.
        left_out: names of models that are not for this gateway.
        faulty: names of models that lack a deployment because something is wrong with it or missing.
    """

    found: list[DeploymentConfig] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)
    faulty: set[str] = field(default_factory=set)

    @property
    def names(self) -> list[str]:
        """The configured names."""
        return list(dict.fromkeys(one.name for one in self.found))


class Builder:
    """Makes deployments of entries.

    Args:
        catalog: the specs that can be called.
        references: finds secrets.
        notes: takes what is wrong.
        way: how the config is read.
    """

    def __init__(self, catalog: Catalog, references: References, notes: Notes, way: Way) -> None:
        self._catalog = catalog
        self._references = references
        self._notes = notes
        self._way = way
        self._ids: dict[Path, str] = {}

    def build(self, entries: Collection[Entry]) -> Deployments:
        """The deployments, in order."""
        made = Deployments()
        self._name(entries)
        for entry in entries:
            if self._is_for_others(entry):
                made.left_out.add(entry.name.value)
                continue
            may_be_for_others, errors = not self._is_surely_for_rerank(entry), self._notes.errors
            deployment = (self._relaxed() if may_be_for_others else self)._deployment(entry)
            if deployment is not None:
                made.found.append(replace(deployment, is_optional=may_be_for_others))
            elif may_be_for_others and self._notes.errors == errors:
                message = f"'{entry.name.value}' is left out: it cannot be used as it is, and does not say mode: rerank"
                self._notes.warn("config-left-out", entry.model.path, message)
                made.left_out.add(entry.name.value)
            else:
                made.faulty.add(entry.name.value)
        return made

    def _relaxed(self) -> Builder:
        """The same for entries that are left out if something is missing: they may be for something else."""
        relaxed = Builder(self._catalog, self._references, self._notes, replace(self._way, missing="warning"))
        relaxed._ids = self._ids
        return relaxed

    def _is_surely_for_rerank(self, entry: Entry) -> bool:
        """Whether an entry says that it is for rerank, or calls a model that its spec lists or whose name says it."""
        if entry.is_meant_for_rerank or is_reference(entry.model.value):
            return True
        found = self._looked_up(entry)
        if found is None:
            return True  # What is wrong with it is told as for all others.
        spec, model_id = found
        if model_id is None or STAR in model_id or _RANKS.search(model_id):
            return True
        return spec.model(model_id) is not spec.default_model

    def _looked_up(self, entry: Entry) -> tuple[ProviderSpec, str | None] | None:
        try:
            return self._catalog.resolve(entry.model.value, entry.provider.value if entry.provider else None)
        except (SpecNotFound, SpecInvalid):
            return None

    def _name(self, entries: Collection[Entry]) -> None:
        """Find every entry's id: the same whatever else can be used, so that it stays over reloads."""
        taken: set[str] = set()
        for entry in entries:
            if entry.id is None:
                continue
            found = str(entry.id.value)
            if found in taken:
                message = f"another deployment has the id '{found}': ids tell deployments apart, in logs and metrics"
                self._notes.report("config-id", entry.id.path, message)
            taken.add(found)
            self._ids[entry.path] = found
        for entry in entries:
            if entry.id is None:
                start = _own_id(entry)
                number = 1
                while (found := start if number == 1 else f"{start}#{number}") in taken:
                    number += 1
                taken.add(found)
                self._ids[entry.path] = found

    def _is_for_others(self, entry: Entry) -> bool:
        """Whether the entry is one of LiteLLM's for something else than rerank, which is left out."""
        if entry.is_meant_for_rerank is False:
            message = f"'{entry.name.value}' is left out: it is for {entry.info['mode']}, and this gateway reranks"
            self._notes.warn("config-left-out", entry.model.path, message)
            return True
        model = entry.model.value
        if entry.is_meant_for_rerank or model == STAR or is_reference(model):
            return False
        try:
            self._catalog.resolve(model, entry.provider.value if entry.provider else None)
        except SpecInvalid:
            return False
        except SpecNotFound as error:
            known = [source.name for source in self._catalog.sources]
            has_several = len(error.known) < len(known)
            provider = (entry.provider or entry.model).value.partition("/")[0]
            if has_several or nearest(provider, known, cutoff=TYPO):
                return False
            message = f"'{entry.name.value}' is left out: no spec is for '{provider}'"
            self._notes.warn("config-left-out", entry.model.path, message)
            return True
        if _DOES_NOT_RANK.search(model) and not self._is_surely_for_rerank(entry):
            message = (
                f"'{entry.name.value}' is left out: by its name '{model}' is no reranker; if it is one, write "
                "model_info: {mode: rerank}"
            )
            self._notes.warn("config-left-out", entry.model.path, message)
            return True
        return False

    def _deployment(self, entry: Entry) -> DeploymentConfig | None:
        """The deployment, or None if something is wrong with it that keeps it from being used."""
        resolved = self._resolved(entry)
        if resolved is None:
            return None
        model, spec, model_id = resolved
        sort_others(entry, spec, self._notes)
        if self._way.is_check:
            warn_of_literals(entry, spec, self._notes)
        has_valid_defaults = self._has_valid_defaults(entry) and self._has_numbers(entry)
        arguments = self._arguments(entry)
        if arguments is None:
            return None
        if spec is not None:
            arguments = with_variables(arguments, spec, self._way)
            if not fits(entry, spec, model_id, arguments, self._way, self._notes):
                return None
        return self._config(entry, model, arguments) if has_valid_defaults else None

    def _resolved(self, entry: Entry) -> Resolved | None:
        """What the entry calls, or None if that cannot be found."""
        model = self._text(entry.model)
        if model is None or not self._has_good_stars(entry, model):
            return None
        if model == STAR and entry.provider is None:
            return STAR, None, None
        if self._way.is_check and is_reference(entry.model.value):
            return model, None, None  # It is not looked for here.
        try:
            spec, model_id = self._catalog.resolve(model, entry.provider.value if entry.provider else None)
        except SpecNotFound as error:
            self._notes.problem(_not_found(error, entry))
            return None
        except SpecInvalid as error:
            first = error.findings[0]
            message = f"its spec does not load: {first.message} ({first.file}, line {first.line})"
            self._notes.report("config-model", entry.model.path, message)
            return None
        if spec.needs_model and model_id is None:
            self._notes.report("config-model", entry.model.path, f"{spec.name} needs a model: write {spec.name}/MODEL")
            return None
        if entry.provider is not None:
            model = f"{spec.name}/{model_id}" if model_id else spec.name
        return model, spec, model_id

    def _has_good_stars(self, entry: Entry, model: str) -> bool:
        name = entry.name.value
        for text, said in ((name, entry.name), (model, entry.model)):
            if text.count(STAR) > 1:
                self._notes.report("config-wildcard", said.path, "one * is the most")
                return False
        if STAR in model and STAR not in name:
            message = f"its * would be what the name's * matches, but the name '{name}' has none"
            self._notes.report("config-wildcard", entry.model.path, message)
            return False
        return True

    def _text(self, said: Said) -> str | None:
        return self._references.text(said.value, said.path, severity=self._way.missing)

    def _texts(self, said: dict[str, Said]) -> dict[str, str | None]:
        return {name: self._text(one) for name, one in said.items()}

    def _arguments(self, entry: Entry) -> Arguments | None:
        """What goes to the provider besides requests, or None if a part of it is missing."""
        single = self._texts({name: entry.fields[name] for name in ("api_key", "api_base") if name in entry.fields})
        said = entry.fields.get("headers")
        headers = self._texts({name: Said(one, (*said.path, name)) for name, one in said.value.items()} if said else {})
        settings = self._texts(entry.settings)
        if None in (*single.values(), *headers.values(), *settings.values()):
            return None
        return Arguments(
            single.get("api_key") or None,
            single.get("api_base") or None,
            {name: text for name, text in headers.items() if text is not None},
            {name: text for name, text in settings.items() if text},
        )

    def _has_valid_defaults(self, entry: Entry) -> bool:
        values = {name: said.value for name, said in entry.defaults.items()}
        try:
            validated({"query": "q", "documents": ["d"], **values})
        except RequestInvalid as error:
            for problem in error.problems:
                said = entry.defaults[str(problem.path[0])]
                self._notes.problem(Problem((*said.path, *problem.path[1:]), problem.message, problem.code))
            return False
        return True

    def _has_numbers(self, entry: Entry) -> bool:
        """Put numbers in place of references to them. A check does without those."""
        for name, said in list(entry.fields.items()):
            if name in (*_COUNTS, *_NUMBERS) and isinstance(said.value, str):
                number = self._references.number(said.value, said.path, severity=self._way.missing)
                if number is None:
                    del entry.fields[name]
                    if not self._way.is_check:
                        return False
                else:
                    entry.fields[name] = Said(number, said.path)
        return True

    def _config(self, entry: Entry, model: str, arguments: Arguments) -> DeploymentConfig:
        values = {name: said.value for name, said in entry.fields.items() if name not in _TEXTS}
        if self._way.max_concurrent is not None:
            values.setdefault("max_concurrent", self._way.max_concurrent)
        values |= {name: int(values[name]) for name in _COUNTS if name in values}
        values |= {name: float(values[name]) for name in _NUMBERS if name in values}
        defaults = {name: said.value for name, said in entry.defaults.items()}
        if entry.extra:
            defaults["extra"] = {name: said.value for name, said in entry.extra.items()}
        return DeploymentConfig(
            id=self._ids[entry.path],
            name=entry.name.value,
            model=model,
            api_key=arguments.api_key,
            api_base=arguments.api_base,
            headers=arguments.headers or {},
            settings=arguments.settings or {},
            defaults=defaults,
            price=Price(*entry.price) if entry.price else None,
            info=entry.info,
            **values,
        )


def _own_id(entry: Entry) -> str:
    """What an entry without an id is called: its model, or its name if that is a URL or stands elsewhere."""
    model = str(entry.model.value)
    if "://" in model or is_reference(model):
        return str(entry.name.value)
    provider = f"{entry.provider.value}/" if entry.provider else ""
    return model if model.startswith(provider) else provider + model


def _not_found(error: SpecNotFound, entry: Entry) -> Problem:
    """The problem that there is no such provider, with the name that was meant."""
    said = entry.provider or entry.model
    head, slash, rest = said.value.partition("/")
    meant = f"{error.nearest}{slash}{rest}" if error.nearest and head != error.nearest else None
    return Problem(said.path, error.message, "config-model", suggestion=meant)
