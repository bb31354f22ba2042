"""Whether the names that aliases, fallbacks and the default model give are names of something that can be called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rankspec.catalog import Catalog
from rankspec.errors import SpecInvalid, SpecNotFound, did_you_mean, nearest
from rankspec.gateway.config.deployments import Deployments
from rankspec.gateway.config.entries import Said
from rankspec.gateway.config.notes import Notes
from rankspec.gateway.config.routing import Chain
from rankspec.gateway.values import PASSTHROUGH, star_in
from rankspec.models import Problem


@dataclass
class Targets:
    """What names may mean.

    Args:
        deployments: what can be called, and what was left out.
        catalog: the specs that fallbacks may name too.
        aliases: every alias as it is written, with the model it stands for.
        notes: takes what is wrong.
        is_lenient: whether deployments that lack a secret are left out, and so are their names.
    """

    deployments: Deployments
    catalog: Catalog
    aliases: Mapping[str, tuple[Said, Said]]
    notes: Notes
    is_lenient: bool

    def meant(self, name: str) -> str:
        """The model that a name stands for, through aliases."""
        seen: set[str] = set()
        while name in self.aliases and name not in seen:
            seen.add(name)
            name = self.aliases[name][1].value
        return name

    def checked_aliases(self) -> dict[str, str]:
        """The aliases that can be used, each with a configured name."""
        return {name: self.meant(name) for name, (own, target) in self.aliases.items() if self._is_good(own, target)}

    def _is_good(self, own: Said, target: Said) -> bool:
        meant = self.meant(own.value)
        if meant in self.aliases:
            self.notes.report(
                "config-alias-cycle", own.path, f"'{own.value}' stands for itself in the end", of_key=True
            )
            return False
        if own.value in self.deployments.names:
            message = f"'{own.value}' is an alias and the name of a model, which can no longer be reached: rename one"
            self.notes.report("config-alias-shadows", own.path, message, of_key=True)
            return False
        return self._is_callable(meant) or self._tell(target, meant)

    def checked_default(self, said: Said | None) -> str | None:
        """The default model, if it can be used."""
        if said is None or not (self._is_callable(self.meant(said.value)) or self._tell(said, said.value)):
            return None
        return str(said.value)

    def checked_chain(self, chain: Chain) -> tuple[str, ...]:
        """The members of a chain that can be used; empty if its name cannot be."""
        if chain.name is not None:
            name = chain.name.value
            is_pattern = name in self.deployments.names
            if (
                not is_pattern
                and not self._is_callable(self.meant(name))
                and not self._tell(chain.name, name, of_key=True)
            ):
                return ()
        seen = {self.meant(chain.name.value)} if chain.name else set()
        kept: list[str] = []
        for at, member in enumerate(chain.members):
            if self._has_place(member, seen, is_last=at + 1 == len(chain.members)):
                kept.append(member.value)
                seen.add(self.meant(member.value))
        return tuple(kept)

    def _has_place(self, member: Said, seen: Iterable[str], *, is_last: bool) -> bool:
        """Whether a chain's member is one, and can do more than what stands before it."""
        if member.value == PASSTHROUGH:
            if not is_last:
                message = f"{PASSTHROUGH} always answers: what follows it is never reached; put it last"
                self.notes.report("fallback-passthrough", member.path, message)
            return is_last
        meant = self.meant(member.value)
        if meant in seen:
            message = f"'{member.value}' has failed by then: it is left out here"
            self.notes.warn("fallback-repeats", member.path, message)
            return False
        is_known = self._is_callable(meant) or (not self._is_withheld(meant) and self._is_in_catalog(meant))
        return is_known or self._tell(member, meant)

    def _is_callable(self, name: str) -> bool:
        return name in self.deployments.names or any(_matches(pattern, name) for pattern in self.deployments.names)

    def _is_withheld(self, name: str) -> bool:
        """Whether the config has the name, and it cannot be called for a reason that is told."""
        return any(_matches(one, name) for one in self.deployments.left_out | self.deployments.faulty)

    def _is_in_catalog(self, name: str) -> bool:
        try:
            spec, model_id = self.catalog.resolve(name)
        except (SpecNotFound, SpecInvalid):
            return False
        return model_id is not None or not spec.needs_model

    def _tell(self, said: Said, name: str, *, of_key: bool = False) -> bool:
        """Say that a name means nothing here; always false."""
        if any(_matches(one, name) for one in self.deployments.left_out):
            message = f"'{name}' is left out here: it is for something else than rerank"
            self.notes.warn("config-left-out", said.path, message, of_key=of_key)
        elif any(_matches(one, name) for one in self.deployments.faulty):
            if self.is_lenient:
                message = f"'{name}' is left out here: it lacks a secret"
                self.notes.warn("config-left-out", said.path, message, of_key=of_key)
        else:
            known = [*self.deployments.names, *self.aliases, PASSTHROUGH]
            message = f"no model is called '{name}'{did_you_mean(name, known)}"
            problem = Problem(said.path, message, "unknown-model", suggestion=nearest(name, known), of_key=of_key)
            self.notes.problem(problem)
        return False


def _matches(pattern: str, name: str) -> bool:
    return pattern == name or star_in(pattern, name) is not None
