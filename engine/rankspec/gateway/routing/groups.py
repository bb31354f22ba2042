"""Model names to deployments: exact names, aliases, names with a star, and ids that only one provider lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from rankspec.errors import SpecNotFound
from rankspec.gateway.routing.deployments import AnyProvider, Deployment
from rankspec.gateway.values import STAR, star_in
from rankspec.specs import ProviderSpec


@dataclass(frozen=True, slots=True)
class Group:
    """The deployments of one configured name. `star` is what its star stands for in this request."""

    name: str
    deployments: tuple[Deployment, ...]
    star: str | None = None


class Groups:
    """Finds the deployments that answer for a name.

    Args:
        members: what answers, in the config's order.
        aliases: other names of models.
    """

    def __init__(self, members: Iterable[Deployment | AnyProvider], aliases: Mapping[str, str]) -> None:
        by_name: dict[str, list[Deployment]] = {}
        self._any: dict[str, list[AnyProvider]] = {}
        for member in members:
            if isinstance(member, AnyProvider):
                self._any.setdefault(member.config.name, []).append(member)
            else:
                by_name.setdefault(member.config.name, []).append(member)
        self._groups = {name: Group(name, tuple(deployments)) for name, deployments in by_name.items()}
        # The longest first: cohere/* goes before *.
        starred = [name for name in (*self._groups, *self._any) if STAR in name]
        self._starred = sorted(dict.fromkeys(starred), key=len, reverse=True)
        self._aliases = aliases
        plain = {name: group for name, group in self._groups.items() if STAR not in name}
        meant = {alias: plain.get(name) for alias, name in aliases.items()}
        self._at_once = {name: group for name, group in {**plain, **meant}.items() if group is not None}
        self._listed = listed_ids(
            {
                name: [(one.config.model, one.spec) for one in self._groups[name].deployments]
                for name in self._starred
                if name in self._groups
            }
        )

    @property
    def names(self) -> list[str]:
        """The configured names, those with a star too, then the aliases."""
        return [*(name for name in self._groups if STAR not in name), *self._starred, *self._aliases]

    @property
    def deployments(self) -> list[Deployment]:
        """Every deployment that there is by now."""
        fixed = [one for group in self._groups.values() for one in group.deployments]
        return fixed + [one for members in self._any.values() for member in members for one in member.deployments]

    @property
    def only_name(self) -> str | None:
        """The one model there is, for requests that name none."""
        return next(iter(self._groups)) if len(self._groups) == 1 and not self._starred else None

    def find(self, name: str) -> Group | None:
        """The deployments for a name in a caller's words, or None.

        Raises:
            CredentialMissing, SettingMissing, SpecInvalid: it means a provider that is called for the first time, and
                cannot be.
        """
        group = self._at_once.get(name)
        if group is None:
            name = self._aliases.get(name, name)
            group = self._matching(name) or self._listing(name)
        return group

    def _listing(self, name: str) -> Group | None:
        pattern = self._listed.get(name)
        return None if pattern is None else replace(self._groups[pattern], star=name)

    def _matching(self, name: str) -> Group | None:
        for pattern in self._starred:
            star = star_in(pattern, name)
            if star is None:
                continue
            if pattern in self._groups:
                return replace(self._groups[pattern], star=star)
            try:
                made = [one.deployment(star) for one in self._any[pattern]]
            except SpecNotFound:
                continue
            return Group(pattern, tuple(deployment for deployment, _ in made), made[0][1])
        return None


def listed_ids(starred: Mapping[str, Sequence[tuple[str, ProviderSpec]]]) -> dict[str, str]:
    """Bare model ids that one provider alone lists, each with the name with a star that answers for it.

    `cohere/*` also answers for `rerank-v3.5`.

    Args:
        starred: by name, the model and the spec of each of its deployments.
    """
    owners: dict[str, dict[str, str]] = {}
    for name, deployments in starred.items():
        if all(model.endswith(f"/{STAR}") for model, _ in deployments):
            for _, spec in deployments:
                for listed in (*spec.models, *spec.model_aliases):
                    owners.setdefault(listed, {})[spec.name] = name
    return {
        listed: next(iter(names.values()))
        for listed, names in owners.items()
        if len(names) == 1 and not listed.endswith(STAR)
    }
