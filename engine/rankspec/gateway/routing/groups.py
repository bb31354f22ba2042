"""Model names to deployments: exact names, aliases, names with a star, and ids that only one provider lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rankspec.errors import SpecNotFound
from rankspec.gateway.routing.deployments import STAR, AnyProvider, Deployment


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
        self._any: dict[str, AnyProvider] = {}
        for member in members:
            if isinstance(member, AnyProvider):
                self._any[member.config.name] = member
            else:
                by_name.setdefault(member.config.name, []).append(member)
        self._groups = {name: Group(name, tuple(deployments)) for name, deployments in by_name.items()}
        # The longest first: cohere/* goes before *.
        starred = [name for name in (*self._groups, *self._any) if STAR in name]
        self._starred = sorted(dict.fromkeys(starred), key=len, reverse=True)
        self._aliases = aliases
        self._listed = _listed(self._groups[name] for name in self._starred if name in self._groups)

    @property
    def names(self) -> list[str]:
        """The configured names, those with a star too, then the aliases."""
        return [*(name for name in self._groups if STAR not in name), *self._starred, *self._aliases]

    @property
    def deployments(self) -> list[Deployment]:
        """Every deployment that there is by now."""
        fixed = [one for group in self._groups.values() for one in group.deployments]
        return fixed + [one for member in self._any.values() for one in member.deployments]

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
        name = self._aliases.get(name, name)
        return (STAR not in name and self._groups.get(name)) or self._matching(name) or self._listed.get(name)

    def _matching(self, name: str) -> Group | None:
        for pattern in self._starred:
            before, _, after = pattern.partition(STAR)
            if len(name) <= len(before) + len(after) or not (name.startswith(before) and name.endswith(after)):
                continue
            star = name[len(before) : len(name) - len(after)]
            if pattern in self._groups:
                return Group(pattern, self._groups[pattern].deployments, star)
            try:
                deployment, model_id = self._any[pattern].deployment(star)
            except SpecNotFound:
                continue
            return Group(pattern, (deployment,), model_id)
        return None


def _listed(starred: Iterable[Group]) -> dict[str, Group]:
    """Bare model ids that one provider alone lists of those with a star: cohere/* also answers for rerank-v3.5."""
    owners: dict[str, dict[str, Group]] = {}
    for group in starred:
        if all(one.config.model.endswith(f"/{STAR}") for one in group.deployments):
            for spec in {one.spec.name: one.spec for one in group.deployments}.values():
                for model in (*spec.models, *spec.model_aliases):
                    owners.setdefault(model, {})[spec.name] = Group(group.name, group.deployments, model)
    return {
        model: next(iter(groups.values()))
        for model, groups in owners.items()
        if len(groups) == 1 and not model.endswith(STAR)
    }
